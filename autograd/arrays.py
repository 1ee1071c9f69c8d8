"""Data in the forms that people have, converted to arrays of real numbers."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping, Set
from typing import Any

import numpy as np

from .conversions import as_float, unboxed

Place = tuple[int, ...]


def as_real_array(name: str, data: Any) -> np.ndarray[Any, Any]:
    """`data` as an array of ints or floats.

    `data` may be nested sequences, iterators, arrays, or the columns and tables of pandas.  Real numbers are those that
    `as_float` takes, and NaN.  Bools become ints.

    A TypeError for a missing entry (masked, None, ``pandas.NA``) and for anything that is not a real number; it says
    `name` and the first such place.  A ValueError if rows differ in length.  Masks are never ignored.

    >>> as_real_array("x", [[True, 2], [3, 4]])
    array([[1, 2],
           [3, 4]])
    >>> as_real_array("x", np.ma.array([1.0, 2.0], mask=[False, True]))
    Traceback (most recent call last):
    TypeError: x has a masked entry at (1,); fill it in or leave it out
    """
    plain = _plain(name, data, ())
    try:
        array = np.asarray(plain)
    except ValueError as error:
        raise ValueError(f"{name} is ragged ({error}); give rows of one length") from None
    except TypeError:  # types without a common type
        array = np.asarray(plain, dtype=object)
    if array.dtype.kind == "b":
        return array.astype(int)
    # A longer float may not fit in a double, and a NaN may be what NumPy makes of a missing entry.
    fits = array.dtype.kind in "iu" or (array.dtype.kind == "f" and array.dtype.itemsize <= 8)
    if fits and (isinstance(plain, np.ndarray) or not np.isnan(array).any()):
        return array
    return _each(name, plain if isinstance(plain, np.ndarray) else np.asarray(plain, dtype=object))


def unmasked(name: str, array: np.ndarray[Any, Any], place: Place = ()) -> np.ndarray[Any, Any]:
    """`array` without its mask; a TypeError that says the first masked place, if there is one."""
    masked = np.argwhere(np.ma.getmaskarray(array))
    if len(masked):
        first = (*place, *masked[0].tolist())
        raise TypeError(f"{name} has a masked entry{f' at {first}' if first else ''}; fill it in or leave it out")
    return np.ma.getdata(array)


def _plain(name: str, data: Any, place: Place) -> Any:
    """`data` without masks and iterators; a TypeError for a masked entry, and for types that NumPy would misread."""
    if isinstance(data, np.ma.MaskedArray):
        return unmasked(name, data, place)
    if callable(getattr(data, "toarray", None)):
        raise TypeError(f"{name} is sparse ({type(data).__name__}); give {name}.toarray()")
    if isinstance(data, (Mapping, Set)):
        raise TypeError(f"{name} is a {type(data).__name__}; give an array, or a list of rows")
    if isinstance(data, Iterable) and not (hasattr(data, "__getitem__") or hasattr(data, "__array__")):
        data = list(data)
    if isinstance(data, (list, tuple)) and not all(issubclass(kind, numbers.Number) for kind in {*map(type, data)}):
        return [_plain(name, part, (*place, i)) for i, part in enumerate(data)]
    return data


def _each(name: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The elements of an array of objects, converted one by one: to ints if all are whole, else to floats."""
    elements = [unboxed(_plain(name, x, place)) for place, x in np.ndenumerate(array)]
    floats = []
    for place, x in zip(np.ndindex(array.shape), elements):
        try:
            floats.append(as_float(x))
        except OverflowError:
            raise OverflowError(f"{name} holds a number beyond the range of a float at {place}") from None
        except TypeError:
            if hasattr(x, "numbers"):
                raise TypeError(
                    f"{name} holds Values; give their numbers, such as [p.data for p in parameters]"
                ) from None
            raise TypeError(f"{name} holds {x!r:.60} ({type(x).__name__}) at {place}; give real numbers") from None
    whole = all(isinstance(x, numbers.Integral) for x in elements)
    found = np.array(list(map(int, elements)) if whole and elements else floats)
    return (found if found.dtype.kind in "iuf" else np.array(floats)).reshape(array.shape)
