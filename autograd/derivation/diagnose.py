"""Why a derivative is exactly zero, and where a NaN or an infinity came from."""

from __future__ import annotations

import linecache
from collections.abc import Container, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from ..graph import adjoints, number_of_node, require_value, times, topological_order
from ..ops import FLAT
from ..value import Value
from .formula import Formula, Formulas, symbols
from .notation import Text, counted, quoted
from .ways import edges, routes

# ---- Why a derivative is zero ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Zero:
    """A place that makes a derivative 0: the derivative of `node` with respect to its input `index` is 0.

    Without an index, nonzero routes that meet in `node` cancel (`canceling`), or a product underflows there.  With
    `beaten`, the derivative is infinite or NaN instead, and a 0 from above wins over it.
    """

    node: Any
    index: int | None = None
    beaten: float | None = None
    canceling: tuple[float, ...] = ()

    def formulas(self, formulas: Formulas) -> list[Formula | float]:
        """The formulas in the sentence about the place: those of the node, of the input, and of the other inputs."""
        if self.index is None:
            return [formulas.formula(self.node)]
        parts = [formulas.formula(x) for x in self.node.inputs]
        node = Formula(self.node.numbers[0], self.node.op, tuple(parts))  # as it is, not simplified: 0 x is not 0
        return [node, parts.pop(self.index), *parts]

    def sentence(self, formulas: Formulas) -> str:
        """The place, in words."""
        text = Text()
        z, *parts = map(text.write, self.formulas(formulas))
        if self.index is None:
            if self.canceling:
                return f"the routes to {z} cancel: {text.sum([text.written(term) for term in self.canceling])} = 0"
            return f"a product of small factors underflows at {z}"
        number = text.write(self.node.numbers[self.index + 1])
        if self.beaten is not None:
            what = "undefined" if self.beaten != self.beaten else "infinite"
            return f"this 0 wins over the {what} derivative of {z} at {parts[0]} = {number}; a second derivative is NaN"
        other = parts[1] if parts[1:] else ""
        return self.node.op.why_zero.format(z=z, x=parts[0], xn=number, other=other)  # type: ignore[no-any-return]


def why_zero(output: Value, variable: Value) -> list[str]:
    """The reasons why d(output)/d(variable) is exactly 0, as sentences; an empty list if it is not 0.

    A TypeError if either is not a Value.

    >>> from autograd import relu
    >>> x, w = Value(2.0, "x"), Value(-1.5, "w")
    >>> why_zero(relu(w * x) + 1, w)
    ['relu(w x) is off, because w x = -3 is not positive']
    >>> why_zero(x - x, x), why_zero(x * 2, w)
    (['the routes to x cancel: 1 - 1 = 0'], ['the output does not depend on w'])
    """
    for x in (output, variable):
        require_value(x, "why_zero(output, variable) takes two Values")
    if adjoints(output).get(variable, 0.0) != 0.0:
        return []
    formulas = Formulas(topological_order([output, variable]))
    zeros = places_of_zero(output, variable)
    formulas.give_names(
        [formulas.symbol(variable), *(s for zero in zeros for f in zero.formulas(formulas) for s in symbols(f))]
    )
    return sentences(zeros, output, variable, formulas)


MOST = 5
"""This many reasons are given; the others are counted."""


def sentences(zeros: Sequence[Zero], output: Value, variable: Value, formulas: Formulas) -> list[str]:
    """The places, in words; if there are none, the reason why `output` and `variable` are not connected."""
    if zeros:
        said = list(dict.fromkeys(zero.sentence(formulas) for zero in zeros[:MOST]))
        more = len(zeros) - MOST
        return [*said, f"and {counted(more, 'more place')}"] if more > 0 else said
    order = topological_order([output])
    x = formulas.symbol(variable).text
    if any(node is variable for node in order):
        return [f"the output depends on {x} only through the condition of a where, which has no derivative"]
    if output.op is None and output.numbers:
        return ["the output was computed inside no_grad, which records nothing"]
    if any(node.op is None and node.numbers for node in order):
        return [f"the output does not depend on {x}, or only through numbers computed inside no_grad"]
    return [f"the output does not depend on {x}"]


def places_of_zero(output: Value, variable: Value) -> list[Zero]:
    """The places that make d(output)/d(variable) 0, from the output down; none if the two are not connected."""
    nodes = routes(output, variable, FLAT) or routes(output, variable)  # no derivative ever passes a flat row
    within, found = set(nodes), adjoints(output)
    terms: dict[Value, list[float]] = {output: [1.0]}  # the terms of each adjoint that nothing blocks
    zeroed: set[Value] = set()  # reached only by zeros, none of them that of a closed gate
    places = []
    for node in reversed(nodes):
        arriving = terms.pop(node, [])
        alive = bool(arriving) and found[node] != 0.0
        if arriving and not alive:
            places.append(Zero(node, canceling=tuple(term for term in arriving if term)))
        for index, x in edges(node, within) if arriving or node in zeroed else ():
            slope = node.op.partials[index](*node.numbers)  # type: ignore[union-attr,misc]  # it has an edge
            if alive and slope != 0.0:
                terms.setdefault(x, []).append(found[node] * slope)
                continue
            if alive:
                places.append(Zero(node, index))
            elif not isfinite(slope):
                places.append(Zero(node, index, beaten=slope))
            op = node.op
            assert op is not None  # it has an edge
            # A gate at its kink, such as relu at 0, may still open, unless it is flat.
            if slope != 0.0 or not op.gate or (op.is_at_kink(*node.numbers[1:]) and not op.flat):
                zeroed.add(x)
    return places


# ---- Where a NaN or an infinity came from ---------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Origin:
    """The first operation with finite inputs whose result is infinite or NaN.

    In the forward pass, the operation computes `node`, or `node` is a leaf that was not finite from the start.  In the
    backward pass, it multiplies the `adjoint` d(output)/d(node) by the `partial` d(node)/d(input `index` of it) or,
    with `overflow`, adds the products that meet in `node`.  `route` leads from `node` to the output.

    ``str(origin)`` says so in words, with the source line if `trace_lines` recorded it.
    """

    node: Value
    route: tuple[Value, ...]
    overflow: bool = False
    index: int | None = None
    adjoint: float = 0.0
    partial: float = 0.0

    @property
    def line(self) -> str | None:
        """The file and the line that computed the node; None outside of `trace_lines`."""
        return getattr(self.node, "line", None)

    def __str__(self) -> str:
        lines = [self._what()]
        if self.line:
            file, _, number = self.line.rpartition(":")
            lines.append(f"computed in {self.line}  {linecache.getline(file, int(number)).strip()}".rstrip())
        names = [_name(x, "leaf") for x in self.route]
        if len(names) > 12:
            names[6:-5] = [f"({len(names) - 11} more)"]
        if names[1:]:
            lines.append(f"on its way to the output: {' -> '.join(names)}")
        return "\n  ".join(lines)

    def _what(self) -> str:
        node, op = self.node, self.node.op
        if self.overflow:
            return f"backward, d(output)/d({_name(node, 'a leaf')}), a sum of finite products, overflows"
        if op is None:
            return f"the leaf {_name(node, '(no label)')} is {number_of_node(node)}"
        label = f"{quoted(node.label)} = " if node.label else ""
        what = f"{label}{op.name}({', '.join(map(repr, node.numbers[1:]))}) = {node.numbers[0]!r}"
        if self.index is None:
            return f"forward, the first number that is not finite is {what}"
        x = node.inputs[self.index]
        assert isinstance(x, Value)
        name, by = _name(node, ""), _name(x, f"operand {self.index + 1}")
        factors = f"d(output)/d({name}) * d({name})/d({by}) = {self.adjoint!r} * {self.partial!r}"
        return f"backward, the first product that is not finite is {factors}, at {what}"


def _name(node: Value, else_: str) -> str:
    """The label of a node, else the name of its row; `else_` for a leaf without a label."""
    return quoted(node.label) if node.label else node.op.name if node.op else else_


def origin_of_nonfinite(value: Value) -> Origin | None:
    """The operation that made the first infinity or NaN in `value` or its gradient; None if all numbers are finite.

    An infinity or NaN that reaches neither `value` nor the derivative of a leaf does not count, such as one in the
    branch that a `where` did not take.  To get the source line too, compute the value under `trace_lines`.

    A TypeError if `value` is not a Value.

    >>> from autograd import log
    >>> x = Value(1.0, "x")
    >>> print(origin_of_nonfinite(log(x - 1) * 2))
    forward, the first number that is not finite is log(0.0) = -inf
      on its way to the output: log -> mul
    >>> print(origin_of_nonfinite((x - 1).sqrt()))
    backward, the first product that is not finite is d(output)/d(sqrt) * d(sqrt)/d(sub) = 1.0 * inf, at sqrt(0.0) = 0.0
    >>> origin_of_nonfinite(x + 1) is None
    True
    """
    require_value(value, "origin_of_nonfinite(value) takes one")
    order = topological_order([value])
    if not isfinite(number_of_node(value)):
        return _forward(order, value)
    return _backward(order, adjoints(value))


def _backward(order: Sequence[Value], found: dict[Value, float]) -> Origin | None:
    """The first product or sum that makes the derivative of some leaf infinite or NaN; None if all are finite."""
    bad = {node for node in order if node.op is None and not isfinite(found.get(node, 0.0))}
    first, explained, below = None, set(), frozenset(order)
    for node in order:
        for index, x in edges(node, bad) if node in found else ():
            slope = node.op.partials[index](*node.numbers)  # type: ignore[union-attr,misc]  # it has an edge
            if isfinite(times(found[node], slope, node.op.gate)):  # type: ignore[union-attr]
                continue
            explained.add(x)
            if isfinite(found[node]):
                first = node, index, slope  # overwritten until the first in the backward pass is left
            else:
                bad.add(node)  # it comes from above
    if first:
        node, index, slope = first
        for y in (*node.inputs, node):
            if isinstance(y, Value) and not isfinite(number_of_node(y)):  # an infinity that vanished further up
                return _forward(order, y)
        return Origin(node, _way(order, node, below), False, index, found[node], slope)
    overflows = [node for node in order if node in bad and node not in explained]
    return Origin(overflows[-1], _way(order, overflows[-1], below), overflow=True) if overflows else None


def _forward(order: Sequence[Value], value: Value) -> Origin:
    """The first of the nodes that make `value` infinite or NaN."""
    bad = {value}
    for node in reversed(order):
        if node in bad:
            bad.update(x for x in node.inputs if isinstance(x, Value) and not isfinite(number_of_node(x)))
    first = next(node for node in order if node in bad)
    place = next(i for i, node in enumerate(order) if node is value)
    return Origin(first, _way(order, first, bad | set(order[place:])))


def _way(order: Sequence[Value], node: Value, through: Container[Value]) -> tuple[Value, ...]:
    """A path from `node` to the last node of `order`."""
    consumer: dict[Value, Value] = {}
    for later in reversed(order):
        if later is order[-1] or later in consumer:
            consumer.update((x, later) for x in later.inputs if isinstance(x, Value) and x in through)
    way = [node]
    while way[-1] is not order[-1]:
        way.append(consumer[way[-1]])
    return tuple(way)
