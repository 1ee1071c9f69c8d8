"""What a function asked of its numbers while it was traced, and whether other numbers give the same answers."""

from __future__ import annotations

import operator
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from numbers import Number
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from .. import functional, graph
from ..functions import is_index
from ..graph import topological_order
from ..nodes import PACKAGE, line_outside, watched
from ..ops import ABS, DIV, MUL, NEG, SUB, elementwise, unboxed
from ..recording import enable_grad
from ..value import Value
from .program import Program
from .trace import trace
from .unknown import Text, Unknown

_ON_ARRAYS: dict[Any, Callable[[Any, Any], Any]] = {
    operator.lt: np.less, operator.le: np.less_equal, operator.gt: np.greater, operator.ge: np.greater_equal,
    operator.eq: np.equal, operator.ne: np.not_equal, operator.truth: np.not_equal, is_index: is_index,
}  # fmt: skip
_WRITTEN = {
    operator.lt: "{} < {}", operator.le: "{} <= {}", operator.gt: "{} > {}", operator.ge: "{} >= {}",
    operator.eq: "{} == {}", operator.ne: "{} != {}", operator.truth: "{} != {}", is_index: "{} is an index of {}",
}  # fmt: skip
_ROUNDED_ALIKE = (SUB, MUL, DIV, NEG, ABS)
"""What NumPy and Python compute to the same last digit, as they do what only chooses (a gate): neither sums nor exp."""


@dataclass(frozen=True)
class Question:
    """A comparison that the function made: of which numbers, with which answer, in which line."""

    compare: Callable[..., Any]
    numbers: tuple[float, float]
    answer: bool
    line: str

    def __str__(self) -> str:
        x, y = (f"{number:.6g}" for number in self.numbers)
        return f"{_WRITTEN[self.compare].format(x, y)} was {self.answer} at {self.line}"


class _Refusals:
    """Raises a TypeError for what is refused while a function runs, and once more where the function catches it."""

    def __init__(self) -> None:
        self._first: tuple[TypeError, str] | None = None
        self._watched = False

    def __call__(self, error: TypeError | str) -> NoReturn:
        error = error if isinstance(error, TypeError) else TypeError(error)
        self._first = self._first or (error, line_outside())
        raise error

    def use(self, what: str) -> NoReturn:
        """For a number that would become a constant."""
        self(
            f"a number that depends on an input or a parameter was {what} while compiling, which would make it a "
            "constant; compute with the Value, select(sequence, index) with it, or do it outside of the function"
        )

    def reading(self) -> NoReturn:
        """For a number that is used as a number."""
        self.use("read")

    def is_watched(self) -> bool:
        """Whether the function still runs."""
        return self._watched

    @contextmanager
    def watched(self) -> Iterator[None]:
        """The block in which it runs."""
        self._watched = True
        try:
            yield
        except Exception as error:
            self._raise_again(unless=error)
            raise
        finally:
            self._watched = False
        self._raise_again()

    def _raise_again(self, unless: Exception | None = None) -> None:
        if self._first is not None and self._first[0] is not unless:
            error, line = self._first
            raise TypeError(f"{error} (at {line})") from error


class Recorder:
    """Answers every question while a function is traced (`autograd.watching`), and keeps it.

    `parameters` and `inputs` are Values with their numbers; the answers are for these, whatever the Values hold.  What
    would make a number that depends on any of them a constant of the program is refused, with a TypeError.
    """

    def __init__(self, parameters: dict[Value, float], inputs: dict[Value, float]) -> None:
        self.questions: list[Question] = []
        self.sides: list[Value] = []
        """What was compared: two for each question."""
        self.constants: dict[Value, float] = {}
        """Other leaves that were asked for their numbers."""
        self._numbers = {**parameters, **inputs}
        self._varying, self._inputs = {*self._numbers}, {*inputs}
        self._thread = threading.get_ident()
        self._refusals = _Refusals()

    def run(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Value:
        """What the function returns; a TypeError if anything was refused, whatever the function made of that."""
        with self._refusals.watched(), enable_grad(), watched(self):
            return _as_value(function(*arguments))

    def __call__(self, question: Callable[..., Any] | None, operands: tuple[Any, ...], answer: Any) -> Any:
        """The answer."""
        values = [x for x in operands if isinstance(x, Value)]
        own = threading.get_ident() == self._thread
        if not self._vary(values) if own else self._inputs.isdisjoint(topological_order(values)):
            return answer
        if question is hash and not own:  # which gives no number away
            return answer
        refuse = self._refusals
        if question is TypeError:
            refuse(answer)
        if question in (None, hash) and _on_a_walk():
            refuse(
                "the graph was read while compiling, as verbs (grad, jacobian ...) and backward do; compiled functions "
                'cannot hold derivatives yet: run it eagerly, as nn.fit(..., engine="eager") does, or compile the '
                "graph that has the derivative in it, compile(loss, parameters)"
            )
        if question is None:
            unknown = Unknown(refuse.reading, refuse.is_watched)
            return tuple([unknown] * len(answer)) if isinstance(answer, tuple) else unknown
        if question is repr:
            return Text(answer, refuse.reading)
        if question is setattr:
            refuse("data were assigned while compiling, which a program does not repeat; compute a new Value instead")
        if question in (hash, copy):
            refuse.use("looked up in a set or a dict" if question is hash else "read")
        if not own:
            refuse(
                "a number that depends on an input was compared in another thread while compiling; compute it in the "
                "thread that compiles"
            )
        return self._answer(question, operands, answer)

    def _answer(self, compare: Callable[..., Any], operands: tuple[Any, ...], answer: Any) -> Any:
        operands = tuple([x if isinstance(x, (Value, np.floating)) else unboxed(x) for x in operands])
        if answer is NotImplemented and not isinstance(operands[1], Number):
            return answer
        numbers = [self._number(x) if isinstance(x, Value) else x for x in operands]
        for x in numbers:
            if not _is_exact(x):
                self._refusals(f"{x!r:.60} ({type(x).__name__}) compared while compiling; compare with a float")
        answer = bool(compare(*numbers))
        x, y = (*numbers, 0.0)[:2]
        self.sides += [side if isinstance(side, Value) else Value(side) for side in (*operands, 0.0)[:2]]
        self.questions.append(Question(compare, (x, y), answer, line_outside()))
        return answer

    def _vary(self, values: Sequence[Value]) -> bool:
        """Whether any of them depends on a parameter or an input."""
        for value in values:
            self._number(value)
        return not self._varying.isdisjoint(values)

    def _number(self, value: Value) -> float:
        for node in topological_order([value], self._numbers):
            if node.op is None:
                self._numbers[node] = self.constants[node] = node._number
                continue
            self._numbers[node] = node.op(*(self._numbers[x] if isinstance(x, Value) else x for x in node.inputs))
            if not self._varying.isdisjoint(x for x in node.inputs if isinstance(x, Value)):
                self._varying.add(node)
        return self._numbers[value]


def _as_value(output: Any) -> Value:
    """What a function returned, a plain number as a constant."""
    output = unboxed(output)
    try:
        return output if isinstance(output, Value) else Value(output)
    except TypeError:
        given = f"{output!r:.60} ({type(output).__name__})"
        raise TypeError(f"the function returned {given}; it must return one Value, or a number") from None


def _is_exact(number: Any) -> bool:
    """Whether a float compares as this number does."""
    try:
        return type(number) in (float, int, bool, np.float64) and (number != number or float(number) == number)
    except OverflowError:
        return False


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
        sides: Sequence[Value],
        wrt: Sequence[Value],
        inputs: Sequence[Value],
        shapes: Mapping[str, tuple[int, ...]],
    ) -> None:
        self.questions = questions
        graph = trace(sides, wrt, inputs)
        self._program = Program(graph, shapes, batch=True)
        inexact: list[bool] = []
        for op, operands in zip(graph.ops, graph.operands):
            alike = op is None or op.gate or op in _ROUNDED_ALIKE
            inexact.append(not alike or any(inexact[i] for i in operands))
        pairs = zip(graph.outputs[::2], graph.outputs[1::2])
        self._inexact = [i for i, (x, y) in enumerate(pairs) if inexact[x] or inexact[y]]
        self._graph = graph if self._inexact else None
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
        assert graph is not None, "only what is inexact is computed so"
        numbers = [*theta.tolist(), *rows.T, *graph.numbers[graph.parameters + graph.inputs :]]
        for i, (op, operands) in enumerate(zip(graph.ops, graph.operands)):
            if op is not None:
                numbers[i] = elementwise(op.forward, [numbers[j] for j in operands])
        return np.stack([np.broadcast_to(numbers[i], len(rows)) for i in graph.outputs], axis=1)
