"""From evidence to verdicts, and to a report that prints and raises."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import isfinite
from typing import Any

from ..derivation.notation import counted
from .differences import Remainder
from .estimates import NOTHING, SAFETY, SHARP, Estimate, Evidence
from .rounding import ROUNDING, Answer


class Verdict(str, Enum):
    """The judgment of a derivative, by one oracle or by all; ``str(verdict)`` is what reports print."""

    PASS = "pass"
    FAIL = "FAIL"
    KINK = "at a kink"
    UNSURE = "unsure"

    __str__ = str.__str__


PASS, FAIL, KINK, UNSURE = Verdict

BY_VALUES = ("differences", "taylor")
"""The oracles that call the function itself; the others read its graph."""

_CUT = {
    "engine": "the gradient of the graph is right, but the function computes something else: it may read a number "
    "(.data), take a branch, or use a random number",
    "compiled": "the gradient of the graph is right, but the program computes other values than the graph",
}


@dataclass(frozen=True)
class Finding:
    """The finding of one oracle on one derivative: its name, its numbers in words, and the verdict."""

    oracle: str
    numbers: str
    verdict: Verdict
    knows_policy: bool = False
    """Whether the oracle knows the derivative by the rules at kinks."""
    central: Estimate = NOTHING

    def contradicts(self, other: Finding) -> bool:
        """Whether the two numbers are further apart than their errors explain."""
        apart = abs(self.central.value - other.central.value)
        return apart > SAFETY * (self.central.error + other.central.error)


@dataclass(frozen=True)
class Row:
    """One derivative: the names of its inputs, their numbers, the answer with its rounding, and every finding.

    The verdict is that of all oracles together.  An oracle that knows the rules at kinks decides if it sees a kink.
    Otherwise the derivative is wrong if any oracle says so, and right if any can tell that it is.  If oracles
    contradict each other, those that read the graph overrule those that see only values, unless the function computes
    something other than its graph (`cut`).
    """

    names: tuple[str, ...]
    numbers: tuple[float, ...]
    engine: Estimate
    findings: tuple[Finding, ...]
    source: str = "engine"
    """Who gave the answer: "engine" or "compiled"."""
    cut: bool = False
    """Whether the function, or the program, computes something other than the graph."""

    @property
    def verdict(self) -> Verdict:
        """`pass`, `FAIL`, `at a kink` or, if nothing is left to compare with, `unsure`."""
        if any(finding.knows_policy and finding.verdict == KINK for finding in self.findings):
            return KINK
        overruled = () if self.cut else self._overruled
        found = [finding.verdict for finding in self.findings if finding not in overruled]
        return next((verdict for verdict in (FAIL, KINK, PASS) if verdict in found), UNSURE)

    @property
    def _overruled(self) -> list[Finding]:
        """Failures that only values report, and the graph contradicts: short waves or poles misled the values."""
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
        """Whether the oracles that read the graph find its gradient right."""
        found = [finding.verdict for finding in self.findings if finding.oracle not in BY_VALUES]
        return PASS in found and FAIL not in found

    def __str__(self) -> str:
        """One line if the derivative is right, else a table with one oracle a line."""
        at = f"{', '.join(self.names)} = {', '.join(f'{number:.6g}' for number in self.numbers)}: {self.verdict}"
        if self.verdict == PASS:
            first, *others = [finding for finding in self.findings if finding.verdict == PASS]
            also = f"; also {', '.join(finding.oracle for finding in others)}" if others else ""
            return f"{at}; {self.source} {self.engine}; {first.oracle} {first.numbers}{also}"
        why = [f"  {_CUT[self.source]}"] if self.cut and self._graph_is_right and self.verdict == FAIL else []
        lines = [f"  {self.source:<11} {self.engine}"]
        lines += [f"  {finding.oracle:<11} {finding.numbers}: {finding.verdict}" for finding in self.findings]
        return "\n".join([at, *lines, *why])


@dataclass(frozen=True)
class Report:
    """The findings, one row a derivative; ``print(report)`` shows them, and `assert_gradients` raises.

    `declined` gives the reasons of oracles that were asked but had no answer.
    """

    rows: tuple[Row, ...]
    declined: tuple[str, ...] = ()

    @property
    def failures(self) -> list[Row]:
        """The derivatives that are wrong."""
        return [row for row in self.rows if row.verdict == FAIL]

    def assert_gradients(self) -> None:
        """Raises an AssertionError that lists every wrong derivative, else every uncertain one, if there are any."""
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


def judge(answer: Answer, oracle: str, evidence: Evidence) -> Finding:
    """The finding that follows from the evidence of an oracle."""
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
    # If only one side was seen, the middle may be the derivative of neither.
    halved = isfinite(left.error) != isfinite(right.error)
    known = answer.is_known(central, by_steps=oracle in BY_VALUES)
    return Finding(oracle, str(central), FAIL if known and not halved else UNSURE, central=central)


def judge_remainder(answer: Answer, found: Remainder) -> Finding:
    """The finding that follows from the rate at which Taylor's remainder vanishes."""
    if found.bend < 1.75:
        return Finding("taylor", f"bend of order h^{found.bend:.1f}", UNSURE)
    if found.exact or found.slope != found.slope:
        return Finding("taylor", "remainder of rounding", PASS if found.exact else UNSURE)
    known = ROUNDING * answer.error <= SHARP * abs(answer.value)
    right, wrong = found.slope > 1.75 and found.sees, 0.75 < found.slope < 1.25
    verdict = UNSURE if not known else PASS if right else FAIL if wrong else UNSURE
    return Finding("taylor", f"remainder of order h^{found.slope:.1f}", verdict)
