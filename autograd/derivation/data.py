"""`Derivation`: the chain rule worked through for one pair (output, variable), as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any

from ..ops import as_float
from . import pages
from .formula import Formula, symbols
from .notation import Symbol, decimal
from .quiz import Question, Quiz, Verdict


@dataclass(frozen=True)
class Factor:
    """The derivative d(of)/d(by) from one stop to the next: its formula and its number.

    The formula is None for what an earlier step has worked out or, in a long derivation, the graph sweep.  An
    `activation` is the derivative of one.
    """

    of: Symbol
    by: Symbol
    formula: Formula | float | None
    number: float
    activation: bool = False


@dataclass(frozen=True)
class Route:
    """A product of factors: one way from `of` down to `by`, the last stop on it being `via`."""

    of: Symbol
    by: Symbol
    via: Symbol | None
    factors: tuple[Factor, ...]
    number: float


@dataclass(frozen=True)
class Step:
    """d(of)/d(by): a product or, where several routes meet, their sum.

    Of a long sum only the largest routes are in `routes`; the `omitted` others sum to `rest`.
    """

    of: Symbol
    by: Symbol
    routes: tuple[Route, ...]
    number: float
    omitted: int = 0
    rest: float = 0.0


@dataclass(frozen=True)
class Definition:
    """What a stop is computed from: the sum of `terms`.

    In a long one, None stands for terms that continue those before it up to the one after it; but the last None, where
    `omitted` is not 0, for so many of any kind, that sum to `rest`.
    """

    symbol: Symbol
    terms: tuple[Formula | float | None, ...]
    number: float
    omitted: int = 0
    rest: float = 0.0


@dataclass(frozen=True, repr=False, eq=False)
class Derivation:
    """How the derivative of `output` with respect to `variable` comes about; what `autograd.explain` returns.

    `number` is the derivative where `variable` is `at`, `definitions` the stops on the way, `given` the other symbols
    and their numbers, `steps` the chain rule from the output down, `remarks` what is to be said besides: above all, why
    a derivative is 0.

    ``print(derivation)`` shows it as text; a notebook shows it as formulas.  Numbers are rounded to `digits` decimals
    where they are written, nowhere else.
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
        """The derivation with the line of gradient descent, w+ = w - rate * dE/dw, at its end.

        >>> from autograd import Value, explain
        >>> w = Value(3.0, "w")
        >>> print(str(explain(w**2, w).update(0.25)).splitlines()[-1].strip())
        w+ = w - 0.25 * dy/dw = 3 - 0.25 * 6 = 1.5
        """
        rate = as_float(rate)
        if not isfinite(rate):
            raise ValueError(f"a rate of {rate}; give a finite number, such as 0.5")
        return replace(self, rate=rate)

    def quiz(self) -> Quiz:
        """The same steps with the numbers left out, as questions.

        >>> from autograd import Value, explain
        >>> w = Value(3.0, "w")
        >>> print(explain((1 - w) ** 2, w).quiz()[0])
        1. dy/dw = -2 (1 - w) = ____
        """
        return Quiz(self)

    def check(self, step: int | Question, number: float | str) -> Verdict:
        """What is to be said of `number` as the answer to a question of `quiz`, given or by its number, from 1.

        >>> from autograd import Value, explain
        >>> w = Value(3.0, "w")
        >>> print(explain((1 - w) ** 2, w).check(1, -4.0))
        right but for the sign
        """
        return self.quiz().check(step, number)

    def shown(self) -> Iterator[Symbol]:
        """The symbols in the steps, in order, as often as they stand there."""
        yield from (self.of, self.by)
        for step in self.steps:
            for route in step.routes:
                for factor in route.factors:
                    yield from (factor.of, factor.by)
                    yield from symbols(factor.formula or 0.0)

    def to_text(self) -> str:
        """The derivation as plain text; also what ``print`` shows."""
        return pages.to_text(self)

    def to_latex(self) -> str:
        """The derivation as LaTeX: paragraphs and displayed formulas (needs amsmath)."""
        return pages.to_latex(self)

    def to_markdown(self) -> str:
        """The derivation as Markdown, with LaTeX between dollar signs."""
        return pages.to_markdown(self)

    def to_html(self) -> str:
        """The derivation as a page of its own: formulas in MathML, nothing to be loaded."""
        return pages.to_html(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the derivation to a file, in the format that its ending names: txt, tex, md or html."""
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
        return pages.to_notebook(self)
