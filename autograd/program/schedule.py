"""Pass 4: nodes of one kind that are ready together become a wave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import TypeAlias

from ..ops import POW
from .contract import Apply, Dot, Node, Select
from .trace import Trace

Wave: TypeAlias = list[int]


def schedule(nodes: dict[int, Node], trace: Trace) -> list[Wave]:
    """The numbers of the nodes, wave after wave, inputs first; all nodes of a wave are of one kind.

    Of the kinds that are ready, the one whose nodes are least deep on average goes first (agenda scheduling: Neubig,
    Goldberg and Dyer, "On-the-fly operation batching in dynamic computation graphs", 2017).

    >>> from autograd import Value
    >>> from autograd.program.contract import contract
    >>> from autograd.program.trace import trace
    >>> xs = [Value(1.0), Value(2.0)]
    >>> t = trace([(x * 3).sin() for x in xs], xs)
    >>> schedule(contract(t), t)
    [[3, 5], [4, 6]]
    """
    kinds = {i: _kind(node, trace) for i, node in nodes.items()}
    needs: dict[int, int] = {}
    depth: dict[int, int] = {}
    users: dict[int, list[int]] = defaultdict(list)
    total: dict[Hashable, int] = defaultdict(int)  # of the depths of the nodes of a kind that are not scheduled
    count: dict[Hashable, int] = defaultdict(int)
    ready: dict[Hashable, Wave] = defaultdict(list)
    for i, node in nodes.items():
        below = [j for j in set(node.operands) if j in nodes]
        needs[i] = len(below)
        for j in below:
            users[j].append(i)
        depth[i] = max((depth[j] + 1 for j in below), default=0)
        total[kinds[i]] += depth[i]
        count[kinds[i]] += 1
        if not below:
            ready[kinds[i]].append(i)
    waves = []
    while ready:
        kind = min(ready, key=lambda kind: total[kind] / count[kind])
        wave = ready.pop(kind)
        waves.append(wave)
        for i in wave:
            total[kind] -= depth[i]
            count[kind] -= 1
            for user in users[i]:
                needs[user] -= 1
                if not needs[user]:
                    ready[kinds[user]].append(user)
    return waves


def _kind(node: Node, trace: Trace) -> Hashable:
    """What nodes of a wave have in common; lengths of sums within a factor of two, for the short ones are padded."""
    if isinstance(node, Apply):
        which = tuple([trace.is_constant(j) for j in node.operands])
        return node.op, which, node.operands[1] if node.op is POW and which[1] else None
    exact = isinstance(node, Select) or (isinstance(node, Dot) and min(node.left) < trace.parameters)
    length = len(node.operands)
    return type(node), exact, length if exact else (length - 1).bit_length()
