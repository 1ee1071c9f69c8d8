"""Whether operations on Values are recorded, and with what: `no_grad`, `enable_grad`, `trace_lines`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

# The blocks of this thread, or of what it was started from, outermost first: the last one that is still open decides.
_blocks: ContextVar[tuple[_Block, ...]] = ContextVar("_blocks", default=())
_count = 0  # of the blocks that are open in the whole process: while it is 0, nobody looks the context variable up
_lock = threading.Lock()


def no_grad() -> _Block:
    """A block (or, as ``@no_grad()``, a function) in which this thread records nothing: results are leaves.

    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y, y.inputs
    (Value(data=9.0, grad=0.0), ())

    Verbs such as `grad` differentiate in it as ever, and return plain numbers.

    A TypeError on a generator or coroutine function, which goes on after the call that it would be for.
    """
    return _Block(False)


def enable_grad() -> _Block:
    """A block or function that records even inside `no_grad`; the verbs and `nn.fit` run in one.

    >>> from autograd import Value
    >>> with no_grad(), enable_grad():
    ...     (Value(3.0) * 2.0).inputs
    (Value(data=3.0, grad=0.0), 2.0)
    """
    return _Block(True)


def trace_lines() -> _Block:
    """A block or function in which every node remembers the source line that computed it, as ``node.line``.

    It is for `autograd.diagnose`, and costs some microseconds a node; outside of it there is no cost.

    >>> from autograd import Value
    >>> with trace_lines():
    ...     y = Value(3.0) * 2.0
    >>> y.line.rpartition("/")[2]
    '<doctest autograd.recording.trace_lines[1]>:2'
    """
    return _Block(None, TRACED)


def watched() -> _Block:
    """A block in which nodes are of a class that asks `autograd.value.watching` before it tells its number."""
    return _Block(None, WATCHED)


TRACED, WATCHED, DETACHED = 2, 3, 4


def recording() -> int:
    """Whether this thread records: True or False, or `TRACED` or `WATCHED` where it records more than the graph.

    Where it is watched, nothing goes unrecorded: in `no_grad` it is `DETACHED`, and no gradient passes.

    >>> with no_grad():
    ...     recording()
    ...     with enable_grad():
    ...         recording()
    False
    True
    """
    if not _count:
        return True
    records, more = None, 0
    for block in reversed(_blocks.get()):
        if block.open:
            if records is None:
                records = block.records
            if block.more > more:
                more = block.more
    if records is False:
        return DETACHED if more == WATCHED else False
    return more or True


class _Block:
    """A block in which the operations of this thread are recorded, or are not; or a decorator that opens one.

    With `records` None it leaves that to the blocks around it, and asks for `more`: source lines, or to be watched.
    """

    def __init__(self, records: bool | None, more: int = 0) -> None:
        self.records, self.more, self.open = records, more, False

    def __enter__(self) -> None:
        if self.open:
            raise RuntimeError(
                "this block is open already; call no_grad() (or enable_grad, trace_lines) for each block"
            )
        _add_to_count(1)
        _blocks.set((*_blocks.get(), self))
        self.open = True  # last: what interrupts this line or those above leaves nothing open

    def __exit__(self, *_: object) -> None:
        # Not a reset to what was before: generators and tasks may close their blocks in any order, and elsewhere.
        self.open = False
        _blocks.set(tuple(block for block in _blocks.get() if block.open))
        _add_to_count(-1)

    def __call__(self, function: F) -> F:
        if isgeneratorfunction(function) or iscoroutinefunction(function) or isasyncgenfunction(function):
            raise TypeError(f"{function!r:.60} goes on after its call returns; open the block inside of it")

        @wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with _Block(self.records, self.more):
                return function(*args, **kwargs)

        return cast(F, inside)


def _add_to_count(number: int) -> None:
    global _count
    with _lock:
        _count += number
