"""How long derivations and pictures take.

pip install -e '.[test]'
python tests/benchmarks/explain_and_draw.py
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nn
from autograd import Value, draw, explain, gradients, topological_order

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from backprop_by_hand import START, forward


def milliseconds(work: Callable[[], Any], rounds: int) -> float:
    """The median time of `work`."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def written(output: Value, variable: Value) -> str:
    """A derivation as text."""
    return str(explain(output, variable))


def main() -> None:
    """Prints the times, each beside the bar that was set for it."""
    p = {name: Value(x, name) for name, x in START.items()}
    notes = forward(p)["E_total"]
    digits = nn.MLP(64, [32, 10], seed=0)
    loss = nn.cross_entropy(digits([i / 64 for i in range(64)]), 3)
    w = digits.layers[0].neurons[0].w[5]
    small = nn.MLP(4, [10, 4], seed=0)
    graph = nn.half_squared_error(small([1.0, 2.0, 3.0, 4.0]), [0.0] * 4)

    def count(output: Value) -> int:
        return len(topological_order([output]))

    rows = [
        ("explain, the notes' network, dE/dw1", count(notes), milliseconds(lambda: written(notes, p["w1"]), 21), 50),
        ("explain, 64-32-10, cross-entropy", count(loss), milliseconds(lambda: written(loss, w), 5), 2000),
        ("the gradient alone, 64-32-10", count(loss), milliseconds(lambda: gradients(loss, [w]), 5), None),
        ("draw, graph, to SVG", count(graph), milliseconds(lambda: draw(graph).svg(), 5), 2000),
        ("draw, 64-32-10, folded, to SVG", count(loss), milliseconds(lambda: draw(loss).svg(), 5), None),
    ]
    for name, nodes, took, bar in rows:
        print(f"{name:<38} {nodes:>6} nodes {took:>8.1f} ms" + (f"   (bar: {bar} ms)" if bar else ""))


if __name__ == "__main__":
    main()
