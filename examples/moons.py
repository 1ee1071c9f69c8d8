"""Two moons: a network of two hidden layers bends its decision boundary around them.  micrograd's demo, step by step.

The cost is the mean hinge loss plus alpha times the sum of the squares of all parameters; every step uses all the examples and
moves the parameters against the gradient, at a rate that falls in a line from 1.0 to 0.1.  `nn.fit` does the same in one call.

    python examples/moons.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from sklearn.datasets import make_moons  # type: ignore[import-untyped]  # scikit-learn ships no types
from tqdm import tqdm, trange

from nn import MLP, SGD, Module, accuracy, cost, hinge, predict, schedules

ALPHA = 1e-4
BLUE, ORANGE = "#0072B2", "#D55E00"  # a pair that colour-blind readers tell apart


def main(argv: Sequence[str] | None = None) -> None:
    """Trains the network, printing loss and accuracy on the way, and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="the folder for the picture")
    parser.add_argument("--steps", type=int, default=100, help="steps of gradient descent (100)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(argv)

    x, y = make_moons(n_samples=100, noise=0.1, random_state=1)
    y = 2 * y - 1  # labels -1 and 1
    model = MLP(2, [16, 16, 1], seed=1337)
    print(model)

    optimiser = SGD(model.parameters(), learning_rate=schedules.linear(1.0, 0.1, options.steps))
    for step in trange(options.steps, desc="steps", disable=options.quiet):
        scores = [model(row) for row in x]
        data_loss = cost(hinge, scores, y)
        loss = data_loss + ALPHA * sum(p * p for p in model.parameters())

        model.zero_grad()
        loss.backward()
        optimiser.step()

        if step % 10 == 0 or step == options.steps - 1:
            right = sum((score > 0) == (label > 0) for score, label in zip(scores, y))
            tqdm.write(f"step {step:3}: loss {loss.data:.4f}, accuracy {right / len(y):.0%}")

    print(f"trained: accuracy {accuracy(model, x, y):.0%}")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "moons.png"
    picture(model, x, y).savefig(path, dpi=150)
    print(f"wrote {path}")


def picture(model: Module, x: Any, y: Any) -> Figure:
    """The two regions, with the margin that the hinge loss asks for (scores -1 and 1), and the examples."""
    across, up = np.linspace(-1.6, 2.6, 85), np.linspace(-1.1, 1.6, 55)
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    scores = predict(model, grid).reshape(len(up), len(across))

    figure = Figure(figsize=(7.5, 5.0), layout="constrained")
    axes = figure.add_subplot()
    axes.contourf(across, up, scores > 0, levels=1, cmap=ListedColormap([BLUE, ORANGE]), alpha=0.22)
    axes.contour(across, up, scores, levels=[-1, 0, 1], colors="black", linewidths=[0.8, 1.8, 0.8], linestyles=["--", "-", "--"])
    for label, colour, marker in ((-1, BLUE, "o"), (1, ORANGE, "^")):
        axes.scatter(*x[y == label].T, s=42, color=colour, marker=marker, edgecolor="white", label=f"label {label}", zorder=3)
    axes.plot([], [], color="black", linewidth=1.8, label="score 0: the decision")
    axes.plot([], [], color="black", linewidth=0.8, linestyle="--", label="score -1 and 1: the margin")
    axes.set(xlabel="$x_1$", ylabel="$x_2$", title=f"{len(y)} examples of two moons and the boundary of {model!r:.38}", aspect="equal")
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure


if __name__ == "__main__":
    main()
