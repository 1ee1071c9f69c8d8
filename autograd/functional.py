"""The user's verbs: derivatives of plain Python functions, with JAX's conventions.

A function takes and returns scalars, NumPy arrays, or nested structures of them: lists, tuples, named tuples, dicts
(also OrderedDicts and defaultdicts), deques and dataclasses; None is an empty structure.  ``argnums`` selects the
positional arguments to differentiate with respect to: an int (the result has the structure of that argument) or a
tuple of ints (the result is a tuple of such structures).  No verb reads or writes ``.grad``.

Numbers in, numbers out.  A call returns Values if a Value goes in, or if the result depends on a Value that existed
before the call, such as a parameter of a model or the argument of an enclosing verb.  So verbs nest: ``grad(grad(f))``
is the second derivative, and a loss that contains a derivative can be trained.  A call returns only Values or only
numbers.  Under `no_grad` it returns numbers, for SciPy, or for a picture of a model's derivatives by its inputs.

>>> from autograd import gradients, no_grad
>>> w = Value(3.0)
>>> slope = grad(lambda x: w * x * x)(1.0)
>>> gradients(slope, [w])
[2.0]
>>> with no_grad():
...     grad(lambda x: w * x * x)(1.0)
6.0
"""

from __future__ import annotations

import operator
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial, wraps
from itertools import accumulate, chain, repeat
from math import prod
from typing import Any, TypeAlias

import numpy as np

from .conversions import as_float
from .derivatives import derivatives, tangents
from .graph import topological_order
from .numpy_protocol import ValueArray
from .recording import call_begins, enable_grad, recording
from .value import Value

Argnums: TypeAlias = "int | Sequence[int]"


def grad(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the gradient of `function`; the result of `function` must be one number.

    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(lambda w, x: w[0] * x + w[1], argnums=(0, 1))([2.0, 1.0], 3.0)
    ([3.0, 1.0], 2.0)
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    >>> grad(lambda x: (x @ x) / 2)(np.array([1.0, 2.0]))
    array([1., 2.])

    If the function depends on Values from outside, such as the parameters of a model, the gradient consists of Values,
    which can be differentiated again.  Under `no_grad` it consists of numbers, as SciPy needs.

    A TypeError if the result is not a scalar, or if a selected argument holds anything but real numbers.
    """
    return _gradient("grad", function, argnums)


def value_and_grad(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., tuple[Any, Any]]:
    """A function that returns ``(value, gradient)`` of `function`; SciPy's ``minimize(..., jac=True)`` takes it.

    Both are Values, or both are numbers; see `grad`.

    >>> value_and_grad(lambda x, y: x * y)(3.0, 4.0)
    (12.0, 4.0)
    """
    return _value_and_gradient("value_and_grad", function, argnums)


def jacobian(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns all first derivatives of `function`.

    They have the structure of the result, with the structure of the argument in place of each leaf.  If both are
    arrays, the derivative has shape ``result.shape + argument.shape``.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] ** 2])([2.0, 3.0])
    [[3.0, 2.0], [4.0, 0.0]]
    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    argnums = _as_argnums(argnums)

    @wraps(function, updated=())
    def all_derivatives(*args: Any, **kwargs: Any) -> Any:
        run = _Run(function, args, kwargs, argnums)
        return run.result.outer(run.inputs, [run.gradients(output) for output in run.outputs])

    return all_derivatives


def hessian(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns all second derivatives of `function`: ``jacobian(grad(function))``.

    For a number, that is a number; for a list of n, a list of n lists; for an array, an array of shape
    ``argument.shape + argument.shape``.

    A TypeError if the result is not a scalar.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([2.0, 3.0])
    [[6.0, 4.0], [4.0, 0.0]]
    """
    return jacobian(_gradient("hessian", function, argnums, "jacobian(jacobian(f))"), argnums)


def jvp(
    function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], argnums: Argnums | None = None
) -> tuple[Any, Any]:
    """``(value, derivative)`` of `function` at `primals` along `tangents`, one for each primal: forward mode.

    With `argnums`, `tangents` has only those of the selected primals; the others stay fixed.

    >>> jvp(lambda x, y: x * y, (2.0, 5.0), (1.0, 10.0))
    (10.0, 25.0)

    A ValueError if the tangents differ from their primals in structure; dicts are matched key by key.
    """
    primals, tangents = _as_tuple("primals", primals), _as_tuple("tangents", tangents)
    chosen = tuple(range(len(primals))) if argnums is None else _as_argnums(argnums)
    if isinstance(chosen, int):
        chosen = (chosen,)
    run = _Run(function, primals, {}, chosen)
    values, derivatives = run.push(tangents)
    return run.result.build(values), run.result.build(derivatives)


def hvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], argnums: Argnums = 0) -> Any:
    """The Hessian of `function` at `primals` times the vector `tangents`: forward over reverse mode.

    The Hessian itself is never computed.  The result is the derivative of ``grad(function, argnums)`` along `tangents`,
    which has one tangent for each of `argnums`.

    >>> hvp(lambda x: x[0] ** 2 * x[1], ([2.0, 3.0],), ([1.0, 0.0],))
    [6.0, 4.0]
    """
    return jvp(_gradient("hvp", function, argnums, "jvp(jacobian(f), ...)"), primals, tangents, argnums)[1]


def _gradient(
    verb: str, function: Callable[..., Any], argnums: Argnums, instead: str = "jacobian"
) -> Callable[..., Any]:
    with_value = _value_and_gradient(verb, function, argnums, instead)

    @wraps(function, updated=())
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return with_value(*args, **kwargs)[1]

    return gradient


def _value_and_gradient(
    verb: str, function: Callable[..., Any], argnums: Argnums, instead: str = "jacobian"
) -> Callable[..., tuple[Any, Any]]:
    argnums = _as_argnums(argnums)

    @wraps(function, updated=())
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        run = _Run(function, args, kwargs, argnums)
        if str(run.result) != "number":
            raise TypeError(
                f"{verb} of a function whose result is {run.result}, not a scalar; use {instead}, or return one number"
            )
        (output,) = run.outputs
        return run.finished([output])[0], run.inputs.build(run.gradients(output))

    return value_and_gradient


class _Run:
    """One run of a function, with Values in place of the numbers that `argnums` selects."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        argnums: int | tuple[int, ...],
    ) -> None:
        self.records, call = recording()[0], call_begins()  # whether the caller records
        positions = _positions(argnums, len(args))
        self.inputs = Structure(args[positions] if isinstance(positions, int) else tuple(args[i] for i in positions))
        with enable_grad():
            # A fresh node for each number.  A Value is not differentiated itself, but a copy of it (times 1): the
            # function may also use that Value from outside, not as its argument.
            self.arguments = [x * 1.0 if isinstance(x, Value) else Value(x) for x in self.inputs.scalars]
            traced = self.inputs.build(self.arguments)
            replaced = list(args)
            for i, arg in [(positions, traced)] if isinstance(positions, int) else zip(positions, traced):
                replaced[i] = arg
            self.result = Structure(function(*replaced, **kwargs))
        self.outputs = _as_values(self.result.scalars)
        self.order = self._order(self.outputs) if self.records else None
        # Whether the results are Values, all of them.
        self.symbolic = self.order is not None and (_any_value(self.inputs.scalars) or _any_older(self.order, call))

    def _order(self, outputs: Sequence[Value]) -> list[Value]:
        """The nodes from the arguments up; those below the arguments do not belong to the function."""
        return topological_order(outputs, known={*self.arguments})

    def finished(self, numbers: list[Any]) -> list[Any]:
        """`numbers`, floats and Values, as results: all Values, or all floats."""
        if self.symbolic:
            return _as_values(numbers)
        return [x if x.__class__ is float else x.data for x in numbers]

    def gradients(self, output: Value) -> list[Any]:
        order = self.order if self.order and len(self.outputs) == 1 else self._order([output])
        return derivatives(order[::-1], {output: 1.0}, self.arguments, self.symbolic)

    def push(self, directions: tuple[Any, ...]) -> tuple[list[Any], list[Any]]:
        """The outputs, and their derivatives along `directions`, which has one for each argument."""
        given = Structure(directions, like=self.inputs)
        if (given.skeleton, given.shapes) != (self.inputs.skeleton, self.inputs.shapes):
            raise ValueError(
                f"tangents of structure {given} for primals of structure {self.inputs}; "
                "give one number for each number, in the same structure"
            )
        self.symbolic |= self.records and _any_value(given.scalars)
        seeds = dict(zip(self.arguments, self.finished(given.scalars)))
        return self.finished(self.outputs), self.finished(tangents(self.outputs, seeds))


def _any_value(numbers: Iterable[Any]) -> bool:
    return any(isinstance(x, Value) for x in numbers)


def _as_values(numbers: Iterable[Any]) -> list[Any]:
    return [x if isinstance(x, Value) else Value(x) for x in numbers]


_INDEXES, _KEYS, _FIELDS = ("", "[{}]"), ("{!r}: ", "[{!r}]"), ("{}=", ".{}")
"""The name of a part, as a format: in the words for a structure, and in Python."""


@dataclass
class _Branch:
    """A container in a tree; two are equal if they hold equal parts under the same keys."""

    kind: type
    keys: tuple[Any, ...]
    parts: list[_Branch | None]
    """None for a leaf."""
    holding: Callable[[list[Any]], Any] = field(compare=False)
    """Makes a tree of this kind from other parts."""
    names: tuple[str, str]


class Structure:
    """A tree of lists, tuples, dicts ..., with scalars and arrays as leaves, taken apart to build others like it.

    A dict in it takes the order of its keys from `like`, if it has the same keys there.
    """

    def __init__(self, tree: Any, like: Structure | None = None) -> None:
        self.scalars: list[Any] = []  # the numbers of all leaves, in order
        self.shapes: list[tuple[int, ...]] = []  # of each leaf, () for a scalar
        self.skeleton: _Branch | None = self._take_apart(tree, like.skeleton if like else None)

    def _take_apart(self, tree: Any, like: _Branch | None) -> _Branch | None:
        opened = None if isinstance(tree, (float, Value)) else _opened(tree)
        if opened is None:
            self._add_leaf(tree)
            return None
        keys, parts, holding, names = opened
        if like and type(tree) in (dict, defaultdict) and set(like.keys) == set(keys):
            keys, parts = like.keys, [tree[key] for key in like.keys]
        likes = chain(like.parts if like else (), repeat(None))
        return _Branch(type(tree), keys, list(map(self._take_apart, parts, likes)), holding, names)

    def _add_leaf(self, leaf: Any) -> None:
        if type(leaf) in (np.ndarray, ValueArray):  # not a matrix, which multiplies differently, nor a mask
            self.scalars += [x if isinstance(x, Value) else as_float(x) for x in leaf.ravel().tolist()]
            self.shapes.append(leaf.shape)
            return
        try:
            self.scalars.append(leaf if isinstance(leaf, Value) else as_float(leaf))
        except TypeError:
            given = f"{' '.join(repr(leaf).split()):.60} ({type(leaf).__name__}) is not a real number"
            hints = [f"write .{name}()" for name in ("to_numpy", "toarray") if hasattr(leaf, name)]
            raise TypeError(f"{given}; {(hints or [_ALLOWED])[0]}") from None
        self.shapes.append(())

    def build(self, scalars: Iterable[Any]) -> Any:
        """The tree, with `scalars` in place of its own."""
        rest = iter(scalars)
        return _assemble(
            self.skeleton, (_leaf([next(rest) for _ in range(prod(shape))], shape) for shape in self.shapes)
        )

    def outer(self, other: Structure, rows: Iterable[Sequence[Any]]) -> Any:
        """The tree, with a tree like `other` in place of each leaf; `rows` has the numbers, one row for each scalar."""
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

    def places(self) -> list[str]:
        """The place of each scalar, in Python's notation: [0], ['w'][1], .b[0, 1]; empty if the tree is a number."""
        return list(_places(self.skeleton, iter(self.shapes)))

    def __str__(self) -> str:
        return _words(self.skeleton, iter(self.shapes))


_ALLOWED = (
    "give numbers, NumPy arrays, and lists, tuples, named tuples, dicts, OrderedDicts, defaultdicts, deques and "
    "dataclasses of them"
)
_Opened: TypeAlias = "tuple[tuple[Any, ...], Iterable[Any], Callable[[Any], Any], tuple[str, str]]"


def _opened(tree: Any) -> _Opened | None:
    """The keys and parts of a structure, a function that makes one like it from parts, and names; None for a leaf.

    Other subclasses count as leaves, and are refused: they may be more than their parts.
    """
    # optree knows these kinds, too, except dataclasses; but arrays, words and errors are most of the work here.
    kind = type(tree)
    if tree is None:
        return (), (), _none, _INDEXES
    if kind in (list, tuple):
        return tuple(range(len(tree))), tree, kind, _INDEXES
    if kind is deque:
        return tuple(range(len(tree))), tree, partial(deque, maxlen=tree.maxlen), _INDEXES
    if kind in (dict, OrderedDict):
        return tuple(tree), tree.values(), partial(_mapping, kind, tuple(tree)), _KEYS
    if kind is defaultdict:
        empty: Callable[..., Any] = partial(defaultdict, tree.default_factory)
        return tuple(tree), tree.values(), partial(_mapping, empty, tuple(tree)), _KEYS
    if isinstance(tree, tuple) and hasattr(kind, "_make"):
        _require_only(tree, kind._fields)
        return kind._fields, tree, kind._make, _FIELDS
    if is_dataclass(kind) and kind.__new__ is object.__new__:
        names = _field_names(kind)
        _require_only(tree, names)
        return names, [getattr(tree, name) for name in names], partial(_object, kind, names), _FIELDS
    return None


def _none(_: Any) -> None:
    """None, the structure without parts."""


def _mapping(kind: Callable[[Any], Any], keys: Iterable[Any], parts: Iterable[Any]) -> Any:
    return kind(zip(keys, parts))


def _object(kind: type, names: Iterable[str], parts: Iterable[Any]) -> Any:
    """An instance with these attributes, made without `__init__`, which might check or convert its arguments."""
    made: Any = object.__new__(kind)
    for name, part in zip(names, parts):
        object.__setattr__(made, name, part)  # it may be frozen
    return made


def _require_only(tree: Any, names: Sequence[str]) -> None:
    """A TypeError for an attribute that is not a field: if it was computed from fields, it would keep an old number."""
    for name in getattr(tree, "__dict__", ()):
        if name not in names:
            raise TypeError(f"{type(tree).__name__}.{name} is not a field; make it a field or a property")


def _field_names(kind: Any) -> tuple[str, ...]:
    for x in fields(kind):
        if not x.init:  # if computed from other fields, it would keep an old number
            raise TypeError(f"{kind.__name__}.{x.name} is a field with init=False; make it a property")
    return tuple(x.name for x in fields(kind))


def _assemble(skeleton: _Branch | None, leaves: Iterator[Any]) -> Any:
    """The tree of `skeleton`, with the next of `leaves` in each place."""
    return next(leaves) if skeleton is None else skeleton.holding([_assemble(part, leaves) for part in skeleton.parts])


def _places(skeleton: _Branch | None, shapes: Iterator[tuple[int, ...]]) -> Iterator[str]:
    if skeleton is None:
        for index in np.ndindex(next(shapes)):
            yield str(list(index)) if index else ""
        return
    for key, part in zip(skeleton.keys, skeleton.parts):
        for place in _places(part, shapes):
            yield skeleton.names[1].format(key) + place


def _words(skeleton: _Branch | None, shapes: Iterator[tuple[int, ...]]) -> str:
    """The tree of `skeleton` for an error message, such as list(number, array(3,))."""
    if skeleton is None:
        shape = next(shapes)
        return f"array{shape}" if shape else "number"
    if skeleton.kind is type(None):
        return "None"
    parts = [skeleton.names[0].format(key) + _words(part, shapes) for key, part in zip(skeleton.keys, skeleton.parts)]
    return f"{skeleton.kind.__name__}({', '.join(parts)})"


def _leaf(numbers: list[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return numbers[0]
    if _any_value(numbers):
        return np.array(numbers, dtype=object).reshape(shape).view(ValueArray)
    return np.array(numbers, dtype=float).reshape(shape)


def _as_argnums(argnums: Any) -> int | tuple[int, ...]:
    try:
        return operator.index(argnums) if hasattr(argnums, "__index__") else tuple(map(operator.index, argnums))
    except TypeError:
        raise TypeError(f"argnums is {argnums!r:.60}; give an int or a tuple of ints") from None


def _positions(argnums: int | tuple[int, ...], count: int) -> int | tuple[int, ...]:
    """`argnums` as indices from 0 of `count` arguments."""
    if isinstance(argnums, tuple):
        positions = tuple(_positions(i, count) for i in argnums)
        if len(set(positions)) < len(positions):
            raise ValueError(f"argnums is {argnums}, which names an argument twice; give each once")
        return positions  # type: ignore[return-value]  # an int for an int
    if not -count <= argnums < count:
        raise ValueError(
            f"argnums {argnums} for a call with {count} positional arguments; pass the arguments to differentiate by "
            "position"
        )
    return argnums % count


def _as_tuple(name: str, items: Any) -> tuple[Any, ...]:
    if not isinstance(items, (list, tuple)):
        raise TypeError(f"{name} is {items!r:.60} ({type(items).__name__}); give a tuple, with one for each argument")
    return tuple(items)


def _any_older(nodes: Iterable[Value], call: int) -> bool:
    """Whether a leaf among `nodes` was made before `call` began, in any thread."""
    return any(node.op is None and node._xd < call for node in nodes)
