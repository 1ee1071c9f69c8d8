"""Handwritten digits: a multi-layer perceptron, written one number at a time, learns to read them.

The 8 x 8 images that come with scikit-learn are reduced to 4 x 4 means; 16 numbers go in, ten logits come out.  Adam on
mini-batches trains it; then the model is saved, and loaded into a fresh one that reads just as well.

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

from nn import MLP, Adam, History, accuracy, cross_entropy, fit, he, predict

BLUE, RED = "#0072B2", "#D00000"


def main(argv: Sequence[str] | None = None) -> None:
    """Trains, tests, saves and loads the network, and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="the folder for the picture and the model")
    parser.add_argument("--epochs", type=int, default=12, help="passes over the training digits (12)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(argv)

    digits = load_digits()
    pooled = digits.images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)) / 16  # means of 2 x 2 pixels, from 0 to 1
    x, y, images = pooled.reshape(-1, 16), digits.target, digits.images
    x_train, x_test, y_train, y_test, _, images_test = train_test_split(
        x, y, images, train_size=500, stratify=y, random_state=0
    )

    model = MLP(16, [20, 10], initialise=he, seed=0)
    print(model)
    optimiser = Adam(model.parameters(), learning_rate=0.02)
    history = fit(
        model,
        x_train,
        y_train,
        loss=cross_entropy,
        optimiser=optimiser,
        epochs=options.epochs,
        batch_size=16,
        progress=not options.quiet,
    )
    print(f"loss {history.loss[0]:.3f} -> {history.loss[-1]:.3f} in {len(history.loss)} epochs of {len(x_train)} digits")
    print(f"accuracy {accuracy(model, x_train, y_train):.1%} on them, {accuracy(model, x_test, y_test):.1%} on", end=" ")
    print(f"{len(x_test)} held-out digits")

    predicted = predict(model, x_test).argmax(axis=1)
    mistakes = Counter((t, p) for t, p in zip(y_test.tolist(), predicted.tolist()) if t != p)
    print("most frequent mistakes:", ", ".join(f"{t} read as {p} ({n} times)" for (t, p), n in mistakes.most_common(4)))
    missed = Counter(t for t, _ in mistakes.elements())
    print("held-out accuracy by digit:", ", ".join(f"{d}: {1 - missed[d] / sum(y_test == d):.0%}" for d in range(10)))

    options.out.mkdir(parents=True, exist_ok=True)
    model.save(options.out / "digits.npz")
    fresh = MLP(16, [20, 10], initialise=he, seed=1)
    print(f"a fresh network: {accuracy(fresh, x_test, y_test):.1%};", end=" ")
    fresh.load(options.out / "digits.npz")
    print(f"after loading {options.out / 'digits.npz'}: {accuracy(fresh, x_test, y_test):.1%}")

    path = options.out / "mlp_digits.png"
    picture(history, images_test, y_test, predicted).savefig(path, dpi=150)
    print(f"wrote {path}")


def picture(history: History, images: Any, labels: Any, predicted: Any) -> Figure:
    """The first 24 of the held-out digits and 8 mistakes, with what the network reads, and the loss of each epoch."""
    figure = Figure(figsize=(11.0, 5.0), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[3, 2])
    left.suptitle("Held-out digits and what the network reads\n(drawn as 8 x 8, read as 4 x 4; the last row: mistakes)", fontsize=12)
    shown = [*range(24), *np.flatnonzero(labels != predicted)[:8]]
    panels = left.subplots(4, 8).flat
    for panel in panels:
        panel.set_axis_off()
    for panel, i in zip(left.axes, shown):
        wrong = labels[i] != predicted[i]
        panel.imshow(images[i], cmap="gray_r")
        panel.set_title(
            f"{predicted[i]}, not {labels[i]}" if wrong else f"{predicted[i]}",
            fontsize=10,
            color=RED if wrong else "black",
            weight="bold" if wrong else "normal",
        )
    axes = right.add_subplot()
    axes.plot(range(1, len(history.loss) + 1), history.loss, marker=".", color=BLUE)
    axes.set(xlabel="epoch", ylabel="mean cross-entropy", title="Training", ylim=(0, None))
    axes.grid(alpha=0.3)
    return figure


if __name__ == "__main__":
    main()
