"""The form in which a function gets a row of a batch: as an array, a list, a tuple or a number."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np

from ..numpy_protocol import ValueArray
from ..value import Value

Form: TypeAlias = "tuple[type, Form] | None"
"""The class of a container and the form of its elements; None for a number."""


def form_of_rows(batch: Any) -> Form:
    """The form of the rows of a batch; a TypeError if they are not all of one form.

    >>> form_of_rows(np.zeros((3, 2))), form_of_rows([[1.0, 2.0], [3.0, 4.0]]), form_of_rows([1.0, 2.0])
    ((<class 'numpy.ndarray'>, None), (<class 'list'>, None), None)
    """
    if isinstance(batch, (list, tuple)):
        return _form_of_elements(batch)
    return _ARRAY if (batch.ndim if isinstance(batch, np.ndarray) else np.ndim(batch)) > 1 else None


def _form_of_elements(elements: Sequence[Any]) -> Form:
    form = _form(elements[0]) if elements else None
    if form is not None and len(kinds := {*map(type, elements)}) > 1:
        raise TypeError(f"rows of {' and '.join(sorted(kind.__name__ for kind in kinds))}; give rows of one kind")
    return form


def _form(x: Any) -> Form:
    if isinstance(x, (list, tuple)):
        return type(x), _form_of_elements(x)
    return _ARRAY if np.ndim(x) else None


_ARRAY: Form = (np.ndarray, None)


def row_of(values: Sequence[Value], shape: tuple[int, ...], form: Form) -> Any:
    """The Values as a row of this form and shape.

    >>> row_of([Value(1.0), Value(2.0)], (2,), (tuple, None))
    (Value(data=1.0, grad=0.0), Value(data=2.0, grad=0.0))
    """
    if form is None:
        return values[0]
    kind, inner = form
    if kind is np.ndarray:
        row = np.empty(len(values), dtype=object)
        row[:] = values
        return row.reshape(shape).view(ValueArray)
    size = prod(shape[1:])
    parts = [row_of(values[i * size : (i + 1) * size], shape[1:], inner) for i in range(shape[0])]
    make = getattr(kind, "_make", tuple if issubclass(kind, tuple) else list)  # a named tuple has _make
    return make(parts)
