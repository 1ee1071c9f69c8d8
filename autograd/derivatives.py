"""Derivatives of chosen nodes, as numbers or, recorded, as Values: reverse mode and forward mode.

A recorded derivative can be differentiated again.  The chain rule is that of `graph`, run on Values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any, Literal, overload

from .graph import N, Node, chain_rule, numbers, require_value, slopes, topological_order
from .ops import ADD, MUL, NEG, SUB, WHERE
from .recording import enable_grad


@overload
def gradients(output: N, inputs: Sequence[N], create_graph: Literal[True]) -> list[N]: ...
@overload
def gradients(output: N, inputs: Sequence[N], create_graph: Literal[False] = False) -> list[float]: ...
@overload
def gradients(output: N, inputs: Sequence[N], create_graph: bool) -> list[Any]: ...
def gradients(output: Any, inputs: Sequence[Any], create_graph: bool = False) -> Any:
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
    return derivatives(nodes, {output: 1.0}, list(map(require_value, inputs)), create_graph)


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
        if not forward:
            return slopes(nodes, seeds, wanted)
        found = chain_rule(nodes, dict(seeds), numbers, _times_forward, forward)
        return [found.get(x, 0.0) for x in wanted]
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
    """Marks a node that was returned as a recorded derivative, in ``_more``: what is computed from it is no update.

    A leaf that is a derivative of something stays without, as that of ``w * x`` by x is.
    """

    __slots__ = ()


def _times_forward(tangent: float, partial: float, gate: bool) -> float | None:
    """`times` from the other end: a zero partial wins, as there a zero adjoint; nothing comes through a closed gate."""
    if partial == 0.0:
        return None if gate else 0.0
    return tangent * partial


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
