"""Formulas read back: a parser of the text notation that shares nothing with what writes it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping


def _positive(x: float) -> float:
    return float(x > 0)


FUNCTIONS: dict[str, Callable[..., float]] = {
    "abs": abs,
    "sign": lambda x: math.copysign(1.0, x) if x else 0.0,
    "step": _positive,
    "equal": lambda x, y: float(x == y),
    "expm1": lambda x: math.exp(x) - 1,
    "log1p": lambda x: math.log(1 + x),
    "sqrt": lambda x: x**0.5,
    "tan": lambda x: math.sin(x) / math.cos(x),
    "sinh": lambda x: (math.exp(x) - math.exp(-x)) / 2,
    "cosh": lambda x: (math.exp(x) + math.exp(-x)) / 2,
    "sigmoid": lambda x: (1 + math.tanh(x / 2)) / 2,  # which does not overflow
    "softplus": lambda x: math.log(1 + math.exp(-abs(x))) + max(x, 0.0),
    "relu": lambda x: x if x > 0 else 0.0,
    "maximum": max,
    "minimum": min,
    "where": lambda c, x, y: x if c else y,
    "detach": lambda x: x,
}
"""The functions that a text may name, by their textbook definitions, where `math` has another or none."""


def _function(name: str) -> Callable[..., float]:
    function = FUNCTIONS.get(name) or getattr(math, name.replace("arc", "a"), None)
    assert function, f"math has no {name}; write down what it is in FUNCTIONS"
    return function


NAME = r'(?:"(?:\\.|[^"\\])*"|[^\W\d](?:(?!_\{)[\w.\'])*)(?:\[[\w,+-]+\])?(?:_\{[\w,+-]+\})?(?:#\d+)?'
TOKEN = re.compile(
    rf"\s*(?:(?P<number>\d[\d.]*(?:e[+-]?\d+)?|inf\b|nan\b)|(?P<function>[a-z]\w*)(?=\()|(?P<name>{NAME})|(?P<sign>.))"
)


def evaluate(text: str, symbols: Mapping[str, float]) -> tuple[float, float]:
    """The number that a formula has for these symbols, and how large what was added up on the way was.

    Grammar, loosest first: sums; a sign; * and / from the left; juxtaposition; ^; atoms.
    """
    tokens: list[tuple[str, str]] = []
    place = 0
    while place < len(text.rstrip()):
        match = TOKEN.match(text, place)
        assert match, f"cannot read {text[place:]!r}"
        place = match.end()
        tokens.append((str(match.lastgroup), match.group(str(match.lastgroup))))
    return _Reader(tokens, symbols).whole()


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]], symbols: Mapping[str, float]) -> None:
        self.tokens, self.symbols, self.place = [*tokens, ("end", "")], symbols, 0

    def next(self) -> tuple[str, str]:
        self.place += 1
        return self.tokens[self.place - 1]

    def meets(self, *signs: str) -> bool:
        if self.tokens[self.place] in [("sign", sign) for sign in signs]:
            self.place += 1
            return True
        return False

    def whole(self) -> tuple[float, float]:
        result = self.sum()
        assert self.tokens[self.place][0] == "end", f"left over: {self.tokens[self.place :]}"
        return result

    def sum(self) -> tuple[float, float]:
        value, size = self.signed()
        while self.tokens[self.place] in (("sign", "+"), ("sign", "-")):
            factor = 1.0 if self.next()[1] == "+" else -1.0
            other, more = self.quotient()
            value, size = value + factor * other, size + more
        return value, size

    def signed(self) -> tuple[float, float]:
        if self.meets("-"):
            value, size = self.quotient()
            return -value, size
        return self.quotient()

    def quotient(self) -> tuple[float, float]:
        value, size = self.product()
        while self.tokens[self.place] in (("sign", "/"), ("sign", "*")):
            sign = self.next()[1]
            other, more = self.product()
            if sign == "*":
                value, size = value * other, size * more
            else:
                value, size = value / other if other else math.nan, size * more / max(other * other, 1e-300)
        return value, size

    def product(self) -> tuple[float, float]:
        value, size = self.power()
        while self.tokens[self.place][0] in ("name", "number", "function") or self.tokens[self.place] == ("sign", "("):
            other, more = self.power()
            value, size = value * other, size * more
        return value, size

    def power(self) -> tuple[float, float]:
        value, size = self.atom()
        if self.meets("^"):
            exponent, _ = self.atom()
            return math.pow(value, exponent), max(math.pow(size, exponent), abs(math.pow(value, exponent)))
        return value, size

    def atom(self) -> tuple[float, float]:
        kind, token = self.next()
        if kind == "number":
            return float(token), abs(float(token))
        if kind == "name":
            return self.symbols[token], abs(self.symbols[token])
        if kind == "function":
            assert self.meets("(")
            operands = [self.sum()]
            while self.meets(","):
                operands.append(self.sum())
            assert self.meets(")")
            value = _function(token)(*(value for value, _ in operands))
            return value, abs(value) + max(size for _, size in operands)
        assert (kind, token) == ("sign", "("), f"unexpected {token!r} in {self.tokens}"
        value, size = self.sum()
        assert self.meets(")")
        return value, size
