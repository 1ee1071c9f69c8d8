"""What type checkers know: right uses pass, wrong ones are errors, results have their types."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).with_name("typing_cases.py")
ROOT = CASES.parents[1]
PYRIGHT = {
    "include": [str(CASES)],
    "extraPaths": [str(ROOT)],
    "typeCheckingMode": "standard",
    "enableTypeIgnoreComments": True,
    "reportUnnecessaryTypeIgnoreComment": "error",
    "reportUnusedExpression": False,
}


def checked(module: str, *arguments: str | Path) -> None:
    """Runs a type checker on the cases: the errors are those that their comments name, no more and no fewer."""
    pytest.importorskip(module)
    done = subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_mypy():
    """Strictly."""
    checked("mypy", "--strict", CASES)


@pytest.mark.slow
def test_pyright(tmp_path):
    """Where it is installed, as ``basedpyright``: editors ask it."""
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(PYRIGHT))
    checked("basedpyright", "--project", tmp_path, "--pythonpath", sys.executable)
