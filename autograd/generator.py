"""Writes `generated.py` from the table: ``python -m autograd.generator``.

What is written out is what the table says: the bodies of the kernels (`primitives.py`) become the forward half, the
partials, run on syntax trees, the backward half.  `chain_rule` remains the definition that tests hold it against.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .ops import ADD, MUL, TABLE, Op, Operators

TARGET = Path(__file__).with_name("generated.py")
_TWO, _NONE = "n._xd = x; n._yd = y", "n._more = n._sweep = None"
_INDENT: Any = {"initial_indent": "    ", "subsequent_indent": "    "}
OPERATORS = {"add": "add", "sub": "sub", "mul": "mul", "div": "truediv", "pow": "pow"}
"""The binary rows that Python has an operator for."""
COMMONEST = (MUL, ADD)
"""The rows whose part of the sweep stands in its loop."""

HEADER = '''# mypy: disable-error-code="no-any-return"
"""Written by ``python -m autograd.generator`` from the table: do not edit.

`Recorders` has the methods of `Value` that record a row, each without a call that is not the row's own.  `sweep` is
`chain_rule` for the rows of the table.  Both read and write the slots of nodes (see `Value`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from math import inf, nan
from typing import Any, Generic, TypeVar

from . import primitives, recording
from .ops import {rows}

V = TypeVar("V")
Value: Any = None
"""The class of the nodes, which derives from `Recorders`, and which its module puts here."""
new = object.__new__


class Recorders(Generic[V]):
    """Each row of the table as a method that makes a node `V`."""

    __slots__ = ()
    _number: float
    __infix__: Any
    __node__: Any

    @staticmethod
    def __record__(op: Any, operands: Any, /) -> Any: raise NotImplementedError'''


def main() -> None:
    """Writes the file."""
    TARGET.write_text(source(), encoding="utf-8")


def source() -> str:
    """The text of `generated.py`.

    >>> source() == TARGET.read_text(encoding="utf-8")
    True
    """
    rows = list(TABLE.values())
    names = ["TABLE", *(op.name.upper() for op in rows)]
    imported = "(\n" + textwrap.fill(", ".join(names), 116, **_INDENT) + ",\n)"
    parts = [HEADER.replace("{rows}", imported)]
    for op in rows:
        if len(op.partials) == 1:
            parts.append(_indented(_unary(op)))
        elif op.name in OPERATORS:
            parts += [_indented(_binary(op)), _indented(_reflected(op))]
    parts += [
        "",
        "",
        *[_pull(op) for op in rows if op not in COMMONEST],
        "",
        "",
        SWEEP.strip().replace("{branches}", _branches()),
        "",
        "",
        _exports(rows),
    ]
    return "\n".join(parts) + "\n"


# ---- Forward: kernels become the recorders ---------------------------------------------------------------------------


def _unary(op: Op) -> str:
    alias = {"neg": "__neg__", "abs": "__abs__"}.get(op.name)
    return f"""
def {op.name}(self) -> V:
{_node(op, "x = self._number", "(self,)", "(x,)", "n._x = self; n._xd = x; n._y = n._more = n._sweep = None")}""" + (
        f"\n{alias} = {op.name}" if alias else ""
    )


def _binary(op: Op) -> str:
    return f"""
def __{OPERATORS[op.name]}__(self, other: Any) -> V:
    if other.__class__ is Value: y = other._number
    elif other.__class__ is float: y = other; other = None
    else: return self.__infix__({op.name.upper()}, self, other)
{_node(op, "x = self._number", "(self, other)", "(x, y)", f"n._x = self; n._y = other; {_TWO}; {_NONE}")}"""


def _reflected(op: Op) -> str:
    return f"""
def __r{OPERATORS[op.name]}__(self, x: Any) -> V:
    if x.__class__ is not float: return self.__infix__({op.name.upper()}, x, self)
{_node(op, "y = self._number", "(None, self)", "(x, y)", f"n._y = self; {_TWO}; n._x = n._more = n._sweep = None")}"""


def _node(op: Op, own: str, inputs: str, numbers: str, slots: str) -> str:
    """What the kernel computes from x and y: its body, with assignments in place of ``return``; and a node with it."""
    name, body = op.name.upper(), _body(op)
    first, *more = map(_unparsed, [*body[:-1], _Returns().visit(body[-1])])
    lines = [
        *([own, first] if first.startswith("try") else [f"{own}; {first}"]),
        *more,
        f"if recording.open_blocks: return self.__node__({name}, {inputs}, z, {numbers})",
        f'n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = {name}',
        f"{slots}; return n",
    ]
    return _indented("\n".join(lines))


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
        return Term(ast.Call(ast.Attribute(ast.Name("primitives"), op.name), trees, []))


class _Names(ast.NodeTransformer):
    """Puts expressions in the places of names."""

    def __init__(self, trees: dict[str, ast.expr]) -> None:
        self.trees = trees

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.trees.get(node.id, node)


def _pull(op: Op) -> str:
    """The function that adds g times the partial to the adjoint of each input."""
    lines = list(_pulled(op))
    head = f"def _{op.name}(n: Any, g: float) -> None:"
    return f"{head} {lines[0]}" if len(lines) == 1 else "\n".join([head, *map(_indented, lines)])


def _pulled(op: Op) -> Iterator[str]:
    count = len(op.partials)
    inputs = ["n._x", "n._y", *(f"n._more[{i}]" for i in range(count - 2))][:count]
    seen = ["n._zd", "n._xd", "n._yd", *(f"n._more[{i}]" for i in range(count - 2, 2 * count - 4))][: count + 1]
    names = [f"x{i}" for i in range(count + 1)]
    numbers = {name: ast.parse(text, mode="eval").body for name, text in zip(names, seen)}
    for x, partial in zip(inputs, op.partials):
        if partial is not None:
            slope = partial(*(Term(ast.Name(name)) for name in names))
            tree = slope.tree if isinstance(slope, Term) else ast.Constant(slope)
            product = _times(_Names(numbers).visit(tree))
            yield f"{x}._adjoint += {product}" if count == 1 else f"if (x := {x}) is not None: x._adjoint += {product}"


def _times(partial: ast.expr) -> str:
    """g * partial, as `times` in `graph` computes it."""
    if isinstance(partial, ast.Constant) and partial.value in (1.0, -1.0):
        return "g" if partial.value == 1.0 else "-g"
    return _unparsed(ast.BinOp(ast.Name("g"), ast.Mult(), partial))


def _branches() -> str:
    """The commonest rows, in the loop of `sweep`."""
    lines: list[str] = []
    for op in COMMONEST:
        lines += [f"{'elif' if lines else 'if'} op is {op.name.upper()}:", *map(_indented, _pulled(op))]
    return textwrap.indent("\n".join(lines), " " * 8)


SWEEP = '''
def below(node: Any, token: object) -> list[Any]:
    """The nodes that `node` depends on, inputs first, marked with the token; their adjoints are empty sums, -0.0."""
    order: list[Any] = []
    node._adjoint = None
    while True:  # on the way down, `_adjoint` of a node is the node above it
        if (x := node._x) is not None and x._sweep is not token:
            x._adjoint, node = node, x
        elif (x := node._y) is not None and x._sweep is not token:
            x._adjoint, node = node, x
        elif node._more and (x := _next(node, token)) is not None:
            x._adjoint, node = node, x
        else:
            above, node._adjoint, node._sweep = node._adjoint, -0.0, token
            order.append(node)
            if above is None: return order
            node = above


def _next(node: Any, token: object) -> Any:
    inputs = node._more[: len(node._more) // 2]
    return next((x for x in inputs if x is not None and x._sweep is not token), None)


def sweep(nodes: Iterable[Any]) -> float:
    """Adds to the adjoints of the inputs of `nodes`, outputs first.

    The result is NaN if an adjoint is, or if there is a row that is not of the table: then only `chain_rule` knows.
    """
    total = 0.0
    for n in nodes:
        op, g = n.op, n._adjoint
{branches}
        else:
            total += g
            if op is None: continue
            pull = op.pull
            if pull is None: return nan
            pull(n, g)
    return total'''


def _exports(rows: Sequence[Op]) -> str:
    """The rows under their own names, but for those that would replace Python's, and their parts of the sweep."""
    names = sorted(op.name for op in rows if not hasattr(builtins, op.name))
    lines = ["__all__ = [", textwrap.fill(", ".join(f'"{name}"' for name in names), 116, **_INDENT), "]"]
    for some in (names[i : i + 8] for i in range(0, len(names), 8)):
        lines.append(f"{', '.join(some)} = {', '.join(some).upper()}")
    pulls = ", ".join(f"{op.name.upper()}: _{op.name}" for op in rows if op not in COMMONEST)
    lines += [
        "for _row, _pull in {",
        textwrap.fill(pulls, 116, **_INDENT),
        "}.items():",
        "    object.__setattr__(_row, 'pull', _pull)",
        "for _name, _method in vars(Recorders).items():  # a row's help, without its example, which calls a function",
        "    if callable(_method): _method.__qualname__ = f'Value.{_name}'",
        "    if _name in TABLE: _method.__doc__ = (TABLE[_name].__doc__ or '').partition('\\n\\n>>>')[0]",
    ]
    return "\n".join(lines)


def _unparsed(tree: ast.AST) -> str:
    if isinstance(tree, ast.Try):
        [handler] = tree.handlers
        caught = _unparsed(handler.type) if handler.type else ""
        return f"try: {_unparsed(tree.body[0])}\nexcept {caught}: {_unparsed(handler.body[0])}"
    return ast.unparse(ast.fix_missing_locations(tree))


def _indented(text: str) -> str:
    return textwrap.indent(text, "    ")


if __name__ == "__main__":
    main()
