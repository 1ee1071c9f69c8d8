"""The things that a function reads from outside, and whether they have changed."""

from __future__ import annotations

import dis
import random
import sys
import sysconfig
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, lru_cache, partial
from itertools import chain
from numbers import Number
from operator import is_
from types import BuiltinMethodType, CellType, CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from ..value import Value

MOST, LARGEST = 256, 1024
"""At most so many things are watched, the nearest ones; an array only up to so many elements."""

_MISSING = object()
_PLAIN = (Number, str, bytes, np.generic, type(None))
_CONTAINERS = (list, tuple, set, frozenset, deque, dict)
_LEADS_TO: dict[type, tuple[str, ...]] = {
    MethodType: ("__func__", "__self__"), BuiltinMethodType: ("__self__",), partial: ("func", "args", "keywords"),
    staticmethod: ("__func__",), classmethod: ("__func__",), property: ("fget",), cached_property: ("func",),
}  # fmt: skip
_STANDARD = sysconfig.get_paths()["stdlib"]
_GENERATORS = (random.Random, np.random.Generator, np.random.RandomState, np.random.BitGenerator)


class Outside:
    """What the names in a function are bound to outside of it, now.

    These are its closure, its defaults, and the globals that its code names; the attributes that its code names, of
    objects and modules among these; the items of containers; and the same for every function, method, partial and
    callable object found on the way.  Installed packages, `autograd` and `nn` count as constant.

    >>> scale = [2.0]
    >>> def function(x):
    ...     return scale[0] * x
    >>> outside = Outside(function)
    >>> outside.is_same()
    True
    >>> scale[0] = 3.0
    >>> outside.is_same()
    False
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._names: list[tuple[Callable[[], Any], Any]] = []
        self._containers: list[tuple[Any, list[Any]]] = []
        self._arrays: list[tuple[Any, bytes]] = []
        self._generators = [random.getstate.__self__, np.random.get_state.__self__]  # type: ignore[attr-defined]
        self._left = MOST
        self._explore(function)

    def is_same(self) -> bool:
        """Whether every name is bound to the same object as before, or to an equal number or string."""
        # This runs in every call of a compiled function, so it compares identities first.
        for read, seen in self._names:
            now = read()
            if now is not seen and not _are_alike(now, seen):
                return False
        for container, items in self._containers:
            if len(container) != len(items):
                return False
            if not all(map(is_, container, items)) and not all(map(_are_alike, container, items)):
                return False
        return all(array.tobytes() == content for array, content in self._arrays)

    def random_state(self) -> list[str]:
        """The states of the random generators that were found, and of the global ones, for comparison."""
        return [_state(generator) for generator in self._generators]

    # ---- The search, nearest things first ----

    def _explore(self, function: Callable[..., Any]) -> None:
        met: dict[int, Any] = {}
        names: set[str] = set()
        owners: list[_Owner] = []
        waiting = deque([function])
        while waiting and self._left:
            thing = waiting.popleft()
            if id(thing) not in met and not isinstance(thing, (Value, *_PLAIN)):
                met[id(thing)] = thing
                if isinstance(thing, _CONTAINERS):
                    waiting += self._of_container(thing)
                elif isinstance(thing, np.ndarray):
                    waiting += self._of_array(thing)
                elif isinstance(thing, _GENERATORS):
                    self._generators.append(thing)
                else:
                    owners.append(_Owner(thing))
                    waiting += owners[-1].parts
                if isinstance(thing, FunctionType) and (thing is function or not _is_library(thing.__module__)):
                    names |= _names_of(thing.__code__).attributes
                    waiting += self._of_function(thing)
            if not waiting:
                waiting += [self._watch(read) for owner in owners for read in owner.attributes(names)]

    def _of_function(self, function: FunctionType) -> list[Any]:
        known, names = function.__globals__, _names_of(function.__code__)
        reads = [partial(known.get, name, _MISSING) for name in names.globals if name in known]
        reads += [partial(_content, cell) for cell in function.__closure__ or ()]
        given = [name for name in ("__defaults__", "__kwdefaults__") if getattr(function, name)]
        reads += [partial(getattr, function, name) for name in given]
        return [*map(self._watch, reads), *(sys.modules[name] for name in names.modules if name in sys.modules)]

    def _of_container(self, container: Any) -> Iterable[Any]:
        views = (container, container.values()) if isinstance(container, dict) else (container,)
        if not self._spend(len(container) * len(views)):
            return ()
        found = [(view, list(view)) for view in views]
        self._containers += found
        return chain.from_iterable(items for _, items in found)

    def _of_array(self, array: Any) -> Iterable[Any]:
        if array.dtype == object:
            return self._of_container(array.reshape(-1)) if array.flags.c_contiguous else ()
        if array.size <= LARGEST and self._spend(1):
            self._arrays.append((array, array.tobytes()))
        return ()

    def _watch(self, read: Callable[[], Any]) -> Any:
        """The thing that `read` returns now."""
        found = read()
        if not isinstance(found, ModuleType) and self._spend(1):
            self._names.append((read, found))
        return found

    def _spend(self, count: int) -> bool:
        """Whether so many more things may be watched; if so, they are counted."""
        if count > self._left:
            return False
        self._left -= count
        return True


class _Owner:
    """Something with attributes, or with a function in it: an object, a class, a module, a method, a partial."""

    def __init__(self, thing: Any) -> None:
        kind = thing if isinstance(thing, type) else type(thing)
        own = [vars(thing)] if kind is not thing and hasattr(thing, "__dict__") else []
        classes = [vars(base) for base in kind.__mro__ if not _is_library(base.__module__)]
        if isinstance(thing, ModuleType) and _is_library(thing.__name__):
            own = []
        self._thing, self._met = thing, set[str]()
        self._scopes: list[Mapping[str, Any]] = [*own, *classes]
        # Operators call their methods without naming them.
        operators = [x for scope in classes for name, x in scope.items() if name.startswith("__")]
        self.parts = [
            *[getattr(thing, name) for name in _LEADS_TO.get(kind, ())],
            *[scope["__wrapped__"] for scope in own if "__wrapped__" in scope],
            *[x for x in operators if isinstance(x, FunctionType)],
        ]

    def attributes(self, names: set[str]) -> list[Callable[[], Any]]:
        """Functions that read the attributes in `names` that it has, except those already asked for.

        A name is also read where it is missing now but would come first, as in an instance before its class.
        """
        found: list[Callable[[], Any]] = []
        for name in sorted(names - self._met):
            place = next((i for i, scope in enumerate(self._scopes) if name in scope), None)
            if place is not None:
                self._met.add(name)
                found += [partial(scope.get, name, _MISSING) for scope in self._scopes[: place + 1]]
                if isinstance(self._scopes[place][name], MemberDescriptorType):  # a slot
                    found.append(partial(getattr, self._thing, name, _MISSING))
        return found


class _Names(NamedTuple):
    """The names in the code of a function and of the functions in it."""

    globals: list[str]
    attributes: set[str]
    modules: list[str]


@lru_cache(maxsize=1024)
def _names_of(code: CodeType) -> _Names:
    found = _Names([], set(), [])
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            found.globals.append(instruction.argval)
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "IMPORT_FROM"):
            found.attributes.add(instruction.argval)
        elif instruction.opname == "IMPORT_NAME":
            found.modules.append(instruction.argval)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            names = _names_of(inner)
            found.globals.extend(names.globals)
            found.attributes.update(names.attributes)
            found.modules.extend(names.modules)
    return found._replace(globals=[*dict.fromkeys(found.globals)])


@lru_cache(maxsize=1024)
def _is_library(module: str | None) -> bool:
    """Whether a module belongs to Python, to an installed package, or to this one."""
    if not module or module == "__main__" or module not in sys.modules:
        return False
    file, package = getattr(sys.modules[module], "__file__", None), module.partition(".")[0]
    if file is None or package in ("autograd", "nn"):
        return file is not None or package in sys.stdlib_module_names
    return "site-packages" in file or "dist-packages" in file or file.startswith(_STANDARD)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return _MISSING


def _are_alike(now: Any, seen: Any) -> bool:
    """Whether these are one object, or equal numbers or strings.  NaN equals NaN; 0.0 and -0.0, 1 and 1.0 differ."""
    return now is seen or (type(now) is type(seen) and isinstance(now, _PLAIN) and repr(now) == repr(seen))


def _state(generator: Any) -> str:
    if isinstance(generator, random.SystemRandom):
        return ""
    if isinstance(generator, random.Random):
        return repr(generator.getstate())
    if isinstance(generator, np.random.RandomState):
        return repr(generator.get_state())
    return repr(getattr(generator, "bit_generator", generator).state)
