"""An exercise: questions about a derivation, and how their answers are graded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from ..conversions import as_float
from .notation import counted

BLANK = "____"


@dataclass(frozen=True)
class Verdict:
    """The judgment of an answer, with a message for the student; true if the answer is right."""

    right: bool
    message: str

    def __bool__(self) -> bool:
        return self.right

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Question:
    """A line of a derivation with its number left out.

    `answer` is the number.  `mistakes` are the numbers that common slips lead to, each with a message.
    """

    index: int
    text: str
    answer: float = field(repr=False)
    mistakes: tuple[tuple[float, str], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"{self.index}. {self.text} = {BLANK}"

    def check(self, number: float | str, tolerance: float = 5e-3) -> Verdict:
        """The verdict on `number`: right, wrong, or right but for a slip.

        `number` may be a string, such as "0.0822".  `tolerance` is relative: 5e-3 accepts a number that is rounded
        correctly to three digits.

        A ValueError if the string is not a number or the tolerance is negative.

        >>> from autograd import Value, explain, sigmoid
        >>> z = Value(0.5, "z")
        >>> first, *_, total = explain(sigmoid(z) ** 2, z).quiz()
        >>> total.check(0.2926), str(total.check(-0.2926)), str(total.check(1.0))
        (Verdict(right=True, message='right'), 'right but for the sign', 'wrong')
        """
        given, tolerance = _parsed(number), as_float(tolerance)
        if not tolerance >= 0.0:
            raise ValueError(f"tolerance is {tolerance}; give a number that is not negative, such as 5e-3")
        if _is_close(given, self.answer, tolerance):
            return Verdict(True, "right")
        for wrong, message in self.mistakes:
            if _is_close(given, wrong, tolerance):
                return Verdict(False, message)
        is_near = _is_close(given, self.answer, 4 * tolerance)
        return Verdict(False, "close, but carry more digits" if is_near else "wrong")


def _is_close(given: float, expected: float, tolerance: float) -> bool:
    if not isfinite(expected):
        return given == expected or (given != given and expected != expected)
    return abs(given - expected) <= tolerance * abs(expected)


def _parsed(number: Any) -> float:
    if not isinstance(number, str):
        return as_float(number)
    try:
        return float(number)
    except ValueError:
        raise ValueError(f"{number!r:.60} is not a number; give a decimal, such as 0.667 or 4.4e-4") from None


@dataclass(frozen=True, repr=False, eq=False)
class Quiz(Sequence[Question]):
    """The questions of a derivation, in order: every factor, every product, every sum.

    ``print(quiz)`` prints `sheet`, the exercise sheet.

    >>> from autograd import Value, explain
    >>> x = Value(2.0, "x")
    >>> print(explain((3 - x) ** 2, x).quiz())
    dy/dx = ____
    <BLANKLINE>
    Forward
      y = (3 - x)^2 = 1
      with x = 2
    <BLANKLINE>
    Backward
      1. dy/dx = -2 (3 - x) = ____
    """

    title: str
    questions: tuple[Question, ...]
    sheet: str

    def __getitem__(self, index: Any) -> Any:
        return self.questions[index]

    def __len__(self) -> int:
        return len(self.questions)

    def __repr__(self) -> str:
        return f"Quiz of {counted(len(self), 'question')} on {self.title}"

    def __str__(self) -> str:
        return self.sheet

    def check(self, question: int | Question, number: float | str, tolerance: float = 5e-3) -> Verdict:
        """The verdict on `number` as the answer to a question; give the question, or its number from 1.

        A ValueError if there is no such question.

        >>> from autograd import Value, explain
        >>> x = Value(2.0, "x")
        >>> quiz = explain((3 - x) ** 2, x).quiz()
        >>> print(quiz.check(1, 2.0))
        right but for the sign
        """
        if isinstance(question, Question):
            return question.check(number, tolerance)
        if isinstance(question, bool) or not isinstance(question, int) or not 1 <= question <= len(self):
            raise ValueError(f"question {question!r:.60}; give a question, or its number from 1 to {len(self)}")
        return self.questions[question - 1].check(number, tolerance)
