"""What a function asked of its numbers while it was traced, and whether other numbers give the same answers."""

from __future__ import annotations

import operator
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np

from .. import functional, graph
from ..functions import is_index
from ..graph import topological_order
from ..ops import ABS, DIV, MUL, NEG, SUB, elementwise
from ..value import PACKAGE, Value, line_outside
from .program import Program
from .trace import trace

_ON_ARRAYS: dict[Any, Callable[[Any, Any], Any]] = {
    operator.lt: np.less, operator.le: np.less_equal, operator.gt: np.greater, operator.ge: np.greater_equal,
    operator.eq: np.equal, operator.truth: np.not_equal, is_index: is_index,
}  # fmt: skip
_WRITTEN = {
    operator.lt: "{} < {}", operator.le: "{} <= {}", operator.gt: "{} > {}", operator.ge: "{} >= {}",
    operator.eq: "{} == {}", operator.truth: "{} != {}", is_index: "{} is an index of {}",
}  # fmt: skip
_ROUNDED_ALIKE = (SUB, MUL, DIV, NEG, ABS)
"""What NumPy and Python compute to the same last digit, as they do what only chooses (a gate): neither sums nor exp."""


@dataclass(frozen=True)
class Question:
    """A comparison that the function made: of what, with which answer, in which line."""

    compare: Callable[..., Any]
    operands: tuple[Value, Value]
    numbers: tuple[float, float]
    answer: bool
    line: str

    def __str__(self) -> str:
        x, y = (f"{number:.6g}" for number in self.numbers)
        return f"{_WRITTEN[self.compare].format(x, y)} was {self.answer} at {self.line}"


class Recorder:
    """Answers every question while a function is traced (`autograd.value.watching`), and keeps it.

    `parameters` and `inputs` are Values with their numbers; the answers are for these, whatever the Values hold.  A
    TypeError where a number is read that depends on any of them, which would make it a constant of the program.
    """

    def __init__(self, parameters: dict[Value, float], inputs: dict[Value, float]) -> None:
        self.questions: list[Question] = []
        self.constants: dict[Value, float] = {}
        """Other leaves that were asked for their numbers."""
        self._numbers = {**parameters, **inputs}
        self._varying, self._inputs, self._plain = {*self._numbers}, {*inputs}, {*inputs}
        self._thread = threading.get_ident()

    def __call__(self, compare: Callable[..., Any] | None, operands: tuple[Any, ...], answer: Any) -> Any:
        """The answer."""
        own = threading.get_ident() == self._thread
        if not own:
            return answer if compare is hash else self._overheard(operands, answer)
        return self._answer(compare, operands, answer)

    def _answer(self, compare: Callable[..., Any] | None, operands: tuple[Any, ...], answer: Any) -> Any:
        values = [x for x in operands if isinstance(x, Value)]
        numbers = [self._number(x) if isinstance(x, Value) else x for x in operands]
        if self._varying.isdisjoint(values):
            return answer
        if (compare is None or compare is hash) and _on_a_walk():
            raise TypeError(
                "the graph was read while compiling, as verbs (grad, jacobian ...) and backward do; compiled functions "
                'cannot hold derivatives yet: run it eagerly, as nn.fit(..., engine="eager") does, or compile the '
                "graph that has the derivative in it, compile(loss, parameters)"
            )
        if compare is None or compare is hash:
            what = "read" if compare is None else "looked up in a set or a dict"
            raise TypeError(
                f"a number that depends on an input or a parameter was {what} while compiling, which would make it a "
                "constant; compute with the Value, select(sequence, index) with it, or do it outside of the function"
            )
        if compare is operator.eq and not all(x in self._plain for x in values):
            return operands[0] is operands[1]  # as Values are compared: they are no plain numbers in the eager run
        for x in numbers:
            if type(x) not in (float, int, bool, np.float64) or float(x) != x == x:
                raise TypeError(f"{x!r:.60} ({type(x).__name__}) compared while compiling; compare with a float")
        answer = bool(compare(*numbers))
        left, right = (x if isinstance(x, Value) else Value(x) for x in (*operands, 0.0)[:2])
        x, y = (*numbers, 0.0)[:2]
        self.questions.append(Question(compare, (left, right), (x, y), answer, line_outside()))
        return answer

    def _overheard(self, operands: tuple[Any, ...], answer: Any) -> Any:
        """Other threads may ask what they like, but not of the numbers that are traced here."""
        if not self._inputs.isdisjoint(topological_order([x for x in operands if isinstance(x, Value)])):
            raise TypeError(
                "a number that depends on an input was compared or read in another thread while compiling; compute it "
                "in the thread that compiles"
            )
        return answer

    def _number(self, value: Value) -> float:
        for node in topological_order([value], self._numbers):
            below = [x for x in node.inputs if isinstance(x, Value)]
            if node.op is None:
                self._numbers[node] = self.constants[node] = node._number
                continue
            self._numbers[node] = node.op(*(self._numbers[x] if isinstance(x, Value) else x for x in node.inputs))
            if not self._varying.isdisjoint(below):
                self._varying.add(node)
            if self._plain.issuperset(below):
                self._plain.add(node)
        return self._numbers[value]


def _on_a_walk() -> bool:
    """Whether what asks is a walk over the graph, such as a derivative is taken by, and not the user's code."""
    frame: FrameType | None = sys._getframe()
    while frame and frame.f_code.co_filename.startswith(PACKAGE):
        if frame.f_globals.get("__name__") in (graph.__name__, functional.__name__):
            return True
        frame = frame.f_back
    return False


class Guards:
    """The questions of one trace as a program that computes what they compare, for every row of a batch."""

    def __init__(
        self,
        questions: Sequence[Question],
        wrt: Sequence[Value],
        inputs: Sequence[Value],
        shapes: Mapping[str, tuple[int, ...]],
    ) -> None:
        self.questions = questions
        sides = [x for question in questions for x in question.operands]
        self._graph = trace(sides, wrt, inputs)
        self._program = Program(self._graph, shapes, batch=True)
        inexact: list[bool] = []
        for op, operands in zip(self._graph.ops, self._graph.operands):
            alike = op is None or op.gate or op in _ROUNDED_ALIKE
            inexact.append(not alike or any(inexact[i] for i in operands))
        pairs = zip(self._graph.outputs[::2], self._graph.outputs[1::2])
        self._inexact = [i for i, (x, y) in enumerate(pairs) if inexact[x] or inexact[y]]
        self._columns: dict[tuple[Any, bool], list[int]] = {}
        for i, question in enumerate(questions):
            self._columns.setdefault((question.compare, question.answer), []).append(i)

    def hold(self, theta: Any, arrays: Sequence[Any]) -> Any:
        """For each row, whether every question has the answer that it had: an array of bools."""
        x, y = self._sides(theta, arrays)
        held: Any = True
        with np.errstate(invalid="ignore"):  # of an infinite index
            for (compare, answer), columns in self._columns.items():
                held = held & (_ON_ARRAYS[compare](x[:, columns], y[:, columns]) == answer).all(axis=1)
        return held

    def first_missed(self, theta: Any, row: Sequence[Any]) -> Question:
        """The first question that has another answer for this row, arrays of one."""
        x, y = self._sides(theta, row)
        triples = zip(self.questions, x[0], y[0])
        return next(q for q, x, y in triples if bool(_ON_ARRAYS[q.compare](x, y)) != q.answer)

    def _sides(self, theta: Any, arrays: Sequence[Any]) -> tuple[Any, Any]:
        """What is compared with what: for each row, both sides of every question.

        A sum of NumPy's may differ in the last digits from the engine's, which adds one by one.  Where these decide,
        the row is computed as the engine does it.
        """
        sides = self._program.outputs(theta, *arrays)
        x, y = sides[:, ::2], sides[:, 1::2]
        if self._inexact:
            close = np.isclose(x[:, self._inexact], y[:, self._inexact], rtol=1e-10, atol=1e-10).any(axis=1)
            if close.any():
                sides[close] = self._one_by_one(theta, [a[close] for a in arrays])
        return x, y

    def _one_by_one(self, theta: Any, arrays: Sequence[Any]) -> Any:
        """The sides, by the engine's own operations on floats, in its order."""
        rows, graph = np.concatenate([a.reshape(len(a), -1) for a in arrays], axis=1), self._graph
        numbers = [*theta.tolist(), *rows.T, *graph.numbers[graph.parameters + graph.inputs :]]
        for i, (op, operands) in enumerate(zip(graph.ops, graph.operands)):
            if op is not None:
                numbers[i] = elementwise(op.forward, [numbers[j] for j in operands])
        return np.stack([np.broadcast_to(numbers[i], len(rows)) for i in graph.outputs], axis=1)
