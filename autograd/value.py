"""`Value`: Python's arithmetic syntax over the table.  Using it records the graph."""

from __future__ import annotations

import operator
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, KeysView, Sequence
from copy import copy
from inspect import isfunction, ismemberdescriptor
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from . import copying, ops, watching
from . import recording as blocks
from .graph import adjoints, chain_rule
from .numpy_protocol import call_function, call_ufunc
from .ops import TABLE, Op, as_float
from .recording import recording
from .watching import notify

_Infix: TypeAlias = "Callable[[Value, Any], Value]"
_Input: TypeAlias = "Value | float"
_new: Callable[[type[Value]], Value] = object.__new__
_PLAINLY = True, None, False


def _new_node(op: Op, numbers: tuple[float, ...], x: _Input, y: _Input | None = None, w: _Input | None = None) -> Value:
    """A new node; `numbers` is the output and then the inputs."""
    records, make, always = recording() if blocks.open_blocks else _PLAINLY
    node = make() if make else _new(Value)
    node._number, node._grad, node.label = numbers[0], 0.0, ""
    if records or always:
        node.op, node.numbers, node._x, node._y, node._w = op, numbers, x, y, w
    else:
        # A leaf, but no parameter: its own number says that it was computed.
        node.op, node.numbers, node._x, node._y, node._w = None, numbers[:1], None, None, _calls
    if always and not records and op is not ops.DETACH:
        return _new_node(ops.DETACH, (numbers[0], numbers[0]), node)
    return node


# The methods below do for one and two operands what `Value.__record__` does for any, in half the time.


def _infix(op: Op) -> tuple[_Infix, _Infix]:
    """The method of a binary operator, and its reflection."""
    forward = op.forward

    def method(self: Value, other: Any) -> Value:
        x = self._number
        if isinstance(other, Value):
            y = other._number
        else:
            y = _as_number(other)  # type: ignore[assignment]  # None, or a float
            if y is None:
                return _left_to(other)
            other = y
        return _new_node(op, (forward(x, y), x, y), self, other)

    def reflected(self: Value, other: Any) -> Value:
        x, y = _as_number(other), self._number
        if x is None:
            return _left_to(other)  # type: ignore[no-any-return]  # Python's own sign, not a result
        return _new_node(op, (forward(x, y), x, y), x, self)

    return method, reflected


def _left_to(other: Any) -> Any:
    """Leaves an operation to `other`, such as an array.  Python's own sequences would take the Value for an index."""
    if isinstance(other, Sequence) and not isfunction(getattr(type(other), "__rmul__", None)):
        hint = ", or np.array(...) to compute element by element" if isinstance(other, (list, tuple)) else ""
        raise TypeError(f"{other!r:.60} ({type(other).__name__}) is not a real number; give a number or a Value{hint}")
    return NotImplemented


def _prefix(op: Op) -> Callable[[Value], Value]:
    """The method of a unary row."""
    forward = op.forward

    def method(self: Value) -> Value:
        x = self._number
        return _new_node(op, (forward(x), x), self)

    method.__name__, method.__doc__ = op.name, (op.__doc__ or "").partition("\n\n>>>")[0]
    return method


def _comparison(compare: Callable[[float, float], bool]) -> Callable[[Value, Any], bool]:
    def method(self: Value, other: Any) -> bool:
        if isinstance(other, int):
            number: float | None = other  # which Python compares exactly, however large it is
        else:
            number = other._number if isinstance(other, Value) else _as_number(other)
        # What is no number is for Python to compare: NotImplemented is its own sign for that.
        answer = NotImplemented if number is None else compare(self._number, number)
        return notify(compare, (self, other), answer) if watching.watchers else answer

    return method


def _refusal(what: str, hint: str) -> Callable[..., NoReturn]:
    def method(self: Value, *_: Any) -> NoReturn:
        compiling = "in what is compiled, compute with the functions of autograd, where and select"
        error = TypeError(f"{what} of a Value would cut the graph silently; {compiling if watching.watchers else hint}")
        raise notify(TypeError, (self,), error)

    return method


def _as_number(other: Any) -> float | None:
    """`other` as a float, or None where an operator should leave the operation to `other`."""
    try:
        return as_float(other)
    except TypeError:
        return None


class Value:
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

    __slots__ = ("_grad", "_number", "_w", "_x", "_y", "label", "numbers", "op")
    _number: float
    _grad: float
    op: Op | None
    _x: Any  # the inputs, None where there are fewer; of a leaf, _w says when it was made (`call_begins`)
    _y: Any
    _w: Any
    numbers: tuple[float, ...]
    label: str

    ndim, shape, dtype = 0, (), np.dtype(object)  # a scalar, to NumPy

    def __init__(self, data: Any, label: str = "") -> None:
        if not isinstance(label, str):
            raise TypeError(f"a label is a str, not {label!r:.60} ({type(label).__name__})")
        self._number, self._grad, self.label = as_float(data), 0.0, label
        self.op, self.numbers, self._x, self._y = None, (), None, None
        self._w = _calls

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
        # Three slots, not a tuple: one object a node, not two, for the cyclic collector to walk (see tests/benchmarks).
        x, y, w = self._x, self._y, self._w
        if y is None:
            return () if x is None else (x,)
        return (x, y) if w is None else (x, y, w)

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
        found = adjoints(self)
        add_to_grads(found, found.values())

    # ---- As micrograd's lecture reads a node, and steps through a graph by hand

    @property
    def _prev(self) -> KeysView[Value]:
        return dict.fromkeys(x for x in self.inputs if isinstance(x, Value)).keys()  # a set that keeps its order

    @property
    def _op(self) -> str:
        return _MICROGRAD.get(self.op.name, self.op.name) if self.op else ""

    def _backward(self) -> None:
        found = chain_rule([self], {self: self._grad})
        del found[self]
        add_to_grads(found, found.values())

    __add__, __radd__ = _infix(ops.ADD)
    __sub__, __rsub__ = _infix(ops.SUB)
    __mul__, __rmul__ = _infix(ops.MUL)
    __truediv__, __rtruediv__ = _infix(ops.DIV)
    __pow__, __rpow__ = _infix(ops.POW)
    __neg__ = _prefix(ops.NEG)
    __abs__ = _prefix(ops.ABS)

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

    __float__ = _refusal(
        "float()",
        "write .data for the number, use the functions of autograd rather than those of math, and take derivatives for "
        "SciPy or a picture under no_grad(), where they are plain numbers",
    )
    __int__ = __trunc__ = _refusal("int()", "write int(v.data) for the number")

    def __index__(self) -> NoReturn:
        error = TypeError(
            "a Value is no int, as an index or the length of a range has to be; to pick from a sequence by a Value "
            "write select(sequence, index), or int(v.data) for the number"
        )
        raise notify(TypeError, (self,), error)

    __complex__ = _refusal("complex()", "write complex(v.data) for the number")
    __round__ = _refusal("round()", "write round(v.data, digits) for the number")
    __floor__ = _refusal("math.floor()", "write math.floor(v.data) for the number")
    __ceil__ = _refusal("math.ceil()", "write math.ceil(v.data) for the number")
    __floordiv__ = __rfloordiv__ = _refusal("//", "write / to divide, or v.data // w.data for the number")
    __mod__ = __rmod__ = _refusal("%", "write v.data % w.data for the number")
    __divmod__ = __rdivmod__ = _refusal("divmod()", "write divmod(v.data, w.data) for the numbers")

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

    def _refused(self, error: TypeError) -> TypeError:
        return notify(TypeError, (self,), error)  # type: ignore[no-any-return]  # an error

    @staticmethod
    def __record__(op: Op, operands: Sequence[Any]) -> Value:
        """The node ``op(*operands)``; how calling a row treats Values."""
        inputs = tuple(x if isinstance(x, Value) else as_float(x) for x in operands)
        numbers = [x._number if isinstance(x, Value) else x for x in inputs]
        return _new_node(op, (op.forward(*numbers), *numbers), *inputs)

    def _copy_with(self, inputs: tuple[_Input, ...]) -> Value:
        notify(copy, (self,), self)
        numbers = self.numbers or ()  # nobody holds a copy, see `Held`
        node = _restore(None, self._kind(), self._number, self._grad, self.label, self.op, numbers, *inputs)
        copying.set_state(node, self._state())
        return node

    def _kind(self) -> type[Value]:
        """The class of a copy."""
        return type(self)

    def _state(self) -> Any:
        """What a subclass has given to the node, as Python's own copies and pickles have it; None if nothing."""
        kinds = self._kind().__mro__
        if getattr(kinds[0], "__getstate__", None) is not getattr(object, "__getstate__", None):
            return self.__getstate__()  # type: ignore[attr-defined,unused-ignore]  # from Python 3.11 on
        slots = (
            name for kind in kinds[: kinds.index(Value)] for name, x in vars(kind).items() if ismemberdescriptor(x)
        )
        filled = {name: getattr(self, name) for name in slots if hasattr(self, name)}
        attributes = getattr(self, "__dict__", None) or None
        return (attributes, filled) if filled else attributes

    def __copy__(self) -> Value:
        return self._copy_with(self.inputs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        return copying.deepcopy(self, memo, Value._copy_with)  # type: ignore[no-any-return]  # a Value

    def __reduce__(self) -> tuple[Any, ...]:
        notify(copy, (self,), self)
        fields = (self._kind(), self._number, self._grad, self.label, self.op, self.numbers, *self.inputs)
        return _restore, (copying.ancestors(self), *fields), self._state()

    if TYPE_CHECKING:  # exp(), relu() and the other unary rows of the table, attached below

        def __getattr__(self, name: str) -> Callable[[], Value]: ...


_lock = threading.Lock()
_calls = 0  # how many calls have begun, of verbs and in the whole process


def call_begins() -> int:
    """The number of a call that begins now: `any_older` tells the leaves made before it from those made since."""
    global _calls
    with _lock:
        _calls += 1
        return _calls


def any_older(nodes: Iterable[Value], call: int) -> bool:
    """Whether a leaf among `nodes` was made before `call` began, in whichever thread.

    >>> x, call = Value(2.0), call_begins()
    >>> any_older([Value(2.0)], call), any_older([Value(2.0), x], call)
    (False, True)
    """
    return any(node.op is None and node._w < call for node in nodes)


_MICROGRAD = {"add": "+", "sub": "-", "mul": "*", "div": "/", "neg": "-", "pow": "**", "relu": "ReLU"}


_get_grad = operator.attrgetter("_grad")
_set_grad = Value.__dict__["_grad"].__set__

for _op in TABLE.values():
    if len(_op.partials) == 1:
        setattr(Value, _op.name, _prefix(_op))


def add_to_grads(values: Collection[Value], slopes: Iterable[float]) -> None:
    """Adds to the ``grad`` of each of `values`.

    >>> x = Value(2.0)
    >>> add_to_grads([x], [3.0])
    >>> x.grad
    3.0
    """
    # One call into C: a signal (Ctrl-C) or another thread comes before all of the additions or after them.
    deque(map(_set_grad, values, map(operator.add, map(_get_grad, values), slopes)), maxlen=0)


def require_value(x: Any, hint: str) -> None:
    """A TypeError that ends in `hint` unless `x` is a Value.

    >>> require_value(3.0, "wrap it")
    Traceback (most recent call last):
    TypeError: 3.0 (float) is not a Value; wrap it
    """
    if not isinstance(x, Value):
        raise TypeError(f"{x!r:.60} ({type(x).__name__}) is not a Value; {hint}")


def _restore(
    _ancestors: Any,
    kind: type[Value],
    data: float,
    grad: float,
    label: str,
    op: Op | None,
    numbers: Any,
    *inputs: _Input,
) -> Value:
    node = _new(kind)
    node._number, node._grad, node.label, node.op, node.numbers = data, grad, label, op, numbers
    node._x, node._y, node._w = (*inputs, None, None)[:3] if inputs else (None, None, _calls)
    return node
