"""The problem to differentiate: a graph that can be computed again in other numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..graph import number_of_node, topological_order
from ..value import Value
from .estimates import Array


@dataclass(frozen=True, eq=False)
class Problem:
    """A graph and some of its nodes: the derivatives of `output` with respect to `leaves`."""

    output: Value
    leaves: tuple[Value, ...]

    @cached_property
    def order(self) -> list[Value]:
        """The nodes that the output depends on, down to the leaves of the problem, in topological order."""
        return topological_order([self.output], known=frozenset(self.leaves))

    @cached_property
    def seen(self) -> dict[Any, float]:
        """The number that each node had when it was used; a ValueError if it had several."""
        found: dict[Any, float] = {}
        for node in self.order:
            for x, number in zip(node.inputs, node.numbers[1:]):
                before = found.setdefault(x, number) if isinstance(x, Value) else number
                if before != number and not (before != before and number != number):
                    raise ValueError(
                        f"{x!r:.60} was used as {before:.6g} and, after its data changed, as {number:.6g}; no function "
                        "has such a graph, so build it again"
                    )
        return found

    @property
    def point(self) -> list[float]:
        """The number of each leaf."""
        return [self.seen.get(leaf, number_of_node(leaf)) for leaf in self.leaves]

    @property
    def size(self) -> int:
        """Nodes times leaves: the work of an oracle that takes the leaves one by one."""
        return len(self.order) * len(self.leaves)

    def evaluate(self, numbers: Sequence[Any], constant: Callable[[float], Any], rows: Callable[..., Any]) -> Any:
        """The output, with `numbers` for the leaves; ``rows(node, *operands)`` computes a node that is not detached."""
        found = dict(zip(self.leaves, numbers))
        for node in self.order:
            if node.op is None or node.op.name == "detach":
                found[node] = constant(number_of_node(node))
            else:
                operands = [found[x] if isinstance(x, Value) else constant(x) for x in node.inputs]
                found[node] = rows(node, *operands)
        return found[self.output]

    def along(self, index: int, xs: Array) -> Array:
        """The output, (K,), where the leaf at `index` has each of the numbers `xs`, (K,), and the others stay."""
        numbers: list[Any] = list(self.point)
        numbers[index] = xs

        def rows(node: Any, *operands: Any) -> Array:
            return np.asarray(node.op.ufunc(*operands), dtype=float)  # also of np.frompyfunc

        return np.broadcast_to(self.evaluate(numbers, float, rows), xs.shape)
