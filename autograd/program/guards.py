"""The comparisons of a traced function, and whether they have the same answers for other numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..conversions import elementwise
from ..functions import is_index
from ..ops import ABS, DIV, MUL, NEG, SUB
from ..value import Value
from .program import Program
from .trace import trace

_ON_ARRAYS: dict[Any, Callable[[Any, Any], Any]] = {
    operator.lt: np.less, operator.le: np.less_equal, operator.gt: np.greater, operator.ge: np.greater_equal,
    operator.eq: np.equal, operator.ne: np.not_equal, operator.truth: np.not_equal, is_index: is_index,
}  # fmt: skip
_WRITTEN = {
    operator.lt: "{} < {}", operator.le: "{} <= {}", operator.gt: "{} > {}", operator.ge: "{} >= {}",
    operator.eq: "{} == {}", operator.ne: "{} != {}", operator.truth: "{} != {}", is_index: "{} is an index of {}",
}  # fmt: skip
_ROUNDED_ALIKE = (SUB, MUL, DIV, NEG, ABS)
"""NumPy and Python compute these to the same last digit, and gates, which only choose, but not sums or functions."""


@dataclass(frozen=True)
class Comparison:
    """A comparison that a traced function made: its numbers, its answer, and its line."""

    compare: Callable[..., Any]
    numbers: tuple[float, float]
    answer: bool
    line: str

    def __str__(self) -> str:
        x, y = (f"{number:.6g}" for number in self.numbers)
        return f"{_WRITTEN[self.compare].format(x, y)} was {self.answer} at {self.line}"


class Guards:
    """The comparisons of one branch, as a program that computes both sides of each for every row of a batch."""

    def __init__(
        self,
        comparisons: Sequence[Comparison],
        sides: Sequence[Value],
        wrt: Sequence[Value],
        inputs: Sequence[Value],
        shapes: Mapping[str, tuple[int, ...]],
    ) -> None:
        self.comparisons = comparisons
        tape = trace(sides, wrt, inputs)
        self._program = Program(tape, shapes, batch=True)
        inexact: list[bool] = []
        for op, operands in zip(tape.ops, tape.operands):
            alike = op is None or op.gate or op in _ROUNDED_ALIKE
            inexact.append(not alike or any(inexact[i] for i in operands))
        pairs = zip(tape.outputs[::2], tape.outputs[1::2])
        self._inexact = [i for i, (x, y) in enumerate(pairs) if inexact[x] or inexact[y]]
        self._tape = tape if self._inexact else None
        self._columns: dict[tuple[Any, bool], list[int]] = {}
        for i, comparison in enumerate(comparisons):
            self._columns.setdefault((comparison.compare, comparison.answer), []).append(i)

    def hold(self, theta: Any, arrays: Sequence[Any]) -> Any:
        """For each row, whether every comparison has the answer that it had: an array of bools."""
        x, y = self._sides(theta, arrays)
        held: Any = True
        with np.errstate(invalid="ignore"):  # an infinite index is invalid
            for (compare, answer), columns in self._columns.items():
                held = held & (_ON_ARRAYS[compare](x[:, columns], y[:, columns]) == answer).all(axis=1)
        return held

    def first_missed(self, theta: Any, row: Sequence[Any]) -> Comparison:
        """The first comparison with another answer for this row, which is given as arrays with one row."""
        x, y = self._sides(theta, row)
        sides = zip(self.comparisons, x[0], y[0])
        return next(asked for asked, x, y in sides if bool(_ON_ARRAYS[asked.compare](x, y)) != asked.answer)

    def _sides(self, theta: Any, arrays: Sequence[Any]) -> tuple[Any, Any]:
        """The left and the right sides of all comparisons, for each row.

        NumPy's sums may differ from the engine's in the last digits.  If these decide a comparison, the row is computed
        again as the engine computes it.
        """
        sides = self._program.outputs(theta, *arrays)
        x, y = sides[:, ::2], sides[:, 1::2]
        if self._inexact:
            close = np.isclose(x[:, self._inexact], y[:, self._inexact], rtol=1e-10, atol=1e-10).any(axis=1)
            if close.any():
                sides[close] = self._one_by_one(theta, [a[close] for a in arrays])
        return x, y

    def _one_by_one(self, theta: Any, arrays: Sequence[Any]) -> Any:
        """The sides by the engine's own operations on floats, in its order."""
        rows, tape = np.concatenate([a.reshape(len(a), -1) for a in arrays], axis=1), self._tape
        assert tape is not None, "only inexact comparisons are computed so"
        numbers = [*theta.tolist(), *rows.T, *tape.data[tape.parameters + tape.inputs :]]
        for i, (op, operands) in enumerate(zip(tape.ops, tape.operands)):
            if op is not None:
                numbers[i] = elementwise(op.forward, [numbers[j] for j in operands])
        return np.stack([np.broadcast_to(numbers[i], len(rows)) for i in tape.outputs], axis=1)
