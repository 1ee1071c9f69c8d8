"""The questions about a derivation, and the mistakes that each question invites."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod

from ..ops import CALL
from .data import Derivation, Route, Step
from .formula import Formula
from .notation import Symbol, Text
from .pages import Equations, Heading, Prose, forward, route_names, text_of
from .quiz import BLANK, Question, Quiz


def quiz_of(derivation: Derivation) -> Quiz:
    """The questions of a derivation, and the sheet that asks them."""
    style = Text(derivation.digits)
    title = style.derivative(derivation.of, derivation.by)
    questions = tuple(_Asking(derivation, style).questions)
    remarks = derivation.remarks if not questions else ()
    sheet = [
        Equations(((title, f"= {BLANK}"),)),
        *map(Prose, remarks),
        *forward(derivation, style),
        Heading("Backward"),
        *(Prose(str(question)) for question in questions),
    ]
    return Quiz(title, questions, text_of(sheet))


class _Asking:
    """The questions asked so far, while the steps of a derivation are walked."""

    def __init__(self, derivation: Derivation, style: Text) -> None:
        self.style = style
        self.questions: list[Question] = []
        self._asked: set[str] = set()
        self._steps: dict[Symbol, Step] = {}  # by the variable of each
        for step in derivation.steps:
            self._ask(step)
            self._steps[step.by] = step

    def _ask(self, step: Step) -> None:
        """The questions about a step: its factors, its products, its sum."""
        style = self.style
        whole = style.derivative(step.of, step.by)
        several = len(step.routes) + step.omitted > 1
        names = route_names(step, style) if several else [whole]
        for name, route in zip(names, step.routes):
            self._ask_factors(name, route)
            if len(route.factors) > 1:
                product = style.product([(style.derivative(factor.of, factor.by), CALL) for factor in route.factors])
                mistakes = [*_forgotten_activations(route), *self._forgotten_in_sum(route)]
                self._add(f"{name} = {product}", route.number, mistakes)
        if several:
            terms = list(names)
            if step.omitted:
                terms.append(f"{style.write(step.rest)} from {step.omitted} smaller ones")
            self._add(f"{whole} = {' + '.join(terms)}", step.number, _forgotten_routes(step, names))

    def _ask_factors(self, name: str, route: Route) -> None:
        for factor in route.factors:
            text = self.style.derivative(factor.of, factor.by) if len(route.factors) > 1 else name
            if factor.formula is None or text in self._asked:
                continue
            self._asked.add(text)
            if isinstance(factor.formula, Formula):
                text += f" = {self.style.write(factor.formula)}"
            self._add(text, factor.number)

    def _add(self, text: str, answer: float, mistakes: Iterable[tuple[float, str]] = ()) -> None:
        slips = [(number, slip) for number, slip in mistakes if number != answer]
        both = [(-number, f"the sign and {slip}") for number, slip in slips]
        wrong = [(number, f"right but for {slip}") for number, slip in [(-answer, "the sign"), *slips, *both]]
        self.questions.append(Question(len(self.questions) + 1, text, answer, tuple(wrong)))

    def _forgotten_in_sum(self, route: Route) -> Iterator[tuple[float, str]]:
        """The product, if it begins with a sum from an earlier step, and a route of that sum is forgotten."""
        first, *others = route.factors
        if first.formula is None and first.by in self._steps:
            step = self._steps[first.by]
            for number, message in _forgotten_routes(step, route_names(step, self.style)):
                yield number * prod(factor.number for factor in others), message


def _forgotten_activations(route: Route) -> Iterator[tuple[float, str]]:
    """The product without the derivative of one activation, or without all of them."""
    activations = [factor for factor in route.factors if factor.activation]
    choices = [[factor] for factor in activations]
    if len(activations) > 1:
        choices.append(activations)
    for left_out in choices:
        names = ", ".join(Text().derivative(factor.of, factor.by) for factor in left_out)
        number = prod(factor.number for factor in route.factors if factor not in left_out)
        yield number, f"a forgotten derivative of the activation: {names}"


def _forgotten_routes(step: Step, names: Sequence[str]) -> Iterator[tuple[float, str]]:
    """The sum without a route, or of one route alone, or without the derivatives of the activations."""
    for name, route in zip(names, step.routes):
        yield step.number - route.number, f"a forgotten route: {name}"
    for name, route in zip(names, step.routes):
        yield route.number, f"forgotten routes: only {name} counted"
    without = [prod(factor.number for factor in route.factors if not factor.activation) for route in step.routes]
    yield sum(without) + step.rest, "a forgotten derivative of the activation, in each route"
