"""`gradcheck` and `check_gradients`: the derivatives of the engine, held against a bench of independent oracles.

The oracles (`oracles`, `differences`) share no derivative rule with the engine, and each estimates its own error.  The
rounding of the engine is estimated, too (`rounding`).  So you need not choose a tolerance: two numbers agree if they
differ by no more than their errors (`verdict`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from math import nan
from numbers import Real
from typing import Any

import numpy as np

from ..assigning import data_of
from ..derivatives import gradients
from ..functional import Structure
from ..graph import require_value, topological_order
from ..program import CompiledFunction, Program
from ..recording import enable_grad
from ..value import Value
from .bench import Case, report
from .estimates import Array
from .problem import Problem
from .verdict import Report


def gradcheck(function: Callable[..., Any], *args: Any, order: int = 1, oracles: Iterable[str] | None = None) -> Report:
    """A report on the derivatives of ``function(*args)`` by every number in `args`, from independent oracles.

    `args` are numbers, arrays, and structures of them, as for `autograd.grad`.  The function must return one number.
    With ``order=2``, second derivatives are checked, too: n^2 of them for n numbers.  `oracles` are names of
    `ORACLES`.  By default, all that apply are asked; the slow ones are asked about small graphs only:

    - differences: extrapolated differences of `function` itself, with an error bar of their own;
    - taylor: the power of h with which Taylor's remainder of `function` vanishes: 2 if the derivative is right;
    - dual: forward mode by dual numbers that see kinks from either side;
    - complex: the complex step, exact to rounding;
    - rational: exact fractions, for graphs of + - * / and comparisons only;
    - mpmath: differences with a hundred digits (``pip install mpmath``).

    If `function` was compiled by `autograd.compile`, `args` are arrays of examples as it takes them.  The gradient of
    the program by its parameters is checked, also against the eager one.

    A TypeError if an argument is not a real number, or the result is not a Value.  A ValueError if the function returns
    something else when it is called again, if `order` is neither 1 nor 2, or if an oracle is unknown.

    >>> print(gradcheck(lambda x, y: x * y + y, 2.0, 3.0, oracles=["differences", "rational"]))
    x = 2: pass; engine 3; differences 3 +- ...; also rational
    y = 3: pass; engine 3; differences 3 +- ...; also rational
    >>> print(gradcheck(abs, 0.0, oracles=["dual"]))
    x = 0: at a kink
      engine      0
      dual        -1 from the left, 1 from the right, 0 by the rules: at a kink
    """
    if isinstance(function, Program):
        hint = "write check_gradients(loss, parameters, compiled=program)"
        raise TypeError(f"a Program has no graph to check it against; {hint}")
    if isinstance(function, CompiledFunction):
        return report(_case_of_function(function, args), order, oracles)
    structure = Structure(args)
    names = _names(function, args)

    @enable_grad()
    def recorded(numbers: Sequence[float]) -> tuple[Value, list[Value]]:
        leaves = [Value(x, name) for x, name in zip(numbers, names)]
        output = function(*structure.build(leaves))
        if isinstance(output, (Real, np.generic)):  # a constant
            output = Value(output)
        require_value(output, "gradcheck takes a function whose result is one number")
        return output, leaves

    @enable_grad()  # so that it computes the same as `recorded`: inside no_grad, verbs return numbers
    def value(numbers: Sequence[float]) -> float:
        try:
            result = function(*structure.build(map(Value, numbers)))
        except (ArithmeticError, ValueError):  # outside of its domain
            return nan
        return result.data if isinstance(result, Value) else float(result)

    def values(index: int, xs: Array) -> Array:
        return np.array([value(moved) for moved in _moved(point, index, xs)])

    def slopes(first: int, index: int, xs: Array) -> Array:
        graphs = (recorded(moved) for moved in _moved(point, index, xs))
        return np.array([gradients(output, [leaves[first]])[0] for output, leaves in graphs])

    point = [x.data if isinstance(x, Value) else float(x) for x in structure.scalars]
    if not point:
        raise TypeError("gradcheck of a function without arguments; give the numbers to differentiate with respect to")
    output, leaves = recorded(point)
    first, again = output.data, values(0, np.array(point[:1]))[0]
    if first != again and first == first:
        raise ValueError(f"the function returned {first!r} and then {again!r} for the same numbers; make it repeatable")
    return report(Case(Problem(output, tuple(leaves)), values, slopes), order, oracles)


def check_gradients(
    output: Value,
    leaves: Sequence[Value],
    *,
    order: int = 1,
    oracles: Iterable[str] | None = None,
    compiled: Program | None = None,
) -> Report:
    """A report on the derivatives of a graph by `leaves`, from independent oracles, which compute the graph anew.

    `order` and `oracles` are those of `gradcheck`.  A detached node keeps its number, and the
    numbers are those that the forward pass saw.  With `compiled`, a program that `autograd.compile` made of this
    graph, the gradient of the program is checked instead, also against the engine's.

    A TypeError for anything that is not a Value.  A ValueError if data were changed while the graph was built, if a
    leaf was computed from another, or if one is not a parameter of the program.

    >>> w = Value(0.5, "w")
    >>> print(check_gradients((w * 3).tanh(), [w], oracles=["complex"]))
    w = 0.5: pass; engine 0.542119916...; complex 0.542119916...
    """
    hint = "check_gradients(output, leaves) takes Values"
    if isinstance(leaves, Value):
        raise TypeError("leaves is one Value; give a list of them: check_gradients(output, [x])")
    leaves = list(dict.fromkeys(leaves))
    if not leaves:
        raise ValueError("check_gradients with respect to no leaves; give at least one Value")
    if compiled is not None and not isinstance(compiled, Program):
        raise TypeError(f"compiled is a {type(compiled).__name__}; give the Program that compile(output, ...) returned")
    for x in (output, *leaves):
        require_value(x, hint)
    below = topological_order(y for x in leaves for y in x.inputs if isinstance(y, Value))
    for x in set(leaves).intersection(below):
        raise ValueError(f"another of the leaves was computed from {x!r:.60}; check them in two calls")
    problem = Problem(output, tuple(leaves))
    case = Case(problem, problem.along) if compiled is None else _case_of_program(problem, compiled)
    return report(case, order, oracles)


def _case_of_program(problem: Problem, program: Program) -> Case:
    """A program of a graph, at the numbers that the graph saw."""
    places = {x: i for i, x in enumerate(program.wrt)}
    for x in problem.leaves:
        if x not in places:
            raise ValueError(f"{x!r:.60} is not a parameter of the program; compile with it in wrt")
    seen = {**problem.seen, **dict(zip(problem.leaves, problem.point))}
    params, inputs = (np.array([seen.get(x, x.data) for x in values]) for values in (program.wrt, program.inputs))
    arrays = [inputs] if program.inputs else []
    return _case_of_compiled(problem, program, params, arrays, [places[x] for x in problem.leaves])


def _case_of_function(function: CompiledFunction, arrays: Sequence[Any]) -> Case:
    """A compiled function of arrays of examples, and the graph of all of these."""
    params = np.array(data_of(function.wrt))
    function.value_and_grad(params, *arrays)  # raises its own errors for arrays that it cannot take
    rows = list(zip(*(x if isinstance(x, (list, tuple)) else np.asarray(x, dtype=float) for x in arrays)))
    output = sum(function.function(*row) for row in rows) * (1 / len(rows) if function.reduction == "mean" else 1.0)
    problem = Problem(output, tuple(function.wrt))
    return _case_of_compiled(problem, function, params, arrays, range(len(params)))


def _case_of_compiled(
    problem: Problem,
    compiled: Program | CompiledFunction,
    params: Array,
    arrays: Sequence[Any],
    places: Sequence[int],
) -> Case:
    """A program, whose parameter at each of `places` is a leaf of the problem."""

    def values(index: int, xs: Array) -> Array:
        return np.array([compiled.value(np.array(moved), *arrays) for moved in _moved(params, places[index], xs)])

    gradient = compiled.value_and_grad(params, *arrays)[1]
    return Case(problem, values, compiled=[float(gradient[place]) for place in places])


def _moved(point: Sequence[float] | Array, index: int, xs: Array) -> Iterable[list[float]]:
    """The point, with each of `xs` in turn in place of the number at `index`."""
    return ([*point[:index], float(x), *point[index + 1 :]] for x in xs)


def _names(function: Callable[..., Any], args: Sequence[Any]) -> list[str]:
    """A name for each number in `args`: its parameter, and its place inside that argument."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    found = []
    for i, arg in enumerate(args):
        name = names[i] if i < len(names) else f"x{i + 1}"
        found += [f"{name}{place}" for place in Structure(arg).places()]
    return found
