"""What is written out from the table is held to the generic rule, `record` and `chain_rule`, bit for bit."""

from __future__ import annotations

import math
import operator
import pickle
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from copy import copy, deepcopy
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd import (
    TABLE,
    Op,
    Value,
    enable_grad,
    generated,
    generator,
    gradients,
    graph,
    no_grad,
    recording,
    topological_order,
    trace_lines,
)
from autograd.assigning import is_leaf, is_slope, mark_of
from autograd.derivatives import tangents
from autograd.generated import below
from autograd.graph import adjoints, chain_rule
from autograd.nodes import TracedValue, WatchedValue, watched
from autograd.strategies import expressions, special_values

from .laws import SPECIAL, same

ROWS = [name for name in TABLE if name != "detach"]
ANY = st.one_of(special_values(), st.floats(-3.0, 3.0))


def bits(x: float) -> bytes:
    """A float to the bit; every NaN is one."""
    return b"nan" if math.isnan(x) else struct.pack("<d", x)


def by_definition(output: Value) -> dict[Value, float]:
    return chain_rule(topological_order(output)[::-1], {output: 1.0})


def agree(output: Value) -> None:
    """`backward` adds, to the bit, what the definition says; a node without a way to it has 0."""
    expected = by_definition(output)
    nodes = topological_order(output)
    for node in nodes:
        node.grad = 0.0
    output.backward()
    for node in nodes:
        assert bits(node.grad) == bits(0.0 + expected.get(node, 0.0)), f"{node.op}: {node.grad} for {expected}"
    assert [bits(x) for x in adjoints(output).values()] == [bits(0.0 + expected.get(x, 0.0)) for x in nodes[::-1]]


def test_the_written_out_file_is_current():
    """After a change of the table: ``python -m autograd.generator``."""
    assert generator.source() == generator.TARGET.read_text(encoding="utf-8")


def test_the_written_out_file_stays_small():
    assert len(generator.source().splitlines()) < 400


def test_a_change_of_a_row_changes_the_file(monkeypatch):
    """A negative control."""
    wrong = Op("tanh", TABLE["tanh"].forward, TABLE["tanh"].ufunc, (lambda z, x: 1.0 + z * z,))
    monkeypatch.setitem(TABLE, "tanh", wrong)
    assert generator.source() != generator.TARGET.read_text(encoding="utf-8")


@given(expressions(ops=ROWS, numbers=ANY, max_instructions=20))
def test_the_sweep_is_the_chain_rule(expression):
    """On random graphs over every row, at special values too."""
    output = expression(*map(Value, expression.leaves))
    if isinstance(output, Value):
        agree(output)


@pytest.mark.parametrize("name", TABLE)
def test_each_row_is_swept_as_the_chain_rule(name):
    """At special values, with a plain number in each place, and where the inputs have adjoints already."""
    op = TABLE[name]
    count = len(op.partials)
    for numbers in product((*SPECIAL, 1e-310, 0.25), *[(*SPECIAL, 0.25, -1.5)[:: count - 1] for _ in range(count - 1)]):
        for plain in range(-1, count):
            inputs = [x if i == plain else Value(x) for i, x in enumerate(numbers)]
            values = [x for x in inputs if isinstance(x, Value)]
            if values:
                output = op(*inputs)
                for x in values:
                    output = output + x * 0.5
                agree(output)


def test_a_zero_wins_in_one_of_many_leaves():
    """A NaN in the sweep is noticed wherever it stands, and the definition asked."""
    for first in (True, False):
        x, y = Value(0.0), Value(2.0)
        root = TABLE["mul"](TABLE["sqrt"](x), 0.0)
        agree(root + y * 3.0 if first else y * 3.0 + root)
        assert (x.grad, y.grad) == (0.0, 3.0)


def test_slopes_by_the_definition():
    """Where the sweep has a NaN: a zero has no sign, and what the output does not depend on has 0."""
    x, y, apart = Value(0.0), Value(2.0), Value(1.0)
    root = TABLE["sqrt"](x) * 0.0 + y * -0.0
    nodes = topological_order(root)[::-1]
    assert list(map(bits, graph.slopes(nodes, {root: 1.0}, iter([x, y, apart])))) == [bits(0.0)] * 3
    assert graph.slopes(nodes, {root: 1.0}, iter([y, root])) == [0.0, 1.0]


@given(expressions(ops=ROWS, numbers=ANY, max_instructions=12))
def test_the_sweep_stops_at_what_is_wanted(expression):
    """As the verbs use it, from arguments that were computed themselves."""
    arguments = [Value(x) * 1.0 for x in expression.leaves]
    output = expression(*arguments)
    if isinstance(output, Value):
        nodes = topological_order(output, known={*arguments})[::-1]
        expected = chain_rule(nodes, {output: 1.0})
        found = graph.slopes(nodes, {output: 1.0}, arguments)
        assert [bits(x) for x in found] == [bits(0.0 + expected.get(x, 0.0)) for x in arguments]


@given(expressions(ops=ROWS, max_instructions=20))
def test_one_order_for_both_walks(expression):
    output = expression(*map(Value, expression.leaves))
    if isinstance(output, Value):
        assert same(below(output, object()), topological_order(output))


FAULTS = [
    ("x._adjoint += g * n._yd", "x._adjoint = g * n._yd"),
    ("x._adjoint += g * n._yd", "x._adjoint -= g * n._yd"),
    ("x._adjoint += g * n._yd", "x._adjoint += g * n._xd"),
    ("for n in nodes:", "for n in nodes[1:]:"),
]


@pytest.mark.parametrize(("old", "new"), FAULTS)
def test_a_fault_in_the_sweep_is_noticed(old, new, monkeypatch):
    """A negative control."""
    source = generator.source()
    loop = source[source.index("def sweep") : source.index("__all__")]
    assert old in loop
    broken: dict[str, Any] = {**vars(generated)}
    exec(f"from __future__ import annotations\n{loop.replace(old, new, 1)}", broken)
    monkeypatch.setattr(graph, "sweep", broken["sweep"])
    x, y = Value(0.75), Value(1.5)
    shared = x * y + x
    with pytest.raises(AssertionError):
        agree(shared * shared * y - shared * 2.0 * shared)


METHODS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
}


def alike(node: Value, expected: Value) -> None:
    assert type(node) is type(expected) and node.op is expected.op and same(node.inputs, expected.inputs)
    assert list(map(bits, node.numbers)) == list(map(bits, expected.numbers)), f"{node.op}{expected.numbers[1:]}"
    assert bits(node.data) == bits(expected.data) and (node.grad, node.label) == (0.0, "")
    for slot in ("_x", "_y", "_more", "_sweep"):  # what a walk reads
        assert getattr(node, slot) is getattr(expected, slot)


@pytest.mark.parametrize("name", METHODS)
def test_operators_record_what_the_generic_rule_records(name):
    """At every pair of special values; of two Values, a Value and a float, a float and a Value, and with ints."""
    for a in SPECIAL:
        for b in (*SPECIAL, -1.5, 801.0):  # powers that are infinite or NaN, with either sign
            x, y = Value(a), Value(b)
            for left, right in ((x, y), (x, b), (a, y), (x, x)):
                alike(METHODS[name](left, right), Value.__record__(TABLE[name], (left, right)))
    for left, right in ((Value(3.0), 2), (2, Value(3.0))):
        alike(METHODS[name](left, right), Value.__record__(TABLE[name], (left, right)))


@pytest.mark.parametrize("name", METHODS)
def test_operators_ask_whether_they_record(name):
    """On either side of a number; and who makes the nodes."""
    x, y = Value(3.0), Value(2.0)
    for left, right in ((x, y), (x, 2.0), (3.0, y)):
        with no_grad():
            node = METHODS[name](left, right)
            assert node.inputs == () and not is_leaf(node)
            alike(node, Value.__record__(TABLE[name], (left, right)))
        with trace_lines():
            node = METHODS[name](left, right)
            assert type(node) is TracedValue and same(node.inputs, (left, right))


@pytest.mark.parametrize("name", [op.name for op in TABLE.values() if len(op.partials) == 1])
def test_methods_record_what_the_generic_rule_records(name):
    for a in (*SPECIAL, 0.3, 710.0, -745.2, 1e22):
        x = Value(a)
        alike(getattr(x, name)(), Value.__record__(TABLE[name], (x,)))
        with no_grad():
            alike(getattr(x, name)(), Value.__record__(TABLE[name], (x,)))


# ---- Rows of one's own

ADD, MUL = TABLE["add"], TABLE["mul"]
TWICE = Op("twice", lambda x: 2.0 * x, lambda x: 2.0 * x, (lambda z, x: 2.0,))
VOLUME = Op(
    "volume",
    lambda x, y, z, w: x * y * z * w,
    lambda x, y, z, w: x * y * z * w,
    (
        lambda v, x, y, z, w: y * z * w,
        lambda v, x, y, z, w: x * z * w,
        lambda v, x, y, z, w: x * y * w,
        lambda v, x, y, z, w: x * y * z,
    ),
)


def test_rows_of_four_inputs():
    """Constants in any place, one Value in two of them."""
    x, y = Value(2.0, "x"), Value(3.0, "y")
    for operands in ((x, y, 5.0, 7.0), (5.0, 7.0, x, y), (x, 5.0, x, y), (5.0, 6.0, 7.0, y), (x, x, x, x)):
        output = VOLUME(*operands)
        numbers = [v.data if isinstance(v, Value) else v for v in operands]
        assert same(output.inputs, operands) and output.numbers == (math.prod(numbers), *numbers)
        agree(output * x + output)
        x.grad = 0.0
        output.backward()
        expected = sum(math.prod(numbers) / numbers[i] for i, v in enumerate(operands) if v is x)
        assert x.grad == pytest.approx(expected, rel=1e-15)
        assert tangents([output], {x: 1.0}) == [pytest.approx(expected, rel=1e-15)]
        (slope,) = gradients(output, [y], create_graph=True)
        assert slope.data == pytest.approx(sum(math.prod(numbers) / 3.0 for v in operands if v is y), rel=1e-15)
        again = deepcopy(output)
        assert again.numbers == output.numbers and [type(v) for v in again.inputs] == [type(v) for v in output.inputs]


def test_rows_of_the_table_and_of_ones_own_in_one_graph():
    x = Value(1.5)
    agree((TWICE(x * x) + x.tanh()) * TWICE(TWICE(x)) / VOLUME(x, 1.0, x, 2.0))


def test_where_keeps_its_condition():
    """It has no derivative, and is no constant."""
    x, c = Value(2.0), Value(1.0)
    y = TABLE["where"](c * 1.0, x, 3.0)
    agree(y)
    assert c.grad == 0.0 and x.grad == 1.0 and y.inputs[2] == 3.0
    assert pickle.loads(pickle.dumps(y)).numbers == y.numbers == (2.0, 1.0, 2.0, 3.0)


# ---- One sweep at a time


def test_a_sweep_within_a_sweep_is_exact():
    """A row of one's own whose partial differentiates, as a handler of signals may: adjoints stand in the nodes."""
    z = Value(3.0)

    def partial(_: Any, x: Any) -> Any:
        y = z * z * z
        y.backward()
        assert gradients(y, [z]) == [27.0]
        return x * 0.0 + 1.0 if not isinstance(x, float) else 1.0

    own = Op("own", lambda x: x, lambda x: x, (partial,))
    x = Value(2.0)
    y = own(x * z) * z
    y.backward()
    assert x.grad == 9.0 and z.grad == 2 * 2.0 * 3.0 + 27.0
    assert gradients(y, [x]) == [9.0]


def test_threads_add_up():
    """They differentiate graphs that share their leaves, at the same time."""
    w = [Value(0.5), Value(2.0)]

    def run() -> None:
        for _ in range(200):
            y = w[0] * w[1]
            for _ in range(20):
                y = y + w[0] * 2.0
            barrier.wait()
            y.backward()

    barrier = threading.Barrier(4)
    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [x.grad for x in w] == [800 * 42.0, 800 * 0.5]


def test_a_signal_in_mid_sweep_leaves_no_trace():
    """A partial that raises: no grad has changed, and the next sweep is right."""
    error = [True]

    def partial(z: float, x: float) -> float:
        if error:
            raise KeyboardInterrupt
        return 1.0

    own = Op("own", lambda x: x, lambda x: x, (partial,))
    x = Value(2.0)
    y = own(x * x) * x
    with pytest.raises(KeyboardInterrupt):
        y.backward()
    assert x.grad == y.grad == 0.0
    with pytest.raises(KeyboardInterrupt):
        gradients(y, [x])
    error.clear()
    assert not graph._sweeping.locked()
    agree(y)
    assert gradients(y, [x]) == [x.grad] and not graph._sweeping.locked()
    assert x.grad == 12.0


@pytest.mark.parametrize("line", [3, 40, 100])
def test_an_interrupted_walk_keeps_nothing_alive(line):
    """On the way down, nodes hold those above them: a parameter would hold the whole graph of an old step."""
    x = y = Value(2.0)
    for _ in range(50):
        y = y * x
    lines = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal lines
        if frame.f_code is not below.__code__:
            return trace if frame.f_code is Value.backward.__code__ or frame.f_code is graph.backward.__code__ else None
        lines += event == "line"
        if lines == line:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with pytest.raises(KeyboardInterrupt):
            y.backward()
    finally:
        sys.settrace(before)
    assert not any(isinstance(node._adjoint, Value) for node in topological_order(y) if hasattr(node, "_adjoint"))
    assert x.grad == 0.0
    agree(y)


@pytest.mark.parametrize("number", [2, True, Fraction(1, 2), np.float64(3.0)])
@pytest.mark.parametrize("block", [nullcontext, no_grad, enable_grad])
def test_numbers_of_any_kind_are_floats_to_the_recorders(number, block):
    """From the left and from the right, in blocks that record or do not."""
    x = Value(2.0)
    with block():
        for operate in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
            for ours, floats in (((x, number), (2.0, float(number))), ((number, x), (float(number), 2.0))):
                node, expected = operate(*ours), operate(*floats)
                assert node.data == expected and all(type(n) is float for n in node.numbers)
                assert node.inputs in ((), tuple([x if n is x else float(n) for n in ours]))


def test_enable_grad_counts_only_inside_no_grad():
    """Elsewhere it changes nothing, and recorders stay fast: the verbs open it."""
    with enable_grad():
        assert recording.open_blocks == 0
        with no_grad(), enable_grad():
            assert recording.open_blocks == 2 and (Value(2.0) * 3.0).inputs
        with no_grad():
            assert not (Value(2.0) * 3.0).inputs
    assert recording.open_blocks == 0


def test_a_signal_while_grads_are_added_comes_after_all_of_them():
    """It is raised, and every grad has been changed once."""

    class Interrupted:
        def __init__(self, nodes: list[Value]) -> None:
            self.rest, self.left = iter(nodes), 2

        def __iter__(self) -> Interrupted:
            return self

        def __next__(self) -> Value:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return next(self.rest)

    nodes = [Value(float(i)) for i in range(4)]
    for node in nodes:
        node._adjoint, node.grad = 2.0, 0.5
    with pytest.raises(KeyboardInterrupt):
        graph._commit(Interrupted(nodes))
    assert [node.grad for node in nodes] == [2.5] * 4


# ---- Recorded derivatives


def test_a_recorded_zero_that_wins_leaves_the_others():
    """Where the number is known, but not its derivative, that alone is NaN; every result is marked as a slope."""
    sqrt = TABLE["sqrt"]
    x, w, y = Value(0.0), Value(0.0), Value(2.0)
    first, second = slopes = gradients(sqrt(x) * w + y * y, [x, y], create_graph=True)
    assert [slope.data for slope in slopes] == [0.0, 4.0] and all(map(is_slope, slopes))
    assert gradients(second, [y]) == [2.0] and math.isnan(gradients(first, [w])[0])
    (tangent,) = tangents([sqrt(x) * w + y * y], {x: Value(1.0), y: Value(1.0)})
    assert tangent.data == 4.0 and type(tangent.data) is float
    (slope,) = gradients(w * y, [y], create_graph=True)
    assert slope is w and not is_slope(w)


def test_zeros_that_stay():
    """A closed gate is one, and a sum of these; a number that is 0 here is not, nor is what the zero does not cut."""
    log, relu, sqrt, step = (TABLE[name] for name in ("log", "relu", "sqrt", "step"))
    x, y, z, w = Value(-1.0), Value(2.0), Value(0.0), Value(0.0)

    def second(output: Value, a: Value, b: Value) -> tuple[float, float]:
        (slope,) = gradients(output, [a], create_graph=True)
        return slope.data, gradients(slope, [b])[0]

    assert second(log(relu(x)), x, x) == (0.0, 0.0)
    assert second(log(relu(x) * y), x, y) == (0.0, 0.0)
    assert second(sqrt(z * y) * (step(x) + step(x)), z, y) == (0.0, 0.0)
    assert str(second(sqrt(z) * (step(x) + w), z, w)) == "(0.0, nan)"
    assert math.isnan(second(log(x * 0.0), x, x)[0])


def test_copies_of_slopes_are_slopes():
    """Also of one with three inputs; other copies are none."""
    x = Value(-1.0)
    (slope,) = gradients(TABLE["log"](x.relu()), [x], create_graph=True)
    assert slope.op is TABLE["where"] and mark_of(slope) is None
    for copied in (copy, deepcopy, lambda node: pickle.loads(pickle.dumps(node))):
        again = copied(slope)
        assert is_slope(again) and str(again.numbers) == str(slope.numbers) and again.inputs[2] == 0.0
        assert not is_slope(copied(x * x)) and copied(x).numbers == x.numbers == ()


def test_the_innermost_maker_makes_the_nodes():
    """Unless somebody watches; inside `no_grad` a result is a plain Value."""
    x = Value(2.0)
    with enable_grad(), trace_lines():
        assert type(x * x) is TracedValue
    with watched(lambda question, operands, answer: answer), trace_lines():
        assert type(x * x) is WatchedValue
    with trace_lines(), no_grad():
        assert type(x * x) is Value
    assert type(TracedValue(2.0)) is Value
