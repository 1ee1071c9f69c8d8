"""`Tracer`: runs a function of one example on Values, and gives the tape of what it does."""

from __future__ import annotations

import builtins
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, prod
from typing import Any, NamedTuple

import numpy as np

from ..collector import paused_collector
from ..functions import is_index
from ..graph import topological_order
from ..nodes import WatchedValue
from ..value import Value
from .forms import Form, row_of
from .guards import Comparison
from .helpers import HELPERS
from .outside import Outside
from .recorder import Recorder
from .trace import Tape, trace


class Signature(NamedTuple):
    """The rows that a function is compiled for: their shapes and forms, one for each argument."""

    shapes: tuple[tuple[int, ...], ...]
    forms: tuple[Form, ...]


@dataclass(frozen=True, eq=False)
class Run:
    """The record of one run of a function."""

    output: Value
    tape: Tape
    inputs: list[Value]
    comparisons: list[Comparison]
    sides: list[Value]
    """A left and a right side for each comparison."""
    compared: list[Value]
    """The leaves, neither parameters nor inputs, whose numbers a comparison depends on."""

    def leaves(self) -> list[Value]:
        """The compared leaves, and the leaves of the graph."""
        return [*self.compared, *(x for x in topological_order([self.output]) if x.op is None)]

    def computes_the_same(self, other: Run) -> bool:
        """Whether another run recorded the same instructions and constants."""
        x, y = self.tape, other.tape
        return (x.ops, x.operands, x.constants()) == (y.ops, y.operands, y.constants())

    def answers(self) -> list[Any]:
        """The comparisons, with their lines and their answers."""
        return [(asked.compare, asked.answer, asked.line) for asked in self.comparisons]


class Tracer:
    """Runs `function`, whose parameters are `wrt`, in order to trace it."""

    def __init__(self, function: Callable[..., Any], wrt: Sequence[Value]) -> None:
        self.function, self.wrt = function, wrt

    def run_twice(self, signature: Signature, theta: Any, numbers: Sequence[float]) -> tuple[Run, Run]:
        """Two runs for these parameters and inputs, the second at other numbers with the same answers.

        A TypeError if they differ, or if the function draws random numbers.
        """
        outside = Outside(self.function)
        before = outside.random_state()
        with paused_collector():
            first = self._run(signature, theta, numbers)
            second = self._run_elsewhere(signature, theta, numbers, first)
        draws = outside.random_state() != before
        if draws or not first.computes_the_same(second):
            fault = "draws random numbers" if draws else "does something else every time"
            raise TypeError(
                f"{where_written(self.function)} {fault}; "
                "compile repeats one computation for every row: compute with the Values, and draw at random outside"
            )
        return first, second

    def _run(self, signature: Signature, theta: Any, numbers: Sequence[float]) -> Run:
        inputs: list[Value] = [WatchedValue(x) for x in numbers]
        arguments, start = [], 0
        for shape, form in zip(signature.shapes, signature.forms):
            arguments.append(row_of(inputs[start : start + prod(shape)], shape, form))
            start += prod(shape)
        recorder = Recorder(dict(zip(self.wrt, theta.tolist())), dict(zip(inputs, numbers)))
        output = recorder.run(self.function, arguments)
        tape = trace([output], self.wrt, inputs)
        return Run(output, tape, inputs, recorder.comparisons, recorder.sides, [*recorder.constants])

    def _run_elsewhere(self, signature: Signature, theta: Any, numbers: Sequence[float], first: Run) -> Run:
        """A second run, at other numbers that give the same answers or, if none are found, at the same numbers."""
        indexes = [side for asked, side in zip(first.comparisons, first.sides[::2]) if asked.compare is is_index]
        fixed = {*topological_order(indexes)}
        for step in (0.7, 1e-3):
            moved = numbers_beside(numbers, step)
            moved = [x if leaf in fixed else other for leaf, x, other in zip(first.inputs, numbers, moved)]
            try:
                second = self._run(signature, np.array(numbers_beside(theta.tolist(), step)), moved)
            except Exception:  # the function may refuse these numbers; it did not refuse those of the sample
                continue
            if second.answers() == first.answers():
                return second
        return self._run(signature, theta, numbers)


def numbers_beside(numbers: Sequence[float], step: float) -> list[float]:
    """Other numbers, about `step` away; each distance differs from the others.

    >>> numbers_beside([1.0, 1.0], 0.5)
    [1.5, 1.75]
    """
    return [x + step * (1.0 + i / len(numbers)) if isfinite(x) else 0.5 for i, x in enumerate(numbers)]


def where_written(function: Callable[..., Any]) -> str:
    """The name of a function, and the file and line where it is written, if known."""
    name, code = getattr(function, "__qualname__", type(function).__name__), getattr(function, "__code__", None)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else name


def names_of_arguments(function: Callable[..., Any], count: int) -> list[str]:
    """The names of the function's arguments; x1, x2 ... if the source of the program uses one of them otherwise.

    >>> names_of_arguments(lambda x, target: x, 2), names_of_arguments(lambda n: n, 1)
    (['x', 'target'], ['x1'])
    """
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = []
    taken = re.compile(r"theta|np|math|n|g|d\w+|[zavpwuWbci]\d+|" + "|".join(HELPERS))
    fit = len(names) == count and not any(taken.fullmatch(name) or hasattr(builtins, name) for name in names)
    return names if fit else [f"x{i + 1}" for i in range(count)]
