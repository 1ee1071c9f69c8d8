"""Compiled equals eager; and the programs are what they promise to be."""

from __future__ import annotations

import gc
import itertools
import math
import pickle
import re
import subprocess
import sys
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import nn
from autograd import (
    TABLE,
    Program,
    Value,
    compile,
    dot,
    equal,
    gradients,
    log_softmax,
    maximum,
    no_grad,
    select,
    softmax,
    topological_order,
    where,
)
from autograd.collector import paused_collector
from autograd.program import lower as lowering
from autograd.program.blocks import Gather
from autograd.program.lower import NARROW
from autograd.program.program import loaded
from autograd.strategies import expressions, operands

from .examples import examples
from .laws import ACTIVATIONS, SPECIAL, ulps
from .test_compile_functions import rows_agree

ULPS = 2
"""Elementary functions may differ by so many units in the last place; sums besides by their order."""


def close(got: float, expected: float, size: float = 1.0) -> bool:
    """To rounding, for terms up to `size`; infinities and NaN as they are."""
    if math.isnan(expected) or math.isinf(expected):
        return got == expected or (math.isnan(got) and math.isnan(expected))
    return abs(got - expected) <= 1e-11 * max(abs(expected), size)


def agrees(program: Program, output: Value, wrt: list[Value], inputs: list[Value] = []) -> None:  # noqa: B006
    """Value and gradient are those of the engine, twice in a row."""
    theta, x = [w.data for w in wrt], [[i.data for i in inputs]] if inputs else []
    found = gradients(output, wrt)
    size = max([1.0, *(abs(n.data) for n in topological_order([output]) if math.isfinite(n.data))])
    slopes = max([1.0, *(abs(g) for g in found if math.isfinite(g))])
    for _ in range(2):
        value, gradient = program.value_and_grad(theta, *x)
        assert type(value) is float and gradient.shape == (len(wrt),)
        assert close(value, output.data, size), (program.source, value, output.data)
        for got, expected in zip(gradient.tolist(), found):
            assert close(got, expected, slopes * size), (program.source, gradient, found)
        assert close(program.value(theta, *x), output.data, size)
        assert close(float(program.outputs(theta, *x)[0]), output.data, size)


@pytest.mark.parametrize("op", TABLE.values(), ids=lambda op: op.name)
def test_every_row_at_special_values(op):
    """Values within two units in the last place, gradients too, where zeros and infinities meet included."""
    for numbers in (
        itertools.product(SPECIAL, repeat=len(op.partials))
        if len(op.partials) < 3
        else [(c, 2.0, -3.0) for c in SPECIAL]
    ):
        leaves = [Value(x) for x in numbers]
        output = op(*leaves)
        value, gradient = compile(output, leaves).value_and_grad(numbers)
        assert ulps(value, output.data) <= ULPS, (op.name, numbers, value, output.data)
        for got, expected in zip(gradient.tolist(), gradients(output, leaves)):
            assert ulps(got + 0.0, expected + 0.0) <= ULPS, (op.name, numbers, got, expected)


@pytest.mark.parametrize("op", TABLE.values(), ids=lambda op: op.name)
def test_every_row_at_special_values_in_arrays(op):
    """All of them at once: within units in the last place, zeros with their sign."""
    points = [*itertools.product(SPECIAL, repeat=len(op.partials))]
    leaves = [[Value(x) for x in point] for point in points]
    with arrays_of_all_widths():
        program = compile([op(*xs) for xs in leaves], [*itertools.chain.from_iterable(leaves)])
    for point, got in zip(points, program.outputs(np.ravel(points)).tolist()):
        assert ulps(got, op(*point)) <= ULPS, (op.name, point, got)


@pytest.mark.parametrize("op", TABLE.values(), ids=lambda op: op.name)
@examples(15)
@given(data=st.data())
def test_every_row_in_groups(op, data):
    """Many rows at once, in a sum, on operands from its domain; with constants among them."""
    rows = data.draw(st.lists(operands(op), min_size=2, max_size=6))
    leaves = [[Value(x) for x in row] for row in rows]
    flat = list(itertools.chain.from_iterable(leaves))
    fixed = data.draw(st.sampled_from([None, 0])) if len(op.partials) > 1 else None
    results = [op(*(x.data if k == fixed else x for k, x in enumerate(row))) for row in leaves]
    output = sum(y * (i + 1.0) for i, y in enumerate(results))
    with arrays_of_all_widths() if data.draw(st.booleans()) else nullcontext():
        agrees(compile(output, flat), output, flat)


@contextmanager
def arrays_of_all_widths():
    """Nothing is written as scalar statements, however narrow."""
    narrow, lowering.NARROW = lowering.NARROW, 0
    try:
        yield
    finally:
        lowering.NARROW = narrow


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(expressions(ops=list(TABLE), max_instructions=20, max_leaves=6), st.data())
def test_random_graphs(expression, data):
    """Shared nodes, repeated inputs, constants, dead branches, unused leaves; infinities too."""
    leaves = [Value(x) for x in expression.leaves]
    output = expression(*leaves)
    assume(isinstance(output, Value))
    assume(all(abs(x.data) < 1e6 or not math.isfinite(x.data) for x in topological_order([output])))
    assume(all(abs(g) < 1e6 or not math.isfinite(g) for g in gradients(output, leaves)))
    split = data.draw(st.integers(0, len(leaves)))
    with arrays_of_all_widths() if data.draw(st.booleans()) else nullcontext():
        agrees(compile(output, leaves[:split], inputs=leaves[split:]), output, leaves[:split], leaves[split:])


@pytest.mark.parametrize("loss", [nn.half_squared_error, nn.mean_squared_error, nn.cross_entropy])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_model_and_loss(activation, loss):
    """Unrolled over one example, two and five; and again after the parameters have changed."""
    rng = np.random.default_rng(0)
    for widths, count in itertools.product([[3], [4, 3], [5, 4, 3]], [1, 2, 5]):
        model = nn.MLP(4, widths, activation=activation, seed=1)
        x, y = rng.normal(size=(count, 4)), np.eye(3)[rng.integers(3, size=count)]

        def cost(model=model, x=x, y=y):
            return nn.cost(loss, [model(row) for row in x], y.tolist())

        parameters = model.parameters()
        program = compile(cost(), parameters)
        agrees(program, cost(), parameters)
        for parameter in parameters:
            parameter.data *= 1.25
        agrees(program, cost(), parameters)


@pytest.mark.parametrize("loss", [nn.binary_cross_entropy, nn.hinge])
def test_losses_of_one_output(loss):
    """Targets differ from example to example."""
    rng = np.random.default_rng(0)
    model = nn.MLP(2, [5, 1], activation=nn.tanh, seed=1)
    targets = [1, 0, 1, 1, 0] if loss is nn.binary_cross_entropy else [1, -1, 1, 1, -1]
    cost = nn.cost(loss, [model(row) for row in rng.normal(size=(5, 2))], targets)
    agrees(compile(cost, model.parameters()), cost, model.parameters())


def demo(count: int = 100) -> tuple[Value, list[Value]]:
    """The loss of micrograd's demo, unrolled, and its parameters."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(count, 2)).tolist()
    y = [1 if a * b > 0 else -1 for a, b in x]
    model = nn.MLP(2, [16, 16, 1], seed=0)
    for i, parameter in enumerate(model.parameters()):
        parameter.data += 0.01 * (i % 7)  # no bias is 0
    losses = [(1 + -yi * model(xi)).relu() for xi, yi in zip(x, y)]
    return sum(losses) * (1.0 / count) + 1e-4 * sum(p * p for p in model.parameters()), model.parameters()


def test_the_unrolled_demo_becomes_matrix_products():
    """65,000 nodes, sixteen statements; rows over examples and neurons are three matrix products."""
    loss, parameters = demo()
    program = compile(loss, parameters)
    agrees(program, loss, parameters)
    assert len(topological_order([loss])) > 60_000
    assert repr(program).startswith("Program of 337 parameters and 0 inputs, 1")
    assert not any(word in program.source for word in ("np.bincount", "concatenate", "ascontiguousarray"))
    body = program.source.split("def value_and_grad")[1]
    for line in (
        "z2 = c1 @ W1.T + b1",
        "a1 = relu(z2)",
        "z3 = a1 @ W2.T + b2",
        "dW2 += dz3.T @ a1",
        "da1 = dz3 @ W2",
        "dW1 += dz2.T @ c1",
    ):
        assert f"    {line}\n" in body, program.source


def test_the_source_reads_like_the_matrix_notes():
    """For one example: z = W a + b, the activation, delta, dW, db, in at most 60 lines."""
    model = nn.MLP(2, [16, 16, 1], activation=nn.tanh, seed=0)
    x = [Value(0.5), Value(-1.0)]
    loss = nn.half_squared_error(model(x), 1.0)
    program = compile(loss, model.parameters(), inputs=x)
    agrees(program, loss, model.parameters(), x)
    body = program.source.split("def value_and_grad")[1]
    assert len(body.splitlines()) <= 60
    for line in (
        "z1 = W1 @ x + b1", "a1 = np.tanh(z1)", "z2 = W2 @ a1 + b2", "a2 = np.tanh(z2)",
        "da1 = dz2 @ W2", "dz1 = da1 * (1.0 - a1 * a1)", "db1 += dz1", "dW1 += dz1[:, None] * x",
    ):  # fmt: skip
        assert f"    {line}\n" in body, program.source


def test_numbers_are_written_one_by_one():
    """Floats of Python under names of their own, w for parameters and u for inputs; slopes are added up as floats."""
    w, x = [Value(0.5), Value(-1.0)], [Value(2.0), Value(3.0)]
    output = ((w[0] * x[1]).sin() * w[0] + w[1] / x[0]).exp()
    program = compile(output, w, inputs=x)
    agrees(program, output, w, x)
    imports, _, gradient = program.source.split("\n\n\n")
    assert imports == "import math\n\nimport numpy as np"
    assert (
        gradient
        == """\
def value_and_grad(theta, x):
    w1 = theta.item(1)
    u1 = x.item(0)
    w2 = theta.item(0)
    u2 = x.item(1)
    v1 = w1 / u1
    v2 = w2 * u2
    v3 = math.sin(v2)
    v4 = v3 * w2
    v5 = v4 + v1
    v6 = math.exp(v5)

    dtheta = np.zeros_like(theta)
    dw1 = 0.0
    dw2 = 0.0
    dv6 = 1.0
    dv5 = dv6 * v6
    dv3 = dv5 * w2
    dw2 += dv5 * v3
    dv2 = dv3 * math.cos(v2)
    dw2 += dv2 * u2
    dw1 += dv5 * (1.0 / u1)
    dtheta[1] += dw1
    dtheta[0] += dw2
    return float(v6), dtheta
"""
    )


def test_the_source_stands_by_itself():
    """It runs without this library."""
    loss, parameters = demo(3)
    program = compile(loss, parameters)
    theta = [p.data for p in parameters]
    check = "\n".join([
        program.source, "import sys", "assert 'autograd' not in sys.modules", f"print(repr(value(np.array({theta}))))",
    ])  # fmt: skip
    done = subprocess.run([sys.executable, "-I", "-c", check], capture_output=True, text=True, check=True)
    assert float(done.stdout) == program.value([p.data for p in parameters])


def test_programs_pickle_and_are_pure():
    """The arrays that they are given are left as they are."""
    loss, parameters = demo(4)
    program = compile(loss, parameters)
    theta = np.array([p.data for p in parameters])
    before = theta.copy()
    other = pickle.loads(pickle.dumps(program))
    (value, gradient), (again, slopes) = program.value_and_grad(theta), other.value_and_grad(theta)
    gradient += 1.0
    assert value == again and np.array_equal(gradient, slopes + 1.0) and np.array_equal(theta, before)
    assert str(other) == str(program)
    assert pickle.loads(pickle.dumps(program)).value(theta) == value  # also when it has run


def test_backward_of_a_graph_returns_its_value():
    """And adds to the gradient."""
    x = Value(2.0)
    program = compile(x * x, [x])
    assert program.backward() == program.backward() == 4.0 and x.grad == 8.0


def test_several_outputs():
    """Their values; a value and a gradient are of one."""
    x = [Value(2.0), Value(3.0)]
    program = compile([x[0] * x[1], x[0], x[1].sin()], x)
    assert program.outputs([2.0, 3.0]).tolist() == [6.0, 2.0, math.sin(3.0)]
    with pytest.raises(ValueError, match="the program has several outputs; compile the one to differentiate"):
        program.value_and_grad([2.0, 3.0])
    for several in (program, pickle.loads(pickle.dumps(program))):
        with pytest.raises(ValueError, match=r"the program has several outputs; call outputs\(theta, ...\)"):
            several.value([2.0, 3.0])
    assert compile([x[0] * x[1]], x).value([2.0, 3.0]) == 6.0  # a list of one is one


def test_interior_nodes_may_be_parameters():
    """The program begins at them."""
    x = Value(2.0)
    h = x * 3
    output = h * h + x
    value, gradient = compile(output, [h]).value_and_grad([5.0])
    assert (value, gradient.tolist()) == (27.0, [10.0])


def test_a_computed_value_is_a_parameter_only_by_itself():
    """L = h*h*w with h = w*x at w = 1, x = -0.5: dL/dh = 2hw = -1, dL/dw = 3 w^2 x^2 = 0.75, not h*h = 0.25."""
    w, x = Value(1.0), Value(-0.5)
    h = w * x
    loss = h * h * w
    assert compile(loss, [h]).value_and_grad([-0.5]) == (0.25, [-1.0])
    assert compile(loss, [w, x]).value_and_grad([1.0, -0.5])[1].tolist() == [0.75, -1.0]
    again = (h * 2.0) * 3.0
    for wrt, inputs in (([h, w], []), ([w, h], []), ([w], [h]), ([h], [w]), ([again, x], []), ([], [h, x])):
        with pytest.raises(ValueError, match="was computed from another Value in wrt or inputs"):
            compile(loss + again, wrt, inputs=inputs)
    with pytest.raises(ValueError, match="was computed from another"):
        compile(lambda t: h * h * w * t, [h, w])
    scaled = x * 2.0
    assert compile(scaled * w, [w], inputs=[scaled]).value_and_grad([3.0], [5.0]) == (15.0, [5.0])
    with no_grad():
        free = w * 2.0  # computed, but from nothing that is known
    assert compile(free * w, [free, w]).value_and_grad([2.0, 1.0])[1].tolist() == [1.0, 2.0]


def test_what_trains_nothing_is_an_error_that_says_what_to_write():
    """A function without parameters, as a call and as a decorator; a graph in which nothing varies."""
    w, x = Value(2.0), Value(3.0)
    for call in (
        lambda: compile(lambda x: w * x),
        lambda: compile(lambda x: w * x, []),
        lambda: compile(lambda x: w * x, wrt=()),
        lambda: compile(nn.MLP(1, [1])),
        lambda: compile(reduction="sum"),
    ):
        with pytest.raises(ValueError, match=r"write compile\(function, parameters\).* or @compile\(wrt=parameters\)"):
            call()
    for values in (w * x, [w * x]):
        with pytest.raises(ValueError, match=r"write compile\(loss, parameters\)"):
            compile(values)
    assert compile(w * x, [], inputs=[x]).value([], [5.0]) == 10.0


def test_an_output_that_is_a_leaf_or_a_constant():
    """Nothing to compute."""
    x = Value(2.0)
    assert compile(x, [x]).value_and_grad([7.0])[1].tolist() == [1.0]
    value, gradient = compile(Value(3.0) * 2.0, [x]).value_and_grad([7.0])
    assert (value, gradient.tolist()) == (6.0, [0.0])


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("a1 @ W2.T", "a1 @ W2"),
        (" + b1\n", "\n"),
        ("db1 += dz2.sum(axis=0)", "db1[...] = dz2[0]"),
        ("dW2 += dz3.T @ a1", "dW2 += a1.T @ dz3"),
        ("dtheta += 2.0 * (dz1 * theta)", "dtheta += dz1 * theta"),
        ("(z2 > 0.0)", "(z2 > 0.1)"),
    ],
)
def test_a_wrong_program_is_noticed(right, wrong):
    """The negative controls: operand order, a dropped bias, a missing accumulation, a sign in the rule."""
    loss, parameters = demo(20)
    program = compile(loss, parameters)
    agrees(program, loss, parameters)
    assert right in program.source, program.source
    program._fast = program._careful = loaded(program.source.replace(right, wrong))
    with pytest.raises((AssertionError, ValueError)):
        agrees(program, loss, parameters)


def test_an_error_of_arrays_is_not_computed_around():
    """Only Python's floats raise where there is an answer; what else raises is a fault of the program."""
    p = many(2)
    for output, values in ((dot(p, p), None), ((p[0] / p[1]).tanh(), 1.0)):
        program = compile(output, p)
        program._fast = loaded(program.source.replace("(theta):", "(theta):\n    raise ValueError"))
        with nullcontext() if values else pytest.raises(ValueError, match=r"^$"):
            assert program.value([1.0, 0.0]) == values


def test_arguments_are_checked():
    """What was given, what is allowed."""
    x, y = Value(1.0), Value(2.0)
    with pytest.raises(TypeError, match=r"3\.0 \(float\) is not a Value"):
        compile(3.0 and [3.0], [x])
    with pytest.raises(ValueError, match="a Value is given twice"):
        compile(x * y, [x], inputs=[x])
    with pytest.raises(ValueError, match="a Value is given twice in wrt"):
        compile(lambda z: x * z, [x, x])
    with pytest.raises(ValueError, match="a function was given inputs="):
        compile(lambda z: x * z, [x], inputs=[y])
    with pytest.raises(TypeError, match=r"give model\.parameters\(\)"):
        compile(x * y, nn.Neuron(2))
    program = compile(x * y, [x, y])
    for theta in ([1.0], [[1.0, 2.0]], 3.0):
        with pytest.raises(ValueError, match=r"theta has shape .* give \(2,\)"):
            program.value(theta)
    with pytest.raises(ValueError, match="1 arrays of inputs; give 0: there are none"):
        program.value([1.0, 2.0], [1.0])
    for theta, message in (
        ([x, y], "holds Values; give their numbers, such as [p.data for p in parameters]"),
        ([x], "holds Values; give their numbers, such as [p.data for p in parameters]"),
        ([None, 1.0], "holds None (NoneType) at (0,); give real numbers"),
        (["1", "2"], "holds '1' (str) at (0,); give real numbers"),
        ([2.0, 1j], "holds 1j (complex) at (1,); give real numbers"),
    ):
        with pytest.raises(TypeError, match=f"^theta {re.escape(message)}$"):
            program.value(theta)


@pytest.mark.parametrize("option", [{"reduction": "sum"}, {"branches": "raise"}])
def test_options_of_functions_are_not_ignored_for_graphs(option):
    w = Value(2.0)
    with pytest.raises(ValueError, match="a graph was given reduction= or branches=; they are for functions"):
        compile(w * w, [w], **option)


def test_dots_that_fill_no_grid():
    """Rows with vectors of their own are worked out row by row; gradients of shared vectors add up."""
    w = [[Value(0.1 * (3 * i + j)) for j in range(3)] for i in range(4)]
    x = [[Value(0.2 * (i - j)) for j in range(3)] for i in range(4)]
    pairs = [(0, 0), (1, 1), (2, 2), (3, 3), (0, 1), (1, 0)]
    output = sum(dot(w[i], x[j]).tanh() for i, j in pairs)
    leaves = list(itertools.chain.from_iterable(w + x))
    with arrays_of_all_widths():
        program = compile(output, leaves)
        assert "einsum" in program.source
        agrees(program, output, leaves)
    agrees(compile(output, leaves), output, leaves)


def many(count: int) -> list[Value]:
    """Parameters at numbers of their own."""
    return [Value(0.1 * (i + 1), f"p{i}") for i in range(count)]


LAYOUTS = {
    "reversed": lambda p: p[0] * p[3] + p[1] * p[2],
    "reversed dot": lambda p: dot(p[:3], p[3:6][::-1]),
    "windows": lambda p: (p[0] + p[1] + p[2]) * (p[1] + p[2] + p[3]),
    "convolution": lambda p: sum(dot(p[:3], p[3 + i : 6 + i]).tanh() * (i + 1.0) for i in range(3)),
    "toeplitz": lambda p: sum(dot(p[:3], p[5 + i : 2 + i : -1]).tanh() for i in range(3)),
    "shared scalars": lambda p: _shared_scalars(p),
    "shared sum": lambda p: _shared_sum(p),
    "tied": lambda p: p[0].exp() / (p[0].exp() + p[0].exp() + p[0].exp() * p[1]),
    "repeated dots": lambda p: dot(p[:2], p[4:6]) * dot(p[4:6], p[:2]) * dot(p[2:4], p[6:8]) * dot(p[:2], p[6:8]),
    "signed zeros": lambda p: (p[0] / 0.0).tanh() * 2 + (p[1] / -0.0).tanh() * 3,
    "square, turned": lambda p: sum(dot([p[i], p[2 + i]], p[4:6]).tanh() * (i + 1.0) for i in range(2)),
    "columns": lambda p: _columns(p),
    "a sum of many": lambda p: sum(_chain(p, 100)),
    "attention": lambda p: _attention(p),
    "one slope for two": lambda p: _one_slope_for_two(p),
    "grid": lambda p: _grid_beside_others(p),
}


def _shared_scalars(p):
    a, b = p[0].sin(), p[1].exp()
    s = a + b
    return (s * p[2]).tanh() + (s * p[3]).tanh() + a.cos()


def _shared_sum(p):
    a, b, c = p[0].sin(), p[1].exp(), p[2].cos()
    s = a + b + c
    return s * a + s * b * c + s


def _columns(p):
    h = [[(p[2 * i + j] * 1.5).tanh() for j in range(2)] for i in range(2)]
    return sum(
        dot([h[0][j], h[1][j]], p[4 + 2 * i : 6 + 2 * i]).sin() * (i + 2.0 * j + 1) for i in range(2) for j in range(2)
    )


def _chain(p, length):
    h, hs = p[1], []
    for _ in range(length):
        h = (p[0] * h).tanh()
        hs.append(h)
    return hs


def _attention(p):
    q, k = [p[2 * i : 2 * i + 2] for i in range(2)], [p[4 + 2 * i : 6 + 2 * i] for i in range(2)]
    out = 0.0
    for i in range(2):
        scores = softmax([dot(q[i], k[j]) for j in range(i + 1)])
        out = out + sum(dot([s], [p[j]]) * (j + 1.0) for j, s in enumerate(scores))
    return out


def _one_slope_for_two(p):
    """Of the addends of a sum, one goes on to other uses, whose slopes come later."""
    a, b = [x.exp() for x in p[:4]], [x.sin() for x in p[4:]]
    used = [(x * 3.0).tanh() for x in a]
    return sum((x + y).cos() * (i + 1.0) for i, (x, y) in enumerate(zip(a, b))) + sum(used)


def _grid_beside_others(p):
    """Elements of a grid and of vectors, in no order."""
    grid = [[dot(p[2 * i : 2 * i + 2], p[2 * j + 1 : 2 * j + 3]) + p[i] for j in range(3)] for i in range(3)]
    read = [*(v for row in grid for v in row), *(v.sin() for v in p[:3]), *(v.cos() for v in p[4:7])]
    picks = [3, 0, 5, 11, 7, 2, 2, 12, 6, 10, 1, 13, 4, 8]
    return sum((read[i] * read[j]).tanh() * (i + 1.5) for i, j in zip(picks, picks[3:])) + sum(read[1:7:2])


@pytest.mark.parametrize("widths", [nullcontext, arrays_of_all_widths])
@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_layouts(layout, widths):
    """What is read backwards, overlaps, is shared or tied; at other numbers, too."""
    p = many(8)
    with widths():
        program = compile(LAYOUTS[layout](p), p)
        assert "as_strided" not in program.source
    for factor in (1.0, -0.75, 2.5):
        for i, w in enumerate(p):
            w.data = factor * 0.1 * (i + 1)
        agrees(program, LAYOUTS[layout](p), p)


def cut(values, length):
    """In rows of this length."""
    return [values[i : i + length] for i in range(0, len(values), length)]


def grid(rows, columns):
    """Each row times each column."""
    return [[dot(row, column) for column in columns] for row in rows]


def _two_matrices(p, x):
    """One of 2 rows and 3 columns, one of 3 rows and 2, each a product of its own."""
    a = [[v.tanh() for v in row] for row in grid(cut(p[:4], 2), cut(x[:6], 2))]
    b = [[v.sin() for v in row] for row in grid(cut(p[4:13], 3), cut(x[6:12], 3))]
    return a, b


def _first_row(a):
    return sum((v * 1.5).exp() * (i + 1.0) for i, v in enumerate(a[0]))


def _crossed(a, b):
    return sum(dot(row, column).cos() * (i + 1.0) for i, (row, column) in enumerate(zip(b, zip(*a))))


def _a_row_and_columns(p, x):
    """The slopes of the matrix begin as another one turned."""
    a, b = _two_matrices(p, x)
    return _crossed(a, b) + _first_row(a)


def _a_row_and_a_sum(p, x):
    """They begin as those of a sum, which are another matrix turned."""
    a, b = _two_matrices(p, x)
    added = [[v + w.sin().cos().tanh() for v, w in zip(row, other)] for row, other in zip(a, cut(p[13:19], 3))]
    return _crossed(added, b) + _first_row(a)


def _rows_of_two_addends(p, x):
    """Both begin as those of the sum."""
    a, b = _two_matrices(p, x)[0], [[v.sin() for v in row] for row in grid(cut(p[4:10], 3), cut(p[10:19], 3))]
    used, pairs = _first_row(a) + _first_row(b), zip(itertools.chain(*a), itertools.chain(*b))
    return sum((u + v).cos() * (i + 1.0) for i, (u, v) in enumerate(pairs)) + used


@pytest.mark.parametrize("function", [_a_row_and_columns, _a_row_and_a_sum, _rows_of_two_addends])
def test_a_row_of_a_matrix_that_is_used_besides(function):
    """Its slopes count, whoever else has those of the matrix and however they lie in memory; in a batch, too."""
    p, x = many(19), [Value(0.3 + 0.05 * (i * i % 7)) for i in range(12)]
    with arrays_of_all_widths():
        agrees(compile(function(p, x), p + x), function(p, x), p + x)
    table = np.linspace(-1.0, 1.0, 36).reshape(3, 12)
    rows_agree(lambda row: function(p, row), p, [v.data for v in p], table)


def rolled(output: Value, parameters: list[Value]) -> tuple[int, int, int]:
    """Of its program as arrays: the statements, the operands that are gathered, the numbers in constant arrays."""
    with arrays_of_all_widths():
        statements = compile(output, parameters)._lowered.statements
    operands = [x for statement in statements for x in statement.operands]
    constants = [x.size for x in operands if isinstance(x, np.ndarray)]
    return len(statements), sum(isinstance(x, Gather) for x in operands), sum(constants)


ROLLED = {
    "reversed": (1, 0, 0), "reversed dot": (1, 0, 0), "windows": (2, 1, 0), "convolution": (3, 1, 3),
    "toeplitz": (3, 1, 0), "shared scalars": (7, 0, 0), "shared sum": (7, 2, 0), "tied": (4, 0, 0),
    "repeated dots": (4, 2, 0), "signed zeros": (3, 0, 4), "square, turned": (3, 0, 2), "columns": (5, 1, 4),
    "a sum of many": (201, 1, 0), "attention": (14, 3, 3), "one slope for two": (8, 0, 4), "grid": (8, 4, 11),
}  # fmt: skip


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_layouts_roll(layout):
    """As far as they did when this was written; fewer of anything is welcome."""
    p = many(8)
    assert rolled(LAYOUTS[layout](p), p) == ROLLED[layout]


def test_models_roll():
    """Layers over examples are as many statements as for one; a softmax gathers its targets."""
    rng = np.random.default_rng(0)
    assert rolled(*demo(20)) == (16, 0, 60)
    for widths, expected in (([3], (12, 1, 20)), ([4, 3], (15, 1, 20))):
        model = nn.MLP(4, widths, activation=nn.tanh, seed=1)
        x, y = rng.normal(size=(5, 4)), rng.integers(3, size=5)
        cost = nn.cost(nn.cross_entropy, [model(row) for row in x], y.tolist())
        assert rolled(cost, model.parameters()) == expected


def test_constants_that_repeat():
    """They are all there where they are summed, looked up or returned."""
    p, i, j = many(8), Value(1), Value(2)
    with arrays_of_all_widths():
        for output in (
            p[0] + 2.0 + p[1] + 2.0 + p[2] + 2.0,
            sum(x.exp() * 0.0 for x in p[:3]).tanh() + sum(x.exp() * 0.0 for x in p[4:]).tanh(),
            sum(x * 2.0 for x in p[:3]).tanh() + sum(x * 3.0 for x in p[4:7]).tanh(),
            sum(x * 2.0 for x in p[:3]),
            select([2.0, 2.0, 2.0], i) * p[0],
            select([2.0, 2.0, 2.0], i) * p[0] + select([3.0, 3.0, 3.0], j) * p[1],
        ):
            agrees(compile(output, p, inputs=[i, j]), output, p, [i, j])
        assert compile([Value(2.0), Value(2.0)], p[:1]).outputs([1.0]).tolist() == [2.0, 2.0]
        ragged = sum(p[:3]).tanh() + sum(p[4:]).tanh()
        values = compile([ragged, Value(3.0)], p).outputs([x.data for x in p])
    np.testing.assert_allclose(values, [ragged.data, 3.0], rtol=1e-14)  # the last number is not what pads


def test_long_sums_of_many_blocks():
    """Thousands of blocks of their own are no expression of thousands of terms."""
    p = many(2)
    output = sum(_chain(p, 3000))
    agrees(compile(output, p), output, p)


def test_a_zero_slope_does_not_silence_infinity():
    """Only gates and zero adjoints do."""
    p = many(1)
    output = (p[0] * 0.0).log()
    assert math.isnan(compile(output, p).value_and_grad([1.0])[1][0]) and math.isnan(gradients(output, p)[0])
    p = [Value(x) for x in (1.0, 0.0, 0.0, 1.0)]
    agrees(compile(dot(p[:2], p[2:]).log(), p), dot(p[:2], p[2:]).log(), p)
    q = [Value(x) for x in (1.0, 0.0, 2.0, 0.0, 0.0, 3.0)]
    scattered = dot([q[0], q[3], q[1]], [q[4], q[2], q[5]]).log()
    agrees(compile(scattered, q), scattered, q)
    tie = maximum(p[0], p[3]) * 3.0 + p[1].sqrt()  # infinite, so that all is computed carefully
    agrees(compile(tie, p), tie, p)
    off = where(p[1].step(), p[0] * math.inf, p[3])
    assert gradients(off, p)[0] == 0.0
    agrees(compile(off, p), off, p)


@pytest.mark.parametrize("step", [-1.0, 1000.0])
def test_ragged_softmaxes_of_large_numbers(step):
    """The shorter one is padded with what changes no maximum, and the longer one is read to its end."""
    p = [Value(-1000.0 + step * i) for i in range(7)]
    output = softmax(p[:3])[1] + softmax(p[3:])[3] * 2.0
    with arrays_of_all_widths():
        program = compile(output, p)
    agrees(program, output, p)


def test_theta_of_any_layout():
    """A slice of a larger array is read as what it is."""
    p = many(6)
    program = compile(sum((p[i] + p[i + 1] + p[i + 2]).tanh() * (i + 1.0) for i in range(4)), p)
    theta = (np.arange(12.0) * 0.1)[::2]
    assert program.value(theta) == program.value(theta.copy())


def test_what_is_no_list_of_values():
    """Named, with what to give."""
    p = many(2)
    for call in (
        lambda: compile(p[0], p[0]),
        lambda: compile(p[0], None),
        lambda: compile(3.0, p),
        lambda: compile(p[0], p, inputs=p[1]),
    ):
        with pytest.raises(TypeError, match="give a list of Values"):
            call()
    with pytest.raises(ValueError, match="compile was given no Values"):
        compile([], p)
    assert compile(p[0] * 2, iter(p)).value([3.0, 0.0]) == 6.0


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.data(), st.booleans())
def test_random_layouts(data, batch):
    """Groups over rows picked at regular and irregular distances, forwards and backwards, from earlier groups."""
    numbers = st.floats(-2.0, 2.0).map(lambda x: round(x, 2))
    theta, x = ([data.draw(numbers) for _ in range(n)] for n in (7, 5))
    plan = []
    count = 12
    for _ in range(data.draw(st.integers(1, 4))):
        kind = data.draw(st.sampled_from(["mul", "sub", "sigmoid", "tanh", "dot", "sum", "maximum"]))
        rows, length = data.draw(st.integers(1, 4)), data.draw(st.integers(2, 3)) if kind in ("dot", "sum") else 1
        picks = []
        for _ in range(2):
            start, down, right = (data.draw(st.integers(-count, count)) for _ in range(3))
            down, right = data.draw(
                st.sampled_from([(down, right), (1, 1), (length, 1), (1, rows), (0, 1), (1, 0), (-1, 1)])
            )
            picks.append([[(start + i * down + j * right) % count for j in range(length)] for i in range(rows)])
        plan.append((kind, picks))
        count += rows

    def build(theta, x):
        values = [*theta, *x]
        for kind, (first, second) in plan:
            a, b = ([[values[i] for i in row] for row in pick] for pick in (first, second))
            if kind == "dot":
                values += [dot(u, v) for u, v in zip(a, b)]
            elif kind == "sum":
                values += [u[0] + u[1] + v[0] + v[-1] for u, v in zip(a, b)]
            elif len(TABLE[kind].partials) == 2:
                values += [TABLE[kind](u[0], v[0]) for u, v in zip(a, b)]
            else:
                values += [TABLE[kind](u[0]) for u in a]
        return sum(v * (0.1 * i + 0.5) for i, v in enumerate(values[12:])).tanh() + values[-1] * 0.5

    leaves, inputs = [Value(t) for t in theta], [Value(t) for t in x]
    if batch:
        table = [x, [-t for t in x], [0.5 * t + 0.1 for t in x]]
        rows_agree(lambda row: build(leaves, row), leaves, theta, np.array(table), atol=1e-9)
    else:
        with arrays_of_all_widths() if data.draw(st.booleans()) else nullcontext():
            agrees(compile(build(leaves, inputs), leaves, inputs=inputs), build(leaves, inputs), leaves, inputs)


@pytest.mark.parametrize("widths", [nullcontext, arrays_of_all_widths])
@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, -1.0])
def test_powers_with_constant_exponents(exponent, widths):
    """x**0 has slope 0 also at 0, x**1 slope 1; alone and in groups."""
    p = many(4)
    with widths():
        programs = [compile(p[0] ** exponent, p[:1]), compile(sum(x**exponent for x in p), p)]
    for shift in (0.0, 0.1, -0.3):
        for i, x in enumerate(p):
            x.data = 0.1 * i - shift
        agrees(programs[0], p[0] ** exponent, p[:1])
        agrees(programs[1], sum(x**exponent for x in p), p)


def test_powers_of_a_negative_constant():
    """(-2)**x is no -(2**x)."""
    p = many(3)
    with arrays_of_all_widths():
        program = compile(sum((-2.0) ** x for x in p), p)
    assert program.value([2.0, 3.0, 4.0]) == 4.0 - 8.0 + 16.0


def test_a_selection_may_be_the_beginning_of_another():
    """Then an index beyond the first is an error of neither."""
    w, index = many(3), Value(0.0)
    first = chosen = math.nan
    for i, x in enumerate(w):
        chosen = where(equal(index, float(i)), x, chosen)
        first = chosen if i == 1 else first
    program = compile([first, chosen], w, inputs=[index])
    np.testing.assert_array_equal(program.outputs([1.0, 2.0, 3.0], [2.0]), [math.nan, 3.0])
    np.testing.assert_array_equal(program.outputs([1.0, 2.0, 3.0], [1.0]), [2.0, 2.0])


def test_the_listing_says_what_did_not_roll():
    """And why; long ones are shortened in the middle."""
    p = many(80)
    irregular = [i * i % 37 for i in range(lowering.NARROW + 3)]
    lines = str(compile(sum(p[i].tanh() * (n + 1.0) for n, i in enumerate(irregular)), p)).splitlines()
    assert lines[0].split() == ["a1", "=", "math.tanh(w1)", "()", "1", "node,", "alone"]
    assert lines[0].index("()") == 62 and lines[-2].endswith("gathered: it reads from a1, a2, a4, ...")
    assert lines[-1] == "20 statements for 152 nodes"
    picked = sum(x * math.sqrt(n + 2.0) for n, x in enumerate(p[i] for i in irregular)).tanh()
    assert "nodes, gathered: what it reads of theta lies at irregular distances" in str(compile(picked, p))
    with arrays_of_all_widths():
        a, v = [x.tanh() for x in p[:5]], [x.sin() for x in p[5:9]]
        ragged = (a[0] + a[1] + a[3] + a[4]).sin() + (a[2] + a[0] + a[4]).sin() * 2.0
        mixed = sum(((a + v)[i] * p[n]).exp() * (n + 0.5) for n, i in enumerate((0, 5, 3, 1, 5, 2, 4, 0, 3)))
        for output, names in ((ragged, "a1, constants"), (mixed, "v4, v5")):
            program = compile(output, p)
            assert f"gathered: it reads from {names}\n" in str(program)
            agrees(program, output, p)
        blocks = [[f(x) for x in p[:2]] for f in (Value.sin, Value.cos, Value.exp, Value.tanh)]
        for count, names in ((2, "v1, v2"), (3, "v1, v2, v3"), (4, "v1, v2, v3, ...")):
            read = [block[i] for i in (1, 0) for block in blocks[:count]]
            assert (
                str(compile(sum(x * (i * i + 0.5) for i, x in enumerate(read)), p)).count(f"reads from {names}\n") == 1
            )
    model = nn.MLP(2, [3, 1], activation=nn.tanh, seed=0)  # for each of 3: two products, their sum, the bias
    line = str(compile(model([0.5, -1.0]), model.parameters())).splitlines()[0]
    assert line.split("  ")[0] == "z1 = W1 @ c1 + b1" and line.endswith("  12 nodes")
    lines = str(compile(_chain(p, 100)[-1], p)).splitlines()
    assert len(lines) == 201 and "more" not in lines[100]
    lines = str(compile(_chain(p, 101)[-1], p)).splitlines()
    assert len(lines) == 202 and lines[100] == "... 2 more ..." and lines[-1] == "202 statements for 202 nodes"
    assert lines[99].startswith("a50 = ") and lines[101].startswith("v52 = ") and lines[200].startswith("a101 = ")


def test_the_collector_is_left_as_it_was():
    """Running, or not."""
    assert gc.isenabled()
    with paused_collector():
        assert not gc.isenabled()
        with paused_collector():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_shift_of_a_softmax_is_one_maximum():
    """Its chain of maxima is detached, and contracted; one that is differentiated is not."""
    p = many(5)
    shifted = log_softmax(p)[1]
    program = compile(shifted, p)
    agrees(program, shifted, p)
    assert ".max(axis=-1)" in program.source and "maximum(" not in program.source
    with arrays_of_all_widths():  # though the second is computed before the others
        assert "    v1 = theta.max(axis=-1)\n    v2 = theta - v1\n" in compile(shifted, p).source
    plain = maximum(maximum(p[0], p[1]), p[2]) * p[3]
    assert ".max(" not in compile(plain, p).source
    agrees(compile(plain, p), plain, p)
    for numbers in ([math.nan, 1.0, 2.0, 3.0, 4.0], [-0.0, 0.0, -0.0, 0.0, -1.0], [math.inf, 1.0, 2.0, 3.0, -math.inf]):
        for w, number in zip(p, numbers):
            w.data = number
        agrees(program, log_softmax(p)[1], p)


def test_edges_of_arrays_and_numbers():
    """x ** 0.5 at -0.0 and -inf, the sign of -0.0, a square under a huge slope: as the engine has them."""
    for count in (1, NARROW + 30):
        xs = [Value(1.0) for _ in range(count)]
        for numbers in ([-0.0] * count, [-math.inf] * count):
            program = compile([x**0.5 for x in xs], xs)
            np.testing.assert_array_equal(program.outputs(numbers), [TABLE["pow"](x, 0.5) for x in numbers])
            program = compile([x.sign() for x in xs], xs)
            assert not np.signbit(program.outputs([-0.0] * count)).any()
        negated = compile(-xs[0], xs)
        assert np.signbit(negated.value([0.0] * count)) and np.signbit(negated.value_and_grad([0.0] * count)[0])
    for exponent in (0.5, np.array([0.5]), np.full((3, 1), 0.5)):
        for root in np.atleast_2d(TABLE["pow"](np.array([-math.inf, -0.0]), exponent)).tolist():
            assert root == [math.inf, 0.0] and math.copysign(1.0, root[1]) == 1.0
    xs, ps = [Value(-0.0) for _ in range(200)], [Value(0.5) for _ in range(200)]
    for inputs, p in ((xs, ps), (xs, ps[:1] * 200)):
        program = compile([x**q for x, q in zip(inputs, p)], [*xs, *ps])
        found = program.outputs([*[-0.0, -math.inf] * 100, *[0.5] * 200])
        assert found.tolist() == [0.0, math.inf] * 100 and not np.signbit(found).any()
    w = [Value(1e-100), Value(2e-100)]
    gradient = compile((w[0] * w[0] + w[1] * w[1]) * 1.5e308, w).value_and_grad([1e-100, 2e-100])[1]
    np.testing.assert_allclose(gradient, [3e208, 6e208])


def test_tables_of_their_own():
    """Of a graph: each index picks from its own parameters; an index beyond them is an error."""
    p, i = many(6), [Value(2.0), Value(0.0)]
    output = select(p[:3], i[0]) * 2.0 + select(p[3:], i[1]) * 5.0
    agrees(compile(output, p, inputs=i), output, p, i)


def test_constants_are_those_of_now():
    """Whether a number is folded or not: a leaf that has changed counts as it is."""
    w, v = Value(3.0), Value(2.0)
    y = (w * 2.0) * v + w * v
    w.data = 4.0
    value, gradient = compile(y, [v]).value_and_grad([2.0])
    assert (value, gradient.tolist()) == (24.0, [12.0])
