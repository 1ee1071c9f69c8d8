"""Hypothesis strategies for property tests of scalar code: operands of a primitive, and random expression graphs.

Needs hypothesis (``pip install hypothesis``), which is imported nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from .ops import TABLE, Op


def _floats(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_subnormal=False)


_ANY, _MODERATE, _POSITIVE = _floats(-4.0, 4.0), _floats(-2.0, 2.0), _floats(0.25, 4.0)
_OFF_ZERO = _POSITIVE | _POSITIVE.map(lambda x: -x)
_APART = st.tuples(_ANY, _OFF_ZERO).map(lambda pair: (pair[0], pair[0] + pair[1]))

DOMAINS: dict[str, st.SearchStrategy[tuple[float, ...]]] = {
    "add": st.tuples(_ANY, _ANY),
    "sub": st.tuples(_ANY, _ANY),
    "mul": st.tuples(_ANY, _ANY),
    "div": st.tuples(_ANY, _OFF_ZERO),
    "neg": st.tuples(_ANY),
    "pow": st.tuples(_POSITIVE, _ANY),
    "abs": st.tuples(_OFF_ZERO),
    "sign": st.tuples(_OFF_ZERO),
    "step": st.tuples(_OFF_ZERO),
    "equal": _APART,
    "exp": st.tuples(_ANY),
    "expm1": st.tuples(_ANY),
    "log": st.tuples(_POSITIVE),
    "log1p": st.tuples(_floats(-0.75, 4.0)),
    "sqrt": st.tuples(_POSITIVE),
    "sin": st.tuples(_ANY),
    "cos": st.tuples(_ANY),
    "tan": st.tuples(_floats(-1.2, 1.2)),
    "arctan": st.tuples(_ANY),
    "sinh": st.tuples(_ANY),
    "cosh": st.tuples(_ANY),
    "tanh": st.tuples(_ANY),
    "sigmoid": st.tuples(_ANY),
    "softplus": st.tuples(_ANY),
    "relu": st.tuples(_OFF_ZERO),
    "maximum": _APART,
    "minimum": _APART,
    "where": st.tuples(st.sampled_from([0.0, 1.0, -2.0]), _ANY, _ANY),
    "detach": st.tuples(_ANY),
}
"""For each row, operands where it is smooth, away from kinks and poles."""


def operands(op: Op) -> st.SearchStrategy[tuple[float, ...]]:
    """Operands of `op` where it is differentiable and its derivatives are of moderate size.

    >>> from autograd import log
    >>> from hypothesis import find
    >>> find(operands(log), lambda xs: xs[0] > 1.0)
    (2.0,)
    """
    return DOMAINS[op.name]


@dataclass(frozen=True)
class Expression:
    """A random graph as data: how to compute a number from `leaves`.

    Each instruction is a row and its operands: ints are the numbers of earlier results (the leaves come first),
    floats are constants.  Called with as many numbers, arrays or Values as there are leaves, it gives the last
    result.

    >>> from autograd import TABLE
    >>> double_square = Expression((3.0,), ((TABLE["mul"], (0, 0)), (TABLE["mul"], (1, 2.0))))
    >>> double_square
    t0 = 3.0; t1 = mul(t0, t0); t2 = mul(t1, 2.0)
    >>> double_square(3.0)
    18.0
    """

    leaves: tuple[float, ...]
    instructions: tuple[tuple[Op, tuple[int | float, ...]], ...]

    def __call__(self, *leaves: Any) -> Any:
        """The last result, from as many leaves as the expression has."""
        results = list(leaves)
        for op, inputs in self.instructions:
            results.append(op(*(results[x] if isinstance(x, int) else x for x in inputs)))
        return results[-1]

    def __repr__(self) -> str:
        lines = [f"t{i} = {x!r}" for i, x in enumerate(self.leaves)]
        for op, inputs in self.instructions:
            named = (f"t{x}" if isinstance(x, int) else repr(x) for x in inputs)
            lines.append(f"t{len(lines)} = {op.name}({', '.join(named)})")
        return "; ".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # how hypothesis prints a failing example
        printer.text(repr(self))


SMOOTH = ("add", "sub", "mul", "neg", "sin", "cos", "tanh", "sigmoid", "arctan", "softplus")
"""Rows that are smooth and of moderate size everywhere, whatever they are composed with."""


@st.composite
def expressions(
    draw: st.DrawFn,
    ops: Sequence[str] = SMOOTH,
    numbers: st.SearchStrategy[float] = _MODERATE,
    max_leaves: int = 4,
    max_instructions: int = 12,
) -> Expression:
    """Random graphs over the rows named in `ops`, with shared nodes, repeated inputs, constants and dead branches.

    >>> from hypothesis import find
    >>> find(expressions(ops=("sin",), max_leaves=1), lambda e: e(*e.leaves) == 0.0)
    t0 = 0.0; t1 = sin(t0)
    """
    leaves = draw(st.lists(numbers, min_size=1, max_size=max_leaves))
    instructions: list[tuple[Op, tuple[int | float, ...]]] = []
    for count in range(len(leaves), len(leaves) + draw(st.integers(1, max_instructions))):
        op = TABLE[draw(st.sampled_from(list(ops)))]
        earlier = st.integers(0, count - 1)
        first = draw(earlier)
        others: Iterable[int | float] = (draw(earlier | numbers) for _ in op.partials[1:])
        instructions.append((op, (first, *others)))
    return Expression(tuple(leaves), tuple(instructions))
