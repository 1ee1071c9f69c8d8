"""Named arrays of floats in an .npz file: written whole or not at all, read without trust."""

from __future__ import annotations

import os
import secrets
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

Arrays: TypeAlias = "dict[str, np.ndarray[Any, Any]]"
Shape: TypeAlias = "tuple[int, ...]"


def write_npz(path: str | PathLike[str], arrays: Mapping[str, Any]) -> None:
    """Writes `arrays` to exactly `path`.  Whatever interrupts it, the file is the old one or the new one."""
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {os.fspath(target.parent)!r} to write {target.name!r} to; create it"
        )
    if target.exists() and not target.is_file():
        raise OSError(f"{os.fspath(target)!r} is there and no ordinary file; give another path")
    unfinished = target.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        with open(unfinished, "xb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, unfinished)
        os.replace(unfinished, target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def read_npz(path: str | PathLike[str], shapes: Mapping[str, Shape], ignore: Iterable[str] = ()) -> Arrays:
    """The arrays of `path`, which must be those of `shapes`; names that begin with one of `ignore` are passed over.

    No pickle is run, and nothing is allocated that `shapes` does not account for.  A ValueError says what is wrong.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            names = [name for name in names if not name.startswith(tuple(ignore))]
            _check_names("the file", names, shapes)
            for name in names:
                with archive.open(f"{name}.npy") as member:
                    version = np.lib.format.read_magic(member)
                    read_header = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
                    shape, fortran_order, dtype = read_header(member)
                    if shape != shapes[name] or dtype != np.float64:
                        raise ValueError(f"{name} is {dtype} of shape {shape}, not float64 of shape {shapes[name]}")
                    count = int(np.prod(shape))
                    content = member.read(8 * count + 1)
                    if len(content) != 8 * count:
                        raise ValueError(f"{name} holds {len(content)} bytes, not {8 * count}")
                    arrays[name] = np.frombuffer(content).reshape(shape, order="F" if fortran_order else "C")
    except OSError:
        raise
    except Exception as error:
        raise ValueError(
            f"{os.fspath(path)!r} is not a checkpoint of this model: {error}; nothing was loaded"
        ) from error
    return arrays


def check_arrays(owner: str, given: Mapping[str, Any], shapes: Mapping[str, Shape]) -> Arrays:
    """`given` as arrays of floats; a ValueError for a missing, extra, misshapen or non-finite one."""
    _check_names("the state", given, shapes)
    arrays = {}
    for name, shape in shapes.items():
        try:
            array = np.asarray(given[name])
        except ValueError as error:
            raise ValueError(f"{name} of {owner} is not an array: {error}") from None
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} of {owner} is an array of {array.dtype}, not of real numbers; nothing was loaded")
        with np.errstate(over="ignore"):  # what does not fit in a float is found below
            array = array.astype(float)
        if array.shape != shape:
            raise ValueError(f"{name} of {owner} has shape {shape}, the state's has {array.shape}; nothing was loaded")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} of {owner} holds {array[~np.isfinite(array)].ravel()[0]}; nothing was loaded")
        arrays[name] = array
    return arrays


def _check_names(what: str, given: Iterable[str], expected: Iterable[str]) -> None:
    missing, extra = sorted(set(expected) - set(given)), sorted(set(given) - set(expected))
    faults = []
    if missing:
        faults.append(f"lacks {_some(missing)}")
    if extra:
        faults.append(f"has {_some(extra)}, which is not expected")
    if faults:
        raise ValueError(f"{what} {' and '.join(faults)}; build the model and the optimiser as they were saved")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
