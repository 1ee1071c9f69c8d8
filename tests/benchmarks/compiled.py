"""Compiled programs against their eager run, NumPy written by hand, micrograd, PyTorch, CasADi and JAX.

    pip install -e '.[dev]'
    pip install torch casadi jax          # the peers; those that are not installed are skipped
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python tests/benchmarks/compiled.py

The work: one step of micrograd's demo, 100 examples unrolled, MLP 2-16-16-1, hinge loss, L2 term, the loss and all
gradients; a mini-batch of 256 on a 64-32-10 softmax network, compiled from a function of one example; a training step
of examples/gpt.py on 32 names; a pendulum integrated for 1,000 steps, where no group is wider than one; and the time
and the memory that compiling takes.  Each ratio is the median of rounds that took turns, beside it what it should be.
"""

from __future__ import annotations

import gc
import importlib.util
import platform
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import micrograd.engine
import micrograd.nn
import numpy as np

import nn
from autograd import Value, compile, dot, gradients, log_softmax, mean, sin, topological_order

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[2] / "examples")]
import gpt
import peers

ROUNDS = 7
POINTS = np.array([[random.Random(i).gauss(0, 1), random.Random(-i).gauss(0, 1)] for i in range(1, 1601)])
SIGNS = np.where(POINTS[:, 0] * POINTS[:, 1] > 0, 1.0, -1.0)
X, Y = POINTS[:100], SIGNS[:100]


def graph(value: Any, model: Any, count: int = 100) -> Any:
    """The loss of the demo, one number at a time, for either library."""
    rows, signs = POINTS[:count].tolist(), SIGNS[:count].tolist()
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
    """The time of one run of `work`, in a block of several; nobody's garbage is left to it."""
    gc.collect()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def compared(title: str, work: dict[str, tuple[Callable[[], Any], int]], bars: dict[str, float]) -> None:
    """Prints the median times, the ratios of the others to the first, and for each in `bars` what it should reach."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, (function, repeats) in work.items():
            times[name].append(seconds(function, repeats))
    print(title)
    base = next(iter(times.values()))
    for name, found in times.items():
        ratio = statistics.median(x / y for x, y in zip(found, base))
        verdict = f"   at least {bars[name]:.2f}: {'held' if ratio >= bars[name] else 'MISSED'}" if name in bars else ""
        print(f"  {name:<14} {1e6 * statistics.median(found):>12.1f} us   {ratio:>10.2f} times compiled{verdict}")


def against_peers(
    table: dict[str, tuple[str, Callable[..., peers.Step]]], x: Any, y: Any, theta: Any, gradient: Any
) -> dict[str, tuple[Callable[[], Any], int]]:
    """The steps of the peers that are installed, checked."""
    found: dict[str, tuple[Callable[[], Any], int]] = {}
    for name, (module, make) in table.items():
        if importlib.util.find_spec(module) is None:
            print(f"{name}: skipped, not installed")
            continue
        step = make(x, y)
        assert np.abs(step(theta)[1] - gradient).max() < 1e-9
        found[name] = (lambda step=step: step(theta)), 100
    return found


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
            **against_peers(peers.DEMO, X, Y, theta, gradient),
        },
        {"NumPy by hand": 1 / 1.5, "micrograd": 2000.0, "PyTorch": 1.0, "CasADi": 1.0},
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
        {
            "compiled": (lambda: function.value_and_grad(theta, x, y), 100),
            "NumPy by hand": (by_hand, 100),
            **against_peers(peers.DIGITS, x, y, theta, gradient),
        },
        {"NumPy by hand": 1 / 1.5, "PyTorch": 1.0},
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
        {"eager": 10.0},
    )


def names() -> None:
    """A training step of the GPT, the mean over 32 names of six letters."""
    model = gpt.GPT(27)
    parameters = model.parameters()
    batch = np.array([[26, *(random.Random(i).randrange(26) for _ in range(6)), 26] for i in range(32)])
    theta = np.array([p.data for p in parameters])
    function = compile(model, parameters)
    took = seconds(lambda: function.value_and_grad(theta, batch), 1)

    nodes = len(topological_order([model(batch[0].tolist())]))

    def eager() -> list[float]:
        return gradients(mean([model(name) for name in batch.tolist()]), parameters)

    assert np.abs(function.value_and_grad(theta, batch)[1] - eager()).max() < 1e-12
    compared(
        f"GPT, 32 names of 6 letters, {nodes:,} nodes each, traced and compiled in {took:.1f} s",
        {"compiled": (lambda: function.value_and_grad(theta, batch), 20), "eager": (eager, 1)},
        {"eager": 250.0},
    )


def compiling() -> None:
    """The time and the peak memory of compiling, the source of the program included, for each node of the graph."""
    model = nn.MLP(2, [16, 16, 1], seed=0)
    print("compiling, to the source: time and peak memory a node")
    times, peaks = [], []
    for count in (2, 16, 155, 1550):
        big = graph(Value, model, count)
        nodes = len(topological_order([big]))
        gc.collect()
        rounds = 5 if nodes < 200_000 else 3
        work = partial(lambda big: compile(big, model.parameters()).source, big)
        times.append(min(seconds(work, 1) for _ in range(rounds)) / nodes)
        tracemalloc.start()
        work()
        peaks.append(tracemalloc.get_traced_memory()[1] / nodes)
        tracemalloc.stop()
        print(f"  {nodes:>9,} nodes  {1e6 * times[-1]:.2f} us  {peaks[-1]:.0f} bytes")
    for what, found, limit, unit in (("time", times, 15e-6, "15 us"), ("memory", peaks, float("inf"), "")):
        flat = max(found) / min(found)
        print(f"  {what}: flat within {flat:.2f}, at most 2: {'held' if flat <= 2 else 'MISSED'}", end="")
        print(f"; under {unit}: {'held' if max(found) < limit else 'MISSED'}" if unit else "")


def main() -> None:
    """Prints the tables."""
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}")
    demo()
    digits()
    names()
    pendulum()
    compiling()


if __name__ == "__main__":
    main()
