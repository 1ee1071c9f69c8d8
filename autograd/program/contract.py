"""Pass 3: chains of additions become one sum, sums of products a dot product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import TypeAlias

from ..ops import ADD, DETACH, EQUAL, MAXIMUM, MUL, WHERE, Op
from .trace import Trace


@dataclass(frozen=True)
class Apply:
    """A row of the table, applied."""

    op: Op
    operands: tuple[int, ...]


@dataclass(frozen=True)
class Sum:
    """The sum of three terms or more."""

    operands: tuple[int, ...]


@dataclass(frozen=True)
class Max:
    """The largest of the operands, where it is only ever detached: the shift of a softmax."""

    operands: tuple[int, ...]


@dataclass(frozen=True)
class Dot:
    """left[0] * right[0] + left[1] * right[1] + ..."""

    left: tuple[int, ...]
    right: tuple[int, ...]

    @property
    def operands(self) -> tuple[int, ...]:
        """Both vectors."""
        return self.left + self.right


@dataclass(frozen=True)
class Select:
    """choices[index], of at least two, as `autograd.select` records it; an error where it is none of them."""

    index: int
    choices: tuple[int, ...]

    @property
    def operands(self) -> tuple[int, ...]:
        """The index, then the choices."""
        return (self.index, *self.choices)


Node: TypeAlias = Apply | Sum | Max | Dot | Select


def contract(trace: Trace) -> dict[int, Node]:
    """The operations of a trace by their numbers, inputs first; new ones have numbers beyond those of the trace.

    An addition whose only use is another addition is part of that one; a product whose only use is a sum, of a dot
    product.  What is left of such a sum is added to the dot product.

    >>> from autograd import Value
    >>> from autograd.program.trace import trace
    >>> w, x, b = [Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)], Value(5.0)
    >>> for number, node in contract(trace([w[0] * x[0] + w[1] * x[1] + b], [*w, b], x)).items():
    ...     print(number, node)
    9 Dot(left=(0, 1), right=(3, 4))
    8 Apply(op=<primitive add>, operands=(9, 2))
    """
    count = len(trace.ops)
    uses, user = [0] * count, [-1] * count
    for i, operands in enumerate(trace.operands):
        for j in operands:
            uses[j] += 1
            user[j] = i
    for i in trace.outputs:
        uses[i] += 2  # kept whatever happens
    absorbed = [op is ADD and uses[i] == 1 and trace.ops[user[i]] is ADD for i, op in enumerate(trace.ops)]
    constant = [trace.is_constant(i) for i in range(count)]
    nodes: dict[int, Node] = {}
    fresh = count
    for i, op in enumerate(trace.ops):
        if op is None or absorbed[i]:
            continue
        if op is DETACH:
            _contract_maximum(nodes, trace.operands[i][0], uses)
        if op is WHERE and (selected := _selection(trace, nodes, i)):
            nodes[i] = selected
            continue
        if op is not ADD:
            nodes[i] = Apply(op, trace.operands[i])
            continue
        terms, waiting = [], list(reversed(trace.operands[i]))
        while waiting:
            j = waiting.pop()
            if absorbed[j]:
                waiting += reversed(trace.operands[j])
            else:
                terms.append(j)
        products: list[int] = []
        rest: list[int] = []
        for j in terms:
            (products if trace.ops[j] is MUL and uses[j] == 1 else rest).append(j)
        dot = _dot([trace.operands[j] for j in products], constant, trace.parameters)
        if dot is None:
            nodes[i] = Sum(tuple(terms)) if len(terms) > 2 else Apply(ADD, tuple(terms))
            continue
        if not rest:
            nodes[i] = dot
            continue
        nodes[fresh] = dot
        nodes[i] = Sum((fresh, *rest)) if len(rest) > 1 else Apply(ADD, (fresh, rest[0]))
        fresh += 1
    beginnings = {trace.operands[i][2] for i, node in nodes.items() if isinstance(node, Select)}
    for i, node in nodes.items():  # a selection that goes on in another is no error where the index is beyond it
        if isinstance(node, Select) and (len(node.choices) == 1 or i in beginnings):
            nodes[i] = Apply(WHERE, trace.operands[i])
    return _needed(nodes, trace.outputs)


def _selection(trace: Trace, nodes: dict[int, Node], i: int) -> Select | None:
    """where(equal(index, k), x, rest), if the rest is a selection of the k elements before."""
    condition, x, rest = trace.operands[i]
    if trace.ops[condition] is not EQUAL:
        return None
    index, k = trace.operands[condition]
    before = nodes.get(rest)
    if trace.is_constant(k) and trace.numbers[k] == 0.0 and trace.is_constant(rest) and isnan(trace.numbers[rest]):
        return Select(index, (x,))
    if (
        isinstance(before, Select)
        and (before.index, float(len(before.choices))) == (index, trace.numbers[k])
        and trace.is_constant(k)
    ):
        return Select(index, (*before.choices, x))
    return None


def _needed(nodes: dict[int, Node], outputs: Sequence[int]) -> dict[int, Node]:
    """The nodes that `outputs` depend on: what was contracted needs some no longer."""
    needed = set(outputs)
    for i in reversed(list(nodes)):
        if i in needed:
            needed.update(nodes[i].operands)
    return {i: node for i, node in nodes.items() if i in needed}


def _contract_maximum(nodes: dict[int, Node], last: int, uses: list[int]) -> None:
    """Makes one node of a chain of maxima in which each is used by the next alone, and the last is detached."""
    terms: list[int] = []
    i = last
    while isinstance(node := nodes.get(i), Apply) and node.op is MAXIMUM and uses[i] == 1:
        i, term = node.operands
        terms.append(term)
    if terms:
        nodes[last] = Max((i, *reversed(terms)))


def _dot(products: list[tuple[int, ...]], constant: list[bool], parameters: int) -> Dot | None:
    """The dot product of at least two products, parameters on the left; None if they are not of one kind."""
    if len(products) < 2:
        return None
    pairs = [(y, x) if y < parameters <= x else (x, y) for x, y in products]
    kinds = {(constant[x], constant[y]) for x, y in pairs}
    if len(kinds) > 1:
        return None
    return Dot(tuple([x for x, _ in pairs]), tuple([y for _, y in pairs]))
