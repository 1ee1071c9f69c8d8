"""The demo step and the mini-batch of compiled.py as users of PyTorch, CasADi and JAX write them, on one thread.

Each function takes the data once and returns the step, from a flat theta to the loss and its gradient. A library is
imported when its function is called; JAX reads its settings from the first such call in a process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Step = Callable[[Array], tuple[float, Array]]

DEMO_SHAPE = (2, 16, 16, 1)
DIGITS_SHAPE = (64, 32, 10)


def layers(theta: Any, shape: tuple[int, ...]) -> list[tuple[Any, Any]]:
    """The weights and the bias of each layer, cut out of theta, a tensor of PyTorch or of JAX."""
    found, start = [], 0
    for inputs, width in pairwise(shape):
        block = theta[start : start + width * (inputs + 1)].reshape(width, inputs + 1)
        found.append((block[:, :-1], block[:, -1]))
        start += width * (inputs + 1)
    return found


def torch_step(loss: Callable[[Any], Any]) -> Step:
    """A step of eager PyTorch, theta its one leaf, in the memory of the NumPy array."""
    import torch

    torch.set_num_threads(1)

    def step(theta: Array) -> tuple[float, Array]:
        leaf = torch.from_numpy(theta).requires_grad_()
        value = loss(leaf)
        value.backward()
        return value.item(), leaf.grad.numpy()

    return step


def torch_demo(x: Array, y: Array) -> Step:
    """The demo step in eager PyTorch."""
    import torch
    from torch.nn.functional import linear

    inputs, signs = torch.from_numpy(x), torch.from_numpy(y)

    def loss(theta: Any) -> Any:
        first, second, last = layers(theta, DEMO_SHAPE)
        scores = linear(linear(linear(inputs, *first).relu(), *second).relu(), *last).squeeze(1)
        return (1 - signs * scores).relu().mean() + 1e-4 * theta.dot(theta)

    return torch_step(loss)


def torch_digits(x: Array, y: Array) -> Step:
    """The mini-batch in eager PyTorch."""
    import torch
    from torch.nn.functional import cross_entropy, linear

    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def loss(theta: Any) -> Any:
        first, last = layers(theta, DIGITS_SHAPE)
        return cross_entropy(linear(linear(inputs, *first).relu(), *last), targets)

    return torch_step(loss)


def casadi_demo(x: Array, y: Array) -> Step:
    """The demo step in CasADi: an SX function of the unrolled examples, called through its buffer."""
    import casadi

    size = sum(width * (inputs + 1) for inputs, width in pairwise(DEMO_SHAPE))
    theta, start, blocks = casadi.SX.sym("theta", size), 0, []
    for inputs, width in pairwise(DEMO_SHAPE):
        end = start + width * (inputs + 1)
        blocks.append(casadi.reshape(theta[start:end], inputs + 1, width).T)  # CasADi counts down the columns
        start = end
    (w1, b1), (w2, b2), (w3, b3) = ((block[:, :-1], block[:, -1]) for block in blocks)

    def hinge(row: Array, sign: float) -> Any:
        hidden = casadi.fmax(w2 @ casadi.fmax(w1 @ row + b1, 0) + b2, 0)
        return casadi.fmax(1 - sign * (w3 @ hidden + b3), 0)

    loss = sum(map(hinge, x, y)) / len(x) + 1e-4 * casadi.sumsqr(theta)
    function = casadi.Function("demo", [theta], [loss, casadi.gradient(loss, theta)])
    buffer, evaluate = function.buffer()
    value, gradient = np.empty(1), np.empty(size)
    buffer.set_res(0, memoryview(value))
    buffer.set_res(1, memoryview(gradient))

    def step(theta: Array) -> tuple[float, Array]:
        buffer.set_arg(0, memoryview(theta))
        evaluate()
        return float(value[0]), gradient.copy()

    return step


def jax_step(loss: Callable[[Any, Any, Any], Any], x: Array, y: Array) -> Step:
    """A jitted step of JAX on the CPU, in double precision, run in the calling thread, the data on the device."""
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    import jax

    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    function, data = jax.jit(jax.value_and_grad(loss)), (jax.device_put(x), jax.device_put(y))

    def step(theta: Array) -> tuple[float, Array]:
        value, gradient = jax.block_until_ready(function(theta, *data))
        return float(value), np.asarray(gradient)

    return step


def jax_demo(x: Array, y: Array) -> Step:
    """The demo step in JAX."""
    from jax.nn import relu

    def loss(theta: Any, x: Any, y: Any) -> Any:
        (w1, b1), (w2, b2), (w3, b3) = layers(theta, DEMO_SHAPE)
        scores = relu(relu(x @ w1.T + b1) @ w2.T + b2) @ w3[0] + b3[0]
        return relu(1 - y * scores).mean() + 1e-4 * (theta @ theta)

    return jax_step(loss, x, y)


def jax_digits(x: Array, y: Array) -> Step:
    """The mini-batch in JAX."""
    from jax.nn import log_softmax, relu

    def loss(theta: Any, x: Any, y: Any) -> Any:
        (w1, b1), (w2, b2) = layers(theta, DIGITS_SHAPE)
        return -(y * log_softmax(relu(x @ w1.T + b1) @ w2.T + b2)).sum(axis=1).mean()

    return jax_step(loss, x, y)


DEMO: dict[str, tuple[str, Callable[[Array, Array], Step]]] = {
    "PyTorch": ("torch", torch_demo),
    "CasADi": ("casadi", casadi_demo),
    "JAX": ("jax", jax_demo),
}
DIGITS: dict[str, tuple[str, Callable[[Array, Array], Step]]] = {
    "PyTorch": ("torch", torch_digits),
    "JAX": ("jax", jax_digits),
}
