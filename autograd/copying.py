"""Deep copies and pickles of graphs of any depth, without recursion from a node to its inputs."""

from __future__ import annotations

import copy
import threading
import weakref
from collections.abc import Sequence
from inspect import ismemberdescriptor
from itertools import takewhile
from typing import Any

from . import recording
from .derivatives import Slope
from .graph import topological_order
from .ops import Op
from .watching import notify


def set_inputs(node: Any, op: Op | None, inputs: Sequence[Any], number: float | None, numbers: Sequence[float]) -> None:
    """Gives a new node what it was computed from: the slots that `autograd.Value` describes.

    `number` is the output, None of a leaf that was not computed; `inputs` has None for plain numbers.
    """
    node.op, node._zd, node._sweep = op, number, None
    node._y = node._more = None
    if len(inputs) == 1:
        (node._x,), (node._xd,) = inputs, numbers
    elif len(inputs) == 2:
        (node._x, node._y), (node._xd, node._yd) = inputs, numbers
    elif inputs:
        (node._x, node._y, *more), (node._xd, node._yd, *seen) = inputs, numbers
        node._more = (*more, *seen)
    else:
        node._x, node._xd = None, recording.calls


def copied(node: Any, inputs: tuple[Any, ...]) -> Any:
    """A copy of one node, computed from `inputs`.  It shares the attributes that a subclass has added."""
    notify(copy.copy, (node,), node)
    fields = _fields(node)
    new = restored(None, *fields[: len(fields) - len(inputs)], *inputs)
    set_state(new, state_of(node))
    return new


def reduced(node: Any) -> tuple[Any, ...]:
    """The contents of a pickle of `node`."""
    notify(copy.copy, (node,), node)
    return restored, (ancestors(node), *_fields(node)), state_of(node)


def _fields(node: Any) -> tuple[Any, ...]:
    numbers = Slope(node.numbers) if isinstance(node._more, Slope) else node.numbers
    return (_kind(node), node._number, node._grad, node.label, node.op, numbers, *node.inputs)


def restored(
    _ancestors: Any, kind: type[Any], data: float, grad: float, label: str, op: Op | None, numbers: Any, *inputs: Any
) -> Any:
    """The node of a pickle or a copy."""
    node: Any = object.__new__(kind)
    node._number, node._grad, node.label = data, grad, label
    number, *seen = numbers or (None,)
    set_inputs(node, op, [None if x.__class__ is float else x for x in inputs], number, seen)
    if isinstance(numbers, Slope):
        node._more = Slope(node._more or ())
    return node


def _kind(node: Any) -> type[Any]:
    """The class of a copy; a class may name another one."""
    return type(node).copied_as or type(node)


def state_of(node: Any) -> Any:
    """The attributes that a subclass has added, in the form that Python copies and pickles; None if there are none."""
    kind = _kind(node)
    if getattr(kind, "__getstate__", None) is not getattr(object, "__getstate__", None):
        return node.__getstate__()  # from Python 3.11 on
    own = takewhile(lambda base: not base.__module__.startswith(f"{__package__}."), kind.__mro__)
    slots = (name for base in own for name, x in vars(base).items() if ismemberdescriptor(x))
    filled = {name: getattr(node, name) for name in slots if hasattr(node, name)}
    attributes = getattr(node, "__dict__", None) or None
    return (attributes, filled) if filled else attributes


def deepcopy(node: Any, memo: dict[int, Any]) -> Any:
    """A copy of `node` and of all nodes that it depends on, except those with a copy in `memo`."""
    order = topological_order([node], known=_Copied(memo))
    for original in order:
        inputs = (x if x.__class__ is float else memo[id(x)] for x in original.inputs)
        memo[id(original)] = copied(original, tuple(inputs))
    for original in order:  # only now: an added attribute may refer to any node
        set_state(memo[id(original)], copy.deepcopy(state_of(original), memo))
    return memo[id(node)]


def set_state(node: Any, state: Any) -> None:
    """Sets the attributes that a subclass of `Value` has added, as a pickle does: attributes, or those and slots."""
    if state is None:
        return
    if hasattr(node, "__setstate__"):
        node.__setstate__(state)
        return
    for attributes in state if isinstance(state, tuple) else (state,):
        for name, attribute in (attributes or {}).items():
            object.__setattr__(node, name, attribute)


class _Copied:
    """The nodes that a deep copy has already reached."""

    def __init__(self, memo: dict[int, Any]) -> None:
        self.memo = memo

    def __contains__(self, node: object) -> bool:
        return id(node) in self.memo


def ancestors(node: Any) -> Ancestors | None:
    """The nodes that a pickler should write before `node`, each after its own inputs; None if there are none.

    A pickler recurses from an object into its parts, too deeply for a long graph.  So a node first hands over its
    ancestors, inputs before outputs: when the pickler reaches one of them, its parts are already written.  The nodes
    written so far are known as long as the pickler's memo keeps the `Ancestors` alive.  Knowing them only saves work
    and depth; the pickle is right without it.

    >>> from autograd import Value
    >>> x = Value(2.0)
    >>> [node is x for node in ancestors(x * x).nodes], ancestors(x)
    ([True], None)
    """
    reference = getattr(_session, "written", None)
    written = reference() if reference else None
    if written is None or node in written:  # a pickler asks once for each node, so this is another pickler
        written = _Written()
        _session.written = weakref.ref(written)
    written.add(node)
    nodes = topological_order((x for x in node.inputs if x.__class__ is not float), known=written)
    return Ancestors(nodes, written) if nodes else None


class Ancestors:
    """Nodes on their way into a pickle; the pickle holds them as a list."""

    def __init__(self, nodes: list[Any], written: _Written) -> None:
        self.nodes, self.written = nodes, written

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (), None, iter(self.nodes)


class _Written(set[Any]):
    """The nodes that a pickler has started to write."""


_session = threading.local()
