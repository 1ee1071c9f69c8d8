"""Pass 6: statements become Python source that stands by itself, with NumPy."""

from __future__ import annotations

from ..derivation.notation import counted
from .backward import Backward
from .blocks import Gather, Lowered, Statement, blocks_of, is_batched, shape_of
from .code import function, helpers_for, spelled
from .forward import Forward


def emit(program: Lowered, dtype: str, careful: bool, mean: bool) -> str:
    """The source of ``value`` and ``value_and_grad`` or, if there are several outputs, of ``outputs``.

    With `careful`, zeros win over infinity in the products of the backward pass, as they do in the engine, and nothing
    raises.  The gradient of a batch is that of the `mean` of its rows, or of their sum.
    """
    forward = Forward(program, dtype, careful)
    lines = forward.lines()
    result = forward.full(program.outputs[0]).text
    arguments = ", ".join(["theta", *(block.name for block in program.inputs)])
    rows = "n, " if program.batch else ""
    header = [f"n = len({program.inputs[0].name})"] if program.batch else []
    flattened = [block.name for block in program.inputs if block.name in program.flattened]
    header += [f"{name} = {name}.reshape({rows}-1)" for name in flattened]
    views = [f"{name} = {text}" for text, (name, _) in forward.parameters.items()] + [
        f"{name} = {text}" for text, name in forward.items.items()
    ]
    shape = shape_of(program.outputs[0])
    if program.batch and not is_batched(program.outputs[0]):
        result = f"np.broadcast_to({result}, {forward.shape(shape, True)})"
    if shape:
        parts = [function("outputs", arguments, [*header, *views, *lines, f"return {result}"])]
    else:
        result = result if program.batch else f"float({result})"
        backward = Backward(forward, mean).lines()
        parts = [
            function("value", arguments, [*header, *views, *lines, f"return {result}"]),
            function("value_and_grad", arguments, [*header, *views, *lines, "", *backward, f"return {result}, dtheta"]),
        ]
    text = "\n\n\n".join(parts)
    constants = "\n".join(
        f"{name} = np.array({spelled(values.tolist())}{forward.typed if values.dtype.kind == 'f' else ''})"
        for name, values in forward.constants.values()
    )
    helpers = helpers_for(text)
    imports = ["import math\n"] * any("math." in part for part in (text, *helpers)) + ["import numpy as np"]
    return "\n\n\n".join(["\n".join(imports), *([constants] if constants else []), *helpers, text]) + "\n"


def listing(program: Lowered) -> str:
    """The forward statements, each with its shape, the scalar nodes it stands for, and what did not roll and why."""
    forward = Forward(program, "float64", careful=False)
    lines = forward.lines()
    inlined = {s.result: s.nodes for s in program.statements if s.result in forward.inline}
    rows = []
    for line, statement in zip(lines, forward.shown):
        nodes = statement.nodes + sum(inlined.get(x, 0) for operand in statement.operands for x in blocks_of(operand))
        rows.append((line, f"{statement.result.shape}", counted(nodes, "node") + _why(forward, statement)))
    if len(rows) > LONGEST:
        left = len(rows) - LONGEST
        rows = [*rows[: LONGEST // 2], (f"... {left} more ...", "", ""), *rows[-LONGEST // 2 :]]
    widths = [min(60, max(map(len, column))) for column in zip(*rows)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    total = sum(statement.nodes for statement in program.statements)
    return "\n".join([*text, f"{counted(len(forward.shown), 'statement')} for {counted(total, 'node')}"])


LONGEST = 200
"""A listing shows no more statements than these."""


def _why(forward: Forward, statement: Statement) -> str:
    """Why a statement is of one number, or had to gather what it reads."""
    if statement.result.scalar:
        return ", alone"
    for operand in statement.operands:
        if isinstance(operand, Gather):
            names = [forward.names[block] for block in blocks_of(operand)]
            if len(operand.parts) > 1:
                some = ", ".join(
                    [*names[:3], *["..."] * (len(names) > 3), *["constants"] * (len(operand.parts) > len(names))]
                )
                return f", gathered: it reads from {some}"
            return f", gathered: what it reads of {names[0]} lies at irregular distances"
    return ""
