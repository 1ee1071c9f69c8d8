"""`Derivation`: the chain rule worked through for one pair (output, variable), as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any

from ..conversions import as_float
from .formula import Formula, symbols
from .notation import Symbol, decimal
from .quiz import Question, Quiz, Verdict


@dataclass(frozen=True)
class Factor:
    """The derivative d(of)/d(by) between two neighboring stops: its formula and its number.

    The formula is None if an earlier step worked the derivative out or, in a long derivation, the sweep over the graph.
    `activation` marks the derivative of an activation.
    """

    of: Symbol
    by: Symbol
    formula: Formula | float | None
    number: float
    activation: bool = False


@dataclass(frozen=True)
class Route:
    """A product of factors: one way from `of` down to `by`.  `via` is the last stop between the two."""

    of: Symbol
    by: Symbol
    via: Symbol | None
    factors: tuple[Factor, ...]
    number: float


@dataclass(frozen=True)
class Step:
    """d(of)/d(by): a product or, if several routes meet, the sum of their products.

    If the sum is long, `routes` holds only the largest; the `omitted` others sum to `rest`.
    """

    of: Symbol
    by: Symbol
    routes: tuple[Route, ...]
    number: float
    omitted: int = 0
    rest: float = 0.0


@dataclass(frozen=True)
class Definition:
    """The formula that computes a stop, as the sum of `terms`.

    In a long sum, None stands for terms that continue the pattern of those before it, up to the next one.  If `omitted`
    is not 0, the last None stands for that many terms of any kind, which sum to `rest`.
    """

    symbol: Symbol
    terms: tuple[Formula | float | None, ...]
    number: float
    omitted: int = 0
    rest: float = 0.0


@dataclass(frozen=True, repr=False, eq=False)
class Derivation:
    """The derivation of d(output)/d(variable); `autograd.explain` returns it.

    `number` is the derivative where `variable` is `at`.  `definitions` are the stops on the way, `given` the other
    symbols with their numbers, and `steps` the chain rule, from the output down.  `remarks` say more, such as why
    a derivative is 0.

    ``print(derivation)`` shows it as text; a notebook shows it as formulas.  Numbers are rounded to `digits` decimals
    only when they are written.
    """

    output: Any = field(repr=False)
    variable: Any = field(repr=False)
    of: Symbol
    by: Symbol
    at: float
    number: float
    definitions: tuple[Definition, ...] = ()
    given: tuple[tuple[Symbol, float], ...] = ()
    steps: tuple[Step, ...] = ()
    remarks: tuple[str, ...] = ()
    digits: int = 8
    rate: float | None = None

    def update(self, rate: float) -> Derivation:
        """The derivation with a step of gradient descent as its last line: w+ = w - rate * dE/dw.

        A ValueError if the rate is NaN or infinite.

        >>> from autograd import Value, explain
        >>> w = Value(3.0, "w")
        >>> print(str(explain(w**2, w).update(0.25)).splitlines()[-1].strip())
        w+ = w - 0.25 * dy/dw = 3 - 0.25 * 6 = 1.5
        """
        rate = as_float(rate)
        if not isfinite(rate):
            raise ValueError(f"rate is {rate}; give a finite number, such as 0.5")
        return replace(self, rate=rate)

    def quiz(self) -> Quiz:
        """The same steps as questions, with the numbers left out.

        >>> from autograd import Value, explain
        >>> w = Value(3.0, "w")
        >>> print(explain((1 - w) ** 2, w).quiz()[0])
        1. dy/dw = -2 (1 - w) = ____
        """
        from .questions import quiz_of

        return quiz_of(self)

    def check(self, question: int | Question, number: float | str) -> Verdict:
        """The verdict on `number` as the answer to a question of `quiz`; give the question, or its number from 1.

        >>> from autograd import Value, explain
        >>> w = Value(3.0, "w")
        >>> print(explain((1 - w) ** 2, w).check(1, -4.0))
        right but for the sign
        """
        return self.quiz().check(question, number)

    def shown(self) -> Iterator[Symbol]:
        """The symbols in the steps, in order, each as often as it appears."""
        yield from (self.of, self.by)
        for step in self.steps:
            for route in step.routes:
                for factor in route.factors:
                    yield from (factor.of, factor.by)
                    yield from symbols(factor.formula or 0.0)

    def to_text(self) -> str:
        """The derivation as plain text; ``print`` shows the same."""
        from . import pages

        return pages.to_text(self)

    def to_latex(self) -> str:
        """The derivation as LaTeX: paragraphs and displayed formulas (needs amsmath)."""
        from . import pages

        return pages.to_latex(self)

    def to_markdown(self) -> str:
        """The derivation as Markdown, with LaTeX between dollar signs."""
        from . import pages

        return pages.to_markdown(self)

    def to_html(self) -> str:
        """The derivation as one complete HTML page, with formulas in MathML; it loads nothing."""
        from . import pages

        return pages.to_html(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the derivation to a file; the ending chooses the format: txt, tex, md or html.

        A ValueError for another ending.
        """
        formats = {".txt": self.to_text, ".tex": self.to_latex, ".md": self.to_markdown, ".html": self.to_html}
        path = Path(path)
        if path.suffix.lower() not in formats:
            raise ValueError(f"{path.name!r} does not end in one of {', '.join(formats)}")
        path.write_text(formats[path.suffix.lower()](), encoding="utf-8")

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"Derivation of d{self.of.text}/d{self.by.text} = {decimal(self.number, self.digits)}"

    def _repr_latex_(self) -> str:  # in a notebook
        from . import pages

        return pages.to_notebook(self)
