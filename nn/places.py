"""Where the parameters of a module are: how they are found, what becomes one, and which were replaced.

A `Holder`, such as every `nn.Module`, remembers what it last had in each place: a parameter, or another holder.  What
stands there later is an update of the parameter (``w[0] -= 0.1``), its new number, another parameter, or state.
"""

from __future__ import annotations

import copy
import types
from array import array
from collections import deque
from collections.abc import Callable, Collection, Container, Iterable, Iterator, MappingView
from dataclasses import is_dataclass
from decimal import Decimal
from functools import lru_cache, wraps
from itertools import chain, repeat
from numbers import Number, Real
from operator import attrgetter, getitem, is_
from typing import Any
from weakref import ref

import numpy as np

from autograd import Value
from autograd.arrays import as_real_array
from autograd.graph import Slope
from autograd.value import Held


class Holder:
    """What holds parameters in its attributes, and remembers where.

    >>> holder = Holder()
    >>> holder.w = [Value(2.0)]
    >>> holder.w[0] *= 0.5
    >>> parameters_of(holder)
    [('w.0', Value(data=1.0, grad=0.0, label='w.0'))]
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = _seen_afterwards(cls.__init__)  # type: ignore[misc]  # the same, for its users

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        _Walk(self, {name})


def _seen_afterwards(init: Callable[..., None]) -> Callable[..., None]:
    """`init`, after which the holder has seen what was put in its lists and dicts."""

    @wraps(init)
    def initialize(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if type(self).__init__ is initialize:
            _Walk(self, {name for name, part in vars(self).items() if _kind(part) >= VALUE}, deep=False)

    return initialize


def entries_of(holder: Holder) -> list[tuple[str, Any]]:
    """(name, entry) for each way to parameters: one, or for a sequence or array of nothing else, an array of them.

    Errors and effects as for `parameters_of`.

    >>> holder = Holder()
    >>> holder.w, holder.b = [Value(2.0)], Value(3.0)
    >>> [name for name, _ in entries_of(holder)]
    ['w', 'b']
    """
    return _Walk(holder).entries


def parameters_of(holder: Holder) -> list[tuple[str, Value]]:
    """(name, parameter) for each parameter, once; the names become the labels.

    Numbers in the places of parameters become parameters, and so do the parameters' updates.  Parameters that others
    have replaced are marked as such (`autograd.value.Held`).  A TypeError, with the way to it, for a set or an object
    that holds parameters.

    >>> holder = Holder()
    >>> holder.b = Value(2.0)
    >>> holder.b = 3
    >>> parameters_of(holder)
    [('b', Value(data=3.0, grad=0.0, label='b'))]
    """
    return [(name, parameter) for parameter, name in _Walk(holder).names.items()]


def lost_places(holder: Holder) -> list[str]:
    """The places of parameters in which something computed stands that no parameter of `holder` leads to.

    >>> holder = Holder()
    >>> holder.w = Value(2.0)
    >>> holder.w = holder.w * Value(0.5)
    >>> lost_places(holder)
    ['w']
    """
    return _Walk(holder).lost


# ---- What a holder remembers ----


class _Memory:
    """What a holder remembers."""

    def __init__(self, holder: Holder | None = None) -> None:
        self.own: dict[str, dict[str, Any]] = {}
        """For each attribute, the parameter or holder that each place in it had last, though it may be empty now."""
        self.rows: dict[str, Any] = {}
        """By place, the sequences and arrays that hold nothing but parameters."""
        self.parents: dict[int, ref[Holder]] = {}
        """Who holds this holder, by their ids."""
        self.links: list[tuple[Any, int | None, list[Any], list[Any]]] = []
        """Of the last walk from here, the ways to parameters: see `_Box.link`."""
        self.members: set[int] = set()
        """The ids of the holders on that walk."""
        self.belongs_to(holder)

    def belongs_to(self, holder: Holder | None) -> None:
        """Sets the holder; None for a copy, which belongs to nobody yet."""
        self.holder = ref(holder) if holder is not None else None
        owners = (self.holder,) if self.holder else ()
        self.mark, self.lost = _Mark(owners), _Mark(owners, replaced=True)

    def __getstate__(self) -> tuple[Any, ...]:
        return self.holder and self.holder(), self.own, self.rows

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.__init__(state[0])  # type: ignore[misc]  # it has just been made, empty
        _, self.own, self.rows = state
        self.claim(self.things())

    def things(self) -> list[Any]:
        """Everything that it remembers."""
        return [thing for there in self.own.values() for thing in there.values()]

    def above(self) -> list[Holder]:
        """The holders that hold this one and still exist."""
        return [holder for parent in self.parents.values() if (holder := parent()) is not None]

    def remember(self, attribute: str, now: dict[str, Any], keeps: Iterable[str] = ()) -> None:
        """Takes over what an attribute holds now; gives up what has only new things in its place, see `release`.

        What was removed leaves its place as it was.  Some places are remembered as they were (`keeps`).
        """
        before = self.own.get(attribute, {})
        if before.keys() != now.keys() or not all(map(is_, before.values(), now.values())):
            standing, known = set(map(id, now.values())), set(map(id, before.values()))
            gone = {place: thing for place, thing in before.items() if id(thing) not in standing}
            kept: dict[str, bool] = {}  # whether anything in a place, or inside of it, was known
            for place, thing in now.items() if gone else ():
                for way in _ways(place):
                    kept[way] = kept.get(way, False) or id(thing) in known
            for place, thing in gone.items():
                if not next((kept[way] for way in _ways(place) if way in kept), True):
                    self.release(thing)
            self.own[attribute] = {**before, **now, **{place: before[place] for place in keeps if place in before}}

    def release(self, thing: Any) -> None:
        """Marks a parameter, or all of a holder, as replaced, unless others hold it."""
        waiting = [(thing, self.holder)]
        while waiting:
            thing, owner = waiting.pop()
            if isinstance(thing, Value):
                others = tuple(o for o in thing.numbers.owners if o is not owner and o() is not None) if _held(thing) else ()
                thing.numbers = _Mark(others) if others else self.lost
            else:
                memory = _memory(thing)
                if owner is not None:
                    memory.parents.pop(id(owner()), None)
                if not memory.above():
                    waiting += [(part, memory.holder) for part in memory.things()]

    def claim(self, things: Iterable[Any]) -> None:
        """Marks parameters as held, and tells holders who holds them."""
        for thing in things:
            if thing.__class__ is Value and thing.numbers is self.mark:
                continue
            if not isinstance(thing, Value):
                _memory(thing).parents[id(self.holder())] = self.holder  # type: ignore[misc, assignment]  # it has one
            elif thing.numbers is not self.mark:
                owners = tuple(o for o in thing.numbers.owners if o() is not None) if _held(thing) else ()
                if self.holder not in owners:
                    thing.numbers = _Mark((*owners, self.holder)) if owners else self.mark


class _Mark(Held):
    """The mark of the parameters that certain holders hold, or held before others replaced them."""

    def __new__(cls, owners: tuple[ref[Holder], ...] = (), replaced: bool = False) -> _Mark:
        mark = super().__new__(cls)
        mark.owners, mark.replaced = owners, replaced
        return mark

    owners: tuple[ref[Holder], ...]

    @staticmethod
    def look(marks: Iterable[Any]) -> None:
        """See `Held`: asks the outermost holders, where anything on the ways to their parameters has changed."""
        marks = list(marks)
        owners = [holder for mark in marks for owner in mark.owners if (holder := owner()) is not None]
        replaced = any(mark.replaced for mark in marks)
        reached: set[int] = set()
        above = _with_all_above(owners)
        for holder in [h for h in above if not _memory(h).above()] or above:
            reached |= _members(holder, replaced)
        for holder in owners:
            if id(holder) not in reached and _memory(holder).parents:  # it was taken out, and stands alone
                reached |= _members(holder, replaced)


def _held(parameter: Value) -> bool:
    mark = parameter.numbers
    return isinstance(mark, _Mark) and not mark.replaced


def _members(holder: Holder, again: bool) -> set[int]:
    """The ids of the holders that are reached from `holder`, which walks if anything has changed, or `again`."""
    memory = _memory(holder)
    again = again or not memory.members
    try:
        same = not again and all(
            all(map(is_, map(getitem, repeat(item), keys), parts)) and count in (None, len(item))
            for item, count, keys, parts in memory.links
        )
    except (LookupError, AttributeError):
        same = False
    if not same:
        _Walk(holder)
    return memory.members


def _with_all_above(holders: Iterable[Holder]) -> list[Holder]:
    """The holders, and those that hold them, and so on."""
    found = {id(holder): holder for holder in holders}
    waiting = list(found.values())
    while waiting:
        new = [holder for holder in _memory(waiting.pop()).above() if id(holder) not in found]
        found.update((id(holder), holder) for holder in new)
        waiting += new
    return list(found.values())


def _memory(holder: Holder) -> _Memory:
    """The memory of `holder`, in its ``__dict__``; a copy of a holder has a copy of it, from now on its own."""
    memory = holder.__dict__.get(_MEMORY)
    if memory is None or memory.holder is None or memory.holder() is not holder:
        old, memory = memory, _Memory(holder)
        holder.__dict__[_MEMORY] = memory
        if old is not None:
            memory.own, memory.rows = {name: dict(there) for name, there in old.own.items()}, dict(old.rows)
            memory.claim(memory.things())
    return memory  # type: ignore[no-any-return]  # a _Memory


_MEMORY = "_parameter_places"


def _attribute(place: str) -> str:
    """The attribute that a place is in."""
    return place.partition(".")[0]


def _ways(place: str) -> Iterator[str]:
    """The place, and those that it is in, from within."""
    while place:
        yield place
        place = place.rpartition(".")[0]


# ---- How they are found ----

ATOM, NUMBER, VALUE, HOLDER, SEQUENCE, MAPPING, ARRAY, RECORD, NUMBERS, OBJECT = range(10)


def _kind(item: Any) -> int:
    """What `item` is to a walk."""
    cls: Any = type(item)
    return _kind_of(cls)


@lru_cache(maxsize=1024)
def _kind_of(cls: Any) -> int:
    for kind, classes in _KINDS.items():
        if issubclass(cls, classes):
            return kind
    packages = {base.__module__.partition(".")[0] for base in cls.__mro__}
    if not packages.isdisjoint(("autograd", "nn", "logging")):  # such as an optimizer
        return ATOM
    return RECORD if is_dataclass(cls) else OBJECT


_KINDS: dict[int, tuple[type, ...]] = {
    ATOM: (type(None), type, np.timedelta64, types.ModuleType, types.FunctionType),
    NUMBER: (Real, Decimal, np.number, np.bool_),
    VALUE: (Value,),
    HOLDER: (Holder,),
    SEQUENCE: (list, tuple, deque),
    MAPPING: (dict,),
    ARRAY: (np.ndarray,),
    NUMBERS: (str, bytes, bytearray, Number, range, array, memoryview),  # numbers in a way, or by mistake
}


def is_parameter(item: Any) -> bool:
    """Whether `item` is a Value that nothing computed, not even inside `no_grad`.

    >>> is_parameter(Value(2.0)), is_parameter(Value(2.0) * 3.0)
    (True, False)
    """
    return isinstance(item, Value) and not item.numbers


class _Box:
    """A container, or the attributes of an object, and what of it a walk has found."""

    def __init__(self, place: str, thing: Any, item: Any, up: _Box | None, key: Any) -> None:
        self.place, self.thing, self.up, self.key = place, thing, up, key
        self.item = item
        """Where the parts are got and set, by key: of an object, its ``__dict__``."""
        self.keys: list[Any] = []
        self.parts: list[Any] = []
        self.numbers = self.rows = 0
        """How many of the parts are numbers, or sequences of nothing else; and likewise of parameters."""
        self.changes: dict[Any, Any] = {}

    def link(self) -> tuple[Any, int | None, list[Any], list[Any]]:
        """Where parameters were found, to see whether they are still there, and nothing else where others were."""
        if self.item is not self.thing or isinstance(self.item, np.ndarray):  # attributes, or of no other length
            return self.item, None, self.keys, self.parts
        if self.rows == len(self.keys) == len(self.item):
            return self.item, self.rows, self.keys, self.parts
        pairs = next(_rooms(self.thing))[1]
        return self.item, len(pairs), [key for key, _ in pairs], [part for _, part in pairs]

    def is_all(self, count: int) -> bool:
        """Whether `count`, of the parts, are all parts of a sequence or an array."""
        if self.item is not self.thing or _kind(self.thing) not in (SEQUENCE, ARRAY):
            return False
        return 0 < count == (self.thing.size if isinstance(self.thing, np.ndarray) else len(self.thing))


class _Scan:
    """One way through the attributes of a holder, depth first, in order, up to parameters and other holders."""

    def __init__(self, holder: Holder, names: Container[str] | None = None) -> None:
        self.holder, self.memory = holder, _memory(holder)
        self.parts: list[tuple[str, Any]] = []
        """Parameters, arrays of them with the places in these, and holders, by place."""
        self.found: dict[str, dict[str, Any]] = {}
        """For each attribute, the parameters and holders by place."""
        self.loose: list[tuple[str, Any, _Box, Any]] = []
        """Numbers and computed Values in attributes that have held parameters."""
        self.others: list[tuple[str, Any]] = []
        self.boxes: list[_Box] = []
        self._met: set[int] = set()
        self._waiting: list[tuple[str, Any, _Box, Any]] = []
        self._enter("", holder, None, None, names)
        while self._waiting:
            place, thing, box, key = self._waiting.pop()
            kind = _kind(thing)
            if kind == HOLDER or (kind == VALUE and not thing.numbers):
                self._find(place, thing, box, key)
            elif kind in (VALUE, NUMBER, NUMBERS):
                box.numbers += kind == NUMBER
                self._meet(place, thing, box, key)
            elif kind == ARRAY and not thing.dtype.hasobject:
                self._meet(place, thing, box, key)
            elif kind in (SEQUENCE, MAPPING, RECORD) or (kind == ARRAY and thing.dtype == object):
                self._enter(place, thing, box, key)
            elif hasattr(type(thing), "__array__") and _is_numeric(thing):
                self._meet(place, thing, box, key)
            else:
                self.others.append((place, thing))
                self._meet(place, thing, box, key)
        for box in reversed(self.boxes):
            if box.up is not None:
                box.up.numbers += box.is_all(box.numbers)
                box.up.rows += box.is_all(box.rows)
                if box.keys:
                    box.up.keys.append(box.key)
                    box.up.parts.append(box.thing)

    def _find(self, place: str, thing: Any, box: _Box, key: Any) -> None:
        self.parts.append((place, thing))
        self.found.setdefault(_attribute(place), {})[place] = thing
        box.keys.append(key)
        box.parts.append(thing)
        box.rows += isinstance(thing, Value)

    def _meet(self, place: str, thing: Any, box: _Box, key: Any) -> None:
        if self.memory.own.get(_attribute(place)):
            self.loose.append((place, thing, box, key))

    def _enter(self, place: str, thing: Any, up: _Box | None, key: Any, names: Container[str] | None = None) -> None:
        kind = _kind(thing)
        if kind in (SEQUENCE, ARRAY):
            flat = thing.ravel().tolist() if kind == ARRAY else thing
            kinds = set(map(_kind_of, set(map(type, flat))))
            if kinds == {VALUE}:
                computed = sum(map(bool, map(_get_numbers, flat)))
                if not computed:
                    self._find_row(place, thing, list(flat), up, key)
                    return
                if computed == len(flat) and not self.memory.own.get(_attribute(place)):
                    return  # such as a log
            elif kinds == {NUMBER} and up is not None and self.memory.rows.get(place) is not thing:
                up.numbers += 1
                self._meet(place, thing, up, key)
                return
        if id(thing) in self._met:
            return
        self._met.add(id(thing))
        parts = []
        for item, pairs in _rooms(thing):
            box = _Box(place, thing, item, up, key)
            self.boxes.append(box)
            for k, part in pairs:
                if kind == MAPPING and type(k) not in (str, int):
                    self.others.append((f"a key of {place}", k))
                if _kind(part) != ATOM and (names is None or k in names):
                    parts.append((_within(place, k), part, box, k))
        self._waiting += reversed(parts)

    def _find_row(self, place: str, thing: Any, row: list[Value], up: _Box | None, key: Any) -> None:
        box = _Box(place, thing, thing, up, key)
        self.boxes.append(box)
        is_array = isinstance(thing, np.ndarray)
        box.keys = list(np.ndindex(thing.shape)) if is_array else list(range(len(row)))
        box.parts, box.rows = row, len(row)
        names = [_within(place, k) for k in box.keys] if is_array else [f"{place}.{k}" for k in box.keys]
        self.parts.append((place, (_array(row, thing.shape if is_array else (len(row),)), names)))
        self.found.setdefault(_attribute(place), {}).update(zip(names, row))


_get_numbers = attrgetter("numbers")


def _within(place: str, key: Any) -> str:
    """The place of a part."""
    if isinstance(key, tuple) and all(isinstance(i, int) for i in key):  # of an array
        return ".".join((place, *map(str, key)))
    key = key.label or "?" if isinstance(key, Value) else key
    return f"{place}.{key}" if place else str(key)


def _rooms(thing: Any) -> Iterator[tuple[Any, list[tuple[Any, Any]]]]:
    """What is in a container, and in the attributes of an object, of which no property is asked: (where, parts by key)."""
    if isinstance(thing, (list, tuple, deque, set, frozenset)):
        yield thing, list(enumerate(thing))
    elif isinstance(thing, (dict, types.MappingProxyType)):
        yield thing, list(thing.items())
    elif isinstance(thing, np.ndarray) and thing.dtype.hasobject:
        yield thing, list(np.ndenumerate(np.asarray(thing)))
    elif isinstance(thing, (types.MethodType, types.BuiltinMethodType)):
        yield None, [("__self__", thing.__self__)]
    elif isinstance(thing, np.void):
        yield None, list(enumerate(thing.tolist()))
    elif hasattr(type(thing), "__array__") and getattr(thing, "dtype", None) == object:
        yield None, list(enumerate(np.asarray(thing).ravel().tolist()))
    cls: Any = type(thing)
    if cls.__dictoffset__:
        attributes = object.__getattribute__(thing, "__dict__")
        yield attributes, [(name, part) for name, part in attributes.items() if name != _MEMORY]
    if names := _slots(cls):
        slots = _Slots(thing)
        yield slots, [(name, slots[name]) for name in names if name in slots]


class _Slots:
    """The slots of an object, by their names."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __getitem__(self, name: str) -> Any:
        return object.__getattribute__(self.thing, name)

    def __setitem__(self, name: str, part: Any) -> None:
        object.__setattr__(self.thing, name, part)  # of a frozen dataclass, too

    def __contains__(self, name: str) -> bool:
        try:
            self[name]
        except AttributeError:
            return False
        return True


@lru_cache(maxsize=1024)
def _slots(cls: Any) -> tuple[str, ...]:
    """The names of the slots of a class."""
    members = (vars(base).items() for base in reversed(cls.__mro__) if "__slots__" in vars(base))
    return tuple(name for name, slot in chain.from_iterable(members) if isinstance(slot, types.MemberDescriptorType))


def _array(parts: list[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    found = np.empty(len(parts), dtype=object)
    found[:] = parts
    return found.reshape(shape)


class _Walk:
    """What is found from a holder on, and what becomes of what stands in the places of parameters.

    When attributes are set (`names`), these are looked at, and computed Values are left as they are.
    """

    def __init__(self, root: Holder, names: Collection[str] | None = None, deep: bool = True) -> None:
        self.root, self.names_set, self.deep = root, names, deep
        leaves: dict[Value, Value] = {}
        while True:
            self._scan()
            if not any([_Settler(self, scan, leaves).settle() for scan in self._concerned()]):
                break
        self._remember()
        for parameter, label in self.names.items():
            old = parameter.label
            if old != label and (not old or label.endswith(f".{old}")):  # a longer way to the same parameter
                parameter.label = label
        if any(isinstance(item, (set, frozenset)) for scan in self.scans for _, item in scan.others):
            self.names_set = None
            self._scan()
        if self.names_set is None:
            self._refuse()

    def _concerned(self) -> list[_Scan]:
        return self.scans if self.names_set is None else self.scans[:1]

    def _scan(self) -> None:
        self.scans: list[_Scan] = []
        self.entries: list[tuple[str, Any]] = []
        self.names: dict[Value, str] = {}
        met, waiting = set(), [("", "", self.root)]
        while waiting:
            prefix, place, thing = waiting.pop()
            place = prefix + place
            if isinstance(thing, Value):
                self.entries.append((place, thing))
                self.names.setdefault(thing, place)
            elif isinstance(thing, tuple):
                row, names = thing
                self.entries.append((place, row))
                for name, parameter in zip(names, row.flat):
                    if parameter not in self.names:
                        self.names[parameter] = f"{prefix}{name}"
            elif id(thing) not in met and (self.deep or not self.scans):
                met.add(id(thing))
                scan = _Scan(thing, None if self.scans else self.names_set)
                self.scans.append(scan)
                scan.prefix = f"{place}." if place else ""
                waiting += [(scan.prefix, part, x) for part, x in reversed(scan.parts)]

    def _remember(self) -> None:
        self.lost: list[str] = []
        known: set[Value] = set()
        for scan in self._concerned():
            memory, keeps = scan.memory, []
            for place, thing, _, _ in scan.loose:
                there = memory.own[_attribute(place)]
                if _kind(thing) == VALUE and isinstance(there.get(place), Value):
                    now = scan.found.setdefault(_attribute(place), {})
                    if self.names_set is not None:  # it is for the next question
                        now[place] = there[place]
                    elif self._leads_here(thing, known):
                        del there[place]  # from now on it is state
                    else:
                        now[place] = thing
                        keeps.append(place)
                        self.lost.append(scan.prefix + place)
            for attribute in self.names_set or {*memory.own, *scan.found}:
                if attribute in memory.own or attribute in scan.found:
                    memory.remember(attribute, scan.found.get(attribute, {}), keeps)
            for box in scan.boxes:
                if box.is_all(box.rows):
                    memory.rows[box.place] = box.thing
                elif box.keys:
                    memory.rows.pop(box.place, None)
        for scan in self._concerned():
            scan.memory.claim(thing for there in scan.found.values() for thing in there.values() if not _is_computed(thing))
        if self.names_set is None:
            memory = _memory(self.root)
            memory.links = [box.link() for scan in self.scans for box in scan.boxes if box.keys]
            memory.members = {id(scan.holder) for scan in self.scans}

    def _leads_here(self, node: Value, known: set[Value]) -> bool:
        """Whether a parameter that was found is among what `node` was computed from; nothing `known` is."""
        waiting = [node]
        while waiting:
            node = waiting.pop()
            if node in self.names:
                return True
            if node not in known:
                known.add(node)
                waiting += [x for x in node.inputs if isinstance(x, Value)]
        return False

    def _refuse(self) -> None:
        """A TypeError for what no parameters are taken from, and holds some."""
        above: set[int] = set()
        for name, item in ((scan.prefix + place, item) for scan in self.scans for place, item in scan.others):
            above = above or {id(holder) for holder in _with_all_above([self.root])}
            hidden = self._hidden(item, set(above))
            if hidden is not None and isinstance(item, (set, frozenset)):
                raise TypeError(f"{name} is a set; parameters need an order, so hold them in a list")
            if hidden is not None:
                raise TypeError(
                    f"{name} is a {type(item).__name__}, in which parameters are not found, and holds {hidden!r:.60}; "
                    "hold it in a Module, dataclass, list, tuple, dict, deque or object array"
                )

    def _hidden(self, item: Any, met: set[int]) -> Value | None:
        """A parameter inside of `item` that was not found on the way."""
        waiting = [item]
        while waiting:
            item = waiting.pop()
            kind = _kind(item)
            if kind == VALUE and is_parameter(item) and item not in self.names:
                return item  # type: ignore[no-any-return]  # a Value
            if kind > VALUE and kind != NUMBERS and id(item) not in met:
                met.add(id(item))
                waiting += [part for _, pairs in _rooms(item) for pair in pairs for part in pair]
        return None


def _is_computed(thing: Any) -> bool:
    return isinstance(thing, Value) and not is_parameter(thing)


# ---- What becomes a parameter ----


class _Settler:
    """Makes parameters of numbers in their places, and of their updates."""

    def __init__(self, walk: _Walk, scan: _Scan, leaves: dict[Value, Value]) -> None:
        self.walk, self.scan, self.leaves = walk, scan, leaves
        self._around: set[str] | None = None

    def settle(self) -> bool:
        """Does so; whether there were any."""
        for place, thing, box, key in self.scan.loose:
            settled = self._settled(place, thing)
            if settled is not thing:
                box.changes[key] = settled
        changed = [box for box in reversed(self.scan.boxes) if box.changes]
        for box in reversed(self.scan.boxes):  # from within
            if box.changes:
                self._change(box)
        return bool(changed)

    def _change(self, box: _Box) -> None:
        thing, item = box.thing, box.item
        if isinstance(item, tuple):
            made = tuple.__new__(type(item), [box.changes.get(i, part) for i, part in enumerate(item)])
            vars(made).update(vars(item)) if type(item).__dictoffset__ else None
        else:
            numbers = box.is_all(box.numbers) and self.scan.memory.rows.get(box.place) is not thing
            made = copy.copy(item) if numbers or (isinstance(item, np.ndarray) and not item.flags.writeable) else item
            for key, part in box.changes.items():
                made[key] = part
        if made is not item and box.up is not None:  # the caller's numbers stay as they are
            box.up.changes[box.key] = made

    def _settled(self, place: str, thing: Any) -> Any:
        kind = _kind(thing)
        if kind == VALUE:
            return thing if self.walk.names_set is not None else self._leaf(place, thing)
        if not self._is_wanted(place):
            return thing
        if isinstance(thing, (Iterator, MappingView, set, frozenset)):
            raise TypeError(f"{place} is a {type(thing).__name__}, where parameters were; hold them in a list")
        if kind == OBJECT and not _is_numeric(thing):
            return thing
        if kind == NUMBER or isinstance(thing, (str, bytes, complex)):
            try:
                return Value(thing)
            except (TypeError, OverflowError) as error:
                raise type(error)(f"{place}, where a parameter was: {error}") from None
        numbers = as_real_array(place, thing)
        if kind != ARRAY or (numbers.ndim > 1 and isinstance(self.scan.memory.rows.get(place), (list, tuple))):
            made = list(map(Value, numbers)) if numbers.ndim == 1 else _nested(numbers.tolist())
            return type(thing)(made) if type(thing) in (list, tuple, deque) else made
        return _array(list(map(Value, numbers.ravel().tolist())), numbers.shape) if numbers.ndim else Value(numbers)

    def _is_wanted(self, place: str) -> bool:
        """Whether it is the place of parameters, in one, or around some."""
        memory = self.scan.memory
        there = memory.own[_attribute(place)]
        if any(way in memory.rows or isinstance(there.get(way), Value) for way in _ways(place)):
            return True
        if self._around is None:
            self._around = {
                way for own in memory.own.values() for at, x in own.items() if isinstance(x, Value) for way in _ways(at)
            }
        return place in self._around

    def _leaf(self, place: str, node: Value) -> Value:
        """The parameter that `node` is an update of, with its number; `node`, if it is something else."""
        if node in self.leaves:
            return self.leaves[node]
        there = self.scan.memory.own[_attribute(place)]
        before = there.get(place)
        sources = _sources(node)
        source = sources[0] if sources else before
        if sources is None or not isinstance(source, Value):
            return node
        if source is not before and (source in self.walk.names or source in self.leaves.values() or all(source is not x for x in there.values())):
            return node
        leaf = copy.copy(source)
        leaf.data, leaf.grad, leaf.numbers = node.data, 0.0, ()
        self.leaves[node] = leaf
        return leaf


def _nested(numbers: Any) -> Any:
    return [_nested(row) for row in numbers] if isinstance(numbers, list) else Value(numbers)


def _is_numeric(thing: Any) -> bool:
    return getattr(getattr(thing, "dtype", None), "kind", "O") in "iufb"


def _sources(node: Value) -> list[Value] | None:
    """The parameter that a node was computed from, if any; None if there are several, or recorded slopes among it."""
    found: list[Value] = []
    met: set[Value] = set()
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node not in met:
            met.add(node)
            if is_parameter(node):
                found.append(node)
            if len(found) > 1 or isinstance(node.numbers, Slope):
                return None
            waiting += [x for x in node.inputs if isinstance(x, Value)]
    return found
