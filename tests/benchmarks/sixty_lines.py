"""The rivals of the engine: a `Value` in sixty lines, as published microgpt files have it, and a leaner one.

Both have slots, store the local derivatives, and walk without recursion.  What they leave out, this library has: rows
for constants, floats only (a str raises), derivatives at the numbers of the forward pass, adjoints apart from `grad`
(a second `backward` is wrong here unless every grad is set to zero), strong zeros, `no_grad`, IEEE 754, labels.
"""

from __future__ import annotations

from typing import Any


class SixtyLines:
    """Any number of inputs: tuples of children and of local derivatives, as in published files."""

    __slots__ = ("_children", "_local", "data", "grad")

    def __init__(self, data: float, children: Any = (), local: Any = ()) -> None:
        self.data = data
        self.grad = 0.0
        self._children = children
        self._local = local

    def __add__(self, other: Any) -> Any:
        if other.__class__ is SixtyLines:
            return SixtyLines(self.data + other.data, (self, other), (1.0, 1.0))
        return SixtyLines(self.data + other, (self,), (1.0,))

    __radd__ = __add__

    def __mul__(self, other: Any) -> Any:
        if other.__class__ is SixtyLines:
            return SixtyLines(self.data * other.data, (self, other), (other.data, self.data))
        return SixtyLines(self.data * other, (self,), (other,))

    __rmul__ = __mul__

    def relu(self) -> Any:
        """max(x, 0)."""
        x = self.data
        return SixtyLines(x, (self,), (1.0,)) if x > 0 else SixtyLines(0.0, (self,), (0.0,))

    def backward(self) -> None:
        """Adds to the grad of everything below."""
        order: list[Any] = []
        seen: set[Any] = set()
        path: list[Any] = [self]
        while path:
            node = path.pop()
            if node is None:
                order.append(path.pop())
            elif node not in seen:
                seen.add(node)
                path.append(node)
                path.append(None)
                for child in node._children:
                    if child not in seen:
                        path.append(child)
        self.grad = 1.0
        for node in reversed(order):
            grad = node.grad
            for child, local in zip(node._children, node._local):
                child.grad += local * grad


class Lean:
    """Two inputs at most, with a slot for each and for its local derivative: the fastest that we could write."""

    __slots__ = ("_dx", "_dy", "_x", "_y", "data", "grad")

    def __init__(self, data: float, x: Any = None, dx: float = 0.0, y: Any = None, dy: float = 0.0) -> None:
        self.data = data
        self.grad = 0.0
        self._x = x
        self._dx = dx
        self._y = y
        self._dy = dy

    def __add__(self, other: Any) -> Any:
        if other.__class__ is Lean:
            return Lean(self.data + other.data, self, 1.0, other, 1.0)
        return Lean(self.data + other, self, 1.0)

    __radd__ = __add__

    def __mul__(self, other: Any) -> Any:
        if other.__class__ is Lean:
            x, y = self.data, other.data
            return Lean(x * y, self, y, other, x)
        return Lean(self.data * other, self, other)

    __rmul__ = __mul__

    def relu(self) -> Any:
        """max(x, 0)."""
        x = self.data
        return Lean(x, self, 1.0) if x > 0 else Lean(0.0, self, 0.0)

    def backward(self) -> None:
        """Adds to the grad of everything below."""
        order: dict[Any, None] = {}
        path: list[Any] = []
        node: Any = self
        while True:
            if ((x := node._x) is not None and x not in order) or ((x := node._y) is not None and x not in order):
                path.append(node)
                node = x
            else:
                order[node] = None
                if not path:
                    break
                node = path.pop()
        self.grad = 1.0
        for node in reversed(order):
            grad = node.grad
            if (x := node._x) is not None:
                x.grad += node._dx * grad
                if (y := node._y) is not None:
                    y.grad += node._dy * grad
