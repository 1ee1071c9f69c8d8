"""`explain`: the derivation of the derivative of an output with respect to a variable, stop by stop.

The stops are the labeled nodes; everything between two stops is folded into one factor.  The numbers come from a sweep
over the graph.  The paths are never enumerated, as their number may grow exponentially with the graph.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Container, Sequence
from dataclasses import replace
from functools import cache, reduce
from heapq import nlargest
from itertools import pairwise
from math import isfinite
from operator import add, attrgetter, mul
from typing import Any

from ..graph import adjoints, chain_rule, require_value, topological_order
from ..ops import ACTIVATIONS, ADD, FLAT, MUL, SUB, Op
from ..value import Value
from .data import Definition, Derivation, Factor, Route, Step
from .diagnose import origin_of_nonfinite, places_of_zero, sentences
from .formula import LONGEST, Formula, Formulas, symbols
from .notation import Style, Symbol
from .ways import edges, routes

MAX_FACTORS = 8
"""A longer product is broken into steps."""

MAX_DEFINITIONS = 40
"""At most this many symbols are defined because other definitions mention them; the rest are given as numbers."""

MAX_SOURCES = 3
"""If more stops than this depend on a node without a label, the node gets a name."""


def explain(output: Value, variable: Value, *, digits: int = 8, max_routes: int = 6, max_steps: int = 12) -> Derivation:
    """The derivation of d(output)/d(variable) by the chain rule.

    Labeled nodes are its stops.  If no node between the two has a label, `explain` chooses the stops that a person
    would: activations, the sums before them, and nodes that are used more than once.  It shows at most `max_steps`
    steps and, if routes meet, the `max_routes` largest.  The rest are given as numbers.  Numbers are written with
    `digits` decimals.

    If `output` does not depend on `variable`, or the derivative is exactly 0, the `remarks` say why.

    A TypeError if either is not a Value.  A ValueError if a count is not an int of at least 1.

    >>> from autograd import sigmoid
    >>> w, b = Value(0.4, "w"), Value(0.5, "b")
    >>> net = w * 0.6 + b
    >>> out = sigmoid(net)
    >>> net.label, out.label = "net", "out"
    >>> print(explain(out, w))
    dout/dw = 0.13120348
    <BLANKLINE>
    Forward
      net = 0.6 w + b    = 0.74
      out = sigmoid(net) = 0.67699586
      with b = 0.5, w = 0.4
    <BLANKLINE>
    Backward
      dout/dw = dout/dnet * dnet/dw
              = out (1 - out) * 0.6
              = 0.21867247 * 0.6 = 0.13120348
    """
    Style(digits)
    for name, count in (("max_routes", max_routes), ("max_steps", max_steps)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"{name} is {count!r:.60}; give an int of at least 1")
    for x in (output, variable):
        require_value(x, "explain(output, variable) takes two Values")
    return _Explanation(output, variable, max_routes).derivation(digits, max_steps)


class _Explanation:
    """The stops and the factors between them; the derivation is written from these."""

    def __init__(self, output: Value, variable: Value, max_routes: int) -> None:
        self.output, self.variable, self.max_routes = output, variable, max_routes
        self.route = routes(output, variable, FLAT)
        self.on_route = frozenset(self.route)
        self.swept = adjoints(output)
        self.adjoint = dict(self.swept)  # a step that is worked out puts its own number here
        order = topological_order([output, variable])
        stops = {output, variable, *(node for node in self.route if node.label)}
        if not any(node.label and node.op for node in self.route[1:-1]):
            stops |= _chosen(self.route, self.on_route)
        self.above = _above(self.route, stops, Formulas(order, stops).weight)
        self.formulas = Formulas(order, self.above)
        self.formulas.symbol(variable).letter, self.formulas.symbol(output).letter = "x", "y"
        self._formulas: dict[Value, dict[Value, Any]] = {}
        self._numbers: dict[Value, dict[Value, float]] = {}
        self._ways: dict[Value, Counter[Value]] = {}

    def derivation(self, digits: int, max_steps: int) -> Derivation:
        """The whole derivation."""
        formulas, output, variable = self.formulas, self.output, self.variable
        steps = self._steps(max_steps)
        number = self.swept.get(variable, 0.0)
        zeros = places_of_zero(output, variable) if number == 0.0 else []
        of, by = formulas.symbol(output), formulas.symbol(variable)
        at = formulas.seen[variable]
        draft = Derivation(output, variable, of, by, at, number, steps=tuple(steps), digits=digits)
        shown = list(draft.shown())
        for zero in zeros:
            for part in zero.formulas(formulas):
                shown += symbols(part)
        definitions, given = self._forward(shown)
        formulas.give_names([*shown, *(definition.symbol for definition in definitions), *given])
        remarks = self._unusual(draft)
        if number == 0.0:
            remarks = sentences(zeros, output, variable, formulas) + remarks
        numbers = tuple(sorted(given.items(), key=_natural))
        return replace(draft, definitions=definitions, given=numbers, remarks=tuple(remarks))

    def _unusual(self, draft: Derivation) -> list[str]:
        if self.output is self.variable:
            return ["the output is the variable itself"]
        if not (isfinite(draft.number) and isfinite(self.formulas.seen[self.output])):
            return [str(origin_of_nonfinite(self.output))]
        factors = (factor for step in draft.steps for route in step.routes for factor in route.factors)
        if all(isfinite(factor.number) for factor in factors):
            return []
        return ["where a zero meets infinity, the zero wins"]

    def _steps(self, max_steps: int) -> list[Step]:
        """The step for the variable, then steps for the stops that its routes start from, up to `max_steps`."""
        paths: dict[Value, list[list[Value]]] = {}
        wanted = [self.variable] if self.above.get(self.variable) else []
        while wanted and len(paths) < max_steps:
            node = wanted.pop(0)
            paths[node] = [self._path(parent, node) for parent in self._largest(node)]
            starts = [path[0] for path in paths[node] if path[0] is not self.output]
            wanted += [start for start in dict.fromkeys(starts) if start not in paths and start not in wanted]
        steps = []
        for node in reversed(self.route):
            if node in paths:
                steps.append(self._step(node, paths[node]))
                self.adjoint[node] = steps[-1].number  # the steps below continue from it
        return steps

    def _largest(self, node: Value) -> list[Value]:
        """The stops right above `node` that contribute most to its derivative."""
        parents = self.above[node]
        if len(parents) <= self.max_routes:
            return parents
        return nlargest(self.max_routes, parents, key=lambda parent: abs(self._term(parent, node)))

    def _path(self, parent: Value, node: Value) -> list[Value]:
        """The stops from the output, or from the last stop where routes meet, by way of `parent` down to `node`."""
        path = [node, parent]
        while len(self.above[path[-1]]) == 1 and len(path) <= MAX_FACTORS:
            path.append(self.above[path[-1]][0])
        return path[::-1]

    def _step(self, node: Value, paths: list[list[Value]]) -> Step:
        """The sum over the paths down to `node`."""
        shown = [self._route(path, alone=len(self.above[node]) == 1) for path in paths]
        largest = {path[-2] for path in paths}
        others = [parent for parent in self.above[node] if parent not in largest]
        rest = sum((self._term(parent, node) for parent in others), 0.0)
        number, swept = reduce(add, [route.number for route in shown]) + rest, self.swept[node]
        if not (isfinite(number) and isfinite(swept)):
            number = swept  # the sweep knows when a zero wins over infinity
        symbol = self.formulas.symbol
        return Step(symbol(self.output), symbol(node), tuple(shown), number, len(others), rest)

    def _term(self, parent: Value, node: Value) -> float:
        return self._product(node, [self.adjoint[parent], self._number(parent, node)])

    def _product(self, node: Value, numbers: Sequence[float]) -> float:
        """The product; a zero wins over infinity in it if it did so in the derivative of `node`."""
        product = reduce(mul, numbers)
        return 0.0 if product != product and 0.0 in numbers and self.swept[node] == self.swept[node] else product

    def _route(self, path: Sequence[Value], alone: bool) -> Route:
        """The product along a path.  A path that is `alone` is written as a derivative of the output."""
        start, parent, node = path[0], path[-2], path[-1]
        symbol = self.formulas.symbol
        factors = [self._factor(of, by) for of, by in pairwise(path)]
        if start is not self.output:
            factors.insert(0, Factor(symbol(self.output), symbol(start), None, self.adjoint[start]))
        begins = 0
        while begins < len(factors) - 1 and factors[begins].formula == 1.0:  # E = E_1 + E_2, so dE/dx is dE_1/dx
            begins += 1
        factors = factors[begins:]
        if alone:
            factors[0] = replace(factors[0], of=symbol(self.output))
        number = self._product(node, [factor.number for factor in factors])
        via = None if parent is self.output else symbol(parent)
        of = factors[0].of if alone or self._is_only_way(path[begins:]) else symbol(self.output)
        return Route(of, symbol(node), via, tuple(factors), number)

    def _is_only_way(self, path: Sequence[Value]) -> bool:
        """Whether no other path leads from the first stop of this one to its last."""
        below = self._ways_below(path[-1])
        return all(below[stop] == 1 for stop in path[:-1])

    def _ways_below(self, node: Value) -> Counter[Value]:
        """For each stop that leads to `node`, the number of stops right below it that lead there, too."""
        if node not in self._ways:
            reaching, waiting = {node}, [node]
            while waiting:
                more = [stop for stop in self.above[waiting.pop()] if stop not in reaching]
                reaching.update(more)
                waiting += more
            self._ways[node] = Counter(above for stop in reaching for above in self.above[stop])
        return self._ways[node]

    def _factor(self, of: Value, by: Value) -> Factor:
        activation = of.op in ACTIVATIONS and by in of.inputs
        symbol, formula, number = self.formulas.symbol, self._formula(of, by), self._number(of, by)
        return Factor(symbol(of), symbol(by), formula if isinstance(formula, Formula) else number, number, activation)

    def _formula(self, of: Value, by: Value) -> Any:
        if of not in self._formulas:
            self._formulas[of] = chain_rule(
                self._nodes_below(of), {of: 1.0}, self.formulas.operands, _written_product, within=self.on_route
            )
        return self._formulas[of][by]

    def _number(self, of: Value, by: Value) -> float:
        if of not in self._numbers:
            self._numbers[of] = chain_rule(self._nodes_below(of), {of: 1.0}, within=self.on_route)
        return self._numbers[of][by]

    def _nodes_below(self, stop: Value) -> list[Value]:
        """`stop`, and the nodes between it and the stops right below it, in the order of the sweep."""
        return topological_order([stop], known=_Outside(stop, self.on_route, self.above))[::-1]

    def _forward(self, shown: Sequence[Symbol]) -> tuple[tuple[Definition, ...], dict[Symbol, float]]:
        """The definitions of the stops that are shown, and the numbers of all other symbols."""
        formulas = self.formulas
        definitions: dict[Symbol, Definition] = {}
        given: dict[Symbol, float] = {}
        waiting = deque(dict.fromkeys(shown))
        met, steps = set(waiting), set(waiting)
        while waiting:
            symbol = waiting.popleft()
            node = formulas.order[symbol.place]
            stop = node in self.above and node is not self.variable
            wanted = symbol in steps or len(definitions) < MAX_DEFINITIONS
            if node.op and (stop or not node.label) and node is not self.variable and wanted:
                terms, omitted, rest = formulas.summary(node)
                definitions[symbol] = Definition(symbol, terms, formulas.seen[node], omitted, rest)
                more = dict.fromkeys(s for term in terms if term is not None for s in symbols(term))
                waiting += [s for s in more if s not in met]
                met.update(more)
            else:
                given[symbol] = formulas.seen[node]
        in_order = sorted(definitions, key=attrgetter("place"))
        return tuple(definitions[s] for s in in_order), given


def _natural(given: tuple[Symbol, float]) -> list[tuple[int, str]]:
    """For sorting by name: w2 before w10."""
    return [
        (int(part), "") if part.isdecimal() else (0, part.casefold()) for part in re.split(r"([0-9]+)", given[0].text)
    ]


class _Outside:
    """All nodes that do not lie between `stop` and the stops below it."""

    def __init__(self, stop: Value, on_route: Container[Value], stops: Container[Value]) -> None:
        self.stop, self.on_route, self.stops = stop, on_route, stops

    def __contains__(self, node: object) -> bool:
        return node is not self.stop and (node not in self.on_route or node in self.stops)


def _chosen(route: Sequence[Value], on_route: Container[Value]) -> set[Value]:
    """The stops for a graph without labels: activations, the sums before them, and nodes used more than once."""
    stops: set[Value] = set()
    used: Counter[Value] = Counter()
    for node in route:
        if node.op in ACTIVATIONS:
            stops.update(x for _, x in edges(node, on_route) if x.op in (ADD, SUB))
            stops.add(node)
        for x in {x for _, x in edges(node, on_route)}:
            used[x] += 1
    return stops | {node for node, count in used.items() if count > 1}


def _above(route: Sequence[Value], stops: set[Value], weight: dict[Value, int]) -> dict[Value, list[Value]]:
    """For each of `stops`, the stops right above it.  A factor that would be too long is divided by more stops."""
    on_route = frozenset(route)
    while True:
        above: dict[Value, list[Value]] = {}
        arriving: dict[Value, dict[Value, int]] = {}  # the length of each factor, by the stop that it starts from
        more: set[Value] = set()
        for node in reversed(route):
            lengths = arriving.pop(node, {})
            longest = max(lengths.values(), default=0)
            if len(lengths) > MAX_SOURCES or longest > LONGEST:
                stops.add(node)
            if node in stops:
                above[node] = list(lengths)[::-1]
                if longest > LONGEST:
                    more.add(node)
                lengths = {node: 1}
            for i, x in edges(node, on_route):
                step, reaching = _length(node, i, weight), arriving.setdefault(x, {})
                for stop, length in lengths.items():
                    reaching[stop] = reaching.get(stop, 0) + length + step
        if not more:
            return above
        more = {node for node in route if node not in stops and any(True for _ in edges(node, more))}
        if not more:
            return above
        stops |= more


def _length(node: Value, i: int, weight: dict[Value, int]) -> int:
    """Roughly how long the formula of the i-th partial of `node` is."""
    assert node.op is not None
    mentioned = _mentioned(node.op, i)
    if not mentioned:
        return 0
    operands: tuple[Any, ...] = (node, *node.inputs)
    weights = [weight.get(operands[j], 1) for j in mentioned]  # a constant has none
    return sum(length if length <= LONGEST else 1 for length in weights)


@cache
def _mentioned(op: Op, i: int) -> tuple[int, ...]:
    """The operands that the i-th partial mentions, each as often as it does: 0 is the output, 1 the first input."""
    probes = [Symbol(place=j) for j in range(len(op.partials) + 1)]
    partial = op.partials[i]
    assert partial is not None
    formula = partial(*(Formula(2.0 + j, symbol=probe) for j, probe in enumerate(probes)))
    return tuple(symbol.place for symbol in symbols(formula))


def _written_product(adjoint: Any, partial: Any, gate: bool) -> Any:
    return MUL(adjoint, partial)
