"""A derivation on paper: as text, LaTeX, Markdown, and a page of HTML.

All formats are written from the same blocks: headings, prose, and equations as rows of cells.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import TypeAlias

from ..ops import CALL
from .data import Definition, Derivation, Route, Step
from .notation import Latex, Style, Symbol, Text

Row: TypeAlias = tuple[str, ...]
"""The left side of an equation, then its right sides, each in its own column; or one cell alone."""


@dataclass(frozen=True)
class Heading:
    """The title of a part."""

    text: str


@dataclass(frozen=True)
class Prose:
    """A sentence."""

    text: str


@dataclass(frozen=True)
class Equations:
    """Rows of cells, aligned at their left edges."""

    rows: tuple[Row, ...]


Block: TypeAlias = Heading | Prose | Equations


def blocks(derivation: Derivation, style: Style) -> Iterator[Block]:
    """The whole derivation, with its formulas written in `style`."""
    d = derivation
    yield Equations(((style.derivative(d.of, d.by), f"= {style.write(d.number)}"),))
    yield from map(Prose, d.remarks)
    yield from forward(d, style)
    if d.steps:
        yield Heading("Backward")
    shown: set[Symbol] = set()
    for step in d.steps:
        starts = (route.factors[0] for route in step.routes if route.factors[0].formula is None)
        for by in dict.fromkeys(factor.by for factor in starts if factor.by not in shown):
            yield Prose(f"{Text().derivative(d.of, by)} comes from the graph sweep; its derivation is not shown.")
        yield from _step(step, style)
        shown.add(step.by)
    if d.rate is not None:
        yield Heading("Update")
        yield Equations((_update(d, d.rate, style),))


def forward(derivation: Derivation, style: Style) -> Iterator[Block]:
    """The numbers that the forward pass computed, and those that it began with."""
    if derivation.definitions:
        yield Heading("Forward")
        yield Equations(tuple(_definition(definition, style) for definition in derivation.definitions))
    given = [f"{style.name(symbol)} = {style.write(number)}" for symbol, number in derivation.given]
    if given:
        rows = [style.words(", ").join(given[i : i + 4]) for i in range(0, len(given), 4)]
        rows[:-1] = [row + style.words(",") for row in rows[:-1]]
        yield Equations(tuple((style.words("     " if i else "with ") + row,) for i, row in enumerate(rows)))


def _definition(definition: Definition, style: Style) -> Row:
    terms = [(style.ellipsis, CALL) if term is None else style.written(term) for term in definition.terms]
    if definition.omitted:
        more = style.words(f"({definition.omitted} more terms: ") + style.write(definition.rest) + style.words(")")
        terms[-2] = more, CALL
    formula, number = style.sum(terms), style.write(definition.number)
    row = (style.name(definition.symbol), f"= {formula}")
    return row if formula == number else (*row, f"= {number}")


def _step(step: Step, style: Style) -> Iterator[Block]:
    whole = style.derivative(step.of, step.by)
    if len(step.routes) == 1 and not step.omitted:
        yield Equations(_product(whole, step.routes[0], style))
        return
    largest = f" (the {len(step.routes)} largest are shown)" if step.omitted else ""
    yield Prose(f"{len(step.routes) + step.omitted} routes lead from {step.of.text} to {step.by.text}{largest}:")
    names = route_names(step, style)
    rows = [row for name, route in zip(names, step.routes) for row in _product(name, route, style)]
    numbers = [style.written(route.number) for route in step.routes]
    if step.omitted:
        rows.append((style.words(f"{step.omitted} smaller"), f"= {style.write(step.rest)}"))
        numbers.append(style.written(step.rest))
    sums = [style.sum(numbers), style.write(step.number)]
    if _told_apart(step):
        sums.insert(0, style.sum([(name, CALL) for name in names]))
    yield Equations((*rows, *_equal_to(whole, sums)))


def route_names(step: Step, style: Style) -> list[str]:
    """A name for each route of a step: its derivative, dE_o1/dout_h1, or the last stop on it, "via net_o1"."""
    if _told_apart(step):
        return [style.derivative(route.of, route.by) for route in step.routes]
    return [
        f"{style.words('via ')}{style.name(route.via)}" if route.via else style.words("directly")
        for route in step.routes
    ]


def _told_apart(step: Step) -> bool:
    """Whether the routes of a step are derivatives of different things."""
    return all(route.of is not step.of for route in step.routes) and not step.omitted


def _product(name: str, route: Route, style: Style) -> tuple[Row, ...]:
    """The factors of a route, a line each: their names, their formulas, their numbers with the product.

    A line that repeats another is left out, and so are the names if they are the left side already.
    """
    names = [(style.derivative(factor.of, factor.by), CALL) for factor in route.factors]
    formulas = [
        name if factor.formula is None else style.written(factor.formula) for factor, name in zip(route.factors, names)
    ]
    numbers = style.product([style.written(factor.number) for factor in route.factors])
    result = style.write(route.number)
    lines = [style.product(formulas), numbers if numbers == result else f"{numbers} = {result}"]
    if len(names) > 1:
        lines.insert(0, style.product(names))
    return _equal_to(name, list(dict.fromkeys(lines)))


def _equal_to(left: str, lines: list[str]) -> tuple[Row, ...]:
    return tuple((left if i == 0 else "", f"= {line}") for i, line in enumerate(lines))


def _update(d: Derivation, rate: float, style: Style) -> Row:
    size = style.written(abs(rate))
    sign = "-" if rate >= 0.0 else "+"
    step = style.product([size, (style.derivative(d.of, d.by), CALL)])
    numbers = style.product([size, style.written(d.number)])
    new = style.write(d.at - rate * d.number)
    return style.updated(d.by), f"= {style.name(d.by)} {sign} {step} = {style.write(d.at)} {sign} {numbers} = {new}"


def to_text(derivation: Derivation) -> str:
    """The derivation as plain text."""
    return text_of(blocks(derivation, Text(derivation.digits)))


def text_of(parts: Iterable[Block]) -> str:
    """Blocks as plain text, indented below their heading."""
    lines: list[str] = []
    indent = ""
    for block in parts:
        if isinstance(block, Equations):
            lines += [indent + line for line in _aligned(block.rows)]
        elif isinstance(block, Prose):
            lines.append(indent + block.text)
        else:
            indent = "  "
            lines += ["", block.text]
    return "\n".join(lines)


WIDE = 60
"""A cell wider than this does not widen its column."""


def _aligned(rows: tuple[Row, ...]) -> Iterator[str]:
    columns = zip_longest(*(row[:-1] for row in rows), fillvalue="")
    widths = [max((len(cell) for cell in column if len(cell) <= WIDE), default=0) for column in columns]
    for row in rows:
        yield " ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0])).rstrip()


def to_markdown(derivation: Derivation) -> str:
    """The derivation as Markdown, with LaTeX between dollar signs."""
    parts = []
    for block in blocks(derivation, Latex(derivation.digits)):
        if isinstance(block, Equations):
            parts.append(f"$$\n{_environment(block.rows)}\n$$")
        elif isinstance(block, Prose):
            parts.append(re.sub(r"([\\`*_{}\[\]<>#|$~])", r"\\\1", block.text))
        else:
            parts.append(f"## {block.text}")
    return "\n\n".join(parts) + "\n"


def to_latex(derivation: Derivation) -> str:
    """The derivation as LaTeX, for a document that uses amsmath."""
    parts = []
    style = Latex(derivation.digits)
    for block in blocks(derivation, style):
        if isinstance(block, Equations):
            parts.append(f"\\[\n{_environment(block.rows)}\n\\]")
        else:
            text = block.text.translate(_TEXT_ESCAPES)
            parts.append(text if isinstance(block, Prose) else rf"\paragraph{{{text}}}")
    return "\n".join(parts) + "\n"


_TEXT_ESCAPES = str.maketrans(
    {c: "\\" + c for c in "{}_%#$&"} | {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}"}
)


def to_notebook(derivation: Derivation) -> str:
    """The equations as one display, for notebooks."""
    style = Latex(derivation.digits)
    rows: list[Row] = []
    for block in blocks(derivation, style):
        rows += block.rows if isinstance(block, Equations) else [("", style.words(block.text))]
    return f"$$\n{_environment(tuple(rows))}\n$$"


def _environment(rows: tuple[Row, ...]) -> str:
    lines = [f"& {row[0]}" if len(row) == 1 else f"{row[0]} & {' && '.join(row[1:])}" for row in rows]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 17px/1.5 Georgia, serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #1a1a1a; }}
h2 {{ font-size: 1.1em; border-bottom: 1px solid #ccc; margin-top: 2em; }}
div {{ overflow-x: auto; }}
table {{ border-collapse: collapse; margin: 0.6em 0 0.6em 1.5em; }}
td {{ padding: 0.25em 0.35em; white-space: nowrap; vertical-align: baseline; }}
td:first-child:not(:only-child) {{ text-align: right; }}
math {{ font-size: 1.1em; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def to_html(derivation: Derivation) -> str:
    """The derivation as one complete HTML page, with formulas in MathML; it loads nothing."""
    parts = []
    for block in blocks(derivation, Latex(derivation.digits)):
        if isinstance(block, Equations):
            rows = "\n".join(f"<tr>{''.join(f'<td>{_mathml(cell)}</td>' for cell in row)}</tr>" for row in block.rows)
            parts.append(f"<div><table>\n{rows}\n</table></div>")
        elif isinstance(block, Prose):
            parts.append(f"<p>{html.escape(block.text)}</p>")
        else:
            parts.append(f"<h2>{html.escape(block.text)}</h2>")
    title = html.escape(Text().derivative(derivation.of, derivation.by))
    return _PAGE.format(title=title, body="\n".join(parts))


@lru_cache(maxsize=4096)
def _mathml(latex: str) -> str:
    from latex2mathml import converter

    return converter.convert(rf"\displaystyle {latex}") if latex else ""
