"""Derivatives by other means than the engine's: differences, complex steps, sums over paths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd import Value


def difference(function: Callable[[float], float], x: float, h: float = 2e-3) -> float:
    """function'(x) by central differences over nine points: error of order h^8, and of rounding / h."""
    weights = (4 / 5, -1 / 5, 4 / 105, -1 / 280)
    return sum(w * (function(x + k * h) - function(x - k * h)) for k, w in enumerate(weights, start=1)) / h


def partial_difference(function: Callable[..., float], x: Sequence[float], i: int, h: float = 2e-3) -> float:
    """The derivative of ``function(*x)`` with respect to x[i], by `difference`."""
    return difference(lambda xi: function(*x[:i], xi, *x[i + 1 :]), x[i], h)


def complex_step(function: Callable[[complex], Any], x: float) -> float:
    """function'(x) of an analytic function, to rounding: Im f(x + ih) / h (Squire and Trapp, 1998)."""
    return float(np.imag(function(complex(x, 1e-100))) / 1e-100)


ANALYTIC: dict[str, Callable[[Any], Any]] = {
    "neg": lambda x: 0 - x,
    "expm1": lambda x: np.exp(x) - 1,
    "log1p": lambda x: np.log(1 + x),
    "sqrt": lambda x: np.exp(np.log(x) / 2),
    "sinh": lambda x: (np.exp(x) - np.exp(-x)) / 2,
    "cosh": lambda x: (np.exp(x) + np.exp(-x)) / 2,
    "tanh": lambda x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log(1 + np.exp(x)),
}
"""Analytic functions by their textbook definitions, for complex numbers, where NumPy has another or none."""


def analytic(name: str) -> Callable[[Any], Any]:
    """An analytic function for complex arguments."""
    function = ANALYTIC.get(name) or getattr(np, name, None)
    assert function, f"NumPy has no {name}; write down what it is in ANALYTIC"
    return function


def path_sum(output: Value | float, leaf: Value) -> float:
    """d(output)/d(leaf) as the sum, over every path between the two, of the product of the derivatives along it."""
    if output is leaf:
        return 1.0
    if isinstance(output, float) or output.op is None:
        return 0.0
    return sum(
        partial(*output.numbers) * path_sum(x, leaf)
        for x, partial in zip(output.inputs, output.op.partials)
        if partial is not None
    )
