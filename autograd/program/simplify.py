"""Pass 2: folds constants, turns 0 + x into x, computes equal instructions once, and drops unused ones."""

from __future__ import annotations

from ..ops import ADD, WHERE, Op
from .trace import Tape


def simplify(tape: Tape) -> Tape:
    """An equivalent tape.

    x * 0, x - x and x / x stay, because they may be NaN.  x * 1 stays, because instructions of one kind are scheduled
    together.

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
    count = len(tape.ops)
    data = list(tape.data)
    same = list(range(count))  # the instruction that stands for each
    constant = [tape.is_constant(i) for i in range(count)]
    known: dict[tuple[Op, tuple[int, ...]], int] = {}
    operands: list[tuple[int, ...]] = [()] * count
    for i, op in enumerate(tape.ops):
        if op is None:
            continue
        found = operands[i] = tuple([same[j] for j in tape.operands[i]])
        if constant[found[0]] and constant[found[-1]] and all(constant[j] for j in found):
            constant[i], operands[i] = True, ()
            data[i] = op.forward(*(data[j] for j in found))  # at the numbers that the leaves have now
        elif op is WHERE and constant[found[0]]:
            same[i] = found[1] if data[found[0]] else found[2]
        elif op is ADD and constant[found[0]] and data[found[0]] == 0.0:
            same[i] = found[1]
        elif op is ADD and constant[found[1]] and data[found[1]] == 0.0:
            same[i] = found[0]
        else:
            same[i] = known.setdefault((op, found), i)

    needed = [i < tape.parameters + tape.inputs for i in range(count)]
    for output in tape.outputs:
        needed[same[output]] = True
    for i in reversed(range(count)):
        if needed[i]:
            for j in operands[i]:
                needed[j] = True
    kept = [i for i in range(count) if needed[i] and same[i] == i]
    new = [0] * count
    for place, i in enumerate(kept):
        new[i] = place
    return Tape(
        [None if constant[i] else tape.ops[i] for i in kept],
        [tuple([new[j] for j in operands[i]]) for i in kept],
        [data[i] for i in kept],
        tape.parameters,
        tape.inputs,
        [new[same[output]] for output in tape.outputs],
    )
