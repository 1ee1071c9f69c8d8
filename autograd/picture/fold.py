"""Folding a graph that is too large to be drawn node by node: nodes share boxes, and edges share arrows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from ..ops import ADD
from ..value import Value
from .scene import Scene

MOST_BOXES, MOST_IN_A_ROW, MOST_ARROWS = 40, 12, 120
"""A folded picture fits a page if it has at most this many boxes, boxes in a row, and arrows."""

_RANGES = 64
"""A deep graph is first divided into this many ranges of depths; coarser foldings join them."""

_KEPT = 8
"""Outputs have boxes of their own if there are at most this many, and so have labeled leaves outside of groups."""


class Kind(Enum):
    """The kind of a part: a single node, members of a group, leaves, or nodes of one row."""

    KEPT, GROUP, LEAVES, ROW = range(4)


@dataclass(eq=False, slots=True)
class Part:
    """Nodes that stay together: a single node, or those of one kind in a range.

    Groups are numbered by their `place`, and so are ranges of depths, both from the leaves up.
    """

    kind: Kind
    place: int
    depth: int = 0
    nodes: list[Value] = field(default_factory=list)


class Folding(NamedTuple):
    """The parts in each box, the box of each node, and the number of edges that each arrow stands for."""

    boxes: list[list[Part]]
    box_of: dict[Value, int]
    arrows: dict[tuple[int, int], int]


def fold(scene: Scene, max_boxes: int) -> Folding:
    """The finest readable folding.  The search joins parts; there are a few hundred at most."""
    part_of = _parts(scene)
    parts = list(dict.fromkeys(part_of.values()))
    edges = _edges_between(parts, part_of)
    box_of_part = next(boxes for boxes in _foldings(parts) if _is_readable(boxes, edges, min(max_boxes, MOST_BOXES)))
    inside: dict[Hashable, list[Part]] = {}
    for part in parts:
        inside.setdefault(box_of_part[part], []).append(part)
    number = {box: i for i, box in enumerate(inside)}
    box_of = {node: number[box_of_part[part]] for node, part in part_of.items()}
    arrows = {(number[tail], number[head]): count for (tail, head), count in _merged(edges, box_of_part).items()}
    return Folding(list(inside.values()), box_of, arrows)


def _parts(scene: Scene) -> dict[Value, Part]:
    """The part of each node."""
    depths, groups = _depths(scene.order), scene.groups
    free = [node for node in depths if not groups.get(node)] if groups else scene.order
    leaves = [node for node in free if node.op is None and node.label]
    kept = {node for nodes in (scene.outputs, leaves) if len(nodes) <= _KEPT for node in nodes}
    from_the_output = dict.fromkeys(path[0] for path in groups.values() if path)
    place_of_group = _places(list(from_the_output)[::-1])
    place_of_depth = _places(sorted({depths[node] for node in free}))
    in_groups = [Part(Kind.GROUP, place) for place in range(_RANGES)]
    by_row: list[dict[Any, Part]] = [{} for _ in range(_RANGES)]  # the leaves of a range under None
    part_of: dict[Value, Part] = {}
    for node, depth in depths.items():
        if node in kept:
            part = Part(Kind.KEPT, 0)
        elif path := groups.get(node, ()):
            part = in_groups[place_of_group[path[0]]]
        else:
            row, place = node.op, place_of_depth[depth]
            kind = Kind.LEAVES if row is None else Kind.ROW
            part = by_row[place].get(row) or by_row[place].setdefault(row, Part(kind, place))
        if depth > part.depth:
            part.depth = depth
        part.nodes.append(node)
        part_of[node] = part
    return part_of


def _places(ranked: Sequence[Any]) -> dict[Any, int]:
    """The number of the range that each is in, of at most `_RANGES`."""
    return {x: i * min(_RANGES, len(ranked)) // len(ranked) for i, x in enumerate(ranked)}


def _depths(order: Sequence[Value]) -> dict[Value, int]:
    """The longest path from a leaf to each node; a sum, which is a chain of additions, has one depth."""
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


def _edges_between(parts: Sequence[Part], part_of: Mapping[Value, Part]) -> dict[tuple[Part, Part], int]:
    """The number of edges from one part to another."""
    edges = {}
    for head in parts:
        counts = Counter([part_of[x] for node in head.nodes for x in node.inputs if isinstance(x, Value)])
        edges.update({(tail, head): count for tail, count in counts.items()})
    return edges


def _foldings(parts: Sequence[Part]) -> Iterator[dict[Part, Hashable]]:
    """The box of each part: first finely, then more and more coarsely."""
    yield {part: part for part in parts}
    groups = 1 + max((part.place for part in parts if part.kind is Kind.GROUP), default=0)
    ranges = 1 + max((part.place for part in parts if part.kind is not Kind.GROUP), default=0)

    def box(part: Part, most: int) -> Hashable:
        if part.kind is Kind.KEPT:
            return part
        number = groups if part.kind is Kind.GROUP else ranges
        return part.kind, part.place * min(most, number) // number

    for most in range(MOST_IN_A_ROW - 2, 0, -1):
        yield {part: box(part, most) for part in parts}
    yield {part: part.kind is Kind.GROUP for part in parts}
    yield dict.fromkeys(parts)


def _merged(edges: Mapping[tuple[Part, Part], int], boxes: Mapping[Part, Hashable]) -> Counter[tuple[Any, Any]]:
    """The number of edges from one box to another."""
    merged: Counter[tuple[Any, Any]] = Counter()
    for (tail, head), count in edges.items():
        if boxes[tail] != boxes[head]:
            merged[boxes[tail], boxes[head]] += count
    return merged


def _is_readable(boxes: Mapping[Part, Hashable], edges: Mapping[tuple[Part, Part], int], most: int) -> bool:
    """Whether there are at most `most` boxes, and not too many in a row or too many arrows; one box always is."""
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
