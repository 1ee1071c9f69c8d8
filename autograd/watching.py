"""Watchers: they learn what a program asks of Values, such as a comparison.  `compile` needs this."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

Watcher: TypeAlias = "Callable[[Callable[..., Any] | None, tuple[Any, ...], Any], Any]"

watchers: tuple[Watcher, ...] = ()
"""The present watchers, of all threads."""
_lock, _answering = threading.Lock(), threading.local()


@contextmanager
def intercept(watcher: Watcher) -> Iterator[None]:
    """A block in which `watcher` answers when a program asks something of a Value.

    It is called with the question, the operands and the answer that the program would get, and returns the answer.
    Questions are operators such as ``operator.gt``, and `hash`, `copy` and `repr`.  The question is None if data are
    read.  It is TypeError if the Value refuses, and then the answer is the error.  The watcher hears of all threads.

    >>> from autograd import Value
    >>> with intercept(lambda question, operands, answer: print(question, operands, answer)):
    ...     Value(3.0) * 2 > 5.0
    <built-in function gt> (Value(data=6.0, grad=0.0), 5.0) True
    """
    global watchers
    try:
        with _lock:
            watchers = (*watchers, watcher)
        yield
    finally:
        with _lock:
            watchers = tuple([other for other in watchers if other is not watcher])


def notify(question: Callable[..., Any] | None, operands: tuple[Any, ...], answer: Any) -> Any:
    """The answer, after each watcher may have replaced it.  Watchers do not hear of their own questions."""
    if getattr(_answering, "now", False):
        return answer
    _answering.now = True
    try:
        for watcher in watchers:
            answer = watcher(question, operands, answer)
    finally:
        _answering.now = False
    return answer
