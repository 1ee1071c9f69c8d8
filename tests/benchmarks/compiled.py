"""Compiled programs against micrograd, NumPy written by hand, and, where they are installed, PyTorch and CasADi.

    pip install -e '.[dev]'
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python tests/benchmarks/compiled.py

The work: one step of micrograd's demo, 100 examples unrolled, MLP 2-16-16-1, hinge loss, L2 term: the loss and all
gradients.
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
from autograd import Value, compile, gradients, topological_order  # noqa: A004 -- its name

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


def main() -> None:
    """Prints the table."""
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

    work: dict[str, tuple[Callable[[], Any], int]] = {
        "compiled": (lambda: program.value_and_grad(theta), 500),
        "NumPy by hand": (lambda: by_hand(theta), 500),
        "micrograd": (micrograd_step, 1),
        "eager": (lambda: gradients(graph(Value, model), model.parameters()), 1),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, (function, repeats) in work.items():
            times[name].append(seconds(function, repeats))
    print(f"demo step, {len(topological_order([loss]))} nodes")
    base = times["compiled"]
    for name, found in times.items():
        ratios = sorted(x / y for x, y in zip(found, base))
        median, ratio = 1e6 * statistics.median(found), statistics.median(ratios)
        print(f"  {name:<14} {median:>12.1f} us   {ratio:>10.2f} times compiled")
    for name in ("torch", "casadi", "jax"):
        state = "installed, not compared yet" if importlib.util.find_spec(name) else "skipped, not installed"
        print(f"  {name:<14} {state}")

    print("compile time a node")
    for count in (2, 16, 155, 1550):
        big = graph(Value, model, count)
        nodes = len(topological_order([big]))
        gc.collect()
        took = seconds(partial(compile, big, model.parameters()), 1)
        print(f"  {nodes:>9,} nodes  {1e6 * took / nodes:.2f} us")


if __name__ == "__main__":
    main()
