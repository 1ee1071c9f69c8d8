"""Scalar reverse-mode automatic differentiation that shows its work."""

from typing import TYPE_CHECKING, Any

from . import installation as installation  # isort: skip -- first: it raises where HIPS's package lies in this folder

from . import generated
from .assigning import assign
from .derivatives import gradients
from .functional import grad, hessian, hvp, jacobian, jvp, value_and_grad
from .functions import dot, log_softmax, logsumexp, mean, select, softmax
from .generated import *  # noqa: F403 -- the rows of the table: add, arcsin, arctan ...
from .graph import leaves, topological_order
from .nodes import trace_lines
from .ops import ABS, POW, TABLE, Op
from .recording import enable_grad, no_grad
from .value import Value

if TYPE_CHECKING:
    from .check import check_gradients, gradcheck
    from .derivation.data import Derivation
    from .derivation.diagnose import origin_of_nonfinite, why_zero
    from .derivation.formula import formula
    from .derivation.quiz import Quiz
    from .derivation.routes import explain
    from .picture.draw import Picture, draw
    from .program import CompiledFunction, Program
    from .program import compile as compile

__version__ = "0.1.0"

abs, pow = ABS, POW

# Names of builtins (abs, pow, compile) are left out, so that `from autograd import *` does not replace Python's own.
__all__ = [
    "TABLE",
    "CompiledFunction",
    "Derivation",
    "Op",
    "Picture",
    "Program",
    "Quiz",
    "Value",
    "assign",
    "check_gradients",
    "dot",
    "draw",
    "enable_grad",
    "explain",
    "formula",
    "grad",
    "gradcheck",
    "gradients",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "leaves",
    "log_softmax",
    "logsumexp",
    "mean",
    "no_grad",
    "origin_of_nonfinite",
    "select",
    "softmax",
    "topological_order",
    "trace_lines",
    "value_and_grad",
    "why_zero",
]
__all__ += generated.__all__

_ROOMS = {
    "check": ("check_gradients", "gradcheck"),
    "derivation": (),
    "derivation.data": ("Derivation",),
    "derivation.diagnose": ("origin_of_nonfinite", "why_zero"),
    "derivation.formula": ("formula",),
    "derivation.quiz": ("Quiz",),
    "derivation.routes": ("explain",),
    "picture": (),
    "picture.draw": ("Picture", "draw"),
    "program": ("CompiledFunction", "Program", "compile"),
}
"""Modules that take long to import, and the names above that they define: each is imported when it is first used."""

if not TYPE_CHECKING:  # pragma: no branch  # type checkers would believe that every name exists

    def __getattr__(name: str) -> Any:
        """A name of `_ROOMS`, imported now."""
        from importlib import import_module

        for room, names in _ROOMS.items():
            if name == room:
                return import_module(f".{room}", __name__)
            if name in names:
                found = globals()[name] = getattr(import_module(f".{room}", __name__), name)
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        """All names, imported or not."""
        return sorted({*globals(), *(name for names in _ROOMS.values() for name in names)})
