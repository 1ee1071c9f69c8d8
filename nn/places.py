"""Where the parameters of a module are: how they are found, what becomes one, and which were replaced.

A `Holder`, such as every `nn.Module`, remembers the places in which it last saw parameters.  What stands in such a
place later is an update of the parameter (``w[0] -= 0.1``), its new number, another parameter, or state.
"""

from __future__ import annotations

import copy
import types
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, MappingView
from dataclasses import is_dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import chain, product, repeat
from numbers import Real
from operator import attrgetter, is_
from sys import stdlib_module_names
from typing import Any
from weakref import ref

import numpy as np

from autograd import Value, topological_order
from autograd.arrays import as_real_array
from autograd.value import REPLACED, Held


class Holder:
    """What holds parameters in its attributes, and remembers where.

    >>> holder = Holder()
    >>> holder.w = [Value(2.0)]
    >>> holder.w[0] *= 0.5
    >>> parameters_of(holder)
    [('w.0', Value(data=1.0, grad=0.0, label='w.0'))]
    """

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        _remember(self, name, value)


def entries_of(holder: Holder) -> list[tuple[str, Any]]:
    """(name, entry) for each way to parameters: one, or for a sequence or array of nothing else, an array of them.

    Errors and effects as for `parameters_of`.

    >>> holder = Holder()
    >>> holder.w, holder.b = [Value(2.0)], Value(3.0)
    >>> [name for name, _ in entries_of(holder)]
    ['w', 'b']
    """
    return _seen(holder).entries


def parameters_of(holder: Holder) -> list[tuple[str, Value]]:
    """(name, parameter) for each parameter, once; the names become the labels.

    Numbers in the places of parameters become parameters, and so do the parameters' updates.  Parameters that others
    have replaced are marked (`autograd.value.REPLACED`).  A TypeError, with the way to it, for a set or an object that
    holds parameters.

    >>> holder = Holder()
    >>> holder.b = Value(2.0)
    >>> holder.b = 3
    >>> parameters_of(holder)
    [('b', Value(data=3.0, grad=0.0, label='b'))]
    """
    return _seen(holder).named


def label(named: Iterable[tuple[str, Value]]) -> None:
    """Labels each parameter with its name, unless it was labeled by hand.

    >>> x = Value(2.0)
    >>> label([("w.0", x)])
    >>> x.label
    'w.0'
    """
    for name, parameter in named:
        old = parameter.label
        if old != name and (not old or name.endswith(f".{old}")):  # a longer way to the same parameter
            parameter.label = name


def _seen(holder: Holder) -> _Walk:
    memory = _memory(holder)
    walk = memory.walk
    if walk is None or not walk.seen.same():
        memory.walk = None  # until the next one has succeeded
        memory.walk = walk = _settled_walk(holder)
        memory.judge(walk.named)
        label(walk.named)
    if not all(map(is_, map(_get_numbers, walk.parameters), repeat(memory.held))):
        for parameter in walk.parameters:
            parameter.numbers = memory.held
    return walk


_get_numbers = attrgetter("numbers")


# ---- What a holder remembers ----


class _Memory:
    """What a holder remembers: what its own attributes held, apart from holders in them, and the last walk."""

    def __init__(self, holder: Holder | None, own: Mapping[str, dict[str, Any]]) -> None:
        self.holder = None if holder is None else ref(holder)
        self.own = dict(own)
        """For each attribute that holds parameters, the entries by name."""
        self.containers: dict[str, dict[int, Any]] = {}
        """For each attribute, the containers in it, by their ids: one that is not among these was put there since."""
        self.walk: _Walk | None = None
        self.answered: list[tuple[str, Value]] = []
        self.held = _HeldBy()
        self.held.holder = self.holder

    def __reduce__(self) -> tuple[Any, ...]:
        return _Memory, (None, self.own)  # a copy belongs to nobody yet

    def entries(self, place: str) -> dict[str, Any]:
        """Those of the attribute that `place` is in."""
        return self.own.get(_attribute(place), {})

    def covers(self, place: str) -> bool:
        """Whether `place` is that of an entry, or in it."""
        entries = self.entries(place)
        return bool(entries) and any(part in entries for part in _ways(place))

    def concerns(self, place: str) -> bool:
        """Whether it is, or an entry is in `place`."""
        return self.covers(place) or any(name.startswith(f"{place}.") for name in self.entries(place))

    def judge(self, now: list[tuple[str, Value]]) -> None:
        """Marks each parameter that is gone and has only new ones in its place; what was removed is not marked."""
        before, self.answered = self.answered, now
        standing, known = {p for _, p in now}, {p for _, p in before}
        if known <= standing:
            return
        kept = {name: parameter in known for name, parameter in now}
        gone = [(name, parameter) for name, parameter in before if parameter not in standing]
        if any(name not in kept for name, _ in gone):  # then it counts what it was in
            for name, parameter in now:
                for part in _ways(name):
                    kept[part] = kept.get(part, False) or parameter in known
        for name, parameter in gone:
            if not next((kept[part] for part in _ways(name) if part in kept), True):
                parameter.numbers = REPLACED


class _HeldBy(Held):
    """The mark of the parameters of a holder: of the one that was asked for them last."""

    holder: ref[Holder] | None

    def look(self) -> None:
        """See `Held`."""
        holder = self.holder() if self.holder else None
        if holder is not None:
            _seen(holder)


def _attribute(place: str) -> str:
    """The attribute that a place is in."""
    return place.partition(".")[0]


def _ways(name: str) -> Iterator[str]:
    """The name, and the names of what it is in, from within."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _memory(holder: Holder) -> _Memory:
    """The memory of `holder`, in its ``__dict__``; a copy of a holder has a copy of it, from now on its own."""
    memory = holder.__dict__.get(_MEMORY)
    if memory is None or memory.holder is None or memory.holder() is not holder:
        memory = holder.__dict__[_MEMORY] = _Memory(holder, memory.own if memory else {})
    return memory


_MEMORY = "_parameter_places"


def _remember(holder: Holder, name: str, value: Any) -> None:
    """Remembers the parameters in an attribute that was set, and labels them; numbers in their places become some."""
    memory = _memory(holder)
    before = memory.own.get(name, {})
    if not before and (_kind(value) <= NUMBER or (_kind(value) == VALUE and not is_parameter(value))):
        return
    walk = _Walk(holder, [name])
    if walk.amiss.get(id(holder)):
        _Settler().settle(holder, [name])
        walk = _Walk(holder, [name])
    now = walk.own[id(holder)].get(name, {})
    if walk.amiss:  # updates, which stand for the parameters that they were computed from
        now = {**dict(_flat(before.items())), **dict(_flat(now.items()))} if now else before
    memory.own[name] = now
    memory.containers[name] = walk.containers[id(holder)].get(name, {})
    label(walk.named)


def _flat(entries: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Value]]:
    """(name, parameter) for each parameter in entries."""
    for name, entry in entries:
        if isinstance(entry, Value):
            yield name, entry
        else:
            indexes = product(*(list(map(str, range(n))) for n in entry.shape))
            for index, parameter in zip(indexes, entry.flat):
                yield ".".join((name, *index)), parameter


# ---- How they are found ----

ATOM, NUMBER, VALUE, HOLDER, SEQUENCE, MAPPING, ARRAY, RECORD, SET, OBJECT = range(10)


def _kind(item: Any) -> int:
    """What `item` is to a walk."""
    cls: Any = type(item)
    return _kind_of(cls)


@lru_cache(maxsize=1024)
def _kind_of(cls: Any) -> int:
    for kind, classes in _KINDS.items():
        if issubclass(cls, classes):
            return kind
    if is_dataclass(cls):
        return RECORD
    if issubclass(cls, (Iterator, MappingView)):
        return OBJECT
    packages = [base.__module__.partition(".")[0] for base in cls.__mro__]
    opaque = packages[0] in _OPAQUE or not {"autograd", "nn"}.isdisjoint(packages)  # an optimizer holds no parameters
    return ATOM if opaque and cls is not types.MappingProxyType else OBJECT


_KINDS: dict[int, tuple[type, ...]] = {
    ATOM: (bool, np.bool_, np.timedelta64, type), NUMBER: (Real, Decimal, np.number), VALUE: (Value,),
    HOLDER: (Holder,), SEQUENCE: (list, tuple, deque), MAPPING: (dict,), ARRAY: (np.ndarray,), SET: (set, frozenset),
}  # fmt: skip
_OPAQUE = {*stdlib_module_names, "numpy"} - {"types", "argparse", "collections"}  # where namespaces and UserDict are


def is_parameter(item: Any) -> bool:
    """Whether `item` is a Value that nothing computed, not even inside `no_grad`.

    >>> is_parameter(Value(2.0)), is_parameter(Value(2.0) * 3.0)
    (True, False)
    """
    return isinstance(item, Value) and not item.numbers


class _Walk:
    """One way through a holder, depth first, in order; what holds parameters is entered once."""

    def __init__(self, root: Holder, names: Iterable[str] | None = None) -> None:
        self.entries: list[tuple[str, Any]] = []
        self.holders: dict[int, Holder] = {}
        self.own: dict[int, dict[str, dict[str, Any]]] = {}
        """For each holder, by its id, the entries in each attribute of its own."""
        self.containers: dict[int, dict[str, dict[int, Any]]] = {}
        """Likewise, the containers in each attribute."""
        self.amiss: dict[int, bool] = {}
        """By its id, each holder with computed Values or numbers where parameters were; whether there are numbers."""
        self.seen = _Seen()
        self._others: list[tuple[str, Any]] = []
        self._met: set[int] = set()
        self._waiting: list[tuple[str, Any, Holder, int]] = []
        self._enter("", root, names)
        while self._waiting:
            self._visit(*self._waiting.pop())
        names_of: dict[Value, str] = {}
        for name, parameter in _flat(self.entries):
            names_of.setdefault(parameter, name)
        self.parameters = list(names_of)
        self.named = [(name, parameter) for parameter, name in names_of.items()]

    def _enter(self, prefix: str, holder: Holder, names: Iterable[str] | None = None) -> None:
        self._met.add(id(holder))
        self.holders[id(holder)], self.own[id(holder)], self.containers[id(holder)] = holder, {}, {}
        _memory(holder)  # before its attributes are seen
        parts = _parts(holder, self.seen)
        self._wait(prefix, [part for part in parts if names is None or part[0] in names], holder, len(prefix))

    def _wait(self, prefix: str, parts: list[tuple[Any, Any]], holder: Holder, start: int) -> None:
        self._waiting += [(f"{prefix}{key}", part, holder, start) for key, part in reversed(parts) if _kind(part)]

    def _visit(self, name: str, item: Any, holder: Holder, start: int) -> None:
        kind = _kind(item)
        if kind == VALUE and is_parameter(item):
            self._found(name, item, holder, start)
        elif kind in (VALUE, NUMBER) or _are_numbers(item):
            if self.amiss.get(id(holder), -1) < (kind != VALUE) and _memory(holder).concerns(name[start:]):
                self.amiss[id(holder)] = kind != VALUE
            if kind == SEQUENCE:
                self.seen.numbers.append(item)
        elif kind == HOLDER:
            if id(item) not in self._met:
                self._enter(f"{name}.", item)
        elif kind in (SEQUENCE, MAPPING, ARRAY, RECORD):
            self.containers[id(holder)].setdefault(_attribute(name[start:]), {})[id(item)] = item
            items = _items(item, self.seen)
            if items and kind != MAPPING and all(is_parameter(part) for _, part in items):
                shape = item.shape if kind == ARRAY else (len(item),)
                self._found(name, _array([part for _, part in items], shape), holder, start)
                items = []
            if id(item) not in self._met:
                self._met.add(id(item))
                self._wait(f"{name}.", items + _attributes(item, self.seen), holder, start)
        elif kind == SET and any(_kind(part) in (VALUE, HOLDER) for part in item):
            raise TypeError(f"{name} is a set; parameters need an order, so hold them in a list")
        elif hasattr(type(item), "__array__") and _memory(holder).concerns(name[start:]):
            self.amiss[id(holder)] = True
        elif isinstance(item, (Iterator, MappingView)) and _memory(holder).concerns(name[start:]):
            raise TypeError(f"{name} is a {type(item).__name__}, where parameters were; hold them in a list")
        else:
            self._others.append((name, item))

    def _found(self, name: str, entry: Any, holder: Holder, start: int) -> None:
        self.entries.append((name, entry))
        place = name[start:]
        self.own[id(holder)].setdefault(_attribute(place), {})[place] = entry

    def finish(self) -> None:
        """The last part of the way: through what no parameters are taken from, which must not hold any."""
        for name, item in self._others:
            hidden = self._hidden(item)
            if hidden is not None:
                raise TypeError(
                    f"{name} is a {type(item).__name__}, in which parameters are not found, and holds {hidden!r:.60}; "
                    "hold it in a Module, dataclass, list, tuple, dict, deque or object array"
                )
        self.seen.end()

    def _hidden(self, item: Any) -> Value | None:
        """A parameter inside of `item` that was not found on the way."""
        waiting, found = [part for _, part in _parts(item, self.seen)], set(self.parameters)
        while waiting:
            item = waiting.pop()
            kind = _kind(item)
            if kind == VALUE and is_parameter(item) and item not in found:
                return item  # type: ignore[no-any-return]  # a Value
            if kind > VALUE and id(item) not in self._met:
                self._met.add(id(item))
                if kind != HOLDER or not self._is_above(item):
                    waiting += [part for _, part in _parts(item, self.seen)]
        return None

    def _is_above(self, holder: Holder) -> bool:
        """Whether the holder that was asked is a part of `holder`, as in a trainer that knows the whole model."""
        waiting, met = [holder], {id(holder)}
        while waiting:
            for _, part in _parts(waiting.pop(), _Seen()):
                if _kind(part) > VALUE and id(part) not in met:
                    met.add(id(part))
                    waiting.append(part)
        return not met.isdisjoint(self.holders)


class _Seen:
    """What a walk has seen, to tell whether another would see the same: in a few calls into C."""

    def __init__(self) -> None:
        self.views: list[Any] = []
        """What changes when a container or the attributes of an object do."""
        self.numbers: list[Any] = []
        """Sequences of numbers alone, such as data: these may change, but for their kinds."""
        self.objects: list[Any] = []
        self.steady = True

    def end(self) -> None:
        """Keeps what the views show now."""
        self._lengths, self._parts = list(map(len, self.views)), list(chain.from_iterable(self.views))
        self._classes, self._dicts = set(map(type, chain.from_iterable(self.numbers))), list(map(vars, self.objects))

    def same(self) -> bool:
        """Whether they show the same."""
        return (
            self.steady
            and list(map(len, self.views)) == self._lengths
            and all(map(is_, chain.from_iterable(self.views), self._parts))
            and all(map(is_, map(vars, self.objects), self._dicts))
            and self._classes.issuperset(map(type, chain.from_iterable(self.numbers)))
        )


def _parts(item: Any, seen: _Seen) -> list[tuple[Any, Any]]:
    """(key, part) for what is in a container, and in the attributes of an object, of which no property is asked."""
    return _items(item, seen) + _attributes(item, seen)


def _items(item: Any, seen: _Seen) -> list[tuple[Any, Any]]:
    if isinstance(item, (list, tuple, deque, set, frozenset)):
        seen.views.append(item)
        return list(enumerate(item))
    if isinstance(item, (dict, types.MappingProxyType)):
        seen.views += (item.values(), item.keys())
        return list(item.items())
    if isinstance(item, np.ndarray) and item.dtype == object:
        seen.views.append(np.asarray(item).flat)
        return [(".".join(map(str, index)), part) for index, part in np.ndenumerate(np.asarray(item))]
    return []


def _attributes(item: Any, seen: _Seen) -> list[tuple[str, Any]]:
    cls: Any = type(item)
    attributes: dict[str, Any] = {}
    if cls.__dictoffset__:
        attributes = object.__getattribute__(item, "__dict__")
        seen.views += (attributes.values(), attributes.keys())
        seen.objects.append(item)
    slots = _slots(cls)
    seen.steady = seen.steady and not slots
    found = [(name, part) for name, part in attributes.items() if name != _MEMORY]
    for name, slot in slots:
        try:
            found.append((name, slot.__get__(item)))
        except AttributeError:  # not set
            continue
    return found


@lru_cache(maxsize=1024)
def _slots(cls: Any) -> tuple[tuple[str, Any], ...]:
    """The names of the slots of a class, and what gets their contents."""
    members = {
        name: slot for base in reversed(cls.__mro__) if "__slots__" in vars(base) for name, slot in vars(base).items()
    }
    return tuple((name, slot) for name, slot in members.items() if isinstance(slot, types.MemberDescriptorType))


def _are_numbers(item: Any) -> bool:
    """Whether `item` is an array of real numbers, or a sequence of nothing but numbers and the like."""
    kind = _kind(item)
    if kind == ARRAY:
        return item.dtype.kind in "iuf"
    return kind == SEQUENCE and bool(item) and all(_kind_of(cls) in (ATOM, NUMBER) for cls in set(map(type, item)))


def _array(parts: list[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    array = np.empty(len(parts), dtype=object)
    array[:] = parts
    return array.reshape(shape)


# ---- What becomes a parameter ----


def _settled_walk(holder: Holder) -> _Walk:
    """A walk after which nothing stands in the place of a parameter that should be one."""
    walk = _Walk(holder)
    if walk.amiss:
        settler = _Settler(set(walk.parameters))
        for owner in walk.amiss:
            settler.settle(walk.holders[owner])
        walk = _Walk(holder)
        for parameter in settler.updated.difference(walk.parameters):
            parameter.numbers = REPLACED
    for owner, own in walk.own.items():
        memory = _memory(walk.holders[owner])
        memory.own, memory.containers = own, walk.containers[owner]
    walk.finish()
    return walk


class _Settler:
    """Makes parameters of numbers in their places and, given the parameters that still stand, of their updates."""

    def __init__(self, standing: set[Value] | None = None) -> None:
        self.standing = standing
        self.updated: set[Value] = set()
        self._leaves: dict[Value, Value] = {}
        self._done: dict[int, tuple[Any, Any]] = {}  # the old ones are kept, for their ids to stay theirs

    def settle(self, holder: Holder, names: Iterable[str] | None = None) -> None:
        """All of a holder, or these attributes."""
        self._memory = _memory(holder)
        self._before = {name: dict(_flat(entries.items())) for name, entries in self._memory.own.items()}
        for name, part in _attributes(holder, _Seen()):
            if names is None or name in names:
                settled = self._settled(name, part)
                if settled is not part:
                    object.__setattr__(holder, name, settled)

    def _settled(self, place: str, item: Any, new: bool = False, inside: bool = False) -> Any:
        """What is to stand in the place of `item`.

        It is `inside` if it is in an entry, and `new` if it is in a sequence of numbers that was put there since, which
        is then copied: it is the caller's, who may give it to others.
        """
        kind = _kind(item)
        inside = inside or self._memory.covers(place)
        here = inside or self._memory.concerns(place)
        if kind == NUMBER:
            return Value(item) if new or here else item
        if kind == VALUE:
            return self._leaf(place, item) if here and self.standing is not None else item
        if kind == OBJECT and here and hasattr(type(item), "__array__"):  # such as a column of pandas
            return self._settled(place, as_real_array(place, item), new, inside)
        if kind == ARRAY and item.dtype != object:
            if not (new or here) or not _are_numbers(item):
                return item
            numbers = as_real_array(place, item)
            if not item.ndim:
                return Value(numbers)
            if here and not inside:  # it was a list of lists
                return self._settled(place, numbers.tolist(), new=True)
            return _array([Value(x) for x in numbers.ravel().tolist()], item.shape)
        if kind not in (SEQUENCE, MAPPING, ARRAY, RECORD):
            return item
        new = new or (
            here and id(item) not in self._memory.containers.get(_attribute(place), {}) and _all_numbers(item)
        )
        if id(item) in self._done and not new:
            return self._done[id(item)][1]
        settled = copy.copy(item) if new or (kind == ARRAY and not item.flags.writeable) else item
        self._done[id(item)] = item, settled
        parts = _items(item, _Seen())
        after = [self._settled(f"{place}.{key}", part, new, inside) for key, part in parts]
        if isinstance(item, tuple) and not all(map(is_, after, item)):
            settled = tuple.__new__(type(item), after)
        elif not isinstance(item, tuple):
            for i, ((key, before), part) in enumerate(zip(parts, after)):
                if part is not before:
                    (settled.flat if kind == ARRAY else settled)[i if kind == ARRAY else key] = part
        self._done[id(item)] = item, settled
        for name, before in _attributes(item, _Seen()):
            part = self._settled(f"{place}.{name}", before, new, inside)
            if part is not before or settled is not item:
                object.__setattr__(settled, name, part)  # of a frozen dataclass, too
        return settled

    def _leaf(self, place: str, node: Value) -> Value:
        """The parameter that `node` is an update of, with its number; `node`, if it is something else."""
        assert self.standing is not None
        if is_parameter(node) or node in self._leaves:
            return self._leaves.get(node, node)
        there = self._before[_attribute(place)]
        before, root = there.get(place), _root(node)
        sources = _sources(node) if root is None else [root] if is_parameter(root) else []
        source = sources[0] if sources else before  # none: it comes from no_grad
        if not (source is before or self._moved(there, source)) or (root is None and not _is_update(node, sources)):
            return node
        leaf = Value(node.data) if source is None else copy.copy(source)
        leaf.data, leaf.grad, leaf.numbers = node.data, 0.0, ()
        if source is not None:
            self.updated.add(source)
        self._leaves[node] = leaf
        return leaf

    def _moved(self, there: dict[str, Value], source: Value | None) -> bool:
        """Whether `source` was in the same attribute and stands nowhere any more, as where a list was shortened."""
        assert self.standing is not None
        return source not in self.standing | self.updated and any(source is other for other in there.values())


def _all_numbers(item: Any) -> bool:
    return _are_numbers(item) or (_kind(item) == SEQUENCE and bool(item) and all(_all_numbers(part) for part in item))


def _root(node: Value) -> Value | None:
    """The leaf that a chain of nodes with one input each, numbers apart, leads to."""
    while node.op is not None:
        inputs = [x for x in node.inputs if isinstance(x, Value)]
        if len(inputs) != 1:
            return None
        (node,) = inputs
    return node


def _is_update(node: Value, sources: list[Value]) -> bool:
    """Whether `node` was computed from one parameter as an update is: ``0.9 * w``, ``w - rate * (w.grad + decay * w)``.

    Slopes that were recorded make it an inner step of meta-learning, also where nothing but `w` is in them: they share
    what the loss was computed from, or are no sums of products by numbers.
    """
    if len(sources) > 1:
        return False
    order = topological_order([node])
    uses = Counter(x for y in order for x in y.inputs if isinstance(x, Value))
    beside: set[Value] = set()  # what else is below the nodes that were met
    for x in reversed(order):
        beside.discard(x)
        if x.op is not None and beside and (uses[x] > 1 or x.op.name not in _LINEAR):
            return False
        beside.update(y for y in x.inputs if isinstance(y, Value) and (y.op is not None or is_parameter(y)))
    return True


_LINEAR = ("add", "sub", "neg", "mul", "div")


def _sources(node: Value) -> list[Value]:
    """The parameters that a node was computed from; of many, two."""
    found: list[Value] = []
    met: set[int] = set()
    waiting = [node]
    while waiting and len(found) < 2:
        node = waiting.pop()
        if id(node) not in met:
            met.add(id(node))
            if is_parameter(node):
                found.append(node)
            waiting += [x for x in node.inputs if isinstance(x, Value)]
    return found
