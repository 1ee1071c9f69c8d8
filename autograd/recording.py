"""Whether operations on Values are recorded: `no_grad` and `enable_grad`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import _GeneratorContextManager, contextmanager
from contextvars import ContextVar

# The open blocks of this thread, each (what tells it from the others, whether it records); the last one decides.
_open: ContextVar[tuple[tuple[object, bool], ...]] = ContextVar("_open", default=())
_count = 0  # of the blocks that are open in the whole process: while it is 0, nobody looks the context variable up
_lock = threading.Lock()


def no_grad() -> _GeneratorContextManager[None]:
    """A block (or, as ``@no_grad()``, a function) in which this thread records nothing: results are leaves.

    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y, y.inputs
    (Value(data=9.0, grad=0.0), ())
    """
    return _block(False)


def enable_grad() -> _GeneratorContextManager[None]:
    """A block or function that records even inside `no_grad`; the verbs and `nn.fit` run in one.

    >>> from autograd import Value
    >>> with no_grad(), enable_grad():
    ...     (Value(3.0) * 2.0).inputs
    (Value(data=3.0, grad=0.0), 2.0)
    """
    return _block(True)


def recording() -> bool:
    """Whether this thread records.

    >>> with no_grad():
    ...     recording()
    False
    """
    if not _count:
        return True
    blocks = _open.get()
    return not blocks or blocks[-1][1]


@contextmanager
def _block(records: bool) -> Iterator[None]:
    global _count
    block = (object(), records)
    _open.set((*_open.get(), block))
    with _lock:
        _count += 1
    try:
        yield
    finally:
        with _lock:
            _count -= 1
        # Not a reset to what was before: generators may close their blocks in any order.
        _open.set(tuple(other for other in _open.get() if other is not block))
