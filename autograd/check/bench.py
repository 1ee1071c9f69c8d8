"""The bench: asks the oracles about every derivative of a case, and reports what they find."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from math import isfinite
from typing import TypeAlias

import numpy as np
from tqdm import tqdm

from ..derivatives import gradients
from ..graph import number_of_node
from . import oracles
from .differences import Curve, differences, remainder
from .estimates import NOTHING, Array, Estimate, Evidence, Sides
from .problem import Problem
from .rounding import ROUNDING, Answer, answers_of_engine, slopes_along
from .textbook import DeclinedError
from .verdict import BY_VALUES, Finding, Report, Row, judge, judge_remainder

SMALL = 20_000
"""The slow oracles, fractions and mpmath, are asked by default up to this many nodes times leaves."""

_SLOW = ("rational", "mpmath")

_ON_GRAPHS: dict[str, Callable[..., list[Evidence]]] = {
    "dual": oracles.dual,
    "complex": oracles.complex_step,
    "rational": oracles.rational,
    "mpmath": oracles.many_digits,
}
ORACLES = (*BY_VALUES, *_ON_GRAPHS)
"""The names of the oracles, for ``oracles=[...]``."""

Curves: TypeAlias = "Callable[[int, Array], Array]"
"""A number at points where the leaf of an index has each of the numbers, (K,) to (K,), and the other leaves stay."""


@dataclass(frozen=True)
class Case:
    """A graph to check, and the function that it stands for.

    `values` computes the function, or the program, again.  `slopes` computes its first derivatives by the leaf whose
    index comes first.  If `compiled` holds the gradient of a program, this is checked, also against the engine.
    """

    problem: Problem
    values: Curves
    slopes: Callable[[int, int, Array], Array] | None = None
    compiled: Sequence[float] | None = None


def report(case: Case, order: int, names: Iterable[str] | None) -> Report:
    """The findings of the oracles with these names, or of all that apply, on the derivatives of a case."""
    if case.compiled is not None and order != 1:
        raise ValueError("a program has first derivatives only; give order=1")
    if order not in (1, 2):
        raise ValueError(f"order is {order!r:.60}; give 1, or 2 for second derivatives as well")
    bench = _Bench(case, _asked(names, case.problem))
    rows = bench.rows(bench.answers, case.values)
    if order == 2:
        problem = case.problem
        slopes = case.slopes or partial(slopes_along, problem)
        for first, slope in enumerate(gradients(problem.output, problem.leaves, create_graph=True)):
            answers = answers_of_engine(Problem(slope, problem.leaves))
            rows += bench.rows(answers, partial(slopes, first), first)
    return Report(tuple(rows), tuple(bench.declined.values()))


def _asked(names: Iterable[str] | None, problem: Problem) -> list[str]:
    if names is None:
        return [name for name in ORACLES if name not in _SLOW or (problem.size <= SMALL and _is_installed(name))]
    asked = [names] if isinstance(names, str) else list(names)
    for name in asked:
        if name not in ORACLES:
            raise ValueError(f"oracle {name!r:.60}; give some of {', '.join(ORACLES)}")
    return asked


def _is_installed(oracle: str) -> bool:
    return oracle != "mpmath" or find_spec("mpmath") is not None


class _Bench:
    """The oracles that are asked about a case, and the reasons of those that decline."""

    def __init__(self, case: Case, asked: Sequence[str]) -> None:
        self.case, self.asked = case, asked
        self.answers = answers_of_engine(case.problem)
        self.declined: dict[str, str] = {}
        self._is_cut = cache(self._computes_something_else)

    def rows(self, answers: Sequence[Answer], curves: Curves, second: int | None = None) -> list[Row]:
        """A row for each leaf: the first derivative by it, or the derivative by the leaf `second` and by it."""
        problem, compiled = self.case.problem, self.case.compiled
        evidence = self._evidence(second)
        names = [leaf.label or f"input {i}" for i, leaf in enumerate(problem.leaves)]
        point, rows = problem.point, []
        for i in tqdm(range(len(point)), desc="checking", delay=2.0, leave=False, file=sys.stderr):
            answer, findings = answers[i], []
            if compiled is not None:
                eager = Estimate(answer.value, answer.error)
                answer = answer.with_value(compiled[i])
                findings.append(judge(answer, "eager", Evidence(Sides(eager, NOTHING, NOTHING))))
            for name in self.asked:
                if name in evidence:
                    findings.append(judge(answer, name, evidence[name][i]))
                elif name in BY_VALUES:
                    findings.append(_by_values(name, answer, partial(curves, i), point[i]))
            by = [i] if second is None else [second, i]
            rows.append(
                Row(
                    tuple(names[k] for k in by),
                    tuple(point[k] for k in by),
                    Estimate(answer.value, answer.error),
                    tuple(findings),
                    "engine" if compiled is None else "compiled",
                    self._is_cut(i),
                )
            )
        return rows

    def _evidence(self, second: int | None) -> dict[str, list[Evidence]]:
        """What each oracle that reads the graph knows of every derivative."""
        problem, found = self.case.problem, {}
        for name in self.asked:
            if name in _ON_GRAPHS:
                try:
                    _require_finite(problem)
                    found[name] = _ON_GRAPHS[name](problem, second)
                except DeclinedError as reason:
                    self.declined[name] = f"{name}: {reason}"
        return found

    def _computes_something_else(self, index: int) -> bool:
        """Whether the function and its graph have different values around the point, beyond rounding."""
        problem = self.case.problem
        x = problem.point[index]
        reach = (abs(x) or 1.0) * 10.0 ** -np.arange(1.0, 9.0)
        xs = np.concatenate([x + reach, x - reach])
        with np.errstate(all="ignore"):
            ours, theirs = problem.along(index, xs), self.case.values(index, xs)
        return not np.allclose(ours, theirs, rtol=1e-13, atol=self.answers[index].noise, equal_nan=True)


def _require_finite(problem: Problem) -> None:
    if not isfinite(number_of_node(problem.output)):
        raise DeclinedError(f"the output is {number_of_node(problem.output)}, which has no derivative")


def _by_values(name: str, answer: Answer, curve: Curve, x: float) -> Finding:
    """The finding of an oracle that asks the function itself."""
    with np.errstate(all="ignore"):
        if name == "taylor":
            found = remainder(curve, x, answer.value, answer.noise, ROUNDING * answer.error)
            return judge_remainder(answer, found)
        return judge(answer, name, Evidence(differences(curve, x, answer.noise)))
