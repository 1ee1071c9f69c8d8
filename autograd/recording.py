"""`no_grad` and `enable_grad`: whether a thread records its operations on Values."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

# The blocks of this thread, and of the thread that started it, outermost first; the last open one decides.
_blocks: ContextVar[tuple[Block, ...]] = ContextVar("_blocks", default=())
open_blocks = 0
"""The number of open blocks in the process; while it is 0, the context variable need not be looked up."""
_lock = threading.Lock()


def no_grad() -> Block:
    """A block in which this thread records nothing, so that results are leaves; ``@no_grad()`` decorates a function.

    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y, y.inputs
    (Value(data=9.0, grad=0.0), ())

    Inside the block, verbs such as `grad` still differentiate, and return plain numbers.

    A TypeError for a generator or coroutine function, which still runs after its call has returned.
    """
    return Block(False)


def enable_grad() -> Block:
    """A block or decorator that records even inside `no_grad`; the verbs and `nn.fit` use it.

    >>> from autograd import Value
    >>> with no_grad(), enable_grad():
    ...     (Value(3.0) * 2.0).inputs
    (Value(data=3.0, grad=0.0), 2.0)
    """
    return Block(True)


def recording() -> tuple[bool, Callable[[], Any] | None, bool]:
    """Whether this thread records, the maker of its nodes (None: plain Values), and whether all must be recorded.

    >>> with no_grad():
    ...     recording()
    ...     with enable_grad():
    ...         recording()
    (False, None, False)
    (True, None, False)
    """
    records, make, always = None, None, False
    for block in reversed(_blocks.get() if open_blocks else ()):
        if block.open:
            if records is None:
                records = block.records
            if block.make and (make is None or (block.always and not always)):
                make, always = block.make, block.always
    if records is False and not always:
        return False, None, False
    return records is not False, make, always


class Block:
    """A block that decides whether the operations of this thread are recorded; also a decorator that opens one.

    If `records` is None, the blocks around it decide.  `make` makes the nodes.  With `always`, everything is recorded:
    inside `no_grad`, a node is recorded with the derivative 0.
    """

    def __init__(self, records: bool | None, make: Callable[[], Any] | None = None, always: bool = False) -> None:
        self.records, self.make, self.always, self.open, self.counts = records, make, always, False, True

    def __enter__(self) -> None:
        if self.open:
            raise RuntimeError(
                "this block is already open; call no_grad() (or enable_grad, trace_lines) anew for each block"
            )
        around = _blocks.get()
        # What records anyway, as enable_grad() does with no block around it, changes nothing.
        self.counts = not self.records or self.make is not None or any(block.open for block in around)
        if self.counts:
            _add_to_count(1)
            _blocks.set((*around, self))
        self.open = True  # last: an interrupt here or above leaves nothing open

    def __exit__(self, *_: object) -> None:
        # Not a reset to the blocks before: generators and tasks may close blocks in any order, and in other contexts.
        self.open = False
        if self.counts:
            _blocks.set(tuple([block for block in _blocks.get() if block.open]))
            _add_to_count(-1)

    def __call__(self, function: F) -> F:
        """`function`, with a new block around each call."""
        if isgeneratorfunction(function) or iscoroutinefunction(function) or isasyncgenfunction(function):
            raise TypeError(f"{function!r:.60} still runs after its call has returned; open the block inside it")

        @wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with Block(self.records, self.make, self.always):
                return function(*args, **kwargs)

        return cast(F, inside)


def _add_to_count(number: int) -> None:
    global open_blocks
    with _lock:
        open_blocks += number


calls = 0
"""How many calls have begun, of verbs and in the whole process; a leaf keeps what this was when it was made."""


def call_begins() -> int:
    """The number of a call that begins now: leaves made before have smaller numbers than leaves made since."""
    global calls
    with _lock:
        calls += 1
        return calls
