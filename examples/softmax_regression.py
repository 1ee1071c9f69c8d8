"""Softmax regression: one linear layer of three outputs tells the three kinds of iris apart by their petals.

Each output is the logit z_k = w_k . x + b_k of one class, and the cost is the mean cross-entropy of softmax(z).  Two classes are
equally probable where their logits are equal, which is a straight line: softmax on one layer learns linear decision boundaries.

    python examples/softmax_regression.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from sklearn.datasets import load_iris  # type: ignore[import-untyped]  # scikit-learn ships no types
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]  # as above

from nn import SGD, Layer, accuracy, cross_entropy, fit, identity, predict

NAMES = ("setosa", "versicolor", "virginica")
COLOURS = ("#009E73", "#0072B2", "#D55E00")  # three that colour-blind readers tell apart
MARKERS = ("s", "o", "^")


def main(argv: Sequence[str] | None = None) -> None:
    """Trains the layer, prints what it learned and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="the folder for the picture")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(argv)

    iris = load_iris()
    x, y = iris.data[:, 2:], iris.target  # petal length and width in cm; classes 0, 1, 2
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, stratify=y, random_state=0)
    centre, scale = x_train.mean(axis=0), x_train.std(axis=0)

    layer = Layer(2, 3, activation=identity, seed=0)
    history = fit(
        layer,
        (x_train - centre) / scale,
        y_train,
        loss=cross_entropy,  # of the logits: the softmax is inside
        optimiser=SGD(layer.parameters(), learning_rate=1.0),
        epochs=200,
        batch_size=None,  # all examples in every step: plain gradient descent
        progress=not options.quiet,
    )
    print(f"loss {history.loss[0]:.4f} -> {history.loss[-1]:.4f} in {len(history.loss)} epochs")
    print(f"accuracy {accuracy(layer, (x_train - centre) / scale, y_train):.1%} on {len(x_train)} training flowers,", end=" ")
    print(f"{accuracy(layer, (x_test - centre) / scale, y_test):.1%} on {len(x_test)} held-out ones")

    # The same logits from lengths and widths in centimetres: weights @ x + biases.
    weights = np.array([[w.data for w in neuron.w] for neuron in layer.neurons]) / scale
    biases = np.array([neuron.b.data for neuron in layer.neurons]) - weights @ centre
    lines = {}
    for i, j in combinations(range(3), 2):  # z_i = z_j, solved for the width
        (length, width), rest = weights[j] - weights[i], biases[j] - biases[i]
        lines[i, j] = (-length / width, -rest / width)
        print(f"{NAMES[i]} = {NAMES[j]} where width = {lines[i, j][0]:.3f} * length + {lines[i, j][1]:.3f}")

    # The most probable class on a grid of petals, from the layer itself.
    lengths, widths = np.linspace(0.5, 7.5, 200), np.linspace(-0.1, 2.9, 150)
    grid = np.stack(np.meshgrid(lengths, widths), axis=-1).reshape(-1, 2)
    regions = predict(layer, (grid - centre) / scale).argmax(axis=1).reshape(150, 200)

    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "softmax_regression.png"
    picture(lengths, widths, regions, lines, [(x_train, y_train), (x_test, y_test)]).savefig(path, dpi=150)
    print(f"wrote {path}")


def picture(lengths: Any, widths: Any, regions: Any, lines: dict[Any, Any], parts: list[tuple[Any, Any]]) -> Figure:
    """The regions that the layer predicts, the `lines` that its weights give, and the flowers of both `parts`."""
    figure = Figure(figsize=(8.5, 5.0), layout="constrained")
    axes = figure.add_subplot()
    axes.pcolormesh(lengths, widths, regions, cmap=ListedColormap(COLOURS), alpha=0.22, linewidth=0, rasterized=True)
    for ((i, j), (slope, intercept)), dashes in zip(lines.items(), ("--", ":", "-")):
        axes.plot(lengths, slope * lengths + intercept, "k", linestyle=dashes, label=f"{NAMES[i]} = {NAMES[j]}")
    for (x, y), part, fill in zip(parts, ("training", "held out"), (True, False)):
        for label, (name, colour, marker) in enumerate(zip(NAMES, COLOURS, MARKERS)):
            face, edge = (colour, "white") if fill else ("white", colour)
            length, width = x[y == label].T
            axes.scatter(length, width, s=42, marker=marker, facecolor=face, edgecolor=edge, label=f"{name}, {part}", zorder=3)
    axes.set(xlim=(lengths[0], lengths[-1]), ylim=(widths[0], widths[-1]))
    axes.set(xlabel="petal length (cm)", ylabel="petal width (cm)", title="Softmax regression: the boundaries are straight lines")
    figure.legend(loc="outside right center", frameon=False)
    return figure


if __name__ == "__main__":
    main()
