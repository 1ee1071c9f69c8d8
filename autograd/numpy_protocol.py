"""NumPy's functions on Values and arrays of Values: each records, compares as Python does, or raises.

See NumPy's enhancement proposals 13 (``__array_ufunc__``) and 18 (``__array_function__``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .conversions import elementwise, unboxed
from .ops import MAXIMUM, MINIMUM, POW, TABLE

_BY_UFUNC = {ufunc: op for op in TABLE.values() for ufunc in (op.ufunc, getattr(np, op.name, None))}
_BY_UFUNC |= {np.power: POW, np.maximum: MAXIMUM, np.minimum: MINIMUM}
del _BY_UFUNC[np.equal]  # the comparison, which gives bools; the row `equal` records 0 or 1
_CHOICES = (np.maximum, np.minimum, np.sign)
"""NumPy compares objects for these rows and records nothing; for the others it calls operators and methods."""

_TRUTHS = (np.logical_and, np.logical_or, np.logical_xor, np.logical_not)
"""These return bools for numbers; for objects, they would return one of the objects."""

_ASKED = {np.isnan: "v != v", np.isinf: "abs(v) == math.inf", np.isfinite: "abs(v) < math.inf"}


class ValueArray(np.ndarray[Any, Any]):
    """An array of Values, possibly mixed with plain numbers; the verbs and `compile` pass such arrays to functions.

    It behaves as an object array, except under NumPy's functions.  To compute ``np.sin`` of an object array, NumPy
    calls the method `sin` of each object, which a float does not have.  Here ``np.sin`` is the row of the table, which
    takes both.

    >>> from autograd import Value
    >>> x = np.array([Value(0.0), Value(2.0)]).view(ValueArray)
    >>> np.exp(np.where(x == 0.0, 1.0, x)).tolist()
    [2.718281828459045, Value(data=7.38905609893065, grad=0.0)]
    """

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        return call_ufunc(ufunc, method, inputs, out, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return call_function(function, args, kwargs)


def call_function(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The result of NumPy's `function`, with arrays of objects as `ValueArray`."""
    found = np.ndarray.__array_function__(np.empty(0), function, (), args, kwargs)
    if isinstance(found, (list, tuple)) and type(found) in (list, tuple):
        return type(found)(map(_as_value_array, found))
    return _as_value_array(found)


def call_ufunc(ufunc: np.ufunc, method: str, inputs: Sequence[Any], out: Any, options: Mapping[str, Any]) -> Any:
    """The result of a ufunc, or of a `method` of it such as ``reduce``, for Values and arrays of Values.

    A TypeError if the ufunc is neither a row of the table nor a comparison.
    """
    operands = [unboxed(x.view(np.ndarray) if isinstance(x, ValueArray) else x) for x in inputs]
    if ufunc in _ASKED:
        raise _refused(
            operands,
            f"np.{ufunc.__name__} of a Value; write {_ASKED[ufunc]}, or test its number, v.data; take derivatives for "
            "SciPy under no_grad(), where they are plain numbers",
        )
    if method == "at" and operands[0].dtype != object:
        return NotImplemented
    if not (out and isinstance(out[0], np.ndarray)):
        out = None  # NumPy passes on a Value that it took for an array
    elif options:
        options = {**options, "out": tuple(x.view(np.ndarray) for x in out)}
    try:
        result = _result(ufunc, method, operands, options)
    except (TypeError, AttributeError) as error:
        if not _is_from_numpy(error):
            raise
        raise _refused(
            operands, f"np.{ufunc.__name__} is not a primitive; the primitives are {', '.join(TABLE)}"
        ) from None
    if out is None:
        return _as_value_array(result)
    if not options:
        out[0].view(np.ndarray)[...] = result  # arr += v
    return out[0]


def _result(ufunc: np.ufunc, method: str, operands: Sequence[Any], options: Mapping[str, Any]) -> Any:
    row = _BY_UFUNC.get(ufunc) if method == "__call__" and not options else None
    if row and not any(isinstance(x, np.ndarray) for x in operands):
        return row(*operands)
    if row:
        try:
            if ufunc not in _CHOICES:
                with np.errstate(all="ignore"):
                    return ufunc(*(np.asanyarray(x, dtype=object) for x in operands))
        except (TypeError, AttributeError, ArithmeticError):  # of floats among the Values
            pass
        return elementwise(row, operands)
    if method != "at":
        operands = [np.asanyarray(x, dtype=object) for x in operands]  # with their masks
    if ufunc in _TRUTHS:
        operands = [x.astype(bool) for x in operands]
    return getattr(ufunc, method)(*operands, **options)  # by way of Python's operators


def _as_value_array(x: Any) -> Any:
    return x.view(ValueArray) if type(x) is np.ndarray and x.dtype == object else x


def _refused(operands: Sequence[Any], message: str) -> TypeError:
    """The error, after watchers have been notified of it by the first Value among the operands."""
    for x in operands:
        for value in x.ravel().tolist() if isinstance(x, np.ndarray) else [x]:
            if hasattr(type(value), "__record__"):
                return value._refused(TypeError(message))  # type: ignore[no-any-return]
    return TypeError(message)


def _is_from_numpy(error: Exception) -> bool:
    """Whether NumPy itself raised the error, which leaves no frame below `_result`, and not a method that it called."""
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    return last is not None and last.tb_frame.f_code is _result.__code__
