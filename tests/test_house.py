"""The plan of the house: imports point one way, from room to room, also those for types and those inside functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ROOMS = """
    primitives conversions
    ops recording watching collector installation
    refusing
    generated arrays numpy_protocol
    graph
    derivatives micrograd
    copying
    value
    nodes assigning functions functional derivation
    picture program
    check strategies generator
"""
"""What may import what in `autograd`: a line imports from itself and from the lines above."""

DERIVATION = "notation ways; formula quiz; diagnose data; pages; questions; routes"
"""The same inside of `derivation`."""

WHEN_CALLED = {
    ("autograd.derivation.data", "autograd.derivation.pages"),  # Derivation.to_html and its like
    ("autograd.derivation.data", "autograd.derivation.questions"),  # Derivation.quiz
}
"""Methods that import the page they print when they are called: the only arrows that may point back."""


def sources() -> dict[str, str]:
    """The text of every module, by its name."""
    found = {}
    for package in ("autograd", "nn"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = path.read_text(encoding="utf-8")
    return found


def imports(texts: Mapping[str, str]) -> dict[str, set[str]]:
    """The modules among `texts` that each imports anywhere in its text."""
    return {name: set(_imported(name, texts)) - {name} for name in texts}


def _imported(name: str, texts: Mapping[str, str]) -> Iterator[str]:
    is_package = any(other.startswith(f"{name}.") for other in texts)
    package = name.split(".") if is_package else name.split(".")[:-1]
    for node in ast.walk(ast.parse(texts[name])):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in texts)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inside = f"{base}.{alias.name}"
                if inside in texts or base in texts:
                    yield inside if inside in texts else base


def circle(arrows: Mapping[str, set[str]]) -> list[str]:
    """The names of a circle, each imported by the one before it; an empty list if there is none."""
    kept = {name: {x for x in found if (name, x) not in WHEN_CALLED} for name, found in arrows.items()}
    try:
        TopologicalSorter(kept).prepare()
    except CycleError as error:
        names: list[str] = error.args[1]
        return names[::-1]
    return []


def places() -> dict[str, int]:
    """The place of each room, from the bottom of the house; `autograd` itself and `nn` are at its top."""
    rooms = [[f"autograd.{room}" for room in line.split()] for line in ROOMS.strip().splitlines()]
    return {room: place for place, line in enumerate([*rooms, ["autograd"], ["nn"]]) for room in line}


def backwards(arrows: Mapping[str, set[str]]) -> list[str]:
    """The imports that lead up in the house, and those inside of `derivation`."""
    place = places()
    stairs = {
        f"autograd.derivation.{name}": step for step, line in enumerate(DERIVATION.split(";")) for name in line.split()
    }
    found = []
    for name, imported in arrows.items():
        for x in sorted(imported):
            up = place[_room(x)] > place[_room(name)] or stairs.get(x, 0) > stairs.get(name, len(stairs))
            if up and (name, x) not in WHEN_CALLED:
                found.append(f"{name} imports {x}")
    return found


def _room(name: str) -> str:
    """autograd.derivation.data is in autograd.derivation, nn.layers in nn."""
    return "nn" if name.startswith("nn") else ".".join(name.split(".")[:2])


@pytest.mark.parametrize("package", ["autograd", "nn"])
def test_no_module_imports_itself_by_way_of_others(package: str):
    texts = {name: text for name, text in sources().items() if name.split(".")[0] == package}
    assert circle(imports(texts)) == []


def test_every_module_is_in_a_room_of_the_plan():
    place = places()
    assert [name for name in sources() if _room(name) not in place] == [], "say in ROOMS where it is"
    inside = {name.rpartition(".")[2] for name in sources() if name.startswith("autograd.derivation.")}
    assert inside == set(DERIVATION.replace(";", " ").split())


def test_imports_lead_down():
    assert backwards(imports(sources())) == []


def test_methods_import_their_pages_when_they_are_called():
    """Each exception is one: it is inside of a function, and needed."""
    texts = sources()
    for name, x in WHEN_CALLED:
        above = ast.Module([node for node in ast.parse(texts[name]).body if not isinstance(node, ast.ClassDef)], [])
        assert x in _imported(name, texts) and x not in _imported(name, {**texts, name: ast.unparse(above)})


CIRCLES = {
    "plain": {"a": "from . import b", "a.b": "import a.c", "a.c": "from .b import x"},
    "for types": {"a": "", "a.b": "if TYPE_CHECKING:\n    from .c import x", "a.c": "from . import b"},
    "when called": {"a": "", "a.b": "def f():\n    from a.c import x", "a.c": "from a.b import f"},
    "of three": {"a": "", "a.b": "from .c.d import x", "a.c": "", "a.c.d": "from ..e import x", "a.e": "import a.b"},
}


@pytest.mark.parametrize("kind", CIRCLES)
def test_a_circle_is_found_and_named(kind: str):
    """A negative control."""
    found = circle(imports(CIRCLES[kind]))
    assert found[0] == found[-1] and set(found) == {*CIRCLES[kind]} - {"a", "a.c" if kind == "of three" else ""}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("autograd.ops", "from .value import Value"),
        ("autograd.value", "def f():\n    from .derivation.data import Derivation"),
        ("autograd.derivation.notation", "from .formula import Formula"),
        ("autograd.program.code", "import autograd.check.oracles"),
        ("autograd.graph", "import autograd"),
        ("autograd.check.entry", "if TYPE_CHECKING:\n    from nn.layers import Layer"),
    ],
)
def test_an_import_that_leads_up_is_found(name: str, line: str):
    """A negative control."""
    texts = sources()
    texts[name] += f"\n{line}\n"
    assert any(found.startswith(f"{name} imports ") for found in backwards(imports(texts)))
