"""The objects that may hold parameters: their kinds, their parts, and parameters made of the numbers in them."""

from __future__ import annotations

import types
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, MappingView, Set
from dataclasses import is_dataclass
from decimal import Decimal
from functools import lru_cache
from numbers import Number, Real
from typing import Any

import numpy as np

from autograd import Value
from autograd.arrays import as_real_array

ATOM, NUMBER, VALUE, HOLDER, SEQUENCE, MAPPING, ARRAY, RECORD, NUMBERS, OBJECT = range(10)
"""The kinds.  Atoms hold nothing.  A walk looks for parameters in the kinds from HOLDER to RECORD."""
PLAIN = {ATOM, NUMBER, NUMBERS}
_CLASSES: dict[int, Any] = {
    ATOM: (type(None), type, np.timedelta64, types.ModuleType, types.FunctionType),
    NUMBER: (Real, Decimal, np.number, np.bool_), VALUE: Value, SEQUENCE: (list, tuple, deque), MAPPING: dict,
    ARRAY: np.ndarray, NUMBERS: (str, bytes, bytearray, Number, range, array, memoryview),
}  # fmt: skip

MEMORY = "_parameter_places"
"""The attribute of a holder in which `nn.places` keeps what it remembers."""


def kind_of(item: Any) -> int:
    """The kind of an object.

    >>> kind_of([1.0]) == SEQUENCE, kind_of(1.0) == NUMBER, kind_of(print) == OBJECT
    (True, True, True)
    """
    cls: Any = type(item)
    return _kind_of_class(cls)


def kinds_of(items: Iterable[Any]) -> set[int]:
    """The kinds among `items`.

    >>> kinds_of([1.0, 2, 3.0]) == {NUMBER}
    True
    """
    return set(map(_kind_of_class, set(map(type, items))))


@lru_cache(maxsize=1024)
def _kind_of_class(cls: Any) -> int:
    if any(MEMORY in vars(base) for base in cls.__mro__):
        return HOLDER
    for kind, classes in _CLASSES.items():
        if issubclass(cls, classes):
            return kind
    packages = {base.__module__.partition(".")[0] for base in cls.__mro__}
    if not packages.isdisjoint(("autograd", "nn", "logging")):  # such as an optimizer
        return ATOM
    return RECORD if is_dataclass(cls) else OBJECT


def rooms(thing: Any) -> Iterator[tuple[Any, list[tuple[Any, Any]]]]:
    """(item, pairs) for a container, or for the attributes of an object: `pairs` are the keys in `item`, with parts.

    No property is asked.

    >>> list(rooms([3.0, 4.0]))
    [([3.0, 4.0], [(0, 3.0), (1, 4.0)])]
    """
    if isinstance(thing, (list, tuple, deque, Set)):
        yield thing, list(enumerate(thing))
    elif isinstance(thing, (dict, types.MappingProxyType)):
        yield thing, list(thing.items())
    elif isinstance(thing, np.ndarray) and thing.dtype.hasobject:
        yield thing, list(np.ndenumerate(np.asarray(thing)))
    elif isinstance(thing, np.void) or _dtype_kind(thing) == "O":
        yield None, list(enumerate(np.asarray(thing).ravel().tolist()))  # such as a column of pandas
    elif hasattr(type(thing), "__array__") and hasattr(type(thing), "items") and thing.ndim == 2:
        yield None, list(thing.items())  # its columns
    elif isinstance(thing, (types.MethodType, types.BuiltinMethodType)):
        yield None, [("__self__", thing.__self__)]
    cls: Any = type(thing)
    if cls.__dictoffset__:
        attributes = object.__getattribute__(thing, "__dict__")
        yield attributes, [(name, part) for name, part in attributes.items() if name != MEMORY]
    if names := _slots(cls):
        slots = _Slots(thing)
        yield slots, [(name, slots[name]) for name in names]


class _Slots:
    """The slots of an object, by name; None if one is empty."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __getitem__(self, name: str) -> Any:
        try:
            return object.__getattribute__(self.thing, name)
        except AttributeError:
            return None

    def __setitem__(self, name: str, part: Any) -> None:
        object.__setattr__(self.thing, name, part)  # of a frozen dataclass, too


@lru_cache(maxsize=1024)
def _slots(cls: Any) -> list[str]:
    bases = [vars(base) for base in reversed(cls.__mro__) if "__slots__" in vars(base)]
    return [name for base in bases for name, slot in base.items() if isinstance(slot, types.MemberDescriptorType)]


def _dtype_kind(thing: Any) -> str:
    """The kind of the dtype of an array or of a column of pandas; "" for anything else."""
    return getattr(getattr(thing, "dtype", None), "kind", "") if hasattr(type(thing), "__array__") else ""


def within(place: str, key: Any) -> str:
    """The place of a part.

    >>> within("layers", 0), within("table", (0, 1)), within("", "w")
    ('layers.0', 'table.0.1', 'w')
    """
    if type(key) is tuple and all(isinstance(i, int) for i in key):  # of an array
        return ".".join((place, *map(str, key)))
    key = key.label or "?" if isinstance(key, Value) else key
    return f"{place}.{key}" if place else str(key)


def array_of(parts: list[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """An array of objects.

    >>> array_of([1.0, "a"], (2, 1)).shape
    (2, 1)
    """
    found = np.empty(len(parts), dtype=object)
    found[:] = parts
    return found.reshape(shape)


def parameters_of(place: str, thing: Any, nested: bool) -> Any:
    """Parameters in place of the numbers in `thing`, as a list of lists if `nested`; `thing` itself if it has none.

    If something that should be a number is not, a TypeError names its `place`.

    >>> parameters_of("w", (1, 2.5), nested=False)
    (Value(data=1.0, grad=0.0), Value(data=2.5, grad=0.0))
    """
    kind = kind_of(thing)
    if isinstance(thing, (Iterator, MappingView, Set)):
        raise TypeError(f"{place} is a {type(thing).__name__}, where parameters were; hold them in a list")
    if kind == NUMBER or isinstance(thing, (str, bytes, complex)):
        try:
            return Value(thing)
        except (TypeError, OverflowError) as error:
            raise type(error)(f"{place}, where a parameter was: {error}") from None
    if kind == OBJECT and _dtype_kind(thing) not in [*"iufb"]:
        return thing
    numbers = as_real_array(place, thing)
    made = array_of(list(map(Value, numbers.ravel().tolist())), numbers.shape)
    if kind == ARRAY and not (nested and made.ndim > 1):
        return made if made.ndim else made.item()
    return type(thing)(made.tolist()) if type(thing) in (tuple, deque) else made.tolist()
