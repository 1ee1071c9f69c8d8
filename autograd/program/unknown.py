"""`Unknown`: it stands for a number that a traced function reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn


class Unknown:
    """It stands for a number that varies from call to call.  It can be passed on and printed, but not used.

    `isinstance` takes it for a float while the function is traced, because the number is one in the eager run.

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

    @property  # type: ignore[misc]  # a class may be a property: mocks do the same
    def __class__(self) -> type:
        return _Float if self._is_traced() else Unknown


class Text(str):
    """The string that an `Unknown` prints.  It cannot be turned into a number, which would be a use.

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
    """A float for `isinstance`, but not for the engine, which asks whether the class is float itself."""


def _use(self: Unknown | Text, *_: Any, **__: Any) -> NoReturn:
    self._refuse()


_KEPT = {name for name in dir(object) if name not in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__")}
_USES = {*dir(float), *dir(complex), "__index__", "__array__", "__array_ufunc__", "__copy__", "__deepcopy__"} - _KEPT
for _name in (*_USES, "__hash__", "__reduce_ex__"):
    setattr(Unknown, _name, property(_use) if _name in ("real", "imag") else _use)
for _name in ("__float__", "__int__"):
    setattr(Text, _name, _use)
