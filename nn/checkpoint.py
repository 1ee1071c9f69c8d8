"""Named arrays of floats in an .npz file: written whole or not at all, read without trust."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import sys
import zipfile
from collections.abc import Iterable, Mapping
from math import prod
from os import PathLike
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

import numpy as np

from autograd.arrays import as_real_array

Arrays: TypeAlias = "dict[str, np.ndarray[Any, Any]]"
Shape: TypeAlias = "tuple[int, ...]"


def write_npz(path: str | PathLike[str], arrays: Mapping[str, Any]) -> None:
    """Writes `arrays` to exactly `path`.  If anything interrupts it, the file is the old one or the new one.

    The numbers are written to a file beside it, ``.<16 hexadecimal digits>.tmp``, which then takes its place.  Only a
    process that is killed, or a power cut, leaves such a file behind.  You may delete it.  This function does not, as
    another process may be writing it.
    """
    members = {_member(name): array for name, array in arrays.items()}
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {os.fspath(target.parent)!r} to write {target.name!r} to; create it"
        )
    if target.exists() and not target.is_file():
        raise OSError(f"{os.fspath(target)!r} exists and is not a regular file; give another path")
    unfinished = target.parent / f".{secrets.token_hex(8)}.tmp"
    handled = sys.exc_info()[1]  # by whoever saves in an except block
    try:
        with open(unfinished, "xb") as file:
            np.savez(file, **members)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, unfinished)
        os.replace(unfinished, target)
    except BaseException as error:
        unfinished.unlink(missing_ok=True)
        raise _interruption(error, handled) from None
    _sync_folder(target.parent)


def _interruption(error: BaseException, handled: BaseException | None) -> BaseException:
    """The Ctrl-C that caused `error`, if one did: an unfinished zip file raises its own error when it is closed."""
    found, earlier = error, error.__context__
    while isinstance(found, Exception) and earlier is not None and earlier is not handled:
        found, earlier = earlier, earlier.__context__
    return error if isinstance(found, Exception) else found


def _sync_folder(folder: Path) -> None:
    """Puts the new name on the disk, too, so that a power cut does not bring the old file back."""
    with contextlib.suppress(OSError):  # some systems cannot; the file is whole, old or new, all the same
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _member(name: str) -> str:
    """The name of an array in the archive; the number of a character stands for one that a zip file cannot have.

    >>> _member("model/layers.0.w"), _member("model/50%")
    ('model/layers.0.w', 'model/50%0025')
    """
    member = re.sub(r"[%\\\0\ud800-\udfff]", _numbered, name)
    if len(member.encode()) > LONGEST_NAME:
        raise ValueError(f"{name!r:.60}... is too long for the name of an array in a file; rename the attribute or key")
    return member


def _numbered(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):04x}"


LONGEST_NAME = 60_000
"""In bytes; a zip file has two bytes for the length of a name."""


def read_npz(path: str | PathLike[str], shapes: Mapping[str, Shape], ignore: Iterable[str] = ()) -> Arrays:
    """The arrays of `path`, which must be those of `shapes`; names that begin with one of `ignore` are skipped.

    If the file is not as `write_npz` writes it, a ValueError says what is wrong.  No code in the file is run, nothing
    in it is evaluated, and no more memory is used than the size of the file accounts for.
    """
    with open(path, "rb") as file:
        try:
            return _arrays(file, shapes, tuple(ignore))
        except Exception as error:
            if isinstance(error, OSError) and error.errno != errno.EINVAL:  # that: a jump to where no file has bytes
                raise
            reason = " ".join(str(error).split()) or f"it is cut off ({type(error).__name__})"
            raise ValueError(
                f"{os.fspath(path)!r} is not a checkpoint of this model: {_cut(reason)}; nothing was loaded"
            ) from error


def _arrays(file: IO[bytes], shapes: Mapping[str, Shape], ignore: tuple[str, ...]) -> Arrays:
    names = {f"{_member(name)}.npy": name for name in shapes}
    with zipfile.ZipFile(file) as archive:
        members = {member.filename: member for member in archive.infolist() if not member.filename.startswith(ignore)}
        _check_names("the file", [names.get(member, member.removesuffix(".npy")) for member in members], shapes)
        _check_sizes(archive.infolist(), os.fstat(file.fileno()).st_size)
        return {name: _array(name, archive.read(members[member]), shapes[name]) for member, name in names.items()}


def _check_sizes(members: Iterable[zipfile.ZipInfo], size: int) -> None:
    """A ValueError unless the members lie side by side in a file of `size` bytes, each once, uncompressed."""
    left, met = size, set()
    for member in members:
        name = _shown(member.filename)
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{name} is compressed, and checkpoints are not")
        if member.filename in met:
            raise ValueError(f"it has {name} twice")
        met.add(member.filename)
        left -= max(member.file_size, member.compress_size)
        if member.file_size != member.compress_size or left < 0:
            raise ValueError(f"{name} claims {member.file_size} bytes, more than the file has")


def _array(name: str, content: bytes, shape: Shape) -> np.ndarray[Any, Any]:
    """The array in a .npy file of version 1.0; its header is compared with what it should be, not evaluated."""
    begin = len(_MAGIC) + 2 + int.from_bytes(content[len(_MAGIC) : len(_MAGIC) + 2], "little")
    header = content[len(_MAGIC) + 2 : begin].rstrip()
    orders: dict[bytes, Literal["C", "F"]] = {_header(shape, False): "C", _header(shape, True): "F"}
    if not content.startswith(_MAGIC) or header not in orders:
        raise ValueError(f"{_shown(name)} is {header[:100].decode('latin1')!r}; expected float64 of shape {shape}")
    if len(content) - begin != 8 * prod(shape):
        raise ValueError(f"{_shown(name)} holds {len(content) - begin} bytes, not {8 * prod(shape)}")
    return np.frombuffer(content, offset=begin).reshape(shape, order=orders[header])


_MAGIC = b"\x93NUMPY\x01\x00"


def _header(shape: Shape, fortran_order: bool) -> bytes:
    """As NumPy writes it."""
    return f"{{'descr': {np.dtype(float).str!r}, 'fortran_order': {fortran_order}, 'shape': {shape}, }}".encode()


def check_arrays(owner: str, given: Mapping[str, Any], shapes: Mapping[str, Shape]) -> Arrays:
    """`given` as arrays of floats; a ValueError for a missing, extra, misshapen or non-finite one."""
    if not isinstance(given, Mapping):
        raise TypeError(f"the state is {given!r:.60} ({type(given).__name__}); give a state_dict(), arrays by name")
    _check_names("the state", given, shapes)
    arrays = {}
    for name, shape in shapes.items():
        try:
            array = as_real_array(f"{name} of {owner}", given[name]).astype(float)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{error}; nothing was loaded") from None
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
        raise ValueError(f"{what} {' and '.join(faults)}; build the model and the optimizer as they were saved")


def _some(names: list[str]) -> str:
    return ", ".join(map(_shown, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _shown(name: str) -> str:
    r"""A name from a file, on one line, cut if it is long.

    >>> print(_shown("a" + chr(10) + "b"))
    a\nb
    """
    return _cut(repr(name)[1:-1], 100)


def _cut(text: str, length: int = 500) -> str:
    """A message of zipfile, cut, as it may quote a whole file."""
    return text if len(text) <= length else f"{text[:length]}..."
