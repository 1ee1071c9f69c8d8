"""`draw`: a graph as a picture.

The DOT text is built with the graphviz package.  Pictures are laid out by the ``dot`` program where it is on PATH, else
by pygraphviz, which brings Graphviz along.
"""

from __future__ import annotations

import html
import shutil
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise
from operator import attrgetter
from os import PathLike
from pathlib import Path
from typing import Any

import graphviz
import numpy as np

from ..collector import paused_collector
from ..derivation.data import Derivation
from ..derivation.notation import counted, decimal
from ..graph import number_of_node, routes, topological_order
from ..ops import ADD, FLAT
from ..value import Value

CURVED = 100
"""Graphs of up to so many nodes have curved edges; the edges of larger ones are straight."""

MOST_BOXES, MOST_IN_A_ROW, MOST_ARROWS = 40, 12, 120
"""A folded picture is readable with so many boxes, so many of them in a row, and so many arrows: it fits a page."""

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


@paused_collector()
def draw(thing: Any, *, derivatives: bool = True, max_nodes: int = 300) -> Picture:
    """The picture of a graph (of the Value at its end, or a list of them), of a derivation (its routes highlighted), or
    of a model.

    Each node shows its label, its row, its data and its grad: a dash, as long as `backward` has not been called.  Each
    edge carries the local derivative, unless `derivatives` is False.  Dotted labels, as parameters have them, make
    clusters: a box around each neuron and layer.  Of several outputs each has a dark border.

    A graph of more than `max_nodes` nodes is folded until the picture is readable, that is, has at most 40 boxes (or
    `max_nodes`), no more than 12 of them in a row, and at most 120 arrows.  A layer becomes a box; other nodes share
    one with those of the same row and depth or, in a deep graph, with those of a range of depths.  A box says what is
    in it, an arrow how many edges it stands for, and a node that has a box of its own shows its numbers.  Outputs have
    one, and so have a few labeled leaves.

    A TypeError for what cannot be drawn.

    >>> x = Value(0.5, "x")
    >>> draw(x.tanh() * 2)
    Picture of 3 nodes
    >>> draw([x.tanh(), x.sin()])
    Picture of 3 nodes
    >>> y = x
    >>> for _ in range(400):
    ...     y = 3.5 * y * (1 - y)
    >>> draw(y)
    Picture of 1201 nodes (folded into 12 boxes)
    """
    if isinstance(max_nodes, bool) or not isinstance(max_nodes, int) or max_nodes < 1:
        raise ValueError(f"max_nodes is {max_nodes!r:.60}; give an int of at least 1")
    if isinstance(thing, Derivation):
        return _picture(_Graph([thing.output], thing), derivatives, max_nodes)
    if hasattr(type(thing), "__picture__"):
        picture: Picture = thing.__picture__()
        return picture
    return _picture(_Graph(_outputs(thing)), derivatives, max_nodes)


def _outputs(thing: Any) -> list[Value]:
    """The Values at the end of a graph: one, or a list, tuple or array of them."""
    found = [thing] if isinstance(thing, Value) else thing.ravel().tolist() if isinstance(thing, np.ndarray) else thing
    if not isinstance(found, (list, tuple)):
        raise TypeError(
            f"{thing!r:.60} ({type(thing).__name__}) cannot be drawn; give a Value, a derivation or a model, or a list "
            "of Values"
        )
    if not found:
        raise TypeError(f"{thing!r} has nothing to draw in it; give a list of Values")
    for i, x in enumerate(found):
        if not isinstance(x, Value):
            raise TypeError(f"item {i} of what is to be drawn is {x!r:.60} ({type(x).__name__}); give a list of Values")
    return list(found)


def escape(text: str) -> str:
    """Text for an HTML-like label: nothing in it is markup, lines stay lines.

    >>> escape('a<b> & "c"' + "\\n{d|e}")
    'a&lt;b&gt; &amp; &quot;c&quot;<br/>{d|e}'
    """
    shown = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return html.escape(shown).replace("\\", "\\\\").replace("\n", "<br/>")


# ---- A graph --------------------------------------------------------------------------------------------------------

_SIGNS = {"+": "+", "-": "\N{MINUS SIGN}", "*": "\N{MULTIPLICATION SIGN}", "/": "\N{DIVISION SIGN}"}
_INK, _LEAF, _ROUTE, _ROUTE_FILL = "#333333", "#e7f0fa", "#d9480f", "#ffe8d9"
_FONT = {"fontname": "Helvetica", "fontsize": "11", "fontcolor": _INK}


class _Graph:
    """What there is to draw: the nodes below `outputs`, their groups, and the routes of a derivation."""

    def __init__(self, outputs: Sequence[Value], derivation: Derivation | None = None) -> None:
        self.outputs = frozenset(outputs)
        self.order = topological_order(outputs)
        self.backward = any(output.grad != 0.0 for output in outputs)  # the derivative of an output is 1, or more
        self.named: dict[Value, str] = {}
        self.route: frozenset[Value] = frozenset()
        self.variable = derivation.variable if derivation else None
        if derivation:
            self.route = frozenset(routes(derivation.output, derivation.variable, FLAT))
            numbered = topological_order([derivation.output, derivation.variable])
            for symbol in derivation.shown():  # the names that it has given to what has no label
                self.named.setdefault(numbered[symbol.place], symbol.text)
        self.housing = self._housing()

    @cached_property
    def place(self) -> dict[Value, int]:
        """The number of each node."""
        return {node: place for place, node in enumerate(self.order)}

    def name(self, node: Value) -> str:
        """What a node is called: its label, or the name that a derivation has given to it."""
        return node.label or self.named.get(node, "")

    def is_on_route(self, node: Value, index: int) -> bool:
        """Whether a route of the derivation goes through this input of `node`."""
        if node not in self.route or node is self.variable or node.op is None or node.op in FLAT:
            return False
        return node.op.partials[index] is not None and node.inputs[index] in self.route

    def edges_on_route(self) -> Iterator[tuple[Value, Value]]:
        """(x, node) for each edge of a route, from `x` to what is computed from it."""
        for node in self.order if self.route else ():
            for i, x in enumerate(node.inputs):
                if isinstance(x, Value) and self.is_on_route(node, i):
                    yield x, node

    def groups(self, node: Value) -> tuple[str, ...]:
        """The layer and the neuron of a node."""
        return self.housing.get(node, ())

    def _housing(self) -> dict[Value, tuple[str, ...]]:
        """The groups of nodes, by their labels; a node that has none is where all that it serves is."""
        housing: dict[Value, tuple[str, ...]] = {}
        if not any("." in node.label for node in self.order):
            return housing
        for node in reversed(self.order):
            if node.label:
                housing[node] = groups = _housing(node.label)
            else:
                groups = housing.setdefault(node, ())
            for x in node.inputs:
                if isinstance(x, Value) and not x.label and housing.setdefault(x, groups) != groups:
                    housing[x] = ()
        return housing


def _housing(label: str) -> tuple[str, ...]:
    """The groups that a dotted label is in, from the outermost.

    >>> _housing("layers.0.neurons.3.w.1"), _housing("encoder.w.1"), _housing("w.1")
    (('layers.0', 'layers.0.neurons.3'), ('encoder',), ())
    """
    path, _, name = label.rpartition(".")
    while name.isdecimal():
        path, _, name = path.rpartition(".")
    return _groups_on(path) if path else ()


@lru_cache(maxsize=4096)
def _groups_on(path: str) -> tuple[str, ...]:
    parts = path.split(".")
    ends = [i for i, (part, after) in enumerate(pairwise(parts), 1) if part.isdecimal() or not after.isdecimal()]
    return (*(".".join(parts[:end]) for end in ends), path)


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
        groups = graph.groups(node)
        if len(groups) > depth:
            inside.setdefault(groups[depth], []).append(node)
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
    dot.node(f"n{graph.place[node]}", table(_rows_of(node, graph)), **_style_of(node, graph))
    for i, x in enumerate(node.inputs):
        if not isinstance(x, Value):
            dot.node(f"n{graph.place[node]}_{i}", decimal(x, 4), shape="plaintext", style="", width="0.2", height="0.2")


def _rows_of(node: Value, graph: _Graph) -> list[str]:
    """What the box of a node says."""
    name = graph.name(node)
    if node.label and graph.groups(node):
        name = name.removeprefix(graph.groups(node)[-1] + ".")  # which is on the box around it
    return ([f"<b>{escape(name)}</b>"] if name else []) + _numbers_of(node, graph)


def _numbers_of(node: Value, graph: _Graph) -> list[str]:
    """The row of a node, its data and its grad."""
    op = node.op
    grad = decimal(node.grad, 4) if graph.backward or node.grad else "\N{EN DASH}"
    rows = [f'<font color="#555555">{escape(_SIGNS.get(op.symbol, op.name))}</font>'] if op else []
    return [*rows, f"data {decimal(number_of_node(node), 4)}", f"grad {grad}"]


def _style_of(node: Value, graph: _Graph) -> dict[str, str]:
    style = {} if node.op else {"fillcolor": _LEAF}
    if len(graph.outputs) > 1 and node in graph.outputs:
        style |= {"color": _INK, "penwidth": "2"}
    return _highlighted(style, node in graph.route)


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


_RANGES = 64
"""A deep graph is divided into so many ranges of depths before it is seen how coarse its picture has to be."""

_KEPT = 8
"""Outputs have boxes of their own if there are no more than these, and so have labeled leaves outside of groups."""


@dataclass(eq=False, slots=True)
class _Part:
    """Nodes that stay together: one that is "kept", members of a "group", or those of one row in a range of depths.

    Groups are numbered by their `place`, and so are ranges, both from the leaves up.
    """

    kind: str
    place: int
    depth: int = 0
    nodes: list[Value] = field(default_factory=list)


def _folded(graph: _Graph, max_nodes: int) -> Picture:
    """The finest folding that is readable; it is looked for among parts, of which there are a few hundred at most."""
    part_of = _parts(graph)
    parts = list(dict.fromkeys(part_of.values()))
    edges = _edges_between(parts, part_of)
    boxes = next(boxes for boxes in _foldings(parts) if _is_readable(boxes, edges, min(max_nodes, MOST_BOXES)))
    inside: dict[Hashable, list[_Part]] = {}
    for part in parts:
        inside.setdefault(boxes[part], []).append(part)
    names = {box: f"b{i}" for i, box in enumerate(inside)}
    note = f"folded into {len(inside)} box{'es' * (len(inside) > 1)}"
    dot = canvas(rankdir="LR", label=f"{len(graph.order)} nodes, {note}", labelloc="t")
    for box, members in inside.items():
        dot.node(names[box], table(_described(members, graph)), **_style_of_box(members, graph))
    on_route = {(boxes[part_of[x]], boxes[part_of[node]]) for x, node in graph.edges_on_route()}
    for (tail, head), count in _merged(edges, boxes).items():
        style = {"color": _ROUTE, "fontcolor": _ROUTE} if (tail, head) in on_route else {}
        label = counted(count, "edge") if count > 1 else ""
        dot.edge(names[tail], names[head], label=label, penwidth=f"{1 + len(str(count)) / 2:.1f}", **style)
    return Picture(dot.source, f"{len(graph.order)} nodes", note)


def _parts(graph: _Graph) -> dict[Value, _Part]:
    """The part that each node is in."""
    depths, housing = _depths(graph.order), graph.housing
    free = [node for node in depths if not housing.get(node)] if housing else graph.order
    leaves = [node for node in free if node.op is None and node.label]
    kept = {node for nodes in (graph.outputs, leaves) if len(nodes) <= _KEPT for node in nodes}
    from_the_output = dict.fromkeys(groups[0] for groups in housing.values() if groups)
    place_of_group = _places(list(from_the_output)[::-1])
    place_of_depth = _places(sorted({depths[node] for node in free}))
    in_groups = [_Part("group", place) for place in range(_RANGES)]
    by_row: list[dict[str, _Part]] = [{} for _ in range(_RANGES)]
    part_of: dict[Value, _Part] = {}
    for node, depth in depths.items():
        if node in kept:
            part = _Part("kept", 0)
        elif groups := housing.get(node, ()):
            part = in_groups[place_of_group[groups[0]]]
        else:
            row = node.op.name if node.op is not None else "leaf"
            place = place_of_depth[depth]
            part = by_row[place].get(row) or by_row[place].setdefault(row, _Part(row, place))
        if depth > part.depth:
            part.depth = depth
        part.nodes.append(node)
        part_of[node] = part
    return part_of


def _places(ranked: Sequence[Any]) -> dict[Any, int]:
    """The place of the range that each is in; there are `_RANGES` of them at most."""
    return {x: i * min(_RANGES, len(ranked)) // len(ranked) for i, x in enumerate(ranked)}


def _depths(order: Sequence[Value]) -> dict[Value, int]:
    """The longest way from a leaf to each node; all of a sum, a chain of additions, has one depth."""
    depths: dict[Value, int] = {}
    for node in order:
        op, depth = node.op, 0
        for x in node.inputs:
            if isinstance(x, Value):
                below = depths[x] + (op is not ADD or x.op is not ADD)
                if below > depth:
                    depth = below
        depths[node] = depth
    return depths


def _edges_between(parts: Sequence[_Part], part_of: Mapping[Value, _Part]) -> dict[tuple[_Part, _Part], int]:
    """How many edges lead from one part to another."""
    edges = {}
    for head in parts:
        counts = Counter([part_of[x] for node in head.nodes for x in node.inputs if isinstance(x, Value)])
        edges.update({(tail, head): count for tail, count in counts.items()})
    return edges


def _foldings(parts: Sequence[_Part]) -> Iterator[dict[_Part, Hashable]]:
    """The box for each part, finely at first, then more and more coarsely."""
    yield {part: part for part in parts}
    groups = 1 + max((part.place for part in parts if part.kind == "group"), default=0)
    ranges = 1 + max((part.place for part in parts if part.kind != "group"), default=0)

    def box(part: _Part, most: int) -> Hashable:
        if part.kind == "kept":
            return part
        number = groups if part.kind == "group" else ranges
        return part.kind if part.kind in ("group", "leaf") else "rows", part.place * min(most, number) // number

    for most in range(MOST_IN_A_ROW - 2, 0, -1):
        yield {part: box(part, most) for part in parts}
    yield {part: part.kind == "group" for part in parts}
    yield dict.fromkeys(parts)


def _merged(
    edges: Mapping[tuple[_Part, _Part], int], boxes: Mapping[_Part, Hashable]
) -> Counter[tuple[Hashable, Hashable]]:
    """How many edges lead from one box to another."""
    merged: Counter[tuple[Hashable, Hashable]] = Counter()
    for (tail, head), count in edges.items():
        if boxes[tail] != boxes[head]:
            merged[boxes[tail], boxes[head]] += count
    return merged


def _is_readable(boxes: Mapping[_Part, Hashable], edges: Mapping[tuple[_Part, _Part], int], most: int) -> bool:
    """Whether there are not more boxes than `most`, and not too many in a row or too many arrows; one box always is."""
    depth: dict[Hashable, int] = {}
    for part, box in boxes.items():
        depth[box] = max(part.depth, depth.get(box, 0))
    if len(depth) > most:
        return len(depth) == 1
    arrows = _merged(edges, boxes)
    in_a_row = dict.fromkeys(depth, 1)
    for tail, head in sorted(arrows, key=lambda arrow: depth[arrow[0]]):
        if depth[tail] < depth[head]:
            in_a_row[head] = max(in_a_row[head], in_a_row[tail] + 1)
    return len(arrows) <= MOST_ARROWS and max(in_a_row.values()) <= MOST_IN_A_ROW


_NAMED = 4
"""Of so many rows a box says how many nodes have them."""


def _described(parts: Sequence[_Part], graph: _Graph) -> list[str]:
    """What a box says: of a node, its numbers; of groups, what is in them; of other nodes, how many of which row."""
    nodes = [node for part in sorted(parts, key=attrgetter("place")) for node in part.nodes]
    if len(nodes) == 1:
        name = graph.name(nodes[0])
        return ([f"<b>{escape(name)}</b>"] if name else []) + _numbers_of(nodes[0], graph)
    if all(part.kind == "group" for part in parts):
        housing = [graph.housing[node] for node in nodes]
        groups = list(dict.fromkeys([path[0] for path in reversed(housing)]))
        neurons = len({path[1] for path in housing if len(path) > 1})
        parameters = len([node for node in nodes if node.op is None and not node.numbers])
        rows = [f"<b>{_from_to([_title(groups[-1]), _title(groups[0])][: len(groups)])}</b>"]
        rows += [f"{len(groups)} groups"] * (len(groups) > 1) + [counted(neurons, "neuron")] * (neurons > 0)
        return [*rows, counted(parameters, "parameter"), counted(len(nodes), "node")]
    labels = [node.label for node in nodes if node.label]
    rows = [f"<b>{_from_to(labels)}</b>"] if labels else []
    shown = Counter([node.op.name if node.op else "leaf" for node in nodes]).most_common(_NAMED)
    rest = len(nodes) - sum(count for _, count in shown)
    return [*rows, *(f"<b>{count}</b> {row}" for row, count in shown), *[f"<b>{rest}</b> others"] * (rest > 0)]


def _style_of_box(parts: Sequence[_Part], graph: _Graph) -> dict[str, str]:
    first = parts[0].nodes[0]
    if len(parts) == len(parts[0].nodes) == 1:
        return _style_of(first, graph)
    style = {"fillcolor": _LEAF} if all(part.kind == "leaf" for part in parts) else {}
    return _highlighted(style, any(not graph.route.isdisjoint(part.nodes) for part in parts if graph.route))


def _from_to(names: Sequence[str]) -> str:
    """The first name and the last."""
    shown = [
        escape(name if len(name) <= 20 else f"{name[:20]}\N{HORIZONTAL ELLIPSIS}") for name in (names[0], names[-1])
    ]
    return " \N{HORIZONTAL ELLIPSIS} ".join(shown[: len(names)])
