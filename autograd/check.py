"""`gradcheck` and `check_gradients`: the engine's derivatives before a bench of independent oracles.

The oracles (`autograd.oracles`, `autograd.differences`) share no derivative rule with the engine, and each brings an
estimate of its own error.  The engine's own rounding is estimated, too, by Monte Carlo arithmetic (Parker, 1997): the
sweep is repeated with every number wrong in its last bit, at random, and its result scatters as rounding makes it.  So
no tolerance is asked of anybody: two numbers agree if they differ by no more than their errors.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf, isfinite, nan
from typing import Any, TypeAlias

import numpy as np
from tqdm import tqdm

from . import oracles as bench
from .compile import CompiledFunction, Program
from .differences import NOTHING, SAFETY, SHARP, Estimate, Sides, differences, remainder
from .functional import Structure
from .graph import chain_rule, gradients, number_of_node
from .notation import counted
from .oracles import Array, DeclinedError, Evidence, Problem
from .recording import enable_grad, no_grad
from .value import Value, data_of, require_value

PASS, FAIL, KINK, UNSURE = "pass", "FAIL", "at a kink", "unsure"

SAMPLES = 8
"""So many sweeps with random rounding tell how large the engine's rounding is."""

ROUNDING = 8.0
"""What the engine rounds may be so many times what was seen in them."""

TAIL = 2.0**-36
"""Where a derivative is lost in rounding, as that of sigmoid far out, so much of the largest adjoint may be missing."""

SMALL = 20_000
"""Up to so many nodes times leaves, oracles are asked that take long: fractions and mpmath."""

_ON_GRAPHS: dict[str, Callable[..., list[Evidence]]] = {
    "dual": bench.dual,
    "complex": bench.complex_step,
    "rational": bench.rational,
    "mpmath": bench.many_digits,
}
ORACLES = ("differences", "taylor", *_ON_GRAPHS)
"""The names of the oracles, for ``oracles=[...]``."""

_CUT = (
    "the graph is differentiated as it should be, but the function computes something else: a number that was read "
    "on the way (.data), a branch, a random number"
)

_Curves: TypeAlias = "Callable[[int, Array], Array]"


# ---- What is found --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """What one oracle says of one derivative: its name, its numbers in words, and the verdict that follows."""

    oracle: str
    numbers: str
    verdict: str
    knows_policy: bool = False
    """Whether it knows what the rules at kinks make of the derivative."""


@dataclass(frozen=True)
class Row:
    """One derivative: by which inputs, their numbers, the engine's answer with its rounding, and every finding.

    The verdict is that of all oracles together.  One that knows the rules at kinks and sees one decides; otherwise the
    derivative is wrong if any says so, and right if one can tell that it is.
    """

    names: tuple[str, ...]
    numbers: tuple[float, ...]
    engine: Estimate
    findings: tuple[Finding, ...]
    says: str = "engine"

    @property
    def verdict(self) -> str:
        """`pass`, `FAIL`, `at a kink` or, where nothing is left to compare with, `unsure`."""
        if any(finding.knows_policy and finding.verdict == KINK for finding in self.findings):
            return KINK
        found = [finding.verdict for finding in self.findings]
        return next((verdict for verdict in (FAIL, KINK, PASS) if verdict in found), UNSURE)

    def __str__(self) -> str:
        """One line for what is right; a table, an oracle a line, for all else."""
        at = f"{', '.join(self.names)} = {', '.join(f'{number:.6g}' for number in self.numbers)}: {self.verdict}"
        if self.verdict == PASS:
            first, *others = [finding for finding in self.findings if finding.verdict == PASS]
            also = f"; also {', '.join(finding.oracle for finding in others)}" if others else ""
            return f"{at}; {self.says} {self.engine}; {first.oracle} {first.numbers}{also}"
        lines = [f"  {self.says:<11} {self.engine}"]
        lines += [f"  {finding.oracle:<11} {finding.numbers}: {finding.verdict}" for finding in self.findings]
        return "\n".join([at, *lines, *["  " + _CUT] * self._is_cut()])

    def _is_cut(self) -> bool:
        """Whether the graph is differentiated as it should be, but is not what the function computes."""
        by_graph = {finding.verdict for finding in self.findings if finding.oracle in _ON_GRAPHS}
        by_values = {finding.verdict for finding in self.findings if finding.oracle not in _ON_GRAPHS}
        return PASS in by_graph and FAIL not in by_graph and FAIL in by_values


@dataclass(frozen=True)
class Report:
    """What was found, derivative by derivative: it prints, and `assert_gradients` raises.

    `declined` says why an oracle that was asked could say nothing.
    """

    rows: tuple[Row, ...]
    declined: tuple[str, ...] = ()

    @property
    def failures(self) -> list[Row]:
        """The derivatives that are wrong."""
        return [row for row in self.rows if row.verdict == FAIL]

    def assert_gradients(self) -> None:
        """An AssertionError that lists every wrong derivative, or those that nothing could be said of."""
        for verdict, what in ((FAIL, "wrong derivative"), (UNSURE, "uncertain derivative")):
            rows = [str(row) for row in self.rows if row.verdict == verdict]
            if rows:
                raise AssertionError("\n".join([f"{counted(len(rows), what)}:", *rows, *self.declined]))

    def __str__(self) -> str:
        told = () if all(row.verdict == PASS for row in self.rows) else self.declined
        return "\n".join([*map(str, self.rows), *told])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # in a notebook
        printer.text(str(self))


# ---- The verbs ------------------------------------------------------------------------------------------------------


def gradcheck(function: Callable[..., Any], *args: Any, order: int = 1, oracles: Iterable[str] | None = None) -> Report:
    """The derivatives of ``function(*args)`` by every number in `args`, before independent oracles.

    `args` are numbers, arrays, and lists, tuples and dicts of them; the result is one number.  With ``order=2`` second
    derivatives are checked as well, n^2 of n numbers.  `oracles` are names out of `ORACLES`; without them all are asked
    that apply, the slow ones of small graphs only:

    - differences: extrapolated differences of `function` itself, with an error bar of their own;
    - taylor: the power of h with which Taylor's remainder of `function` vanishes: 2 for a right derivative;
    - dual: forward mode by dual numbers that see kinks from either side;
    - complex: the complex step, to rounding;
    - rational: exact fractions, where only + - * / and comparisons are used;
    - mpmath: differences with a hundred digits (``pip install 'scalar-autograd[check]'``).

    Of a function compiled by `autograd.compile` the program's gradient by its parameters is checked, for arrays of
    examples as it takes them, also against the eager one.

    A TypeError for an argument that is no real number, or a result that is none or depends on no argument; a ValueError
    for another order or an unknown oracle.

    >>> print(gradcheck(lambda x, y: x * y + y, 2.0, 3.0, oracles=["differences", "rational"]))
    x = 2: pass; engine 3 +- ...; differences 3 +- ...; also rational
    y = 3: pass; engine 3 +- ...; differences 3 +- ...; also rational
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
        require_value(output, "gradcheck takes a function whose result is one number that depends on its arguments")
        return output, leaves

    def value(numbers: Sequence[float]) -> float:
        try:
            result = function(*structure.build(map(Value, numbers)))
        except (ArithmeticError, ValueError):  # beyond its domain
            return nan
        return result.data if isinstance(result, Value) else float(result)

    def along(index: int, xs: Array) -> Array:
        with no_grad():
            return np.array([value(moved) for moved in _moved(point, index, xs)])

    def slopes_along(first: int, index: int, xs: Array) -> Array:
        graphs = (recorded(moved) for moved in _moved(point, index, xs))
        return np.array([gradients(output, [leaves[first]])[0] for output, leaves in graphs])

    point = [float(x) for x in structure.scalars]
    output, leaves = recorded(point)
    return _report(Problem(output, tuple(leaves)), order, oracles, along, slopes_along)


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

    A TypeError for what is not a Value; a ValueError for a graph whose data were changed while it was built, or a leaf
    that is no parameter of the program.

    >>> w = Value(0.5, "w")
    >>> print(check_gradients((w * 3).tanh(), [w], oracles=["complex"]))
    w = 0.5: pass; engine 0.542119916...; complex 0.542119916...
    """
    hint = "check_gradients(output, leaves) takes Values"
    if isinstance(leaves, Value):
        raise TypeError("leaves is one Value; give a list of them: check_gradients(output, [x])")
    leaves = list(dict.fromkeys(leaves))
    for x in (output, *leaves):
        require_value(x, hint)
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
    rows = list(zip(*(np.asarray(array, dtype=float).tolist() for array in arrays)))
    output = sum(function.function(*row) for row in rows) * (1 / len(rows) if function.reduction == "mean" else 1.0)
    theta = np.array(data_of(function.wrt))
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
    slopes_along: Callable[[int, int, Array], Array] | None = None,
    compiled: Sequence[float] | None = None,
) -> Report:
    if order not in (1, 2):
        raise ValueError(f"order is {order!r:.60}; give 1, or 2 for second derivatives as well")
    asked = _asked(oracles, problem)
    engine = engine_estimates(problem)
    declined: dict[str, str] = {}
    rows = _rows(problem, asked, engine, along, declined, compiled=compiled)
    if order == 2:
        recorded = gradients(problem.output, problem.leaves, create_graph=True)
        for first, slope in enumerate(recorded):
            graph = Problem(slope, problem.leaves)
            curves = partial(slopes_along or partial(_slopes_along, problem), first)
            rows += _rows(problem, asked, engine_estimates(graph), curves, declined, first)
    return Report(tuple(rows), tuple(declined.values()))


def _rows(
    problem: Problem,
    asked: Sequence[str],
    engine: Sequence[Engine],
    along: _Curves,
    declined: dict[str, str],
    second: int | None = None,
    compiled: Sequence[float] | None = None,
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
            findings.append(answer.judge("eager", Evidence(Sides(eager, NOTHING, NOTHING))))
        for name in asked:
            if name == "differences":
                findings.append(
                    answer.judge(name, Evidence(_quietly(differences, partial(along, i), point[i], answer.noise)))
                )
            elif name == "taylor":
                findings.append(_taylor(answer, partial(along, i), point[i]))
            elif name in evidence:
                findings.append(answer.judge(name, evidence[name][i]))
        by = [i] if second is None else [second, i]
        estimate = Estimate(answer.value, answer.error)
        says = "engine" if compiled is None else "compiled"
        rows.append(Row(tuple(names[k] for k in by), tuple(point[k] for k in by), estimate, tuple(findings), says))
    return rows


def _require_finite(problem: Problem) -> None:
    if not isfinite(number_of_node(problem.output)):
        raise DeclinedError(f"the output is {number_of_node(problem.output)}, which has no derivative")


def _asked(oracles: Iterable[str] | None, problem: Problem) -> list[str]:
    if oracles is None:
        slow = ["rational", "mpmath"] if problem.size <= SMALL else []
        return [name for name in ORACLES if name not in ("rational", "mpmath") or (name in slow and _has(name))]
    asked = [oracles] if isinstance(oracles, str) else list(oracles)
    for name in asked:
        if name not in ORACLES:
            raise ValueError(f"oracle {name!r:.60}; give some of {', '.join(ORACLES)}")
    return asked


def _has(oracle: str) -> bool:
    if oracle == "mpmath":
        try:
            import mpmath  # noqa: F401 -- whether it is there
        except ImportError:
            return False
    return True


# ---- The engine's answer, and its rounding --------------------------------------------------------------------------


@dataclass(frozen=True)
class Engine:
    """A derivative as the engine has it, and how far rounding may have moved it.

    `lost` is what of it may be missing in a tail; `noise` is how far rounding may have moved the output itself.
    """

    value: float
    error: float
    lost: float
    noise: float

    def says(self, value: float) -> Engine:
        """Another answer in its place, of the same rounding."""
        return replace(self, value=value)

    def agrees(self, estimate: Estimate) -> bool:
        """Whether both are the same number, to their errors."""
        return self.value == estimate.value or abs(self.value - estimate.value) <= self._bound(estimate)

    def _bound(self, estimate: Estimate) -> float:
        return SAFETY * estimate.error + ROUNDING * self.error

    def judge(self, oracle: str, evidence: Evidence) -> Finding:
        """The verdict that follows from the evidence."""
        sides, policy = evidence.sides, evidence.policy
        central, left, right = sides.central, sides.left, sides.right
        if self._apart(left, right):
            numbers = f"{left.value + 0.0:.6g} from the left, {right.value + 0.0:.6g} from the right"
            if policy is None:
                low, high = sorted((left, right), key=lambda side: side.value)
                within = low.value - self._bound(low) <= self.value <= high.value + self._bound(high)
                return Finding(oracle, numbers, KINK if within else FAIL)
            right_ = self.agrees(Estimate(policy))
            return Finding(oracle, f"{numbers}, {policy:.6g} by the rules", KINK if right_ else FAIL, True)
        if self.agrees(central):
            return Finding(oracle, str(central), PASS if self._is_sharp(central) else UNSURE)
        if policy is not None and policy != central.value and self.agrees(Estimate(policy)):
            return Finding(oracle, f"{central}, {policy:.6g} by the rules at kinks", KINK, True)
        return Finding(oracle, str(central), FAIL if self._is_known(central) else UNSURE)

    def _is_known(self, estimate: Estimate) -> bool:
        """Whether both numbers are more than rounding."""
        if not (isfinite(estimate.error) and estimate.value == estimate.value):
            return False
        if not isfinite(self.value):
            return SAFETY * estimate.error <= SHARP * abs(estimate.value)
        return ROUNDING * self.error <= max(0.1 * max(abs(self.value), abs(estimate.value)), self.lost)

    def _apart(self, left: Estimate, right: Estimate) -> bool:
        if left.value == right.value or left.value != left.value or right.value != right.value:
            return False
        apart = abs(left.value - right.value)
        if not isfinite(apart):
            return True
        seen = SHARP * max(abs(left.value), abs(right.value)) if left.error + right.error else 0.0
        return apart > max(SAFETY * (left.error + right.error) + ROUNDING * self.error, seen)

    def _is_sharp(self, estimate: Estimate) -> bool:
        """Whether the two could have been told apart, if one were wrong."""
        if self.value == estimate.value == 0.0:
            return SAFETY * estimate.error <= SHARP * self.lost
        if self.value == estimate.value and not (estimate.error or self.error):
            return True
        size = max(abs(self.value), abs(estimate.value))
        return SAFETY * estimate.error <= SHARP * max(size, self.error) and ROUNDING * self.error <= max(
            SHARP * size, self.lost
        )


def engine_estimates(problem: Problem) -> list[Engine]:
    """The engine's derivatives, with the errors that rounding may have made in them."""
    found = gradients(problem.output, problem.leaves)
    with np.errstate(all="ignore"):
        outputs, samples = _scattered(problem)
        largest = max(float(np.max(np.abs(sample))) for sample in samples.values())
        errors = [float(np.max(np.abs(samples.get(leaf, 0.0) - slope))) for leaf, slope in zip(problem.leaves, found)]
        noise = float(np.max(np.abs(outputs - number_of_node(problem.output))))
    noise = ROUNDING * noise if isfinite(noise) else 0.0
    return [Engine(slope, _rounding(slope, error), TAIL * largest, noise) for slope, error in zip(found, errors)]


def _rounding(slope: float, error: float) -> float:
    """The scatter of a slope as an error: none of what is not finite, anything of what is only so by luck."""
    return 0.0 if not isfinite(slope) else inf if error != error else error


def _scattered(problem: Problem) -> tuple[Any, dict[Any, Any]]:
    """The output and all adjoints, sampled: every operation, forward and backward, is wrong by about its last bit."""
    random = np.random.default_rng(0)

    def noisy(numbers: Any) -> Any:
        return numbers * (1.0 + sys.float_info.epsilon * random.uniform(-1.0, 1.0, SAMPLES))

    return _swept(problem, problem.point, noisy)


def _swept(
    problem: Problem, numbers: Sequence[Any], noise: Callable[[Any], Any] | None = None
) -> tuple[Any, dict[Any, Any]]:
    """The output, and the engine's sweep from it, where the leaves are `numbers`; with `noise` in every result."""
    seen: dict[Any, Any] = {x: x.numbers for x in problem.order if x.op is not None}

    def rows(node: Any, *operands: Any) -> Any:
        if noise and _tied(node):  # with noise it would not be: the rules at kinks hold
            return operands[2] if node.op.name == "where" else node.numbers[0]
        result = node.op.ufunc(*operands)
        result = noise(result) if noise else result
        seen[node] = (result, *operands)
        return result

    def times(adjoint: Any, slope: Any, gate: bool) -> Any:
        product = noise(adjoint * slope) if noise else adjoint * slope
        wins = (adjoint == 0.0) | ((slope == 0.0) & gate)
        return np.where(wins & np.isnan(product), 0.0, product)

    output = problem.evaluate(numbers, float, rows)
    return output, chain_rule(reversed(problem.order), {problem.output: 1.0}, seen.__getitem__, times)


def _tied(node: Any) -> bool:
    """Whether a node is exactly at its kink."""
    name, numbers = node.op.name, node.numbers
    if name in ("maximum", "minimum", "equal"):
        return numbers[1] == numbers[2]  # type: ignore[no-any-return]  # floats
    return name in ("abs", "sign", "step", "relu", "where") and numbers[1] == 0.0


# ---- Curves ---------------------------------------------------------------------------------------------------------


def _taylor(answer: Engine, curve: Callable[[Array], Array], x: float) -> Finding:
    if not isfinite(answer.value):
        return Finding("taylor", "no remainder", UNSURE)
    found = _quietly(remainder, curve, x, answer.value, answer.noise)
    if found.bend < 1.75:
        return Finding("taylor", f"bend of order h^{found.bend:.1f}", UNSURE)
    if found.exact or found.slope != found.slope:
        return Finding("taylor", "remainder of rounding", PASS if found.exact else UNSURE)
    known = ROUNDING * answer.error <= SHARP * abs(answer.value)
    verdict = UNSURE if not known else PASS if found.slope > 1.75 else FAIL if found.slope < 1.25 else UNSURE
    return Finding("taylor", f"remainder of order h^{found.slope:.1f}", verdict)


def _quietly(function: Callable[..., Any], *args: Any) -> Any:
    with np.errstate(all="ignore"):
        return function(*args)


def _slopes_along(problem: Problem, first: int, index: int, xs: Array) -> Array:
    """The engine's derivative of a graph by one leaf, where another has each of the numbers `xs`."""
    numbers: list[Any] = list(problem.point)
    numbers[index] = xs
    slopes = _swept(problem, numbers)[1].get(problem.leaves[first], 0.0)
    return np.broadcast_to(np.asarray(slopes, dtype=float), xs.shape)


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
        found += [f"{name}{place}" for place in _places(arg)]
    return found


def _places(tree: Any) -> list[str]:
    """Where each number of a tree is, as Python writes it: [0], ['w'][1], [0, 1]; of a number, nothing."""
    if isinstance(tree, dict):
        return [f"[{key!r}]{place}" for key, part in tree.items() for place in _places(part)]
    if isinstance(tree, (list, tuple)):
        return [f"[{i}]{place}" for i, part in enumerate(tree) for place in _places(part)]
    if isinstance(tree, np.ndarray) and tree.ndim:
        return [f"[{', '.join(map(str, index))}]" for index in np.ndindex(tree.shape)]
    return [""]
