"""What each primitive computes: one function of floats for each row of the table, named as the row.

They follow IEEE 754 and never raise: where `math` raises, they return the infinity or the NaN.  Their docstrings are
the rows' own, `help(autograd.softplus)`.  The compiler writes their bodies into the programs it prints, so each body
is written once, in plain Python: one expression wherever possible.

At the end are functions of arrays, for rows that NumPy lacks, or computes differently at special values.
"""

from __future__ import annotations

import math
from math import inf, nan
from typing import Any

import numpy as np

# ---- Arithmetic -----------------------------------------------------------------------------------------------------


def add(x: float, y: float) -> float:
    """The sum x + y.

    Derivatives: 1 in x, 1 in y.

    >>> add(0.5, 2.0)
    2.5
    """
    return x + y


def sub(x: float, y: float) -> float:
    """The difference x - y.

    Derivatives: 1 in x, -1 in y.

    >>> sub(0.5, 2.0)
    -1.5
    """
    return x - y


def mul(x: float, y: float) -> float:
    """The product x * y.

    Derivatives: y in x, x in y.

    >>> mul(0.5, 3.0), mul(0.0, inf)
    (1.5, nan)
    """
    return x * y


def div(x: float, y: float) -> float:
    """The quotient x / y.

    Derivatives: 1 / y in x, -x / y^2 in y.  A number over 0 is infinite, with its sign; 0 / 0 is NaN.

    >>> div(1.0, 4.0), div(1.0, 0.0), div(1.0, -0.0), div(0.0, 0.0)
    (0.25, inf, -inf, nan)
    """
    try:
        return x / y
    except ZeroDivisionError:
        return x * math.copysign(inf, y)


def neg(x: float) -> float:
    """The negative of x, -x.

    Derivative: -1.

    >>> neg(3.0), neg(0.0)
    (-3.0, -0.0)
    """
    return -x


def pow(x: float, y: float) -> float:
    """The power x^y.

    Derivatives: y x^(y-1) in x, x^y log(x) in y.  A negative x to a power that is not whole is NaN.  x^0 is 1 for
    every x, also NaN, and its derivative in x is 0.  0^-1 is infinite.  The derivative in y is NaN where x is
    negative; where x is 0, it is 0 for y >= 0 and -inf for y < 0.

    >>> pow(2.0, 3.0), pow(-8.0, 3.0), pow(-8.0, 0.5), pow(nan, 0.0), pow(0.0, -1.0)
    (8.0, -512.0, nan, 1.0, inf)
    """
    try:
        return math.pow(x, y)
    except (ValueError, OverflowError):
        return nan if x < 0.0 and y % 1.0 else math.copysign(inf, x) if math.fabs(y) % 2.0 == 1.0 else inf


# ---- Signs and comparisons ------------------------------------------------------------------------------------------


def abs(x: float) -> float:
    """The absolute value |x|.

    Derivative: sign(x), so 0 at 0.

    >>> abs(-3.0)
    3.0
    """
    return math.fabs(x)


def sign(x: float) -> float:
    """The sign of x: -1, 0 or 1.

    Derivative: 0, also at 0, where the sign jumps.  The sign of NaN is NaN.

    >>> sign(-3.0), sign(0.0), sign(inf)
    (-1.0, 0.0, 1.0)
    """
    return 1.0 if x > 0.0 else -1.0 if x < 0.0 else 0.0 if x == 0.0 else x


def step(x: float) -> float:
    """The step: 1 where x is positive, else 0.

    Derivative: 0, also at 0, where it jumps.  The step is 0 at 0 and for NaN.

    >>> step(0.5), step(0.0), step(-2.0)
    (1.0, 0.0, 0.0)
    """
    return 1.0 if x > 0.0 else 0.0


def equal(x: float, y: float) -> float:
    """Whether two numbers are equal: 1 if so, else 0.

    Derivatives: 0 in both, also where x = y.  NaN equals nothing; 0.0 equals -0.0.

    >>> equal(2.0, 2.0), equal(2.0, 3.0), equal(nan, nan)
    (1.0, 0.0, 0.0)
    """
    return 1.0 if x == y else 0.0


# ---- Exponentials, logarithms and roots -----------------------------------------------------------------------------


def exp(x: float) -> float:
    """The exponential e^x.

    Derivative: e^x.  Above 709.78 it overflows to inf.

    >>> exp(1.0), exp(710.0), exp(-inf)
    (2.718281828459045, inf, 0.0)
    """
    try:
        return math.exp(x)
    except OverflowError:
        return inf


def expm1(x: float) -> float:
    """e^x - 1, exact to rounding also where x is tiny.

    Derivative: e^x.

    >>> expm1(1e-10), exp(1e-10) - 1.0
    (1.00000000005e-10, 1.000000082740371e-10)
    """
    try:
        return math.expm1(x)
    except OverflowError:
        return inf


def log(x: float) -> float:
    """The natural logarithm of x.

    Derivative: 1 / x.  At 0 it is -inf, with derivative inf.  Below 0 it is NaN, though the formula of its derivative
    still gives 1 / x.

    >>> log(1.0), log(0.0), log(-1.0)
    (0.0, -inf, nan)
    """
    try:
        return math.log(x)
    except ValueError:
        return -inf if x == 0.0 else nan


def log1p(x: float) -> float:
    """log(1 + x), exact to rounding also where x is tiny.

    Derivative: 1 / (1 + x).  At -1 it is -inf, with derivative inf; below, NaN.

    >>> log1p(1e-10), log1p(-1.0), log1p(-2.0)
    (9.999999999500001e-11, -inf, nan)
    """
    try:
        return math.log1p(x)
    except ValueError:
        return -inf if x == -1.0 else nan


def sqrt(x: float) -> float:
    """The square root of x.

    Derivative: 1 / (2 sqrt(x)).  At 0 the derivative is inf.  Below 0 the root is NaN.

    >>> sqrt(9.0), sqrt(0.0), sqrt(-1.0)
    (3.0, 0.0, nan)
    """
    try:
        return math.sqrt(x)
    except ValueError:
        return nan


# ---- Trigonometric and hyperbolic functions -------------------------------------------------------------------------


def sin(x: float) -> float:
    """The sine of x, an angle in radians.

    Derivative: cos(x).  At infinity both are NaN.

    >>> sin(0.0), sin(math.pi / 2), sin(inf)
    (0.0, 1.0, nan)
    """
    try:
        return math.sin(x)
    except ValueError:
        return nan


def cos(x: float) -> float:
    """The cosine of x, an angle in radians.

    Derivative: -sin(x).  At infinity both are NaN.

    >>> cos(0.0), cos(math.pi), cos(inf)
    (1.0, -1.0, nan)
    """
    try:
        return math.cos(x)
    except ValueError:
        return nan


def tan(x: float) -> float:
    """The tangent of x, an angle in radians.

    Derivative: 1 + tan(x)^2.  At infinity both are NaN.

    >>> tan(0.0), tan(inf)
    (0.0, nan)
    """
    try:
        return math.tan(x)
    except ValueError:
        return nan


def arcsin(x: float) -> float:
    """The angle, in radians between -pi/2 and pi/2, whose sine is x.

    Derivative: 1 / sqrt(1 - x^2).  At -1 and 1 the derivative is inf.  Where |x| is above 1, both are NaN.

    >>> arcsin(0.5), arcsin(1.0), arcsin(1.5)
    (0.5235987755982989, 1.5707963267948966, nan)
    """
    try:
        return math.asin(x)
    except ValueError:
        return nan


def arctan(x: float) -> float:
    """The angle, in radians between -pi/2 and pi/2, whose tangent is x.

    Derivative: 1 / (1 + x^2).

    >>> arctan(1.0), arctan(inf)
    (0.7853981633974483, 1.5707963267948966)
    """
    return math.atan(x)


def sinh(x: float) -> float:
    """The hyperbolic sine, (e^x - e^-x) / 2.

    Derivative: cosh(x).  Where |x| is above 710.47 it overflows to inf or -inf.

    >>> sinh(0.0), sinh(-1000.0)
    (0.0, -inf)
    """
    try:
        return math.sinh(x)
    except OverflowError:
        return math.copysign(inf, x)


def cosh(x: float) -> float:
    """The hyperbolic cosine, (e^x + e^-x) / 2.

    Derivative: sinh(x).  Where |x| is above 710.47 it overflows to inf.

    >>> cosh(0.0), cosh(-1000.0)
    (1.0, inf)
    """
    try:
        return math.cosh(x)
    except OverflowError:
        return inf


def tanh(x: float) -> float:
    """The hyperbolic tangent, (e^x - e^-x) / (e^x + e^-x): a number between -1 and 1.

    Derivative: 1 - tanh(x)^2, which rounds to 0 where |x| is above 19.

    >>> tanh(0.0), tanh(-1000.0)
    (0.0, -1.0)
    """
    return math.tanh(x)


# ---- Activations ----------------------------------------------------------------------------------------------------


def sigmoid(x: float) -> float:
    """The logistic function 1 / (1 + e^-x): a number between 0 and 1.

    Derivative: sigmoid(x) (1 - sigmoid(x)), which rounds to 0 where x is above 37.  Nothing overflows: only e^-|x| is
    computed.  To have the logarithm of a sigmoid, write -softplus(-x), which stays exact.

    >>> sigmoid(0.0), sigmoid(-1000.0), sigmoid(1000.0)
    (0.5, 0.0, 1.0)
    """
    e = math.exp(-math.fabs(x))
    return (e if x < 0.0 else 1.0) / (1.0 + e)


def softplus(x: float) -> float:
    """The smooth relu log(1 + e^x), computed as max(x, 0) + log(1 + e^-|x|), which does not overflow.

    Derivative: sigmoid(x).  At -inf, softplus and its derivative are 0.  At inf it is inf, with derivative 1.

    >>> softplus(0.0), softplus(1000.0), softplus(-40.0)
    (0.6931471805599453, 1000.0, 4.248354255291589e-18)
    """
    return max(x, 0.0) + math.log1p(math.exp(-math.fabs(x)))


def relu(x: float) -> float:
    """The rectifier max(x, 0).

    Derivative: 1 where x is positive, else 0; at 0 it is 0.  relu(NaN) is NaN, with derivative 0.

    >>> relu(2.5), relu(-2.5), relu(-0.0)
    (2.5, 0.0, 0.0)
    """
    return x if x > 0.0 or x != x else 0.0


# ---- Choices --------------------------------------------------------------------------------------------------------


def maximum(x: float, y: float) -> float:
    """The larger of two numbers.

    Derivatives: 1 in the larger number, 0 in the other; at a tie 1/2 in both.  NaN in either gives NaN.

    >>> maximum(1.0, 2.0), maximum(nan, 2.0)
    (2.0, nan)
    """
    return x if x >= y or x != x else y


def minimum(x: float, y: float) -> float:
    """The smaller of two numbers.

    Derivatives: 1 in the smaller number, 0 in the other; at a tie 1/2 in both.  NaN in either gives NaN.

    >>> minimum(1.0, 2.0), minimum(nan, 2.0)
    (1.0, nan)
    """
    return x if x <= y or x != x else y


def where(condition: float, x: float, y: float) -> float:
    """x where the condition is not 0, else y.

    Derivatives: 1 in the number taken, 0 in the other, even if that one is infinite or NaN; none in the condition.

    >>> where(1.0, 2.0, 3.0), where(0.0, 2.0, 3.0)
    (2.0, 3.0)
    """
    return x if condition else y


def detach(x: float) -> float:
    """x itself, but as a constant: no derivative passes.

    Derivative: 0, by definition.

    >>> detach(3.0)
    3.0
    """
    return x


# ---- The same of arrays ---------------------------------------------------------------------------------------------


def pow_array(x: Any, y: Any) -> Any:
    """`pow`; NumPy takes roots where every exponent is 0.5, and a root is another number at -0.0 and -inf."""
    z = np.where((y == 0.5) & ((x == 0.0) | (x == -inf)), np.abs(x), x)  # where NumPy would take a root of it
    return z**y


def step_array(x: Any) -> Any:
    """`step`; np.heaviside(NaN, 0) is NaN."""
    return np.where(x > 0.0, 1.0, 0.0)


def equal_array(x: Any, y: Any) -> Any:
    """`equal`; np.equal gives bools."""
    return np.where(x == y, 1.0, 0.0)


def sigmoid_array(x: Any) -> Any:
    """`sigmoid`, which NumPy does not have."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0.0, e, 1.0) / (1.0 + e)


def softplus_array(x: Any) -> Any:
    """`softplus`, which NumPy does not have; np.logaddexp(0, x) warns at infinity."""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def relu_array(x: Any) -> Any:
    """`relu`, which NumPy does not have; np.maximum(-0.0, 0.0) may be -0.0, and adding 0.0 makes it 0.0."""
    return np.maximum(x, 0.0) + 0.0  # never -0.0


def maximum_array(x: Any, y: Any) -> Any:
    """`maximum`; np.maximum leaves the sign of max(-0.0, 0.0) to the processor."""
    return np.where((x >= y) | np.isnan(x), x, y)


def minimum_array(x: Any, y: Any) -> Any:
    """`minimum`; np.minimum leaves the sign of min(-0.0, 0.0) to the processor."""
    return np.where((x <= y) | np.isnan(x), x, y)
