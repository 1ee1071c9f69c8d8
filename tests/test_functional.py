"""The verbs on plain Python functions: structures, argnums, nesting, and against differences."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import threading
import time
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd import (
    Value,
    exp,
    functional,
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
from nn import MLP
from nn import tanh as squash

from .laws import close
from .oracles import partial_difference


class Pair(NamedTuple):
    a: Any
    b: Any


@dataclass(frozen=True)
class Line:
    w: Any
    b: Any = 0.0


@dataclass
class Positive:
    width: Any

    def __post_init__(self):
        if not self.width > 0:
            raise ValueError("a width is positive")


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
    with pytest.raises(ValueError, match="names an argument twice"):
        grad(f, (0, 0))(3.0, 2.0)
    assert grad(f, np.int64(1))(3.0, 2.0) == 12.0
    both = grad(f, (i for i in (0, 1)))
    assert both(3.0, 2.0) == both(3.0, 2.0) == (4.0, 12.0)
    with pytest.raises(TypeError, match="argnums is 'x'; give an int"):
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
    with pytest.raises(TypeError, match=r"value_and_grad of .* Line\(w=number, b=array\(2,\)\), not a scalar"):
        value_and_grad(lambda x: Line(x, np.ones(2)))(1.0)


def test_hessian_of_a_vector_says_so():
    """And so does hvp; what they point to works."""
    with pytest.raises(TypeError, match=r"^hessian of .* array\(2,\), not a scalar; use jacobian\(jacobian\(f\)\)"):
        hessian(lambda x: x * x)(np.ones(2))
    with pytest.raises(TypeError, match=r"^hvp of .* list\(number\), not a scalar; use jvp\(jacobian\(f\), ...\)"):
        hvp(lambda x: [x * x], (1.0,), (1.0,))
    assert jacobian(jacobian(lambda x: x**3))(np.array([1.0, 2.0])).ravel().tolist() == [6, 0, 0, 0, 0, 0, 0, 12]
    assert jvp(jacobian(lambda x: [x**3]), (2.0,), (1.0,)) == ([12.0], [12.0])


PLAIN = [7, 0.0, True, np.float64(7), np.float32(7), np.int64(7), np.array(7.0), Fraction(7, 2), max(0, 1 - 2)]


@pytest.mark.parametrize("constant", PLAIN, ids=repr)
def test_a_plain_number_as_a_result_has_derivative_0(constant):
    """In every verb, of numbers, structures and Values."""

    def f(x):
        return constant

    expected = float(constant)
    assert grad(f)(3.0) == hessian(f)(3.0) == hvp(f, (3.0,), (1.0,)) == jacobian(f)(3.0) == grad(grad(f))(3.0) == 0.0
    assert value_and_grad(f)([3.0]) == (expected, [0.0]) and jvp(f, (3.0,), (1.0,)) == (expected, 0.0)
    assert hessian(f)([1.0, 2.0]) == [[0.0, 0.0], [0.0, 0.0]]
    assert grad(f)(np.ones(2)).tolist() == jacobian(lambda x: [x[0], constant])(np.ones(2))[1].tolist() == [0.0, 0.0]
    for verb in (grad, hessian, jacobian):
        assert verb(f)(Value(3.0)).data == 0.0
    assert grad(lambda x: x * grad(lambda y: max(0, 1.0 - 2.0))(x))(3.0) == 0.0
    assert jacobian(lambda x: np.ones((2, 2)))(3.0).tolist() == [[0.0, 0.0], [0.0, 0.0]]


@dataclass
class Box:
    width: float
    area: float = field(init=False, default=0.0)


class Sheet(dict):
    pass


class Vector(list):
    pass


UNKNOWN = {
    "str": "text", "complex": 1j, "Counter": Counter(w=2), "Sheet": Sheet(w=1.0), "Vector": Vector([1.0]),
    "ChainMap": ChainMap({"w": 1.0}), "set": {1.0}, "frozenset": frozenset([1.0]), "generator": (x for x in [1.0]),
    "range": range(2), "dict_values": {"w": 1.0}.values(), "object": object(), "type": Line,
    "struct_time": time.gmtime(0),
    "recarray": np.ones(2).view(np.recarray), "MaskedArray": np.ma.array([1.0, 2.0], mask=[0, 1]),
    "NoneType": np.array([None]), "MLP": MLP(1, [1]), "Box.area": Box(1.0),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_is_no_number_and_no_structure_cannot_be_differentiated(kind):
    """As an argument, nested in one, as a result and as a tangent: a TypeError that names the type."""
    thing = UNKNOWN[kind]
    for call in (
        lambda: grad(lambda x: 1.0)(thing),
        lambda: hessian(lambda x: 1.0)([2.0, {"deep": thing}]),
        lambda: jacobian(lambda x: (x, thing))(1.0),
        lambda: jvp(lambda x: x, (1.0,), (thing,)),
    ):
        with pytest.raises(TypeError, match=kind) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_what_has_a_method_to_become_an_array_is_told_to_use_it():
    """Tables of pandas and sparse matrices of SciPy."""
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match=r"csr_array.*write \.toarray\(\)"):
        grad(lambda x: 1.0)(sparse.csr_array(np.eye(2)))
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"Series.*write \.to_numpy\(\)"):
        grad(lambda x: 1.0)(pandas.Series([1.0, 2.0]))


# ---- structures


def numbers_in(tree):
    """The numbers of a structure, each made different by the place that it stands at."""
    if tree is None:
        return []
    if isinstance(tree, dict):
        return [x for key in sorted(tree) for x in numbers_in(tree[key])]
    if isinstance(tree, (list, tuple, deque)):
        return [x for part in tree for x in numbers_in(part)]
    if isinstance(tree, (Line, Positive)):
        return [x for part in vars(tree).values() for x in numbers_in(part)]
    return tree.ravel().tolist() if isinstance(tree, np.ndarray) else [tree]


def weighted(tree):
    return sum((i + 1.0) * x * x for i, x in enumerate(numbers_in(tree)))


def read_with_default(tree):
    assert tree["missing"] == []  # as outside of the verb
    return tree["w"] * 3.0


# a structure of numbers -> 2 (i + 1) times the i-th of them, by hand
STRUCTURES = {
    "list": ([1.0, 3.0], [2.0, 12.0]),
    "tuple": ((1.0, 3.0), (2.0, 12.0)),
    "dict": ({"b": 3.0, "a": 1.0}, {"b": 12.0, "a": 2.0}),
    "OrderedDict": (OrderedDict(b=3.0, a=1.0), OrderedDict(b=12.0, a=2.0)),
    "defaultdict": (defaultdict(list, b=3.0, a=1.0), defaultdict(list, b=12.0, a=2.0)),
    "named tuple": (Pair(1.0, 3.0), Pair(2.0, 12.0)),
    "None": ([None, 1.0, None], [None, 2.0, None]),
    "deque": (deque([1.0, 3.0], maxlen=2), deque([2.0, 12.0], maxlen=2)),
    "dataclass": (Line(1.0, 3.0), Line(2.0, 12.0)),
    "nested": (
        {"x": Line([1.0], Pair(None, deque([3.0]))), "y": (defaultdict(int, z=OrderedDict(k=5.0)),)},
        {"x": Line([2.0], Pair(None, deque([12.0]))), "y": (defaultdict(int, z=OrderedDict(k=30.0)),)},
    ),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_of_every_kind(name):
    """The gradient has the structure of the argument, in every verb; the function gets the same kinds."""
    tree, slopes = STRUCTURES[name]

    def same(x, y):
        assert type(x) is type(y) and x == y

    def f(x):
        assert type(x) is type(tree)
        return weighted(x)

    same(grad(f)(tree), slopes)
    same(value_and_grad(f)(tree)[1], slopes)
    same(jacobian(f)(tree), slopes)
    same(hvp(f, (tree,), (tree,)), slopes)  # of a quadratic form
    value, slope = jvp(f, (tree,), (tree,))
    assert slope == 2.0 * value
    same(jvp(lambda x: x, (tree,), (slopes,))[1], slopes)
    twice = numbers_in(hessian(f)(tree))
    count = len(numbers_in(tree))
    assert twice == [2.0 * (i + 1) * (i == j) for i in range(count) for j in range(count)]
    got = jacobian(lambda x: tree)(1.0)  # constants, as a result
    assert type(got) is type(tree) and set(numbers_in(got)) == {0.0}


def test_structures_keep_what_they_are_besides_their_parts():
    """The factory of a defaultdict, the length of a deque, the class of a named tuple; no __init__ is run."""
    slopes = grad(read_with_default)(defaultdict(list, w=2.0))
    assert slopes == {"w": 3.0} and slopes.default_factory is list
    assert grad(lambda x: x[0] * 2.0)(deque([1.0], maxlen=5)).maxlen == 5

    class Named(Pair):
        pass

    assert type(grad(lambda p: p.a * p.b)(Named(2.0, 3.0))) is Named
    assert grad(lambda box: -2.0 * box.width)(Positive(1.0)).width == -2.0
    assert list(grad(lambda p: p["b"] * p["a"])({"b": 2.0, "a": 3.0})) == ["b", "a"]
    assert grad(lambda p: p[1] * p["a"])({1: 2.0, "a": 3.0}) == {1: 3.0, "a": 2.0}  # keys without an order


def test_none_is_an_empty_structure():
    """As an argument, a part of one, a result."""
    assert grad(lambda x, y: x * x, (0, 1))(3.0, None) == (6.0, None)
    assert grad(lambda x: 1.0)(None) is None and jacobian(lambda x: None)(1.0) is None
    assert jvp(lambda x: (x[0], None), ([2.0, None],), ([1.0, None],)) == ((2.0, None), (1.0, None))
    with pytest.raises(TypeError, match="whose result is None, not"):
        grad(lambda x: None)(1.0)


def test_tangents_of_dicts_are_matched_by_key():
    """The order of the keys of a dict says nothing, however deep, as in JAX; that of an OrderedDict does."""

    def f(p):
        return 10.0 * p["a"] + p["b"][0]["x"] * p["b"][0]["y"]

    point, along = {"a": 1.0, "b": [{"x": 2.0, "y": 3.0}]}, {"b": [{"y": 5.0, "x": 7.0}], "a": 100.0}
    assert jvp(f, (point,), (along,)) == (16.0, 1000.0 + 2.0 * 5.0 + 3.0 * 7.0)
    assert hvp(f, (point,), (along,)) == {"a": 0.0, "b": [{"x": 5.0, "y": 7.0}]}
    assert jvp(lambda p: p["a"], (defaultdict(int, a=1.0, b=2.0),), (defaultdict(list, b=0.0, a=4.0),)) == (1.0, 4.0)
    for primal, tangent in [
        ({"a": 1.0}, {"b": 1.0}),
        ({"a": 1.0}, {"a": 1.0, "b": 1.0}),
        ({"a": 1.0}, OrderedDict(a=1.0)),
        (OrderedDict(a=1.0, b=2.0), OrderedDict(b=1.0, a=2.0)),
        ({"a": 1.0}, None),
        (Pair(1.0, 2.0), (1.0, 2.0)),
        ([1.0, None], [1.0, 0.0]),
        (Line(1.0), Line(1.0, None)),
    ]:
        with pytest.raises(ValueError, match="tangents of structure"):
            jvp(lambda p: 1.0, (primal,), (tangent,))


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
        assert grad(grad(lambda x: x**3))(2.0) == hessian(lambda x: x**3)(2.0) == 12.0
        assert jacobian(lambda x: [x * x])(3.0) == [6.0]
        assert jvp(lambda x: x * x, (3.0,), (1.0,)) == (9.0, 6.0)
        assert Value(1.0).exp().op is None


# ---- what a function closes over

# What a verb makes of f at t: one number, the value, or the first or second derivative by t.
ONE_NUMBER = {
    "grad": (1, lambda f, t: grad(f)(t)),
    "value of value_and_grad": (0, lambda f, t: value_and_grad(f)(t)[0]),
    "slope of value_and_grad": (1, lambda f, t: value_and_grad(f)(t)[1]),
    "jacobian": (1, lambda f, t: jacobian(lambda x: {"y": f(x[0])})([t])["y"][0]),
    "hessian": (2, lambda f, t: hessian(lambda x: f(x["t"]))({"t": t})["t"]["t"]),
    "value of jvp": (0, lambda f, t: jvp(f, (t,), (1.0,))[0]),
    "slope of jvp": (1, lambda f, t: jvp(lambda x: f(x[0]), ((t,),), ((1.0,),))[1]),
    "hvp": (2, lambda f, t: hvp(f, (t,), (1.0,))),
}


@pytest.mark.parametrize("verb", ONE_NUMBER)
def test_a_derivative_in_a_loss(verb):
    """w w + v^2, where v is w t^3 at 1, its first derivative 3 w, or its second 6 w."""
    order, call = ONE_NUMBER[verb]
    factor = (1.0, 3.0, 6.0)[order]
    w = Value(2.0)
    found = call(lambda t: w * t**3, 1.0)
    assert isinstance(found, Value) and found.data == factor * 2.0
    (w * w + found**2).backward()
    assert w.grad == 4.0 + 2.0 * factor * factor * 2.0
    with no_grad():
        assert type(call(lambda t: w * t**3, 1.0)) is float


@pytest.mark.parametrize("inner", ONE_NUMBER)
@pytest.mark.parametrize("outer", ONE_NUMBER)
def test_every_verb_in_every_verb_remembers_what_it_closes_over(outer, inner):
    """v is k w x, from w x t^3 at 1; x v^2 is k^2 w^2 x^3, its derivatives 3 k^2 w^2 x^2 and 6 k^2 w^2 x; then by w."""
    (m, call_outer), (n, call_inner) = ONE_NUMBER[outer], ONE_NUMBER[inner]
    k, (a, power) = (1.0, 3.0, 6.0)[n], ((1.0, 3), (3.0, 2), (6.0, 1))[m]
    w, x = Value(2.0), 3.0
    expected = a * k * k * x**power

    def closes_inside(x):
        return x * call_inner(lambda t: w * x * t**3, 1.0) ** 2

    def closes_outside(x):  # the inner verb knows of x alone
        return w * w * x * call_inner(lambda t: x * t**3, 1.0) ** 2

    def knows_it_already(x):  # the inner verb knows of w alone, a function of x in another way
        return x**3 * call_inner(lambda t: w * t**3, 1.0) ** 2

    for f in (closes_inside, closes_outside, knows_it_already):
        found = call_outer(f, x)
        assert isinstance(found, Value) and close(found.data, expected * 4.0, 1e-14)
        assert close(gradients(found, [w])[0], expected * 4.0, 1e-14)  # 2 w, as w^2 is 4
        (slope,) = gradients(found, [w], create_graph=True)
        assert close(gradients(slope, [w])[0], expected * 2.0, 1e-14)
        with no_grad():
            number = call_outer(f, x)
        assert type(number) is float and close(number, expected * 4.0, 1e-14)


def test_values_made_inside_do_not_count():
    """Constants, copies and models of the function itself, in threads of its own too: numbers come out."""
    w, model = Value(2.0), MLP(1, [2, 1], activation=squash, seed=0)

    def constant(x):
        return Value(3.0) * x + exp(Value(1.0)) * sum([x, Value(1.0)])

    def unrecorded(x):
        with no_grad():
            factor = w * w
        return factor * x

    def number(x):
        return x * w.data

    def fresh_model(x):
        return MLP(1, [2, 1], activation=squash, seed=0)([x])

    def copied(x):
        return copy.deepcopy(model)([x]) * copy.copy(w) * pickle.loads(pickle.dumps(w))

    def threaded(x):
        found = []
        thread = threading.Thread(target=lambda: found.append(Value(2.0)))
        thread.start()
        thread.join()
        return x * found[0]

    def nested(x):
        return x * jvp(lambda y: Value(2.0) * y, (1.0,), (1.0,))[1] * hessian(lambda y: y * y)(1.0)

    for f in (constant, unrecorded, number, fresh_model, copied, threaded, nested, lambda x: [x, 2.0][0]):
        assert type(grad(f)(0.5)) is type(hessian(f)(0.5)) is type(hvp(f, (0.5,), (1.0,))) is float
        assert {type(x) for x in (*value_and_grad(f)(0.5), *jvp(f, (0.5,), (1.0,)), jacobian(f)(0.5))} == {float}


def test_whatever_existed_before_the_call_counts():
    """Parameters, what was computed from them, constants, copies, other arguments, keywords, a condition."""
    w = Value(2.0)
    product = w * 3.0
    with no_grad():
        unrecorded = w * 3.0
    again, unpickled = copy.copy(w), pickle.loads(pickle.dumps(w))
    for f, leaf, slope in [
        (lambda x: product * x, w, 3.0),
        (lambda x: product * x, product, 1.0),
        (lambda x: unrecorded * x, unrecorded, 1.0),
        (lambda x: again * x, again, 1.0),
        (lambda x: unpickled * x, unpickled, 1.0),
        (lambda x: where(w, x * w, 0.0), w, 1.0),
    ]:
        found = grad(f)(5.0)
        assert isinstance(found, Value) and gradients(found, [leaf]) == [slope]
    other = grad(lambda x, y, z: x * y * z)(5.0, Value(3.0), z=w)
    assert other.data == 6.0 and gradients(other, [w]) == [3.0]
    assert isinstance(grad(lambda x: where(w, x, 0.0))(5.0), Value)


def test_the_choice_is_made_once_a_call():
    """Values throughout, also where an entry does not depend on what is closed over; or numbers throughout."""
    w = Value(2.0)

    def f(x):
        return {"a": x[0] * w, "b": [x[1] ** 2, 5.0]}

    def flat(tree):
        return [*numbers_in(tree["a"]), *numbers_in(tree["b"])]

    jacobians, (values, pushed) = jacobian(f)([3.0, 4.0]), jvp(f, ([3.0, 4.0],), ([1.0, 1.0],))
    assert [x.data for x in flat(jacobians)] == [2.0, 0.0, 0.0, 8.0, 0.0, 0.0]
    assert [x.data for x in (*flat(values), *flat(pushed))] == [6.0, 16.0, 5.0, 2.0, 8.0, 0.0]
    assert [x.data for x in value_and_grad(lambda x: w)(1.0)] == [2.0, 0.0]
    value, slopes = value_and_grad(lambda x: x[0] * w + x[1])(np.ones(2))
    assert value.data == 3.0 and [x.data for x in slopes] == [2.0, 1.0]
    with no_grad():
        jacobians, (values, pushed) = jacobian(f)([3.0, 4.0]), jvp(f, ([3.0, 4.0],), ([1.0, Value(1.0)],))
        slopes = grad(lambda x: x[0] * w + x[1])(np.ones(2))
        mixed = grad(lambda x: x[0] * w + x[1])([w, 1.0])
    assert flat(jacobians) == [2.0, 0.0, 0.0, 8.0, 0.0, 0.0] and slopes.dtype == float
    assert flat(values) == [6.0, 16.0, 5.0] and flat(pushed) == [2.0, 8.0, 0.0]
    assert [type(x) for x in mixed] == [float, float]


def test_no_grad_around_an_inner_verb_cuts_the_outer_one():
    """Its derivative is a number there, and the outer verb takes it for the constant that it is."""

    def f(x):
        with no_grad():
            inner = grad(lambda y: x * y * y)(2.0)
        assert inner == 12.0
        return x * inner

    assert grad(f)(3.0) == 12.0
    assert grad(lambda x: no_grad()(grad(lambda y: y**3))(x) * x)(2.0) == 12.0


def test_arrays_that_a_function_closes_over():
    """Matrices of Values, and rows of plain numbers: object arrays come out, which can be differentiated."""
    w = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
    found = jacobian(lambda x: w @ x)(np.ones(2))
    assert found.shape == (2, 2) and found.dtype == object
    assert gradients(found[1, 0], [w[1, 0], w[0, 1]]) == [1.0, 0.0]
    square = hessian(lambda x: (w @ x) @ (w @ x))(np.ones(2))  # 2 w^T w
    assert square[0, 1].data == 2.0 * (1.0 * 2.0 + 3.0 * 4.0) and gradients(square[0, 1], [w[1, 0]]) == [8.0]
    mixed = grad(lambda x: (x * x).sum())(np.array([w[0, 1], 5.0], dtype=object))
    assert [x.data for x in mixed] == [4.0, 10.0] and gradients(mixed[0], [w[0, 1]]) == [2.0]
    with no_grad():
        assert jacobian(lambda x: w @ x)(np.ones(2)).tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_a_model_as_the_function():
    """Its input gradients are Values that train it; under no_grad they are numbers."""
    model = MLP(2, [1], seed=0)  # w x + b
    model.layers[0].neurons[0].w[0].data, model.layers[0].neurons[0].w[1].data = 2.0, -3.0
    slopes = grad(model)([5.0, 7.0])
    assert [x.data for x in slopes] == [2.0, -3.0]
    (slopes[0] ** 2 + slopes[1]).backward()
    assert [p.grad for p in model.parameters()] == [4.0, 1.0, 0.0]
    with no_grad():
        assert grad(model)(np.array([5.0, 7.0])).tolist() == [2.0, -3.0]


def test_scipy_gets_numbers_under_no_grad():
    """(x - w)^2 + (y + 1)^2 from (0, 0); without no_grad, the error of float() says it."""
    optimize = pytest.importorskip("scipy.optimize")
    w = Value(3.0)

    def f(x):
        return (x[0] - w) ** 2 + (x[1] + 1.0) ** 2

    with no_grad():
        found = optimize.minimize(value_and_grad(f), np.zeros(2), jac=True, hess=hessian(f), method="trust-exact")
    assert np.allclose(found.x, [3.0, -1.0])
    with pytest.raises(TypeError, match=r"float\(\) of a Value.*under no_grad\(\)"):
        float(grad(f)(np.zeros(2))[0])
    with pytest.raises(TypeError, match=r"for SciPy under no_grad\(\)"):
        optimize.minimize(value_and_grad(f), np.zeros(2), jac=True)
    with pytest.raises(TypeError, match=r"under no_grad\(\)"):
        np.array(grad(f)([0.0, 0.0]), dtype=float)
    free = optimize.minimize(value_and_grad(rosenbrock), [-1.2, 1.0], jac=True)  # nothing from outside: numbers anyway
    assert np.allclose(free.x, [1.0, 1.0], atol=1e-4)


def test_verbs_in_threads_and_while_others_work():
    """What is made while another thread's verb is at work was there before a later call, and counts in it."""
    started, made = threading.Event(), threading.Event()
    found = []

    def slow(x):
        started.set()
        made.wait(10.0)
        return x * 2.0

    thread = threading.Thread(target=lambda: found.append(grad(slow)(1.0)))
    thread.start()
    started.wait(10.0)
    w = Value(2.0)
    slope = grad(lambda x: w * x)(1.0)
    made.set()
    thread.join()
    assert isinstance(slope, Value) and found == [2.0]


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
        with pytest.raises(TypeError, match="give an int or a tuple of ints"):
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


def test_a_verb_stops_at_its_arguments():
    """What an argument was computed from is none of the function's: a loop of verbs is linear, not quadratic."""
    w = Value(2.0)
    p = w
    for _ in range(1000):
        p = p * 0.999
    run = functional._Run(lambda q: q * q * w, (p,), {}, 0)
    assert len(run.order) == 3  # w, and two products
    steps = []
    for _ in range(3):  # q - 0.1 d/dq (q - 3)^2 w, by hand: q (1 - 0.2 w) + 0.6 w
        before = p
        p = p - 0.1 * grad(lambda q: (q - 3.0) ** 2 * w)(p)
        steps.append((p.data, before.data * (1.0 - 0.4) + 1.2))
    assert all(close(got, expected, 1e-14) for got, expected in steps)


@dataclass
class Scaled:
    """One field, and a number that the class has."""

    w: float
    scale = 2.0


class Single(NamedTuple):
    w: float


class ScaledSingle(Single):
    scale = 2.0


@pytest.mark.parametrize("kind", [Scaled, ScaledSingle])
def test_an_attribute_that_is_no_field_is_refused(kind):
    """It may follow from the fields, or not: the structure that is made anew would have another one."""
    thing = kind(3.0)
    assert grad(lambda t: t.scale * t.w)(thing).w == 2.0
    thing.scale = 10.0
    with pytest.raises(TypeError, match=rf"{kind.__name__}\.scale is not a field; make it a field or a property"):
        grad(lambda t: t.scale * t.w)(thing)
