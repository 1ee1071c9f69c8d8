"""`Value`: Python's arithmetic syntax over the table.  Using it records the graph."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from inspect import isfunction
from typing import Any, TypeAlias

import numpy as np

from . import copying, generated, ops, watching
from . import recording as blocks
from .conversions import as_float
from .graph import backward
from .micrograd import Lecture
from .numpy_protocol import call_function, call_ufunc
from .ops import Op
from .refusing import Refusals
from .watching import notify

_Input: TypeAlias = "Value | float"


def _left_to(other: Any) -> Any:
    """Leaves an operation to `other`, such as an array.  Python's own sequences would take the Value for an index."""
    if isinstance(other, Sequence) and not isfunction(getattr(type(other), "__rmul__", None)):
        hint = ", or np.array(...) to compute element by element" if isinstance(other, (list, tuple)) else ""
        raise TypeError(f"{other!r:.60} ({type(other).__name__}) is not a real number; give a number or a Value{hint}")
    return NotImplemented


def _comparison(compare: Callable[[float, float], bool]) -> Callable[[Value, Any], bool]:
    def method(self: Value, other: Any) -> bool:
        # Python compares an int exactly, however large it is.
        number = other._number if isinstance(other, Value) else other if isinstance(other, int) else _as_number(other)
        # What is no number is for Python to compare: NotImplemented is its own sign for that.
        answer = NotImplemented if number is None else compare(self._number, number)
        return notify(compare, (self, other), answer) if watching.watchers else answer

    return method


def _as_number(other: Any) -> float | None:
    """`other` as a float, or None where an operator should leave the operation to `other`."""
    try:
        return as_float(other)
    except TypeError:
        return None


class Value(generated.Recorders["Value"], Refusals, Lecture):
    """A number that remembers how it was computed.

    ``data`` is the number; ``grad`` the sum of the derivatives that `backward` has added since it was last set to
    zero: both always floats.  ``op`` is the row of the table that computed the node (None for a leaf), ``inputs``
    what it was computed from, in order (Values, and floats for plain numbers), ``numbers`` the output and the inputs
    as the forward pass saw them.  ``==``, ``<`` and their friends compare data; ``is`` asks whether two names are one
    node, and the hash is that of the node, so that sets and dicts tell nodes apart.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> c = a * b + a**2
    >>> c.backward()
    >>> a, b
    (Value(data=2.0, grad=1.0, label='a'), Value(data=-3.0, grad=2.0, label='b'))

    `data` is any real number (int, float, bool, Fraction, NumPy scalar); anything else is a TypeError, an int beyond
    the range of a float an OverflowError.
    """

    # Slots, not tuples: one object a node for the cyclic collector to walk (see tests/benchmarks).  `_x` and `_y` are
    # inputs, None for a plain number, and `_zd`, `_xd`, `_yd` the numbers that the forward pass saw; `_more` holds the
    # inputs from the third on, and their numbers.  Of a leaf, `_zd` is a number if it was computed, `_xd` says when it
    # was made (`call_begins`), and `_more` may be a mark (see `assigning`).
    # A sweep leaves a token in `_sweep`, and the adjoint in `_adjoint`.
    __slots__ = ("_adjoint", "_grad", "_more", "_number", "_sweep", "_x", "_xd", "_y", "_yd", "_zd", "label", "op")
    _number: float
    _grad: float
    op: Op | None
    label: str
    _x: Value | None
    _y: Value | None
    _zd: float | None
    _xd: float
    _yd: float
    _more: Any
    _sweep: object
    _adjoint: float

    copied_as: type[Value] | None = None
    """The class of copies; None for that of the node."""
    ndim, shape, dtype = 0, (), np.dtype(object)  # a scalar, to NumPy

    def __init__(self, data: Any, label: str = "") -> None:
        if not isinstance(label, str):
            raise TypeError(f"a label is a str, not {label!r:.60} ({type(label).__name__})")
        self._number, self._grad, self.label = as_float(data), 0.0, label
        self.op = self._x = self._y = self._zd = self._more = self._sweep = None
        self._xd = blocks.calls

    @property
    def data(self) -> float:
        """The number; whatever real number is assigned becomes a float."""
        return notify(None, (self,), self._number) if watching.watchers else self._number

    @data.setter
    def data(self, data: Any) -> None:
        if watching.watchers:
            notify(setattr, (self,), None)
        self._number = as_float(data)

    @property
    def grad(self) -> float:
        """The sum of the derivatives that `backward` has added; set it to 0 to begin anew."""
        return notify(None, (self,), self._grad) if watching.watchers else self._grad

    @grad.setter
    def grad(self, grad: Any) -> None:
        self._grad = as_float(grad)

    @property
    def inputs(self) -> tuple[_Input, ...]:
        """What the node was computed from, in order: Values, and floats for plain numbers."""
        if self.op is None:
            return ()
        x = self._xd if self._x is None else self._x
        count = len(self.op.partials)
        if count == 1:
            return (x,)
        y = self._yd if self._y is None else self._y
        if count == 2:
            return x, y
        more = self._more
        return (x, y, *[number if w is None else w for w, number in zip(more, more[count - 2 :])])

    @property
    def numbers(self) -> tuple[float, ...]:
        """The output and the inputs as the forward pass saw them; of a leaf none, or its own if it was computed."""
        if self.op is None:
            return () if self._zd is None else (self._zd,)
        count = len(self.op.partials)
        if count == 1:
            return self._zd, self._xd  # type: ignore[return-value]  # floats
        if count == 2:
            return self._zd, self._xd, self._yd  # type: ignore[return-value]
        return (self._zd, self._xd, self._yd, *self._more[count - 2 :])

    def backward(self) -> None:
        """Adds d(self)/d(node) to the ``grad`` of every node below, itself (with 1) included.

        The derivatives are those at the numbers that the forward pass saw.  A call that raises or is interrupted
        changes nothing.

        >>> x = Value(3.0)
        >>> y = x * x
        >>> y.backward()
        >>> y.backward()
        >>> x.grad
        12.0
        """
        backward(self)

    @staticmethod
    def __record__(op: Op, operands: Sequence[Any], /) -> Value:
        """The node ``op(*operands)``, of any row and operands, as calling a row records it."""
        if op in _METHODS:
            return _METHODS[op](operands[0])
        numbers = [x._number if isinstance(x, Value) else as_float(x) for x in operands]
        inputs = [x if isinstance(x, Value) else None for x in operands]
        return Value.__node__(op, inputs, op.forward(*numbers), numbers)

    @staticmethod
    def __node__(op: Op, inputs: Sequence[Value | None], number: float, numbers: Sequence[float]) -> Value:
        """A node with these `numbers` of the inputs, of the kind that is asked for here; None is a plain number."""
        records, make, always = blocks.recording() if blocks.open_blocks else (True, None, False)
        node = make() if make else object.__new__(Value)
        node._number, node._grad, node.label = number, 0.0, ""
        if records or always:
            copying.set_inputs(node, op, inputs, number, numbers)
        else:
            node.op = node._x = node._y = node._more = node._sweep = None
            node._zd, node._xd = number, blocks.calls  # a leaf, but no parameter: it says that it was computed
        if always and not records and op is not ops.DETACH:
            return Value.__record__(ops.DETACH, (node,))
        return node

    def __infix__(self, op: Op, x: Any, y: Any) -> Any:
        """``op(x, y)``, of which one is this Value, as Python's operators have it."""
        other = x if y is self else y
        if isinstance(other, Value):
            return self.__record__(op, (x, y))
        number = _as_number(other)
        if number is None:
            return _left_to(other)
        method, reflected = _INFIX[op]
        return reflected(self, number) if y is self else method(self, number)

    def __pos__(self) -> Value:
        return self

    def conjugate(self) -> Value:
        """The Value itself, which is real; NumPy's ``std``, ``var``, ``vdot`` and ``norm`` ask for it.

        >>> x = Value(3.0)
        >>> x.conjugate() is x is x.real
        True
        """
        return self

    real = property(conjugate)

    __eq__ = _comparison(operator.eq)
    __ne__ = _comparison(operator.ne)
    __hash__ = object.__hash__  # of the node, so that nodes are keys of dicts and members of sets
    __lt__ = _comparison(operator.lt)
    __le__ = _comparison(operator.le)
    __gt__ = _comparison(operator.gt)
    __ge__ = _comparison(operator.ge)

    def __bool__(self) -> bool:
        return notify(operator.truth, (self,), self._number != 0.0)  # type: ignore[no-any-return]  # a bool

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        text = f"Value(data={self.data!r}, grad={self.grad!r}{label})"
        return notify(repr, (self,), text) if watching.watchers else text

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        """``np.exp(v)`` records the row ``exp``; with an array among the inputs, one node per element."""
        return call_ufunc(ufunc, method, inputs, out, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """``np.where(mask, v, 1.0)`` gives an array on which NumPy's functions record (`ValueArray`)."""
        if not all(issubclass(kind, (np.ndarray, Value)) for kind in types):
            return NotImplemented
        return call_function(function, args, kwargs)

    def __copy__(self) -> Value:
        return copying.copied(self, self.inputs)  # type: ignore[no-any-return]  # a Value

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        return copying.deepcopy(self, memo)  # type: ignore[no-any-return]  # a Value

    def __reduce__(self) -> tuple[Any, ...]:
        return copying.reduced(self)


generated.Value = Value
_METHODS: dict[Op, Callable[[Any], Value]] = {
    op: getattr(Value, op.name) for op in ops.TABLE.values() if len(op.partials) == 1
}
_INFIX: dict[Op, tuple[Callable[[Value, Any], Any], Callable[[Value, Any], Any]]] = {
    ops.ADD: (Value.__add__, Value.__radd__),
    ops.SUB: (Value.__sub__, Value.__rsub__),
    ops.MUL: (Value.__mul__, Value.__rmul__),
    ops.DIV: (Value.__truediv__, Value.__rtruediv__),
    ops.POW: (Value.__pow__, Value.__rpow__),
}
