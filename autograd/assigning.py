"""Many Values at once: their data and gradients read, and changed all together or not at all.

For code that holds many Values, such as the optimizers, checkpoints and training loops of `nn`.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Collection, Iterable, Sequence, Set
from itertools import repeat, starmap
from typing import Any, TypeAlias

from . import watching
from .conversions import as_float
from .derivatives import Slope
from .value import Value

_get_data, _get_grad, _get_marks = map(operator.attrgetter, ("_number", "_grad", "_more"))
_set_grad = Value.__dict__["_grad"].__set__


def data_of(values: Iterable[Value]) -> list[float]:
    """The data of each.

    >>> data_of([Value(2.0), Value(3.0)])
    [2.0, 3.0]
    """
    return [x.data for x in values] if watching.watchers else list(map(_get_data, values))


def grads_of(values: Iterable[Value]) -> list[float]:
    """The ``grad`` of each.

    >>> grads_of([Value(2.0)])
    [0.0]
    """
    return [x.grad for x in values] if watching.watchers else list(map(_get_grad, values))


def assign_grads(values: Collection[Value], slopes: Iterable[float]) -> None:
    """Sets the ``grad`` of each of `values` to the float beside it.

    >>> x = Value(2.0)
    >>> assign_grads([x], [3.0])
    >>> x.grad
    3.0
    """
    deque(map(_set_grad, values, slopes), maxlen=0)


class Held(tuple[float, ...]):
    """The mark of a leaf that something holds as a parameter."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__
    replaced = False
    """Whether its holder has another in its place."""

    @staticmethod
    def look(values: Sequence[Value], marks: Set[Any]) -> bool:
        """Lets the holders of the parameters `values`, with these `marks`, mark the parameters that they hold now.

        False if nothing has moved since the last time.
        """
        return False


def mark_of(parameter: Value) -> Held | None:
    """The mark of a parameter; None if nothing holds it.

    >>> mark_of(Value(2.0)) is None
    True
    """
    mark = parameter._more
    return mark if isinstance(mark, Held) else None


def set_mark(parameter: Value, mark: Held) -> None:
    """Marks a parameter, a leaf.

    >>> x = Value(2.0)
    >>> set_mark(x, Held())
    >>> is_leaf(x), mark_of(x) is None
    (True, False)
    """
    parameter._more = mark


def is_leaf(x: Any) -> bool:
    """Whether `x` is a Value that nothing computed, not even inside `no_grad`.

    >>> is_leaf(Value(2.0)), is_leaf(Value(2.0) * 3.0), is_leaf(2.0)
    (True, False, False)
    """
    return isinstance(x, Value) and x.op is None and x._zd is None


def is_slope(node: Value) -> bool:
    """Whether `node` was returned as a recorded derivative.

    >>> is_slope(Value(2.0))
    False
    """
    return isinstance(node._more, Slope)


def require_held(values: Iterable[Value], owner: str) -> None:
    """A RuntimeError if one of `values` was replaced in the object that held it (see `nn.Module`); it names the first.

    >>> require_held([Value(2.0, "w")], "the optimizer")
    """
    lost = first_replaced(values := list(values))
    if lost is not None:
        name = values[lost].label or f"parameter {lost}"
        raise RuntimeError(f"{owner} holds {name}, which was replaced; create a new one from model.parameters()")


def first_replaced(values: Sequence[Value]) -> int | None:
    """The place of the first of `values` that was replaced in the object that held it; None if there is none.

    >>> first_replaced([Value(2.0)]) is None
    True
    """
    marks = marks_of(values)
    if marks and next(iter(marks)).look(values, marks):
        marks = marks_of(values)
    replaced = {mark for mark in marks if mark.replaced}
    return next((i for i, x in enumerate(values) if x._more in replaced), None) if replaced else None


def marks_of(values: Iterable[Value]) -> set[Held]:
    """The marks of the parameters among `values`.

    >>> marks_of([Value(2.0)])
    set()
    """
    return {mark for mark in set(map(_get_marks, values)) if isinstance(mark, Held)}


def assign(values: Iterable[Value], data: Iterable[Any]) -> None:
    """Sets the data of each of `values`; if anything is wrong, it changes none.

    A ValueError if there are not as many numbers as Values; a TypeError if one is not a real number.

    >>> x, y = Value(1.0), Value(2.0)
    >>> assign([x, y], [3.0, "4"])
    Traceback (most recent call last):
    TypeError: '4' (str) is not a real number; give an int, a float or a NumPy scalar
    >>> x.data
    1.0
    """
    set_at_once(changes_of(values, data))


Change: TypeAlias = "tuple[Any, str, Any]"
"""An object, one of its attributes, and the new value."""


def changes_of(values: Iterable[Value], data: Iterable[Any]) -> list[Change]:
    """The changes that `assign` makes; it raises the same errors.

    >>> changes_of([Value(1.0)], [3])
    [(Value(data=1.0, grad=0.0), '_number', 3.0)]
    """
    values, numbers = list(values), [as_float(number) for number in data]
    if len(values) != len(numbers):
        raise ValueError(f"{len(numbers)} numbers for {len(values)} Values; give one for each")
    return list(zip(values, repeat("_number"), numbers))


def set_at_once(changes: Sequence[Change]) -> None:
    """Makes all of the changes, or none.  The attributes must not be properties.

    >>> x = Value(1.0)
    >>> set_at_once([(x, "label", "x"), (x, "_number", 2.0)])
    >>> x
    Value(data=2.0, grad=0.0, label='x')
    """
    # One call into C, as in `add_to_grads`: a signal (Ctrl-C) comes before all of them or after them.
    deque(starmap(setattr, changes), maxlen=0)
