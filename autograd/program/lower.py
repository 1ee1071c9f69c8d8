"""Pass 5: groups of nodes become statements on arrays.

The rows of a group, one for each node, are put in an order in which the operands can be read as slices, transposes or
broadcasts of one array rather than gathered.  Dot products whose left and right vectors fill a grid become one matrix
product.  A group too narrow for arrays is written number by number.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from ..ops import Op
from .blocks import Array, Block, Gather, Kind, Lowered, Operand, Statement, View, is_batched
from .contract import Apply, Dot, Max, Node, Select, Sum
from .schedule import Group
from .trace import Tape

APART = 4
"""A group is split by the blocks that its rows read from if that makes at most so many parts; else it gathers."""

PARTS = 20
"""A sum reads from each block apart if it reads from at most so many; else it gathers."""

NARROW = 64
"""A group that reads at most so many numbers, has no batch axis, and would gather or is a single operation becomes
scalar statements, one for each row.  At about this width both cost the same."""


def lower(
    tape: Tape, nodes: dict[int, Node], groups: Sequence[Group], shapes: Mapping[str, tuple[int, ...]], batch: bool
) -> Lowered:
    """The statements for `groups`; the inputs are arrays of these names and `shapes`.

    In a `batch`, everything that depends on an input has a batch axis.
    """
    lowering = _Lowering(tape, nodes)
    parameters = lowering.new_block("theta", np.arange(tape.parameters))
    flattened = {name for name, shape in shapes.items() if len(shape) > 2}
    inputs, start = [], tape.parameters
    for name, shape in shapes.items():
        ids = np.arange(start, start + prod(shape))
        inputs.append(lowering.new_block(name, ids if name in flattened else ids.reshape(shape), batch))
        start += prod(shape)
    for group in groups:
        for part in lowering.by_origin(group):
            lowering.add_group(part)
    outputs = np.array(tape.outputs)
    output = lowering.operand(outputs if len(outputs) > 1 else outputs[0], whole=True)
    return Lowered(parameters, inputs, batch, flattened, lowering.statements, output)


class _Lowering:
    """Where each scalar is: `block_of` numbers its block, -1 for a constant, and `place_of` is its place there.

    Scalars are known by their numbers on the tape, here called ids.
    """

    def __init__(self, tape: Tape, nodes: dict[int, Node]) -> None:
        self.nodes = nodes
        self.zero = 1 + max([len(tape.ops) - 1, *nodes])  # the id of a constant 0, to pad with
        self.block_of = np.full(self.zero + 1, -1)
        self.place_of = np.zeros(self.zero + 1, dtype=np.int64)
        self.constants = np.array(tape.data + [0.0] * (self.zero + 1 - len(tape.data)))
        self.blocks: list[Block] = []
        self.statements: list[Statement] = []
        self.batched: set[int] = set()  # the ids with a number for each row of a batch

    def new_block(self, name: str, ids: Array, batched: bool = False) -> Block:
        """A block for these scalars, with the shape of `ids`."""
        block = Block(name, ids.shape, batched)
        self.block_of[ids], self.place_of[ids] = len(self.blocks), np.arange(ids.size).reshape(ids.shape)
        self.blocks.append(block)
        if batched:
            self.batched.update(ids.ravel().tolist())
        return block

    def add_group(self, group: Group) -> None:
        """The statements for a group."""
        kind = self.nodes[group[0]]
        if isinstance(kind, Dot):
            self._dots(group)
        elif isinstance(kind, Sum):
            self._sums(group)
        elif isinstance(kind, Max):
            self._maxima(group)
        elif isinstance(kind, Select):
            self._selections(group)
        else:
            self._apply(kind.op, group)

    # ---- Groups apart ----

    def by_origin(self, group: Group) -> list[Group]:
        """The rows of a group, split by the blocks that they read from, if these are few: each part reads from one.

        Rows that vary in a batch are always split from the others.
        """
        if len(group) == 1:
            return [group]
        origins: dict[Hashable, Group] = {}
        batched: dict[bool, Group] = {}
        for i in group:
            node = self.nodes[i]
            varies = self._varies_in_batch(node)
            origins.setdefault((varies, self._origin(node)), []).append(i)
            batched.setdefault(varies, []).append(i)
        if len(batched) == 1 and self._is_shared(group):
            return [group]
        return list((origins if len(origins) <= APART else batched).values())

    def _origin(self, node: Node) -> Hashable:
        """The blocks that a node reads from; their order matters to an operation, but not to a sum."""
        blocks = self.block_of[list(node.operands)].tolist()
        return tuple(blocks) if isinstance(node, Apply) else frozenset(blocks)

    def _is_shared(self, group: Group) -> bool:
        """Whether the group is one product of several vectors with several others, wherever these come from."""
        grid = _grid([node for i in group if isinstance(node := self.nodes[i], Dot)])
        return grid is not None and min(map(len, grid)) > 1

    def _varies_in_batch(self, node: Node) -> bool:
        return not self.batched.isdisjoint(node.operands)

    # ---- Statements ----

    def _add(self, kind: Op | Kind, ids: Array, operands: Sequence[Operand]) -> None:
        """A statement that computes these scalars, as an array of the shape of `ids`."""
        rows = ids.ravel().tolist()
        if self._is_narrow(rows, operands):
            self._add_scalars(kind, rows)
            return
        block = self.new_block(f"v{len(self.blocks)}", np.squeeze(ids), any(map(is_batched, operands)))
        self.statements.append(Statement(kind, block, tuple(operands), self._count(rows)))

    def _is_narrow(self, rows: Group, operands: Sequence[Operand] = ()) -> bool:
        """Whether these rows are cheaper as single numbers than as an array.  Only this decides it."""
        nodes = [self.nodes[i] for i in rows[:NARROW]]
        kind = self.nodes[rows[0]]
        alone = len(rows) == 1 and not isinstance(kind, (Dot, Sum))
        return (
            sum(len(node.operands) for node in nodes) <= NARROW >= len(rows)
            and not isinstance(kind, (Max, Select))
            and (alone or _gathers(operands) > 0)
            and not self._varies_in_batch(kind)
        )

    def _add_scalars(self, kind: Op | Kind, rows: Group) -> None:
        for i in rows:
            node = self.nodes[i]
            ids = chain.from_iterable(zip(node.left, node.right)) if isinstance(node, Dot) else node.operands
            operands = tuple([self._scalar(j) for j in ids])
            block = Block(f"v{len(self.blocks)}", (), scalar=True)
            self.block_of[i], self.place_of[i] = len(self.blocks), 0
            self.blocks.append(block)
            self.statements.append(Statement(kind, block, operands, self._count([i])))

    def _scalar(self, i: int) -> Operand:
        block = self.block_of[i]
        if block < 0:
            return float(self.constants[i])
        return View(self.blocks[block], int(self.place_of[i]), (), ())

    def _count(self, rows: Group) -> int:
        """How many scalar nodes these rows stand for."""
        nodes = [self.nodes[i] for i in rows]
        return sum(1 if isinstance(node, Apply) else len(node.operands) - 1 for node in nodes)

    # ---- Kinds ----

    def _orders(self, first: Sequence[int], *then: Array) -> list[Array]:
        """Two orders of the rows: as what they read `first`, and `then`, lies in memory, and as they were recorded."""
        keys = np.array(first)
        in_memory = np.lexsort((*[self.place_of[x] for x in then], self.place_of[keys], self.block_of[keys]))
        return [in_memory, np.arange(len(keys))]

    def _dots(self, group: Group) -> None:
        """Matrix products, one for each length of vectors; vectors that fill no grid are padded to one length."""
        dots = {i: node for i in group if isinstance(node := self.nodes[i], Dot)}
        lengths: dict[int, Group] = {}
        for i, dot in dots.items():
            lengths.setdefault(len(dot.left), []).append(i)
        if len(lengths) > 1 and all(len(part) > 1 and _grid([dots[i] for i in part]) for part in lengths.values()):
            for part in lengths.values():
                self._dots(part)
            return
        if grid := _grid(list(dots.values())):
            at = {(dot.left, dot.right): i for i, dot in dots.items()}
            grids = [[self._in_memory(vectors) for vectors in grid], list(grid)]
            (rights, lefts), read = min(((x, self._vectors(x)) for x in grids), key=lambda pair: _gathers(pair[1]))
            self._add(Kind.MATMUL, np.array([[at[left, right] for left in lefts] for right in rights]), read)
            return
        length = max(lengths)

        def read_in(order: Array) -> list[Operand]:
            rows = [dots[group[i]] for i in order]
            sides = [dot.left for dot in rows], [dot.right for dot in rows]
            return [self.operand(np.array([self._padded(x, length) for x in side]), whole=True) for side in sides]

        order, read = _fewest_gathers(self._orders([dots[i].right[0] for i in group]), read_in)
        self._add(Kind.DOTS, np.array(group)[order], read)

    def _in_memory(self, vectors: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """The vectors in the order in which their first elements lie in memory."""
        return sorted(vectors, key=lambda vector: (self.block_of[vector[0]], self.place_of[vector[0]]))

    def _vectors(self, grid: Sequence[Any]) -> list[Operand]:
        return [self.operand(np.array(x[0] if len(x) == 1 else x), whole=True) for x in grid]

    def _padded(self, ids: Sequence[int], length: int) -> Sequence[int]:
        return (*ids, *[self.zero] * (length - len(ids)))

    def _sums(self, group: Group) -> None:
        """Terms are sorted by the blocks that they come from.  If all rows have the same ones, each is read apart."""
        length = max(len(self.nodes[i].operands) for i in group)

        def read_in(order: Array) -> list[Operand]:
            terms = np.array([self._padded(self.nodes[group[i]].operands, length) for i in order])
            by_block = np.lexsort((self.place_of[terms], self.block_of[terms]), axis=1)
            terms = np.take_along_axis(terms, by_block, axis=1)
            blocks = self.block_of[terms]
            ends = np.flatnonzero(blocks[0, 1:] != blocks[0, :-1]) + 1
            if len(ends) >= PARTS or np.any(blocks != blocks[:1]):
                ends = ends[:0]
            parts = np.split(terms, ends, axis=1)
            return [self.operand(np.squeeze(x, tuple([i for i in (0, 1) if x.shape[i] == 1])), True) for x in parts]

        order, read = _fewest_gathers(self._orders([self.nodes[i].operands[0] for i in group]), read_in)
        self._add(Kind.SUM, np.array(group)[order], read)

    def _maxima(self, group: Group) -> None:
        """A row that is too short repeats its operands."""
        length = max(len(self.nodes[i].operands) for i in group)

        def read_in(order: Array) -> list[Operand]:
            terms = np.array([np.resize(self.nodes[group[i]].operands, length) for i in order])
            return [self.operand(terms[0] if len(group) == 1 else terms)]

        order, read = _fewest_gathers(self._orders([self.nodes[i].operands[0] for i in group]), read_in)
        self._add(Kind.MAX, np.array(group)[order], read)

    def _selections(self, group: Group) -> None:
        """Rows of a table if every index selects from each of the same vectors; else one element for each index."""
        selects = {i: node for i in group if isinstance(node := self.nodes[i], Select)}
        columns = dict.fromkeys(select.choices for select in selects.values())
        indexes = dict.fromkeys(select.index for select in selects.values())
        at = {(select.index, select.choices): i for i, select in selects.items()}
        batched = not self.batched.isdisjoint(chain.from_iterable(columns))
        if not batched and len(at) == len(columns) * len(indexes) == len(group):
            ids = np.array([[at[index, choices] for choices in columns] for index in indexes])
            table, index = np.array(list(columns)).T, np.array(list(indexes))
            read = [table[:, 0] if len(columns) == 1 else table, index[0] if len(indexes) == 1 else index]
            self._add(Kind.TAKE, ids, [self.operand(x, whole=True) for x in read])
            return

        def read_in(order: Array) -> list[Operand]:
            rows = [selects[group[i]] for i in order]
            pairs = np.array([row.choices for row in rows]), np.array([row.index for row in rows])
            return [self.operand(x[0] if len(rows) == 1 else x, whole=True) for x in pairs]

        order, operands = _fewest_gathers(self._orders([selects[i].choices[0] for i in group]), read_in)
        self._add(Kind.PICK, np.array(group)[order], operands)

    def _apply(self, op: Op, group: Group) -> None:
        """One primitive; the rows have the shape of the block that they read, or end where an operand jumps."""
        if self._is_narrow(group):
            self._add_scalars(op, group)
            return

        rows = [self.nodes[i].operands for i in group]
        first = [max(row, key=lambda j: self.block_of[j] > 0) for row in rows]  # an input or a result, if there is one
        ids, operands = np.array(group), np.array(rows).T

        def read_in(arranged: Array) -> list[Operand]:
            return [self.operand(np.squeeze(x[arranged])) for x in operands]

        def arrangements() -> Iterable[Array]:
            for order in self._orders(first, *operands):
                keys = np.array(first)[order]
                block = self.blocks[self.block_of[keys[0]]]
                of_one_block = len(group) == block.size and bool(np.all(self.block_of[keys] == self.block_of[keys[0]]))
                if of_one_block and np.array_equal(self.place_of[keys], np.arange(len(group))):
                    yield order.reshape(block.shape)
                else:
                    yield order
                for x in operands:
                    length = _regular_length(self.block_of[x[order]], self.place_of[x[order]])
                    if 1 < length < len(group) and len(group) % length == 0:
                        yield order.reshape(-1, length)

        arranged, read = _fewest_gathers(arrangements(), read_in)
        self._add(op, ids[arranged], read)

    # ---- Operands ----

    def operand(self, ids: Array, whole: bool = False) -> Operand:
        """The operand that reads these scalars: a view if they lie at regular distances in one block, else a gather.

        Constants that repeat are written once and broadcast, unless the `whole` array is wanted.
        """
        blocks, places = self.block_of[ids], self.place_of[ids]
        if np.all(blocks == -1):
            values = self.constants[ids]
            if whole:
                return values
            bits = values.ravel().view(np.int64)
            return float(values.flat[0]) if np.all(bits == bits[0]) else _unrepeated(values)
        if np.all(blocks == blocks.flat[0]):
            offset = int(places.flat[0])
            strides = tuple([int(places.take(1, axis=axis).flat[0]) - offset for axis in range(places.ndim)])
            regular = offset + sum(step * axis for step, axis in zip(strides, np.indices(places.shape)))
            view = View(self.blocks[int(blocks.flat[0])], offset, strides, places.shape)
            if np.array_equal(regular, places) and view.is_slice:
                return view
        index, parts, start = np.zeros(ids.shape, dtype=np.int64), [], 0
        for number in dict.fromkeys(blocks.ravel().tolist()):
            here = blocks == number
            if number == -1:
                constants, inverse = np.unique(ids[here], return_inverse=True)
                part: Block | Array = self.constants[constants]
                index[here] = start + inverse
            else:
                part = self.blocks[number]
                index[here] = start + places[here]
            parts.append(part)
            start += part.size
        return Gather(tuple(parts), index)


def _grid(dots: Sequence[Dot]) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]] | None:
    """The right and the left vectors, if each right one meets each left one exactly once."""
    lefts, rights = dict.fromkeys(dot.left for dot in dots), dict.fromkeys(dot.right for dot in dots)
    full = len({(dot.left, dot.right) for dot in dots}) == len(lefts) * len(rights) == len(dots)
    return (list(rights), list(lefts)) if full and len({len(dot.left) for dot in dots}) == 1 else None


def _fewest_gathers(
    arrangements: Iterable[Array], read_in: Callable[[Array], list[Operand]]
) -> tuple[Array, list[Operand]]:
    """The first of the arrangements with the fewest operands gathered, and those operands."""
    best: tuple[Array, list[Operand]] | None = None
    for arranged in arrangements:
        operands = read_in(arranged)
        if best is None or _gathers(operands) < _gathers(best[1]):
            best = arranged, operands
        if not _gathers(operands):
            break
    assert best is not None, "a group has rows"
    return best


def _gathers(operands: Sequence[Operand]) -> int:
    return sum(isinstance(x, Gather) for x in operands)


def _regular_length(blocks: Array, places: Array) -> int:
    """How many scalars, from the first, lie at one distance in one block; there are at least two.

    >>> _regular_length(np.zeros(6), np.array([2, 4, 6, 3, 5, 7]))
    3
    """
    steps = np.diff(places)
    breaks = np.flatnonzero((steps != steps[0]) | (np.diff(blocks) != 0))
    return int(breaks[0]) + 1 if len(breaks) else len(blocks)


def _unrepeated(values: Array) -> Array:
    """Constants with a length of one along every axis on which they repeat bit for bit: -0.0 does not repeat 0.0."""
    bits = values.view(np.int64)
    for axis in range(values.ndim):
        first = bits.take([0], axis=axis)
        if np.array_equal(np.broadcast_to(first, bits.shape), bits):
            bits = first
    return bits.view(np.float64)
