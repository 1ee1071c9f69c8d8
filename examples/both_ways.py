"""The same twenty lines of scalar code, run one number at a time and run compiled.

A network 2-16-16-1 with tanh learns which points lie inside a circle, by gradient descent on all 200 of them.  It is
written with loops over plain numbers; `autograd.compile` makes matrix products of them.

    python examples/both_ways.py
    python examples/both_ways.py --source
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from random import Random
from statistics import median
from typing import Any

import numpy as np

from autograd import Value, assign, compile, mean, tanh  # noqa: A004 -- as the field calls it

random = Random(0)


def layer(inputs: int, outputs: int) -> list[tuple[list[Value], Value]]:
    """A row of weights and a bias for each output."""
    return [([Value(random.gauss(0, inputs**-0.5)) for _ in range(inputs)], Value(0.0)) for _ in range(outputs)]


layers = [layer(2, 16), layer(16, 16), layer(16, 1)]
parameters = [p for rows in layers for weights, bias in rows for p in (*weights, bias)]


def network(x: Any) -> Any:
    """The score of a point: layer after layer, neuron after neuron, one number at a time."""
    for rows in layers:
        x = [tanh(sum(w * xi for w, xi in zip(weights, x)) + bias) for weights, bias in rows]
    return x[0]


def loss(x: Any, y: Any) -> Any:
    """The squared error of one example."""
    return (network(x) - y) ** 2


def eager(xs: Any, ys: Any) -> float:
    """The mean loss and its gradient, example after example."""
    total = mean([loss(x, y) for x, y in zip(xs.tolist(), ys.tolist())])
    total.backward()
    return float(total.data)


compiled = compile(loss, parameters).backward


def train(step: Callable[[Any, Any], float], xs: Any, ys: Any, steps: int) -> tuple[list[float], float]:
    """The losses of gradient descent, and the median of the seconds that a step took, the first one aside."""
    losses, times = [], []
    for _ in range(steps):
        start = time.perf_counter()
        for p in parameters:
            p.grad = 0.0
        losses.append(step(xs, ys))
        for p in parameters:
            p.data -= 0.1 * p.grad
        times.append(time.perf_counter() - start)
    return losses, median(times[1:])


def main(argv: Sequence[str] | None = None) -> None:
    """Trains both ways from the same start, and compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6, help="steps of gradient descent, each way, at least 2 (6)")
    parser.add_argument("--source", action="store_true", help="print the program that the twenty lines became")
    options = parser.parse_args(argv)
    if options.steps < 2:
        parser.error(f"--steps {options.steps}; give at least 2: the first one, in which it is compiled, is not timed")
    xs = np.array([[random.uniform(-1, 1), random.uniform(-1, 1)] for _ in range(200)])
    ys = np.where((xs**2).sum(axis=1) < 0.6, 1.0, -1.0)
    if options.source:
        print(compile(loss, parameters).source(xs, ys))
    before, both = [p.data for p in parameters], []
    for name, step in (("one number at a time", eager), ("compiled", compiled)):
        assign(parameters, before)
        losses, seconds = train(step, xs, ys, options.steps)
        print(f"{name:<21} loss {losses[0]:.6f} -> {losses[-1]:.6f}, {1e3 * seconds:.2f} ms a step")
        both.append((np.array(losses), seconds))
    (slow, slow_seconds), (fast, fast_seconds) = both
    print(f"the losses differ by {np.abs(slow - fast).max():.0e} at most")
    print(f"compiled is {slow_seconds / fast_seconds:,.0f} times as fast, updates of the parameters included")


if __name__ == "__main__":
    main()
