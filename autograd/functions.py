"""Functions of sequences, composed from the table, without derivative rules of their own.

Each takes Values, floats or a mixture, as any sequence or one-dimensional array, and records what it does on the
Values.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from math import inf, nan
from typing import Any, TypeAlias, TypeVar, overload

import numpy as np

from .arrays import unmasked
from .conversions import as_float
from .ops import DETACH, EQUAL, EXP, LOG, MAXIMUM, WHERE
from .value import Value
from .watching import notify

T = TypeVar("T")
_Mixed: TypeAlias = "Iterable[Value | float]"  # a Value, if one is among them


@overload
def dot(xs: Iterable[Value], ys: _Mixed) -> Value: ...
@overload
def dot(xs: _Mixed, ys: Iterable[Value]) -> Value: ...
@overload
def dot(xs: Iterable[float], ys: Iterable[float]) -> float: ...
@overload
def dot(xs: _Mixed, ys: _Mixed) -> Any: ...
def dot(xs: Iterable[Any], ys: Iterable[Any]) -> Any:
    """x1 y1 + x2 y2 + ..., summed from the left.  A ValueError if the lengths differ or are 0.

    >>> from autograd import Value
    >>> dot([Value(1.0), Value(2.0)], [3.0, 4.0]).data
    11.0
    """
    xs, ys = _at_least_one("dot", xs), _at_least_one("dot", ys)
    if len(xs) != len(ys):
        raise ValueError(f"dot of sequences of {len(xs)} and {len(ys)} numbers; give two of one length")
    return reduce(operator.add, map(operator.mul, xs, ys))


@overload
def mean(xs: Iterable[Value]) -> Value: ...
@overload
def mean(xs: Iterable[float]) -> float: ...
@overload
def mean(xs: _Mixed) -> Any: ...
def mean(xs: Iterable[Any]) -> Any:
    """The arithmetic mean.  A ValueError for an empty sequence.

    >>> mean([1.0, 2.0, 6.0])
    3.0
    """
    xs = _at_least_one("mean", xs)
    return reduce(operator.add, xs) / len(xs)


@overload
def logsumexp(xs: Iterable[Value]) -> Value: ...
@overload
def logsumexp(xs: Iterable[float]) -> float: ...
@overload
def logsumexp(xs: _Mixed) -> Any: ...
def logsumexp(xs: Iterable[Any]) -> Any:
    """log(exp(x1) + exp(x2) + ...), shifted by the largest x so that nothing overflows.

    Its gradient is `softmax`.  If every x is -inf, the result is -inf, with gradient 0.  If an x is inf, the result
    is inf.

    >>> logsumexp([1e4, 1e4])
    10000.69314718056
    """
    xs = _at_least_one("logsumexp", xs)
    highest = reduce(MAXIMUM, xs)
    if highest >= inf:
        return highest
    if highest <= -inf:
        return DETACH(highest)
    shift = DETACH(highest)
    return shift + LOG(reduce(operator.add, [EXP(x - shift) for x in xs]))


@overload
def softmax(xs: Iterable[Value]) -> list[Value]: ...
@overload
def softmax(xs: Iterable[float]) -> list[float]: ...
@overload
def softmax(xs: _Mixed) -> list[Any]: ...
def softmax(xs: Iterable[Any]) -> list[Any]:
    """[exp(x1) / s, exp(x2) / s, ...] with s = exp(x1) + exp(x2) + ...: positive, with sum 1.

    >>> softmax([1e4, 1e4, -1e4])
    [0.5, 0.5, 0.0]
    """
    exponentials = [EXP(x) for x in _shifted("softmax", xs)]
    total = reduce(operator.add, exponentials)
    return [e / total for e in exponentials]


@overload
def log_softmax(xs: Iterable[Value]) -> list[Value]: ...
@overload
def log_softmax(xs: Iterable[float]) -> list[float]: ...
@overload
def log_softmax(xs: _Mixed) -> list[Any]: ...
def log_softmax(xs: Iterable[Any]) -> list[Any]:
    """The logarithms of `softmax`, accurate even if a probability underflows.

    >>> log_softmax([1e4, -1e4])
    [0.0, -20000.0]
    """
    shifted = _shifted("log_softmax", xs)
    log_total = LOG(reduce(operator.add, [EXP(x) for x in shifted]))
    return [x - log_total for x in shifted]


@overload
def select(sequence: Sequence[T], index: int) -> T: ...
@overload
def select(sequence: Sequence[Value | float], index: Value) -> Value: ...
@overload
def select(sequence: Sequence[Sequence[Value | float]], index: Value) -> list[Value]: ...
@overload
def select(sequence: Sequence[Any], index: Any) -> Any: ...
def select(sequence: Sequence[Any], index: Any) -> Any:
    """sequence[index].  The index may be a Value, such as a token or a class that is an input of a compiled program.

    A number picks an item.  A Value records a chain of ``where``, so that a program can be given other indexes.  If the
    items are rows of one length, the result is a row.  An IndexError unless the index is a whole number from 0 to the
    length less 1.

    >>> select([1.0, 2.0, 3.0], 2)
    3.0
    >>> token = Value(1)
    >>> [x.data for x in select([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], token)]
    [3.0, 4.0]
    """
    sequence = _at_least_one("select", sequence, rows=True)
    number = index._number if isinstance(index, Value) else as_float(index)
    if not notify(is_index, (index, len(sequence)), is_index(number, len(sequence))):
        raise IndexError(
            f"index {number:g} of a sequence of {len(sequence)}; give an int from 0 to {len(sequence) - 1}"
        )
    if not isinstance(index, Value):
        return sequence[int(number)]
    conditions = [EQUAL(index, float(i)) for i in range(len(sequence))]
    return _selected(conditions, sequence)


def is_index(number: Any, count: int) -> Any:
    """Whether a number is an index of a sequence of `count`; elementwise on arrays.

    >>> is_index(2.0, 3), is_index(3.0, 3), is_index(0.5, 3)
    (True, False, False)
    """
    return (number >= 0) & (number < count) & (number % 1 == 0)


def _selected(conditions: Sequence[Any], choices: Sequence[Any]) -> Any:
    if isinstance(choices[0], (list, tuple, np.ndarray)):
        if len({len(row) for row in choices}) > 1:
            raise ValueError("select of rows that differ in length; give rows of one length")
        return [_selected(conditions, column) for column in zip(*choices)]
    chosen: Any = nan
    for condition, choice in zip(conditions, choices):
        chosen = WHERE(condition, choice, chosen)
    return chosen


def _shifted(name: str, xs: Iterable[Any]) -> list[Any]:
    """x - max(x) for each x.  The shift cancels in the result, so its derivative is 0 (`detach`), exactly."""
    xs = _at_least_one(name, xs)
    shift = DETACH(reduce(MAXIMUM, xs))
    return [x - shift for x in xs]


def _at_least_one(name: str, xs: Iterable[Any], rows: bool = False) -> Sequence[Any]:
    if xs.__class__ is list and xs:
        return xs
    if isinstance(xs, np.ndarray) and xs.ndim != 1 and not rows:
        raise ValueError(f"{name} of an array of shape {xs.shape}; give one sequence, such as each row in turn")
    xs = unmasked(name, xs).tolist() if isinstance(xs, np.ndarray) else list(xs)
    if not xs:
        raise ValueError(f"{name} of an empty sequence; give at least one number")
    return xs
