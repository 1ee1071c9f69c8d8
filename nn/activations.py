"""Activation functions.  Each takes a float, an array or a Value, and gives the same; `softmax` takes a whole layer.

sigmoid, tanh, arctan, relu and softplus are rows of the table; the others are composed from it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt
from typing import Any

from autograd import arctan, expm1, relu, sigmoid, softmax, softplus, tanh, where
from autograd import step as _positive

__all__ = [
    "ACTIVATIONS",
    "LAYERWISE",
    "arctan",
    "elu",
    "gelu",
    "identity",
    "leaky_relu",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "step",
    "tanh",
]


def identity(x: Any) -> Any:
    """x itself: no activation.

    >>> identity(-2.0)
    -2.0
    """
    return x


def step(x: Any) -> Any:
    """0 for x < 0 and 1 for all other x, 0 included (the table's ``autograd.step`` is 0 at 0); derivative 0.

    >>> step(-0.1), step(0.0), step(3.0)
    (0.0, 1.0, 1.0)
    """
    return 1.0 - _positive(-x)


def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """x for x > 0, slope x elsewhere (Maas, Hannun and Ng, 2013); its derivative at 0 is `slope`.

    >>> leaky_relu(2.0), leaky_relu(-2.0)
    (2.0, -0.02)
    """
    return where(_positive(x), x, slope * x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x for x > 0, alpha (exp(x) - 1) elsewhere (Clevert, Unterthiner and Hochreiter, 2016).

    >>> elu(2.0), elu(-1000.0)
    (2.0, -1.0)
    """
    return where(_positive(x), x, alpha * expm1(x))


def silu(x: Any) -> Any:
    """x sigmoid(x), also called swish (Elfwing, Uchibe and Doya, 2018).

    >>> silu(0.0), silu(1000.0)
    (0.0, 1000.0)
    """
    return x * sigmoid(x)


def gelu(x: Any) -> Any:
    """x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): the tanh approximation of x Phi(x) (Hendrycks and Gimpel, 2016).

    >>> round(gelu(1.0), 6)
    0.841192
    """
    return 0.5 * x * (1.0 + tanh(sqrt(2.0 / pi) * (x + 0.044715 * (x * x * x))))


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "identity": identity,
    "step": step,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "arctan": arctan,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "elu": elu,
    "softplus": softplus,
    "silu": silu,
    "gelu": gelu,
}

LAYERWISE = frozenset({softmax})
"""The activations that take the pre-activations of a whole layer at once."""


def name_of(activation: Callable[[Any], Any]) -> str:
    """What to call an activation, the user's own included.

    >>> name_of(relu), name_of(gelu)
    ('relu', 'gelu')
    """
    return str(getattr(activation, "name", None) or getattr(activation, "__name__", activation))
