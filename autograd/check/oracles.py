"""Oracles: they compute a graph again, in other numbers, and read its derivatives from these.

- dual numbers x + x' e (forward mode): e is smaller than every float but not 0, so a comparison sees which side of a
  kink x + e is on, and gives each one-sided derivative; their rounding is sampled (`samples`);
- dual numbers over exact fractions, for graphs of + - * / and comparisons;
- the complex step, Im f(x + ih) / h, without any subtraction (Squire and Trapp, 1998); its rounding is sampled, too;
- differences with so many digits (mpmath) that neither the step nor rounding matters.

No oracle calls a partial or a forward function of the table: `textbook` defines the rows a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import copysign, inf, isfinite, log10
from typing import Any

import numpy as np

from ..ops import REALS, TABLE
from .estimates import NOTHING, Array, Estimate, Evidence, Sides
from .problem import Problem
from .samples import SAMPLES, sampling, scatter
from .textbook import WIDE, DeclinedError, Dual, Numbers, lifted, refuse_at


def _with_numpy(name: str, x: Array) -> Array:
    try:
        return getattr(np, name)(x)  # type: ignore[no-any-return]  # an array
    except (AttributeError, TypeError):
        kind = " of complex numbers" if np.iscomplexobj(x) else ""
        raise DeclinedError(f"NumPy has no {name}{kind}") from None


# ---- Dual numbers ---------------------------------------------------------------------------------------------------


def dual(problem: Problem, second: int | None = None) -> list[Evidence]:
    """The derivative by each leaf, from the left, from the right, and by the rules at kinks: forward mode.

    With `second`, the index of a leaf, the second derivatives by that leaf and each leaf.
    """
    with np.errstate(all="ignore"):
        samples = _derivatives(problem, second, _Samples(_with_numpy, float), 1)[1]
        return _dual(problem, second, _with_numpy, float, samples=samples)


class _Samples(Numbers):
    """Floats or complex numbers, with samples of their rounding."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sampled = sampling()

    def constant(self, number: float) -> Array:
        return self.sampled(super().constant(number))


def rational(problem: Problem, second: int | None = None) -> list[Evidence]:
    """The same as `dual`, in exact fractions; it declines if a row is not rational or the fractions get too long."""

    def refuse(name: str, x: Array) -> Array:
        raise DeclinedError(f"{name} is not rational")

    try:
        return _dual(problem, second, refuse, Fraction, _Rational)
    except (OverflowError, ValueError, ZeroDivisionError) as error:
        raise DeclinedError(f"no rational number: {error}") from None


MOST_BITS = 4096
"""Fractions with longer numerators or denominators are given up."""


class _Rational(Numbers):
    def row(self, node: Any, *operands: Any) -> Any:
        result = super().row(node, *operands)
        value = result
        while isinstance(value, Dual):
            value = value.value
        longest = max(
            (max(int(x.numerator).bit_length(), int(x.denominator).bit_length()) for x in np.ravel(value)), default=0
        )
        if longest > MOST_BITS:
            raise DeclinedError(f"fractions of more than {MOST_BITS} bits")
        return result

    def power(self, x: Any, y: Any) -> Any:
        if isinstance(y, Dual) or any(e.denominator != 1 for e in np.ravel(y)):
            raise DeclinedError("a power with a fractional exponent is not rational")
        if max((abs(e.numerator) for e in np.ravel(y)), default=0) > MOST_BITS:
            raise DeclinedError(f"a power of more than {MOST_BITS}")
        return super().power(x, y)


def _dual(
    problem: Problem,
    second: int | None,
    elementary: Callable[[str, Array], Array],
    constant: Callable[[float], Any],
    kind: type[Numbers] = Numbers,
    samples: Array | None = None,
) -> list[Evidence]:
    here, right, left = (
        _derivatives(problem, second, kind(elementary, constant, sided=side != 0), side or 1) for side in (0, 1, -1)
    )
    found = []
    for i in range(len(problem.leaves)):
        (value, slope), *sides = ([_as_float(part[i]) for part in parts] for parts in (here, left, right))
        error = 0.0 if samples is None else scatter(samples[:, i], slope)
        below, above = (Estimate(_one_sided(value, side, to), error) for side, to in zip(sides, (-1, 1)))
        central = below if below.value == above.value else Estimate(slope, error)
        found.append(Evidence(Sides(central, below, above), slope))
    return found


def _one_sided(here: float, side: Sequence[float], towards: int) -> float:
    """A one-sided derivative, from the number and the slope there; infinite if the number jumps away from `here`."""
    there, slope = side
    return slope if here == there or there != there else copysign(inf, (there - here) * towards)


def _derivatives(problem: Problem, second: int | None, m: Numbers, side: int) -> tuple[Any, Any]:
    """The differentiated number and its derivative on this side, in two arrays with an entry for each leaf."""
    count = len(problem.leaves)
    unit = [m.constant(float(side)) * np.array([int(i == k) for i in range(count)]) for k in range(count)]
    numbers: list[Any] = [Dual(m.constant(x), unit[k]) for k, x in enumerate(problem.point)]
    if second is not None:
        zero = 0 * unit[0]
        numbers = [Dual(x, Dual(zero + side * int(k == second), zero)) for k, x in enumerate(numbers)]
    result = problem.evaluate(numbers, m.constant, m.row)
    if second is not None:
        result = lifted(result).slope * side
    value, slope = lifted(result).value, lifted(result).slope * side
    return np.broadcast_to(value, unit[0].shape), np.broadcast_to(slope, unit[0].shape)


def _as_float(x: Any) -> float:
    try:
        return float(x)
    except OverflowError:  # a fraction beyond the range of floats
        return inf if x > 0 else -inf


# ---- The complex step -----------------------------------------------------------------------------------------------

STEP = 1e-150
"""The step: a derivative times it is a normal float unless the derivative is below `LEAST`."""

LEAST = 1e-140

LOSS = 1e-14
"""The share of the derivative that complex functions lose, mostly x^p = exp(p log x)."""


def _elementary_of_complex(name: str, x: Array) -> Array:
    (low, high), *_ = TABLE[name].domain if name in TABLE else (REALS,)
    for inside in [x.real - low] * (low > -inf) + [high - x.real] * (high < inf):
        refuse_at(inside <= WIDE * abs(x.imag), x, f"at the end of the domain of {name}")
    return _with_numpy(name, x)


def complex_step(problem: Problem, second: int | None = None) -> list[Evidence]:
    """The derivative by each leaf, exact to rounding: Im f(x + ih) / h.  Declines at kinks and second derivatives.

    Every sample has its own step: if the function ends or branches nearby, the quotients depend on the step.
    """
    if second is not None:
        raise DeclinedError("the complex step gives first derivatives only")
    if any(0.0 < abs(x) < WIDE * STEP for x in problem.point):
        raise DeclinedError("a number is as small as the step")
    m = _Samples(_elementary_of_complex, complex)
    count = len(problem.point)
    steps = STEP / 2.0 ** np.arange(SAMPLES + 1)
    moved = [m.sampled(np.full(count, complex(x))) for x in problem.point]
    for i, x in enumerate(moved):
        x.imag[:, i] = steps
    with np.errstate(all="ignore"):
        result = problem.evaluate(moved, m.constant, m.row)
        slopes = np.broadcast_to(np.imag(result) / steps[:, np.newaxis], (len(steps), count))
    found = []
    for samples in slopes.T:
        slope = float(samples[0])
        error = max(scatter(samples, slope), LOSS * abs(slope), LEAST)
        found.append(Evidence(Sides(*[Estimate(slope, error)] * 3)))
    return found


# ---- Many digits ----------------------------------------------------------------------------------------------------

DIGITS = ((100, 25), (160, 40))
"""Decimal digits, and by how many the step is below the number: for the computation, and for the one to confirm it."""


def many_digits(problem: Problem, second: int | None = None) -> list[Evidence]:
    """Differences with a hundred digits, confirmed by more digits and smaller steps.  They need only values.

    An ImportError without mpmath (``pip install mpmath``).
    """
    try:
        import mpmath
    except ImportError:
        raise ImportError("the oracle mpmath needs mpmath; pip install mpmath") from None
    if not all(map(isfinite, problem.point)):
        raise DeclinedError("there are no differences at infinity")
    rough, fine = (_quotients(problem, second, mpmath.mp.clone(), *digits) for digits in DIGITS)
    return [
        Evidence(Sides(*(_confirmed(x, y, lost) for x, y in zip(some, others))))
        for (some, _), (others, lost) in zip(rough, fine)
    ]


def _confirmed(rough: Any, fine: Any, lost: Any) -> Estimate:
    try:
        value, error = float(fine), float(abs(fine - rough) + lost)
    except (TypeError, OverflowError):  # complex numbers, outside of the domain
        return NOTHING
    return Estimate(value, error) if isfinite(error) else NOTHING


def _quotients(problem: Problem, second: int | None, mp: Any, digits: int, below: int) -> list[tuple[Any, Any]]:
    """The difference quotients by each leaf (central, left and right), and how much rounding may change them."""
    sizes = [log10(abs(x)) for x in problem.point if x] or [0.0]
    mp.dps = digits + 2 * max(0, round(-min(sizes))) + max(0, round(max(sizes)))

    def elementary(name: str, x: Array) -> Array:
        if name not in ("log", "log1p", "sqrt", "arctan") and any(mp.mag(y) > MOST_BITS for y in x.ravel()):
            raise DeclinedError(f"{name} of a number of more than 2^{MOST_BITS}")
        function = getattr(mp, name.replace("arc", "a"), None)
        if function is None:
            raise DeclinedError(f"mpmath has no {name}")
        return np.frompyfunc(function, 1, 1)(x)  # type: ignore[no-any-return]  # an array

    m = Numbers(elementary, mp.mpf)
    point = [mp.mpf(x) for x in problem.point]
    steps = [min(abs(x) or 1, 1) * mp.mpf(10) ** -below for x in point]
    inner = [h * mp.mpf(10) ** -10 for h in steps]  # steps of the leaf `second`, between the sides of a kink
    count = len(point)

    def values(moves: Sequence[tuple[int, int]]) -> list[Any]:
        """The output, for each leaf and each of `moves`: the steps of the leaf `second`, and those of the leaf."""
        numbers = []
        for k, x in enumerate(point):
            row = [x + steps[k] * b * (i == k) + inner[k] * a * (k == second) for a, b in moves for i in range(count)]
            numbers.append(np.array(row, dtype=object))
        try:
            result = problem.evaluate(numbers, m.constant, m.row)
        except (ValueError, ZeroDivisionError, TypeError) as error:
            raise DeclinedError(f"a number outside of the domain of a function: {error}") from None
        return list(np.broadcast_to(result, len(moves) * count).reshape(len(moves), count))

    if second is None:
        found, scale = values([(0, 0), (0, 1), (0, -1)]), mp.mpf(1)
        here, above, below_ = found
    else:
        found, scale = values([(1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)]), inner[second]
        here, above, below_ = ((found[k] - found[k + 1]) / (2 * scale) for k in (0, 2, 4))
    size = max(abs(x) for row in found for x in row)
    return [
        (
            ((above[i] - below_[i]) / (2 * h), (here[i] - below_[i]) / h, (above[i] - here[i]) / h),
            size / (h * scale) * mp.mpf(10) ** (2 - mp.dps),
        )
        for i, h in enumerate(steps)
    ]
