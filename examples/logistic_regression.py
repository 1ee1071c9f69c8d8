"""Logistic regression: one neuron tells versicolor from virginica by the length and the width of a petal.

The neuron gives the logit z = w . x + b of the standardized features; sigmoid(z) is the probability of virginica, and
the cost is the mean binary cross-entropy.  The picture shows that probability in bands, and the line where it is 1/2.

    python examples/logistic_regression.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from sklearn.datasets import load_iris  # type: ignore[import-untyped]  # scikit-learn ships no types
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]  # as above

from autograd import sigmoid
from nn import SGD, Neuron, accuracy, binary_cross_entropy, fit, identity, predict

BLUE, ORANGE = "#0072B2", "#D55E00"  # a pair that color-blind readers tell apart


def main(argv: Sequence[str] | None = None) -> None:
    """Trains the neuron, prints what it learned and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="the folder for the picture")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(argv)

    iris = load_iris()
    chosen = iris.target > 0  # all but setosa, which is far from the other two
    x, y = iris.data[chosen, 2:], iris.target[chosen] - 1  # petal length and width in cm; 0 versicolor, 1 virginica
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.4, stratify=y, random_state=1)
    center, scale = x_train.mean(axis=0), x_train.std(axis=0)

    neuron = Neuron(2, activation=identity, seed=0)
    history = fit(
        neuron,
        (x_train - center) / scale,
        y_train,
        loss=binary_cross_entropy,  # of the logit: the sigmoid is inside
        optimizer=SGD(neuron.parameters(), learning_rate=3.0),
        epochs=2000,
        batch_size=None,  # all examples in every step: plain gradient descent
        until=lambda history: len(history.loss) > 1 and history.loss[-2] - history.loss[-1] < 1e-8,  # it settled
        progress=not options.quiet,
    )
    print(f"loss {history.loss[0]:.4f} -> {history.loss[-1]:.4f} in {len(history.loss)} epochs")
    for part, features, labels in (("training", x_train, y_train), ("held-out", x_test, y_test)):
        print(f"accuracy {accuracy(neuron, (features - center) / scale, labels):.1%} on {len(labels)} {part} flowers")

    # w . (x - center) / scale + b is the same as weights . x + bias, with x in centimeters.
    weights = np.array([w.data for w in neuron.w]) / scale
    bias = neuron.b.data - weights @ center
    print(f"z = {weights[0]:.3f} length {weights[1]:+.3f} width {bias:+.3f}, in cm; virginica where z > 0")

    # The probability on a grid of petals, from the neuron itself.
    lengths, widths = np.linspace(2.8, 7.2, 100), np.linspace(0.85, 2.65, 90)
    grid = np.stack(np.meshgrid(lengths, widths), axis=-1).reshape(-1, 2)
    probability = sigmoid(predict(neuron, (grid - center) / scale)).reshape(90, 100)

    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "logistic_regression.png"
    parts = {"training": (x_train, y_train), "held out": (x_test, y_test)}
    picture(lengths, widths, probability, parts).savefig(path, dpi=150)
    print(f"wrote {path}")


def picture(lengths: Any, widths: Any, probability: Any, parts: dict[str, tuple[Any, Any]]) -> Figure:
    """The bands of the probability, the decision line, and the flowers: those of the first part filled."""
    figure = Figure(figsize=(7.5, 5.6), layout="constrained")
    axes = figure.add_subplot()
    shades = LinearSegmentedColormap.from_list("versicolor to virginica", [BLUE, "white", ORANGE])
    levels = np.linspace(0.1, 0.9, 9)
    bands = axes.contourf(lengths, widths, probability, levels=levels, cmap=shades, alpha=0.55, extend="both")
    figure.colorbar(bands, ax=axes, label="probability of virginica", ticks=levels)
    axes.contour(lengths, widths, probability, levels=levels, colors="white", linewidths=0.6)
    axes.contour(lengths, widths, probability, levels=[0.5], colors="black", linewidths=1.8)
    for part, (x, y) in parts.items():
        for label, name, color, marker in ((0, "versicolor", BLUE, "o"), (1, "virginica", ORANGE, "^")):
            face, edge = (color, "white") if part == "training" else ("white", color)
            style: dict[str, Any] = {"s": 42, "marker": marker, "facecolor": face, "edgecolor": edge, "zorder": 3}
            axes.scatter(x[y == label, 0], x[y == label, 1], label=f"{name}, {part}", **style)
    axes.plot([], [], color="black", linewidth=1.8, label="decision line, z = 0")
    axes.set_title("Logistic regression: one neuron on two kinds of iris")
    axes.set(xlabel="petal length (cm)", ylabel="petal width (cm)")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


if __name__ == "__main__":
    main()
