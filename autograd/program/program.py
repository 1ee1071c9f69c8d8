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
from ..graph import add_to_grads
from ..value import Value
from .blocks import Array, Lowered
from .code import spelled_tuple
from .contract import Node, contract
from .emit import emit, listing
from .lower import lower
from .schedule import Group, schedule
from .simplify import simplify
from .trace import Tape

REDUCTIONS = ("mean", "sum", "none")
DTYPES = ("float64", "float32")

CHUNK = 1 << 21
"""A large batch runs in chunks whose arrays take about so many bytes: they fit in a cache."""


class Program:
    """A graph as functions of arrays: pure, picklable, and readable in `source`.

    `theta`, (P,), holds the parameters in the order given to `compile`; the other arrays are the inputs.  A program for
    batches takes arrays with a leading batch axis.  It reduces the values of the rows to their mean or sum; with "none"
    it returns them all.  A ValueError for arrays of other shapes.

    ``print(program)`` lists the statements, with their shapes and the number of scalar nodes that each stands for.  It
    also says which did not roll, and why.  A node is alone if few or no others of its kind were ready together with it.
    An operand is gathered if it is read from several arrays, or from irregular places in one.

    `wrt` and `inputs` are the Values that a graph was compiled for; an unpickled program knows none.
    """

    def __init__(
        self,
        tape: Tape,
        shapes: Mapping[str, tuple[int, ...]],
        *,
        batch: bool = False,
        reduction: str = "mean",
        dtype: str = "float64",
        wrt: Sequence[Value] = (),
        inputs: Sequence[Value] = (),
    ) -> None:
        with paused_collector():
            tape = simplify(tape)
            nodes = contract(tape)
            groups = schedule(nodes, tape)
        tape = replace(tape, operands=[])  # they take most of its memory, and `lower` reads those of the nodes
        self._passes: tuple[Tape, dict[int, Node], list[Group]] | None = (tape, nodes, groups)
        self._parameters, self._shapes, self._dtype = tape.parameters, dict(shapes), np.dtype(dtype)
        self._batch, self._reduction = batch, reduction
        self.wrt, self.inputs = list(wrt), list(inputs)
        self._several = len(tape.outputs) > 1

    # ---- Its source ----

    @cached_property
    def _lowered(self) -> Lowered:
        return self._lower(self._batch)

    @cached_property
    def _one(self) -> Lowered:
        """The program for one example."""
        return self._lower(False) if self._batch else self._lowered

    def _lower(self, batch: bool) -> Lowered:
        assert self._passes is not None, "an unpickled program has been lowered"
        with paused_collector():
            return lower(*self._passes, self._shapes, batch)

    @cached_property
    def source(self) -> str:
        """The code that runs: Python that needs nothing but NumPy, for arrays of `dtype`."""
        return self._emit(self._lowered, careful=False)

    def _emit(self, program: Lowered, careful: bool) -> str:
        return emit(program, self._dtype.name, careful, mean=self._reduction != "sum")

    @cached_property
    def _fast(self) -> dict[str, Any]:
        return loaded(self.source)

    @cached_property
    def _careful(self) -> dict[str, Any]:
        """The functions for one example that follow the engine: zeros win over infinity, and nothing raises."""
        return loaded(self._emit(self._one, careful=True))

    @cached_property
    def _has_floats(self) -> bool:
        return any(statement.result.scalar for statement in self._lowered.statements)

    @cached_property
    def _chunk(self) -> int:
        """The number of rows in a chunk."""
        blocks = [*self._lowered.inputs, *(statement.result for statement in self._lowered.statements)]
        row = 2 * self._dtype.itemsize * sum(block.size for block in blocks if block.batched)
        return max(32, CHUNK // max(row, 1))

    # ---- Calls ----

    def value(self, theta: Any, *inputs: Any) -> Any:
        """The output, a float; for a batch with reduction "none", an array with one for each row.

        A ValueError if there are several outputs.
        """
        if self._several:
            raise ValueError("the program has several outputs; call outputs(theta, ...) for all of them")
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

        A ValueError if there are several outputs, or if the reduction is "none".  If the gradient is not finite, it is
        computed again, row by row, by the engine's rule that zeros win over infinity.
        """
        return self._gradient(*self._checked(theta, inputs))

    def _gradient(self, theta: Any, arrays: Sequence[Any]) -> tuple[float, Array]:
        """The same for arrays that are known to have the shapes and the type of this program."""
        if self._several:
            raise ValueError("the program has several outputs; compile the one to differentiate")
        if self._reduction == "none":
            raise ValueError('the rows are not reduced to one value; compile with reduction="mean" or "sum"')
        parts = [self._run("value_and_grad", theta, chunk) for chunk in self._chunks(arrays)]
        if not self._batch:
            return parts[0]  # type: ignore[no-any-return]  # a float and an array
        values, gradient = self._joined(parts) if len(parts) > 1 else parts[0]
        return self._reduced(values), gradient

    def backward(self, *inputs: Any) -> float:
        """Adds the gradient to the ``grad`` of the parameters, at their present ``data``; returns the value.

        It does for the parameters what ``value.backward()`` does in the engine.  A RuntimeError for an unpickled
        program, which knows no Values.

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
            raise RuntimeError("an unpickled program knows no Values for backward(); call value_and_grad(theta, ...)")
        require_held(self.wrt, "the compiled program")
        value, gradient = self.value_and_grad(data_of(self.wrt), *inputs)
        add_to_grads(self.wrt, gradient.tolist())
        return value

    def _run(self, name: str, theta: Any, arrays: Sequence[Any]) -> Any:
        """The result of the fast function.  If it raises or its gradient is not finite: of the careful one, by rows."""
        fast = self._fast[name]
        with np.errstate(all="ignore"):
            try:
                found = fast(theta, *arrays)
                if name != "value_and_grad" or np.isfinite(found[1]).all():
                    return found
            except (ArithmeticError, ValueError):
                if not self._has_floats:  # only Python's floats raise where IEEE 754 has an answer
                    raise
            function = self._careful[name]
            if not self._batch:
                return function(theta, *arrays)
            rows = [function(theta, *row) for row in zip(*arrays)]
        if name != "value_and_grad":
            return np.array(rows)
        return self._joined(rows)

    def _joined(self, parts: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
        """The values of all rows, and the gradient, from those of rows or of chunks."""
        values = np.concatenate([np.atleast_1d(values) for values, _ in parts])
        with np.errstate(all="ignore"):  # weighted parts, because a mean of sums may overflow
            shares = [np.size(v) / len(values) if self._reduction == "mean" else 1.0 for v, _ in parts]
            return values, sum(slopes * share for (_, slopes), share in zip(parts, shares))

    def _chunks(self, arrays: Sequence[Any]) -> list[Sequence[Any]]:
        if not self._batch or len(arrays[0]) <= self._chunk:
            return [arrays]
        return [[a[i : i + self._chunk] for a in arrays] for i in range(0, len(arrays[0]), self._chunk)]

    def _reduced(self, values: Any) -> Any:
        return reduced(values, self._reduction)

    def _checked(self, theta: Any, inputs: Sequence[Any]) -> tuple[Any, list[Any]]:
        """`theta` and the inputs as arrays of the right shapes, or a ValueError."""
        theta, arrays = as_theta(theta, self._parameters, self._dtype), []
        if len(inputs) != len(self._shapes):
            names = ", ".join(self._shapes) or "there are none"
            raise ValueError(f"{len(inputs)} arrays of inputs; give {len(self._shapes)}: {names}")
        leading = ["B"] if self._batch else []
        for (name, shape), given in zip(self._shapes.items(), inputs):
            array = as_array(name, given, self._dtype)
            if array.ndim < len(leading) or array.shape[len(leading) :] != shape:
                allowed = spelled_tuple([*leading, *map(str, shape)])
                raise ValueError(f"{name} has shape {array.shape}; give {allowed}")
            arrays.append(array)
        if self._batch:
            require_rows(arrays)
        return theta, arrays

    # ---- Printing and pickling ----

    @cached_property
    def _listing(self) -> str:
        return listing(self._lowered)

    def __str__(self) -> str:
        return self._listing

    def __repr__(self) -> str:
        inputs = sum(prod(shape) for shape in self._shapes.values())
        return f"Program of {self._parameters} parameters and {inputs} inputs, {self._listing.splitlines()[-1]}"

    def __getstate__(self) -> dict[str, Any]:
        lowered: dict[str, Any] = {"_lowered": self._lowered, "_one": self._one, "_passes": None}
        kept = {name: x for name, x in self.__dict__.items() if name not in ("_fast", "_careful")}
        return {**kept, **lowered, "wrt": [], "inputs": []}


def as_array(name: str, numbers: Any, dtype: Any) -> Any:
    """Real numbers as an array that lies in memory row by row; `as_real_array` has the errors for anything else."""
    if type(numbers) is np.ndarray and numbers.dtype == dtype and numbers.flags.c_contiguous:
        return numbers
    array = as_real_array(name, numbers)
    return np.ascontiguousarray(array, dtype=dtype).reshape(array.shape)


def as_theta(theta: Any, parameters: int, dtype: Any) -> Any:
    """`theta` as an array with a number for each parameter, or a ValueError."""
    array = as_array("theta", theta, dtype)
    if array.shape != (parameters,):
        raise ValueError(f"theta has shape {array.shape}; give ({parameters},): a number for each parameter")
    return array


def require_rows(arrays: Sequence[Any]) -> None:
    """A ValueError unless all arrays have as many rows, and at least one; there is at least one array."""
    counts = [len(a) if a.ndim else -1 for a in arrays]
    if min(counts, default=-1) > 0 and len({*counts}) == 1:
        return
    shapes = f"arrays of shapes {', '.join([str(a.shape) for a in arrays]) or 'none'}"
    if not counts or min(counts) < 0:
        raise ValueError(f"{shapes}; give at least one, each with a row for every example, [x] for one example")
    raise ValueError(f"{shapes}: rows of {counts} examples; give as many in each, at least one")


def reduced(values: Array, reduction: str) -> Any:
    """The values of the rows, (B,), reduced to a float as one of `REDUCTIONS` says; "none" leaves them as they are.

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
