"""Who is told what a program asks of Values, such as a comparison: `compile` has to know."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

Watcher: TypeAlias = "Callable[[Callable[..., Any] | None, tuple[Any, ...], Any], Any]"

watchers: tuple[Watcher, ...] = ()
"""Those that are told now, in all threads."""
_lock, _answering = threading.Lock(), threading.local()


@contextmanager
def intercept(watcher: Watcher) -> Iterator[None]:
    """A block in which `watcher` answers what a program asks of Values: given the question, the operands, the answer.

    Questions are operators such as ``operator.gt``, and `hash`, `copy` and `repr`; None is for data that are read,
    TypeError for what a Value refuses, with the error as the answer.  The watcher is told of all threads.

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
    """The answer, if no watcher has another; what a watcher asks in order to answer is not told."""
    if getattr(_answering, "now", False):
        return answer
    _answering.now = True
    try:
        for watcher in watchers:
            answer = watcher(question, operands, answer)
    finally:
        _answering.now = False
    return answer
