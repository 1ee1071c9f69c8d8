"""Scalar reverse-mode automatic differentiation that shows its work."""

from typing import TYPE_CHECKING, Any

from . import installation as installation  # first: it raises where HIPS's package lies in this folder
from .assigning import assign
from .functional import grad, hessian, hvp, jacobian, jvp, value_and_grad
from .functions import dot, log_softmax, logsumexp, mean, select, softmax
from .graph import gradients, leaves, topological_order
from .nodes import trace_lines
from .ops import ABS, POW, TABLE, Op
from .ops import ADD as add
from .ops import ARCSIN as arcsin
from .ops import ARCTAN as arctan
from .ops import COS as cos
from .ops import COSH as cosh
from .ops import DETACH as detach
from .ops import DIV as div
from .ops import EQUAL as equal
from .ops import EXP as exp
from .ops import EXPM1 as expm1
from .ops import LOG as log
from .ops import LOG1P as log1p
from .ops import MAXIMUM as maximum
from .ops import MINIMUM as minimum
from .ops import MUL as mul
from .ops import NEG as neg
from .ops import RELU as relu
from .ops import SIGMOID as sigmoid
from .ops import SIGN as sign
from .ops import SIN as sin
from .ops import SINH as sinh
from .ops import SOFTPLUS as softplus
from .ops import SQRT as sqrt
from .ops import STEP as step
from .ops import SUB as sub
from .ops import TAN as tan
from .ops import TANH as tanh
from .ops import WHERE as where
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
    "add",
    "arcsin",
    "arctan",
    "assign",
    "check_gradients",
    "cos",
    "cosh",
    "detach",
    "div",
    "dot",
    "draw",
    "enable_grad",
    "equal",
    "exp",
    "explain",
    "expm1",
    "formula",
    "grad",
    "gradcheck",
    "gradients",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "leaves",
    "log",
    "log1p",
    "log_softmax",
    "logsumexp",
    "maximum",
    "mean",
    "minimum",
    "mul",
    "neg",
    "no_grad",
    "origin_of_nonfinite",
    "relu",
    "select",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "softmax",
    "softplus",
    "sqrt",
    "step",
    "sub",
    "tan",
    "tanh",
    "topological_order",
    "trace_lines",
    "value_and_grad",
    "where",
    "why_zero",
]

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
