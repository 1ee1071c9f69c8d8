"""The places of the parameters of a module: it finds them, turns numbers into them, and notices replaced ones.

A `Holder`, such as every `nn.Module`, remembers which parameter each place in its attributes had last.  A `Walk`
compares that with what is there now.  A number becomes a parameter, and so does an update of the parameter
(``w[0] -= 0.1``).  Another parameter replaces the one before.  Anything else that was computed is state.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from functools import wraps
from operator import attrgetter, getitem, is_, itemgetter
from typing import Any, TypeAlias
from weakref import ref

import numpy as np

from autograd import Value
from autograd.assigning import Held, is_leaf, is_slope, mark_of, marks_of, set_mark

from .containers import (  # the kinds on a line of their own
    ARRAY,
    ATOM,
    HOLDER,
    MAPPING,
    MEMORY,
    NUMBER,
    NUMBERS,
    OBJECT,
    PLAIN,
    RECORD,
    SEQUENCE,
    VALUE,
    array_of,
    kind_of,
    kinds_of,
    parameters_of,
    rooms,
    within,
)  # fmt: skip


class Holder:
    """An object that holds parameters in its attributes, and remembers where.

    >>> holder = Holder()
    >>> holder.w = [Value(2.0)]
    >>> holder.w[0] *= 0.5
    >>> Walk(holder).names
    {Value(data=1.0, grad=0.0, label='w.0'): 'w.0'}
    """

    _parameter_places: _Memory | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = _seen_afterwards(cls.__init__)  # type: ignore[method-assign]  # the same, to its callers

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if isinstance(value, Set):  # it may hold what is found elsewhere
            Walk(self).refuse_hidden()
        elif kind_of(value) > VALUE or is_leaf(value) or _memory(self).own.get(name):  # or it is state
            Walk(self, [name])


def _seen_afterwards(init: Callable[..., None]) -> Callable[..., None]:
    """`init`, after which the holder has seen what was put into its lists and dicts, too."""

    @wraps(init)
    def initialize(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if type(self).__init__ is initialize:
            Walk(self, list(vars(self)), deep=False)

    return initialize


# ---- What a holder remembers ----

Places: TypeAlias = "dict[str, dict[str, Any]]"
"""For each attribute, the parameters and the holders by place."""


class _Owner(ref[Holder]):
    """A weak reference to a holder, which has one."""

    __eq__, __hash__ = object.__eq__, object.__hash__


class _Mark(Held):
    """The mark of parameters that `owners` hold, or have replaced."""

    owners: tuple[_Owner, ...]
    last: tuple[Any, list[_Owner]] = None, []
    """The marks of the parameters that were looked at last, and from which holders."""

    def __new__(cls, owners: tuple[_Owner, ...], replaced: bool = False) -> _Mark:
        mark = super().__new__(cls)
        mark.owners, mark.replaced = owners, replaced
        return mark

    @staticmethod
    def look(values: Sequence[Value], marks: Set[Any]) -> bool:
        """See `Held`: walks from the outermost holders where parameters may have moved."""
        last, outermost = _Mark.last
        if last == marks and all(_memory(o()).is_unmoved() if o() else False for o in outermost):
            return False
        outermost, reached = [], set()
        owners = [holder for mark in marks for owner in mark.owners if (holder := owner()) is not None]
        for is_inside, memory in sorted(((bool(m.above()), m) for m in _with_all_above(owners)), key=itemgetter(0)):
            holder = memory.holder()
            if holder is None or memory.holder in reached or (is_inside and not memory.above()):
                continue  # the last: it has just been replaced
            if not memory.is_unmoved():
                Walk(holder)
            reached |= memory.reached
            outermost.append(memory.holder)
        _Mark.last = marks_of(values), outermost
        return True


class _Memory:
    """What a holder remembers."""

    def __init__(self, holder: Holder, own: Places, rows: dict[str, Any]) -> None:
        self.own = {attribute: dict(there) for attribute, there in own.items()}
        """What the places in it had last, though they may be empty now."""
        self.rows = dict(rows)
        """By place, the sequences and arrays of nothing but parameters."""
        self.parents: set[_Owner] = set()
        """Who holds the holder."""
        self.reached: set[_Owner] = set()
        self.ways: tuple[list[Any], ...] = ()
        """Which holders the last walk from it has reached, and by which ways what it found (see `Walk._ways`)."""
        self.last: tuple[dict[Value, str], tuple[list[Any], ...], list[Any]] | None = None
        """The names that `names_of` found last, with everything that it looked at, if another look would be as good."""
        self.holder = _Owner(holder)
        self.mark, self.lost = _Mark((self.holder,)), _Mark((self.holder,), replaced=True)
        self.claim(self.things())

    def __reduce__(self) -> tuple[Any, ...]:
        return object.__new__, (_Memory,), (self.holder(), self.own, self.rows)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.__init__(*state)  # type: ignore[misc]  # it was made without

    def things(self) -> list[Any]:
        """All parameters and holders that it remembers."""
        return [thing for there in self.own.values() for thing in there.values()]

    def above(self) -> list[Holder]:
        """The holders of this holder that still exist."""
        return [holder for parent in self.parents if (holder := parent()) is not None]

    def is_unmoved(self) -> bool:
        """Whether everything is where the last walk found it, and no container has grown."""
        return bool(self.ways) and _are_there(*self.ways)

    def remember(self, attribute: str, now: dict[str, Any]) -> None:
        """Remembers the parts of an attribute now, and releases those whose places have only new parts.

        Removed parts stay remembered.  So do parts with something computed in their place.
        """
        before = self.own.get(attribute, {})
        if before.keys() == now.keys() and all(map(is_, before.values(), now.values())):
            return
        standing, known = set(map(id, now.values())), set(map(id, before.values()))
        gone = {place: thing for place, thing in before.items() if id(thing) not in standing}
        kept: dict[str, bool] = {}  # whether anything in a place, or inside of it, was known
        for name, thing in now.items() if gone else ():
            for place in _around(name):
                kept[place] = kept.get(place, False) or id(thing) in known
        for name, thing in gone.items():
            if not next((kept[place] for place in _around(name) if place in kept), True):
                self.release(thing)
        held = {place: thing for place, thing in now.items() if isinstance(thing, Holder) or is_leaf(thing)}
        self.own[attribute] = {**before, **held}

    def release(self, thing: Any) -> None:
        """Marks a parameter, or those of a holder, as replaced, unless others hold it."""
        waiting = [(self, thing)]
        while waiting:
            memory, thing = waiting.pop()
            if isinstance(thing, Value):
                others = tuple(owner for owner in _owners(thing) if owner is not memory.holder)
                set_mark(thing, _Mark(others) if others else self.lost)
            else:
                inside, _Mark.last = _memory(thing), (None, [])
                inside.parents.discard(memory.holder)
                waiting += [] if inside.above() else [(inside, part) for part in inside.things()]

    def claim(self, things: Iterable[Any]) -> None:
        """Marks parameters as held, and tells holders who holds them."""
        for thing in things:
            if isinstance(thing, Holder):
                if self.holder not in (parents := _memory(thing).parents):
                    parents.add(self.holder)
                    _Mark.last = None, []
            elif mark_of(thing) is not self.mark and self.holder not in (owners := _owners(thing)):
                set_mark(thing, _Mark((*owners, self.holder)) if owners else self.mark)


def _are_there(containers: list[Any], keys: list[Any], parts: list[Any], sized: list[Any], sizes: list[int]) -> bool:
    """Whether the containers still hold these parts, and no more."""
    try:
        return all(map(is_, map(getitem, containers, keys), parts)) and list(map(len, sized)) == sizes
    except LookupError:  # one has been removed
        return False


def names_of(holder: Holder) -> dict[Value, str]:
    """The parameters of a holder, and the first name of each; errors as for `nn.Module`.

    A walk finds them.  It is skipped if everything that the last walk looked at is unchanged.

    >>> holder = Holder()
    >>> holder.w = [Value(2.0)]
    >>> list(names_of(holder).values())
    ['w.0']
    """
    memory = _memory(holder)
    if memory.last:
        names, places, labels = memory.last
        is_same = _are_there(*places) and list(map(_get_label, names)) == labels
        if is_same and not any(mark.replaced for mark in marks_of(names)):  # else a walk takes it up again
            return names
    walk = Walk(holder).refuse_hidden()
    places = walk.places()
    memory.last = (walk.names, places, list(map(_get_label, walk.names))) if places else None
    return walk.names


_get_label = attrgetter("label")


def _memory(holder: Any) -> _Memory:
    """The memory of `holder`; a shallow copy of a holder gets a new one."""
    old: _Memory | None = vars(holder).get(MEMORY)
    if old is None or old.holder() is not holder:
        vars(holder)[MEMORY] = old = _Memory(holder, *((old.own, old.rows) if old else ({}, {})))
    return old


def _owners(parameter: Value) -> list[_Owner]:
    """The holders of a parameter that still exist."""
    mark: Any = mark_of(parameter)
    return [] if mark is None or mark.replaced else [owner for owner in mark.owners if owner() is not None]


def _with_all_above(holders: Iterable[Any]) -> list[_Memory]:
    """The memories of the holders, of those that hold them, and so on."""
    found = dict.fromkeys(map(_memory, holders))
    waiting = list(found)
    while waiting:
        new = [memory for memory in map(_memory, waiting.pop().above()) if memory not in found]
        found.update(dict.fromkeys(new))
        waiting += new
    return list(found)


def _attribute(place: str) -> str:
    """The attribute that a place is in."""
    return place.partition(".")[0]


def _around(place: str) -> Iterator[str]:
    """The place, and those that it is in, from within."""
    while place:
        yield place
        place = place.rpartition(".")[0]


# ---- What is there now ----


class _Box:
    """A container, or the attributes of an object, in which a walk looks."""

    def __init__(self, memory: _Memory, prefix: str, place: str, up: _Box | None, key: Any, thing: Any) -> None:
        self.memory, self.prefix, self.place = memory, prefix, place
        """The memory of the holder that it is in, the name of that, and the place in it."""
        self.up, self.key, self.thing = up, key, thing
        self.item = thing
        """Where the parts are got and set, by key: of an object, its ``__dict__``."""
        self.pairs: list[tuple[Any, Any]] = []
        """Keys and parts."""
        self.ways: list[tuple[Any, Any]] = []
        """Those that are, or lead to, parameters and holders."""
        self.parameters = 0
        """How many parts are parameters, or sequences of nothing else."""

    def is_row(self) -> bool:
        """Whether it is a sequence or an array of parameters, at least one."""
        return kind_of(self.item) in (SEQUENCE, ARRAY) and 0 < self.parameters == len(self.pairs)

    def put(self, key: Any, part: Any) -> None:
        """Sets a part.  A tuple, or numbers of the caller, are replaced by a changed copy."""
        box, item = self, self.item
        while True:
            if isinstance(item, tuple):
                item = tuple.__new__(type(item), (*item[:key], part, *item[key + 1 :]))
            else:
                item = copy.copy(item) if box.is_foreign() else item
                item[key] = part
            if item is box.item:
                return
            box.item, key, part = item, box.key, item
            box, item = box.up, box.up.item  # type: ignore[union-attr,assignment]  # that of a holder is not copied

    def is_foreign(self) -> bool:
        """Whether it is not a container of parameters, or cannot be written to."""
        is_known = self.ways or self.item is not self.thing or self.memory.rows.get(self.place) is self.thing
        return not is_known or (isinstance(self.item, np.ndarray) and not self.item.flags.writeable)


class Walk:
    """What is found from a holder on, depth first and in order, and made of what stands in the places of parameters.

    Numbers there become parameters, and so do the parameters' updates.  Parameters that others have replaced are marked
    so.  The names become labels.

    When some attributes are set (`only`), these are looked at, and what was computed is left as it is.  A walk that is
    not `deep` passes by the holders inside.

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

    def __init__(self, root: Any, only: Collection[str] | None = None, deep: bool = True) -> None:
        self.root, self.only, self.deep = root, only, deep
        self.lost: list[str] = []
        """The places of parameters in which there is something computed that no parameter leads to."""
        self._leaves: dict[Value, Value] = {}
        self._updated: set[Value] = set()
        self._find()
        for _ in range(1000):  # again and again only for a tuple in many places
            if not sum([self._settle(*loose) for loose in self._loose]):
                break
            self._find()
        self._remember()
        for parameter, name in self.names.items():
            old = parameter.label
            if old != name and (not old or name.endswith(f".{old}")):  # a longer way to the same parameter
                parameter.label = name

    # ---- Finding

    def _find(self) -> None:
        self.entries, self.names = [], {}
        self._found: dict[_Memory, Places] = {}
        self._loose: list[tuple[_Box, Any, str, Any]] = []
        """What is no parameter, in attributes that have held some: box, key, place, thing."""
        self._odd: list[tuple[str, Any]] = []
        self._boxes: list[_Box] = []
        self._met: set[int] = set()
        self._passed = False
        """Whether something was passed by, in which there may be a parameter one day."""
        self._waiting: list[tuple[_Box, Any, Any]] = []
        self._open(_memory(self.root), "", "", None, None, self.root)
        while self._waiting:
            box, key, thing = self._waiting.pop()
            kind, place = kind_of(thing), within(box.place, key)
            name, inside = box.prefix + place, (box.memory, box.prefix, place, box, key, thing)
            if kind == VALUE and is_leaf(thing):
                self._add(box, place, thing, {place: thing}, [(key, thing)])
            elif kind == HOLDER:
                box.ways.append((key, thing))
                self._now(box, place)[place] = thing
                if self.deep:
                    self._open(_memory(thing), f"{name}.", "", box, key, thing)
            elif kind in (MAPPING, RECORD):
                self._open(*inside)
            elif kind == SEQUENCE or (kind == ARRAY and thing.dtype == object):
                self._enter(*inside)
            else:
                if kind == OBJECT or (kind == ARRAY and thing.dtype.hasobject):
                    self._odd.append((name, thing))
                if box.memory.own.get(_attribute(place)):
                    self._loose.append((box, key, place, thing))
        for box in reversed(self._boxes):  # from within
            if box.up is not None and box.place and box.ways:
                box.up.ways.append((box.key, box.thing))
                box.up.parameters += box.is_row()

    def _open(self, memory: _Memory, prefix: str, place: str, up: _Box | None, key: Any, thing: Any) -> None:
        """Waits for what is in a container, a record or a holder."""
        if id(thing) in self._met:
            return
        self._met.add(id(thing))
        if not place:
            self._found[memory] = {}
        only = self.only if thing is self.root else None
        waiting = []
        for item, pairs in rooms(thing):
            box = _Box(memory, prefix, place, up, key, thing)
            box.item, box.pairs = item, pairs
            self._boxes.append(box)
            waiting += [(box, k, x) for k, x in pairs if kind_of(x) != ATOM and (only is None or k in only)]
            if kind_of(item) == MAPPING and place:
                self._odd += [(f"a key of {prefix}{place}", k) for k, _ in pairs if kind_of(k) not in PLAIN]
        self._waiting += reversed(waiting)

    def _enter(self, memory: _Memory, prefix: str, place: str, up: _Box, key: Any, thing: Any) -> None:
        """Like `_open`, of a sequence or an array of objects."""
        is_array = isinstance(thing, np.ndarray)
        flat = thing.ravel().tolist() if is_array else thing
        kinds, before = kinds_of(flat), memory.own.get(_attribute(place))
        leaves = sum(map(is_leaf, flat)) if kinds == {VALUE} else 0
        if 0 < leaves == len(flat):
            box = _Box(memory, prefix, place, up, key, thing)
            self._boxes.append(box)
            box.pairs = list(np.ndenumerate(thing)) if is_array else list(enumerate(flat))
            places = [within(place, k) if is_array else f"{place}.{k}" for k, _ in box.pairs]
            parameters = dict(zip(places, flat))
            self._add(box, place, np.array(thing) if is_array else array_of(flat, (leaves,)), parameters, box.pairs)
        elif before and kinds == {NUMBER} and memory.rows.get(place) is not thing:
            self._loose.append((up, key, place, thing))
        elif before or leaves or not (kinds == {VALUE} or kinds <= PLAIN):  # else such as data, or a log
            self._open(memory, prefix, place, up, key, thing)
        else:
            self._passed = True

    def _add(self, box: _Box, place: str, entry: Any, parameters: dict[str, Value], ways: list[Any]) -> None:
        box.ways += ways
        box.parameters += len(ways)
        self.entries.append((box.prefix + place, entry))
        self._now(box, place).update(parameters)
        for part, parameter in parameters.items():
            self.names.setdefault(parameter, box.prefix + part)

    def _now(self, box: _Box, place: str) -> dict[str, Any]:
        """The things found in an attribute."""
        return self._found[box.memory].setdefault(_attribute(place), {})

    # ---- Settling: what becomes a parameter

    def _settle(self, box: _Box, key: Any, place: str, thing: Any) -> bool:
        """Turns a number in the place of a parameter, or an update of one, into a parameter; whether it was either."""
        there, rows = box.memory.own[_attribute(place)], box.memory.rows
        made = thing
        if kind_of(thing) == VALUE:
            made = self._leaf(place, thing, there) if self.only is None else thing
        elif any(p in rows or isinstance(there.get(p), Value) for p in _around(place)) or any(
            isinstance(x, Value) and p.startswith(f"{place}.") for p, x in there.items()
        ):
            made = parameters_of(place, thing, nested=isinstance(rows.get(place), (list, tuple)))
        if made is not thing:
            box.put(key, made)
        return made is not thing

    def _leaf(self, place: str, node: Value, there: dict[str, Any]) -> Value:
        """If `node` is an update of a parameter, a copy of the parameter with the number of `node`; else `node`."""
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
        root = _memory(self.root)
        self._judge_computed(root)
        for memory, found in self._found.items():
            only = self.only if memory is root else None
            for attribute in {**memory.own, **found} if only is None else only:
                memory.remember(attribute, found.get(attribute, {}))
        for memory, found in self._found.items():
            for now in found.values():
                memory.claim(thing for thing in now.values() if isinstance(thing, Holder) or thing in self.names)
        for box in self._boxes:
            if box.is_row():
                box.memory.rows[box.place] = box.thing
            elif box.ways:
                box.memory.rows.pop(box.place, None)
        if self.only is None:
            root.reached, root.ways = {memory.holder for memory in self._found}, self._ways()

    def _judge_computed(self, root: _Memory) -> None:
        """Tells state from Values that replace a parameter and do not depend on any."""
        wholes = [_memory(holder).reached for holder in root.above()]
        is_part = any(root.holder in reached or not reached for reached in wholes)  # others may lead there
        dead: set[Value] = set()
        for box, _, place, thing in self._loose:
            there, now = box.memory.own[_attribute(place)], self._now(box, place)
            if kind_of(thing) != VALUE or not isinstance(there.get(place), Value):
                continue
            met: set[Value] = set()
            if self.only is None and any(x in self.names for x in _below(thing, met, dead)):
                del there[place]  # from now on it is state
                continue
            dead |= met
            if self.only is not None or is_part:  # that is for another question
                now[place] = there[place]
            else:
                now[place] = thing
                self.lost.append(box.prefix + place)

    def _ways(self) -> tuple[list[Any], ...]:
        """The places of everything, to see later whether it is still there, and whether the containers have grown."""
        containers, keys, parts, sized = [], [], [], []
        for box in self._boxes:
            if box.ways:
                is_container = box.item is box.thing and not isinstance(box.item, np.ndarray)
                pairs = box.pairs if is_container else box.ways
                sized += [box.item] if is_container else []
                containers += [box.item] * len(pairs)
                keys += [key for key, _ in pairs]
                parts += [part for _, part in pairs]
        return containers, keys, parts, sized, list(map(len, sized))

    def places(self) -> tuple[list[Any], ...]:
        """The same for everything that the walk looked at; () if something may change without being seen."""
        if self._odd or self._loose or self._passed or any(box.item is None for box in self._boxes):
            return ()
        boxes = [(box.item, box.pairs) for box in self._boxes]
        pairs = [(item, key, part) for item, pairs in boxes for key, part in pairs]
        sized = [item for item, _ in boxes if hasattr(item, "__len__") and not isinstance(item, np.ndarray)]
        return (*map(list, zip(*pairs)), sized, list(map(len, sized)))

    # ---- Refusing

    def refuse_hidden(self) -> Walk:
        """The walk itself; a TypeError for a set or an object that holds other parameters."""
        above = [memory.holder() for memory in _with_all_above([self.root])] if self._odd else []
        for name, odd in self._odd:
            met: dict[int, Any] = {id(holder): holder for holder in above}
            waiting = [odd]
            while waiting:
                item = waiting.pop()
                kind = kind_of(item)
                if kind > VALUE and kind != NUMBERS and id(item) not in met:
                    met[id(item)] = item  # so that its id stays its own
                    waiting += [part for _, pairs in rooms(item) for pair in pairs for part in pair]
                if not is_leaf(item) or item in self.names:
                    continue
                if isinstance(odd, Set):
                    raise TypeError(f"{name} is a set; parameters need an order, so hold them in a list")
                raise TypeError(
                    f"{name} is a {type(odd).__name__}, in which parameters are not found, and holds {item!r:.60}; "
                    "hold it in a Module, dataclass, list, tuple, dict, deque or object array"
                )
        return self


def _below(node: Value, met: set[Value], dead: Collection[Value] = ()) -> Iterator[Value]:
    """Adds to `met` the node and the nodes that it was computed from, each once, except those that are `dead`."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node not in met and node not in dead:
            met.add(node)
            yield node
            waiting += [x for x in node.inputs if isinstance(x, Value)]


def _sources(node: Value) -> list[Value] | None:
    """The parameter that a node was computed from, if any; None if there are several, or recorded slopes among it."""
    found: list[Value] = []
    for x in _below(node, set()):
        found += [x] if is_leaf(x) else []
        if len(found) > 1 or is_slope(x):
            return None
    return found
