"""Pictures of networks, as in textbooks: neurons as circles, weights as lines; `autograd.draw` shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import NamedTuple

from graphviz import Digraph

from autograd.derivation.notation import counted, decimal
from autograd.picture.dot import canvas, escape
from autograd.picture.draw import Picture

POSITIVE, NEGATIVE = "#2166ac", "#c2410c"
SHOWN = 16
"""So many units of a column are drawn; of a longer one, the first and the last."""
LABELED = 24
"""Up to so many lines have their weights written on them."""

_ACROSS, _DOWN = 190.0, 62.0  # between columns, at least, and between units, in points


class Layer(NamedTuple):
    """The drawn part of a layer: the weights and the bias of each neuron."""

    activation: str
    weights: list[list[float]]
    biases: list[float]


def network_picture(layers: Sequence[Layer]) -> Picture:
    """Columns of circles, with the inputs on the left; a small circle with a 1 is the constant input of the biases.

    Blue lines are positive weights, orange lines negative ones.  Thicker lines are larger weights.
    """
    dot = _drawing()
    widths = [len(layers[0].weights[0]), *(len(layer.biases) for layer in layers)]
    columns = [_column(width) for width in widths]
    tallest = max(_height(column, 0) for column in columns)
    top, across = tallest + 0.8 * _DOWN, max(_ACROSS, 0.9 * tallest)
    titles = ["inputs", *(f"{counted(len(layer.biases), 'neuron')}, {layer.activation}" for layer in layers)]
    for i, (title, column) in enumerate(zip(titles, columns)):
        x = i * across
        _words(dot, title, x, top)
        for slot, unit in enumerate(column):
            if unit is None:
                _words(dot, "\N{VERTICAL ELLIPSIS}", x, _height(column, slot))
            else:
                _unit(dot, f"u{i}_{unit}", f"{'a' if i else 'x'}<sub>{unit}</sub>", x, _height(column, slot), not i)
        if i < len(layers):
            _unit(dot, f"b{i}", "1", x, _height(column, len(column)), small=True)

    lines = [line for i, layer in enumerate(layers) for line in _lines(i, layer, columns, across)]
    largest, thickest = max(abs(weight) for *_, weight in lines), 3.5 if len(lines) <= LABELED else 2.0
    for tail, head, start, end, weight in sorted(lines, key=lambda line: abs(line[-1])):  # the largest on top
        _line(dot, tail, head, weight, largest, thickest)
        if len(lines) <= LABELED:
            _words(dot, decimal(weight, 2), *(a + 0.3 * (b - a) for a, b in zip(start, end)), size="9")
    left_out = sum(None in column for column in columns)
    note = f"{SHOWN} units at most are drawn of a layer" if left_out else ""
    parameters = sum(len(weights) + 1 for layer in layers for weights in layer.weights)
    title = f"a network {' -> '.join(map(str, widths))}, {counted(parameters, 'parameter')}"
    return Picture(dot.source, title, note, engine="neato")


def neuron_picture(activation: str, weights: Sequence[float], bias: float) -> Picture:
    """The inputs, the weights, the sum with its bias, the activation, the output."""
    dot = _drawing()
    column = _column(len(weights))
    top = _height(column, 0) + 0.8 * _DOWN
    for i, title in enumerate(("inputs", "sum z", activation, "output a")):
        _words(dot, title, i * _ACROSS, top)
    _unit(dot, "z", "\N{GREEK CAPITAL LETTER SIGMA}", _ACROSS, 0.0)
    _unit(dot, "a", "<i>f</i>", 2 * _ACROSS, 0.0)
    _words(dot, "a", 3 * _ACROSS, 0.0, name="out")
    lines = []
    for slot, unit in enumerate(column):
        height = _height(column, slot)
        if unit is None:
            _words(dot, "\N{VERTICAL ELLIPSIS}", 0, height)
        else:
            _unit(dot, f"x{unit}", f"x<sub>{unit}</sub>", 0, height, True)
            lines.append((f"x{unit}", height, f"w<sub>{unit}</sub> = ", weights[unit]))
    height = _height(column, len(column))
    _unit(dot, "bias", "1", 0, height, small=True)
    lines.append(("bias", height, "b = ", bias))
    largest = max(abs(weight) for *_, weight in lines)
    for tail, height, name, weight in lines:
        _line(dot, tail, "z", weight, largest, 3.5)
        _words(dot, name + decimal(weight, 4), 0.45 * _ACROSS, 0.55 * height, size="9", markup=True)
    for tail, head in (("z", "a"), ("a", "out")):
        dot.edge(tail, head, color="#555555")
    note = f"{SHOWN} inputs at most are drawn" if None in column else ""
    return Picture(dot.source, f"a neuron, {counted(len(weights) + 1, 'parameter')}", note, engine="neato")


def _drawing() -> Digraph:
    key = "blue: positive, orange: negative; the thicker, the larger"
    return canvas(layout="neato", splines="line", outputorder="edgesfirst", label=key, fontcolor="#777777")


def _column(width: int) -> list[int | None]:
    """The units that are drawn, from the top; None for those left out."""
    return list(range(width)) if width <= SHOWN else [*range(SHOWN - 2), None, width - 1]


def _height(column: Sequence[int | None], slot: int) -> float:
    """The height of a slot in a column: around 0, with the first at the top."""
    return ((len(column) - 1) / 2 - slot) * _DOWN


def _at(x: float, y: float) -> str:
    return f"{x / 72:.3f},{y / 72:.3f}!"


def _unit(
    dot: Digraph, name: str, markup: str, x: float, y: float, is_input: bool = False, small: bool = False
) -> None:
    fill = "#ffffff" if small else "#e7f0fa" if is_input else "#f3f4f6"
    width = "0.32" if small else "0.52"
    dot.node(name, f"<{markup}>", pos=_at(x, y), shape="circle", style="filled", fixedsize="true",
             width=width, fillcolor=fill)  # fmt: skip


def _words(
    dot: Digraph, text: str, x: float, y: float, *, name: str = "", size: str = "11", markup: bool = False
) -> None:
    dot.node(name or f"words {x:.2f} {y:.2f}", f"<{text if markup else escape(text)}>", pos=_at(x, y),
             shape="plaintext", style="filled", fillcolor="#ffffffd0", fontsize=size, width="0", height="0",
             margin="0.03,0.01")  # fmt: skip


def _lines(
    i: int, layer: Layer, columns: Sequence[Sequence[int | None]], across: float
) -> Iterator[tuple[str, str, tuple[float, float], tuple[float, float], float]]:
    """(tail, head, start, end, weight) for each line into a layer."""
    before, after = columns[i : i + 2]
    x, right = i * across, (i + 1) * across
    for slot, unit in enumerate(after):
        if unit is None:
            continue
        head, end = f"u{i + 1}_{unit}", (right, _height(after, slot))
        for below, source in enumerate(before):
            if source is not None:
                yield f"u{i}_{source}", head, (x, _height(before, below)), end, layer.weights[unit][source]
        yield f"b{i}", head, (x, _height(before, len(before))), end, layer.biases[unit]


def _line(dot: Digraph, tail: str, head: str, weight: float, largest: float, thickest: float) -> None:
    share = abs(weight) / largest if largest else 0.0
    width = 0.3 + (thickest - 0.3) * (share if isfinite(share) else 1.0)
    color = "#bbbbbb" if weight == 0.0 else POSITIVE if weight > 0.0 else NEGATIVE
    dot.edge(tail, head, color=color, penwidth=f"{width:.2f}", arrowhead="none")
