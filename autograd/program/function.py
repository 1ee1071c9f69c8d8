"""Functions of one example, written in scalars, compiled for batches."""

from __future__ import annotations

import builtins
import inspect
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, prod
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ..assigning import data_of, first_replaced, require_held
from ..collector import paused_collector
from ..derivation.notation import counted
from ..functions import is_index
from ..graph import topological_order
from ..nodes import WatchedValue, line_outside
from ..value import Value, add_to_grads
from .guards import Guards, Question, Recorder
from .helpers import HELPERS
from .outside import Outside
from .program import REDUCTIONS, Program, as_array, reduced
from .rows import Form, form_of_rows, row_of
from .trace import Trace, trace

BRANCHES = ("trace", "raise")
MANY_BRANCHES, MOST_BRANCHES, MOST_SHAPES = 8, 64, 64


class _Rows(NamedTuple):
    """The shapes of a row's arrays, and what holds the Values."""

    shapes: tuple[tuple[int, ...], ...]
    forms: tuple[Form, ...]


@dataclass(frozen=True, eq=False)
class _Branch:
    """What the function does wherever its questions have these answers."""

    program: Program
    guards: Guards | None
    answers: list[Any]
    constants: dict[Value, float]
    """Leaves from outside of the function, neither parameters nor inputs, and their data, which the program keeps."""

    @property
    def questions(self) -> Sequence[Question]:
        """What was asked."""
        return self.guards.questions if self.guards else ()

    def is_current(self) -> bool:
        same = all(leaf._number is data for leaf, data in self.constants.items())
        return same and first_replaced([*self.constants]) is None


@dataclass(frozen=True, eq=False)
class _Traced:
    output: Value
    graph: Trace
    inputs: list[Value]
    questions: list[Question]
    sides: list[Value]
    asked: list[Value]
    """Leaves, neither parameters nor inputs, that were asked for their numbers."""

    def leaves(self) -> list[Value]:
        """Those, and the leaves of the graph."""
        return [*self.asked, *(x for x in topological_order([self.output]) if x.op is None)]

    def does_the_same(self, other: _Traced) -> bool:
        x, y = self.graph, other.graph
        return (x.ops, x.operands, x.constants()) == (y.ops, y.operands, y.constants())

    def answers(self) -> list[Any]:
        return [(question.compare, question.answer, question.line) for question in self.questions]


class CompiledFunction:
    """A function of one example as a program for batches; what `compile` makes of a function.

    It is traced on its first call with arrays of new shapes.  Their leading axis is the batch, and the function gets a
    row of each as the eager function would: of an array an array (of objects, the Values), of a list what it holds:
    lists, tuples, arrays or numbers, which are Values.  The value is the mean over the rows (`reduction`: their sum or,
    with "none", each of them), and so is the gradient ("none" has none).  A row for which the function returns a plain
    number has gradient 0.

    What the function compares is checked again in every call, for every row: rows with other answers are run by a
    program of their own, traced for them, or, with ``branches="raise"``, are a RuntimeError that says which, and where.
    The eighth branch is a RuntimeWarning, the 65th an error.  Programs are kept for the 64 shapes that were used last.

    What the function reads from outside is looked at in every call, and when it has changed the function is traced
    again: its closure, its defaults, the globals that its code names, the attributes that it names of objects and
    modules among these, the items of containers, the numbers of arrays of up to 1,024, and the same for the functions
    that it finds there: 256 things in all, the nearest first; a container too long for that is noticed when it is
    replaced.  It does not notice what no name leads to, such as ``globals()``, files and the clock, nor a change inside
    an installed package.  Of a model of `nn` it notices new parameters, not a new activation or another number of
    layers.  Pass what changes often as an argument.

    A ValueError for arrays without rows, or of different numbers of them.  A TypeError, with the user's line, where a
    number is used in a way that would make it a constant of the program, also if the function catches the error; it may
    be read, passed on and printed, as ``<traced>``.  A TypeError for a function that draws random numbers.  The
    function runs twice or thrice for a trace, at other numbers.  ``print`` shows the programs so far.

    >>> from nn import Neuron, half_squared_error, tanh
    >>> neuron = Neuron(2, activation=tanh, seed=0)
    >>> from autograd import compile
    >>> loss = compile(lambda x, y: half_squared_error(neuron(x), y), neuron.parameters())
    >>> theta = [p.data for p in neuron.parameters()]
    >>> value, gradient = loss.value_and_grad(theta, [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], [0.0, 1.0, -1.0])
    >>> round(value, 6), gradient.round(6)
    (0.704172, array([0.000204, 0.122803, 0.122599]))
    """

    def __init__(
        self,
        function: Callable[..., Any],
        wrt: Sequence[Value],
        reduction: str = "mean",
        branches: str = "trace",
        dtype: str = "float64",
    ) -> None:
        for name, given, allowed in (("reduction", reduction, REDUCTIONS), ("branches", branches, BRANCHES)):
            if given not in allowed:
                raise ValueError(f"{name} is {given!r:.60}; give one of {', '.join(allowed)}")
        self.function, self.reduction, self.branches, self.dtype = function, reduction, branches, dtype
        self.wrt = list(wrt)
        self._compiled: dict[_Rows, list[_Branch]] = {}  # those used last at the end
        self._outside: Outside | None = None

    def __call__(self, *arrays: Any) -> Any:
        """The reduced value at the numbers that the parameters have now."""
        require_held(self.wrt, "the compiled function")
        return self.value(data_of(self.wrt), *arrays)

    def value(self, theta: Any, *arrays: Any) -> Any:
        """The reduced value, for `theta`, (P,), and arrays (B, ...): a float, or with "none" (B,), one for each row.

        Errors as for the class.
        """
        theta, x, kind = self._checked(theta, arrays)
        values = np.empty(len(x[0]), dtype=self.dtype)
        for rows, program in self._split(theta, x, kind):
            values[rows] = program.outputs(theta, *(a[rows] for a in x))[:, 0]
        return reduced(values, self.reduction)

    def value_and_grad(self, theta: Any, *arrays: Any) -> tuple[float, np.ndarray[Any, Any]]:
        """The reduced value, a float, and its gradient with respect to `theta`, (P,); arguments as for `value`.

        A ValueError if nothing is reduced.
        """
        theta, x, kind = self._checked(theta, arrays)
        total: Any = 0.0
        gradient: Any = 0.0
        for rows, program in self._in_order(theta, x, kind):
            if isinstance(rows, slice):  # all of them
                return program._gradient(theta, x)
            chosen = [a[rows] for a in x]
            value, slopes = program._gradient(theta, chosen)
            share = len(rows) / len(x[0]) if self.reduction == "mean" else 1.0
            with np.errstate(all="ignore"):
                total, gradient = total + share * value, gradient + share * slopes
        return total, gradient

    def backward(self, *arrays: Any) -> float:
        """Adds the gradient to the ``grad`` of the parameters, at the numbers that they have now; returns the value."""
        require_held(self.wrt, "the compiled function")
        value, gradient = self.value_and_grad(data_of(self.wrt), *arrays)
        add_to_grads(self.wrt, gradient.tolist())
        return value

    def program(self, *arrays: Any) -> Program:
        """The program that runs for arrays of these shapes, or, of several branches, for their first row."""
        theta, x, kind = self._checked(data_of(self.wrt), arrays)
        return next(self._split(theta, [a[:1] for a in x], kind))[1]

    def source(self, *arrays: Any) -> str:
        """The source of that program."""
        return self.program(*arrays).source

    def __str__(self) -> str:
        """Every program so far, and of which rows it is."""
        found = [repr(self)]
        for rows, branches in self._compiled.items():
            for branch in branches:
                asked = "\n  ".join(dict.fromkeys(["", *map(str, branch.questions)]))
                found.append(f"for rows of shapes {', '.join(map(str, rows.shapes))}{asked}\n{branch.program}")
        return "\n\n".join(found)

    def __repr__(self) -> str:
        programs = sum(map(len, self._compiled.values()))
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        return (
            f"CompiledFunction {name} of {counted(len(self.wrt), 'parameter')}, {counted(programs, 'program')} so far"
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError("a compiled function knows its parameters by identity; pickle its program(*arrays) instead")

    # ---- Branches ----

    def _checked(self, theta: Any, given: Sequence[Any]) -> tuple[Any, list[Any], _Rows]:
        theta, arrays = as_array("theta", theta, self.dtype), [as_array("an input", a, self.dtype) for a in given]
        if theta.shape != (len(self.wrt),):
            raise ValueError(f"theta has shape {theta.shape}; give ({len(self.wrt)},): a number for each parameter")
        counts = [len(a) if a.ndim else -1 for a in arrays]
        if not counts or min(counts) < 1 or len({*counts}) > 1:
            shapes = f"arrays of shapes {', '.join(str(a.shape) for a in arrays) or 'none'}"
            if not counts or min(counts) < 0:
                raise ValueError(f"{shapes}; give at least one, each with a row for every example, [x] for one example")
            raise ValueError(f"{shapes}: rows of {counts} examples; give as many in each, at least one")
        return theta, arrays, _Rows(tuple([a.shape[1:] for a in arrays]), tuple(map(form_of_rows, given)))

    def _in_order(self, theta: Any, arrays: list[Any], kind: _Rows) -> list[tuple[Any, Program]]:
        """The pieces of `_split` by their first row: the same sums in whichever order the branches were met."""
        pieces = self._split(theta, arrays, kind)
        return sorted(pieces, key=lambda piece: 0 if isinstance(piece[0], slice) else piece[0][0])

    def _split(self, theta: Any, arrays: list[Any], kind: _Rows) -> Iterator[tuple[Any, Program]]:
        """Which rows are run by which program; those that no program is for are traced."""
        found = self._current(kind)
        if found and found[0].guards is None:
            yield slice(None), found[0].program
            return
        left, waiting = np.arange(len(arrays[0])), list(found)
        for _ in range(MOST_BRANCHES):
            if waiting:
                branch = waiting.pop(0)
                held = self._held(branch, theta, [a[left] for a in arrays])
            else:
                branch = self._compile(kind, theta, [a[left[0]] for a in arrays])
                if all(other.answers != branch.answers for other in found):
                    found.append(branch)
                    if len(found) == MANY_BRANCHES:
                        self._warn_of_many(found)
                held = self._held(branch, theta, [a[left] for a in arrays])
                held[0] = True  # it was traced for this row, whatever rounding makes of it
            if held.all() and len(left) == len(arrays[0]):
                yield slice(None), branch.program
                return
            if held.any():
                yield left[held], branch.program
            left = left[~held]
            if not len(left):
                return
            if self.branches == "raise":
                missed = found[0].guards.first_missed(theta, [a[left[:1]] for a in arrays])  # type: ignore[union-attr]
                raise RuntimeError(
                    f"row {left[0]} takes another branch than the one compiled for: {missed}; choose with where, or "
                    'compile with branches="trace", which traces such rows'
                )
        last = branch.questions[-1].line  # there is one: without, it would hold for every row
        raise RuntimeError(
            f"the rows take more than {MOST_BRANCHES} branches, each a program of its own; choose with where, maximum "
            f"or select instead of comparing numbers, as at {last}"
        )

    def _current(self, kind: _Rows) -> list[_Branch]:
        """The branches of such rows that still hold; what the function reads from outside may have changed."""
        if self._outside is None or not self._outside.is_same():
            self._compiled.clear()
        found = self._compiled[kind] = [branch for branch in self._compiled.pop(kind, []) if branch.is_current()]
        if len(self._compiled) > MOST_SHAPES:
            self._compiled.pop(next(iter(self._compiled)), None)
        return found

    def _warn_of_many(self, found: Sequence[_Branch]) -> None:
        asked = Counter(branch.questions[-1].line for branch in found)  # each has one, or it would hold for every row
        file, _, number = line_outside().rpartition(":")
        warnings.warn_explicit(
            f"{_where(self.function)} takes {len(found)} branches so far, each traced and compiled by itself, and may "
            f"take {MOST_BRANCHES}; choose with where, maximum or select instead of comparing numbers, as at "
            f"{', '.join(line for line, _ in asked.most_common(3))}",
            RuntimeWarning,
            file,
            int(number),
        )

    @staticmethod
    def _held(branch: _Branch, theta: Any, arrays: Sequence[Any]) -> Any:
        if branch.guards is None:
            return np.ones(len(arrays[0]), dtype=bool)
        return np.array(branch.guards.hold(theta, arrays))

    def _compile(self, kind: _Rows, theta: Any, sample: Sequence[Any]) -> _Branch:
        numbers = np.concatenate([a.ravel() for a in sample]).tolist()
        require_held(self.wrt, "the compiled function")
        outside = Outside(self.function)
        before = outside.random_state()
        with paused_collector():
            traced = self._traced(kind, theta, numbers)
            again = self._traced_elsewhere(kind, theta, numbers, traced)
        drew = outside.random_state() != before
        if drew or not traced.does_the_same(again):
            raise TypeError(
                f"{_where(self.function)} {'draws random numbers' if drew else 'does something else every time'}; "
                "compile repeats one computation for every row: compute with the Values, and draw at random outside"
            )
        self._outside = Outside(self.function)  # as the function leaves it: it may count its calls
        names = dict(zip(_names(self.function, len(kind.shapes)), kind.shapes))
        program = Program(traced.graph, names, batch=True, reduction=self.reduction, dtype=self.dtype, wrt=self.wrt)
        guards = Guards(traced.questions, traced.sides, self.wrt, traced.inputs, names) if traced.questions else None
        constants = {*traced.leaves()} & {*again.leaves()} - {*self.wrt}  # each trace has inputs and leaves of its own
        return _Branch(program, guards, traced.answers(), {x: x._number for x in constants})

    def _traced_elsewhere(self, kind: _Rows, theta: Any, numbers: Sequence[float], traced: _Traced) -> _Traced:
        """A second trace, for other numbers that give the same answers, or, if none do, for the same."""
        asked = zip(traced.questions, traced.sides[::2])
        indexes = [index for question, index in asked if question.compare is is_index]
        fixed = {*topological_order(indexes)}
        for step in (0.7, 1e-3):
            others = _others(numbers, step)
            others = [x if leaf in fixed else other for leaf, x, other in zip(traced.inputs, numbers, others)]
            try:
                found = self._traced(kind, np.array(_others(theta.tolist(), step)), others)
            except Exception:  # the function may refuse numbers; those of the sample it did not
                continue
            if found.answers() == traced.answers():
                return found
        return self._traced(kind, theta, numbers)

    def _traced(self, kind: _Rows, theta: Any, numbers: Sequence[float]) -> _Traced:
        inputs: list[Value] = [WatchedValue(x) for x in numbers]
        arguments, start = [], 0
        for shape, form in zip(kind.shapes, kind.forms):
            arguments.append(row_of(inputs[start : start + prod(shape)], shape, form))
            start += prod(shape)
        recorder = Recorder(dict(zip(self.wrt, theta.tolist())), dict(zip(inputs, numbers)))
        output = recorder.run(self.function, arguments)
        graph = trace([output], self.wrt, inputs)
        return _Traced(output, graph, inputs, recorder.questions, recorder.sides, [*recorder.constants])


def _where(function: Callable[..., Any]) -> str:
    """The name of a function, and where it is written."""
    name, code = getattr(function, "__qualname__", type(function).__name__), getattr(function, "__code__", None)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else name


def _others(numbers: Sequence[float], step: float) -> list[float]:
    """Other numbers, some `step` away."""
    return [x + step * (1.0 + i / len(numbers)) if isfinite(x) else 0.5 for i, x in enumerate(numbers)]


def _names(function: Callable[..., Any], count: int) -> list[str]:
    """The names of the arguments, as the source calls the arrays, where it does not use them otherwise."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = []
    taken = re.compile(r"theta|np|math|n|g|d\w+|[zavpwuWbci]\d+|" + "|".join(HELPERS))
    fit = len(names) == count and not any(taken.fullmatch(name) or hasattr(builtins, name) for name in names)
    return names if fit else [f"x{i + 1}" for i in range(count)]
