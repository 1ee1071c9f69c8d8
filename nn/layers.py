"""Neurons, layers of neurons, and layers of layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np

from autograd import Value, dot, relu

from .activations import LAYERWISE, identity
from .initialisation import as_random, uniform
from .module import Module


class Neuron(Module):
    """activation(w . x + b), with weights `w` and bias `b`.

    `nin` inputs; ``nonlin=False`` is short for ``activation=identity``.  `initialise` draws a weight (see
    `nn.initialisation`), the bias starts at 0; `fan_out` is the width of the layer that the neuron is in.

    >>> neuron = Neuron(2, seed=0)
    >>> neuron([1.0, 2.0]).data == max(0.0, neuron.w[0].data * 1.0 + neuron.w[1].data * 2.0)
    True
    """

    def __init__(
        self,
        nin: int,
        nonlin: bool = True,
        *,
        activation: Callable[[Any], Any] = relu,
        initialise: Callable[[Random, int, int], float] = uniform,
        seed: int | Random | None = None,
        fan_out: int = 1,
    ) -> None:
        _check_width("the number of inputs", nin)
        random = as_random(seed)
        self.w = [Value(initialise(random, nin, fan_out)) for _ in range(nin)]
        self.b = Value(0.0)
        self.activation = activation if nonlin else identity

    def preactivation(self, x: Sequence[Any]) -> Any:
        """z = w . x + b, the node whose gradient is delta = dJ/dz after ``J.backward()``."""
        return dot(self.w, _inputs(self, x, len(self.w))) + self.b

    def __call__(self, x: Sequence[Any]) -> Any:
        """The output for `x`, a sequence of `nin` numbers or Values; a ValueError for any other length."""
        return self.activation(self.preactivation(x))

    def __repr__(self) -> str:
        return f"Neuron({len(self.w)}, {_name(self.activation)})"


class Layer(Module):
    """`nout` neurons that see the same `nin` inputs; an activation such as softmax takes their outputs together.

    >>> from nn import softmax
    >>> layer = Layer(2, 3, activation=softmax, seed=0)
    >>> f"{sum(layer([1.0, 2.0])):.6f}"
    '1.000000'
    """

    def __init__(
        self,
        nin: int,
        nout: int,
        nonlin: bool = True,
        *,
        activation: Callable[[Any], Any] = relu,
        initialise: Callable[[Random, int, int], float] = uniform,
        seed: int | Random | None = None,
    ) -> None:
        _check_width("the number of outputs", nout)
        random = as_random(seed)
        self.activation = activation if nonlin else identity
        each = identity if self.activation in LAYERWISE else self.activation
        self.neurons = [
            Neuron(nin, activation=each, initialise=initialise, seed=random, fan_out=nout) for _ in range(nout)
        ]

    def __call__(self, x: Sequence[Any]) -> Any:
        """The list of `nout` outputs or, of a layer of one neuron, its output."""
        x = _inputs(self, x, len(self.neurons[0].w))
        out = [neuron(x) for neuron in self.neurons]
        if self.activation in LAYERWISE:
            out = self.activation(out)
        return out[0] if len(out) == 1 else out

    def __repr__(self) -> str:
        return f"Layer({len(self.neurons[0].w)} -> {len(self.neurons)}, {_name(self.activation)})"


class MLP(Module):
    """A multi-layer perceptron: `nin` inputs, then a layer for each width in `nouts`.

    The hidden layers have `activation`, the last one `output_activation`.

    >>> model = MLP(2, [16, 16, 1], seed=0)
    >>> model
    MLP(2 -> 16 relu -> 16 relu -> 1 identity, 337 parameters)
    >>> model.layers[0].neurons[3].w[1].label
    'layers.0.neurons.3.w.1'
    """

    def __init__(
        self,
        nin: int,
        nouts: Sequence[int],
        *,
        activation: Callable[[Any], Any] = relu,
        output_activation: Callable[[Any], Any] = identity,
        initialise: Callable[[Random, int, int], float] = uniform,
        seed: int | Random | None = None,
    ) -> None:
        if isinstance(nouts, int) or not len(nouts):
            raise ValueError(f"an MLP with layer widths {nouts!r}; give a list of at least one, such as [16, 16, 1]")
        random = as_random(seed)
        widths = [nin, *nouts]
        activations = [activation] * (len(nouts) - 1) + [output_activation]
        self.layers = [
            Layer(n, m, activation=f, initialise=initialise, seed=random)
            for n, m, f in zip(widths, widths[1:], activations)
        ]

    def __call__(self, x: Sequence[Any]) -> Any:
        """The output for one example `x`; see `Layer`."""
        for layer in self.layers:
            x = layer([x] if isinstance(x, Value) else x)
        return x

    def __repr__(self) -> str:
        layers = "".join(f" -> {len(layer.neurons)} {_name(layer.activation)}" for layer in self.layers)
        return f"MLP({len(self.layers[0].neurons[0].w)}{layers}, {len(self.parameters())} parameters)"


def _inputs(owner: Module, x: Any, nin: int) -> Sequence[Any]:
    """`x` as a sequence of exactly `nin` inputs."""
    if isinstance(x, np.ndarray):
        if x.ndim != 1:
            raise ValueError(f"{owner} takes one example of shape ({nin},), not {x.shape}; nn.predict takes many")
        x = x.tolist()
    try:
        count = len(x)
    except TypeError:
        raise TypeError(f"{owner} takes a sequence of {nin} inputs, not {x!r:.60} ({type(x).__name__})") from None
    if count != nin:
        raise ValueError(f"{owner} takes {nin} inputs, {count} were given")
    return x  # type: ignore[no-any-return]  # what has a length


def _check_width(what: str, width: Any) -> None:
    if not isinstance(width, int) or width < 1:
        raise ValueError(f"{what} is {width!r}; give an int of at least 1")


def _name(activation: Callable[[Any], Any]) -> str:
    return str(getattr(activation, "name", None) or getattr(activation, "__name__", activation))
