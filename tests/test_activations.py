"""Activation functions: formulas, kinks, extremes, and one answer on floats, arrays and Values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd
import nn
from autograd import Value, gradients
from nn.activations import ACTIVATIONS

from .laws import close
from .oracles import difference

FORMULAS = {
    "identity": lambda x: x,
    "binary_step": lambda x: 0.0 if x < 0 else 1.0,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "arctan": math.atan,
    "relu": lambda x: max(x, 0.0),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "softplus": lambda x: math.log(1 + math.exp(x)),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "gelu": lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
}
EACH = pytest.mark.parametrize("name", list(ACTIVATIONS))


@EACH
@given(st.floats(-6, 6).filter(lambda x: abs(x) > 0.05))
def test_formula_and_derivative(name, x):
    """The textbook formula, and its derivative by differences, on Values, floats and arrays."""
    activation, formula = ACTIVATIONS[name], FORMULAS[name]
    node = Value(x)
    out = activation(node)
    assert close(out.data, formula(x), 1e-12, 1e-15)
    assert activation(x) == out.data
    assert close(float(activation(np.array([x, x]))[1]), formula(x), 1e-12, 1e-15)
    assert close(gradients(out, [node])[0], difference(formula, x, 1e-3), 1e-8, 1e-9)


@EACH
@pytest.mark.parametrize("x", [1e6, -1e6, 1e200, -1e200])
def test_extremes(name, x):
    """Far out, value and derivative are finite numbers."""
    node = Value(x)
    out = ACTIVATIONS[name](node)
    assert math.isfinite(out.data) and math.isfinite(gradients(out, [node])[0])


@pytest.mark.parametrize(
    ("name", "value", "slope"),
    [
        ("binary_step", 1.0, 0.0),
        ("relu", 0.0, 0.0),
        ("leaky_relu", 0.0, 0.01),
        ("elu", 0.0, 1.0),
        ("silu", 0.0, 0.5),
        ("gelu", 0.0, 0.5),
    ],
)
def test_at_zero(name, value, slope):
    """The classifier's step is 1 at 0; kinks take the derivative of least norm."""
    node = Value(0.0)
    out = ACTIVATIONS[name](node)
    assert (out.data, gradients(out, [node])[0]) == (value, slope)


def test_one_name_has_one_meaning():
    """The primitive `step` is 0 at 0, the classifier's `binary_step` 1; what `nn` and `autograd` both have is one."""
    assert autograd.step(0.0) == 0.0 and nn.binary_step(0.0) == nn.binary_step(-0.0) == 1.0
    for name in {*autograd.__all__} & {*nn.__all__}:
        assert getattr(nn, name) is getattr(autograd, name)


def test_a_step_of_nan_and_of_infinities():
    """NaN stays NaN, as in relu; the derivative is 0 everywhere."""
    for x, value in ((-math.inf, 0.0), (-5e-324, 0.0), (5e-324, 1.0), (math.inf, 1.0), (math.nan, math.nan)):
        node = Value(x)
        out = nn.binary_step(node)
        for found in (out.data, nn.binary_step(x), nn.binary_step(np.array([x]))[0]):
            assert found == value or (math.isnan(found) and math.isnan(value))
        assert gradients(out, [node]) == [0.0]


def test_parameters_of_activations():
    """slope and alpha."""
    assert nn.leaky_relu(-2.0, slope=0.5) == -1.0
    assert close(nn.elu(-1.0, alpha=2.0), 2 * math.expm1(-1.0), 1e-15)


def test_every_activation_is_public_and_tested():
    """A new one needs a name in nn and a formula here."""
    assert ACTIVATIONS.keys() == FORMULAS.keys()
    for name, activation in ACTIVATIONS.items():
        assert getattr(nn, name) is activation and name in nn.__all__
