"""Nodes that know more than a `Value`: the source line that computed them, or their watcher."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import watching
from .recording import Block
from .value import Value
from .watching import Watcher, intercept, notify


class TracedValue(Value):
    """A node computed under `trace_lines`: a Value that knows the source line that asked for it."""

    __slots__ = ("line",)
    line: str
    """The file and the number of the line, outside of this package."""

    def __new__(cls, *args: Any) -> Any:
        """A plain Value: only the engine makes one that has a line."""
        return Value(*args)

    @classmethod
    def made(cls) -> TracedValue:
        """A node for the line that is being run."""
        node: TracedValue = object.__new__(cls)
        node.line = line_outside()
        return node

    copied_as = Value  # the line did not ask for a copy


def trace_lines() -> Block:
    """A block or function in which every node remembers the source line that computed it, as ``node.line``.

    It takes some microseconds a node.  Outside of the block there is no cost.

    >>> with trace_lines():
    ...     y = Value(3.0) * 2.0
    >>> y.line.rpartition("/")[2]
    '<doctest autograd.nodes.trace_lines[0]>:2'
    """
    return Block(None, TracedValue.made)


def line_outside() -> str:
    """The file and the number of the line, outside of this package, that is being run.

    >>> line_outside().rpartition("/")[2]
    '<doctest autograd.nodes.line_outside[0]>:1'
    """
    frame: Any = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


PACKAGE = os.path.dirname(__file__) + os.sep
"""The beginning of the file names of this package."""


class WatchedValue(Value):
    """A node computed under `watched`: the watcher learns when it is hashed or its numbers are read.

    It may stand for a number that would be plain without a watcher.
    """

    __slots__ = ()

    def __hash__(self) -> int:
        found = object.__hash__(self)
        return notify(hash, (self,), found) if watching.watchers else found

    @property
    def numbers(self) -> tuple[float, ...]:
        """As in `Value`; the watcher learns of it."""
        found = super().numbers
        return notify(None, (self,), found) if watching.watchers else found

    @classmethod
    def made(cls) -> WatchedValue:
        """A node."""
        return object.__new__(cls)

    copied_as = Value


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """A block in which `watcher` answers (see `intercept`), and in which everything is recorded."""
    with intercept(watcher), Block(None, WatchedValue.made, always=True):
        yield
