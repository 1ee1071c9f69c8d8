"""Pass 5: waves become statements on arrays.

The rows of a wave are ordered so that what they read is a slice, a transpose or a broadcast of one array, not a
gather; the rows of a wave of dot products, where their left and right vectors fill a grid, are one matrix product; and
what is too narrow for arrays is written number by number.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from ..ops import Op
from .blocks import Array, Block, Gather, Lowered, Operand, Statement, View, is_batched
from .contract import Apply, Dot, Max, Node, Select, Sum
from .schedule import Wave
from .trace import Trace

APART = 4
"""Rows of one kind that read from more combinations of blocks than these stay together, and gather."""

PARTS = 20
"""A sum over more blocks than these gathers them."""

NARROW = 64
"""A wave that reads no more numbers than these, has no batch axis, and would gather or is a single operation, is
written as scalar statements, one for each row: about where one costs as much as the other."""


def lower(
    trace: Trace, nodes: dict[int, Node], waves: Sequence[Wave], shapes: Mapping[str, tuple[int, ...]], batch: bool
) -> Lowered:
    """The statements for `waves`; the inputs are arrays of these names and `shapes`.

    In a `batch`, all that depends on an input has a batch axis.
    """
    return _Lowering(trace, nodes, shapes, batch).run(waves)


class _Lowering:
    def __init__(self, trace: Trace, nodes: dict[int, Node], shapes: Mapping[str, tuple[int, ...]], batch: bool):
        self.trace, self.nodes = trace, nodes
        self.zero = 1 + max([len(trace.ops) - 1, *nodes])  # the number of a constant 0, to pad with
        self.where = np.full(self.zero + 1, -1)  # the block of each number; -1 for constants
        self.place = np.zeros(self.zero + 1, dtype=np.int64)  # and its place there
        self.constants = np.array(trace.numbers + [0.0] * (len(self.where) - len(trace.numbers)))
        self.blocks: list[Block] = []
        self.batched: set[int] = set()  # the numbers of which each row of a batch has its own
        parameters = self._new_block("theta", np.arange(trace.parameters))
        flattened = {name for name, shape in shapes.items() if len(shape) > 2}
        inputs, start = [], trace.parameters
        for name, shape in shapes.items():
            shape = (prod(shape),) if name in flattened else shape
            inputs.append(self._new_block(name, np.arange(start, start + prod(shape)).reshape(shape), batch))
            start += prod(shape)
        self.result = Lowered(parameters, inputs, batch, flattened)

    def run(self, waves: Sequence[Wave]) -> Lowered:
        for wave in chain.from_iterable(map(self._by_origin, waves)):
            kind = self.nodes[wave[0]]
            if isinstance(kind, Dot):
                self._dots(wave)
            elif isinstance(kind, Sum):
                self._sums(wave)
            elif isinstance(kind, Max):
                self._maxima(wave)
            elif isinstance(kind, Select):
                self._selections(wave)
            else:
                self._apply(kind.op, wave)
        outputs = np.array(self.trace.outputs)
        self.result.outputs = [self._operand(outputs if len(outputs) > 1 else outputs[0], whole=True)]
        return self.result

    # ---- Waves ----

    def _by_origin(self, wave: Wave) -> list[Wave]:
        """The rows of a wave apart, if they read from a few different blocks, so that each reads from one."""
        if len(wave) == 1:
            return [wave]
        groups: dict[Hashable, Wave] = {}
        batched: dict[bool, Wave] = {}
        for i in wave:
            node = self.nodes[i]
            varies = self._varies_in_batch(node)
            groups.setdefault((varies, self._origin(node)), []).append(i)
            batched.setdefault(varies, []).append(i)
        if len(batched) == 1 and self._is_shared(wave):
            return [wave]
        return list((groups if len(groups) <= APART else batched).values())

    def _origin(self, node: Node) -> Hashable:
        """The blocks that a row reads from: in which order matters to an operation, but not to a sum."""
        blocks = self.where[list(node.operands)].tolist()
        return tuple(blocks) if isinstance(node, Apply) else frozenset(blocks)

    def _is_shared(self, wave: Wave) -> bool:
        """Whether the rows are one product of several vectors with shared ones, wherever they come from."""
        dots = [node for i in wave if isinstance(node := self.nodes[i], Dot)]
        grid = self._grid(dots)
        return grid is not None and min(map(len, grid)) > 1

    def _varies_in_batch(self, node: Node) -> bool:
        return not self.batched.isdisjoint(node.operands)

    def _new_block(self, name: str, numbers: Array, batched: bool = False) -> Block:
        block = Block(name, numbers.shape, batched)
        self.where[numbers], self.place[numbers] = len(self.blocks), np.arange(numbers.size).reshape(numbers.shape)
        self.blocks.append(block)
        if batched:
            self.batched.update(numbers.ravel().tolist())
        return block

    def _add(self, kind: Op | str, numbers: Array, operands: Sequence[Operand]) -> None:
        """A statement for these numbers, an array of the shape that it computes."""
        rows = numbers.ravel().tolist()
        if self._is_narrow(rows, operands):
            self._add_scalars(kind, rows)
            return
        block = self._new_block(f"v{len(self.blocks)}", np.squeeze(numbers), any(map(is_batched, operands)))
        self.result.statements.append(Statement(kind, block, tuple(operands), self._count(rows)))

    def _is_narrow(self, rows: Wave, operands: Sequence[Operand] = ()) -> bool:
        """Whether numbers are cheaper one by one than as arrays; the one place where this is decided."""
        nodes = [self.nodes[i] for i in rows[:NARROW]]
        kind = self.nodes[rows[0]]
        alone = len(rows) == 1 and not isinstance(kind, (Dot, Sum))
        return (
            sum(len(node.operands) for node in nodes) <= NARROW >= len(rows)
            and not isinstance(kind, (Max, Select))
            and (alone or _gathers(operands) > 0)
            and not self._varies_in_batch(kind)
        )

    def _add_scalars(self, kind: Op | str, rows: Wave) -> None:
        for i in rows:
            node = self.nodes[i]
            numbers = chain.from_iterable(zip(node.left, node.right)) if isinstance(node, Dot) else node.operands
            operands = tuple([self._scalar(j) for j in numbers])
            block = Block(f"v{len(self.blocks)}", (), scalar=True)
            self.where[i], self.place[i] = len(self.blocks), 0
            self.blocks.append(block)
            self.result.statements.append(Statement(kind, block, operands, self._count([i])))

    def _scalar(self, number: int) -> Operand:
        where = self.where[number]
        if where < 0:
            return float(self.constants[number])
        return View(self.blocks[where], int(self.place[number]), (), ())

    def _count(self, rows: Wave) -> int:
        """How many scalar nodes these stand for."""
        nodes = [self.nodes[i] for i in rows]
        return sum(len(node.operands) - 1 if isinstance(node, (Sum, Max, Dot, Select)) else 1 for node in nodes)

    # ---- Kinds ----

    def _orders(self, first: Sequence[int], *then: Array) -> Iterator[Array]:
        """The rows as what they read first, and then what else, lies in memory, and as the code computed them."""
        keys = np.array(first)
        yield np.lexsort((*[self.place[x] for x in then], self.place[keys], self.where[keys]))
        yield np.arange(len(keys))

    def _dots(self, wave: Wave) -> None:
        dots: dict[int, Any] = {i: self.nodes[i] for i in wave}
        lengths: dict[int, Wave] = {}
        for i, dot in dots.items():
            lengths.setdefault(len(dot.left), []).append(i)
        if len(lengths) > 1 and all(len(part) > 1 and self._grid([dots[i] for i in part]) for part in lengths.values()):
            for part in lengths.values():
                self._dots(part)
            return
        if grid := self._grid(list(dots.values())):
            at = {(dot.left, dot.right): i for i, dot in dots.items()}
            grids = [[self._in_memory(vectors) for vectors in grid], list(grid)]
            (rights, lefts), found = min(((x, self._vectors(x)) for x in grids), key=lambda pair: _gathers(pair[1]))
            self._add("matmul", np.array([[at[left, right] for left in lefts] for right in rights]), found)
            return
        length = max(lengths)

        def operands(order: Array) -> list[Operand]:
            vectors = ([getattr(dots[wave[i]], side) for i in order] for side in ("left", "right"))
            return [self._operand(np.array([self._padded(x, length) for x in each]), whole=True) for each in vectors]

        order, found = _fewest_gathers(self._orders([dots[i].right[0] for i in wave]), operands)
        self._add("dots", np.array(wave)[order], found)

    @staticmethod
    def _grid(dots: Sequence[Dot]) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]] | None:
        """The right and the left vectors, if each of one meets each of the other once."""
        lefts, rights = dict.fromkeys(dot.left for dot in dots), dict.fromkeys(dot.right for dot in dots)
        full = len({(dot.left, dot.right) for dot in dots}) == len(lefts) * len(rights) == len(dots)
        return (list(rights), list(lefts)) if full and len({len(dot.left) for dot in dots}) == 1 else None

    def _in_memory(self, vectors: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """As the first elements lie in memory."""
        return sorted(vectors, key=lambda vector: (self.where[vector[0]], self.place[vector[0]]))

    def _vectors(self, grid: Sequence[Any]) -> list[Operand]:
        return [self._operand(np.array(x[0] if len(x) == 1 else x), whole=True) for x in grid]

    def _padded(self, numbers: Sequence[int], length: int) -> Sequence[int]:
        return (*numbers, *[self.zero] * (length - len(numbers)))

    def _sums(self, wave: Wave) -> None:
        length = max(len(self.nodes[i].operands) for i in wave)

        def operands(order: Array) -> list[Operand]:
            found = np.array([self._padded(self.nodes[wave[i]].operands, length) for i in order])
            by_block = np.lexsort((self.place[found], self.where[found]), axis=1)
            found = np.take_along_axis(found, by_block, axis=1)
            kinds = self.where[found]
            alike = np.all(kinds == kinds[:1])  # then each part of the terms is read from one block
            columns = np.flatnonzero(kinds[0, 1:] != kinds[0, :-1]) + 1 if alike else np.array([], dtype=np.int64)
            if len(columns) >= PARTS:
                columns = columns[:0]
            return [
                self._operand(np.squeeze(part, axis=tuple(i for i in (0, 1) if part.shape[i] == 1)), whole=True)
                for part in np.split(found, columns, axis=1)
            ]

        order, found = _fewest_gathers(self._orders([self.nodes[i].operands[0] for i in wave]), operands)
        self._add("sum", np.array(wave)[order], found)

    def _maxima(self, wave: Wave) -> None:
        length = max(len(self.nodes[i].operands) for i in wave)

        def operands(order: Array) -> list[Operand]:
            terms = np.array([np.resize(self.nodes[wave[i]].operands, length) for i in order])  # the short begin again
            return [self._operand(terms[0] if len(wave) == 1 else terms)]

        order, found = _fewest_gathers(self._orders([self.nodes[i].operands[0] for i in wave]), operands)
        self._add("max", np.array(wave)[order], found)

    def _selections(self, wave: Wave) -> None:
        selections: dict[int, Any] = {i: self.nodes[i] for i in wave}
        tables = dict.fromkeys(selection.choices for selection in selections.values())
        indexes = dict.fromkeys(selection.index for selection in selections.values())
        at = {(selection.index, selection.choices): i for i, selection in selections.items()}
        batched = not self.batched.isdisjoint(chain.from_iterable(tables))
        if not batched and len(at) == len(tables) * len(indexes) == len(wave):  # each picks from each of the vectors
            numbers = np.array([[at[index, choices] for choices in tables] for index in indexes])
            table, index = np.array(list(tables)).T, np.array(list(indexes))
            operands = [table[:, 0] if len(tables) == 1 else table, index[0] if len(indexes) == 1 else index]
            self._add("take", numbers, [self._operand(x, whole=True) for x in operands])
            return

        def read(order: Array) -> list[Operand]:
            rows = [selections[wave[i]] for i in order]
            pairs = np.array([row.choices for row in rows]), np.array([row.index for row in rows])
            return [self._operand(x[0] if len(rows) == 1 else x, whole=True) for x in pairs]

        order, found = _fewest_gathers(self._orders([selections[i].choices[0] for i in wave]), read)
        self._add("pick", np.array(wave)[order], found)

    def _apply(self, op: Op, wave: Wave) -> None:
        if self._is_narrow(wave):
            self._add_scalars(op, wave)
            return

        rows = [self.nodes[i].operands for i in wave]
        first = [max(row, key=lambda j: self.where[j] > 0) for row in rows]  # of an input or a wave, if any
        numbers, operands = np.array(wave), np.array(rows).T

        def read(arranged: Array) -> list[Operand]:
            return [self._operand(np.squeeze(x[arranged])) for x in operands]

        def arrangements() -> Iterator[Array]:
            for order in self._orders(first, *operands):
                keys = np.array(first)[order]
                block = self.blocks[self.where[keys[0]]]
                whole = len(wave) == block.size and bool(np.all(self.where[keys] == self.where[keys[0]]))
                if whole and np.array_equal(self.place[keys], np.arange(len(wave))):
                    yield order.reshape(block.shape)
                else:
                    yield order
                for x in operands:  # rows that end where an operand jumps
                    length = _regular(self.where[x[order]], self.place[x[order]])
                    if 1 < length < len(wave) and len(wave) % length == 0:
                        yield order.reshape(-1, length)

        arranged, found = _fewest_gathers(arrangements(), read)
        self._add(op, numbers[arranged], found)

    # ---- Operands ----

    def _operand(self, numbers: Array, whole: bool = False) -> Operand:
        """How these numbers are read: as a view if they lie at regular distances in one block.

        Constants are written once where they repeat, and broadcast, unless they are wanted `whole`.
        """
        where, place = self.where[numbers], self.place[numbers]
        if np.all(where == -1):
            values = self.constants[numbers]
            if whole:
                return values
            flat = values.ravel().view(np.int64)
            return float(values.flat[0]) if np.all(flat == flat[0]) else _unrepeated(values)
        if np.all(where == where.flat[0]):
            offset = int(place.flat[0])
            strides = tuple(int(place.take(1, axis=axis).flat[0]) - offset for axis in range(place.ndim))
            axes = np.indices(place.shape)
            regular = offset + sum(step * axis for step, axis in zip(strides, axes))
            view = View(self.blocks[int(where.flat[0])], offset, strides, place.shape)
            if np.array_equal(regular, place) and view.is_slice:
                return view
        index, parts, start = np.zeros(numbers.shape, dtype=np.int64), [], 0
        for which in dict.fromkeys(where.ravel().tolist()):
            here = where == which
            if which == -1:
                values, inverse = np.unique(numbers[here], return_inverse=True)
                part: Block | Array = self.constants[values]
                index[here] = start + inverse
            else:
                part = self.blocks[which]
                index[here] = start + place[here]
            parts.append(part)
            start += part.size
        return Gather(tuple(parts), index)


def _fewest_gathers(arrangements: Iterator[Array], read: Any) -> tuple[Array, list[Operand]]:
    """The first of the arrangements for which the fewest operands are gathered, and those operands."""
    best: tuple[Array, list[Operand]] | None = None
    for arranged in arrangements:
        operands = read(arranged)
        if best is None or _gathers(operands) < _gathers(best[1]):
            best = arranged, operands
        if not _gathers(operands):
            break
    assert best is not None, "a wave has rows"
    return best


def _gathers(operands: Sequence[Operand]) -> int:
    return sum(isinstance(x, Gather) for x in operands)


def _regular(where: Array, place: Array) -> int:
    """How many of the first of two numbers or more lie at one distance in one block.

    >>> _regular(np.zeros(6), np.array([2, 4, 6, 3, 5, 7]))
    3
    """
    steps = np.diff(place)
    breaks = np.flatnonzero((steps != steps[0]) | (np.diff(where) != 0))
    return int(breaks[0]) + 1 if len(breaks) else len(where)


def _unrepeated(values: Array) -> Array:
    """Constants with the axes along which they repeat made one long, for broadcasting; bit for bit: -0.0 is not 0.0."""
    bits = values.view(np.int64)
    for axis in range(values.ndim):
        first = bits.take([0], axis=axis)
        if np.array_equal(np.broadcast_to(first, bits.shape), bits):
            bits = first
    return bits.view(np.float64)
