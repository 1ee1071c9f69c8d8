"""What lowered programs are made of: blocks, views of them, gathers and statements."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, TypeAlias

import numpy as np

from ..ops import Op

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True, eq=False)
class Block:
    """An array: the parameters, the inputs, or what a wave computed."""

    name: str
    shape: tuple[int, ...]
    batched: bool = False
    """Whether each row of a batch has one of its own; the batch axis comes first, and is not in `shape`."""
    scalar: bool = False
    """Whether it is a Python float, computed by itself."""

    @property
    def size(self) -> int:
        """The number of its elements."""
        return prod(self.shape)


@dataclass(frozen=True)
class View:
    """Elements of a block at regular distances: element (i, j) is number offset + i strides[0] + j strides[1].

    No axis is of one element.
    """

    block: Block
    offset: int
    strides: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def repeated(self) -> tuple[int, ...]:
        """The axes along which every element is the same."""
        return tuple(i for i, step in enumerate(self.strides) if not step)

    @property
    def core(self) -> View:
        """The view without the axes along which it repeats."""
        kept = [i for i in range(len(self.shape)) if i not in self.repeated]
        return replace(self, strides=tuple(self.strides[i] for i in kept), shape=tuple(self.shape[i] for i in kept))

    @property
    def is_slice(self) -> bool:
        """Whether slices and reshapes reach it, so that it can be written to: its rows neither overlap nor run back."""
        kept = [(n, step) for n, step in zip(self.shape, self.strides) if step]
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
    """One operation; it stands for so many `nodes` of the scalar graph.

    `kind` is a row of the table, "matmul", "dots" (row by row), "sum" or "max" (over the last axis), "take" (rows of a
    table, by indexes) or "pick" (of each row one element, by its index).  Of a scalar result the operands are its
    numbers one by one: of "dots", left and right in turn.
    """

    kind: Op | str
    result: Block
    operands: tuple[Operand, ...]
    nodes: int


@dataclass
class Lowered:
    """A program: its statements, and where the outputs are."""

    parameters: Block
    inputs: list[Block]
    batch: bool
    flattened: set[str]
    """The names of inputs of more than two axes, which are read as vectors."""
    statements: list[Statement] = field(default_factory=list)
    outputs: list[Operand] = field(default_factory=list)
    """The first output or, if there are several, all of them laid end to end."""


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of an array that lies in memory row by row."""
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
