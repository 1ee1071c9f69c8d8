"""Neurons, layers, losses, optimizers and training on `autograd.Value`."""

from . import installation as installation  # first: it raises where `autograd` is another package
from . import schedules
from .activations import (
    LAYERWISE,
    arctan,
    binary_step,
    elu,
    gelu,
    identity,
    leaky_relu,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from .initialization import glorot, he, normal, uniform
from .layers import MLP, Embedding, Layer, Neuron
from .losses import binary_cross_entropy, cost, cross_entropy, half_squared_error, hinge, mean_squared_error
from .module import Module
from .optimizers import SGD, Adam, AdamW, NonFiniteError, Optimizer
from .training import History, accuracy, fit, predict

__all__ = [
    "LAYERWISE",
    "MLP",
    "SGD",
    "Adam",
    "AdamW",
    "Embedding",
    "History",
    "Layer",
    "Module",
    "Neuron",
    "NonFiniteError",
    "Optimizer",
    "accuracy",
    "arctan",
    "binary_cross_entropy",
    "binary_step",
    "cost",
    "cross_entropy",
    "elu",
    "fit",
    "gelu",
    "glorot",
    "half_squared_error",
    "he",
    "hinge",
    "identity",
    "leaky_relu",
    "mean_squared_error",
    "normal",
    "predict",
    "relu",
    "schedules",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
    "uniform",
]
