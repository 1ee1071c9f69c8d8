"""Oracles: a graph computed anew in other numbers, in which its derivatives can be read off.

- dual numbers x + x' e (forward mode): e is smaller than every float but not 0, so comparisons see on which side of a
  kink x + e lies, and both one-sided derivatives come out, each by itself;
- the same over exact rational numbers, for graphs of + - * / and comparisons;
- the complex step, Im f(x + ih) / h, without any subtraction (Squire and Trapp, 1998);
- differences with so many digits (mpmath) that neither the step nor rounding counts.

No oracle calls a partial, or a forward function, of the table.  Each row stands here once more, by its textbook
definition, and the elementary functions with their textbook slopes; the rules at kinks are those of the edge policy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import copysign, inf, isfinite, log10
from typing import Any, TypeAlias

import numpy as np

from .differences import NOTHING, Estimate, Sides
from .graph import number_of_node, topological_order
from .value import Value

Array: TypeAlias = "np.ndarray[Any, Any]"


class DeclinedError(Exception):
    """An oracle has nothing to say of a graph, for the reason that it gives."""


@dataclass(frozen=True)
class Evidence:
    """What an oracle knows of one derivative; `policy` is what the rules at kinks make of it, if it knows them."""

    sides: Sides
    policy: float | None = None


# ---- Graphs in other numbers ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """A graph and some of its nodes: the derivatives of `output` with respect to `leaves`."""

    output: Value
    leaves: tuple[Value, ...]

    @cached_property
    def order(self) -> list[Value]:
        """What is computed from the leaves, and what else that needs, in topological order."""
        return topological_order([self.output], known=frozenset(self.leaves))

    @cached_property
    def seen(self) -> dict[Any, float]:
        """The number that each node had when it was used; a ValueError for one that had several."""
        found: dict[Any, float] = {}
        for node in self.order:
            for x, number in zip(node.inputs, node.numbers[1:]):
                before = found.setdefault(x, number) if isinstance(x, Value) else number
                if before != number and not (before != before and number != number):
                    raise ValueError(
                        f"{x!r:.60} was used as {before:.6g} and, when its data had been changed, as {number:.6g}; "
                        "such a graph is that of no function: build it anew"
                    )
        return found

    @property
    def point(self) -> list[float]:
        """The number of each leaf."""
        return [self.seen.get(leaf, number_of_node(leaf)) for leaf in self.leaves]

    @property
    def size(self) -> int:
        """Nodes times leaves: what an oracle that takes them one by one has to do."""
        return len(self.order) * len(self.leaves)

    def evaluate(self, numbers: Sequence[Any], constant: Callable[[float], Any], rows: Callable[..., Any]) -> Any:
        """The output where the leaves are `numbers`: ``rows(node, *operands)`` computes, what is detached stays."""
        found = dict(zip(self.leaves, numbers))
        for node in self.order:
            if node.op is None or node.op.name == "detach":
                found[node] = constant(number_of_node(node))
            else:
                operands = [found[x] if isinstance(x, Value) else constant(x) for x in node.inputs]
                found[node] = rows(node, *operands)
        return found[self.output]

    def along(self, index: int, xs: Array) -> Array:
        """The output where the leaf of this index has each of the numbers `xs`, and the others stay."""
        numbers: list[Any] = list(self.point)
        numbers[index] = xs
        values = self.evaluate(numbers, float, lambda node, *operands: node.op.ufunc(*operands))
        return np.broadcast_to(np.asarray(values, dtype=float), xs.shape)


# ---- The rows by their textbook definitions -------------------------------------------------------------------------


class Numbers:
    """A number system: arrays of one kind of number, or `Dual` numbers of such arrays.

    `elementary` computes exp, sin and their like on such an array, `constant` makes one of a float.  With `sided`,
    dual numbers are compared by their infinitesimal parts where their other parts are equal.
    """

    def __init__(
        self, elementary: Callable[[str, Array], Array], constant: Callable[[float], Any], sided: bool = False
    ) -> None:
        self.elementary, self.sided = elementary, sided
        self._constant = constant

    def constant(self, number: float) -> Array:
        """A float as an array of one number."""
        array = np.empty(1, dtype=np.asarray(self._constant(number)).dtype)
        array[0] = self._constant(number)
        return array

    def row(self, node: Any, *operands: Any) -> Any:
        """What a node is of `operands`, by the textbook definition of its row."""
        name = node.op.name
        if name not in TEXTBOOK:
            raise DeclinedError(f"there is no textbook definition of {name}")
        return TEXTBOOK[name](self, *operands)

    def function(self, name: str, x: Any) -> Any:
        """An elementary function."""
        if isinstance(x, Dual):
            return Dual(self.function(name, x.value), _times(SLOPES[name](self, x.value), x.slope))
        return self.elementary(name, x)

    def sign(self, x: Any) -> Array:
        """1, 0 or -1, or NaN; what the rows with kinks ask."""
        if isinstance(x, Dual):
            by_value = self.sign(x.value)
            return np.where(by_value == 0, self.sign(x.slope), by_value) if self.sided else by_value
        if np.iscomplexobj(x):
            _refuse_at(x.real == 0.0, x, "at a kink")
            x = x.real
        sign: Array = np.where(x == x, (x > 0) * 1 - (x < 0) * 1, x)
        return sign

    def positive(self, x: Any) -> Array:
        """Which are positive, but for infinitesimals; what smooth rows ask, to choose between formulas for the same."""
        while isinstance(x, Dual):
            x = x.value
        positive: Array = (x.real if np.iscomplexobj(x) else x) > 0
        return positive

    def indicator(self, mask: Array) -> Array:
        """1 where the mask is true, 0 elsewhere."""
        return self.constant(1.0) * mask

    def choose(self, mask: Array, x: Any, y: Any) -> Any:
        """`x` where the mask is true, `y` elsewhere."""
        if isinstance(x, Dual) or isinstance(y, Dual):
            x, y = _lifted(x), _lifted(y)
            return Dual(self.choose(mask, x.value, y.value), self.choose(mask, x.slope, y.slope))
        return np.where(mask, x, y)

    def power(self, x: Any, y: Any) -> Any:
        """x^y, after exp(y log x) where y is no constant."""
        if isinstance(y, Dual):
            x = _lifted(x)
            z = self.power(x.value, y.value)
            flat = (self.sign(x.value) == 0) & (self.sign(y.value) > (0 if self.sided else -1))  # 0^y is 0 around y
            by_y = self.choose(flat, 0, z * self.function("log", x.value))
            return Dual(z, _times(by_y, y.slope) + _times(self._power_slope(x.value, y.value), x.slope))
        if isinstance(x, Dual):
            return Dual(self.power(x.value, y), _times(self._power_slope(x.value, y), x.slope))
        if np.iscomplexobj(x):
            whole = (y.real % 1.0 == 0.0) & (y.imag == 0.0)
            _refuse_at((x.real <= WIDE * abs(x.imag)) & ~whole, x + y, "at the end of the domain of a power")
        return np.power(x, y)

    def _power_slope(self, x: Any, y: Any) -> Any:
        zero = self.sign(y) == 0
        return self.choose(zero, 0, y * self.power(x, y - self.choose(zero, 0, 1)))


class Dual:
    """value + slope e, with e^2 = 0; both parts are arrays, or dual numbers again (for second derivatives)."""

    __array_ufunc__ = None  # an array on the left leaves the operation to us

    def __init__(self, value: Any, slope: Any) -> None:
        self.value, self.slope = value, slope

    def __add__(self, other: Any) -> Dual:
        other = _lifted(other)
        return Dual(self.value + other.value, self.slope + other.slope)

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.slope)

    def __sub__(self, other: Any) -> Dual:
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> Dual:
        return (-self).__add__(other)

    def __mul__(self, other: Any) -> Dual:
        other = _lifted(other)
        return Dual(self.value * other.value, _times(self.value, other.slope) + _times(other.value, self.slope))

    def __truediv__(self, other: Any) -> Dual:
        other = _lifted(other)
        quotient = self.value / other.value
        return Dual(quotient, self.slope / other.value - _times(quotient / other.value, other.slope))

    def __rtruediv__(self, other: Any) -> Dual:
        return _lifted(other).__truediv__(self)

    __radd__, __rmul__ = __add__, __mul__


def _lifted(x: Any) -> Dual:
    return x if isinstance(x, Dual) else Dual(x, 0)


def _times(factor: Any, slope: Any) -> Any:
    """factor * slope; a slope of exactly 0 means that nothing moves, and wins over an infinite factor."""
    if isinstance(slope, Dual) or isinstance(factor, Dual):
        return factor * slope
    return np.where(slope == 0, 0 * slope, factor * slope)


def _sigmoid(m: Numbers, x: Any) -> Any:
    positive = m.positive(x)
    e = m.function("exp", m.choose(positive, -x, x))
    return m.choose(positive, 1, e) / (1 + e)


def _softplus(m: Numbers, x: Any) -> Any:
    positive = m.positive(x)
    return m.choose(positive, x, 0) + m.function("log1p", m.function("exp", m.choose(positive, -x, x)))


def _extremum(m: Numbers, x: Any, y: Any, wanted: int) -> Any:
    """The larger of two (`wanted` 1) or the smaller (-1); half of each at a tie."""
    sign = m.sign(x - y)
    return m.choose(sign == wanted, x, m.choose(sign == 0, m.constant(0.5) * (x + y), y))


def _cosh_squared(m: Numbers, x: Any) -> Any:
    return m.function("cosh", x) * m.function("cosh", x)


# fmt: off
SLOPES: dict[str, Callable[[Numbers, Any], Any]] = {
    "exp":    lambda m, x: m.function("exp", x),
    "expm1":  lambda m, x: m.function("exp", x),
    "log":    lambda m, x: 1 / x,
    "log1p":  lambda m, x: 1 / (1 + x),
    "sqrt":   lambda m, x: 1 / (2 * m.function("sqrt", x) + 0),  # of -0, too
    "sin":    lambda m, x: m.function("cos", x),
    "cos":    lambda m, x: -m.function("sin", x),
    "tan":    lambda m, x: 1 / (m.function("cos", x) * m.function("cos", x)),
    "arctan": lambda m, x: 1 / (1 + x * x),
    "sinh":   lambda m, x: m.function("cosh", x),
    "cosh":   lambda m, x: m.function("sinh", x),
    "tanh":   lambda m, x: 1 / _cosh_squared(m, x),
}
"""The elementary functions, and their derivatives as a textbook has them."""

TEXTBOOK: dict[str, Callable[..., Any]] = {
    "add":      lambda m, x, y: x + y,
    "sub":      lambda m, x, y: x - y,
    "mul":      lambda m, x, y: x * y,
    "div":      lambda m, x, y: x / y,
    "neg":      lambda m, x: -x,
    "pow":      lambda m, x, y: m.power(x, y),
    "abs":      lambda m, x: x * m.sign(x),
    "sign":     lambda m, x: m.constant(1.0) * m.sign(x),
    "step":     lambda m, x: m.indicator(m.sign(x) > 0),
    "equal":    lambda m, x, y: m.indicator(m.sign(x - y) == 0),
    "relu":     lambda m, x: m.choose(m.sign(x) > 0, x, 0),
    "sigmoid":  _sigmoid,
    "softplus": _softplus,
    "maximum":  lambda m, x, y: _extremum(m, x, y, 1),
    "minimum":  lambda m, x, y: _extremum(m, x, y, -1),
    "where":    lambda m, c, x, y: m.choose(m.sign(c) != 0, x, y),
    **{name: lambda m, x, name=name: m.function(name, x) for name in SLOPES},
}
"""Every row of the table but `detach`, which makes a constant."""
# fmt: on


def _with_numpy(name: str, x: Array) -> Array:
    return getattr(np, name)(x)  # type: ignore[no-any-return]  # an array


# ---- Dual numbers ---------------------------------------------------------------------------------------------------


def dual(problem: Problem, second: int | None = None) -> list[Evidence]:
    """The derivative by each leaf, from the left, from the right, and by the rules at kinks: forward mode.

    With `second`, the index of a leaf, the second derivatives: by that leaf and by each.
    """
    with np.errstate(all="ignore"):
        return _dual(problem, second, _with_numpy, float)


def rational(problem: Problem, second: int | None = None) -> list[Evidence]:
    """The same in exact fractions; declined where a row is not rational, or the fractions grow beyond all measure."""

    def refuse(name: str, x: Array) -> Array:
        raise DeclinedError(f"{name} is not rational")

    try:
        return _dual(problem, second, refuse, Fraction, _Rational)
    except (OverflowError, ValueError, ZeroDivisionError) as error:
        raise DeclinedError(f"no rational number: {error}") from None


MOST_BITS = 4096
"""Fractions of longer numerators and denominators are not pursued."""


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
            raise DeclinedError("a power that is no whole number is not rational")
        if max((abs(e.numerator) for e in np.ravel(y)), default=0) > MOST_BITS:
            raise DeclinedError(f"a power of more than {MOST_BITS}")
        return super().power(x, y)


def _dual(
    problem: Problem,
    second: int | None,
    elementary: Callable[[str, Array], Array],
    constant: Callable[[float], Any],
    kind: type[Numbers] = Numbers,
) -> list[Evidence]:
    here, right, left = (
        _derivatives(problem, second, kind(elementary, constant, sided=side != 0), side or 1) for side in (0, 1, -1)
    )
    found = []
    for policy, above, below in zip(here, right, left):
        sides = [_one_sided(policy[0], *side, towards) for side, towards in ((below, -1), (above, 1))]
        exact = Estimate(policy[1])
        equal = sides[0].value == sides[1].value
        found.append(Evidence(Sides(sides[0] if equal else exact, *sides), policy[1]))
    return found


def _one_sided(here: float, there: float, slope: float, side: int) -> Estimate:
    """A one-sided derivative; infinite where the number next to `here` is another."""
    if here == there or there != there:
        return Estimate(slope)
    return Estimate(copysign(inf, (there - here) * side))


def _derivatives(problem: Problem, second: int | None, m: Numbers, side: int) -> list[tuple[float, float]]:
    """For each leaf, the number that is differentiated, and its derivative on this side."""
    count = len(problem.leaves)
    unit = [m.constant(float(side)) * np.array([int(i == k) for i in range(count)]) for k in range(count)]
    numbers: list[Any] = [Dual(m.constant(x), unit[k]) for k, x in enumerate(problem.point)]
    if second is not None:
        zero = 0 * unit[0]
        numbers = [Dual(x, Dual(zero + side * int(k == second), zero)) for k, x in enumerate(numbers)]
    result = problem.evaluate(numbers, m.constant, m.row)
    if second is not None:
        result = _lifted(result).slope * side
    values, slopes = (np.broadcast_to(part, count) for part in (_lifted(result).value, _lifted(result).slope * side))
    return [(_as_float(value), _as_float(slope)) for value, slope in zip(values, slopes)]


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
"""What complex functions lose of the derivative, mostly x^p = exp(p log x)."""

WIDE = 1e20
"""What is not so many times the step is as good as 0."""

_DOMAINS = {"log": 0.0, "sqrt": 0.0, "log1p": -1.0}


def _elementary_of_complex(name: str, x: Array) -> Array:
    if name in _DOMAINS:
        _refuse_at(x.real <= _DOMAINS[name] + WIDE * abs(x.imag), x, f"at the end of the domain of {name}")
    return _with_numpy(name, x)


def _refuse_at(mask: Array, x: Array, where: str) -> None:
    """No step from there, for numbers that depend on what is moved."""
    if np.any(mask & (x.imag != 0.0)):
        raise DeclinedError(f"{where} there is no complex step")


def complex_step(problem: Problem, second: int | None = None) -> list[Evidence]:
    """The derivative by each leaf, to rounding: Im f(x + ih) / h.  Declined at kinks, and for second derivatives."""
    if second is not None:
        raise DeclinedError("the complex step is for first derivatives")
    if any(0.0 < abs(x) < WIDE * STEP for x in problem.point):
        raise DeclinedError("a number is as small as the step")
    m = Numbers(_elementary_of_complex, complex)
    unit = np.eye(len(problem.leaves)) * complex(0.0, STEP)
    with np.errstate(all="ignore"):
        result = problem.evaluate([x + row for x, row in zip(problem.point, unit)], m.constant, m.row)
        slopes = np.broadcast_to(np.imag(result) / STEP, len(problem.leaves))
    estimates = [Estimate(x, LOSS * abs(x) if abs(x) > LEAST else LEAST) for x in map(float, slopes)]
    return [Evidence(Sides(estimate, estimate, estimate)) for estimate in estimates]


# ---- Many digits ----------------------------------------------------------------------------------------------------

DIGITS = ((100, 25), (160, 40))
"""Decimal digits, and the digits of the step below the number, of the computation and of the one that confirms it."""


def many_digits(problem: Problem, second: int | None = None) -> list[Evidence]:
    """Differences with a hundred digits, compared with such of more digits and smaller steps: values are all it takes.

    An ImportError without mpmath (``pip install 'scalar-autograd[check]'``).
    """
    try:
        import mpmath
    except ImportError:
        raise ImportError("the oracle mpmath needs mpmath; pip install 'scalar-autograd[check]'") from None
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
    except (TypeError, OverflowError):  # complex numbers: beyond the domain
        return NOTHING
    return Estimate(value, error) if isfinite(error) else NOTHING


def _quotients(problem: Problem, second: int | None, mp: Any, digits: int, below: int) -> list[tuple[Any, Any]]:
    """For each leaf, the difference quotients, central, to the left, to the right, and what rounding takes of them."""
    smallest = min((abs(x) for x in problem.point if x), default=1.0)
    mp.dps = digits + 2 * max(0, round(-log10(smallest)))
    names = {"arctan": "atan"}

    def elementary(name: str, x: Array) -> Array:
        return np.frompyfunc(getattr(mp, names.get(name, name)), 1, 1)(x)  # type: ignore[no-any-return]  # an array

    m = Numbers(elementary, mp.mpf)
    point = [mp.mpf(x) for x in problem.point]
    steps = [(abs(x) or 1) * mp.mpf(10) ** -below for x in point]
    count = len(point)

    def values(moves: Sequence[tuple[int, int]]) -> list[Any]:
        """The output at the points to which the leaf `second` moves by the first, and each by the second, in steps."""
        numbers = []
        for k, x in enumerate(point):
            row = [x + steps[k] * (b * (i == k) + a * (k == second)) for a, b in moves for i in range(count)]
            numbers.append(np.array(row, dtype=object))
        try:
            result = problem.evaluate(numbers, m.constant, m.row)
        except (ValueError, ZeroDivisionError, TypeError) as error:
            raise DeclinedError(f"a number beyond the domain of a function: {error}") from None
        return list(np.broadcast_to(result, len(moves) * count).reshape(len(moves), count))

    if second is None:
        found, scale = values([(0, 0), (0, 1), (0, -1)]), mp.mpf(1)
        here, above, below_ = found
    else:
        found, scale = values([(1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)]), steps[second]
        here, above, below_ = ((found[k] - found[k + 1]) / (2 * scale) for k in (0, 2, 4))
    size = max(abs(x) for row in found for x in row)
    return [
        (
            ((above[i] - below_[i]) / (2 * h), (here[i] - below_[i]) / h, (above[i] - here[i]) / h),
            size / (h * scale) * mp.mpf(10) ** (2 - mp.dps),
        )
        for i, h in enumerate(steps)
    ]
