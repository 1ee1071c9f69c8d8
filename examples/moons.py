"""Two moons: a network with two hidden layers bends its decision boundary around them.  micrograd's demo, written out.

The cost is the mean hinge loss plus alpha times the sum of the squares of all parameters.  Every step uses all the
examples and moves the parameters against the gradient, at a rate that falls in a line from 1.0 to 0.1.

    python examples/moons.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import make_moons  # type: ignore[import-untyped]  # scikit-learn ships no types
from tqdm import tqdm, trange

from nn import MLP, SGD, Module, accuracy, cost, hinge, predict, schedules

ALPHA = 1e-4
BLUE, ORANGE = "#0072B2", "#D55E00"  # a pair that color-blind readers tell apart


def main(argv: Sequence[str] | None = None) -> None:
    """Trains the network, printing loss and accuracy on the way, and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="the folder for the picture")
    parser.add_argument("--steps", type=int, default=70, help="steps of gradient descent (70; micrograd's demo: 100)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(argv)

    x, y = make_moons(n_samples=100, noise=0.1, random_state=1)
    y = 2 * y - 1  # labels -1 and 1
    model = MLP(2, [16, 16, 1], seed=1337)
    print(model)

    optimizer = SGD(model.parameters(), learning_rate=schedules.linear(1.0, 0.1, options.steps))
    for step in trange(options.steps, desc="steps", disable=options.quiet):
        scores: list[Any] = [model(row) for row in x]
        loss = cost(hinge, scores, y) + ALPHA * sum(p * p for p in model.parameters())

        model.zero_grad()
        loss.backward()
        optimizer.step()

        if step % 10 == 0 or step == options.steps - 1:
            right = np.mean([score > 0 for score in scores] == (y > 0))
            tqdm.write(f"step {step:2}: loss {loss.data:.4f}, accuracy {right:.0%}")

    print(f"trained: accuracy {accuracy(model, x, y):.0%}")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "moons.png"
    picture(model, x, y).savefig(path, dpi=150)
    print(f"wrote {path}")


def picture(model: Module, x: Any, y: Any) -> Figure:
    """The two regions, the margin that the hinge loss asks for (scores from -1 to 1), and the examples."""
    across, up = np.linspace(-1.6, 2.6, 85), np.linspace(-1.1, 1.6, 55)
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    scores = predict(model, grid).reshape(55, 85)

    figure = Figure(figsize=(7.5, 5.6), layout="constrained")
    axes = figure.add_subplot()
    axes.contourf(across, up, scores, levels=[-1e9, 0.0, 1e9], colors=[BLUE, ORANGE], alpha=0.22)
    for level, style, width in ((-1, "--", 0.8), (0, "-", 1.8), (1, "--", 0.8)):
        if scores.min() < level < scores.max():
            axes.contour(across, up, scores, levels=[level], colors="black", linestyles=style, linewidths=width)
    for label, name, color, marker in ((-1, "label $-1$", BLUE, "o"), (1, "label 1", ORANGE, "^")):
        points = x[y == label]
        axes.scatter(points[:, 0], points[:, 1], s=42, color=color, marker=marker, edgecolor="white", label=name)
    axes.plot([], [], "-", color="black", linewidth=1.8, label="score 0: the decision")
    axes.plot([], [], "--", color="black", linewidth=0.8, label=r"score $\pm$1: the margin")
    axes.set_title("Two moons: a boundary that no single neuron can draw")
    axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure


if __name__ == "__main__":
    main()
