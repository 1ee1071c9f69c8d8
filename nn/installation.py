"""`nn` needs the `autograd` of its own distribution, but Python may find another one first, such as HIPS's."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path


def require_autograd() -> None:
    """Raises an ImportError that says what to type if `autograd` is another package, or the rest of one.

    A file tells HIPS's package before its code runs, as its old versions fail on a new Python or NumPy.
    """
    spec = find_spec("autograd")
    if spec is None:
        return  # Python's own error says it, at the first import from there
    place = Path(next(iter(spec.submodule_search_locations or [str(spec.origin)])))
    if (place / "numpy" / "__init__.py").is_file() or not hasattr(import_module("autograd"), "TABLE"):
        raise ImportError(
            f"nn needs scalar-autograd's autograd, but {place} is or holds another package of that name, such as "
            "HIPS's; uninstalling one deletes files of both, so type `python -m pip uninstall -y autograd "
            "scalar-autograd`, remove or rename that path if it still exists, install scalar-autograd again, for "
            "example by `python -m pip install .` in its clone, and restart Python"
        )


require_autograd()
