"""Monte Carlo arithmetic (Parker, 1997): arrays in which every result has a random error in its last bit.

The results that the engine, a partial or an oracle computes from such arrays scatter as rounding scatters them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import reduce
from math import inf, isfinite
from operator import and_, or_
from typing import Any

import numpy as np

from .estimates import Array

SAMPLES = 8
"""The number of computations with random rounding, which show how large rounding is."""

_LARGEST = sys.float_info.max

_EXACT = (
    np.negative, np.positive, np.absolute, np.sign, np.copysign, np.maximum, np.minimum, np.floor, np.ceil, np.rint,
)  # fmt: skip
_SUMS = (np.add, np.subtract)
_WHOLE = (*_SUMS, np.multiply, np.divide, np.power)
"""If these return a whole number for whole numbers, it is exact; an exponent of a negative number must stay whole."""

_VANISHING = (np.multiply, np.divide, np.power, np.square, np.exp, np.exp2)
"""If these return 0 for numbers that are not 0, the result was too small for a float."""


class Sampled(np.ndarray[Any, Any]):
    """Numbers, first along the first axis, followed by samples: what rounding might have made of them.

    NumPy's functions put an error into each sample of their result; comparisons, np.where and the like do not.

    >>> product = sampling()(0.1) * 3.0
    >>> bool(product[0] == 0.1 * 3.0), bool(0.0 < scatter(product, 0.1 * 3.0) < 1e-15)
    (True, True)
    """

    random: np.random.Generator

    def __array_finalize__(self, other: Any) -> None:
        self.random = getattr(other, "random", None)  # type: ignore[assignment]  # `sampling` gives one

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """The result of the ufunc on plain arrays, with an error in each sample."""
        operands = [self._off(np.full(self.shape, x)) if _is_long(x) else _plain(x) for x in inputs]
        if np.iscomplexobj(self) and ufunc in (np.multiply, np.divide):  # terms may cancel inside, so operands err, too
            operands = [self._rounded(x, ufunc, [x]) if isinstance(x, np.ndarray) else x for x in operands]
        options = {key: tuple(map(_plain, x)) if key == "out" else _plain(x) for key, x in options.items()}
        result = getattr(ufunc, method)(*operands, **options)
        if not isinstance(result, np.ndarray) or result.dtype == bool or self.dtype == object:
            return result  # it does not round, or np.vectorize is still at work
        if result.dtype == object:  # of np.frompyfunc
            result = result.astype(float)
        if ufunc not in _EXACT:
            result[...] = self._rounded(result, ufunc, operands)
        return self._like(result)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """NumPy's result, as samples again."""
        result = super().__array_function__(function, types, args, kwargs)
        return self._like(result) if isinstance(result, np.ndarray) else result

    def _like(self, result: Array) -> Sampled:
        samples = result.view(Sampled)
        samples.random = self.random
        return samples

    def _rounded(self, x: Array, ufunc: np.ufunc, operands: Sequence[Any]) -> Any:
        """`x`, the result of a ufunc, with errors; samples that overflow become the largest float."""
        if np.iscomplexobj(x):
            moves = ufunc not in _SUMS and reduce(or_, (np.imag(y) != 0.0 for y in operands), False)
            parts = np.empty_like(x)
            parts.real = self._rounded(x.real, ufunc, [np.real(y) for y in operands])
            parts.imag = self._off(x.imag, moves)
            return parts
        inside = reduce(and_, ((y != 0.0) & np.isfinite(y) for y in operands), True)
        moved = self._off(x, inside & (ufunc in _VANISHING))
        moved[1:] = np.where(inside & np.isinf(moved), np.copysign(_LARGEST, moved), moved)[1:]
        if ufunc not in _WHOLE:
            return moved
        whole = reduce(and_, (y == np.rint(y) for y in (x, *operands)), (x != 0.0) & (np.abs(x) < 2.0**53))
        return np.where(whole, x, moved)

    def _off(self, x: Array, vanished: Any = False) -> Any:
        """`x` with an error in the last bit; a 0 that only `vanished` gets an error of the smallest float."""
        off = self.random.uniform(-1.0, 1.0, x.shape)
        off += np.copysign(0.5, off)  # enough to make another float
        off[0] = 0.0
        moved = x * (1.0 + sys.float_info.epsilon * off)
        faint = (np.abs(moved) < sys.float_info.min) & ((moved != 0.0) | vanished)
        return np.where(faint, moved + 5e-324 * np.sign(off), moved)


def sampling() -> Callable[[Any], Sampled]:
    """A function that makes samples of a number or of an array; at first, all of them are equal.

    >>> sampled = sampling()
    >>> sampled(2.0).shape, sampled(np.ones(3)).shape
    ((9,), (9, 3))
    """
    random = np.random.default_rng(0)

    def sampled(number: Any) -> Sampled:
        samples = np.repeat(np.asarray(number)[np.newaxis], SAMPLES + 1, axis=0).view(Sampled)
        samples.random = random
        return samples

    return sampled


def unsampled(x: Any) -> Any:
    """The numbers of samples, without the samples; anything else as it is.

    >>> unsampled(sampling()(2.0)), unsampled(2.0)
    (array([2.]), 2.0)
    """
    return _plain(x)[:1] if isinstance(x, Sampled) else x


def scatter(samples: Any, number: float) -> float:
    """The largest distance of a sample from the number: infinite if a sample is NaN, but 0 if the number is.

    >>> scatter(np.array([1.0, 1.5]), 1.0), scatter(np.array([1.0, np.nan]), 1.0)
    (0.5, inf)
    """
    if number != number:
        return 0.0
    with np.errstate(over="ignore"):
        off = np.clip(_plain(samples), -_LARGEST, _LARGEST) - min(max(number, -_LARGEST), _LARGEST)
    error = float(np.max(np.abs(off)))
    return inf if error != error else error


def _is_long(x: Any) -> bool:
    """Whether a constant in a row, such as 2 / 3, is not a short binary fraction: the row rounds it."""
    return isinstance(x, float) and isfinite(x) and float(np.float32(x)) != x


def _plain(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, Sampled) else x
