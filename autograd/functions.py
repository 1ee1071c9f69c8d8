"""Functions of sequences, composed from the table: no derivative rule of their own.

Each takes Values, floats or a mixture, as any sequence or one-dimensional array, and records what it does on the
Values.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from math import inf
from typing import Any

import numpy as np

from .ops import DETACH, EXP, LOG, MAXIMUM


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


def mean(xs: Iterable[Any]) -> Any:
    """The arithmetic mean.  A ValueError for an empty sequence.

    >>> mean([1.0, 2.0, 6.0])
    3.0
    """
    xs = _at_least_one("mean", xs)
    return reduce(operator.add, xs) / len(xs)


def logsumexp(xs: Iterable[Any]) -> Any:
    """log(exp(x1) + exp(x2) + ...), shifted by the largest x so that nothing overflows.

    Its gradient is `softmax`.  All -inf gives -inf with gradient 0; an infinite x wins.

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


def softmax(xs: Iterable[Any]) -> list[Any]:
    """[exp(x1) / s, exp(x2) / s, ...] with s = exp(x1) + exp(x2) + ...: positive, with sum 1.

    >>> softmax([1e4, 1e4, -1e4])
    [0.5, 0.5, 0.0]
    """
    exponentials = [EXP(x) for x in _shifted("softmax", xs)]
    total = reduce(operator.add, exponentials)
    return [e / total for e in exponentials]


def log_softmax(xs: Iterable[Any]) -> list[Any]:
    """The logarithms of `softmax`, accurate also where a probability underflows.

    >>> log_softmax([1e4, -1e4])
    [0.0, -20000.0]
    """
    shifted = _shifted("log_softmax", xs)
    log_total = LOG(reduce(operator.add, [EXP(x) for x in shifted]))
    return [x - log_total for x in shifted]


def _shifted(name: str, xs: Iterable[Any]) -> list[Any]:
    """x - max(x) for each x.  The shift cancels in the result, so its derivative is 0 (`detach`), exactly."""
    xs = _at_least_one(name, xs)
    shift = DETACH(reduce(MAXIMUM, xs))
    return [x - shift for x in xs]


def _at_least_one(name: str, xs: Iterable[Any]) -> Sequence[Any]:
    if isinstance(xs, np.ndarray) and xs.ndim != 1:
        raise ValueError(f"{name} of an array of shape {xs.shape}; give one sequence, such as each row in turn")
    xs = xs.tolist() if isinstance(xs, np.ndarray) else list(xs)
    if not xs:
        raise ValueError(f"{name} of an empty sequence; give at least one number")
    return xs
