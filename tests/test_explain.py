"""Derivations: the notes' by the letter, all others against the engine, sums over paths, and a parser of formulas."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import chain

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser

import nn
from autograd import (
    Value,
    detach,
    dot,
    explain,
    gradients,
    maximum,
    no_grad,
    relu,
    sigmoid,
    softmax,
    tanh,
    where,
)
from autograd.derivation.data import Derivation
from autograd.derivation.formula import LONGEST
from autograd.derivation.notation import Latex, Text
from autograd.derivation.pages import Equations, blocks
from autograd.graph import adjoints, topological_order
from autograd.strategies import SMOOTH, expressions

from .oracles import path_sum
from .reading import evaluate

PARSER = MathTextParser("agg")

W5 = """\
dE_total/dw5 = 0.08216704

Forward
  net_o1  = w5 out_h1 + w6 out_h2 + b2 = 1.10590597
  out_o1  = sigmoid(net_o1)            = 0.75136507
  E_o1    = 0.5 (target_o1 - out_o1)^2 = 0.27481108
  E_total = E_o1 + E_o2                = 0.29837111
  with b2 = 0.6, E_o2 = 0.02356003, out_h1 = 0.59326999, out_h2 = 0.59688438,
       target_o1 = 0.01, w5 = 0.4, w6 = 0.45

Backward
  dE_total/dw5 = dE_total/dout_o1 * dout_o1/dnet_o1 * dnet_o1/dw5
               = -(target_o1 - out_o1) * out_o1 (1 - out_o1) * out_h1
               = 0.74136507 * 0.1868156 * 0.59326999 = 0.08216704

Update
  w5+ = w5 - 0.5 * dE_total/dw5 = 0.4 - 0.5 * 0.08216704 = 0.35891648"""

W1 = """\
  2 routes lead from E_total to out_h1:
  dE_o1/dout_h1    = dE_o1/dout_o1 * dout_o1/dnet_o1 * dnet_o1/dout_h1
                   = -(target_o1 - out_o1) * out_o1 (1 - out_o1) * w5
                   = 0.74136507 * 0.1868156 * 0.4 = 0.05539942
  dE_o2/dout_h1    = dE_o2/dout_o2 * dout_o2/dnet_o2 * dnet_o2/dout_h1
                   = -(target_o2 - out_o2) * out_o2 (1 - out_o2) * w7
                   = -0.21707153 * 0.17551005 * 0.5 = -0.01904912
  dE_total/dout_h1 = dE_o1/dout_h1 + dE_o2/dout_h1
                   = 0.05539942 - 0.01904912
                   = 0.03635031
  dE_total/dw1 = dE_total/dout_h1 * dout_h1/dnet_h1 * dnet_h1/dw1
               = dE_total/dout_h1 * out_h1 (1 - out_h1) * i1
               = 0.03635031 * 0.24130071 * 0.05 = 0.00043857"""

UNLABELED = """\
  dy/dw = dy/da1 * da1/dz1 * dz1/dw
        = -(0.01 - a1) * a1 (1 - a1) * 0.6
        = 0.66699586 * 0.21867247 * 0.6 = 0.08751218"""


def notes() -> dict[str, Value]:
    """The 2-2-2 network of the notes, every quantity of it under its name."""
    start = {"w1": 0.15, "w2": 0.2, "w3": 0.25, "w4": 0.3, "b1": 0.35,
             "w5": 0.4, "w6": 0.45, "w7": 0.5, "w8": 0.55, "b2": 0.6,
             "i1": 0.05, "i2": 0.1, "target_o1": 0.01, "target_o2": 0.99}  # fmt: skip
    q = {name: Value(x) for name, x in start.items()}
    q["net_h1"] = q["w1"] * q["i1"] + q["w2"] * q["i2"] + q["b1"]
    q["net_h2"] = q["w3"] * q["i1"] + q["w4"] * q["i2"] + q["b1"]
    q["out_h1"], q["out_h2"] = sigmoid(q["net_h1"]), sigmoid(q["net_h2"])
    q["net_o1"] = q["w5"] * q["out_h1"] + q["w6"] * q["out_h2"] + q["b2"]
    q["net_o2"] = q["w7"] * q["out_h1"] + q["w8"] * q["out_h2"] + q["b2"]
    q["out_o1"], q["out_o2"] = sigmoid(q["net_o1"]), sigmoid(q["net_o2"])
    q["E_o1"] = 0.5 * (q["target_o1"] - q["out_o1"]) ** 2
    q["E_o2"] = 0.5 * (q["target_o2"] - q["out_o2"]) ** 2
    q["E_total"] = q["E_o1"] + q["E_o2"]
    for name, node in q.items():
        node.label = name
    return q


def backward(derivation: Derivation) -> str:
    """The part of the text that is the chain rule."""
    return derivation.to_text().partition("Backward\n")[2]


def test_w5_as_in_the_notes():
    """The output layer: three factors, their formulas, their numbers, the product, the update."""
    q = notes()
    d = explain(q["E_total"], q["w5"]).update(0.5)
    assert d.to_text() == W5
    assert d.number == pytest.approx(0.08216704056423077, rel=1e-15)


def test_w1_as_in_the_notes():
    """The hidden layer: first the sum over both outputs, then the chain down to w1."""
    q = notes()
    d = explain(q["E_total"], q["w1"])
    assert backward(d) == W1
    assert d.number == pytest.approx(0.0004385677344743465, rel=1e-14)
    first, last = d.steps
    assert [route.number for route in first.routes] == pytest.approx([0.055399425, -0.019049118], rel=1e-7)
    assert (first.number, last.number) == (pytest.approx(0.036350306, rel=1e-7), d.number)


def test_every_weight_of_the_notes():
    """All of them, and the biases, which reach the error in several ways."""
    q = notes()
    for name in ("w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "b1", "b2"):
        d = explain(q["E_total"], q[name])
        assert "sqcup" not in d.to_latex()
        assert d.number == pytest.approx(gradients(q["E_total"], [q[name]])[0], rel=1e-13)
        agrees(d, parse=True)


def agrees(d: Derivation, parse: bool = False) -> None:
    """The numbers with the engine's and with each other, the formulas with the numbers, the LaTeX with a parser."""
    found = adjoints(d.output)
    order = topological_order([d.output, d.variable])
    scale = sum(abs(route.number) for step in d.steps for route in step.routes) + 1.0
    assert d.number == pytest.approx(found.get(d.variable, 0.0), rel=1e-9, abs=1e-12 * scale)
    assert not d.steps or d.number == pytest.approx(d.steps[-1].number, rel=1e-9, abs=1e-12 * scale)
    named = dict(d.given) | {definition.symbol: definition.number for definition in d.definitions}
    numbers = {symbol.text: number for symbol, number in named.items()}
    assert len(numbers) == len(named), "two symbols of one name"
    text = Text(17)
    for step in d.steps:
        assert step.number == pytest.approx(found[order[step.by.place]], rel=1e-9, abs=1e-12 * scale)
        assert step.number == pytest.approx(
            sum(route.number for route in step.routes) + step.rest, rel=1e-12, abs=1e-12 * scale
        )
        for route in step.routes:
            assert route.number == pytest.approx(math.prod(factor.number for factor in route.factors), rel=1e-12, abs=0)
            for factor in route.factors:
                if factor.formula is None:
                    assert factor.number == pytest.approx(found[order[factor.by.place]], rel=1e-9, abs=1e-12 * scale)
                else:
                    got, size = evaluate(text.write(factor.formula), numbers)
                    assert got == pytest.approx(factor.number, rel=1e-9, abs=1e-9 * max(size, 1.0)), text.write(
                        factor.formula
                    )
    for definition in d.definitions:
        if None not in definition.terms:
            got, size = evaluate(text.sum([text.written(term) for term in definition.terms]), numbers)
            assert got == pytest.approx(definition.number, rel=1e-9, abs=1e-9 * max(size, 1.0))
    if parse:
        for cell in cells(d):
            bare = cell.replace(r"\{", "").replace(r"\}", "")
            assert bare.count("{") == bare.count("}")
            PARSER.parse(f"${cell}$")


def cells(d: Derivation) -> Iterator[str]:
    """Every cell of every equation, as LaTeX."""
    for block in blocks(d, Latex()):
        if isinstance(block, Equations):
            yield from filter(None, chain.from_iterable(block.rows))


LABELS = (
    "x",
    "y",
    "h",
    "net_h1",
    "out",
    "u1",
    "z1",
    "a1",
    "w.0",
    "layers.0.neurons.1.w.2",
    "my loss",
    "λ",
    'a"b',
    "50%",
    "beta_1",
    "E_total",
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(expressions(ops=(*SMOOTH, "exp", "abs", "relu", "maximum"), max_instructions=20), st.data())
def test_random_graphs(expression, data):
    """Any graph, any nodes labeled, any variable in it: numbers, formulas and LaTeX agree."""
    leaves = [Value(x) for x in expression.leaves]
    output = expression(*leaves)
    assume(isinstance(output, Value))
    nodes = topological_order([output])
    for node in nodes:
        if node.op and node.op.kink:  # a rounding error must not move it over its kink
            assume(abs(node.op.kink(*node.numbers[1:])) > 1e-6)
        if data.draw(st.integers(0, 2)) == 0:
            node.label = data.draw(st.sampled_from(LABELS))
    assume(all(abs(number) < 1e4 for number in adjoints(output).values()))
    assume(all(abs(node.data) < 1e4 for node in nodes))
    variable = data.draw(st.sampled_from(nodes))
    d = explain(output, variable, max_routes=data.draw(st.integers(1, 4)), max_steps=data.draw(st.integers(1, 6)))
    agrees(d, parse=data.draw(st.integers(0, 4)) == 0)
    assert (d.number != 0.0) or d.remarks
    if not d.remarks:
        assert d.number == pytest.approx(path_sum(output, variable), rel=1e-8, abs=1e-8)
    ET.fromstring(d.to_html().partition("<body>")[2].partition("</body>")[0].join(["<body>", "</body>"]))


def test_the_check_of_derivations_notices():
    """The negative control: a wrong number, a wrong formula, LaTeX that does not parse."""
    from dataclasses import replace

    q = notes()
    d = explain(q["E_total"], q["w5"])
    (step,) = d.steps
    (route,) = step.routes
    first, *others = route.factors
    agrees(d, parse=True)

    def with_factor(factor):
        return replace(d, steps=(replace(step, routes=(replace(route, factors=(factor, *others)),)),))

    for broken in (
        replace(d, number=d.number * 1.001),
        with_factor(replace(first, number=first.number * 1.001)),
        with_factor(replace(first, formula=-first.formula)),
        with_factor(replace(first, of=replace(first.of, latex=r"\frac{E"))),
        replace(d, definitions=(replace(d.definitions[0], number=1.0), *d.definitions[1:])),
    ):
        with pytest.raises((AssertionError, ValueError)):
            agrees(broken, parse=True)


def test_routes_are_named_after_what_is_theirs_alone():
    """A term that several routes pass under does not lend its name to each of them."""
    x = Value(1.0, "x")
    a, b = x * 2, x * 3
    c, r = a * b, Value(0.1, "k") * x
    j = c + r
    for node, label in ((a, "A"), (b, "B"), (c, "C"), (r, "R"), (j, "J")):
        node.label = label
    d = explain(j, x)
    assert [route.of.text for route in d.steps[-1].routes] == ["J", "J", "R"]
    assert [line.split(" = ")[0].strip() for line in backward(d).splitlines() if " = " in line and line[2] != " "] == [
        "via A", "via B", "via R", "dJ/dx",
    ]  # fmt: skip
    assert len({str(question).split(". ")[1].split(" = ")[0] for question in d.quiz()}) == len(d.quiz())


def test_what_is_not_worked_out_is_said_to_be():
    """A long chain begins where it does because the rest is left to the sweep."""
    x = y = Value(0.5, "x")
    for _ in range(3000):
        y = (y * 1.0001).sin() + 0.3
    text = str(explain(y, x))
    assert text.count("comes from the graph sweep; its derivation is not shown") == 1 and len(text) < 20_000


def test_a_value_that_is_not_finite_is_remarked_on():
    """Also where the derivative is."""
    n = Value(2.0, "n")
    assert "the first number that is not finite is log(-1.0) = nan" in str(explain((n - 3).log(), n))


def test_the_number_is_the_engines():
    """Also where rounding makes the sum of the routes exactly 0; nothing is said to be zero that is not."""
    x = Value(3.842495632985409, "x")
    e = x * 1.3498382261231665
    p, q = e.sqrt() ** 2, e * 1.0
    y = p / q
    for node, label in ((e, "e"), (p, "p"), (q, "q"), (y, "y")):
        node.label = label
    d = explain(y, x)
    assert d.number == gradients(y, [x])[0] != 0.0 and d.remarks == ()


@pytest.mark.parametrize("label", ["²", "①", "2.5 kg", "0.b", "inf", "nan", "e", "dy/dx", " ", "a\tb", "x" * 500])
def test_odd_labels(label):
    """Whatever it is, the derivation can be written."""
    x = Value(2.0, label)
    d = explain(x * 3 + x**2, x)
    agrees(d, parse=True)
    assert len(d.to_text()) < 1000 and d.to_html() and d.to_markdown()


ODD = (
    "x1*w1 + x2*w2", "w[0]", "x_{t-1}", "W_{xh}", "theta", "exp", "2", "-1", "nan", "a<b & c", "{", "}", "\\", "~", "^",
    "$x$", "50%", "#1", "x'", "ŷ", "a\nb", " ", "'", '"', "`",
)  # fmt: skip


@pytest.mark.parametrize("label", ODD)
def test_four_outputs_have_one_rule_for_labels(label):
    """What is a name in the text is one in LaTeX, Markdown and HTML; what the text quotes, they quote."""
    x, w = Value(2.0, "x0"), Value(3.0, "w0")
    p = x * w
    p.label = label
    d = explain(p.sin(), x)
    in_quotes = any(line.lstrip().startswith('"') for line in d.to_text().splitlines())
    for output in (d.to_latex(), d.to_markdown(), "".join(cells_of_page(d)), d._repr_latex_()):
        assert ('"' in output) == in_quotes
    rows = [[latex for latex in row if latex] for row in _rows(d)]
    assert all(left != right.removeprefix("= ") for left, right, *_ in filter(lambda row: len(row) > 1, rows))
    agrees(d, parse=label not in ("a<b & c",))  # of which Matplotlib cannot write the ampersand


def cells_of_page(d: Derivation) -> list[str]:
    """The text in each cell of the page."""
    tables = re.findall("<table>.*?</table>", d.to_html(), re.DOTALL)
    return [
        "".join(cell.itertext()).replace("\xa0", " ") for table in tables for cell in ET.fromstring(table).iter("td")
    ]


def _rows(d: Derivation) -> Iterator[tuple[str, ...]]:
    for block in blocks(d, Latex()):
        if isinstance(block, Equations):
            yield from block.rows


def test_micrograds_labels():
    """The lecture's neuron: expressions as labels are no tautologies, and the numbers are the lecture's."""
    x1, x2, w1, w2 = Value(2.0, "x1"), Value(0.0, "x2"), Value(-3.0, "w1"), Value(1.0, "w2")
    b = Value(6.8813735870195432, "b")
    x1w1, x2w2 = x1 * w1, x2 * w2
    x1w1.label, x2w2.label = "x1*w1", "x2*w2"
    total = x1w1 + x2w2
    total.label = "x1*w1 + x2*w2"
    n = total + b
    n.label = "n"
    o = n.tanh()
    o.label = "o"
    d = explain(o, w1)
    assert d.number == pytest.approx(1.0, rel=1e-12)
    assert r'\text{"x1*w1"} & = x_{1} \, w_{1} && = -6' in d.to_latex()
    cells = cells_of_page(d)
    assert cells[cells.index('"x1*w1 + x2*w2"') + 1] == '="x1*w1"+"x2*w2"'
    agrees(d, parse=True)


def test_copies_of_a_name_are_told_apart_alike():
    """By the same numbers in every output, also if only LaTeX would confuse them; no automatic name looks like one."""
    a, b = Value(2.0, "a"), Value(3.0, "a")
    d = explain((a * b) ** 2 + a**2, a)
    assert "y = (a#1 a#2)^2 + (a#1)^2 = 40" in d.to_text()
    assert r"y & = \left(a_{\#1} \, a_{\#2}\right)^{2} + a_{\#1}^{2} && = 40" in d.to_latex()
    w = Value(2.0, "w_1")
    d = explain(w * Value(3.0, "w1"), w)
    assert "y = w_1#1 w1#2" in d.to_text() and r"y & = w_{1,\#1} \, w_{1,\#2}" in d.to_latex()
    z = Value(0.5, "z_1")
    assert "z2" in explain((z * 2 + 1).tanh(), z).to_text()


def test_updates():
    """The sign of the rate is not doubled; a rate is a finite number."""
    x = Value(3.0, "x")
    assert str(explain(x**2, x).update(-0.5)).endswith("x+ = x + 0.5 * dy/dx = 3 + 0.5 * 6 = 6")
    with pytest.raises(ValueError, match="rate is nan"):
        explain(x**2, x).update(math.nan)
    assert repr(explain(x**2, x)) == "Derivation of dy/dx = 6"


def test_a_graph_without_labels():
    """The stops that a person would choose: the sum before an activation, the activation, what is used twice."""
    w, b = Value(0.4, "w"), Value(0.5, "b")
    d = explain(0.5 * (0.01 - sigmoid(w * 0.6 + b)) ** 2, w)
    assert backward(d) == UNLABELED
    x = Value(3.0)
    assert str(explain(x * x, x)).endswith("Backward\n  dy/dx = 2 x\n        = 6")
    shared = x * 2 + 1
    d = explain(shared * tanh(shared), x)
    assert [definition.symbol.text for definition in d.definitions] == ["z1", "a1", "y"]


def test_expressions_stay_formulas():
    """Nothing is named that need not be: textbook expressions are differentiated in one step."""
    x1, x2 = Value(2.0, "x1"), Value(5.0, "x2")
    y = x1.log() + x1 * x2 - x2.sin()
    assert backward(explain(y, x1)).split() == ["dy/dx1", "=", "x2", "+", "1", "/", "x1", "=", "5.5"]
    assert backward(explain(y, x2)).split() == ["dy/dx2", "=", "x1", "-", "cos(x2)", "=", "1.71633781"]
    for value, variable, text in [
        (x1**3, x1, "3 x1^2"),
        (x1**x2, x1, "x2 x1^(x2 - 1)"),
        (x1**x2, x2, "y log(x1)"),
        (2**x1, x1, "0.69314718 y"),
        (x1 / x2, x2, "-y / x2"),
        (1 / x1, x1, "-y / x1"),
        (x1.sqrt(), x1, "1 / (2 sqrt(x1))"),
        (x1.exp(), x1, "y"),
        ((-x1).exp(), x1, "-y"),
        (x1.tan(), x1, "1 + y^2"),
        (x1.tanh(), x1, "1 - y^2"),
        ((x1 - x2) ** 2, x2, "-2 (x1 - x2)"),
        (where(x1 > 0, x1 * x2, x2), x1, "x2"),
    ]:
        factor = explain(value, variable).steps[-1].routes[0].factors[-1]
        assert Text().write(factor.formula) == text


def test_models_need_no_labels():
    """Parameters, pre-activations, activations and losses of nn have names of their own."""
    model = nn.MLP(2, [3, 2], activation=nn.tanh, seed=0)
    loss = nn.half_squared_error(model([1.0, -2.0]), [0.5, 1.0])
    loss.label = "E"
    d = explain(loss, model.layers[0].neurons[2].w[1])
    assert [
        line.partition("=")[2].strip() for line in backward(d).splitlines() if "=" in line and "0." not in line
    ] == [
        "dE[0]/dz[1,0] * dz[1,0]/da[0,2]",
        "dE[1]/dz[1,1] * dz[1,1]/da[0,2]",
        "-(1 - z[1,1]) * w[1,1,2]",
        "dE[0]/da[0,2] + dE[1]/da[0,2]",
        "dE/da[0,2] * da[0,2]/dz[0,2] * dz[0,2]/dw[0,2,1]",
        "dE/da[0,2] * (1 - a[0,2]^2) * (-2)",
    ]
    agrees(d, parse=True)


@pytest.mark.parametrize("loss", [nn.cross_entropy, nn.half_squared_error, nn.mean_squared_error])
@pytest.mark.parametrize(
    "activation",
    [nn.relu, nn.sigmoid, nn.gelu, *[pytest.param(f, marks=pytest.mark.slow) for f in (nn.elu, nn.leaky_relu)]],
)
def test_every_parameter_of_a_model(loss, activation):
    """Whatever the model is made of, the derivation of any parameter holds."""
    model = nn.MLP(2, [3, 3, 2], activation=activation, seed=3)
    cost = nn.cost(loss, [model([1.0, -2.0]), model([0.5, 0.25])], [[1.0, 0.0], [0.0, 1.0]])
    for parameter in model.parameters():
        agrees(explain(cost, parameter))


def test_a_long_sum_is_summarized():
    """The largest routes, in order of size, and the sum of the others; never a megabyte of text."""
    w = Value(0.5, "w")
    terms = [tanh(w * float(i)) for i in range(1, 101)]
    for i, term in enumerate(terms):
        term.label = f"h{i}"
    d = explain(dot(terms, [float(i % 7) for i in range(100)]), w, max_routes=3)
    (step,) = d.steps
    sizes = [abs(route.number) for route in step.routes]
    assert len(sizes) == 3 and sizes == sorted(sizes, reverse=True) and step.omitted == 97
    assert step.rest == pytest.approx(d.number - sum(route.number for route in step.routes))
    assert "100 routes lead from y to w (the 3 largest are shown):" in d.to_text()
    assert "97 smaller" in d.to_text() and len(d.to_text()) < 2000
    agrees(d)


def summary(*terms: Value) -> str:
    """How their sum, under the name s, is written, and what it is said to be."""
    total = sum(terms)
    total.label = "s"
    d = explain(total.tanh(), topological_order(terms)[-1 if terms[-1].op is None else 0])
    agrees(d)
    return next(" ".join(line.split()) for line in d.to_text().splitlines() if line.startswith("  s "))


def test_an_ellipsis_hides_nothing_that_cannot_be_written_down():
    """It stands for terms that continue those before it up to the one after it, and for no others."""
    x = [Value(1.0, f"x{i}") for i in range(40)]
    w = [Value(1.0, f"layers.0.neurons.2.w.{i}") for i in range(40)]
    b = Value(1.0, "b")
    assert summary(*x) == "s = x0 + x1 + ... + x39 = 40"
    assert summary(*(w * x for w, x in zip(w, x)), b) == "s = w[0,2,0] x0 + w[0,2,1] x1 + ... + w[0,2,39] x39 + b = 41"
    assert summary(*x[:30], *(x.sin() * 2 for x in x[30:])).startswith(
        "s = x0 + x1 + ... + x29 + 2 sin(x30) + 2 sin(x31)"
    )
    assert summary(*x[::2], *x[1::2]) == "s = x0 + x2 + ... + x38 + x1 + x3 + ... + x39 = 40"
    assert summary(*(0.5 * x for x in x[::-1])) == "s = 0.5 x39 + 0.5 x38 + ... + 0.5 x0 = 20"
    letters = [Value(1.0, c) for c in "abcdefghijklmnopqrtuvwxyz"]
    assert summary(*letters) == f"s = {' + '.join('abcdefghijklmnopqrtuvwxyz')} = 25"
    primes = [Value(1.0, f"x{i}") for i in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)]
    assert "..." not in summary(*primes) and "x23" in summary(*primes)
    assert "..." not in summary(*[b] * 30)  # how many there are of them is not to be seen
    assert "..." not in summary(*(x * float(i * i % 7) for i, x in enumerate(x)))
    assert "..." not in summary(*(x.sin() for x in [Value(0.1 * i) for i in range(40)]))


def test_a_long_sum_without_a_pattern_says_what_is_left_out():
    """How many terms, and what they sum to: 1 + 4 + ... + 100^2 is 338350."""
    x = [Value(float(i * i), "x") for i in range(1, 101)]
    for i, node in enumerate(x):
        node.label = f"x{i * i % 101}{'abc'[i % 3]}"
    line = summary(*x)
    shown = line.removeprefix("s = ").partition(" + (")[0].split(" + ")
    hidden = 338350 - sum(i * i for i in range(1, len(shown) + 1)) - 100**2
    assert f" + ({99 - len(shown)} more terms: {hidden}) + x" in line and line.endswith("= 338350")
    total = sum(x)
    total.label = "s"
    d = explain(total.tanh(), x[0])
    assert f"more terms: {hidden})" in "".join(cells_of_page(d))
    assert rf"more terms: }}{hidden}\text{{)}}" in d.to_latex()


def test_paths_are_not_enumerated():
    """2^1000 paths, deep chains, wide sums, layers that are fully connected: short texts at once, and no recursion."""
    program = """
import sys
from autograd import Value, explain, tanh
sys.setrecursionlimit(120)
def check(y, x, expected=None):
    d = explain(y, x)
    assert len(str(d)) < 50_000 and len(str(d.quiz())) < 50_000 and len(d.to_latex()) < 150_000, len(str(d))
    assert expected is None or d.number == expected, d.number
x = Value(1.0, "x")
y = x
for i in range(1000):
    y = y + y
check(y, x, 2.0**1000)
y = x
for i in range(200):
    y = y + y
    y.label = f"y{i}"
check(y, x, 2.0**200)
y = x
for i in range(20_000):
    y = y * 1.0001
check(y, x)
y = x
for i in range(20_000):
    y = y.sin() + x
check(y, x)
check(sum(x * float(i) for i in range(20_000)), x, 199990000.0)
layer = [x * float(i) for i in range(12)]
for depth in range(8):
    layer = [tanh(sum(layer) * 0.01 * i) for i in range(12)]
check(sum(layer), x)
for node in layer:
    node.label = "the same"
check(sum(layer), x)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_factor_is_never_long():
    """What would be a long formula gets stops of its own, or a name."""
    x = Value(0.3, "x")
    y = x
    for i in range(50):
        y = (y * (1.5 - y)).cos() + y / (i + 2.0)
    y.label = "y"
    end = y.exp()
    d = explain(end, x)
    longest = max(len(str(factor.formula)) for step in d.steps for route in step.routes for factor in route.factors)
    assert longest < 12 * LONGEST
    agrees(d)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda x: relu(x - 5) * 2, "relu(z1) is off, because z1 = -3 is not positive"),
        (lambda x: (x * 2).step() + 1, "step(2 x) is a step, flat everywhere"),
        (lambda x: detach(x) * 2, "detach(x) is detached, so no derivative passes"),
        (lambda x: x - x, "the routes to x cancel: 1 - 1 = 0"),
        (lambda x: where(x > 0, 3.0, x), "where(1, 3, x) took the other branch"),
        (lambda x: where(x, 3.0, 4.0), "the output depends on x only through the condition of a where, which has"),
        (lambda x: x * 0.0 + 1, "x * 0 multiplies by 0, which is 0"),
        (lambda x: (x * 1000).tanh(), "tanh(1000 x) is saturated at 1000 x = 2000: its derivative rounds to 0"),
        (lambda x: Value(3.0) * 2, "the output does not depend on x"),
        (lambda x: x * 1e-200 * 1e-200, "a product of small factors underflows at x"),
        (lambda x: (x - 2) ** 2, "the derivative of (x - 2)^2 with respect to x - 2 = 0 is 0"),
        (lambda x: maximum(x, 5.0), "maximum(x, 5) took 5, not x = 2"),
        (lambda x: 3.0 / (-x * 1e200), "the derivative of 3 / (-1e+200 x) with respect to -1e+200 x = -2e+200 is 0"),
        (lambda x: x**0, "the derivative of x^0 with respect to x = 2 is 0"),
    ],
)  # fmt: skip
def test_why_a_derivative_is_zero(build, reason):
    """The remark names what makes it so."""
    x = Value(2.0, "x")
    d = explain(build(x), x)
    assert d.number == 0.0
    assert reason in d.to_text(), d.to_text()
    for written in (d.to_latex(), d.to_markdown(), d.to_html()):
        assert len(written) > 20


def test_a_constant_of_no_grad():
    """It says that nothing was recorded."""
    x = Value(2.0, "x")
    with no_grad():
        y = x * 3
    assert explain(y, x).remarks == ("the output was computed inside no_grad, which records nothing",)
    assert "no_grad" in explain(y * Value(1.0), x).remarks[0]


def test_the_variable_itself():
    """d(x)/d(x) is 1."""
    x = Value(2.0, "x")
    d = explain(x, x)
    assert (d.number, d.steps, d.remarks) == (1.0, (), ("the output is the variable itself",))


def test_what_is_not_finite_is_traced():
    """The derivative is the engine's, and the remark says where it came from."""
    x = Value(0.0, "x")
    d = explain(x.sqrt() + 1, x)
    assert d.number == math.inf and "backward, the first product that is not finite" in d.remarks[0]
    assert "inf" in d.to_text() and r"\infty" in d.to_latex()
    assert math.isnan(explain(x.log() - x.log(), x).number)


def test_interior_variables_and_changed_data():
    """Any node may be the variable; the numbers are those that the forward pass saw."""
    x = Value(2.0, "x")
    h = x * 3
    y = h * h
    d = explain(y, h)
    assert (d.number, Text().write(d.steps[0].routes[0].factors[0].formula)) == (12.0, "2 x1")
    x.data = 100.0
    assert explain(y, x).number == 36.0
    agrees(explain(y, x))


def test_second_derivatives_are_explained_too():
    """The graph of a gradient is a graph."""
    x = Value(0.5, "x")
    (slope,) = gradients(sigmoid(x * 2.0), [x], create_graph=True)
    agrees(explain(slope, x))


def test_softmax_by_hand():
    """p (1 - p) and -p q come out."""
    z = [Value(0.1 * i, f"z{i}") for i in range(3)]
    p = softmax(z)
    for i, pi in enumerate(p):
        pi.label = f"p{i}"
    for i in range(3):
        d = explain(p[0], z[i])
        assert d.number == pytest.approx(p[0].data * ((i == 0) - p[i].data), abs=1e-15)
        agrees(d, parse=True)


def test_arguments_are_checked():
    """Two Values, and positive ints."""
    x = Value(1.0)
    for wrong in ((x, 1.0), (1.0, x), (x, [x])):
        with pytest.raises(TypeError, match="is not a Value"):
            explain(*wrong)
    for options in ({"digits": 0}, {"max_routes": 0}, {"max_steps": 1.5}, {"max_routes": True}):
        with pytest.raises(ValueError, match="give an int of at least 1"):
            explain(x, x, **options)


def test_files(tmp_path):
    """Text, LaTeX, Markdown and HTML, by the ending; a page that loads nothing."""
    q = notes()
    d = explain(q["E_total"], q["w1"]).update(0.5)
    for name in ("a.txt", "a.tex", "a.md", "a.HTML"):
        d.save(tmp_path / name)
    assert (tmp_path / "a.txt").read_text() == str(d)
    page = (tmp_path / "a.HTML").read_text()
    assert page.count("<math") > 40 and "http" not in page.replace("http://www.w3.org/1998/Math/MathML", "")
    assert r"\begin{aligned}" in (tmp_path / "a.tex").read_text() and "$$" in (tmp_path / "a.md").read_text()
    assert d._repr_latex_().startswith("$$") and d._repr_latex_().count("$$") == 2
    with pytest.raises(ValueError, match="does not end in one of"):
        d.save(tmp_path / "a.docx")


def test_derivations_are_the_same_in_every_process():
    """No set is iterated over."""
    program = """
import nn
from autograd import explain
model = nn.MLP(3, [4, 4, 2], activation=nn.tanh, seed=0)
loss = nn.cross_entropy(model([1.0, 2.0, 3.0]), 1)
d = explain(loss, model.layers[0].neurons[0].w[0])
print(d, d.to_html())
"""
    runs = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
        ).stdout
        for seed in "123"
    }
    assert len(runs) == 1
