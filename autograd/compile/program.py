"""`Program`: a compiled graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..value import Value
from .contract import Node
from .emit import emit, listing
from .lower import lower
from .schedule import Wave
from .trace import Trace


class Program:
    """A graph as functions of arrays: pure, picklable, and readable in `source`.

    ``print(program)`` lists the array statements, with their shapes and how many scalar nodes each stands for.
    """

    def __init__(self, source: str, careful: str, parameters: int, inputs: int, listing: str) -> None:
        self.source = source
        self._careful = careful
        self._parameters, self._inputs, self._listing = parameters, inputs, listing
        self._fast, self._safe = loaded(source), loaded(careful)
        self._wrt: list[Value] = []

    @classmethod
    def of(cls, graph: Trace, nodes: dict[int, Node], waves: Sequence[Wave]) -> Program:
        """The last passes."""
        lowered = lower(graph, nodes, waves)
        return cls(emit(lowered), emit(lowered, careful=True), graph.parameters, graph.inputs, listing(lowered))

    def value(self, theta: Any, x: Any = ()) -> float:
        """The first output, for parameters `theta`, (P,), and inputs `x`, (I,), in the order given to `compile`.

        A ValueError for another shape.
        """
        theta, x = self._checked(theta, x)
        with np.errstate(all="ignore"):
            return float(self._fast["value"](theta, x))

    def outputs(self, theta: Any, x: Any = ()) -> np.ndarray[Any, Any]:
        """All outputs."""
        theta, x = self._checked(theta, x)
        with np.errstate(all="ignore"):
            return np.asarray(self._fast["outputs"](theta, x))

    def value_and_grad(self, theta: Any, x: Any = ()) -> tuple[float, np.ndarray[Any, Any]]:
        """The output and its gradient with respect to `theta`.  A ValueError if there are several outputs.

        Where the gradient is not finite it is computed once more with the engine's rule that zeros win over infinity.
        """
        if "value_and_grad" not in self._fast:
            raise ValueError("a gradient of several outputs; compile the one to be differentiated")
        theta, x = self._checked(theta, x)
        with np.errstate(all="ignore"):
            value, gradient = self._fast["value_and_grad"](theta, x)
            if not np.isfinite(gradient).all():
                value, gradient = self._safe["value_and_grad"](theta, x)
        return value, gradient

    def backward(self) -> float:
        """What ``value.backward()`` does for the parameters, at the numbers that they have now; returns the value.

        It reads the ``data`` of the Values that the program was compiled for and adds to their ``grad``.  A
        RuntimeError for a program with inputs, or one that was unpickled and knows no Values.

        >>> from autograd import compile
        >>> from nn import SGD, Neuron
        >>> neuron = Neuron(1, seed=0)
        >>> program = compile((neuron([2.0]) - 3.0) ** 2, neuron.parameters())
        >>> optimiser = SGD(neuron.parameters(), 0.1)
        >>> for _ in range(20):
        ...     neuron.zero_grad()
        ...     loss = program.backward()
        ...     optimiser.step()
        >>> round(neuron([2.0]).data, 6)
        3.0
        """
        if self._inputs or len(self._wrt) != self._parameters:
            raise RuntimeError("backward() of a program with inputs or without Values; call value_and_grad(theta, x)")
        value, gradient = self.value_and_grad([w.data for w in self._wrt])
        for w, slope in zip(self._wrt, gradient.tolist()):
            w.grad += slope
        return value

    def _checked(self, theta: Any, x: Any) -> tuple[Any, Any]:
        theta, x = np.array(theta, dtype=np.float64), np.array(x, dtype=np.float64)
        for name, array, count in (("theta", theta, self._parameters), ("x", x, self._inputs)):
            if array.shape != (count,):
                raise ValueError(
                    f"{name} has shape {array.shape}; give ({count},), a number for each Value compiled for"
                )
        return theta, x

    def __str__(self) -> str:
        return self._listing

    def __repr__(self) -> str:
        return f"Program of {self._parameters} parameters and {self._inputs} inputs, {self._listing.splitlines()[-1]}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.source, self._careful, self._parameters, self._inputs, self._listing)


def loaded(source: str) -> dict[str, Any]:
    """The names that a program's source defines."""
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    return namespace
