"""Pass 1: a graph of Values becomes a tape, a flat list of instructions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from ..graph import topological_order
from ..ops import Op
from ..value import Value


@dataclass(frozen=True)
class Tape:
    """Instructions in topological order; instruction i is ``ops[i](*operands[i])``.

    The leaves have no op.  The first `parameters` instructions and the next `inputs` are leaves that vary; all other
    leaves are constants.  `data` holds the numbers of the leaves, and NaN for what is computed.

    >>> x, y = Value(2.0), Value(3.0)
    >>> print(trace([x * y + 1.0], [x], [y]))
    0 parameter
    1 input
    2 mul 0 1
    3 1.0
    4 add 2 3
    outputs: 4
    """

    ops: list[Op | None]
    operands: list[tuple[int, ...]]
    data: list[float]
    parameters: int
    inputs: int
    outputs: list[int]

    def is_constant(self, i: int) -> bool:
        """Whether instruction `i` is a leaf that does not vary."""
        return self.parameters + self.inputs <= i < len(self.ops) and self.ops[i] is None

    def constants(self) -> list[str]:
        """The constants, spelled so that two are equal only if they are the same bit for bit."""
        return [repr(self.data[i]) for i in range(len(self.ops)) if self.is_constant(i)]

    def __str__(self) -> str:
        lines = []
        for i, (op, operands) in enumerate(zip(self.ops, self.operands)):
            leaf = (
                "parameter" if i < self.parameters else "input" if i < self.parameters + self.inputs else self.data[i]
            )
            lines.append(f"{i} {op.name if op else leaf} {' '.join(map(str, operands))}".rstrip())
        return "\n".join([*lines, f"outputs: {' '.join(map(str, self.outputs))}"])


def trace(outputs: Sequence[Value], parameters: Sequence[Value], inputs: Sequence[Value] = ()) -> Tape:
    """The graph below `outputs` as a tape; constants that are equal bit for bit become one."""
    ops: list[Op | None] = []
    operands: list[tuple[int, ...]] = []
    data: list[float] = []
    number: dict[Value, int] = {}
    constants: dict[str, int] = {}

    def add(op: Op | None, inputs: tuple[int, ...], x: float) -> int:
        ops.append(op)
        operands.append(inputs)
        data.append(x)
        return len(ops) - 1

    def constant(x: float) -> int:
        key = repr(x)  # tells 0.0 from -0.0, and takes NaN for equal to NaN
        if key not in constants:
            constants[key] = add(None, (), x)
        return constants[key]

    for leaf in (*parameters, *inputs):
        number[leaf] = add(None, (), leaf.data)
    for node in topological_order(outputs):
        if node in number:
            continue
        if node.op is None:
            number[node] = constant(node.data)
        else:
            operands_ = tuple([number[x] if isinstance(x, Value) else constant(x) for x in node.inputs])
            number[node] = add(node.op, operands_, nan)
    return Tape(ops, operands, data, len(parameters), len(inputs), [number[x] for x in outputs])
