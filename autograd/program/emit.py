"""Pass 6: statements become Python source that needs nothing but NumPy."""

from __future__ import annotations

from ..derivation.notation import counted
from .backward import Backward
from .blocks import Gather, Lowered, Statement, blocks_of, is_batched, shape_of
from .code import function, helpers_for, spelled
from .forward import Forward


def emit(program: Lowered, dtype: str, careful: bool, mean: bool) -> str:
    """The source of ``value`` and ``value_and_grad`` or, if there are several outputs, of ``outputs``.

    If `careful`, zeros win over infinity in the products of the backward pass, as they do in the engine, and nothing
    raises.  The gradient of a batch is that of the `mean` over its rows, or of their sum.
    """
    forward = Forward(program, dtype, careful)
    lines = forward.lines()
    result = forward.full(program.output).text
    shape = shape_of(program.output)
    if program.batch and not is_batched(program.output):
        result = f"np.broadcast_to({result}, {forward.shape(shape, True)})"
    if shape:
        functions = {"outputs": [*lines, f"return {result}"]}
    else:
        result = result if program.batch else f"float({result})"
        backward = Backward(forward, mean).lines()
        functions = {
            "value": [*lines, f"return {result}"],
            "value_and_grad": [*lines, "", *backward, f"return {result}, dtheta"],
        }
    first = [*_read_shapes(program), *forward.read_names()]
    arguments = ", ".join(["theta", *(block.name for block in program.inputs)])
    text = "\n\n\n".join([function(name, arguments, [*first, *body]) for name, body in functions.items()])
    constants = []
    for name, values in forward.constants.values():
        typed = forward.typed if values.dtype.kind == "f" else ""
        constants.append(f"{name} = np.array({spelled(values.tolist())}{typed})")
    helpers = helpers_for(text)
    imports = ["import numpy as np"]
    if any("math." in part for part in (text, *helpers)):
        imports = ["import math", "", *imports]
    head = ["\n".join(imports), *(["\n".join(constants)] if constants else [])]
    return "\n\n\n".join([*head, *helpers, text]) + "\n"


def _read_shapes(program: Lowered) -> list[str]:
    """The lines that read the number of rows, and that flatten inputs with more than two axes."""
    flattened = [block.name for block in program.inputs if block.name in program.flattened]
    if not program.batch:
        return [f"{name} = {name}.reshape(-1)" for name in flattened]
    return [f"n = len({program.inputs[0].name})", *(f"{name} = {name}.reshape(n, -1)" for name in flattened)]


LONGEST = 200
"""A listing shows at most so many statements."""

WIDEST = 60
"""A column of a listing is at most so wide, unless a cell of it is wider."""


def listing(program: Lowered) -> str:
    """The forward statements: their shapes, how many scalar nodes each stands for, and why some did not roll."""
    forward = Forward(program, "float64", careful=False)
    lines = forward.lines()
    inlined = {
        statement.result: statement.nodes for statement in program.statements if statement.result in forward.inline
    }
    rows = []
    for line, statement in zip(lines, forward.shown):
        nodes = statement.nodes + sum(inlined.get(x, 0) for operand in statement.operands for x in blocks_of(operand))
        rows.append((line, f"{statement.result.shape}", counted(nodes, "node") + _why(forward, statement)))
    if len(rows) > LONGEST:
        left = len(rows) - LONGEST
        rows = [*rows[: LONGEST // 2], (f"... {left} more ...", "", ""), *rows[-LONGEST // 2 :]]
    widths = [min(WIDEST, max(map(len, column))) for column in zip(*rows)]
    text = ["  ".join([cell.ljust(width) for cell, width in zip(row, widths)]).rstrip() for row in rows]
    total = sum(statement.nodes for statement in program.statements)
    return "\n".join([*text, f"{counted(len(forward.shown), 'statement')} for {counted(total, 'node')}"])


def _why(forward: Forward, statement: Statement) -> str:
    """Why a statement computes a single number, or has to gather its operands."""
    if statement.result.scalar:
        return ", alone"
    for operand in statement.operands:
        if isinstance(operand, Gather):
            names = [forward.names[block] for block in blocks_of(operand)]
            if len(operand.parts) == 1:
                return f", gathered: what it reads of {names[0]} lies at irregular distances"
            some = names[:3]
            if len(names) > 3:
                some.append("...")
            if len(operand.parts) > len(names):
                some.append("constants")
            return f", gathered: it reads from {', '.join(some)}"
    return ""
