"""Pictures: what is in them, that they are laid out without a dot program, and that they are always the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from random import Random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import nn
from autograd import Value, draw, explain, sigmoid, tanh
from autograd.graph import edges, routes, topological_order
from autograd.picture.draw import Picture

from .examples import examples
from .test_explain import notes

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: Picture) -> list[str]:
    """Every piece of text in the picture, as a reader sees it."""
    return ["".join(element.itertext()) for element in ET.fromstring(picture.svg()).iter(f"{SVG}text")]


def lines(picture: Picture) -> list[str]:
    """The DOT lines of the edges."""
    return [line.strip() for line in picture.source.splitlines() if "->" in line]


def test_a_node_shows_its_label_its_row_its_numbers():
    """A dash for the gradient before backward, the number afterwards; constants as numbers; derivatives on edges."""
    w, x = Value(3.0, "w"), Value(2.0, "x")
    y = tanh(w * x - 5.5)
    y.label = "out"
    before = texts(draw(y))
    assert before.count("grad \N{EN DASH}") == 5 and "grad 0" not in before
    assert {"w", "x", "out", "tanh", "\N{MULTIPLICATION SIGN}", "\N{MINUS SIGN}", "5.5"} <= set(before)
    assert {"data 6", "data 0.4621", "0.7864"} <= set(before)
    y.backward()
    after = texts(draw(y))
    assert "grad \N{EN DASH}" not in after and "grad 1" in after and "grad 1.5729" in after
    assert "0.7864" not in texts(draw(y, derivatives=False))


def test_a_gradient_of_zero_is_shown_after_backward():
    """It is a result then."""
    x = Value(-1.0, "x")
    y = x.relu()
    y.backward()
    assert "grad 0" in texts(draw(y))


def test_repeated_inputs_are_parallel_edges():
    """x * x has two."""
    x = Value(3.0, "x")
    assert len(lines(draw(x * x))) == 2 and texts(draw(x * x)).count("3") == 2
    assert repr(draw(x)) == "Picture of 1 node" and lines(draw(x)) == []


def test_several_outputs_are_one_graph():
    """A list, tuple or array; what they share is drawn once, and each of them has a dark border."""
    x = Value(2.0, "x")
    a = x * 3.0
    b = a + x
    a.label, b.label = "a", "b"
    pictures = [draw([a, b]), draw((a, b)), draw(np.array([a, b])), draw([a, b, a])]
    assert len({picture.source for picture in pictures}) == 1
    picture = pictures[0]
    assert repr(picture) == "Picture of 3 nodes" and len(lines(picture)) == 4
    bordered = [line for line in picture.source.splitlines() if 'color="#333333" penwidth=2' in line]
    assert len(bordered) == 2 and "<b>a</b>" in bordered[0] and "<b>b</b>" in bordered[1]
    assert draw([b]).source == draw(b).source and "penwidth" not in draw([b]).source
    b.backward()
    assert "grad 4" in texts(draw([a, b])) and "grad \N{EN DASH}" not in texts(draw([a, b]))
    outputs = nn.MLP(2, [3, 2], seed=0)([1.0, 2.0])
    assert draw(outputs).source.count("penwidth=2") == 2
    assert (
        "folded" in repr(draw(outputs, max_nodes=10)) and draw(outputs, max_nodes=10).source.count("penwidth=2 ") <= 2
    )


def test_clusters_are_neurons_in_layers():
    """By the labels; the products and sums that have none are where their neuron is."""
    model = nn.MLP(2, [3, 1], seed=0)
    picture = draw(model([1.0, 2.0]))
    assert picture.source.count("subgraph") == 2 + 4
    shown = texts(picture)
    assert shown.count("layer 0") == shown.count("layer 1") == 1
    assert shown.count("neuron 0") == 2 and shown.count("neuron 2") == 1
    assert shown.count("w.0") == 4 and shown.count("z") == 4 and not any("layers" in text for text in shown)
    outside = picture.source[picture.source.rindex("}", 0, picture.source.index("->")) :]
    assert "label=<<table" not in outside  # every node is inside a box


def test_the_routes_of_a_derivation_are_highlighted():
    """Each edge on a way from w1 to E_total, and no other; unlabeled stops have the names of the derivation."""
    q = notes()
    derivation = explain(q["E_total"], q["w1"])
    highlighted = [line for line in lines(draw(derivation)) if "penwidth=2" in line]
    on_route = set(routes(q["E_total"], q["w1"]))
    expected = sum(len(list(edges(node, on_route))) for node in on_route if node is not q["w1"])
    assert len(highlighted) == expected == 20
    assert sum("penwidth=1.6" in line for line in draw(derivation).source.splitlines()) == len(on_route)
    w = Value(0.4, "w")
    assert {"z1", "a1", "y"} <= set(texts(draw(explain(0.5 * sigmoid(w * 2 + 1) ** 2, w))))


def test_there_are_never_more_boxes_than_asked_for():
    """Not with thousands of groups, nor with a limit of one."""
    many = sum(Value(1.0, f"layers.{i}.w") for i in range(500))
    x = Value(0.5, "x")
    for y in (many, (x * 2).sin() * x):
        for limit in (1, 2, 3):
            boxes = re.findall(r"^\tb\d+ \[", draw(y, max_nodes=limit).source, re.MULTILINE)
            assert 1 <= len(boxes) <= limit


def test_the_routes_in_a_folded_graph_are_highlighted():
    """The boxes that they pass, and the arrows between them; from a weight of the last layer, not the layer before."""
    model = nn.MLP(2, [16, 16, 1], seed=0)
    cost = nn.cost(nn.hinge, [model([0.1 * i, 1.0]) for i in range(5)], [1] * 5)
    whole = draw(explain(cost, model.layers[0].neurons[0].w[0])).source
    last = draw(explain(cost, model.layers[2].neurons[0].w[0])).source
    highlight = 'fillcolor="#ffe8d9"'
    assert (whole.count(highlight), last.count(highlight), draw(cost).source.count(highlight)) == (8, 6, 0)


def test_modules_within_modules_are_boxes():
    """An attribute that holds a module is a box, too."""

    class Mine(nn.Module):
        def __init__(self):
            self.hidden, self.out = nn.Layer(2, 2, seed=0), nn.Layer(2, 1, seed=0)

        def __call__(self, x):
            return self.out(self.hidden(x))

    shown = texts(draw(Mine()([1.0, 2.0])))
    assert {"hidden", "out", "neuron 0", "neuron 1"} <= set(shown)
    with pytest.raises(TypeError, match="give a Value, a derivation or a model"):
        draw(nn.MLP)


def test_large_graphs_are_folded():
    """Layers become boxes that say what is in them, the rest is counted; and the picture says so."""
    model = nn.MLP(2, [16, 16, 1], seed=0)
    cost = nn.cost(nn.hinge, [model([0.1 * i, 1.0]) for i in range(50)], [1] * 50)
    count = len(topological_order([cost]))
    picture = draw(cost)
    assert repr(picture) == f"Picture of {count} nodes (folded into 8 boxes)"
    shown = texts(picture)
    assert f"{count} nodes, folded into 8 boxes" in shown
    assert {"layer 0", "16 neurons", "48 parameters", "272 parameters", "1 neuron", "49"} <= set(shown)
    assert "folded" not in repr(draw(cost, max_nodes=count))


@pytest.mark.parametrize("shape", ["chain", "wide", "dense"])
def test_any_large_graph_is_folded(shape):
    """Also one without labels: no more boxes than asked for."""
    x = Value(0.5, "x")
    if shape == "chain":
        y = x
        for i in range(20_000):
            y = y.sin() if i % 3 else y * 1.5
    elif shape == "wide":
        y = sum(x.sin() * float(i) for i in range(5_000))
    else:
        layer = [x * float(i) for i in range(20)]
        for _ in range(20):
            layer = [tanh(sum(layer) * (0.01 * i)) for i in range(20)]
        y = sum(layer)
    picture = draw(y, max_nodes=40)
    assert len(re.findall(r"^\tb\d+ \[", picture.source, re.MULTILINE)) <= 40
    ET.fromstring(picture.svg())


def logistic(steps: int) -> Value:
    """Each number is used twice; as an expression it doubles in length with every step."""
    x, r = Value(0.3, "x"), Value(3.5, "r")
    for _ in range(steps):
        x = r * x * (1 - x)
    return x


def recurrent(steps: int) -> Value:
    """A network that reads one number after the other."""
    w = [[Value(0.1 * (i - j), f"W{i}{j}") for j in range(4)] for i in range(4)]
    h = [Value(0.0) for _ in range(4)]
    for t in range(steps):
        h = [tanh(sum(a * b for a, b in zip(row, h)) + 0.1 * t) for row in w]
        for i, x in enumerate(h):
            x.label = f"h{i}[{t}]"
    return sum(h)


def tangled(nodes: int) -> Value:
    """Any node may be an input of any later one."""
    random = Random(0)
    known = [Value(random.random(), f"v{i}") for i in range(12)]
    while len(known) < nodes:
        x, y = random.choice(known), random.choice(known[-50:])
        known.append(random.choice([x + y, x * y, x - y, x.sin(), x / 2, tanh(y)]))
    return sum(known[-50:])


def nested(blocks: int) -> Value:
    """Modules within modules, each with labels of its own."""
    y = Value(1.0, "s")
    for i in range(blocks):
        y = tanh(y * Value(0.5, f"block{i}.inner.w.0") + Value(0.5, f"block{i}.b"))
        y.label = f"block{i}.y"
    return y


def grid(side: int) -> Value:
    """Each node from its neighbors above and to the left."""
    row = [Value(1.0, f"g{i}") for i in range(side)]
    for _ in range(side):
        new = [row[0] * 0.5]
        for x in row[1:]:
            new.append((new[-1] + x) * 0.5)
        row = new
    return row[-1]


def doubled(steps: int) -> Value:
    """2^steps paths."""
    y = Value(1.0, "x")
    for _ in range(steps):
        y = (y * y).tanh() + y
    return y


def unfolded(picture: Picture) -> tuple[list[int], dict[tuple[str, str], int]]:
    """How many nodes there are in each box, and edges in each arrow, read off the DOT text."""
    labels = re.findall(r"^\tb\d+ \[label=<(.*?)>( fill| color| penwidth|\])", picture.source, re.MULTILINE)
    sizes = []
    for label, _ in labels:
        rows = [re.sub("<.*?>", "", row) for row in re.findall("<td>(.*?)</td>", label)]
        if any(row.startswith("data ") for row in rows):
            sizes.append(1)
        elif rows[-1].split()[-1] in ("node", "nodes"):
            sizes.append(int(rows[-1].split()[0]))
        else:
            sizes.append(sum(int(row.split()[0]) for row in rows if re.match(r"\d+ \w+$", row)))
    arrows = {}
    for line in lines(picture):
        tail, head, count = re.match(r'(b\d+) -> (b\d+) \[(?:label="(\d+) edges")?', line).groups()
        arrows[tail, head] = int(count or 1)
    return sizes, arrows


@pytest.mark.parametrize(
    ("build", "size"),
    [
        (logistic, 101),
        (logistic, 400),
        (logistic, 5000),
        (recurrent, 30),
        (tangled, 2000),
        (nested, 150),
        (grid, 40),
        (doubled, 300),
        (lambda n: nn.MLP(2, [4] * n + [1], seed=0)([0.3, 0.7]), 30),
        (lambda n: sum(Value(1.0, f"x{i}").sin() * float(i) for i in range(n)), 1000),
        (lambda n: [Value(0.1, "x") * float(i) for i in range(n)], 400),
    ],
    ids=[
        "logistic",
        "logistic 400",
        "logistic 5000",
        "rnn",
        "tangled",
        "nested",
        "grid",
        "shared",
        "deep",
        "wide",
        "list",
    ],
)
def test_a_folded_picture_is_readable(build, size):
    """At most 40 boxes, 12 in a row, 120 arrows, so that it fits a page; and every node is accounted for."""
    output = build(size)
    order = topological_order(output if isinstance(output, list) else [output])
    picture = draw(output)
    sizes, arrows = unfolded(picture)
    assert repr(picture) == f"Picture of {len(order)} nodes (folded into {len(sizes)} boxes)"
    assert sum(sizes) == len(order) and 2 <= len(sizes) <= 40 and len(arrows) <= 120
    assert sum(arrows.values()) <= sum(isinstance(x, Value) for node in order for x in node.inputs)
    ways = [[box] for box in {tail for tail, _ in arrows}]
    for _ in range(11):  # no way through the boxes is longer; this finds those that do not go in circles
        ways = [list(way) for way in {(*way[-1:], head) for way in ways for tail, head in arrows if tail == way[-1]}]
    assert not [way for way in ways for tail, _ in arrows if tail == way[-1]]
    width, height = re.search(r'<svg width="(\d+)pt" height="(\d+)pt"', picture.svg()).groups()
    assert int(width) < 3000 and int(height) < 3000


def test_a_fold_counts_what_it_hides():
    """The logistic map: 101 steps are 203 multiplications and 101 subtractions; one of them is the output."""
    picture = draw(logistic(101))
    shown = " ".join(re.sub("<.*?>", " ", line) for line in picture.source.splitlines())
    count = {row: sum(map(int, re.findall(rf"(\d+) +{row}\b", shown))) for row in ("mul", "sub")}
    assert count == {"mul": 2 * 101 - 1, "sub": 101}
    _, arrows = unfolded(picture)
    box = {name: re.search(rf"(b\d+) \[label=<.*?<b>{name}</b>", picture.source).group(1) for name in "xr"}
    assert sum(count for (tail, _), count in arrows.items() if tail == box["r"]) == 101
    assert sum(count for (tail, _), count in arrows.items() if tail == box["x"]) == 2


def test_nodes_that_are_kept_show_their_numbers():
    """y = x + 400 * 0.01 x, so y is 10 and dy/dx is 5 where x is 2; the others say what they are."""
    x = Value(2.0, "x")
    y = x
    for i in range(400):
        y = y * 1.0 + x * 0.01
        y.label = f"y{i + 1}"
    y.backward()
    shown = texts(draw(y))
    at = shown.index("x")
    assert shown[at : at + 3] == ["x", "data 2", "grad 5"]
    at = shown.index("y400")
    assert shown[at : at + 4] == ["y400", "+", "data 10", "grad 1"]
    assert any(text.startswith("y1 … y") for text in shown)
    whole = draw(explain(y, x)).source
    assert whole.count('fillcolor="#ffe8d9"') == len(unfolded(draw(y))[0])


@examples(50)
@given(st.text(max_size=12))
@example('{}|<>"\\')
@example("\\N \\G \\l a\nb")
@example("<b>bold</b> & é λ 中 \x00\x1b\ud800")
@example("layers.0.<i>.3.w")
@example("2.5 kg")
@example("².z")
@example(" ")
def test_any_label_is_drawn(label):
    """Nothing in it is markup, or a command of Graphviz."""
    x = Value(1.0, label)
    picture = draw(x * 2)
    joined = re.sub(r"\s", "", "".join(texts(picture)))
    seen = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in label.replace("\n", ""))
    if "." not in label:  # else a part of it is on a box
        assert re.sub(r"\s", "", seen) in joined


def test_pictures_are_the_same_in_every_process():
    """DOT and SVG, byte by byte."""
    program = """
import nn
from autograd import draw, explain
model = nn.MLP(3, [4, 2], activation=nn.tanh, seed=0)
loss = nn.cross_entropy(model([1.0, 2.0, 3.0]), 1)
derivation = explain(loss, model.layers[0].neurons[0].w[0])
for picture in (draw(loss), draw(model), draw(derivation), draw(loss, max_nodes=10)):
    print(picture.source, picture.svg())
"""
    runs = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(runs) == 1 and len(runs.pop()) > 10_000


def test_files(tmp_path):
    """svg, png, pdf and dot, by the ending."""
    picture = draw(Value(1.0, "x") * 2)
    begins = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph", "PNG": b"\x89PNG"}
    for ending, magic in begins.items():
        picture.save(tmp_path / f"a.{ending}")
        assert (tmp_path / f"a.{ending}").read_bytes().startswith(magic)
    with pytest.raises(ValueError, match=r"does not end in one of .svg, .png, .pdf, .dot"):
        picture.save(tmp_path / "a.gif")
    assert picture._repr_mimebundle_()["image/svg+xml"] == picture.svg()


def test_without_any_layout_engine(monkeypatch, tmp_path):
    """The DOT text is there, the error names both engines, a notebook shows it as text."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    picture = draw(Value(1.0, "x") * 2)
    assert picture.source.startswith("digraph")
    for layout in (picture.svg, lambda: picture.save(tmp_path / "a.png")):
        with pytest.raises(RuntimeError, match=r"dot program .* pip install pygraphviz\."):
            layout()
    picture.save(tmp_path / "a.dot")
    assert list(picture._repr_mimebundle_()) == ["text/plain"] and os.listdir(tmp_path) == ["a.dot"]


def test_the_dot_program_is_used_where_there_is_one(monkeypatch, tmp_path):
    """Whatever is called dot on PATH."""
    for name in ("dot", "neato"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\ncat > /dev/null\necho '<svg>laid out by {name}</svg>'\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "laid out by dot" in draw(Value(1.0)).svg()
    assert "laid out by" in draw(nn.Neuron(2, seed=0)).svg()


def test_a_network_as_in_textbooks():
    """A circle for every unit, a line for every weight and bias, blue or orange, the thicker the larger."""
    model = nn.MLP(2, [2, 2], activation=nn.sigmoid, seed=0)
    numbers = [0.15, -0.2, 0.35, 0.25, 0.3, 0.35, 0.4, 0.45, 0.6, 0.5, 0.0, -0.8]
    for parameter, number in zip(model.parameters(), numbers):
        parameter.data = number
    picture = draw(model)
    assert repr(picture) == "Picture of a network 2 -> 2 -> 2, 12 parameters"
    drawn = lines(picture)
    assert len(drawn) == 12
    assert sum("#2166ac" in line for line in drawn) == 9 and sum("#c2410c" in line for line in drawn) == 2
    widths = {line.split(" [")[0]: float(re.search(r"penwidth=([\d.]+)", line).group(1)) for line in drawn}
    assert widths["b1 -> u2_1"] == 3.5 and widths["u1_1 -> u2_1"] == 0.3
    assert widths["u0_0 -> u1_0"] < widths["u0_1 -> u1_0"] < widths["u0_0 -> u1_1"]
    shown = texts(picture)
    assert {"inputs", "2 neurons, sigmoid", "2 neurons, identity", "0.15", "-0.8"} <= set(shown)


def test_a_neuron_as_in_textbooks():
    """Inputs, weights, sum, activation, output."""
    neuron = nn.Neuron(3, activation=nn.tanh, seed=0)
    shown = "".join(texts(draw(neuron)))
    assert all(word in shown for word in ("inputs", "sum z", "tanh", "output a", "b = 0"))
    assert len(lines(draw(neuron))) == 4 + 2
    assert repr(draw(neuron)) == "Picture of a neuron, 4 parameters"


def test_wide_layers_are_cut():
    """Sixteen units at most, and it says so; a single layer, and one with weights that are not finite, can be drawn."""
    picture = draw(nn.MLP(64, [32, 10], seed=0))
    assert "16 units at most are drawn of a layer" in repr(picture)
    assert "x63" in texts(picture) or "63" in texts(picture)
    layer = nn.Layer(40, 2, seed=0)
    layer.neurons[0].w[0].data = float("inf")
    layer.neurons[1].b.data = float("nan")
    ET.fromstring(draw(layer).svg())
    assert "inputs at most" in repr(draw(nn.Neuron(40, seed=0)))


def test_what_cannot_be_drawn():
    """The error says what can."""

    class Mine(nn.Module):
        def __init__(self):
            self.w = Value(1.0)

    with pytest.raises(TypeError, match=r"Mine has no picture of its own; draw\(model\(x\)\)"):
        draw(Mine())
    for thing in (3.0, None, {"a": Value(1.0)}, {Value(1.0)}, iter([Value(1.0)]), "x", Value):
        with pytest.raises(TypeError, match="give a Value, a derivation or a model, or a list of Values"):
            draw(thing)
    for things, message in (
        ([Value(1.0), 2.0], r"item 1 of what is to be drawn is 2.0 \(float\); give a list of Values"),
        ([[Value(1.0)]], r"item 0 .* \(list\)"),
        ((None,), r"item 0 .* None"),
        ([], r"\[\] has nothing to draw in it"),
    ):
        with pytest.raises(TypeError, match=message):
            draw(things)
    for count in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match="give an int of at least 1"):
            draw(Value(1.0), max_nodes=count)
