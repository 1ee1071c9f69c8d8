"""The parts of a lowered program: blocks, views of them, gathers and statements."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from math import prod
from typing import Any, TypeAlias

import numpy as np

from ..ops import Op

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True, eq=False)
class Block:
    """An array: the parameters, an input, or the result of a statement."""

    name: str
    shape: tuple[int, ...]
    batched: bool = False
    """Whether each row of a batch has its own; the batch axis comes first and is not part of `shape`."""
    scalar: bool = False
    """Whether it is a Python float, the result of a statement on single numbers."""

    @property
    def size(self) -> int:
        """The number of its elements."""
        return prod(self.shape)


@dataclass(frozen=True)
class View:
    """Elements of a block at regular distances: element (i, j) is element offset + i strides[0] + j strides[1] of it.

    Every axis has at least two elements.
    """

    block: Block
    offset: int
    strides: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def repeated(self) -> tuple[int, ...]:
        """The axes along which the view repeats the same elements."""
        return tuple(i for i, step in enumerate(self.strides) if not step)

    @property
    def core(self) -> View:
        """The view without the axes along which it repeats."""
        kept = [i for i in range(len(self.shape)) if i not in self.repeated]
        return replace(self, strides=tuple(self.strides[i] for i in kept), shape=tuple(self.shape[i] for i in kept))

    @property
    def is_slice(self) -> bool:
        """Whether slices and reshapes reach it, so that it can be written to: no rows overlap or wrap around."""
        kept = [(n, step) for n, step in zip(self.shape, self.strides) if step]
        if len(kept) < 2:
            return True
        (columns, right), (rows, down) = sorted(kept, key=lambda axis: axis[1])
        return right == 1 and self.pitch(rows, columns, down) is not None

    def pitch(self, rows: int, columns: int, down: int) -> int | None:
        """The place of its first column if the block is cut into rows of length `down`; None if that is impossible."""
        aligned = self.block.shape[1:] == (down,)
        within = self.offset % down if aligned else max(0, self.offset + rows * down - self.block.size)
        return within if columns <= down - within and within <= self.offset else None

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole block, in its order."""
        return self.shape == self.block.shape and not self.offset and self.strides == contiguous(self.shape)


@dataclass(frozen=True, eq=False)
class Gather:
    """Elements of several parts, which are blocks and constants: `index` counts through them, laid end to end."""

    parts: tuple[Block | Array, ...]
    index: Array


Operand: TypeAlias = "View | Gather | Array | float"


class Kind(Enum):
    """A kind of statement that is not a primitive."""

    MATMUL = "matmul"
    """Each row of the first operand times each row of the second."""
    DOTS = "dots"
    """Each row of the first operand times the same row of the second."""
    SUM = "sum"
    """The sum of all operands, each summed over its last axis if it has one more than the result."""
    MAX = "max"
    """The maximum over the last axis."""
    TAKE = "take"
    """Rows of a table, the first operand, at the indexes in the second."""
    PICK = "pick"
    """From each row of the first operand one element, at the index in the second."""


PRODUCTS = (Kind.MATMUL, Kind.DOTS)


@dataclass(frozen=True, eq=False)
class Statement:
    """One operation on blocks: a primitive, elementwise, or another `Kind`; `nodes` counts the scalar nodes in it.

    If the result is a scalar, the operands are single numbers: the terms of a sum, or of a dot product left and right
    in turn.
    """

    kind: Op | Kind
    result: Block
    operands: tuple[Operand, ...]
    nodes: int


@dataclass(frozen=True, eq=False)
class Lowered:
    """A program of statements on blocks."""

    parameters: Block
    inputs: list[Block]
    batch: bool
    flattened: set[str]
    """The names of the inputs with more than two axes; they are read as vectors."""
    statements: list[Statement]
    output: Operand
    """The output or, if there are several, the vector of all outputs."""


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides, in elements, of an array that lies in memory row by row."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def blocks_of(operand: Operand) -> list[Block]:
    """The blocks that an operand is read from."""
    if isinstance(operand, View):
        return [operand.block]
    return [part for part in operand.parts if isinstance(part, Block)] if isinstance(operand, Gather) else []


def shape_of(operand: Operand) -> tuple[int, ...]:
    """The shape of an operand, without the batch axis."""
    if isinstance(operand, Gather):
        return tuple(operand.index.shape)
    return () if isinstance(operand, float) else operand.shape


def is_batched(operand: Operand) -> bool:
    """Whether it has a batch axis."""
    return any(block.batched for block in blocks_of(operand))
