"""Mutants: a module with one fault in it, as a syntax tree.  No file is written."""

from __future__ import annotations

import ast
import copy
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

ROOT = Path(__file__).resolve().parents[2]

OTHER: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult, ast.MatMult: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
"""Operators, and what each is mistaken for."""

TWINS = {"min": "max", "max": "min", "any": "all", "all": "any"}
CAN_GO = ("reversed", "sorted", "abs", "set")
"""Calls of one argument that a mutant leaves out."""

TEXTS = (
    (" += ", " = "), (" += ", " -= "), (" + ", " - "), (" - ", " + "), (" * ", " / "), (" / ", " * "), (" @ ", " * "),
    ("-{", "{"), ("-math", "math"), ("-np", "np"), ("-abs", "abs"), (".T", ""), (" > ", " >= "), (" < ", " <= "),
    (" >= ", " > "), (" <= ", " < "), (" == ", " != "), (" != ", " == "), (" | ", " & "), (" & ", " | "),
    ("1.0", "2.0"), ("0.0", "1.0"), ("axis=0", "axis=-1"), ("axis=-1", "axis=0"), ("axis=1", "axis=0"),
    (".sum(", ".max("), (".max(", ".min("), ("[..., None]", ""), ("[:, None]", ""), (".copy()", ""), (".ravel()", ""),
    ("2.0 * ", ""), ("swapaxes(1, 2)", "swapaxes(0, 0)"), ("zeros", "ones"),
)  # fmt: skip
"""The same faults in the text of the programs that the compiler writes."""

Place: TypeAlias = "tuple[ast.AST, str, int | None]"
"""A node by its parent, the field, and the index where the field is a list."""


@dataclass(eq=False)
class Mutant:
    """A module with one node replaced; `kind` says what for, `scope` is the name of the function or class around it."""

    path: str
    line: int
    kind: str
    scope: str
    function: int | None
    """The first line of the function that is changed; None for what runs on import."""
    before: str
    after: str
    tree: ast.Module = field(repr=False)
    place: Place = field(repr=False)
    new: ast.AST = field(repr=False)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}  {self.before}  ->  {self.after}"

    @property
    def key(self) -> str:
        """What tells it apart, also when lines have moved."""
        return f"{self.path} {self.scope}: {self.before}  ->  {self.after}"

    def text(self) -> str:
        """The source of the module with the fault in it, every line in its place."""
        parent, name, i = self.place
        old = getattr(parent, name) if i is None else getattr(parent, name)[i]
        new = ast.unparse(self.new) if isinstance(old, ast.stmt) else f"({ast.unparse(self.new)})"
        lines = (ROOT / self.path).read_text().splitlines(keepends=True)
        first, last = old.lineno - 1, old.end_lineno - 1
        rest = lines[last].encode()[old.end_col_offset :].decode()
        changed = lines[first].encode()[: old.col_offset].decode() + new + "\n" * (last - first) + rest
        return "".join([*lines[:first], changed, *lines[last + 1 :]])

    def compiled(self) -> Any:
        """The code of the module with the fault in it."""
        old = _exchange(self.place, self.new)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the compiler's, of what looks odd
                return compile(self.tree, str(ROOT / self.path), "exec", dont_inherit=True)
        finally:
            _exchange(self.place, old)


def mutants_of(path: str, source: str | None = None) -> list[Mutant]:
    """Every mutant of a file, from top to bottom."""
    tree = ast.parse((ROOT / path).read_text() if source is None else source)
    found = []
    for site in _sites(tree):
        for kind, new in _replacements(site, path):
            new = ast.fix_missing_locations(ast.copy_location(copy.copy(new), site.node))  # which may be a part of it
            before, after = _described(site, new)
            if before != after:
                function, line = site.function, getattr(site.node, "lineno", 0)
                found.append(
                    Mutant(path, line, kind, ".".join(site.scope), function, before, after, tree, site.place, new)
                )
    return found


def _exchange(place: Place, new: Any) -> Any:
    """Puts a node in a place; the one that was there."""
    parent, name, i = place
    old = getattr(parent, name)
    if i is None:
        setattr(parent, name, new)
        return old
    old[i], old = new, old[i]
    return old


# ---- Where faults are planted


@dataclass(frozen=True)
class _Site:
    node: Any
    place: Place
    above: tuple[Any, ...]
    """The nodes around it, from the module inwards."""
    scope: tuple[str, ...] = ()
    function: int | None = None


def _sites(tree: ast.Module) -> Iterator[_Site]:
    yield from _below(_Site(tree, (tree, "", None), ()))


def _below(site: _Site) -> Iterator[_Site]:
    """The sites in a node: none in annotations, docstrings, messages of errors and assertions, and `__repr__`."""
    for name, i, child in _children(site.node):
        scope, function = site.scope, site.function
        if isinstance(site.node, (ast.FunctionDef, ast.Lambda)) and name == "body":
            function = min([site.node.lineno, *(d.lineno for d in getattr(site.node, "decorator_list", ()))])
        if isinstance(site.node, (ast.FunctionDef, ast.ClassDef)):
            scope = (*scope, site.node.name)
        inner = _Site(child, (site.node, name, i), (*site.above, site.node), scope, function)
        yield inner
        if not _is_closed(child):
            yield from _below(inner)


def _children(node: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    left_out = ("annotation", "returns", "decorator_list", "bases", "targets", "target", "ctx", "type_params")
    for name, value in ast.iter_fields(node):
        if name in left_out or (isinstance(node, ast.arguments) and "defaults" not in name):
            continue
        for i, child in enumerate(value) if isinstance(value, list) else ((None, value),):
            if isinstance(child, ast.AST):
                yield name, i, child


def _is_closed(node: ast.AST) -> bool:
    if isinstance(node, (ast.Raise, ast.Assert, ast.Import, ast.ImportFrom)):
        return True
    if isinstance(node, ast.FunctionDef):
        return node.name == "__repr__" or any(_names(d) == "overload" for d in node.decorator_list)
    if isinstance(node, ast.AnnAssign):
        return _names(node.annotation) == "TypeAlias"
    if isinstance(node, ast.If):
        return _names(node.test) == "TYPE_CHECKING"
    if isinstance(node, ast.Assign):
        return (
            _names(node.targets[0]) in ("__slots__", "__all__")
            or _names(getattr(node.value, "func", None)) == "TypeVar"
        )
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _names(node: Any) -> str | None:
    return getattr(node, "id", None)


# ---- Which faults


def _replacements(site: _Site, path: str) -> Iterator[tuple[str, Any]]:
    """(kind, what may stand there instead) for a site."""
    node, parent = site.node, site.above[-1]
    if isinstance(parent, ast.Lambda) and node is parent.body and _is_partial(site):
        yield from _wrong_derivatives(node)
    if _is_evaluation(site, path):
        yield from _wrong_evaluations(node)
    if isinstance(node, ast.stmt):
        yield from _wrong_statements(site)
    elif isinstance(node, ast.expr) and not _is_closed(parent):
        yield from _wrong_expressions(site)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "/program/" in path:
            yield from _wrong_texts(node)


def _is_partial(site: _Site) -> bool:
    """Whether it is in the tuple of derivatives of a row."""
    return any(_is_row(call) and call.args[2] is inner for call, inner in zip(site.above, site.above[1:]))


def _is_evaluation(site: _Site, path: str) -> bool:
    """Whether it is what a row computes: of arrays, in the table, or the first answer of a function in `primitives`."""
    parent, name, i = site.place
    if path != "autograd/primitives.py":
        return _is_row(parent) and (name, i) == ("args", 1)
    if not isinstance(parent, ast.Return):
        return False
    function = next(node for node in reversed(site.above) if isinstance(node, ast.FunctionDef))
    return parent is min((node for node in ast.walk(function) if isinstance(node, ast.Return)), key=lambda x: x.lineno)


def _is_row(node: Any) -> bool:
    return isinstance(node, ast.Call) and _names(node.func) == "_row"


def _wrong_derivatives(partial: Any) -> Iterator[tuple[str, Any]]:
    yield "partial", ast.BinOp(partial, ast.Add(), ast.Constant(1e-3))
    if not (isinstance(partial, ast.Constant) and partial.value == 0.0):
        yield "partial", ast.UnaryOp(ast.USub(), partial)
        yield "partial", ast.BinOp(partial, ast.Mult(), ast.Constant(1.001))
        yield "partial", ast.Constant(0.0)


def _wrong_evaluations(computed: Any) -> Iterator[tuple[str, Any]]:
    """What a row computes, or a ufunc that computes it, wrong by its sign or by a little."""
    is_function = isinstance(computed, (ast.Name, ast.Attribute)) and _names(computed) != "x"
    for text in ("-x", "x + 1e-13"):
        wrong = ast.parse(f"lambda *operands: {text}" if is_function else text, mode="eval").body
        answer = ast.Call(computed, [ast.Starred(ast.Name("operands", ast.Load()), ast.Load())], [])
        yield "row", _Put(answer if is_function else computed).visit(wrong)


class _Put(ast.NodeTransformer):
    """Puts an expression in place of the name x."""

    def __init__(self, expression: Any) -> None:
        self.expression = expression

    def visit_Name(self, node: ast.Name) -> Any:
        return self.expression if node.id == "x" else node


def _wrong_statements(site: _Site) -> Iterator[tuple[str, Any]]:
    node = site.node
    if isinstance(node, ast.AugAssign):
        load = ast.parse(ast.unparse(node.target), mode="eval").body
        yield "accumulation", ast.Assign([node.target], node.value)
        yield "accumulation", ast.AugAssign(node.target, OTHER[type(node.op)](), node.value)
        yield "accumulation", ast.Expr(load)
    elif isinstance(node, ast.Return) and node.value is not None and _is_worth_none(node.value):
        yield "return", ast.Return(ast.Constant(None))
    elif _can_go(site):
        yield "statement", ast.Pass()


def _is_worth_none(value: ast.expr) -> bool:
    return not isinstance(value, ast.Constant) and ast.unparse(value) != "None"


def _can_go(site: _Site) -> bool:
    """Calls, checks, jumps, and assignments to what is there already."""
    node = site.node
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    if isinstance(node, ast.Assign):
        return site.function is not None and all(_is_set_before(target, site) for target in node.targets)
    return isinstance(node, (ast.Raise, ast.Continue, ast.Break, ast.Delete))


def _is_set_before(target: ast.expr, site: _Site) -> bool:
    if isinstance(target, (ast.Attribute, ast.Subscript)):
        return True
    body = next(node for node in reversed(site.above) if isinstance(node, (ast.FunctionDef, ast.Lambda)))
    names = {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
    before = {
        name
        for node in ast.walk(body)
        if getattr(node, "lineno", site.node.lineno) < site.node.lineno
        for name in (getattr(node, "arg", None), node.id if _is_stored(node) else None)
    }
    return names <= before


def _is_stored(node: Any) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _wrong_expressions(site: _Site) -> Iterator[tuple[str, Any]]:
    node = site.node
    if isinstance(node, ast.BinOp) and not _is_text(node.left) and not _is_text(node.right):
        kind = "sign" if isinstance(node.op, (ast.Add, ast.Sub)) else "operator"
        yield kind, ast.BinOp(node.left, OTHER[type(node.op)](), node.right)
    elif isinstance(node, ast.UnaryOp):
        yield "sign" if isinstance(node.op, ast.USub) else "not", node.operand
    elif isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            ops = [*node.ops[:i], OTHER[type(op)](), *node.ops[i + 1 :]]
            yield "comparison", ast.Compare(node.left, ops, node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield "and, or", ast.BoolOp(OTHER[type(node.op)](), node.values)
    elif isinstance(node, ast.IfExp):
        yield "branch", node.body
        yield "branch", node.orelse
    elif isinstance(node, ast.Constant):
        yield from _wrong_constants(node)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in TWINS:
            yield "call", ast.Call(ast.Name(TWINS[node.func.id], ast.Load()), node.args, node.keywords)
        elif node.func.id in CAN_GO and len(node.args) == 1 and not node.keywords:
            yield "call", node.args[0]
    parent, name, _ = site.place
    if isinstance(parent, (ast.If, ast.While, ast.comprehension)) and name in ("test", "ifs"):
        if not isinstance(parent, ast.While):
            yield "branch", ast.Constant(True)
        yield "branch", ast.Constant(False)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _wrong_constants(node: ast.Constant) -> Iterator[tuple[str, Any]]:
    if isinstance(node.value, bool):
        yield "constant", ast.Constant(not node.value)
    elif isinstance(node.value, (int, float)):
        yield "constant", ast.Constant(node.value + 1 if abs(node.value) < 1e6 else node.value * 2)


def _wrong_texts(node: ast.Constant) -> Iterator[tuple[str, Any]]:
    for old, new in TEXTS:
        pieces = node.value.split(old)
        for i in range(1, len(pieces)):
            before = old.join(pieces[:i])
            if "#" not in before.rpartition("\n")[2]:  # which begins a comment
                yield "text", ast.Constant(before + new + old.join(pieces[i:]))


# ---- How faults are written


def _described(site: _Site, new: Any) -> tuple[str, str]:
    """The line before and after: the node, with as much around it as makes it plain."""
    shown, *outer = reversed([*site.above, site.node])
    for node in outer:
        if len(ast.unparse(shown)) > 25 or isinstance(shown, ast.stmt) or not _is_small(node):
            break
        shown = node
    if shown is site.node:
        return _one_line(shown), _one_line(new)
    before = _one_line(shown)
    old = _exchange(site.place, new)
    try:
        return before, _one_line(shown)
    finally:
        _exchange(site.place, old)


def _is_small(node: ast.AST) -> bool:
    """Whether it is an expression, or a statement without others inside, of one short line."""
    return isinstance(node, (ast.expr, ast.stmt)) and not hasattr(node, "body") and len(ast.unparse(node)) < 120


def _one_line(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())
