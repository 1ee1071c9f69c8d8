"""Functions of sequences: stable, exact at the edges, with the right gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd import Value, dot, gradients, log_softmax, logsumexp, mean, select, softmax

from .laws import close
from .oracles import partial_difference

inf = math.inf
NUMBERS = st.lists(st.floats(-3, 3), min_size=1, max_size=5)


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=1, max_size=6))
def test_dot(pairs):
    """The sum of products, and its gradient is the other vector."""
    xs, ys = ([Value(x) for x in side] for side in zip(*pairs))
    product = dot(xs, ys)
    assert close(product.data, float(np.dot([p[0] for p in pairs], [p[1] for p in pairs])), 1e-12, 1e-12)
    assert gradients(product, xs) == [y.data for y in ys]


@given(NUMBERS)
def test_mean(numbers):
    """The mean, with gradient 1/n each."""
    xs = [Value(x) for x in numbers]
    assert close(mean(xs).data, float(np.mean(numbers)), 1e-14, 1e-15)
    assert gradients(mean(xs), xs) == [1 / len(xs)] * len(xs)


@given(NUMBERS)
def test_logsumexp_softmax_and_log_softmax_are_what_they_are_called(numbers):
    """Against the textbook formulas on moderate numbers; softmax is the gradient of logsumexp."""
    xs = [Value(x) for x in numbers]
    total = sum(math.exp(x) for x in numbers)
    assert close(logsumexp(xs).data, math.log(total), 1e-14, 1e-14)
    for got, logarithm, slope, x in zip(softmax(xs), log_softmax(xs), gradients(logsumexp(xs), xs), numbers):
        assert close(got.data, math.exp(x) / total, 1e-14)
        assert close(slope, math.exp(x) / total, 1e-13)
        assert close(logarithm.data, x - math.log(total), 1e-14, 1e-14)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=4))
def test_gradients_of_softmax_and_log_softmax_equal_differences(numbers):
    """Every entry of both Jacobians, ties among the largest included."""
    for function in (softmax, log_softmax):
        xs = [Value(x) for x in numbers]
        for k, output in enumerate(function(xs)):
            for i, got in enumerate(gradients(output, xs)):
                expected = partial_difference(lambda *p, f=function, k=k: f(p)[k], numbers, i)
                assert close(got, expected, 1e-8, 1e-10)


def test_equal_logits_share_equally():
    """A tie of three, where a chain of maxima would favor the last."""
    xs = [Value(0.0) for _ in range(3)]
    assert gradients(logsumexp(xs), xs) == [1 / 3] * 3
    assert [p.data for p in softmax(xs)] == [1 / 3] * 3


@pytest.mark.parametrize("shift", [1e4, -1e4])
def test_stable_at_ten_thousand(shift):
    """Neither overflow nor underflow."""
    xs = [Value(shift), Value(shift - 1.0)]
    p = 1 / (1 + math.exp(-1.0))
    assert close(logsumexp(xs).data, shift - math.log(p), 1e-15)
    assert close(softmax(xs)[0].data, p, 1e-14)
    assert close(log_softmax(xs)[0].data, math.log(p), 1e-14)
    assert close(gradients(logsumexp(xs), xs)[0], p, 1e-14)
    assert [x.data for x in log_softmax([Value(1e4), Value(-1e4)])] == [0.0, -2e4]


@pytest.mark.parametrize(
    ("numbers", "value", "slopes"),
    [
        ([-inf, -inf], -inf, [0.0, 0.0]),
        ([inf, 1.0], inf, [1.0, 0.0]),
        ([1.0, inf], inf, [0.0, 1.0]),
        ([-inf, 1.0], 1.0, [0.0, 1.0]),
        ([5.0], 5.0, [1.0]),
    ],
)
def test_logsumexp_at_infinities(numbers, value, slopes):
    """The edge policy of logsumexp."""
    xs = [Value(x) for x in numbers]
    total = logsumexp(xs)
    assert total.data == value and gradients(total, xs) == slopes


def test_nan_is_not_hidden():
    """One NaN makes the result NaN."""
    assert math.isnan(logsumexp([1.0, math.nan])) and math.isnan(softmax([1.0, math.nan])[0])


def test_numbers_arrays_and_mixtures():
    """Floats give floats; arrays and mixtures with Values work."""
    assert dot([1.0, 2.0], np.array([3.0, 4.0])) == 11.0
    assert type(softmax([1.0, 2.0])[0]) is float
    assert mean(np.array([1.0, 2.0])) == 1.5 and type(mean(np.array([1.0, 2.0]))) is float
    assert logsumexp([Value(0.0), 0.0]).data == math.log(2.0)


@pytest.mark.parametrize("function", [mean, logsumexp, softmax, log_softmax])
def test_empty_sequences_are_refused(function):
    """With the name of the function."""
    with pytest.raises(ValueError, match=f"{function.__name__} of an empty sequence"):
        function([])


def test_dot_refuses_different_lengths():
    """Never a silent truncation."""
    with pytest.raises(ValueError, match="1 and 2 numbers"):
        dot([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="dot of an empty sequence"):
        dot([], [])


def test_select_picks_what_is_there():
    """By a number the very element; of a matrix the row; of nothing nothing."""
    xs = [Value(1.0), Value(2.0)]
    assert select(xs, 1) is xs[1]
    assert [x.data for x in select(np.array([[1.0, 2.0], [3.0, 4.0]]), Value(1.0))] == [3.0, 4.0]
    with pytest.raises(ValueError, match="select of an empty sequence"):
        select([], 0)


def test_a_matrix_is_refused():
    """softmax of (M, K) outputs would run down the columns: a ValueError, not a wrong answer."""
    with pytest.raises(ValueError, match=r"softmax of an array of shape \(4, 3\); give one sequence"):
        softmax(np.zeros((4, 3)))
