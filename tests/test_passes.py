"""The passes of the compiler, each alone: what goes in, what comes out, and that the whole stays the same."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given

from autograd import TABLE, Op, Value, detach, dot, log_softmax, maximum, select, softmax, where
from autograd.program.blocks import Block, Gather, Statement, View
from autograd.program.code import Code, element, function, helpers_for, write
from autograd.program.contract import (
    Apply,
    Dot,
    Max,
    Select,
    Sum,
    contract,
    count_uses,
    maxima,
    selections,
    split_off_dot,
    terms_of_sums,
)
from autograd.program.forward import _PRODUCTS, product
from autograd.program.helpers import HELPERS
from autograd.program.lower import APART, NARROW, PARTS, lower
from autograd.program.schedule import kind_of, schedule
from autograd.program.simplify import simplify
from autograd.program.trace import Tape, trace
from autograd.strategies import SMOOTH, expressions

from .test_compile import arrays_of_all_widths


def leaves(count: int) -> list[Value]:
    return [Value(0.5 + 0.25 * i) for i in range(count)]


def evaluate(graph: Tape, numbers: list[float]) -> list[float]:
    """The outputs of a trace, instruction after instruction."""
    found: list[float] = []
    for i, (op, operands) in enumerate(zip(graph.ops, graph.operands)):
        if op is not None:
            found.append(op(*(found[j] for j in operands)))
        else:
            found.append(graph.data[i] if graph.is_constant(i) else numbers[i])
    return [found[i] for i in graph.outputs]


@given(expressions(ops=(*SMOOTH, "maximum", "where", "equal", "step"), max_instructions=15))
def test_trace_and_simplify_keep_what_is_computed(expression):
    """Bit for bit, but for the sign of a zero sum."""
    wrt = [Value(x) for x in expression.leaves]
    output = expression(*wrt)
    if isinstance(output, Value):
        for graph in (traced := trace([output], wrt), simplify(traced)):
            np.testing.assert_array_equal(evaluate(graph, list(expression.leaves)), [output.data])
        assert str(simplify(simplify(traced))) == str(simplify(traced))


def test_simplify_does_what_it_says_and_no_more():
    """0 + x is x, what is there twice is there once; products with 0 and 1 and differences of one stay."""
    x, y = leaves(2)

    def count(output: Value) -> int:
        graph = simplify(trace([output], [x, y]))
        return sum(op is not None for op in graph.ops)

    assert count(0 + x + 0.0) == 0 and count(-0.0 + x * y) == 1
    assert count(x * y + x * y) == 2 and count(x * y + y * x) == 3
    assert count(x * float("nan") + x * float("nan")) == 2
    assert count(x * 0.0) == count(x * 1.0) == count(x - x) == count(x / x) == 1
    assert count(Value(2.0) * Value(3.0) + x) == 1
    constant = Value(1.0)
    assert count((constant > 0) * x + TABLE["where"](constant.step(), x, y)) == 2


def test_simplify_keeps_the_right_operand():
    """Of a sum with 0, and of a where whose condition is a constant, and whose other side may be one."""
    x, y = leaves(2)
    one, zero = Value(1.0), Value(0.0)
    for output, expected in (
        (x + 0.0, 1.5), (0.0 + x, 1.5), (where(one, x, 2.0), 1.5), (where(zero, x, 2.0), 2.0),
        (where(one, 2.0, y), 2.0), (where(zero, 2.0, y), 0.25), (where(zero, x, y), 0.25),
    ):  # fmt: skip
        assert evaluate(simplify(trace([output * y], [x, y])), [1.5, 0.25]) == [expected * 0.25]
    for output in (x + 0.0, where(one, x, y * y)):
        assert str(simplify(trace([output], [x, y]))) == "0 parameter\n1 parameter\noutputs: 0"


def test_contract_finds_sums_dots_maxima_and_selections():
    """By kind; what is used twice is left as it is."""
    x = leaves(6)

    def kinds(*outputs: Value) -> list[str]:
        nodes = contract(simplify(trace(outputs, x[:3], x[3:])))
        return sorted(node.op.name if isinstance(node, Apply) else type(node).__name__ for node in nodes.values())

    assert kinds(x[0] + x[1] + x[2] + x[3]) == ["Sum"]
    assert kinds(dot(x[:3], x[3:])) == ["Dot"]
    assert kinds(dot(x[:3], x[3:]) + x[0]) == ["Dot", "add"]
    assert kinds(dot(x[:2], x[3:5]) + x[0] + x[1]) == ["Dot", "Sum"]
    product = x[0] * x[3]
    assert kinds(product + x[1] * x[4], product) == ["add", "mul", "mul"]
    sums = [product + x[i] * x[5] for i in range(3)]
    assert kinds(*sums, product) == ["add"] * 3 + ["mul"] * 4
    assert kinds(x[0] * x[3] + x[1] * 2.0) == ["add", "mul", "mul"]  # a parameter is no constant
    assert kinds(softmax(x)[0]).count("Max") == 1 and kinds(maximum(maximum(x[0], x[1]), x[2])) == ["maximum"] * 2
    assert kinds(select(x[:3], Value(1.0))) == []  # a constant index has picked
    for terms, expected in (
        (x[3] * x[0] + x[4] * x[1], Dot((0, 1), (3, 4))),  # parameters on the left
        (x[4] * x[3] + x[5] * x[4], Dot((4, 5), (3, 4))),  # inputs as they are
    ):
        assert [*contract(simplify(trace([terms], x[:3], x[3:]))).values()] == [expected]
    index = Value(1.0)
    graph = simplify(trace([select(x[:3], index)], x[:3], [index]))
    assert list(contract(graph).values()) == [Select(3, (0, 1, 2))]


def rewritten(*outputs: Value, wrt: list[Value], inputs: list[Value] = []):  # noqa: B006
    """The tape of the outputs, and how often each instruction is used."""
    tape = simplify(trace(outputs, wrt, inputs))
    return tape, count_uses(tape)


def test_sums_run_through_additions_that_nothing_else_uses():
    """Left to right, whichever way they are nested; an output and a shared addition are sums of their own."""
    x = leaves(4)
    assert [*terms_of_sums(*rewritten((x[0] + x[1]) + (x[2] + x[3]), wrt=x)).values()] == [(0, 1, 2, 3)]
    shared = x[0] + x[1]
    for outputs in ((shared + x[2], shared * x[3]), (shared + x[2], shared), (shared + shared,)):
        assert [len(terms) for terms in terms_of_sums(*rewritten(*outputs, wrt=x)).values()] == [2, 2]


def test_a_dot_product_is_split_off_where_its_factors_are_alike():
    """Of two products or more; constants on one side in all of them, or in none, when parameters have come left."""
    x = leaves(4)
    for output, split in (
        (x[0] * x[1] + x[2] * x[3], True), (x[0] * 2.0 + x[1] * 3.0, True), (x[0] * x[1] + x[2], False),
        (x[0] * x[1] + x[2] * 3.0, False), (x[0] * 2.0 + 3.0 * x[1], True),
    ):  # fmt: skip
        tape, uses = rewritten(output, wrt=x)
        (terms,) = terms_of_sums(tape, uses).values()
        dot, rest = split_off_dot(tape, uses, terms)
        assert (dot is not None, rest) == (split, () if split else terms)


def test_maxima_are_chains_under_a_detach():
    """Each used by the next alone."""
    x = leaves(3)
    chain = maximum(maximum(x[0], x[1]), x[2])
    assert [*maxima(*rewritten(detach(chain) * x[0], wrt=x)).values()] == [Max((0, 1, 2))]
    assert maxima(*rewritten(chain * x[0], wrt=x)) == {}
    assert maxima(*rewritten(detach(chain) * chain, wrt=x)) == {}
    first = maximum(x[0], x[1])
    assert [
        len(node.operands) for node in maxima(*rewritten(detach(maximum(first, x[2])) * first, wrt=x)).values()
    ] == [2]


def test_selections_are_what_select_records():
    """By one index, from 0 up, and the longest only; what looks like one, but is not, stays as it is."""
    x, i, j = leaves(3), Value(1.0), Value(2.0)
    where_, equal = TABLE["where"], TABLE["equal"]
    nothing = float("nan")
    one = where_(equal(i, 0.0), x[0], nothing)
    for output, choices in (
        (select(x, i), (0, 1, 2)), (where_(equal(i, 1.0), x[1], one), (0, 1)), (one, None),
        (where_(equal(j, 1.0), x[1], one), None), (where_(equal(i, 2.0), x[1], one), None),
        (where_(equal(i, j), x[1], one), None), (where_(equal(i, 0.0), x[1], 0.0), None), (where_(i, x[1], one), None),
    ):  # fmt: skip
        tape, _ = rewritten(output, wrt=x, inputs=[i, j])
        assert [node.choices for node in selections(tape).values()] == ([choices] if choices else [])


def test_schedule_waits_for_what_is_alike():
    """Every node once, inputs first, one kind in a group; ragged sums together within a factor of two."""
    x = leaves(16)
    sums = [sum(x[n:]).tanh() for n in range(8)]
    output = sum(y * 2.0 for y in sums)
    graph = simplify(trace([output], x))
    nodes = contract(graph)
    groups = schedule(nodes, graph)
    seen = set(range(len(graph.ops))) - set(nodes)
    for group in groups:
        assert all(set(nodes[i].operands) <= seen for i in group)
        assert len({type(nodes[i]) for i in group}) == 1
        seen |= set(group)
    assert seen >= set(nodes) and sorted(map(len, groups)) == [1, 8, 8]


@pytest.mark.parametrize("seed", range(20))
def test_schedule_takes_the_least_deep_kind(seed):
    """Of all that is ready of a kind, on average over all that is left of it; counted anew for every group."""
    random, wrt = Random(seed), leaves(4)
    values = list(wrt)
    for _ in range(40):
        op = TABLE[random.choice(["sin", "exp", "tanh", "div", "sub"])]
        values.append(op(*random.choices(values[-12:], k=len(op.partials))))
    graph = trace(values, wrt)
    nodes = contract(graph)
    depth: dict[int, int] = {}
    for i, node in nodes.items():
        depth[i] = max([1 + depth[j] for j in node.operands if j in nodes], default=0)
    kind = {i: kind_of(node, graph) for i, node in nodes.items()}
    left = set(nodes)
    for group in schedule(nodes, graph):
        ready = {i for i in left if left.isdisjoint(nodes[i].operands)}
        average = {kind[i]: statistics.fmean(depth[j] for j in left if kind[j] == kind[i]) for i in ready}
        assert average[kind[group[0]]] == min(average.values())
        assert set(group) == {i for i in ready if kind[i] == kind[group[0]]}
        left -= set(group)
    assert not left


def groups_of(*outputs: Value, wrt: list[Value], inputs: list[Value] = []) -> list[tuple[str, int]]:  # noqa: B006
    """The kind of each group, and the number of its rows."""
    graph = simplify(trace(outputs, wrt, inputs))
    nodes = contract(graph)
    kinds = [[nodes[i] for i in group] for group in schedule(nodes, graph)]
    return [(row.op.name if isinstance(row, Apply) else type(row).__name__, len(rest) + 1) for row, *rest in kinds]


def test_schedule_keeps_apart_what_is_read_in_another_way():
    """Powers by their exponent, selections by their length, and dot products that read parameters."""
    x = leaves(20)
    powers = [x[0] ** 2.0, x[1] ** 3.0, x[2] ** 2.0, x[3] ** 3.0]
    assert groups_of(*powers, wrt=x) == [("pow", 2), ("pow", 2)]
    index = Value(1)
    chosen = [select(x[:3], index), select(x[3:7], index), select(x[7:10], index)]
    assert sorted(groups_of(*chosen, wrt=x, inputs=[index])) == [("Select", 1), ("Select", 2)]
    dots = [dot(x[:3], x[10:13]), dot(x[3:7], x[13:17]), dot(x[7:10], x[10:13])]
    assert sorted(groups_of(*dots, wrt=x[:10], inputs=x[10:])) == [("Dot", 1), ("Dot", 2)]  # rows of a matrix
    assert groups_of(*dots, wrt=[], inputs=x) == [("Dot", 3)]  # padded
    mixed = [dot([x[10], x[0], x[11]], x[13:16]), dot([x[12], x[1], x[13], x[14]], x[16:])]
    assert groups_of(*mixed, wrt=x[:10], inputs=x[10:]) == [("Dot", 1), ("Dot", 1)]
    long = dot(x[10:16], x[14:20])  # of up to 2**3, which is not of 3
    assert sorted(groups_of(dots[0], long, wrt=x[:10], inputs=x[10:])) == [("Dot", 1), ("Dot", 1)]
    assert sorted(groups_of(dots[0], chosen[0], wrt=x[:10], inputs=[*x[10:], index])) == [("Dot", 1), ("Select", 1)]


def lowered(output: Value | list[Value], wrt: list[Value], inputs: list[Value] = [], batch: bool = False):  # noqa: B006
    graph = simplify(trace(output if isinstance(output, list) else [output], wrt, inputs))
    nodes = contract(graph)
    return lower(graph, nodes, schedule(nodes, graph), {"x": (len(inputs),)} if inputs else {}, batch)


def name_of(statement: Statement) -> str:
    """The name of its kind, or of its primitive."""
    return statement.kind.name.lower()


def test_lower_finds_matrix_products_views_and_gathers():
    """And writes what is narrow one number at a time."""
    w = leaves(12)
    rows = [w[0:3], w[3:6]]
    layer = [dot(row, w[6:9]).tanh() for row in rows]
    statements = lowered(dot(layer, w[9:11]) + w[11], w).statements
    assert [name_of(s) for s in statements] == [
        "matmul",
        "tanh",
        "matmul",
        "add",
    ]
    assert all(isinstance(x, View) for s in statements for x in s.operands)
    scattered = sum((w[i] * 1.5).tanh() * (i + 1.0) for i in (0, 3, 4, 9))
    assert all(s.result.scalar for s in lowered(scattered, w).statements if s.kind == TABLE["tanh"])
    many = leaves(40)
    wide = sum((many[i * i % 37] * 1.5).tanh() * (i + 1.0) for i in range(NARROW + 3))
    gathered = [x for s in lowered(wide, many).statements for x in s.operands if isinstance(x, Gather)]
    assert gathered and not any(s.result.scalar for s in lowered(wide, many).statements if s.result.size > 1)


def statements(output: Value | list[Value], wrt: list[Value], *kinds: str, inputs: list[Value] = []):  # noqa: B006
    """Those of these kinds, however narrow."""
    with arrays_of_all_widths():
        found = lowered(output, wrt, inputs).statements
    return [s for s in found if name_of(s) in kinds]


def test_rows_are_read_in_the_order_in_which_they_begin():
    """In memory, where the code has them in another; what they read next lies in no order."""
    p, indexes = leaves(24), [Value(1) for _ in range(4)]
    pairs = [(p[i], p[j]) for i, j in ((2, 8), (0, 10), (3, 9), (1, 11))]
    sums = [x + y + z for (x, y), z in zip(pairs, (p[14], p[12], p[13], p[15]))]
    maxima = [log_softmax([x, y])[1] for x, y in pairs]
    own = [dot([p[12 + i], p[20 - i]], pair) for i, pair in enumerate(pairs)]
    shared = [dot(weights, pair) for pair in pairs for weights in (p[12:14], p[14:16])]
    picks = [select(pair, indexes[i]) for i, pair in zip((2, 0, 3, 1), pairs)]
    for kind, outputs in (("sum", sums), ("max", maxima), ("dots", own), ("matmul", shared), ("pick", picks)):
        (statement,) = statements(outputs, p, kind, inputs=indexes)
        (gather,) = [x for x in statement.operands if isinstance(x, Gather) and len(x.index.T) > 1][-1:]
        assert gather.index[:, 0].tolist() == [0, 1, 2, 3], kind
    s, e = [x.sin() for x in p[8:10]], [x.exp() for x in p[10:12]]
    ends = [dot(weights, pair) for pair in zip(p, (s[0], e[0], s[1], e[1])) for weights in (p[12:14], p[14:16])]
    (statement,) = statements(ends, p, "matmul")
    assert [x.index[:, 0].tolist() for x in statement.operands if isinstance(x, Gather)] == [[0, 1, 2, 3]]


def test_the_terms_of_a_sum_are_read_block_by_block():
    """Each part a view, whatever the order; all at once where rows are not alike, or where they are too many."""
    p = leaves(9)
    s, e = [x.sin() for x in p[:4]], [x.exp() for x in p[4:8]]
    (mixed,) = statements(s[0] + e[0] + s[1] + e[1] + s[2] + e[2] + p[8], p, "sum")
    assert [type(x) for x in mixed.operands] == [View] * 3
    (unlike,) = statements([s[0] + s[1] + e[0], s[2] + e[1] + e[2]], p, "sum")
    assert [type(x) for x in unlike.operands] == [Gather]
    for count, expected in ((PARTS, [View] * PARTS), (PARTS + 1, [Gather])):
        chain = [p[0].tanh()]
        while len(chain) < count:
            chain.append(chain[-1].tanh())
        (total,) = statements(sum(chain), p, "sum")
        assert [type(x) for x in total.operands] == expected


def test_rows_are_apart_by_the_blocks_that_they_read():
    """If these are few, and an operation is one statement for each; else they gather."""
    p = leaves(12)
    unary = ("sin", "exp", "cos", "sigmoid", "softplus")
    assert len(unary) == APART + 1
    blocks = [[TABLE[name](x) for x in p[2 * i : 2 * i + 2]] for i, name in enumerate(unary)]
    few = statements([x.tanh() for block in blocks[:APART] for x in block], p, "tanh")
    assert [type(x) for s in few for x in s.operands] == [View] * APART
    many = statements([x.tanh() for block in blocks for x in block], p, "tanh")
    assert [type(x) for s in many for x in s.operands] == [Gather]
    s, e, c, *_ = blocks
    turned = statements([s[0] - e[0], e[1] - s[1]], p, "sub")
    assert len(turned) == 2  # the sides of an operation are not alike
    sums = statements([s[0] + e[0] + c[0] + c[1], e[1] + s[1] + c[1] + c[0]], p, "sum")
    assert len(sums) == 1  # the terms of a sum are


def test_vectors_of_many_blocks_are_one_product():
    """Of several with several; one with each of the others is read where it lies."""
    p = leaves(8)
    states = [[x.sin() for x in p[:2]], [x.exp() for x in p[:2]]]
    rows = p[4:6], p[6:8]
    (product,) = statements([dot(row, state) for state in states for row in rows], p, "matmul", "dots")
    assert product.result.shape == (2, 2)
    alone = statements([dot(rows[0], state) for state in states], p, "matmul", "dots")
    assert [type(x) for s in alone for x in s.operands] == [View] * 4


def test_dot_products_of_several_lengths():
    """Are a matrix product for each, where each fills a grid of several rows; else all are padded."""
    p = leaves(40)
    x, y = [v.sin() for v in p[:20]], [v.exp() for v in p[20:]]

    def shapes(*outputs: Value) -> list[tuple[str, tuple[int, ...]]]:
        return [(name_of(s), s.result.shape) for s in statements([*outputs], p, "matmul", "dots")]

    three = [dot(x[:3], y[3 * i : 3 * i + 3]) for i in range(2)]
    four = [dot(x[4:8], y[4 * i : 4 * i + 4]) for i in range(3)]
    assert shapes(*three, *four) == [("matmul", (2,)), ("matmul", (3,))]
    own = [dot(x[4 * i : 4 * i + 4], y[4 * i : 4 * i + 4]) for i in range(2, 5)]
    assert shapes(*three, *own) == [("dots", (5,))]
    assert shapes(*three, four[0]) == [("dots", (3,))]


def test_narrow_groups_are_scalar_statements():
    """Up to so many numbers, where they would be gathered; not where each row of a batch has its own."""
    p = Random(0).sample(leaves(3 * NARROW), 2 * NARROW)
    wrt = sorted(p, key=lambda x: x.data)
    for count in (NARROW, NARROW + 1):
        unary = [x.tanh() for x in p[:count]]
        assert lowered(unary, wrt).statements[0].result.scalar == (count == NARROW)
    for count in (NARROW // 2, NARROW // 2 + 1):
        binary = [x - y for x, y in zip(p[:count], p[count:])]
        assert lowered(binary, wrt).statements[0].result.scalar == (count == NARROW // 2)
    x = leaves(2)
    found = lowered(p[0].tanh() * x[0].sin(), p, x, batch=True).statements
    assert [s.result.scalar for s in found] == [True, False, False]


def test_operations_are_in_the_order_of_what_varies():
    """Of what an input or a group gives, before parameters, before constants; rows end where an operand jumps.

    What is one number for all decides nothing.
    """
    p, x = leaves(12), leaves(6)
    order = 2, 0, 3, 1
    for outputs in (
        [x[i] * p[k] for i, k in zip(order, (7, 5, 4, 9))],
        [p[k] * x[i] for i, k in zip(order, (7, 5, 4, 9))],
        [(i + 2.0) * p[i] for i in order],
        [(2.0 + (i % 2)) - p[i] for i in order],
        [p[i] - x[5] for i in order],
        [x[5] - p[i] for i in order],
    ):
        (statement,) = statements(outputs, p, "mul", "sub", inputs=x)
        assert [x.strides for x in statement.operands if isinstance(x, View) and x.strides != (0,)] == [(1,)]
    (pairs,) = statements([p[6 * i + j].sin() for i in range(2) for j in range(2)], p, "sin")
    assert pairs.operands == (View(pairs.operands[0].block, 0, (6, 1), (2, 2)),)
    (triples,) = statements([p[4 * i + j].sin() for i in range(3) for j in range(3)], p, "sin")
    assert triples.operands == (View(triples.operands[0].block, 0, (4, 1), (3, 3)),)


def test_constants_are_written_once_where_they_repeat():
    """As a number, as a row or as a column; bit for bit."""
    p = leaves(10)

    def constants(number: Callable[[int, int], float]) -> object:
        grid = [dot(p[2 * i : 2 * i + 2], p[4 + 2 * j : 6 + 2 * j]) for j in range(3) for i in range(2)]
        (product,) = statements([z * number(*divmod(k, 2)) for k, z in enumerate(grid)], p, "mul")
        return getattr(product.operands[1], "tolist", lambda: product.operands[1])()

    assert constants(lambda j, i: 2.0) == 2.0
    assert constants(lambda j, i: 2.0 + i) == [[2.0, 3.0]]
    assert constants(lambda j, i: 2.0 + j) == [[2.0], [3.0], [4.0]]
    assert constants(lambda j, i: 2.0 + j + i) == [[2.0, 3.0], [3.0, 4.0], [4.0, 5.0]]
    assert str(constants(lambda j, i: -0.0 if i else 0.0)) == "[[0.0, -0.0]]"


@pytest.mark.parametrize("axes", list(_PRODUCTS))
def test_every_product_is_the_einsum_that_it_says(axes):
    """Against einsum; the careful ones, of slopes without a batch, too."""
    sizes = {"b": 2, "r": 3, "l": 4, "k": 5}
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=[sizes[a] for a in part]) for part in axes[:2])
    expected = np.einsum(f"{axes[0]},{axes[1]}->{axes[2]}", x, y)
    namespace: dict[str, object] = {"np": np, "x": x, "y": y}
    for careful in (False, True) if not {"b", "k"} & {*axes[0]} else (False,):
        text = product(["x", "y"], axes, careful).text
        for helper in helpers_for(f" {text}"):
            exec(helper, namespace)
        np.testing.assert_allclose(eval(text, namespace), expected, rtol=1e-12)


@pytest.mark.parametrize("op", [op for op in TABLE.values() if op.name not in ("detach",)], ids=lambda op: op.name)
def test_both_dialects_write_every_row(op):
    """For arrays and for numbers, as the table has it."""
    numbers = [0.5, 0.25, 2.0][: len(op.partials)]
    for scalar in (False, True):
        names = ["x", "y", "w"][: len(numbers)]
        text = write(op, [Code(name, scalar=scalar) for name in names]).text
        namespace: dict[str, object] = {"np": np, "math": math, **dict(zip(names, numbers))}
        for helper in helpers_for(f" {text}"):
            exec(helper, namespace)
        assert math.isclose(eval(text, namespace), op(*numbers), rel_tol=1e-15)
        assert ("np." not in text) if scalar else ("math." not in text)


@pytest.mark.parametrize("outer", ["add", "sub", "mul", "div", "neg", "pow"])
@pytest.mark.parametrize("inner", ["add", "sub", "mul", "div", "neg", "pow"])
def test_parentheses_are_where_they_are_needed(outer, inner):
    """Around either operand of either dialect, a number too."""
    numbers = {"x": 8.0, "y": 2.0, "w": 3.0}
    for scalar in (False, True):
        x, y, w = (Code(name, scalar=scalar) for name in numbers)
        within = (x, y)[: len(TABLE[inner].partials)]
        written, inside = write(TABLE[inner], within), TABLE[inner](*(8.0, 2.0)[: len(within)])
        for operands in ([written, w], [w, written], [written, 3.0], [-3.0, written]):
            operands = operands[: len(TABLE[outer].partials)]
            text = write(TABLE[outer], operands).text
            namespace: dict[str, object] = {"math": math, "np": np, **numbers}
            for helper in helpers_for(text):
                exec(helper, namespace)
            given = [inside if x is written else 3.0 if x is w else x for x in operands]
            np.testing.assert_allclose(eval(text, namespace), TABLE[outer](*given), rtol=1e-15)


def test_a_row_that_no_program_can_write_says_so():
    """By its name, and what it lacks, when it is written: for numbers, for arrays."""
    slope = (lambda z, x: 1.0,)
    of_neither = Op("triple", lambda x: 3.0 * x, lambda x: 3.0 * x, slope)
    for scalar, lacks in ((True, "forward is not a function of math"), (False, "ufunc is not a function of NumPy")):
        with pytest.raises(TypeError, match=f"cannot write the row triple: its {lacks}"):
            write(of_neither, [Code("x", scalar=scalar)])
    of_both = Op("arccosh", math.acosh, np.arccosh, slope)
    assert [write(of_both, [Code("x", scalar=scalar)]).text for scalar in (True, False)] == [
        "math.acosh(x)",
        "np.arccosh(x)",
    ]


def test_no_parentheses_but_those_that_are_needed():
    """Those that keep the order in which the engine adds and multiplies are."""
    add, mul, div, power, where_ = (TABLE[name] for name in ("add", "mul", "div", "pow", "where"))
    x, y, w = (Code(name) for name in "xyw")
    for code, text in (
        (write(add, [write(add, [x, y]), w]), "x + y + w"),
        (write(add, [x, write(add, [y, w])]), "x + (y + w)"),
        (write(mul, [write(mul, [x, y]), w]), "x * y * w"),
        (write(mul, [x, write(mul, [y, w])]), "x * (y * w)"),
        (write(mul, [x, write(power, [y, 3.0])]), "x * y**3.0"),
        (write(div, [x, write(power, [y, 3.0])]), "x / y**3.0"),
        (write(mul, [x, write(power, [y, w])]), "x * power(y, w)"),
        (write(add, [x, -2.0]), "x + (-2.0)"),
        (write(add, [x, write(div, [y, w])]), "x + y / w"),
    ):
        assert code.text == text
    x, y, w = (Code(name, scalar=True) for name in "xyw")
    assert write(where_, [w, write(add, [x, y]), y]).text == "(x + y if w else y)"


def test_slopes_are_written_without_ones_and_without_choices():
    """As a person would: the power rule is 3 x^2, minus is a sign."""
    d, z, x = Code("d"), Code("z"), Code("x")
    mul, power = TABLE["mul"], TABLE["pow"]
    slope = power.partials[0]
    assert slope is not None
    assert [slope(z, x, n).text for n in (2.0, 3.0, 0.5)] == ["2.0 * x", "3.0 * x**2.0", "0.5 * x**(-0.5)"]
    assert [mul(d, n).text for n in (1.0, -1.0, 2.0)] == ["d", "-d", "d * 2.0"]
    assert [mul(n, d).text for n in (1.0, -1.0, 2.0)] == ["d", "-d", "2.0 * d"]


@pytest.mark.parametrize("name", ["relu", "maximum", "minimum"])
def test_zeros_have_the_sign_of_the_engine(name):
    """In either dialect, also where NumPy leaves the sign to the processor, which takes the first of two zeros here."""

    class Processor:
        maximum = staticmethod(lambda x, y: np.where(x < y, y, x))
        __getattr__ = staticmethod(lambda attribute: getattr(np, attribute))

    op = TABLE[name]
    for zeros in itertools.product((0.0, -0.0), repeat=len(op.partials)):
        for scalar in (False, True):
            text = write(op, [Code(x, scalar=scalar) for x in "xy"[: len(zeros)]]).text
            numbers = zeros if scalar else [np.array([zero]) for zero in zeros]
            namespace: dict[str, object] = {"np": Processor(), **dict(zip("xy", numbers))}
            exec(helpers_for(text)[0], namespace)
            assert np.signbit(eval(text, namespace)) == np.signbit(op(*zeros)), (text, zeros)


def test_elements_are_written_as_short_as_they_can_be():
    """Rows and columns of what has them, all of a vector, a matrix without its bounds."""
    matrix, vector = Block("a", (4, 6)), Block("v", (12,))
    for view, text in (
        (View(matrix, 7, (6, 1), (2, 3)), "a[1:3, 1:4]"),
        (View(matrix, 0, (1,), (24,)), "a.reshape(-1)"),
        (View(vector, 0, (4, 1), (3, 4)), "a.reshape(3, 4)"),
        (View(vector, 0, (1, 4), (4, 3)), "a.reshape(3, 4).T"),
        (View(vector, 4, (4, 1), (2, 4)), "a[4:12].reshape(2, 4)"),
    ):
        assert element("a", view) == text


def test_empty_lines_are_empty():
    """Not of blanks alone."""
    assert function("f", "x", ["y = x", "", "return y"]) == "def f(x):\n    y = x\n\n    return y"


def test_elements_of_every_layout():
    """Rows, columns, blocks, transposes, repeats, backwards, with a batch and without, against an index."""
    numbers = np.arange(24.0)
    for shape in ((24,), (4, 6), (2, 12)):
        for offset, strides, view_shape in (
            (0, (1,), (24,)), (3, (1,), (5,)), (23, (-2,), (6,)), (0, (6, 1), (4, 6)), (7, (6, 1), (2, 3)),
            (9, (6, 1), (3, 2)), (7, (1, 6), (3, 2)), (5, (0,), (3,)), (5, (), ()), (0, (1, 0), (4, 3)),
            (0, (0, 1), (3, 4)),
        ):  # fmt: skip
            for batched in (False, True):
                view = View(Block("v", shape, batched), offset, strides, view_shape)
                assert view.is_slice
                v = numbers.reshape(shape)
                v = np.stack([v, v + 100]) if batched else v
                got = eval(element("v", view), {"v": v, "n": 2, "np": np})
                steps = np.indices(view_shape)
                places = offset + sum((s * axis for s, axis in zip(strides, steps)), np.zeros(view_shape, dtype=int))
                expected = v.reshape(*[2] * batched, -1)[..., places]
                np.testing.assert_array_equal(np.broadcast_to(got, expected.shape), expected)


def test_rows_that_run_over_are_no_slice():
    """Of a block whose rows are as long as the view's are apart, and of one without rows."""
    assert not View(Block("v", (4, 6)), 4, (6, 1), (2, 3)).is_slice
    assert not View(Block("v", (24,)), 4, (2, 1), (2, 3)).is_slice


def test_every_helper_has_a_definition():
    """And is found by its name."""
    for name in HELPERS:
        assert any(text.startswith(f"def {name}(") for text in helpers_for(f" {name}(x)"))


def test_nodes_print():
    """What a pass gives can be read."""
    x = leaves(3)
    graph = simplify(trace([log_softmax(x)[0]], x))
    text = str(graph)
    assert text.splitlines()[0] == "0 parameter" and text.splitlines()[-1].startswith("outputs: ")
    shown = str(list(contract(graph).values()))
    assert "Max(operands=(0, 1, 2))" in shown and "Sum(operands=" in shown and "<primitive log>" in shown
    assert isinstance(Dot((0,), (1,)).operands, tuple) and Sum((0, 1, 2)).operands == Max((0, 1, 2)).operands
