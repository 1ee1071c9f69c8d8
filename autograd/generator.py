"""Writes `generated.py` from the table: ``python -m autograd.generator``.

What is written out is what the table says: the bodies of the kernels (`kernels.py`) become the forward half, the
partials, run on syntax trees, the backward half.  `chain_rule` remains the definition that tests hold it against.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .ops import ADD, MUL, TABLE, Op, Operators

TARGET = Path(__file__).with_name("generated.py")
OPERATORS = {"add": "add", "sub": "sub", "mul": "mul", "div": "truediv", "pow": "pow"}
"""The binary rows that Python has an operator for."""
COMMONEST = (MUL, ADD)
"""The rows whose part of the sweep stands in its loop."""

HEADER = '''"""Written by ``python -m autograd.generator`` from the table: do not edit.

`Recorders` has the methods of `Value` that record a row, each without a call that is not the row's own.  `sweep` is
`chain_rule` for the rows of the table.  Both read and write the slots of nodes (see `Value`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from math import inf, nan
from typing import Any, Generic, TypeVar

from . import kernels, ops, recording
from .ops import {rows}

V = TypeVar("V")
Value: Any = None
"""The class of the nodes, which derives from `Recorders`, and which its module puts here."""
new = object.__new__


class Recorders(Generic[V]):
    """Each row of the table as a method that makes a node `V`."""

    __slots__ = ()
    _number: float
    __record__: Any
    __infix__: Any
'''


def main() -> None:
    """Writes the file."""
    TARGET.write_text(source(), encoding="utf-8")


def source() -> str:
    """The text of `generated.py`.

    >>> source() == TARGET.read_text(encoding="utf-8")
    True
    """
    rows = list(TABLE.values())
    lines = textwrap.wrap(", ".join(op.name.upper() for op in rows), 110)
    imported = "(\n    " + "\n    ".join(lines) + ",\n)"
    parts = [HEADER.replace("{rows}", imported)]
    for op in rows:
        if len(op.partials) == 1:
            parts.append(_indented(_unary(op)))
        elif op.name in OPERATORS:
            parts += [_indented(_binary(op)), _indented(_reflected(op))]
    parts += ["", "", *map(_pull, rows), "", "", _sweep(), "", "", _exports(rows)]
    return "\n".join(parts) + "\n"


# ---- Forward: kernels become the recorders ---------------------------------------------------------------------------


def _unary(op: Op) -> str:
    alias = {"neg": "__neg__", "abs": "__abs__"}.get(op.name)
    return f"""
def {op.name}(self) -> V:
    if recording.open_blocks: return self.__record__({op.name.upper()}, (self,))
    x = self._number
{_indented(_node(op))}
    n._x = self; n._y = n._more = None; n._xd = x
    return n""" + (f"\n{alias} = {op.name}" if alias else "")


def _binary(op: Op) -> str:
    name = op.name.upper()
    return f"""
def __{OPERATORS[op.name]}__(self, other: Any) -> V:
    if other.__class__ is Value: y = other._number
    elif other.__class__ is float: y = other; other = None
    else: return self.__infix__({name}, self, other)
    if recording.open_blocks: return self.__record__({name}, (self, y if other is None else other))
    x = self._number
{_indented(_node(op))}
    n._x = self; n._y = other; n._more = None; n._xd = x; n._yd = y
    return n"""


def _reflected(op: Op) -> str:
    name = op.name.upper()
    return f"""
def __r{OPERATORS[op.name]}__(self, x: Any) -> V:
    if x.__class__ is not float or recording.open_blocks: return self.__infix__({name}, x, self)
    y = self._number
{_indented(_node(op))}
    n._x = n._more = None; n._y = self; n._xd = x; n._yd = y
    return n"""


def _node(op: Op) -> str:
    """A new node n, with what the kernel computes from x and y: the kernel's body, ``return`` become an assignment."""
    *before, last = map(_unparsed, [*(body := _body(op))[:-1], _Returns().visit(body[-1])])
    if last.startswith("try"):
        before, last = [*before, last], "z"
    made = f'n = new(Value); n._number = n._zd = {last.removeprefix("z = ")}; n._grad = 0.0; n.label = ""; n.op = {op.name.upper()}'
    return "\n".join([*before, made])


class _Returns(ast.NodeTransformer):
    def visit_Return(self, node: ast.Return) -> ast.Assign:
        assert node.value is not None, "a kernel returns a number"
        return ast.Assign([ast.Name("z")], node.value, lineno=0)


def _body(op: Op) -> list[ast.stmt]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(op.forward))).body[0]
    assert isinstance(tree, ast.FunctionDef), "a kernel is a function"
    return tree.body[1:]  # without its docstring


# ---- Backward: partials become the sweep -----------------------------------------------------------------------------


class Term(Operators):
    """An expression of floats as a syntax tree; calling a row on it gives another."""

    def __init__(self, tree: ast.expr) -> None:
        self.tree = tree

    @staticmethod
    def __record__(op: Op, operands: Sequence[Any]) -> Term:
        """The kernel's own expression, if it is one, with the operands in the places of its parameters; else a call."""
        trees = [x.tree if isinstance(x, Term) else ast.Constant(x) for x in operands]
        expression, parameters = _body(op)[0], list(inspect.signature(op.forward).parameters)
        if isinstance(expression, ast.Return) and expression.value is not None:
            names = [node.id for node in ast.walk(expression) if isinstance(node, ast.Name)]
            if all(names.count(x) == 1 or isinstance(tree, ast.Name) for x, tree in zip(parameters, trees)):
                return Term(_Names(dict(zip(parameters, trees))).visit(expression.value))
        return Term(ast.Call(ast.Attribute(ast.Name("kernels"), op.name), trees, []))


class _Names(ast.NodeTransformer):
    """Puts expressions in the places of names."""

    def __init__(self, trees: dict[str, ast.expr]) -> None:
        self.trees = trees

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.trees.get(node.id, node)


def _pull(op: Op) -> str:
    """The function that adds adjoint times partial to the adjoint of each input."""
    lines = list(_pulled(op))
    head = f"def _{op.name}(n: Any, g: float, found: Any) -> None:"
    return f"{head} {lines[0]}" if len(lines) == 1 else "\n".join([head, *map(_indented, lines)])


def _pulled(op: Op) -> Iterator[str]:
    count = len(op.partials)
    seen = {"z": "n._zd", "x0": "n._xd", "x1": "n._yd"} | {
        f"x{i}": f"n._more[{i + count - 4}]" for i in range(2, count)
    }
    for i, partial in enumerate(op.partials):
        if partial is None:
            continue
        slope = partial(*(Term(ast.Name(name)) for name in ("z", *(f"x{k}" for k in range(count)))))
        tree = slope.tree if isinstance(slope, Term) else ast.Constant(slope)
        product = _times(_Names({name: ast.parse(text, mode="eval").body for name, text in seen.items()}).visit(tree))
        place = f"n._more[{i - 2}]" if i > 1 else f"n._{'xy'[i]}"
        if count == 1:
            yield f"found[{place}] += {product}"
        else:
            yield f"if (x := {place}) is not None: found[x] += {product}"


def _times(partial: ast.expr) -> str:
    """g * partial, as `times` in `graph` computes it."""
    if isinstance(partial, ast.Constant) and partial.value in (1.0, -1.0):
        return "g" if partial.value == 1.0 else "-g"
    return _unparsed(ast.BinOp(ast.Name("g"), ast.Mult(), partial))


def _sweep() -> str:
    branches = []
    for op in COMMONEST:
        branches += [f"        {'if' if not branches else 'elif'} op is {op.name.upper()}:"]
        branches += [f"            {line}" for line in _pulled(op)]
    return "\n".join([
        "def sweep(nodes: Iterable[tuple[Any, float]], found: dict[Any, float], otherwise: Any) -> None:",
        '    """Adds to the adjoints in `found` of the inputs of `nodes`; `otherwise` does it for rows beside the table."""',
        "    for n, g in nodes:",
        "        op = n.op",
        *branches,
        "        elif op is not None:",
        "            pull = op.pull",
        "            if pull is not None: pull(n, g, found)",
        "            else: otherwise(n)",
    ])  # fmt: skip


def _exports(rows: Sequence[Op]) -> str:
    names = [op.name for op in rows]
    lines = [f"__all__ = {names}"]
    for some in (names[i : i + 8] for i in range(0, len(names), 8)):
        lines.append(f"{', '.join(some)} = {', '.join(some).upper()}")
    pulls = ", ".join(f"{name}: _{name}" for name in names)
    lines += [f"for _row, _pull in {{{pulls}}}.items():", "    object.__setattr__(_row, 'pull', _pull)"]
    return "\n".join(lines)


def _unparsed(tree: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(tree))


def _indented(text: str) -> str:
    return textwrap.indent(text, "    ")


if __name__ == "__main__":
    main()
