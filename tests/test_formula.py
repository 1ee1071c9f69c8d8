"""Graphs as formulas: the rules of simplification, and what is written in the end."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import autograd.derivation.formula  # noqa: F401 -- the module, which the function of that name hides in the package
from autograd import TABLE, Value, detach, dot, exp, formula, log, maximum, sigmoid, sqrt, tanh, where
from autograd.derivation.formula import LONGEST, RULES, Formula, Rule, simplified, symbols
from autograd.derivation.notation import Symbol, Text
from autograd.strategies import SMOOTH, expressions

from .examples import examples
from .reading import evaluate


def raw(name: str, *inputs: Formula | float) -> Formula:
    """A formula as it stands, not simplified."""
    numbers = [x.number if isinstance(x, Formula) else x for x in inputs]
    return Formula(TABLE[name].forward(*numbers), TABLE[name], inputs)


def recomputed(x: Formula | float) -> float:
    """The number of a formula, from those of its symbols alone."""
    if not isinstance(x, Formula) or x.symbol:
        return x.number if isinstance(x, Formula) else x
    return x.op.forward(*map(recomputed, x.inputs))


def shapes(a: Formula, b: Formula) -> list[Formula | float]:
    """Operands of many shapes, for the rules to match."""
    return [
        0.0, 0.5, 1.0, -1.0, 2.5, -3.0, a, b, raw("sqrt", a), raw("neg", a), raw("neg", b), raw("mul", 2.0, a),
        raw("neg", raw("mul", 0.5, a)), raw("mul", 4.0, b), raw("pow", a, 2.0), raw("pow", a, 0.5), raw("pow", b, a),
        raw("div", a, b), raw("div", 3.0, a), raw("mul", a, b), raw("mul", b, raw("pow", a, 2.0)), raw("add", a, b),
        raw("sub", a, 1.0), raw("sigmoid", a),
    ]  # fmt: skip


def firings(rule: Rule, a: float, b: float) -> list[tuple[tuple[Formula | float, ...], Formula | float]]:
    """What the rule makes of all operands that it applies to."""
    pool = shapes(Formula(a, symbol=Symbol("a", "a")), Formula(b, symbol=Symbol("b", "b")))
    found = []
    pool = pool if len(rule.op.partials) < 3 else pool[::4]
    for operands in itertools.product(pool, repeat=len(rule.op.partials)):
        if any(isinstance(x, Formula) for x in operands):
            result = rule.rewrite(*operands)
            if result is not None:
                found.append((operands, result))
    return found


def preserves_the_value(rule: Rule, a: float, b: float) -> None:
    applied = firings(rule, a, b)
    assert applied, f"{rule.algebra}: applies to none of the operands"
    for operands, result in applied:
        before = recomputed(raw(rule.op.name, *operands))
        after = recomputed(result)
        size = max([abs(recomputed(x)) for x in operands] + [1.0])
        if math.isfinite(before):
            assert after == pytest.approx(before, rel=1e-12, abs=1e-13 * size**2), f"{rule.algebra}: {operands}"


@pytest.mark.parametrize("rule", RULES, ids=[rule.algebra for rule in RULES])
@examples(25)  # each of dozens of operands
@given(a=st.floats(0.25, 4.0), b=st.floats(0.25, 4.0))
def test_a_rule_preserves_the_value(rule, a, b):
    """Whatever it applies to, for positive numbers (of which all powers are real)."""
    preserves_the_value(rule, a, b)


@pytest.mark.parametrize(
    "wrong",
    [
        Rule(TABLE["sub"], "x - (-y) = x - y", lambda x, y: x - y.inputs[0] if str(y) == "-a" else None),
        Rule(TABLE["mul"], "0 x = x", lambda x, y: y if x == 0.0 and isinstance(y, Formula) else None),
        Rule(TABLE["pow"], "x^0 = x", lambda x, y: x if y == 0.0 else None),
        Rule(TABLE["exp"], "never", lambda x: None),
    ],
    ids=lambda rule: rule.algebra,
)  # fmt: skip
def test_a_wrong_rule_is_noticed(wrong):
    """The same check, of rules that are false or apply to nothing."""
    with pytest.raises(AssertionError):
        preserves_the_value(wrong, 1.75, 0.5)


@given(st.data(), st.just(0.0) | st.floats(0.01, 4.0) | st.floats(-4.0, -0.01), st.floats(0.25, 4.0))
def test_simplified_formulas_have_the_value_and_are_in_normal_form(data, a, b):
    """Signs and numbers in front, no 1 x, x + 0, --x, x * x; and what is written says the same."""
    a, b = Formula(a, symbol=Symbol("a", "a")), Formula(b, symbol=Symbol("b", "b"))
    ops = [TABLE[name] for name in ("add", "sub", "mul", "div", "neg", "sin", "sigmoid", "abs")]

    def draw(depth: int) -> Formula | float:
        if not depth:
            return data.draw(st.sampled_from([a, b, b, 0.0, 1.0, 2.0, -0.5]))
        op = data.draw(st.sampled_from(ops))
        if data.draw(st.integers(0, 5)) == 0:
            return simplified(TABLE["pow"], [draw(depth - 1), data.draw(st.sampled_from([0.0, 1.0, 2.0, 3.0]))])
        return simplified(op, [draw(depth - 1) for _ in op.partials])

    x = draw(4)
    assume(isinstance(x, Formula) and math.isfinite(x.number) and abs(x.number) < 1e6)
    got, size = evaluate(Text(17).write(x), {"a": a.number, "b": b.number})
    assume(size < 1e9)
    assert got == pytest.approx(x.number, rel=1e-9, abs=1e-9 * max(size, 1.0)), str(x)
    for part in parts(x):
        op, inputs = part.op, part.inputs
        if op is TABLE["mul"]:
            assert 1.0 not in inputs and 0.0 not in inputs and not isinstance(inputs[1], float), str(x)
            assert inputs[0] != inputs[1], str(x)
        if op is TABLE["add"]:
            assert 0.0 not in inputs, str(x)
        if op is TABLE["neg"]:
            assert inputs[0].op is not TABLE["neg"], str(x)
        if op and op.name in ("mul", "div"):
            assert all(y.op is not TABLE["neg"] if isinstance(y, Formula) else y >= 0.0 for y in inputs), str(x)


def parts(x: Formula | float) -> list[Formula]:
    return [x, *itertools.chain.from_iterable(map(parts, x.inputs))] if isinstance(x, Formula) else []


def test_formulas_look_as_a_person_writes_them():
    """The examples of the notes, and the patterns that partials of the table leave behind."""
    x, y, t = Value(2.0, "x"), Value(5.0, "y"), Value(0.25, "target_o1")
    for value, text in [
        (0.5 * (t - x) ** 2, "0.5 (target_o1 - x)^2"),
        (x * (1 - x), "x (1 - x)"),
        (x + -y, "x - y"),
        (-x + y, "y - x"),
        (x * -1.0, "-x"),
        (x - -3.0, "x + 3"),
        (x * x, "x^2"),
        (x * x * x * 2, "2 x^3"),
        (x**2, "x^2"),
        (x / -2, "-x / 2"),
        (x / y / 3, "x / (3 y)"),
        (1 / (1 / x), "x"),
        (x**-1, "1 / x"),
        (2 * (3 * x), "6 x"),
        (x + x + x, "3 x"),
        (x * y + 0.0, "x y"),
        (sqrt(x) * exp(-x), "sqrt(x) exp(-x)"),
        (log(x) + x * y - y.sin(), "log(x) + x y - sin(y)"),
        (where(x > 0, x, y), "x"),
        (where(y, x, y), "where(y, x, y)"),
        (x.log() * x / x, "log(x)"),
        (x**0.5, "sqrt(x)"),
        (maximum(x, 0) - abs(y), "maximum(x, 0) - abs(y)"),
        (Value(3.0) * x, "3 x"),
        ((x + 1 / 3) * y, "(x + 0.33333333) y"),
    ]:
        assert str(formula(value)) == text


def test_labels_stop_a_formula():
    """The value itself is written out, labeled nodes below it are not; a leaf is its number."""
    w, x = Value(3.0, "w"), Value(2.0, "x")
    net = w * x + 1
    net.label = "net"
    out = sigmoid(net)
    out.label = "out"
    assert (str(formula(out)), str(formula(net)), formula(w)) == ("sigmoid(net)", "w x + 1", 3.0)


def test_what_is_long_gets_names():
    """Neither exponentially many paths nor a deep graph make a long text; copies of a label are told apart."""
    x = y = Value(1.0, "x")
    for _ in range(60):
        y = (y * y).tanh() + y
    assert len(str(formula(y))) < 200
    y = x
    for _ in range(3000):
        y = y.sin() * 0.5 + 0.25
    assert len(str(formula(y))) < 300
    terms = dot([Value(float(i), f"w.{i}") for i in range(100)], [x] * 100)
    assert str(formula(terms.tanh())) == "tanh(z1)"
    twins = [Value(1.0, "x"), Value(2.0, "x")]
    assert str(formula(twins[0] - twins[1] * 3)) == "x#1 - 3 x#2"
    assert str(formula(Value(1.0, "layers.0.w.1") - Value(2.0, "neurons.0.w.1"))) == "w[0,1]#1 - w[0,1]#2"


def test_constants_that_do_not_fold():
    """Where a product of constants overflows or vanishes it stays as it is; no rule undoes another for ever."""
    x = Value(2.0, "x")
    assert str(formula(5e-324 * (0.5 * x))) == "4.9406565e-324 * 0.5 x"
    for value in (1e-200 * (1e-200 * Value(1e300, "b")), (1e200 * x) * (1e200 * x), 1e308 * (1e308 * Value(0.0, "z"))):
        assert len(str(formula(value))) < 40
    assert str(formula(2 * (3 * x) * (5 * x))) == "30 x^2"


def test_a_detached_value_is_a_symbol():
    """It is a constant to everything that differentiates."""
    x = Value(2.0, "x")
    assert str(formula(x - detach(x * 3))) == "x - c1"


@given(expressions(ops=(*SMOOTH, "relu", "maximum", "abs", "exp")), st.data())
def test_random_graphs(expression, data):
    """The text of any graph, read back, has the number of the graph."""
    leaves = [Value(x, f"t{i}") for i, x in enumerate(expression.leaves)]
    value = expression(*leaves)
    assume(math.isfinite(value.data) and abs(value.data) < 1e6)
    x = formula(value)
    assume(all(symbol.text[0] == "t" for symbol in symbols(x)))  # short enough to need no other names
    got, size = evaluate(Text(17).write(x), {f"t{i}": x for i, x in enumerate(expression.leaves)})
    assert got == pytest.approx(value.data, rel=1e-9, abs=1e-9 * max(size, 1.0))


def test_names_do_not_depend_on_what_is_not_shown():
    """Automatic names count from 1 without gaps, and keep clear of labels."""
    x = Value(0.5, "z1")
    net = x * 2 + 1
    for _ in range(LONGEST):
        net = net + x * 0.5
    assert str(formula(tanh(net))) == "tanh(z2)"
