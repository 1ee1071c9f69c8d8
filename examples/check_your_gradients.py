"""Finding a wrong derivative, and telling it from a kink: the checker at work on three small functions.

It prints a report for each.  It draws why a difference with a step and a tolerance that you choose is not enough: its
error for every step, and Taylor's remainder, which falls as h^2 for a right derivative and as h for a wrong one.

    python examples/check_your_gradients.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from autograd import Value, check_gradients, exp, gradcheck, relu, sqrt
from autograd.check.differences import differences
from nn import MLP, binary_cross_entropy

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"


def cosine(x: Any, y: Any) -> Any:
    """x . y / (|x| |y|), with a bug: somebody took the number of |x| out of the graph."""
    length = sqrt(x[0] * x[0] + x[1] * x[1])
    if isinstance(length, Value):
        length = length.data  # the bug
    return (x[0] * y[0] + x[1] * y[1]) / (length * sqrt(y[0] * y[0] + y[1] * y[1]))


def mended(x: Any, y: Any) -> Any:
    """The same without the bug."""
    length = sqrt(x[0] * x[0] + x[1] * x[1])
    return (x[0] * y[0] + x[1] * y[1]) / (length * sqrt(y[0] * y[0] + y[1] * y[1]))


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the reports, and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="the folder for the picture")
    parser.add_argument("--quiet", action="store_true", help="no effect: there is no progress bar")
    out = parser.parse_args(argv).out

    print("A planted bug: cosine(x, y), in which a number was read on the way")
    print(gradcheck(cosine, [3.0, 4.0], [1.0, 2.0]), end="\n\n")
    print("Mended")
    print(gradcheck(mended, [3.0, 4.0], [1.0, 2.0]), end="\n\n")

    print("A kink: relu(x - 2) + |y| at x = 2, y = 0")
    print(gradcheck(lambda x, y: relu(x - 2.0) + abs(y), 2.0, 0.0), end="\n\n")

    model = MLP(2, [3, 1], seed=0)
    report = check_gradients(binary_cross_entropy(model([1.0, -2.0]), 1), model.parameters(), order=2)
    report.assert_gradients()
    print(f"A network: {model}, its loss by every parameter and by every pair of them")
    print(f"{len(report.rows)} derivatives, none wrong; the first: {report.rows[0]}", end="\n\n")

    out.mkdir(parents=True, exist_ok=True)
    picture().savefig(out / "check_your_gradients.png", dpi=150)
    print(f"wrote {out / 'check_your_gradients.png'}")


def picture() -> Figure:
    """The error of a difference for every step, and the remainder of a right slope and of a wrong one: exp at 1."""
    slope, h = float(exp(1.0)), np.logspace(-15, 0, 400)
    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)

    error = np.abs((np.exp(1.0 + h) - np.exp(1.0 - h)) / (2 * h) - slope) / slope
    checked = differences(np.exp, 1.0).central
    left.loglog(h, np.maximum(error, 1e-17), color=BLUE, linewidth=1.0, label="a difference with this step")
    left.axhline(checked.error / slope, color=GREEN, label="what the checker says of its own")
    left.axhline(1e-3, color=ORANGE, linestyle="--", label="a slope that is wrong by a thousandth")
    left.set(title="A difference is as good as its step", xlabel="step h", ylabel="relative error", ylim=(1e-16, 1e1))

    for wrong, color, label in ((0.0, BLUE, "right slope: $h^2$"), (1e-3, ORANGE, "wrong by a thousandth: $h$")):
        off = np.abs(np.exp(1.0 + h) - np.exp(1.0) - slope * (1.0 + wrong) * h)
        right.loglog(h, np.maximum(off, 1e-17), color=color, linewidth=1.0, label=label)
    right.set(title="Taylor's remainder needs no step", xlabel="step h", ylabel="|f(x + h) - f(x) - slope h|")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=9)
    return figure


if __name__ == "__main__":
    main()
