"""What holds of every graph: four ways to the same derivative; algebra; and changes that change nothing."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autograd import TABLE, Value, compile, grad, gradients, hessian, topological_order
from autograd.check.differences import differences
from autograd.check.estimates import SAFETY
from autograd.check.problem import Problem
from autograd.check.rounding import answers_of_engine
from autograd.graph import tangents
from autograd.strategies import SMOOTH, expressions, networks

from .examples import examples

GRAPHS = expressions(ops=(*SMOOTH, "exp", "relu", "abs", "maximum", "where"), max_instructions=10)
SMALL = expressions(ops=SMOOTH, max_leaves=3, max_instructions=6)


def recorded(expression):
    leaves = [Value(x) for x in expression.leaves]
    return expression(*leaves), leaves


def rounding(output, leaves):
    """For each leaf, how far rounding may move its derivative."""
    return [engine.error + 1e-16 * abs(engine.value) for engine in answers_of_engine(Problem(output, tuple(leaves)))]


def assert_close(got, expected, error, what):
    assert abs(got - expected) <= 32 * error or got == expected, f"{what}: got {got!r}, expected {expected!r}"


# ---- differential: eager, compiled, forward mode, numerical


@given(GRAPHS)
def test_eager_compiled_forward_and_numerical_agree(expression):
    """One derivative, four ways."""
    output, leaves = recorded(expression)
    eager, errors = gradients(output, leaves), rounding(output, leaves)
    assume(all(map(math.isfinite, (output.data, *errors))))
    compiled = compile(output, leaves).value_and_grad(list(expression.leaves))[1]
    problem = Problem(output, tuple(leaves))
    for i, (leaf, slope, error) in enumerate(zip(leaves, eager, errors)):
        assert_close(compiled[i], slope, error, f"compiled {expression}")
        assert_close(tangents([output], {leaf: 1.0})[0], slope, error, f"forward {expression}")
        found = differences(lambda xs, i=i: problem.along(i, xs), leaf.data, noise=1e-15 * (1.0 + abs(output.data)))
        if SAFETY * found.central.error < 1e-3 * abs(slope) and not (kinked(found) or chooses_here_alone(output)):
            bound = SAFETY * found.central.error + 32 * error
            assert abs(slope - found.central.value) <= bound, f"numerical {expression}: {slope}, {found.central}"


def chooses_here_alone(output):
    """Whether a condition is 0, or two numbers are equal, at this point, and maybe not around it."""
    rows = [(node.op.name, node.numbers) for node in topological_order(output) if node.op]
    return any((name == "where" and not xs[1]) or (name == "equal" and xs[1] == xs[2]) for name, xs in rows)


def kinked(found):
    return abs(found.left.value - found.right.value) > SAFETY * (found.left.error + found.right.error)


@examples(40)
@given(networks())
def test_networks_are_the_same_one_by_one_and_compiled(network):
    """The loss of an example, compiled for a batch, against the eager mean over all."""
    parameters = [Value(x) for x in network.parameters]
    loss = compile(lambda x, y: network.loss(parameters, x, y), parameters)
    value, gradient = loss.value_and_grad(list(network.parameters), list(network.x), list(network.y))
    eager = network(*parameters)
    assert_close(value, eager.data, 1e-14 * abs(eager.data), network)
    for got, wanted, error in zip(gradient, gradients(eager, parameters), rounding(eager, parameters)):
        assert_close(got, wanted, error, network)


# ---- algebraic


@given(SMALL, SMALL, st.floats(-2, 2), st.floats(-2, 2))
def test_differentiation_is_linear(f, g, a, b):
    """(a f + b g)' = a f' + b g', of the same variables."""
    leaves = [Value(x) for x in (*f.leaves, *g.leaves)[: max(len(f.leaves), len(g.leaves))]]
    first, second = f(*leaves[: len(f.leaves)]), g(*leaves[: len(g.leaves)])
    slopes = zip(gradients(first, leaves), gradients(second, leaves))
    combined = a * first + b * second
    for got, (u, v), error in zip(gradients(combined, leaves), slopes, rounding(combined, leaves)):
        assert_close(got, a * u + b * v, error, (f, g))


@given(SMALL, SMALL)
def test_product_rule(f, g):
    """(f g)' = f' g + f g', and (f / g)' from the quotient rule where g is not small."""
    leaves = [Value(x) for x in (*f.leaves, *g.leaves)[: max(len(f.leaves), len(g.leaves))]]
    u, v = f(*leaves[: len(f.leaves)]), g(*leaves[: len(g.leaves)])
    product = u * v
    slopes = list(zip(gradients(u, leaves), gradients(v, leaves)))
    for got, (du, dv), error in zip(gradients(product, leaves), slopes, rounding(product, leaves)):
        assert_close(got, du * v.data + u.data * dv, error, (f, g))
    if abs(v.data) > 1e-3:
        quotient = u / v
        for got, (du, dv), error in zip(gradients(quotient, leaves), slopes, rounding(quotient, leaves)):
            assert_close(got, (du * v.data - u.data * dv) / v.data**2, error, (f, g))


@given(SMALL, expressions(ops=SMOOTH, max_leaves=1, max_instructions=5))
def test_chain_rule(inner, outer):
    """(f of g)' = f'(g) g', with f' taken by itself."""
    middle, leaves = recorded(inner)
    whole = outer(middle)
    assume(isinstance(whole, Value))
    alone = Value(middle.data)
    (slope,) = gradients(outer(alone), [alone])
    for got, by_inner, error in zip(gradients(whole, leaves), gradients(middle, leaves), rounding(whole, leaves)):
        assert_close(got, slope * by_inner, error, (inner, outer))


@given(SMALL)
def test_the_hessian_is_symmetric(expression):
    """Second derivatives do not depend on the order in which they are taken."""
    found = hessian(lambda x: expression(*x))(list(expression.leaves))
    largest = max(abs(entry) for row in found for entry in row)
    for i, row in enumerate(found):
        for j, entry in enumerate(row):
            assert_close(entry, found[j][i], 1e-13 * (largest + 1.0), expression)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_the_derivative_of_a_constant_is_zero(c, x):
    """Exactly: of numbers, of other leaves, of what is detached."""
    assert grad(lambda y: c)(x) == 0.0
    leaf, other = Value(x), Value(c)
    for constant in (other * other + 1.0, (leaf * leaf).detach() + other, other.sin() * c):
        assert gradients(constant, [leaf]) == [0.0]


# ---- metamorphic: what must not matter


@given(GRAPHS)
def test_labels_do_not_matter(expression):
    """Bit for bit."""
    output, leaves = recorded(expression)
    before = gradients(output, leaves)
    for i, node in enumerate(topological_order([output])):
        node.label = f"node {i}"
    assert repr(gradients(output, leaves)) == repr(before)


@given(GRAPHS)
def test_building_again_does_not_matter(expression):
    """Nor what else was built, differentiated or thrown away in between: bit for bit."""
    output, leaves = recorded(expression)
    before = repr((output.data, gradients(output, leaves)))
    output.backward()
    _, others = recorded(expression)
    del others
    again, fresh = recorded(expression)
    assert repr((again.data, gradients(again, fresh))) == before
    assert repr((output.data, gradients(output, leaves))) == before


@given(st.lists(st.floats(-2, 2), min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_additions_matters_to_rounding_only(xs, random: Random):
    """A sum of smooth terms, shuffled, and added in pairs."""
    leaves = [Value(x) for x in xs]
    terms = [(leaf * other).sin() for leaf, other in zip(leaves, [*leaves[1:], leaves[0]])]
    reference = gradients(sum(terms), leaves)
    random.shuffle(terms)
    shuffled = sum(terms)
    while len(terms) > 1:
        terms.append(terms.pop(0) + terms.pop(0))
    for total in (shuffled, terms[0]):
        for got, wanted, error in zip(gradients(total, leaves), reference, rounding(total, leaves)):
            assert_close(got, wanted, error, xs)


@pytest.mark.parametrize("name", ["add", "mul", "maximum", "minimum"])
@given(x=st.floats(-1e3, 1e3), y=st.floats(-1e3, 1e3))
def test_operands_may_change_places(name, x, y):
    """Of what commutes: the same number, the slopes exchanged, bit for bit."""
    a, b = Value(x), Value(y)
    row = TABLE[name]
    there, back = row(a, b), row(b, a)
    assert there.data == back.data and gradients(there, [a, b]) == gradients(back, [a, b])


def test_the_measure_of_rounding_is_no_blanket():
    """Negative control: a derivative off by 1e-10 of what is added up is noticed."""
    x = Value(0.5)
    output = (x * x).sin() - x
    (slope,), (error,) = gradients(output, [x]), rounding(output, [x])
    assert_close(slope, slope, error, "right")
    with pytest.raises(AssertionError):
        assert_close(slope * (1.0 + 1e-10), slope, error, "wrong")
