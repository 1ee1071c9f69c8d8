"""Hypothesis strategies for property tests of scalar code: operands, special values, random graphs, small networks.

They need hypothesis (``pip install hypothesis``); no other module imports it.  Examples print as Python code that can
be pasted after ``from math import inf, nan`` and ``from autograd import *``.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import inf, isfinite, nan
from operator import add
from typing import Any, TypeAlias

from hypothesis import strategies as st

from .functions import dot
from .ops import POW, TABLE, Op


def _floats(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_subnormal=False)


_MODERATE = _floats(-2.0, 2.0)

SPECIAL = (
    0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 36.7, -745.2, 709.8, 800.0, -800.0,
    5e-324, -5e-324, 1e-320, 2.2250738585072014e-308, 1e-12, 1e12, 1.7976931348623157e308, -1e308, inf, -inf, nan,
)  # fmt: skip
"""Zeros of both signs, numbers that overflow or underflow in some row, subnormal numbers, infinities and NaN."""

_SIZES = st.integers(-12, 12).flatmap(lambda exponent: _floats(1.0, 9.99).map(lambda x: x * 10.0**exponent))
_SIGNED = _SIZES | _SIZES.map(lambda x: -x)

APART = 0.25
"""Operands of moderate size are so far from kinks, from poles and from the ends of a domain."""


def operands(op: Op, wide: bool = False) -> st.SearchStrategy[tuple[float, ...]]:
    """Tuples of operands at which `op` is smooth: of moderate size or, with `wide`, from 1e-12 to 1e12.

    The domain, the kinks and the poles of the row say where that is.  With `wide`, the row and its derivatives are
    also finite.

    >>> from autograd import log
    >>> from hypothesis import find
    >>> find(operands(log), lambda xs: xs[0] > 1.0)
    (2.0,)
    >>> abs(find(operands(log, wide=True), lambda xs: xs[0] > 5e11)[0]) < 1e13
    True
    """
    numbers = [
        _CONDITION if partial is None else _wide(*ends) if wide else _moderate(*ends)
        for ends, partial in zip(op.domain, op.partials)
    ]
    if op is POW:
        numbers[1] = _moderate(-inf, inf)  # a power of 1e12 is 0 or infinite
    return st.tuples(*numbers).filter(lambda xs: _is_smooth(op, xs, 0.0 if wide else APART))


_CONDITION = st.sampled_from([0.0, 1.0, -2.0])


def _moderate(low: float, high: float) -> st.SearchStrategy[float]:
    low, high = (low + APART if low > -inf else low), (high - APART if high < inf else high)
    return _floats(low if low > -inf else min(-4.0, high - 4.0), high if high < inf else max(4.0, low + 4.0))


def _wide(low: float, high: float) -> st.SearchStrategy[float]:
    return (_SIZES if low >= 0.0 else _SIGNED).filter(lambda x: low < x < high)


def _is_smooth(op: Op, xs: tuple[float, ...], apart: float) -> bool:
    if op.kink and abs(op.kink(*xs)) <= max(apart, 1e-6 * max(map(abs, xs))):  # no step from there is small enough
        return False
    if op.pole and abs(op.pole(*xs)) <= apart:
        return False
    z = op.forward(*xs)
    return isfinite(z) and all(isfinite(partial(z, *xs)) for partial in op.partials if partial)


def special_values() -> st.SearchStrategy[float]:
    """Floats that are special in IEEE 754 or in some row (`SPECIAL`), and any others.

    >>> from hypothesis import find
    >>> find(special_values(), lambda x: x > 1e300)
    1.7976931348623157e+308
    """
    return st.sampled_from(SPECIAL) | st.floats()


# ---- Random graphs --------------------------------------------------------------------------------------------------

LONGEST = 40
"""A formula with more operations than this is written as one operation after another."""

_Instructions: TypeAlias = "dict[int, tuple[Op, tuple[int | float, ...]]]"


@dataclass(frozen=True)
class Expression:
    """A random graph as data: instructions that compute a number from `leaves`.

    Each instruction is a row and its operands: an int is the index of an earlier result (the leaves come first), a
    float is a constant.  A call takes one number, array or Value for each leaf and returns the last result.  An
    expression prints as a formula, in which a result that is used more than once has a name.

    >>> from autograd import TABLE
    >>> doubled = Expression((3.0,), ((TABLE["relu"], (0,)), (TABLE["add"], (1, 1))))
    >>> doubled
    (lambda x1: (t1 := relu(x1)) + t1)(3.0)
    >>> doubled(3.0)
    6.0
    """

    leaves: tuple[float, ...]
    instructions: tuple[tuple[Op, tuple[int | float, ...]], ...]

    def __call__(self, *leaves: Any) -> Any:
        """The last result, from one number, array or Value for each leaf."""
        results = list(leaves)
        for op, inputs in self.instructions:
            results.append(op(*(results[x] if isinstance(x, int) else x for x in inputs)))
        return results[-1]

    @property
    def formula(self) -> str:
        """Python for a lambda of the leaves, x1, x2, ...: ``gradcheck(FORMULA, *leaves)``."""
        needed = self._needed()
        parameters = ", ".join(f"x{i + 1}" for i in range(len(self.leaves)))
        text = self._nested(needed) if len(needed) <= LONGEST else self._in_turn(needed)
        return f"lambda {parameters}: {ast.unparse(text)}"

    def _needed(self) -> _Instructions:
        """The instructions that the last result depends on, by the indices of their results."""
        start, last = len(self.leaves), len(self.leaves) + len(self.instructions) - 1
        needed = {last}
        for place in range(last, start - 1, -1):
            if place in needed:
                needed.update(x for x in self.instructions[place - start][1] if isinstance(x, int))
        return {place: self.instructions[place - start] for place in sorted(needed) if place >= start}

    def _nested(self, needed: _Instructions) -> ast.expr:
        """The last result, with the others inside it; a result that is used again gets a name at its first use."""
        uses = Counter(x for _, inputs in needed.values() for x in inputs if isinstance(x, int))
        written: set[int] = set()

        def write(x: int | float) -> Any:
            if not isinstance(x, int) or x not in needed or x in written:
                return self._name(x)
            written.add(x)
            op, inputs = needed[x]
            text = _call(op, [write(y) for y in inputs])
            return ast.NamedExpr(self._name(x), text) if uses[x] > 1 else text

        return write(len(self.leaves) + len(self.instructions) - 1)  # type: ignore[no-any-return]  # an expr

    def _in_turn(self, needed: _Instructions) -> ast.expr:
        """One result after another, in a tuple: Python nests at most a hundred parentheses."""
        steps: list[ast.expr] = [
            ast.NamedExpr(self._name(place), _call(op, [self._name(x) for x in inputs]))
            for place, (op, inputs) in needed.items()
        ]
        return ast.Subscript(ast.Tuple(steps), ast.UnaryOp(ast.USub(), ast.Constant(1)))

    def _name(self, x: int | float) -> Any:
        """A leaf, an earlier result or a number, as written where it is used."""
        if not isinstance(x, int):
            return ast.Constant(x) if isfinite(x) else ast.parse(repr(x), mode="eval").body
        return ast.Name(f"x{x + 1}" if x < len(self.leaves) else f"t{x - len(self.leaves) + 1}")

    def __repr__(self) -> str:
        return f"({self.formula})({', '.join(map(repr, self.leaves))})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # hypothesis prints failing examples by it
        printer.text(repr(self))


def _call(op: Op, operands: list[ast.expr]) -> ast.expr:
    if not op.symbol:
        return ast.Call(ast.Name(op.name), operands, [])
    written: Any = ast.parse(" ".join([*"x" * (len(operands) - 1), op.symbol, "x"]), mode="eval").body
    if isinstance(written, ast.UnaryOp):
        return ast.UnaryOp(written.op, operands[0])
    return ast.BinOp(operands[0], written.op, operands[1])


SMOOTH = ("add", "sub", "mul", "neg", "sin", "cos", "tanh", "sigmoid", "arctan", "softplus")
"""Rows that are smooth everywhere, and of moderate size in any composition."""


def expressions(
    ops: Sequence[str] = SMOOTH,
    numbers: st.SearchStrategy[float] = _MODERATE,
    max_leaves: int = 4,
    max_instructions: int = 12,
    max_depth: int | None = None,
    sharing: bool = True,
) -> st.SearchStrategy[Expression]:
    """Random graphs over the rows named in `ops`, with leaves and constants drawn from `numbers`.

    `max_leaves` and `max_instructions` bound the size, `max_depth` the longest path from a leaf to a result.  With
    `sharing`, a result may be used any number of times; without it, at most once, so that only leaves are shared.

    >>> from hypothesis import find
    >>> find(expressions(ops=("sin",), max_leaves=1), lambda e: e(*e.leaves) == 0.0)
    (lambda x1: sin(x1))(0.0)
    """
    numbers = numbers.map(float)
    leaves = st.lists(numbers, min_size=1, max_size=max_leaves)
    instructions = st.lists(_instruction(ops, numbers), min_size=1, max_size=max_instructions)

    def expression(drawn: tuple[list[float], list[tuple[Op, tuple[_Choice | float, ...]]]]) -> Expression:
        return _assembled(*drawn, max_depth, sharing)

    return st.tuples(leaves, instructions).map(expression)


def _assembled(
    leaves: list[float],
    drawn: list[tuple[Op, tuple[_Choice | float, ...]]],
    max_depth: int | None,
    sharing: bool,
) -> Expression:
    """The expression: each choice is made, in turn, among the leaves and results that exist by then."""
    depths = [0] * len(leaves)
    free = list(range(len(leaves)))  # the results that may still be used
    instructions: list[tuple[Op, tuple[int | float, ...]]] = []
    for op, choices in drawn:
        inputs: list[int | float] = []
        for choice in choices:
            x = choice.among(free, len(leaves), depths, max_depth) if isinstance(choice, _Choice) else choice
            if not sharing and isinstance(x, int) and x >= len(leaves):
                free.remove(x)
            inputs.append(x)
        free.append(len(depths))
        depths.append(1 + max(depths[x] for x in inputs if isinstance(x, int)))
        instructions.append((op, tuple(inputs)))
    return Expression(tuple(leaves), tuple(instructions))


@dataclass(frozen=True)
class _Choice:
    """A leaf or an earlier result, by a number that is always valid.

    So hypothesis can remove an instruction or a leaf from a failing example, and the rest stays valid.
    """

    computed: bool
    index: int

    def among(self, free: list[int], leaves: int, depths: list[int], max_depth: int | None) -> int:
        usable = [x for x in free if (x >= leaves) == self.computed and (max_depth is None or depths[x] < max_depth)]
        usable = usable or list(range(leaves))
        return usable[self.index % len(usable)]


def _instruction(
    ops: Sequence[str], numbers: st.SearchStrategy[float]
) -> st.SearchStrategy[tuple[Op, tuple[_Choice | float, ...]]]:
    leaf, result = (st.builds(_Choice, st.just(computed), st.integers(0, 63)) for computed in (False, True))
    earlier = leaf | result | result
    others = earlier | numbers
    rows = (TABLE[name] for name in ops)
    return st.one_of(*(st.tuples(st.just(op), st.tuples(earlier, *[others] * (len(op.partials) - 1))) for op in rows))


# ---- Small networks -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Network:
    """A small network of dense layers with its data, in plain loops as in a textbook, to compare others with.

    `widths` are the number of inputs and the widths of the layers.  `activation` names a row, applied after every layer
    but the last.  `parameters` are the weights and then the bias of each neuron, one neuron after another.  `x` and `y`
    have one example a row.

    >>> network = Network((1, 1), "tanh", (2.0, 0.5), ((3.0,),), ((6.0,),))
    >>> network
    Network(widths=(1, 1), activation='tanh', parameters=(2.0, 0.5), x=((3.0,),), y=((6.0,),))
    >>> network(*network.parameters)
    0.125
    """

    widths: tuple[int, ...]
    activation: str
    parameters: tuple[float, ...]
    x: tuple[tuple[float, ...], ...]
    y: tuple[tuple[float, ...], ...]

    def outputs(self, parameters: Sequence[Any], x: Sequence[Any]) -> list[Any]:
        """The outputs of the network for one example."""
        rest, layers = iter(parameters), len(self.widths) - 1
        for layer, (inputs, neurons) in enumerate(pairwise(self.widths)):
            sums = []
            for _ in range(neurons):
                weights = [next(rest) for _ in range(inputs)]
                sums.append(dot(weights, x) + next(rest))
            x = sums if layer == layers - 1 else [TABLE[self.activation](z) for z in sums]
        return list(x)

    def loss(self, parameters: Sequence[Any], x: Sequence[Any], y: Sequence[Any]) -> Any:
        """Half the squared error of one example."""
        return reduce(add, [0.5 * (a - t) * (a - t) for a, t in zip(self.outputs(parameters, x), y)])

    def __call__(self, *parameters: Any) -> Any:
        """The mean loss over all examples, from one number or Value for each parameter."""
        return reduce(add, [self.loss(parameters, x, y) for x, y in zip(self.x, self.y)]) * (1.0 / len(self.x))


@st.composite
def networks(
    draw: st.DrawFn,
    activations: Sequence[str] = ("tanh", "sigmoid", "softplus", "sin"),
    numbers: st.SearchStrategy[float] = _MODERATE,
    max_layers: int = 3,
    max_width: int = 3,
    max_examples: int = 3,
) -> Network:
    """Small dense networks with data, with at most these many layers, neurons in a layer, and examples.

    `activations` are names of rows.  Parameters, inputs and targets are drawn from `numbers`.

    >>> from hypothesis import find
    >>> find(networks(), lambda network: len(network.widths) == 3)
    Network(widths=(1, 1, 1), activation='tanh', parameters=(0.0, 0.0, 0.0, 0.0), x=((0.0,),), y=((0.0,),))
    """
    widths = tuple(draw(st.lists(st.integers(1, max_width), min_size=2, max_size=max_layers + 1)))
    count = sum((inputs + 1) * neurons for inputs, neurons in pairwise(widths))
    examples = draw(st.integers(1, max_examples))
    parameters, x, y = (
        draw(st.tuples(*[st.tuples(*[numbers] * n)] * rows))
        for n, rows in ((count, 1), (widths[0], examples), (widths[-1], examples))
    )
    return Network(widths, draw(st.sampled_from(list(activations))), parameters[0], x, y)
