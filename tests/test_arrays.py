"""Data as people have them: what is taken, as which numbers, and which place is named for the rest."""

from __future__ import annotations

import datetime
import math
from collections import deque
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from autograd import Value
from autograd.arrays import as_real_array


@pytest.mark.parametrize(
    ("data", "numbers", "kind"),
    [
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]], "i"),
        ([1, 2.5], [1.0, 2.5], "f"),
        ([True, False], [1, 0], "i"),
        (np.array([True, 2], dtype=object), [1, 2], "i"),
        (np.array([[1, Decimal("2.5")], [Fraction(1, 4), np.float32(3)]], dtype=object), [[1, 2.5], [0.25, 3]], "f"),
        ((i * i for i in range(4)), [0, 1, 4, 9], "i"),
        ((range(i, i + 2) for i in range(2)), [[0, 1], [1, 2]], "i"),
        (zip([1, 2], [3.5, 4]), [[1, 3.5], [2, 4]], "f"),
        ({"a": 1.5, "b": 2}.values(), [1.5, 2], "f"),
        (deque([1, 2]), [1, 2], "i"),
        (np.ma.array([1.0, 2.0], mask=[False, False]), [1.0, 2.0], "f"),
        ([np.ma.array([1.0, 2.0]), [3, 4]], [[1, 2], [3, 4]], "f"),
        ([np.array(1.0), np.int64(2)], [1, 2], "f"),
        ([2**70, 1], [2.0**70, 1], "f"),
        (np.array([1, 0.5], dtype=np.longdouble), [1, 0.5], "f"),
        (np.array([1, 2], dtype=np.float16), [1, 2], "f"),
        (3, 3, "i"),
        ([], [], "f"),
        (np.zeros((0, 3), dtype=object), np.zeros((0, 3)), "f"),
    ],
)
def test_numbers_are_taken_as_they_are(data, numbers, kind):
    """Ints stay ints, since they may be classes; whatever else is a real number becomes a float."""
    found = as_real_array("x", data)
    assert found.dtype.kind == kind and found.dtype.itemsize <= 8
    assert found.shape == np.shape(numbers) and np.array_equal(found, numbers)


def test_nan_is_a_number():
    """In arrays, and in lists, where None and what is masked are not."""
    for data in ([1.0, math.nan], np.array([1.0, math.nan]), np.array([1.0, math.nan], dtype=object)):
        assert np.array_equal(as_real_array("x", data), [1.0, math.nan], equal_nan=True)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([1.0, "a"], r"holds 'a' (str) at (1,); give real numbers"),
        ([[1, 2], [3, "4"]], r"holds '4' (str) at (1, 1); give real numbers"),
        (np.array(["a", "b"]), r"holds 'a' (str) at (0,); give real numbers"),
        ("abc", r"holds 'abc' (str) at (); give real numbers"),
        ([b"x"], r"holds b'x' (bytes) at (0,); give real numbers"),
        (None, r"holds None (NoneType) at (); give real numbers"),
        ([[1, 2], [None, 3]], r"holds None (NoneType) at (1, 0); give real numbers"),
        ([1.0, 2j], r"holds 2j (complex) at (1,); give real numbers"),
        (np.array([1 + 0j]), r"holds (1+0j) (complex) at (0,); give real numbers"),
        ([datetime.date(2020, 1, 1)], r"holds datetime.date(2020, 1, 1) (date) at (0,); give real numbers"),
        ([1.0, np.datetime64("2020")], "holds np.datetime64('2020') (datetime64) at (1,); give real numbers"),
        (np.array([1], dtype="m8[s]"), "holds np.timedelta64(1,'s') (timedelta64) at (0,); give real numbers"),
        ({"a": [1.0]}, "is a dict; give an array, or a list of rows"),
        ([1.0, {2.0}], "is a set; give an array, or a list of rows"),
        ([1.0, Value(2.0)], "holds Values; give their numbers, such as [p.data for p in parameters]"),
        ([1.0, np.ma.masked], "has a masked entry at (1,); fill it in or leave it out"),
        ([[1, 2], np.ma.array([1, 2], mask=[True, False])], "has a masked entry at (1, 0); fill it in or leave it out"),
        (np.ma.masked, "has a masked entry; fill it in or leave it out"),
        ([(1, np.ma.masked)], "has a masked entry at (0, 1); fill it in or leave it out"),
    ],
)
def test_the_first_place_that_is_no_number_is_named(data, message):
    """With what stands there, in one line."""
    with pytest.raises(TypeError) as caught:
        as_real_array("x", data)
    assert (
        str(caught.value).replace("numpy.", "np.").replace("np.timedelta64(1, 's')", "np.timedelta64(1,'s')")
        == f"x {message}"
    )


@pytest.mark.parametrize("data", [[1, 10**400], np.array([1, np.longdouble("1e4000")]), [1.0, Decimal("1e400")]])
def test_numbers_beyond_a_float_are_an_overflow(data):
    """Never a silent infinity."""
    if isinstance(data, np.ndarray) and not np.isfinite(data).all():
        pytest.skip("long doubles are doubles here")
    with pytest.raises(OverflowError, match=r"x holds a number beyond the range of a float at \(1,\)"):
        as_real_array("x", data)


def test_ragged_rows_are_refused():
    """Whatever holds them."""
    for data in ([[1.0, 2.0], [3.0]], iter([[1.0], 2.0]), [np.ma.array([1.0]), [2.0, 3.0]]):
        with pytest.raises(ValueError, match=r"x is ragged .*; give rows of one length"):
            as_real_array("x", data)
