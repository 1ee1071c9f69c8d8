"""The verbs on plain Python functions: structures, argnums, nesting, and against differences."""

from __future__ import annotations

import gc
import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd import (
    Value,
    exp,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    log,
    no_grad,
    sin,
    tanh,
    value_and_grad,
    where,
)
from autograd.strategies import expressions

from .laws import close
from .oracles import partial_difference


class Pair(NamedTuple):
    a: float
    b: float


def baydin(x1, x2):
    return log(x1) + x1 * x2 - sin(x2)


def rosenbrock(x):
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2


def wood(x):
    return (
        100.0 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2 + 90.0 * (x[3] - x[2] ** 2) ** 2 + (1 - x[2]) ** 2
        + 10.1 * ((x[1] - 1) ** 2 + (x[3] - 1) ** 2) + 19.8 * (x[1] - 1) * (x[3] - 1)
    )  # fmt: skip


def beale(x):
    return sum((y - x[0] * (1 - x[1] ** i)) ** 2 for i, y in enumerate((1.5, 2.25, 2.625), start=1))


def test_published_numbers():
    """Baydin et al.; CS231n; Rosenbrock, Wood and Beale (More, Garbow, Hillstrom)."""
    value, slopes = value_and_grad(baydin, argnums=(0, 1))(2.0, 5.0)
    assert close(value, 11.652071455223084, 1e-15) and slopes[0] == 5.5 and close(slopes[1], 1.7163378145367738, 1e-15)
    assert value_and_grad(lambda x, y, z: (x + y) * z, (0, 1, 2))(-2, 5, -4) == (-12.0, (-4.0, -4.0, 3.0))
    value, slopes = value_and_grad(rosenbrock)([-1.2, 1.0])
    assert close(value, 24.2, 1e-14) and np.allclose(slopes, [-215.6, -88.0], rtol=1e-14)
    assert np.allclose(hessian(rosenbrock)([-1.2, 1.0]), [[1330, 480], [480, 200]], rtol=1e-14)
    value, slopes = value_and_grad(wood)([-3, -1, -3, -1])
    assert value == 19192.0 and slopes == [-12008.0, -2080.0, -10808.0, -1880.0]
    assert value_and_grad(beale)([1, 1]) == (14.203125, [0.0, 27.75])
    assert value_and_grad(beale)([1, 4]) == (4624.453125, [8813.25, 6585.0])


def test_argnums_select_arguments_as_in_jax():
    """An int gives the structure of that argument, a tuple a tuple; other arguments may be anything."""

    def f(x, y, name="plain", *, scale=1.0):
        assert name in ("plain", "named")
        return x * y * y * scale

    assert grad(f)(3.0, 2.0) == 4.0
    assert grad(f, 1)(3.0, 2.0, "named") == 12.0
    assert grad(f, (1,))(3.0, 2.0) == (12.0,)
    assert grad(f, [0, 1])(3.0, 2.0, scale=10.0) == (40.0, 120.0)
    assert grad(lambda x, data: x * len(data))(1.0, "abc") == 3.0
    assert grad(f, -1)(3.0, 2.0) == 12.0
    with pytest.raises(ValueError, match="argnums 2"):
        grad(f, 2)(3.0, 2.0)
    with pytest.raises(ValueError, match="name an argument twice"):
        grad(f, (0, 0))(3.0, 2.0)
    assert grad(f, np.int64(1))(3.0, 2.0) == 12.0
    both = grad(f, (i for i in (0, 1)))
    assert both(3.0, 2.0) == both(3.0, 2.0) == (4.0, 12.0)
    with pytest.raises(TypeError, match="argnums 'x'; give an int"):
        grad(f, "x")
    with pytest.raises(ValueError, match="by position"):
        grad(f)(x=3.0, y=2.0)


def test_structures_come_back_as_they_were():
    """Lists, tuples, dicts, named tuples and arrays, nested."""

    def f(tree):
        return tree["w"][0] * 2 + tree["w"][1][0] * 3 + (tree["b"] * np.array([1.0, 2.0])).sum() + tree["pair"].a

    got = grad(f)({"w": [1.0, (2.0, 5.0)], "b": np.zeros(2), "pair": Pair(1.0, 2.0)})
    assert got["w"] == [2.0, (3.0, 0.0)] and got["pair"] == Pair(1.0, 0.0)
    assert got["b"].dtype == float and got["b"].tolist() == [1.0, 2.0]


def test_arrays_in_arrays_out():
    """The Jacobian of arrays has shape result.shape + argument.shape."""
    a = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(jacobian(lambda x: a @ x)(np.ones(3)), a)
    assert jacobian(lambda x: x * 2)(np.ones((2, 2))).shape == (2, 2, 2, 2)
    assert np.array_equal(hessian(lambda x: (x @ x) / 2)(np.ones(3)), np.eye(3))
    assert grad(lambda x: x.sum())(np.ones((2, 3), dtype=int)).shape == (2, 3)


def test_jacobian_of_nested_structures():
    """The structure of the result, with that of the argument at each leaf, arrays as leaves."""
    got = jacobian(lambda x, y: {"a": [x * y], "b": x**2}, argnums=(0, 1))(3.0, 2.0)
    assert got == {"a": [(2.0, 3.0)], "b": (6.0, 0.0)}
    mixed = jacobian(lambda x: [x["v"].sum(), x["v"] * x["s"]])({"v": np.array([1.0, 2.0]), "s": 3.0})
    assert mixed[0]["v"].tolist() == [1.0, 1.0] and mixed[0]["s"] == 0.0
    assert mixed[1]["v"].tolist() == [[3.0, 0.0], [0.0, 3.0]] and mixed[1]["s"].tolist() == [1.0, 2.0]


def test_results_are_plain_numbers():
    """Numbers in, numbers out; a constant function has gradient 0."""
    assert type(grad(lambda x: x * x)(3)) is float
    assert grad(lambda x: 7.0)(3.0) == 0.0
    assert grad(lambda x: x * Value(2.0))(3.0) == 2.0
    assert value_and_grad(lambda x: x)(2.0) == (2.0, 1.0)


def test_grad_of_a_vector_points_to_jacobian():
    """A TypeError that names the next step, and what the result was."""
    with pytest.raises(TypeError, match=r"list\(number, number\), not a scalar; use jacobian"):
        grad(lambda x: [x, x])(1.0)
    with pytest.raises(TypeError, match=r"array\(2,\).*use jacobian"):
        grad(lambda x: x * np.ones(2))(1.0)
    with pytest.raises(TypeError, match=r"list\(number\), not a scalar"):
        grad(lambda x: [x])(1.0)
    with pytest.raises(TypeError, match=r"dict\('a': number\), not a scalar"):
        grad(lambda x: {"a": x})(1.0)


@pytest.mark.parametrize("bad", ["text", None, 1j, np.array(["a"])])
def test_what_is_no_number_cannot_be_differentiated(bad):
    """With a TypeError that names the type."""
    with pytest.raises(TypeError, match="not a real number"):
        grad(lambda x: 1.0)(bad)


def test_no_verb_touches_anyones_grad():
    """Neither a closed-over Value nor an argument has its .grad changed."""
    w = Value(3.0)
    w.grad = 7.0
    grad(lambda x: w * x)(2.0)
    hessian(lambda x: w * x[0] * x[1])([2.0, 1.0])
    jvp(lambda x: w * x, (2.0,), (1.0,))
    grad(lambda x: x * x)(w)
    assert w.grad == 7.0


# ---- nesting


def test_higher_derivatives_by_nesting():
    """grad of grad of grad; grad of jvp; jvp of grad."""
    assert grad(grad(grad(lambda x: x**4)))(2.0) == 48.0
    assert grad(lambda x: jvp(lambda y: y**3, (x,), (1.0,))[1])(2.0) == 12.0
    assert jvp(grad(lambda x: x**3), (2.0,), (1.0,)) == (12.0, 12.0)
    assert grad(lambda x: hessian(lambda y: y**4)(x))(1.0) == 24.0


@pytest.mark.parametrize("x", [1e-310, -1e-310, 1e-200, 1e-100, 0.0, 1.0])
@pytest.mark.parametrize("power", [0, 1, 2])
def test_polynomials_have_no_derivatives_beyond_their_degree(power, x):
    """Down to denormal numbers, in reverse and in forward mode."""
    derivative = lambda x: x**power  # noqa: E731
    for _ in range(power + 1):
        assert hvp(derivative, (x,), (1.0,)) == hessian(derivative)(x)
        derivative = grad(derivative)
    for _ in range(3):
        assert derivative(x) == 0.0
        derivative = grad(derivative)


def test_perturbations_are_not_confused():
    """d/dx (x d/dy (x + y)) = 1, and the same with the inner function at a constant."""
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert grad(lambda x: x * grad(lambda y: x + y)(x))(1.0) == 1.0
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0) == 6.0
    assert grad(lambda x: grad(lambda y: x * y * y)(2.0))(3.0) == 4.0
    assert grad(lambda x: jvp(lambda y: x * y, (2.0,), (1.0,))[1])(3.0) == 1.0


def test_a_value_as_argument_gives_values():
    """What comes out can be differentiated with respect to what went in."""
    x = Value(2.0)
    slope = grad(lambda y: y**3)(x)
    assert isinstance(slope, Value) and slope.data == 12.0
    slope.backward()
    assert x.grad == 12.0
    value, slopes = value_and_grad(lambda y: y[0] ** 2 * y[1])([x, 3.0])
    assert gradients(value, [x]) == [12.0] and [gradients(slope, [x]) for slope in slopes] == [[6.0], [4.0]]


def test_verbs_differentiate_inside_no_grad():
    """no_grad around a verb does not turn its gradient into 0."""
    with no_grad():
        assert grad(grad(lambda x: x**3))(2.0) == 12.0
        assert jacobian(lambda x: [x * x])(3.0) == [6.0]
        assert jvp(lambda x: x * x, (3.0,), (1.0,)) == (9.0, 6.0)
        assert Value(1.0).exp().op is None


# ---- forward mode, Hessian-vector products


def test_jvp():
    """Value and directional derivative, with structures and argnums."""
    assert jvp(lambda x, y: x * y, (2.0, 5.0), (1.0, 10.0)) == (10.0, 25.0)
    assert jvp(lambda x, y: x * y, (2.0, 5.0), (10.0,), argnums=1) == (10.0, 20.0)
    value, slope = jvp(lambda x: [x[0] * x[1], 1.0], ([2.0, 3.0],), ([1.0, 0.0],))
    assert value == [6.0, 1.0] and slope == [3.0, 0.0]
    assert type(jvp(lambda x: x * 2.0, (3.0,), (1,))[1]) is float
    with pytest.raises(TypeError, match="not a real number"):
        jvp(lambda x: x * 2.0, (3.0,), ("1",))
    with pytest.raises(ValueError, match="tangents of structure"):
        jvp(lambda x: x[0], ([2.0, 3.0],), ([1.0],))
    with pytest.raises(TypeError, match="give a tuple"):
        jvp(lambda x: x, 2.0, 1.0)


def test_jvp_along_values():
    """One Value among the tangents, and what comes out can be differentiated with respect to it."""
    direction = Value(1.0)
    value, slope = jvp(lambda x, y: x * y, (2.0, 5.0), (direction, 10.0))
    assert (value.data, slope.data) == (10.0, 25.0) and gradients(slope, [direction]) == [5.0]


def test_argnums_are_checked_before_any_call():
    """By each verb, when the function is made; the first argument from the end is one."""
    for verb in (grad, value_and_grad, jacobian, hessian):
        with pytest.raises(TypeError, match="give an int, or a tuple of ints"):
            verb(lambda x: x, argnums=0.5)
    assert grad(lambda x, y: x * y, argnums=-2)(3.0, 4.0) == 4.0


def test_the_unselected_side_contributes_nothing_in_forward_mode():
    """hvp over where, with an infinite second derivative on the side that is not taken."""
    for condition in (lambda x: x > 0, lambda x: x.step()):
        assert hvp(lambda x, c=condition: where(c(x), x**1.5, 0.0), (0.0,), (1.0,)) == 0.0
        assert hessian(lambda x, c=condition: where(c(x), x**1.5, 0.0))(0.0) == 0.0
    assert jvp(lambda x, y: x.sqrt() + y, (0.0, 1.0), (0.0, 1.0)) == (1.0, 1.0)


def test_verbs_leave_no_cycles():
    """With the collector disabled, nested verbs leave no Value behind."""

    def count():
        return sum(type(thing) is Value for thing in gc.get_objects())

    def long(x):
        for _ in range(100):
            x = x * 1.01
        return x

    gc.collect()
    gc.disable()
    try:
        before = count()
        hessian(lambda x: long(x[0] * x[1]))([2.0, 3.0])
        grad(grad(long))(1.0)
        assert count() == before
    finally:
        gc.enable()


def test_hvp_is_the_hessian_times_a_vector():
    """On Rosenbrock, and with two arguments."""
    assert np.allclose(hvp(rosenbrock, ([-1.2, 1.0],), ([2.0, -1.0],)), [2660 - 480, 960 - 200], rtol=1e-14)
    assert hvp(lambda x, y: x * x * y, (3.0, 2.0), (1.0, 10.0), argnums=(0, 1)) == (4.0 + 60.0, 6.0)


@given(expressions(max_leaves=3, max_instructions=8), st.data())
def test_verbs_agree_with_differences_and_each_other(expression, data):
    """grad, jacobian, jvp, hessian and hvp of a random graph."""
    point = list(expression.leaves)
    direction = [data.draw(st.floats(-1, 1)) for _ in point]

    def f(x):
        return expression(*x)

    slopes = grad(f)(point)
    assert jacobian(lambda x: [f(x)])(point) == [slopes]
    for i, slope in enumerate(slopes):
        fine, coarse = (partial_difference(expression, point, i, h) for h in (1e-3, 2e-3))
        if abs(fine - coarse) < 1e-7 * max(1.0, abs(fine)):
            assert close(slope, fine, 1e-7, 1e-9 + 10 * abs(fine - coarse))
    pushed = jvp(f, (point,), (direction,))[1]
    size = sum(abs(s * d) for s, d in zip(slopes, direction))
    assert close(pushed, math.fsum(s * d for s, d in zip(slopes, direction)), 1e-9, 1e-9 * (1 + size))
    second, product = hessian(f)(point), hvp(f, (point,), (direction,))
    for row, got in zip(second, product):
        size = sum(abs(h * d) for h, d in zip(row, direction))
        assert close(got, math.fsum(h * d for h, d in zip(row, direction)), 1e-8, 1e-8 * (1 + size))


def test_composition_of_rows():
    """A function of the table's rows works on floats, Values and arrays alike."""

    def f(x):
        return exp(-x) * tanh(x)

    assert close(grad(f)(0.7), f(0.7) * (-1) + math.exp(-0.7) * (1 - math.tanh(0.7) ** 2), 1e-14)
    assert np.allclose(f(np.array([0.7])), f(0.7))
