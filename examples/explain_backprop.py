"""Two derivations of `backprop_by_hand`, written by the engine: dE/dw5 in the output layer, dE/dw1 in the hidden one.

Prints them, with the update of each weight, and writes them as text, Markdown and HTML, an exercise sheet for each, and
the graph of the network with the routes of each derivation highlighted.

    python examples/explain_backprop.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from backprop_by_hand import LEARNING_RATE, START, forward

from autograd import Value, draw, explain


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the derivations, and writes the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="the folder for the files")
    parser.add_argument("--quiet", action="store_true", help="no effect: there is no progress bar")
    out = parser.parse_args(argv).out

    p = {name: Value(x, name) for name, x in START.items()}
    error = forward(p)["E_total"]
    error.backward()  # so that the pictures show the gradients
    out.mkdir(parents=True, exist_ok=True)
    for name in ("w5", "w1"):
        derivation = explain(error, p[name]).update(LEARNING_RATE)
        print(derivation, end="\n\n")
        for ending in ("txt", "md", "html"):
            derivation.save(out / f"{name}.{ending}")
        (out / f"{name}_exercise.txt").write_text(str(derivation.quiz()), encoding="utf-8")
        draw(derivation).save(out / f"{name}.svg")
    print(f"wrote both to {out}: open w1.html and w1.svg in a browser")


if __name__ == "__main__":
    main()
