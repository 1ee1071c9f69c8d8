"""Derivatives of derivatives where a zero has won over infinity, and where a branch was not taken."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autograd import (
    Value,
    abs,
    exp,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    log,
    maximum,
    relu,
    sign,
    sqrt,
    step,
    value_and_grad,
    where,
)


def half_squared_norm(y):
    return 0.5 * np.linalg.norm(y - 1) ** 2


@pytest.mark.parametrize(
    ("function", "x", "first", "second"),
    [
        (lambda x: 0.5 * sqrt(x * x) ** 2, 0.0, 0.0, 1.0),
        (lambda x: half_squared_norm(np.array([x, x])), 1.0, 0.0, 2.0),
        (lambda x: sqrt(x**4) ** 1.5, 0.0, 0.0, 0.0),  # |x|^3
        (lambda x: sqrt(x * x) ** 1.5, 0.0, 0.0, math.inf),
        (lambda x: log(1 + sqrt(x * x) ** 2), 0.0, 0.0, 2.0),
        (lambda x: (x * x) ** 0.5 * (x * x) ** 0.5, 0.0, 0.0, 2.0),
        (lambda x: sqrt(x) * sqrt(x) * x, 0.0, 0.0, 2.0),
        (lambda x: abs(sqrt(x * x)) ** 2, 0.0, 0.0, 2.0),  # at a kink, too
        (lambda x: relu(sqrt(x * x)) ** 2, 0.0, 0.0, 2.0),
        (lambda x: maximum(sqrt(x * x), 0.0) ** 2, 0.0, 0.0, 2.0),
        (lambda x: sign(sqrt(x * x)) * sqrt(x * x) ** 2, 0.0, 0.0, 2.0),
        (lambda x: sqrt(abs(x)) ** 4, 0.0, 0.0, 2.0),
        (lambda x: exp(2 * log(abs(x))), 0.0, 0.0, 2.0),
        (lambda x: 1 / (1 / abs(x)) ** 2, 0.0, 0.0, 2.0),
    ],
)
def test_a_zero_that_won_over_infinity_has_no_made_up_derivative(function, x, first, second):
    """The second derivative is the true one or NaN, by every way there is; the first one is 0."""
    assert grad(function)(x) == first and jvp(function, (x,), (1.0,))[1] == first
    for found in (
        hessian(function)(x),
        grad(grad(function))(x),
        hvp(function, (x,), (1.0,)),
        jvp(grad(function), (x,), (1.0,))[1],
        grad(lambda t: jvp(function, (t,), (1.0,))[1])(x),
        jvp(lambda t: jvp(function, (t,), (1.0,))[1], (x,), (1.0,))[1],
        jacobian(jacobian(function))(x),
        value_and_grad(grad(function))(x)[1],
    ):
        assert math.isnan(found) or found == second


def test_the_hessian_of_half_a_squared_norm():
    """At its minimum it is the identity in truth; by way of a square root nobody can know, so it is NaN."""
    assert np.isnan(hessian(half_squared_norm)(np.ones(2))).all()
    assert grad(half_squared_norm)(np.ones(2)).tolist() == [0.0, 0.0]
    v = Value(0.0)
    (slope,) = gradients(0.5 * sqrt(v * v) ** 2, [v], create_graph=True)
    assert slope.data == 0.0 and math.isnan(gradients(slope, [v])[0])


@pytest.mark.parametrize("x", [0.0, -1.0])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: where(x > 0, sqrt(x), 0.0),
        lambda x: where(x > 0, 2.0 * sqrt(x) + sqrt(x) * sqrt(x), 0.0),
        lambda x: where(x > 0, x * log(x), 0.0) + where(x > 0, sqrt(x), 0.0),
        lambda x: sqrt(relu(x)),
        lambda x: maximum(sqrt(x - 2.0), 0.0) if x > 2 else relu(x) * sqrt(relu(x)),
        lambda x: relu(x) / sqrt(x) if x > 0 else where(step(x), 1.0 / x, 0.0),
    ],
)
def test_a_branch_that_is_not_taken_stays_zero(function, x):
    """A closed gate is a true zero: of first, second and third derivatives, in either mode."""
    assert grad(function)(x) == hessian(function)(x) == grad(grad(grad(function)))(x) == 0.0
    assert hvp(function, (x,), (1.0,)) == jvp(function, (x,), (1.0,))[1] == 0.0


def test_forward_mode_agrees_with_reverse_mode_at_a_singular_point():
    """Zero wins from the output's side in both; a direction that does not move an input says nothing of it."""
    assert math.isnan(grad(lambda x: sqrt(x * x))(0.0))
    assert math.isnan(jvp(lambda x: sqrt(x * x), (0.0,), (1.0,))[1])
    assert jvp(lambda x, y: x + sqrt(y), (1.0, 0.0), (1.0, 0.0)) == (1.0, 1.0)
    assert jvp(lambda x: x[0] + sqrt(x[1]), ([1.0, 0.0],), ([2.0, 0.0],)) == (1.0, 2.0)
