"""Networks in both styles: as in textbooks, neurons as circles; and as the graph that the engine records.

python examples/draw_networks.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from autograd import draw
from nn import MLP, Neuron, half_squared_error, sigmoid, tanh


def main(argv: Sequence[str] | None = None) -> None:
    """Writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="the folder for the pictures")
    parser.add_argument("--quiet", action="store_true", help="no effect: there is no progress bar")
    out = parser.parse_args(argv).out

    neuron = Neuron(3, activation=tanh, seed=1)
    small = MLP(2, [2, 2], activation=sigmoid, output_activation=sigmoid, seed=1)
    large = MLP(2, [16, 16, 1], seed=1)
    error = half_squared_error(small([0.05, 0.10]), [0.01, 0.99])
    error.backward()
    pictures = {
        "neuron": draw(neuron),
        "neuron_graph": draw(neuron([1.0, -2.0, 0.5])),
        "network_2_2_2": draw(small),
        "network_2_2_2_graph": draw(error),
        "network_2_16_16_1": draw(large),
        "network_2_16_16_1_graph": draw(large([1.0, -2.0])),  # large: layers are folded into boxes
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        picture.save(out / f"{name}.svg")
        print(f"wrote {out / name}.svg: {picture!r}")


if __name__ == "__main__":
    main()
