"""`nn` uses of `autograd` what its users may use, too: names without a leading underscore."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import autograd
import nn

FILES = sorted(Path(nn.__file__).parent.glob("*.py"))
PUBLIC = {*autograd.__all__, "abs", "pow", "compile", "__version__"}


def foreign_names(text):
    """The underscored names that a module imports or reads of objects that are not its own; what it should not."""
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    own = {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    own |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    own |= {node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            yield from (name.name for name in node.names if is_private(name.name))
            if node.module == "autograd":
                yield from (name.name for name in node.names if name.name not in PUBLIC)
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
            yield node.attr


def is_private(name):
    return name.startswith("_") and not name.endswith("__")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_public_names_are_used(path):
    """Of the package itself only what it exports, of its rooms only what they name without an underscore."""
    assert list(foreign_names(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "text",
    ["from autograd.value import _new_node", "from autograd import leaf", "x._number", "from .places import _memory"],
)
def test_private_names_are_noticed(text):
    """A control: each of these is one."""
    assert len(list(foreign_names(text))) == 1


def test_pictures_know_no_layers():
    """They are given plain data."""
    text = (Path(nn.__file__).parent / "draw.py").read_text(encoding="utf-8")
    modules = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    assert not {"layers", "module", "places"} & modules
