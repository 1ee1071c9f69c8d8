"""Where the parameters of a module are: how they are found, what becomes one, and which were replaced.

A `Holder`, such as every `nn.Module`, remembers what each place in its attributes had last: a parameter or another
holder.  What stands there later is an update of the parameter (``w[0] -= 0.1``), a number, another one, or state.
"""

from __future__ import annotations

import copy
import types
from array import array
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, MappingView, Set
from dataclasses import is_dataclass
from decimal import Decimal
from functools import lru_cache, wraps
from numbers import Number, Real
from operator import attrgetter, getitem, is_
from typing import Any, NamedTuple
from weakref import ref

import numpy as np

from autograd import Value
from autograd.arrays import as_real_array
from autograd.assigning import Held
from autograd.graph import Slope


class Holder:
    """What holds parameters in its attributes, and remembers where.

    >>> holder = Holder()
    >>> holder.w = [Value(2.0)]
    >>> holder.w[0] *= 0.5
    >>> Walk(holder).names
    {Value(data=1.0, grad=0.0, label='w.0'): 'w.0'}
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = _seen_afterwards(cls.__init__)  # type: ignore[method-assign]  # the same, to its callers

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if _kind(value) > VALUE or _is_parameter(value) or _memory(self).own.get(name):  # or it is state
            Walk(self, [name])


def _seen_afterwards(init: Callable[..., None]) -> Callable[..., None]:
    """`init`, after which the holder has seen what was put into its lists and dicts, too."""

    @wraps(init)
    def initialize(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if type(self).__init__ is initialize:
            Walk(self, [name for name, part in vars(self).items() if _kind(part) >= VALUE], deep=False)

    return initialize


# ---- What a holder remembers ----


class _Mark(Held):
    """The mark of the parameters that `owners` hold, or have replaced."""

    def __new__(cls, owners: tuple[ref[Holder], ...], replaced: bool = False) -> _Mark:
        mark = super().__new__(cls)
        mark.owners, mark.replaced = owners, replaced
        return mark

    owners: tuple[ref[Holder], ...]

    @staticmethod
    def look(marks: Collection[Any]) -> bool:
        """See `Held`: walks from the outermost holders where parameters may have moved."""
        key = _last_look.moves, frozenset(marks)
        last, known = _last_look.last
        if last == key and all(map(_is_unmoved, known)):
            return False
        again = any(mark.replaced for mark in marks)  # one may be back
        owners = {id(holder): holder for mark in marks for owner in mark.owners if (holder := owner()) is not None}
        above = _with_all_above(owners.values())
        roots = [h for h in above if not _memory(h).above()] or above
        reached: set[int] = set()
        for holder in roots:
            reached |= _members(holder, again)
        for holder in owners.values():
            if id(holder) not in reached and _memory(holder).parents:  # it was taken out, and stands alone
                roots.append(holder)
                reached |= _members(holder, again)
        if not again:
            _last_look.last = key, [ref(root) for root in roots]
        return True


class _LastLook:
    """Which parameters were looked at last, and from which holders.  A holder that moves makes it void."""

    moves = 0
    """How often a holder has got or lost one that holds it."""
    last: tuple[Any, list[ref[Holder]]] = None, []


_last_look = _LastLook()


def _is_unmoved(root: ref[Holder]) -> bool:
    holder = root()
    return holder is not None and _memory(holder).links.same()


class _Links(NamedTuple):
    """The ways to parameters that a walk has found, and the lengths of the containers on them."""

    containers: list[Any]
    keys: list[Any]
    parts: list[Any]
    sized: list[Any]
    lengths: list[int]

    def same(self) -> bool:
        """Whether all lead to where they led."""
        try:
            unmoved = all(map(is_, map(getitem, self.containers, self.keys), self.parts))
            return unmoved and list(map(len, self.sized)) == self.lengths
        except (LookupError, AttributeError):
            return False


def _owners(parameter: Value) -> tuple[ref[Holder], ...]:
    """Who holds a parameter, of those that still exist."""
    mark = parameter._more
    held = isinstance(mark, _Mark) and not mark.replaced
    return tuple(owner for owner in mark.owners if owner() is not None) if held else ()  # type: ignore[attr-defined]


class _Memory:
    """What a holder remembers."""

    def __init__(self, holder: Holder) -> None:
        self.own: dict[str, dict[str, Any]] = {}
        """For each attribute, the parameter or holder that each place in it had last, though it may be empty now."""
        self.rows: dict[str, Any] = {}
        """By place, the sequences and arrays of nothing but parameters."""
        self.parents: dict[int, ref[Holder]] = {}
        """Who holds the holder, by id."""
        self.links = _Links([], [], [], [], [])
        self.members: set[int] = set()
        """Of the last walk that began here, the ways to parameters (see `_Box.link`), and the ids of the holders."""
        self.holder = ref(holder)
        self.mark, self.lost = _Mark((self.holder,)), _Mark((self.holder,), replaced=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return object.__new__, (_Memory,), (self.holder(), self.own, self.rows)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        holder, own, rows = state
        self.__init__(holder)  # type: ignore[misc]  # it was made without
        self.own, self.rows = own, rows
        self.claim(self.things())

    def things(self) -> list[Any]:
        """All parameters and holders that it remembers."""
        return [thing for there in self.own.values() for thing in there.values()]

    def above(self) -> list[Holder]:
        """Who holds the holder."""
        return [holder for parent in self.parents.values() if (holder := parent()) is not None]

    def remember(self, attribute: str, now: dict[str, Any], lost: Iterable[str]) -> None:
        """Takes over what an attribute holds now, and releases what has only new things in its place.

        What was removed stays remembered, and so does that in whose place there is something computed (`lost`).
        """
        before = self.own.get(attribute, {})
        if before.keys() == now.keys() and all(map(is_, before.values(), now.values())):
            return
        standing, known = set(map(id, now.values())), set(map(id, before.values()))
        gone = {place: thing for place, thing in before.items() if id(thing) not in standing}
        kept: dict[str, bool] = {}  # whether anything in a place, or inside of it, was known
        for place, thing in now.items() if gone else ():
            for way in _ways(place):
                kept[way] = kept.get(way, False) or id(thing) in known
        for place, thing in gone.items():
            if not next((kept[way] for way in _ways(place) if way in kept), True):
                self.release(thing)
        self.own[attribute] = {**before, **now, **{place: before[place] for place in lost if place in before}}

    def release(self, thing: Any) -> None:
        """Marks a parameter, or those of a holder, as replaced, unless others hold it."""
        waiting = [(thing, self.holder)]
        while waiting:
            thing, owner = waiting.pop()
            if isinstance(thing, Value):
                others = tuple(other for other in _owners(thing) if other is not owner)
                thing._more = _Mark(others) if others else self.lost
            else:
                memory = _memory(thing)
                _last_look.moves += memory.parents.pop(id(owner()), None) is not None
                if not memory.above():
                    waiting += [(part, memory.holder) for part in memory.things()]

    def claim(self, things: Iterable[Any]) -> None:
        """Marks parameters as held, and tells holders who holds them."""
        for thing in things:
            if not isinstance(thing, Value):
                parents = _memory(thing).parents
                _last_look.moves += parents.get(id(self.holder())) is not self.holder
                parents[id(self.holder())] = self.holder
            elif not (thing._more is self.mark or thing.numbers or self.holder in (owners := _owners(thing))):
                thing._more = _Mark((*owners, self.holder)) if owners else self.mark


def _memory(holder: Holder) -> _Memory:
    """The memory of `holder`, in its ``__dict__``; a shallow copy of a holder gets one of its own."""
    old: _Memory | None = holder.__dict__.get(_MEMORY)
    if old is not None and old.holder() is holder:
        return old
    memory = holder.__dict__[_MEMORY] = _Memory(holder)
    if old is not None:
        memory.own, memory.rows = {name: dict(there) for name, there in old.own.items()}, dict(old.rows)
        memory.claim(memory.things())
    return memory


_MEMORY = "_parameter_places"


def _members(holder: Holder, again: bool) -> set[int]:
    """The ids of the holders that are reached from `holder`, which walks if anything has moved, or `again`."""
    memory = _memory(holder)
    if again or not memory.members or not memory.links.same():
        Walk(holder, strict=False)
    return memory.members


def _with_all_above(holders: Iterable[Holder]) -> list[Holder]:
    """The holders, and those that hold them, and so on."""
    found = {id(holder): holder for holder in holders}
    waiting = list(found.values())
    while waiting:
        new = {id(holder): holder for holder in _memory(waiting.pop()).above() if id(holder) not in found}
        found.update(new)
        waiting += new.values()
    return list(found.values())


def _attribute(place: str) -> str:
    """The attribute that a place is in."""
    return place.partition(".")[0]


def _ways(place: str) -> Iterator[str]:
    """The place, and those that it is in, from within."""
    while place:
        yield place
        place = place.rpartition(".")[0]


# ---- What there is to a walk ----

ATOM, NUMBER, VALUE, HOLDER, SEQUENCE, MAPPING, ARRAY, RECORD, NUMBERS, OBJECT = range(10)
_KINDS: dict[int, Any] = {
    ATOM: (type(None), type, np.timedelta64, types.ModuleType, types.FunctionType),
    NUMBER: (Real, Decimal, np.number, np.bool_), VALUE: Value, HOLDER: Holder, SEQUENCE: (list, tuple, deque),
    MAPPING: dict, ARRAY: np.ndarray, NUMBERS: (str, bytes, bytearray, Number, range, array, memoryview),
}  # fmt: skip


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


def _is_parameter(item: Any) -> bool:
    """Whether `item` is a Value that nothing computed, not even inside `no_grad`."""
    return isinstance(item, Value) and not item.numbers


_get_numbers = attrgetter("numbers")
_PLAIN = {float, int, type(None)}


def _rooms(thing: Any) -> Iterator[tuple[Any, list[tuple[Any, Any]]]]:
    """What is in a container, and in the attributes of an object, of which no property is asked: where, and by key."""
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
        yield attributes, [(name, part) for name, part in attributes.items() if name != _MEMORY]
    slots = _Slots(thing)
    if names := [name for name in _slots(cls) if name in slots]:
        yield slots, [(name, slots[name]) for name in names]


def _dtype_kind(thing: Any) -> str:
    """That of an array or a column of pandas; "" of anything else."""
    return getattr(getattr(thing, "dtype", None), "kind", "") if hasattr(type(thing), "__array__") else ""


class _Slots:
    """The slots of an object, by name."""

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
def _slots(cls: Any) -> list[str]:
    """The names of the slots of a class."""
    bases = [vars(base) for base in reversed(cls.__mro__) if "__slots__" in vars(base)]
    return [name for base in bases for name, slot in base.items() if isinstance(slot, types.MemberDescriptorType)]


class _Box:
    """A container, or the attributes of an object, and what a walk has found of it."""

    def __init__(self, place: str, thing: Any, item: Any, up: _Box | None, key: Any) -> None:
        self.place, self.thing, self.up, self.key = place, thing, up, key
        self.item = item
        """Where the parts are got and set, by key: of an object, its ``__dict__``."""
        self.keys: list[Any] = []
        self.parts: list[Any] = []
        """The parameters, holders and containers of these in it."""
        self.numbers = self.rows = 0
        """How many parts are numbers, or sequences of nothing else; and likewise of parameters."""
        self.changes: dict[Any, Any] = {}

    def is_all(self, count: int) -> bool:
        """Whether it is a sequence or an array of `count` parts, at least one."""
        if self.item is not self.thing or _kind(self.thing) not in (SEQUENCE, ARRAY):
            return False
        return 0 < count == (self.thing.size if isinstance(self.thing, np.ndarray) else len(self.thing))

    def link(self) -> tuple[Any, int | None, list[Any], list[Any]]:
        """Where parameters were, to see later whether they are there, and whether there is more in the container."""
        if self.item is not self.thing or isinstance(self.item, np.ndarray):
            return self.item, None, self.keys, self.parts
        if self.rows == len(self.item):
            return self.item, self.rows, self.keys, self.parts
        pairs = next(_rooms(self.thing))[1]
        return self.item, len(pairs), [key for key, _ in pairs], [part for _, part in pairs]

    def change(self, copied: bool) -> None:
        """Sets the changed parts, or, of a tuple and where it is `copied`, has a changed one set in its place."""
        made = item = self.item
        if isinstance(item, tuple):
            made = tuple.__new__(type(item), [self.changes.get(i, part) for i, part in enumerate(item)])
        else:
            made = copy.copy(item) if copied else item
            for key, part in self.changes.items():
                made[key] = part
        if made is not item and self.up is not None:
            self.up.changes[self.key] = made


class _Visit:
    """What a walk finds in the attributes of one holder."""

    def __init__(self, holder: Holder, prefix: str) -> None:
        self.memory, self.prefix = _memory(holder), prefix
        self.found: dict[str, dict[str, Any]] = {}
        """For each attribute, the parameters and holders by place."""
        self.loose: list[tuple[str, Any, _Box, Any]] = []
        """What else there is in the attributes that have held any."""
        self.boxes: list[_Box] = []


class Walk:
    """What is found from a holder on, depth first and in order, and made of what stands in the places of parameters.

    Numbers there become parameters, and so do the parameters' updates.  Parameters that others have replaced are marked
    so.  The names become labels.  A TypeError, with the way to it, for a set or an object that holds parameters.

    When some attributes are set (`names`), these are looked at, and what was computed is left as it is.

    >>> holder = Holder()
    >>> holder.w, holder.b = [Value(2.0)], Value(1.0)
    >>> holder.b = 3
    >>> holder.w[0] = holder.w[0] * Value(0.5)
    >>> walk = Walk(holder)
    >>> [name for name, _ in walk.entries], list(walk.names.values()), walk.lost
    (['b'], ['b'], ['w.0'])
    """

    entries: list[tuple[str, Any]]
    """(name, entry) for each way to parameters: one, or for a sequence or array of nothing else, an array of them."""
    names: dict[Value, str]
    """The parameters, and the first name of each."""

    def __init__(
        self, root: Holder, names: Collection[str] | None = None, deep: bool = True, strict: bool = True
    ) -> None:
        self.root, self.only, self.deep = root, names, deep
        self.lost: list[str] = []
        """The places of parameters in which there is something computed that no parameter leads to."""
        self._leaves: dict[Value, Value] = {}
        self._updated: set[Value] = set()
        self._find()
        if any(isinstance(item, Set) for _, item in self._others):  # it may hold what is found elsewhere
            self.only, self.deep = None, True
            self._find()
        for _ in range(1000):  # again and again only for a tuple in many places
            if not sum(map(self._settle, self._concerned())):
                break
            self._find()
        self._remember()
        for parameter, name in self.names.items():
            old = parameter.label
            if old != name and (not old or name.endswith(f".{old}")):  # a longer way to the same parameter
                parameter.label = name
        if self.only is None:
            if strict:
                self._refuse_hidden()
            memory = _memory(root)
            links = [box.link() for visit in self._visits for box in visit.boxes if box.keys]
            memory.links = _Links(
                [item for item, _, keys, _ in links for _ in keys],
                [key for _, _, keys, _ in links for key in keys],
                [part for _, _, _, parts in links for part in parts],
                [item for item, length, _, _ in links if length is not None],
                [length for _, length, _, _ in links if length is not None],
            )
            memory.members = self._holders

    def _concerned(self) -> list[_Visit]:
        return self._visits if self.only is None else self._visits[:1]

    # ---- Finding

    def _find(self) -> None:
        self._visits: list[_Visit] = []
        self.entries, self.names = [], {}
        self._others: list[tuple[str, Any]] = []
        self._holders: set[int] = set()
        self._met: set[int] = set()
        self._waiting: list[tuple[_Visit, str, Any, Any, Any]] = []
        self._begin(self.root, "")
        while self._waiting:
            visit, place, thing, box, key = self._waiting.pop()
            kind = _kind(thing)
            if kind == HOLDER or (kind == VALUE and not thing.numbers):
                visit.found.setdefault(_attribute(place), {})[place] = thing
                box.keys.append(key)
                box.parts.append(thing)
                if kind == VALUE:
                    box.rows += 1
                    self.entries.append((visit.prefix + place, thing))
                    self.names.setdefault(thing, visit.prefix + place)
                elif self.deep and id(thing) not in self._holders:
                    self._begin(thing, f"{visit.prefix}{place}.")
            elif kind in (SEQUENCE, MAPPING, RECORD) or (kind == ARRAY and thing.dtype == object):
                self._enter(visit, place, thing, box, key)
            else:
                if kind == OBJECT or (kind == ARRAY and thing.dtype.hasobject):
                    self._others.append((visit.prefix + place, thing))
                box.numbers += kind == NUMBER
                self._meet(visit, place, thing, box, key)
        for visit in self._visits:
            for box in reversed(visit.boxes):
                if box.up is not None:
                    box.up.numbers += box.is_all(box.numbers)
                    box.up.rows += box.is_all(box.rows)
                    if box.keys:
                        box.up.keys.append(box.key)
                        box.up.parts.append(box.thing)

    def _begin(self, holder: Holder, prefix: str) -> None:
        self._holders.add(id(holder))
        visit = _Visit(holder, prefix)
        self._visits.append(visit)
        self._open(visit, "", holder, None, None)

    def _enter(self, visit: _Visit, place: str, thing: Any, box: _Box, key: Any) -> None:
        if _kind(thing) in (SEQUENCE, ARRAY):
            flat = thing if _kind(thing) == SEQUENCE else thing.ravel().tolist()
            kinds = set(map(_kind_of, set(map(type, flat))))
            if kinds == {VALUE}:
                computed = sum(map(bool, map(_get_numbers, flat)))
                if not computed:
                    self._find_row(visit, place, thing, list(flat), box, key)
                    return
                if computed == len(flat) and not visit.memory.own.get(_attribute(place)):
                    return  # such as a log
            elif kinds == {NUMBER} and visit.memory.rows.get(place) is not thing:
                box.numbers += 1
                self._meet(visit, place, thing, box, key)
                return
        if id(thing) not in self._met:
            self._met.add(id(thing))
            self._open(visit, place, thing, box, key)

    def _open(self, visit: _Visit, place: str, thing: Any, up: _Box | None, key: Any) -> None:
        new, only = [], self.only if visit is self._visits[0] else None
        is_data = up is not None and not visit.memory.own.get(_attribute(place))  # no parameters were there
        for item, pairs in _rooms(thing):
            box = _Box(place, thing, item, up, key)
            visit.boxes.append(box)
            for k, part in pairs:
                if is_data and type(part) is list and _PLAIN.issuperset(map(type, part)):
                    continue
                if _kind(thing) == MAPPING and _kind(k) not in (ATOM, NUMBER, NUMBERS):
                    self._others.append((f"a key of {visit.prefix}{place}", k))
                if _kind(part) != ATOM and (up is not None or only is None or k in only):
                    new.append((visit, _within(place, k), part, box, k))
        self._waiting += reversed(new)

    def _find_row(self, visit: _Visit, place: str, thing: Any, row: list[Value], up: _Box, key: Any) -> None:
        box = _Box(place, thing, thing, up, key)
        visit.boxes.append(box)
        is_array = isinstance(thing, np.ndarray)
        shape = thing.shape if is_array else (len(row),)
        box.keys, box.parts, box.rows = list(np.ndindex(shape)) if is_array else list(range(len(row))), row, len(row)
        places = [_within(place, k) for k in box.keys] if is_array else [f"{place}.{k}" for k in box.keys]
        visit.found.setdefault(_attribute(place), {}).update(zip(places, row))
        self.entries.append((visit.prefix + place, _array(row, shape)))
        for part, parameter in zip(places, row):
            if parameter not in self.names:
                self.names[parameter] = visit.prefix + part

    def _meet(self, visit: _Visit, place: str, thing: Any, box: _Box, key: Any) -> None:
        if visit.memory.own.get(_attribute(place)):
            visit.loose.append((place, thing, box, key))

    # ---- Settling: what becomes a parameter

    def _settle(self, visit: _Visit) -> bool:
        """Makes parameters of numbers in their places, and of their updates; whether there were any."""
        memory, around = visit.memory, set()
        if any(_kind(thing) != VALUE for _, thing, _, _ in visit.loose):
            things = [pair for there in memory.own.values() for pair in there.items()]
            around = {way for place, thing in things if isinstance(thing, Value) for way in _ways(place)}
        for place, thing, box, key in visit.loose:
            there = memory.own[_attribute(place)]
            made = thing
            if _kind(thing) == VALUE:
                made = self._leaf(place, thing, there) if self.only is None else thing
            elif place in around or any(
                way in memory.rows or isinstance(there.get(way), Value) for way in _ways(place)
            ):
                made = _parameters(place, thing, nested=isinstance(memory.rows.get(place), (list, tuple)))
            if made is not thing:
                box.changes[key] = made
        changed = False
        for box in reversed(visit.boxes):  # from within
            if box.changes:
                changed = True
                alien = box.is_all(box.numbers) and memory.rows.get(box.place) is not box.thing  # the caller's numbers
                box.change(copied=alien or (isinstance(box.item, np.ndarray) and not box.item.flags.writeable))
        return changed

    def _leaf(self, place: str, node: Value, there: dict[str, Any]) -> Value:
        """The parameter that `node` is an update of, with its number; `node`, if it is something else."""
        if node in self._leaves:
            return self._leaves[node]
        sources, before = _sources(node), there.get(place)
        source = sources[0] if sources else before
        if sources is None or not isinstance(source, Value):
            return node
        if source is not before and (
            source in self.names or source in self._updated or all(source is not x for x in there.values())
        ):  # nor has it moved, as where a list was shortened
            return node
        leaf = self._leaves[node] = copy.copy(source)
        leaf.data, leaf.grad = node.data, 0.0
        self._updated.add(source)
        return leaf

    # ---- Remembering: what was replaced

    def _remember(self) -> None:
        known: set[Value] = set()
        wholes = [_memory(holder).members for holder in _memory(self.root).above()]
        is_part = any(id(self.root) in members or not members for members in wholes)  # others may lead there
        for visit in self._concerned():
            memory, lost = visit.memory, []
            for place, thing, _, _ in visit.loose:
                there = memory.own[_attribute(place)]
                if _kind(thing) == VALUE and isinstance(there.get(place), Value):
                    now = visit.found.setdefault(_attribute(place), {})
                    if self.only is None and self._leads_to(thing, known):
                        del there[place]  # from now on it is state
                    elif self.only is not None or is_part:  # that is for another question
                        now[place] = there[place]
                    else:
                        now[place] = thing
                        lost.append(place)
            self.lost += [visit.prefix + place for place in lost]
            for attribute in {**memory.own, **visit.found}:
                if self.only is None or attribute in self.only:
                    memory.remember(attribute, visit.found.get(attribute, {}), lost)
            for box in visit.boxes:
                if box.is_all(box.rows):
                    memory.rows[box.place] = box.thing
                elif box.keys:
                    memory.rows.pop(box.place, None)
        for visit in self._concerned():
            for now in visit.found.values():
                visit.memory.claim(now.values())

    def _leads_to(self, node: Value, known: set[Value]) -> bool:
        """Whether `node` was computed from a parameter that was found; nothing `known` was."""
        waiting = [node]
        while waiting:
            node = waiting.pop()
            if node in self.names:
                return True
            if node not in known:
                known.add(node)
                waiting += [x for x in node.inputs if isinstance(x, Value)]
        return False

    # ---- Refusing

    def _refuse_hidden(self) -> None:
        """A TypeError for what no parameters are taken from, and holds some."""
        above = {id(holder): holder for holder in _with_all_above([self.root])} if self._others else {}
        for name, odd in self._others:
            met, waiting = dict(above), [odd]
            while waiting:
                item = waiting.pop()
                kind = _kind(item)
                if kind == VALUE and _is_parameter(item) and item not in self.names:
                    if isinstance(odd, Set):
                        raise TypeError(f"{name} is a set; parameters need an order, so hold them in a list")
                    raise TypeError(
                        f"{name} is a {type(odd).__name__}, in which parameters are not found, and holds {item!r:.60}; "
                        "hold it in a Module, dataclass, list, tuple, dict, deque or object array"
                    )
                if kind > VALUE and kind != NUMBERS and id(item) not in met:
                    met[id(item)] = item  # so that its id stays its own
                    waiting += [part for _, pairs in _rooms(item) for pair in pairs for part in pair]


def _within(place: str, key: Any) -> str:
    """The place of a part."""
    if isinstance(key, tuple) and all(isinstance(i, int) for i in key):  # of an array
        return ".".join((place, *map(str, key)))
    key = key.label or "?" if isinstance(key, Value) else key
    return f"{place}.{key}" if place else str(key)


def _array(parts: list[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    found = np.empty(len(parts), dtype=object)
    found[:] = parts
    return found.reshape(shape)


def _parameters(place: str, thing: Any, nested: bool) -> Any:
    """Parameters of the numbers in `thing`, as a list of lists if `nested`; of what has no numbers, the same."""
    kind = _kind(thing)
    if isinstance(thing, (Iterator, MappingView, Set)):
        raise TypeError(f"{place} is a {type(thing).__name__}, where parameters were; hold them in a list")
    if kind == NUMBER or isinstance(thing, (str, bytes, complex)):
        try:
            return Value(thing)
        except (TypeError, OverflowError) as error:
            raise type(error)(f"{place}, where a parameter was: {error}") from None
    if kind in (ATOM, OBJECT) and _dtype_kind(thing) not in [*"iufb"]:
        return thing
    numbers = as_real_array(place, thing)
    made = _array(list(map(Value, numbers.ravel().tolist())), numbers.shape)
    if kind == ARRAY and not (nested and made.ndim > 1):
        return made if made.ndim else made.item()
    return type(thing)(made.tolist()) if type(thing) in (tuple, deque) else made.tolist()


def _sources(node: Value) -> list[Value] | None:
    """The parameter that a node was computed from, if any; None if there are several, or recorded slopes among it."""
    found: list[Value] = []
    met: set[Value] = set()
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node not in met:
            met.add(node)
            found += [node] if _is_parameter(node) else []
            if len(found) > 1 or isinstance(node._more, Slope):
                return None
            waiting += [x for x in node.inputs if isinstance(x, Value)]
    return found
