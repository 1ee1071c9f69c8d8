"""Names, numbers and parentheses, in text and in LaTeX."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from latex2mathml import converter
from matplotlib.mathtext import MathTextParser

from autograd import TABLE
from autograd.derivation.formula import Formula
from autograd.derivation.notation import Latex, Symbol, Text, decimal, symbol_of
from autograd.ops import REALS

from .reading import evaluate

PARSER = MathTextParser("agg")
A, B, C = (Formula(number, symbol=Symbol(name, name)) for name, number in (("a", 2.5), ("b", -1.5), ("c", 0.75)))


def raw(name: str, *inputs: Formula | float) -> Formula:
    """A formula as it stands, not simplified."""
    numbers = [x.number if isinstance(x, Formula) else x for x in inputs]
    return Formula(TABLE[name].forward(*numbers), TABLE[name], inputs)


@pytest.mark.parametrize(
    ("formula", "text", "latex"),
    [
        (raw("add", A, raw("mul", B, C)), "a + b c", r"a + b \, c"),
        (raw("mul", raw("add", A, B), C), "(a + b) c", r"\left(a + b\right) \, c"),
        (raw("sub", A, raw("sub", B, C)), "a - (b - c)", r"a - \left(b - c\right)"),
        (raw("sub", raw("sub", A, B), C), "a - b - c", "a - b - c"),
        (raw("add", A, raw("neg", B)), "a + (-b)", r"a + \left(-b\right)"),
        (raw("neg", raw("add", A, B)), "-(a + b)", r"-\left(a + b\right)"),
        (raw("neg", raw("mul", A, B)), "-a b", r"-a \, b"),
        (raw("mul", A, raw("neg", B)), "a (-b)", r"a \, \left(-b\right)"),
        (raw("div", A, raw("mul", B, C)), "a / (b c)", r"\frac{a}{b \, c}"),
        (raw("mul", raw("div", A, B), C), "(a / b) c", r"\frac{a}{b} \, c"),
        (raw("div", raw("mul", A, B), C), "a b / c", r"\frac{a \, b}{c}"),
        (raw("pow", raw("pow", A, 2.0), 3.0), "(a^2)^3", r"\left(a^{2}\right)^{3}"),
        (raw("pow", A, raw("sub", B, 1.0)), "a^(b - 1)", "a^{b - 1}"),
        (raw("pow", raw("neg", A), 2.0), "(-a)^2", r"\left(-a\right)^{2}"),
        (raw("pow", -2.0, A), "(-2)^a", r"\left(-2\right)^{a}"),
        (raw("pow", A, -2.0), "a^(-2)", "a^{-2}"),
        (raw("mul", A, raw("pow", 3.0, B)), "a * 3^b", r"a \cdot 3^{b}"),
        (raw("mul", 1.5e-9, A), "1.5e-09 a", r"1.5 \times 10^{-9} \, a"),
        (raw("exp", raw("neg", A)), "exp(-a)", "e^{-a}"),
        (raw("log1p", raw("neg", A)), "log1p(-a)", r"\ln(1 + \left(-a\right))"),
        (raw("abs", raw("sub", A, B)), "abs(a - b)", "|a - b|"),
        (raw("maximum", A, raw("add", B, C)), "maximum(a, b + c)", r"\max(a, b + c)"),
        (raw("where", A, B, C), "where(a, b, c)", r"\operatorname{where}(a, b, c)"),
    ],
)
def test_parentheses(formula, text, latex):
    """Where they are needed, and nowhere else."""
    assert Text().write(formula) == str(formula) == text
    assert Latex().write(formula) == formula.latex() == latex
    PARSER.parse(f"${latex}$")


@given(st.data())
def test_what_is_written_can_be_read_back(data):
    """Any nesting of rows, not simplified: the text has the value of the formula, the LaTeX parses."""
    everywhere = [op for op in TABLE.values() if not op.pole and {*op.domain} == {REALS}]
    names = [op.name for op in everywhere if op.name not in ("exp", "expm1")]  # which overflow

    def draw(depth: int) -> Formula | float:
        if not depth or data.draw(st.integers(0, 3)) == 0:
            return data.draw(st.sampled_from([A, B, C, 2.0, 0.5, -0.25]))
        kind = data.draw(st.sampled_from([*names, "div", "square", "exponential"]))
        if kind == "div":
            return raw("div", draw(depth - 1), data.draw(st.sampled_from([A, B, raw("mul", A, C), raw("neg", B)])))
        if kind == "square":
            return raw("pow", draw(depth - 1), 2.0)
        if kind == "exponential":
            return raw("pow", 2.0, raw("tanh", draw(depth - 1)))
        operands = [draw(depth - 1) for _ in TABLE[kind].partials]
        return raw(kind, *operands)

    formula = draw(4)
    expected = formula.number if isinstance(formula, Formula) else formula
    if not math.isfinite(expected) or abs(expected) > 1e6:
        return
    got, size = evaluate(Text(17).write(formula), {"a": 2.5, "b": -1.5, "c": 0.75})
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-9 * max(size, 1.0)), str(formula)
    PARSER.parse(f"${Latex().write(formula)}$")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.08216704056423077, "0.08216704"),
        (0.0004385677344743465, "0.00043857"),
        (-0.0, "0"),
        (1.0, "1"),
        (-3.0, "-3"),
        (1e-9, "1e-09"),
        (1.23456789012e-7, "1.2345679e-07"),
        (123456.789, "123456.789"),
        (1.5e12 + 0.5, "1.5e+12"),
        (2.0**49, "562949953421312"),
        (1e308, "1e+308"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_decimals(number, text):
    """Eight decimals, without zeros at the end; eight digits and an exponent for what is too small or too large."""
    assert decimal(number) == text


@given(st.floats(-1e300, 1e300), st.integers(2, 16))
def test_rounding(number, digits):
    """A written number is off by half a unit of its last digit at most; from 17 digits on it is exact."""
    written = float(decimal(number, digits))
    assert abs(written - number) <= max(0.51 * 10.0**-digits, 0.51 * 10.0 ** (1 - digits) * abs(number))
    if number:
        assert abs(written - number) <= 10.0 ** (1 - digits / 2) * abs(number)
    assert float(decimal(number, 17)) == number


@pytest.mark.parametrize(
    ("label", "text", "latex"),
    [
        ("x", "x", "x"),
        ("w5", "w5", "w_{5}"),
        ("net_h1", "net_h1", r"\mathrm{net}_{h1}"),
        ("x1_a", "x1_a", "x_{1,a}"),
        ("alpha", "alpha", r"\alpha"),
        ("λ", "λ", r"\lambda"),
        ("Δ", "Δ", r"\Delta"),
        ("ϵ", "ϵ", r"\epsilon"),
        ("layers.2.neurons.0.b", "b[2,0]", "{b^{(2)}_{0}}"),
        ("w.7", "w[7]", "w_{7}"),
        ("encoder.w.3", "encoder.w[3]", r"\mathrm{encoder.w}_{3}"),
        ("_", "_", r"\_"),
        ("w[0]", "w[0]", "w_{0}"),
        ("w[0, 1]", "w[0,1]", "w_{0,1}"),
        ("w[2][1]", "w[2,1]", "w_{2,1}"),
        ("layers[2].neurons[0].b", "b[2,0]", "{b^{(2)}_{0}}"),
        ("h[t-1]", "h[t-1]", "h_{t-1}"),
        ("x_{t-1}", "x_{t-1}", "x_{t-1}"),
        ("W_{xh}", "W_{xh}", r"W_{\mathrm{xh}}"),
        ("W_xh", "W_xh", r"W_{\mathrm{xh}}"),
        ("h_t", "h_t", "h_{t}"),
        ("w_h.0", "w_h[0]", "w_{h,0}"),
        ("theta_{ij}", "theta_{ij}", r"\theta_{\mathrm{ij}}"),
        ("x_alpha", "x_alpha", r"x_{\alpha}"),
        ("a^{(1)}_{2}", "a^{(1)}_{2}", "{a^{(1)}_{2}}"),
        ("W^[1]", "W^[1]", "{W^{[1]}}"),
        ("x'", "x'", r"{x^{\prime}}"),
        ("x1''", "x1''", r"{x^{\prime \prime}_{1}}"),
        ("ŷ", "ŷ", r"\hat{y}"),
        ("x\u0304_1", "x\u0304_1", r"\bar{x}_{1}"),
        ("x₁", "x₁", "x_{1}"),
        ("log_prob", "log_prob", r"{\mathrm{log}\_\mathrm{prob}}"),
    ],
)
def test_names(label, text, latex):
    """A label as text and as LaTeX."""
    symbol = symbol_of(label)
    assert (symbol.text, symbol.latex) == (text, latex)
    PARSER.parse(f"${latex}$")


@pytest.mark.parametrize(
    ("label", "text", "latex"),
    [
        ("x1*w1 + x2*w2", '"x1*w1 + x2*w2"', r'\text{"x1*w1 + x2*w2"}'),
        ("a b", '"a b"', r'\text{"a b"}'),
        ("2", '"2"', r'\text{"2"}'),
        ("-1", '"-1"', r'\text{"-1"}'),
        ("1e5", '"1e5"', r'\text{"1e5"}'),
        ("nan", '"nan"', r'\text{"nan"}'),
        ("exp", '"exp"', r'\text{"exp"}'),
        ("max", '"max"', r'\text{"max"}'),
        ("log[2]", '"log[2]"', r'\text{"log[2]"}'),
        ("f(x)", '"f(x)"', r'\text{"f(x)"}'),
        ("x·y", '"x·y"', r'\text{"x·y"}'),
        ("x²", '"x²"', r'\text{"x²"}'),
        ("x^2", '"x^2"', r'{\text{"x}\wedge \text{2"}}'),
        ("a#1", '"a#1"', r'{\text{"a}\#\text{1"}}'),
        ("50%", '"50%"', r'{\text{"50}\%\text{"}}'),
        ('"\\', '"\\"\\\\"', r'{\text{"}\backslash \text{"}\backslash \backslash \text{"}}'),
        ("a\nb", '"a\\nb"', r'{\text{"a}\backslash \text{nb"}}'),
        (" ", '" "', r'\text{" "}'),
        (".a", '".a"', r'\text{".a"}'),
        ("a..b", '"a..b"', r'\text{"a..b"}'),
    ],
)
def test_what_is_no_name_is_quoted(label, text, latex):
    """In text and in LaTeX alike: an expression, a number, a function, a word with signs."""
    symbol = symbol_of(label)
    assert (symbol.text, symbol.latex) == (text, latex)
    PARSER.parse(f"${latex}$")


@pytest.mark.parametrize(
    ("label", "copy", "text", "latex"),
    [
        ("a", 0, "a^2", "a^{2}"),
        ("a", 1, "(a#1)^2", r"a_{\#1}^{2}"),
        ("w[0]", 2, "(w[0]#2)^2", r"w_{0,\#2}^{2}"),
        ("layers.0.w.1", 0, "w[0,1]^2", r"\left({w^{(0)}_{1}}\right)^{2}"),
        ("a^{(1)}", 0, "(a^{(1)})^2", r"\left({a^{(1)}}\right)^{2}"),
        ("x'", 0, "x'^2", r"\left({x^{\prime}}\right)^{2}"),
        ("e", 0, "e^2", r"\left(e\right)^{2}"),
        ("x^2", 0, '"x^2"^2', r'{\text{"x}\wedge \text{2"}}^{2}'),
        ("a b", 3, '("a b"#3)^2', r'\text{"a b"}_{\#3}^{2}'),
    ],
)
def test_powers_of_names(label, copy, text, latex):
    """The exponent belongs to the whole name, never to a number at its end; a power of e is no exponential."""
    square = raw("pow", Formula(3.0, symbol=symbol_of(label, copy)), 2.0)
    assert (Text().write(square), Latex().write(square)) == (text, latex)
    PARSER.parse(f"${latex}$")


NAME_LIKE = st.text(st.sampled_from("xwθ_12'.[]{}(),-+^#\\$% ₁\u0302"), max_size=12)


@given(st.text(max_size=20) | NAME_LIKE, st.integers(0, 2))
@example("<b>", 0)
@example("&amp;", 1)
def test_any_label_is_a_symbol(label, copy):
    """Its text is one line; its LaTeX has balanced braces and makes MathML, also updated, numbered and squared."""
    symbol = symbol_of(label, copy)
    assert symbol.text and len(symbol.text.splitlines()) == 1
    square = raw("pow", Formula(3.0, symbol=symbol), 2.0)
    for latex in (symbol.latex, Latex().updated(symbol), Latex().write(square)):
        bare = latex.replace(r"\{", "").replace(r"\}", "")
        assert bare.count("{") == bare.count("}")
        ET.fromstring(converter.convert(latex))


def test_digits_are_checked():
    """An int of at least 1."""
    for digits in (0, -1, 2.5, True, "8"):
        with pytest.raises(ValueError, match="give an int of at least 1"):
            Text(digits)
