"""A derivation as an exercise: its numbers left out, and the answers graded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite, prod
from typing import TYPE_CHECKING, Any

from ..ops import CALL, as_float
from .formula import Formula
from .notation import Symbol, Text, counted
from .pages import Equations, Heading, Prose, forward, route_names, text_of

if TYPE_CHECKING:
    from .data import Derivation, Route, Step

BLANK = "____"


@dataclass(frozen=True)
class Verdict:
    """What is to be said of an answer; true if it is right."""

    right: bool
    message: str

    def __bool__(self) -> bool:
        return self.right

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Question:
    """A line of a derivation with its number left out; `answer` is that number, `mistakes` what slips lead to."""

    index: int
    text: str
    answer: float = field(repr=False)
    mistakes: tuple[tuple[float, str], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"{self.index}. {self.text} = {BLANK}"

    def check(self, number: float | str, tolerance: float = 5e-3) -> Verdict:
        """The verdict on `number`: right, wrong, or right but for a slip.

        `number` may be a string, such as "0.0822".  It may be off by `tolerance`, relative: at 5e-3, three digits that
        are rounded as they should be are right.

        >>> from autograd import Value, explain, sigmoid
        >>> z = Value(0.5, "z")
        >>> first, *_, total = explain(sigmoid(z) ** 2, z).quiz()
        >>> total.check(0.2926), str(total.check(-0.2926)), str(total.check(1.0))
        (Verdict(right=True, message='right'), 'right but for the sign', 'wrong')
        """
        given, tolerance = _parsed(number), as_float(tolerance)
        if not tolerance >= 0.0:
            raise ValueError(f"a tolerance of {tolerance}; give one from 0, such as 5e-3")
        if self._close(given, self.answer, tolerance):
            return Verdict(True, "right")
        near = "close, but carry more digits" if self._close(given, self.answer, 4 * tolerance) else "wrong"
        slips = (message for wrong, message in self.mistakes if self._close(given, wrong, tolerance))
        return Verdict(False, next(slips, near))

    def _close(self, given: float, expected: float, tolerance: float) -> bool:
        if not isfinite(expected):
            return given == expected or (given != given and expected != expected)
        return abs(given - expected) <= tolerance * abs(expected)


def _parsed(number: Any) -> float:
    if not isinstance(number, str):
        return as_float(number)
    try:
        return float(number)
    except ValueError:
        raise ValueError(f"{number!r:.60} is no number; give one in decimals, such as 0.667 or 4.4e-4") from None


class Quiz(Sequence[Question]):
    """The questions of a derivation, in its order: every factor, every product, every sum.

    ``print(quiz)`` gives the exercise sheet.

    >>> from autograd import Value, explain
    >>> x = Value(2.0, "x")
    >>> print(explain((3 - x) ** 2, x).quiz())
    dy/dx = ____
    <BLANKLINE>
    Forward
      y = (3 - x)^2 = 1
      with x = 2
    <BLANKLINE>
    Backward
      1. dy/dx = -2 (3 - x) = ____
    """

    def __init__(self, derivation: Derivation) -> None:
        self._derivation = derivation
        self._style = Text(derivation.digits)
        self._questions: list[Question] = []
        self._asked: set[str] = set()
        steps: dict[Symbol, Step] = {}
        for step in derivation.steps:
            self._ask(step, steps)
            steps[step.by] = step

    def __getitem__(self, index: Any) -> Any:
        return self._questions[index]

    def __len__(self) -> int:
        return len(self._questions)

    def __repr__(self) -> str:
        d = self._derivation
        return f"Quiz of {counted(len(self), 'question')} on {self._style.derivative(d.of, d.by)}"

    def __str__(self) -> str:
        d = self._derivation
        whole = Equations(((self._style.derivative(d.of, d.by), f"= {BLANK}"),))
        questions = [Prose(str(question)) for question in self]
        remarks = map(Prose, d.remarks if not questions else ())
        return text_of([whole, *remarks, *forward(d, self._style), Heading("Backward"), *questions])

    def check(self, step: int | Question, number: float | str, tolerance: float = 5e-3) -> Verdict:
        """The verdict on `number` as the answer to a question, given by itself or by its number, from 1.

        >>> from autograd import Value, explain
        >>> x = Value(2.0, "x")
        >>> quiz = explain((3 - x) ** 2, x).quiz()
        >>> print(quiz.check(1, 2.0))
        right but for the sign
        """
        if isinstance(step, Question):
            return step.check(number, tolerance)
        if isinstance(step, bool) or not isinstance(step, int) or not 1 <= step <= len(self):
            raise ValueError(f"question {step!r:.60}; give a question, or its number from 1 to {len(self)}")
        return self._questions[step - 1].check(number, tolerance)

    def _ask(self, step: Step, earlier: dict[Symbol, Step]) -> None:
        """The questions about a step: its factors, its products, its sum."""
        style = self._style
        whole = style.derivative(step.of, step.by)
        several = len(step.routes) + step.omitted > 1
        names = route_names(step, style) if several else [whole]
        for name, route in zip(names, step.routes):
            for factor in route.factors:
                text = style.derivative(factor.of, factor.by) if len(route.factors) > 1 else name
                if factor.formula is None or text in self._asked:
                    continue
                self._asked.add(text)
                if isinstance(factor.formula, Formula):
                    text += f" = {style.write(factor.formula)}"
                self._add(text, factor.number)
            if len(route.factors) > 1:
                product = style.product([(style.derivative(factor.of, factor.by), CALL) for factor in route.factors])
                self._add(
                    f"{name} = {product}", route.number, [*_forgotten_activations(route), *_forgotten(route, earlier)]
                )
        if several:
            more = [f"{style.write(step.rest)} from {step.omitted} smaller ones"] * (step.omitted > 0)
            self._add(f"{whole} = {' + '.join([*names, *more])}", step.number, _forgotten_routes(step, names))

    def _add(self, text: str, answer: float, mistakes: Iterable[tuple[float, str]] = ()) -> None:
        slips = [(number, slip) for number, slip in mistakes if number != answer]
        both = [(-number, f"the sign and {slip}") for number, slip in slips]
        wrong = [(number, f"right but for {slip}") for number, slip in [(-answer, "the sign"), *slips, *both]]
        self._questions.append(Question(len(self) + 1, text, answer, tuple(wrong)))


def _forgotten_activations(route: Route) -> Iterator[tuple[float, str]]:
    """The product without the derivative of one activation, or of all of them."""
    activations = [factor for factor in route.factors if factor.activation]
    for left_out in [[factor] for factor in activations] + [activations] * (len(activations) > 1):
        names = ", ".join(Text().derivative(factor.of, factor.by) for factor in left_out)
        number = prod(factor.number for factor in route.factors if factor not in left_out)
        yield number, f"a forgotten derivative of the activation: {names}"


def _forgotten(route: Route, earlier: dict[Symbol, Step]) -> Iterator[tuple[float, str]]:
    """The product with a sum, from an earlier step, that lacks a route."""
    first, *others = route.factors
    if first.formula is None and first.by in earlier:
        step = earlier[first.by]
        for number, message in _forgotten_routes(step, route_names(step, Text())):
            yield number * prod(factor.number for factor in others), message


def _forgotten_routes(step: Step, names: Sequence[str]) -> Iterator[tuple[float, str]]:
    """The sum without a route, or of one route alone, or without the derivatives of the activations."""
    for name, route in zip(names, step.routes):
        yield step.number - route.number, f"a forgotten route: {name}"
    for name, route in zip(names, step.routes):
        yield route.number, f"forgotten routes: only {name} counted"
    without = [prod(factor.number for factor in route.factors if not factor.activation) for route in step.routes]
    yield sum(without) + step.rest, "a forgotten derivative of the activation, in each route"
