"""`draw`: a graph as a picture.

The graphviz package builds the DOT text.  The ``dot`` program lays pictures out if it is on PATH; else pygraphviz does,
which includes Graphviz.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..collector import paused_collector
from ..derivation.data import Derivation
from ..derivation.notation import counted, decimal
from ..graph import number_of_node
from ..value import Value
from .dot import INK, canvas, escape, table
from .fold import Kind, Part, fold
from .scene import Scene, title

if TYPE_CHECKING:
    import graphviz

CURVED = 100
"""Graphs of up to this many nodes have curved edges; larger ones have straight edges."""

FORMATS = ("svg", "png", "pdf", "dot")


@dataclass(frozen=True)
class Picture:
    """A drawing: DOT text in `source`, which Graphviz lays out when the picture is shown or saved.

    A notebook shows it.  `note` says what the picture leaves out, if anything is left out.

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
        """The picture as SVG.  A RuntimeError if Graphviz is not installed."""
        return self._laid_out("svg").decode()

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the picture to a file; the ending chooses the format: svg, png, pdf or dot.

        A ValueError for another ending; a RuntimeError if Graphviz is not installed.
        """
        path = Path(path)
        format_ = path.suffix.lower().removeprefix(".")
        if format_ not in FORMATS:
            raise ValueError(f"{path.name!r} does not end in one of {', '.join('.' + f for f in FORMATS)}")
        path.write_bytes(self.source.encode() if format_ == "dot" else self._laid_out(format_))

    def _laid_out(self, format_: str) -> bytes:
        if shutil.which("dot"):
            import graphviz

            return bytes(graphviz.Source(self.source, engine=self.engine).pipe(format=format_))
        try:
            from pygraphviz import AGraph
        except ImportError:
            raise RuntimeError(
                "Graphviz, which lays out pictures, is not installed; install its dot program (https://graphviz.org) "
                "or type pip install pygraphviz.  The DOT text is in .source"
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
    """The picture of a graph, a derivation or a model.

    For a graph, give the Value at its end, or a list, tuple or array of them.  Each node shows its label, its row, its
    data and its grad: a dash until `backward` has been called.  Each edge shows the local derivative, unless
    `derivatives` is False.  Dotted labels, such as those of parameters, draw a box around each neuron and layer.  If
    there are several outputs, each has a dark border.  A derivation's routes are highlighted in its graph.

    A graph of more than `max_nodes` nodes is folded until the picture is readable: at most 40 boxes (or `max_nodes`),
    at most 12 of them in a row, and at most 120 arrows.  A layer becomes one box; other nodes share a box with those of
    the same row and depth or, in a deep graph, the same range of depths.  A box lists its contents, and an arrow says
    how many edges it stands for.  Outputs and a few labeled leaves keep boxes of their own, with their numbers.

    A TypeError if `thing` cannot be drawn; a ValueError if `max_nodes` is not an int of at least 1.

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
        return _picture(Scene([thing.output], thing), derivatives, max_nodes)
    if hasattr(type(thing), "__picture__"):
        picture: Picture = thing.__picture__()
        return picture
    return _picture(Scene(_outputs(thing)), derivatives, max_nodes)


def _outputs(thing: Any) -> list[Value]:
    """The Values at the end of a graph: one, or a list, tuple or array of them."""
    found = [thing] if isinstance(thing, Value) else thing.ravel().tolist() if isinstance(thing, np.ndarray) else thing
    if not isinstance(found, (list, tuple)):
        raise TypeError(
            f"{thing!r:.60} ({type(thing).__name__}) cannot be drawn; give a Value, a derivation or a model, or a list "
            "of Values"
        )
    if not found:
        raise TypeError(f"{thing!r} is empty; give at least one Value")
    for i, x in enumerate(found):
        if not isinstance(x, Value):
            raise TypeError(f"item {i} of the list is {x!r:.60} ({type(x).__name__}); give a list of Values")
    return list(found)


# ---- Nodes and edges -----------------------------------------------------------------------------------------------

_SIGNS = {"+": "+", "-": "\N{MINUS SIGN}", "*": "\N{MULTIPLICATION SIGN}", "/": "\N{DIVISION SIGN}"}
_LEAF, _ROUTE, _ROUTE_FILL = "#e7f0fa", "#d9480f", "#ffe8d9"


def _picture(scene: Scene, derivatives: bool, max_nodes: int) -> Picture:
    count = len(scene.order)
    if count > max_nodes:
        return _folded(scene, max_nodes)
    # Curved edges and the last bit of tidiness take dot minutes on some graphs of a few hundred nodes.
    splines = "true" if count <= CURVED else "line"
    dot = canvas(
        rankdir="LR", nodesep="0.15", ranksep="0.45", ordering="in", nslimit="1", nslimit1="1", splines=splines
    )
    _add_clustered(dot, scene, scene.order)
    for node in scene.order:
        _add_edges(dot, scene, node, derivatives)
    return Picture(dot.source, counted(count, "node"))


def _add_clustered(dot: graphviz.Digraph, scene: Scene, nodes: Sequence[Value], depth: int = 0) -> None:
    """The nodes, each inside the boxes of its groups."""
    inside: dict[str, list[Value]] = {}
    for node in nodes:
        groups = scene.groups_of(node)
        if len(groups) > depth:
            inside.setdefault(groups[depth], []).append(node)
        else:
            _add_node(dot, scene, node)
    for group, members in inside.items():
        with dot.subgraph(name=f"cluster_{min(scene.place[node] for node in members)}_{depth}") as cluster:
            cluster.attr(label=f"<{escape(title(group))}>", style="rounded", color="#c8c8c8", fontcolor="#777777")
            _add_clustered(cluster, scene, members, depth + 1)


def _add_node(dot: graphviz.Digraph, scene: Scene, node: Value) -> None:
    dot.node(f"n{scene.place[node]}", table(_rows_of(node, scene)), **_style_of(node, scene))
    for i, x in enumerate(node.inputs):
        if not isinstance(x, Value):
            dot.node(f"n{scene.place[node]}_{i}", decimal(x, 4), shape="plaintext", style="", width="0.2", height="0.2")


def _rows_of(node: Value, scene: Scene) -> list[str]:
    """The lines in the box of a node."""
    name = scene.name(node)
    if node.label and scene.groups_of(node):
        name = name.removeprefix(scene.groups_of(node)[-1] + ".")  # the box around it says that
    return ([f"<b>{escape(name)}</b>"] if name else []) + _numbers_of(node, scene)


def _numbers_of(node: Value, scene: Scene) -> list[str]:
    """The row of a node, its data and its grad."""
    op = node.op
    grad = decimal(node.grad, 4) if scene.backward or node.grad else "\N{EN DASH}"
    rows = [f'<font color="#555555">{escape(_SIGNS.get(op.symbol, op.name))}</font>'] if op else []
    return [*rows, f"data {decimal(number_of_node(node), 4)}", f"grad {grad}"]


def _style_of(node: Value, scene: Scene) -> dict[str, str]:
    style = {} if node.op else {"fillcolor": _LEAF}
    if len(scene.outputs) > 1 and node in scene.outputs:
        style |= {"color": INK, "penwidth": "2"}
    return _highlighted(style, node in scene.route)


def _highlighted(style: dict[str, str], highlighted: object) -> dict[str, str]:
    return {"fillcolor": _ROUTE_FILL, "color": _ROUTE, "penwidth": "1.6"} if highlighted else style


def _add_edges(dot: graphviz.Digraph, scene: Scene, node: Value, derivatives: bool) -> None:
    head = f"n{scene.place[node]}"
    for i, x in enumerate(node.inputs):
        if not isinstance(x, Value):
            dot.edge(f"{head}_{i}", head)
            continue
        partial = node.op.partials[i]  # type: ignore[union-attr]  # it has inputs
        label = decimal(partial(*node.numbers), 4) if derivatives and partial else ""
        style = {"color": _ROUTE, "fontcolor": _ROUTE, "penwidth": "2"} if scene.is_on_route(node, i) else {}
        dot.edge(f"n{scene.place[x]}", head, label=label, **style)


# ---- A graph too large to be drawn node by node ---------------------------------------------------------------------


def _folded(scene: Scene, max_nodes: int) -> Picture:
    folding = fold(scene, max_nodes)
    count = len(folding.boxes)
    note = "folded into 1 box" if count == 1 else f"folded into {count} boxes"
    dot = canvas(rankdir="LR", label=f"{len(scene.order)} nodes, {note}", labelloc="t")
    for i, members in enumerate(folding.boxes):
        dot.node(f"b{i}", table(_described(members, scene)), **_style_of_box(members, scene))
    on_route = {(folding.box_of[x], folding.box_of[node]) for x, node in scene.edges_on_route()}
    for (tail, head), edges in folding.arrows.items():
        style = {"color": _ROUTE, "fontcolor": _ROUTE} if (tail, head) in on_route else {}
        label = counted(edges, "edge") if edges > 1 else ""
        dot.edge(f"b{tail}", f"b{head}", label=label, penwidth=f"{1 + len(str(edges)) / 2:.1f}", **style)
    return Picture(dot.source, f"{len(scene.order)} nodes", note)


_NAMED = 4
"""A box counts the nodes of this many rows; it counts the others together."""


def _described(parts: Sequence[Part], scene: Scene) -> list[str]:
    """The lines in a box: a node's numbers, the contents of groups, or how many nodes there are of each row."""
    nodes = [node for part in sorted(parts, key=attrgetter("place")) for node in part.nodes]
    if len(nodes) == 1:
        name = scene.name(nodes[0])
        return ([f"<b>{escape(name)}</b>"] if name else []) + _numbers_of(nodes[0], scene)
    if all(part.kind is Kind.GROUP for part in parts):
        paths = [scene.groups[node] for node in nodes]
        groups = list(dict.fromkeys([path[0] for path in reversed(paths)]))
        neurons = len({path[1] for path in paths if len(path) > 1})
        parameters = len([node for node in nodes if node.op is None and not node.numbers])
        rows = [f"<b>{_from_to([title(groups[-1]), title(groups[0])][: len(groups)])}</b>"]
        rows += [f"{len(groups)} groups"] if len(groups) > 1 else []
        rows += [counted(neurons, "neuron")] if neurons else []
        return [*rows, counted(parameters, "parameter"), counted(len(nodes), "node")]
    labels = [node.label for node in nodes if node.label]
    rows = [f"<b>{_from_to(labels)}</b>"] if labels else []
    shown = Counter([node.op.name if node.op else "leaf" for node in nodes]).most_common(_NAMED)
    rest = len(nodes) - sum(count for _, count in shown)
    rows += [f"<b>{count}</b> {row}" for row, count in shown]
    return [*rows, f"<b>{rest}</b> others"] if rest else rows


def _style_of_box(parts: Sequence[Part], scene: Scene) -> dict[str, str]:
    first = parts[0].nodes[0]
    if len(parts) == len(parts[0].nodes) == 1:
        return _style_of(first, scene)
    style = {"fillcolor": _LEAF} if all(part.kind is Kind.LEAVES for part in parts) else {}
    return _highlighted(style, any(not scene.route.isdisjoint(part.nodes) for part in parts if scene.route))


def _from_to(names: Sequence[str]) -> str:
    """The first name and the last."""
    shown = [
        escape(name if len(name) <= 20 else f"{name[:20]}\N{HORIZONTAL ELLIPSIS}") for name in (names[0], names[-1])
    ]
    return " \N{HORIZONTAL ELLIPSIS} ".join(shown[: len(names)])
