"""Handwritten digits: a multi-layer perceptron, computed one number at a time, learns to read them.

The 8 x 8 images that come with scikit-learn are reduced to 4 x 4 means: 16 numbers go in, ten logits come out.  Adam
on mini-batches trains the network; then it is saved, and loaded into a new one that reads just as well.

    python examples/mlp_digits.py
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # scikit-learn ships no types
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]  # as above

from nn import MLP, Adam, History, accuracy, cross_entropy, fit, he, predict, schedules

BATCH = 16
BLUE, RED = "#0072B2", "#D00000"


def main(argv: Sequence[str] | None = None) -> None:
    """Trains, tests, saves and loads the network, and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="the folder for the picture and the model")
    parser.add_argument("--epochs", type=int, default=7, help="passes over the 800 training digits (7)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)

    digits = load_digits()
    x = digits.images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)  # means of 2 x 2 pixels
    train, test = train_test_split(range(len(x)), train_size=800, stratify=digits.target, random_state=0)
    x = (x - x[train].mean(axis=0)) / x[train].std(axis=0)
    x_train, y_train, x_test, y_test = x[train], digits.target[train], x[test], digits.target[test]

    model = MLP(16, [20, 10], initialize=he, seed=0)
    print(model)
    rate = schedules.linear(0.03, 0.003, steps=options.epochs * len(train) // BATCH)
    history = fit(
        model,
        x_train,
        y_train,
        loss=cross_entropy,
        optimizer=Adam(model.parameters(), learning_rate=rate),
        epochs=options.epochs,
        batch_size=BATCH,
        progress=not options.quiet,
    )
    print(f"loss {history.loss[0]:.3f} -> {history.loss[-1]:.3f} in {len(history.loss)} epochs")
    print(f"accuracy {accuracy(model, x_train, y_train):.1%} on {len(train)} training digits")
    print(f"accuracy {accuracy(model, x_test, y_test):.1%} on {len(test)} held-out digits")

    predicted = predict(model, x_test).argmax(axis=1)
    mistakes = Counter((t, p) for t, p in np.column_stack([y_test, predicted]).tolist() if t != p)
    print("most frequent mistakes:", ", ".join(f"{t} read as {p} ({n})" for (t, p), n in mistakes.most_common(5)))
    right = [np.mean(predicted[y_test == digit] == digit) for digit in range(10)]
    print("read correctly:", ", ".join(f"{digit}: {share:.0%}" for digit, share in enumerate(right)))

    model.save(options.out / "digits.npz")
    print(f"wrote {options.out / 'digits.npz'}")
    fresh = MLP(16, [20, 10], seed=1)
    before = accuracy(fresh, x_test, y_test)
    fresh.load(options.out / "digits.npz")
    print(f"a fresh network: accuracy {before:.1%}, and after loading it {accuracy(fresh, x_test, y_test):.1%}")

    path = options.out / "mlp_digits.png"
    picture(history, digits.images[test], y_test, predicted).savefig(path, dpi=150)
    print(f"wrote {path}")


def picture(history: History, images: Any, labels: Any, predicted: Any) -> Figure:
    """The first 24 held-out digits and, below them, 8 mistakes, with what the network reads; the loss of each epoch."""
    figure = Figure(figsize=(11.0, 5.2), layout="constrained")
    halves: Any = figure.subfigures(1, 2, width_ratios=[3, 2])
    left, right = halves
    left.suptitle("Held-out digits and what the network reads\n(shown as 8 x 8, read as 4 x 4; last row: mistakes)")
    mistakes = [i for i in np.flatnonzero(predicted != labels) if i >= 24]
    for panel, i in zip(left.subplots(4, 8).flat, [*range(24), *mistakes[:8]], strict=False):
        panel.imshow(images[i], cmap="gray_r")
        panel.set(xticks=[], yticks=[])
        if predicted[i] == labels[i]:
            panel.set_title(f"{predicted[i]}", fontsize=10)
            panel.spines[:].set_color("0.8")
        else:
            panel.set_title(f"{predicted[i]}, not {labels[i]}", fontsize=10, color=RED, weight="bold")
            panel.spines[:].set(color=RED, linewidth=2)
    axes = right.add_subplot()
    epochs = range(1, len(history.loss) + 1)
    axes.plot(epochs, history.loss, marker="o", color=BLUE)
    axes.set(xlabel="epoch", ylabel="mean cross-entropy", title="Training", xticks=epochs, ylim=(0, None))
    axes.grid(alpha=0.3)
    return figure


if __name__ == "__main__":
    main()
