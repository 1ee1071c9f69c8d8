"""What counts as a real number, and as an array of them."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from decimal import Decimal
from math import inf
from typing import Any

import numpy as np

_EXACT = 2**53
"""Ints up to this are floats, exactly."""


def as_float(number: Any) -> float:
    """The float that a real number stands for; ``TypeError`` for anything else.

    >>> from fractions import Fraction
    >>> as_float(True), as_float(Fraction(1, 4)), as_float(Decimal("0.1")), as_float(np.array(3))
    (1.0, 0.25, 0.1, 3.0)
    """
    if number.__class__ is float:
        return number
    if number.__class__ is int and -_EXACT < number < _EXACT:
        return float(number)
    number = unboxed(number)
    if not isinstance(number, (numbers.Real, Decimal)) or isinstance(number, np.timedelta64):
        given = f"{number!r:.60} ({type(number).__name__})"
        raise TypeError(f"{given} is not a real number; give an int, a float or a NumPy scalar")
    try:
        result = float(number)
        if result in (inf, -inf) and number != result:  # a longer float
            raise OverflowError
    except OverflowError:
        raise OverflowError(f"an {type(number).__name__} beyond the range of a float (about 1.8e308)") from None
    return result


def unboxed(x: Any) -> Any:
    """The Python object in a NumPy scalar or a 0-d array; anything else, also a masked number, as it is."""
    boxed = isinstance(x, (np.generic, np.ndarray)) and x.ndim == 0 and x.dtype.kind not in "mM"
    return x.item() if boxed and not np.ma.is_masked(x) else x


def as_floats(x: Any) -> Any:
    """A number as a float, an array as one of float64."""
    if not isinstance(x, np.ndarray):
        return as_float(x)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"an array of {x.dtype} does not hold real numbers; give an array of ints or floats")
    with np.errstate(over="ignore"):
        floats = x.astype(np.float64, copy=False)
    if x.dtype == np.longdouble and (np.isinf(floats) & np.isfinite(x)).any():
        raise OverflowError(f"an array of {x.dtype} with a number beyond the range of a float (about 1.8e308)")
    return floats


def elementwise(function: Callable[..., Any], operands: Sequence[Any]) -> Any:
    """`function` on the elements of the arrays among `operands`, broadcast, as an object array."""
    boxed = [x if isinstance(x, np.ndarray) else np.array(x, dtype=object) for x in operands]
    with np.errstate(all="ignore"):
        return np.frompyfunc(function, len(boxed), 1)(*boxed)
