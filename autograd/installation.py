"""HIPS's distribution `autograd` has a package of the same name, and pip silently merges the two into one folder."""

from __future__ import annotations

from pathlib import Path

HIPS = ("builtins.py", "core.py", "tracer.py", "numpy/__init__.py")
"""Files of HIPS's package, at least two in each of its versions; this package has none of them."""


def require_alone(folder: Path) -> None:
    """Raises an ImportError that says what to type if the folder also holds files of HIPS's package."""
    if any((folder / name).is_file() for name in HIPS):
        raise ImportError(
            f"two packages called autograd share {folder}: scalar-autograd's, which is this one, and HIPS's; "
            "uninstalling one deletes files of both, so type `python -m pip uninstall -y autograd scalar-autograd`, "
            "remove or rename that folder if it still exists, install scalar-autograd again, for example by "
            "`python -m pip install .` in its clone, and restart Python"
        )


require_alone(Path(__file__).parent)
