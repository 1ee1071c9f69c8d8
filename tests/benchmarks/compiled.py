"""Compiled programs against micrograd, NumPy written by hand, and, where they are installed, PyTorch and CasADi.

    pip install -e '.[dev]'
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python tests/benchmarks/compiled.py

Three kinds of work: one step of micrograd's demo, 100 examples unrolled, MLP 2-16-16-1, hinge loss, L2 term, the loss
and all gradients; a mini-batch of 256 on a 64-32-10 softmax network, compiled from a function of one example; and a
pendulum integrated for 1,000 steps, no batch, where no wave is wider than one.
"""

from __future__ import annotations

import gc
import importlib.util
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import micrograd.engine
import micrograd.nn
import numpy as np

import nn
from autograd import Value, compile, dot, gradients, log_softmax, sin, topological_order

ROUNDS = 7
X = np.array([[random.Random(i).gauss(0, 1), random.Random(-i).gauss(0, 1)] for i in range(1, 101)])
Y = np.where(X[:, 0] * X[:, 1] > 0, 1.0, -1.0)


def graph(value: Any, model: Any, count: int = 100) -> Any:
    """The loss of the demo, one number at a time, for either library."""
    rows, signs = X[np.arange(count) % 100].tolist(), Y[np.arange(count) % 100].tolist()
    scores = [model(list(map(value, row))) for row in rows]
    losses = [(1 + -sign * score).relu() for sign, score in zip(signs, scores)]
    return sum(losses) * (1.0 / count) + 1e-4 * sum(p * p for p in model.parameters())


def by_hand(theta: np.ndarray[Any, Any]) -> tuple[float, np.ndarray[Any, Any]]:
    """The same step as a person writes it in NumPy, forward and backward."""
    layers, start = [], 0
    for width, inputs in ((16, 2), (16, 16), (1, 16)):
        block = theta[start : start + width * (inputs + 1)].reshape(width, inputs + 1)
        layers.append((block[:, :-1], block[:, -1]))
        start += block.size
    (w1, b1), (w2, b2), (w3, b3) = layers
    z1 = X @ w1.T + b1
    a1 = np.maximum(z1, 0.0)
    z2 = a1 @ w2.T + b2
    a2 = np.maximum(z2, 0.0)
    margin = 1.0 - Y * (a2 @ w3[0] + b3[0])
    loss = np.maximum(margin, 0.0).mean() + 1e-4 * (theta @ theta)
    d3 = (margin > 0) * -Y / len(X)
    d2 = np.outer(d3, w3[0]) * (z2 > 0)
    d1 = d2 @ w2 * (z1 > 0)
    pieces = []
    for delta, a in ((d1, X), (d2, a1), (d3[:, None], a2)):
        pieces.append(np.column_stack([delta.T @ a, delta.sum(axis=0)]).ravel())
    return float(loss), np.concatenate(pieces) + 2e-4 * theta


def seconds(work: Callable[[], Any], repeats: int) -> float:
    """The time of one run of `work`, in a block of several."""
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def compared(title: str, work: dict[str, tuple[Callable[[], Any], int]]) -> None:
    """Prints the median times, and their ratios to the first, the rounds of all of them taking turns."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, (function, repeats) in work.items():
            times[name].append(seconds(function, repeats))
    print(title)
    base = next(iter(times.values()))
    for name, found in times.items():
        ratio = statistics.median(x / y for x, y in zip(found, base))
        print(f"  {name:<14} {1e6 * statistics.median(found):>12.1f} us   {ratio:>10.2f} times compiled")


def demo() -> None:
    """The unrolled demo."""
    model = nn.MLP(2, [16, 16, 1], seed=0)
    other = micrograd.nn.MLP(2, [16, 16, 1])
    loss = graph(Value, model)
    program = compile(loss, model.parameters())
    theta = np.array([p.data for p in model.parameters()])
    value, gradient = program.value_and_grad(theta)
    hand, slopes = by_hand(theta)
    assert abs(value - hand) < 1e-12 and np.abs(gradient - slopes).max() < 1e-12
    assert np.abs(gradient - gradients(loss, model.parameters())).max() < 1e-12

    def micrograd_step() -> None:
        total = graph(micrograd.engine.Value, other)
        other.zero_grad()
        total.backward()

    compared(
        f"demo step, {len(topological_order([loss])):,} nodes",
        {
            "compiled": (lambda: program.value_and_grad(theta), 500),
            "NumPy by hand": (lambda: by_hand(theta), 500),
            "micrograd": (micrograd_step, 1),
            "eager": (lambda: gradients(graph(Value, model), model.parameters()), 1),
        },
    )


def digits() -> None:
    """The mini-batch."""
    model = nn.MLP(64, [32, 10], seed=0)
    rng = np.random.default_rng(0)
    x, y = rng.random((256, 64)), np.eye(10)[rng.integers(10, size=256)]
    theta = np.array([p.data for p in model.parameters()])
    function = compile(lambda x, y: -dot(y, log_softmax(model(x))), model.parameters())

    def by_hand() -> tuple[float, np.ndarray[Any, Any]]:
        first, second = theta[: 32 * 65].reshape(32, 65), theta[32 * 65 :].reshape(10, 33)
        z1 = x @ first[:, :-1].T + first[:, -1]
        a1 = np.maximum(z1, 0.0)
        z2 = a1 @ second[:, :-1].T + second[:, -1]
        shifted = z2 - z2.max(axis=1, keepdims=True)
        e = np.exp(shifted)
        total = e.sum(axis=1, keepdims=True)
        loss = -(y * (shifted - np.log(total))).sum(axis=1).mean()
        d2 = (e / total - y) / len(x)
        d1 = d2 @ second[:, :-1] * (z1 > 0)
        pieces = [np.column_stack([d.T @ a, d.sum(axis=0)]).ravel() for d, a in ((d1, x), (d2, a1))]
        return float(loss), np.concatenate(pieces)

    value, gradient = function.value_and_grad(theta, x, y)
    hand, slopes = by_hand()
    assert abs(value - hand) < 1e-12 and np.abs(gradient - slopes).max() < 1e-12
    compared(
        "mini-batch of 256, 64-32-10",
        {"compiled": (lambda: function.value_and_grad(theta, x, y), 100), "NumPy by hand": (by_hand, 100)},
    )


def pendulum() -> None:
    """1,000 steps."""

    def end(angle: Any, length: Any) -> Any:
        speed = 0.0
        for _ in range(1000):
            speed = speed - 0.01 * 9.81 / length * sin(angle)
            angle = angle + 0.01 * speed
        return angle

    leaves = [Value(1.0, "angle"), Value(2.0, "length")]
    program = compile(end(*leaves), leaves)
    assert np.allclose(program.value_and_grad([1.0, 2.0])[1], gradients(end(*leaves), leaves), rtol=1e-12)
    compared(
        "pendulum, 1,000 steps",
        {
            "compiled": (lambda: program.value_and_grad([1.0, 2.0]), 10),
            "eager": (lambda: gradients(end(*leaves), leaves), 3),
        },
    )


def main() -> None:
    """Prints the tables."""
    demo()
    digits()
    pendulum()
    for name in ("torch", "casadi", "jax"):
        print(
            f"{name}: {'installed, not compared yet' if importlib.util.find_spec(name) else 'skipped, not installed'}"
        )
    model = nn.MLP(2, [16, 16, 1], seed=0)
    print("compile time a node")
    for count in (2, 16, 155, 1550):
        big = graph(Value, model, count)
        nodes = len(topological_order([big]))
        gc.collect()
        took = seconds(partial(compile, big, model.parameters()), 1)
        print(f"  {nodes:>9,} nodes  {1e6 * took / nodes:.2f} us")


if __name__ == "__main__":
    main()
