"""Pass 5: waves become statements on arrays.

The rows of a wave are ordered so that what they read is a slice, a transpose or a broadcast of one array, not a
gather; and the rows of a wave of dot products, where their left and right vectors fill a grid, are one matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from math import prod
from typing import Any, TypeAlias

import numpy as np

from ..ops import Op
from .contract import Dot, Max, Node, Sum
from .schedule import Wave
from .trace import Trace

APART = 4
"""Rows of one kind that read from more combinations of blocks than these stay together, and gather."""

PARTS = 20
"""A sum over more blocks than these gathers them."""

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True, eq=False)
class Block:
    """An array: the parameters, the inputs, or what a wave computed."""

    name: str
    shape: tuple[int, ...]
    batched: bool = False
    """Whether each row of a batch has one of its own; the batch axis comes first, and is not in `shape`."""

    @property
    def size(self) -> int:
        """The number of its elements."""
        return prod(self.shape)


@dataclass(frozen=True)
class View:
    """Elements of a block at regular distances: element (i, j) is number offset + i strides[0] + j strides[1]."""

    block: Block
    offset: int
    strides: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def repeated(self) -> tuple[int, ...]:
        """The axes along which every element is the same."""
        return tuple(i for i, (n, step) in enumerate(zip(self.shape, self.strides)) if n > 1 and not step)

    @property
    def core(self) -> View:
        """The view without the axes along which it repeats."""
        kept = [i for i in range(len(self.shape)) if i not in self.repeated]
        return replace(self, strides=tuple(self.strides[i] for i in kept), shape=tuple(self.shape[i] for i in kept))

    @property
    def is_slice(self) -> bool:
        """Whether slices and reshapes reach it, so that it can be written to: its rows neither overlap nor run back."""
        kept = [(n, step) for n, step in zip(self.shape, self.strides) if n > 1 and step]
        if len(kept) < 2:
            return True
        (columns, right), (rows, down) = sorted(kept, key=lambda axis: axis[1])
        return right == 1 and self.pitch(rows, columns, down) is not None

    def pitch(self, rows: int, columns: int, down: int) -> int | None:
        """Where in rows of length `down` its columns begin; None if the block has no such rows."""
        aligned = self.block.shape[1:] == (down,)
        within = self.offset % down if aligned else max(0, self.offset + rows * down - self.block.size)
        return within if columns <= down - within and within <= self.offset else None

    @property
    def is_whole(self) -> bool:
        """Whether it is the block as it stands."""
        return self.shape == self.block.shape and not self.offset and self.strides == contiguous(self.shape)


@dataclass(frozen=True, eq=False)
class Gather:
    """Elements picked from several blocks, and constants, laid end to end."""

    parts: tuple[Block | Array, ...]
    index: Array


Operand: TypeAlias = "View | Gather | Array | float"


@dataclass(frozen=True, eq=False)
class Statement:
    """One array operation; `kind` is a row of the table, "matmul", "dots" (row by row), "sum" or "max" (last axis).

    It stands for so many `nodes` of the scalar graph.
    """

    kind: Op | str
    result: Block
    operands: tuple[Operand, ...]
    nodes: int


@dataclass
class Lowered:
    """A program: its statements, and where the outputs are."""

    parameters: Block
    inputs: Block
    statements: list[Statement] = field(default_factory=list)
    outputs: list[Operand] = field(default_factory=list)


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of an array that lies in memory row by row."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def blocks_of(operand: Operand) -> list[Block]:
    """The blocks that an operand is read from."""
    if isinstance(operand, View):
        return [operand.block]
    return [part for part in operand.parts if isinstance(part, Block)] if isinstance(operand, Gather) else []


def lower(trace: Trace, nodes: dict[int, Node], waves: Sequence[Wave], batch: bool = False) -> Lowered:
    """The statements for `waves`; of a `batch`, all that depends on an input has a batch axis."""
    return _Lowering(trace, nodes, batch).run(waves)


class _Lowering:
    def __init__(self, trace: Trace, nodes: dict[int, Node], batch: bool) -> None:
        self.trace, self.nodes = trace, nodes
        count = 1 + max([len(trace.ops) - 1, *nodes])
        self.where = np.full(count, -1)  # the block of each number; -1 for constants
        self.place = np.zeros(count, dtype=np.int64)  # and its place there
        self.constants = np.array(trace.numbers + [0.0] * (count - len(trace.numbers)))
        self.blocks: list[Block] = []
        parameters = self._new_block("theta", np.arange(trace.parameters))
        inputs = self._new_block("x", np.arange(trace.parameters, trace.parameters + trace.inputs), batch)
        self.result = Lowered(parameters, inputs)

    def run(self, waves: Sequence[Wave]) -> Lowered:
        for wave in chain.from_iterable(map(self._by_origin, waves)):
            kind = self.nodes[wave[0]]
            if isinstance(kind, Dot):
                self._dots(wave)
            elif isinstance(kind, Sum):
                self._sums(wave)
            elif isinstance(kind, Max):
                self._maxima(wave)
            else:
                self._apply(kind.op, wave)
        self.result.outputs = [self._operand(np.array(i)) for i in self.trace.outputs]
        return self.result

    def _by_origin(self, wave: Wave) -> list[Wave]:
        """The rows of a wave apart, if they read from a few different blocks, so that each reads from one."""
        groups: dict[tuple[int, ...], Wave] = {}
        batched: dict[bool, Wave] = {}
        for i in wave:
            node = self.nodes[i]
            read = (node.left[0], node.right[0]) if isinstance(node, Dot) else node.operands[:3]
            varies = self.result.inputs.batched and any(
                self.where[j] >= 0 and self.blocks[self.where[j]].batched for j in node.operands
            )
            groups.setdefault((varies, *[int(self.where[j]) for j in read]), []).append(i)
            batched.setdefault(varies, []).append(i)
        return list((groups if len(groups) <= APART else batched).values())

    def _new_block(self, name: str, numbers: Array, batched: bool = False) -> Block:
        block = Block(name, numbers.shape, batched)
        self.where[numbers], self.place[numbers] = len(self.blocks), np.arange(numbers.size).reshape(numbers.shape)
        self.blocks.append(block)
        return block

    def _add(self, kind: Op | str, numbers: Array, operands: Sequence[Operand], per_row: int) -> None:
        batched = any(block.batched for operand in operands for block in blocks_of(operand))
        block = self._new_block(f"v{len(self.result.statements) + 1}", np.squeeze(numbers), batched)
        self.result.statements.append(Statement(kind, block, tuple(operands), per_row * numbers.size))

    def _sorted(self, wave: Wave, first: Sequence[int]) -> Wave:
        """The rows in the order in which what they read first lies in memory."""
        keys = np.array(first)
        order = np.lexsort((np.arange(len(wave)), self.place[keys], self.where[keys]))
        return [wave[i] for i in order]

    def _dots(self, wave: Wave) -> None:
        dots = {i: node for i in wave if isinstance(node := self.nodes[i], Dot)}
        lefts = {dot.left: None for dot in dots.values()}
        rights = {dot.right: None for dot in dots.values()}
        if len({(dot.left, dot.right) for dot in dots.values()}) == len(lefts) * len(rights) == len(wave):
            rows = sorted(rights, key=lambda right: (self.where[right[0]], self.place[right[0]]))
            columns = sorted(lefts, key=lambda left: (self.where[left[0]], self.place[left[0]]))
            at = {(dot.left, dot.right): i for i, dot in dots.items()}
            grid = np.array([[at[left, right] for left in columns] for right in rows])
            arrays = (np.array(vectors) for vectors in (rows, columns))
            operands = [self._operand(x[0] if len(x) == 1 else x, whole=True) for x in arrays]
            self._add("matmul", grid, operands, 2 * len(rows[0]) - 1)
            return
        wave = self._sorted(wave, [dots[i].right[0] for i in wave])
        operands = [self._operand(np.array([vector(dots[i]) for i in wave]), whole=True) for vector in (_left, _right)]
        self._add("dots", np.array(wave), operands, 2 * len(dots[wave[0]].left) - 1)

    def _sums(self, wave: Wave) -> None:
        wave = self._sorted(wave, [self.nodes[i].operands[0] for i in wave])
        terms = np.array([self.nodes[i].operands for i in wave])
        order = np.lexsort((self.place[terms], self.where[terms]), axis=1)
        terms = np.take_along_axis(terms, order, axis=1)
        kinds = self.where[terms]
        alike = np.all(kinds == kinds[:1])  # then each part of the terms is read from one block
        columns = np.flatnonzero(kinds[0, 1:] != kinds[0, :-1]) + 1 if alike else np.array([], dtype=np.int64)
        if len(columns) >= PARTS:
            columns = columns[:0]
        parts = [
            self._operand(np.squeeze(part, axis=tuple(i for i in (0, 1) if part.shape[i] == 1)), whole=True)
            for part in np.split(terms, columns, axis=1)
        ]
        self._add("sum", np.array(wave), parts, terms.shape[1] - 1)

    def _maxima(self, wave: Wave) -> None:
        wave = self._sorted(wave, [self.nodes[i].operands[0] for i in wave])
        terms = np.array([self.nodes[i].operands for i in wave])
        operand = self._operand(terms[0] if len(wave) == 1 else terms, whole=True)
        self._add("max", np.array(wave), [operand], terms.shape[1] - 1)

    def _apply(self, op: Op, wave: Wave) -> None:
        def varying(i: int) -> int:
            operands = self.nodes[i].operands
            return max(operands, key=lambda j: (self.where[j] > 0, self.where[j] >= 0))

        wave = self._sorted(wave, [varying(i) for i in wave])
        first = np.array([varying(i) for i in wave])
        numbers = np.array(wave)
        block = self.blocks[self.where[first[0]]]
        same = len(wave) == block.size and bool(np.all(self.where[first] == self.where[first[0]]))
        if same and np.array_equal(self.place[first], np.arange(len(wave))):
            numbers = numbers.reshape(block.shape)
        operands = np.array([self.nodes[i].operands for i in wave]).T
        self._add(op, numbers, [self._operand(np.squeeze(x.reshape(numbers.shape))) for x in operands], 1)

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
            return float(values.flat[0]) if np.all(flat == flat[0]) else _narrow(values)
        if np.all(where == where.flat[0]):
            offset = int(place.flat[0])
            corner = (0,) * place.ndim
            strides = tuple(
                int(place[tuple(int(a == axis) for a in range(place.ndim))] - place[corner]) if n > 1 else 0
                for axis, n in enumerate(place.shape)
            )
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


def _left(dot: Any) -> tuple[int, ...]:
    return dot.left  # type: ignore[no-any-return]


def _right(dot: Any) -> tuple[int, ...]:
    return dot.right  # type: ignore[no-any-return]


def _narrow(values: Array) -> Array:
    """Constants with the axes along which they repeat made one long, for broadcasting; bit for bit: -0.0 is not 0.0."""
    bits = values.view(np.int64)
    for axis in range(values.ndim):
        first = bits.take([0], axis=axis)
        if np.array_equal(np.broadcast_to(first, bits.shape), bits):
            bits = first
    return bits.view(np.float64)
