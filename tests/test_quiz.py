"""Derivations as exercises: what is asked, and what is said of answers."""

from __future__ import annotations

import math
import pprint
import re

import pytest

from autograd import Value, explain, log, relu, sigmoid, tanh

from .test_explain import notes


def test_the_sheet_of_w5():
    """The forward pass with its numbers, every factor and the product with blanks."""
    q = notes()
    sheet = str(explain(q["E_total"], q["w5"]).quiz())
    assert sheet.startswith("dE_total/dw5 = ____\n\nForward\n  net_o1  = w5 out_h1 + w6 out_h2 + b2 = 1.10590597\n")
    assert sheet.endswith("""
Backward
  1. dE_total/dout_o1 = -(target_o1 - out_o1) = ____
  2. dout_o1/dnet_o1 = out_o1 (1 - out_o1) = ____
  3. dnet_o1/dw5 = out_h1 = ____
  4. dE_total/dw5 = dE_total/dout_o1 * dout_o1/dnet_o1 * dnet_o1/dw5 = ____""")
    assert "0.08216704" not in sheet and "0.74136507" not in sheet


@pytest.mark.parametrize(
    ("step", "number", "verdict"),
    [
        (1, 0.741365, "right"),
        (1, "0.741", "right"),
        (1, -0.741365, "right but for the sign"),
        (1, 0.75, "close, but carry more digits"),
        (1, 0.8, "wrong"),
        (4, 0.0554, "right"),
        (4, 0.741365 * 0.4, "right but for a forgotten derivative of the activation: dout_o1/dnet_o1"),
        (4, -0.741365 * 0.4, "right but for the sign and a forgotten derivative of the activation: dout_o1/dnet_o1"),
        (9, 0.03635031, "right"),
        (9, 0.05539942, "right but for a forgotten route: dE_o2/dout_h1"),
        (9, -0.01904912, "right but for a forgotten route: dE_o1/dout_h1"),
        (9, 0.741365 * 0.4 - 0.21707153 * 0.5, "right but for a forgotten derivative of the activation, in each route"),
        (12, 0.00043857, "right"),
        (12, "4.386e-4", "right"),
        (12, 0.03635031 * 0.05, "right but for a forgotten derivative of the activation: dout_h1/dnet_h1"),
        (12, 0.05539942 * 0.24130071 * 0.05, "right but for a forgotten route: dE_o2/dout_h1"),
        (12, 0.0, "wrong"),
    ],
)
def test_verdicts_on_w1(step, number, verdict):
    """Right, wrong, or right but for a slip that is named."""
    q = notes()
    d = explain(q["E_total"], q["w1"])
    assert str(d.check(step, number)) == verdict
    assert bool(d.check(step, number)) == (verdict == "right")
    assert d.quiz()[step - 1].check(number) == d.check(d.quiz()[step - 1], number)


def test_every_answer_is_right_and_its_negative_is_not():
    """For any derivation: the numbers of the derivation pass, rounded to three digits too."""
    q = notes()
    model = [explain(q["E_total"], q[name]) for name in ("w1", "w8", "b1", "b2")]
    for d in model:
        for question in d.quiz():
            assert question.check(question.answer) and question.check(f"{question.answer:.3g}")
            assert str(question.check(-question.answer)) == "right but for the sign"
            assert not question.check(question.answer * 1.02)


def test_nothing_shows_an_answer():
    """Neither a quiz nor a question nor a list of them, as a notebook, a log or a debugger writes it."""
    q = notes()
    quiz = explain(q["E_total"], q["w1"]).quiz()
    numbers = {f"{abs(question.answer):.4f}" for question in quiz if question.answer != q["w1"].data}
    shown = [repr(quiz), str(quiz), repr(quiz[:]), pprint.pformat(list(quiz)), pprint.pformat(quiz), *map(str, quiz)]
    given = str(quiz)[: str(quiz).index("Backward")]
    for text in [*shown, repr(list(quiz)), f"{quiz}", f"{quiz[0]!r:s}"]:
        answers = {number for number in numbers if number in text and number not in given}
        assert not answers, text
    assert repr(quiz) == "Quiz of 12 questions on dE_total/dw1"
    assert not [name for name in dir(quiz) + dir(quiz[0]) if name.startswith("_repr_")]


def test_tolerance():
    """The caller's, relative."""
    x = Value(3.0, "x")
    quiz = explain(x**2, x).quiz()
    assert quiz.check(1, 6.3, tolerance=0.1) and not quiz.check(1, 6.3)


def test_answers_that_are_not_finite():
    """Only infinity is infinity, only NaN is NaN; a zero is a zero."""
    x = Value(0.0, "x")
    infinite = explain(x.sqrt(), x)
    assert infinite.check(1, math.inf) and not infinite.check(1, 5.0) and not infinite.check(1, -math.inf)
    negative = Value(-1.0, "n")
    undefined = explain(negative**1.5 + log(negative), negative)
    assert undefined.check(1, math.nan) and not undefined.check(1, 0.0)
    dead = explain(relu(negative), negative)
    assert dead.check(1, 0.0) and not dead.check(1, 1e-9)


def test_questions_are_told_apart():
    """A factor that is a whole route is asked for as that."""
    x = Value(0.5, "x")
    h = x.sin()
    h.label = "h"
    texts = [question.text for question in explain(h * x, x).quiz()]
    assert "directly = h" in texts and len({text.split(" = ")[0] for text in texts}) == len(texts)


def test_a_long_chain_makes_a_quiz():
    """Not every subset of thirty activations is a mistake to look for."""
    x = h = Value(0.5, "x")
    for _ in range(200):
        h = tanh(h)
    quiz = explain(h, x).quiz()
    assert quiz[-1].check(quiz[-1].answer) and len(str(quiz)) < 50_000


def test_a_long_sum_asks_for_its_largest_routes_only():
    """The others are given as one number."""
    x = Value(0.5, "x")
    hidden = [tanh(0.1 * i * x) for i in range(1, 10)]
    for i, h in enumerate(hidden):
        h.label = f"h{i}"
    quiz = explain(sum(i * h for i, h in enumerate(hidden)), x, max_routes=2).quiz()
    *_, smaller, total = quiz
    assert smaller.text == "via h7 = dy/dh7 * dh7/dx" and total.answer > smaller.answer > 0.0
    assert re.fullmatch(r"dy/dx = via h8 \+ via h7 \+ \d+\.\d+ from \d smaller ones", total.text), total.text


def test_what_has_no_steps_has_no_questions():
    """The sheet says why."""
    x = Value(0.5, "x")
    quiz = explain(sigmoid(Value(1.0, "y")), x).quiz()
    assert len(quiz) == 0 and "does not depend on x" in str(quiz)


def test_unknown_questions():
    """The error says which there are."""
    x = Value(0.5, "x")
    d = explain(x * 2, x)
    for step in (0, 2, -1, True, "1"):
        with pytest.raises(ValueError, match="give a question, or its number from 1 to 1"):
            d.check(step, 2.0)
    with pytest.raises(TypeError):
        d.check(1, None)
    with pytest.raises(ValueError, match="give a number that is not negative"):
        d.quiz().check(1, 2.0, tolerance=-1.0)
    assert repr(d.quiz()) == "Quiz of 1 question on dy/dx"
    with pytest.raises(ValueError, match="'two' is not a number; give a decimal"):
        d.check(1, "two")
