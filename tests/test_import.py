"""What `import autograd` imports, what it leaves for later, and that anything can come first."""

from __future__ import annotations

import ast
import builtins
import pkgutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

import autograd
import nn

LATER = {name: room for room, names in autograd._ROOMS.items() for name in names}
MODULES = [
    m.name for package in (autograd, nn) for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
]

USES = {
    "CompiledFunction": "CompiledFunction(lambda row: row * w, [w])([3.0]) == 6.0",
    "Derivation": "Derivation.__module__ == 'autograd.derivation.data'",
    "Picture": "Picture.__module__ == 'autograd.picture.draw'",
    "Program": "Program.__module__ == 'autograd.program.program'",
    "Quiz": "Quiz.__module__ == 'autograd.derivation.quiz'",
    "check_gradients": "check_gradients(y, [w])",
    "compile": "compile(y, [w]).value([3.0]) == 9.0",
    "draw": "'<b>w</b>' in draw(y).source",
    "explain": "explain(y, w).number == 4.0",
    "formula": "str(formula(y)) == 'w^2'",
    "gradcheck": "gradcheck(lambda x: x * x, 3.0)",
    "origin_of_nonfinite": "origin_of_nonfinite(y) is None",
    "why_zero": "why_zero(w * 0.0, w) == ['w * 0 multiplies by 0, which is 0']",
}
"""Something true that uses each name that is imported later."""


def first(package: str, statements: dict[str, str]) -> dict[str, str]:
    """What fails, and how, when each of these runs in a process that has imported the package, and nothing after it."""
    program = f"""
import os, traceback, {package}
for name, statement in {statements!r}.items():
    read, write = os.pipe()
    if not (child := os.fork()):
        try:
            exec(statement, {{}})
        except BaseException:
            os.write(write, traceback.format_exc().encode()[-4000:])
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    if error := os.read(read, 4000).decode():
        print(name, error)
    os.close(read)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=300)
    return done.stdout + done.stderr


needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="a fork is the fastest fresh process")


@needs_fork
def test_each_name_can_come_first():
    """In a process of its own, each is used before anything else that is imported later."""
    assert USES.keys() == LATER.keys()
    start = "from autograd import Value, {}; w = Value(2.0, 'w'); y = w * w; assert {}"
    assert first("autograd", {name: start.format(name, use) for name, use in USES.items()}) == ""


@pytest.mark.slow
@needs_fork
def test_each_module_can_come_first():
    """There is no circle that only works from one end."""
    others = "numpy, graphviz, hypothesis, latex2mathml.converter, tqdm"
    assert first(others, {name: f"import {name}" for name in MODULES if not name.endswith("__main__")}) == ""


def test_import_autograd_imports_the_engine_alone():
    """No package but NumPy, and nothing that NumPy imports later; none of the rooms."""
    program = f"""
import sys, numpy
before = set(sys.modules)
import autograd
new = {{name for name in set(sys.modules) - before if name.partition(".")[0] not in sys.stdlib_module_names}}
assert new <= {set(MODULES) | {"autograd"}!r} | {{"org"}}, new
assert not new & {{f"autograd.{{room}}" for room in autograd._ROOMS}}, new
assert not {{"email", "json", "socket", "urllib", "xml"}} & (set(sys.modules) - before)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_type_checkers_see_what_is_imported_later():
    """The imports for them name the same modules."""
    (block,) = (
        node
        for node in ast.parse(Path(autograd.__file__).read_text()).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {alias.name: node.module for node in block.body for alias in node.names}  # type: ignore[attr-defined]
    assert seen == LATER


def test_every_name_is_listed():
    """Public names are in `dir` and in ``__all__``, but for those of builtins, which a star would replace."""
    names = {name for name in dir(autograd) if not name.startswith("_")} - {"Any", "TYPE_CHECKING", "ABS", "POW"}
    assert LATER.keys() <= names
    public = {name for name in names if not isinstance(getattr(autograd, name), ModuleType)}
    assert set(autograd.__all__) == public - vars(builtins).keys()
    star: dict = {}
    exec("from autograd import *", star)
    assert star.keys() - {"__builtins__"} == {*autograd.__all__}


def test_no_function_hides_a_module():
    """What a name of the package means does not depend on what was imported before."""
    modules = {module.name for module in pkgutil.iter_modules(autograd.__path__)}
    assert not modules & {*autograd.__all__, "abs", "compile", "pow"}


def test_a_room_is_an_attribute():
    """``autograd.check``, without an import of its own."""
    assert [autograd.__getattr__(room).__name__ for room in autograd._ROOMS] == [
        f"autograd.{x}" for x in autograd._ROOMS
    ]
    program = "import autograd; print(autograd.check.__name__, autograd.derivation.__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "autograd.check autograd.derivation\n"


def test_a_typo_is_an_attribute_error():
    """As of any module."""
    with pytest.raises(AttributeError, match=r"^module 'autograd' has no attribute 'explian'$"):
        autograd.explian  # noqa: B018
    with pytest.raises(ImportError, match=r"^cannot import name 'explian' from 'autograd' "):
        from autograd import explian  # noqa: F401


def test_version_is_that_of_the_distribution():
    """Whoever has changed it installs again, for the metadata."""
    assert autograd.__version__ == version("scalar-autograd")
