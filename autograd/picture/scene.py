"""The contents of a picture: nodes with their names, the groups that they are in, and the routes to highlight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise

from ..derivation.data import Derivation
from ..graph import routes, topological_order
from ..ops import FLAT
from ..value import Value


class Scene:
    """The nodes that `outputs` depend on, in topological order; with a derivation, its names and its routes."""

    def __init__(self, outputs: Sequence[Value], derivation: Derivation | None = None) -> None:
        self.outputs = frozenset(outputs)
        self.order = topological_order(outputs)
        self.backward = any(output.grad != 0.0 for output in outputs)  # after backward, an output has a grad of 1
        self.named: dict[Value, str] = {}
        self.route: frozenset[Value] = frozenset()
        self.variable = derivation.variable if derivation else None
        if derivation:
            self.route = frozenset(routes(derivation.output, derivation.variable, FLAT))
            numbered = topological_order([derivation.output, derivation.variable])
            for symbol in derivation.shown():  # the derivation gives names to nodes without a label
                self.named.setdefault(numbered[symbol.place], symbol.text)
        self.groups = self._groups()

    @cached_property
    def place(self) -> dict[Value, int]:
        """The number of each node."""
        return {node: place for place, node in enumerate(self.order)}

    def name(self, node: Value) -> str:
        """The label of a node, or the name that a derivation gave it."""
        return node.label or self.named.get(node, "")

    def is_on_route(self, node: Value, index: int) -> bool:
        """Whether a route of the derivation goes through this input of `node`."""
        if node not in self.route or node is self.variable or node.op is None or node.op in FLAT:
            return False
        return node.op.partials[index] is not None and node.inputs[index] in self.route

    def edges_on_route(self) -> Iterator[tuple[Value, Value]]:
        """(x, node) for each edge of a route, from an input `x` of `node` to `node`."""
        for node in self.order if self.route else ():
            for i, x in enumerate(node.inputs):
                if isinstance(x, Value) and self.is_on_route(node, i):
                    yield x, node

    def groups_of(self, node: Value) -> tuple[str, ...]:
        """The groups around a node, from the outermost: its layer, its neuron."""
        return self.groups.get(node, ())

    def _groups(self) -> dict[Value, tuple[str, ...]]:
        """The groups of nodes, by their labels; a node without a label is in those of all nodes that use it."""
        found: dict[Value, tuple[str, ...]] = {}
        if not any("." in node.label for node in self.order):
            return found
        for node in reversed(self.order):
            if node.label:
                found[node] = groups = groups_of_label(node.label)
            else:
                groups = found.setdefault(node, ())
            for x in node.inputs:
                if isinstance(x, Value) and not x.label and found.setdefault(x, groups) != groups:
                    found[x] = ()
        return found


def groups_of_label(label: str) -> tuple[str, ...]:
    """The groups that a dotted label names, from the outermost.

    >>> groups_of_label("layers.0.neurons.3.w.1"), groups_of_label("encoder.w.1"), groups_of_label("w.1")
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


def title(group: str) -> str:
    """The title of a group.

    >>> title("layers.0"), title("encoder")
    ('layer 0', 'encoder')
    """
    *_, word, number = ["", *group.split(".")]
    return f"{word.removesuffix('s')} {number}" if number.isdecimal() else number
