"""From evidence to verdicts, and to a report that prints and raises."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

from ..derivation.notation import counted
from .differences import Remainder
from .estimates import NOTHING, SAFETY, SHARP, Estimate, Evidence
from .rounding import ROUNDING, Engine

PASS, FAIL, KINK, UNSURE = "pass", "FAIL", "at a kink", "unsure"

BY_VALUES = ("differences", "taylor")
"""The oracles that ask the function itself, not its graph."""

_CUT = {
    "engine": "the graph is differentiated as it should be, but the function computes something else: a number that "
    "was read on the way (.data), a branch, a random number",
    "compiled": "the gradient is that of the graph, but the program computes other values than the graph",
}


@dataclass(frozen=True)
class Finding:
    """What one oracle says of one derivative: its name, its numbers in words, and the verdict that follows."""

    oracle: str
    numbers: str
    verdict: str
    knows_policy: bool = False
    """Whether it knows what the rules at kinks make of the derivative."""
    central: Estimate = NOTHING

    def contradicts(self, other: Finding) -> bool:
        """Whether their numbers are further apart than both errors explain."""
        apart = abs(self.central.value - other.central.value)
        return apart > SAFETY * (self.central.error + other.central.error)


@dataclass(frozen=True)
class Row:
    """One derivative: by which inputs, their numbers, the engine's answer with its rounding, and every finding.

    The verdict is that of all oracles together.  One that knows the rules at kinks and sees one decides; otherwise the
    derivative is wrong if any says so, and right if one can tell that it is.  Where they contradict each other, those
    that read the graph overrule those that have only values, unless the function is another than its graph (`cut`).
    """

    names: tuple[str, ...]
    numbers: tuple[float, ...]
    engine: Estimate
    findings: tuple[Finding, ...]
    says: str = "engine"
    cut: bool = False
    """Whether the function, or the program, computes something else than the graph."""

    @property
    def verdict(self) -> str:
        """`pass`, `FAIL`, `at a kink` or, where nothing is left to compare with, `unsure`."""
        if any(finding.knows_policy and finding.verdict == KINK for finding in self.findings):
            return KINK
        overruled = () if self.cut else self._overruled
        found = [finding.verdict for finding in self.findings if finding not in overruled]
        return next((verdict for verdict in (FAIL, KINK, PASS) if verdict in found), UNSURE)

    @property
    def _overruled(self) -> list[Finding]:
        """The mistakes that values alone report, misled by short waves or poles, where the graph says otherwise."""
        graph = [finding for finding in self.findings if finding.oracle not in BY_VALUES]
        return [
            finding
            for finding in self.findings
            if finding.oracle in BY_VALUES
            and finding.verdict == FAIL
            and (self._graph_is_right or any(map(finding.contradicts, graph)))
        ]

    @property
    def _graph_is_right(self) -> bool:
        """Whether those that read the graph say that it is differentiated as it should be."""
        found = [finding.verdict for finding in self.findings if finding.oracle not in BY_VALUES]
        return PASS in found and FAIL not in found

    def __str__(self) -> str:
        """One line for what is right; a table, an oracle a line, for all else."""
        at = f"{', '.join(self.names)} = {', '.join(f'{number:.6g}' for number in self.numbers)}: {self.verdict}"
        if self.verdict == PASS:
            first, *others = [finding for finding in self.findings if finding.verdict == PASS]
            also = f"; also {', '.join(finding.oracle for finding in others)}" if others else ""
            return f"{at}; {self.says} {self.engine}; {first.oracle} {first.numbers}{also}"
        why = [f"  {_CUT[self.says]}"] if self.cut and self._graph_is_right and self.verdict == FAIL else []
        lines = [f"  {self.says:<11} {self.engine}"]
        lines += [f"  {finding.oracle:<11} {finding.numbers}: {finding.verdict}" for finding in self.findings]
        return "\n".join([at, *lines, *why])


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


# ---- Judging ---------------------------------------------------------------------------------------------------------


def judge(answer: Engine, oracle: str, evidence: Evidence) -> Finding:
    """The verdict that follows from the evidence of an oracle."""
    sides, policy = evidence.sides, evidence.policy
    central, left, right = sides.central, sides.left, sides.right
    if answer.sees_apart(left, right, SHARP if policy is None else 0.0):
        numbers = f"{left.value + 0.0:.6g} from the left, {right.value + 0.0:.6g} from the right"
        if policy is None:
            low, high = sorted((left, right), key=lambda side: side.value)
            within = low.value - answer.bound(low) <= answer.value <= high.value + answer.bound(high)
            return Finding(oracle, numbers, KINK if within else FAIL)
        verdict = KINK if answer.agrees(Estimate(policy, central.error)) else FAIL
        return Finding(oracle, f"{numbers}, {policy:.6g} by the rules", verdict, True)
    if answer.agrees(central):
        return Finding(oracle, str(central), PASS if answer.is_sharp(central) else UNSURE, central=central)
    if policy is not None and policy != central.value and answer.agrees(Estimate(policy, central.error)):
        return Finding(oracle, f"{central}, {policy:.6g} by the rules at kinks", KINK, True)
    # Where one side was seen and the other was not, the middle may be the derivative of neither.
    halved = isfinite(left.error) != isfinite(right.error)
    known = answer.is_known(central, by_steps=oracle in BY_VALUES)
    return Finding(oracle, str(central), FAIL if known and not halved else UNSURE, central=central)


def judge_remainder(answer: Engine, found: Remainder) -> Finding:
    """The verdict that follows from how Taylor's remainder vanishes."""
    if found.bend < 1.75:
        return Finding("taylor", f"bend of order h^{found.bend:.1f}", UNSURE)
    if found.exact or found.slope != found.slope:
        return Finding("taylor", "remainder of rounding", PASS if found.exact else UNSURE)
    known = ROUNDING * answer.error <= SHARP * abs(answer.value)
    right, wrong = found.slope > 1.75 and found.sees, 0.75 < found.slope < 1.25
    verdict = UNSURE if not known else PASS if right else FAIL if wrong else UNSURE
    return Finding("taylor", f"remainder of order h^{found.slope:.1f}", verdict)
