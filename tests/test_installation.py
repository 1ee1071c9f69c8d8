"""HIPS's distribution `autograd` beside this one: the right library is imported, or one error says what to type."""

from __future__ import annotations

import builtins
import importlib
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import pytest

import autograd
import nn
from autograd.installation import HIPS, require_alone

ROOT = Path(__file__).parents[1]
UNINSTALL, INSTALL = "python -m pip uninstall -y autograd scalar-autograd", "python -m pip install ."
USE = "import nn, autograd; assert nn.MLP(2, [1], seed=0)([1.0, 2.0]).data and autograd.Value(3.0).data == 3.0"


def python(*arguments, at, path=(), program=sys.executable):
    """The process of a Python that runs in the folder `at`, with `path` before its site-packages."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # files that Python writes by itself belong to the case
    return subprocess.run([program, *arguments], cwd=at, env=environment, capture_output=True, text=True, timeout=300)


def error(done):
    """The only error of a process that ended in an ImportError."""
    assert done.returncode == 1 and done.stderr.count("Traceback") == 1, done
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert re.findall("`(.*?)`", last)[-2:] == [UNINSTALL, INSTALL]
    return last


def works(done):
    assert done.returncode == 0, done.stderr
    return True


def copy(folder, *packages):
    for package in packages:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


# ---- Names ----------------------------------------------------------------------------------------------------------


def modules(package):
    return [package.__name__, *(m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + "."))]


@pytest.mark.parametrize("name", [*modules(autograd), *modules(nn)])
def test_a_star_import_leaves_the_builtins_alone(name):
    """Of every module, but for the one that defines such a name."""
    names: dict = {}
    exec(f"from {name} import *", names)
    replaced = {n for n in names.keys() & vars(builtins).keys() if names[n] is not getattr(builtins, n)}
    module = importlib.import_module(name)
    assert {n for n in replaced if n != "__builtins__" and getattr(names[n], "__module__", "") != name} == set(), module


def test_names_of_builtins_are_attributes():
    """autograd.abs, autograd.pow and autograd.compile are the library's own."""
    x = autograd.Value(-2.0)
    assert (autograd.abs(x).data, autograd.pow(x, 2.0).data) == (2.0, 4.0)
    assert autograd.compile(x * x, [x]).value([3.0]) == 9.0


# ---- Two packages of one name, in folders made up -------------------------------------------------------------------


@pytest.mark.parametrize("name", HIPS)
def test_a_file_of_the_other_package_is_noticed(tmp_path, name):
    """Any one of them; an empty folder of its name, or one with compiled files, is none."""
    write(tmp_path, {"value.py": "", "numpy/__pycache__/__init__.cpython-311.pyc": "", "scipy/x.opt-1.pyc": ""})
    require_alone(tmp_path)
    write(tmp_path, {name: ""})
    with pytest.raises(ImportError, match=rf"^two packages called autograd share {re.escape(str(tmp_path))}: .*HIPS"):
        require_alone(tmp_path)


def test_none_of_these_files_is_ours():
    """A module of such a name would refuse itself."""
    assert not [name for name in HIPS if (ROOT / "autograd" / name).exists()]


@pytest.mark.parametrize(
    "statement", ["import autograd", "import autograd.numpy as np", "from nn import MLP", "import nn.losses"]
)
def test_merged_and_ours_runs(tmp_path, statement):
    """Whatever is imported first."""
    site = write(copy(tmp_path / "site", "autograd", "nn"), {"autograd/numpy/__init__.py": "", "autograd/core.py": ""})
    assert str(site / "autograd") in error(python("-c", statement, at=tmp_path, path=[site]))


OTHERS = {
    "HIPS's, which runs": {"autograd/__init__.py": "def grad(f): ...", "autograd/numpy/__init__.py": ""},
    "HIPS's, too old to run": {"autograd/__init__.py": "from inspect import getarg", "autograd/numpy/__init__.py": ""},
    "what an uninstalled one leaves": {"autograd/numpy/__pycache__/__init__.cpython-311.opt-1.pyc": ""},
    "a program of the user": {"autograd.py": "class Value: ..."},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_one_comes_first(tmp_path, other):
    """nn says where it is, before it fails for want of a name; an editable install is found last, hence like this."""
    site, clone = write(tmp_path / "site", other), copy(tmp_path / "clone", "nn")
    finder = f"import sys; sys.path.append({str(clone)!r}); import nn"
    place = site / ("autograd.py" if "autograd.py" in other else "autograd")
    assert f"{place} is or holds another package" in error(python("-c", finder, at=tmp_path, path=[site]))


def test_merged_and_the_other_runs(tmp_path):
    """Its __init__ lies where ours was."""
    files = {"autograd/__init__.py": "def grad(f): ...", "autograd/numpy/__init__.py": ""}
    site = write(copy(tmp_path / "site", "autograd", "nn"), files)
    assert works(python("-c", "import autograd", at=tmp_path, path=[site]))
    assert str(site / "autograd") in error(python("-c", "import nn", at=tmp_path, path=[site]))


def test_one_of_the_merged_was_uninstalled(tmp_path):
    """The __init__ of both is gone."""
    site = copy(tmp_path / "site", "autograd", "nn")
    (site / "autograd/__init__.py").unlink()
    assert str(site / "autograd") in error(python("-c", "import nn", at=tmp_path, path=[site]))


def test_no_false_alarm(tmp_path):
    """Ours first on the path, in a clone or a folder with leftovers, and HIPS's further on."""
    site = copy(tmp_path / "site", "autograd", "nn")
    write(site, {"autograd/numpy/__pycache__/__init__.cpython-311.pyc": "", "autograd/misc/x": ""})
    other = write(tmp_path / "other", OTHERS["HIPS's, which runs"])
    assert works(python("-c", USE, at=tmp_path, path=[site, other]))
    assert works(python("-c", USE, at=site, path=[other]))
    assert works(python("-c", "import autograd, nn; autograd.Value; nn.MLP", at=tmp_path, path=[site]))


# ---- Two distributions, in virtual environments ---------------------------------------------------------------------


class Environment:
    """A virtual environment; numpy, pip and the like are those of the Python that runs the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "environment"
        self.python = self.folder / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.folder], check=True)
        (self.site,) = self.folder.glob("lib/python*/site-packages")
        (self.site / "parent.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def pip(self, *arguments, at=ROOT):
        return works(python("-m", "pip", *arguments, at=at, program=self.python))

    def install(self, *distribution):
        self.pip("install", "--no-deps", "--force-reinstall", *distribution)  # even if the tests' Python has it

    def run(self, code, at=None):
        return python("-c", code, at=at or self.folder, program=self.python)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A clone of this checkout, a wheel of it, and two of HIPS's from the index; 1.4 is too old for Python 3.11."""
    folder = tmp_path_factory.mktemp("sources")
    clone = copy(folder / "clone", "autograd", "nn")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    pip = ["-m", "pip", "--disable-pip-version-check"]
    wheels = [*pip, "wheel", "--no-deps", "--wheel-dir", folder]
    for version in ("1.4", "1.8.0"):
        done = python(*pip, "download", "--no-deps", f"autograd=={version}", at=folder)
        if done.returncode and not os.environ.get("CI"):
            pytest.skip(f"pip has no index to get HIPS's autograd from: {done.stderr.strip().splitlines()[-1]}")
        assert works(done)
    assert works(python(*wheels, clone, at=folder))
    (wheel,) = folder.glob(f"scalar_autograd-{autograd.__version__}-*.whl")
    hips = {version: next(folder.glob(f"autograd-{version}-*.whl")) for version in ("1.4", "1.8.0")}
    return SimpleNamespace(clone=clone, ours={"wheel": [wheel], "editable": ["--editable", clone]}, hips=hips)


def mend(environment, message, clone):
    """Types what the message says."""
    for command in re.findall("`(python .*?)`", message)[-2:]:
        assert works(python(*shlex.split(command)[1:], at=clone, program=environment.python))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "last", "version"),
    [
        ("wheel", "ours", "1.8.0"),
        ("wheel", "HIPS's", "1.8.0"),
        ("wheel", "HIPS's", "1.4"),
        ("editable", "ours", "1.8.0"),
        ("editable", "HIPS's", "1.8.0"),
    ],
)
def test_both_installed(tmp_path, sources, kind, last, version):
    """One error, which names the folder; what it says to type mends it.  In the clone ours is found before HIPS's."""
    environment = Environment(tmp_path)
    order = [sources.ours[kind], [sources.hips[version]]]
    for distribution in order[::-1] if last == "ours" else order:
        environment.install(*distribution)
    message = error(environment.run("import nn"))
    assert str(environment.site / "autograd") in message
    if kind == "wheel" and last == "ours":
        assert str(environment.site / "autograd") in error(environment.run("import autograd"))
    elif version == "1.8.0":
        assert works(environment.run("from autograd import make_vjp"))  # HIPS's
    assert works(environment.run(USE, at=sources.clone))
    mend(environment, message, sources.clone)
    assert works(environment.run(USE))


@pytest.mark.slow
def test_one_of_both_uninstalled(tmp_path, sources):
    """It takes the __init__ of ours along: the same error, and what it says to type mends it."""
    environment = Environment(tmp_path)
    environment.install(sources.hips["1.8.0"])
    environment.install(*sources.ours["wheel"])
    environment.pip("uninstall", "-y", "autograd")
    message = error(environment.run("import nn"))
    assert str(environment.site / "autograd") in message
    mend(environment, message, sources.clone)
    assert works(environment.run(USE))
