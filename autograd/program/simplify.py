"""Pass 2: constants folded, 0 + x made x, what is computed twice computed once, what nobody needs left out."""

from __future__ import annotations

from ..ops import ADD, WHERE, Op
from .trace import Trace


def simplify(trace: Trace) -> Trace:
    """An equivalent trace.  x * 0, x - x and x / x stay (they may be NaN); so does x * 1, to keep like rows alike.

    >>> from autograd import Value
    >>> from autograd.program.trace import trace
    >>> x = Value(2.0)
    >>> print(simplify(trace([sum([x * 3, x * 3]) + (1.0 + Value(1.0))], [x])))
    0 parameter
    1 3.0
    2 mul 0 1
    3 add 2 2
    4 2.0
    5 add 3 4
    outputs: 5
    """
    count = len(trace.ops)
    numbers = list(trace.numbers)
    same = list(range(count))  # what stands for each instruction
    constant = [trace.is_constant(i) for i in range(count)]
    known: dict[tuple[Op, tuple[int, ...]], int] = {}
    operands: list[tuple[int, ...]] = [()] * count
    for i, op in enumerate(trace.ops):
        if op is None:
            continue
        found = operands[i] = tuple([same[j] for j in trace.operands[i]])
        if constant[found[0]] and constant[found[-1]] and all(constant[j] for j in found):
            constant[i], operands[i] = True, ()
            numbers[i] = op.forward(*(numbers[j] for j in found))  # of the numbers that the leaves have now
        elif op is WHERE and constant[found[0]]:
            same[i] = found[1] if numbers[found[0]] else found[2]
        elif op is ADD and constant[found[0]] and numbers[found[0]] == 0.0:
            same[i] = found[1]
        elif op is ADD and constant[found[1]] and numbers[found[1]] == 0.0:
            same[i] = found[0]
        else:
            same[i] = known.setdefault((op, found), i)

    needed = [i < trace.parameters + trace.inputs for i in range(count)]
    for output in trace.outputs:
        needed[same[output]] = True
    for i in reversed(range(count)):
        if needed[i]:
            for j in operands[i]:
                needed[j] = True
    kept = [i for i in range(count) if needed[i] and same[i] == i]
    new = [0] * count
    for place, i in enumerate(kept):
        new[i] = place
    return Trace(
        [None if constant[i] else trace.ops[i] for i in kept],
        [tuple([new[j] for j in operands[i]]) for i in kept],
        [numbers[i] for i in kept],
        trace.parameters,
        trace.inputs,
        [new[same[output]] for output in trace.outputs],
    )
