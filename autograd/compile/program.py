"""`compile`, and the `Program` that it returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..value import Value
from .contract import contract
from .emit import emit, listing
from .lower import lower
from .schedule import schedule
from .simplify import simplify
from .trace import trace


class Program:
    """A graph as functions of arrays: pure, picklable, and readable in `source`.

    ``print(program)`` lists the array statements, with their shapes and how many scalar nodes each stands for.
    """

    def __init__(self, source: str, careful: str, parameters: int, inputs: int, listing: str) -> None:
        self.source = source
        self._careful = careful
        self._parameters, self._inputs, self._listing = parameters, inputs, listing
        self._fast, self._safe = _loaded(source), _loaded(careful)
        self._wrt: list[Value] = []

    def value(self, theta: Any, x: Any = ()) -> float:
        """The first output, for parameters `theta` and inputs `x`, flat arrays in the order given to `compile`."""
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
        theta, x = np.asarray(theta, dtype=np.float64), np.asarray(x, dtype=np.float64)
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


def compile(values: Value | Sequence[Value], wrt: Sequence[Value], *, inputs: Sequence[Value] = ()) -> Program:  # noqa: A001 -- its name in the field
    """The graph that computes `values` as a program of arrays, to be differentiated with respect to `wrt`.

    The graph is contracted, scheduled into waves of like nodes, and re-rolled: sums of products become matrix products,
    the scalar chain rule their transposes.  `inputs` are leaves that vary from call to call; all other leaves keep the
    numbers that they have now.

    Sums are re-associated; otherwise values and gradients are those of the engine.  A TypeError for what is not a
    Value, a ValueError for a Value that is given twice.

    >>> w, x = [Value(0.5), Value(-1.0)], [Value(2.0), Value(3.0)]
    >>> program = compile((w[0] * x[0] + w[1] * x[1]).tanh(), w, inputs=x)
    >>> print(program)
    z1 = x @ theta    ()  3 nodes
    a1 = np.tanh(z1)  ()  1 node
    2 statements for 4 nodes
    >>> value, gradient = program.value_and_grad([0.5, -1.0], [2.0, 3.0])
    >>> round(value, 6), gradient.round(6)
    (-0.964028, array([0.141302, 0.211952]))
    """
    outputs = [values] if isinstance(values, Value) else list(values)
    leaves = [*wrt, *inputs]
    for x in (*outputs, *leaves):
        if not isinstance(x, Value):
            raise TypeError(f"{x!r:.60} ({type(x).__name__}) is not a Value; compile(loss, parameters) takes Values")
    if len(set(leaves)) < len(leaves):
        raise ValueError("a Value is given twice among wrt and inputs; give each once")
    graph = simplify(trace(outputs, list(wrt), list(inputs)))
    nodes = contract(graph)
    lowered = lower(graph, nodes, schedule(nodes, graph.is_constant))
    fast = emit(lowered)
    program = Program(fast, emit(lowered, careful=True), len(wrt), len(inputs), listing(lowered))
    program._wrt = list(wrt)
    return program


def _loaded(source: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    return namespace
