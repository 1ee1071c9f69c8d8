"""`gradcheck` and `check_gradients`: the engine's derivatives before a bench of independent oracles.

The oracles (`oracles`, `differences`) share no derivative rule with the engine, and each brings an estimate of its own
error.  The engine's own rounding is estimated, too (`rounding`).  So no tolerance is asked of anybody: two numbers
agree if they differ by no more than their errors (`verdict`).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib.util import find_spec
from math import isfinite, nan
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
from tqdm import tqdm

from ..assigning import data_of
from ..functional import Structure
from ..graph import gradients, number_of_node, topological_order
from ..program import CompiledFunction, Program
from ..recording import enable_grad
from ..value import Value, require_value
from . import oracles as bench
from .differences import differences, remainder
from .estimates import NOTHING, Array, Estimate, Evidence, Sides
from .problem import Problem
from .rounding import ROUNDING, Engine, engine_estimates, slopes_along
from .textbook import DeclinedError
from .verdict import BY_VALUES, Finding, Report, Row, judge, judge_remainder

SMALL = 20_000
"""Up to so many nodes times leaves, oracles are asked that take long: fractions and mpmath."""

_SLOW = ("rational", "mpmath")

_ON_GRAPHS: dict[str, Callable[..., list[Evidence]]] = {
    "dual": bench.dual,
    "complex": bench.complex_step,
    "rational": bench.rational,
    "mpmath": bench.many_digits,
}
ORACLES = (*BY_VALUES, *_ON_GRAPHS)
"""The names of the oracles, for ``oracles=[...]``."""

_Curves: TypeAlias = "Callable[[int, Array], Array]"


# ---- The verbs ------------------------------------------------------------------------------------------------------


def gradcheck(function: Callable[..., Any], *args: Any, order: int = 1, oracles: Iterable[str] | None = None) -> Report:
    """The derivatives of ``function(*args)`` by every number in `args`, before independent oracles.

    `args` are numbers, arrays, and structures of them, as `autograd.grad` takes; the result is one number.  With
    ``order=2`` second derivatives are checked as well, n^2 of n numbers.  `oracles` are names out of `ORACLES`; without
    them all are asked that apply, the slow ones of small graphs only:

    - differences: extrapolated differences of `function` itself, with an error bar of their own;
    - taylor: the power of h with which Taylor's remainder of `function` vanishes: 2 for a right derivative;
    - dual: forward mode by dual numbers that see kinks from either side;
    - complex: the complex step, to rounding;
    - rational: exact fractions, where only + - * / and comparisons are used;
    - mpmath: differences with a hundred digits (``pip install mpmath``).

    Of a function compiled by `autograd.compile` the program's gradient by its parameters is checked, for arrays of
    examples as it takes them, also against the eager one.

    A TypeError for an argument that is no real number, or a result that is no Value; a ValueError for a function that
    returns something else the second time, another order, or an unknown oracle.

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
        raise TypeError(f"a Program has no graph to be held against; {hint}")
    if isinstance(function, CompiledFunction):
        return _check_compiled_function(function, args, order, oracles)
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

    @enable_grad()  # so that it computes what `recorded` does: in no_grad, verbs give numbers
    def value(numbers: Sequence[float]) -> float:
        try:
            result = function(*structure.build(map(Value, numbers)))
        except (ArithmeticError, ValueError):  # beyond its domain
            return nan
        return result.data if isinstance(result, Value) else float(result)

    def along(index: int, xs: Array) -> Array:
        return np.array([value(moved) for moved in _moved(point, index, xs)])

    def slopes(first: int, index: int, xs: Array) -> Array:
        graphs = (recorded(moved) for moved in _moved(point, index, xs))
        return np.array([gradients(output, [leaves[first]])[0] for output, leaves in graphs])

    point = [x.data if isinstance(x, Value) else float(x) for x in structure.scalars]
    if not point:
        raise TypeError("gradcheck of a function without arguments; give the numbers to differentiate with respect to")
    output, leaves = recorded(point)
    first, again = output.data, along(0, np.array(point[:1]))[0]
    if first != again and first == first:
        raise ValueError(f"the function returned {first!r} and then {again!r} for the same numbers; make it repeatable")
    return _report(Problem(output, tuple(leaves)), order, oracles, along, slopes)


def check_gradients(
    output: Value,
    leaves: Sequence[Value],
    *,
    order: int = 1,
    oracles: Iterable[str] | None = None,
    compiled: Program | None = None,
) -> Report:
    """The derivatives of a graph by `leaves`, before independent oracles, which compute the graph anew.

    `order` and `oracles` are those of `gradcheck`.  What is detached keeps its number, as its derivative has it, and
    the numbers are those that the forward pass saw.  With `compiled`, a program that `autograd.compile` made of this
    graph, the program's gradient is checked instead, also against the engine's.

    A TypeError for what is not a Value; a ValueError for a graph whose data were changed while it was built, a leaf
    that was computed from another, or one that is no parameter of the program.

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
        raise TypeError(f"compiled is a {type(compiled).__name__}; give what compile(output, leaves) returned")
    for x in (output, *leaves):
        require_value(x, hint)
    below = topological_order(y for x in leaves for y in x.inputs if isinstance(y, Value))
    for x in set(leaves).intersection(below):
        raise ValueError(f"from {x!r:.60} another of the leaves was computed; check them in two calls")
    problem = Problem(output, tuple(leaves))
    if compiled is None:
        return _report(problem, order, oracles, problem.along)
    places = {x: i for i, x in enumerate(compiled.wrt)}
    for x in leaves:
        if x not in places:
            raise ValueError(f"{x!r:.60} is no parameter of the program; compile with it in wrt")
    numbers = {**problem.seen, **dict(zip(leaves, problem.point))}
    theta, inputs = (np.array([numbers.get(x, x.data) for x in values]) for values in (compiled.wrt, compiled.inputs))
    arrays = [inputs] if compiled.inputs else []
    return _report_of_compiled(problem, order, oracles, compiled, theta, arrays, [places[x] for x in leaves])


def _check_compiled_function(
    function: CompiledFunction, arrays: Sequence[Any], order: int, oracles: Iterable[str] | None
) -> Report:
    theta = np.array(data_of(function.wrt))
    function.value_and_grad(theta, *arrays)  # its own errors, for arrays that it cannot take
    rows = list(zip(*(x if isinstance(x, (list, tuple)) else np.asarray(x, dtype=float) for x in arrays)))
    output = sum(function.function(*row) for row in rows) * (1 / len(rows) if function.reduction == "mean" else 1.0)
    problem = Problem(output, tuple(function.wrt))
    return _report_of_compiled(problem, order, oracles, function, theta, arrays, range(len(theta)))


def _report_of_compiled(
    problem: Problem,
    order: int,
    oracles: Iterable[str] | None,
    compiled: Program | CompiledFunction,
    theta: Array,
    inputs: Sequence[Any],
    places: Sequence[int],
) -> Report:
    if order != 1:
        raise ValueError("a program has first derivatives only; give order=1")

    def along(index: int, xs: Array) -> Array:
        return np.array([compiled.value(np.array(moved), *inputs) for moved in _moved(theta, places[index], xs)])

    gradient = compiled.value_and_grad(theta, *inputs)[1]
    found = [float(gradient[place]) for place in places]
    return _report(problem, order, oracles, along, compiled=found)


# ---- How it is found ------------------------------------------------------------------------------------------------


def _report(
    problem: Problem,
    order: int,
    oracles: Iterable[str] | None,
    along: _Curves,
    slopes: Callable[[int, int, Array], Array] | None = None,
    compiled: Sequence[float] | None = None,
) -> Report:
    def is_cut(index: int) -> bool:
        return not _same_curve(problem, along, index, engine[index].noise)

    if order not in (1, 2):
        raise ValueError(f"order is {order!r:.60}; give 1, or 2 for second derivatives as well")
    asked = _asked(oracles, problem)
    engine = engine_estimates(problem)
    declined: dict[str, str] = {}
    rows = _rows(problem, asked, engine, along, declined, compiled=compiled, is_cut=is_cut)
    if order == 2:
        recorded = gradients(problem.output, problem.leaves, create_graph=True)
        for first, slope in enumerate(recorded):
            graph = Problem(slope, problem.leaves)
            curves = partial(slopes or partial(slopes_along, problem), first)
            rows += _rows(problem, asked, engine_estimates(graph), curves, declined, first, is_cut=is_cut)
    return Report(tuple(rows), tuple(declined.values()))


def _rows(
    problem: Problem,
    asked: Sequence[str],
    engine: Sequence[Engine],
    along: _Curves,
    declined: dict[str, str],
    second: int | None = None,
    compiled: Sequence[float] | None = None,
    is_cut: Callable[[int], bool] = lambda i: False,
) -> list[Row]:
    evidence = {}
    for name in asked:
        if name in _ON_GRAPHS:
            try:
                _require_finite(problem)
                evidence[name] = _ON_GRAPHS[name](problem, second)
            except DeclinedError as reason:
                declined[name] = f"{name}: {reason}"
    names = [leaf.label or f"input {i}" for i, leaf in enumerate(problem.leaves)]
    point, rows = problem.point, []
    for i in tqdm(range(len(point)), desc="checking", delay=2.0, leave=False, file=sys.stderr):
        answer = engine[i] if compiled is None else engine[i].says(compiled[i])
        findings = []
        if compiled is not None:
            eager = Estimate(engine[i].value, engine[i].error)
            findings.append(judge(answer, "eager", Evidence(Sides(eager, NOTHING, NOTHING))))
        for name in asked:
            if name in evidence:
                findings.append(judge(answer, name, evidence[name][i]))
            elif name in BY_VALUES:
                findings.append(_asked_of_curve(name, answer, partial(along, i), point[i]))
        by = [i] if second is None else [second, i]
        estimate = Estimate(answer.value, answer.error)
        says = "engine" if compiled is None else "compiled"
        numbers = tuple(point[k] for k in by)
        rows.append(Row(tuple(names[k] for k in by), numbers, estimate, tuple(findings), says, is_cut(i)))
    return rows


def _require_finite(problem: Problem) -> None:
    if not isfinite(number_of_node(problem.output)):
        raise DeclinedError(f"the output is {number_of_node(problem.output)}, which has no derivative")


def _asked(oracles: Iterable[str] | None, problem: Problem) -> list[str]:
    if oracles is None:
        return [name for name in ORACLES if name not in _SLOW or (problem.size <= SMALL and _is_installed(name))]
    asked = [oracles] if isinstance(oracles, str) else list(oracles)
    for name in asked:
        if name not in ORACLES:
            raise ValueError(f"oracle {name!r:.60}; give some of {', '.join(ORACLES)}")
    return asked


def _is_installed(oracle: str) -> bool:
    return oracle != "mpmath" or find_spec("mpmath") is not None


# ---- Curves ---------------------------------------------------------------------------------------------------------


def _asked_of_curve(name: str, answer: Engine, curve: Callable[[Array], Array], x: float) -> Finding:
    with np.errstate(all="ignore"):
        if name == "taylor":
            found = remainder(curve, x, answer.value, answer.noise, ROUNDING * answer.error)
            return judge_remainder(answer, found)
        return judge(answer, name, Evidence(differences(curve, x, answer.noise)))


def _same_curve(problem: Problem, along: _Curves, index: int, noise: float) -> bool:
    """Whether the function has the values of its graph around the point, to its rounding `noise`."""
    x = problem.point[index]
    reach = (abs(x) or 1.0) * 10.0 ** -np.arange(1.0, 9.0)
    xs = np.concatenate([x + reach, x - reach])
    with np.errstate(all="ignore"):
        ours, theirs = problem.along(index, xs), along(index, xs)
    return bool(np.allclose(ours, theirs, rtol=1e-13, atol=noise, equal_nan=True))


def _moved(point: Sequence[float] | Array, index: int, xs: Array) -> Iterable[list[float]]:
    """The point with each of `xs` in the place of one of its numbers."""
    return ([*point[:index], float(x), *point[index + 1 :]] for x in xs)


def _names(function: Callable[..., Any], args: Sequence[Any]) -> list[str]:
    """A name for each number in `args`: that of the parameter, and where in it the number is."""
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
