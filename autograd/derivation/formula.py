"""A graph as a formula, simplified.

A row of the table takes a `Formula` as it takes a number, and returns a Formula.  So the line of the table that
computes a derivative also writes it as a formula.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, chain, count, pairwise
from math import isfinite
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

from .. import ops
from ..conversions import as_float
from ..graph import number_of_node, require_value, topological_order
from ..ops import ABS, ADD, DIV, MUL, NEG, POW, SQRT, SUB, WHERE, Op, Operators
from .notation import Latex, Symbol, Text, symbol_of

_Part: TypeAlias = "Formula | float"

LONGEST = 24
"""A formula with more symbols, numbers and operations than this is cut: its parts get names of their own."""


@dataclass(frozen=True)
class Formula(Operators):
    """A symbol, or a row of the table applied to formulas and numbers; `number` is its value here.

    ``str(formula)`` is its text, ``formula.latex()`` its LaTeX.

    >>> from autograd import sigmoid
    >>> x = Formula(0.5, symbol=Symbol("x", "x"))
    >>> sigmoid(x) * (1.0 - sigmoid(x)) * -2.0
    -2 sigmoid(x) (1 - sigmoid(x))
    """

    number: float = field(compare=False)
    op: Op | None = None
    inputs: tuple[Any, ...] = ()
    symbol: Symbol | None = None

    @staticmethod
    def __record__(op: Op, operands: Sequence[Any]) -> Any:
        """``op(*operands)``, simplified.

        A derivative is taken at a point, so a `where` is replaced by the branch that it takes there.
        """
        if op is WHERE:
            return operands[1] if number_of(operands[0]) else operands[2]
        return simplified(op, [x if isinstance(x, Formula) else as_float(x) for x in operands])

    def __repr__(self) -> str:
        return Text().write(self)

    def latex(self, digits: int = 8) -> str:
        """The formula as LaTeX, without dollar signs."""
        return Latex(digits).write(self)

    def _repr_latex_(self) -> str:  # in a notebook
        return rf"$\displaystyle {self.latex()}$"


def number_of(x: _Part) -> float:
    """The value of a formula here."""
    return x.number if isinstance(x, Formula) else x


def symbols(x: _Part) -> Iterator[Symbol]:
    """The symbols in a formula, from left to right, each as often as it appears."""
    if isinstance(x, Formula):
        if x.symbol:
            yield x.symbol
        for part in x.inputs:
            yield from symbols(part)


# ---- Simplification -------------------------------------------------------------------------------------------------


class Rule(NamedTuple):
    """An equation, read from left to right.  `rewrite` takes the operands of `op`; None means: does not apply."""

    op: Op
    algebra: str
    rewrite: Callable[..., Any]


def _is(x: Any, op: Op) -> bool:
    return isinstance(x, Formula) and x.op is op


def _number(x: Any) -> bool:
    return not isinstance(x, Formula)


def _scaled(x: Any) -> bool:
    """Is x a product with a number in front?"""
    return _is(x, MUL) and _number(x.inputs[0])


def _fits(c: float) -> bool:
    """Whether a product of numbers has neither overflowed nor underflowed to 0."""
    return isfinite(c) and c != 0.0


def _coefficient(x: Formula) -> tuple[float, Any]:
    """(c, y), where x = c y."""
    if _is(x, NEG):
        c, y = _coefficient(x.inputs[0])
        return -c, y
    return (x.inputs[0], x.inputs[1]) if _scaled(x) else (1.0, x)


def _alike(x: Any, y: Any) -> bool:
    return isinstance(x, Formula) and isinstance(y, Formula) and _coefficient(x)[1] == _coefficient(y)[1]


def _power(x: Formula) -> tuple[Any, float]:
    """(y, p), where x = y^p with a number p > 0."""
    if _is(x, POW) and _number(x.inputs[1]) and x.inputs[1] > 0.0:
        return x.inputs
    return x, 1.0


def _same_base(x: Any, y: Any) -> bool:
    return isinstance(x, Formula) and isinstance(y, Formula) and _power(x)[0] == _power(y)[0]


# fmt: off
RULES: tuple[Rule, ...] = (
    Rule(ADD, "0 + x = x",            lambda x, y: y if x == 0.0 else None),
    Rule(ADD, "x + 0 = x",            lambda x, y: x if y == 0.0 else None),
    Rule(ADD, "a x + b x = (a + b) x",
         lambda x, y: (_coefficient(x)[0] + _coefficient(y)[0]) * _coefficient(x)[1] if _alike(x, y) else None),
    Rule(ADD, "x + (-c) = x - c",     lambda x, y: x - -y if _number(y) and y < 0.0 else None),
    Rule(ADD, "x + (-y) = x - y",     lambda x, y: x - y.inputs[0] if _is(y, NEG) else None),
    Rule(ADD, "-c + x = x - c",       lambda x, y: y - -x if _number(x) and x < 0.0 else None),
    Rule(ADD, "-x + y = y - x",       lambda x, y: y - x.inputs[0] if _is(x, NEG) else None),

    Rule(SUB, "x - 0 = x",            lambda x, y: x if y == 0.0 else None),
    Rule(SUB, "0 - x = -x",           lambda x, y: -y if x == 0.0 else None),
    Rule(SUB, "a x - b x = (a - b) x",
         lambda x, y: (_coefficient(x)[0] - _coefficient(y)[0]) * _coefficient(x)[1] if _alike(x, y) else None),
    Rule(SUB, "x - (-c) = x + c",     lambda x, y: x + -y if _number(y) and y < 0.0 else None),
    Rule(SUB, "x - (-y) = x + y",     lambda x, y: x + y.inputs[0] if _is(y, NEG) else None),

    Rule(NEG, "-(-x) = x",            lambda x: x.inputs[0] if _is(x, NEG) else None),

    Rule(MUL, "0 x = 0",              lambda x, y: 0.0 if x == 0.0 or y == 0.0 else None),
    Rule(MUL, "1 x = x",              lambda x, y: y if x == 1.0 else None),
    Rule(MUL, "x c = c x",            lambda x, y: y * x if _number(y) else None),
    Rule(MUL, "(-c) x = -(c x)",      lambda x, y: -(-x * y) if _number(x) and x < 0.0 else None),
    Rule(MUL, "(-x) y = -(x y)",      lambda x, y: -(x.inputs[0] * y) if _is(x, NEG) else None),
    Rule(MUL, "x (-y) = -(x y)",      lambda x, y: -(x * y.inputs[0]) if _is(y, NEG) else None),
    Rule(MUL, "c (d x) = (c d) x",
         lambda x, y: x * y.inputs[0] * y.inputs[1] if _number(x) and _scaled(y) and _fits(x * y.inputs[0]) else None),
    Rule(MUL, "(c x) y = c (x y)",    lambda x, y: x.inputs[0] * (x.inputs[1] * y) if _scaled(x) else None),
    Rule(MUL, "x (c y) = c (x y)",
         lambda x, y: y.inputs[0] * (x * y.inputs[1]) if _scaled(y) and not _number(x) else None),
    Rule(MUL, "x (y / z) = (x y) / z", lambda x, y: DIV(x * y.inputs[0], y.inputs[1]) if _is(y, DIV) else None),
    Rule(MUL, "(x / y) z = (x z) / y", lambda x, y: DIV(x.inputs[0] * y, x.inputs[1]) if _is(x, DIV) else None),
    Rule(MUL, "x^p x^q = x^(p + q)",
         lambda x, y: POW(_power(x)[0], _power(x)[1] + _power(y)[1]) if _same_base(x, y) else None),
    Rule(MUL, "(x y^p) y^q = x y^(p + q)",
         lambda x, y: x.inputs[0] * (x.inputs[1] * y) if _is(x, MUL) and _same_base(x.inputs[1], y) else None),

    Rule(DIV, "0 / x = 0",            lambda x, y: 0.0 if x == 0.0 else None),
    Rule(DIV, "x / 1 = x",            lambda x, y: x if y == 1.0 else None),
    Rule(DIV, "x / (-c) = -(x / c)",  lambda x, y: -DIV(x, -y) if _number(y) and y < 0.0 else None),
    Rule(DIV, "(-c) / x = -(c / x)",  lambda x, y: -DIV(-x, y) if _number(x) and x < 0.0 else None),
    Rule(DIV, "(-x) / y = -(x / y)",  lambda x, y: -DIV(x.inputs[0], y) if _is(x, NEG) else None),
    Rule(DIV, "x / (-y) = -(x / y)",  lambda x, y: -DIV(x, y.inputs[0]) if _is(y, NEG) else None),
    Rule(DIV, "(c x) / d = (c / d) x",
         lambda x, y: DIV(x.inputs[0], y) * x.inputs[1] if _scaled(x) and _number(y) and y else None),
    Rule(DIV, "x^p / x^q = x^(p - q)",
         lambda x, y: POW(_power(x)[0], _power(x)[1] - _power(y)[1]) if _same_base(x, y) else None),
    Rule(DIV, "(x y) / x = y",        lambda x, y: x.inputs[1] if _is(x, MUL) and x.inputs[0] == y else None),
    Rule(DIV, "(x y) / y = x",        lambda x, y: x.inputs[0] if _is(x, MUL) and x.inputs[1] == y else None),
    Rule(DIV, "0.5 / sqrt(x) = 1 / (2 sqrt(x))", lambda x, y: DIV(1.0, 2.0 * y) if x == 0.5 and _is(y, SQRT) else None),
    Rule(DIV, "(c x) / (d y) = (c / d) (x / y)",
         lambda x, y: DIV(x.inputs[0], y.inputs[0]) * DIV(x.inputs[1], y.inputs[1])
         if _scaled(x) and _scaled(y) and y.inputs[0] else None),
    Rule(DIV, "(x / y) / z = x / (y z)", lambda x, y: DIV(x.inputs[0], x.inputs[1] * y) if _is(x, DIV) else None),
    Rule(DIV, "x / (y / z) = (x z) / y", lambda x, y: DIV(x * y.inputs[1], y.inputs[0]) if _is(y, DIV) else None),

    Rule(POW, "x^0 = 1",              lambda x, y: 1.0 if y == 0.0 else None),
    Rule(POW, "x^1 = x",              lambda x, y: x if y == 1.0 else None),
    Rule(POW, "x^0.5 = sqrt(x)",      lambda x, y: SQRT(x) if y == 0.5 else None),
    Rule(POW, "x^(-p) = 1 / x^p",     lambda x, y: DIV(1.0, POW(x, -y)) if _number(y) and y < 0.0 else None),

    Rule(ABS, "|-x| = |x|",           lambda x: ABS(x.inputs[0]) if _is(x, NEG) else None),
    Rule(WHERE, "where(c, x, y) = x, but y for c = 0", lambda c, x, y: (x if c else y) if _number(c) else None),
)
# fmt: on
"""Tried in this order; c and d are numbers.  Numbers are folded together; signs and numbers move to the front."""

_BY_OP = {op: [rule.rewrite for rule in RULES if rule.op is op] for op in ops.TABLE.values()}


def simplified(op: Op, operands: Sequence[_Part]) -> _Part:
    """``op(*operands)`` for formulas and floats, simplified by `RULES`.

    >>> x = Formula(3.0, symbol=Symbol("x", "x"))
    >>> simplified(ADD, [x, 0.0]), simplified(MUL, [x, -1.0]), simplified(MUL, [x, x])
    (x, -x, x^2)
    """
    if all(map(_number, operands)):
        return op.forward(*operands)
    number = op.forward(*map(number_of, operands))
    for rewrite in _BY_OP.get(op, ()):
        result = rewrite(*operands)
        if result is not None and _like(number_of(result), number):
            return result  # type: ignore[no-any-return]  # a formula or a float
    return Formula(number, op, tuple(operands))


def _like(x: float, y: float) -> bool:
    """Whether both are finite and not 0, or both the same.  Algebra can fail at 0, inf and NaN: x / x is not 1."""
    return x == y or (isfinite(x) and isfinite(y) and (x == 0.0) == (y == 0.0)) or (x != x and y != y)


# ---- From nodes to formulas -----------------------------------------------------------------------------------------

_CONSTANT = frozenset({ADD, SUB, NEG})
"""The rows whose partials are constants."""


class Summary(NamedTuple):
    """A sum: its terms, with None for those left out.

    Terms that are left out visibly continue those before them, up to the next one.  If `omitted` is not 0, the last
    None stands for that many terms of any kind, which sum to `rest`.
    """

    terms: tuple[_Part | None, ...]
    omitted: int = 0
    rest: float = 0.0


class Formulas:
    """Formulas for the nodes of a graph, in topological order; nodes with a label and `stops` are symbols.

    A node whose formula would be too long becomes a symbol, too, and gets a name.
    """

    def __init__(self, order: Sequence[Any], stops: Collection[Any] = ()) -> None:
        self.order = order
        self.seen: dict[Any, float] = {}  # the number of each node in the forward pass
        self.weight: dict[Any, int] = {}
        self._symbols: dict[Any, Symbol] = {}
        self._formulas: dict[Any, Any] = {}
        self._place = {node: place for place, node in enumerate(order)}
        self._before_activation = {node.inputs[0] for node in order if node.op in ops.ACTIVATIONS}
        labeled = [node for node in order if node.label]
        names = {label: symbol_of(label) for label in dict.fromkeys(node.label for node in labeled)}
        copies = Counter(chain.from_iterable(_looks(names[node.label]) for node in labeled))
        met: Counter[str] = Counter()
        for node in order:
            for x, number in zip(node.inputs, node.numbers[1:]):
                if x.__class__ is not float:
                    self.seen[x] = number
            self.seen[node] = number_of_node(node)
            if node.label:
                symbol = names[node.label]
                if any(copies[look] > 1 for look in _looks(symbol)):
                    copy = 1 + max(met[look] for look in _looks(symbol))
                    met.update({look: copy - met[look] for look in _looks(symbol)})
                    symbol = symbol_of(node.label, copy)
                self._symbols[node] = replace(symbol, place=self._place[node])
            elif node in stops or node.op is ops.DETACH:  # a constant, whatever its input
                self.symbol(node)
            self.weight[node] = 1 if node in self._symbols else self._weigh(node)

    def _weigh(self, node: Any) -> int:
        """The symbols, numbers and operations in the formula of `node`; a part that is too long counts as a symbol."""
        weight = 1
        for x in node.inputs:
            part = 1 if x.__class__ is float else self.weight[x]
            weight += part if part <= LONGEST or node.op is x.op is ADD else 1  # a long sum is one thing, not many
        return weight

    def symbol(self, node: Any) -> Symbol:
        """The symbol that stands for `node`.  `give_names` names it later, when everything that is shown is known."""
        if node not in self._symbols:
            letter = "a" if node.op in ops.ACTIVATIONS else "c" if node.op is ops.DETACH else "u"
            if node in self._before_activation and node.op in (ADD, SUB):
                letter = "z"
            self._symbols[node] = Symbol(place=self._place[node], letter=letter)
        return self._symbols[node]

    def formula(self, node: Any) -> Any:
        """The formula that stands for `node` in others: a symbol, a number, or its definition."""
        if node.__class__ is float:
            return node  # a constant
        if node not in self._formulas:
            if node in self._symbols or self.weight[node] > LONGEST:
                self._formulas[node] = Formula(self.seen[node], symbol=self.symbol(node))
            else:
                self._formulas[node] = self.definition(node)
        return self._formulas[node]

    def definition(self, node: Any) -> _Part:
        """The formula that computes `node`; the number of a leaf."""
        if node.op is None:
            return self.seen[node]
        formula = simplified(node.op, [self.formula(x) for x in node.inputs])
        if isinstance(formula, Formula) and not formula.symbol:  # with the engine's number, to the last digit
            return Formula(self.seen[node], formula.op, formula.inputs)
        return formula

    def summary(self, node: Any) -> Summary:
        """The definition of `node`, as the terms of a sum."""
        if node.op is not ADD or self._weigh(node) <= LONGEST:
            return Summary((self.definition(node),))
        terms = self._terms(node)
        formulas = [self.formula(x) for x in terms]
        shown = _without_runs(formulas)
        lengths = list(accumulate(self.weight.get(terms[i], 1) for i in shown))
        omitted: Sequence[int] = ()
        if lengths[-1] > 2 * LONGEST:  # the first ones and the last
            first = [i for i, length in zip(shown, lengths) if length <= LONGEST // 2] or shown[:1]
            omitted = range(first[-1] + 1, len(terms) - 1)
            shown = [*first, len(terms) - 1]
        written: list[_Part | None] = []
        for i, following in pairwise([*shown, len(terms)]):
            written.append(formulas[i])
            if following > i + 1:
                written.append(None)
        return Summary(tuple(written), len(omitted), sum((number_of(formulas[i]) for i in omitted), 0.0))

    def _terms(self, node: Any) -> list[Any]:
        """The terms of the sum that computes `node`, without the 0.0 that sum() begins with."""
        terms: list[Any] = []
        waiting = list(reversed(node.inputs))
        while waiting:
            x = waiting.pop()
            if self._goes_on(x):
                waiting += reversed(x.inputs)
            elif x.__class__ is not float or x:
                terms.append(x)
        return terms

    def _goes_on(self, x: Any) -> bool:
        """Whether `x`, a term of a sum, is itself a sum whose terms belong to it."""
        return x.__class__ is not float and x.op is ADD and x not in self._symbols

    def operands(self, node: Any) -> Sequence[Any]:
        """The output and the inputs of `node` as formulas, for its partials; as numbers, if these are constant."""
        if node.op in _CONSTANT:
            return node.numbers  # type: ignore[no-any-return]  # floats
        return [self.formula(x) for x in (node, *node.inputs)]

    def give_names(self, shown: Iterable[Symbol]) -> None:
        """Gives names to the symbols without one, in the order of the graph: z1, z2, a1 ..."""
        taken = set(chain.from_iterable(map(_looks, self._symbols.values())))
        names: dict[str, Iterator[str]] = {letter: _numbered(letter) for letter in "zauc"}
        names |= {letter: chain([letter], _numbered(letter)) for letter in "xy"}
        for symbol in sorted({s for s in shown if not s.text}, key=attrgetter("place")):
            found = next(new for new in map(symbol_of, names[symbol.letter]) if taken.isdisjoint(_looks(new)))
            symbol.text, symbol.latex = found.text, found.latex
            taken |= _looks(found)


def _looks(symbol: Symbol) -> set[str]:
    """How a symbol looks, as text and as LaTeX: w1 and w_1 are two names, but the same LaTeX."""
    return {f"text {symbol.text}", f"latex {symbol.latex}"}


def _numbered(letter: str) -> Iterator[str]:
    return (f"{letter}{i}" for i in count(1))


def _without_runs(formulas: Sequence[_Part]) -> list[int]:
    """The places of the terms to show in a sum.

    A run is a row of terms that differ only in whole numbers, which grow by the same increments: w1 x1 + w2 x2 + ... +
    w9 x9.  The first two terms of a run are shown, and the last.
    """
    pieces = [
        None if any(not symbol.text for symbol in symbols(x)) else re.split("([0-9]+)", Text(12).write(x))
        for x in formulas
    ]

    def increments(i: int) -> list[int] | None:
        """The differences between the numbers of a term and those of the one before; None if their forms differ."""
        x, y = pieces[i - 1 : i + 1]
        if x is None or y is None or x[::2] != y[::2]:
            return None
        return [int(q) - int(p) for p, q in zip(x[1::2], y[1::2])]

    grown = [None, *(increments(i) for i in range(1, len(formulas)))]
    shown, start = [], 0
    while start < len(formulas):
        end = start + 1
        while end < len(formulas) and grown[end] is not None and grown[end] == grown[start + 1]:
            end += 1
        is_long = end - start >= _RUN
        if is_long and any(grown[start + 1] or ()):  # x + x + ... + x would hide how many terms there are
            shown += [start, start + 1, end - 1]
            start = end
        else:
            shown.append(start)
            start += 1
    return shown


_RUN = 5
"""A run of fewer terms is written out."""


def formula(value: Any) -> Formula | float:
    r"""The formula that computes `value`, in terms of the labeled nodes below it.

    Leaves without a label are written as numbers.  If `value` is itself a leaf, the result is its number.

    A TypeError if `value` is not a Value.

    >>> from autograd import Value, sigmoid
    >>> w, x = Value(0.5, "w"), Value(2.0, "x")
    >>> formula(sigmoid(w * x + 0.0) ** 2 / -3)
    -sigmoid(w x)^2 / 3
    >>> print(formula(1 / (w - x)).latex())
    \frac{1}{w - x}
    """
    require_value(value, "formula(value) takes one")
    formulas = Formulas(topological_order([value]))
    result = formulas.definition(value)
    formulas.give_names(symbols(result))
    return result
