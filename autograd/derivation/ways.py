"""The ways through a graph from a variable to an output."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

from ..graph import N, topological_order
from ..ops import Op


def routes(output: N, variable: N, flat: Container[Op | None] = ()) -> list[N]:
    """The nodes on the ways from `variable` to `output`, both included, in topological order; none if there is no way.

    No way goes through the condition of a `where`, which has no derivative, or through a row in `flat`.

    >>> from autograd import Value
    >>> x, y = Value(2.0, "x"), Value(3.0, "y")
    >>> [node.op.name if node.op else node.label for node in routes(x * y + y, x)]
    ['x', 'mul', 'add']
    """
    order = topological_order([output])
    reached = {variable}  # from below
    for node in order:
        if node.op not in flat and any(True for _ in edges(node, reached)):
            reached.add(node)
    kept = {output} & reached  # and from above
    for node in reversed(order):
        if node in kept and node is not variable and node.op not in flat:
            kept.update(x for _, x in edges(node, reached))
    return [node for node in order if node in kept]


def edges(node: N, within: Container[Any]) -> Iterator[tuple[int, N]]:
    """(i, x) for each input x of `node` that is `within` and has a derivative; x is the i-th input.

    >>> from autograd import Value
    >>> x = Value(2.0, "x")
    >>> list(edges(x * x, {x}))
    [(0, Value(data=2.0, grad=0.0, label='x')), (1, Value(data=2.0, grad=0.0, label='x'))]
    """
    if node.op is not None:
        for i, (x, partial) in enumerate(zip(node.inputs, node.op.partials)):
            if x.__class__ is not float and partial is not None and x in within:
                yield i, x
