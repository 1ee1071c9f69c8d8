"""`Value`: Python's arithmetic syntax over the table.  Using it records the graph."""

from __future__ import annotations

import operator
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, KeysView, Sequence
from contextlib import contextmanager
from copy import copy
from inspect import isfunction, ismemberdescriptor
from itertools import repeat, starmap
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from . import copying, ops
from .graph import adjoints, chain_rule
from .numpy_protocol import call_function, call_ufunc
from .ops import TABLE, Op, as_float
from .recording import DETACHED, TRACED, recording, watched

_Infix: TypeAlias = "Callable[[Value, Any], Value]"
_Input: TypeAlias = "Value | float"
_new: Callable[[type[Value]], Value] = object.__new__


def _new_node(op: Op, numbers: tuple[float, ...], x: _Input, y: _Input | None = None, w: _Input | None = None) -> Value:
    """A new node; `numbers` is the output and then the inputs."""
    mode = recording()
    node = _new(Value) if mode < TRACED else _new_traced() if mode == TRACED else _new(WatchedValue)
    node._number, node._grad, node.label = numbers[0], 0.0, ""
    if mode:
        node.op, node.numbers, node._x, node._y, node._w = op, numbers, x, y, w
    else:
        # A leaf, but no parameter: its own number says that it was computed.
        node.op, node.numbers, node._x, node._y, node._w = None, numbers[:1], None, None, _calls
    if mode == DETACHED and op is not ops.DETACH:
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

    method.__name__, method.__doc__ = op.name, op.__doc__
    return method


def _comparison(compare: Callable[[float, float], bool]) -> Callable[[Value, Any], bool]:
    def method(self: Value, other: Any) -> bool:
        if isinstance(other, int):
            number: float | None = other  # which Python compares exactly, however large it is
        else:
            number = other._number if isinstance(other, Value) else _as_number(other)
        # What is no number is for Python to compare: NotImplemented is its own sign for that.
        answer = NotImplemented if number is None else compare(self._number, number)
        return tell(compare, (self, other), answer) if _watches else answer

    return method


def _refusal(what: str, hint: str) -> Callable[..., NoReturn]:
    def method(self: Value, *_: Any) -> NoReturn:
        compiling = "in what is compiled, compute with the functions of autograd, where and select"
        error = TypeError(f"{what} of a Value would cut the graph silently; {compiling if _watches else hint}")
        raise tell(TypeError, (self,), error)

    return method


Watch: TypeAlias = "Callable[[Callable[..., Any] | None, tuple[Any, ...], Any], Any]"

_watches: tuple[Watch, ...] = ()
_lock, _answering = threading.Lock(), threading.local()


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """A block in which `watch` answers what a program asks of Values: given the question, the operands and the answer.

    It is for `compile`.  Questions are operators such as ``operator.gt``, and `hash`, `copy` and `repr`; None is for
    data that are read, TypeError for what a Value refuses, with the error as the answer.  Other threads are asked, too:
    it is for `watch` to tell its own.

    >>> with watching(lambda question, operands, answer: print(question, operands, answer)):
    ...     Value(3.0) * 2 > 5.0
    <built-in function gt> (Value(data=6.0, grad=0.0), 5.0) True
    """
    global _watches
    try:
        with _lock:
            _watches = (*_watches, watch)
        with watched():
            yield
    finally:
        with _lock:
            _watches = tuple([other for other in _watches if other is not watch])


def tell(question: Callable[..., Any] | None, operands: tuple[Any, ...], answer: Any) -> Any:
    """The answer, if nobody who watches has another; what is asked in order to answer is not told."""
    if getattr(_answering, "now", False):
        return answer
    _answering.now = True
    try:
        for watch in _watches:
            answer = watch(question, operands, answer)
    finally:
        _answering.now = False
    return answer


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
        return tell(None, (self,), self._number) if _watches else self._number

    @data.setter
    def data(self, data: Any) -> None:
        if _watches:
            tell(setattr, (self,), None)
        self._number = as_float(data)

    @property
    def grad(self) -> float:
        """The sum of the derivatives that `backward` has added; set it to 0 to begin anew."""
        return tell(None, (self,), self._grad) if _watches else self._grad

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
        return tell(operator.truth, (self,), self._number != 0.0)  # type: ignore[no-any-return]  # a bool

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
        raise tell(TypeError, (self,), error)

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
        return tell(repr, (self,), text) if _watches else text

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
        return tell(TypeError, (self,), error)  # type: ignore[no-any-return]  # an error

    @staticmethod
    def __record__(op: Op, operands: Sequence[Any]) -> Value:
        """The node ``op(*operands)``; how calling a row treats Values."""
        inputs = tuple(x if isinstance(x, Value) else as_float(x) for x in operands)
        numbers = [x._number if isinstance(x, Value) else x for x in inputs]
        return _new_node(op, (op.forward(*numbers), *numbers), *inputs)

    def _copy_with(self, inputs: tuple[_Input, ...]) -> Value:
        tell(copy, (self,), self)
        numbers = self.numbers or ()  # nobody holds a copy, see `Held`
        node = _restore(None, self._kind(), self._number, self._grad, self.label, self.op, numbers, *inputs)
        copying.set_state(node, self._state())
        return node

    def _kind(self) -> type[Value]:
        """The class of a copy, which does not stem from the line that the original does."""
        return Value if isinstance(self, (TracedValue, WatchedValue)) else type(self)

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
        tell(copy, (self,), self)
        fields = (self._kind(), self._number, self._grad, self.label, self.op, self.numbers, *self.inputs)
        return _restore, (copying.ancestors(self), *fields), self._state()

    if TYPE_CHECKING:  # exp(), relu() and the other unary rows of the table, attached below

        def __getattr__(self, name: str) -> Callable[[], Value]: ...


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


class WatchedValue(Value):
    """A node computed while somebody is `watching`, who is told when it is hashed or its numbers are read.

    It may stand for a plain number that the code gets when nobody watches.
    """

    __slots__ = ()

    def __hash__(self) -> int:
        return tell(hash, (self,), object.__hash__(self)) if _watches else object.__hash__(self)

    @property
    def numbers(self) -> tuple[float, ...]:
        """As in `Value`; reading them is told."""
        found = _get_numbers(self, WatchedValue)
        return tell(None, (self,), found) if _watches else found  # type: ignore[no-any-return]

    @numbers.setter
    def numbers(self, numbers: tuple[float, ...]) -> None:
        _set_numbers(self, numbers)


class TracedValue(Value):
    """A node computed under `trace_lines`: a Value that knows the source line that asked for it."""

    __slots__ = ("line",)
    line: str
    """The file and the number of the line, outside of this package."""

    def __new__(cls, *args: Any) -> Any:
        """A plain Value: only the engine makes one that has a line."""
        return Value(*args)


def _new_traced() -> Value:
    node = _new(TracedValue)
    node.line = line_outside()  # type: ignore[attr-defined]  # a TracedValue
    return node


def line_outside() -> str:
    """The file and the number of the line, outside of this package, that is being run.

    >>> line_outside().rpartition("/")[2]
    '<doctest autograd.value.line_outside[0]>:1'
    """
    frame: Any = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


PACKAGE = os.path.dirname(__file__) + os.sep
"""The beginning of the file names of this package."""


_get_numbers, _set_numbers = Value.__dict__["numbers"].__get__, Value.__dict__["numbers"].__set__
_get_marks = operator.attrgetter("numbers")
_get_data, _get_grad = operator.attrgetter("_number"), operator.attrgetter("_grad")
_set_grad = Value.__dict__["_grad"].__set__

for _op in TABLE.values():
    if len(_op.partials) == 1:
        setattr(Value, _op.name, _prefix(_op))


def data_of(values: Iterable[Value]) -> list[float]:
    """The data of each.

    >>> data_of([Value(2.0), Value(3.0)])
    [2.0, 3.0]
    """
    return [x.data for x in values] if _watches else list(map(_get_data, values))


def grads_of(values: Iterable[Value]) -> list[float]:
    """The ``grad`` of each.

    >>> grads_of([Value(2.0)])
    [0.0]
    """
    return [x.grad for x in values] if _watches else list(map(_get_grad, values))


def assign_grads(values: Collection[Value], slopes: Iterable[float]) -> None:
    """Sets the ``grad`` of each of `values` to the float beside it.

    >>> x = Value(2.0)
    >>> assign_grads([x], [3.0])
    >>> x.grad
    3.0
    """
    deque(map(_set_grad, values, slopes), maxlen=0)


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


class Held(tuple[float, ...]):
    """The ``numbers`` of a leaf that something holds as a parameter: empty, as of every leaf, with a mark beside."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__
    replaced = False
    """Whether its holder has another in its place."""

    @staticmethod
    def look(marks: Collection[Any]) -> bool:
        """Lets the holders of the parameters with these `marks` see what they hold now, and mark what they held.

        False if nothing has moved since the last time.
        """
        return False

    def __reduce__(self) -> Any:
        return tuple, ()  # a copy is held by nobody


def require_held(values: Iterable[Value], owner: str) -> None:
    """A RuntimeError that names the first of `values` that another has replaced in what held it (see `nn.Module`).

    >>> require_held([Value(2.0, "w")], "the optimizer")
    """
    lost = first_replaced(values := list(values))
    if lost is not None:
        name = values[lost].label or f"parameter {lost}"
        raise RuntimeError(f"{owner} holds {name}, which was replaced; make it anew, of model.parameters()")


def first_replaced(values: Sequence[Value]) -> int | None:
    """The place of the first of `values` that another has replaced in what held it; None if there is none.

    >>> first_replaced([Value(2.0)]) is None
    True
    """
    marks = _marks_of(values)
    if marks and marks[0].look(marks):
        marks = _marks_of(values)
    replaced = {mark for mark in marks if mark.replaced}
    return next((i for i, x in enumerate(values) if x.numbers in replaced), None) if replaced else None


def _marks_of(values: Sequence[Value]) -> list[Held]:
    return [mark for mark in set(map(_get_marks, values)) if isinstance(mark, Held)]


def assign(values: Iterable[Value], data: Iterable[Any]) -> None:
    """Sets the data of each of `values`: of all of them or, if anything is wrong, of none.

    A ValueError if there are not as many numbers as Values; a TypeError if one is no real number.

    >>> x, y = Value(1.0), Value(2.0)
    >>> assign([x, y], [3.0, "4"])
    Traceback (most recent call last):
    TypeError: '4' (str) is not a real number; give an int, a float or a NumPy scalar
    >>> x.data
    1.0
    """
    set_at_once(changes_of(values, data))


Change: TypeAlias = "tuple[Any, str, Any]"
"""An object, one of its attributes, and what that is to be."""


def changes_of(values: Iterable[Value], data: Iterable[Any]) -> list[Change]:
    """What `assign` changes; errors as there.

    >>> changes_of([Value(1.0)], [3])
    [(Value(data=1.0, grad=0.0), '_number', 3.0)]
    """
    values, numbers = list(values), [as_float(number) for number in data]
    if len(values) != len(numbers):
        raise ValueError(f"{len(numbers)} numbers for {len(values)} Values; give one for each")
    return list(zip(values, repeat("_number"), numbers))


def set_at_once(changes: Sequence[Change]) -> None:
    """Makes all of the changes, to attributes that are no properties, or none of them.

    >>> x = Value(1.0)
    >>> set_at_once([(x, "label", "x"), (x, "_number", 2.0)])
    >>> x
    Value(data=2.0, grad=0.0, label='x')
    """
    # One call into C, as in `add_to_grads`: a signal (Ctrl-C) comes before all of them or after them.
    deque(starmap(setattr, changes), maxlen=0)


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
