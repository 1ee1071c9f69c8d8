"""Activation functions.  Each takes a float, an array or a Value, and returns the same; `softmax` takes a whole layer.

sigmoid, tanh, arctan, relu and softplus are rows of the table; the others are composed from it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt
from typing import Any, TypeVar

import numpy as np

from autograd import Value, arctan, expm1, minimum, relu, sigmoid, sign, softmax, softplus, step, tanh, where

X = TypeVar("X", float, Value, "np.ndarray[Any, Any]")

__all__ = [
    "ACTIVATIONS",
    "LAYERWISE",
    "arctan",
    "binary_step",
    "elu",
    "gelu",
    "identity",
    "leaky_relu",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]


def identity(x: X) -> X:
    """x itself: no activation.

    >>> identity(-2.0)
    -2.0
    """
    return x


def binary_step(x: X) -> X:
    """0 for x < 0 and 1 for x >= 0, as a classifier decides; derivative 0.

    At 0 it is 1, where the primitive ``autograd.step``, the derivative of relu, is 0.

    >>> binary_step(-0.1), binary_step(0.0), binary_step(3.0)
    (0.0, 1.0, 1.0)
    """
    return minimum(1.0 + sign(x), 1.0)


def leaky_relu(x: X, slope: float = 0.01) -> X:
    """x for x > 0, slope x elsewhere (Maas, Hannun and Ng, 2013); its derivative at 0 is `slope`.

    >>> leaky_relu(2.0), leaky_relu(-2.0)
    (2.0, -0.02)
    """
    return where(step(x), x, slope * x)


def elu(x: X, alpha: float = 1.0) -> X:
    """x for x > 0, alpha (exp(x) - 1) elsewhere (Clevert, Unterthiner and Hochreiter, 2016).

    >>> elu(2.0), elu(-1000.0)
    (2.0, -1.0)
    """
    return where(step(x), x, alpha * expm1(x))


def silu(x: X) -> X:
    """x sigmoid(x), also called swish (Elfwing, Uchibe and Doya, 2018).  At -inf it is -inf times 0: NaN.

    >>> silu(0.0), silu(1000.0)
    (0.0, 1000.0)
    """
    return x * sigmoid(x)


def gelu(x: X) -> X:
    """x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): the tanh approximation of x Phi(x) (Hendrycks and Gimpel, 2016).

    At -inf it is -inf times 0: NaN.

    >>> round(gelu(1.0), 6)
    0.841192
    """
    return 0.5 * x * (1.0 + tanh(sqrt(2.0 / pi) * (x + 0.044715 * (x * x * x))))  # type: ignore[no-any-return]


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "identity": identity,
    "binary_step": binary_step,
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
    """The name of an activation, also of your own.

    >>> name_of(relu), name_of(gelu)
    ('relu', 'gelu')
    """
    return str(getattr(activation, "name", None) or getattr(activation, "__name__", activation))
