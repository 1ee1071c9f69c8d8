"""Walks over the recorded graph: topological order, leaves, and the chain rule in both directions.

A walk sees nothing of a node but its row, its inputs and its numbers (`Node`).  Every walk is iterative, so depth is
bounded by memory alone, and takes inputs in order, so the same graph gives bit-identical results in every process.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from operator import add, attrgetter
from typing import Any, Protocol, TypeVar

from . import watching
from .generated import below, sweep
from .ops import Op


class Node(Protocol):
    """What a walk needs of a node; `autograd.Value` is one, and says what its slots hold."""

    op: Op | None
    """The row that computed the node; None for a leaf."""
    _grad: float
    _adjoint: float
    _sweep: object

    @property
    def inputs(self) -> tuple[Any, ...]:
        """What the node was computed from, in order: nodes, and floats for constants."""

    @property
    def numbers(self) -> tuple[float, ...]:
        """The output, then the inputs, as the forward pass saw them."""


N = TypeVar("N", bound=Node)


def topological_order(outputs: N | Iterable[N], known: Container[Any] = ()) -> list[N]:
    """Every node that `outputs`, one or several, depend on, inputs before what is computed from them.

    Nothing at or below `known`.

    >>> from autograd import Value
    >>> x = Value(2.0, "x")
    >>> y = x * x + 1.0
    >>> [node.op.name if node.op else node.label for node in topological_order(y)]
    ['x', 'mul', 'add']
    """
    order: dict[N, None] = {}
    several = hasattr(outputs, "__iter__") and not hasattr(type(outputs), "__record__")
    path = [require_value(x) for x in (outputs if several else [outputs])]  # type: ignore[union-attr]
    path.reverse()
    while path:  # a node is placed when it comes last on the path for the second time, after its inputs
        node = path[-1]
        ahead = [] if node in order or node in known else [
            x for x in node.inputs if x.__class__ is not float and x not in order and x not in known
        ]  # fmt: skip
        if ahead:
            path += reversed(ahead)
        else:
            path.pop()
            if node not in known:
                order[node] = None
    return [*order]


def number_of_node(node: Any) -> float:
    """The number of a node as its forward pass computed it; of a leaf, the one that it has now.

    >>> from autograd import Value
    >>> number_of_node(Value(2.0) * 3.0)
    6.0
    """
    return node.numbers[0] if node.numbers else node.data  # type: ignore[no-any-return]  # floats


def leaves(outputs: N | Iterable[N]) -> list[N]:
    """The nodes that `outputs`, one or several, depend on and that nothing computed.

    >>> from autograd import Value
    >>> x, y = Value(2.0, "x"), Value(3.0, "y")
    >>> [leaf.label for leaf in leaves(x * y + x)]
    ['x', 'y']
    """
    return [node for node in topological_order(outputs) if not node.inputs]


def adjoints(output: N) -> dict[N, float]:
    """d(output)/d(node) of every node below `output`: reverse mode, one sweep.

    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> adjoints(x * x)[x]
    6.0
    """
    nodes = topological_order(require_value(output))[::-1]
    return dict(zip(nodes, slopes(nodes, {output: 1.0}, nodes)))


def slopes(nodes: Sequence[N], seeds: Mapping[N, float], wanted: Iterable[N]) -> list[float]:
    """The adjoints that `chain_rule` finds from the `seeds`, for `nodes` in reversed topological order.

    The result is for `wanted`.  Nodes that are wanted, but not among `nodes`, receive and pass nothing on.

    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> y = x * x
    >>> slopes([y, x], {y: 1.0}, [x])
    [6.0]
    """
    wanted = list(wanted)
    if not watching.watchers and _sweeping.acquire(blocking=False):
        try:
            for some in (nodes, wanted):
                for node in some:
                    node._adjoint = -0.0  # to which nothing has been added, to the bit
            for node, seed in seeds.items():
                node._adjoint = seed
            sweep(nodes, _by_definition)
            found = [node._adjoint + 0.0 for node in wanted]
            if not any(x != x for x in found):
                return found
        finally:
            _sweeping.release()
    by_node = chain_rule(nodes, dict(seeds))
    return [by_node.get(node, 0.0) + 0.0 for node in wanted]


def backward(output: Any) -> None:
    """Adds d(output)/d(node) to the ``grad`` of every node below `output`; the documented half is `Value.backward`."""
    if not watching.watchers and _sweeping.acquire(blocking=False):
        try:
            nodes = below(output, object())
            output._adjoint = 1.0
            nodes.reverse()
            if (total := sweep(nodes, _by_definition)) == total:
                return _commit(iter(nodes))
        finally:
            _sweeping.release()
    found = chain_rule(topological_order(output)[::-1], {output: 1.0})
    return add_to_grads(found, found.values())


_sweeping = threading.Lock()
"""Held while adjoints stand in the nodes.  Another thread, or a handler of signals, that finds it taken uses a dict."""


def _by_definition(node: Any) -> None:
    """The part of a sweep for a row that is not of the table."""
    chain_rule([node], _ADJOINTS)  # type: ignore[arg-type]  # as much of a dict as it needs


class _Adjoints:
    """The adjoints that stand in the nodes, as a dict."""

    def __contains__(self, node: Any) -> bool:
        return True

    def __getitem__(self, node: Any) -> float:
        return node._adjoint  # type: ignore[no-any-return]  # a float

    def __setitem__(self, node: Any, adjoint: float) -> None:
        node._adjoint = adjoint


_ADJOINTS = _Adjoints()


def _commit(rest: Iterator[Any]) -> None:
    """Adds to the ``grad`` of each node its adjoint: to all of them, even if it is interrupted, and then raises."""
    interruption: BaseException | None = None
    while True:
        try:  # Python looks for signals, and lets other threads run, only where the loop goes back
            for node in rest:
                node._grad = grad + node._adjoint if (grad := node._grad) else node._adjoint or 0.0
            break
        except BaseException as error:
            interruption = error
    if interruption is not None:
        raise interruption


def add_to_grads(nodes: Iterable[Any], slopes: Iterable[float]) -> None:
    """Adds to the ``grad`` of each node the number beside it: to all of them or, if it is interrupted, to none.

    >>> from autograd import Value
    >>> x = Value(2.0)
    >>> add_to_grads([x], [3.0])
    >>> x.grad
    3.0
    """
    # One call into C: a signal (Ctrl-C) or another thread comes before all of the additions or after them.
    grads = map(add, map(_get_grad, nodes := list(nodes)), slopes)
    deque(map(setattr, nodes, repeat("_grad"), grads), maxlen=0)


_get_grad = attrgetter("_grad")
numbers: Callable[[Node], tuple[float, ...]] = attrgetter("numbers")


def times(adjoint: float, partial: float, gate: bool) -> float:
    """adjoint * partial; a zero adjoint, or a zero partial of a gate, wins even over inf and NaN.

    >>> from math import inf
    >>> times(inf, 0.0, gate=True), times(inf, 0.0, gate=False), times(0.0, inf, gate=False)
    (0.0, nan, 0.0)
    """
    product = adjoint * partial
    if product != product and (adjoint == 0.0 or (gate and partial == 0.0)):
        return 0.0
    return product


def chain_rule(
    nodes: Iterable[N],
    found: dict[N, Any],
    operands: Callable[[N], Sequence[Any]] = numbers,
    times: Callable[[Any, Any, bool], Any] = times,
    forward: bool = False,
    within: Container[Any] | None = None,
) -> dict[N, Any]:
    """Edge after edge: found[target] += found[source] * d(node)/d(input).

    Whatever `operands` gives for a node goes through the table: floats, Values, formulas.  Inputs that are not
    `within` (None: everything is) count as constants.

    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> y = x * x
    >>> chain_rule([y], {y: 1.0})[x]
    6.0
    """
    for node in nodes:
        op = node.op
        if op is None:
            continue
        seen = operands(node)
        source = target = node
        for x, partial in zip(node.inputs, op.partials):
            if x.__class__ is float or partial is None or (within is not None and x not in within):
                continue
            if forward:
                source = x
            else:
                target = x
            if source in found:
                term = times(found[source], partial(*seen), op.gate)
                if term is not None:
                    found[target] = found[target] + term if target in found else term
    return found


def require_value(x: Any, hint: str = "derivatives are taken of Values, with respect to Values") -> Any:
    """`x`, if it is a Value; otherwise a TypeError that ends in `hint`.

    >>> require_value(3.0, "wrap it")
    Traceback (most recent call last):
    TypeError: 3.0 (float) is not a Value; wrap it
    """
    if not hasattr(type(x), "__record__"):
        raise TypeError(f"{x!r:.60} ({type(x).__name__}) is not a Value; {hint}")
    return x
