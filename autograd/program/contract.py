"""Pass 3: finds sums, dot products, maxima and selections among the instructions.

Each rewrite is a function of the tape, independent of the others; `contract` combines their results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import TypeAlias

from ..ops import ADD, DETACH, EQUAL, MAXIMUM, MUL, WHERE, Op
from .trace import Tape


@dataclass(frozen=True)
class Apply:
    """One primitive, applied to its operands."""

    op: Op
    operands: tuple[int, ...]


@dataclass(frozen=True)
class Sum:
    """The sum of at least three terms."""

    operands: tuple[int, ...]


@dataclass(frozen=True)
class Max:
    """The largest operand, used only under a `detach`, as in the shift of a softmax: it has no derivative."""

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
    """choices[index], of at least two choices, as `autograd.select` records it; another index is an error."""

    index: int
    choices: tuple[int, ...]

    @property
    def operands(self) -> tuple[int, ...]:
        """The index, then the choices."""
        return (self.index, *self.choices)


Node: TypeAlias = Apply | Sum | Max | Dot | Select


def contract(tape: Tape) -> dict[int, Node]:
    """The nodes of a tape by their numbers, inputs first; a new node has a number beyond those of the tape.

    >>> from autograd import Value
    >>> from autograd.program.trace import trace
    >>> w, x, b = [Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)], Value(5.0)
    >>> for number, node in contract(trace([w[0] * x[0] + w[1] * x[1] + b], [*w, b], x)).items():
    ...     print(number, node)
    9 Dot(left=(0, 1), right=(3, 4))
    8 Apply(op=<primitive add>, operands=(9, 2))
    """
    uses = count_uses(tape)
    terms = terms_of_sums(tape, uses)
    found: dict[int, Node] = {**maxima(tape, uses), **selections(tape)}
    nodes: dict[int, Node] = {}
    fresh = len(tape.ops)
    for i, op in enumerate(tape.ops):
        if op is ADD:
            if i not in terms:
                continue  # part of another sum
            dot, rest = split_off_dot(tape, uses, terms[i])
            if dot and not rest:
                nodes[i] = dot
                continue
            if dot:
                nodes[fresh], rest = dot, (fresh, *rest)
                fresh += 1
            nodes[i] = Sum(rest) if len(rest) > 2 else Apply(ADD, rest)
        elif op is not None:
            nodes[i] = found[i] if i in found else Apply(op, tape.operands[i])
    return _needed(nodes, tape.outputs)


def count_uses(tape: Tape) -> list[int]:
    """How often each instruction is used; an output counts as used twice, so that no rewrite absorbs it."""
    uses = [0] * len(tape.ops)
    for operands in tape.operands:
        for j in operands:
            uses[j] += 1
    for i in tape.outputs:
        uses[i] += 2
    return uses


def terms_of_sums(tape: Tape, uses: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """The terms of each sum.  An addition whose only use is another addition is part of that sum.

    >>> from autograd import Value
    >>> from autograd.program.trace import trace
    >>> x = [Value(1.0), Value(2.0), Value(3.0)]
    >>> tape = trace([(x[0] + x[1] + x[2]).tanh()], x)
    >>> terms_of_sums(tape, count_uses(tape))
    {4: (0, 1, 2)}
    """
    absorbed = {
        j
        for op, operands in zip(tape.ops, tape.operands)
        if op is ADD
        for j in operands
        if uses[j] == 1 and tape.ops[j] is ADD
    }
    sums = {}
    for i, op in enumerate(tape.ops):
        if op is not ADD or i in absorbed:
            continue
        terms, waiting = [], list(reversed(tape.operands[i]))
        while waiting:
            j = waiting.pop()
            if j in absorbed:
                waiting += reversed(tape.operands[j])
            else:
                terms.append(j)
        sums[i] = tuple(terms)
    return sums


def split_off_dot(tape: Tape, uses: Sequence[int], terms: tuple[int, ...]) -> tuple[Dot | None, tuple[int, ...]]:
    """The products among `terms` that nothing else uses, as a dot product, and the other terms.

    Parameters come left.  With fewer than two products, or if only some of the factors on one side are constants, there
    is no dot product, and all terms are left.

    >>> from autograd import Value
    >>> from autograd.program.trace import trace
    >>> x = [Value(1.0), Value(2.0), Value(3.0)]
    >>> tape = trace([x[0] * x[1] + x[1] * x[2] + x[0]], x)
    >>> split_off_dot(tape, count_uses(tape), (3, 4, 0))
    (Dot(left=(0, 1), right=(1, 2)), (0,))
    """
    products = [j for j in terms if tape.ops[j] is MUL and uses[j] == 1]
    if len(products) < 2:
        return None, terms
    factors = [tape.operands[j] for j in products]
    pairs = [(y, x) if y < tape.parameters <= x else (x, y) for x, y in factors]
    if len({(tape.is_constant(x), tape.is_constant(y)) for x, y in pairs}) > 1:
        return None, terms
    absorbed = {*products}
    return Dot(tuple([x for x, _ in pairs]), tuple([y for _, y in pairs])), tuple(
        [j for j in terms if j not in absorbed]
    )


def maxima(tape: Tape, uses: Sequence[int]) -> dict[int, Max]:
    """Chains of maxima: only the next one uses each, and only a `detach` uses the last.

    >>> from autograd import Value, detach, maximum
    >>> from autograd.program.trace import trace
    >>> x = [Value(1.0), Value(2.0), Value(3.0)]
    >>> tape = trace([detach(maximum(maximum(x[0], x[1]), x[2])) * x[0]], x)
    >>> maxima(tape, count_uses(tape))
    {4: Max(operands=(0, 1, 2))}
    """
    found = {}
    for op, operands in zip(tape.ops, tape.operands):
        if op is DETACH:
            terms: list[int] = []
            i = last = operands[0]
            while tape.ops[i] is MAXIMUM and uses[i] == 1:
                i, term = tape.operands[i]
                terms.append(term)
            if terms:
                found[last] = Max((i, *reversed(terms)))
    return found


def selections(tape: Tape) -> dict[int, Select]:
    """The records of `autograd.select`: where(equal(index, k), choice k, the selection from the choices before k).

    >>> from autograd import Value, select
    >>> from autograd.program.trace import trace
    >>> x, index = [Value(1.0), Value(2.0)], Value(1.0)
    >>> list(selections(trace([select(x, index)], x, [index])).values())
    [Select(index=2, choices=(0, 1))]
    """
    found: dict[int, Select] = {}
    continued = set()
    for i, op in enumerate(tape.ops):
        if op is WHERE:
            condition, choice, rest = tape.operands[i]
            if tape.ops[condition] is EQUAL:
                index, k = tape.operands[condition]
                before = found.get(rest)
                if _is_constant(tape, rest, nan) and _is_constant(tape, k, 0.0):
                    found[i] = Select(index, (choice,))
                elif before and before.index == index and _is_constant(tape, k, float(len(before.choices))):
                    found[i] = Select(index, (*before.choices, choice))
                    continued.add(rest)
    # The beginning of a longer selection is not an error if the index is beyond it.
    return {i: node for i, node in found.items() if len(node.choices) > 1 and i not in continued}


def _is_constant(tape: Tape, i: int, x: float) -> bool:
    """Whether an instruction is this constant; NaN equals NaN."""
    return tape.is_constant(i) and (tape.data[i] == x or (isnan(x) and isnan(tape.data[i])))


def _needed(nodes: dict[int, Node], outputs: Sequence[int]) -> dict[int, Node]:
    """The nodes that `outputs` depend on, as the rewrites made others superfluous."""
    needed = set(outputs)
    for i in reversed(list(nodes)):
        if i in needed:
            needed.update(nodes[i].operands)
    return {i: node for i, node in nodes.items() if i in needed}
