"""What micrograd's lecture reads of a node, and how it steps through a graph by hand."""

from __future__ import annotations

from collections.abc import KeysView
from typing import Any

from .graph import add_to_grads, chain_rule
from .ops import RELU


class Lecture:
    """The private names of micrograd's nodes."""

    __slots__ = ()
    inputs: Any
    op: Any
    _grad: float

    @property
    def _prev(self) -> KeysView[Any]:
        return dict.fromkeys(x for x in self.inputs if x.__class__ is not float).keys()  # a set that keeps its order

    @property
    def _op(self) -> str:
        return "" if self.op is None else "ReLU" if self.op is RELU else self.op.symbol or self.op.name

    def _backward(self) -> None:
        found: dict[Any, float] = chain_rule([self], {self: self._grad})
        del found[self]
        add_to_grads(found, found.values())
