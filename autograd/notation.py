"""How formulas are written, as text and as LaTeX: names, numbers, parentheses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from math import isfinite
from string import Formatter
from typing import Any, TypeAlias

from .ops import ADD, CALL, DIV, MUL, NEG, POW, POWER, PRODUCT, QUOTIENT, SIGNED, SUB, SUM, TABLE, Op


@dataclass(eq=False)
class Symbol:
    """What stands for a node: its name as text and as LaTeX."""

    text: str = ""
    latex: str = ""
    place: int = 0
    letter: str = "u"


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

    def write(self, x: Any) -> str:
        """`x`, a Formula or a float."""
        return self.written(x)[0]

    def written(self, x: Any) -> Written:
        """`x`, and how tightly it binds.  Whether an operand needs parentheses is decided here alone."""
        if isinstance(x, float):
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
            elif before and text.startswith("-"):
                place = CALL  # x + (-y)
            parts.append(self._fit((text, strength), place))
        if x.op is MUL and parts[1][0].isdigit():
            template = "{}" + self.times + "{}"  # 2 * 3^x
        return template.format(*parts), binds

    def sum(self, terms: Sequence[Written]) -> str:
        """Terms with their signs: a + b - c."""
        signed = [
            (" - ", text[1:]) if binds == SIGNED else (" + ", self.parentheses(text) if text.startswith("-") else text)
            for text, binds in terms[1:]
        ]
        return terms[0][0] + "".join(chain.from_iterable(signed))

    def product(self, factors: Sequence[Written]) -> str:
        """Factors, each apart: a * (b + c) * (-d); a single one as it is."""
        if len(factors) == 1:
            return factors[0][0]
        return self.times.join([self._fit(factors[0], SIGNED), *(self._fit(x, PRODUCT) for x in factors[1:])])

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


_TEXT = {
    ADD: ("{} + {}", SUM),
    SUB: ("{} - {}", SUM),
    NEG: ("-{}", SIGNED),
    MUL: ("{} {}", PRODUCT),
    DIV: ("{} / {}", QUOTIENT),
    POW: ("{}^{}", POWER),
}
"""The rows that are not written as function calls."""


class Text(Style):
    """Formulas as plain text: ``out_o1 (1 - out_o1)``, ``x^2``, ``dE/dw``.

    >>> from autograd.formula import Formula
    >>> x = Formula(0.5, symbol=Symbol("x", "x"))
    >>> Text(4).write((x + 1 / 3) * x), Text().derivative(Symbol("E"), Symbol("w5"))
    ('(x + 0.3333) x', 'dE/dw5')
    """

    times = " * "
    ellipsis = "..."

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
        return _TEXT.get(op, (f"{op.name}({fields})", CALL))

    def parentheses(self, text: str) -> str:
        """The text in parentheses."""
        return f"({text})"


class Latex(Style):
    r"""Formulas as LaTeX, by the templates of the table.

    >>> from autograd.formula import Formula
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
        return rf"{symbol.latex}^{{+}}"

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
        return "0" if x == 0.0 else f"{x:.0f}"
    if 10.0 ** (-digits // 2 - 1) <= abs(x) < 10.0**digits:
        return f"{x:.{digits}f}".rstrip("0").rstrip(".")
    mantissa, exponent = f"{x:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{exponent}"


def counted(count: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "neuron"), counted(16, "neuron")
    ('1 neuron', '16 neurons')
    """
    return f"{count} {noun}{'s' * (count != 1)}"


_GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|phi|chi|psi|omega"
    "|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Phi|Psi|Omega"
)
_ESCAPES = {
    "\\": r"\backslash ", "{": r"\{", "}": r"\}", "_": r"\_", "%": r"\%", "#": r"\#", "$": r"\$", "&": r"\&",
    "^": r"\wedge ", "~": r"\sim ", "`": r"\backprime ", '"': "''",
}  # fmt: skip
_SPECIAL = f"([{re.escape(''.join(_ESCAPES))}])"
_LONGEST = 60
_HOUSING = ("layers", "neurons")  # words in the names of parameters that their indices make superfluous


def symbol_of(label: str) -> Symbol:
    r"""The symbol for a node with this label.

    Dotted names of parameters become indices: layers.0.neurons.3.w.1 is w[0,3,1].  What is long is cut.

    >>> [symbol_of(label).text for label in ("out_o1", "layers.0.neurons.3.w.1", "my loss")]
    ['out_o1', 'w[0,3,1]', '"my loss"']
    >>> [symbol_of(label).latex for label in ("out_o1", "layers.0.neurons.3.w.1", "E_total")]
    ['\\mathrm{out}_{o1}', '{w^{(0)}_{3,1}}', 'E_{\\mathrm{total}}']
    """
    if label.isspace():
        return Symbol(quoted(label), r"\sqcup ")
    label = _cut(label)
    parts = label.split(".")
    numbers = [part for part in parts if part.isdecimal()]
    words = [part for part in parts if not part.isdecimal()]
    if not numbers or not words or words[0] != parts[0]:
        return Symbol(quoted(label), _word(label))
    name = ".".join([word for word in words[:-1] if word not in _HOUSING] + words[-1:])
    text, latex = f"{quoted(name)}[{','.join(numbers)}]", _word(name)
    if "_" in latex:
        latex = f"{{{latex}}}"
    layer, within = (numbers[:1], numbers[1:]) if parts[0] == "layers" else ([], numbers)
    latex += "".join(f"^{{({n})}}" for n in layer) + f"_{{{','.join(within)}}}" * bool(within)
    return Symbol(text, f"{{{latex}}}" if layer else latex)  # in braces, so that it can be raised to a power


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else name[:_LONGEST] + "\N{HORIZONTAL ELLIPSIS}"


def quoted(name: str) -> str:
    """A name among words and formulas: in quotes if it could be mistaken for something else, cut if it is long.

    >>> print(quoted("out_o1"), quoted("my loss"), quoted("log"))
    out_o1 "my loss" "log"
    """
    name = _cut(name)
    if re.fullmatch(r"[^\W\d][\w.']*", name) and name not in (*TABLE, "inf", "nan"):
        return name
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in name.replace("\\", r"\\"))
    return '"' + "".join(escaped).replace('"', r"\"") + '"'


def _word(name: str) -> str:
    """A name as LaTeX: one letter as it is, digits and what follows an underscore below, words upright."""
    match = re.fullmatch(r"([^\W\d_]+)(\d*)(?:_([^_]\w*))?", name)
    if not match:
        return _upright(name)
    base, digits, rest = match.groups()
    below = [digits] * bool(digits) + [_below(part) for part in (rest or "").split("_") if part]
    return _letters(base) + (f"_{{{','.join(below)}}}" if below else "")


def _letters(base: str) -> str:
    if len(base) == 1:
        name = unicodedata.name(base, "")  # such as GREEK SMALL LETTER ALPHA
        if name.startswith("GREEK"):
            spelled = name.rpartition(" ")[2].replace("LAMDA", "LAMBDA").lower()
            return _letters(spelled if "SMALL" in name else spelled.title())
    return "\\" + base if _GREEK.fullmatch(base) else base if len(base) == 1 else _upright(base)


def _below(part: str) -> str:
    return part if re.fullmatch(r"[^\W_]?\d*", part) else _upright(part)


def _upright(name: str) -> str:
    """Text as LaTeX in upright letters, nothing in it a command; for what is in no alphabet, a question mark."""
    shown = "".join(" " if c.isspace() else c if c.isprintable() else "?" for c in name)
    pieces = (piece for piece in re.split(_SPECIAL, shown) if piece)
    return "".join(_ESCAPES.get(piece) or r"\mathrm{" + piece.replace(" ", r"\ ") + "}" for piece in pieces)
