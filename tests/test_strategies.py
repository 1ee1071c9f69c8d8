"""Strategies: what they draw is what they say, prints as what can be pasted, and shrinks to the smallest."""

from __future__ import annotations

import math

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import autograd
import nn
from autograd import TABLE, Value, gradients, topological_order
from autograd.strategies import (
    LONGEST,
    SMOOTH,
    SPECIAL,
    Expression,
    Network,
    expressions,
    networks,
    operands,
    special_values,
)

from .examples import examples

PASTED: dict = {}
exec("from math import inf, nan\nfrom autograd import *", PASTED)


@pytest.mark.parametrize("op", TABLE.values(), ids=lambda op: op.name)
@examples(20)
@given(data=st.data(), wide=st.booleans())
def test_operands_are_where_a_row_is_smooth(op, data, wide):
    """As many as it takes, with a finite value and finite slopes."""
    xs = data.draw(operands(op, wide))
    z = op.forward(*xs)
    assert len(xs) == len(op.partials) and math.isfinite(z)
    assert all(math.isfinite(partial(z, *xs)) for partial in op.partials if partial)


@pytest.mark.slow
@pytest.mark.parametrize("op", [op for op in TABLE.values() if op.name != "where"], ids=lambda op: op.name)
def test_wide_operands_reach_far(op):
    """Tiny ones for every row, huge ones for those that do not overflow."""
    assert 0.0 < abs(find(operands(op, wide=True), lambda xs: abs(xs[0]) < 1e-11)[0]) < 1e-11
    if op.domain[0][1] == math.inf and math.isfinite(op.forward(*[1e11] * len(op.partials))):
        assert abs(find(operands(op, wide=True), lambda xs: abs(xs[0]) > 1e11)[0]) > 1e11


def test_special_values_have_them_all():
    """Every one can be drawn, and others."""
    for x in SPECIAL:
        assert repr(find(special_values(), lambda y, x=x: repr(y) == repr(x))) == repr(x)
    assert find(special_values(), lambda y: y not in SPECIAL and y == y)


def pasted(expression):
    return eval(expression.formula, PASTED)


@given(expressions(ops=list(TABLE), numbers=special_values(), max_instructions=20))
def test_formulas_can_be_pasted(expression):
    """What is printed, evaluated, is the same graph: the same number, gradients and count of nodes."""
    graphs = []
    for function in (expression, pasted(expression)):
        leaves = [Value(x) for x in expression.leaves]
        output = function(*leaves)
        nodes = topological_order([output]) if isinstance(output, Value) else []
        slopes = gradients(output, leaves) if nodes else []
        graphs.append((repr(getattr(output, "data", output)), [node.op for node in nodes], repr(slopes)))
    assert graphs[0] == graphs[1], expression
    assert repr(expression).startswith(f"({expression.formula})(")


def test_long_formulas_can_be_pasted():
    """Deeper than Python nests parentheses."""
    chain = Expression((0.5,), tuple((TABLE["sin"], (i,)) for i in range(300)))
    assert pasted(chain)(Value(0.5)).data == chain(0.5) and len(chain.instructions) > LONGEST
    assert len(topological_order([pasted(chain)(Value(0.5))])) == 301


def test_the_smallest_failing_expression_is_printed():
    """As hypothesis shows it: no dead branch, no name that is not needed."""
    found = find(expressions(), lambda e: gradients_of(e)[0] > 1.5, settings=settings(max_examples=20_000))
    assert repr(found) == "(lambda x1: x1 + x1)(0.0)"
    shared = find(
        expressions(ops=("sin", "mul")),
        lambda e: any(
            len(node.inputs) == 2 and node.inputs[0] is node.inputs[1] and node.inputs[0].op for node in e_nodes(e)
        ),
        settings=settings(max_examples=20_000),
    )
    assert repr(shared) == "(lambda x1: (t1 := sin(x1)) * t1)(0.0)"


def e_nodes(expression):
    return topological_order([expression(*map(Value, expression.leaves))])


def gradients_of(expression):
    leaves = [Value(x) for x in expression.leaves]
    return gradients(expression(*leaves), leaves)


@given(st.data(), st.integers(1, 4))
def test_depth_and_sharing_are_bounded(data, depth):
    """No way is longer than asked; without sharing every result is used once at most."""
    expression = data.draw(expressions(ops=SMOOTH, max_depth=depth, sharing=False))
    depths = [0] * len(expression.leaves)
    used = []
    for _, inputs in expression.instructions:
        places = [x for x in inputs if isinstance(x, int)]
        used += [x for x in places if x >= len(expression.leaves)]
        depths.append(1 + max(depths[x] for x in places))
    assert max(depths) <= depth and len(used) == len(set(used))
    assert all(op.name in SMOOTH for op, _ in expression.instructions)


@given(networks(max_layers=2))
def test_networks_are_those_of_nn(network):
    """The same outputs, loss and gradient as an MLP with these weights: plain loops against `nn`."""
    model = nn.MLP(network.widths[0], list(network.widths[1:]), activation=TABLE[network.activation])
    for parameter, number in zip(model.parameters(), network.parameters):
        parameter.data = number
    assert len(model.parameters()) == len(network.parameters)
    losses = [nn.half_squared_error(model(x), y) for x, y in zip(network.x, network.y)]
    loss = autograd.mean(losses)
    parameters = [Value(x) for x in network.parameters]
    expected = network(*parameters)
    assert math.isclose(loss.data, expected.data, rel_tol=1e-12, abs_tol=1e-300)
    for got, wanted in zip(gradients(loss, model.parameters()), gradients(expected, parameters)):
        assert math.isclose(got, wanted, rel_tol=1e-9, abs_tol=1e-12)


def test_networks_print_as_python():
    """And are the same when pasted."""
    network = find(networks(), lambda network: len(network.x) == 2 and network.parameters[0] != 0.0)
    assert eval(repr(network), {"Network": Network}) == network
