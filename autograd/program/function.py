"""`CompiledFunction`: a function of one example, written in scalars, as programs for batches."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any, NoReturn

import numpy as np

from ..assigning import data_of, first_replaced, require_held
from ..derivation.notation import counted
from ..graph import add_to_grads
from ..nodes import line_outside
from ..value import Value
from .forms import form_of_rows
from .guards import Comparison, Guards
from .outside import Outside
from .program import REDUCTIONS, Program, as_array, as_theta, reduced, require_rows
from .tracer import Signature, Tracer, names_of_arguments, where_written

BRANCHES = ("trace", "raise")
MANY_BRANCHES, MOST_BRANCHES, MOST_SHAPES = 8, 64, 64


@dataclass(frozen=True, eq=False)
class _Branch:
    """A branch of the function: its program for all rows whose comparisons have these answers."""

    program: Program
    guards: Guards | None
    answers: list[Any]
    constants: dict[Value, float]
    """The data of the leaves outside of the function that are neither parameters nor inputs; the program keeps them."""

    @property
    def comparisons(self) -> Sequence[Comparison]:
        """What was compared."""
        return self.guards.comparisons if self.guards else ()

    def is_current(self) -> bool:
        """Whether all constants are as they were: none was assigned to, or replaced in its model.

        Data are unchanged if they are the same objects.  This is quick, and right for NaN.  If an equal number was
        assigned, the function is traced once more, which does no harm.
        """
        unchanged = all(map(is_, data_of(self.constants), self.constants.values()))
        return unchanged and first_replaced([*self.constants]) is None

    def holds(self, theta: Any, arrays: Sequence[Any]) -> Any:
        """For each row, whether it takes this branch: an array of bools."""
        if self.guards is None:
            return np.ones(len(arrays[0]), dtype=bool)
        return np.array(self.guards.hold(theta, arrays))


class CompiledFunction:
    """A function of one example as programs for batches; `compile` makes it.

    The leading axis of the arrays is the batch.  The function gets one row of each, as the eager function would.  A row
    of an array is an object array of Values.  A row of a list is an item of it (a list, tuple, array or number), with
    its numbers as Values.  `reduction` says whether the value and the gradient are the mean over the rows or their sum;
    with "none" there is a value for each row, and no gradient.  If the function returns a plain number for a row, the
    gradient of that row is 0.

    The first call with arrays of new shapes traces the function: it runs two or three times, at different numbers.  The
    programs for the last 64 shapes are kept, and ``print`` shows them.

    Each call repeats the comparisons of the function, for every row.  For rows with other answers, the function is
    traced again and gets another program.  With ``branches="raise"`` they are a RuntimeError that names the row and the
    line.  The eighth branch gives a RuntimeWarning, the 65th a RuntimeError.

    Each call also looks at what the function reads from outside, and traces it again if that has changed.  It looks at
    the closure, the defaults, the globals that the code names, the attributes that it names of objects and modules
    among these, the items of containers, and the numbers of arrays of up to 1,024.  It does the same for the functions
    that it finds there: 256 things in all, the nearest first.  It does not look into longer containers, but notices a
    new one.
    It does not notice anything without a name in the code, such as ``globals()``, files and the clock, or a change
    inside an installed package.  In a model of `nn` it notices new parameters, but not a new activation or another
    number of layers.  If something changes often, pass it as an argument.

    A ValueError for arrays without rows, or with different numbers of rows.  A TypeError for a function that draws
    random numbers.  A TypeError that names the user's line if a number is used in a way that would make it a constant
    of the program, even if the function catches the error.  A number may be passed on and printed, as ``<traced>``.

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
        self._compiled: dict[Signature, list[_Branch]] = {}  # in the order of their last use
        self._outside: Outside | None = None

    def __call__(self, *arrays: Any) -> Any:
        """The reduced value at the present ``data`` of the parameters."""
        require_held(self.wrt, "the compiled function")
        return self.value(data_of(self.wrt), *arrays)

    def value(self, theta: Any, *arrays: Any) -> Any:
        """The reduced value for `theta`, (P,), and arrays (B, ...): a float, or with "none" (B,), one for each row.

        The errors are those of the class.
        """
        theta, x, signature = self._checked(theta, arrays)
        values = np.empty(len(x[0]), dtype=self.dtype)
        for rows, program in self._split(theta, x, signature):
            values[rows] = program.outputs(theta, *(a[rows] for a in x))[:, 0]
        return reduced(values, self.reduction)

    def value_and_grad(self, theta: Any, *arrays: Any) -> tuple[float, np.ndarray[Any, Any]]:
        """The reduced value, a float, and its gradient with respect to `theta`, (P,); the arguments are as for `value`.

        A ValueError if the reduction is "none".
        """
        theta, x, signature = self._checked(theta, arrays)
        total: Any = 0.0
        gradient: Any = 0.0
        for rows, program in self._in_order(theta, x, signature):
            if rows is _ALL:
                return program._gradient(theta, x)
            chosen = [a[rows] for a in x]
            value, slopes = program._gradient(theta, chosen)
            share = len(rows) / len(x[0]) if self.reduction == "mean" else 1.0
            with np.errstate(all="ignore"):
                total, gradient = total + share * value, gradient + share * slopes
        return total, gradient

    def backward(self, *arrays: Any) -> float:
        """Adds the gradient to the ``grad`` of the parameters, at their present ``data``; returns the value."""
        require_held(self.wrt, "the compiled function")
        value, gradient = self.value_and_grad(data_of(self.wrt), *arrays)
        add_to_grads(self.wrt, gradient.tolist())
        return value

    def program(self, *arrays: Any) -> Program:
        """The program that runs for arrays of these shapes; if it has several branches, the one for the first row."""
        theta, x, signature = self._checked(data_of(self.wrt), arrays)
        return next(self._split(theta, [a[:1] for a in x], signature))[1]

    def source(self, *arrays: Any) -> str:
        """The source of that program."""
        return self.program(*arrays).source

    def __str__(self) -> str:
        """Every program so far, and its rows."""
        found = [repr(self)]
        for signature, branches in self._compiled.items():
            for branch in branches:
                asked = "\n  ".join(dict.fromkeys(["", *map(str, branch.comparisons)]))
                found.append(f"for rows of shapes {', '.join(map(str, signature.shapes))}{asked}\n{branch.program}")
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

    def _checked(self, theta: Any, given: Sequence[Any]) -> tuple[Any, list[Any], Signature]:
        """`theta` and the arguments as arrays, and the signature of the call, or a ValueError."""
        theta, arrays = as_theta(theta, len(self.wrt), self.dtype), [as_array("an input", a, self.dtype) for a in given]
        require_rows(arrays)
        return theta, arrays, Signature(tuple([a.shape[1:] for a in arrays]), tuple(map(form_of_rows, given)))

    def _in_order(self, theta: Any, arrays: list[Any], signature: Signature) -> list[tuple[Any, Program]]:
        """The pieces of `_split` by their first rows, so that sums do not depend on the order of the branches."""
        return sorted(self._split(theta, arrays, signature), key=lambda piece: 0 if piece[0] is _ALL else piece[0][0])

    def _split(self, theta: Any, arrays: list[Any], signature: Signature) -> Iterator[tuple[Any, Program]]:
        """Which rows run in which program: `_ALL`, or an array of their numbers.  Rows without a program are traced."""
        branches = self._current(signature)
        if branches and branches[0].guards is None:
            yield _ALL, branches[0].program
            return
        left, known = np.arange(len(arrays[0])), iter([*branches])
        for _ in range(MOST_BRANCHES):
            x = [a[left] for a in arrays]
            branch = next(known, None)
            is_new = branch is None
            if branch is None:
                branch = self._trace(signature, theta, [a[0] for a in x])
                if all(other.answers != branch.answers for other in branches):
                    branches.append(branch)
                    if len(branches) == MANY_BRANCHES:
                        self._warn_of_many(branches)
            held = branch.holds(theta, x)
            if is_new:
                held[0] = True  # it was traced for this row, even if rounding makes its guards say otherwise
            if held.all() and len(left) == len(arrays[0]):
                yield _ALL, branch.program
                return
            if held.any():
                yield left[held], branch.program
            left = left[~held]
            if not len(left):
                return
            last = branch.comparisons[-1].line  # there is one: a branch without comparisons holds for every row
            if self.branches == "raise":
                row = [a[left[:1]] for a in arrays]
                missed = branches[0].guards.first_missed(theta, row)  # type: ignore[union-attr]  # else it held
                raise RuntimeError(
                    f"row {left[0]} takes another branch than the one compiled for: {missed}; choose with where, or "
                    'compile with branches="trace", which traces such rows'
                )
        raise RuntimeError(
            f"the rows take more than {MOST_BRANCHES} branches, each a program of its own; choose with where, maximum "
            f"or select instead of comparing numbers, as at {last}"
        )

    def _current(self, signature: Signature) -> list[_Branch]:
        """The branches for this signature that still hold, although what the function reads may have changed."""
        if self._outside is None or not self._outside.is_same():
            self._compiled.clear()
        branches = [branch for branch in self._compiled.pop(signature, []) if branch.is_current()]
        self._compiled[signature] = branches
        if len(self._compiled) > MOST_SHAPES:
            self._compiled.pop(next(iter(self._compiled)), None)
        return branches

    def _warn_of_many(self, branches: Sequence[_Branch]) -> None:
        lines = Counter(branch.comparisons[-1].line for branch in branches)
        file, _, number = line_outside().rpartition(":")
        warnings.warn_explicit(
            f"{where_written(self.function)} takes {len(branches)} branches so far, each traced and compiled by "
            f"itself, and may take {MOST_BRANCHES}; choose with where, maximum or select instead of comparing "
            f"numbers, as at {', '.join(line for line, _ in lines.most_common(3))}",
            RuntimeWarning,
            file,
            int(number),
        )

    def _trace(self, signature: Signature, theta: Any, sample: Sequence[Any]) -> _Branch:
        """The branch that this row takes, traced and compiled."""
        require_held(self.wrt, "the compiled function")
        numbers = np.concatenate([a.ravel() for a in sample]).tolist()
        first, second = Tracer(self.function, self.wrt).run_twice(signature, theta, numbers)
        self._outside = Outside(self.function)  # what it reads now: the runs may have counted something
        shapes = dict(zip(names_of_arguments(self.function, len(signature.shapes)), signature.shapes))
        program = Program(first.tape, shapes, batch=True, reduction=self.reduction, dtype=self.dtype, wrt=self.wrt)
        guards = Guards(first.comparisons, first.sides, self.wrt, first.inputs, shapes) if first.comparisons else None
        # Leaves that both runs share come from outside; the inputs, and leaves made on the way, are each run's own.
        constants = list({*first.leaves()} & {*second.leaves()} - {*self.wrt})
        return _Branch(program, guards, first.answers(), dict(zip(constants, data_of(constants))))


_ALL = slice(None)
"""Stands for all rows."""
