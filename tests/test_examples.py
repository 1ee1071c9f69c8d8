"""Every example runs headless, prints its numbers and leaves its pictures where --out says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
PICTURES = {
    "logistic_regression.py": (r"accuracy (9\d\.\d|100\.0)% on \d+ held-out flowers", ["logistic_regression.png"]),
    "softmax_regression.py": (r"accuracy (9\d\.\d|100\.0)% on \d+ held-out flowers", ["softmax_regression.png"]),
    "mlp_digits.py": (r"accuracy 9\d\.\d% on \d+ held-out digits", ["mlp_digits.png", "digits.npz"]),
    "moons.py": (r"trained: accuracy (9[5-9]|100)%", ["moons.png"]),
    "explain_backprop.py": (
        r"= 0\.74136507 \* 0\.1868156 \* 0\.59326999 = 0\.08216704\n(.*\n)*.* = 0\.00043857\n(.*\n)*wrote both",
        [f"{name}{ending}" for name in ("w1", "w5") for ending in (".txt", ".md", ".html", ".svg", "_exercise.txt")],
    ),
    "draw_networks.py": (
        r"network_2_16_16_1_graph\.svg: Picture of \d+ nodes \(folded into \d boxes\)",
        [f"{name}{style}.svg" for name in ("neuron", "network_2_2_2", "network_2_16_16_1") for style in ("", "_graph")],
    ),
    "gpt.py": (r"loss 3\.3\d+ -> [12]\.\d+; (.*\n)*held out: [12]\.(.*\n)*made up: ", ["gpt.npz", "gpt.png"]),
    "check_your_gradients.py": (
        r"A planted bug.*\nx\[0\] = 3: FAIL\n(.*\n)*Mended\nx\[0\] = 3: pass(.*\n)*"
        r"x = 2: at a kink\n(.*\n)*182 derivatives, none wrong",
        ["check_your_gradients.png"],
    ),
    "activation_functions.py": (r"activation_functions\.png", ["activation_functions.png", "primitives.png"]),
}
"""What each one prints, and the files it leaves."""

LONG = ("gpt.py", "mlp_digits.py", "moons.py", "softmax_regression.py", "logistic_regression.py")
"""Those that train for long."""

SHORTENED = {"gpt.py": ["--steps", "60"], "moons.py": ["--steps", "35"]}
"""What would take minutes otherwise."""


def run(script: str, *arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / script), *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_run():
    """A new script needs a line here."""
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*PICTURES, "backprop_by_hand.py", "both_ways.py"}


def test_backprop_by_hand(tmp_path):
    """Every published number that is right, the engine beside the formulas, one update and 10,000."""
    out = run("backprop_by_hand.py", "--quiet", cwd=tmp_path)
    lines = {line.split()[0]: line for line in out.splitlines() if line.startswith("  ")}
    assert out.count("agrees") == 24
    assert [line.split()[0] for line in out.splitlines() if "DIFFERS" in line] == ["dE_o2/dout_h1"]
    assert "-0.019049118258278118" in lines["dE_o2/dout_h1"]
    assert out.count("difference 0.0e+00") >= 1 and "w1.grad  engine 0.000438567734474346" in out
    assert "0.29102777369359933" in out and "3.510187782978859e-05" in out
    assert list(tmp_path.iterdir()) == []


def test_both_ways(tmp_path):
    """The same losses, to rounding, and much faster; the source on demand."""
    out = run("both_ways.py", "--steps", "3", "--source", cwd=tmp_path)
    found = re.search(r"the losses differ by (\S+) at most\ncompiled is ([\d,]+) times as fast", out)
    assert found and float(found[1]) < 1e-12 and "    z2 = a1 @ W2.T + b2\n" in out, out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in PICTURES])
def test_example_with_pictures(script, tmp_path):
    """Exit 0 with warnings as errors, the promised accuracy, pictures in the folder asked for and nowhere else."""
    expected, files = PICTURES[script]
    out = run(script, "--out", str(tmp_path / "made" / "here"), "--quiet", *SHORTENED.get(script, []), cwd=tmp_path)
    assert re.search(expected, out), out
    assert sorted(path.name for path in (tmp_path / "made" / "here").iterdir()) == sorted(files)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    for name in files:
        content = (tmp_path / "made" / "here" / name).read_bytes()
        assert len(content) > 500 and (not name.endswith(".png") or content.startswith(b"\x89PNG"))
