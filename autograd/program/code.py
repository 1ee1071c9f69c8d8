"""Expressions in the programs, in two dialects: NumPy's for arrays, and that of `math` for single numbers.

The expressions come from calling the rows of the table, and their partials, on `Code`: no derivative is written here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..conversions import as_float
from ..ops import ADD, CALL, DETACH, DIV, MUL, NEG, POW, POWER, PRODUCT, SIGNED, SUB, SUM, WHERE, Op, Operators
from .blocks import View
from .helpers import HELPERS, definition, spelling

_INFIX = {
    ADD: ("{} + {}", SUM, (SUM, PRODUCT)),
    SUB: ("{} - {}", SUM, (SUM, PRODUCT)),
    MUL: ("{} * {}", PRODUCT, (PRODUCT, POWER)),
    DIV: ("{} / {}", PRODUCT, (PRODUCT, POWER)),
    NEG: ("-{}", SIGNED, (PRODUCT,)),
    POW: ("{}**{}", POWER, (CALL, CALL)),
}
"""Python's operators: a template, its precedence, and the least precedence of an operand without parentheses."""


class Code(Operators):
    """An expression.  A row of the table that is called on it gives another expression.

    A `scalar` expression is a Python float.  A row that is called on scalars alone is written for floats, too.
    """

    def __init__(
        self,
        text: str,
        precedence: int = CALL,
        op: Op | None = None,
        operands: Sequence[Code] = (),
        scalar: bool = False,
    ) -> None:
        self.text, self.precedence, self.op, self.operands, self.scalar = text, precedence, op, operands, scalar

    @staticmethod
    def __record__(op: Op, operands: Sequence[Any]) -> Any:
        """``op(*operands)`` in a partial, without factors of 1 and decided conditions, which only partials have."""
        if op is WHERE and not isinstance(operands[0], Code):
            return operands[1] if operands[0] else operands[2]
        if op is POW and not isinstance(operands[1], Code) and operands[1] == 1.0:
            return operands[0]
        if op is MUL:
            for x, y in (operands, operands[::-1]):
                if not isinstance(x, Code) and abs(x) == 1.0:
                    return y if x == 1.0 else NEG(y)
        return write(op, operands)


class Name(Code):
    """A variable.  If it is assigned to another one, both have the same array."""


def write(op: Op, operands: Sequence[Any]) -> Code:
    """``op(*operands)``; a scalar if all operands are.

    >>> write(MUL, [write(ADD, [Code("x"), 1.0]), Code("y")]).text
    '(x + 1.0) * y'
    >>> write(POW, [Code("x", scalar=True), 0.5]).text
    'math.pow(x, 0.5)'
    """
    codes = [x if isinstance(x, Code) else number(as_float(x)) for x in operands]
    scalar = all(code.scalar for code in codes)
    if op is DETACH:
        return codes[0]
    if scalar and op is WHERE:
        condition, x, y = (code.text for code in codes)
        return Code(f"({x} if {condition} else {y})", CALL, op, codes, scalar)
    if op is POW and not scalar and (isinstance(operands[1], Code) or operands[1] == 0.5):
        return Code(f"power({codes[0].text}, {codes[1].text})", CALL, op, codes)
    if op not in _INFIX or (scalar and op is POW):
        return Code(f"{spelling(op, scalar)}({', '.join(code.text for code in codes)})", CALL, op, codes, scalar)
    template, precedence, least = _INFIX[op]
    texts = [code.text if code.precedence >= x else f"({code.text})" for code, x in zip(codes, least)]
    return Code(template.format(*texts), precedence, op, codes, scalar)


def number(x: float) -> Code:
    """A constant, as both dialects write it."""
    text = spelled(x)
    return Code(text, SIGNED if text.startswith("-") else CALL, scalar=True)


def spelled(numbers: Any) -> str:
    """A float, or nested lists of floats, as Python source with NumPy.

    >>> spelled([1.0, float("-inf")])
    '[1.0, -np.inf]'
    """
    # No other number has these letters, and lists of many constants are spelled in C.
    return repr(numbers).replace("inf", "np.inf").replace("nan", "np.nan")


def spelled_tuple(items: Sequence[str]) -> str:
    """The source of a tuple.

    >>> spelled_tuple(["n", "3"]), spelled_tuple(["n"]), spelled_tuple([])
    ('(n, 3)', '(n,)', '()')
    """
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def helpers_for(text: str) -> list[str]:
    """The definitions of the helpers that `text` calls."""
    called = set(re.findall(r"\b(\w+)\(", text))
    if "product" in called:
        called.add("times")
    return [definition(name) for name in HELPERS if name in called]


def function(name: str, arguments: str, lines: Sequence[str]) -> str:
    """The definition of a function."""
    return "\n".join([f"def {name}({arguments}):", *(f"    {line}" if line else "" for line in lines)])


def element(name: str, view: View) -> str:
    """The NumPy expression for a view of the block with this name.

    >>> from .blocks import Block
    >>> theta, x = Block("theta", (12,)), Block("x", (12,), batched=True)
    >>> element("theta", View(theta, 0, (4, 1), (3, 3))), element("theta", View(theta, 3, (4,), (3,)))
    ('theta.reshape(3, 4)[:, 0:3]', 'theta[3:12:4]')
    >>> element("x", View(x, 0, (4, 1), (3, 3))), element("x", View(x, 3, (0,), (5,)))
    ('x.reshape(n, 3, 4)[:, :, 0:3]', 'x[:, 3][:, None]')
    """
    block, batched = view.block, view.block.batched
    if view.is_whole or not (block.shape or view.shape):
        return name
    n, row = ("n, ", ":, ") if batched else ("", "")
    flat = name if len(block.shape) == 1 else f"{name}.reshape({n}-1)"
    kept = [i for i in range(len(view.shape)) if i not in view.repeated]
    if not kept:
        text = f"{name}[{row}{_indexes(view)}]" if block.shape else name
    elif len(kept) == 1:
        step, count = view.strides[kept[0]], view.shape[kept[0]]
        every = (view.offset, step, count) == (0, 1, block.size)
        text = flat if every else f"{flat}[{row}{_slice(view.offset, step, count)}]"
    else:
        (rows, columns), (down, right) = view.shape, view.strides
        if down < right:
            turned = element(name, View(block, view.offset, (right, down), (columns, rows)))
            return f"{turned}.swapaxes(1, 2)" if batched else f"{turned}.T"
        within = view.pitch(rows, columns, down)
        assert within is not None, "only slices are written"
        first = view.offset - within
        if block.shape[1:] == (down,):
            return f"{name}[{row}{first // down}:{first // down + rows}, {within}:{within + columns}]"
        text = flat if rows * down == block.size else f"{flat}[{row}{first}:{first + rows * down}]"
        text = f"{text}.reshape({n}{rows}, {down})"
        return text if columns == down else f"{text}[{row}:, {within}:{within + columns}]"
    axes = [":" if i in kept else "None" for i in range(len(view.shape))]
    while not batched and axes and axes[0] == "None":  # broadcasting adds these
        del axes[0]
    return f"{text}[{row}{', '.join(axes)}]" if "None" in axes else text


def target(name: str, view: View) -> str:
    """The same as the target of ``+=``: a name or an indexed array; anything else is indexed as a whole.

    >>> from .blocks import Block
    >>> theta = Block("theta", (12,))
    >>> target("theta", View(theta, 3, (4,), (3,))), target("theta", View(theta, 0, (1, 4), (4, 3)))
    ('theta[3:12:4]', 'theta.reshape(3, 4).T[...]')
    """
    text = element(name, view)
    return text if text == name or text.endswith("]") else f"{text}[...]"


def item(name: str, view: View) -> str:
    """A single element of an array as a Python float.

    >>> from .blocks import Block
    >>> item("x", View(Block("x", (3, 4)), 6, (), ()))
    'x.item(1, 2)'
    """
    return f"{name}.item({_indexes(view)})"


def _indexes(view: View) -> str:
    """The indexes of the first element of a view in its block."""
    return ", ".join([str(int(i)) for i in np.unravel_index(view.offset, view.block.shape)])


def _slice(offset: int, step: int, count: int) -> str:
    """The slice for `count` elements from `offset`, `step` apart.

    >>> _slice(2, 1, 3), _slice(0, 4, 3), _slice(5, -1, 3), _slice(2, -1, 3)
    ('2:5', '0:9:4', '5:2:-1', '2::-1')
    """
    last = offset + step * (count - 1)
    if step > 0:
        return f"{offset}:{last + 1}{f':{step}' if step > 1 else ''}"
    return f"{offset}:{last - 1 if last else ''}:{step}"
