"""Time and memory against the published micrograd, on its demo setting; and time per node as graphs grow.

    pip install -e '.[dev]'
    python tests/benchmarks/against_micrograd.py

The demo: 100 two-dimensional examples, MLP 2-16-16-1, hinge loss, L2 term, forward plus backward, the same code for
both libraries.  The cyclic collector is on, as a user has it, and each step is run while the graph of the step before
is still alive, as in a training loop.  The two take turns in blocks of steps; the ratio is that of the two blocks of a
round.
"""

from __future__ import annotations

import gc
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from math import cos, pi, sin
from typing import Any

import micrograd.engine
import micrograd.nn

import autograd
import nn

ROUNDS, STEPS = 7, 5


def moons(count: int, noise: float = 0.1) -> tuple[list[list[float]], list[int]]:
    """Two interleaving half circles, with labels -1 and 1."""
    rng, x, y = random.Random(1), [], []
    for k in range(count):
        t, upper = pi * rng.random(), k % 2
        point = (cos(t), sin(t)) if upper else (1 - cos(t), 0.5 - sin(t))
        x.append([c + rng.gauss(0, noise) for c in point])
        y.append(2 * upper - 1)
    return x, y


def demo(value: Any, mlp: Any) -> Callable[[], Any]:
    """micrograd's demo step, for either library."""
    x, y = moons(100)
    model = mlp(2, [16, 16, 1])

    def step() -> Any:
        inputs = [list(map(value, row)) for row in x]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * score).relu() for yi, score in zip(y, scores)]
        loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        return loss

    return step


def block(step: Callable[[], Any]) -> float:
    """The median time of a step in a training loop; before and after, the heap is clean."""
    gc.collect()
    times, loss = [], step()
    for _ in range(STEPS):
        start = time.perf_counter()
        loss = step()
        times.append(time.perf_counter() - start)
    del loss
    gc.collect()
    return statistics.median(times)


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
            start = time.perf_counter()
            x = y = autograd.Value(0.5)
            for _ in range(nodes // 3):
                y = (y * x + 0.25).tanh()
            y.backward()
            del y
            times.append(time.perf_counter() - start)
        yield nodes, statistics.median(times) / nodes


def main() -> None:
    """Prints the table."""
    sys.setrecursionlimit(10**6)  # micrograd's backward recurses
    random.seed(1337)  # micrograd draws from the global generator
    theirs = demo(micrograd.engine.Value, micrograd.nn.MLP)
    ours = demo(autograd.Value, nn.MLP)
    for label, setting in (("collector on", gc.enable), ("collector off", gc.disable)):
        setting()
        rounds = [(block(theirs), block(ours)) for _ in range(ROUNDS)]
        print(f"demo step, {label}")
        print(f"  micrograd        {spread([1e3 * a for a, _ in rounds], '.0f')} ms")
        print(f"  scalar-autograd  {spread([1e3 * b for _, b in rounds], '.0f')} ms")
        print(f"  ratio            {spread([a / b for a, b in rounds], '.1f')} times faster")
    gc.enable()

    their_bytes, their_nodes = bytes_per_node(theirs, lambda node: node._prev)
    our_bytes, our_nodes = bytes_per_node(ours, lambda node: [x for x in node.inputs if not isinstance(x, float)])
    print("bytes per node, after backward")
    print(f"  micrograd        {their_bytes:.0f} ({their_nodes} nodes)")
    print(f"  scalar-autograd  {our_bytes:.0f} ({our_nodes} nodes)")
    print(f"  ratio            {our_bytes / their_bytes:.2f}")

    print("time per node, forward plus backward")
    measured = list(time_per_node())
    for nodes, seconds in measured:
        print(f"  {nodes:>9,} nodes  {1e6 * seconds:.2f} us")
    print(f"  slowest / fastest  {max(s for _, s in measured) / min(s for _, s in measured):.2f}")


if __name__ == "__main__":
    main()
