"""Named arrays of floats in an .npz file: written whole or not at all, read without trust."""

from __future__ import annotations

import os
import secrets
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import BytesIO
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

Arrays: TypeAlias = "dict[str, np.ndarray[Any, Any]]"
Shape: TypeAlias = "tuple[int, ...]"


def write_npz(path: str | PathLike[str], arrays: Mapping[str, Any]) -> None:
    """Writes `arrays` to exactly `path`.  Whatever interrupts it, the file is the old one or the new one.

    A process that is killed meanwhile can leave its unfinished file, `.` sixteen hexadecimal digits `.tmp`, beside it.
    """
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
    _flush_folder(target.parent)


def _flush_folder(folder: Path) -> None:
    """Sees to it that the new name of a file outlives a power failure, where the system can do that."""
    if hasattr(os, "O_DIRECTORY"):
        with suppress(OSError):  # the file is there, whatever the folder can do
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


HEADER = 4096
"""More bytes than the header of any array that `write_npz` writes."""


def read_npz(path: str | PathLike[str], shapes: Mapping[str, Shape], ignore: Iterable[str] = ()) -> Arrays:
    """The arrays of `path`, which must be those of `shapes`; names that begin with one of `ignore` are passed over.

    No pickle is run, and nothing is allocated that neither `shapes` nor the size of the file accounts for.  A
    ValueError says what is wrong with the file; an OSError, that it cannot be opened.
    """
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                names = [name.removesuffix(".npy") for name in archive.namelist()]
                names = [name for name in names if not name.startswith(tuple(ignore))]
                _check_names("the file", names, shapes)
                return {name: _array(name, archive, shapes[name]) for name in names}
        except Exception as error:
            reason = "".join(c if c.isprintable() else "?" for c in str(error)) or type(error).__name__
            raise ValueError(
                f"{os.fspath(path)!r} is not a checkpoint of this model: {reason}; nothing was loaded"
            ) from error


def _array(name: str, archive: zipfile.ZipFile, shape: Shape) -> np.ndarray[Any, Any]:
    """The array of this name, of float64, which must have this shape."""
    size = 8 * prod(shape)
    if archive.getinfo(f"{name}.npy").compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed by a method that knows no bounds")
    with archive.open(f"{name}.npy") as member:
        content = member.read(size + HEADER)  # whatever the file says of itself
    stream = BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is in another version of NumPy's format than 1.0")
    length = int.from_bytes(content[8:10], "little")
    if length > HEADER:
        raise ValueError(f"{name} has a header of {length} bytes, which should have fewer than {HEADER}")
    given, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    if given != shape or dtype != np.float64:
        raise ValueError(f"{name} is {dtype} of shape {given}, not float64 of shape {shape}")
    if len(content) - stream.tell() != size:
        raise ValueError(f"{name} holds {len(content) - stream.tell()} bytes or more, not {size}")
    return np.frombuffer(content, offset=stream.tell()).reshape(shape, order="F" if fortran_order else "C")


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
    given = list(given)
    twice = sorted(name for name, count in Counter(given).items() if count > 1)
    missing, extra = sorted(set(expected) - set(given)), sorted(set(given) - set(expected))
    faults = []
    if missing:
        faults.append(f"lacks {_some(missing)}")
    if extra:
        faults.append(f"has {_some(extra)}, which is not expected")
    if twice:
        faults.append(f"has {_some(twice)} more than once")
    if faults:
        raise ValueError(f"{what} {' and '.join(faults)}; build the model and the optimiser as they were saved")


def _some(names: list[str]) -> str:
    return ", ".join(f"{name:.60}" for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
