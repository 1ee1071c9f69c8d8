"""Whether operations on Values are recorded: `no_grad` and `enable_grad`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_recording: ContextVar[bool] = ContextVar("_recording", default=True)
_blocks = 0  # of no_grad that are open in the whole process: while it is 0, nobody looks the context variable up
_lock = threading.Lock()


@contextmanager
def no_grad() -> Iterator[None]:
    """A block (or, as ``@no_grad()``, a function) in which this thread records nothing: results are leaves.

    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y, y.inputs
    (Value(data=9.0, grad=0.0), ())
    """
    global _blocks
    token = _recording.set(False)
    with _lock:
        _blocks += 1
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
        _recording.reset(token)


@contextmanager
def enable_grad() -> Iterator[None]:
    """A block or function that records even inside `no_grad`; the verbs run in one."""
    token = _recording.set(True)
    try:
        yield
    finally:
        _recording.reset(token)


def recording() -> bool:
    """Whether this thread records.

    >>> with no_grad():
    ...     recording()
    False
    """
    return not _blocks or _recording.get()
