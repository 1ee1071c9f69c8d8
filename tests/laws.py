"""What every row of the table obeys.  Each law takes a row, and raises an AssertionError that names where it fails."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

import numpy as np
import pytest

import nn
from autograd import TABLE, Op, Value, gradients, topological_order

from .oracles import analytic, complex_step, partial_difference

SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 800.0, -800.0, 1e-320, 1e308, -1e308, math.inf, -math.inf, math.nan)


def close(got: float, expected: float, rtol: float, atol: float = 0.0) -> bool:
    return bool(got == expected or abs(got - expected) <= atol + rtol * abs(expected))


def same(found: Iterable[Any], nodes: Iterable[Any]) -> bool:
    """Whether these are the same nodes in the same order, not only nodes with the same data; floats are compared."""
    pairs = zip_longest(found, nodes)
    return all(x is y or (x.__class__ is float is y.__class__ and x == y) for x, y in pairs)


def ulps(a: float, b: float) -> float:
    """How many floats apart; 0 for two NaNs, infinite for zeros of different sign or one NaN."""
    if math.isnan(a) or math.isnan(b):
        return 0.0 if math.isnan(a) and math.isnan(b) else math.inf
    if a == b:
        return 0.0 if math.copysign(1.0, a) == math.copysign(1.0, b) else math.inf
    return abs(a - b) / math.ulp(max(abs(a), abs(b))) if math.isfinite(a) and math.isfinite(b) else math.inf


def forward_equals_ufunc(op: Op, x: tuple[float, ...]) -> None:
    with np.errstate(all="ignore"):
        array = float(op.ufunc(*(np.array([xi, xi]) for xi in x))[1])
    number = op.forward(*x)
    assert type(number) is float, f"{op.name}{x}: forward gives a {type(number).__name__}"
    assert ulps(number, array) <= 2, f"{op.name}{x}: forward gives {number!r}, ufunc {array!r}"


def partials_equal_differences(op: Op, x: tuple[float, ...]) -> None:
    z = op.forward(*x)
    for i, partial in enumerate(op.partials):
        if partial is None or op.name == "detach":  # detach declares another derivative than its function has
            continue
        got, expected = float(partial(z, *x)), partial_difference(op.forward, x, i)
        scale = max(1.0, abs(z))  # of the rounding in the difference
        assert close(got, expected, 1e-8, 1e-10 * scale), (
            f"d {op.name}{x} / d input {i}: got {got!r}, expected {expected!r}"
        )


def partials_equal_complex_step(op: Op, x: tuple[float, ...]) -> None:
    if len(op.partials) == 1 and not (op.kink or op.flat):
        (partial,) = op.partials
        assert partial is not None
        got, expected = partial(op.forward(*x), *x), complex_step(analytic(op.name), *x)
        assert close(got, expected, 1e-12, 1e-13), f"d {op.name}{x}: got {got!r}, expected {expected!r}"


def partials_agree_on_all_kinds(op: Op, x: tuple[float, ...]) -> None:
    z = op.forward(*x)
    values = [Value(number) for number in (z, *x)]
    for i, partial in enumerate(op.partials):
        if partial is None:
            continue
        number, value = partial(z, *x), partial(*values)
        with np.errstate(all="ignore"):
            array = np.broadcast_to(partial(*(np.array([v, v]) for v in (z, *x))), 2)[0]
        recorded = value.data if isinstance(value, Value) else value
        assert ulps(number, recorded) == 0, f"partial {i} of {op.name}{x}: {number!r} on floats, {recorded!r} on Values"
        assert ulps(number, float(array)) <= 8, (
            f"partial {i} of {op.name}{x}: {number!r} on floats, {array!r} on arrays"
        )


def table_is_closed(op: Op, x: tuple[float, ...]) -> None:
    values = [Value(number) for number in (op.forward(*x), *x)]
    for partial in op.partials:
        derivative = partial(*values) if partial else 0.0
        nodes = topological_order([derivative]) if isinstance(derivative, Value) else []
        for node in nodes:
            assert node.op is None or TABLE.get(node.op.name) is node.op, f"{op.name} needs {node.op}, which is no row"


def second_order(op: Op, x: tuple[float, ...]) -> None:
    def slope(i: int, *point: float) -> float:
        leaves = [Value(number) for number in point]
        return float(gradients(op(*leaves), [leaves[i]])[0])

    leaves = [Value(number) for number in x]
    for i, first in enumerate(gradients(op(*leaves), leaves, create_graph=True)):
        for j, got in enumerate(gradients(first, leaves)):
            if op.partials[i] is None or op.partials[j] is None:
                continue
            expected = partial_difference(lambda *point, i=i: slope(i, *point), x, j)
            scale = max(1.0, abs(first.data))
            assert close(got, expected, 1e-8, 1e-10 * scale), (
                f"d2 {op.name}{x} / d{i} d{j}: got {got!r}, expected {expected!r}"
            )


LAWS = (
    forward_equals_ufunc,
    partials_equal_differences,
    partials_equal_complex_step,
    partials_agree_on_all_kinds,
    table_is_closed,
    second_order,
)


ACTIVATIONS = [
    pytest.param(activation, id=name, marks=[pytest.mark.slow] if name in ("arctan", "elu", "softplus", "silu") else [])
    for name, activation in nn.activations.ACTIVATIONS.items()
]
"""Every activation; those that are much like another one are for --thorough."""
