"""Whether operations on Values are recorded: `no_grad` and `enable_grad`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import _GeneratorContextManager, contextmanager
from contextvars import ContextVar

# The blocks of this thread, or of what it was started from, outermost first: the last one that is still open decides.
_blocks: ContextVar[tuple[_Block, ...]] = ContextVar("_blocks", default=())
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
    return next((block.records for block in reversed(_blocks.get()) if block.open), True)


class _Block:
    def __init__(self, records: bool) -> None:
        self.records, self.open = records, True


@contextmanager
def _block(records: bool) -> Iterator[None]:
    global _count
    block = _Block(records)
    _blocks.set((*_blocks.get(), block))
    with _lock:
        _count += 1
    try:
        yield
    finally:
        with _lock:
            _count -= 1
        # Not a reset to what was before: generators and tasks may close their blocks in any order, and elsewhere.
        block.open = False
        _blocks.set(tuple(other for other in _blocks.get() if other.open))
