"""Where a number that is not finite came from, and why a derivative is zero."""

from __future__ import annotations

import copy
import math
import pickle
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
from autograd import (
    Value,
    detach,
    enable_grad,
    exp,
    gradients,
    log,
    maximum,
    no_grad,
    origin_of_nonfinite,
    relu,
    sqrt,
    trace_lines,
    where,
    why_zero,
)
from autograd.strategies import expressions


def test_the_first_forward_number():
    """Of many NaNs, the one that the others come from."""
    x, y = Value(-2.0, "x"), Value(3.0, "y")
    bad = log(x)
    bad.label = "log_x"
    loss = (bad * y + 1).tanh() * y
    origin = origin_of_nonfinite(loss)
    assert origin.node is bad and origin.route[0] is bad and origin.route[-1] is loss
    assert str(origin).splitlines()[0] == "forward, the first number that is not finite is log_x = log(-2.0) = nan"
    assert str(origin).splitlines()[1] == "  on its way to the output: log_x -> mul -> add -> tanh -> mul"


def test_a_leaf_that_is_not_finite():
    """Nothing computed it."""
    x = Value(math.nan, "x")
    origin = origin_of_nonfinite(x * 2 + 1)
    assert origin.node is x and str(origin).startswith("the leaf x is nan")
    assert str(origin_of_nonfinite(Value(math.inf))).startswith("the leaf (no label) is inf")


def test_the_first_backward_product():
    """All forward numbers are finite; a local derivative is not."""
    x = Value(0.0, "x")
    root = sqrt(x)
    loss = root * 3.0 + 1.0
    origin = origin_of_nonfinite(loss)
    assert (origin.node, origin.index, origin.adjoint, origin.partial) == (root, 0, 3.0, math.inf)
    assert "d(output)/d(sqrt) * d(sqrt)/d(x) = 3.0 * inf, at sqrt(0.0) = 0.0" in str(origin)


def test_an_infinity_that_vanished():
    """exp(1000) ** -w is 0, its derivative 0 times log(inf): the exponential is to blame."""
    e = exp(Value(1000.0, "x"))
    origin = origin_of_nonfinite(e ** -Value(1.0, "w"))
    assert origin.node is e and str(origin).startswith(
        "forward, the first number that is not finite is exp(1000.0) = inf"
    )


def test_a_sum_that_overflows():
    """Every product is finite, their sum is not."""
    x = Value(1e-5, "x")
    origin = origin_of_nonfinite(x * 1e308 + x * 1e308)
    assert origin.overflow and origin.node is x
    assert str(origin).startswith("backward, d(output)/d(x), a sum of finite products, overflows")


def test_what_reaches_nothing_does_not_count():
    """The other branch of a where, a dead relu, a detached infinity that a zero multiplies."""
    x = Value(0.0, "x")
    assert origin_of_nonfinite(where(x > 0, log(x), x)) is None
    assert origin_of_nonfinite(sqrt(relu(x - 1))) is None
    assert origin_of_nonfinite(x * 2 + 1) is None


@given(
    expressions(ops=("add", "sub", "mul", "div", "log", "sqrt", "exp", "where", "relu", "maximum"), max_instructions=10)
)
def test_the_origin_by_brute_force(expression):
    """Forward: a node on a way to the value, not finite, from finite numbers.  And one if and only if there is one."""
    leaves = [Value(x) for x in expression.leaves]
    value = expression(*leaves)
    if not isinstance(value, Value):
        return
    origin = origin_of_nonfinite(value)
    finite = math.isfinite(value.data) and all(map(math.isfinite, gradients(value, leaves)))
    assert (origin is None) == finite
    if origin and not math.isfinite(value.data):
        node = origin.node
        assert not math.isfinite(node.data) and all(map(math.isfinite, node.numbers[1:]))
        for below, above in zip(origin.route, origin.route[1:]):
            assert any(x is below for x in above.inputs) and not math.isfinite(above.data)
        assert origin.route[-1] is value


def test_lines_are_recorded_only_when_asked_for():
    """Inside the block, also through enable_grad, not in no_grad, not in other threads, and not afterwards."""
    x = Value(2.0)
    with trace_lines():
        line = sys._getframe().f_lineno
        y = x * 3
        with enable_grad():
            z = y.tanh()
        with no_grad():
            assert not hasattr(x * 3, "line") and (x * 3).inputs == ()
        found = []
        thread = threading.Thread(target=lambda: found.append(x + 1))
        thread.start()
        thread.join()
    assert y.line == f"{__file__}:{line + 1}" and z.line == f"{__file__}:{line + 3}"
    assert not hasattr(x * 3, "line") and not hasattr(found[0], "line")
    with no_grad(), trace_lines():
        assert (x * 3).inputs == ()
    assert gradients(z, [x]) == gradients((x * 3).tanh(), [x])


def test_the_line_is_the_users():
    """Functions of this package are not where the mistake is; and the text of the line is shown."""
    x = Value(-1.0, "x")
    with trace_lines():
        y = nn.half_squared_error(log(x), 1.0)  # a logarithm of what is negative
    text = str(origin_of_nonfinite(y))
    assert f"computed in {__file__}:" in text and "# a logarithm of what is negative" in text


def test_fit_says_where():
    """The error of nn.fit carries the origin, with the line; the parameters are back at the last good ones."""
    model = nn.MLP(1, [1], seed=0)
    before = [p.data for p in model.parameters()]

    def loss(output, target):
        return -log(1 - output * output) * target

    with pytest.raises(nn.NonFiniteError) as caught:
        nn.fit(model, [[3.0]], [1.0], loss=loss, progress=False)
    assert caught.value.origin.node.op.name == "log" and caught.value.origin.line.startswith(__file__)
    assert "the loss became nan in epoch 1" in str(caught.value) and "return -log(1 - output * output) * target" in str(
        caught.value
    )
    assert [p.data for p in model.parameters()] == before

    with pytest.raises(nn.NonFiniteError, match=r"backward, the first product that is not finite is .*1.0 \* inf"):
        nn.fit(model, [[3.0]], [1.0], loss=lambda y, t: sqrt(y * 0.0) + t, progress=False)


@pytest.mark.parametrize("mishap", [KeyError("again"), nn.NonFiniteError("again"), None, 3.0])
def test_a_loss_that_cannot_be_run_twice(mishap):
    """The error is the first one, and the parameters are the last good ones."""
    model, calls = nn.MLP(1, [1], seed=0), []

    def loss(output, target):
        calls.append(output)
        if len(calls) < 6:
            return output * target
        if len(calls) == 6:
            return log(output * 0.0 - 1.0)
        if isinstance(mishap, Exception):
            raise mishap
        return mishap

    optimizer, before = nn.Adam(model.parameters()), [p.data for p in model.parameters()]
    with pytest.raises(nn.NonFiniteError, match="the loss became nan in epoch 2") as caught:
        nn.fit(model, [[3.0], [2.0]], [1.0, 1.0], loss=loss, optimizer=optimizer, progress=False, batch_size=None)
    assert caught.value.origin is None and optimizer.steps == 0
    assert [p.data for p in model.parameters()] == before


def test_copies_are_plain_values():
    """They do not stem from the line; nor do the results of verbs on traced nodes."""
    with trace_lines():
        y = Value(3.0, "x") * 2.0
    for copied in (copy.copy(y), copy.deepcopy(y), pickle.loads(pickle.dumps(y)), gradients(y, [Value(1.0)], True)[0]):
        assert type(copied) is Value


def test_a_long_way_is_cut():
    """The ends of it are shown."""
    y = log(Value(-1.0))
    for _ in range(1000):
        y = y + 1.0
    assert "(990 more)" in str(origin_of_nonfinite(y)) and len(str(origin_of_nonfinite(y))) < 400


@pytest.mark.parametrize(
    ("build", "reasons"),
    [
        (lambda x, w: relu(w * x) + 1, ["relu(w x) is off, because w x = -3 is not positive"]),
        (lambda x, w: detach(x) * w, ["detach(x) is detached, so no derivative passes"]),
        (lambda x, w: x * w - w * x, ["the routes to x cancel: 1.5 - 1.5 = 0"]),
        (lambda x, w: where(x, w, 1.0),
         ["the output depends on x only through the condition of a where, which has no derivative"]),
        (lambda x, w: maximum(w, -3.0) * 2, ["the output does not depend on x"]),
        (lambda x, w: relu(-x) + relu(w * x),
         ["relu(-x) is off, because -x = -2 is not positive", "relu(w x) is off, because w x = -3 is not positive"]),
        (lambda x, w: x * w, []),
    ],
)  # fmt: skip
def test_why_zero(build, reasons):
    """In sentences, all of them; an empty list where the derivative is not zero."""
    x, w = Value(2.0, "x"), Value(-1.5, "w")
    assert sorted(why_zero(build(x, w), x)) == sorted(reasons)


def test_an_infinity_that_was_beaten_is_told():
    """f = s/2 written as sqrt(s)^2/2, at s = 0: the slope is 0 because 0 wins over infinity, and 1/2 in truth."""
    s = Value(0.0, "s")
    assert why_zero(0.5 * sqrt(s) ** 2, s) == [
        "the derivative of sqrt(s)^2 with respect to sqrt(s) = 0 is 0",
        "this 0 wins over the infinite derivative of sqrt(s) at s = 0; a second derivative is NaN",
    ]
    x = Value(1.0, "x")
    assert any("wins over the infinite" in reason for reason in why_zero(0.5 * sqrt((x - 1) * (x - 1)) ** 2, x))
    assert any("wins over the infinite" in reason for reason in why_zero(relu(sqrt(s)) ** 2, s))  # at the kink of relu
    for build in (lambda v: where(v, sqrt(v), 0.0), lambda v: sqrt(relu(v - 1.0)), lambda v: relu(v - 1.0) * v):
        assert not any("wins" in reason for reason in why_zero(build(s), s))  # a gate that is closed stays closed


def test_the_shift_of_a_softmax_is_no_reason():
    """What is detached for the sake of precision is not what makes a derivative zero."""
    model = nn.MLP(1, [1, 2], seed=0)
    model.layers[0].neurons[0].b.data = -100.0
    cost = nn.cost(nn.cross_entropy, [model([0.5]), model([1.0])], [0, 1])
    reasons = why_zero(cost, model.layers[0].neurons[0].w[0])
    assert len(reasons) == 2 and all(reason.startswith("relu(z[0,0]#") for reason in reasons)


def test_arguments_are_checked():
    """Values."""
    x = Value(1.0)
    for call in (lambda: why_zero(x, "x"), lambda: why_zero(3, x), lambda: origin_of_nonfinite(3.0)):
        with pytest.raises(TypeError, match="is not a Value"):
            call()


def test_many_reasons_are_counted():
    """Five are named."""
    x = Value(2.0, "x")
    reasons = why_zero(sum(relu(x * -float(i)) for i in range(1, 101)), x)
    assert len(reasons) == 6 and reasons[-1] == "and 95 more places"


@given(expressions(ops=("add", "mul", "relu", "step", "detach", "sub"), numbers=st.sampled_from([0.0, 1.0, -1.0, 2.0])))
def test_a_derivative_is_explained_if_and_only_if_it_is_zero(expression):
    """On graphs full of zeros."""
    leaves = [Value(x) for x in expression.leaves]
    value = expression(*leaves)
    if isinstance(value, Value):
        for leaf in leaves:
            assert bool(why_zero(value, leaf)) == (gradients(value, [leaf])[0] == 0.0)
