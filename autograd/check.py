"""`gradcheck` and `check_gradients`: the engine's derivatives beside numerical ones that come with an error bar.

The numerical derivative is Richardson's extrapolation of differences (Ridders, 1982), begun from many step sizes, each
side for itself and both together; the estimate with the smallest error counts, and its error is what it is judged by.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

from .graph import gradients, topological_order
from .notation import counted
from .ops import DETACH, as_float
from .value import Value, require_value

PASS, FAIL, KINK, UNSURE = "pass", "FAIL", "at a kink", "unsure"

LEVELS, SHRINK = 8, 1.6
"""A table of differences has so many steps, each so many times smaller than the one before."""

SAFETY = 20.0
"""An error that is estimated may be so many times too small."""

SHARP = 1e-4
"""An estimate whose error is a larger share of the derivative cannot tell a right one from a wrong one."""


@dataclass(frozen=True)
class Estimate:
    """A numerical derivative, and how far it may be off."""

    value: float
    error: float


@dataclass(frozen=True)
class Row:
    """One input: its name and number, the engine's derivative, the numerical ones, and the verdict."""

    name: str
    x: float
    engine: float
    central: Estimate
    left: Estimate
    right: Estimate
    verdict: str

    def __str__(self) -> str:
        numerical = f"{self.central.value:.10g} +- {self.central.error:.1g}"
        if self.verdict == KINK:
            numerical = f"{self.left.value:.6g} from the left, {self.right.value:.6g} from the right"
        return f"{self.name} = {self.x:.6g}: engine {self.engine:.10g}, numerical {numerical}: {self.verdict}"


@dataclass(frozen=True)
class Report:
    """What `gradcheck` found, input by input; it prints, and `assert_gradients` raises."""

    rows: list[Row]

    @property
    def failures(self) -> list[Row]:
        """The inputs whose derivative is wrong."""
        return [row for row in self.rows if row.verdict == FAIL]

    def assert_gradients(self) -> None:
        """An AssertionError that lists every input whose derivative is wrong."""
        if self.failures:
            raise AssertionError(
                "\n".join([f"{counted(len(self.failures), 'wrong derivative')}:", *map(str, self.failures)])
            )

    def __str__(self) -> str:
        return "\n".join(map(str, self.rows))


def gradcheck(function: Callable[..., Any], *args: Any) -> Report:
    """The derivatives of ``function(*args)``, numbers in and one number out, against differences of the function.

    A TypeError for an argument that is no real number, or a result that does not depend on the arguments.

    >>> print(gradcheck(lambda x, y: x * y + y, 2.0, 3.0))
    x1 = 2: engine 3, numerical 3 +- ...: pass
    x2 = 3: engine 3, numerical 3 +- ...: pass
    >>> print(gradcheck(abs, 0.0))
    x1 = 0: engine 0, numerical -1 from the left, 1 from the right: at a kink
    """
    point = [as_float(x) for x in args]
    leaves = [Value(x, f"x{i + 1}") for i, x in enumerate(point)]
    output = function(*leaves)
    require_value(output, "gradcheck takes a function whose result depends on its arguments")

    def evaluate(numbers: Sequence[float]) -> float:
        result = function(*numbers)
        return result.data if isinstance(result, Value) else as_float(result)

    return _report(evaluate, leaves, gradients(output, leaves))


def check_gradients(output: Value, leaves: Sequence[Value]) -> Report:
    """The derivatives of a graph against differences of the graph, computed anew at other numbers of its leaves.

    What is detached keeps its number, as its derivative has it.  A TypeError for what is not a Value.

    >>> w = Value(0.5, "w")
    >>> print(check_gradients((w * 3).tanh(), [w]))
    w = 0.5: engine 0.5421199168, numerical 0.5421199168 +- ...: pass
    """
    require_value(output, "check_gradients(output, leaves) takes Values")
    for leaf in leaves:
        require_value(leaf, "check_gradients(output, leaves) takes Values")
    order = topological_order([output], known=frozenset(leaves))

    def evaluate(numbers: Sequence[float]) -> float:
        found = dict(zip(leaves, numbers))
        for node in order:
            if node.op is None or node.op is DETACH:
                found[node] = node.data
            else:
                found[node] = node.op.forward(*(found[x] if isinstance(x, Value) else x for x in node.inputs))
        return found[output]

    return _report(evaluate, leaves, gradients(output, leaves))


def _report(evaluate: Callable[[Sequence[float]], float], leaves: Sequence[Value], found: Sequence[Any]) -> Report:
    point = [leaf.data for leaf in leaves]
    rows = []
    for i, (leaf, slope) in enumerate(zip(leaves, found)):

        def along(x: float, i: int = i) -> float:
            return evaluate([*point[:i], x, *point[i + 1 :]])

        central, left, right = estimates(along, point[i])
        name = leaf.label or f"input {i}"
        rows.append(Row(name, point[i], slope, central, left, right, _verdict(slope, central, left, right)))
    return Report(rows)


def _verdict(slope: float, central: Estimate, left: Estimate, right: Estimate) -> str:
    sides = [side for side in (left, right) if isfinite(side.value)]
    apart = abs(left.value - right.value) if len(sides) == 2 else 0.0
    if apart > SAFETY * (left.error + right.error) and apart > SHARP * max(abs(left.value), abs(right.value)):
        low, high = sorted((left, right), key=lambda side: side.value)
        return KINK if low.value - SAFETY * low.error <= slope <= high.value + SAFETY * high.error else FAIL
    if not isfinite(central.value):
        return UNSURE
    bound = SAFETY * central.error
    size = max(abs(slope), abs(central.value)) if isfinite(slope) else abs(central.value)
    if abs(slope - central.value) <= bound:
        return PASS if bound <= SHARP * size or size == 0.0 or bound < sys.float_info.epsilon else UNSURE
    return FAIL


def estimates(function: Callable[[float], float], x: float) -> tuple[Estimate, Estimate, Estimate]:
    """The derivative at `x`, central, from the left and from the right; NaN with an infinite error where there is none.

    >>> central, left, right = estimates(abs, 0.0)
    >>> central.value, left.value, right.value
    (0.0, -1.0, 1.0)
    """
    here = function(x)
    best = [Estimate(float("nan"), inf)] * 3
    for start in _starts(x):
        steps = [x + start / SHRINK**k - x for k in range(LEVELS)]  # steps that are exact
        if min(steps) <= 0.0:
            continue
        above, below = [function(x + h) for h in steps], [function(x - h) for h in steps]
        size = max(map(abs, [here, *above, *below]))
        tables = (
            [(a - b) / (2 * h) for a, b, h in zip(above, below, steps)],
            [(here - b) / h for b, h in zip(below, steps)],
            [(a - here) / h for a, h in zip(above, steps)],
        )
        for i, (table, powers) in enumerate(zip(tables, (2, 1, 1))):
            if all(map(isfinite, table)):
                found = _extrapolated(table, steps, powers, size)
                best[i] = _better(best[i], found)
    return best[0], best[1], best[2]


def _starts(x: float) -> list[float]:
    """First steps, the smallest first, up to the size of x, or of 1."""
    return sorted(scale * 10.0**-k for scale in {abs(x) or 1.0, max(abs(x), 1.0)} for k in (1, 2, 3, 4, 5, 6))


def _better(near: Estimate, wide: Estimate) -> Estimate:
    """Of estimates from smaller and from wider steps, the one with the smaller error.

    Unless the near one is sharp and the other is far from it: wide steps may have crossed a kink or a pole.
    """
    sharp = near.error <= SHARP * abs(near.value)
    if wide.error < near.error and not (sharp and abs(near.value - wide.value) > SAFETY * (near.error + wide.error)):
        return wide
    return near


def _extrapolated(table: Sequence[float], steps: Sequence[float], powers: int, size: float) -> Estimate:
    """Richardson's extrapolation of differences whose error has terms in h^powers, h^(2 powers), ...

    The error is the largest difference to the neighbours that the best entry came from, and the rounding of it.
    """
    epsilon = sys.float_info.epsilon
    row, best = list(table), Estimate(float("nan"), inf)
    noise = [(4 * epsilon * size + sys.float_info.min) / h for h in steps]
    for level in range(1, len(table)):
        factor = SHRINK ** (powers * level)
        following = [(factor * row[k + 1] - row[k]) / (factor - 1) for k in range(len(row) - 1)]
        noise = [(factor * noise[k + 1] + noise[k]) / (factor - 1) for k in range(len(row) - 1)]
        for k, value in enumerate(following):
            error = max(abs(value - row[k]), abs(value - row[k + 1])) / (1 if level == 1 else factor) + noise[k]
            if error < best.error:
                best = Estimate(value, error + epsilon * abs(value))
        row = following
    return best
