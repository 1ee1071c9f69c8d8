"""The mutation test itself: the mutants are what they say, and noticed where they matter."""

from __future__ import annotations

import ast
import dis
import json
import subprocess
import sys
from collections import Counter
from inspect import isfunction
from types import CodeType

import pytest

from autograd import TABLE, primitives
from autograd.ops import FLAT

from .mutation.mutants import ROOT, mutants_of
from .mutation.suite import WRITTEN_FROM

SOURCE = '''
"""A docstring: 1 + 1."""
from typing import TYPE_CHECKING
WIDTH: "1 + 2" = 3

if TYPE_CHECKING:
    import nothing

def f(x: "a + b", y):
    """Another: 2 + 2."""
    total = 0.0
    for a, b in zip(x, y):
        total += a * b
    if not total:
        raise ValueError(f"{1 + 1} is wrong")
    assert total < 50
    return -total if total > 1 else total
'''


def test_the_mutants_of_a_function():
    """Operators, signs, accumulations, conditions, branches, constants and checks; nothing in texts for people."""
    found = {(m.line, m.kind, m.before, m.after) for m in mutants_of("example.py", SOURCE)}
    assert found == {
        (4, "constant", "WIDTH: '1 + 2' = 3", "WIDTH: '1 + 2' = 4"),
        (11, "constant", "total = 0.0", "total = 1.0"),
        (13, "accumulation", "total += a * b", "total = a * b"),
        (13, "accumulation", "total += a * b", "total -= a * b"),
        (13, "accumulation", "total += a * b", "total"),
        (13, "operator", "total += a * b", "total += a / b"),
        (14, "not", "not total", "total"),
        (14, "branch", "not total", "True"),
        (14, "branch", "not total", "False"),
        (15, "statement", "raise ValueError(f'{1 + 1} is wrong')", "pass"),
        (17, "return", "return -total if total > 1 else total", "return None"),
        (17, "branch", "-total if total > 1 else total", "-total"),
        (17, "branch", "-total if total > 1 else total", "total"),
        (17, "sign", "-total", "total"),
        (17, "comparison", "total > 1", "total >= 1"),
        (17, "constant", "total > 1", "total > 2"),
    }


def test_a_mutant_computes_what_it_says():
    """And leaves the tree that it was made from as it was."""
    mutants = mutants_of("example.py", SOURCE)
    before = ast.unparse(mutants[0].tree)
    answers = {}
    for mutant in mutants:
        if mutant.after in ("total = a * b", "total -= a * b", "total += a / b") or mutant.kind == "sign":
            namespace: dict = {}
            exec(mutant.compiled(), namespace)
            answers[mutant.after] = namespace["f"]([1.0, 3.0], [1.0, 0.5])
    assert ast.unparse(mutants[0].tree) == before
    assert answers == {"total = a * b": -1.5, "total -= a * b": -2.5, "total += a / b": -7.0, "total": 2.5}


def test_every_derivative_of_the_table_is_corrupted():
    """In four ways, or where it is 0 in one; what each row computes, of floats and of arrays, in two."""
    mutants = mutants_of("autograd/ops.py")
    rows = list(TABLE.values())
    partials = sum(partial is not None for op in rows for partial in op.partials)
    zeros = sum(len(op.partials) for op in FLAT)
    assert sum(m.kind == "partial" for m in mutants) == 4 * (partials - zeros) + zeros
    assert sum(m.kind == "row" for m in mutants) == 2 * len(rows)
    wrong = Counter(m.scope for m in mutants_of("autograd/primitives.py") if m.kind == "row")
    assert wrong == {name: 2 for name, x in vars(primitives).items() if isfunction(x)} and wrong.keys() >= TABLE.keys()


@pytest.mark.parametrize("path", WRITTEN_FROM)
def test_the_text_of_a_mutant_is_the_mutant(path):
    """Every line in its place."""
    for mutant in mutants_of(path)[::20]:
        code = compile(mutant.text(), str(ROOT / path), "exec", dont_inherit=True)
        assert listed(code) == listed(mutant.compiled()), mutant


def listed(code) -> list:
    """The instructions, but for the lines; and those of the functions within."""
    arguments = ((x.opname, x.argval) for x in dis.get_instructions(code))
    return [(name, listed(x) if isinstance(x, CodeType) else repr(x)) for name, x in arguments if name != "NOP"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="syntax trees are written with other parentheses")
def test_reasons_are_given_for_mutants_that_exist():
    """Each once; those of code that is no more would hide that others have none."""
    reasons = json.loads((ROOT / "tests/mutation/survivors.json").read_text())
    explained = [key for keys in reasons.values() for key in keys]
    there = {mutant.key for path in {key.split()[0] for key in explained} for mutant in mutants_of(path)}
    assert len(explained) == len({*explained}) and there.issuperset(explained)


def run(tmp_path, test: str, *options: str) -> tuple[subprocess.CompletedProcess, list[tuple[str, str]]]:
    """The mutation test with one test in place of the suite: the process, and each mutant with its result."""
    file, log = tmp_path / "test_one.py", tmp_path / "log"
    file.write_text(test)
    command = [sys.executable, "-m", "tests.mutation", "--tests", str(file), "--log", str(log), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    rows = map(json.loads, log.read_text().splitlines() if log.exists() else ())
    return done, [(row["mutant"], row["result"]) for row in rows]


@pytest.mark.slow
def test_what_is_noticed(tmp_path):
    """A wrong derivative, row and sign are; what computes the same is not, and does not count; anything else does."""
    test = """
from autograd import Value, gradients, sigmoid, sign
def test_tanh():
    x = Value(0.5)
    assert x.tanh().data == 0.46211715726000973 and abs(gradients(x.tanh(), [x])[0] - 0.7864477329659274) < 1e-12
    assert (sigmoid(0.0), sigmoid(-1.0), sign(0.0)) == (0.5, 0.2689414213699951, 0.0)
"""
    matches = ["1.0 - z * z  ->  1.0 + z * z", "1.0 - z * z  ->  (", "-math.tanh(", "x < 0.0  ->  x <="]
    chosen = [*(f"--only={path}" for path in WRITTEN_FROM), *(f"--match={text}" for text in matches)]
    done, found = run(tmp_path, test, *chosen)
    survived = [mutant for mutant, result in found if result == "survived"]
    assert len(found) == 5 and survived == ["autograd/primitives.py sigmoid: x < 0.0  ->  x <= 0.0"], done.stderr
    assert done.returncode == 0 and done.stdout.split()[-7:] == ["all", "4", "0", "1", "0", "80.0%", "100.0%"]
    (tmp_path / "again").mkdir()
    done, found = run(tmp_path / "again", "def test_nothing():\n    pass\n", "--match", matches[0])
    assert done.returncode == 1 and done.stdout.split()[-7:] == ["all", "0", "0", "0", "1", "0.0%", "0.0%"]


@pytest.mark.slow
def test_tests_that_fail_are_no_test(tmp_path):
    """Nothing is planted where the tests fail without a mutant."""
    done, found = run(tmp_path, "def test_wrong():\n    assert False\n", "--only", "autograd/recording.py")
    assert done.returncode == 1 and "without a mutant the tests fail" in done.stderr and not found
