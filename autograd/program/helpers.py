"""Functions that a program brings along: the kernels of rows that NumPy and `math` lack, and those below.

A program prints them from their source, as it stands here and in `primitives`, without annotations and docstrings.
"""

from __future__ import annotations

import ast
import inspect
import math
import re
from collections.abc import Callable
from functools import lru_cache
from textwrap import dedent
from typing import Any

import numpy as np

from .. import primitives
from ..ops import POW, TABLE, Op


def times(x: Any, y: Any) -> Any:
    """An adjoint times a partial.

    >>> with np.errstate(invalid="ignore"):
    ...     times(np.array([0.0, 2.0]), np.array([np.inf, 3.0]))
    array([0., 6.])
    """
    return np.where(x == 0.0, 0.0, x * y)  # a zero adjoint wins, also over infinity


def gated(x: Any, y: Any) -> Any:
    """An adjoint times the partial of a gate.

    >>> with np.errstate(invalid="ignore"):
    ...     gated(np.array([np.inf, 2.0]), np.array([0.0, 3.0]))
    array([0., 6.])
    """
    return np.where((x == 0.0) | (y == 0.0), 0.0, x * y)


def product(x: Any, y: Any) -> Any:
    """A product of matrices, the first of which holds adjoints.

    >>> with np.errstate(invalid="ignore"):
    ...     product(np.array([[0.0, 2.0]]), np.array([[np.inf], [3.0]]))
    array([[6.]])
    """
    return times(x[..., None], y).sum(axis=-2)  # x @ y, in which zeros of x win


def index(x: Any, count: int) -> Any:
    """Numbers as places among `count`.

    >>> index([0.0, 2.0], 3)
    array([0, 2])
    """
    i = np.asarray(x)
    if not np.all((i >= 0) & (i < count) & (i % 1 == 0)):
        raise IndexError(f"an index is not a whole number from 0 to {count - 1}")
    return i.astype(int)


def scatter(i: Any, d: Any, count: int) -> Any:
    """A table of `count` rows, as one vector, with each row of d added at its place.

    >>> scatter(np.array([0, 2, 0]), np.array([1.0, 2.0, 3.0]), 3)
    array([4., 0., 2.])
    """
    width = d.shape[-1] if np.ndim(d) > i.ndim else 1  # i says which row of the table each row of d is added to
    flat = (i[..., None] * width + np.arange(width)).ravel()
    return np.bincount(flat, np.ravel(d), count * width)


def scatter_rows(i: Any, d: Any, count: int) -> Any:
    """`count` numbers for each row of a batch, with those of d added at their places.

    >>> scatter_rows(np.array([0, 0]), np.array([[1.0, 2.0], [3.0, 4.0]]), 2)
    array([[3., 0.],
           [7., 0.]])
    """
    n = len(d)  # row by row of the batch
    flat = (i.ravel() + count * np.arange(n)[:, None]).ravel()
    return np.bincount(flat, d.ravel(), n * count).reshape(n, count)


def put_rows(i: Any, d: Any, count: int) -> Any:
    """The same as `scatter_rows`, if all places are different.

    >>> put_rows(np.array([2, 0]), np.array([[1.0, 2.0]]), 3)
    array([[2., 0., 1.]])
    """
    g = np.zeros((len(d), count))  # the same, where i picks no place twice
    g[:, i] = d
    return g


def scatter_picks(i: Any, d: Any, count: int) -> Any:
    """For each pick of one number among `count`, its adjoint at its place.

    >>> scatter_picks(np.array([1, 0]), np.array([2.0, 3.0]), 2)
    array([[0., 2.],
           [3., 0.]])
    """
    g = np.zeros((*np.shape(i), count))
    np.put_along_axis(g, i[..., None], np.asarray(d)[..., None], axis=-1)
    return g


def outer(d: Any, a: Any) -> Any:
    """The sum of the outer products of two vectors, over a batch.

    >>> outer(np.array([[1.0], [2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]))
    array([[13., 16.]])
    """
    return d.reshape(-1, d.shape[-1]).T @ a.reshape(-1, a.shape[-1])  # summed over the batch and all else


HELPERS: dict[str, Callable[..., Any]] = {
    **{op.name: op.ufunc for op in TABLE.values() if op.ufunc in vars(primitives).values() and op is not POW},
    **{f.__name__: f for f in (times, gated, product, index, scatter, scatter_rows, put_rows, scatter_picks, outer)},
    **{f"{op.name}_": op.forward for op in TABLE.values()},
    "power": POW.ufunc,
}
"""By their names in programs; those of rows for single numbers end in _."""


def spelling(op: Op, scalar: bool) -> str:
    """The name that a program calls a row by: a function of `math` for a `scalar`, else of NumPy, or else a helper.

    >>> spelling(TABLE["arctan"], scalar=True), spelling(TABLE["arctan"], scalar=False)
    ('math.atan', 'np.arctan')
    >>> spelling(TABLE["softplus"], scalar=True), spelling(TABLE["softplus"], scalar=False)
    ('softplus_', 'softplus')

    A TypeError for a row outside of the table that neither library has.
    """
    library, function, helper = _in_math(op.forward), op.forward, f"{op.name}_"
    if not scalar:
        names = (op.name, getattr(op.ufunc, "__name__", ""))
        library = next((f"np.{name}" for name in names if getattr(np, name, None) is op.ufunc), None)
        function, helper = op.ufunc, op.name
    if library is None and HELPERS.get(helper) is not function:
        field, room = ("forward", "math") if scalar else ("ufunc", "NumPy")
        raise TypeError(
            f"a program cannot write the row {op.name}: its {field} is not a function of {room}, and the row is not "
            "in the table; take a function of {room}, or add the row to the table"
        )
    return library or helper


@lru_cache
def _in_math(function: Callable[..., float]) -> str | None:
    """The function of `math` that this is or, in the shape of the kernels, that it returns the answer of."""
    if getattr(math, getattr(function, "__name__", ""), None) is function:
        return f"math.{function.__name__}"
    try:
        _, tree = _definition(function)
        *before, last = tree.body
    except (OSError, TypeError, SyntaxError, AttributeError):  # no source, or that of a lambda
        return None
    if len(before) > (ast.get_docstring(tree) is not None) or function.__globals__.get("math") is not math:
        return None
    answer = last.body[0] if isinstance(last, ast.Try) else last
    inputs = ", ".join(inspect.signature(function).parameters)
    found = re.fullmatch(rf"return (math\.\w+)\({inputs}\)", ast.unparse(answer))
    return found[1] if found else None


def _definition(function: Callable[..., Any]) -> tuple[str, Any]:
    """The source of a function, and the syntax tree."""
    source = dedent(inspect.getsource(function))
    return source, ast.parse(source).body[0]


@lru_cache
def definition(name: str) -> str:
    """A helper as a program carries it.

    >>> print(definition("relu_"))
    def relu_(x):
        return x if x > 0.0 or x != x else 0.0
    """
    source, tree = _definition(HELPERS[name])
    body = source.rstrip().split("\n")[tree.body[1].lineno - 1 :]  # after the docstring
    arguments = ", ".join(argument.arg for argument in tree.args.args)
    return re.sub(r"(?<![\w.])(inf|nan)\b", r"np.\1", "\n".join([f"def {name}({arguments}):", *body]))
