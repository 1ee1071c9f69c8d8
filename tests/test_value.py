"""`Value`: the arithmetic, the refusals, NumPy, no_grad, copies and pickles."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import io
import math
import operator
import pickle
import pickletools
import random
import re
import threading
from collections import deque
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd.recording
from autograd import (
    TABLE,
    Value,
    assign,
    cos,
    enable_grad,
    grad,
    gradients,
    jacobian,
    log,
    maximum,
    no_grad,
    sin,
    sqrt,
    topological_order,
)
from autograd.nodes import watched
from autograd.strategies import expressions

from .laws import same

BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
NUMBERS = [
    3,
    3.0,
    True,
    Fraction(3, 4),
    np.float64(3),
    np.float32(3),
    np.int64(3),
    np.bool_(True),
    np.array(3.0),
    Decimal("3.5"),
]


@pytest.mark.parametrize("apply", BINARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("number", NUMBERS, ids=lambda x: type(x).__name__)
def test_operators_take_numbers_on_either_side(apply, number):
    """A plain number is a constant on the left and on the right; the result is a Value with a float."""
    x, y = Value(2.0), float(number)
    right, left = apply(x, number), apply(number, x)
    assert type(right) is type(left) is Value
    assert (right.data, left.data) == (apply(2.0, y), apply(y, 2.0))
    assert same(right.inputs, (x, y)) and same(left.inputs, (y, x))
    assert type(right.data) is type(left.inputs[0]) is float


@pytest.mark.parametrize("apply", BINARY, ids=lambda f: f.__name__)
def test_operators_combine_values(apply):
    """Both operands are kept, in order, repeats too."""
    x, y = Value(2.0), Value(5.0)
    assert apply(x, y).data == apply(2.0, 5.0)
    assert same(apply(x, y).inputs, (x, y))
    assert same(apply(x, x).inputs, (x, x))


def test_in_place_operators_make_new_nodes():
    """x += y leaves the old node as it was."""
    x = old = Value(2.0)
    x += 3
    x *= 2
    assert (x.data, old.data) == (10.0, 2.0)


def test_unary_operators():
    """-x and abs(x) record, +x is x."""
    x = Value(-2.0)
    assert (-x).data == 2.0 and abs(x).data == 2.0 and +x is x
    assert (-x).op is TABLE["neg"] and abs(x).op is TABLE["abs"]
    for op in TABLE.values():  # the rows of one operand are methods, too, and no others
        assert hasattr(Value, op.name) == (len(op.partials) == 1)


@pytest.mark.parametrize("other", [None, {}, 1j, object()], ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("apply", BINARY, ids=lambda f: f.__name__)
def test_operators_leave_what_is_no_number_to_others(apply, other):
    """And if those do not want it either, Python's error names both kinds."""
    for operands in (Value(2.0), other), (other, Value(2.0)):
        kinds = " and ".join(f"'{type(x).__name__}'" for x in operands)
        with pytest.raises(TypeError, match=f"unsupported operand .*: {kinds}"):
            apply(*operands)


def test_comparisons_compare_data():
    """Every comparison gives a bool of the data, with Values and with numbers, and records nothing."""
    x, y = Value(1.0), Value(2.0)
    assert x < y and x <= 1 and y > 1.5 and y >= np.float64(2) and not x > y and y > 1
    for one in (1, 1.0, True, np.float64(1.0), np.array(1.0), Fraction(1), Decimal(1), Value(1.0), x):
        assert x == one and one == x and not operator.ne(x, one) and not operator.ne(one, x)
        assert y != one and one != y and not operator.eq(y, one) and not operator.eq(one, y)
    assert Value(0.0) == -0.0 and Value(math.inf) == math.inf and bool(x) and not Value(0.0) and not Value(-0.0)
    assert x == y - 1.0 and x + y == 3.0
    with pytest.raises(TypeError):
        x < "1"  # noqa: B015


def test_nan_differs_from_itself():
    """As in IEEE 754, as a float and as a Value."""
    nan = Value(math.nan)
    assert nan != nan and not operator.eq(nan, nan) and nan != math.nan and Value(1.0) != nan


def test_a_number_beyond_all_floats_compares_exactly():
    """Python compares an int with a float exactly, of any size."""
    assert Value(2.0**53) != 2**53 + 1 and Value(2.0**53) < 2**53 + 1 and not Value(2.0**53) > 2**53
    assert Value(1.7e308) < 10**400 and Value(1.0) != 10**400 and Value(1.0) < 10**400 and Value(1.0) > -(10**400)


@pytest.mark.parametrize("other", ["1", None, 1j, [1.0], (1.0,), object], ids=repr)
def test_what_is_no_number_is_not_equal(other):
    """As for floats: False, not an error; complex 1 is not real."""
    assert (Value(1.0) == other) is (other == Value(1.0)) is False
    assert (Value(1.0) != other) is (other != Value(1.0)) is True


def test_equality_of_arrays_compares_data():
    """Element by element, as bools; np.equal and np.not_equal too, of Values and of arrays of them."""
    x, numbers = Value(1.0), np.array([1.0, 2.0])
    values = np.array([Value(1.0), Value(3.0)])
    for found in (
        numbers == x,
        x == numbers,
        np.equal(x, numbers),
        values == numbers,
        values == x,
        values == [1.0, 2.0],
    ):
        assert found.dtype == bool and found.tolist() == [True, False]
    assert (numbers != x).tolist() == np.not_equal(values, 1.0).tolist() == [False, True]
    assert np.equal(x, 1.0) is np.True_ and np.not_equal(x, Value(1.0)) is np.False_
    assert np.array_equal(values, [1.0, 3.0]) and not np.array_equal(values, [1.0, 2.0])


def test_nodes_are_told_apart_by_hash_and_by_is():
    """Sets and dicts hold nodes, not numbers: equal data are not one key."""
    nodes = [Value(1.0) for _ in range(1000)]
    assert len({*nodes}) == len({hash(node) for node in nodes}) == 1000
    assert Value(1.0) not in {*nodes} and nodes[0] in {*nodes} and dict(zip(nodes, range(1000)))[nodes[7]] == 7
    assert 1.0 not in {*nodes} and hash(nodes[0]) == object.__hash__(nodes[0])


@pytest.mark.parametrize(
    ("function", "x", "slope"),
    [
        (lambda x: 1.0 if x == 0 else sin(x) / x, 0.0, 0.0),  # sinc
        (lambda x: sin(x) / x if x != 0.0 else 1.0 + 0.0 * x, 0.0, 0.0),
        (lambda x: np.where(x == 0, 1.0, sin(np.where(x == 0, 1.0, x)) / np.where(x == 0, 1.0, x)).item(), 0.0, 0.0),
        (lambda x: np.linalg.norm([x, 0.0, 2.0], 0) * x, 3.0, 2.0),  # two that are not 0
        (lambda x: x * 2.0 if x in [1.0, 3.0] else x, 3.0, 2.0),
    ],
)
def test_functions_that_ask_for_zero(function, x, slope):
    """A removable singularity is where it is asked for: sinc has slope 0 at 0, not NaN."""
    assert grad(function)(x) == slope


def test_a_rotation_that_asks_whether_there_is_any():
    """A published bundle adjustment divides by the angle unless it is 0: then R(r) x = x, and dR x/dr = -[x]."""

    def rotated(r, x):
        theta = sqrt(r @ r)
        if theta != 0.0:
            axis = r / theta
            cross = np.array(
                [
                    axis[1] * x[2] - axis[2] * x[1],
                    axis[2] * x[0] - axis[0] * x[2],
                    axis[0] * x[1] - axis[1] * x[0],
                ]
            )
            return x * cos(theta) + cross * sin(theta) + axis * ((axis @ x) * (1.0 - cos(theta)))
        return x + np.array([r[1] * x[2] - r[2] * x[1], r[2] * x[0] - r[0] * x[2], r[0] * x[1] - r[1] * x[0]])

    x = np.array([1.0, 2.0, 3.0])
    assert jacobian(rotated)(np.zeros(3), x).tolist() == [[0.0, 3.0, -2.0], [-3.0, 0.0, 1.0], [2.0, -1.0, 0.0]]


def test_python_builtins_work():
    """sum, max, min and sorted need nothing but + and <."""
    values = [Value(3.0), Value(1.0), Value(2.0)]
    assert sum(values).data == 6.0
    assert max(values) is values[0] and min(values) is values[1]
    assert [v.data for v in sorted(values)] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (float, "functions of autograd"),
        (int, r"int\(v.data\)"),
        (complex, "complex"),
        (round, "round"),
        (math.floor, "floor"),
        (math.ceil, "ceil"),
        (math.trunc, "int"),
        (math.exp, "rather than those of math"),
        (lambda v: v // 2, "write / to divide"),
        (lambda v: 2 // v, "write / to divide"),
        (lambda v: v % 2, "%"),
        (lambda v: 2 % v, "%"),
        (lambda v: divmod(v, 2), "divmod"),
        (lambda v: np.array([v], dtype=float), "data"),
    ],
)
def test_what_would_cut_the_graph_is_refused_with_a_hint(function, hint):
    """float() and its kin raise a TypeError that says what to write."""
    with pytest.raises((TypeError, ValueError)) as caught:
        function(Value(2.5))
    chain = f"{caught.value} {caught.value.__cause__}"
    assert re.search(hint, chain)


@pytest.mark.parametrize(
    "bad",
    [
        1j,
        "1.5",
        None,
        np.array([1.0]),
        [1.0],
        Value(1.0),
        b"1",
        np.complex128(1),
        np.array("1"),
        np.timedelta64(3, "ns"),
        np.datetime64(0, "ns"),
    ],
)
def test_bad_data_are_refused(bad):
    """In the constructor, in .data and in .grad; the old number stays."""
    with pytest.raises(TypeError, match="is not a real number"):
        Value(bad)
    v = Value(7.0)
    with pytest.raises(TypeError):
        v.data = bad
    with pytest.raises(TypeError):
        v.grad = bad
    assert (v.data, v.grad) == (7.0, 0.0)


def test_numbers_too_large_are_an_overflow_error_at_the_leaf():
    """An int beyond the range of a float is no infinity in silence."""
    for make in (Value, lambda x: Value(1.0) * x, lambda x: x + Value(1.0)):
        with pytest.raises(OverflowError, match="beyond the range of a float"):
            make(10**400)


class Row(list):
    """A sequence with an arithmetic of its own."""

    def __mul__(self, factor):
        return [factor * x for x in self]

    __rmul__ = __mul__


def test_a_sequence_with_its_own_arithmetic_is_asked():
    """On either side."""
    x = Value(2.0)
    assert [y.data for y in x * Row([1.0, 3.0])] == [y.data for y in Row([1.0, 3.0]) * x] == [2.0, 6.0]


@pytest.mark.parametrize("bad", ["1.5", b"2", [1.0], (1.0, 2.0), [], np.str_("a"), deque([1.0]), range(2)], ids=repr)
@pytest.mark.parametrize("operate", BINARY)
def test_operators_refuse_sequences(operate, bad):
    """A TypeError that says what was given, on either side; Python would take the Value for a number of repeats."""
    for operands in ((Value(2.0), bad), (bad, Value(2.0))):
        with pytest.raises(TypeError, match=re.escape(f"{bad!r} ({type(bad).__name__}) is not a real number")) as error:
            operate(*operands)
        assert ("np.array" in str(error.value)) == isinstance(bad, (list, tuple))


def test_comparisons_name_the_value():
    """A TypeError of Python's own, of a Value and not of its number."""
    with pytest.raises(TypeError, match="'Value' and 'str'"):
        Value(1.0) < "a"  # noqa: B015


@pytest.mark.parametrize("bad", [1j, None, object(), {1.0}])
def test_operators_refuse_what_is_no_number(bad):
    """As Python does: a TypeError that names both types."""
    kind = type(bad).__name__
    for combine, message in (
        (lambda: Value(1.0) + bad, f"'Value' and '{kind}'"),
        (lambda: bad - Value(1.0), f"'{kind}' and 'Value'"),
        (lambda: bad ** Value(1.0), f"'{kind}' and 'Value'"),
    ):
        with pytest.raises(TypeError, match=f"unsupported operand type.* {message}"):
            combine()
    with pytest.raises(TypeError):
        bad * Value(1.0)


def test_data_and_grad_are_floats_whatever_is_assigned():
    """NumPy scalars do not leak into scalar arithmetic."""
    v = Value(np.float64(1.5))
    v.data += np.float64(1)
    v.grad = 0
    assert type(v.data) is float and type(v.grad) is float
    v.backward()
    assert type(v.grad) is float


def test_label_repr_and_format():
    """Repr shows label, data and grad; a format spec applies to the data."""
    v = Value(0.5, label="w5")
    assert repr(v) == "Value(data=0.5, grad=0.0, label='w5')"
    assert f"{v:.3f}" == "0.500" and f"{v}" == repr(v)
    assert repr(Value(2)) == "Value(data=2.0, grad=0.0)"
    assert Value(1.0, "x").label == "x"
    with pytest.raises(TypeError, match="label is a str"):
        Value(1.0, 3)


def test_where_takes_a_bool_or_a_value():
    """A Value as condition stays in the graph; 0 is false."""
    from autograd import where

    x = Value(2.0)
    assert where(x > 0, x, -x).data == 2.0
    assert where(np.bool_(False), x, 5).data == 5.0
    chosen = where(x.step(), x * 3, x)
    assert chosen.data == 6.0 and chosen.inputs[0].op is TABLE["step"]
    assert gradients(chosen, [x]) == [3.0]


# ---- NumPy


def test_ufuncs_record_rows():
    """np.exp(v) is v.exp(); a ufunc that is no row but works on objects gives its plain result."""
    v = Value(2.0)
    assert np.exp(v).op is TABLE["exp"] and np.arctan(v).op is TABLE["arctan"]
    assert np.maximum(v, 5.0).op is TABLE["maximum"] and np.power(v, 2).data == 4.0
    assert np.less(v, 3.0) and not np.greater_equal(v, 3.0)
    with pytest.raises(TypeError):
        np.exp(v, out=np.empty(1))
    with pytest.raises(TypeError, match=r"np\.log2 is not a primitive; the primitives are add, sub"):
        np.log2(v)
    with pytest.raises(TypeError, match=r"np\.hypot is not a primitive"):
        np.hypot(v, 2.0)


def test_arrays_and_values_combine_elementwise_on_either_side():
    """The result is an object array of Values, one node per element."""
    v, array = Value(2.0), np.array([1.0, 3.0])
    for result, expected in [(v * array, [2, 6]), (array * v, [2, 6]), (array - v, [-1, 1]), (v**array, [2, 8])]:
        assert result.dtype == object and [x.data for x in result] == expected
        assert all(type(x) is Value for x in result)
    assert np.exp(np.array([v, v]))[0].op is TABLE["exp"]
    assert (array < v).tolist() == [True, False] and (v < array).tolist() == [False, True]
    assert same((np.float64(2) * v).inputs, (2.0, v))
    assert np.maximum(array, v)[0].op is TABLE["maximum"]
    with np.testing.assert_no_warnings():  # IEEE 754 in silence here too
        assert math.isnan(log(np.array([v, Value(-1.0)]))[1].data)
        assert (np.array([1.0]) / Value(0.0))[0].data == math.inf
        assert math.isnan((np.array([-1.0]) ** Value(0.5))[0].data)


def test_object_arrays_of_values():
    """@, +, .sum() and .mean() on object arrays, and gradients through them."""
    w = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
    x = np.array([10.0, 100.0])
    y = w @ x + 1
    assert [v.data for v in y] == [211.0, 431.0]
    total = y.sum() + y.mean()
    assert gradients(total, list(w.ravel())) == [15.0, 150.0, 15.0, 150.0]


def test_ufuncs_that_are_not_what_they_seem():
    """np.positive keeps the gradient; // on a NumPy scalar gets the hint; out= and += fill object arrays."""
    v = Value(3.0)
    assert gradients(np.positive(v), [v]) == [1.0]
    for number in (np.float64(2), np.float32(2), np.int64(2)):
        with pytest.raises(TypeError, match="write / to divide"):
            number // v
    array = np.array([Value(1.0), Value(2.0)])
    array += v
    array *= array[0]
    assert [x.data for x in array] == [16.0, 20.0] and gradients(array[1], [v]) == [9.0]
    for call in (lambda: np.add.at(np.zeros(2), [0], v), lambda: np.exp(v, dtype=float)):
        with pytest.raises(TypeError):
            call()


def test_zero_dimensional_arrays_are_what_they_hold():
    """A 0-d array of a Value is that Value, of a number that number."""
    v, boxed = Value(3.0), np.array(Value(2.0))
    assert (v + boxed).data == (boxed + v).data == 5.0
    assert np.exp(boxed).op is TABLE["exp"] and maximum(boxed, 1.0).data == 2.0


def test_comparisons_with_arrays_are_masks():
    """They have dtype bool, and select."""
    array = np.array([1.0, 2.0, 3.0])
    assert array[array > Value(1.5)].tolist() == [2.0, 3.0]
    assert (Value(1.5) < array).dtype == bool


# ---- no_grad


@contextmanager
def another_thread_in_no_grad():
    inside, done = threading.Event(), threading.Event()

    def predict():
        with no_grad():
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=predict)
    thread.start()
    try:
        assert inside.wait(10)
        yield
    finally:
        done.set()
        thread.join()


def test_blocks_that_would_not_last_are_refused():
    """As decorators of what goes on after its call returns, and of blocks that are open."""

    def generator():
        yield

    async def coroutine():
        pass

    for function in (generator, coroutine):
        with pytest.raises(TypeError, match="open the block inside it"):
            no_grad()(function)
    block = no_grad()
    for _ in range(2):  # one after the other is fine
        with block:
            assert (Value(1.0) + 1).op is None
    with block, pytest.raises(RuntimeError, match="already open"), block:
        pass
    assert (Value(1.0) + 1).op is TABLE["add"]


def test_blocks_may_close_in_any_order():
    """Generators that hold a block each: the last one open decides, and when all are closed, all is as before."""

    def holding(block):
        with block():
            yield

    first, second, third = holding(no_grad), holding(no_grad), holding(enable_grad)
    next(first), next(second)
    first.close()
    assert (Value(1.0) + 1).op is None
    next(third)
    assert (Value(1.0) + 1).op is not None
    second.close()
    third.close()
    with no_grad():
        thread_sees = []
        thread = threading.Thread(target=lambda: thread_sees.append((Value(1.0) + 1).op))
        thread.start()
        thread.join()
    assert thread_sees == [TABLE["add"]] and (Value(1.0) + 1).op is TABLE["add"]


def test_a_task_that_outlives_the_block_it_was_started_in_records():
    """Whatever other threads do."""

    async def work():
        await asyncio.sleep(0)
        return (Value(1.0) + 1).op

    async def main():
        with no_grad():
            task = asyncio.create_task(work())
        with enable_grad():  # some block is open somewhere
            pass
        return await task

    with another_thread_in_no_grad():
        assert asyncio.run(main()) is TABLE["add"]


def test_a_recorded_gradient_is_recorded_inside_no_grad():
    """create_graph=True means it."""
    x = Value(3.0)
    y = x**3
    with no_grad():
        (slope,) = gradients(y, [x], create_graph=True)
    assert gradients(slope, [x]) == [18.0]


def test_open_blocks_are_counted():
    """Where none is open, none is looked for."""
    before = autograd.recording.open_blocks
    with no_grad():
        assert autograd.recording.open_blocks == before + 1
        with enable_grad():
            assert autograd.recording.open_blocks == before + 2
    assert autograd.recording.open_blocks == before == 0
    assert autograd.recording._blocks.get() == ()  # nothing is left of those that were


def test_who_watches_is_asked_until_the_block_ends():
    """One block inside another, each with its own answer."""
    told = []

    def note(name):
        return lambda question, operands, answer: told.append(name) or answer

    with watched(note("outer")):
        with watched(note("inner")):
            assert Value(3.0) > 2.0
        assert Value(3.0) > 2.0
    assert Value(3.0) > 2.0
    assert told == ["outer", "inner", "outer"]


def test_what_is_computed_while_somebody_watches():
    """Is equal to what it is equal to, unless who watches says otherwise; in no_grad it goes on, with no slope."""
    with watched(lambda question, operands, answer: answer):
        x = Value(2.0) * 3.0
        assert x == x and x == 6.0 and x != Value(5.0)
        with no_grad():
            y = x * 2.0
        assert y.op is TABLE["detach"] and y.numbers == (12.0, 12.0) and gradients(y, [x]) == [0.0]
    with watched(lambda question, operands, answer: question is operator.eq or answer):
        assert x == 7.0


def test_no_grad_records_nothing():
    """Results are leaves, in blocks, in decorated functions, nested, and after an exception."""
    x = Value(3.0)

    @no_grad()
    def square(v):
        return v * v

    assert square(x).inputs == () and square(x).data == 9.0 and square(x).op is None
    assert square(x).numbers == (9.0,)
    with no_grad():
        with no_grad():
            pass
        assert (x + 1).op is None and np.exp(x).op is None
    with pytest.raises(ZeroDivisionError), no_grad():
        1 / 0  # noqa: B018
    assert (x + 1).op is TABLE["add"]


def test_no_grad_is_a_matter_of_the_thread():
    """Another thread goes on recording."""
    with another_thread_in_no_grad():
        assert (Value(1.0) + 1).op is TABLE["add"]


# ---- copies, pickles, memory


def same_graph(a: Value, b: Value) -> bool:
    """Whether two graphs are equal node by node: data, gradients, labels, rows, numbers and sharing."""
    one, two = topological_order([a]), topological_order([b])
    place = {node: i for nodes in (one, two) for i, node in enumerate(nodes)}

    def describe(node):
        inputs = tuple(x if isinstance(x, float) else (place[x],) for x in node.inputs)
        return node.op, node.label, inputs, repr((node.data, node.grad, node.numbers))

    return not set(one) & set(two) and [describe(n) for n in one] == [describe(n) for n in two]


@given(
    expressions(ops=list(TABLE)),
    st.sampled_from([copy.deepcopy, *(lambda v, p=p: pickle.loads(pickle.dumps(v, p)) for p in range(6))]),
)
def test_deep_copies_and_pickles_are_equal_graphs(expression, duplicate):
    """Same data, gradients, labels and sharing; nothing in common."""
    leaves = [Value(x, f"x{i}") for i, x in enumerate(expression.leaves)]
    output = expression(*leaves)
    output.backward()
    assert same_graph(output, duplicate(output))


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v)), lambda v: pickle._loads(pickle._dumps(v))]
)
def test_what_two_roots_share_stays_shared(duplicate):
    """A list of nodes of one graph comes back as a list of nodes of one graph, whichever comes first."""
    x = Value(2.0, "x")
    h = x * x
    out = h + x
    for roots in ([h, out, x], [out, h, x], [x, out, h]):
        copies = dict(zip(map(id, roots), duplicate(roots)))
        h2, out2, x2 = (copies[id(node)] for node in (h, out, x))
        assert same(out2.inputs, (h2, x2)) and same(h2.inputs, (x2, x2)) and h2 is not h


def test_a_shallow_copy_shares_its_inputs():
    """copy.copy gives a second node with the same inputs, of the class of a leaf that somebody derived."""

    class Weight(Value):
        pass

    for duplicate in copy.copy, copy.deepcopy:
        assert type(duplicate(Weight(1.0))) is Weight
    x = Value(2.0)
    y = x * x
    z = copy.copy(y)
    assert z is not y and same(z.inputs, (x, x)) and z.data == 4.0


class Weight(Value):
    """A subclass with attributes of its own."""

    def __init__(self, data, label="", frozen=False):
        super().__init__(data, label)
        self.frozen, self.history = frozen, [data]


class Slotted(Weight):
    """One more attribute, in a slot; one that is never set; one whose name is its own."""

    __slots__ = ("__secret", "unit", "unset")

    def __init__(self, data, unit):
        super().__init__(data, "s", frozen=True)
        self.unit, self.__secret = unit, [self]

    def secret(self):
        return self.__secret[0]


class Locked(Weight):
    """Its lock cannot be copied: it says itself what is."""

    def __init__(self, data):
        super().__init__(data)
        self.lock = threading.Lock()

    def __getstate__(self):
        return {name: x for name, x in vars(self).items() if name != "lock"}

    def __setstate__(self, state):
        vars(self).update(state)
        self.lock = threading.Lock()


DUPLICATES = [copy.copy, copy.deepcopy, *(lambda v, p=p: pickle.loads(pickle.dumps(v, p)) for p in range(6))]


@pytest.mark.parametrize("duplicate", DUPLICATES)
def test_copies_keep_what_a_subclass_adds(duplicate):
    """The class and its attributes, in slots or not; those of a deep copy are copies."""
    w = Slotted(2.0, "kg")
    found = duplicate(w)
    assert type(found) is Slotted and found is not w
    assert (found.data, found.label, found.frozen, found.history, found.unit) == (2.0, "s", True, [2.0], "kg")
    assert not hasattr(found, "unset") and found.secret() is (w if duplicate is copy.copy else found)
    assert (found.history is w.history) is (duplicate is copy.copy)
    assert type(duplicate(Value(2.0))) is Value and not hasattr(duplicate(Value(2.0)), "__dict__")


@pytest.mark.parametrize("duplicate", DUPLICATES)
def test_copies_ask_a_subclass_what_to_keep(duplicate):
    """As Python's own copies and pickles do, of a leaf and in a graph."""
    w = Locked(2.0)
    for found in (duplicate(w), duplicate(w * 3.0).inputs[0]):
        assert found.data == 2.0 and found.history == [2.0] and found.lock.acquire(blocking=False)
        found.lock.release()


@pytest.mark.parametrize("duplicate", DUPLICATES[1:])
def test_graphs_keep_what_a_subclass_adds(duplicate):
    """Of the leaves of a graph, and of a node that an attribute refers to."""
    w = Weight(3.0, "w", frozen=True)
    w.partner = y = w * w
    for found in (duplicate(y), duplicate(w).partner):
        leaf = found.inputs[0]
        assert found.data == 9.0 and found.inputs[1] is leaf and leaf.frozen and leaf.partner is found


def test_two_picklers_at_once():
    """A long graph, while another pickler that has written it is still alive."""
    x = y = Value(1.0)
    for _ in range(5000):
        y = y + x
    first = pickle.Pickler(io.BytesIO())
    first.dump(y)
    for node in (y, y + 1.0):
        assert len(topological_order([pickle.loads(pickle.dumps(node))])) == len(topological_order([node]))


def test_a_failed_pickle_leaves_no_trace():
    """After a pickle that broke off, the next one is whole."""
    x = Value(2.0)
    y = x * x
    for _ in range(2):
        with pytest.raises(Exception, match="pickle"):
            pickle.dumps([y, lambda: None])
    assert same_graph(y, pickle.loads(pickle.dumps(y)))


def test_a_graph_is_freed_without_the_collector():
    """No reference cycles: the last reference goes, and so do all nodes."""

    def count():
        return sum(type(thing) is Value for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = count()
        x = Value(1.0)
        y = x
        for _ in range(1000):
            y = (y * x + 1).tanh()
        y.backward()
        gradients(y, [x], create_graph=True)
        assert count() == before + 1 + 3000
        del y
        assert count() == before + 1
    finally:
        gc.enable()


def test_assign_is_all_or_nothing():
    """A wrong count or a bad number changes none of the Values."""
    values = [Value(1.0), Value(2.0)]
    for bad, error in (([3.0], ValueError), ([3.0, None], TypeError), ([3.0, 4.0, 5.0], ValueError)):
        with pytest.raises(error):
            assign(values, bad)
        assert [v.data for v in values] == [1.0, 2.0]
    assign(values, np.array([3.0, 4.0]))
    assert [v.data for v in values] == [3.0, 4.0] and type(values[0].data) is float


def test_random_programs_equal_python_floats():
    """Evaluating on Values is evaluating on floats, bit for bit."""
    rng = random.Random(0)
    for _ in range(200):
        a, b = rng.uniform(-5, 5), rng.uniform(0.1, 5)

        def program(x, y):
            return (x * y - x / y + 2**y - (x + 1) ** 2 + abs(x - y)) * -y / (y**0.5)

        assert program(Value(a), Value(b)).data == program(a, b)


def test_every_public_method_has_a_docstring():
    """Methods that come from the table too."""
    for name, member in inspect.getmembers(Value, inspect.isfunction):
        if not name.startswith("_"):
            assert member.__doc__, name


def test_what_a_pickle_of_a_graph_needs():
    """These names, and no others: who moves them breaks the pickles that people have."""
    x = Value(2.0, "x")
    strings = [arg for _, arg, _ in pickletools.genops(pickle.dumps((x * x + 1.0).tanh(), 2)) if isinstance(arg, str)]
    needed = {name for name in strings if name.startswith("autograd")}
    assert needed == {
        "autograd.copying restored",
        "autograd.ops ADD",
        "autograd.ops MUL",
        "autograd.ops TANH",
        "autograd.value Value",
    }
