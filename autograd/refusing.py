"""What a Value refuses, because it would cut the graph silently: to become a float, an int, an index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from . import watching
from .watching import notify


def _refusal(what: str, hint: str) -> Callable[..., NoReturn]:
    def method(self: Any, *_: Any) -> NoReturn:
        compiling = "in what is compiled, compute with the functions of autograd, where and select"
        error = TypeError(f"{what} of a Value would cut the graph silently; {compiling if watching.watchers else hint}")
        raise notify(TypeError, (self,), error)

    return method


class Refusals:
    """The methods that refuse.  Each raises a TypeError that says what to write instead."""

    __slots__ = ()

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

    def _refused(self, error: TypeError) -> TypeError:
        return notify(TypeError, (self,), error)  # type: ignore[no-any-return]  # an error
