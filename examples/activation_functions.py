"""The gallery of activation functions, and of the table of primitives that they are made of, each with its derivative.

The engine computes the derivatives: this file contains no formula for one.

A jump is drawn as a gap, with a full dot on the value at 0 and an empty dot where the curve would have ended.

    python examples/activation_functions.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm import tqdm

from autograd import TABLE, Op, value_and_grad
from nn.activations import ACTIVATIONS

BLUE, ORANGE = "#0072B2", "#D55E00"  # a pair that color-blind readers tell apart
X = np.arange(-1600, 1601) / 400  # -4 to 4, with 0 exactly: there the kinks are
JUMP = 0.5  # two neighbors that differ by more are no slope


def main(argv: Sequence[str] | None = None) -> None:
    """Writes the two pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="the folder for the pictures")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(argv)

    unary = {formula(op): op for op in TABLE.values() if len(op.partials) == 1}
    pictures = {
        "activation_functions.png": gallery("Activation functions", ACTIVATIONS, options.quiet),
        "primitives.png": gallery("The unary primitives of the table", unary, options.quiet),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures.items():
        figure.savefig(options.out / name, dpi=150)
        print(f"wrote {options.out / name}")


def formula(op: Op) -> str:
    """The notation of the row; its name comes first if the notation does not contain it."""
    latex = op.latex.format("x")
    return f"${latex}$" if op.name in latex else f"{op.name}:  ${latex}$"


def gallery(title: str, functions: Mapping[str, Callable[[Any], Any]], quiet: bool) -> Figure:
    """A panel for each of `functions`, in rows of four."""
    count, rows = len(functions), -(-len(functions) // 4)
    figure = Figure(figsize=(10.0, 0.8 + 2.2 * rows), layout="constrained")
    figure.suptitle(title, fontsize=15)
    panels = figure.subplots(rows, 4, sharex=True, sharey=True).ravel().tolist()
    for panel, (name, function) in zip(panels, tqdm(functions.items(), desc=title, disable=quiet), strict=False):
        both = value_and_grad(function)
        values, slopes = np.array([both(x) for x in X.tolist()]).T
        slopes[~np.isfinite(values)] = np.nan  # no log at -1, so no slope of it, although 1/x has a value
        draw(panel, values, "-", color=BLUE, label="f(x)")
        draw(panel, slopes, "--", color=ORANGE, label="df/dx, by backpropagation")
        panel.set_title(name, fontsize=11)
        panel.set(xlim=(-4, 4), ylim=(-2.2, 4.2), xticks=range(-4, 5, 2), yticks=range(-2, 5, 2))
        panel.axhline(0, color="0.6", linewidth=0.8, zorder=0)
        panel.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    for panel in panels[count:]:
        panel.set_axis_off()
    for panel in panels[count - 4 : count]:  # the lowest of each column
        panel.tick_params(labelbottom=True)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def draw(panel: Axes, y: Any, dashes: str, *, color: str, label: str) -> None:
    """The curve of `y` over X, with a gap where it jumps."""
    y = np.where(np.isfinite(y), y, np.nan)
    jumps = np.flatnonzero(np.abs(np.diff(y)) > JUMP)
    x_cut, y_cut = (np.insert(coordinate, jumps + 1, np.nan) for coordinate in (X, y))
    panel.plot(x_cut, y_cut, dashes, color=color, linewidth=1.8, label=label)
    for i in jumps:
        for near, other in ((i, i + 1), (i + 1, i)):
            if X[near] == 0.0:
                panel.scatter(0.0, y[other], s=22, facecolor="white", edgecolor=color, zorder=3)
                panel.scatter(0.0, y[near], s=22, facecolor=color, edgecolor=color, zorder=3)


if __name__ == "__main__":
    main()
