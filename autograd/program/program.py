"""`Program`: a compiled graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from ..arrays import as_real_array
from ..assigning import data_of, require_held
from ..collector import paused_collector
from ..value import Value, add_to_grads
from .blocks import Lowered
from .contract import Node, contract
from .emit import emit, listing
from .lower import lower
from .schedule import Wave, schedule
from .simplify import simplify
from .trace import Trace

Array = np.ndarray[Any, Any]

REDUCTIONS = ("mean", "sum", "none")
DTYPES = ("float64", "float32")

CHUNK = 1 << 21
"""Large batches are worked off in chunks whose numbers and gradients take about so many bytes: what a cache holds."""


class Program:
    """A graph as functions of arrays: pure, picklable, and readable in `source`.

    `theta`, (P,), holds the parameters in the order given to `compile`; the other arrays are the inputs.  A program for
    batches takes arrays with a leading batch axis, and reduces the values of the rows to their mean or sum, or, with
    "none", not at all.  A ValueError for arrays of other shapes.

    ``print(program)`` lists the statements, with their shapes, how many scalar nodes each stands for, and what did not
    roll and why: what is alone had no others of its kind ready with it, or too few; what is gathered reads from several
    arrays, or from irregular places of one.

    `wrt` and `inputs` are the Values that a graph was compiled for; a program that was unpickled knows none.
    """

    def __init__(
        self,
        graph: Trace,
        shapes: Mapping[str, tuple[int, ...]],
        *,
        batch: bool = False,
        reduction: str = "mean",
        dtype: str = "float64",
        wrt: Sequence[Value] = (),
        inputs: Sequence[Value] = (),
    ) -> None:
        with paused_collector():
            graph = simplify(graph)
            nodes = contract(graph)
            waves = schedule(nodes, graph)
        graph = replace(graph, operands=[])  # most of its memory; those of the nodes are what is lowered
        self._passes: tuple[Trace, dict[int, Node], list[Wave]] | None = (graph, nodes, waves)
        self._parameters, self._shapes, self._dtype = graph.parameters, dict(shapes), np.dtype(dtype)
        self._batch, self._reduction = batch, reduction
        self.wrt, self.inputs = list(wrt), list(inputs)
        self._several = len(graph.outputs) > 1

    # ---- What is emitted ----

    @cached_property
    def _lowered(self) -> Lowered:
        return self._lower(self._batch)

    @cached_property
    def _one(self) -> Lowered:
        """For one example."""
        return self._lower(False) if self._batch else self._lowered

    def _lower(self, batch: bool) -> Lowered:
        assert self._passes is not None, "a program that was pickled has been lowered"
        with paused_collector():
            return lower(*self._passes, self._shapes, batch)

    @cached_property
    def source(self) -> str:
        """What runs: Python with NumPy, for arrays of `dtype`; it stands by itself."""
        return self._emit(self._lowered, careful=False)

    def _emit(self, program: Lowered, careful: bool) -> str:
        return emit(program, self._dtype.name, careful, mean=self._reduction != "sum")

    @cached_property
    def _fast(self) -> dict[str, Any]:
        return loaded(self.source)

    @cached_property
    def _careful(self) -> dict[str, Any]:
        """For one example, with the engine's rule that zeros win over infinity, and without floats that raise."""
        return loaded(self._emit(self._one, careful=True))

    @cached_property
    def _has_floats(self) -> bool:
        return any(statement.result.scalar for statement in self._lowered.statements)

    @cached_property
    def _chunk(self) -> int:
        """The number of rows that are worked off together."""
        blocks = [*self._lowered.inputs, *(statement.result for statement in self._lowered.statements)]
        row = 2 * self._dtype.itemsize * sum(block.size for block in blocks if block.batched)
        return max(32, CHUNK // max(row, 1))

    # ---- What runs ----

    def value(self, theta: Any, *inputs: Any) -> Any:
        """The output, a float; of a batch with reduction "none", an array of one for each row.

        A ValueError if there are several outputs.
        """
        if self._several:
            raise ValueError("the value of several outputs; call outputs(theta, ...) for all of them")
        values = self.outputs(theta, *inputs)[..., 0]
        return self._reduced(values) if self._batch else float(values)

    def outputs(self, theta: Any, *inputs: Any) -> Array:
        """All outputs, (K,), or (B, K) for a batch of B rows."""
        theta, arrays = self._checked(theta, inputs)
        name = "outputs" if self._several else "value"
        found = np.concatenate([np.atleast_1d(self._run(name, theta, chunk)) for chunk in self._chunks(arrays)])
        return found if self._several else found[..., None] if self._batch else found

    def value_and_grad(self, theta: Any, *inputs: Any) -> tuple[float, Array]:
        """The value and its gradient with respect to `theta`, (P,).

        A ValueError if there are several outputs, or if nothing is reduced.  Where the gradient is not finite it is
        computed once more, row by row, with the engine's rule that zeros win over infinity.
        """
        return self._gradient(*self._checked(theta, inputs))

    def _gradient(self, theta: Any, arrays: Sequence[Any]) -> tuple[float, Array]:
        if self._several:
            raise ValueError("a gradient of several outputs; compile the one to be differentiated")
        if self._reduction == "none":
            raise ValueError('a gradient of each row; compile with reduction="mean" or "sum"')
        parts = [self._run("value_and_grad", theta, chunk) for chunk in self._chunks(arrays)]
        if not self._batch:
            return parts[0]  # type: ignore[no-any-return]  # a float and an array
        values, gradient = self._joined(parts) if len(parts) > 1 else parts[0]
        return self._reduced(values), gradient

    def backward(self, *inputs: Any) -> float:
        """What ``value.backward()`` does for the parameters, at the numbers that they have now; returns the value.

        It reads the ``data`` of the Values that the program was compiled for and adds to their ``grad``.  A
        RuntimeError for a program that was unpickled and knows no Values.

        >>> from autograd import compile
        >>> from nn import SGD, Neuron
        >>> neuron = Neuron(1, seed=0)
        >>> program = compile((neuron([2.0]) - 3.0) ** 2, neuron.parameters())
        >>> optimizer = SGD(neuron.parameters(), 0.1)
        >>> for _ in range(20):
        ...     neuron.zero_grad()
        ...     loss = program.backward()
        ...     optimizer.step()
        >>> round(neuron([2.0]).data, 6)
        3.0
        """
        if len(self.wrt) != self._parameters:
            raise RuntimeError("backward() of a program that was unpickled; call value_and_grad(theta, ...)")
        require_held(self.wrt, "the compiled program")
        value, gradient = self.value_and_grad(data_of(self.wrt), *inputs)
        add_to_grads(self.wrt, gradient.tolist())
        return value

    def _run(self, name: str, theta: Any, arrays: Sequence[Any]) -> Any:
        fast = self._fast[name]
        with np.errstate(all="ignore"):
            try:
                found = fast(theta, *arrays)
                if name != "value_and_grad" or np.isfinite(found[1]).all():
                    return found
            except (ArithmeticError, ValueError):
                if not self._has_floats:  # which raise where IEEE 754 has an answer
                    raise
            function = self._careful[name]
            if not self._batch:
                return function(theta, *arrays)
            rows = [function(theta, *row) for row in zip(*arrays)]
        if name != "value_and_grad":
            return np.array(rows)
        return self._joined(rows)

    def _joined(self, parts: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
        """The values of all rows and the gradient, from those of rows or of chunks."""
        values = np.concatenate([np.atleast_1d(values) for values, _ in parts])
        with np.errstate(all="ignore"):  # shares, not a mean of sums: those may overflow
            shares = [np.size(v) / len(values) if self._reduction == "mean" else 1.0 for v, _ in parts]
            return values, sum(slopes * share for (_, slopes), share in zip(parts, shares))

    def _chunks(self, arrays: Sequence[Any]) -> list[Sequence[Any]]:
        if not self._batch or len(arrays[0]) <= self._chunk:
            return [arrays]
        return [[a[i : i + self._chunk] for a in arrays] for i in range(0, len(arrays[0]), self._chunk)]

    def _reduced(self, values: Any) -> Any:
        return reduced(values, self._reduction)

    def _checked(self, theta: Any, inputs: Sequence[Any]) -> tuple[Any, list[Any]]:
        theta, arrays = as_array("theta", theta, self._dtype), []
        if theta.shape != (self._parameters,):
            raise ValueError(f"theta has shape {theta.shape}; give ({self._parameters},), a number for each parameter")
        if len(inputs) != len(self._shapes):
            given = f"{len(inputs)} arrays of inputs; give {len(self._shapes)}"
            raise ValueError(f"{given}: {', '.join(self._shapes) or 'there are none'}")
        for (name, shape), given in zip(self._shapes.items(), inputs):
            array = as_array(name, given, self._dtype)
            if array.ndim < self._batch or array.shape[self._batch :] != shape:
                rows = ", ".join(["B"] * self._batch + [str(n) for n in shape])
                raise ValueError(
                    f"{name} has shape {array.shape}; give ({rows}{',' * (len(shape) + self._batch == 1)})"
                )
            arrays.append(array)
        if self._batch and (len({len(a) for a in arrays}) > 1 or not len(arrays[0])):
            shapes = ", ".join(str(a.shape) for a in arrays)
            raise ValueError(f"arrays of shapes {shapes}; give each a row for every example, and at least one")
        return theta, arrays

    # ---- What is shown, and what is pickled ----

    @cached_property
    def _listing(self) -> str:
        return listing(self._lowered)

    def __str__(self) -> str:
        return self._listing

    def __repr__(self) -> str:
        inputs = sum(prod(shape) for shape in self._shapes.values())
        return f"Program of {self._parameters} parameters and {inputs} inputs, {self._listing.splitlines()[-1]}"

    def __getstate__(self) -> dict[str, Any]:
        lowered: dict[str, Any] = {
            "_lowered": self._lowered,
            "_one": self._one,
            "_passes": None,
            "wrt": [],
            "inputs": [],
        }
        return {**{k: v for k, v in self.__dict__.items() if k not in ("_fast", "_careful")}, **lowered}


def as_array(name: str, numbers: Any, dtype: Any) -> Any:
    """An array of real numbers that lies in memory row by row; errors of `as_real_array` for anything else."""
    if type(numbers) is np.ndarray and numbers.dtype == dtype and numbers.flags.c_contiguous:
        return numbers
    array = as_real_array(name, numbers)
    return np.ascontiguousarray(array, dtype=dtype).reshape(array.shape)


def reduced(values: Array, reduction: str) -> Any:
    """The values of the rows, (B,), as one of `REDUCTIONS`: a float, or with "none" as they are.

    >>> reduced(np.array([1.0, 2.0]), "mean")
    1.5
    """
    with np.errstate(all="ignore"):
        return values if reduction == "none" else float(getattr(np, reduction)(values))


def loaded(source: str) -> dict[str, Any]:
    """The names that a program's source defines."""
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    return namespace
