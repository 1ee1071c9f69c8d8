"""A published example by hand and by machine: Matt Mazur, "A Step by Step Backpropagation Example" (2015).

https://mattmazur.com/2015/03/17/a-step-by-step-backpropagation-example/

Two inputs, two hidden and two output units, sigmoid everywhere, E_total = sum of 1/2 (target - out)^2.  Every number is
printed beside the published one; the gradients of w5 and w1 are worked out factor by factor, and by `backward`.

    python examples/backprop_by_hand.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TypeAlias

from tqdm import trange

from autograd import Value, assign, sigmoid

Parameters: TypeAlias = "dict[str, Value]"

INPUTS = (0.05, 0.10)
TARGETS = (0.01, 0.99)
LEARNING_RATE = 0.5
START = {
    "w1": 0.15, "w2": 0.20, "w3": 0.25, "w4": 0.30, "b1": 0.35,
    "w5": 0.40, "w6": 0.45, "w7": 0.50, "w8": 0.55, "b2": 0.60,
}  # fmt: skip


def forward(p: Parameters) -> Parameters:
    """Every quantity of the forward pass, by its name in the post."""
    i1, i2 = (Value(x, f"i{k}") for k, x in enumerate(INPUTS, start=1))
    target_o1, target_o2 = (Value(x, f"target_o{k}") for k, x in enumerate(TARGETS, start=1))
    q = {
        "net_h1": p["w1"] * i1 + p["w2"] * i2 + p["b1"],
        "net_h2": p["w3"] * i1 + p["w4"] * i2 + p["b1"],
    }
    q["out_h1"], q["out_h2"] = sigmoid(q["net_h1"]), sigmoid(q["net_h2"])
    q["net_o1"] = p["w5"] * q["out_h1"] + p["w6"] * q["out_h2"] + p["b2"]
    q["net_o2"] = p["w7"] * q["out_h1"] + p["w8"] * q["out_h2"] + p["b2"]
    q["out_o1"], q["out_o2"] = sigmoid(q["net_o1"]), sigmoid(q["net_o2"])
    q["E_o1"] = 0.5 * (target_o1 - q["out_o1"]) ** 2
    q["E_o2"] = 0.5 * (target_o2 - q["out_o2"]) ** 2
    q["E_total"] = q["E_o1"] + q["E_o2"]
    for name, node in q.items():
        node.label = name
    return q


def by_hand(p: Parameters, q: Parameters) -> dict[str, float]:
    """The post's derivation in floats: the output layer's three factors, the hidden layer's sum over both outputs."""
    out_h1, out_o1, out_o2 = q["out_h1"].data, q["out_o1"].data, q["out_o2"].data
    d: dict[str, float] = {}
    d["dE_total/dout_o1"] = -(TARGETS[0] - out_o1)
    d["dout_o1/dnet_o1"] = out_o1 * (1 - out_o1)
    d["dnet_o1/dw5"] = out_h1
    d["dE_total/dw5"] = d["dE_total/dout_o1"] * d["dout_o1/dnet_o1"] * d["dnet_o1/dw5"]
    d["dE_o1/dout_h1"] = -(TARGETS[0] - out_o1) * out_o1 * (1 - out_o1) * p["w5"].data
    d["dE_o2/dout_h1"] = -(TARGETS[1] - out_o2) * out_o2 * (1 - out_o2) * p["w7"].data
    d["dE_total/dout_h1"] = d["dE_o1/dout_h1"] + d["dE_o2/dout_h1"]
    d["dout_h1/dnet_h1"] = out_h1 * (1 - out_h1)
    d["dE_total/dw1"] = d["dE_total/dout_h1"] * d["dout_h1/dnet_h1"] * INPUTS[0]
    return d


def update(p: Parameters) -> float:
    """One step of gradient descent on all weights (the post leaves the biases alone); the error before it."""
    error = forward(p)["E_total"]
    for value in p.values():
        value.grad = 0.0
    error.backward()
    weights = [value for name, value in p.items() if name.startswith("w")]
    assign(weights, [w.data - LEARNING_RATE * w.grad for w in weights])
    return error.data


def error_with_the_slip(p: Parameters) -> float:
    """The error after one update, if the hidden deltas go back through output weights that are already updated."""
    q = forward(p)
    q["E_total"].backward()
    new = {name: value.data - LEARNING_RATE * value.grad * name.startswith("w") for name, value in p.items()}
    for h, weights, outgoing in (("h1", ("w1", "w2"), ("w5", "w7")), ("h2", ("w3", "w4"), ("w6", "w8"))):
        delta = sum(q[f"net_o{k}"].grad * new[w] for k, w in enumerate(outgoing, start=1))
        delta *= q[f"out_{h}"].data * (1 - q[f"out_{h}"].data)
        for w, x in zip(weights, INPUTS):
            new[w] = p[w].data - LEARNING_RATE * delta * x
    return forward({name: Value(x) for name, x in new.items()})["E_total"].data


def show(name: str, number: float, published: str) -> None:
    """A line: the number in double precision beside the published one, and whether all the published digits agree."""
    digits = len(published.partition(".")[2])
    units = round((number - float(published)) * 10**digits)  # of the last published digit
    verdict = "agrees" if f"{number:.{digits}f}" == published else f"DIFFERS by {units:+d} in the last digit"
    print(f"  {name:<18} {number:<24.17g} {published:<14} {verdict}")


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the worked example."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    quiet = parser.parse_args(argv).quiet

    p = {name: Value(x, name) for name, x in START.items()}
    q = forward(p)
    print("forward             double precision         published")
    for name, published in {
        "out_h1": "0.593269992", "out_h2": "0.596884378", "out_o1": "0.75136507", "out_o2": "0.772928465",
        "E_o1": "0.274811083", "E_o2": "0.023560026", "E_total": "0.298371109",
    }.items():  # fmt: skip
        show(name, q[name].data, published)

    print("\nbackward, by hand")
    derivation = by_hand(p, q)
    for name, published in {
        "dE_total/dout_o1": "0.74136507", "dout_o1/dnet_o1": "0.186815602", "dnet_o1/dw5": "0.593269992",
        "dE_total/dw5": "0.082167041", "dE_o1/dout_h1": "0.055399425", "dE_o2/dout_h1": "-0.019049119",
        "dE_total/dout_h1": "0.036350306", "dout_h1/dnet_h1": "0.241300709", "dE_total/dw1": "0.000438568",
    }.items():  # fmt: skip
        show(name, derivation[name], published)
    print("  (The post's own factors, -0.217071535 * 0.175510053 * 0.50, are -0.019049118: a slip in its last digit.)")

    print("\nbackward, by the engine: E_total.backward()")
    q["E_total"].backward()
    for name in ("w5", "w1"):
        hand, engine = derivation[f"dE_total/d{name}"], p[name].grad
        print(f"  {name}.grad  engine {engine:.17g}  by hand {hand:.17g}  difference {abs(engine - hand):.1e}")

    print("\none update, learning rate 0.5")
    slip = error_with_the_slip({name: Value(x) for name, x in START.items()})
    update(p)
    for name, published in {
        "w1": "0.149780716", "w2": "0.19956143", "w3": "0.24975114", "w4": "0.29950229",
        "w5": "0.35891648", "w6": "0.408666186", "w7": "0.511301270", "w8": "0.561370121",
    }.items():  # fmt: skip
        show(f"{name}+", p[name].data, published)
    after_one = forward(p)["E_total"].data
    print(f"  error {after_one:.17g}")
    print(f"  The post has 0.291027924.  Sent back through output weights that are already new, it is {slip:.9f}.")

    errors = [update(p) for _ in trange(1, 10_000, desc="updates", disable=quiet)]
    assert errors[0] == after_one
    print("\n10,000 updates")
    show("error after 9,999", errors[-1], "0.0000351085")
    print(f"  error after 10,000 {forward(p)['E_total'].data:.17g}")
    print(f"  outputs {forward(p)['out_o1']:.9f} and {forward(p)['out_o2']:.9f}, targets {TARGETS[0]} and {TARGETS[1]}")


if __name__ == "__main__":
    main()
