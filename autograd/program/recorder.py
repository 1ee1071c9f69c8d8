"""`Recorder`: answers what a function asks of its numbers while it is traced, and refuses what cannot be compiled."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from numbers import Number
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from .. import functional, graph
from ..conversions import unboxed
from ..graph import topological_order
from ..nodes import PACKAGE, line_outside, watched
from ..recording import enable_grad
from ..value import Value
from .guards import Comparison
from .unknown import Text, Unknown


class _Refusals:
    """Raises a TypeError for a refused use of a number.  If the function catches it, it is raised again at the end."""

    def __init__(self) -> None:
        self._first: tuple[TypeError, str] | None = None
        self._running = False

    def __call__(self, error: TypeError | str) -> NoReturn:
        error = error if isinstance(error, TypeError) else TypeError(error)
        self._first = self._first or (error, line_outside())
        raise error

    def use(self, verb: str) -> NoReturn:
        """Refuses a use of a number that would make it a constant."""
        self(
            f"a number that depends on an input or a parameter was {verb} while compiling, which would make it a "
            "constant; compute with the Value, select(sequence, index) with it, or do it outside of the function"
        )

    def reading(self) -> NoReturn:
        """Refuses to let the code use a number."""
        self.use("read")

    def is_running(self) -> bool:
        """Whether the function still runs."""
        return self._running

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """The block in which the function runs."""
        self._running = True
        try:
            yield
        except Exception as error:
            self._raise_again(unless=error)
            raise
        finally:
            self._running = False
        self._raise_again()

    def _raise_again(self, unless: Exception | None = None) -> None:
        if self._first is not None and self._first[0] is not unless:
            error, line = self._first
            raise TypeError(f"{error} (at {line})") from error


class Recorder:
    """A watcher (see `autograd.watching`) that runs a function, answers its comparisons, and records them.

    `parameters` and `inputs` are Values, with the numbers to answer for; these may differ from their data.  A
    TypeError for anything that would make a number that depends on them a constant of the program.
    """

    def __init__(self, parameters: dict[Value, float], inputs: dict[Value, float]) -> None:
        self.comparisons: list[Comparison] = []
        self.sides: list[Value] = []
        """What was compared: a left and a right side for each comparison."""
        self.constants: dict[Value, float] = {}
        """The other leaves whose numbers an answer depends on."""
        self._numbers = {**parameters, **inputs}
        self._varying, self._inputs = {*self._numbers}, {*inputs}
        self._thread = threading.get_ident()
        self._refusals = _Refusals()

    def run(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Value:
        """The function's result; a TypeError if anything was refused, even if the function caught the error."""
        with self._refusals.enforced(), enable_grad(), watched(self):
            return _as_value(function(*arguments))

    def __call__(self, question: Callable[..., Any] | None, operands: tuple[Any, ...], answer: Any) -> Any:
        """The answer to a question, as `autograd.watching.intercept` describes them."""
        values = [x for x in operands if isinstance(x, Value)]
        own = threading.get_ident() == self._thread
        if not self._vary(values) if own else self._inputs.isdisjoint(topological_order(values)):
            return answer
        if question is hash and not own:  # the hash says nothing about the number
            return answer
        refuse = self._refusals
        if question is TypeError:
            refuse(answer)
        if question in (None, hash) and _is_walk():
            refuse(
                "the graph was read while compiling, as verbs (grad, jacobian ...) and backward do; compiled functions "
                'cannot hold derivatives yet: run it eagerly, as nn.fit(..., engine="eager") does, or compile the '
                "graph that has the derivative in it, compile(loss, parameters)"
            )
        if question is None:
            unknown = Unknown(refuse.reading, refuse.is_running)
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
        return self._compare(question, operands, answer)

    def _compare(self, compare: Callable[..., Any], operands: tuple[Any, ...], answer: Any) -> Any:
        operands = tuple([x if isinstance(x, (Value, np.floating)) else unboxed(x) for x in operands])
        if answer is NotImplemented and not isinstance(operands[1], Number):
            return answer
        numbers = [self._number_of(x) if isinstance(x, Value) else x for x in operands]
        for x in numbers:
            if not _is_exact(x):
                self._refusals(f"{x!r:.60} ({type(x).__name__}) was compared while compiling; compare with a float")
        answer = bool(compare(*numbers))
        x, y = (*numbers, 0.0)[:2]
        self.sides += [side if isinstance(side, Value) else Value(side) for side in (*operands, 0.0)[:2]]
        self.comparisons.append(Comparison(compare, (x, y), answer, line_outside()))
        return answer

    def _vary(self, values: Sequence[Value]) -> bool:
        """Whether any of them depends on a parameter or an input."""
        for value in values:
            self._number_of(value)
        return not self._varying.isdisjoint(values)

    def _number_of(self, value: Value) -> float:
        for node in topological_order([value], self._numbers):
            if node.op is None:
                self._numbers[node] = self.constants[node] = node.data
                continue
            self._numbers[node] = node.op(*(self._numbers[x] if isinstance(x, Value) else x for x in node.inputs))
            if not self._varying.isdisjoint(x for x in node.inputs if isinstance(x, Value)):
                self._varying.add(node)
        return self._numbers[value]


def _as_value(output: Any) -> Value:
    """The result of a function, as a Value; a plain number becomes a constant."""
    output = unboxed(output)
    try:
        return output if isinstance(output, Value) else Value(output)
    except TypeError:
        given = f"{output!r:.60} ({type(output).__name__})"
        raise TypeError(f"the function returned {given}; it must return one Value, or a number") from None


def _is_exact(number: Any) -> bool:
    """Whether a float would compare as this number does."""
    try:
        return type(number) in (float, int, bool, np.float64) and (number != number or float(number) == number)
    except OverflowError:
        return False


def _is_walk() -> bool:
    """Whether a walk over the graph asks, such as that of a derivative, and not the user's code."""
    frame: FrameType | None = sys._getframe()
    while frame and frame.f_code.co_filename.startswith(PACKAGE):
        if frame.f_globals.get("__name__") in (graph.__name__, functional.__name__):
            return True
        frame = frame.f_back
    return False
