"""``python -m tests.mutation``: plants the faults, shows those that no test notices, and a table; 1 below 95 %.

python -m tests.mutation --only autograd/graph.py     # one file
python -m tests.mutation --sample 300 --kind branch   # at most so many of a file and kind, the same every time
python -m tests.mutation --list                       # the faults, without running anything
python -m tests.mutation --log a.log; python -m tests.mutation --again a.log --log b.log    # what survived, again
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", CI="1")  # before NumPy is there to read them

from tqdm import tqdm

from .mutants import ROOT, Mutant, mutants_of
from .suite import TESTS, Outcome, Suite

CORE = [
    "primitives", "ops", "conversions", "generated", "graph", "value", "recording", "watching", "nodes", "assigning",
    "copying", "collector", "derivatives", "functions", "functional", "derivation/ways",
]  # fmt: skip
"""The engine, and what is made of it alone; not the generator, all of whose work is `generated`."""
FILES = [f"autograd/{name}.py" for name in CORE] + sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "autograd/program").glob("*.py")
)
KNOWN: dict[str, list[str]] = json.loads((Path(__file__).parent / "survivors.json").read_text())
REASONS = {mutant: reason for reason, mutants in KNOWN.items() for mutant in mutants}
"""Why mutants that survive do so, by their `key`."""
SAME = ("equivalent", "performance only")
"""How the reasons of mutants begin that compute the same numbers: no test could notice them, so they do not count."""
ENOUGH = 0.95


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    mutants = [m for path in options.only or FILES for m in _chosen(mutants_of(path), options)]
    if options.again:
        rows = map(json.loads, options.again.read_text().splitlines())
        survived = {row["mutant"] for row in rows if row["result"] == "survived"}
        mutants = [m for m in mutants if m.key in survived]
    if options.list:
        print(*mutants, f"{len(mutants)} mutants", sep="\n")
        return 0
    results: dict[str, Counter[str]] = defaultdict(Counter)
    suite = Suite(options.tests or TESTS, options.jobs, options.examples, options.budget)
    with tqdm(total=len(mutants), unit="mutant", smoothing=0) as bar:
        for mutant, outcome in suite.outcomes(mutants):
            results[mutant.path][_counted(mutant, outcome)] += 1
            bar.update()
            if outcome.result == "survived":
                bar.write(f"survived  {mutant}\n          {REASONS.get(mutant.key, 'NO REASON GIVEN')}")
            if options.log:
                _log(options.log, mutant, outcome)
    print(_table(results))
    return 0 if _score(sum(results.values(), Counter())) >= ENOUGH else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("tests.mutation", description="Plants faults, one at a time, and runs the tests.")
    parser.add_argument("--only", action="append", metavar="FILE", help="plant in this file; may be repeated")
    parser.add_argument("--tests", action="append", metavar="TEST", help="run these tests; may be repeated")
    parser.add_argument("--kind", action="append", help="plant this kind; may be repeated")
    parser.add_argument(
        "--match", action="append", help="plant faults whose description contains this; may be repeated"
    )
    parser.add_argument("--sample", type=int, default=0, help="at most so many of a file (0: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at a time")
    parser.add_argument("--examples", type=int, default=25, help="that hypothesis tries for a property")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds of tests for each mutant (0: no end)")
    parser.add_argument("--list", action="store_true", help="list the faults, and run nothing")
    parser.add_argument("--again", type=Path, metavar="LOG", help="plant only what survived in the run of this log")
    parser.add_argument("--log", type=Path, help="append each result, and the test that noticed, to this file")
    return parser.parse_args(arguments)


def _chosen(mutants: list[Mutant], options: argparse.Namespace) -> list[Mutant]:
    fit = [
        mutant
        for mutant in mutants
        if (not options.kind or mutant.kind in options.kind)
        and (not options.match or any(text in str(mutant) for text in options.match))
    ]
    if not options.sample or len(fit) <= options.sample:
        return fit
    picked = {*random.Random(0).sample(range(len(fit)), options.sample)}
    return [mutant for i, mutant in enumerate(fit) if i in picked]


def _log(path: Path, mutant: Mutant, outcome: Outcome) -> None:
    with path.open("a") as file:
        row = {"result": outcome.result, "kind": mutant.kind, "mutant": mutant.key, "test": outcome.test}
        file.write(json.dumps(row) + "\n")


def _counted(mutant: Mutant, outcome: Outcome) -> str:
    same = outcome.result == "survived" and REASONS.get(mutant.key, "").startswith(SAME)
    return "same" if same else outcome.result


def _score(counts: Counter[str]) -> float:
    return 1.0 - counts["survived"] / max(1, counts.total() - counts["same"])


def _table(results: dict[str, Counter[str]]) -> str:
    rows = [("file", "killed", "timeout", "same", "survived", "raw", "score")]
    for name, counts in [*results.items(), ("in all", sum(results.values(), Counter()))]:
        numbers = (str(counts[result]) for result in ("killed", "timeout", "same", "survived"))
        raw = 1.0 - (counts["survived"] + counts["same"]) / max(1, counts.total())
        rows.append((name, *numbers, f"{raw:.1%}", f"{_score(counts):.1%}"))
    return "\n".join(f"{row[0]:30}" + "".join(f"{cell:>10}" for cell in row[1:]) for row in rows)


if __name__ == "__main__":
    sys.exit(main())
