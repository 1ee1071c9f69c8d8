"""Every row of the table, against the laws, the edge policy and literal numbers."""

from __future__ import annotations

import builtins
import inspect
import itertools
import math
import pickle
import pydoc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

import autograd
from autograd import TABLE, Value, gradients, ops, primitives
from autograd.conversions import as_float
from autograd.derivatives import tangents
from autograd.strategies import operands

from . import laws
from .examples import examples

inf, nan = math.inf, math.nan
ROWS = pytest.mark.parametrize("op", TABLE.values(), ids=list(TABLE))


@ROWS
@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@examples(20)
@given(data=st.data())
def test_laws(op, law, data):
    """Each law holds at random operands of each row's domain."""
    law(op, data.draw(operands(op)))


@ROWS
def test_special_values_agree_in_both_paths(op):
    """Scalar and array paths give the same value and derivatives at zeros, infinities, NaN and beyond overflow."""
    for x in itertools.product(laws.SPECIAL, repeat=len(op.partials)):
        laws.forward_equals_ufunc(op, x)
        laws.partials_agree_on_all_kinds(op, x)


@pytest.mark.parametrize("y", laws.SPECIAL)
def test_a_power_of_an_array_with_one_exponent(y):
    """To the bit: NumPy takes a root where the exponent is the number 0.5, and a root is another number at -0.0."""
    bases = (0.0, -0.0, math.inf, -math.inf)
    powers = TABLE["pow"]
    assert str([float(z) for z in powers(np.array(bases), y)]) == str([powers(x, y) for x in bases])


@ROWS
def test_row_is_a_public_function_and_method(op):
    """Each row is autograd.name and, where unary, Value.name; both record the row."""
    function = getattr(autograd, op.name)
    assert function is op
    assert (op.name in autograd.__all__) != hasattr(builtins, op.name)
    leaves = [Value(1.0) for _ in op.partials]
    assert function(*leaves).op is op
    if len(leaves) == 1:
        assert getattr(leaves[0], op.name)().op is op


@ROWS
def test_row_notation_takes_its_inputs(op):
    """The LaTeX template has one field per input, and balanced braces."""
    names = [f"x_{i}" for i in range(len(op.partials))]
    latex = op.latex.format(*names)
    assert all(name in latex for name in names)
    assert latex.count("{") == latex.count("}")


@ROWS
def test_partials_take_the_output_and_the_inputs(op):
    """Partials are functions of (z, x, ...): arity is the number of partials."""
    for partial in filter(None, op.partials):
        assert len(inspect.signature(partial).parameters) == 1 + len(op.partials)


@ROWS
@given(data=st.data())
def test_flat_is_where_every_partial_is_zero(op, data):
    """At every point, which nothing else is; and what is flat is a gate."""
    x = data.draw(operands(op))
    zeros = [partial(op.forward(*x), *x) == 0.0 for partial in op.partials if partial]
    assert all(zeros) or not op.flat
    assert op.gate or not op.flat


@ROWS
def test_only_flat_rows_are_zero_everywhere(op):
    """So no row is flat that does not say so."""
    points = itertools.product((0.25, 0.75, 2.5), repeat=len(op.partials))
    slopes = {partial(op.forward(*x), *x) for x in points for partial in op.partials if partial}
    assert (slopes == {0.0}) == op.flat


@ROWS
def test_domain_ends_where_a_row_is_nan(op):
    """One interval per input; beyond a finite end there is no number."""
    assert len(op.domain) == len(op.partials)
    for i, ends in enumerate(op.domain):
        for end, beyond in zip(ends, (-0.5, 0.5)):
            x = [0.5] * len(op.partials)
            x[i] = min(max(end + beyond, -100.0), 100.0)
            assert math.isnan(op.forward(*x)) == math.isfinite(end), x


@pytest.mark.parametrize("op", [op for op in TABLE.values() if op.kink], ids=lambda op: op.name)
def test_kink_is_where_a_row_or_its_derivative_jumps(op):
    """From one side to the other, and only there."""
    for place in (-2.0, 0.0, 2.0):
        rest = [0.0] * (len(op.partials) - 1)
        below, above = ((place + d, *rest) for d in (-1e-9, 1e-9))
        jumps = abs(op.forward(*below) - op.forward(*above)) > 1e-6 or any(
            partial(op.forward(*below), *below) != partial(op.forward(*above), *above) for partial in op.partials
        )
        equal_to_both = op.name == "equal" and place == 0.0  # a jump at one point alone
        assert op.is_at_kink(place, *rest) == (jumps or equal_to_both)


@pytest.mark.parametrize("op", [op for op in TABLE.values() if op.pole], ids=lambda op: op.name)
def test_pole_is_where_a_row_is_infinite(op):
    """Or as large as it gets, where no float is the pole itself."""
    x = [1.0] * (len(op.partials) - 1)
    assert abs(op.pole(*x, 0.0 if x else math.pi / 2)) < 1e-15 < abs(op.pole(*x, 1.0))
    assert abs(op.forward(*x, 0.0 if x else math.pi / 2)) > 1e15


@pytest.mark.parametrize("op", [op for op in TABLE.values() if op.symbol], ids=lambda op: op.name)
def test_symbol_is_the_operator_of_python(op):
    """Written before or between the inputs."""
    inputs = ["3.0", "2.0"][: len(op.partials)]
    text = op.symbol.join(inputs) if inputs[1:] else op.symbol + inputs[0]
    assert eval(text) == op(*map(float, inputs))


@ROWS
def test_a_reason_for_a_zero_names_what_there_is(op):
    """The result, the input, its number and the other input."""
    assert op.why_zero.format(z="z", x="x", xn="1", other="y")


@ROWS
def test_row_pickles_to_itself(op):
    """A row is pickled by name."""
    assert pickle.loads(pickle.dumps(op)) is op


def backward(out, leaves):
    out.backward()
    return [leaf.grad for leaf in leaves]


WAYS = {
    "gradients": gradients,
    "backward": backward,
    "recorded": lambda out, leaves: [slope.data for slope in gradients(out, leaves, create_graph=True)],
    "forward": lambda out, leaves: [tangents([out], {leaf: 1.0})[0] for leaf in leaves],
    "compiled": lambda out, leaves: autograd.compile(out, leaves).value_and_grad([x.data for x in leaves])[1].tolist(),
}
"""Every way to a derivative."""


# The edge policy, row by row: value, then a derivative for each input.  `...`: not specified.
EDGES = [
    ("relu", (0.0,), (0.0, 0.0)),
    ("relu", (-0.0,), (0.0, 0.0)),
    ("relu", (nan,), (nan, 0.0)),
    ("abs", (0.0,), (0.0, 0.0)),
    ("maximum", (2.0, 2.0), (2.0, 0.5, 0.5)),
    ("maximum", (inf, inf), (inf, 0.5, 0.5)),
    ("minimum", (2.0, 2.0), (2.0, 0.5, 0.5)),
    ("maximum", (nan, 1.0), (nan, ..., ...)),
    ("maximum", (1.0, nan), (nan, ..., ...)),
    ("minimum", (nan, 1.0), (nan, ..., ...)),
    ("minimum", (1.0, nan), (nan, ..., ...)),
    ("pow", (0.0, 0.0), (1.0, 0.0, 0.0)),
    ("pow", (0.0, 1.0), (0.0, 1.0, 0.0)),
    ("pow", (0.0, 2.0), (0.0, 0.0, 0.0)),
    ("pow", (0.0, 0.5), (0.0, inf, 0.0)),
    ("pow", (0.0, -1.0), (inf, -inf, -inf)),
    ("pow", (-1.0, 0.5), (nan, nan, nan)),
    ("pow", (-2.0, 3.0), (-8.0, 12.0, nan)),
    ("pow", (-1.0, -2.0), (1.0, 2.0, nan)),
    ("pow", (nan, 0.0), (1.0, 0.0, ...)),
    ("pow", (1e-310, 0.0), (1.0, 0.0, ...)),
    ("pow", (-2.0, 1025.0), (-inf, ..., nan)),
    ("sqrt", (0.0,), (0.0, inf)),
    ("sqrt", (-0.0,), (-0.0, inf)),
    ("sqrt", (-1.0,), (nan, nan)),
    ("log", (0.0,), (-inf, inf)),
    ("log", (-1.0,), (nan, -1.0)),
    ("log1p", (-1.0,), (-inf, inf)),
    ("div", (1.0, 0.0), (inf, inf, -inf)),
    ("div", (0.0, 0.0), (nan, ..., nan)),
    ("div", (1.0, inf), (0.0, 0.0, -0.0)),
    ("div", (49.0, 49.0), (1.0, 1 / 49, -1 / 49)),
    ("exp", (710.0,), (inf, inf)),
    ("exp", (-inf,), (0.0, 0.0)),
    ("sigmoid", (-1000.0,), (0.0, 0.0)),
    ("sigmoid", (1000.0,), (1.0, 0.0)),
    ("tanh", (1000.0,), (1.0, 0.0)),
    ("softplus", (1000.0,), (1000.0, 1.0)),
    ("softplus", (800.0,), (800.0, 1.0)),
    ("softplus", (-800.0,), (0.0, 0.0)),
    ("softplus", (inf,), (inf, 1.0)),
    ("softplus", (-inf,), (0.0, 0.0)),
    ("softplus", (nan,), (nan, nan)),
    ("softplus", (-40.0,), (4.248354255291589e-18, ...)),
    ("step", (0.0,), (0.0, 0.0)),
    ("step", (nan,), (0.0, 0.0)),
    ("sign", (0.0,), (0.0, 0.0)),
    ("sign", (-3.0,), (-1.0, 0.0)),
    ("sin", (inf,), (nan, nan)),
    ("equal", (2.0, 2.0), (1.0, 0.0, 0.0)),
    ("equal", (2.0, -2.0), (0.0, 0.0, 0.0)),
    ("equal", (0.0, -0.0), (1.0, 0.0, 0.0)),
    ("equal", (nan, nan), (0.0, 0.0, 0.0)),
    ("where", (1.0, 2.0, 3.0), (2.0, 0.0, 1.0, 0.0)),
    ("where", (0.0, 2.0, 3.0), (3.0, 0.0, 0.0, 1.0)),
    ("detach", (5.0,), (5.0, 0.0)),
]


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize(("name", "x", "expected"), EDGES, ids=lambda part: str(part))
def test_edge_policy(name, x, expected, way):
    """Value and derivatives at the special points are those of the written policy, every way."""
    leaves = [Value(number) for number in x]
    out = TABLE[name](*leaves)
    slopes = WAYS[way](out, leaves)
    assert len(slopes) == len(expected) - 1
    assert laws.ulps(out.data, expected[0]) == 0
    for slope, wanted in zip(slopes, expected[1:]):
        assert wanted is ... or slope == wanted or (math.isnan(slope) and math.isnan(wanted)), (slopes, expected)


@given(st.floats())
def test_maximum_of_a_number_with_itself_has_slope_one(x):
    """maximum(x, x): the halves of a tie add up, at infinities too."""
    leaf = Value(x)
    assert gradients(autograd.maximum(leaf, leaf), [leaf]) == [1.0]


@ROWS
@given(data=st.data())
def test_no_row_raises_anywhere(op, data):
    """On any floats at all, forward and every partial give a float."""
    x = tuple(data.draw(st.floats()) for _ in op.partials)
    z = op.forward(*x)
    assert type(z) is float
    for partial in filter(None, op.partials):
        assert type(partial(z, *x)) is float


@given(st.floats(-700, 700))
def test_sigmoid_is_one_over_one_plus_exp(x):
    """Against the textbook formula, where that does not overflow."""
    assert laws.ulps(TABLE["sigmoid"](x), 1 / (1 + math.exp(-x))) <= 4


def test_gates_cut_what_others_multiply():
    """A dead gate passes 0 on even to an infinite adjoint; a product with 0 does not pretend to know."""
    for x in (-1.0, 0.0):
        leaf = Value(x)
        assert gradients(leaf.relu().sqrt(), [leaf]) == [0.0]
        leaf = Value(x)
        assert gradients(autograd.where(leaf > 0, leaf.log(), 0.0), [leaf]) == [0.0]
        leaf = Value(x)
        assert gradients(autograd.where(leaf.step(), leaf.log(), 0.0), [leaf]) == [0.0]
    leaf = Value(1.0)
    assert math.isnan(gradients((leaf * 0.0).sqrt(), [leaf])[0])


@pytest.mark.parametrize(
    ("name", "x", "lost"),
    [
        ("sign", (0.0,), 0),
        ("step", (-1.0,), 0),
        ("equal", (1.0, 2.0), 1),
        ("detach", (0.0,), 0),
        ("relu", (0.0,), 0),
        ("maximum", (-1.0, 0.0), 0),
        ("minimum", (0.0, 1.0), 1),
        ("where", (0.0, 5.0, 0.0), 1),
    ],
)
def test_every_gate_cuts_an_infinite_slope(name, x, lost):
    """That of the root of 0, which every one of them gives here."""
    inputs = [Value(number) for number in x]
    assert gradients(TABLE[name](*inputs).sqrt(), [inputs[lost]]) == [0.0]


def test_calling_a_row_dispatches_on_its_operands():
    """Numbers give floats, arrays arrays, Values nodes, object arrays of Values object arrays."""
    assert autograd.exp(0) == 1.0 and type(autograd.exp(np.float64(0))) is float
    np.testing.assert_array_equal(autograd.maximum(np.array([1, 5]), 3), [3, 5])
    nodes = autograd.maximum(np.array([1.0, 5.0]), Value(3.0))
    assert [node.data for node in nodes] == [3.0, 5.0] and nodes[0].op is TABLE["maximum"]
    assert autograd.exp(np.array([Value(0.0), 0.0], dtype=object))[0].op is TABLE["exp"]
    mixed = autograd.maximum(np.array([1.0, 5.0], dtype=object), np.array([3.0, 3.0]))
    assert mixed.tolist() == [3.0, 5.0] and mixed.dtype == object
    with np.testing.assert_no_warnings():
        assert np.isnan(autograd.log(np.array([-1.0, 0.0]))[0])


@pytest.mark.parametrize("bad", ["1.5", b"1", None, 1j, [1.0], object()])
def test_rows_refuse_what_is_no_real_number(bad):
    """With the thing, its type and what is allowed."""
    with pytest.raises(TypeError, match=type(bad).__name__):
        autograd.exp(bad)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "bool", "float16", "float32"])
@pytest.mark.parametrize("name", list(TABLE))
def test_arrays_of_any_real_kind_are_computed_in_double_precision(name, dtype):
    """As numbers are: no wrapping, no half precision, no refusal of bool."""
    row = TABLE[name]
    arrays = [np.array([1, 0, 1]).astype(dtype) for _ in row.partials]
    got = row(*arrays)
    assert got.dtype == np.float64
    for i in range(3):
        assert laws.ulps(float(got[i]), row(*(float(a[i]) for a in arrays))) <= 2


@pytest.mark.parametrize("array", [np.array([1j]), np.array(["1"]), np.array(["2020-01-01"], dtype="datetime64[D]")])
def test_rows_refuse_arrays_of_other_things(array):
    """None goes complex."""
    with pytest.raises(TypeError, match="does not hold real numbers"):
        autograd.sqrt(array)


def test_rows_say_how_many_operands_they_take():
    """A wrong count is a TypeError that names the row."""
    with pytest.raises(TypeError, match="maximum takes 2 operands, 1 were given"):
        autograd.maximum(Value(1.0))
    with pytest.raises(TypeError, match="log takes 1 operands, 2 were given"):
        autograd.log(8.0, 2.0)


def test_numbers_become_floats():
    """int, bool, Fraction, NumPy scalars and 0-d arrays; an int beyond the range of a float is an OverflowError."""
    for number in (3, True, Fraction(1, 2), np.float32(1.5), np.int8(3), np.bool_(True), np.array(2.0)):
        assert type(as_float(number)) is float
    with pytest.raises(OverflowError, match="beyond the range"):
        as_float(10**400)
    with pytest.raises(TypeError, match="is not a real number"):
        Value(np.ma.masked)


@pytest.mark.skipif(np.finfo(np.longdouble).max <= np.finfo(float).max, reason="no longer floats here")
def test_floats_longer_than_double():
    """Rounded; beyond the range of a float an OverflowError, in arrays too; infinity is infinity."""
    huge, third = np.longdouble("1e4000"), np.longdouble(1) / 3
    for number in huge, -huge, np.array([1, huge]), np.array([1, -huge]):
        with pytest.raises(OverflowError, match="beyond the range"):
            autograd.exp(number)
    longs = np.array([third, np.inf, -np.inf])
    assert autograd.abs(longs).tolist() == [1 / 3, inf, inf] and as_float(third) == 1 / 3


@ROWS
def test_help_describes_a_row(op):
    """What it is and what its derivative is, in words and plain text, with an example; the signature has its inputs."""
    kernel = getattr(primitives, op.name)
    assert op.forward is kernel
    inputs = list(inspect.signature(kernel).parameters)
    assert str(inspect.signature(op)) == f"({', '.join(inputs)}, /)" and len(inputs) == len(op.partials)
    shown = pydoc.plain(pydoc.render_doc(op))
    assert f"{op.name}({', '.join(inputs)}), of numbers" in shown
    assert "Derivative" in shown and f">>> {op.name}(" in shown and "\\" not in shown and "$" not in shown
    for part in kernel.__doc__.split("\n\n"):
        assert all(line.strip() in shown for line in part.splitlines())


@pytest.fixture
def arccosh(monkeypatch):
    """A row that a test adds: a kernel and a line of the table, no more."""

    def arccosh(x):
        """The number, 0 or above, whose hyperbolic cosine is x.

        Derivative: 1 / sqrt(x^2 - 1).

        >>> arccosh(1.0)
        0.0
        """
        try:
            return math.acosh(x)
        except ValueError:
            return nan

    slope = lambda z, x: ops.DIV(1.0, ops.SQRT(x * x - 1.0))  # noqa: E731  # as in the table
    monkeypatch.setattr(ops, "TABLE", TABLE)
    op = ops._row(arccosh, np.arccosh, (slope,), domain=((1.0, inf),))
    yield op
    del TABLE["arccosh"]


def test_a_row_is_all_there_is_to_add(arccosh):
    """Every interpreter reads it; the checker, which is independent, says that it has no definition of it."""
    x = Value(2.0, "x")
    y = arccosh(x)
    assert y.data == math.acosh(2.0)
    assert gradients(y, [x]) == [1 / math.sqrt(3.0)]
    (slope,) = gradients(y, [x], create_graph=True)
    assert gradients(slope, [x])[0] == pytest.approx(-2.0 / 3.0**1.5)
    assert arccosh(np.array([1.0, 0.0])).tolist()[0] == 0.0
    derivation = autograd.explain(y, x)
    assert "arccosh(x)" in str(derivation) and "1 / sqrt(x^2 - 1)" in str(derivation)
    assert r"\operatorname{arccosh}" in derivation.to_latex()
    assert "arccosh" in autograd.draw(y).source
    program = autograd.compile(y, [x])
    assert program.value_and_grad([2.0]) == (y.data, pytest.approx([1 / math.sqrt(3.0)]))
    assert "math.acosh" in program.source
    many = [Value(2.0 + i) for i in range(20)]
    assert "np.arccosh" in autograd.compile(autograd.mean([arccosh(x * x) for x in many]), many).source
    assert find(operands(arccosh), lambda xs: xs[0] < 2.0)[0] > 1.0
    report = autograd.check_gradients(y, [x])
    assert report.rows[0].verdict == "pass"
    assert "dual: there is no textbook definition of arccosh" in report.declined


def test_binding_strength():
    """Sums bind loosest, then signs, products, powers; all else is a call."""
    strength = {op.name: op.precedence for op in TABLE.values() if op.precedence != ops.CALL}
    assert strength == {"add": 1, "sub": 1, "neg": 2, "mul": 4, "pow": 5, "exp": 5}
