"""The user's verbs: derivatives of plain Python functions, in JAX's conventions.

A function takes and returns scalars, NumPy arrays, or lists, tuples and dicts of them, nested as you like.
``argnums`` says which positional arguments to differentiate with respect to: an int (the result then has the
structure of that argument) or a tuple of ints (a tuple of such results).  No verb reads or writes anyone's ``.grad``.

Numbers in, numbers out.  Where a Value goes in, or the function closes over the argument of an enclosing verb, Values
come out, so verbs nest: ``grad(grad(f))`` is the second derivative.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from itertools import accumulate
from math import prod
from typing import Any, TypeAlias

import numpy as np

from .graph import gradients, tangents, topological_order
from .ops import as_float
from .recording import enable_grad
from .value import Value

Argnums: TypeAlias = "int | Sequence[int]"


def grad(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the gradient of `function`, whose result must be one number.

    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(lambda w, x: w[0] * x + w[1], argnums=(0, 1))([2.0, 1.0], 3.0)
    ([3.0, 1.0], 2.0)
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    >>> grad(lambda x: (x @ x) / 2)(np.array([1.0, 2.0]))
    array([1., 2.])

    A TypeError if the result is not a scalar, or if what `argnums` selects holds something other than real numbers.
    """
    with_value = value_and_grad(function, argnums)

    @wraps(function, updated=())
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return with_value(*args, **kwargs)[1]

    return gradient


def value_and_grad(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., tuple[Any, Any]]:
    """A function that returns ``(value, gradient)`` of `function`; see `grad`.

    >>> value_and_grad(lambda x, y: x * y)(3.0, 4.0)
    (12.0, 4.0)
    """

    argnums = _as_argnums(argnums)

    @wraps(function, updated=())
    @enable_grad()
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        trace = _Trace(function, args, kwargs, argnums)
        if len(trace.outputs) != 1 or str(trace.result) != "number":
            raise TypeError(
                f"grad of a function whose result is {trace.result}, not a scalar; use jacobian, or return one number"
            )
        (output,) = trace.outputs
        return trace.plain(output), trace.inputs.build(trace.gradients(output))

    return value_and_gradient


def jacobian(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns all first derivatives of `function`.

    They come in the structure of the result, with the structure of the argument at each of its leaves.
    Where both are arrays the derivative has shape ``result.shape + argument.shape``.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] ** 2])([2.0, 3.0])
    [[3.0, 2.0], [4.0, 0.0]]
    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    argnums = _as_argnums(argnums)

    @wraps(function, updated=())
    @enable_grad()
    def all_derivatives(*args: Any, **kwargs: Any) -> Any:
        trace = _Trace(function, args, kwargs, argnums)
        return trace.result.outer(trace.inputs, [trace.gradients(output) for output in trace.outputs])

    return all_derivatives


def hessian(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns all second derivatives of `function`: ``jacobian(grad(function))``.

    For a number a number, for a list of n a list of n lists, for an array shape ``argument.shape + argument.shape``.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([2.0, 3.0])
    [[6.0, 4.0], [4.0, 0.0]]
    """
    return jacobian(grad(function, argnums), argnums)


@enable_grad()
def jvp(
    function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], argnums: Argnums | None = None
) -> tuple[Any, Any]:
    """``(value, derivative)`` of `function` at `primals` along `tangents`, one for each primal: forward mode.

    With `argnums`, `tangents` holds those of the selected primals only, and the others stand still.

    >>> jvp(lambda x, y: x * y, (2.0, 5.0), (1.0, 10.0))
    (10.0, 25.0)

    A ValueError if the tangents do not have the structure of their primals.
    """
    primals, tangents = _as_tuple("primals", primals), _as_tuple("tangents", tangents)
    chosen = tuple(range(len(primals))) if argnums is None else _as_argnums(argnums)
    if isinstance(chosen, int):
        chosen = (chosen,)
    trace = _Trace(function, primals, {}, chosen)
    values, derivatives = trace.push(tangents)
    return trace.result.build(values), trace.result.build(derivatives)


def hvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], argnums: Argnums = 0) -> Any:
    """The Hessian of `function` at `primals`, times the vector `tangents`, without the Hessian: forward over reverse.

    It is the derivative of ``grad(function, argnums)`` along `tangents`, which holds one tangent for each of `argnums`.

    >>> hvp(lambda x: x[0] ** 2 * x[1], ([2.0, 3.0],), ([1.0, 0.0],))
    [6.0, 4.0]
    """
    return jvp(grad(function, argnums), primals, tangents, argnums)[1]


# The nodes that stand for the arguments of the verbs at work in this thread, from the outermost to the innermost.
_enclosing: ContextVar[frozenset[Value]] = ContextVar("_enclosing", default=frozenset())


@contextmanager
def enclosing(arguments: Iterable[Value]) -> Iterator[None]:
    """A block in which a verb that meets one of `arguments` in its function gives Values, not numbers.

    >>> x = Value(3.0)
    >>> with enclosing([x]):
    ...     slope = grad(lambda y: x * y * y)(2.0)
    >>> gradients(slope, [x])
    [4.0]
    """
    token = _enclosing.set(_enclosing.get().union(arguments))
    try:
        yield
    finally:
        _enclosing.reset(token)


class _Trace:
    """One run of a function on Values in place of the numbers that `argnums` selects."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        argnums: int | tuple[int, ...],
    ) -> None:
        positions = _positions(argnums, len(args))
        self.inputs = Structure(args[positions] if isinstance(positions, int) else tuple(args[i] for i in positions))
        # A fresh node for each number.  A Value is not differentiated itself but linked to (times 1), so that what
        # else the function makes of it is not mistaken for its argument.
        self.arguments = [x * 1.0 if isinstance(x, Value) else Value(x) for x in self.inputs.scalars]
        traced = self.inputs.build(self.arguments)
        replaced = list(args)
        for i, arg in [(positions, traced)] if isinstance(positions, int) else zip(positions, traced):
            replaced[i] = arg

        around = _enclosing.get()
        with enclosing(self.arguments):
            self.result = Structure(function(*replaced, **kwargs))
        self.outputs: list[Value] = [x if isinstance(x, Value) else Value(x) for x in self.result.scalars]
        self.nested = any(isinstance(x, Value) for x in self.inputs.scalars) or (
            not around.isdisjoint(topological_order(self.outputs))
        )

    def plain(self, x: Value) -> Any:
        return x if self.nested else x.data

    def gradients(self, output: Value) -> list[Any]:
        return gradients(output, self.arguments, create_graph=self.nested)

    def push(self, directions: tuple[Any, ...]) -> tuple[list[Any], list[Any]]:
        """The outputs, and their derivatives along `directions`, one for each argument."""
        given = Structure(directions)
        if (given.skeleton, given.shapes) != (self.inputs.skeleton, self.inputs.shapes):
            raise ValueError(
                f"tangents of structure {given}, primals of structure {self.inputs}; give one number for each number"
            )
        seeds = given.scalars
        nested = self.nested or any(isinstance(seed, Value) for seed in seeds)
        if nested:
            seeds = [seed if isinstance(seed, Value) else Value(seed) for seed in seeds]
        derivatives = tangents(self.outputs, dict(zip(self.arguments, seeds)))
        return [x if nested else x.data for x in self.outputs], derivatives


class Structure:
    """A tree of lists, tuples and dicts, with scalars and arrays as leaves, taken apart to build others like it."""

    def __init__(self, tree: Any) -> None:
        self.scalars: list[Any] = []  # the numbers of all leaves, in order
        self.shapes: list[tuple[int, ...]] = []  # of each leaf, () for a scalar
        self.skeleton = self._take_apart(tree)

    def _take_apart(self, tree: Any) -> Any:
        """(type, keys, skeletons of the parts), or None for a leaf."""
        if isinstance(tree, dict):
            return type(tree), tuple(tree), [self._take_apart(part) for part in tree.values()]
        if isinstance(tree, (list, tuple)):
            return type(tree), None, [self._take_apart(part) for part in tree]
        if isinstance(tree, np.ndarray):
            numbers, shape = tree.ravel().tolist(), tree.shape
        else:
            numbers, shape = [tree], ()
        self.scalars += [x if isinstance(x, Value) else as_float(x) for x in numbers]
        self.shapes.append(shape)
        return None

    def build(self, scalars: Iterable[Any]) -> Any:
        """The tree with `scalars` in place of its own."""
        rest = iter(scalars)
        return _assemble(
            self.skeleton, (_leaf([next(rest) for _ in range(prod(shape))], shape) for shape in self.shapes)
        )

    def outer(self, other: Structure, rows: Iterable[Sequence[Any]]) -> Any:
        """The tree with a tree like `other` in place of each leaf; `rows` holds the numbers, a row a scalar."""
        rest = iter(rows)
        blocks = []
        for shape in self.shapes:
            own = [next(rest) for _ in range(prod(shape))]
            stops = list(accumulate(map(prod, other.shapes), initial=0))
            columns = zip(other.shapes, stops, stops[1:])
            inner = (
                _leaf([x for row in own for x in row[start:stop]], shape + other_shape)
                for other_shape, start, stop in columns
            )
            blocks.append(_assemble(other.skeleton, inner))
        return _assemble(self.skeleton, iter(blocks))

    def __str__(self) -> str:
        return _words(self.skeleton, iter(self.shapes))


def _assemble(skeleton: Any, leaves: Iterator[Any]) -> Any:
    """The tree of `skeleton` with the next of `leaves` in each place."""
    if skeleton is None:
        return next(leaves)
    kind, keys, parts = skeleton
    trees = [_assemble(part, leaves) for part in parts]
    if keys is not None:
        return kind(zip(keys, trees))
    return kind(*trees) if hasattr(kind, "_fields") else kind(trees)


def _words(skeleton: Any, shapes: Iterator[tuple[int, ...]]) -> str:
    """The tree of `skeleton` for an error message, such as list(number, array(3,))."""
    if skeleton is None:
        shape = next(shapes)
        return f"array{shape}" if shape else "number"
    kind, keys, parts = skeleton
    inside = [_words(part, shapes) for part in parts]
    if keys is not None:
        inside = [f"{key!r}: {part}" for key, part in zip(keys, inside)]
    return f"{kind.__name__}({', '.join(inside)})"


def _leaf(numbers: list[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return numbers[0]
    symbolic = any(isinstance(x, Value) for x in numbers)
    return np.array(numbers, dtype=object if symbolic else float).reshape(shape)


def _as_argnums(argnums: Any) -> int | tuple[int, ...]:
    try:
        return operator.index(argnums) if hasattr(argnums, "__index__") else tuple(map(operator.index, argnums))
    except TypeError:
        raise TypeError(f"argnums {argnums!r:.60}; give an int, or a tuple of ints") from None


def _positions(argnums: int | tuple[int, ...], count: int) -> int | tuple[int, ...]:
    """`argnums` as indices from 0 of `count` arguments."""
    if isinstance(argnums, tuple):
        positions = tuple(_positions(i, count) for i in argnums)
        if len(set(positions)) < len(positions):
            raise ValueError(f"argnums {argnums} name an argument twice; give each once")
        return positions  # type: ignore[return-value]  # an int for an int
    if not -count <= argnums < count:
        raise ValueError(
            f"argnums {argnums} of a call with {count} positional arguments; pass what is differentiated by position"
        )
    return argnums % count


def _as_tuple(name: str, items: Any) -> tuple[Any, ...]:
    if not isinstance(items, (list, tuple)):
        raise TypeError(f"{name} is {items!r:.60} ({type(items).__name__}); give a tuple, one for each argument")
    return tuple(items)
