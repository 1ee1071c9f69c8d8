"""`Unknown`: what a traced function gets where it reads a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn


class Unknown:
    """Stands for a number that varies from call to call: it can be passed on and printed, and refuses any use.

    While the function is traced, `isinstance` takes it for a float, as it takes the number in the eager run.

    >>> def refuse():
    ...     raise TypeError("the number was used")
    >>> number = Unknown(refuse, lambda: True)
    >>> print(f"{number:.3f}", isinstance(number, float))
    <traced> True
    >>> number + 1.0
    Traceback (most recent call last):
    TypeError: the number was used
    """

    __slots__ = ("_is_traced", "_refuse")

    def __init__(self, refuse: Callable[[], NoReturn], is_traced: Callable[[], bool]) -> None:
        self._refuse, self._is_traced = refuse, is_traced

    def __repr__(self) -> str:
        return Text("<traced>", self._refuse)

    def __format__(self, spec: str) -> str:
        return repr(self)

    @property  # type: ignore[misc]  # as mocks do
    def __class__(self) -> type:
        return _Float if self._is_traced() else Unknown


class Text(str):
    """What such a number prints as; to make a number of it is to use the number.

    >>> def refuse():
    ...     raise TypeError("the number was used")
    >>> float(Text("<traced>", refuse))
    Traceback (most recent call last):
    TypeError: the number was used
    """

    _refuse: Callable[[], NoReturn]

    def __new__(cls, text: str, refuse: Callable[[], NoReturn]) -> Text:  # noqa: D102  # as the class says
        found = super().__new__(cls, text)
        found._refuse = refuse
        return found


class _Float(float):
    """A float to `isinstance`, but not to the engine, which asks whether a class is float."""


def _use(self: Unknown | Text, *_: Any, **__: Any) -> NoReturn:
    self._refuse()


_KEPT = {name for name in dir(object) if name not in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__")}
_USES = {*dir(float), *dir(complex), "__index__", "__array__", "__array_ufunc__", "__copy__", "__deepcopy__"} - _KEPT
for _name in (*_USES, "__hash__", "__reduce_ex__"):
    setattr(Unknown, _name, property(_use) if _name in ("real", "imag") else _use)
for _name in ("__float__", "__int__"):
    setattr(Text, _name, _use)
