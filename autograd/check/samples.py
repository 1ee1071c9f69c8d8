"""Monte Carlo arithmetic (Parker, 1997): arrays in which every result is wrong in its last bit, at random.

What is computed from them, by the engine, by a partial of a row or by an oracle, scatters as rounding makes it.
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
"""So many computations with random rounding tell how large rounding is."""

_EXACT = (
    np.negative, np.positive, np.absolute, np.sign, np.copysign, np.maximum, np.minimum, np.floor, np.ceil, np.rint,
)  # fmt: skip
_SUMS = (np.add, np.subtract)
_WHOLE = (*_SUMS, np.multiply, np.divide, np.power)
"""Of whole numbers, a whole result of these is exact: no exponent of a negative number may be moved."""

_VANISHING = (np.multiply, np.divide, np.power, np.square, np.exp, np.exp2)
"""Of numbers that are not 0, these are 0 only because their result is too small for a float."""


class Sampled(np.ndarray[Any, Any]):
    """Numbers, the first along the first axis, and samples of what rounding might have made of them, all others.

    >>> product = sampling()(0.1) * 3.0
    >>> bool(product[0] == 0.1 * 3.0), bool(0.0 < scatter(product, 0.1 * 3.0) < 1e-16)
    (True, True)
    """

    random: np.random.Generator

    def __array_finalize__(self, other: Any) -> None:
        self.random = getattr(other, "random", None)  # type: ignore[assignment]  # `sampling` gives one

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """What the ufunc makes of plain arrays, with an error of rounding in every sample."""
        operands = [self._off(np.full(self.shape, x)) if _is_long(x) else _plain(x) for x in inputs]
        if np.iscomplexobj(self) and ufunc in (np.multiply, np.divide):  # in them, terms may cancel: err before
            operands = [self._rounded(x) if isinstance(x, Sampled) else x for x in operands]
        options = {key: tuple(map(_plain, x)) if key == "out" else _plain(x) for key, x in options.items()}
        result = getattr(ufunc, method)(*operands, **options)
        if self.dtype == object:  # of np.vectorize, which is not done
            return result
        if not isinstance(result, np.ndarray) or result.dtype == bool:
            return result
        if result.dtype == object:  # of np.frompyfunc
            result = result.astype(float)
        if ufunc not in _EXACT:
            result[...] = self._rounded(result, ufunc, operands)
        return self._like(result)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """As NumPy has it: np.where and its like move numbers, and round none."""
        result = super().__array_function__(function, types, args, kwargs)
        return self._like(result) if isinstance(result, np.ndarray) else result

    def _like(self, result: Any) -> Sampled:
        found: Sampled = result.view(Sampled)
        found.random = self.random
        return found

    def _rounded(self, x: Array, ufunc: np.ufunc | None = None, operands: Sequence[Any] = ()) -> Array:
        """`x` with errors; where a ufunc left the range of floats, in either direction, the last float there."""
        if np.iscomplexobj(x):
            moves = ufunc not in _SUMS and reduce(or_, (np.imag(y) != 0.0 for y in operands), False)
            both = np.empty_like(x)
            both.real, both.imag = self._rounded(x.real, ufunc, [np.real(y) for y in operands]), self._off(x.imag, moves)
            return both
        inside = reduce(and_, ((y != 0.0) & np.isfinite(y) for y in operands), True)
        moved = self._off(x, inside & (ufunc in _VANISHING))
        beyond = inside & np.isinf(moved)
        beyond[0] = False
        moved = np.where(beyond, np.copysign(sys.float_info.max, moved), moved)
        if ufunc not in _WHOLE:
            return moved
        whole = reduce(and_, (y == np.rint(y) for y in (x, *operands))) & (x != 0.0) & (np.abs(x) < 2.0**53)
        return np.where(whole, x, moved)

    def _off(self, x: Array, lost: Any = False) -> Array:
        """`x` off by up to its last bit; what is 0 because it was `lost`, by the smallest float."""
        off = self.random.uniform(-1.0, 1.0, x.shape)
        off += np.copysign(0.5, off)  # enough to be another float
        off[0] = 0.0
        moved = x * (1.0 + sys.float_info.epsilon * off)
        faint = (np.abs(moved) < sys.float_info.min) & ((moved != 0.0) | lost)
        return np.where(faint, moved + 5e-324 * np.sign(off), moved)


def sampling() -> Callable[[Any], Sampled]:
    """A function that makes samples of a number, or of an array as their only row, all of them that number itself.

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
    """The numbers alone, as they are without errors, of samples; anything else as it is."""
    return _plain(x)[:1] if isinstance(x, Sampled) else x


def scatter(x: Any, number: float) -> float:
    """How far from the number its samples are; infinitely if it is one only by luck.

    >>> scatter(np.array([1.0, 1.5]), 1.0), scatter(np.array([1.0, np.nan]), 1.0)
    (0.5, inf)
    """
    if number != number:
        return 0.0
    last = sys.float_info.max
    error = float(np.max(np.abs(np.clip(_plain(x), -last, last) - min(max(number, -last), last))))
    return inf if error != error else error


def _is_long(x: Any) -> bool:
    """Whether a number is one that its function or partial rounds, such as 2 / 3: no short binary fraction."""
    return isinstance(x, float) and isfinite(x) and float(np.float32(x)) != x


def _plain(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, Sampled) else x
