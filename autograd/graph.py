"""Walks over the recorded graph: topological order, leaves, and the chain rule in both directions.

A walk sees nothing of a node but its row, its inputs and its numbers (`Node`).  Every walk is iterative, so depth is
bounded by memory alone, and takes inputs in order, so the same graph gives bit-identical results in every process.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat, tee
from operator import add, attrgetter
from typing import Any, Protocol, TypeVar

from . import watching
from .generated import below, sweep
from .ops import Op


class Node(Protocol):
    """What a walk needs of a node; `autograd.Value` is one, and says what its slots hold."""

    op: Op | None
    """The row that computed the node; None for a leaf."""

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
    several = hasattr(outputs, "__iter__") and not hasattr(type(outputs), "__record__")
    path: list[Any] = list(map(require_value, outputs if several else [outputs]))  # type: ignore[arg-type]
    if not known and (found := _alone(_order, path)) is not None:
        return found  # type: ignore[no-any-return]  # nodes
    order: list[N] = []
    reached: set[N] = set()
    path.reverse()
    while path:  # nodes to visit; below a None, one whose inputs are all placed
        node = path.pop()
        if node is None:
            order.append(path.pop())
        elif node not in reached and node not in known:
            reached.add(node)
            path += (node, None)
            path += [x for x in reversed(node.inputs) if x.__class__ is not float and x not in reached]
    return order


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
    found: list[float] | None = _alone(_slopes, nodes, seeds, wanted)
    if found is None:
        by_definition = chain_rule(nodes, dict(seeds))
        found = [by_definition.get(node, 0.0) for node in wanted]
    return [slope + 0.0 for slope in found]


def backward(output: Any) -> None:
    """What `Value.backward` does."""
    if not _alone(_add_adjoints, output):
        found = chain_rule(topological_order(output)[::-1], {output: 1.0})
        add_to_grads(found, found.values())


def _alone(work: Callable[..., Any], *args: Any) -> Any:
    """What `work` returns, while nobody else uses the slots of nodes.

    None if somebody does, in another thread or around a handler of signals, and while watchers hear of every look.
    """
    taken: list[bool] = []
    try:
        taken += map(_sweeping.acquire, (False,))  # no call, after which a signal could come before the answer is kept
        return work(*args) if taken[0] and not watching.watchers else None
    finally:
        if True in taken:
            _sweeping.release()


_sweeping = threading.Lock()


def _order(outputs: list[Any]) -> list[Any]:
    token = object()
    return [node for x in outputs if x._sweep is not token for node in _below(x, token)]


def _below(output: Any, token: object) -> list[Any]:
    try:
        return below(output, token)
    except BaseException:
        below(output, object())  # which lets go of the nodes that others were reached from
        raise


def _slopes(nodes: Sequence[Any], seeds: Mapping[Any, float], wanted: list[Any]) -> list[float] | None:
    for node in chain(nodes, wanted):
        node._adjoint = -0.0  # to which nothing has been added, to the bit
    for node, seed in seeds.items():
        node._adjoint = seed
    total = sweep(nodes)
    found = [node._adjoint for node in wanted]
    return None if total != total or any(x != x for x in found) else found


def _add_adjoints(output: Any) -> bool:
    nodes = _below(output, object())
    output._adjoint = 1.0
    nodes.reverse()
    if (total := sweep(nodes)) != total:
        return False
    _commit(iter(nodes))
    return True


def _commit(rest: Iterator[Any]) -> None:
    here, grads, slopes = tee(rest, 3)
    finish = map(setattr, here, repeat("_grad"), map(add, map(_get_grad, grads), map(_get_adjoint, slopes)))
    try:  # Python looks for signals, and lets other threads run, only at jumps and calls: where the loop goes back
        for node in rest:
            node._grad = node._adjoint = node._grad + node._adjoint  # one float for both saves memory
    finally:
        deque(finish, maxlen=0)  # what an interruption has left, in one call into C, which nothing interrupts


def add_to_grads(nodes: Iterable[Any], slopes: Iterable[float]) -> None:
    """Adds to the ``grad`` of each node the number beside it: to all of them or, if it is interrupted, to none.

    >>> from autograd import Value
    >>> x = Value(2.0)
    >>> add_to_grads([x], [3.0])
    >>> x.grad
    3.0
    """
    # One call into C: a signal (Ctrl-C) or another thread comes before all additions or after all of them.
    grads = map(add, map(_get_grad, nodes := list(nodes)), slopes)
    deque(map(setattr, nodes, repeat("_grad"), grads), maxlen=0)


_get_grad, _get_adjoint = attrgetter("_grad"), attrgetter("_adjoint")
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
