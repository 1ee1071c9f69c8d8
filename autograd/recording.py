"""Whether operations on Values are recorded: `no_grad` and `enable_grad`, for the thread that opens them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

# The blocks of this thread, or of what it was started from, outermost first: the last one that is still open decides.
_blocks: ContextVar[tuple[Block, ...]] = ContextVar("_blocks", default=())
open_blocks = 0
"""How many blocks are open in the whole process; while there are none, nobody looks the context variable up."""
_lock = threading.Lock()


def no_grad() -> Block:
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
    return Block(False)


def enable_grad() -> Block:
    """A block or function that records even inside `no_grad`; the verbs and `nn.fit` run in one.

    >>> from autograd import Value
    >>> with no_grad(), enable_grad():
    ...     (Value(3.0) * 2.0).inputs
    (Value(data=3.0, grad=0.0), 2.0)
    """
    return Block(True)


def recording() -> tuple[bool, Callable[[], Any] | None, bool]:
    """Whether this thread records, what makes its nodes (None: plain Values), and whether nothing may go unrecorded.

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
            if make is None or (block.always and not always):
                make, always = block.make, block.always
    if records is False and not always:
        return False, None, False
    return records is not False, make, always


class Block:
    """A block in which the operations of this thread are recorded, or are not; or a decorator that opens one.

    With `records` None, the blocks around it decide that.  Nodes come from `make`.  With `always`, nothing goes
    unrecorded: inside `no_grad`, a node is recorded with the derivative 0.
    """

    def __init__(self, records: bool | None, make: Callable[[], Any] | None = None, always: bool = False) -> None:
        self.records, self.make, self.always, self.open = records, make, always, False

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
        """`function`, with a block of its own around each call."""
        if isgeneratorfunction(function) or iscoroutinefunction(function) or isasyncgenfunction(function):
            raise TypeError(f"{function!r:.60} goes on after its call returns; open the block inside of it")

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
    """The number of a call that begins now: it tells the leaves made before from those made since."""
    global calls
    with _lock:
        calls += 1
        return calls
