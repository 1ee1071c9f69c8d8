"""The gallery of activation functions: each with its derivative, which the engine takes; no formula of it stands here.

A jump is drawn as a gap, with a full dot on the value at 0 and an empty one on the other side.  ``--table`` draws the unary rows of
the table of primitives in the same way.

    python examples/activation_functions.py --table
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

from autograd import TABLE, value_and_grad
from nn import ACTIVATIONS

BLUE, ORANGE = "#0072B2", "#D55E00"  # a pair that colour-blind readers tell apart
X = np.arange(-1600, 1601) / 400  # -4 to 4, with 0 exactly: there the kinks are
JUMP = 0.5  # two neighbours that differ by more are no slope


def main(argv: Sequence[str] | None = None) -> None:
    """Writes one picture, or two with ``--table``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="the folder for the pictures")
    parser.add_argument("--table", action="store_true", help="also draw the unary rows of the table of primitives")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(argv)

    pictures = {"activation_functions.png": gallery("Activation functions", ACTIVATIONS, options.quiet)}
    if options.table:
        unary = {f"{op.name}:  ${op.latex.format('x')}$": op for op in TABLE.values() if len(op.partials) == 1}
        pictures["primitives.png"] = gallery("The unary primitives of the table", unary, options.quiet)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures.items():
        figure.savefig(options.out / name, dpi=150)
        print(f"wrote {options.out / name}")


def gallery(title: str, functions: Mapping[str, Callable[[Any], Any]], quiet: bool) -> Figure:
    """A panel for each of `functions`, in rows of four."""
    rows = -(-len(functions) // 4)
    figure = Figure(figsize=(10.0, 0.8 + 2.2 * rows), layout="constrained")
    figure.suptitle(title, fontsize=15)
    panels = figure.subplots(rows, 4, sharex=True, sharey=True).flat
    for panel, (name, function) in zip(panels, tqdm(functions.items(), desc=title, disable=quiet)):
        both = value_and_grad(function)
        values, slopes = np.array([both(x) for x in X.tolist()]).T
        slopes[~np.isfinite(values)] = np.nan  # where there is no function, as of log at -1, there is no derivative to show
        draw(panel, values, BLUE, "-", "f(x)")
        draw(panel, slopes, ORANGE, "--", "df/dx, by backpropagation")
        panel.set_title(name, fontsize=11)
        panel.set(xlim=(-4, 4), ylim=(-2.2, 4.2), xticks=range(-4, 5, 2), yticks=range(-2, 5, 2))
        panel.axhline(0, color="0.6", linewidth=0.8, zorder=0)
        panel.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    for panel in panels:  # those left over
        panel.set_axis_off()
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def draw(panel: Axes, y: Any, colour: str, dashes: str, label: str) -> None:
    """The curve of `y` over X, with a gap where it jumps."""
    y = np.where(np.isfinite(y), y, np.nan)
    jumps = np.flatnonzero(np.abs(np.diff(y)) > JUMP)
    panel.plot(np.insert(X, jumps + 1, np.nan), np.insert(y, jumps + 1, np.nan), dashes, color=colour, linewidth=1.8, label=label)
    for i in jumps:
        if 0.0 in X[i : i + 2]:
            at_zero = X[i : i + 2] == 0.0
            panel.scatter([0.0], y[i : i + 2][~at_zero], s=22, facecolor="white", edgecolor=colour, zorder=3)
            panel.scatter([0.0], y[i : i + 2][at_zero], s=22, facecolor=colour, edgecolor=colour, zorder=3)


if __name__ == "__main__":
    main()
