"""The gradient checker: right rules pass, kinks are kinks, seeded wrong rules are rejected."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
from autograd import TABLE, Value, gradients, maximum, sin
from autograd.check import FAIL, KINK, PASS, Estimate, Report, Row, _verdict, check_gradients, estimates, gradcheck
from autograd.strategies import DOMAINS

FLAT = ("sign", "step", "equal", "detach")


@pytest.mark.parametrize("op", [op for op in TABLE.values() if op.name not in (*FLAT, "where")], ids=lambda op: op.name)
@given(data=st.data())
def test_right_rules_pass(op, data):
    """Every row, on operands from its domain, in every operand; where the slope is no rounding error."""
    xs = data.draw(DOMAINS[op.name])
    for row in gradcheck(op, *xs).rows:
        assert row.verdict == PASS or (row.verdict == "unsure" and abs(row.engine) < 1e-7), row


@pytest.mark.parametrize("op", [op for op in TABLE.values() if op.name not in (*FLAT, "where")], ids=lambda op: op.name)
@given(data=st.data(), error=st.sampled_from([1e-3, -1e-3, 0.1, -2.0]))
def test_wrong_rules_are_rejected(op, data, error):
    """Every slope, wrong by a thousandth and more: never a pass."""
    xs = data.draw(DOMAINS[op.name])
    for i, row in enumerate(gradcheck(op, *xs).rows):
        if abs(row.engine) > 1e-6:
            verdict = _verdict(row.engine * (1.0 + error), row.central, row.left, row.right)
            assert verdict == FAIL, (op, xs, i, row)


@pytest.mark.parametrize("exponent", range(-12, 13, 3))
@pytest.mark.parametrize("op", ["neg", "abs", "log", "sqrt", "arctan", "relu", "log1p", "softplus", "div"])
def test_numbers_of_all_sizes(op, exponent):
    """From 1e-12 to 1e12: the steps find their own size."""
    xs = [1.5 * 10.0**exponent] if len(TABLE[op].partials) == 1 else [2.0, 1.5 * 10.0**exponent]
    for row in gradcheck(TABLE[op], *xs).rows:
        if abs(row.engine) > 1e-7:
            assert row.verdict == PASS, row


@pytest.mark.parametrize(
    ("function", "point"),
    [(abs, [0.0]), (lambda x: x.relu() if isinstance(x, Value) else max(x, 0.0), [0.0]), (maximum, [1.0, 1.0])],
)
def test_kinks_are_kinks(function, point):
    """With both sides shown, and the engine's answer between them."""
    report = gradcheck(function, *point)
    assert {row.verdict for row in report.rows} == {KINK} and "from the left" in str(report)
    report.assert_gradients()
    row = report.rows[0]
    assert _verdict(2.0, row.central, row.left, row.right) == FAIL


def test_graphs_and_models():
    """Leaves of a graph; what is detached keeps its number, as the engine has it."""
    x, y = Value(0.5, "x"), Value(2.0, "y")
    report = check_gradients(sin(x * y) + x.detach() * y, [x, y])
    assert [row.verdict for row in report.rows] == [PASS, PASS] and [row.name for row in report.rows] == ["x", "y"]
    model = nn.MLP(2, [3, 1], activation=nn.tanh, seed=0)
    loss = nn.half_squared_error(model([0.5, -1.0]), 1.0)
    report = check_gradients(loss, model.parameters())
    assert {row.verdict for row in report.rows} == {PASS} and len(report.rows) == 13
    assert [row.engine for row in report.rows] == gradients(loss, model.parameters())


def test_a_planted_bug_is_found():
    """By name, with both numbers, as an AssertionError."""
    wrong = Row("w", 2.0, 3.003, Estimate(3.0, 1e-13), Estimate(3.0, 1e-10), Estimate(3.0, 1e-10), FAIL)
    with pytest.raises(AssertionError, match=r"1 wrong derivative:\nw = 2: engine 3.003, numerical 3 \+- 1e-13: FAIL"):
        Report([wrong]).assert_gradients()
    with pytest.raises(TypeError, match="is not a Value; gradcheck takes a function"):
        gradcheck(lambda x: 3.0, 1.0)


def test_there_is_no_derivative_where_nothing_is():
    """NaN all around has no estimate."""
    central, left, right = estimates(lambda x: math.nan, 1.0)
    assert all(math.isnan(e.value) and e.error == math.inf for e in (central, left, right))
    assert gradcheck(TABLE["log"], -1.0).rows[0].verdict == "unsure"
