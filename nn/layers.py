"""Neurons, layers of neurons, and layers of layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import Value, dot, relu, select
from autograd.conversions import as_float

from .activations import ACTIVATIONS, LAYERWISE, identity, name_of
from .arguments import as_count, as_function, checked_call
from .initialization import INITIALIZERS, as_random, normal, uniform
from .module import Module

if TYPE_CHECKING:
    from autograd.picture.draw import Picture


class Neuron(Module):
    """activation(w . x + b), with weights `w` and bias `b`.

    A neuron has `nin` inputs.  The default `activation` is relu; ``nonlin=False`` is short for ``activation=identity``.
    The function `initialize` (see `nn.initialization`) draws the weights from `seed`: an int, a random.Random, or None
    for different weights every time.  The bias starts at 0.  `fan_out` is the width of the neuron's layer.

    >>> neuron = Neuron(2, seed=0)
    >>> neuron([1.0, 2.0]).data == max(0.0, neuron.w[0].data * 1.0 + neuron.w[1].data * 2.0)
    True
    """

    @checked_call()
    def __init__(
        self,
        nin: int,
        nonlin: bool = True,
        *,
        activation: Callable[[Any], Any] | None = None,
        initialize: Callable[[Random, int, int], float] = uniform,
        seed: int | Random | None = None,
        fan_out: int = 1,
    ) -> None:
        nin = as_count("the number of inputs", nin)
        self.activation = _activation(nonlin, activation)
        if self.activation in LAYERWISE:
            raise ValueError(
                f"{name_of(self.activation)} takes the outputs of a whole layer; give it to a Layer, not to a Neuron"
            )
        random = as_random(seed)
        initialize = as_function("initialize", initialize, INITIALIZERS)
        self.w = [Value(initialize(random, nin, fan_out)) for _ in range(nin)]
        self.b = Value(0.0)

    def preactivation(self, x: Sequence[Any]) -> Value:
        """z = w . x + b, the node whose gradient is delta = dJ/dz after ``J.backward()``.

        >>> neuron = Neuron(1, seed=0)
        >>> neuron.preactivation([2.0]).data == 2.0 * neuron.w[0].data
        True
        """
        if type(x) is not list or len(x) != len(self.w):
            x = _inputs(self, x, len(self.w))
        try:
            z: Any = dot(self.w, x) + self.b
        except TypeError:
            _check_numbers(self, x)
            raise
        if z is np.ma.masked:
            _check_numbers(self, x)
        return self._labeled(z, 0)

    def __call__(self, x: Sequence[Any]) -> Value:
        """The output for `x`, a sequence of `nin` numbers or Values; a ValueError for any other length."""
        return self._labeled(self.activation(self.preactivation(x)), 1)

    def _labeled(self, value: Value, which: int) -> Value:
        """`value`, labeled beside the bias: layers.0.neurons.3.z, unless it has a label or the bias has its own."""
        if isinstance(value, Value) and not value.label and value.op and (labels := _labels_beside(self.b.label)):
            value.label = labels[which]
        return value

    def __picture__(self) -> Picture:
        from .draw import neuron_picture

        return neuron_picture(name_of(self.activation), [w.data for w in self.w], self.b.data)

    def __repr__(self) -> str:
        return f"Neuron({len(self.w)}, {name_of(self.activation)})"


class Layer(Module):
    """`nout` neurons that share the same `nin` inputs.  An activation such as softmax takes all their outputs at once.

    The other arguments are those of `Neuron`.

    >>> from nn import softmax
    >>> layer = Layer(2, 3, activation=softmax, seed=0)
    >>> f"{sum(layer([1.0, 2.0])):.6f}"
    '1.000000'
    """

    @checked_call()
    def __init__(
        self,
        nin: int,
        nout: int,
        nonlin: bool = True,
        *,
        activation: Callable[[Any], Any] | None = None,
        initialize: Callable[[Random, int, int], float] = uniform,
        seed: int | Random | None = None,
    ) -> None:
        nout = as_count("the number of outputs", nout)
        random = as_random(seed)
        self.activation = _activation(nonlin, activation)
        if self.activation in LAYERWISE and nout == 1:
            raise ValueError(f"{name_of(self.activation)} of one output is always 1; give two or use sigmoid")
        each = identity if self.activation in LAYERWISE else self.activation
        self.neurons = [
            Neuron(nin, activation=each, initialize=initialize, seed=random, fan_out=nout) for _ in range(nout)
        ]

    def __call__(self, x: Sequence[Any]) -> Value | list[Value]:
        """The list of the `nout` outputs, or the output itself if there is only one neuron."""
        x = _inputs(self, x, len(self.neurons[0].w))
        out = [neuron(x) for neuron in self.neurons]
        if self.activation in LAYERWISE:
            out = [neuron._labeled(a, 1) for neuron, a in zip(self.neurons, self.activation(out))]
        return out[0] if len(out) == 1 else out

    def __picture__(self) -> Picture:
        return _network_picture([self])

    def __repr__(self) -> str:
        return f"Layer({len(self.neurons[0].w)} -> {len(self.neurons)}, {name_of(self.activation)})"


class MLP(Module):
    """A multi-layer perceptron: `nin` inputs, then a layer for each width in `nouts`.

    Hidden layers use `activation`, relu by default.  The last layer uses `output_activation`, the identity by default,
    because `cross_entropy` and `binary_cross_entropy` take logits.  The other arguments are those of `Neuron`.

    >>> model = MLP(2, [16, 16, 1], seed=0)
    >>> model
    MLP(2 -> 16 relu -> 16 relu -> 1 identity, 337 parameters)
    >>> model.layers[0].neurons[3].w[1].label
    'layers.0.neurons.3.w.1'
    """

    @checked_call(nonlin="output_activation=, the identity if not given")
    def __init__(
        self,
        nin: int,
        nouts: Sequence[int],
        *,
        activation: Callable[[Any], Any] | None = None,
        output_activation: Callable[[Any], Any] | None = None,
        initialize: Callable[[Random, int, int], float] = uniform,
        seed: int | Random | None = None,
    ) -> None:
        if not isinstance(nouts, (list, tuple)) or not nouts:
            raise ValueError(f"an MLP with layer widths {nouts!r}; give a list of at least one, such as [16, 16, 1]")
        random = as_random(seed)
        widths = [nin, *nouts]
        hidden = _function("activation", activation, relu)
        last = _function("output_activation", output_activation, identity)
        activations = [hidden] * (len(nouts) - 1) + [last]
        self.layers = [
            Layer(n, m, activation=f, initialize=initialize, seed=random)
            for n, m, f in zip(widths, widths[1:], activations)
        ]

    def __call__(self, x: Sequence[Any]) -> Value | list[Value]:
        """The output for one example `x`; see `Layer`."""
        out: Any = x
        for layer in self.layers:
            out = layer([out] if isinstance(out, Value) else out)
        result: Value | list[Value] = out
        return result

    def __picture__(self) -> Picture:
        return _network_picture(self.layers)

    def __repr__(self) -> str:
        layers = "".join(f" -> {len(layer.neurons)} {name_of(layer.activation)}" for layer in self.layers)
        return f"MLP({len(self.layers[0].neurons[0].w)}{layers}, {len(self.parameters())} parameters)"


class Embedding(Module):
    """A table with a vector of `size` learned numbers for each of `count` tokens.

    Call it with a token: an int from 0, or a Value in a function that you compile (see `autograd.select`).  A token out
    of range is an IndexError.  The function `initialize` (see `nn.initialization`) draws the numbers from `seed`.

    >>> table = Embedding(27, 4, seed=0)
    >>> table(3) == table.rows[3]
    True
    """

    @checked_call()
    def __init__(
        self,
        count: int,
        size: int,
        *,
        initialize: Callable[[Random, int, int], float] = normal,
        seed: int | Random | None = None,
    ) -> None:
        count, size = as_count("the number of tokens", count), as_count("the size of their vectors", size)
        random = as_random(seed)
        initialize = as_function("initialize", initialize, INITIALIZERS)
        self.rows = [[Value(initialize(random, count, size)) for _ in range(size)] for _ in range(count)]

    def __call__(self, token: float | Value) -> list[Value]:
        """The vector of `token`, a list of `size` Values."""
        vector: list[Value] = select(self.rows, token)
        return vector

    def __repr__(self) -> str:
        return f"Embedding({len(self.rows)} tokens -> {len(self.rows[0])})"


@lru_cache(maxsize=4096)
def _labels_beside(bias: str) -> tuple[str, str] | None:
    """The labels of the pre-activation and the output of a neuron, derived from the label of its bias."""
    return (bias[:-1] + "z", bias[:-1] + "a") if f".{bias}".endswith(".b") else None


def _network_picture(layers: Sequence[Layer]) -> Picture:
    from . import draw

    return draw.network_picture(
        [
            draw.Layer(
                name_of(layer.activation),
                [[w.data for w in neuron.w] for neuron in layer.neurons],
                [neuron.b.data for neuron in layer.neurons],
            )
            for layer in layers
        ]
    )


def _inputs(owner: Module, x: Any, nin: int) -> Sequence[Any]:
    """`x` as a sequence of exactly `nin` inputs."""
    if type(x) is not list:
        if getattr(x, "ndim", 1) != 1:  # an array, a table or a tensor
            raise ValueError(
                f"{owner} takes one example of shape ({nin},), not {tuple(x.shape)}; nn.predict takes many"
            )
        if isinstance(x, (dict, set, frozenset, bytes)):
            raise TypeError(f"{owner} takes a sequence of {nin} inputs, not a {type(x).__name__}")
        if isinstance(x, np.ndarray):
            x = list(x) if np.ma.is_masked(x) else x.tolist()
    try:
        count = len(x)
    except TypeError:
        raise TypeError(f"{owner} takes a sequence of {nin} inputs, not {x!r:.60} ({type(x).__name__})") from None
    if count != nin:
        raise ValueError(f"{owner} takes {nin} inputs, {count} were given")
    return x  # type: ignore[no-any-return]  # what has a length


def _check_numbers(owner: Module, x: Sequence[Any]) -> None:
    """A TypeError for the first input that is neither a number nor a Value."""
    for i, given in enumerate(x):
        try:
            given if isinstance(given, Value) else as_float(given)
        except TypeError:
            kind = type(given).__name__
            raise TypeError(f"input {i} of {owner} is {given!r:.60} ({kind}); give numbers or Values") from None


_ACTIVATIONS = ["tanh", *ACTIVATIONS, "softmax"]


def _function(what: str, given: Any, default: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return default if given is None else as_function(what, given, _ACTIVATIONS)


def _activation(nonlin: bool, activation: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    if not isinstance(nonlin, (bool, np.bool_)):
        raise TypeError(f"nonlin is {nonlin!r:.60}, not a bool; name the activation: activation=nn.tanh")
    if nonlin:
        return _function("activation", activation, relu)
    if activation not in (None, identity):
        raise ValueError(f"nonlin=False with activation={name_of(activation)}; give one of the two")
    return identity
