"""The walks and the chain rule, against differences, sums over paths and exact integers; failures."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd import TABLE, Value, gradients, leaves, maximum, topological_order, where
from autograd.derivation.ways import routes
from autograd.derivatives import tangents
from autograd.graph import number_of_node
from autograd.strategies import SMOOTH, expressions

from .examples import examples
from .laws import close, same
from .oracles import partial_difference, path_sum
from .processes import run_python

WHOLE = ("add", "sub", "mul", "neg", "relu", "abs", "maximum", "minimum")


@given(expressions())
def test_gradients_equal_differences(expression):
    """On random smooth graphs, every derivative equals a central difference of the expression on floats."""
    inputs = [Value(x) for x in expression.leaves]
    got = gradients(expression(*inputs), inputs)
    for i, slope in enumerate(got):
        fine = partial_difference(expression, expression.leaves, i, 1e-3)
        coarse = partial_difference(expression, expression.leaves, i, 2e-3)
        error = abs(fine - coarse)  # of the oracle itself: graphs of many products can be very steep
        if error < 1e-7 * max(1.0, abs(fine)):
            assert close(slope, fine, 1e-7, 10 * error + 1e-9), f"d/dt{i} of {expression}: got {slope}, expected {fine}"


@given(expressions(ops=(*SMOOTH, *WHOLE, "where", "step", "sign", "detach"), max_instructions=8))
def test_gradients_equal_the_sum_over_paths(expression):
    """The sweep gives what brute force gives: the products along every path, added up."""
    inputs = [Value(x) for x in expression.leaves]
    output = expression(*inputs)
    for leaf, got in zip(inputs, gradients(output, inputs)):
        expected = path_sum(output, leaf)
        assert close(got, expected, 1e-12, 1e-12), f"{expression}: got {got}, expected {expected}"


@given(expressions(ops=WHOLE, numbers=st.integers(-3, 3).map(float), max_instructions=6))
def test_whole_numbers_are_exact(expression):
    """On integer-valued graphs over + - * neg relu abs max min the gradient is exact, to the last bit."""
    inputs = [Value(x) for x in expression.leaves]
    output = expression(*inputs)
    assert gradients(output, inputs) == [path_sum(output, leaf) for leaf in inputs]


@given(expressions(ops=list(TABLE)))
def test_the_same_gradients_all_ways(expression):
    """backward, gradients, gradients recorded, and forward mode agree."""
    inputs = [Value(x) for x in expression.leaves]
    output = expression(*inputs)
    plain = gradients(output, inputs)
    output.backward()
    assert all(x.grad == slope or (math.isnan(x.grad) and math.isnan(slope)) for x, slope in zip(inputs, plain))
    for x, slope, recorded in zip(inputs, plain, gradients(output, inputs, create_graph=True)):
        assert close(recorded.data, slope, 1e-12) or not math.isfinite(slope)
        (pushed,) = tangents([output], {x: 1.0})
        assert close(pushed, slope, 1e-9, 1e-9) or not math.isfinite(slope + pushed)


@given(expressions(max_leaves=2, max_instructions=6))
def test_second_derivatives_equal_differences_of_first_ones(expression):
    """The recorded gradient differentiates again; the Hessian is symmetric."""

    def slope(i, *point):
        nodes = [Value(x) for x in point]
        return gradients(expression(*nodes), [nodes[i]])[0]

    inputs = [Value(x) for x in expression.leaves]
    first = gradients(expression(*inputs), inputs, create_graph=True)
    hessian = [gradients(g, inputs) for g in first]
    for i, row in enumerate(hessian):
        for j, got in enumerate(row):
            fine, coarse = (
                partial_difference(lambda *p, i=i: slope(i, *p), expression.leaves, j, h) for h in (1e-3, 2e-3)
            )
            if abs(fine - coarse) < 1e-7 * max(1.0, abs(fine)):
                assert close(got, fine, 1e-6, 1e-8 + 10 * abs(fine - coarse)), str(expression)
            assert close(got, hessian[j][i], 1e-9, 1e-9)


@given(expressions(ops=list(TABLE)))
def test_topological_order(expression):
    """Inputs before outputs, each node once, nothing else."""
    inputs = [Value(x) for x in expression.leaves]
    output = expression(*inputs)
    order = topological_order([output])
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order) and order[-1] is output
    for node in order:
        assert all(place[x] < place[node] for x in node.inputs if not isinstance(x, float))
    assert set(leaves([output])) == {node for node in order if node.op is None}


def test_second_derivatives_where_factors_of_the_first_are_zero():
    """5 x^2 at 0, where x is one, and (3 x - 3)^2 at 1, where an adjoint is: 10 and 18 all the same."""
    for make, point, second in (lambda x: 5.0 * (x * x), 0.0, 10.0), (lambda x: (3.0 * x - 3.0) ** 2, 1.0, 18.0):
        x = Value(point)
        (slope,) = gradients(make(x), [x], create_graph=True)
        assert slope.data == 0.0 and gradients(slope, [x]) == [second]


def test_a_recorded_derivative_has_no_products_by_one():
    """That of tanh(x + 2) + 1 is 1 - z z, as by hand."""
    x = Value(0.5)
    z = (x + 2.0).tanh()
    (slope,) = gradients(z + 1.0, [x], create_graph=True)
    assert slope.op is TABLE["sub"] and slope.inputs[0] == 1.0 and same(slope.inputs[1].inputs, (z, z))
    (slope,) = gradients(z * x, [x], create_graph=True)  # z + x (1 - z z)
    ops = [node.op.name for node in topological_order([slope]) if node.op]
    assert sorted(ops) == ["add", "add", "mul", "mul", "sub", "tanh"]


def test_topological_order_of_roots_above_one_another():
    """Roots may depend on each other, in any order."""
    x = Value(1.0)
    y = x * 2.0
    z = y + x
    for roots in ([y, z], [z, y], [x, z, y], [z, z]):
        order = topological_order(roots)
        assert [order.index(node) for node in (x, y, z)] == [0, 1, 2] and len(order) == 3


# ---- what .grad means


def test_backward_twice_adds_up():
    """k calls give k times the gradient, of interior nodes too."""
    x = Value(3.0)
    h = x * x
    y = h * x
    for k in (1, 2, 3):
        y.backward()
        assert (x.grad, h.grad, y.grad) == (27.0 * k, 3.0 * k, 1.0 * k)


def test_two_roots_that_share_nodes_add_up_exactly():
    """The second sweep does not see what the first one left behind."""
    x = Value(2.0)
    shared = x * x
    a, b = shared * 3.0, shared + x
    a.backward()
    b.backward()
    assert shared.grad == 4.0 and x.grad == 12.0 + 5.0


def test_the_same_node_twice_as_an_input():
    """Both inputs of x * x count."""
    x = Value(3.0)
    assert gradients(x * x, [x]) == [6.0]
    assert gradients(x - x, [x]) == [0.0]
    assert gradients(x / x, [x]) == [0.0]
    assert gradients(maximum(x, x), [x, x]) == [1.0, 1.0]


def test_numbers_are_those_of_the_forward_pass():
    """Changing a leaf after the forward pass does not change the derivative, in any mode."""
    w, v = Value(3), Value(2)
    p = w * v
    w.data = 4
    p.backward()
    assert (v.grad, w.grad) == (3.0, 2.0)
    assert gradients(p, [v]) == [3.0]
    (slope,) = gradients(p, [v], create_graph=True)
    assert slope.data == 3.0 and gradients(slope, [w]) == [1.0]
    x = Value(2.0)
    y = x.exp()
    x.data, y.data = 7.0, 0.0
    (slope,) = gradients(y, [x], create_graph=True)
    assert slope.data == math.exp(2.0) and gradients(slope, [x]) == [math.exp(2.0)]
    (second,) = gradients(slope, [x], create_graph=True)
    assert gradients(second, [x]) == [math.exp(2.0)] and number_of_node(y) == math.exp(2.0)


def test_gradients_touch_no_grad():
    """gradients and tangents read and write no .grad."""
    x = Value(2.0)
    y = x * x
    x.grad = y.grad = 7.0
    gradients(y, [x])
    gradients(y, [x], create_graph=True)
    tangents([y], {x: 1.0})
    assert (x.grad, y.grad) == (7.0, 7.0)


def test_gradients_of_what_is_not_connected():
    """Gradient 0, as a float or as a Value; interior nodes and the output itself may be inputs."""
    x, other = Value(2.0), Value(1.0)
    h = x * x
    y = h * 3.0
    assert gradients(y, [other, h, y, x, x]) == [0.0, 3.0, 1.0, 12.0, 12.0]
    zero, one = gradients(y, [other, y], create_graph=True)
    assert type(zero) is Value and (zero.data, one.data) == (0.0, 1.0)


@pytest.mark.parametrize(
    "bad", [lambda x: gradients(3.0, [x]), lambda x: gradients(x, [3.0]), lambda x: gradients("y", [x])]
)
def test_gradients_are_of_values_only(bad):
    """A TypeError that says what was given."""
    with pytest.raises(TypeError, match="is not a Value"):
        bad(Value(1.0))


def test_inputs_are_a_list():
    """One Value in its place gets a hint."""
    with pytest.raises(TypeError, match=r"give a list of them: gradients\(output, \[x\]\)"):
        gradients(Value(1.0), Value(1.0))


def test_walks_take_inputs_in_order():
    """From left to right."""
    a, b, c = (Value(1.0, name) for name in "abc")
    assert same(leaves([(a + b) * c, a]), [a, b, c])
    assert same(topological_order([c, a, b]), [c, a, b])


def test_routes_leave_out_what_passes_no_derivative_on():
    """The condition of a where, and all that only it depends on; without a way there is none."""
    x, y = Value(2.0), Value(3.0)
    condition, doubled = x * 3.0, x * 2.0
    output = where(condition, doubled, y)
    assert same(routes(output, x), [x, doubled, output])
    assert routes(output, condition) == [] and routes(y * 2.0, x) == []


def test_tangents_of_numbers_and_values():
    """One Value among them, and all that comes out is a Value, also where nothing depends on it."""
    x, y, seed = Value(2.0), Value(5.0), Value(1.0)
    pushed, still = tangents([x * y, Value(4.0) * 2.0], {x: seed, y: 10.0})
    assert (pushed.data, still.data) == (25.0, 0.0) and gradients(pushed, [seed]) == [5.0]
    (pushed,) = tangents([x * y], {x: 1.0, y: seed})
    assert pushed.data == 7.0 and gradients(pushed, [seed]) == [2.0]


# ---- zeros that win


def test_strong_zero():
    """An adjoint of exactly 0 contributes 0, even times an infinite derivative, and also one order higher."""
    for create in (False, True):
        x = Value(0.0)
        (slope,) = gradients(where(x > 0, x.log(), 0.0) + x, [x], create_graph=create)
        assert (slope.data if create else slope) == 1.0
        x = Value(0.0)
        (slope,) = gradients(x.sqrt() * 0.0, [x], create_graph=create)
        assert (slope.data if create else slope) == 0.0
    assert gradients(slope, [x]) == [0.0]
    x = Value(0.0)
    (slope,) = gradients(x.relu().sqrt(), [x], create_graph=True)  # the zero of a closed gate, itself recorded
    assert slope.data == 0.0 and gradients(slope, [x]) == [0.0]
    w, x = Value(0.0), Value(0.0)
    (slope,) = gradients(w * x.sqrt(), [x], create_graph=True)  # w / (2 sqrt(x)), whose slope in w is infinite
    assert slope.data == 0.0 and all(map(math.isnan, gradients(slope, [w, x])))


def test_nan_is_not_hidden():
    """Where an adjoint is not 0, NaN and inf go through."""
    x = Value(-1.0)
    assert math.isnan(gradients(x.sqrt() + x, [x])[0])
    x = Value(0.0)
    assert gradients(x.sqrt() * 2.0, [x]) == [math.inf]


def test_slopes_where_a_first_derivative_is_zero():
    """A product that is 0, and no more than that, is differentiated as any other: sin(x^2)'' is 2 at 0."""
    x = Value(0.0)
    (slope,) = gradients((x * x).sin(), [x], create_graph=True)
    assert slope.data == 0.0 and gradients(slope, [x]) == [2.0]
    y = Value(3.0)
    (slope,) = gradients(x * y * y, [y], create_graph=True)
    assert slope.data == 0.0 and gradients(slope, [x]) == [6.0]


def test_what_is_known_is_no_part_of_the_order():
    """Also if it is asked for itself."""
    x = Value(2.0)
    y = x * x
    z = y.exp()
    assert same(topological_order([y, z], known={y}), [z]) and topological_order(y, known={y}) == []


def test_products_by_one_are_not_recorded():
    """sin' is cos and no more; the slope of exp(sin(x) + c) is one product."""
    x = Value(0.5)
    (slope,) = gradients(x.sin(), [x], create_graph=True)
    assert [node.op and node.op.name for node in topological_order([slope])] == [None, "cos"]
    output = (x.sin() + 2.0).exp()
    (slope,) = gradients(output, [x], create_graph=True)
    new = [node.op and node.op.name for node in topological_order([slope], known={output, x})]
    assert sorted(new) == ["cos", "mul"]


# ---- published and closed forms


def test_powers_of_two_by_doubling():
    """1000 doublings y = y + y: 2^1000 paths, and the derivative is 2^1000 exactly."""
    x = Value(1.0)
    y = x
    for _ in range(1000):
        y = y + y
    assert gradients(y, [x]) == [2.0**1000]


def test_product_of_the_first_fifteen():
    """d(1 * 2 * ... * 15)/dx_i = 15!/i, exactly."""
    xs = [Value(i) for i in range(1, 16)]
    y = xs[0]
    for x in xs[1:]:
        y = y * x
    assert gradients(y, xs) == [math.factorial(15) / i for i in range(1, 16)]


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_high_orders(n):
    """The n-th derivative of exp(2x) is 2^n exp(2x); of x^5 by hand."""
    x = Value(0.5)
    y, power = (2.0 * x).exp(), x**5
    for _ in range(n):
        (y,) = gradients(y, [x], create_graph=True)
        (power,) = gradients(power, [x], create_graph=True)
    assert close(y.data, 2**n * math.exp(1.0), 1e-13)
    assert close(power.data, math.perm(5, n) * 0.5 ** (5 - n), 1e-13)


# ---- determinism, failures


def test_the_same_program_gives_the_same_bits_in_every_process():
    """No walk depends on hashes or addresses."""
    code = """
import random
from autograd import Value
from nn import MLP
model, rng = MLP(3, [5, 4, 1], seed=1), random.Random(2)
loss = sum(model([rng.random() for _ in range(3)]) ** 2 for _ in range(5))
loss.backward()
print([p.grad.hex() for p in model.parameters()])
"""
    first, second = (run_python(code, PYTHONHASHSEED=seed) for seed in "12")
    assert first == second


def test_a_backward_that_raises_changes_no_grad():
    """Half-way through, an exception; nothing was added anywhere."""

    def broken(z, x):
        raise RuntimeError("half-way")

    row = replace(TABLE["exp"], partials=(broken,))
    x = Value(1.0)
    h = x * 2.0
    y = Value.__record__(row, [h]) * 3.0
    with pytest.raises(RuntimeError, match="half-way"):
        y.backward()
    assert (x.grad, h.grad, y.grad) == (0.0, 0.0, 0.0)


@examples(20)
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=5))
def test_linearity(xs):
    """The gradient of a f + b g is a grad f + b grad g."""
    nodes = [Value(x) for x in xs]
    f, g = sum(x * x for x in nodes), sum(x.sin() for x in nodes)
    combined = gradients(3.0 * f - 0.5 * g, nodes)
    for got, a, b in zip(combined, gradients(f, nodes), gradients(g, nodes)):
        assert close(got, 3.0 * a - 0.5 * b, 1e-14, 1e-14)


def test_one_output_or_several():
    """The walks take a Value or several; a list with one is the same."""
    x, y = Value(2.0, "x"), Value(3.0, "y")
    z = x * y
    assert same(topological_order(z), [x, y, z])
    assert [leaf.label for leaf in leaves(z)] == [leaf.label for leaf in leaves([z, x])] == ["x", "y"]


@pytest.mark.parametrize("bad", [3.0, [3.0], {"x": 1.0}, "ab", [[Value(1.0)]], None], ids=repr)
@pytest.mark.parametrize("walk", [leaves, topological_order])
def test_what_is_no_node_has_no_graph(walk, bad):
    """A TypeError that says what was given."""
    with pytest.raises(TypeError, match="is not a Value"):
        walk(bad)
