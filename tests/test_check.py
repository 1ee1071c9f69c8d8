"""The gradient checker: right rules pass, kinks are kinks, seeded wrong rules are rejected, by every oracle."""

from __future__ import annotations

import math
from collections import deque, namedtuple
from dataclasses import replace
from random import random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import nn
from autograd import (
    TABLE,
    Value,
    compile,
    cos,
    exp,
    grad,
    gradients,
    maximum,
    minimum,
    no_grad,
    relu,
    sigmoid,
    sin,
    softplus,
    sqrt,
    step,
    tan,
    tanh,
    where,
)
from autograd.check import FAIL, KINK, ORACLES, PASS, UNSURE, Report, Row, check_gradients, gradcheck
from autograd.check.estimates import Estimate
from autograd.check.problem import Problem
from autograd.check.rounding import answers_of_engine
from autograd.check.textbook import SLOPES, TEXTBOOK
from autograd.ops import REALS
from autograd.strategies import SMOOTH, expressions, networks, operands

from .examples import examples

RULES = [op for op in TABLE.values() if op.name != "detach"]
EVERY_RULE = pytest.mark.parametrize("op", RULES, ids=lambda op: op.name)
ERRORS = (1e-3, -1e-3, 0.1, -2.0)
WHOLE = ("add", "sub", "mul", "neg", "relu", "abs", "maximum", "minimum")


Point = namedtuple("Point", ["re", "im"])


def differentiable(op, leaves):
    return [leaf for leaf, partial in zip(leaves, op.partials) if partial]


def wrong(op, error):
    """The row, every slope of it off by a share."""

    def spoilt(partial):
        return partial and (lambda *numbers: partial(*numbers) * (1.0 + error))

    return replace(op, partials=tuple(map(spoilt, op.partials)))


@EVERY_RULE
@examples(12)
@given(data=st.data(), wide=st.booleans())
def test_right_rules_pass(op, data, wide):
    """Every row, in every operand, on operands of moderate size and of sizes from 1e-12 to 1e12."""
    leaves = [Value(x) for x in data.draw(operands(op, wide))]
    for row in check_gradients(op(*leaves), differentiable(op, leaves)).rows:
        assert row.verdict == PASS, row


@EVERY_RULE
@examples(12)
@given(data=st.data(), wide=st.booleans(), error=st.sampled_from(ERRORS))
def test_wrong_rules_are_rejected(op, data, wide, error):
    """Every slope, wrong by a thousandth and more, wherever rounding leaves a thousandth of it."""
    leaves = [Value(x) for x in data.draw(operands(op, wide))]
    problem = Problem(Value.__record__(wrong(op, error), leaves), tuple(differentiable(op, leaves)))
    report = check_gradients(problem.output, problem.leaves)
    for row, engine in zip(report.rows, answers_of_engine(problem)):
        if engine.error < 1e-5 * abs(engine.value):
            assert row.verdict == FAIL, row


@pytest.mark.parametrize("oracle", ORACLES)
def test_every_oracle_tells_right_from_wrong(oracle):
    """Alone, on a graph that all of them can read."""
    x, y = Value(0.7, "x"), Value(-1.3, "y")
    right = x * y * y + x / y
    report = check_gradients(right, [x, y], oracles=[oracle])
    assert [row.verdict for row in report.rows] == [PASS, PASS] and not report.declined
    for error in ERRORS:
        product = Value.__record__(wrong(TABLE["mul"], error), [x, y])
        report = check_gradients(product * y + x / y, [x, y], oracles=[oracle])
        assert [row.verdict for row in report.rows] == [FAIL, FAIL], report


@pytest.mark.parametrize("oracle", ["differences", "dual", "rational", "mpmath", None])
@pytest.mark.parametrize(
    ("function", "point", "slope"),
    [
        (abs, [0.0], 0.0),
        (relu, [0.0], 0.0),
        (maximum, [1.0, 1.0], 0.5),
        (lambda x: 3.0 * abs(x - 2.0) + x, [2.0], 1.0),
        (lambda x: -abs(x), [0.0], 0.0),
    ],
)
def test_kinks_are_kinks(function, point, slope, oracle):
    """With both sides shown, and the engine's answer where the rules have it; any other answer is wrong."""
    report = gradcheck(function, *point, oracles=oracle and [oracle])
    assert {row.verdict for row in report.rows} == {KINK} and "from the left" in str(report)
    assert [row.engine.value for row in report.rows] == [slope] * len(point)
    report.assert_gradients()


def test_at_a_kink_the_rules_decide():
    """Between the slopes is not enough where the rules are known: abs at 0 has 0, not 1/2."""
    half = replace(TABLE["abs"], partials=(lambda z, x: 0.5,))
    beyond = replace(TABLE["abs"], partials=(lambda z, x: 1.5,))
    for row, by_rules, by_sides in ((TABLE["abs"], KINK, KINK), (half, FAIL, KINK), (beyond, FAIL, FAIL)):
        x = Value(0.0)
        y = Value.__record__(row, [x])
        assert check_gradients(y, [x], oracles=["dual"]).rows[0].verdict == by_rules
        assert check_gradients(y, [x], oracles=["differences"]).rows[0].verdict == by_sides


def test_kinks_that_cancel_and_jumps():
    """relu(x) - relu(-x) is x, but the rules give 0 there; a step has no slope at 0; both are known as kinks."""
    canceled = gradcheck(lambda x: relu(x) - relu(-x), 0.0)
    assert [row.verdict for row in canceled.rows] == [KINK] and "0 by the rules" in str(canceled)
    jump = gradcheck(step, 0.0)
    assert [row.verdict for row in jump.rows] == [KINK] and "inf from the right" in str(jump)
    end = gradcheck(sqrt, 0.0)
    assert end.rows[0].engine.value == math.inf and end.rows[0].verdict == PASS


@pytest.mark.parametrize("function", [lambda x: 3.0, lambda x: max(0, 1 - 2 * x), lambda x: np.float64(1.0)])
def test_a_constant_has_gradient_zero(function):
    """A function, or a branch of it, that returns a plain number."""
    (row,) = gradcheck(function, 2.0).rows
    assert row.verdict == PASS and row.engine.value == 0.0


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (lambda x: sqrt(x * x), -1e-200),  # the slope is -1
        (lambda x: x * 1e-200 * 1e-200 * 1e300 * 1e300, 1.0),  # 1e200
    ],
)
def test_an_infinite_answer_agrees_with_nothing_finite(function, x):
    """However large the rounding of the engine may be."""
    (row,) = gradcheck(function, x).rows
    assert math.isinf(row.engine.value) and row.verdict == FAIL


def test_an_oracle_that_knows_nothing_lets_nothing_pass():
    """Beyond all floats the complex step is -inf, give or take infinity: that is no evidence."""
    report = gradcheck(lambda x: cos(x * 1e308), 1.0, oracles=["complex"])
    assert report.rows[0].verdict == UNSURE


def test_a_branch_of_python_is_seen_as_a_kink():
    """An `if` is not in the graph, but the function itself is asked."""
    report = gradcheck(lambda x: x * x if x >= 1.0 else x, 1.0)
    assert [row.verdict for row in report.rows] == [KINK]


def test_a_graph_that_was_cut_is_noticed():
    """A number read on the way: the graph is right in itself, the function has another derivative."""
    report = gradcheck(lambda x: x * x.data, 3.0)
    assert [row.verdict for row in report.rows] == [FAIL]
    with pytest.raises(AssertionError, match=r"1 wrong derivative:\nx = 3: FAIL\n  engine      3.*\n  differences 6 "):
        report.assert_gradients()
    assert "the function computes something else: it may read a number" in str(report)
    x = Value(3.0)
    assert "something else" not in str(check_gradients(Value.__record__(wrong(TABLE["sin"], 0.1), [x]), [x]))


def test_a_nan_where_there_is_a_derivative_is_wrong():
    """Silent NaNs are no answer."""
    report = gradcheck(lambda x: sqrt(x * 0.0), 1.0)
    assert math.isnan(report.rows[0].engine.value) and report.rows[0].verdict == FAIL


def test_an_infinite_derivative_hides_no_other():
    """Beside sqrt at 0, a slope that is wrong by a thousandth is still wrong."""
    x, y = Value(0.0), Value(0.7)
    for error, verdict in ((0.0, PASS), (1e-3, FAIL)):
        output = x.sqrt() + Value.__record__(wrong(TABLE["sigmoid"], error), [y])
        assert [row.verdict for row in check_gradients(output, [x, y]).rows] == [PASS, verdict]


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (sin, 1e14),
        (sin, 1e100),
        (lambda x: sin(1e8 * x), 1.0),
        (lambda x: exp(-((1e7 * (x - 1.0)) ** 2)), 1.0 + 1e-7),
        (lambda x: sigmoid(1e14 * (x - 1.0)), 1.0),
        (lambda x: 1.0 / (x - 1.0), 1.0 + 1e-15),
        (lambda x: 1.0 / (x - 0.1) / x, 0.1 + 1e-14),
        (lambda x: 1.0 / x, 1e162),
        (lambda x: abs(x - 1.0), 1.0 + 3e-16),
        (tan, 482487148309.4506),
    ],
)
def test_short_waves_and_close_poles(function, x):
    """Where no step is small enough, those that have only values are overruled, and do not hide a wrong slope."""
    assert [row.verdict for row in gradcheck(function, x).rows] == [PASS]
    leaf = Value(x)
    spoilt = Value.__record__(wrong(TABLE["mul"], 1e-3), [function(leaf), 1.0])
    (row,) = check_gradients(spoilt, [leaf]).rows
    assert row.verdict == FAIL or row.engine.value == 0.0  # which no factor makes wrong


@pytest.mark.parametrize(
    "function",
    [
        lambda x: where(1.0, x, exp(exp(exp(x)))),
        lambda x: tanh(exp(exp(x))),
        lambda x: softplus(-exp(exp(x))),
    ],
)
def test_towers_of_exponentials_end(function):
    """A hundred digits of such a number would take for ever; mpmath declines, and the others go on."""
    report = gradcheck(function, 22.0)
    assert [row.verdict for row in report.rows] == [PASS] and any(
        "of a number of more than" in d for d in report.declined
    )


def test_kinks_of_the_second_derivative():
    """relu(x)^2 at 0: 0 from the left, 2 from the right; and the complex step declines where a square hides a kink."""
    report = gradcheck(lambda x: relu(x) ** 2, 0.0, order=2)
    assert [row.verdict for row in report.rows] == [PASS, KINK]
    for function in (lambda x: minimum(x * x, x), lambda x: sqrt(x * x)):
        assert "no complex step" in gradcheck(function, 0.0, oracles=["complex"]).declined[0]


def test_where_there_is_no_derivative_nothing_is_said():
    """NaN all around has no estimate; what rounding decides is no verdict; such a report does not assert."""
    undefined = gradcheck(TABLE["log"], -1.0)
    assert undefined.rows[0].verdict == UNSURE and "the output is nan" in str(undefined)
    with pytest.raises(AssertionError, match="1 uncertain derivative"):
        undefined.assert_gradients()
    decided_by_rounding = gradcheck(lambda x: relu(0.1 + 0.2 * x - 0.3), 1.0, oracles=["dual", "mpmath"])
    assert decided_by_rounding.rows[0].verdict == UNSURE


@pytest.mark.parametrize(
    ("function", "x", "slope"),
    [
        (lambda x: x * 1e-200 * 1e-200 * 1e300, 1.0, 1e-100),
        (lambda x: x * 1e300 * 1e-200 * 1e-200, 1.0, 0.0),  # for 1e-100, which is lost on the way back
        (lambda x: x**-300, 11.0, -1.0421326968992184e-311),
        (lambda x: 1e-310 / x, 3.0, -1.1111111111111e-311),
        (lambda x: exp(x) * 1e-5, -740.0, 0.0),  # for 4e-327
        (lambda x: sqrt(x * x) / x, 1e-170, math.inf),  # for 0: sqrt was asked at 0
        (lambda x: sqrt(x * x + 1e-300), 1e-170, 1e-20),
        (lambda x: sqrt(x * x), 1e200, 0.0),  # for 1: sqrt was asked at infinity
        (lambda x: 1.0 / (1.0 + exp(-x)), -710.0, 0.0),  # for 4.5e-309
    ],
)
def test_what_leaves_the_range_of_floats_on_the_way(function, x, slope):
    """No oracle says that a right rule is wrong because numbers, its own or the engine's, under- or overflowed."""
    (row,) = gradcheck(function, x).rows
    assert row.engine.value == pytest.approx(slope, rel=1e-10, abs=0.0)
    assert FAIL not in [row.verdict, *(finding.verdict for finding in row.findings)], row


@examples(20)
@given(expressions(ops=SMOOTH))
def test_random_smooth_graphs(expression):
    """No right graph is called wrong, and some oracle can tell."""
    for row in gradcheck(expression, *expression.leaves).rows:
        assert row.verdict == PASS, row


@given(expressions(ops=WHOLE, numbers=st.integers(-3, 3).map(float), max_instructions=8))
def test_random_graphs_full_of_kinks(expression):
    """Passed or at a kink, and in exact fractions, too."""
    leaves = [Value(x) for x in expression.leaves]
    for row in check_gradients(expression(*leaves), leaves).rows:
        assert row.verdict in (PASS, KINK), row
        (exact,) = [finding for finding in row.findings if finding.oracle == "rational"]
        assert exact.verdict in (PASS, KINK), row


@given(expressions(ops=list(TABLE)))
def test_random_graphs_of_all_rows(expression):
    """Nothing is wrong but a NaN where there is a derivative."""
    leaves = [Value(x) for x in expression.leaves]
    output = expression(*leaves)
    assume(isinstance(output, Value))
    for row in check_gradients(output, leaves).rows:
        assert row.verdict != FAIL or math.isnan(row.engine.value), row


@examples(10)
@given(expressions(ops=SMOOTH, max_leaves=2, max_instructions=6))
def test_second_order(expression):
    """First and second derivatives, by all that can."""
    report = gradcheck(expression, *expression.leaves, order=2)
    n = len(expression.leaves)
    assert len(report.rows) == n + n * n
    for row in report.rows:
        assert row.verdict == PASS, row


@pytest.mark.parametrize("oracle", [oracle for oracle in ORACLES if oracle != "complex"])
def test_second_order_tells_right_from_wrong(oracle):
    """A slope that is right as a number but not as a function: exp, recorded as half of what it is."""
    half = replace(TABLE["mul"], partials=(lambda z, x, y: y, lambda z, x, y: x * 0.999 + 0.001 * float_of(x)))
    x = Value(0.7, "x")
    for row, expected in ((TABLE["mul"], PASS), (half, FAIL)):
        report = check_gradients(Value.__record__(row, [x, x]), [x], order=2, oracles=[oracle])
        assert [found.verdict for found in report.rows] == [PASS, expected], report
    assert report.rows[1].names == ("x", "x")


def float_of(x):
    return x.data if isinstance(x, Value) else x


def test_every_row_has_a_textbook_definition():
    """But for detach, which is a constant; a row without one would be checked by its values alone."""
    missing = TABLE.keys() - TEXTBOOK.keys() - {"detach"}
    assert not missing, f"write down what these rows are in autograd/check/textbook.py: {missing}"
    assert TEXTBOOK.keys() < TABLE.keys()


@pytest.mark.parametrize("name", SLOPES)
def test_every_elementary_function_has_a_derivative_by_every_oracle(name):
    """Where the row is smooth: NumPy and mpmath have all of them, for floats, complex numbers and many digits."""
    x = Value(0.5)
    report = check_gradients(TABLE[name](x), [x], oracles=["dual", "complex", "mpmath"])
    assert report.rows[0].verdict == PASS and not report.declined, report


@pytest.mark.parametrize("op", [op for op in TABLE.values() if op.domain[0] != REALS], ids=lambda op: op.name)
def test_no_right_rule_fails_at_the_end_of_a_domain(op):
    """There functions branch and differences leave the domain: the row says where that is."""
    low, high = op.domain[0]
    for end, inwards in ((low, 1.0), (high, -1.0)):
        for off in (0.0, 2.0**-50, 1e-9, 1e-3) if math.isfinite(end) else ():
            leaves = [Value(end + inwards * off), *(Value(0.5) for _ in op.partials[1:])]
            rows = check_gradients(op(*leaves), leaves).rows
            assert all(FAIL not in [row.verdict, *(f.verdict for f in row.findings)] for row in rows), rows


def test_no_oracle_calls_a_partial():
    """Independent: with partials that raise, all that read the graph come to the same answer."""

    def forbidden(*numbers):
        raise AssertionError("a partial was called")

    x = Value(0.7)
    output, spoilt = x, x
    for op in (TABLE[name] for name in ("tanh", "exp", "softplus", "relu", "sqrt")):
        output, spoilt = op(output), Value.__record__(replace(op, partials=(forbidden,)), [spoilt])
    from autograd.check import oracles

    for oracle in (oracles.dual, oracles.complex_step, oracles.many_digits):
        assert oracle(Problem(output, (x,))) == oracle(Problem(spoilt, (x,)))
    with pytest.raises(AssertionError, match="a partial was called"):
        gradients(spoilt, [x])


def test_models_and_labels():
    """A loss by every parameter of a model, by name; what is detached stays."""
    model = nn.MLP(2, [3, 1], activation=nn.tanh, seed=0)
    loss = nn.half_squared_error(model([0.5, -1.0]), 1.0)
    report = check_gradients(loss, model.parameters())
    assert {row.verdict for row in report.rows} == {PASS} and len(report.rows) == 13
    assert [row.engine.value for row in report.rows] == gradients(loss, model.parameters())
    assert report.rows[0].names == ("layers.0.neurons.0.w.0",) and str(report).count("\n") == 12
    x, y = Value(0.5, "x"), Value(2.0, "y")
    detached = check_gradients(sin(x * y) + x.detach() * y, [x, y])
    assert [row.verdict for row in detached.rows] == [PASS, PASS]


@examples(10)
@given(networks())
def test_random_networks(network):
    """Every parameter of a small network with its data."""
    parameters = [Value(x) for x in network.parameters]
    for row in check_gradients(network(*parameters), parameters).rows:
        assert row.verdict == PASS, row


def test_verbs_may_be_inside():
    """A function that differentiates; interior nodes as leaves; inside no_grad."""
    assert [row.verdict for row in gradcheck(lambda x: grad(lambda y: y**3 * x)(2.0) * x, 1.5, order=2).rows] == [
        PASS
    ] * 2
    closed = gradcheck(lambda x: grad(lambda y: y**3 * x)(0.5).tanh() + grad(lambda y: y * y)(x).exp(), 1.5)
    assert [row.verdict for row in closed.rows] == [PASS]
    x = Value(2.0)
    middle = x * x
    assert [row.engine.value for row in check_gradients(middle.sin(), [middle]).rows] == [math.cos(4.0)]
    with no_grad():
        assert [row.verdict for row in gradcheck(sin, 1.0, order=2).rows] == [PASS] * 2


def test_arguments_have_names():
    """Those of the parameters, and where in them a number stands."""
    report = gradcheck(
        lambda w, data, *rest: w[0] * data["a"] + w[1][1] * rest[0] + data["b"][1, 0],
        [2.0, (3.0, 4.0)],
        {"a": 1.0, "b": np.ones((2, 2))},
        5.0,
        oracles=["rational"],
    )
    assert [row.names[0] for row in report.rows] == [
        "w[0]", "w[1][0]", "w[1][1]", "data['a']", "data['b'][0, 0]", "data['b'][0, 1]", "data['b'][1, 0]",
        "data['b'][1, 1]", "x3",
    ]  # fmt: skip
    assert {row.verdict for row in report.rows} == {PASS}
    report = gradcheck(lambda p: p[1].re * p[1].im * p[0], deque([2.0, Point(3.0, 4.0), None]), oracles=["rational"])
    assert [row.names[0] for row in report.rows] == ["p[0]", "p[1].re", "p[1].im"]
    assert {row.verdict for row in report.rows} == {PASS}


def test_compiled_graphs_against_the_engine():
    """A program of a graph, with inputs or without: right, and its gradient tampered with."""
    model = nn.MLP(2, [3, 1], activation=nn.tanh, seed=0)
    x = [Value(0.5), Value(-1.0)]
    loss = nn.half_squared_error(model(x), 1.0)
    program = compile(loss, model.parameters(), inputs=x)
    report = check_gradients(loss, model.parameters()[::-1], compiled=program)
    assert {row.verdict for row in report.rows} == {PASS} and len(report.rows) == 13
    assert all(row.findings[0].oracle == "eager" and row.findings[0].verdict == PASS for row in report.rows)
    right = program.value_and_grad
    for error in ERRORS:
        program.value_and_grad = lambda *args, error=error: (right(*args)[0], right(*args)[1] * (1 + error))
        report = check_gradients(loss, model.parameters(), compiled=program)
        assert {row.verdict for row in report.rows} == {FAIL} and "  compiled " in str(report)
    program.value_and_grad, value = right, program.value
    program.value = lambda *args: 1.5 * value(*args)
    report = check_gradients(loss, model.parameters(), compiled=program)
    assert {row.verdict for row in report.rows} == {FAIL} and "computes other values than the graph" in str(report)
    with pytest.raises(ValueError, match="is not a parameter of the program; compile with it in wrt"):
        check_gradients(loss, x, compiled=program)
    with pytest.raises(ValueError, match="a program has first derivatives only"):
        check_gradients(loss, model.parameters(), compiled=program, order=2)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_compiled_functions_against_the_engine(reduction):
    """A function of one example, for a batch with rows of both branches."""
    w = [Value(0.5, "w"), Value(-1.5, "v")]
    loss = compile(lambda x, y: where(x > 0, w[0] * x, w[1] * x * x) * y, w, reduction=reduction)
    report = gradcheck(loss, [0.5, -2.0, 3.0], [1.0, 2.0, 3.0])
    assert [row.verdict for row in report.rows] == [PASS, PASS] and report.rows[1].names == ("v",)
    assert report.rows[0].engine.value == pytest.approx(9.5 / (3 if reduction == "mean" else 1))
    with pytest.raises(TypeError, match="write check_gradients"):
        gradcheck(loss.program([0.5], [1.0]), [0.5])


def test_the_numbers_are_those_of_the_forward_pass():
    """A leaf that was changed afterwards does not matter; one that was changed in between makes no function."""
    x, y = Value(2.0, "x"), Value(3.0, "y")
    product = x * y
    x.data = 7.0
    (row, _) = check_gradients(product, [x, y]).rows
    assert row.verdict == PASS and row.numbers == (2.0,)
    with pytest.raises(ValueError, match="was used as 2 and, after its data changed, as 7"):
        check_gradients(product + x, [x])


def test_what_cannot_be_checked_is_refused():
    """With what was given, what is allowed, and what to do."""
    x = Value(1.0)
    h = x * 2.0
    for bad, error, message in (
        (lambda: gradcheck(lambda x: [x], 1.0), TypeError, "gradcheck takes a function whose result"),
        (lambda: gradcheck(lambda x: x, "1"), TypeError, "is not a real number"),
        (lambda: gradcheck(lambda x: x, 1.0, order=3), ValueError, "order is 3; give 1, or 2"),
        (lambda: gradcheck(lambda x: x, 1.0, oracles=["tea leaves"]), ValueError, "oracle 'tea leaves'; give some of"),
        (lambda: gradcheck(lambda: x), TypeError, "gradcheck of a function without arguments"),
        (lambda: gradcheck(lambda y: y * random(), 1.0), ValueError, "for the same numbers; make it repeatable"),
        (lambda: check_gradients(h * x, [x, h]), ValueError, "another of the leaves was computed from"),
        (lambda: check_gradients(x * x, []), ValueError, "with respect to no leaves"),
        (
            lambda: check_gradients(x * x, [x], compiled=3),
            TypeError,
            "compiled is a int; give the Program",
        ),
        (lambda: gradcheck(compile(lambda a: a * x, [x])), ValueError, "give at least one"),
        (lambda: check_gradients(x * x, x), TypeError, r"give a list of them: check_gradients\(output, \[x\]\)"),
        (lambda: check_gradients(3.0, [x]), TypeError, r"check_gradients\(output, leaves\) takes Values"),
        (lambda: check_gradients(x, [1.0]), TypeError, r"check_gradients\(output, leaves\) takes Values"),
    ):
        with pytest.raises(error, match=message):
            bad()


def test_unknown_rows_are_checked_by_their_values():
    """A row of one's own has no textbook definition; differences and Taylor's remainder need none."""
    cube = replace(TABLE["exp"], name="cube", forward=lambda x: x**3, ufunc=lambda x: x**3)
    for slope, verdict in ((lambda z, x: 3.0 * x * x, PASS), (lambda z, x: 2.0 * x * x, FAIL)):
        x = Value(2.0)
        report = check_gradients(Value.__record__(replace(cube, partials=(slope,)), [x]), [x])
        assert report.rows[0].verdict == verdict
        assert "dual: there is no textbook definition of cube" in report.declined


def test_an_oracle_declines_what_it_has_no_definition_of(monkeypatch):
    """With a sentence, not an error of its own: a row, an elementary function, or the derivative of one."""
    monkeypatch.setitem(TEXTBOOK, "erf", lambda m, x: m.function("erf", x))
    monkeypatch.setitem(TEXTBOOK, "square", lambda m, x: m.function("square", x))
    slope = 2.0 / math.sqrt(math.pi)
    x = Value(0.5)
    for op in (
        replace(TABLE["exp"], name="erf", forward=math.erf, partials=(lambda z, x: slope * exp(-(x * x)),)),
        replace(
            TABLE["exp"], name="square", forward=lambda x: x * x, ufunc=np.square, partials=(lambda z, x: 2.0 * x,)
        ),
    ):
        op = replace(op, ufunc=np.vectorize(math.erf)) if op.name == "erf" else op
        report = check_gradients(Value.__record__(op, [x]), [x])
        assert report.rows[0].verdict == PASS
        assert f"dual: there is no textbook derivative of {op.name}" in report.declined
        assert ("complex: NumPy has no erf of complex numbers" in report.declined) == (op.name == "erf")
        assert ("mpmath: mpmath has no square" in report.declined) == (op.name == "square")


def test_without_mpmath_the_others_go_on(monkeypatch):
    """It is an extra: left out of all, and an ImportError with the remedy where it is asked for."""
    import sys

    monkeypatch.setitem(sys.modules, "mpmath", None)
    assert "mpmath" not in str(gradcheck(sin, 1.0)) and gradcheck(sin, 1.0).rows[0].verdict == PASS
    with pytest.raises(ImportError, match=r"pip install mpmath$"):
        gradcheck(sin, 1.0, oracles=["mpmath"])


def test_a_function_may_refuse_numbers():
    """What raises beyond its domain has no value there."""

    def root(x):
        if x < 0.0:
            raise ValueError("no root")
        return sqrt(x)

    assert [row.verdict for row in gradcheck(root, 1e-3).rows] == [PASS]
    assert [row.verdict for row in gradcheck(lambda x: root(x) * x, 0.0).rows] != [FAIL]


def test_reports():
    """Verdicts together: rules before sides, wrong before right, unsure only where nobody knows."""
    from autograd.check import Finding

    def verdict(*findings):
        return Row(("w",), (2.0,), Estimate(3.0), tuple(Finding("o", "1", *f) for f in findings)).verdict

    assert verdict((PASS,), (UNSURE,)) == PASS
    assert verdict((PASS,), (KINK,)) == KINK
    assert verdict((PASS,), (KINK,), (FAIL,)) == FAIL
    assert verdict((FAIL,), (KINK, True)) == KINK
    assert verdict((UNSURE,)) == verdict() == UNSURE
    near_a_pole = Finding("differences", "39", FAIL, central=Estimate(39.0, 5.0))
    for error, overruled in ((1.0, UNSURE), (1e3, FAIL)):  # by what the graph knows better, and by what it does not
        row = Row(
            ("w",), (2.0,), Estimate(1e3), (near_a_pole, Finding("mpmath", "1", UNSURE, False, Estimate(1e3, error)))
        )
        assert row.verdict == overruled and replace(row, cut=True).verdict == FAIL
    report = Report((Row(("w",), (2.0,), Estimate(3.0, 1e-16), (Finding("dual", "3", PASS),)),))
    assert str(report) == "w = 2: pass; engine 3 +- 1e-16; dual 3" and report.failures == []
