"""Numerical derivatives: how right they are, that their errors are true, and Taylor's rates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autograd.check.differences import differences, remainder
from autograd.check.estimates import SAFETY, SHARP

CURVES = {
    "exp": (np.exp, np.exp, [-3.0, 0.0, 1e-12, 2.0]),
    "sin": (np.sin, np.cos, [0.0, 1e-6, 1.0, 1e3]),
    "log": (np.log, lambda x: 1 / x, [1e-12, 1e-3, 1.0, 1e12]),
    "cube": (lambda x: x**3, lambda x: 3 * x**2, [-2.0, 1e-4, 5.0, 1e12]),
    "root": (np.sqrt, lambda x: 0.5 / np.sqrt(x), [1e-12, 1.0, 1e12]),
}


@pytest.mark.parametrize("name", list(CURVES))
def test_differences_are_right_to_their_errors(name):
    """Central and from both sides, sharp, and off by no more than they say."""
    curve, slope, xs = CURVES[name]
    for x in xs:
        with np.errstate(all="ignore"):
            found = differences(curve, x)
        for estimate in (found.central, found.left, found.right):
            assert abs(estimate.value - slope(x)) <= SAFETY * estimate.error, (x, estimate)
        assert SAFETY * found.central.error <= SHARP * abs(slope(x)), (x, found.central)


@pytest.mark.parametrize("name", list(CURVES))
def test_taylors_remainder_tells_right_from_wrong(name):
    """Of second order for the right slope, or higher; of first order for one that is wrong by a thousandth."""
    curve, slope, xs = CURVES[name]
    for x in xs:
        with np.errstate(all="ignore"):
            right = remainder(curve, x, float(slope(x)))
            wrong = remainder(curve, x, float(slope(x)) * 1.001)
        assert right.exact or right.slope > 1.75, (x, right)
        assert wrong.slope < 1.25 and not wrong.exact, (x, wrong)


def test_kinks_jumps_and_poles():
    """Both sides of a kink; no false certainty at a jump or a pole, nor across a kink nearby."""
    kink = differences(lambda x: np.where(x > 1.0, 3.0 * x, x + 2.0), 1.0)
    assert kink.left.value == pytest.approx(1.0) and kink.right.value == pytest.approx(3.0)
    assert remainder(np.abs, 0.0, 0.0).bend == pytest.approx(1.0)
    with np.errstate(all="ignore"):
        for curve in (np.sign, lambda x: 1.0 * (x > 0), lambda x: 1 / x, lambda x: np.log(np.abs(x))):
            found = differences(curve, 0.0).central
            assert not SAFETY * found.error <= SHARP * abs(found.value), found
    near = differences(lambda x: np.cos(np.minimum(x, 0.0)), -4e-114).central
    assert not SAFETY * near.error <= SHARP * abs(near.value), near


def test_floats_that_are_coarse():
    """Around 1e12 they are 1e-4 apart: steps that are not in proportion are extrapolated as they are."""
    found = differences(np.sin, 1e12).central
    assert abs(found.value - math.cos(1e12)) <= SAFETY * found.error < 1e-6
    assert not remainder(np.sin, 1e12, math.cos(1e12) * 1.001).slope > 1.25


def test_noise_is_counted():
    """A curve that is flat by rounding alone: with its noise known, wide steps find the slope."""
    found = differences(lambda x: (x + 2.0) - 2.0, 1e-154, noise=1e-15).central
    assert abs(found.value - 1.0) <= SAFETY * found.error < 1e-10


def test_a_slope_that_may_be_off_is_not_called_wrong():
    """Off by no more than it may be, it shows at no step; off by more, still at the smallest."""
    assert remainder(np.exp, 0.0, 1.0001).slope < 1.25
    assert math.isnan(remainder(np.exp, 0.0, 1.0001, error=2e-4).slope)
    assert remainder(np.exp, 0.0, 1.01, error=1e-5).slope < 1.25


def test_there_is_no_derivative_where_nothing_is():
    """NaN all around, and infinity, have no estimate."""
    for x in (1.0, math.inf):
        found = differences(lambda x: x * math.nan, x)
        for estimate in (found.central, found.left, found.right):
            assert math.isnan(estimate.value) and estimate.error == math.inf


def test_the_remainder_says_what_it_cannot_see():
    """Where the slope is nothing beside the bend, twice the slope leaves a remainder of order h^2, too."""
    assert remainder(np.sin, 1.0, np.cos(1.0)).sees and remainder(np.exp, 0.0, 1.0).sees
    for curve, x, slope in ((np.sin, np.pi / 2, np.cos(np.pi / 2)), (np.square, 1e-160, 2e-160)):
        assert not remainder(curve, x, slope).sees and not remainder(curve, x, 2 * slope).sees
