"""The gradient checker before rules outside of the table: right ones, badly conditioned ones, and wrong ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from autograd import Value
from autograd.check import FAIL, PASS, UNSURE, check_gradients
from autograd.check.problem import Problem
from autograd.check.rounding import ROUNDING, answers_of_engine
from autograd.check.textbook import SLOPES, TEXTBOOK
from autograd.ops import ABS, CALL, COS, COSH, DIV, EXP, LOG, POW, SIGMOID, SIN, SINH, SQRT, TANH, Op

LN2, LN10 = math.log(2.0), math.log(10.0)


@dataclass
class Rule:
    """A row of one's own: at `points` a thousandth of its slopes can be seen, at its `ends` perhaps not."""

    forward: object
    ufunc: object
    partials: tuple
    textbook: object
    points: list
    ends: list


def elementary(name):
    return lambda m, x: m.function(name, x)


def _logit(x):
    return math.log(x / (1.0 - x))


def _quotient(x):
    return (x * x + 1.0) / (x * x * x - 2.0 * x + 5.0)


def _safe_sinc(x):
    x = np.asanyarray(x, dtype=float)
    quotient = np.divide(np.sin(x), x, out=np.ones_like(x), where=x != 0.0)
    quotient *= 1.0
    return quotient


INSIDE = [0.999, 0.5, 1e-9, -0.999999, 0.9999999]
CLOSE = [1.0 - 1e-15, 1.0, -1.0]
ARCSIN = (math.asin, np.arcsin)
BY_ARCTAN = lambda m, x: m.function("arctan", x / m.function("sqrt", 1 - x * x))  # noqa: E731  # as in the table
# fmt: off
RULES = {
    "arcsin": Rule(*ARCSIN, (lambda z, x: DIV(1.0, SQRT(1.0 - x * x)),), elementary("arcsin"), INSIDE, CLOSE),
    "arcsin, factored":
        Rule(*ARCSIN, (lambda z, x: DIV(1.0, SQRT((1.0 - x) * (1.0 + x))),), elementary("arcsin"), INSIDE, CLOSE),
    "arcsin, by arctan": Rule(*ARCSIN, (lambda z, x: DIV(1.0, SQRT(1.0 - x * x)),), BY_ARCTAN, INSIDE, CLOSE),
    "arcsin, factored, by arctan":
        Rule(*ARCSIN, (lambda z, x: DIV(1.0, SQRT((1.0 - x) * (1.0 + x))),), BY_ARCTAN, INSIDE, CLOSE),
    "arcsin, from the output":
        Rule(*ARCSIN, (lambda z, x: DIV(1.0, COS(z)),), elementary("arcsin"), INSIDE, CLOSE),
    "arccos": Rule(math.acos, np.arccos, (lambda z, x: -DIV(1.0, SQRT(1.0 - x * x)),), elementary("arccos"),
        INSIDE, CLOSE),
    "arccos, from the output":
        Rule(math.acos, np.arccos, (lambda z, x: -DIV(1.0, SIN(z)),), elementary("arccos"), INSIDE, CLOSE),
    "arctanh": Rule(math.atanh, np.arctanh, (lambda z, x: DIV(1.0, 1.0 - x * x),), elementary("arctanh"),
        INSIDE, CLOSE),
    "arctanh, by log": Rule(math.atanh, np.arctanh, (lambda z, x: DIV(1.0, (1.0 - x) * (1.0 + x)),),
        lambda m, x: m.function("log", (1 + x) / (1 - x)) / 2, INSIDE, CLOSE),
    "arctanh, from the output":
        Rule(math.atanh, np.arctanh, (lambda z, x: COSH(z) * COSH(z),), elementary("arctanh"), INSIDE, CLOSE),
    "arcsinh": Rule(math.asinh, np.arcsinh, (lambda z, x: DIV(1.0, SQRT(1.0 + x * x)),), elementary("arcsinh"),
        [0.0, -0.5, 30.0, -1e8], [1e300]),
    "arcsinh, by log": Rule(math.asinh, np.arcsinh, (lambda z, x: DIV(1.0, COSH(z)),),
        lambda m, x: m.function("log", x + m.function("sqrt", 1 + x * x)), [0.0, -0.5, 30.0], [-1e8, 1e300]),
    "arccosh": Rule(math.acosh, np.arccosh, (lambda z, x: DIV(1.0, SQRT(x * x - 1.0)),), elementary("arccosh"),
        [1.0000001, 1.001, 2.0, 1e8], [1.0, 1.0 + 1e-15, 1e200]),
    "arccosh, from the output": Rule(math.acosh, np.arccosh, (lambda z, x: DIV(1.0, SINH(z)),), elementary("arccosh"),
        [1.0000001, 1.001, 2.0, 1e8], [1.0, 1.0 + 1e-15, 1e200]),
    "erf": Rule(math.erf, np.frompyfunc(math.erf, 1, 1), (lambda z, x: 1.1283791670955126 * EXP(-(x * x)),),
        elementary("erf"), [0.0, 1e-8, 0.5, -1.0, 3.0, 5.9, 10.0], [27.0]),
    "erf, of no oracle": Rule(math.erf, np.vectorize(math.erf, otypes=[float]),
        (lambda z, x: 1.1283791670955126 * EXP(-(x * x)),), None, [1e-8, 0.5, -1.0], [5.9, 27.0]),
    "log2": Rule(math.log2, np.log2, (lambda z, x: DIV(1.0, x * LN2),),
        lambda m, x: m.function("log", x) / m.function("log", m.constant(2.0)), [1.0, 1e-12, 1e12, 1.0 + 1e-12], []),
    "log10": Rule(math.log10, np.log10, (lambda z, x: DIV(1.0, x * LN10),), elementary("log10"),
        [1.0, 1e-12, 1e12, 1.0 + 1e-12], []),
    "exp2": Rule(lambda x: 2.0**x, np.exp2, (lambda z, x: z * LN2,),
        lambda m, x: m.function("exp", x * m.function("log", m.constant(2.0))), [0.0, 1.5, -30.0, 100.0], [-1070.0]),
    "exp10": Rule(lambda x: 10.0**x, lambda x: np.power(10.0, x), (lambda z, x: POW(10.0, x) * LN10,),
        lambda m, x: m.power(m.constant(10.0), x), [0.0, 1.5, -30.0, 100.0], [-323.0]),
    "cbrt": Rule(np.cbrt, np.cbrt, (lambda z, x: DIV(1.0, 3.0 * z * z),),
        lambda m, x: m.sign(x) * m.power(x * m.sign(x), 1 / m.constant(3.0)), [1.0, -8.0, 1e-12, 1e12], [0.0]),
    "cbrt, as a power": Rule(np.cbrt, np.cbrt, (lambda z, x: POW(ABS(x), -2.0 / 3.0) * (1.0 / 3.0),),
        elementary("cbrt"), [1.0, 8.0, 1e12, 1e200], [0.0, -1e-300, 1e-300]),
    "sinc": Rule(lambda x: math.sin(x) / x, lambda x: np.sin(x) / x, (lambda z, x: DIV(COS(x) - z, x),),
        lambda m, x: m.function("sin", x) / x, [1.0, 1e-2, -2.0, 1e3], [1e-4, 1e-7, 1e-12]),
    "sinc, over a square": Rule(lambda x: math.sin(x) / x, lambda x: np.sin(x) / x,
        (lambda z, x: DIV(x * COS(x) - SIN(x), x * x),), lambda m, x: m.function("sin", x) / x, [1.0, 1e-2], [1e-7]),
    "sinc, made safe": Rule(lambda x: math.sin(x) / x if x else 1.0, _safe_sinc, (lambda z, x: DIV(COS(x) - z, x),),
        lambda m, x: m.function("sin", x) / x, [1.0, -2.0], []),
    "versine": Rule(lambda x: 1.0 - math.cos(x), lambda x: 1.0 - np.cos(x), (lambda z, x: SIN(x),),
        lambda m, x: 1 - m.function("cos", x), [1.0, 1e-3, 1e-7], []),
    "logit": Rule(_logit, lambda x: np.log(x / (1.0 - x)), (lambda z, x: DIV(1.0, x * (1.0 - x)),),
        lambda m, x: m.function("log", x) - m.function("log1p", -x), [0.5, 1e-12, 1.0 - 1e-12, 0.999], []),
    "logit, badly": Rule(_logit, lambda x: np.log(x / (1.0 - x)), (lambda z, x: DIV(1.0, x - x * x),),
        lambda m, x: m.function("log", x / (1 - x)), [0.5, 1e-12, 0.999, 1.0 - 1e-9], [1.0 - 1e-12, 1.0 - 1e-15]),
    "rational": Rule(_quotient, _quotient,
        (lambda z, x: DIV(2.0 * x - z * (3.0 * x * x - 2.0), x * x * x - 2.0 * x + 5.0),),
        lambda m, x: (x * x + 1) / (x * x * x - 2 * x + 5), [0.0, 1.0, -2.0945, -2.09455148, 100.0, 1e10],
        []),
    "gauss": Rule(lambda x: math.exp(-x * x), lambda x: np.exp(-x * x), (lambda z, x: -2.0 * x * z,),
        lambda m, x: m.function("exp", -(x * x)), [1.0, -5.0, 20.0], [27.0]),
    "log of sigmoid": Rule(lambda x: -math.log1p(math.exp(-x)), lambda x: -np.log1p(np.exp(-x)),
        (lambda z, x: 1.0 - SIGMOID(x),), lambda m, x: -m.function("log1p", m.function("exp", -x)),
        [0.0, 1.0, -5.0, 20.0], [-600.0]),
    "sech": Rule(lambda x: 1.0 / math.cosh(x), lambda x: 1.0 / np.cosh(x), (lambda z, x: -z * TANH(x),),
        lambda m, x: 1 / m.function("cosh", x), [1.0, -20.0, 300.0], []),
    "xlogy": Rule(lambda x, y: x * math.log(y), lambda x, y: x * np.log(y), (lambda z, x, y: LOG(y),
        lambda z, x, y: DIV(x, y)), lambda m, x, y: x * m.function("log", y), [(1.0, 2.0), (3.0, 1.0 + 1e-12)], []),
    "logaddexp": Rule(lambda x, y: max(x, y) + math.log1p(math.exp(-abs(x - y))), np.logaddexp,
        (lambda z, x, y: EXP(x - z), lambda z, x, y: EXP(y - z)),
        lambda m, x, y: m.function("log", m.function("exp", x) + m.function("exp", y)),
        [(0.0, 0.0), (1.0, -3.0), (30.0, 29.0)], [(700.0, -20.0), (1e-12, 1e3)]),
    "logsubexp": Rule(lambda x, y: x + math.log1p(-math.exp(y - x)), lambda x, y: x + np.log1p(-np.exp(y - x)),
        (lambda z, x, y: EXP(x - z), lambda z, x, y: -EXP(y - z)),
        lambda m, x, y: m.function("log", m.function("exp", x) - m.function("exp", y)),
        [(1.0, 0.0), (1e-6, 0.0), (30.0, 29.999)], [(30.0, 29.9999999)]),
    "atan2": Rule(math.atan2, np.arctan2,
        (lambda z, y, x: DIV(x, x * x + y * y), lambda z, y, x: -DIV(y, x * x + y * y)),
        lambda m, y, x: 2 * m.function("arctan", y / (m.function("sqrt", x * x + y * y) + x)),
        [(1.0, 1.0), (1e-12, 1.0), (1.0, -1.0)], [(1e-8, -1.0), (1e-5, -1e5)]),
    "hypot": Rule(math.hypot, np.hypot, (lambda z, x, y: DIV(x, z), lambda z, x, y: DIV(y, z)),
        lambda m, x, y: m.function("sqrt", x * x + y * y), [(3.0, 4.0), (1e-6, 1.0)],
        [(1e200, 1e200), (1e-200, 1e-200)]),
}
# fmt: on


@pytest.fixture(autouse=True)
def _definitions(monkeypatch):
    """What a user writes who wants rows of his own checked by the oracles that read the graph."""
    for name, rule in RULES.items():
        if rule.textbook is not None:
            monkeypatch.setitem(TEXTBOOK, name, rule.textbook)
    for name, slope in {
        "arcsin": lambda m, x: 1 / m.function("sqrt", 1 - x * x),
        "arccos": lambda m, x: -1 / m.function("sqrt", 1 - x * x),
        "arctanh": lambda m, x: 1 / (1 - x * x),
        "arcsinh": lambda m, x: 1 / m.function("sqrt", 1 + x * x),
        "arccosh": lambda m, x: 1 / m.function("sqrt", x * x - 1),
        "log10": lambda m, x: 1 / (x * m.function("log", m.constant(10.0))),
        "cbrt": lambda m, x: 1 / (3 * m.function("cbrt", x) * m.function("cbrt", x)),
    }.items():
        monkeypatch.setitem(SLOPES, name, slope)


def never_raises(rule):
    """The forward function, with NumPy's answer where `math` raises."""

    def forward(*numbers):
        try:
            return rule.forward(*numbers)
        except (ValueError, OverflowError, ZeroDivisionError):
            with np.errstate(all="ignore"):
                return float(rule.ufunc(*numbers))

    return forward


def graph(name, point, error=0.0):
    """The rule at a point, every slope of it off by a share, and its leaves."""
    rule = RULES[name]
    partials = tuple(lambda *numbers, p=p: p(*numbers) * (1.0 + error) for p in rule.partials)
    op = Op(name, never_raises(rule), rule.ufunc, partials, name, CALL, False)
    leaves = [Value(x) for x in (point if isinstance(point, tuple) else (point,))]
    return Value.__record__(op, leaves), leaves


@pytest.mark.parametrize("name", RULES)
def test_right_and_wrong_rules_outside_of_the_table(name):
    """Right ones pass, and those that are wrong by a thousandth fail, in either direction."""
    for point in RULES[name].points:
        for error, verdict in ((0.0, PASS), (1e-3, FAIL), (-1e-3, FAIL)):
            for row in check_gradients(*graph(name, point, error)).rows:
                expected = PASS if row.engine.value == 0.0 else verdict
                assert row.verdict == expected, (point, error, row)
                assert expected == FAIL or FAIL not in [finding.verdict for finding in row.findings], (point, row)


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.ends])
def test_rules_at_the_ends_of_what_can_be_seen(name):
    """No oracle, not even alone, says that a right rule is wrong, nor together that a wrong one is right."""
    for point in RULES[name].ends:
        for row in check_gradients(*graph(name, point)).rows:
            assert FAIL not in [row.verdict, *(finding.verdict for finding in row.findings)], (point, row)
        for error in (1e-3, -1e-3):
            output, leaves = graph(name, point, error)
            rows, engine = check_gradients(output, leaves).rows, answers_of_engine(Problem(output, tuple(leaves)))
            for row, answer in zip(rows, engine):
                lost = not 0.0 < ROUNDING * answer.error < 1e-3 * abs(answer.value) < math.inf
                assert row.verdict in (FAIL, UNSURE) or lost, (point, error, row)


@pytest.mark.parametrize(
    ("name", "error"), [("arcsin", 1e-14), ("arcsin, factored", 1e-16), ("arcsin, from the output", 1e-14)]
)
def test_the_rounding_inside_of_a_partial_is_seen(name, error):
    """1/sqrt(1 - 0.999^2) by mpmath: as far from the engine's as that says, which is more where digits cancel."""
    output, leaves = graph(name, 0.999)
    (engine,) = answers_of_engine(Problem(output, tuple(leaves)))
    off = abs(engine.value - 22.366272042129217830)
    assert off <= ROUNDING * engine.error and 0.1 * error < engine.error / engine.value < 10.0 * error


@pytest.mark.parametrize("name", ["arcsin", "erf", "erf, of no oracle", "sinc, made safe", "logit"])
def test_rows_of_ones_own_in_graphs(name):
    """Between other rows, and in second derivatives."""
    for error, verdict in ((0.0, PASS), (1e-3, FAIL)):
        inner, leaves = graph(name, 0.3, error)
        report = check_gradients(inner.sin() * leaves[0], leaves, order=2)
        assert [row.verdict for row in report.rows] == [verdict, verdict], report


@pytest.mark.parametrize(
    ("forward", "partial", "x", "slope"),
    [
        (
            lambda x: x**7 - 7 * x**6 + 21 * x**5 - 35 * x**4 + 35 * x**3 - 21 * x * x + 7 * x - 1,
            lambda z, x: 7.0 * (x - 1.0) * (x - 1.0) * (x - 1.0) * (x - 1.0) * (x - 1.0) * (x - 1.0),
            2.0,
            7.0,
        ),  # (x - 1)^7
        (lambda x: ((x + 1) ** 3 - x**3 - 3 * x * x - 3 * x) + x, lambda z, x: 1.0, 100.0, 1.0),  # 1 + x
    ],
)
def test_digits_that_cancel_beside_a_whole_number(forward, partial, x, slope):
    """There rounding is 0 at the point itself, but differences are taken beside it."""
    for error, verdict in ((0.0, PASS), (1e-3, FAIL), (-1e-3, FAIL)):
        op = Op("cancels", forward, forward, (lambda z, x, e=error: partial(z, x) * (1.0 + e),), "c", CALL, False)
        leaf = Value(x)
        (row,) = check_gradients(Value.__record__(op, [leaf]), [leaf]).rows
        assert row.verdict == verdict and row.engine.value == pytest.approx(slope * (1.0 + error))
