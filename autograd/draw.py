"""`draw`: a graph as a picture.

The DOT text is built with the graphviz package.  Pictures are laid out by the ``dot`` program where it is on PATH, else
by pygraphviz, which brings Graphviz along.
"""

from __future__ import annotations

import html
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import graphviz

from .derivation import Derivation
from .graph import edges, number_of_node, routes, topological_order
from .notation import counted, decimal
from .ops import ADD, FLAT
from .value import Value

CURVED = 100
"""Graphs of up to so many nodes have curved edges; the edges of larger ones are straight."""

FORMATS = ("svg", "png", "pdf", "dot")


@dataclass(frozen=True)
class Picture:
    """A drawing: its DOT text in `source`, laid out when it is asked for.

    A notebook shows it.  `note` says what was left out, if anything was.

    >>> x = Value(2.0, "x")
    >>> picture = draw(x * x)
    >>> picture
    Picture of 2 nodes
    >>> picture.source.count("n0 -> n1")
    2
    """

    source: str = field(repr=False)
    title: str
    note: str = ""
    engine: str = "dot"

    def svg(self) -> str:
        """The picture as SVG.  A RuntimeError where nothing can lay it out."""
        return self._laid_out("svg").decode()

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the picture to a file, in the format that its ending names: svg, png, pdf or dot."""
        path = Path(path)
        format_ = path.suffix.lower().removeprefix(".")
        if format_ not in FORMATS:
            raise ValueError(f"{path.name!r} does not end in one of {', '.join('.' + f for f in FORMATS)}")
        path.write_bytes(self.source.encode() if format_ == "dot" else self._laid_out(format_))

    def _laid_out(self, format_: str) -> bytes:
        if shutil.which("dot"):
            return bytes(graphviz.Source(self.source, engine=self.engine).pipe(format=format_))
        try:
            from pygraphviz import AGraph
        except ImportError:
            raise RuntimeError(
                "a picture is laid out by Graphviz, which is not here: install its dot program (https://graphviz.org) "
                "or pygraphviz, which brings it along: pip install pygraphviz.  The DOT text is in .source"
            ) from None
        return bytes(AGraph(string=self.source).draw(format=format_, prog=self.engine))

    def __repr__(self) -> str:
        return f"Picture of {self.title}" + (f" ({self.note})" if self.note else "")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:  # in a notebook
        try:
            return {"image/svg+xml": self.svg(), "text/plain": repr(self)}
        except RuntimeError as error:
            return {"text/plain": f"{self!r}\n{error}"}


def draw(thing: Any, *, derivatives: bool = True, max_nodes: int = 300) -> Picture:
    """The picture of a graph (of the Value at its end), of a derivation (its routes highlighted), or of a model.

    Each node shows its label, its row, its data and its grad: a dash, as long as `backward` has not been called.  Each
    edge carries the local derivative, unless `derivatives` is False.  Dotted labels, as parameters have them, make
    clusters: a box around each neuron and layer.  A graph of more than `max_nodes` nodes is folded, a layer into one
    box, and other nodes with those of the same row and depth; the picture says so.

    A TypeError for what cannot be drawn.

    >>> x = Value(0.5, "x")
    >>> draw(x.tanh() * 2)
    Picture of 3 nodes
    """
    if isinstance(max_nodes, bool) or not isinstance(max_nodes, int) or max_nodes < 1:
        raise ValueError(f"max_nodes is {max_nodes!r:.60}; give an int of at least 1")
    if isinstance(thing, Value):
        return _picture(_Graph(thing), derivatives, max_nodes)
    if isinstance(thing, Derivation):
        return _picture(_Graph(thing.output, thing), derivatives, max_nodes)
    if hasattr(type(thing), "__picture__"):
        picture: Picture = thing.__picture__()
        return picture
    raise TypeError(f"{thing!r:.60} ({type(thing).__name__}) cannot be drawn; give a Value, a derivation or a model")


def escape(text: str) -> str:
    """Text for an HTML-like label: nothing in it is markup, lines stay lines.

    >>> escape('a<b> & "c"' + "\\n{d|e}")
    'a&lt;b&gt; &amp; &quot;c&quot;<br/>{d|e}'
    """
    shown = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return html.escape(shown).replace("\\", "\\\\").replace("\n", "<br/>")


# ---- A graph --------------------------------------------------------------------------------------------------------

_SIGNS = {
    "add": "+",
    "sub": "\N{MINUS SIGN}",
    "mul": "\N{MULTIPLICATION SIGN}",
    "div": "\N{DIVISION SIGN}",
    "neg": "\N{MINUS SIGN}",
}
_INK, _LEAF, _ROUTE, _ROUTE_FILL = "#333333", "#e7f0fa", "#d9480f", "#ffe8d9"
_FONT = {"fontname": "Helvetica", "fontsize": "11", "fontcolor": _INK}


class _Graph:
    """What there is to draw: the nodes below `output`, their groups, and the routes of a derivation."""

    def __init__(self, output: Value, derivation: Derivation | None = None) -> None:
        self.output = output
        self.order = topological_order([output])
        self.place = {node: place for place, node in enumerate(self.order)}
        self.backward = output.grad != 0.0  # its own derivative is 1: it has one after `backward`
        self.names = {node: node.label for node in self.order}
        self.route: frozenset[Value] = frozenset()
        self.variable = derivation.variable if derivation else None
        if derivation:
            self.route = frozenset(routes(output, derivation.variable, FLAT))
            numbered = topological_order([output, derivation.variable])
            for symbol in derivation.shown():  # the names that it has given to what has no label
                self.names[numbered[symbol.place]] = self.names.get(numbered[symbol.place]) or symbol.text
        self.groups = self._groups()
        self.depth: dict[Any, int] = {}  # the longest way from a leaf; all of a sum, a chain of additions, has one
        for node in self.order:
            below = (
                self.depth[x] + (node.op is not ADD or x.op is not ADD) for x in node.inputs if isinstance(x, Value)
            )
            self.depth[node] = max(below, default=0)

    def is_on_route(self, node: Value, index: int) -> bool:
        """Whether a route of the derivation goes through this input of `node`."""
        if node not in self.route or node is self.variable or node.op in FLAT:
            return False
        return index in {i for i, _ in edges(node, self.route)}

    def _groups(self) -> dict[Value, tuple[str, ...]]:
        """The neuron and the layer of each node, by its label; what has none is where all that it serves is."""
        groups: dict[Value, tuple[str, ...]] = {}
        for node in reversed(self.order):
            if node.label or node is self.output:
                groups[node] = _housing(node.label)
            for x in node.inputs:
                if isinstance(x, Value) and not x.label:
                    groups[x] = groups[node] if groups.get(x, groups[node]) == groups[node] else ()
        return groups


def _housing(label: str) -> tuple[str, ...]:
    """The groups that a dotted label is in, from the outermost.

    >>> _housing("layers.0.neurons.3.w.1"), _housing("encoder.w.1"), _housing("w.1")
    (('layers.0', 'layers.0.neurons.3'), ('encoder',), ())
    """
    parts = label.split(".")
    while parts and parts[-1].isdecimal():
        parts.pop()
    ends = [i for i, (part, after) in enumerate(pairwise(parts), 1) if part.isdecimal() or not after.isdecimal()]
    return tuple(".".join(parts[:end]) for end in ends)


def _picture(graph: _Graph, derivatives: bool, max_nodes: int) -> Picture:
    count = len(graph.order)
    if count > max_nodes:
        return _folded(graph, max_nodes)
    # Curved edges and the last bit of tidiness take dot minutes on some graphs of a few hundred nodes.
    splines = "true" if count <= CURVED else "line"
    dot = canvas(
        rankdir="LR", nodesep="0.15", ranksep="0.45", ordering="in", nslimit="1", nslimit1="1", splines=splines
    )
    _add_clustered(dot, graph, graph.order)
    for node in graph.order:
        _add_edges(dot, graph, node, derivatives)
    return Picture(dot.source, counted(count, "node"))


def canvas(**attributes: str) -> graphviz.Digraph:
    """An empty drawing in the house style, with these attributes of the graph."""
    return graphviz.Digraph(
        graph_attr={"bgcolor": "white", "fontname": "Helvetica", "fontsize": "11", **attributes},
        node_attr={"shape": "box", "style": "rounded,filled", "fillcolor": "white", "color": "#8a8a8a", **_FONT},
        edge_attr={"color": "#8a8a8a", "arrowsize": "0.6", **_FONT, "fontsize": "9"},
    )


def table(rows: Iterable[str]) -> str:
    """An HTML-like label: rows of markup, one under the other."""
    cells = "".join(f"<tr><td>{row}</td></tr>" for row in rows)
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{cells}</table>>'


def _add_clustered(dot: graphviz.Digraph, graph: _Graph, nodes: Sequence[Value], depth: int = 0) -> None:
    """The nodes, in boxes within boxes as their groups have it."""
    inside: dict[str, list[Value]] = {}
    for node in nodes:
        if len(graph.groups[node]) > depth:
            inside.setdefault(graph.groups[node][depth], []).append(node)
        else:
            _add_node(dot, graph, node)
    for group, members in inside.items():
        with dot.subgraph(name=f"cluster_{min(graph.place[node] for node in members)}_{depth}") as cluster:
            cluster.attr(label=f"<{escape(_title(group))}>", style="rounded", color="#c8c8c8", fontcolor="#777777")
            _add_clustered(cluster, graph, members, depth + 1)


def _title(group: str) -> str:
    """layers.0 is "layer 0"."""
    *_, word, number = ["", *group.split(".")]
    return f"{word.removesuffix('s')} {number}" if number.isdecimal() else number


def _add_node(dot: graphviz.Digraph, graph: _Graph, node: Value) -> None:
    name, op = graph.names[node], node.op
    if node.label and graph.groups[node]:
        name = name.removeprefix(graph.groups[node][-1] + ".")  # which is on the box around it
    data = number_of_node(node)
    grad = decimal(node.grad, 4) if graph.backward or node.grad else "\N{EN DASH}"
    rows = [f"<b>{escape(name)}</b>"] if name else []
    rows += [f'<font color="#555555">{escape(_SIGNS.get(op.name, op.name))}</font>'] if op else []
    rows += [f"data {decimal(data, 4)}", f"grad {grad}"]
    style = _highlighted({} if op else {"fillcolor": _LEAF}, node in graph.route)
    dot.node(f"n{graph.place[node]}", table(rows), **style)
    for i, x in enumerate(node.inputs):
        if not isinstance(x, Value):
            dot.node(f"n{graph.place[node]}_{i}", decimal(x, 4), shape="plaintext", style="", width="0.2", height="0.2")


def _highlighted(style: dict[str, str], highlighted: object) -> dict[str, str]:
    return {"fillcolor": _ROUTE_FILL, "color": _ROUTE, "penwidth": "1.6"} if highlighted else style


def _add_edges(dot: graphviz.Digraph, graph: _Graph, node: Value, derivatives: bool) -> None:
    head = f"n{graph.place[node]}"
    for i, x in enumerate(node.inputs):
        if not isinstance(x, Value):
            dot.edge(f"{head}_{i}", head)
            continue
        partial = node.op.partials[i]  # type: ignore[union-attr]  # it has inputs
        label = decimal(partial(*node.numbers), 4) if derivatives and partial else ""
        style = {"color": _ROUTE, "fontcolor": _ROUTE, "penwidth": "2"} if graph.is_on_route(node, i) else {}
        dot.edge(f"n{graph.place[x]}", head, label=label, **style)


# ---- A graph too large to be drawn node by node ---------------------------------------------------------------------


def _folded(graph: _Graph, max_nodes: int) -> Picture:
    """Layers as one box each; the other nodes together with those of the same row and depth."""
    rows = graph.depth[graph.output] + 1

    def boxes(bands: int, stems: bool) -> dict[Any, list[Value]]:
        members: dict[Any, list[Value]] = {}
        for node in graph.order:
            group = graph.groups[node][:1]
            kind = group or (node.op.name if node.op else "leaf", graph.depth[node] * bands // rows)
            members.setdefault((group[0].partition(".")[0],) if group and stems else kind, []).append(node)
        return members

    bands = min(rows, max_nodes)
    folded = boxes(bands, stems=False)
    while len(folded) > max_nodes and bands > 1:
        bands //= 2
        folded = boxes(bands, stems=bands == 1)
    if len(folded) > max_nodes:
        folded = {("node", 0): graph.order}
    box = {node: f"b{i}" for i, members in enumerate(folded.values()) for node in members}
    note = f"folded into {len(folded)} boxes"
    dot = canvas(rankdir="LR", label=f"{len(graph.order)} nodes, {note}", labelloc="t")
    for i, (kind, members) in enumerate(folded.items()):
        style = {"fillcolor": _LEAF} if kind[0] == "leaf" else {}
        dot.node(
            f"b{i}", table(_described(kind, members, graph)), **_highlighted(style, graph.route.intersection(members))
        )
    counts: Counter[tuple[str, str]] = Counter()
    on_route: set[tuple[str, str]] = set()
    for node in graph.order:
        for i, x in edges(node, box):
            ends = box[x], box[node]
            if ends[0] != ends[1]:
                counts[ends] += 1
                if graph.is_on_route(node, i):
                    on_route.add(ends)
    for (tail, head), count in counts.items():
        style = {"color": _ROUTE, "fontcolor": _ROUTE} if (tail, head) in on_route else {}
        label = counted(count, "edge") if count > 1 else ""
        dot.edge(tail, head, label=label, penwidth=f"{1 + len(str(count)) / 2:.1f}", **style)
    return Picture(dot.source, f"{len(graph.order)} nodes", note)


def _described(kind: tuple[Any, ...], members: Sequence[Value], graph: _Graph) -> list[str]:
    """What a box says: its layer and what is in it, or how many of which row."""
    if len(kind) == 2:
        if len(members) == 1:
            name = graph.names[members[0]]
            return [f"<b>{escape(name)}</b>"] * bool(name) + [kind[0]]
        return [f"<b>{len(members)}</b> {kind[0]}"]
    neurons = len({graph.groups[node][1] for node in members if len(graph.groups[node]) > 1})
    parameters = sum(node.op is None and not node.numbers for node in members)
    rows = [f"<b>{escape(_title(kind[0]))}</b>"]
    rows += [counted(neurons, "neuron")] * (neurons > 0)
    return [*rows, counted(parameters, "parameter"), counted(len(members), "node")]
