"""Functions of one example on batches: equal to the engine row by row, whatever the rows ask, select or branch on."""

from __future__ import annotations

import copy
import gc
import io
import itertools
import json
import logging
import math
import operator
import pickle
import random
import re
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from functools import partial, wraps
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import nn
from autograd import (
    TABLE,
    Value,
    compile,
    dot,
    equal,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    log_softmax,
    maximum,
    mean,
    no_grad,
    nodes,
    select,
    sin,
    softmax,
    value_and_grad,
    watching,
    where,
)
from autograd.program import program as programs
from autograd.program.guards import Comparison, Guards
from autograd.program.tracer import numbers_beside
from autograd.strategies import SMOOTH, expressions

from .laws import ACTIVATIONS, SPECIAL


def rows_agree(function, wrt: list[Value], theta, *arrays, atol: float = 1e-11, inputs: type = Value) -> None:
    """The compiled function on a batch against the eager one on each row, for every reduction."""
    before = [w.data for w in wrt]
    for w, number in zip(wrt, theta):
        w.data = float(number)
    values, slopes = [], []
    for row in zip(*arrays):
        output = function(*(inputs(x) if np.ndim(x) == 0 else list(map(inputs, x)) for x in row))
        values.append(output.data)
        slopes.append(gradients(output, wrt))
    for w, number in zip(wrt, before):
        w.data = number
    mean, total, each = (compile(function, wrt, reduction=r) for r in ("mean", "sum", "none"))
    for _ in range(2):
        value, gradient = mean.value_and_grad(theta, *arrays)
        assert type(value) is float
        np.testing.assert_allclose(value, np.mean(values), rtol=1e-10, atol=atol)
        np.testing.assert_allclose(gradient, np.mean(slopes, axis=0), rtol=1e-9, atol=atol)
    value, gradient = total.value_and_grad(theta, *arrays)
    np.testing.assert_allclose(value, np.sum(values), rtol=1e-10, atol=atol * len(values))
    np.testing.assert_allclose(gradient, np.sum(slopes, axis=0), rtol=1e-9, atol=atol * len(values))
    np.testing.assert_allclose(each.value(theta, *arrays), values, rtol=1e-10, atol=atol)


def half_squared(outputs, targets):
    """nn's loss, whatever the number of outputs."""
    return nn.half_squared_error(outputs, targets)


def cross_entropy_of_one_hot(outputs, targets):
    """Cross-entropy with the targets among the inputs."""
    return -dot(targets, log_softmax(outputs))


@pytest.mark.parametrize("loss", [half_squared, cross_entropy_of_one_hot])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_functions_of_one_example(activation, loss):
    """Models of several shapes, square ones too, on batches of one and of five, at other parameters than traced."""
    rng = np.random.default_rng(0)
    for widths, count in itertools.product([[3], [4, 3], [3, 3, 3]], [1, 5]):
        model = nn.MLP(4 if widths[0] != 3 else 3, widths, activation=activation, seed=1)
        theta = rng.normal(size=len(model.parameters()))
        x, y = rng.normal(size=(count, len(model.layers[0].neurons[0].w))), np.eye(3)[rng.integers(3, size=count)]
        rows_agree(lambda x, y, model=model: loss(model(x), y), model.parameters(), theta, x, y)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(expressions(ops=(*SMOOTH, "exp", "abs", "relu", "maximum"), max_instructions=18, max_leaves=6), st.data())
def test_random_functions_on_batches(expression, data):
    """Any function, any of its arguments parameters, new numbers in each row."""
    count = len(expression.leaves)
    split, batch = data.draw(st.integers(0, count - 1)), data.draw(st.integers(1, 4))
    numbers = st.floats(-2.0, 2.0).map(lambda x: round(x, 3))
    theta = np.array(data.draw(st.lists(numbers, min_size=split, max_size=split)))
    x = np.array(
        data.draw(
            st.lists(st.lists(numbers, min_size=count - split, max_size=count - split), min_size=batch, max_size=batch)
        )
    )
    example = expression(*map(Value, [*theta, *x[0]]))
    assume(isinstance(example, Value))
    for row in x:
        leaves = [Value(number) for number in (*theta, *row)]
        output = expression(*leaves)
        assume(abs(output.data) < 1e4 and all(abs(g) < 1e4 for g in gradients(output, leaves)))
    wrt = [Value(0.0) for _ in (*theta, "and one that is not used")]
    rows_agree(lambda row: expression(*wrt[:-1], *row), wrt, [*theta, 0.0], x, atol=1e-8)


def test_the_batch_reads_like_the_matrix_notes():
    """Z = A W' + b, delta W, delta' A."""
    model = nn.MLP(2, [16, 16, 1], activation=nn.tanh, seed=0)
    loss = compile(lambda x, y: nn.half_squared_error(model(x), y), model.parameters())
    body = loss.source(np.zeros((5, 2)), np.zeros(5)).split("def value_and_grad")[1]
    assert len(body.splitlines()) <= 60
    for line in (
        "z1 = x @ W1.T + b1", "a1 = np.tanh(z1)", "z2 = a1 @ W2.T + b2", "da1 = dz2 @ W2", "dW2 += dz2.T @ a1",
        "db2 += dz2.sum(axis=0)", "dW1 += dz1.T @ x",
    ):  # fmt: skip
        assert f"    {line}\n" in body, body


def test_inputs_of_more_than_two_axes_are_vectors():
    """Made so once, at the beginning; matrices are read as they are."""
    w = [Value(0.0) for _ in range(8)]
    rng = np.random.default_rng(0)
    theta, images, tables = rng.normal(size=8), rng.normal(size=(4, 2, 2, 2)), rng.normal(size=(4, 3, 8))

    def of_image(x):
        return dot(w, [pixel for plane in x for row in plane for pixel in row]).tanh()

    def of_table(x):
        return sum(dot(w, row).tanh() for row in x)

    sources = [compile(f, w).source(x) for f, x in ((of_image, images), (of_table, tables))]
    assert [source.count("reshape") for source in sources] == [2, 0]
    assert "    x = x.reshape(n, -1)\n    z1 = x @ theta\n" in sources[0] and "    z1 = x @ theta\n" in sources[1]
    rows_agree(of_image, w, theta, images, inputs=nested)
    rows_agree(of_table, w, theta, tables, inputs=nested)


def nested(x):
    """An array as lists of Values."""
    return list(map(nested, x)) if np.ndim(x) else Value(x)


PROGRAMS = {
    "a number and a product": (
        lambda w, x: dot(x, w[:3]) + sum((w[3].exp() * v).tanh() for v in x),
        """\
    n = len(x)
    w2 = theta[0:3]
    w1 = theta.item(3)
    v1 = math.exp(w1)
    z1 = x @ w2
    v2 = v1 * x
    a1 = np.tanh(v2)
    v3 = z1 + a1.sum(axis=-1)

    dtheta = np.zeros_like(theta)
    dw2 = dtheta[0:3]
    dw1 = 0.0
    dv3 = np.full(n, 1.0 / n)
    dz1 = dv3.copy()
    dv2 = dv3[..., None] * (1.0 - a1 * a1)
    dv1 = float((dv2 * x).sum(axis=(0, 1)))
    dw2 += dz1 @ x
    dw1 += dv1 * v1
    dtheta[3] += dw1
    return v3, dtheta
""",
    ),
    "a softmax": (
        lambda w, x: softmax(list(map(operator.mul, x, w)))[0],
        """\
    n = len(x)
    b1 = theta[0:3]
    v1 = x * b1
    v2 = v1.max(axis=-1)
    v3 = v1 - v2[:, None]
    v4 = np.exp(v3)
    v5 = v4.sum(axis=-1)
    v6 = v4[:, 0] / v5

    dtheta = np.zeros_like(theta)
    db1 = dtheta[0:3]
    dv6 = np.full(n, 1.0 / n)
    dv4 = np.zeros((n, 3))
    dv4[:, 0] += dv6 * (1.0 / v5)
    dv5 = dv6 * (-v6 / v5)
    dv4 += dv5[..., None]
    dv3 = dv4 * v4
    db1 += (dv3 * x).sum(axis=0)
    return v6, dtheta
""",
    ),
}


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_programs_in_full(name):
    """As one would write them by hand: a line for each array, and nothing that is not needed."""
    function, body = PROGRAMS[name]
    w, x = [Value(0.0) for _ in range(4)], np.array([[1.0, 2.0, 3.0], [0.5, -0.5, 1.5]])
    source = compile(lambda x: function(w, x), w).source(x)
    assert source.endswith(f"\n\n\ndef value_and_grad(theta, x):\n{body}"), source
    rows_agree(lambda x: function(w, x), w, [0.5, -0.25, 1.0, 0.3], x)


def test_a_parameter_by_itself_and_at_the_head_of_a_vector():
    """Its two slopes are added up: one is a number, the other comes with those of the vector."""
    w, x = [Value(0.0) for _ in range(4)], np.array([[1.0, 2.0, 3.0], [0.5, -0.5, 1.5]])

    def function(x):
        return sum((v * xi).tanh() for v, xi in zip(w[1:], x)) + (w[1].exp() * w[0]).tanh() * x[0]

    source = compile(function, w).source(x)
    assert "    db1 += (dv2 * x).sum(axis=0)\n    dw1 += dv1 * v1\n" in source
    rows_agree(function, w, [0.5, -0.25, 1.0, 2.0], x)


def test_what_is_gathered_is_written_without_detours():
    """Blocks as they are, numbers as an array; slopes are put where they come from, added only where two meet."""
    w, x = [Value(0.0) for _ in range(5)], np.array([[1.0, 2.0, 3.0], [0.5, -0.5, 1.5]])
    order = (0, 3, 1, 4, 2)

    def sum_of(read, weight=1.5):
        return sum(read[i] * (k * k + weight) for k, i in enumerate(order))

    for function, lines in (
        (lambda x: sum_of([*map(operator.mul, x, w), w[3].sin(), w[4].cos()]), [
            "np.concatenate([v1, np.broadcast_to(np.array([v2, v3]), (n, 2))], axis=1).take(i2, axis=1))\n",
            "g = put_rows(i2, np.broadcast_to(dz1[:, None] * c1, (n, 5)), 5)\n",
            "dv1 = g[:, 0:3]\n", "dv2 = float(g[:, 3].sum())\n", "dv3 = float(g[:, 4].sum())\n",
        ]),
        (lambda x: sum_of([*map(operator.mul, x, w), w[3].sin(), w[4].sin()]), ["dv2 = g[:, 3:5].sum(axis=0)\n"]),
        (lambda x: sum_of([v * x[0] for v in w]), ["v1 = theta * x[:, 0][:, None]"]),
        (lambda x: sum_of([w[i] * x[0] * v for i, v in zip((0, 3, 3, 1, 0), w)]), ["theta.take(i1) * x[:, 0][:, "]),
        (lambda x: sum_of([*x, *w[:2]]), ["np.concatenate([x, np.broadcast_to(theta, (n, 5))], axis=1).take(i2"]),
        (lambda x: sum_of([x[1], x[1], *map(operator.mul, x, w)]), ["g = put_rows("]),  # x has no slopes
    ):  # fmt: skip
        source = compile(function, w).source(x)
        for line in lines:
            assert line in source, source
        rows_agree(function, w, [0.5, -0.25, 1.0, 0.3, 2.0], x)


def test_the_mean_of_large_slopes_beside_nan():
    """What a NaN does not reach stays finite, where the sum of all slopes is not."""
    w = [Value(1.0), Value(1.0)]
    program = compile(lambda x, y: w[0] * x + w[1] * y, w)
    gradient = program.value_and_grad([1.0, 1.0], np.full(4, 1e308), [1.0, 2.0, math.nan, 3.0])[1]
    assert gradient[0] == 1e308 and math.isnan(gradient[1])


def test_one_row_of_nan_leaves_the_others_untouched():
    """And where a zero meets an infinity in a row, the engine's rule holds."""
    w = [Value(1.0), Value(2.0)]
    values = compile(lambda x: w[0] * x[0].log() + w[1] * x[1], w, reduction="none").value(
        [1.0, 2.0], [[1.0, 1.0], [-1.0, 1.0], [2.0, 3.0]]
    )
    assert values[0] == 2.0 and math.isnan(values[1]) and values[2] == pytest.approx(math.log(2.0) + 6.0)
    kinked = compile(lambda x: (w[0] * x).relu().sqrt() + w[1] * x, w)
    _, gradient = kinked.value_and_grad([1.0, 2.0], [-1.0, 4.0])
    assert gradient.tolist() == [0.5, 1.5]


def test_what_would_bake_an_example_in_is_refused():
    """Numbers read or written, randomness: with the user's line, before anything is compiled."""
    w = [Value(1.0)]
    x = np.array([[1.0, -2.0]])
    for function in (
        lambda x: w[0] * x[0].data,
        lambda x: w[0].data * x[0],
        lambda x: w[0] * float(f"{x[0] * 2:.1f}"),
        lambda x: w[0] * int(f"{x[0]}"),
        lambda x: x[0] * gradients(w[0] ** 3, w)[0],
        lambda x: x[0] * copy.copy(w[0]),
        lambda x: x[0] * (w[0] * 2).numbers[0],
    ):
        with pytest.raises(TypeError, match=r"was (read|looked up in a set or a dict) while compiling"):
            compile(function, w).value([1.0], x)
    noise, count = np.random.default_rng(0), itertools.count()
    for function, what in (
        (lambda x: w[0] * x[0] + noise.normal(), r"functions\.py:\d+\) draws random numbers"),
        (lambda x: w[0] * x[0] + next(count), r"functions\.py:\d+\) does something else every time"),
        (lambda x: w[0] * x[0] if random.random() < 2.0 else x[0], "draws random numbers"),
        (lambda x: w[0] * x[0] if np.random.rand() < 2.0 else x[0], "draws random numbers"),
    ):
        with pytest.raises(TypeError, match=what):
            compile(function, w).value([1.0], x)
    assert w[0] > 0.5 and bool(w[0]) and w[0].data == 1.0  # afterwards, all as before


def read(x: Value, digits: int = 17) -> float:
    """The number of a Value, past everything that watches; to so many digits."""
    return float(f"{x._number:.{digits}g}")


@pytest.mark.parametrize(
    ("function", "row"),
    [
        (lambda w, x, i: w * read(x) * select([1.0, 2.0], i), (0.5, 1.0)),
        (lambda w, x: w * read(x, 1) if 0.0 < x < 2.0 else w, (0.5,)),  # as far as it can be read
        (lambda w, x: w * read(x) if 0.9 < x < 1.1 else w, (1.0,)),
        (lambda w, x: w * read(x) if x > 0 else w, (math.inf,)),
        (lambda w, x, y: w * read(x - y), (1.0, 1.0)),
    ],
)
def test_numbers_that_are_read_by_stealth_are_noticed(function, row):
    """Beside an index, where a question lets little change, of an infinity, of a difference."""
    w = Value(2.0)
    with pytest.raises(TypeError, match="does something else every time"):
        compile(lambda *inputs: function(w, *inputs), [w]).value([2.0], *([x] for x in row))


def test_other_numbers_are_a_step_or_two_away():
    """Each by another step."""
    steps = [other - x for x, other in zip(range(50), numbers_beside(range(50), 0.5))]
    assert all(0.5 <= step < 1.0 for step in steps) and len({round(step, 9) for step in steps}) == 50


def test_callables_that_are_no_functions():
    """Objects and built-in functions, which have no source, and some no signature."""

    class Noisy:
        def __call__(self, x):
            return x * random.random()

    with pytest.raises(TypeError, match=r"^Noisy draws random numbers; compile"):
        compile(Noisy(), [Value(0.0)]).value([0.0], [1.0])
    larger = compile(max, [Value(0.0)], reduction="none")
    assert larger.value([0.0], [1.0, 2.0], [0.0, 5.0]).tolist() == [1.0, 5.0]
    assert larger.source([1.0], [0.0]).count("(theta, x1, x2):") == 2


def test_functions_check_their_arguments():
    """Shapes, reductions, what is returned."""
    w = [Value(1.0)]
    double = compile(lambda x: w[0] * x, w)
    for arrays, message in (
        ((), "arrays of shapes none"),
        ((2.0,), r"arrays of shapes \(\)"),
        (([1.0], [1.0, 2.0]), r"\(1,\), \(2,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            double.value([1.0], *arrays)
    for arrays in ((2.0,), (2.0, [1.0]), ()):
        with pytest.raises(ValueError, match="give at least one, each with a row for every example"):
            double.value([1.0], *arrays)
    with pytest.raises(ValueError, match=r"rows of \[0\] examples; give as many in each"):
        double.value([1.0], [])
    with pytest.raises(ValueError, match=r"theta has shape \(2,\); give \(1,\): a number for each parameter"):
        double.value([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="give one of mean, sum, none"):
        compile(lambda x: x, w, reduction="max")
    with pytest.raises(ValueError, match="the rows are not reduced to one value"):
        compile(lambda x: x, w, reduction="none").value_and_grad([1.0], [1.0])
    with pytest.raises(TypeError, match="it must return one Value"):
        compile(lambda x: [x], w).value([1.0], [1.0])
    with pytest.raises(TypeError, match="is not a Value"):
        compile(lambda x: x, [3.0])


def test_other_threads_go_on_while_a_function_is_traced():
    """What they compare and read is theirs."""
    w, seen = [Value(1.0)], []

    def function(x):
        thread = threading.Thread(target=lambda: seen.append((w[0] > 0.5, w[0].data)))
        thread.start()
        thread.join()
        return w[0] * x

    assert compile(function, w).value([2.0], [3.0]) == 6.0
    assert set(seen) == {(True, 1.0)}


@pytest.mark.parametrize("op", TABLE.values(), ids=lambda op: op.name)
def test_every_row_at_special_values_in_a_batch(op):
    """All rows at once: the values of each, whatever the others are; and the gradients of each."""
    count = len(op.partials)
    rows = list(itertools.product(SPECIAL, repeat=count)) if count < 3 else [(c, 2.0, -3.0) for c in SPECIAL]
    w = [Value(0.0) for _ in range(count)]

    def function(x):
        return op(*(a + b for a, b in zip(w, x))) * 2.0

    values = compile(function, w, reduction="none").value([0.0] * count, rows)
    gradient_of = compile(function, w).value_and_grad
    for row, value in zip(rows, values):
        output = function(row)
        got = [value, *gradient_of([0.0] * count, [row])[1]]
        for x, expected in zip(got, [output.data, *gradients(output, w)]):
            same = x == expected or (math.isnan(x) and math.isnan(expected))
            assert same or abs(x - expected) <= 2 * math.ulp(expected), (op, row, got)


# ---- Indexes ----


def embedded(table, tokens, weights):
    """Rows of a table, by tokens, one of them twice; and of each a class."""
    rows = [select(table, token) for token in tokens]
    scores = [log_softmax([dot(row, column) for column in table]) for row in rows]
    return mean([-select(score, target) for score, target in zip(scores, tokens[1:])]) + dot(weights, rows[0])


@pytest.mark.parametrize("batch", [1, 6])
def test_indexes_are_inputs(batch):
    """Values and gradients of lookups in a shared table, of classes, with repeated tokens."""
    rng = np.random.default_rng(0)
    parameters = [Value(0.0) for _ in range(15)]
    table = [parameters[3 * i : 3 * i + 3] for i in range(5)]
    tokens = rng.integers(5, size=(batch, 4))
    tokens[0] = 2
    theta, weights = rng.normal(size=15), rng.normal(size=(batch, 3))
    rows_agree(lambda t, w: embedded(table, t, w), parameters, theta, tokens, weights)
    source = compile(lambda t, w: embedded(table, t, w), parameters).source(tokens, weights)
    assert "W1[index(t[:, 0:3], 5)]" in source and "scatter_picks(" in source and "where" not in source


def test_tables_that_are_computed():
    """Per row of the batch, with a column of its own, one element, an index that no input depends on."""
    parameters, x = [Value(0.0) for _ in range(4)], np.random.default_rng(1).normal(size=(5, 2))
    index = np.array([[0, 1], [3, 2], [1, 1], [2, 0], [3, 3]])

    def function(x, i):
        table = [(p * x[0] + x[1]).tanh() for p in parameters]
        return select(table, i[0]) * select(table, i[1]) + select([p.sin() for p in parameters], i[0]) + select(x, 1)

    rows_agree(function, parameters, [0.3, -0.4, 0.5, 0.6], x, index)


@pytest.mark.parametrize("shared", ["left", "right", "none"])
def test_dots_that_fill_no_grid_in_a_batch(shared):
    """Vectors of parameters with those of each row, or rows with rows, in pairs of their own."""
    w = [Value(0.0) for _ in range(9)]
    theta, x = np.linspace(-1.0, 1.5, 9), np.random.default_rng(3).normal(size=(4, 9))
    pairs = [(0, 0), (1, 1), (2, 2), (0, 1), (1, 0)]

    def function(x):
        a = [w[3 * i : 3 * i + 3] for i in range(3)]
        b = [[(v * u).tanh() for v, u in zip(x[3 * i : 3 * i + 3], w)] for i in range(3)]
        left, right = {"left": (a, b), "right": (b, a), "none": (b, [row[::-1] for row in b])}[shared]
        return sum(dot(left[i], right[j]).tanh() * (i + 2.0 * j + 1.0) for i, j in pairs)

    rows_agree(function, w, theta, x)


def test_gathers_from_grids():
    """A product of vectors with vectors, a bias for each of its rows, read in no order beside other blocks."""
    w = [Value(0.0) for _ in range(12)]
    theta, x = np.linspace(-1.0, 1.2, 12), np.random.default_rng(4).normal(size=(5, 6))
    picks = [3, 0, 5, 7, 2, 2, 10, 6, 1, 9, 4, 8]

    def function(x):
        grid = [[dot(w[2 * j : 2 * j + 2], x[2 * i : 2 * i + 2]) + w[6 + i] for j in range(2)] for i in range(3)]
        turned = [[(grid[i][j] * w[9 + i]).tanh() for i in range(3)] for j in range(2)]
        read = [*(v for row in grid for v in row), *(v.sin() for v in w[:3]), *(v.cos() for v in w[5:7])]
        total = sum(read[i] * read[j] * (i + 1.5) for i, j in zip(picks, picks[3:]))
        return total + dot(turned[0], turned[1]) + sum(grid[1]) * sum(turned[1])

    rows_agree(function, w, theta, x)


def test_tables_and_indexes_of_their_own():
    """Each index its own table of parameters; and an index that is a parameter, of tables that an input computes."""
    w, x = [Value(0.0) for _ in range(7)], np.array([0.5, -1.5, 2.0, 1.0])
    theta, i = [0.5, -0.4, 0.3, 1.2, -0.7, 0.9, 2.0], np.array([[0, 2], [1, 1], [2, 0], [0, 0]])
    rows_agree(lambda i: select(w[:3], i[0]) * 2.0 + select(w[3:6], i[1]) * 5.0, w, theta, i)

    def chosen(x):
        return select([x, x * 2.0, w[0] * x], w[6]) * 3.0 + select([x.sin(), x * x, w[1] + x], w[6]) * w[2]

    rows_agree(chosen, w, theta, x)


def test_selections_are_written_without_detours():
    """From a table of parameters, and from one of each row."""
    w, x, i = [Value(0.0) for _ in range(4)], np.array([[0.5, 1.0, 1.5], [2.0, 1.0, 0.0]]), np.array([2.0, 1.0])

    def function(x, i):
        return select(w[:3], i) * x[0] + select([w[3] * v for v in x], i)

    source = compile(function, w).source(x, i)
    for line in (
        "v2 = b1[index(i, 3)]", "v3 = np.take_along_axis(v1, index(i, 3)[..., None], axis=-1)[..., 0]",
        "dv1 = scatter_picks(index(i, 3), dv3, 3)", "db1 += scatter(index(i, 3), dv2, 3)",
    ):  # fmt: skip
        assert f"    {line}\n" in source, source
    rows_agree(function, w, [0.3, -0.4, 0.5, 0.6], x, i)


def test_an_index_out_of_range_is_an_error():
    """On numbers, on Values, in the first batch, in a later one, in a graph."""
    table = [Value(1.0), Value(2.0), Value(3.0)]
    for index in (3, -1, 0.5, Value(3.0), Value(math.nan), Value(0.5)):
        with pytest.raises(IndexError, match=r"index .* of a sequence of 3; give an int from 0 to 2"):
            select(table, index)
    function = compile(lambda i: select(table, i) ** 2, table)
    for rows in ([3], [0, 1, 5], [0.5], [1, math.inf]):
        with pytest.raises(IndexError, match="of a sequence of 3"):
            function.value([1.0, 2.0, 3.0], rows)
    index = Value(1)
    program = compile(select(table, index), table, inputs=[index])
    assert program.value_and_grad([5.0, 6.0, 7.0], [2])[1].tolist() == [0.0, 0.0, 1.0]
    with pytest.raises(IndexError, match="not a whole number from 0 to 2"):
        program.value([5.0, 6.0, 7.0], [3])
    with pytest.raises(TypeError, match=r"write select\(sequence, index\)"):
        table[index]
    with pytest.raises(ValueError, match="rows of one length"):
        select([[1.0], [1.0, 2.0]], index)
    with pytest.raises(TypeError):
        select(table, "1")


def test_what_looks_like_a_selection_is_none():
    """Chains that begin elsewhere, skip a number or are used on the way are what they are."""
    p, x = [Value(0.0) for _ in range(3)], [[0.0], [1.0], [2.0], [0.5]]
    for function in (
        lambda x: where(equal(x[0], 0.0), p[0], p[1]),
        lambda x: where(equal(x[0], 2.0), p[0], where(equal(x[0], 0.0), p[1], p[2])),
        lambda x: where(equal(x[0], 1.0), p[0], where(equal(x[0], 1.0), p[1], p[2])),
        lambda x: where(x[0].step(), p[0], p[1]),
    ):
        rows_agree(function, p, [1.0, 2.0, 3.0], np.array(x))


# ---- Branches ----


def piecewise(w, x):
    """Three ways to go, one of them in a loop."""
    total = 0.0
    for xi in x:
        if xi > 1.0:
            total = total + w[0] * xi
        elif xi == 0.5 or w[1] * xi < -1.0:
            total = total - w[1] * xi * xi
        else:
            total = total + w[0] * w[1] * sin(max(xi, -xi))
    return total * w[0]


def test_rows_take_their_own_branches():
    """Against the engine row by row; parameters and inputs in the questions; theta other than the data."""
    rng = np.random.default_rng(0)
    w = [Value(9.0), Value(-9.0)]
    x = np.round(rng.normal(size=(40, 2)) * 2) / 2
    warnings.simplefilter("ignore", RuntimeWarning)  # of many branches, which are meant
    assert (x == 0.5).any() and (x > 1).any()
    rows_agree(lambda x: piecewise(w, x), w, [0.5, 1.5], x, inputs=float)
    function = compile(lambda x: piecewise(w, x), w)
    for theta in ([0.5, 1.5], [0.5, -1.5], [2.0, 0.1]):  # other answers for the same rows
        expected = []
        for row in x.tolist():
            leaves = [Value(t) for t in theta]
            expected.append(piecewise(leaves, row).data)
        assert function.value(theta, x) == pytest.approx(np.mean(expected), rel=1e-12)
    assert [p.data for p in w] == [9.0, -9.0]


def test_branches_may_raise():
    """By option, with the row, the question and the line."""
    w = [Value(2.0)]
    function = compile(lambda x: w[0] * x if x > 0 else -x, w, branches="raise")
    assert function.value([2.0], [1.0, 3.0]) == 4.0
    with pytest.raises(RuntimeError, match=r"row 1 takes another branch .* 1 > 0 was True at .*functions\.py:\d+"):
        function.value([2.0], [1.0, -3.0])
    several = compile(lambda x: w[0] * x if x > 0 and x * 2 < 5 and x < 1.5 else -x, w, branches="raise")
    for row, question in ((3.0, "2 < 5"), (2.0, "1 < 1.5")):
        with pytest.raises(RuntimeError, match=rf"row 1 takes .* {question} was True at"):
            several.value([2.0], [1.0, row])
    with pytest.raises(ValueError, match="give one of trace, raise"):
        compile(lambda x: x, w, branches="both")


def test_too_many_branches():
    """More than 64; sorting is one for each order.  The message names the line that makes them."""
    w = [Value(2.0)]

    def sixteenths(x):
        for k in range(80):
            if x < 0.0 or x < -1.0:
                return w[0]
            if x * 16.0 < k + 1.0:
                break
        return w[0] * k

    line = sixteenths.__code__.co_firstlineno + 4
    function, rows = compile(sixteenths, w), np.arange(65) / 16.0
    said = rf"sixteenths \(.*\) takes 8 branches so far, .* may take 64; .* as at .*functions\.py:{line}$"
    with pytest.warns(RuntimeWarning, match=said) as warned:
        assert function.value([1.0], rows[:64]) == 31.5
    assert len(warned) == 1 and warned[0].filename == __file__
    with pytest.raises(RuntimeError, match=rf"more than 64 branches.* as at .*functions\.py:{line}$"):
        function.value([1.0], rows)
    rows = np.array(list(itertools.permutations(range(5))), dtype=float)
    with pytest.warns(RuntimeWarning), pytest.raises(RuntimeError, match="more than 64 branches"):
        compile(lambda x: w[0] * sorted(x)[0], w).value([1.0], rows)


def test_many_branches_are_said_before_they_are_all_traced():
    """At the eighth; seven are quiet."""
    w, calls = [Value(2.0)], []

    def steps(x):
        calls.append(x)
        return w[0] * next(k for k in range(60) if x < k)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compile(steps, w).value([1.0], np.arange(7.0)) == 4.0
        calls.clear()
        with pytest.raises(RuntimeWarning, match="takes 8 branches so far"):
            compile(steps, w).value([1.0], np.arange(50.0))
    assert len(calls) == 16  # twice for each


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        (lambda x: x < 1.0, [0.0, 1.0, 2.0, math.nan]),
        (lambda x: x <= 1.0, [0.0, 1.0, 2.0]),
        (lambda x: x >= 1.0, [0.0, 1.0, 2.0]),
        (lambda x: x < 1.0, [0.0, 1.0, 2.0]),
        (lambda x: x == 1.0, [0.0, 1.0, 2.0]),
        (lambda x: x != 1.0, [0.0, 1.0, 2.0]),
        (lambda x: x in (1.0, 2.0), [0.0, 1.0, 2.0]),
        (lambda x: bool(x), [0.0, 1.0, -0.0, math.nan]),
        (lambda x: x * 2 == 2.0, [0.0, 1.0]),
        (lambda x: bool(x * 0.0), [0.0, math.inf]),
    ],
)
def test_every_question(question, rows):
    """As plain numbers answer it."""
    w = [Value(3.0)]
    function = compile(lambda x: w[0] * 2.0 if question(x) else w[0] * 5.0, w, reduction="none")
    for _ in range(2):  # for the second, all programs are there
        assert function.value([1.0], rows).tolist() == [2.0 if question(x) else 5.0 for x in rows]


def test_validations_are_asked_of_every_row():
    """A loss that refuses a target refuses it in any row of a batch."""
    w = [Value(0.5), Value(0.1)]
    for loss, outputs, right, wrong in (
        (nn.hinge, lambda x: w[0] * x, [1.0, -1.0], [1.0, 2.0]),
        (nn.binary_cross_entropy, lambda x: w[0] * x, [1.0, 0.0], [0.0, 1.5]),
        (nn.cross_entropy, lambda x: [w[0] * x, w[1] * x], [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.5, 0.6]]),
        (nn.cross_entropy, lambda x: [w[0] * x, w[1] * x], [1, 0], [1, 2]),
    ):
        function = compile(lambda x, y, loss=loss, outputs=outputs: loss(outputs(x), y), w)
        expected = np.mean([loss(outputs(x), y).data for x, y in zip([1.0, 2.0], right)])
        assert function.value([0.5, 0.1], [1.0, 2.0], right) == pytest.approx(expected)
        with pytest.raises((ValueError, IndexError)):
            function.value([0.5, 0.1], [1.0, 2.0], wrong)


def test_a_guard_that_is_not_checked_is_noticed(monkeypatch):
    """The negative control: with guards that hold for every row the answer is wrong."""
    w = [Value(2.0)]

    def compiled():
        return compile(lambda x: w[0] * x if x > 0 else -x, w).value([2.0], [1.0, -3.0])

    assert compiled() == 2.5
    monkeypatch.setattr(Guards, "hold", lambda *_: np.array([True, True]))
    assert compiled() == -2.0


# ---- Rows ----


ROWS = np.array([[1.0, 2.0], [3.0, -4.0], [0.0, 0.0]])


def eager_rows_agree(function, w: list[Value], *batches) -> None:
    """The compiled function on batches against the eager one on what iterating over them gives."""
    outputs = [function(*row) for row in zip(*batches)]
    expected = [output.data for output in outputs]
    theta = [p.data for p in w]
    np.testing.assert_allclose(compile(function, w, reduction="none").value(theta, *batches), expected, rtol=1e-12)
    value, gradient = compile(function, w, reduction="sum").value_and_grad(theta, *batches)
    slopes = np.sum([gradients(output, w) for output in outputs], axis=0)
    assert value == pytest.approx(sum(expected), rel=1e-12)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-12, atol=1e-15)


def test_twice_a_row_is_what_was_passed():
    """An array is scaled, so that its first two are 6 and 10; a list is repeated: 3 and 5 are its first two."""
    w = [Value(1.0)]
    function = compile(lambda x: (2 * x)[0] * w[0] + (2 * x)[1] * w[0], w)
    assert function.value([1.0], np.array([[3.0, 5.0]])) == 16.0
    assert function.value([1.0], [[3.0, 5.0]]) == function.value([1.0], [(3.0, 5.0)]) == 8.0
    assert function.value([1.0], [np.array([3.0, 5.0])]) == 16.0  # a list of arrays has arrays as rows
    assert repr(function).endswith("3 programs so far")  # of arrays, lists and tuples


@pytest.mark.parametrize(
    "of_a_row",
    [
        lambda x, w: (2 * x)[0] * w[0] + (x + x)[1] * w[1],
        lambda x, w: x @ np.array(w),
        lambda x, w: x.sum() * w[0] + x.mean() * w[1] + x.max() + x.shape[0] * x.size * x.ndim * w[0],
        lambda x, w: np.linalg.norm(x) * w[0] + np.linalg.norm(x, 0) * w[1] + np.linalg.norm(x, 1) * w[0],
        lambda x, w: (np.where(x == 0, 1, x) ** -1.0).sum() * w[0],  # NumPy's double where
        lambda x, w: np.where(x > 0, x, 0.0).sum() * w[0] + x[x > 0].sum() * w[1],
        lambda x, w: w[0] if np.array_equal(x, [3.0, -4.0]) else w[1] * x[1],
        lambda x, w: w[0] * int(np.equal(x, 0).sum()) + w[1] * int(np.not_equal(x, -4.0).sum()),
        lambda x, w: np.sort(x)[0] * w[0] + int(np.argmax(x)) * w[1] + np.abs(x).sum() * w[0],
        lambda x, w: (x.reshape(1, 2).T @ np.array([w]))[1, 0] + np.outer(x, w).sum(),
        lambda x, w: (x.tolist() * 2)[2] * w[0] + x[::-1][0] * w[1],
        lambda x, w: np.concatenate([x, np.zeros_like(x), [1.0]]).sum() * w[0] + np.exp(x).sum() * w[1],
        lambda x, w: w[0] * x[0] if isinstance(x, np.ndarray) and (x >= 0).all() and x.any() else w[1] * x[1],
    ],
)
def test_a_row_of_an_array_is_an_array(of_a_row):
    """With whatever arrays can do, in any mixture with the parameters; ints are numbers, too."""
    w = [Value(0.5), Value(-1.5)]
    for batch in (ROWS, list(ROWS), tuple(ROWS), ROWS.astype(int), np.asfortranarray(ROWS)):
        eager_rows_agree(lambda x: of_a_row(x, w) + 0.0 * w[0], w, batch)


class Point(NamedTuple):
    """A row with names."""

    x: float
    y: float


def test_rows_of_lists_are_what_the_lists_hold():
    """Lists, tuples, tuples with names, arrays within lists; numbers are Values; a cube has matrices as rows."""
    w = [Value(0.5), Value(-1.5)]
    eager_rows_agree(lambda x: (x + x)[3] * w[0] + x.index(max(x)) * w[1] + len(x) * w[0], w, ROWS.tolist())
    eager_rows_agree(lambda x: w[0] if x == [3.0, -4.0] and type(x) is list else w[1] * x[0], w, ROWS.tolist())
    eager_rows_agree(lambda x: (x + x)[3] * w[0] if type(x) is tuple else w[1], w, [*map(tuple, ROWS.tolist())])
    eager_rows_agree(lambda p: p.x * w[0] + p[1] * w[1] * len(p._fields), w, [Point(*row) for row in ROWS.tolist()])
    eager_rows_agree(lambda x: w[0] * x[0][1] * x[1].sum() if isinstance(x, list) else w[1], w, [list(ROWS)] * 2)
    cube = np.arange(12.0).reshape(2, 2, 3)
    eager_rows_agree(lambda x: (x @ x.T)[0, 1] * w[0] + x.shape[1] * w[1], w, cube)
    eager_rows_agree(lambda x: (2 * x)[2][0] * w[0], w, cube.tolist())
    eager_rows_agree(lambda x, y: (2 * x)[1] * w[0] + (2 * y)[2] * w[1], w, ROWS, ROWS.tolist())
    for numbers in (ROWS[:, 0], ROWS[:, 0].tolist(), ROWS[:, 0].astype(int)):
        eager_rows_agree(lambda x: x * w[0] if x != 0 else w[1] * 2.0, w, numbers)
    assert compile(lambda x: x * w[0], w, reduction="sum").value([2.0, 0.0], range(4)) == 12.0
    assert compile(lambda x: w[0] * (len(x) + 3.0), w).value([2.0, 0.0], [[], []]) == 6.0  # rows of nothing
    with pytest.raises(TypeError, match="rows of list and ndarray; give rows of one kind"):
        compile(lambda x: w[0] * x[0], w).value([0.5, 1.0], [[1.0, 2.0], np.array([3.0, 4.0])])


# ---- Constants ----


@pytest.mark.parametrize("constant", [0.0, 3, True, np.float32(0.5), np.array(2.0), Value(2.5), math.inf])
def test_a_function_may_return_a_plain_number(constant):
    """Its gradient is 0."""
    w, number = [Value(0.5), Value(1.0)], constant.data if isinstance(constant, Value) else float(constant)
    value, gradient = compile(lambda x: constant, w).value_and_grad([0.5, 1.0], [1.0, 2.0])
    assert value == number and type(value) is float and gradient.tolist() == [0.0, 0.0]
    assert compile(lambda x: constant, w, reduction="none").value([0.5, 1.0], [1.0, 2.0]).tolist() == [number] * 2


def test_a_branch_may_be_a_plain_number():
    """The hinge loss as one writes it; all rows constant, some, and each another constant."""
    w = [Value(0.5)]
    hinge = compile(lambda x, t: max(0, 1 - t * w[0] * x), w)
    assert hinge.value_and_grad([0.5], [1.0, 4.0], [1.0, 1.0]) == (0.25, [-0.5])
    assert hinge.value_and_grad([0.5], [4.0, 8.0], [1.0, 1.0]) == (0.0, [0.0])
    assert hinge.backward([4.0], [1.0]) == 0.0 and w[0].grad == 0.0
    boxed = compile(lambda x: np.array(w[0] * x), w)  # a 0-d array
    assert boxed.value_and_grad([0.5], [3.0]) == (1.5, [3.0])
    signs = compile(lambda x: 1.0 if x > 0 else 0, w, reduction="sum")
    assert signs.value_and_grad([0.5], [1.0, -1.0, 2.0]) == (2.0, [0.0])
    for wrong in (None, "1", [1.0], 1j, np.array([1.0, 2.0])):
        with pytest.raises(TypeError, match="it must return one Value, or a number"):
            compile(lambda x, wrong=wrong: wrong, w).value([0.5], [1.0])


# ---- What a function reads from outside ----


GLOBAL, FLAG, MODE, OUTER, SHADOWED, EMPTY = 3.0, True, "a", Value(3.0), 3.0, None
SETTINGS, ITEMS, ARRAY, NAMESPACE = {"scale": 3.0}, [3.0, [3.0]], np.array([3.0, 3.0]), SimpleNamespace(scale=3.0)


def by_a_global(x):
    """A helper."""
    return x * GLOBAL


class Scaled:
    """Numbers of an object and of its class; a property, a method, an operator."""

    of_class = 3.0

    def __init__(self):
        self.scale = 3.0

    @property
    def doubled(self):
        return self.scale * 2.0

    def __call__(self, x):
        return x * self.scale

    def method(self, x):
        return x * self.of_class

    def __rmul__(self, x):
        return x * self.scale


class Slotted:
    """Without a dict."""

    __slots__ = ("scale",)

    def __init__(self):
        self.scale = 3.0


def with_default(x, scale=3.0, *, more=1.0):
    """Both kinds."""
    return x * scale * more


def with_import(x):
    """At every call."""
    from tests.test_compile_functions import GLOBAL as scale  # noqa: N811

    return x * scale


def changes():
    """(name, function, change): a number that a function reads is 3 at first and then another."""
    cell, scaled, slotted, keyword = 3.0, Scaled(), Slotted(), partial(with_default, more=3.0)

    def in_a_cell(x):
        return x * cell

    def change_cell():
        nonlocal cell
        cell = 5.0

    def nested(x):
        def inner(y):
            return (lambda z: z * GLOBAL)(y)

        return sum(inner(v) for v in (x, x))

    def setting(**names):
        return lambda: globals().update(names)

    yield "cell", in_a_cell, change_cell
    yield "global", lambda x: x * GLOBAL, setting(GLOBAL=5.0)
    yield "helper", lambda x: by_a_global(x), setting(GLOBAL=5.0)
    yield "helper in a list", lambda x, helpers=[by_a_global]: helpers[0](x), setting(GLOBAL=5.0)
    yield "wrapped", wraps(by_a_global)(lambda x: by_a_global(x)), setting(GLOBAL=5.0)
    yield "nested", nested, setting(GLOBAL=5.0)
    yield "import", with_import, setting(GLOBAL=5.0)
    yield "module", lambda x: x * THIS.GLOBAL, setting(GLOBAL=5.0)
    yield "flag", lambda x: x if FLAG else x * 2, setting(FLAG=False)
    yield "mode", lambda x: x if MODE == "a" else x * 2, setting(MODE="b")
    yield "none", lambda x: x if EMPTY is None else x * EMPTY, setting(EMPTY=5.0)
    yield "Value", lambda x: x * OUTER, setting(OUTER=Value(5.0))
    yield "scalar", lambda x: x * SHADOWED, setting(SHADOWED=np.float64(5.0))
    yield "sign of zero", lambda x: x / GLOBAL, setting(GLOBAL=-3)
    yield "default", with_default, lambda: setattr(with_default, "__defaults__", (5.0,))
    yield "keyword default", with_default, lambda: with_default.__kwdefaults__.update(more=5.0)
    yield "partial", keyword, lambda: keyword.keywords.update(more=5.0)
    yield "dict", lambda x: x * SETTINGS["scale"], lambda: SETTINGS.update(scale=5.0)
    yield "list", lambda x: x * ITEMS[0], lambda: operator.setitem(ITEMS, 0, 5.0)
    yield "list in a list", lambda x: x * ITEMS[1][0], lambda: operator.setitem(ITEMS[1], 0, 5.0)
    yield "longer list", lambda x: x * len(ITEMS), lambda: ITEMS.append(5.0)
    yield "array", lambda x: x * ARRAY[0], lambda: operator.setitem(ARRAY, 0, 5.0)
    yield "namespace", lambda x: x * NAMESPACE.scale, lambda: setattr(NAMESPACE, "scale", 5.0)
    yield "attribute", lambda x: x * scaled.scale, lambda: setattr(scaled, "scale", 5.0)
    yield "slot", lambda x: x * slotted.scale, lambda: setattr(slotted, "scale", 5.0)
    yield "callable", scaled, lambda: setattr(scaled, "scale", 7.0)
    yield "property", lambda x: x * scaled.doubled, lambda: setattr(scaled, "scale", 5.0)
    yield "operator", lambda x: x * 1.0 + x * scaled, lambda: setattr(scaled, "scale", 6.0)
    yield "class", scaled.method, lambda: setattr(Scaled, "of_class", 5.0)
    yield "hidden", scaled.method, lambda: setattr(scaled, "of_class", 6.0)


THIS = sys.modules[__name__]


def test_what_a_function_reads_from_outside_may_change(monkeypatch):
    """Wherever it stands, it is noticed, and the function traced again; undone, it is what it was."""
    monkeypatch.setattr(Scaled, "of_class", 3.0)
    w = [Value(2.0)]
    names = dict(globals())
    for name, function, change in changes():

        def scaled(x, function=function):
            return w[0] * function(x)

        compiled, before = compile(scaled, w), scaled(1.5).data
        assert compiled.value([2.0], [1.5]) == before, name
        change()
        after = scaled(1.5).data
        assert after != before and compiled.value([2.0], [1.5]) == after, name
        globals().update(names)


def test_a_function_that_is_a_method_or_a_partial_itself():
    """As the one that is compiled."""
    w, scaled = [Value(2.0)], Scaled()
    scaled.w = w
    for function, change in (
        (partial(lambda scale, x: w[0] * x * scale[0], [3.0]), None),
        (scaled.__call__, lambda: setattr(scaled, "scale", 5.0)),
        (scaled, lambda: setattr(scaled, "scale", 7.0)),
    ):
        compiled = compile(lambda x, function=function: w[0] * function(x), w) if change else compile(function, w)
        direct = compile(function, w, reduction="sum")
        before = direct.value([2.0], [1.5]), compiled.value([2.0], [1.5])
        (change or (lambda function=function: operator.setitem(function.args[0], 0, 5.0)))()
        assert direct.value([2.0], [1.5]) == getattr(function(1.5), "data", function(1.5)) != before[0]
        assert compiled.value([2.0], [1.5]) != before[1]


def test_what_is_equal_is_not_traced_again():
    """A number that is bound anew, NaN included; but -0.0 is another number than 0.0; a call that counts itself."""
    w, calls, number, count = [Value(2.0)], [], math.nan, 0

    def function(x):
        nonlocal count
        calls.append(x)
        count += 1
        return w[0] * x if number != number else w[0] * x / number

    compiled = compile(function, w)
    compiled([1.0])
    traced = len(calls)
    for same in (float("nan"), math.nan, -math.nan):
        number = same
        compiled([1.0])
    assert len(calls) == traced
    number = 0.0
    assert compiled([1.0]) == math.inf
    number = -0.0
    assert compiled([1.0]) == -math.inf
    traced, number = len(calls), float("-0.0")
    assert compiled([1.0]) == -math.inf and len(calls) == traced


def test_parameters_that_are_replaced_are_constants_from_then_on():
    """As in the eager run, whose gradient by the old one is 0; where they are bound to a name or stand in a list."""
    w = [Value(2.0)]
    old = w[0]
    function = compile(lambda x: w[0] * x, [old])
    assert function.value_and_grad([2.0], [3.0]) == (6.0, [3.0])
    w[0] = Value(5.0)
    assert function.value_and_grad([2.0], [3.0]) == (15.0, [0.0])
    w[0] = old
    assert function.value_and_grad([2.0], [3.0]) == (6.0, [3.0])


def test_generators_that_a_function_draws_from_are_noticed():
    """Though what they draw decides nothing: wherever they stand, whatever their kind."""
    w, bit = [Value(2.0)], np.random.PCG64(0)
    generators = [random.Random(0), np.random.default_rng(0), np.random.RandomState(0), np.random.Generator(bit)]

    class Noisy:
        def __init__(self, generator):
            self.generator = generator

        def __call__(self, x):
            return w[0] * x if self.generator.random() < 2.0 else x

    for generator in generators:
        draw = generator.random
        for function in (
            lambda x, generator=generator: w[0] * x if generator.random() < 2.0 else x,
            lambda x, draw=draw: w[0] * x if draw() < 2.0 else x,
            lambda x, held={"a": [generator]}: w[0] * x if held["a"][0].random() < 2.0 else x,
            Noisy(generator),
            partial(lambda noisy, x: noisy(x), Noisy(generator)),
        ):
            with pytest.raises(TypeError, match="draws random numbers"):
                compile(function, w).value([2.0], [1.0])
    fixed = compile(lambda x: w[0] * x * np.random.default_rng(0).random(), w)
    assert fixed.value([2.0], [1.0]) == 2.0 * np.random.default_rng(0).random()  # one of its own, with its seed


def test_large_containers_are_looked_at_from_outside_only():
    """As it says: replaced, they are noticed; what changes within them is not."""
    w, many = [Value(2.0)], [3.0] * 1000
    compiled = compile(lambda x: w[0] * x * many[0], w)
    assert compiled.value([2.0], [1.0]) == 6.0
    many[0] = 5.0
    assert compiled.value([2.0], [1.0]) == 6.0
    many = [7.0] * 1000
    assert compiled.value([2.0], [1.0]) == 14.0


# ---- Numbers that are read ----


def swallowing(function):
    """What goes on with another number, whatever happens."""
    try:
        return function()
    except Exception:
        return 1.0


@pytest.mark.parametrize(
    "read",
    [
        float, int, complex, round, math.exp, math.floor, hash, pickle.dumps, copy.copy, copy.deepcopy, np.float64,
        lambda x: [1.0, 2.0][x], lambda x: range(x), lambda x: x % 2.0, lambda x: {0.5: 2.0}[x],
        lambda x: np.asarray(x, dtype=float), lambda x: operator.setitem(np.zeros(1), 0, x), np.isfinite,
        lambda x: x.data * 2.0, lambda x: 2.0 - x.data, lambda x: -x.data, lambda x: abs(x.data),
        lambda x: float(x.data),
        lambda x: math.sqrt(x.data), lambda x: np.exp(x.data), lambda x: np.array([x.data, 1.0]),
        lambda x: Value(x.data),
        lambda x: x.data > 0.0, lambda x: x.data == 0.5, lambda x: x.data in [0.5], lambda x: x.data in {0.5},
        lambda x: bool(x.data), lambda x: round(x.data, 1), lambda x: x.data.is_integer(), lambda x: x.data.real,
        lambda x: sum([x.data]), lambda x: max(x.data, 1.0), lambda x: "%.3f" % x.data, lambda x: [1.0][x.data],  # noqa: UP031
        lambda x: pickle.dumps(x.data), lambda x: copy.copy(x.data), lambda x: x * x.data, lambda x: x < x.data,
        lambda x: sin(x.data), lambda x: x.grad + 1.0, lambda x: (x * 2.0).numbers[0] + 1.0, lambda x: float(repr(x)),
        lambda x: float(f"{x:.3f}"), lambda x: float(str(x.data)), lambda x: setattr(Value(1.0), "data", x.data),
        lambda x: x < Fraction(1, 3), lambda x: np.array([x], dtype=object).astype(float),
    ],
)  # fmt: skip
def test_a_refusal_that_the_function_catches_is_raised_again(read):
    """With the line where it was caught; of an input, a parameter, and what is computed from them."""
    w = [Value(2.0)]
    for function in (
        lambda x: w[0] * x * (swallowing(lambda: read(x)) is None),
        lambda x: w[0] * x * (swallowing(lambda: read(w[0] * x)) is None),
    ):
        with pytest.raises(
            TypeError, match=r"(?s)(while compiling|in what is compiled|is no int|isfinite).*\(at .*:\d+\)$"
        ):
            compile(function, w).value([2.0], [0.5])
    assert w[0].data == 2.0 and float(w[0].data) == 2.0


def test_refusals_are_raised_again_however_they_are_caught():
    """By contextlib, by a bare except, by an error of its own, in a thread; or after all by nobody."""
    w = [Value(2.0)]

    def suppressed(x):
        with suppress(TypeError):
            return w[0] * math.exp(x)
        return w[0]

    def bare(x):
        try:
            return w[0] * math.exp(x)
        except:  # noqa: E722
            return w[0]

    def another(x):
        try:
            return w[0] * math.exp(x)
        except TypeError:
            raise ValueError("no number") from None

    def unbound(x):
        with suppress(TypeError):
            scale = math.exp(x)
        return w[0] * scale

    def elsewhere(x):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: x.data + 1.0)
        return w[0] * x

    for function in (suppressed, bare, another, unbound, elsewhere):
        with pytest.raises(TypeError, match=r"\(at .*functions\.py:\d+\)$"):
            compile(function, w).value([2.0], [0.5])
    with pytest.raises(
        TypeError, match=r"in what is compiled, compute with the functions of autograd, where and select$"
    ):
        compile(lambda x: w[0] * math.exp(x), w).value([2.0], [0.5])  # which nobody caught
    with pytest.raises(ValueError, match="my own"):
        compile(lambda x: w[0] * int("my own"), w).value([2.0], [0.5])


def test_a_number_may_be_read_and_printed(capsys):
    """Logs do not stop a trace, and their text has no number; what is no use is as in the eager run."""
    w, log, texts = [Value(2.0)], logging.getLogger("of a compiled function"), []
    log.addHandler(handler := logging.StreamHandler(io.StringIO()))
    log.setLevel("INFO")

    def function(x):
        print(x, x.data, f"{x.data:.3f}", f"{x:8.3f}", "%s" % x.grad, w[0].data)  # noqa: UP031
        log.info("%s", x.data)
        log.info("at %r of %s", x, x.data)
        texts.append(repr(x) + str(x.data) + format(x * 2.0, ".2f") + json.dumps({"x": x.data}, default=str))
        assert hasattr(x, "data") and x.data is not None and isinstance(x.data, float)
        assert not isinstance(x.data, (int, str)) and len((x * x).numbers) == 3
        return w[0] * x

    assert compile(function, w, reduction="none").value([2.0], [0.5, -123.25]).tolist() == [1.0, -246.5]
    assert len({*texts}) == 1 and not any(text in texts[0] for text in ("0.5", "123", "nan"))
    for logged in (capsys.readouterr().out, handler.stream.getvalue()):
        assert logged.count("<traced>") >= 4 and "0.5" not in logged
    reads = []
    compile(lambda x: (reads.append(x.data), w[0] * x)[1], w).value([2.0], [0.5])
    assert not isinstance(reads[0], float)  # it is none, and says so when nobody traces
    with pytest.raises(TypeError, match="was read while compiling"):
        reads[0] + 1.0


def test_the_text_of_a_constant_has_its_number():
    """And the function is traced again when it changes."""
    w, c = [Value(2.0)], Value(0.25)
    compiled = compile(lambda x: w[0] * x * float(f"{c:.2f}") * len(str(c.data)), w)
    assert compiled.value([2.0], [1.0]) == 2.0 * 0.25 * 4
    c.data = 0.5
    assert compiled.value([2.0], [1.0]) == 2.0 * 0.5 * 3


# ---- What is kept ----


def test_the_traced_graph_is_not_kept():
    """Nor by what the function logged; only programs are."""
    w, logged = [Value(0.1), Value(0.2)], []
    gc.collect()
    before = sum(type(x) is nodes.WatchedValue for x in gc.get_objects())

    def function(x):
        logged.append((x.data, repr(x)))
        y = x * w[0]
        for _ in range(50):
            y = (y * w[1] + x).sin()
        return y * 2.0 if y > 0 and dot([x, y], w) > 0.5 else y

    compiled = compile(function, w)
    compiled([1.0, -1.0, 5.0])
    assert compiled([1.0, -1.0, 5.0]) == pytest.approx(compiled([1.0, -1.0, 5.0]))
    gc.collect()
    assert sum(type(x) is nodes.WatchedValue for x in gc.get_objects()) == before


def test_programs_are_kept_for_the_shapes_used_last():
    """64 of them; the first is compiled anew when it comes back, one that is used stays."""
    w, calls = [Value(2.0)], []

    def function(x):
        calls.append(len(x))
        return w[0] * sum(x)

    compiled = compile(function, w)
    for size in range(1, 100):
        assert compiled.value([2.0], np.ones((1, size))) == 2.0 * size
        compiled.value([2.0], np.ones((1, 1)))
    assert repr(compiled).endswith("64 programs so far")
    traced = len(calls)
    for size in (99, 1, 40):
        compiled.value([2.0], np.ones((1, size)))
    assert len(calls) == traced
    compiled.value([2.0], np.ones((1, 30)))
    assert {*calls[traced:]} == {30}


# ---- Ragged groups ----


def attention(p, x):
    """A list of keys and values that grows; sums, maxima and dots of every length."""
    keys, values, out = [], [], 0.0
    for i in range(0, len(x), 2):
        query = [p[0] * x[i], p[1] * x[i + 1]]
        keys.append([p[2] * x[i], p[3] * x[i + 1]])
        values.append([p[4] * x[i], p[5] + x[i + 1]])
        weights = softmax([dot(query, key) for key in keys])
        out = out + dot([dot(weights, column) for column in zip(*values)], p[6:8])
    return out


@pytest.mark.parametrize("steps", [2, 3, 7])
def test_ragged_attention(steps):
    """Padded; equal to the engine, on batches and unrolled, and few statements."""
    rng = np.random.default_rng(0)
    p, theta, x = [Value(0.0) for _ in range(8)], rng.normal(size=8), rng.normal(size=(4, 2 * steps))
    rows_agree(lambda x: attention(p, x), p, theta, x)
    for w, number in zip(p, theta):
        w.data = float(number)
    inputs = [Value(number) for number in x[0]]
    output = attention(p, inputs)
    value, gradient = compile(output, p, inputs=inputs).value_and_grad(theta, x[0])
    assert value == pytest.approx(output.data, rel=1e-12)
    np.testing.assert_allclose(gradient, gradients(output, p), rtol=1e-10)


# ---- Arrays ----


def test_arrays_of_all_kinds():
    """Three axes, none, ints, bools, strides; what a row holds is nested lists."""
    rng = np.random.default_rng(0)
    w = [Value(0.5), Value(-1.5)]

    def function(cube, number, flags):
        assert len(cube) == 2 and len(cube[0]) == 3 and len(cube[0][0]) == 2
        return (
            w[0] * sum(x for matrix in cube for row in matrix for x in row) * number + w[1] * flags[1] * cube[1][2][0]
        )

    cube, number, flags = rng.normal(size=(4, 2, 3, 2)), np.arange(4), rng.random((4, 2)) > 0.5
    expected = [
        0.5 * c.sum() * n - 1.5 * f[1] * c[1, 2, 0] for c, n, f in zip(cube, number.tolist(), flags.astype(float))
    ]
    f = compile(function, w, reduction="none")
    np.testing.assert_allclose(f.value([0.5, -1.5], cube, number, flags), expected)
    turned = np.asfortranarray(cube)[::-1]
    np.testing.assert_allclose(f.value([0.5, -1.5], turned, number[::-1], flags[::-1]), expected[::-1])
    program = f.program(cube, number, flags)
    np.testing.assert_allclose(program.value([0.5, -1.5], cube, number, flags), expected)
    with pytest.raises(ValueError, match=r"cube has shape \(4, 2, 3\); give \(B, 2, 3, 2\)"):
        program.value([0.5, -1.5], cube[..., 0], number, flags)
    with pytest.raises(TypeError, match="give real numbers"):
        f.value([0.5, -1.5], cube.astype(str), number, flags)


def test_float32():
    """Arrays and gradient are float32, and as near as that is; indexes too."""
    rng = np.random.default_rng(0)
    model = nn.MLP(3, [5, 4], activation=nn.tanh, seed=0)
    parameters = model.parameters()
    theta, x, y = rng.normal(size=len(parameters)), rng.normal(size=(7, 3)), rng.integers(4, size=7)

    def loss(x, y):
        return nn.cross_entropy(model(x), y)

    value, gradient = compile(loss, parameters).value_and_grad(theta, x, y)
    near, slopes = compile(loss, parameters, dtype="float32").value_and_grad(theta, x, y)
    assert slopes.dtype == np.float32 and near == pytest.approx(value, rel=1e-5) and near != value
    np.testing.assert_allclose(slopes, gradient, rtol=1e-3, atol=1e-6)
    assert "float64" not in compile(loss, parameters, dtype="float32").source(x, y)
    assert compile(loss, parameters, dtype=np.float32).value(theta, x, y) == near
    with pytest.raises(ValueError, match="give one of float64, float32"):
        compile(loss, parameters, dtype="float16")


def test_every_array_of_a_float32_program_is_float32():
    """Constants, what is filled and what is gathered; indexes stay ints, and in float64 nothing is said."""
    w = [Value(0.1 * i) for i in range(30)]

    def loss(x):
        parts = [*[(v * x).tanh() for v in w[:20]], *[v.sin() for v in w[20:]], 1.5]
        return sum(parts[i * i % 31] * (i + 0.5) for i in range(40)) + sum(w[:20])

    theta, x = [v.data for v in w], [1.0, -2.0]
    source = compile(loss, w, dtype="float32").source(x)
    made = [line for line in source.splitlines() if re.search(r"np\.(array|full|zeros)\(", line)]
    assert made and all(("np.float32" in line) != line.startswith("i") for line in made), made
    assert "np.float" not in compile(loss, w).source(x)
    value, gradient = compile(loss, w).value_and_grad(theta, x)
    near, slopes = compile(loss, w, dtype="float32").value_and_grad(theta, x)
    assert near == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(slopes, gradient, rtol=1e-4)


def test_the_program_of_a_function_checks_its_batch():
    """As many rows of each array, at least one; rows of one length."""
    w = [Value(2.0)]
    program = compile(lambda x, y: w[0] * x * y[0] * y[1], w).program([1.0], [[2.0, 3.0]])
    assert program.value([2.0], [1.0, 2.0], [[1.0, 1.0], [3.0, 1.0]]) == 7.0
    for arrays in (([1.0], [[1.0, 2.0], [3.0, 4.0]]), ([], np.ones((0, 2)))):
        with pytest.raises(ValueError, match="give as many in each, at least one"):
            program.value([2.0], *arrays)
    with pytest.raises(ValueError, match=r"is ragged .* give rows of one length"):
        program.value([2.0], [1.0, 2.0], [[1.0, 1.0], [3.0]])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_large_batches_are_worked_off_in_chunks(reduction, monkeypatch):
    """Of 32 rows here; the last one is short."""
    model = nn.MLP(2, [3, 1], activation=nn.tanh, seed=0)
    theta, x = [p.data for p in model.parameters()], np.random.default_rng(0).normal(size=(100, 2))
    whole = compile(model, model.parameters(), reduction=reduction)
    value = whole.value(theta, x)
    monkeypatch.setattr(programs, "CHUNK", 1)
    chunked = compile(model, model.parameters(), reduction=reduction)
    np.testing.assert_allclose(chunked.value(theta, x), value, rtol=1e-13)
    assert len(chunked.program(x)._chunks([x])) == 4 and len(whole.program(x)._chunks([x])) == 1
    assert [len(chunked.program(x)._chunks([x[:n]])) for n in (32, 33)] == [1, 2]
    if reduction != "none":
        for rows in (x, x[:50]):  # four chunks, and two
            (near, slopes), (value, gradient) = (f.value_and_grad(theta, rows) for f in (chunked, whole))
            assert near == pytest.approx(value, rel=1e-13)
            np.testing.assert_allclose(slopes, gradient, rtol=1e-12, atol=1e-15)


def test_chunks_are_of_so_many_bytes(monkeypatch):
    """Per row the numbers that have a batch axis, and as many gradients: here of x, of x w, and of sin(x w)."""
    monkeypatch.setattr(programs, "CHUNK", 100 * 2 * 8 * 3)
    w = [Value(0.5), Value(1.0)]
    for dtype, rows in (("float64", 100), ("float32", 200)):
        program = compile(lambda x: (x * w[0].tanh()).sin(), w, dtype=dtype).program([1.0])
        assert len(program._chunks([np.zeros(rows)])) == 1 and len(program._chunks([np.zeros(rows + 1)])) == 2


def test_programs_of_functions_pickle():
    """The program does; the function, which knows its parameters by identity, says so."""
    model = nn.MLP(2, [3, 1], seed=0)
    function, x = compile(model, model.parameters()), np.ones((3, 2))
    theta = [p.data for p in model.parameters()]
    again = pickle.loads(pickle.dumps(function.program(x)))
    assert again.value(theta, x) == function.value(theta, x)
    assert np.array_equal(again.value_and_grad(theta, x)[1], function.value_and_grad(theta, x)[1])
    assert again.value_and_grad([math.nan] * len(theta), x)[0] != again.value(theta, x)
    with pytest.raises(RuntimeError, match="an unpickled program knows no Values"):
        again.backward(x)
    with pytest.raises(TypeError, match="pickle its program"):
        pickle.dumps(function)


def test_backward_adds_to_the_parameters():
    """As Value.backward does, at their present numbers."""
    model, x, y = nn.MLP(2, [3, 1], seed=0), np.ones((3, 2)), np.zeros(3)
    loss = compile(lambda x, y: nn.half_squared_error(model(x), y), model.parameters())
    mean_loss = nn.cost(nn.half_squared_error, [model(row) for row in x], y)
    assert loss.backward(x, y) == pytest.approx(mean_loss.data)
    loss.backward(x, y)
    np.testing.assert_allclose(
        [p.grad for p in model.parameters()], 2 * np.array(gradients(mean_loss, model.parameters())), rtol=1e-12
    )


def test_constants_that_change_are_noticed():
    """A leaf from outside keeps its number only as long as it has it."""
    w, scale = [Value(2.0)], Value(3.0)
    function = compile(lambda x: scale * w[0] * x, w)
    assert function.value([2.0], [1.0]) == 6.0
    scale.data = 5.0
    assert function.value([2.0], [1.0]) == 10.0
    assert function.value_and_grad([2.0], [1.0])[1].tolist() == [5.0]


def test_a_function_runs_only_to_be_traced():
    """Not again when the parameters, which are given in every call, have changed."""
    w, calls = [Value(2.0)], []

    def function(x):
        calls.append(x)
        return w[0] * x * Value(3.0) if x > 0 else w[0] * x

    compiled = compile(function, w)
    assert compiled([1.0, -1.0]) == 2.0
    traced, w[0].data = len(calls), 5.0
    assert compiled([1.0, -1.0]) == 5.0 and len(calls) == traced


def test_the_program_of_several_rows_is_that_of_the_first():
    """Whichever was traced before."""
    w = [Value(2.0)]
    function = compile(lambda x: w[0] * x if x > 0 else x.sin(), w)
    function.value([2.0], [1.0, -1.0])
    assert "sin" in function.source([-1.0, 1.0]) and "sin" not in function.source([1.0, -1.0])


def test_names_that_are_taken():
    """Arguments that are called as the source calls something else get names of their own."""
    w = [Value(2.0)]
    for function in (
        lambda theta, z1: w[0] * theta * z1,
        lambda np, n: w[0] * np * n,
        lambda d, index: w[0] * d * index,
        lambda x, n: w[0] * x * n,
        lambda float_, g: w[0] * float_ * g,
        lambda *many: w[0] * many[0] * many[1],
    ):
        assert compile(function, w).value_and_grad([2.0], [3.0], [4.0])[0] == 24.0


def test_a_decorator():
    """compile without a function waits for one."""
    w = [Value(2.0)]

    @compile(wrt=w, reduction="sum")
    def doubled(x):
        return w[0] * x

    assert repr(doubled).endswith("doubled of 1 parameter, 0 programs so far")
    assert doubled.value([2.0], [1.0, 2.0]) == 6.0
    assert repr(doubled).endswith("doubled of 1 parameter, 1 program so far")
    assert doubled([1.0, 2.0]) == 6.0 and "for rows of shapes ()\nv1 = theta[0] * x" in str(doubled)


def test_an_output_that_no_input_reaches():
    """Is one for each row."""
    w = [Value(2.0)]
    function = compile(lambda x: w[0] * 3.0, w, reduction="none")
    assert function.value([2.0], [1.0, 2.0]).tolist() == [6.0, 6.0]
    value, gradient = compile(lambda x: w[0] * 3.0, w).value_and_grad([2.0], [1.0, 2.0])
    assert (value, gradient.tolist()) == (6.0, [3.0])


def test_values_of_a_batch_whose_floats_would_raise():
    """A number that no input reaches is a float of Python, whose division by 0 raises; the values are those of IEEE."""
    w = [Value(0.5)]
    for reduction, expected in (("mean", 1.5), ("none", [1.0, 2.0])):
        function = compile(lambda x: x * (1.0 / w[0]).tanh(), w, reduction=reduction)
        np.testing.assert_array_equal(function.value([0.0], [1.0, 2.0]), expected)


def test_floats_that_would_raise_are_computed_carefully():
    """Where Python's floats raise, IEEE 754 has an answer."""
    p = [Value(0.0), Value(1.0)]
    for function, numbers in (
        (lambda p: (1.0 / p[0]).tanh() + p[1], [0.0, 1.0]),
        (lambda p: p[0].log() * p[1], [0.0, 2.0]),
        (lambda p: p[0].exp() - p[1], [1000.0, 2.0]),
        (lambda p: maximum(p[0] ** p[1], 0.0), [-1.0, 0.5]),
        (lambda p: p[0].sin() + p[1], [math.inf, 1.0]),
        (lambda p: (p[0].relu().sqrt() * p[1]).sigmoid(), [-1.0, 1.0]),
    ):
        for w, number in zip(p, numbers):
            w.data = number
        output = function(p)
        value, gradient = compile(output, p).value_and_grad(numbers)
        np.testing.assert_array_equal([value, *gradient], [output.data, *gradients(output, p)])


# ---- Found by adversaries ----


def test_slopes_that_are_sums_are_kept():
    """What is first added to a gradient as a sum over the batch, and then to parts of it."""
    w = [Value(0.0) for _ in range(3)]

    def function(x):
        u = [sin(p) for p in w]
        k = u[1] * u[0] * x[0]
        y = [a + b * k for a, b in zip(u, x)]
        return y[0] * y[1] * y[2]

    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    rows_agree(function, w, [0.3, 0.5, 0.7], x)
    assert "ascontiguousarray" not in compile(function, w).source(x)  # parts of vectors are where they are


def test_a_slope_that_repeats_is_added_to():
    """It begins as one number for all terms of a sum, and is not the same for all in the end."""
    w = [Value(0.0) for _ in range(3)]

    def function(x):
        a = [(v * u).tanh() for v, u in zip(w, x)]
        used = [(v * 2.0).sin() for v in a]
        return (a[0] + a[1] + a[2] + (used[0] * used[1]).exp() * used[2]).tanh()

    rows_agree(function, w, [0.5, -0.25, 1.0], np.random.default_rng(7).normal(size=(4, 3)))


def test_slopes_that_are_the_same_for_all_terms():
    """They stand for as many as there are, also behind a sign; and for the factor that all terms share."""
    w, x = [Value(0.0) for _ in range(4)], np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    for function in (
        lambda x: sum(-(x * w[0] + v) for v in w[1:]),
        lambda x: dot([(x * w[0]).tanh()] * 3, w[1:]).sin(),
    ):
        rows_agree(function, w, [0.5, -0.25, 1.0, 0.75], x)


def test_numbers_that_only_decide_are_watched_too():
    """Leaves from outside that are compared, read, or hidden from the gradient."""
    w, t = [Value(0.5), Value(-1.5)], Value(0.0)

    def hidden(x):
        with no_grad():
            square = t * t
        return square * w[0] * x

    for function in (
        lambda x: w[0] * x if x > t else w[1] * x,
        lambda x: w[0] * x if t > 0 else w[1] * x,
        lambda x: w[0] * x * t.data,
        hidden,
    ):
        compiled = compile(function, w)
        for number in (0.0, 5.0, -5.0):
            t.data = number
            expected = np.mean([function(x).data for x in (1.0, 2.0)])
            assert compiled.value([0.5, -1.5], [1.0, 2.0]) == pytest.approx(expected)


def test_no_grad_inside_of_a_function():
    """Stops the gradient, not the numbers."""
    w = [Value(0.0), Value(0.0)]

    def function(x):
        with no_grad():
            scale = w[0] * x - 1.0
        return w[1] * x * scale if scale > 0 else w[0] * scale

    rows_agree(function, w, [0.5, -1.5], np.array([4.0, 1.0, 3.0]))
    rows_agree(function, w, [2.5, 0.5], np.array([4.0, 1.0, 3.0]))


def test_two_threads_compile_at_once():
    """Each asks its own questions; afterwards nobody is watched."""
    w, barriers, results = [Value(0.5), Value(-1.5)], [threading.Barrier(2), threading.Barrier(2)], {}

    def compiled(key):
        calls = []

        def function(x):
            calls.append(x)
            if len(calls) == 1:
                barriers[0].wait(10)
            y = w[0] * x if x > 0 else w[1] * x
            if len(calls) == 1:
                barriers[1].wait(10)
            return y

        results[key] = compile(function, w).value([0.5, -1.5], [1.0, -2.0])

    threads = [threading.Thread(target=compiled, args=(key,)) for key in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == {0: 1.75, 1: 1.75} and watching.watchers == ()


def test_questions_in_other_threads_and_in_sets_are_refused():
    """They would be lost."""
    w = [Value(0.5), Value(-1.5)]

    def elsewhere(x):
        with ThreadPoolExecutor(1) as pool:
            return next(pool.map(lambda v: v * 2 if v > 0 else v * 3, [x])) * w[1]

    with pytest.raises(TypeError, match="in another thread"):
        compile(elsewhere, w).value([0.5, -1.5], [1.0, -2.0])

    def hashed_elsewhere(x):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(hash, x).result()
        return w[0] * x

    assert compile(hashed_elsewhere, w).value([0.5, -1.5], [1.0, -2.0]) == -0.25  # it gives no number away
    for function in (lambda x: w[0] if x in {0.0, 1.0} else w[1], lambda x: w[0] * {0.0: 2.0}.get(x, 1.0)):
        with pytest.raises(TypeError, match="looked up in a set or a dict"):
            compile(function, w).value([0.5, -1.5], [0.0, 1.0])


def test_derivatives_in_compiled_functions_are_refused():
    """Each verb and each walk, with words about derivatives; one that depends on nothing that varies is a constant."""
    w = Value(2.0)
    for function in (
        lambda x: grad(lambda t: w * t * x)(3.0),
        lambda x: value_and_grad(lambda t: t**3)(x)[1],
        lambda x: jacobian(lambda t: [w * t])(3.0)[0] * x,
        lambda x: hessian(lambda t: 1.0)(x) + w * x,
        lambda x: jvp(lambda t: w * t, (x,), (1.0,))[1],
        lambda x: hvp(lambda t: t**3, (x,), (1.0,)) * w,
        lambda x: gradients(w * x, [w])[0] * x,
        lambda x: (w * x).backward() or w * x,
        lambda x: no_grad()(grad(lambda t: w * t))(1.0) * x,
    ):
        with pytest.raises(TypeError, match="compiled functions cannot hold derivatives yet"):
            compile(function, [w]).value([2.0], [1.0, 3.0])
    assert compile(lambda x: w * x * grad(lambda t: t**2)(3.0), [w]).value([2.0], [1.0, 3.0]) == 24.0


def test_numbers_from_outside_may_be_read():
    """What depends on no parameter and no input is a constant anyway; what was asked is printed."""
    w, c = [Value(2.0)], Value(3.0)

    def function(x):
        return w[0] * x * (c * 2.0).data if x else w[0] * 1.0

    program = compile(function, w)
    assert program.value([2.0], [1.0, 0.0]) == 7.0
    assert "1 != 0 was True at" in str(program) and "0 != 0 was False at" in str(program)


def test_comparisons_are_written_as_they_were_asked():
    """With the operator of Python."""
    for compare, text in (
        (operator.lt, "2 < 3"), (operator.le, "2 <= 3"), (operator.gt, "2 > 3"), (operator.ge, "2 >= 3"),
        (operator.eq, "2 == 3"), (operator.ne, "2 != 3"), (operator.truth, "2 != 3"),
    ):  # fmt: skip
        comparison = Comparison(compare, (2.0, 3.0), True, "line 1")
        assert str(comparison) == f"{text} was True at line 1"


def test_inputs_of_many_axes():
    """Lists of lists of lists."""
    w, x = [Value(0.0) for _ in range(2)], np.random.default_rng(6).normal(size=(4, 2, 3, 2))

    def function(x):
        return mean([(dot(w, pair) * (i + 1.0)).tanh() for i, rows in enumerate(x) for pair in rows]) * x[1][0][1]

    theta = [0.5, -1.5]
    compiled = compile(function, w)
    value, gradient = compiled.value_and_grad(theta, x)
    for parameter, number in zip(w, theta):
        parameter.data = number
    outputs = [function(row.tolist()) for row in x]
    np.testing.assert_allclose(value, np.mean([output.data for output in outputs]), rtol=1e-12)
    np.testing.assert_allclose(gradient, np.mean([gradients(output, w) for output in outputs], axis=0), rtol=1e-12)
    kinked = compile(lambda x: (w[0] * x[0][0][0]).relu().sqrt() + w[1] * x[1][2][1], w)  # row by row, carefully
    _, gradient = kinked.value_and_grad([1.0, 2.0], np.multiply.outer([-1.0, 4.0], np.ones((2, 3, 2))))
    assert gradient.tolist() == [0.5, 1.5]


def test_equality_compares_data_and_is_asked_again():
    """Of what an input or a parameter computes, and of constants; NaN differs from itself."""
    w, x = [Value(0.5), Value(-1.5)], np.array([0.0, 2.0, math.nan, -1.0])
    one = Value(1.0) * 1.0
    for question in (
        lambda x: x == 0.0,
        lambda x: 0.0 != x,  # noqa: SIM300
        lambda x: w[0] * x == 1.0,  # 0.5 * 2.0
        lambda x: w[0] * x != Value(1.0),
        lambda x: x == x * 1.0,
        lambda x: w[0] * x != w[0] * x,
        lambda x: x in [Value(2.0), -1.0],
        lambda x: [5.0, Value(-1.0), 2.0].count(w[0] * x * 2.0) == 1,
        lambda x: (x, 0.0) == (0.0, x),
        lambda x: not x != 2.0,  # noqa: SIM202
        lambda x: one == 1.0 and one == Value(1.0) and x == -one,
        lambda x: x == "a" or x is None or x == None or (x != "b" and x == 2.0),  # noqa: E711
        lambda x: np.equal(x, 2.0),
        lambda x: np.not_equal(x, w[0] * 4.0),
    ):
        rows_agree(lambda x, question=question: w[1] * 3 if question(x) else w[1] * x, w, [0.5, -1.5], x)


def test_sinc_and_a_rotation_by_nothing():
    """The branches at 0 of published programs: sin(x)/x, and Rodrigues' formula for a camera that is not turned."""
    w = [Value(0.0)]
    sinc = compile(lambda x: 1.0 if w[0] * x == 0 else sin(w[0] * x) / (w[0] * x), w, reduction="none")
    assert sinc.value([2.0], [0.0, 1.0]).tolist() == pytest.approx([1.0, math.sin(2.0) / 2.0], rel=1e-15)
    value, slope = compile(sinc.function, w).value_and_grad([2.0], [0.0, 1.0])
    assert value == pytest.approx((1.0 + math.sin(2.0) / 2.0) / 2) and np.isfinite(slope).all()
    # d/dw sin(w)/w at w = 2: (2 cos 2 - sin 2)/4, and half of that is the mean's
    assert slope[0] == pytest.approx((2.0 * math.cos(2.0) - math.sin(2.0)) / 8.0)

    r = [Value(0.0) for _ in range(3)]

    def rotated(point):
        theta = sum(x * x for x in r).sqrt()
        if theta != 0.0:
            k, c, s = [x / theta for x in r], theta.cos(), theta.sin()
            cross = [k[1] * point[2] - k[2] * point[1], k[2] * point[0] - k[0] * point[2]]
            along = dot(k, point) * (1.0 - c)
            return point[0] * c + cross[0] * s + k[0] * along + 2.0 * (point[1] * c + cross[1] * s + k[1] * along)
        return point[0] - r[2] * point[1] + r[1] * point[2] + 2.0 * (point[1] + r[2] * point[0] - r[0] * point[2])

    compiled = compile(rotated, r, reduction="sum")
    value, gradient = compiled.value_and_grad([0.0, 0.0, 0.0], [[1.0, 2.0, 3.0]])
    assert value == 5.0 and gradient.tolist() == [-6.0, 3.0, 0.0]  # of p + r x p
    assert compiled.value([0.0, 0.0, math.pi / 2], [[1.0, 2.0, 3.0]]) == pytest.approx(-2.0 + 2.0 * 1.0)  # (-2, 1, 3)


def test_selections_of_all_kinds():
    """Tables of numbers, of one element, with a beginning in common; indexes of indexes, none that varies."""
    w = [Value(0.0) for _ in range(3)]
    tokens, x = np.array([0, 1, 2]), np.array([1.0, 2.0, 3.0])
    theta = [0.5, -1.5, 2.0]
    rows_agree(lambda i: select([1.0, 2.0, 3.0], i) * w[0], w, theta, tokens)
    rows_agree(lambda i: select(w, select([2.0, 0.0, 1.0], i)) * 2.0, w, theta, tokens)
    rows_agree(lambda i: select([w[0]], i * 0.0) * 2.0, w, theta, tokens)
    rows_agree(lambda i, x: dot(select([w[:2]], i * 0.0), [x, x]), w, theta, tokens, x)
    rows_agree(lambda i, x: dot(select([[0.0, 0.0], w[:2], w[1:]], i), [x, 1.0]), w, theta, tokens, x)
    rows_agree(lambda i, x: select([x, w[1], w[2]], i) * select([x, w[0], w[1]], i), w, theta, tokens, x)
    index = Value(1.0)
    program = compile([select(w, index), w[0] * 2], w, inputs=[index])
    assert program.outputs(theta, [2.0]).tolist() == [2.0, 1.0]
    slope = compile(select(w, index) * 2, [*w, index]).value_and_grad([*theta, 2.0])[1]
    assert slope.tolist() == [0.0, 0.0, 2.0, 0.0]


def test_repeated_outputs_and_questions_of_one_number():
    """Are as many as they were."""
    w = [Value(0.5), Value(-1.5)]
    u = w[0].sin()
    assert compile([w[0], w[0]], w).outputs([0.5, 1.0]).tolist() == [0.5, 0.5]
    assert compile([u, u, u], w).outputs([0.5, 1.0]).shape == (3,)
    assert compile(lambda x: w[0] * max([x, x]), w).value([0.5, 1.0], [1.0, 2.0]) == 0.75
    assert compile(lambda x: w[0] if x >= x else w[1], w).value([0.5, 1.0], [1.0, math.nan]) == 0.75


def test_array_classes_and_more_names():
    """np.matrix, and arguments called like functions."""
    w = [Value(0.5), Value(-1.5)]
    assert compile(lambda array: array * w[0] + w[1].__abs__(), w).value([0.5, -1.5], [2.0]) == 2.5
    rows = np.asarray([[1.0, 2.0], [3.0, 4.0]]).view(np.matrix)
    assert compile(lambda x: w[0] * x[0] + w[1] * x[1], w).value([1.0, 0.0], rows) == 2.0


def test_comparisons_are_exact_or_refused():
    """With arrays elementwise, with itself (the NaN idiom), and never with what a float only comes near to."""
    w = [Value(0.5), Value(-1.2)]
    near = compile(lambda x: w[0] if np.any(x == np.array([1.0, 2.0])) else w[1], w, reduction="none")
    assert near.value([0.5, -1.2], [0.0, 1.0, 2.0]).tolist() == [-1.2, 0.5, 0.5]
    finite = compile(lambda x: w[0] * 0.0 if x != x else w[0] * x, w, reduction="none")
    assert finite.value([0.5, -1.2], [1.0, math.nan]).tolist() == [0.5, 0.0]
    for two in (np.int64(2), np.bool_(True) + 1, np.array(2), np.float64(2.0), 2):
        below = compile(lambda x, two=two: w[0] if x < two and x != two and two >= x else w[1], w, reduction="none")
        assert below.value([0.5, -1.2], [0.0, 2.0, 3.0]).tolist() == [0.5, -1.2, -1.2]
    for other in (Fraction(1, 3), 2**53 + 1, 10**400, Decimal("0.5"), 1 + 0j, np.float32(0.1)):
        with pytest.raises(TypeError, match="compare with a float"):
            compile(lambda x, other=other: w[0] if x == other else w[1], w).value([0.5, -1.2], [1.0])


@pytest.mark.parametrize(
    "total",
    [dot, lambda w, x: sum(x, w[0]), lambda w, x: dot(w, x).log()],
    ids=["dot", "sum", "log"],
)
def test_ties_are_decided_as_in_the_eager_run(total):
    """A sum of NumPy may differ by an ulp from one that is added one by one: in every order, and every time."""
    rng = random.Random(0)
    for _ in range(8):
        theta, x = ([rng.randrange(1, 10) / 7 for _ in range(20)] for _ in range(2))
        w = [Value(t) for t in theta]

        def function(x, bound, w=w):
            return w[0] * 2.0 if w[1] + w[2] > 0 and total(w, x) * 4.0 - bound >= 0 else w[0] * 5.0

        tie, zero = (x, total(w, x).data * 4.0), ([0.0] * 20, 99.0)
        assert function(*tie).data == theta[0] * 2.0 and function(*zero).data == theta[0] * 5.0
        for rows in ([tie] * 100 + [zero], [zero] + [tie] * 100):  # more ties than there may be branches
            compiled = compile(function, w)
            for _ in range(3):
                value = compiled.value(theta, *map(list, zip(*rows)))
                assert value == pytest.approx((100 * 2.0 + 5.0) / 101 * theta[0])
            assert repr(compiled).endswith("2 programs so far")


def test_only_ties_are_computed_one_by_one(monkeypatch):
    """Not what is clearly unequal, and not what NumPy rounds as Python does, as in the validation of a target."""
    monkeypatch.setattr(Guards, "_one_by_one", None)
    w = [Value(1.0), Value(2.0)]
    unequal = compile(lambda x: w[0] if dot(w, x) > 2.0 else w[1], w)
    assert unequal.value([1.0, 2.0], [[1.0, 1.0], [0.5, 0.25]]) == 1.5
    alike = compile(lambda x: w[0] if abs(-x * 2.0) - 3.0 <= 2.0 / x.relu() else w[1], w)
    assert alike.value([1.0, 2.0], [2.0, 4.0]) == 1.5
    loss = compile(lambda x, target: nn.hinge(w[0] * x, target), w)
    assert loss.value([1.0, 2.0], [0.5, 0.5], [1.0, -1.0]) == 1.0


def test_a_row_that_its_own_guards_miss():
    """Of a sum that is 0 or 4, by its order: the row is run by the program traced for it, which is kept once."""
    theta, x = [1e16, *[1.0] * 6, -1e16], [1.0] * 8
    w = [Value(p) for p in theta]
    function = compile(lambda x: w[1] * 3.0 if dot(w, x) <= 0.0 else w[1] * 5.0, w, reduction="none")
    for _ in range(2):
        assert function.value(theta, [x] * 5).tolist() == [3.0 if dot(theta, x) <= 0.0 else 5.0] * 5
    assert repr(function).endswith("1 program so far")


def test_the_order_in_which_branches_are_met_does_not_matter():
    """Bit for bit, as a resumed training needs it."""
    w = [Value(0.3), Value(0.7)]

    def function(x):
        return w[0] * x if x > 0 else w[1] * x * x

    rows = np.random.default_rng(0).normal(size=31)
    first, second = compile(function, w), compile(function, w)
    first([1.0])
    second([-1.0])
    for x, y in zip(first.value_and_grad([0.3, 0.7], rows), second.value_and_grad([0.3, 0.7], rows)):
        assert np.array_equal(x, y)

    def more(x):
        return w[0] * x if x > 0.5 else w[1] * x * x if x > -0.5 else w[0] * w[1] * x

    orders = [compile(more, w) for _ in range(6)]
    for function, order in zip(orders, itertools.permutations([1.0, 0.0, -1.0])):
        for x in order:
            function([x])
    found = [function.value_and_grad([0.3, 0.7], rows) for function in orders]
    assert len({value for value, _ in found}) == len({tuple(slopes) for _, slopes in found}) == 1


def test_gradients_and_pickles_of_parameters_are_read():
    """And so refused."""
    w = [Value(0.5)]
    for function in (lambda x: w[0] * x * w[0].grad, lambda x: x * pickle.loads(pickle.dumps(w[0]))):
        with pytest.raises(TypeError, match="was read while compiling"):
            compile(function, w).value([0.5], [1.0])


def test_sums_over_rows_are_exact_and_quiet():
    """A sum is no mean times a count: to the last bit, down to the smallest floats, and without warnings."""
    w = Value(1.0)
    total = compile(lambda s: w * s, [w], reduction="sum")
    for rows, expected in (([0.9907915790130629, 0.0, 0.0], 0.9907915790130629), ([5e-324] * 3, 1.5e-323)):
        assert total.value_and_grad([1.0], rows)[1].tolist() == [expected]
    for reduction in ("sum", "mean"):
        both = compile(lambda s: w * s, [w], reduction=reduction)
        assert math.isnan(both.value([1.0], [math.inf, -math.inf]))
        assert math.isnan(both.value_and_grad([1.0], [math.inf, -math.inf])[1][0])
    assert total.value_and_grad([1.0], [math.inf, 1.0])[1].tolist() == [math.inf]
