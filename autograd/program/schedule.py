"""Pass 4: collects nodes of one kind that are ready together in a group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import TypeAlias

from ..ops import POW
from .contract import Apply, Dot, Node, Select
from .trace import Tape

Group: TypeAlias = list[int]
"""The numbers of nodes that are computed together."""


def schedule(nodes: dict[int, Node], tape: Tape) -> list[Group]:
    """The nodes in groups, inputs first; all nodes of a group are of one kind, and none needs another.

    Of the kinds that are ready, the one whose remaining nodes are least deep on average goes first (agenda scheduling:
    Neubig, Goldberg and Dyer, "On-the-fly operation batching in dynamic computation graphs", 2017).

    >>> from autograd import Value
    >>> from autograd.program.contract import contract
    >>> from autograd.program.trace import trace
    >>> xs = [Value(1.0), Value(2.0)]
    >>> tape = trace([(x * 3).sin() for x in xs], xs)
    >>> schedule(contract(tape), tape)
    [[3, 5], [4, 6]]
    """
    kinds = {i: kind_of(node, tape) for i, node in nodes.items()}
    needs: dict[int, int] = {}
    depth: dict[int, int] = {}
    users: dict[int, list[int]] = defaultdict(list)
    total_depth: dict[Hashable, int] = defaultdict(int)  # of the nodes of a kind that are not scheduled yet
    count: dict[Hashable, int] = defaultdict(int)
    ready: dict[Hashable, Group] = defaultdict(list)
    for i, node in nodes.items():
        below = [j for j in set(node.operands) if j in nodes]
        needs[i] = len(below)
        for j in below:
            users[j].append(i)
        depth[i] = max((depth[j] + 1 for j in below), default=0)
        total_depth[kinds[i]] += depth[i]
        count[kinds[i]] += 1
        if not below:
            ready[kinds[i]].append(i)
    groups = []
    while ready:
        kind = min(ready, key=lambda kind: total_depth[kind] / count[kind])
        group = ready.pop(kind)
        groups.append(group)
        for i in group:
            total_depth[kind] -= depth[i]
            count[kind] -= 1
            for user in users[i]:
                needs[user] -= 1
                if not needs[user]:
                    ready[kinds[user]].append(user)
    return groups


def kind_of(node: Node, tape: Tape) -> Hashable:
    """A key that all nodes of a group share.

    The sums in a group differ in length by less than a factor of two, and the short ones are padded.  Selections, and
    dot products with parameters, have the same length.
    """
    if isinstance(node, Apply):
        constant = tuple([tape.is_constant(j) for j in node.operands])
        return node.op, constant, node.operands[1] if node.op is POW and constant[1] else None
    exact = isinstance(node, Select) or (isinstance(node, Dot) and min(node.left) < tape.parameters)
    length = len(node.operands)
    return type(node), exact, length if exact else (length - 1).bit_length()
