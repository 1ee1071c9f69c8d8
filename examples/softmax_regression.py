"""Softmax regression: one linear layer of three outputs tells the three kinds of iris apart by their petals.

Each output is the logit z_k = w_k . x + b_k of one class, and the cost is the mean cross-entropy of softmax(z).  Two
classes are equally probable where their logits are equal, on a straight line: the decision boundaries are linear.

    python examples/softmax_regression.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from sklearn.datasets import load_iris  # type: ignore[import-untyped]  # scikit-learn ships no types
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]  # as above

from nn import SGD, Layer, accuracy, cross_entropy, fit, identity, predict

NAMES = ("setosa", "versicolor", "virginica")
COLORS = ("#009E73", "#0072B2", "#D55E00")  # three that color-blind readers tell apart
MARKERS = ("s", "o", "^")


def main(argv: Sequence[str] | None = None) -> None:
    """Trains the layer, prints what it learned and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="the folder for the picture")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(argv)

    iris = load_iris()
    x, y = iris.data[:, 2:], iris.target  # petal length and width in cm; classes 0, 1, 2
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.4, stratify=y, random_state=0)
    center, scale = x_train.mean(axis=0), x_train.std(axis=0)

    layer = Layer(2, 3, activation=identity, seed=0)
    history = fit(
        layer,
        (x_train - center) / scale,
        y_train,
        loss=cross_entropy,  # of the logits: the softmax is inside
        optimizer=SGD(layer.parameters(), learning_rate=1.0),
        epochs=200,
        batch_size=None,  # all examples in every step: plain gradient descent
        progress=not options.quiet,
    )
    print(f"loss {history.loss[0]:.4f} -> {history.loss[-1]:.4f} in {len(history.loss)} epochs")
    for part, features, labels in (("training", x_train, y_train), ("held-out", x_test, y_test)):
        print(f"accuracy {accuracy(layer, (features - center) / scale, labels):.1%} on {len(labels)} {part} flowers")

    # The same logits from x in centimeters: weights @ x + biases.
    weights = np.array([[w.data for w in neuron.w] for neuron in layer.neurons]) / scale
    biases = np.array([neuron.b.data for neuron in layer.neurons]) - weights @ center

    # The most probable class on a grid of petals, from the layer itself.
    lengths, widths = np.linspace(0.0, 7.5, 240), np.linspace(-0.1, 2.9, 160)
    grid = np.stack(np.meshgrid(lengths, widths), axis=-1).reshape(-1, 2)
    regions = predict(layer, (grid - center) / scale).argmax(axis=1).reshape(160, 240)

    figure = Figure(figsize=(7.5, 5.8), layout="constrained")
    axes = figure.add_subplot()
    axes.pcolormesh(lengths, widths, regions, cmap=ListedColormap(COLORS), alpha=0.22, rasterized=True)
    for i, j in combinations(range(3), 2):  # the line z_i = z_j, solved for the width
        (w1, w2), b = weights[i] - weights[j], biases[i] - biases[j]
        slope, start = -w1 / w2, -b / w2
        print(f"{NAMES[i]} and {NAMES[j]} are equally probable where width = {slope:.3f} length {start:+.3f}")
        line = np.array([(length, slope * length + start) for length in np.linspace(0.0, 7.5, 2001)])
        logits = line @ weights.T + biases
        highest = logits[:, i] >= logits.max(axis=1) - 1e-9  # of the three; elsewhere the line decides nothing
        axes.plot(*np.where(highest, line.T, np.nan), "-", color="black", linewidth=1.8)
        axes.plot(*np.where(highest, np.nan, line.T), ":", color="0.35", linewidth=1.2)

    for part, features, labels in (("training", x_train, y_train), ("held out", x_test, y_test)):
        scatter(axes, part, features, labels)
    axes.plot([], [], "-", color="black", linewidth=1.8, label="decision boundary")
    axes.plot([], [], ":", color="0.35", linewidth=1.2, label="the other two equally probable")
    axes.set_title("Softmax regression: the decision boundaries are straight lines")
    axes.set(xlabel="petal length (cm)", ylabel="petal width (cm)", xlim=lengths[[0, -1]], ylim=widths[[0, -1]])
    figure.legend(loc="outside lower center", ncols=3, frameon=False)

    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "softmax_regression.png"
    figure.savefig(path, dpi=150)
    print(f"wrote {path}")


def scatter(axes: Axes, part: str, x: Any, y: Any) -> None:
    """The flowers of one part, training ones filled."""
    for label, (name, color, marker) in enumerate(zip(NAMES, COLORS, MARKERS, strict=True)):
        face, edge = (color, "white") if part == "training" else ("white", color)
        style: dict[str, Any] = {"s": 42, "marker": marker, "facecolor": face, "edgecolor": edge, "zorder": 3}
        axes.scatter(x[y == label, 0], x[y == label, 1], label=f"{name}, {part}", **style)


if __name__ == "__main__":
    main()
