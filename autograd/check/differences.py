"""Derivatives from values alone: extrapolated differences with an error bar, and the rate of Taylor's remainder.

The numerical derivative is Richardson's extrapolation of differences (Ridders, 1982): from many first steps, for each
side alone and for both together.  The estimate with the smallest error wins, and brings that error along.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import TypeAlias

import numpy as np

from .estimates import NOTHING, SAFETY, Array, Estimate, Sides

Curve: TypeAlias = "Callable[[Array], Array]"
"""A function of one number, evaluated on an array of arguments."""

LEVELS, SHRINK = 8, 1.6
"""A table of differences has this many steps, each smaller than the one before by this factor."""

ROUGH = 1e4
"""If an error exceeds this many times the noise, the steps are too wide for the curve."""

COARSE = 0.01
"""Steps are too wide for a curve if the smallest changes it by more than this share of the largest change."""

HALVINGS = 40
"""Taylor's remainder is computed for this many steps, each half of the one before."""

_EPSILON = sys.float_info.epsilon


def differences(curve: Curve, x: float, noise: float = 0.0) -> Sides:
    """The derivative of `curve` at `x`; NaN with an infinite error if there is none.

    `noise` is the error that the values may have beyond the rounding of their last bits.

    >>> found = differences(np.abs, 0.0)
    >>> found.central.value, found.left.value, found.right.value
    (0.0, -1.0, 1.0)
    """
    if not isfinite(x):
        return Sides(NOTHING, NOTHING, NOTHING)
    reach = [x + start / SHRINK ** np.arange(LEVELS) - x for start in _starts(x)]
    steps = np.array([row for row in reach if _shrinks(row)])  # exact steps, a row for each start
    if not steps.size:
        return Sides(NOTHING, NOTHING, NOTHING)
    values = curve(np.concatenate([[x], (x + steps).ravel(), (x - steps).ravel()]))
    here, (above, below) = values[0], values[1:].reshape(2, *steps.shape)
    sizes = np.maximum(np.abs(here), np.maximum(np.abs(above), np.abs(below)).max(axis=1))
    off = 4 * _EPSILON * sizes + noise + sys.float_info.min
    quotients = ((above - below) / (2 * steps), (here - below) / steps, (above - here) / steps)
    return Sides(*(_best(table, steps, power, off) for table, power in zip(quotients, (2, 1, 1))))


def _shrinks(steps: Array) -> bool:
    return bool((steps > 0.0).all() and (np.diff(steps) < 0.0).all())


def _starts(x: float) -> list[float]:
    """First steps, the smallest first: shares of the size of x, and of 1."""
    return sorted(scale * 10.0**-k for scale in {abs(x) or 1.0, 1.0} for k in (1, 2, 3, 4, 5, 6, 8))


def _best(tables: Array, steps: Array, power: int, off: Array) -> Estimate:
    """The best estimate from steps at which the curve is smooth apart from its noise; the smallest steps come first.

    The search ends at the first rough table.  Wider steps may look smooth again, but show another derivative: beyond a
    kink or a pole, or over many waves.
    """
    best = NOTHING
    for table, row, noise in zip(tables, steps, off):
        if np.isfinite(table).all():
            found = extrapolated(table.tolist(), row.tolist(), power, float(noise))
            if found.error > ROUGH * noise / row[-1]:
                break
            best = _better(best, found)
    return best


def _better(near: Estimate, wide: Estimate) -> Estimate:
    """The estimate with the smaller error, from nearer or from wider steps.

    If the two contradict each other, the nearer one wins: wide steps may have crossed a kink, a pole or many waves.
    """
    agree = not isfinite(near.error) or abs(near.value - wide.value) <= SAFETY * (near.error + wide.error)
    return wide if agree and wide.error < near.error else near


def extrapolated(quotients: Sequence[float], steps: Sequence[float], power: int, noise: float) -> Estimate:
    """Richardson's extrapolation of difference quotients whose error has terms in h^power, h^(2 power), ...

    The steps h shrink.  `noise` is how far the subtracted values may be off.  The error of the best entry is its
    largest difference from the two entries that it came from, divided by the factor of one more step if the table
    converges, plus rounding.
    """
    row, best = list(quotients), NOTHING
    gaps = [inf] * len(row)
    rounding = [noise / h for h in steps]
    for level in range(1, len(row)):
        factors = [(steps[k] / steps[k + level]) ** power for k in range(len(row) - 1)]
        following = [(f * row[k + 1] - row[k]) / (f - 1) for k, f in enumerate(factors)]
        rounding = [(f * rounding[k + 1] + rounding[k]) / (f - 1) for k, f in enumerate(factors)]
        before, gaps = gaps, [max(abs(value - row[k]), abs(value - row[k + 1])) for k, value in enumerate(following)]
        for k, value in enumerate(following):
            converges = gaps[k] * factors[k] <= before[k] < inf
            error = gaps[k] / (factors[k] if converges else 1.0) + rounding[k]
            if error < best.error:
                best = Estimate(value, error + _EPSILON * abs(value))
        row = following
    return best


@dataclass(frozen=True)
class Remainder:
    """The powers of the step h with which Taylor's remainder vanishes: 0 for no power, NaN if rounding hides it.

    ``slope`` is the power of |f(x + h) - f(x) - slope h|: 2 if the slope is right, 1 if it is wrong.  ``bend`` is the
    power of |f(x + h) - 2 f(x) + f(x - h)|: 2 if f is smooth, 1 at a kink.  `exact`: only rounding is left for every h,
    as on a straight line, but a slope that is wrong by a thousandth would leave more.  `sees`: such a slope would have
    another power.
    """

    slope: float
    bend: float
    exact: bool
    sees: bool = False


def remainder(curve: Curve, x: float, slope: float, noise: float = 0.0, error: float = 0.0) -> Remainder:
    """The powers of h with which Taylor's remainder of `curve` at `x` vanishes, for steps to the right.

    `noise` is how far the values may be off, as above, and `error` how far the slope may be off.

    >>> found = remainder(np.exp, 0.0, 1.0)
    >>> f"{found.slope:.1f} {found.bend:.1f}, wrong {remainder(np.exp, 0.0, 1.001).slope:.1f}"
    '2.0 2.0, wrong 1.0'
    """
    for scale in sorted({abs(x) or 1.0, 1.0}):
        found = _rates(curve, x, slope, scale, noise, error)
        if found.exact or found.slope == found.slope:
            break
    return found


def _rates(curve: Curve, x: float, slope: float, scale: float, noise: float, error: float) -> Remainder:
    steps = np.unique(x + scale * 0.125 * 0.5 ** np.arange(HALVINGS) - x)[::-1]
    steps = steps[steps > 0.0]
    if not len(steps):
        return Remainder(nan, nan, False)
    values = curve(np.concatenate([[x], x + steps, x - steps]))
    here, (above, below) = values[0], values[1:].reshape(2, -1)
    size = np.maximum(np.abs(here), np.maximum(np.abs(above), np.abs(below)))
    rounding = 4 * _EPSILON * (2 * size + np.abs(slope * steps)) + noise + 5e-324 * (1.0 + steps)
    varied = np.abs(above - here)
    if not varied[-1] < COARSE * np.max(varied, where=np.isfinite(varied), initial=0.0):
        return Remainder(0.0, 0.0, False)  # no step is small for this curve
    off = np.abs(above - here - slope * steps)
    bend = np.abs(above - 2 * here + below)
    unclear = rounding + error * steps
    straight = bool((off <= unclear).all() and 1e-3 * abs(slope) * steps[0] > SAFETY * unclear[0])
    last = _clear(off, unclear)
    sees = last > 0 and bool(1e-3 * abs(slope) * steps[last - 1] >= off[last - 1])
    return Remainder(_power(off, steps, unclear), _power(bend, steps, rounding), straight, sees)


def _clear(off: Array, noise: Array) -> int:
    """The number of steps, from the widest, at which `off` stands out of the noise."""
    clear = np.isfinite(off) & (off > 5 * SAFETY * noise)
    return int(np.argmin(clear)) if not clear.all() else len(clear)


def _power(off: Array, steps: Array, noise: Array) -> float:
    """The power of h with which `off` vanishes, at the smallest steps where it stands out of the noise; 0 if none."""
    last = _clear(off, noise)
    if last < 5:
        return nan
    powers = np.diff(np.log2(off[last - 5 : last])) / np.diff(np.log2(steps[last - 5 : last]))
    lowest, highest = float(np.min(powers)), float(np.max(powers))
    return lowest if highest - lowest < 0.3 or lowest > 1.75 else 0.0
