"""Losses: formulas, exactness far out, targets of every kind, and what they refuse."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd import Value, gradients, log_softmax
from nn import binary_cross_entropy, cost, cross_entropy, half_squared_error, hinge, mean_squared_error
from nn.engines import number_of

from .laws import close

NUMBERS = st.floats(-3, 3)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4)


@given(PAIRS)
def test_squared_errors(pairs):
    """Against NumPy, with gradients y - t and 2 (y - t) / n."""
    y, t = (np.array(side) for side in zip(*pairs))
    nodes = [Value(x) for x in y]
    half, mean = half_squared_error(nodes, t), mean_squared_error(nodes, list(t))
    assert close(half.data, 0.5 * ((t - y) ** 2).sum(), 1e-13)
    assert close(mean.data, ((t - y) ** 2).mean(), 1e-13)
    np.testing.assert_allclose(gradients(half, nodes), y - t, atol=1e-15)
    np.testing.assert_allclose(gradients(mean, nodes), 2 * (y - t) / len(y), atol=1e-14)


@given(st.lists(NUMBERS, min_size=2, max_size=5), st.data())
def test_cross_entropy(logits, data):
    """-log softmax, for classes, one-hot rows and soft targets."""
    p = np.exp(logits) / np.exp(logits).sum()
    k = data.draw(st.integers(0, len(logits) - 1))
    one_hot = np.eye(len(logits))[k]
    for target in (
        k,
        np.int64(k),
        float(k),
        Decimal(k),
        [k],
        np.array([float(k)]),
        [Value(k)],
        one_hot,
        one_hot.tolist(),
    ):
        assert close(number_of(cross_entropy(logits, target)), -math.log(p[k]), 1e-12, 1e-14)
    assert cross_entropy(logits, one_hot.astype(np.float32)) == cross_entropy(logits, one_hot)
    soft = np.full(len(logits), 1 / len(logits))
    assert close(cross_entropy(logits, soft), -np.log(p).mean(), 1e-12)


@given(st.floats(-30, 30), st.sampled_from([0, 1, 0.25, True]))
def test_binary_cross_entropy(z, t):
    """Against the textbook formula where that is accurate; the gradient is sigmoid(z) - t."""
    node = Value(z)
    loss = binary_cross_entropy(node, t)
    assert close(
        loss.data, t * math.log1p(math.exp(-z)) + (1 - t) * (max(z, 0) + math.log1p(math.exp(-abs(z)))), 1e-12, 1e-300
    )
    assert close(gradients(loss, [node])[0], 1 / (1 + math.exp(-z)) - t, 1e-12, 1e-15)


@pytest.mark.parametrize(
    ("loss", "z", "target", "value", "slopes"),
    [
        (cross_entropy, [1000.0, 0.0, -1000.0], 2, 2000.0, [1.0, 0.0, -1.0]),
        (cross_entropy, [1e4, -1e4], [0, 1], 2e4, [1.0, -1.0]),
        (binary_cross_entropy, [800.0], 0, 800.0, [1.0]),
        (binary_cross_entropy, [-800.0], 1, 800.0, [-1.0]),
        (binary_cross_entropy, [40.0], 1, 4.248354255291589e-18, [-4.248354255291589e-18]),
        (binary_cross_entropy, [math.inf], 1, 0.0, [0.0]),
        (cross_entropy, [0.0, -math.inf], [1, 0], 0.0, [0.0, 0.0]),
        (mean_squared_error, [1e200], [0.0], math.inf, [2e200]),
        (hinge, [0.25], 1, 0.75, [-1.0]),
        (hinge, [0.25], -1, 1.25, [1.0]),
        (hinge, [1.0], 1, 0.0, [0.0]),
        (hinge, [3.0], 1, 0.0, [0.0]),
    ],
)
def test_literal_values_and_gradients(loss, z, target, value, slopes):
    """The edge policy of the losses, and the hinge at its kink."""
    nodes = [Value(x) for x in z]
    out = loss(nodes, target)
    assert out.data == value
    np.testing.assert_allclose(gradients(out, nodes), slopes, rtol=1e-12)


def test_single_outputs_may_be_scalars():
    """A model of one output returns a Value, not a list; its target may be a row of one."""
    y = Value(0.5)
    for loss, target in ((half_squared_error, 1.0), (mean_squared_error, 1.0), (binary_cross_entropy, 1), (hinge, 1)):
        assert loss(y, target).data == loss([y], [target]).data == loss(y, np.array([target])).data


@pytest.mark.parametrize("z", [-2.0, 0.5, 3.0])
def test_slopes_by_targets_that_are_values(z):
    """Of -t log p - (1 - t) log(1 - p) by t it is -z, and of -sum t log p by each t its -log p: also at 0 and at 1."""
    for t in (0.0, 0.25, 1.0):
        target = Value(t)
        assert gradients(binary_cross_entropy(z, target), [target])[0] == pytest.approx(-z, rel=1e-14)
        targets = [target, Value(1.0 - t)]
        loss = cross_entropy([z, 0.0], targets)
        assert gradients(loss, targets) == [-x for x in log_softmax([z, 0.0])]
        assert gradients(loss, [target], create_graph=True)[0].data == -log_softmax([z, 0.0])[0]


def test_a_target_of_nothing_forgives_infinity():
    """A Value of 0, like the number 0: neither value nor slopes are NaN."""
    for infinite in (math.inf, -math.inf):
        logit, target = Value(infinite), Value(float(infinite > 0))
        loss = binary_cross_entropy(logit, target)
        assert loss.data == 0.0 and gradients(loss, [logit, target]) == [0.0, 0.0]
        wrong = binary_cross_entropy(logit, Value(1.0 - target.data))
        assert wrong.data == math.inf


def test_cost_is_the_mean_over_examples():
    """J = 1/M times the sum, and its gradient."""
    ys = [Value(1.0), Value(2.0), Value(4.0)]
    J = cost(half_squared_error, ys, [0.0, 0.0, 0.0])
    assert close(J.data, (0.5 + 2.0 + 8.0) / 3, 1e-15)
    assert gradients(J, ys) == [1 / 3, 2 / 3, 4 / 3]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: cross_entropy([1.0, 2.0], 2), ValueError, "class 2 with 2 logits; give a class from 0 to 1"),
        (lambda: cross_entropy([1.0, 2.0], -1), ValueError, "class -1"),
        (lambda: cross_entropy([1.0, 2.0], 0.5), ValueError, "class 0.5 with 2 logits"),
        (lambda: cross_entropy([1.0, 2.0], math.nan), ValueError, "class nan with 2 logits"),
        (lambda: cross_entropy([1.0, 2.0], "1"), TypeError, r"class '1' .str.; give an int"),
        (lambda: cross_entropy([1.0, 2.0], [2.0]), ValueError, "class 2.0 with 2 logits"),
        (lambda: cross_entropy([1.0, 2.0, 3.0], [1.0, 2.0]), ValueError, r"\(3,\).*\(2,\)"),
        (lambda: cross_entropy([1.0, 2.0], [1.0, 1.0]), ValueError, "sum to 1"),
        (lambda: cross_entropy([1.0, 2.0], [2.0, -1.0]), ValueError, "sum to 1"),
        (lambda: cross_entropy(Value(1.0), 0), ValueError, "binary_cross_entropy"),
        (lambda: binary_cross_entropy(1.0, 2), ValueError, "from 0 to 1"),
        (lambda: binary_cross_entropy([1.0, 2.0], 1), ValueError, "2 outputs"),
        (lambda: hinge(1.0, 0), ValueError, "give -1 or 1"),
        (lambda: hinge([1.0, 2.0], 1), ValueError, "2 outputs"),
        (lambda: half_squared_error([1.0, 2.0], [1.0]), ValueError, r"shape \(2,\).*shape \(1,\)"),
        (lambda: cost(hinge, [1.0], [1, 1]), ValueError, "1 examples and targets of 2"),
        (lambda: cost(hinge, [], []), ValueError, "empty"),
        (lambda: half_squared_error([], []), ValueError, "no outputs"),
    ],
)
def test_bad_targets_are_refused(call, error, message):
    """With what was given and what is allowed."""
    with pytest.raises(error, match=message):
        call()


def test_hinge_takes_a_target_that_is_a_value():
    """1 and -1, as numbers."""
    assert hinge(Value(0.25), Value(-1.0)).data == 1.25
    with pytest.raises(ValueError, match="give -1 or 1"):
        hinge(Value(0.25), Value(0.5))
