"""THE TABLE: one row per primitive, with its local derivatives written once.

A row is data.  Every interpreter (evaluate, differentiate, draw, ...) reads the same rows.  To add a primitive, write
a function of floats in `primitives` and a row here.  The checker, which does not trust the table, asks for one more
thing: a textbook definition, in `check.textbook`.

The partials are plain derivatives, ``d(out)/d(input)``, as functions of ``(z, x, ...)``, where ``z`` is the output
and ``x, y`` are the inputs.  They are written with ``+ - *`` and calls of other rows; division and powers are called
as rows (``DIV(1.0, x)``) because Python's own ``/`` and ``**`` raise where IEEE 754 has an answer.  Calling a row
dispatches on what it is given, so the same line works on floats, on NumPy arrays and on Values.  The table is
closed: every partial is made of rows of the table.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol, TypeAlias, TypeVar, overload

import numpy as np

from . import primitives as kernels
from .conversions import as_float, as_floats, elementwise, unboxed

# The precedence of a row's notation, loosest first: x + y, -x, x / y, x y, x^y, f(x).
SUM, SIGNED, QUOTIENT, PRODUCT, POWER, CALL = range(1, 7)

REALS = (-inf, inf)
"""The domain of most rows."""

Array: TypeAlias = "np.ndarray[Any, Any]"
R = TypeVar("R", bound="Recorder")


class Recorder(Protocol):
    """What rows are recorded on, such as `autograd.Value`."""

    @staticmethod
    def __record__(op: Op, operands: Sequence[Any], /) -> Any:
        """What ``op(*operands)`` is."""


@dataclass(frozen=True, eq=False, repr=False)
class Op:
    """A primitive: a row of the table, and a function of floats, arrays and Values.

    ``forward`` works on floats and ``ufunc`` on NumPy arrays, elementwise; both follow IEEE 754 and never raise.
    ``partials`` holds one derivative per input; ``None`` says that there is none to take, as in a condition.

    The other fields are facts that features read; a row names those in which it differs from most:

    - ``latex`` is a template with one field per input, ``precedence`` says how tightly it binds.
    - A ``gate`` selects rather than multiplies: where a partial of it is exactly 0, that input receives exactly 0, even
      from an infinite adjoint.  A gate is ``flat`` if its partials are 0 everywhere.
    - ``domain`` holds an interval for each input; outside of them the row is NaN or not smooth.  Where ``kink`` of the
      inputs is 0, a derivative jumps; where ``pole`` is 0, the row is infinite.
    - ``symbol`` is the row's operator in Python, ``why_zero`` the reason why a derivative of it can be 0.  After an
      ``activation``, a person who computes by hand writes the result down under a name.

    >>> from autograd import exp, relu
    >>> relu(-3.0), exp(1000)
    (0.0, inf)
    >>> exp(np.array([0.0, -np.inf]))
    array([1., 0.])
    >>> exp("1")
    Traceback (most recent call last):
    TypeError: '1' (str) is not a real number; give an int, a float or a NumPy scalar
    """

    name: str
    forward: Callable[..., float]
    ufunc: Callable[..., Any]
    partials: tuple[Callable[..., Any] | None, ...]
    latex: str = ""
    precedence: int = CALL
    gate: bool = False
    flat: bool = False
    activation: bool = False
    symbol: str = ""
    domain: tuple[tuple[float, float], ...] = ()
    kink: Callable[..., float] | None = None
    pole: Callable[..., float] | None = None
    why_zero: str = "the derivative of {z} with respect to {x} = {xn} is 0"
    pull = None
    """The row's part of `generated.sweep`; None if it stands in the loop there, or the row is not of the table."""

    def __post_init__(self) -> None:
        inputs = len(self.partials)
        if not self.latex:
            fields = ", ".join(["{}"] * inputs)
            object.__setattr__(self, "latex", rf"\operatorname{{{{{self.name}}}}}({fields})")
        if not self.domain:
            object.__setattr__(self, "domain", (REALS,) * inputs)

    def is_at_kink(self, *inputs: float) -> bool:
        """Whether a derivative of the row jumps at these inputs, so that it is chosen by rule.

        >>> ABS.is_at_kink(0.0), MAXIMUM.is_at_kink(2.0, 3.0), EXP.is_at_kink(0.0)
        (True, False, False)
        """
        return self.kink is not None and self.kink(*inputs) == 0.0

    @overload
    def __call__(self, *operands: float) -> float: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, *operands: R | float) -> R: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, *operands: R | float | Array) -> Array: ...
    def __call__(self, *operands: Any) -> Any:
        """The row on floats, elementwise on arrays, recorded on Values."""
        if len(operands) != len(self.partials):
            raise TypeError(f"{self.name} takes {len(self.partials)} operands, {len(operands)} were given")
        for operand in operands:
            if operand.__class__ is not float:
                record = getattr(operand.__class__, "__record__", None)
                return record(self, operands) if record and len(operands) == 1 else self._dispatch(operands)
        return self.forward(*operands)

    def _dispatch(self, operands: tuple[Any, ...]) -> Any:
        kinds = [x.__class__ for x in operands if x.__class__ is not float]
        if all(hasattr(kind, "__record__") for kind in kinds):
            return kinds[0].__record__(self, operands)
        operands = tuple([unboxed(x) for x in operands])
        record = next((type(x).__record__ for x in operands if hasattr(type(x), "__record__")), None)
        arrays = [x for x in operands if isinstance(x, np.ndarray) and x.ndim]
        if arrays and (record or any(x.dtype == object for x in arrays)):
            return elementwise(self, operands)
        if arrays:
            with np.errstate(all="ignore"):
                return self.ufunc(*map(as_floats, operands))
        if record:
            return record(self, operands)
        return self.forward(*map(as_float, operands))

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> str:  # pickled by name: the row is looked up, never copied
        return self.name.upper()


class Operators:
    """Python's operators by way of the table, for what is to go through partials: they are written with + - *.

    >>> class Name(Operators, str):
    ...     @staticmethod
    ...     def __record__(op, operands):
    ...         return Name(f"{op.name}({', '.join(map(str, operands))})")
    >>> TABLE["tanh"].partials[0](Name("z"), Name("x"))
    'sub(1.0, mul(z, z))'
    """

    @staticmethod
    def __record__(op: Op, operands: Sequence[Any], /) -> Any:
        raise NotImplementedError("say what a row is recorded as")

    def __add__(self, other: Any) -> Any:
        return ADD(self, other)

    def __radd__(self, other: Any) -> Any:
        return ADD(other, self)

    def __sub__(self, other: Any) -> Any:
        return SUB(self, other)

    def __rsub__(self, other: Any) -> Any:
        return SUB(other, self)

    def __mul__(self, other: Any) -> Any:
        return MUL(self, other)

    def __rmul__(self, other: Any) -> Any:
        return MUL(other, self)

    def __neg__(self) -> Any:
        return NEG(self)


TABLE: dict[str, Op] = {}


def _row(
    kernel: Callable[..., float], ufunc: Callable[..., Any], partials: tuple[Callable[..., Any] | None, ...],
    latex: str = "", precedence: int = CALL, **facts: Any,
) -> Op:  # fmt: skip
    TABLE[kernel.__name__] = op = Op(kernel.__name__, kernel, ufunc, partials, latex, precedence, **facts)
    # For help(): each row is a function of its own.
    inputs = list(inspect.signature(kernel).parameters)
    parameters = [inspect.Parameter(x, inspect.Parameter.POSITIONAL_ONLY) for x in inputs]
    object.__setattr__(op, "__signature__", inspect.Signature(parameters))
    takes = f"{op.name}({', '.join(inputs)}), of numbers, of arrays (elementwise) and of Values (recorded)."
    object.__setattr__(op, "__doc__", f"{takes}\n\n{inspect.cleandoc(kernel.__doc__ or '')}")
    return op


_SATURATED = "{z} is saturated at {x} = {xn}: its derivative rounds to 0"

# fmt: off
ADD: Op = _row(kernels.add, np.add,      (lambda z, x, y: 1.0, lambda z, x, y: 1.0),  "{} + {}", SUM, symbol="+")
SUB: Op = _row(kernels.sub, np.subtract, (lambda z, x, y: 1.0, lambda z, x, y: -1.0), "{} - {}", SUM, symbol="-")
MUL: Op = _row(kernels.mul, np.multiply, (lambda z, x, y: y,   lambda z, x, y: x),    r"{} \, {}", PRODUCT, symbol="*",
               why_zero="{z} multiplies by {other}, which is 0")
DIV: Op = _row(kernels.div, np.true_divide,
               (lambda z, x, y: DIV(1.0, y), lambda z, x, y: -DIV(z, y)), r"\frac{{{}}}{{{}}}", symbol="/",
               pole=lambda x, y: y)
NEG: Op = _row(kernels.neg, np.negative, (lambda z, x: -1.0,), "-{}", SIGNED, symbol="-")
# x ** 0 has derivative 0 in x, also at 0, at NaN and where 1 / x overflows, but a slope in y.  log(x) counts where x is
# not 0, or 0 ** y is infinite.
POW: Op = _row(kernels.pow, kernels.pow_array,
               (lambda z, x, y: WHERE(y, y * POW(x, y - 1.0), y * WHERE(STEP(ABS(x) - 6e-309), POW(x, y - 1.0), 0.0)),
                lambda z, x, y: WHERE(ABS(x) + STEP(-y), z * LOG(x), 0.0)), "{}^{{{}}}", POWER, symbol="**",
               domain=((0.0, inf), REALS))

ABS:   Op = _row(kernels.abs,   np.abs,             (lambda z, x: SIGN(x),), "|{}|", kink=lambda x: x)
SIGN:  Op = _row(kernels.sign,  np.sign,            (lambda z, x: 0.0,), gate=True, flat=True, kink=lambda x: x,
                 why_zero="{z} is a sign, flat everywhere")
STEP:  Op = _row(kernels.step,  kernels.step_array, (lambda z, x: 0.0,), gate=True, flat=True, kink=lambda x: x,
                 why_zero="{z} is a step, flat everywhere", activation=True)
EQUAL: Op = _row(kernels.equal, kernels.equal_array, (lambda z, x, y: 0.0, lambda z, x, y: 0.0), "[{} = {}]",
                 gate=True, flat=True, kink=lambda x, y: x - y, why_zero="{z} is 0 or 1, flat everywhere")

EXP:   Op = _row(kernels.exp,   np.exp,   (lambda z, x: z,), "e^{{{}}}", POWER,
                 why_zero="{z} has underflowed to 0 at {x} = {xn}")
EXPM1: Op = _row(kernels.expm1, np.expm1, (lambda z, x: EXP(x),))
LOG:   Op = _row(kernels.log,   np.log,   (lambda z, x: DIV(1.0, x),),       r"\ln({})",     domain=((0.0, inf),))
LOG1P: Op = _row(kernels.log1p, np.log1p, (lambda z, x: DIV(1.0, 1.0 + x),), r"\ln(1 + {})", domain=((-1.0, inf),))
# The power rule, not 1 / (2 z): at -0.0 it is +inf too.
SQRT:  Op = _row(kernels.sqrt,  np.sqrt,  (lambda z, x: 0.5 * POW(x, -0.5),), r"\sqrt{{{}}}", domain=((0.0, inf),))

SIN:    Op = _row(kernels.sin,    np.sin,    (lambda z, x: COS(x),), r"\sin({})")
COS:    Op = _row(kernels.cos,    np.cos,    (lambda z, x: -SIN(x),), r"\cos({})")
TAN:    Op = _row(kernels.tan,    np.tan,    (lambda z, x: 1.0 + z * z,), r"\tan({})", pole=lambda x: COS(x))
ARCSIN: Op = _row(kernels.arcsin, np.arcsin, (lambda z, x: DIV(1.0, SQRT((1.0 - x) * (1.0 + x))),), r"\arcsin({})",
                  domain=((-1.0, 1.0),))
ARCTAN: Op = _row(kernels.arctan, np.arctan, (lambda z, x: DIV(1.0, 1.0 + x * x),), r"\arctan({})", activation=True)

SINH: Op = _row(kernels.sinh, np.sinh, (lambda z, x: COSH(x),), r"\sinh({})")
COSH: Op = _row(kernels.cosh, np.cosh, (lambda z, x: SINH(x),), r"\cosh({})")
TANH: Op = _row(kernels.tanh, np.tanh, (lambda z, x: 1.0 - z * z,), r"\tanh({})", activation=True, why_zero=_SATURATED)

SIGMOID:  Op = _row(kernels.sigmoid,  kernels.sigmoid_array,  (lambda z, x: z * (1.0 - z),), r"\sigma({})",
                    activation=True, why_zero=_SATURATED)
SOFTPLUS: Op = _row(kernels.softplus, kernels.softplus_array, (lambda z, x: SIGMOID(x),),
                    activation=True, why_zero=_SATURATED)
RELU:     Op = _row(kernels.relu,     kernels.relu_array,     (lambda z, x: STEP(x),), gate=True, kink=lambda x: x,
                    activation=True, why_zero="{z} is off, because {x} = {xn} is not positive")

# 1 where the input wins, 0 where it loses, 1/2 at a tie (of infinities too: their difference is NaN, step(NaN) is 0).
MAXIMUM: Op = _row(kernels.maximum, kernels.maximum_array,
                   (lambda z, x, y: WHERE(STEP(x - y), 1.0, WHERE(STEP(y - x), 0.0, 0.5)),
                    lambda z, x, y: WHERE(STEP(y - x), 1.0, WHERE(STEP(x - y), 0.0, 0.5))), r"\max({}, {})", gate=True,
                   kink=lambda x, y: x - y, why_zero="{z} took {other}, not {x} = {xn}")
MINIMUM: Op = _row(kernels.minimum, kernels.minimum_array,
                   (lambda z, x, y: WHERE(STEP(y - x), 1.0, WHERE(STEP(x - y), 0.0, 0.5)),
                    lambda z, x, y: WHERE(STEP(x - y), 1.0, WHERE(STEP(y - x), 0.0, 0.5))), r"\min({}, {})", gate=True,
                   kink=lambda x, y: x - y, why_zero="{z} took {other}, not {x} = {xn}")
# where(condition, x, y) is x unless the condition is 0.
WHERE:   Op = _row(kernels.where, np.where,
                   (None, lambda z, c, x, y: WHERE(c, 1.0, 0.0), lambda z, c, x, y: WHERE(c, 0.0, 1.0)), gate=True,
                   why_zero="{z} took the other branch")
# The identity with derivative 0: the graph goes on, the gradient stops.
DETACH:  Op = _row(kernels.detach, np.copy, (lambda z, x: 0.0,), gate=True, flat=True,
                   why_zero="{z} is detached, so no derivative passes")
# fmt: on

FLAT = frozenset(op for op in TABLE.values() if op.flat)
"""The rows whose partials are 0 everywhere."""

ACTIVATIONS = frozenset(op for op in TABLE.values() if op.activation)
"""The rows after whose input, a sum, a person stops and gives it a name: z, then a."""
