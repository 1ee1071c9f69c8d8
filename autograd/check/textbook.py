"""Every row a second time, by its textbook definition, for numbers of any system; and dual numbers over these.

The elementary functions have their textbook derivatives here, and kinks follow the rules of the table.  Only
the table has derivative rules, too; the two are written independently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .estimates import Array
from .samples import unsampled


class DeclinedError(Exception):
    """An oracle has nothing to say about a graph; the message gives the reason."""


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
        """The result of a node's row on `operands`, by its textbook definition."""
        name = node.op.name
        if name not in TEXTBOOK:
            raise DeclinedError(f"there is no textbook definition of {name}")
        return TEXTBOOK[name](self, *operands)

    def function(self, name: str, x: Any) -> Any:
        """An elementary function."""
        if isinstance(x, Dual):
            if name not in SLOPES:
                raise DeclinedError(f"there is no textbook derivative of {name}")
            return Dual(self.function(name, x.value), _times(SLOPES[name](self, x.value), x.slope))
        return self.elementary(name, x)

    def sign(self, x: Any) -> Array:
        """1, 0 or -1, or NaN; rows with kinks ask for it."""
        if isinstance(x, Dual):
            by_value = self.sign(x.value)
            return np.where(by_value == 0, self.sign(x.slope), by_value) if self.sided else by_value
        x = unsampled(x)  # no sample crosses a kink
        if np.iscomplexobj(x):
            refuse_at(np.abs(x.real) <= WIDE * np.abs(x.imag) + 1e-280, x, "at a kink")
            x = x.real
        sign: Array = np.where(x == x, (x > 0) * 1 - (x < 0) * 1, x)
        return sign

    def positive(self, x: Any) -> Array:
        """Which are positive, apart from infinitesimals; smooth rows choose between equal formulas by it."""
        while isinstance(x, Dual):
            x = x.value
        x = unsampled(x)
        positive: Array = (x.real if np.iscomplexobj(x) else x) > 0
        return positive

    def indicator(self, mask: Array) -> Array:
        """1 where the mask is true, 0 elsewhere."""
        return self.constant(1.0) * mask

    def choose(self, mask: Array, x: Any, y: Any) -> Any:
        """`x` where the mask is true, `y` elsewhere."""
        if isinstance(x, Dual) or isinstance(y, Dual):
            x, y = lifted(x), lifted(y)
            return Dual(self.choose(mask, x.value, y.value), self.choose(mask, x.slope, y.slope))
        return np.where(mask, x, y)

    def power(self, x: Any, y: Any) -> Any:
        """x^y; as exp(y log x) if y is not a constant."""
        if isinstance(y, Dual):
            x = lifted(x)
            z = self.power(x.value, y.value)
            flat = (self.sign(x.value) == 0) & (self.sign(y.value) > (0 if self.sided else -1))  # 0^y is 0 around y
            by_y = self.choose(flat, 0, z * self.function("log", x.value))
            return Dual(z, _times(by_y, y.slope) + _times(self._power_slope(x.value, y.value), x.slope))
        if isinstance(x, Dual):
            return Dual(self.power(x.value, y), _times(self._power_slope(x.value, y), x.slope))
        if np.iscomplexobj(x):
            whole = (y.real % 1.0 == 0.0) & (y.imag == 0.0)
            refuse_at((x.real <= WIDE * abs(x.imag)) & ~whole, x + y, "at the end of the domain of a power")
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
        other = lifted(other)
        return Dual(self.value + other.value, self.slope + other.slope)

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.slope)

    def __sub__(self, other: Any) -> Dual:
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> Dual:
        return (-self).__add__(other)

    def __mul__(self, other: Any) -> Dual:
        other = lifted(other)
        return Dual(self.value * other.value, _times(self.value, other.slope) + _times(other.value, self.slope))

    def __truediv__(self, other: Any) -> Dual:
        other = lifted(other)
        quotient = self.value / other.value
        return Dual(quotient, self.slope / other.value - _times(quotient / other.value, other.slope))

    def __rtruediv__(self, other: Any) -> Dual:
        return lifted(other).__truediv__(self)

    __radd__, __rmul__ = __add__, __mul__


def lifted(x: Any) -> Dual:
    """`x` as a dual number."""
    return x if isinstance(x, Dual) else Dual(x, 0)


def _times(factor: Any, slope: Any) -> Any:
    """factor * slope; a slope of exactly 0 means that nothing moves, so it wins over an infinite factor."""
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
    "arcsin": lambda m, x: 1 / m.function("sqrt", 1 - x * x),
    "arctan": lambda m, x: 1 / (1 + x * x),
    "sinh":   lambda m, x: m.function("cosh", x),
    "cosh":   lambda m, x: m.function("sinh", x),
    "tanh":   lambda m, x: 1 / _cosh_squared(m, x),
}
"""The elementary functions, with their derivatives as in a textbook."""

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
"""Every row of the table but `detach`, which makes a constant.

Your own row is checked by its values alone until it has a definition here.  An elementary function also needs its
derivative in `SLOPES`.  An example: ``TEXTBOOK["arccos"] = lambda m, x: m.constant(pi / 2) - m.function("arcsin", x)``.
"""
# fmt: on


# ---- Where complex functions end -------------------------------------------------------------------------------------

WIDE = 1e20
"""A number is as good as 0 if it is not this many times the step."""


def refuse_at(mask: Array, x: Array, where: str) -> None:
    """Declines the complex step where the mask is true, for numbers that the step moves."""
    moved = (x.imag != 0.0) | ((x.real != 0.0) & (np.abs(x.real) < 1e-280))  # or a square of the step
    if np.any(mask & moved):
        raise DeclinedError(f"{where} there is no complex step")
