"""Functions of one example, written in scalars, compiled for batches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..graph import topological_order
from ..recording import enable_grad
from ..value import Value, watching
from .contract import contract
from .emit import emit
from .lower import lower
from .program import Program, loaded
from .schedule import schedule
from .simplify import simplify
from .trace import Trace, trace

REDUCTIONS = ("mean", "sum", "none")


class CompiledFunction:
    """A function of one example as a program for batches; what `compile` makes of a function.

    It is traced on its first call with arrays of new shapes.  Their leading axis is the batch; the function gets, for
    each array, what is left of the shape: Values, lists of Values, lists of lists.  The value is the mean over the rows
    (`reduction`: their sum or, with "none", each of them), and so is the gradient ("none" has none).

    A ValueError for arrays without rows, or of different numbers of them; a TypeError, with the user's line, for what
    would make one example a constant of the program: a number read or compared, a random one.

    >>> from nn import Neuron, half_squared_error, tanh
    >>> neuron = Neuron(2, activation=tanh, seed=0)
    >>> from autograd import compile
    >>> loss = compile(lambda x, y: half_squared_error(neuron(x), y), neuron.parameters())
    >>> theta = [p.data for p in neuron.parameters()]
    >>> value, gradient = loss.value_and_grad(theta, [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], [0.0, 1.0, -1.0])
    >>> round(value, 6), gradient.round(6)
    (0.704172, array([0.000204, 0.122803, 0.122599]))
    """

    def __init__(self, function: Callable[..., Any], wrt: Sequence[Value], reduction: str = "mean") -> None:
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction is {reduction!r:.60}; give one of {', '.join(REDUCTIONS)}")
        self.function, self.reduction = function, reduction
        self._wrt = list(wrt)
        self._compiled: dict[tuple[tuple[int, ...], ...], tuple[str, dict[str, Any], Program]] = {}

    def value(self, theta: Any, *arrays: Any) -> Any:
        """The reduced value: a float, or with "none" an array of one for each row."""
        theta, x, (_, fast, _) = self._prepared(theta, arrays)
        with np.errstate(all="ignore"):
            return self._reduced(np.broadcast_to(fast["value"](theta, x), len(x)))

    def value_and_grad(self, theta: Any, *arrays: Any) -> tuple[float, np.ndarray[Any, Any]]:
        """The reduced value and its gradient with respect to `theta`."""
        if self.reduction == "none":
            raise ValueError('a gradient of each row; compile with reduction="mean" or "sum"')
        theta, x, (_, fast, row) = self._prepared(theta, arrays)
        with np.errstate(all="ignore"):
            values, gradient = fast["value_and_grad"](theta, x)
        if not np.isfinite(gradient).all():  # row by row, zeros win over infinity as in the engine
            gradient = np.mean([row.value_and_grad(theta, xi)[1] for xi in x], axis=0)
        return self._reduced(np.broadcast_to(values, len(x))), gradient * (len(x) if self.reduction == "sum" else 1)

    def source(self, *arrays: Any) -> str:
        """The source that runs for arrays of these shapes."""
        return self._prepared([w._data for w in self._wrt], arrays)[2][0]

    def _reduced(self, values: np.ndarray[Any, Any]) -> Any:
        return values.copy() if self.reduction == "none" else float(getattr(np, self.reduction)(values))

    def _prepared(self, theta: Any, arrays: Sequence[Any]) -> tuple[Any, Any, tuple[str, dict[str, Any], Program]]:
        theta, arrays = np.ascontiguousarray(theta, dtype=np.float64), [np.asarray(a, dtype=np.float64) for a in arrays]
        if theta.shape != (len(self._wrt),):
            raise ValueError(f"theta has shape {theta.shape}; give ({len(self._wrt)},), a number for each parameter")
        if not arrays or any(not a.ndim for a in arrays) or len({len(a) for a in arrays}) > 1 or not len(arrays[0]):
            given = ", ".join(str(a.shape) for a in arrays) or "none"
            raise ValueError(f"arrays of shapes {given}; give at least one, each with a row for every example")
        x = np.concatenate([a.reshape(len(a), -1) for a in arrays], axis=1)
        shapes = tuple(a.shape[1:] for a in arrays)
        if shapes not in self._compiled:
            self._compiled[shapes] = self._compile(shapes, x[0])
        return theta, x, self._compiled[shapes]

    def _compile(self, shapes: tuple[tuple[int, ...], ...], sample: Any) -> tuple[str, dict[str, Any], Program]:
        graph, again = (self._traced(shapes, numbers) for numbers in (sample, sample + 1.0))
        if (graph.ops, graph.operands, graph.constants()) != (again.ops, again.operands, again.constants()):
            raise TypeError(
                f"{self.function!r:.60} does something else for other numbers, or at random; compile repeats one "
                "computation for every row: choose with where, and draw random numbers outside"
            )
        graph = simplify(graph)
        nodes = contract(graph)
        waves = schedule(nodes, graph.is_constant)
        source = emit(lower(graph, nodes, waves, batch=True))
        return source, loaded(source), Program.of(graph, nodes, waves)

    def _traced(self, shapes: tuple[tuple[int, ...], ...], numbers: Any) -> Trace:
        inputs = [Value(number) for number in numbers]
        arguments, start = [], 0
        for shape in shapes:
            arguments.append(_nested(inputs[start : start + prod(shape)], shape))
            start += prod(shape)
        varying, thread = {*inputs, *self._wrt}, threading.get_ident()

        def watch(*values: Any) -> None:
            if threading.get_ident() != thread:
                return
            if not varying.isdisjoint(topological_order([x for x in values if isinstance(x, Value)])):
                raise TypeError(
                    "a number that depends on an input or a parameter was compared or read while compiling, which "
                    "would make it a constant; choose with where, or compute it outside of the function"
                )

        with enable_grad(), watching(watch):
            output = self.function(*arguments)
        if not isinstance(output, Value):
            raise TypeError(f"the function returned {output!r:.60} ({type(output).__name__}); it must return one Value")
        return trace([output], self._wrt, inputs)


def _nested(values: list[Value], shape: tuple[int, ...]) -> Any:
    if not shape:
        return values[0]
    size = prod(shape[1:])
    return [_nested(values[i * size : (i + 1) * size], shape[1:]) for i in range(shape[0])]
