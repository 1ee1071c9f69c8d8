"""Time and memory against the published micrograd and two minimal engines, and time a node as graphs grow.

    pip install -e '.[dev]'
    python tests/benchmarks/against_micrograd.py

The demo: two-dimensional examples, MLP 2-16-16-1, hinge loss, L2 term, forward plus backward, the same code for all,
with 4 examples and with 100, with Python's cyclic collector on (as a user has it) and off.  Each step runs while the
graph of the step before is still alive, as in a training loop.  The engines take turns in blocks of steps; a ratio is
that of two blocks of one round.  micrograd and this library use their own MLP, the minimal engines (see
`sixty_lines.py`) the one below.  Times are of the process, not of the clock.
"""

from __future__ import annotations

import gc
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import cos, pi, sin
from typing import Any

import micrograd.engine
import micrograd.nn
from sixty_lines import Lean, SixtyLines

import autograd
import nn

ROUNDS = 7
STEPS = {4: 60, 100: 4}
"""How many steps a block has, by the number of examples."""


class Neuron:
    """relu(w . x + b), of any engine."""

    def __init__(self, value: Any, nin: int, nonlin: bool) -> None:
        self.w = [value(random.uniform(-1, 1)) for _ in range(nin)]
        self.b, self.nonlin = value(0.0), nonlin

    def __call__(self, x: list[Any]) -> Any:
        """The output."""
        act = sum([wi * xi for wi, xi in zip(self.w, x)], self.b)
        return act.relu() if self.nonlin else act


class Network:
    """micrograd's MLP, of any engine."""

    def __init__(self, value: Any, sizes: list[int]) -> None:
        last = len(sizes) - 2
        self.layers = [
            [Neuron(value, nin, i < last) for _ in range(nout)] for i, (nin, nout) in enumerate(pairwise(sizes))
        ]

    def __call__(self, x: list[Any]) -> Any:
        """The output."""
        for layer in self.layers:
            x = [neuron(x) for neuron in layer]
        return x[0]

    def parameters(self) -> list[Any]:
        """Weights and biases."""
        return [p for layer in self.layers for neuron in layer for p in [*neuron.w, neuron.b]]

    def zero_grad(self) -> None:
        """Sets them to zero."""
        for p in self.parameters():
            p.grad = 0.0


def moons(count: int, noise: float = 0.1) -> tuple[list[list[float]], list[int]]:
    """Two interleaving half circles, with labels -1 and 1."""
    rng, x, y = random.Random(1), [], []
    for k in range(count):
        t, upper = pi * rng.random(), k % 2
        point = (cos(t), sin(t)) if upper else (1 - cos(t), 0.5 - sin(t))
        x.append([c + rng.gauss(0, noise) for c in point])
        y.append(2 * upper - 1)
    return x, y


def demo(value: Any, model: Any, count: int) -> Callable[[], Any]:
    """micrograd's demo step, for any engine."""
    x, y = moons(count)

    def step() -> Any:
        inputs = [list(map(value, row)) for row in x]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * score).relu() for yi, score in zip(y, scores)]
        loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        return loss

    return step


def engines(count: int) -> dict[str, Callable[[], Any]]:
    """A step of each, by name."""
    random.seed(1337)  # micrograd draws from the global generator
    return {
        "micrograd 0.1.0": demo(micrograd.engine.Value, micrograd.nn.MLP(2, [16, 16, 1]), count),
        "60 lines": demo(SixtyLines, Network(SixtyLines, [2, 16, 16, 1]), count),
        "60 lines, two inputs": demo(Lean, Network(Lean, [2, 16, 16, 1]), count),
        "ours, same network": demo(autograd.Value, Network(autograd.Value, [2, 16, 16, 1]), count),
        "ours": demo(autograd.Value, nn.MLP(2, [16, 16, 1]), count),
    }


def block(step: Callable[[], Any], steps: int) -> float:
    """The mean time of a step in a training loop; before and after, the heap is clean."""
    loss = step()
    gc.collect()
    start = time.process_time()
    for _ in range(steps):
        loss = step()
    seconds = time.process_time() - start
    del loss
    gc.collect()
    return seconds / steps


def bytes_per_node(step: Callable[[], Any], children: Callable[[Any], Any]) -> tuple[float, int]:
    """What a graph holds after backward, over the number of its nodes."""
    step()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    loss = step()
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    reached, waiting = {loss}, [loss]
    while waiting:
        for child in children(waiting.pop()):
            if child not in reached:
                reached.add(child)
                waiting.append(child)
    return held / len(reached), len(reached)


def spread(numbers: list[float], form: str) -> str:
    """Median, minimum and maximum."""
    return f"{statistics.median(numbers):{form}} ({min(numbers):{form}} to {max(numbers):{form}})"


def time_per_node() -> Iterator[tuple[int, float]]:
    """(nodes, seconds a node) to build a graph, with shared nodes and constants, and go back through it."""
    for nodes in (10**3, 10**4, 10**5, 10**6):
        times = []
        for _ in range(max(2, min(20, 10**6 // nodes))):
            start = time.process_time()
            x = y = autograd.Value(0.5)
            for _ in range(nodes // 3):
                y = (y * x + 0.25).tanh()
            y.backward()
            del y
            times.append(time.process_time() - start)
        yield nodes, statistics.median(times) / nodes


def main() -> None:
    """Prints the tables."""
    sys.setrecursionlimit(10**6)  # micrograd's backward recurses
    for count, steps in STEPS.items():
        for label, setting in (("off", gc.disable), ("on", gc.enable)):
            setting()
            measured: dict[str, list[float]] = {}
            rivals = engines(count)
            for _ in range(ROUNDS):
                for name, step in rivals.items():
                    measured.setdefault(name, []).append(block(step, steps))
            print(f"{count} examples, collector {label}: ms a step, and how many times ours")
            for name, times in measured.items():
                ratios = [theirs / ours for theirs, ours in zip(times, measured["ours"])]
                print(f"  {name:22}{spread([1e3 * t for t in times], '.2f'):28}{spread(ratios, '.2f')}", flush=True)
    gc.enable()

    theirs, ours = (engines(100)[name] for name in ("micrograd 0.1.0", "ours"))
    their_bytes, their_nodes = bytes_per_node(theirs, lambda node: node._prev)
    our_bytes, our_nodes = bytes_per_node(ours, lambda node: [x for x in node.inputs if not isinstance(x, float)])
    print("bytes per node, after backward")
    print(f"  micrograd        {their_bytes:.0f} ({their_nodes} nodes)")
    print(f"  ours             {our_bytes:.0f} ({our_nodes} nodes)")
    print(f"  ratio            {our_bytes / their_bytes:.2f}")

    print("time per node, forward plus backward")
    measured_nodes = list(time_per_node())
    for nodes, seconds in measured_nodes:
        print(f"  {nodes:>9,} nodes  {1e6 * seconds:.2f} us")
    print(f"  slowest / fastest  {max(s for _, s in measured_nodes) / min(s for _, s in measured_nodes):.2f}")


if __name__ == "__main__":
    main()
