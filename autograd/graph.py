"""Walks over the recorded graph: topological order, leaves, and the chain rule in both directions.

A walk sees nothing of a node but its row, its inputs and its numbers (`Node`).  Every walk is iterative, so depth is
bounded by memory alone, and takes inputs in order, so the same graph gives bit-identical results in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import nan
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from . import watching
from .generated import sweep
from .ops import ADD, MUL, NEG, SUB, WHERE, Op
from .recording import enable_grad


class Node(Protocol):
    """What a walk needs of a node; `autograd.Value` is one, and says what its slots hold."""

    op: Op | None
    """The row that computed the node; None for a leaf."""
    _x: Any
    _y: Any
    _more: Any

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
    return [*_below(map(_require_node, outputs if several else [outputs]), known)]  # type: ignore[arg-type, list-item]


def _below(outputs: Iterable[N], known: Container[Any] = ()) -> dict[N, float]:
    """The nodes that `topological_order` lists, each with -0.0: the sum of no adjoints, to the bit."""
    found: dict[N, float] = _Beyond(known) if known else {}
    path: list[N] = []  # from an output down to the node: of each the first input that is not placed yet comes next
    for node in outputs:
        if node in found:
            continue
        while True:
            if ((x := node._x) is not None and x not in found) or ((x := node._y) is not None and x not in found):
                path.append(node)
                node = x
            elif node._more and (more := [x for x in node.inputs[2:] if x.__class__ is not float and x not in found]):
                path.append(node)
                node = more[0]
            else:
                found[node] = -0.0
                if not path:
                    break
                node = path.pop()
    return found


class _Beyond(dict[Any, Any]):
    """A dict that holds what is `known`, too, when it is asked."""

    def __init__(self, known: Container[Any]) -> None:
        super().__init__()
        self.known = known

    def __contains__(self, node: object) -> bool:
        return super().__contains__(node) or node in self.known


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


def routes(output: N, variable: N, flat: Container[Op | None] = ()) -> list[N]:
    """The nodes on the ways from `variable` to `output`, both included, in topological order; none if there is no way.

    No way goes through the condition of a `where`, for which there is no derivative, or through a row in `flat`.

    >>> from autograd import Value
    >>> x, y = Value(2.0, "x"), Value(3.0, "y")
    >>> [node.op.name if node.op else node.label for node in routes(x * y + y, x)]
    ['x', 'mul', 'add']
    """
    order = topological_order([output])
    reached = {variable}  # from below
    for node in order:
        if node.op not in flat and any(True for _ in edges(node, reached)):
            reached.add(node)
    kept = {output} & reached  # and from above
    for node in reversed(order):
        if node in kept and node is not variable and node.op not in flat:
            kept.update(x for _, x in edges(node, reached))
    return [node for node in order if node in kept]


def edges(node: N, within: Container[Any]) -> Iterator[tuple[int, N]]:
    """(i, x) for each input x of `node`, the i-th, that is `within` and that there is a derivative for.

    >>> from autograd import Value
    >>> x = Value(2.0, "x")
    >>> list(edges(x * x, {x}))
    [(0, Value(data=2.0, grad=0.0, label='x')), (1, Value(data=2.0, grad=0.0, label='x'))]
    """
    if node.op is not None:
        for i, (x, partial) in enumerate(zip(node.inputs, node.op.partials)):
            if x.__class__ is not float and partial is not None and x in within:
                yield i, x


def adjoints(output: N) -> dict[N, float]:
    """d(output)/d(node) of every node below `output`: reverse mode, one sweep.

    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> adjoints(x * x)[x]
    6.0
    """
    return _swept(_below([_require_node(output)]), {output: 1.0}, ())


def _swept(found: dict[N, float], seeds: Mapping[N, float], wanted: Iterable[N]) -> dict[N, float]:
    """What `chain_rule` adds to the `seeds`, for nodes in topological order, each with -0.0.

    Others that are `wanted` lie at the border: they receive, and pass nothing on.
    """
    count, border = len(found), [x for x in (*seeds, *wanted) if x not in found]
    found |= dict.fromkeys(border, -0.0)
    if not watching.watchers:  # who are told what `chain_rule` reads
        found.update(seeds)
        nodes = islice(reversed(found.items()), len(found) - count, None)
        sweep(nodes, found, lambda node: chain_rule([node], found))
        if (total := sum(found.values())) == total:
            return found
    # NaN: a zero may have to win over infinity, which only `times` knows.
    return chain_rule([*found][:count][::-1], dict(seeds))


def gradients(output: Node, inputs: Sequence[Node], create_graph: bool = False) -> list[Any]:
    """d(output)/d(input) for each of `inputs`, leaves or not; no ``.grad`` is read or written.

    The result is a list of floats or, with ``create_graph=True``, of Values that can be differentiated again.  An
    input that `output` does not depend on has gradient 0.

    >>> from autograd import Value
    >>> x = Value(2.0)
    >>> gradients(x**3, [x])
    [12.0]
    >>> (slope,) = gradients(x**3, [x], create_graph=True)
    >>> gradients(slope, [x])
    [12.0]
    """
    if hasattr(type(inputs), "__record__"):
        raise TypeError("inputs is one Value; give a list of them: gradients(output, [x])")
    nodes = topological_order(output)[::-1]
    return derivatives(nodes, {output: 1.0}, list(map(_require_node, inputs)), create_graph)


def tangents(outputs: Sequence[Node], seeds: Mapping[Any, Any]) -> list[Any]:
    """The derivative of each of `outputs` along `seeds`, {node: tangent}: forward mode, one sweep.

    Floats as tangents give floats; with a Value among them the sweep is recorded and gives Values.

    >>> from autograd import Value
    >>> x, y = Value(2.0), Value(5.0)
    >>> tangents([x * y], {x: 1.0, y: 10.0})
    [25.0]
    """
    record = any(tangent.__class__ is not float for tangent in seeds.values())
    order = topological_order(outputs, known=seeds)
    moving = {x: seed for x, seed in seeds.items() if seed.__class__ is not float or seed != 0.0}
    return derivatives(order, moving, outputs, record, forward=True)


def derivatives(
    nodes: Sequence[N], seeds: Mapping[N, Any], wanted: Sequence[N], record: bool, forward: bool = False
) -> list[Any]:
    """The derivatives of `wanted` from the `seeds`: one sweep, on floats, or recorded on Values.

    Towards the inputs for `nodes` in reversed topological order, towards the outputs for the order itself (`forward`).

    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> y = x * x
    >>> derivatives([y, x], {y: 1.0}, [x], record=False)
    [6.0]
    """
    if not record:
        if forward:
            found = chain_rule(nodes, dict(seeds), numbers, _times_forward, forward)
        else:
            found = _swept(dict.fromkeys(reversed(nodes), -0.0), seeds, wanted)
        return [found.get(x, 0.0) + 0.0 for x in wanted]
    with enable_grad():
        found = chain_rule(nodes, dict(seeds), _recorded_operands, _RecordedTimes(), forward)
        recorded = [_value_of(found.get(x, 0.0), x) for x in wanted]
        if any(x.data != x.data for x in recorded):  # zeros may win, as in a sweep on floats
            floats = {x: seed if seed.__class__ is float else seed.data for x, seed in seeds.items()}
            won = derivatives(nodes, floats, wanted, False, forward)
            recorded = [
                _at(x, nan, number) if x.data != x.data and number == number else x for x, number in zip(recorded, won)
            ]
    for x in recorded:
        if x.op:
            x._more = Slope(x._more or ())
    return recorded


class Slope(tuple[Any, ...]):
    """In place of ``_more``, of a node that was returned as a recorded derivative: what is computed from it is no update.

    A leaf that is a derivative of something stays without, as that of ``w * x`` by x is.
    """

    __slots__ = ()


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


def _times_forward(tangent: float, partial: float, gate: bool) -> float | None:
    """`times` from the other end: a zero partial wins, as there a zero adjoint; nothing comes through a closed gate."""
    if partial == 0.0:
        return None if gate else 0.0
    return tangent * partial


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


def _recorded_operands(node: Node) -> list[Any]:
    """The output and the inputs of `node` as Values, at the numbers that its forward pass saw."""
    return [
        x if x.__class__ is float or x._number is number else _at(x, 1.0, number)
        for x, number in zip((node, *node.inputs), node.numbers)
    ]


def _at(x: Any, slope: float, number: float) -> Any:
    """A node with this number that passes derivatives, times `slope`, on to `x`."""
    node = MUL(x, slope)
    node._number = node._zd = node._xd = number
    return node


class _RecordedTimes:
    """`times` for factors that may be Values: recorded, but for products by a constant 1.

    The only zeros that win over infinity and NaN are those that stay zero around here: of closed gates, and whatever is
    multiplied by one.  Another may be 0 at this point alone, such as at a kink, so that the derivative of its product
    is unknown: then the product is NaN, and so are its derivatives.
    """

    def __init__(self) -> None:
        self._stay: dict[Any, bool] = {}  # of the nodes met so far

    def __call__(self, adjoint: Any, partial: Any, gate: bool) -> Any:
        """The product."""
        if partial.__class__ is float and partial == 1.0:
            return adjoint
        if adjoint.__class__ is float and adjoint == 1.0:
            return partial
        product = adjoint * partial
        if product != product:
            for factor in (adjoint, partial) if gate else (adjoint,):
                if self._stays_zero(factor):
                    return WHERE(factor, product, 0.0)
        return product

    def _stays_zero(self, factor: Any) -> bool:
        for node in topological_order([factor] if factor.__class__ is not float else (), self._stay):
            self._stay[node] = node.numbers != () and node.numbers[0] == 0.0 and self._is_closed(node)
        return factor == 0.0 if factor.__class__ is float else self._stay[factor]

    def _is_closed(self, node: Node) -> bool:
        """Whether a node that is 0 is so by its row, or because what it was computed from is."""
        op, zeros = node.op, [x == 0.0 if x.__class__ is float else self._stay[x] for x in node.inputs]
        if op is WHERE:
            return zeros[1 if node.numbers[1] else 2]
        if op.flat:  # type: ignore[union-attr]  # it has numbers
            return not op.is_at_kink(*node.numbers[1:])  # type: ignore[union-attr]
        return (op is MUL and any(zeros)) or (op in (ADD, SUB, NEG) and all(zeros))


def _value_of(derivative: Any, like: Any) -> Any:
    return type(like)(derivative) if derivative.__class__ is float else derivative


def _require_node(x: Any) -> Any:
    if not hasattr(type(x), "__record__"):
        raise TypeError(
            f"{x!r:.60} ({type(x).__name__}) is not a Value; derivatives are taken of Values, with respect to Values"
        )
    return x
