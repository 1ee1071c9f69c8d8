"""Formulas in writing, as text and as LaTeX: names, numbers, parentheses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import chain
from math import isfinite
from string import Formatter
from typing import Any, TypeAlias

from ..ops import ADD, CALL, DIV, MUL, NEG, POW, POWER, PRODUCT, QUOTIENT, SIGNED, SUB, SUM, TABLE, Op


@dataclass(eq=False)
class Symbol:
    """The symbol that stands for a node: its name as text and as LaTeX.

    `place` is the number of the node in topological order.  A symbol without a name gets one later, from `letter`.
    """

    text: str = ""
    latex: str = ""
    place: int = 0
    letter: str = "u"


# The weakest notation that each operand may have without parentheses; any, for rows that are not listed.
_PLACES = {
    ADD: (SUM, SUM),
    SUB: (SUM, SIGNED),
    NEG: (QUOTIENT,),
    MUL: (PRODUCT, PRODUCT),
    DIV: (PRODUCT, POWER),
    POW: (CALL, CALL),
}


Written: TypeAlias = tuple[str, int]
"""A piece of notation, and how tightly it binds (its precedence)."""


class Style:
    """A way of writing formulas, with numbers rounded to `digits` decimals; 17 or more digits are exact."""

    times: str
    ellipsis: str
    closed_to_powers: str
    """A pattern for names that need parentheses before a power."""

    def __init__(self, digits: int = 8) -> None:
        if isinstance(digits, bool) or not isinstance(digits, int) or digits < 1:
            raise ValueError(f"digits is {digits!r:.60}; give an int of at least 1")
        self.digits = digits

    def write(self, x: Any) -> str:
        """`x`, a Formula or a float, as written."""
        return self.written(x)[0]

    def written(self, x: Any) -> Written:
        """`x`, and its precedence.  This is the only place that decides whether an operand needs parentheses."""
        if isinstance(x, float):
            return self.number(x)
        if x.symbol:
            name = self.name(x.symbol)
            return name, POWER if re.match(self.closed_to_powers, name) else CALL
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
        """Factors with a sign between them: a * (b + c) * (-d).  A single factor stands as it is."""
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
        """Words between formulas."""
        raise NotImplementedError

    def updated(self, symbol: Symbol) -> str:
        """The name of a parameter after an update: w+."""
        raise NotImplementedError

    def template(self, op: Op) -> tuple[str, int]:
        """The notation of `op`, with a field for each operand, and how tightly it binds."""
        raise NotImplementedError

    def parentheses(self, text: str) -> str:
        """The text in parentheses."""
        raise NotImplementedError


_OPENING = ("{", "(", "|")


@cache
def _before_fields(template: str) -> list[str]:
    """The text before each field of a template; just "(" if a comma in parentheses or braces comes before it."""
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

    >>> from autograd.derivation.formula import Formula
    >>> x = Formula(0.5, symbol=Symbol("x", "x"))
    >>> Text(4).write((x + 1 / 3) * x), Text().derivative(Symbol("E"), Symbol("w5"))
    ('(x + 0.3333) x', 'dE/dw5')
    """

    times = " * "
    ellipsis = "..."
    closed_to_powers = r'[^"]*\^|.*#\d+$'  # a^(1); and x#2, or only the 2 would seem raised

    def name(self, symbol: Symbol) -> str:
        """The name of a node."""
        return symbol.text

    def derivative(self, of: Symbol, by: Symbol) -> str:
        """d(of)/d(by)."""
        return f"d{of.text}/d{by.text}"

    def words(self, text: str) -> str:
        """Words between formulas."""
        return text

    def updated(self, symbol: Symbol) -> str:
        """The name of a parameter after an update: w+."""
        return f"{symbol.text}+"

    def number(self, x: float) -> Written:
        """The number `x`."""
        text = decimal(x, self.digits)
        return text, SIGNED if text.startswith("-") else CALL

    def template(self, op: Op) -> tuple[str, int]:
        """The notation of `op`, with a field for each operand, and how tightly it binds."""
        fields = ", ".join(["{}"] * len(op.partials))
        return _TEXT.get(op, (f"{op.name}({fields})", CALL))

    def parentheses(self, text: str) -> str:
        """The text in parentheses."""
        return f"({text})"


class Latex(Style):
    r"""Formulas as LaTeX, by the templates of the table.

    >>> from autograd.derivation.formula import Formula
    >>> x = Formula(0.5, symbol=Symbol("x", "x"))
    >>> print(Latex(4).write((x + 1 / 3) * x))
    \left(x + 0.3333\right) \, x
    """

    times = r" \cdot "
    ellipsis = r"\cdots"
    closed_to_powers = r'[^"]*\^|e$'  # a^{(1)}; and e, or it would seem to be an exponential

    def name(self, symbol: Symbol) -> str:
        """The name of a node."""
        return symbol.latex

    def derivative(self, of: Symbol, by: Symbol) -> str:
        """d(of)/d(by), a fraction."""
        return rf"\frac{{\partial {of.latex}}}{{\partial {by.latex}}}"

    def words(self, text: str) -> str:
        """Words between formulas."""
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
        """The notation of `op`, with a field for each operand, and how tightly it binds."""
        return op.latex, op.precedence

    def parentheses(self, text: str) -> str:
        """The text in parentheses."""
        return rf"\left({text}\right)"


def decimal(x: float, digits: int = 8) -> str:
    """`x` rounded to `digits` decimals, or to `digits` significant digits if fewer than half of them would be left.

    With 17 digits or more, it is exact.

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
    """A count with its noun, in the singular or the plural.

    >>> counted(1, "neuron"), counted(16, "neuron")
    ('1 neuron', '16 neurons')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


_GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon|phi|chi|psi|omega"
    "|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega"
)
_ACCENTS = {"\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0307": "dot", "\u0308": "ddot", "\u20d7": "vec"}
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_ESCAPES = {
    "\\": r"\backslash ", "{": r"\{", "}": r"\}", "_": r"\_", "%": r"\%", "#": r"\#", "$": r"\$", "&": r"\&",
    "^": r"\wedge ", "~": r"\sim ", "`": r"\backprime ", "<": "<", ">": ">",
}  # fmt: skip
_SPECIAL = f"([{re.escape(''.join(_ESCAPES))}])"
_LONGEST = 60
_HOUSING = ("layers", "neurons")  # left out of names with indices: w[0,3,1]
_FUNCTIONS = ("ln", "max", "min")  # functions of LaTeX that are not rows of the table
_TAKEN = (*_FUNCTIONS, "inf", "nan")

_INDEX = r"[-+]?\w+(?:\s*[-+,]\s*\w+)*"
_PIECE = re.compile(
    rf"""\.(?P<number>\d+)(?=[.\[]|$)                         # .0
    | (?:^|(?<=.)\.)(?P<word>(?:(?!_\{{)[^\s.·\[\]{{}}^'])+'*)  # w', encoder.w
    | \[\s*(?P<index>{_INDEX})\s*\]                          # [t-1]
    | _\{{\s*(?P<below>{_INDEX})\s*\}}                       # _{{ij}}
    | \^(\{{)?(?P<above>\({_INDEX}\)|\[{_INDEX}\])(?(5)\}})  # ^{{(1)}}
    """,
    re.VERBOSE,
)


@dataclass
class _Name:
    """A label that can stand in a formula as it is: its words, its indices, and the marks below and above them."""

    words: list[str]
    indices: list[str]
    below: list[str]
    above: list[str]
    scripts: str = ""

    @cached_property
    def text(self) -> str:
        """The words as text; with indices, the words `layers` and `neurons` are left out."""
        words = self.words
        if self.indices:
            words = [word for word in words[:-1] if word not in _HOUSING] + words[-1:]
        return ".".join(words)


def _read(label: str) -> _Name | None:
    """The parts of a label, or None if it must be quoted.  This is the only place that decides it."""
    name = _parsed(label)
    return None if name is None or name.text in TABLE or name.text in _TAKEN else name


@lru_cache(maxsize=8192)
def _parsed(label: str) -> _Name | None:
    name, end = _Name([], [], [], []), 0
    while end < len(label):
        piece = _PIECE.match(label, end)
        if piece is None:
            return None
        end = piece.end()
        number, word, index, below, _, above = piece.groups()
        if below or above:
            name.scripts += piece[0]
            (name.below if below else name.above).append(below or above)
        elif name.scripts:
            return None
        elif word:
            if not word.rstrip("'").translate(_LOWERED).isidentifier():
                return None
            name.words.append(word)
        else:
            name.indices.append(number or re.sub(r"\s", "", index))
    return name if name.words else None


def symbol_of(label: str, copy: int = 0) -> Symbol:
    r"""The symbol for a node with this label; `copy` numbers the nodes whose symbols look alike.

    A label that is a name is written as it is.  Indices after dots or in brackets, and marks as in LaTeX, become
    subscripts and superscripts.  Any other label is quoted, both in text and in LaTeX.  A long label is cut.

    >>> [symbol_of(label).text for label in ("out_o1", "layers.0.neurons.3.w.1", "x_{t-1}", "x1*w1")]
    ['out_o1', 'w[0,3,1]', 'x_{t-1}', '"x1*w1"']
    >>> [symbol_of(label).latex for label in ("out_o1", "layers.0.neurons.3.w.1", "x_{t-1}", "x1*w1")]
    ['\\mathrm{out}_{o1}', '{w^{(0)}_{3,1}}', 'x_{t-1}', '\\text{"x1*w1"}']
    >>> symbol_of("x", copy=2)
    Symbol(text='x#2', latex='x_{\\#2}', place=0, letter='u')
    """
    name = _read(_cut(label))
    below: list[str] = []
    above: list[str] = []
    if name is None:
        text = quoted(label)
        latex = _upright(text)
    else:
        indexed = f"{name.text}[{','.join(name.indices)}]" if name.indices else name.text
        text = indexed + name.scripts
        bare = name.text.rstrip("'")
        latex, (*below,) = _word(bare.translate(_LOWERED))
        above = [r"\prime " * (len(name.text) - len(bare)), *map(_script, name.above)]
        indices = name.indices
        if name.words[0] == "layers" and indices and indices[0].isdecimal():
            above.append(f"({indices[0]})")
            indices = indices[1:]
        below += map(_script, [*indices, *name.below])
    if copy:
        text, below = f"{text}#{copy}", [*below, rf"\#{copy}"]
    if raised := "".join(above).strip():
        latex += f"^{{{raised}}}"
    if below:
        latex += f"_{{{','.join(below)}}}"
    return Symbol(text, f"{{{latex}}}" if raised else latex)


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else name[:_LONGEST] + "\N{HORIZONTAL ELLIPSIS}"


def quoted(label: str) -> str:
    """A label, to be written between words or formulas: quoted if it could be mistaken, cut if it is long.

    >>> print(quoted("out_o1"), quoted("w[0]"), quoted("my loss"), quoted("log"))
    out_o1 w[0] "my loss" "log"
    """
    label = _cut(label)
    if _read(label):
        return label
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in label.replace("\\", r"\\"))
    return '"' + "".join(escaped).replace('"', r"\"") + '"'


@lru_cache(maxsize=1024)
def _word(name: str) -> tuple[str, tuple[str, ...]]:
    """A name as LaTeX, and its subscripts: the digits at its end, and the parts after underscores."""
    match = re.fullmatch(rf"([^\W\d_]+|[^\W\d_][{''.join(_ACCENTS)}])(\d*)(?:_([^_]\w*))?", name)
    if not match or match[1] in TABLE or match[1] in _FUNCTIONS:  # log_2 is not a logarithm
        return _upright(name, "mathrm"), ()
    base, digits, rest = match.groups()
    return _letters(base), tuple(map(_script, filter(None, (digits, *(rest or "").split("_")))))


def _letters(base: str) -> str:
    """Letters as LaTeX: Greek letters by name, a single letter as it is, several letters upright."""
    letter, *marks = list(unicodedata.normalize("NFD", base))
    if len(marks) == 1 and marks[0] in _ACCENTS:
        return rf"\{_ACCENTS[marks[0]]}{{{_letters(letter)}}}"
    if len(base) == 1:
        name = unicodedata.name(unicodedata.normalize("NFKC", base)[0], "")  # such as GREEK SMALL LETTER ALPHA
        spelled = name.rpartition(" ")[2].replace("LAMDA", "LAMBDA")
        spelled = spelled.lower() if "SMALL" in name else spelled.title()
        if name.startswith("GREEK") and _GREEK.fullmatch(spelled):
            return "\\" + spelled
    return "\\" + base if _GREEK.fullmatch(base) else base if len(base) == 1 else _upright(base, "mathrm")


def _script(text: str) -> str:
    """A subscript or superscript: letters, numbers and signs between them."""
    if text.isdecimal():
        return text
    return re.sub(r"\w+", lambda part: _below(part[0]), re.sub(r"\s", "", text))


def _below(part: str) -> str:
    match = re.fullmatch(r"([^\W\d_]?)(\d*)", part)
    if match:
        letter, digits = match.groups()
        return (letter and _letters(letter)) + digits
    return _letters(part) if part.isalpha() else _upright(part, "mathrm")


def _upright(text: str, command: str = "text") -> str:
    """Text as LaTeX in upright letters, without commands; characters that do not print become question marks."""
    shown = "".join(" " if c.isspace() else c if c.isprintable() else "?" for c in text)
    pieces = [_ESCAPES.get(piece) or rf"\{command}{{{piece}}}" for piece in re.split(_SPECIAL, shown) if piece]
    return "".join(pieces) if len(pieces) == 1 else f"{{{''.join(pieces)}}}"  # so that a power is one of the whole
