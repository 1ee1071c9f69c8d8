# mypy: disable-error-code="no-any-return"
"""Written by ``python -m autograd.generator`` from the table: do not edit.

`Recorders` has the methods of `Value` that record a row, each without a call that is not the row's own.  `sweep` is
`chain_rule` for the rows of the table.  Both read and write the slots of nodes (see `Value`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from math import inf, nan
from typing import Any, Generic, TypeVar

from . import primitives, recording
from .ops import (
    TABLE, ADD, SUB, MUL, DIV, NEG, POW, ABS, SIGN, STEP, EQUAL, EXP, EXPM1, LOG, LOG1P, SQRT, SIN, COS, TAN,
    ARCSIN, ARCTAN, SINH, COSH, TANH, SIGMOID, SOFTPLUS, RELU, MAXIMUM, MINIMUM, WHERE, DETACH,
)

V = TypeVar("V")
Value: Any = None
"""The class of the nodes, which derives from `Recorders`, and which its module puts here."""
new = object.__new__


class Recorders(Generic[V]):
    """Each row of the table as a method that makes a node `V`."""

    __slots__ = ()
    _number: float
    __infix__: Any
    __node__: Any

    @staticmethod
    def __record__(op: Any, operands: Any, /) -> Any: raise NotImplementedError

    def __add__(self, other: Any) -> V:
        if other.__class__ is Value: y = other._number
        elif other.__class__ is float: y = other; other = None
        else: return self.__infix__(ADD, self, other)
        x = self._number; z = x + y
        if recording.open_blocks: return self.__node__(ADD, (self, other), z, (x, y))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = ADD
        n._x = self; n._y = other; n._xd = x; n._yd = y; n._more = n._sweep = None; return n

    def __radd__(self, x: Any) -> V:
        if x.__class__ is not float: return self.__infix__(ADD, x, self)
        y = self._number; z = x + y
        if recording.open_blocks: return self.__node__(ADD, (None, self), z, (x, y))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = ADD
        n._y = self; n._xd = x; n._yd = y; n._x = n._more = n._sweep = None; return n

    def __sub__(self, other: Any) -> V:
        if other.__class__ is Value: y = other._number
        elif other.__class__ is float: y = other; other = None
        else: return self.__infix__(SUB, self, other)
        x = self._number; z = x - y
        if recording.open_blocks: return self.__node__(SUB, (self, other), z, (x, y))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = SUB
        n._x = self; n._y = other; n._xd = x; n._yd = y; n._more = n._sweep = None; return n

    def __rsub__(self, x: Any) -> V:
        if x.__class__ is not float: return self.__infix__(SUB, x, self)
        y = self._number; z = x - y
        if recording.open_blocks: return self.__node__(SUB, (None, self), z, (x, y))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = SUB
        n._y = self; n._xd = x; n._yd = y; n._x = n._more = n._sweep = None; return n

    def __mul__(self, other: Any) -> V:
        if other.__class__ is Value: y = other._number
        elif other.__class__ is float: y = other; other = None
        else: return self.__infix__(MUL, self, other)
        x = self._number; z = x * y
        if recording.open_blocks: return self.__node__(MUL, (self, other), z, (x, y))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = MUL
        n._x = self; n._y = other; n._xd = x; n._yd = y; n._more = n._sweep = None; return n

    def __rmul__(self, x: Any) -> V:
        if x.__class__ is not float: return self.__infix__(MUL, x, self)
        y = self._number; z = x * y
        if recording.open_blocks: return self.__node__(MUL, (None, self), z, (x, y))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = MUL
        n._y = self; n._xd = x; n._yd = y; n._x = n._more = n._sweep = None; return n

    def __truediv__(self, other: Any) -> V:
        if other.__class__ is Value: y = other._number
        elif other.__class__ is float: y = other; other = None
        else: return self.__infix__(DIV, self, other)
        x = self._number
        try: z = x / y
        except ZeroDivisionError: z = x * math.copysign(inf, y)
        if recording.open_blocks: return self.__node__(DIV, (self, other), z, (x, y))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = DIV
        n._x = self; n._y = other; n._xd = x; n._yd = y; n._more = n._sweep = None; return n

    def __rtruediv__(self, x: Any) -> V:
        if x.__class__ is not float: return self.__infix__(DIV, x, self)
        y = self._number
        try: z = x / y
        except ZeroDivisionError: z = x * math.copysign(inf, y)
        if recording.open_blocks: return self.__node__(DIV, (None, self), z, (x, y))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = DIV
        n._y = self; n._xd = x; n._yd = y; n._x = n._more = n._sweep = None; return n

    def neg(self) -> V:
        x = self._number; z = -x
        if recording.open_blocks: return self.__node__(NEG, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = NEG
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n
    __neg__ = neg

    def __pow__(self, other: Any) -> V:
        if other.__class__ is Value: y = other._number
        elif other.__class__ is float: y = other; other = None
        else: return self.__infix__(POW, self, other)
        x = self._number
        try: z = math.pow(x, y)
        except (ValueError, OverflowError): z = nan if x < 0.0 and y % 1.0 else math.copysign(inf, x) if math.fabs(y) % 2.0 == 1.0 else inf
        if recording.open_blocks: return self.__node__(POW, (self, other), z, (x, y))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = POW
        n._x = self; n._y = other; n._xd = x; n._yd = y; n._more = n._sweep = None; return n

    def __rpow__(self, x: Any) -> V:
        if x.__class__ is not float: return self.__infix__(POW, x, self)
        y = self._number
        try: z = math.pow(x, y)
        except (ValueError, OverflowError): z = nan if x < 0.0 and y % 1.0 else math.copysign(inf, x) if math.fabs(y) % 2.0 == 1.0 else inf
        if recording.open_blocks: return self.__node__(POW, (None, self), z, (x, y))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = POW
        n._y = self; n._xd = x; n._yd = y; n._x = n._more = n._sweep = None; return n

    def abs(self) -> V:
        x = self._number; z = math.fabs(x)
        if recording.open_blocks: return self.__node__(ABS, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = ABS
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n
    __abs__ = abs

    def sign(self) -> V:
        x = self._number; z = 1.0 if x > 0.0 else -1.0 if x < 0.0 else 0.0 if x == 0.0 else x
        if recording.open_blocks: return self.__node__(SIGN, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = SIGN
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def step(self) -> V:
        x = self._number; z = 1.0 if x > 0.0 else 0.0
        if recording.open_blocks: return self.__node__(STEP, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = STEP
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def exp(self) -> V:
        x = self._number
        try: z = math.exp(x)
        except OverflowError: z = inf
        if recording.open_blocks: return self.__node__(EXP, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = EXP
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def expm1(self) -> V:
        x = self._number
        try: z = math.expm1(x)
        except OverflowError: z = inf
        if recording.open_blocks: return self.__node__(EXPM1, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = EXPM1
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def log(self) -> V:
        x = self._number
        try: z = math.log(x)
        except ValueError: z = -inf if x == 0.0 else nan
        if recording.open_blocks: return self.__node__(LOG, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = LOG
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def log1p(self) -> V:
        x = self._number
        try: z = math.log1p(x)
        except ValueError: z = -inf if x == -1.0 else nan
        if recording.open_blocks: return self.__node__(LOG1P, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = LOG1P
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def sqrt(self) -> V:
        x = self._number
        try: z = math.sqrt(x)
        except ValueError: z = nan
        if recording.open_blocks: return self.__node__(SQRT, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = SQRT
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def sin(self) -> V:
        x = self._number
        try: z = math.sin(x)
        except ValueError: z = nan
        if recording.open_blocks: return self.__node__(SIN, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = SIN
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def cos(self) -> V:
        x = self._number
        try: z = math.cos(x)
        except ValueError: z = nan
        if recording.open_blocks: return self.__node__(COS, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = COS
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def tan(self) -> V:
        x = self._number
        try: z = math.tan(x)
        except ValueError: z = nan
        if recording.open_blocks: return self.__node__(TAN, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = TAN
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def arcsin(self) -> V:
        x = self._number
        try: z = math.asin(x)
        except ValueError: z = nan
        if recording.open_blocks: return self.__node__(ARCSIN, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = ARCSIN
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def arctan(self) -> V:
        x = self._number; z = math.atan(x)
        if recording.open_blocks: return self.__node__(ARCTAN, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = ARCTAN
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def sinh(self) -> V:
        x = self._number
        try: z = math.sinh(x)
        except OverflowError: z = math.copysign(inf, x)
        if recording.open_blocks: return self.__node__(SINH, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = SINH
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def cosh(self) -> V:
        x = self._number
        try: z = math.cosh(x)
        except OverflowError: z = inf
        if recording.open_blocks: return self.__node__(COSH, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = COSH
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def tanh(self) -> V:
        x = self._number; z = math.tanh(x)
        if recording.open_blocks: return self.__node__(TANH, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = TANH
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def sigmoid(self) -> V:
        x = self._number; e = math.exp(-math.fabs(x))
        z = (e if x < 0.0 else 1.0) / (1.0 + e)
        if recording.open_blocks: return self.__node__(SIGMOID, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = SIGMOID
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def softplus(self) -> V:
        x = self._number; z = max(x, 0.0) + math.log1p(math.exp(-math.fabs(x)))
        if recording.open_blocks: return self.__node__(SOFTPLUS, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = SOFTPLUS
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def relu(self) -> V:
        x = self._number; z = x if x > 0.0 or x != x else 0.0
        if recording.open_blocks: return self.__node__(RELU, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = RELU
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n

    def detach(self) -> V:
        x = self._number; z = x
        if recording.open_blocks: return self.__node__(DETACH, (self,), z, (x,))
        n = new(Value); n._number = n._zd = z; n._grad = 0.0; n.label = ""; n.op = DETACH
        n._x = self; n._xd = x; n._y = n._more = n._sweep = None; return n


def _sub(n: Any, g: float) -> None:
    if (x := n._x) is not None: x._adjoint += g
    if (x := n._y) is not None: x._adjoint += -g
def _div(n: Any, g: float) -> None:
    if (x := n._x) is not None: x._adjoint += g * primitives.div(1.0, n._yd)
    if (x := n._y) is not None: x._adjoint += g * -primitives.div(n._zd, n._yd)
def _neg(n: Any, g: float) -> None: n._x._adjoint += -g
def _pow(n: Any, g: float) -> None:
    if (x := n._x) is not None: x._adjoint += g * (n._yd * primitives.pow(n._xd, n._yd - 1.0) if n._yd else n._yd * (primitives.pow(n._xd, n._yd - 1.0) if (1.0 if math.fabs(n._xd) - 6e-309 > 0.0 else 0.0) else 0.0))
    if (x := n._y) is not None: x._adjoint += g * (n._zd * primitives.log(n._xd) if math.fabs(n._xd) + (1.0 if -n._yd > 0.0 else 0.0) else 0.0)
def _abs(n: Any, g: float) -> None: n._x._adjoint += g * (1.0 if n._xd > 0.0 else -1.0 if n._xd < 0.0 else 0.0 if n._xd == 0.0 else n._xd)
def _sign(n: Any, g: float) -> None: n._x._adjoint += g * 0.0
def _step(n: Any, g: float) -> None: n._x._adjoint += g * 0.0
def _equal(n: Any, g: float) -> None:
    if (x := n._x) is not None: x._adjoint += g * 0.0
    if (x := n._y) is not None: x._adjoint += g * 0.0
def _exp(n: Any, g: float) -> None: n._x._adjoint += g * n._zd
def _expm1(n: Any, g: float) -> None: n._x._adjoint += g * primitives.exp(n._xd)
def _log(n: Any, g: float) -> None: n._x._adjoint += g * primitives.div(1.0, n._xd)
def _log1p(n: Any, g: float) -> None: n._x._adjoint += g * primitives.div(1.0, 1.0 + n._xd)
def _sqrt(n: Any, g: float) -> None: n._x._adjoint += g * (0.5 * primitives.pow(n._xd, -0.5))
def _sin(n: Any, g: float) -> None: n._x._adjoint += g * primitives.cos(n._xd)
def _cos(n: Any, g: float) -> None: n._x._adjoint += g * -primitives.sin(n._xd)
def _tan(n: Any, g: float) -> None: n._x._adjoint += g * (1.0 + n._zd * n._zd)
def _arcsin(n: Any, g: float) -> None: n._x._adjoint += g * primitives.div(1.0, primitives.sqrt((1.0 - n._xd) * (1.0 + n._xd)))
def _arctan(n: Any, g: float) -> None: n._x._adjoint += g * primitives.div(1.0, 1.0 + n._xd * n._xd)
def _sinh(n: Any, g: float) -> None: n._x._adjoint += g * primitives.cosh(n._xd)
def _cosh(n: Any, g: float) -> None: n._x._adjoint += g * primitives.sinh(n._xd)
def _tanh(n: Any, g: float) -> None: n._x._adjoint += g * (1.0 - n._zd * n._zd)
def _sigmoid(n: Any, g: float) -> None: n._x._adjoint += g * (n._zd * (1.0 - n._zd))
def _softplus(n: Any, g: float) -> None: n._x._adjoint += g * primitives.sigmoid(n._xd)
def _relu(n: Any, g: float) -> None: n._x._adjoint += g * (1.0 if n._xd > 0.0 else 0.0)
def _maximum(n: Any, g: float) -> None:
    if (x := n._x) is not None: x._adjoint += g * (1.0 if (1.0 if n._xd - n._yd > 0.0 else 0.0) else 0.0 if (1.0 if n._yd - n._xd > 0.0 else 0.0) else 0.5)
    if (x := n._y) is not None: x._adjoint += g * (1.0 if (1.0 if n._yd - n._xd > 0.0 else 0.0) else 0.0 if (1.0 if n._xd - n._yd > 0.0 else 0.0) else 0.5)
def _minimum(n: Any, g: float) -> None:
    if (x := n._x) is not None: x._adjoint += g * (1.0 if (1.0 if n._yd - n._xd > 0.0 else 0.0) else 0.0 if (1.0 if n._xd - n._yd > 0.0 else 0.0) else 0.5)
    if (x := n._y) is not None: x._adjoint += g * (1.0 if (1.0 if n._xd - n._yd > 0.0 else 0.0) else 0.0 if (1.0 if n._yd - n._xd > 0.0 else 0.0) else 0.5)
def _where(n: Any, g: float) -> None:
    if (x := n._y) is not None: x._adjoint += g * (1.0 if n._xd else 0.0)
    if (x := n._more[0]) is not None: x._adjoint += g * (0.0 if n._xd else 1.0)
def _detach(n: Any, g: float) -> None: n._x._adjoint += g * 0.0


def below(node: Any, token: object) -> list[Any]:
    """The nodes that `node` depends on, inputs first, marked with the token; their adjoints are empty sums, -0.0."""
    order: list[Any] = []
    node._adjoint = None
    while True:  # on the way down, `_adjoint` of a node is the node above it
        if (x := node._x) is not None and x._sweep is not token:
            x._adjoint, node = node, x
        elif (x := node._y) is not None and x._sweep is not token:
            x._adjoint, node = node, x
        elif node._more and (x := _next(node, token)) is not None:
            x._adjoint, node = node, x
        else:
            above, node._adjoint, node._sweep = node._adjoint, -0.0, token
            order.append(node)
            if above is None: return order
            node = above


def _next(node: Any, token: object) -> Any:
    inputs = node._more[: len(node._more) // 2]
    return next((x for x in inputs if x is not None and x._sweep is not token), None)


def sweep(nodes: Iterable[Any]) -> float:
    """Adds to the adjoints of the inputs of `nodes`, outputs first.

    The result is NaN if an adjoint is, or if there is a row that is not of the table: then only `chain_rule` knows.
    """
    total = 0.0
    for n in nodes:
        op, g = n.op, n._adjoint
        if op is MUL:
            if (x := n._x) is not None: x._adjoint += g * n._yd
            if (x := n._y) is not None: x._adjoint += g * n._xd
        elif op is ADD:
            if (x := n._x) is not None: x._adjoint += g
            if (x := n._y) is not None: x._adjoint += g
        else:
            total += g
            if op is None: continue
            pull = op.pull
            if pull is None: return nan
            pull(n, g)
    return total


__all__ = [
    "add", "arcsin", "arctan", "cos", "cosh", "detach", "div", "equal", "exp", "expm1", "log", "log1p", "maximum",
    "minimum", "mul", "neg", "relu", "sigmoid", "sign", "sin", "sinh", "softplus", "sqrt", "step", "sub", "tan",
    "tanh", "where"
]
add, arcsin, arctan, cos, cosh, detach, div, equal = ADD, ARCSIN, ARCTAN, COS, COSH, DETACH, DIV, EQUAL
exp, expm1, log, log1p, maximum, minimum, mul, neg = EXP, EXPM1, LOG, LOG1P, MAXIMUM, MINIMUM, MUL, NEG
relu, sigmoid, sign, sin, sinh, softplus, sqrt, step = RELU, SIGMOID, SIGN, SIN, SINH, SOFTPLUS, SQRT, STEP
sub, tan, tanh, where = SUB, TAN, TANH, WHERE
for _row, _pull in {
    SUB: _sub, DIV: _div, NEG: _neg, POW: _pow, ABS: _abs, SIGN: _sign, STEP: _step, EQUAL: _equal, EXP: _exp,
    EXPM1: _expm1, LOG: _log, LOG1P: _log1p, SQRT: _sqrt, SIN: _sin, COS: _cos, TAN: _tan, ARCSIN: _arcsin, ARCTAN:
    _arctan, SINH: _sinh, COSH: _cosh, TANH: _tanh, SIGMOID: _sigmoid, SOFTPLUS: _softplus, RELU: _relu, MAXIMUM:
    _maximum, MINIMUM: _minimum, WHERE: _where, DETACH: _detach
}.items():
    object.__setattr__(_row, 'pull', _pull)
for _name, _method in vars(Recorders).items():  # a row's help, without its example, which calls a function
    if callable(_method): _method.__qualname__ = f'Value.{_name}'
    if _name in TABLE: _method.__doc__ = (TABLE[_name].__doc__ or '').partition('\n\n>>>')[0]
