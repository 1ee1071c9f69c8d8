"""A graph as a formula: how it is simplified, and how it is written, as text and as LaTeX.

A `Formula` goes through the table like any number: calling a row on it gives a Formula.  So the same line of the
table that computes a derivative also writes it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, count
from math import isfinite
from operator import attrgetter
from string import Formatter
from typing import Any, NamedTuple, TypeAlias

from . import ops
from .graph import topological_order
from .ops import ABS, ADD, CALL, DIV, MUL, NEG, POW, POWER, PRODUCT, QUOTIENT, SIGNED, SUB, SUM, WHERE, Op, as_float

_Part: TypeAlias = "Formula | float"

LONGEST = 24
"""A formula of more symbols, numbers and operations than this is cut: parts of it get a name of their own."""


@dataclass(eq=False)
class Symbol:
    """What stands for a node: its name as text and as LaTeX."""

    text: str = ""
    latex: str = ""
    place: int = 0
    letter: str = "u"


@dataclass(frozen=True)
class Formula:
    """A symbol or, applied to formulas and numbers, a row of the table; with the number that it has here.

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

        A derivative is taken at a point, so of a `where` in it only the branch taken there is written.
        """
        if op is WHERE:
            return operands[1] if number_of(operands[0]) else operands[2]
        return simplified(op, [x if isinstance(x, Formula) else as_float(x) for x in operands])

    def __add__(self, other: Any) -> Any:
        return ADD(self, other)

    def __radd__(self, other: Any) -> Any:
        return ADD(other, self)

    def __sub__(self, other: Any) -> Any:
        return SUB(self, other)

    def __rsub__(self, other: Any) -> Any:
        return SUB(other, self)

    def __mul__(self, other: Any) -> Any:
        return MUL(self, other)

    def __rmul__(self, other: Any) -> Any:
        return MUL(other, self)

    def __neg__(self) -> Any:
        return NEG(self)

    def __repr__(self) -> str:
        return Text().write(self)

    def latex(self, digits: int = 8) -> str:
        """The formula as LaTeX, without dollar signs."""
        return Latex(digits).write(self)

    def _repr_latex_(self) -> str:  # in a notebook
        return rf"$\displaystyle {self.latex()}$"


def number_of(x: _Part) -> float:
    """The number that a formula has here."""
    return x.number if isinstance(x, Formula) else x


def symbols(x: _Part) -> Iterator[Symbol]:
    """The symbols in a formula, from left to right, each as often as it stands there."""
    if isinstance(x, Formula):
        if x.symbol:
            yield x.symbol
        for part in x.inputs:
            yield from symbols(part)


# ---- Simplification -------------------------------------------------------------------------------------------------


class Rule(NamedTuple):
    """An equation, read from left to right: what `rewrite` makes of operands of `op`, None where it does not apply."""

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


def _coefficient(x: Formula) -> tuple[float, Any]:
    """(c, y), where x = c y."""
    if _is(x, NEG):
        c, y = _coefficient(x.inputs[0])
        return -c, y
    return (x.inputs[0], x.inputs[1]) if _scaled(x) else (1.0, x)


def _alike(x: Any, y: Any) -> bool:
    return isinstance(x, Formula) and isinstance(y, Formula) and _coefficient(x)[1] == _coefficient(y)[1]


def _power(x: Formula) -> tuple[Any, float] | None:
    """(y, p), where x = y^p with a number p > 0; None for what is not to be gathered into a power."""
    if not _is(x, POW):
        return x, 1.0
    y, p = x.inputs
    return (y, p) if _number(p) and p > 0.0 else None


def _same_base(x: Any, y: Any) -> bool:
    if _number(x) or _number(y):
        return False
    a, b = _power(x), _power(y)
    return a is not None and b is not None and a[0] == b[0]


# fmt: off
RULES: tuple[Rule, ...] = (
    Rule(ADD, "0 + x = x",            lambda x, y: y if x == 0.0 else None),
    Rule(ADD, "x + 0 = x",            lambda x, y: x if y == 0.0 else None),
    Rule(ADD, "a x + b x = (a + b) x",
         lambda x, y: (_coefficient(x)[0] + _coefficient(y)[0]) * _coefficient(x)[1] if _alike(x, y) else None),
    Rule(ADD, "x + (-c) = x - c",     lambda x, y: x - -y if _number(y) and y < 0.0 else None),
    Rule(ADD, "x + (-y) = x - y",     lambda x, y: x - y.inputs[0] if _is(y, NEG) else None),
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
    Rule(MUL, "c (d x) = (c d) x",    lambda x, y: x * y.inputs[0] * y.inputs[1] if _number(x) and _scaled(y) else None),
    Rule(MUL, "(c x) y = c (x y)",    lambda x, y: x.inputs[0] * (x.inputs[1] * y) if _scaled(x) else None),
    Rule(MUL, "x (c y) = c (x y)",    lambda x, y: y.inputs[0] * (x * y.inputs[1]) if _scaled(y) else None),
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
    Rule(DIV, "(x / y) / z = x / (y z)", lambda x, y: DIV(x.inputs[0], x.inputs[1] * y) if _is(x, DIV) else None),
    Rule(DIV, "x / (y / z) = (x z) / y", lambda x, y: DIV(x * y.inputs[1], y.inputs[0]) if _is(y, DIV) else None),

    Rule(POW, "x^0 = 1",              lambda x, y: 1.0 if y == 0.0 else None),
    Rule(POW, "x^1 = x",              lambda x, y: x if y == 1.0 else None),
    Rule(POW, "x^(-p) = 1 / x^p",     lambda x, y: DIV(1.0, POW(x, -y)) if _number(y) and y < 0.0 else None),

    Rule(ABS, "|-x| = |x|",           lambda x: ABS(x.inputs[0]) if _is(x, NEG) else None),
)
# fmt: on
"""Tried in this order.  c and d stand for numbers, numbers among themselves are folded, signs and numbers go in front."""

_BY_OP = {op: [rule.rewrite for rule in RULES if rule.op is op] for op in ops.TABLE.values()}


def simplified(op: Op, operands: Sequence[_Part]) -> _Part:
    """``op(*operands)``, of formulas and floats, after `RULES`.

    >>> x = Formula(3.0, symbol=Symbol("x", "x"))
    >>> simplified(ADD, [x, 0.0]), simplified(MUL, [x, -1.0]), simplified(MUL, [x, x])
    (x, -x, x^2)
    """
    if all(map(_number, operands)):
        return op.forward(*operands)
    for rewrite in _BY_OP[op]:
        result = rewrite(*operands)
        if result is not None:
            return result  # type: ignore[no-any-return]  # a formula or a float
    return Formula(op.forward(*map(number_of, operands)), op, tuple(operands))


# ---- Writing --------------------------------------------------------------------------------------------------------

# The weakest notation that may stand, without parentheses, as each operand; where nothing is said, anything may.
_PLACES = {
    ADD: (SUM, SUM),
    SUB: (SUM, SIGNED),
    NEG: (QUOTIENT,),
    MUL: (PRODUCT, PRODUCT),
    DIV: (PRODUCT, POWER),
    POW: (CALL, CALL),
}


Written: TypeAlias = tuple[str, int]
"""What is written, and how tightly it binds."""


class Style:
    """A way of writing formulas, with numbers rounded to `digits` decimals (from 17 on: exactly)."""

    times: str
    ellipsis: str

    def __init__(self, digits: int = 8) -> None:
        if isinstance(digits, bool) or not isinstance(digits, int) or digits < 1:
            raise ValueError(f"digits is {digits!r:.60}; give an int of at least 1")
        self.digits = digits

    def write(self, x: _Part) -> str:
        """The formula, or number, `x`."""
        return self.written(x)[0]

    def written(self, x: _Part) -> Written:
        """`x`, and how tightly it binds.  Whether an operand needs parentheses is decided here alone."""
        if not isinstance(x, Formula):
            return self.number(x)
        if x.symbol:
            return self.name(x.symbol), CALL
        assert x.op is not None
        template, binds = self.template(x.op)
        places = _PLACES.get(x.op, (SUM,) * len(x.inputs))
        parts = []
        for part, place, before in zip(x.inputs, places, _before_fields(template)):
            text, strength = self.written(part)
            if before.endswith(_OPENING):
                place = SUM  # delimited already
            elif before and strength == SIGNED:
                place = CALL  # x + (-y)
            parts.append(self._fit((text, strength), place))
        if x.op is MUL and parts[1][0].isdigit():
            template = "{}" + self.times + "{}"  # 2 * 3^x
        return template.format(*parts), binds

    def sum(self, terms: Sequence[Written]) -> str:
        """Terms with their signs: a + b - c."""
        signed = [(" - ", text[1:]) if binds == SIGNED else (" + ", text) for text, binds in terms[1:]]
        return terms[0][0] + "".join(chain.from_iterable(signed))

    def product(self, factors: Sequence[Written]) -> str:
        """Factors, each apart: a * (b + c) * (-d); a single one as it is."""
        if len(factors) == 1:
            return factors[0][0]
        return self.times.join([self._fit(factors[0], SIGNED), *(self._fit(x, QUOTIENT) for x in factors[1:])])

    def _fit(self, written: Written, place: int) -> str:
        text, binds = written
        return text if binds >= place else self.parentheses(text)

    def number(self, x: float) -> Written:
        """The number `x`."""
        raise NotImplementedError

    def name(self, symbol: Symbol) -> str:
        """The name of a node."""
        raise NotImplementedError

    def derivative(self, of: Symbol, by: Symbol) -> str:
        """d(of)/d(by)."""
        raise NotImplementedError

    def words(self, text: str) -> str:
        """Words among formulas."""
        raise NotImplementedError

    def updated(self, symbol: Symbol) -> str:
        """The name of a parameter after an update: w+."""
        raise NotImplementedError

    def template(self, op: Op) -> tuple[str, int]:
        """How `op` is written, with a field for each operand, and how tightly it binds."""
        raise NotImplementedError

    def parentheses(self, text: str) -> str:
        """The text in parentheses."""
        raise NotImplementedError


_OPENING = ("{", "(", "|")


@cache
def _before_fields(template: str) -> list[str]:
    """What stands before each field of a template; just "(" after an operand that is in parentheses or braces, too."""
    before, text = [], ""
    for literal, name, _, _ in Formatter().parse(template):
        text += literal
        if name is not None:
            open_ = sum(map(text.count, "({")) > sum(map(text.count, ")}"))
            before.append("(" if open_ and text.endswith(", ") else text)
    return before


class Text(Style):
    """Formulas as plain text: ``out_o1 (1 - out_o1)``, ``x^2``, ``dE/dw``.

    >>> x = Formula(0.5, symbol=Symbol("x", "x"))
    >>> Text(4).write((x + 1 / 3) * x), Text().derivative(Symbol("E"), Symbol("w5"))
    ('(x + 0.3333) x', 'dE/dw5')
    """

    times = " * "
    ellipsis = "..."
    templates = {
        ADD: ("{} + {}", SUM),
        SUB: ("{} - {}", SUM),
        NEG: ("-{}", SIGNED),
        MUL: ("{} {}", PRODUCT),
        DIV: ("{} / {}", QUOTIENT),
        POW: ("{}^{}", POWER),
        ABS: ("|{}|", CALL),
    }
    """All the other rows are written as function calls."""

    def name(self, symbol: Symbol) -> str:
        """The name of a node."""
        return symbol.text

    def derivative(self, of: Symbol, by: Symbol) -> str:
        """d(of)/d(by)."""
        return f"d{of.text}/d{by.text}"

    def words(self, text: str) -> str:
        """Words among formulas."""
        return text

    def updated(self, symbol: Symbol) -> str:
        """The name of a parameter after an update: w+."""
        return f"{symbol.text}+"

    def number(self, x: float) -> Written:
        """The number `x`."""
        text = decimal(x, self.digits)
        return text, SIGNED if text.startswith("-") else CALL

    def template(self, op: Op) -> tuple[str, int]:
        """How `op` is written, with a field for each operand, and how tightly it binds."""
        fields = ", ".join(["{}"] * len(op.partials))
        return self.templates.get(op, (f"{op.name}({fields})", CALL))

    def parentheses(self, text: str) -> str:
        """The text in parentheses."""
        return f"({text})"


class Latex(Style):
    r"""Formulas as LaTeX, by the templates of the table.

    >>> x = Formula(0.5, symbol=Symbol("x", "x"))
    >>> print(Latex(4).write((x + 1 / 3) * x))
    \left(x + 0.3333\right) \, x
    """

    times = r" \cdot "
    ellipsis = r"\cdots"

    def name(self, symbol: Symbol) -> str:
        """The name of a node."""
        return symbol.latex

    def derivative(self, of: Symbol, by: Symbol) -> str:
        """d(of)/d(by), a fraction."""
        return rf"\frac{{\partial {of.latex}}}{{\partial {by.latex}}}"

    def words(self, text: str) -> str:
        """Words among formulas."""
        return _upright(text)

    def updated(self, symbol: Symbol) -> str:
        """The name of a parameter after an update: w+."""
        name = f"{{{symbol.latex}}}" if "^" in symbol.latex else symbol.latex
        return rf"{name}^{{+}}"

    def number(self, x: float) -> Written:
        """The number `x`."""
        text = decimal(x, self.digits).replace("inf", r"\infty").replace("nan", r"\mathrm{nan}")
        mantissa, e, exponent = text.partition("e") if "e" in text else (text, "", "")
        if e:
            text = rf"{mantissa} \times 10^{{{int(exponent)}}}"
        return text, SIGNED if text.startswith("-") else PRODUCT if e else CALL

    def template(self, op: Op) -> tuple[str, int]:
        """How `op` is written, with a field for each operand, and how tightly it binds."""
        return op.latex, op.binds

    def parentheses(self, text: str) -> str:
        """The text in parentheses."""
        return rf"\left({text}\right)"


def decimal(x: float, digits: int = 8) -> str:
    """`x` rounded to `digits` decimals; to as many significant digits where less than half of them would be left.

    From 17 digits on it is exact.

    >>> decimal(0.00043856773447), decimal(0.25), decimal(1.5e-9), decimal(2.0**40), decimal(0.1, 17)
    ('0.00043857', '0.25', '1.5e-09', '1099511627776', '0.1')
    """
    if not isfinite(x) or digits >= 17:
        return repr(x).removesuffix(".0")
    if x.is_integer() and abs(x) < 1e15:
        return f"{x:.0f}".replace("-0", "0") if x == 0.0 else f"{x:.0f}"
    if 10.0 ** (-digits // 2 - 1) <= abs(x) < 10.0**digits:
        return f"{x:.{digits}f}".rstrip("0").rstrip(".")
    mantissa, exponent = f"{x:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{exponent}"


# ---- Names ----------------------------------------------------------------------------------------------------------

_GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau phi chi psi omega".split()
)
_ESCAPES = {
    "\\": r"\backslash ", "{": r"\{", "}": r"\}", "_": r"\_", "%": r"\%", "#": r"\#", "$": r"\$", "&": r"\&",
    "^": r"\wedge ", "~": r"\sim ",
}  # fmt: skip
_HOUSING = ("layers", "neurons")  # words in the names of parameters that their indices make superfluous


def symbol_of(label: str, copy: int = 0) -> Symbol:
    r"""The symbol for a node with this label; `copy` counts the nodes that share it.

    Dotted names of parameters become indices: layers.0.neurons.3.w.1 is w[0,3,1].

    >>> [symbol_of(label).text for label in ("out_o1", "layers.0.neurons.3.w.1", "my loss")]
    ['out_o1', 'w[0,3,1]', '"my loss"']
    >>> [symbol_of(label).latex for label in ("out_o1", "layers.0.neurons.3.w.1", "E_total")]
    ['\\mathrm{out}_{o1}', 'w^{(0)}_{3,1}', 'E_{\\mathrm{total}}']
    """
    parts = label.split(".")
    numbers = [part for part in parts if part.isdigit()]
    words = [part for part in parts if not part.isdigit()]
    if len(parts) == 1 or not words or words[0] != parts[0]:
        text, latex = _quoted(label), _word(label)
    else:
        words = [word for word in words[:-1] if word not in _HOUSING] + words[-1:]
        text, latex = _quoted(".".join(words)), _word(".".join(words))
        if numbers:
            text += f"[{','.join(numbers)}]"
            layer, within = (numbers[:1], numbers[1:]) if parts[0] == "layers" else ([], numbers)
            latex = f"{{{latex}}}" if "_" in latex else latex
            latex += "".join(f"^{{({n})}}" for n in layer) + (f"_{{{','.join(within)}}}" if within else "")
    return Symbol(f"{text}#{copy}", rf"{latex}\#{copy}") if copy else Symbol(text, latex)


def _quoted(name: str) -> str:
    """`name`, in quotes if it could be mistaken for something else."""
    if re.fullmatch(r"[^\W\d][\w.']*", name):
        return name
    return '"' + name.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") + '"'


def _word(name: str) -> str:
    """A name as LaTeX: one letter as it is, digits and what follows an underscore below, words upright."""
    match = re.fullmatch(r"([^\W\d_]+)(\d*)(?:_([^_]\w*))?", name)
    if not match:
        return _upright(name)
    base, digits, rest = match.groups()
    below = [digits] * bool(digits) + [_below(part) for part in (rest or "").split("_") if part]
    return _letters(base) + (f"_{{{','.join(below)}}}" if below else "")


def _letters(base: str) -> str:
    return "\\" + base if base in _GREEK else base if len(base) == 1 else _upright(base)


def _below(part: str) -> str:
    return part if re.fullmatch(r"[^\W_]?\d*", part) else _upright(part)


def _upright(name: str) -> str:
    escaped = "".join(_ESCAPES.get(c, r"\ " if c.isspace() else c if c.isprintable() else "?") for c in name)
    return rf"\mathrm{{{escaped}}}"


# ---- From nodes to formulas -----------------------------------------------------------------------------------------

ACTIVATIONS = frozenset({ops.SIGMOID, ops.TANH, ops.ARCTAN, ops.RELU, ops.SOFTPLUS, ops.STEP})
"""The rows after whose input, a sum, a person stops and gives it a name: z, then a."""


_CONSTANT = frozenset({ADD, SUB, NEG})
"""The rows whose partials are constants."""

FLAT = frozenset({ops.STEP, ops.SIGN, ops.DETACH})
"""The rows whose partials are 0 everywhere."""


class Notation:
    """Formulas for the nodes of a graph, in topological order: those with a label and `stops` stand as symbols.

    So do, under a name that is found for them, those whose formula would be too long.
    """

    def __init__(self, order: Sequence[Any], stops: Collection[Any] = ()) -> None:
        self.order = order
        self.seen: dict[Any, float] = {}  # what the forward pass saw
        self.weight: dict[Any, int] = {}
        self._symbols: dict[Any, Symbol] = {}
        self._formulas: dict[Any, Any] = {}
        self._place = {node: place for place, node in enumerate(order)}
        self._before_activation = {node.inputs[0] for node in order if node.op in ACTIVATIONS}
        copies = Counter(node.label for node in order if node.label)
        met: Counter[str] = Counter()
        for node in order:
            self.seen.update(
                (x, number) for x, number in zip(node.inputs, node.numbers[1:]) if x.__class__ is not float
            )
            self.seen[node] = node.numbers[0] if node.numbers else node.data
            if node.label:
                met[node.label] += 1
                self._symbols[node] = symbol_of(node.label, met[node.label] if copies[node.label] > 1 else 0)
                self._symbols[node].place = self._place[node]
            elif node in stops or node.op is ops.DETACH:  # which is a constant, whatever it was computed from
                self.symbol(node)
            self.weight[node] = 1 if node in self._symbols else self._weigh(node)

    def _weigh(self, node: Any) -> int:
        """Symbols, numbers and operations in the formula of `node`; what is too long by itself counts as a symbol."""
        weight = 1
        for x in node.inputs:
            part = 1 if x.__class__ is float else self.weight[x]
            weight += part if part <= LONGEST or node.op is x.op is ADD else 1  # a long sum is one thing, not many
        return weight

    def symbol(self, node: Any) -> Symbol:
        """The symbol that stands for `node`; it gets its name when all that is shown is known (`give_names`)."""
        if node not in self._symbols:
            letter = "a" if node.op in ACTIVATIONS else "c" if node.op is ops.DETACH else "u"
            if node in self._before_activation and node.op in (ADD, SUB):
                letter = "z"
            self._symbols[node] = Symbol(place=self._place[node], letter=letter)
        return self._symbols[node]

    def formula(self, node: Any) -> _Part:
        """The formula that stands for `node` in others: a symbol, a number, or what it is computed from."""
        if node.__class__ is float:
            return node  # type: ignore[no-any-return]  # a constant
        if node not in self._formulas:
            if node in self._symbols or self.weight[node] > LONGEST:
                self._formulas[node] = Formula(self.seen[node], symbol=self.symbol(node))
            else:
                self._formulas[node] = self.definition(node)
        return self._formulas[node]

    def definition(self, node: Any) -> _Part:
        """What `node` is computed from, as a formula; of a leaf, its number."""
        if node.op is None:
            return self.seen[node]
        formula = simplified(node.op, [self.formula(x) for x in node.inputs])
        if isinstance(formula, Formula) and not formula.symbol:  # the number that the engine has, to the last digit
            return Formula(self.seen[node], formula.op, formula.inputs)
        return formula

    def summary(self, node: Any) -> list[_Part | None]:
        """What `node` is computed from, as terms of a sum; in a long sum, None for those in the middle."""
        if node.op is not ADD or self._weigh(node) <= LONGEST:
            return [self.definition(node)]
        terms: list[Any] = []
        waiting = [node]
        while waiting:
            x = waiting.pop()
            if x.__class__ is not float and x.op is ADD and (x is node or x not in self._symbols):
                waiting += reversed(x.inputs)
            else:
                terms.append(x)
        formulas: list[_Part | None] = [self.formula(x) for x in terms]
        fit = 0  # so many terms fit
        while fit < len(terms) and sum(self.weight.get(x, 1) for x in terms[: fit + 1]) <= LONGEST // 2:
            fit += 1
        return [*formulas[: max(fit, 1)], None, formulas[-1]] if fit + 1 < len(terms) else formulas

    def operands(self, node: Any) -> Sequence[Any]:
        """The output and the inputs of `node` as formulas, for its partials; as numbers, where these are constants."""
        if node.op in _CONSTANT:
            return node.numbers  # type: ignore[no-any-return]  # floats
        return [self.formula(x) for x in (node, *node.inputs)]

    def give_names(self, shown: Iterable[Symbol]) -> None:
        """Names the symbols that have none yet, in the order of the graph: z1, z2, a1 ..."""
        taken = {symbol.text for symbol in self._symbols.values()}
        names = {letter: (f"{letter}{i}" for i in count(1)) for letter in "zauc"}
        names |= {letter: chain([letter], (f"{letter}{i}" for i in count(1))) for letter in "xy"}
        for symbol in sorted({s for s in shown if not s.text}, key=attrgetter("place")):
            symbol.text = next(name for name in names[symbol.letter] if name not in taken)
            symbol.latex = _word(symbol.text)
            taken.add(symbol.text)


def formula(value: Any) -> Formula | float:
    r"""The formula that computes `value`, in the labels of the nodes that it depends on.

    Leaves without a label are written as their numbers, and so is a `value` that nothing computed.

    >>> from autograd import Value, sigmoid
    >>> w, x = Value(0.5, "w"), Value(2.0, "x")
    >>> formula(sigmoid(w * x + 0.0) ** 2 / -3)
    -sigmoid(w x)^2 / 3
    >>> print(formula(1 / (w - x)).latex())
    \frac{1}{w - x}
    """
    notation = Notation(topological_order([value]))
    result = notation.definition(value)
    notation.give_names(symbols(result))
    return result
