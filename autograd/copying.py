"""Deep copies and pickles of graphs of any depth, without recursion from a node to its inputs."""

from __future__ import annotations

import copy
import threading
import weakref
from collections.abc import Callable
from typing import Any

from .graph import topological_order


def deepcopy(node: Any, memo: dict[int, Any], copy_with: Callable[[Any, tuple[Any, ...]], Any]) -> Any:
    """A copy of `node` and of all nodes that it depends on, except those with a copy in `memo`.

    ``copy_with(node, inputs)`` copies one node; attributes that a subclass has added are shared at first, then copied.
    """
    order = topological_order([node], known=_Copied(memo))
    for original in order:
        inputs = (x if x.__class__ is float else memo[id(x)] for x in original.inputs)
        memo[id(original)] = copy_with(original, tuple(inputs))
    for original in order:  # only now: an added attribute may refer to any node
        set_state(memo[id(original)], copy.deepcopy(original._state(), memo))
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
