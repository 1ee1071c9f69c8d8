"""The engine's answers, and how far rounding may have moved them: the whole sweep, partials included, on samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from ..graph import chain_rule, gradients, number_of_node
from ..ops import WHERE
from .estimates import SAFETY, SHARP, Array, Estimate
from .problem import Problem
from .samples import Sampled, sampling, scatter

ROUNDING = 8.0
"""The rounding of the engine may be this many times as large as the samples show."""

TAIL = 2.0**-36
"""Where a derivative is lost in rounding, as far out on a sigmoid, this share of the largest adjoint may be missing."""

FAINT = 2.0**-12
"""A number below this share of the part lost in a tail may be nothing but the rounding of a difference's steps."""


@dataclass(frozen=True)
class Answer:
    """A derivative by the engine or a program, and how far rounding may have moved it.

    `lost` is the part of it that may be missing in a tail.  `noise` is how far rounding may have moved the output.
    """

    value: float
    error: float
    lost: float
    noise: float

    def with_value(self, value: float) -> Answer:
        """Another answer with the same rounding."""
        return replace(self, value=value)

    def agrees(self, estimate: Estimate) -> bool:
        """Whether the two are the same number within their errors."""
        near = isfinite(self.value) and abs(self.value - estimate.value) <= self.bound(estimate)
        return self.value == estimate.value or near

    def bound(self, estimate: Estimate) -> float:
        """How far apart the two may be."""
        return SAFETY * estimate.error + ROUNDING * self.error

    def is_known(self, estimate: Estimate, by_steps: bool) -> bool:
        """Whether both numbers are more than rounding, `by_steps` also more than that of a difference's steps."""
        if not (isfinite(estimate.error) and estimate.value == estimate.value):
            return False
        if not isfinite(self.value):
            return SAFETY * estimate.error <= SHARP * abs(estimate.value)
        size = max(filter(isfinite, (abs(self.value), abs(estimate.value))))
        if by_steps and size < FAINT * self.lost:
            return False
        return ROUNDING * self.error <= max(0.1 * size, self.lost)

    def sees_apart(self, left: Estimate, right: Estimate, least: float) -> bool:
        """Whether two one-sided derivatives differ by more than their errors, and by more than this share of them."""
        if left.value == right.value or left.value != left.value or right.value != right.value:
            return False
        apart = abs(left.value - right.value)
        if not isfinite(apart):
            return True
        seen = least * max(abs(left.value), abs(right.value))
        return apart > max(SAFETY * (left.error + right.error) + ROUNDING * self.error, seen)

    def is_sharp(self, estimate: Estimate) -> bool:
        """Whether the two are precise enough to be told apart if one were wrong."""
        if self.value == estimate.value == 0.0:
            return SAFETY * estimate.error <= SHARP * self.lost
        if self.value == estimate.value and not (estimate.error or self.error):
            return True
        size = max(abs(self.value), abs(estimate.value))
        sharp = SAFETY * estimate.error <= SHARP * max(size, self.error) and isfinite(estimate.error)
        return sharp and ROUNDING * self.error <= max(SHARP * size, self.lost)


BESIDE = 1e-5 / 7
"""Rounding is also sampled this far beside the point, relatively: at whole numbers there may be none."""


def answers_of_engine(problem: Problem) -> list[Answer]:
    """The engine's derivatives, with the errors that rounding may have caused."""
    found = gradients(problem.output, problem.leaves)
    with np.errstate(all="ignore"):
        sampled = sampling()
        output, samples = _swept(problem, [sampled(x) for x in problem.point], sampled)
        sizes = [float(np.max(np.abs(sample))) for sample in samples.values()]
        errors = [scatter(samples.get(leaf, 0.0), slope) for leaf, slope in zip(problem.leaves, found)]
        beside = _swept(problem, [sampled(x * (1.0 + BESIDE) or BESIDE) for x in problem.point], sampled)[0]
        moved = scatter(output, number_of_node(problem.output)), scatter(beside, float(beside[0]))
        noise = max(filter(isfinite, (ROUNDING * off for off in moved)), default=0.0)
    lost = TAIL * max(filter(isfinite, sizes), default=1.0)
    return [Answer(slope, error, lost, noise) for slope, error in zip(found, errors)]


def _swept(
    problem: Problem, numbers: Sequence[Any], constant: Callable[[float], Any] = float
) -> tuple[Any, dict[Any, Any]]:
    """The output and the engine's sweep from it, with `numbers` for the leaves; `constant` makes all other numbers."""
    seen: dict[Any, Any] = {x: x.numbers for x in problem.order if x.op is not None}

    def rows(node: Any, *operands: Any) -> Any:
        if constant is not float:  # an error would move it off the kink, whose rules hold
            if node.op is WHERE and node.numbers[1] == 0.0:
                return operands[2]
            if node.op.is_at_kink(*node.numbers[1:]):
                return constant(node.numbers[0])
        result = node.op.ufunc(*operands)
        if not isinstance(result, Sampled):
            result = np.asarray(result, dtype=float)
            result = result if constant is float else constant(1.0) * result  # for a ufunc that drops samples
        seen[node] = (result, *operands)
        return result

    def times(adjoint: Any, slope: Any, gate: bool) -> Any:
        product = adjoint * slope
        wins = (adjoint == 0.0) | ((slope == 0.0) & gate)
        return np.where(wins & np.isnan(product), 0.0, product)

    output = problem.evaluate(numbers, constant, rows)
    return output, chain_rule(reversed(problem.order), {problem.output: 1.0}, seen.__getitem__, times)


def slopes_along(problem: Problem, first: int, index: int, xs: Array) -> Array:
    """The engine's derivatives by the leaf `first`, (K,), where the leaf at `index` has each of `xs`, (K,)."""
    numbers: list[Any] = list(problem.point)
    numbers[index] = xs
    slopes = _swept(problem, numbers)[1].get(problem.leaves[first], 0.0)
    return np.broadcast_to(np.asarray(slopes, dtype=float), xs.shape)
