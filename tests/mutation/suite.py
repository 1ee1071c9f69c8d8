"""The suite on mutants: which tests may notice one, and whether one does.

Everything happens in forks, so a mutant is never on disk and never in the process that goes on.  A host collects the
tests once, with the packages as they are, and runs them once, to see that they pass, how long each takes, and which
functions each calls.  For every mutant it forks again, puts the changed code into the functions that are loaded, and
runs the tests that call the function that was changed, the quickest first, until one fails.  What runs on import, such
as the rows of the table, is changed before anything is imported, in a fork that collects the tests anew.  There
`generated.py`, which is written out from the table and the kernels, is written anew from the changed ones.
"""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
import types
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from multiprocessing.connection import Connection, wait
from typing import Any

import pytest

from .mutants import ROOT, Mutant

FORK = multiprocessing.get_context("fork")
PACKAGES = ("autograd", "nn")
TESTS = ("tests", "autograd", "nn", "README.md")
SECONDS, TIMES_AS_LONG = 5.0, 10.0
"""A test that takes so many seconds of computing, and so many times as long as it did, is stopped: it noticed."""
LONGEST = 1200.0
"""Seconds without any result, after which all that run are stopped: they wait for ever."""
MEMORY = 8 << 30

LEFT_OUT = ("benchmarks", "mutation", "test_mutation.py", "test_examples.py", "test_installation.py")
"""What is in tests/ but no test, and tests that run processes of their own, where no mutant is."""
CURRENT = ("autograd/generator.py", "tests/test_engine.py::test_the_written_out_file_is_current")
"""What says that `generated.py` is current, which it is not where the table is changed."""
DOCTESTS = " ".join(
    ["--doctest-modules --doctest-glob=README.md", *(f"--ignore=tests/{name}" for name in LEFT_OUT)]
    + [f"--deselect={name}" for name in CURRENT]
)
OPTIONS = ("-q", "-s", "--assert=plain", "-p", "no:cacheprovider", "-o", f"addopts={DOCTESTS}")
"""In place of those in pyproject.toml, which ask for workers and coverage."""

WRITTEN_FROM = ("autograd/ops.py", "autograd/primitives.py")
WRITTEN = "autograd/generated.py"
"""A file that is written out from those."""

Key = tuple[str, int]
"""A function: its file, relative to the repository, and its first line."""


@dataclass
class Baseline:
    """What the tests do without a fault."""

    failed: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    """By test; of waiting, too, for the processes that some start."""
    calls: dict[str, set[Key]] = field(default_factory=dict)
    on_import: set[Key] = field(default_factory=set)
    """The functions that are called before any test, whose results may be kept."""
    budget: float = 0.0
    """Seconds of tests for each mutant, without end if 0; what none has noticed by then has survived."""
    noticed: Counter[str] = field(default_factory=Counter)
    """How many mutants each test has noticed so far."""

    def tests_of(self, mutant: Mutant, on_import: bool = False) -> list[str]:
        """The tests that may notice a mutant, quick ones that noticed others first; on import, any."""
        key = (mutant.path, mutant.function)
        found = [test for test in self.seconds if on_import or key in self.calls[test]]
        found.sort(key=lambda test: self.seconds[test] / (1 + self.noticed[test]))
        spent = accumulate((self.seconds[test] for test in found), initial=0.0)
        return [test for test, before in zip(found, spent) if not self.budget or before < self.budget]


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: "killed" and by which test, "timeout", or "survived"."""

    result: str
    test: str = ""


# ---- Forks


def run_all(tasks: Iterable[Any], work: Callable[[Any, Connection], None], jobs: int) -> Iterator[tuple[Any, Any, int]]:
    """(task, what `work` sent, exit status) for each task, each in a fork of its own, so many at a time."""
    waiting, running = list(tasks)[::-1], {}
    while waiting or running:
        while waiting and len(running) < jobs:
            task, (ours, theirs) = waiting.pop(), FORK.Pipe(duplex=False)
            process = FORK.Process(target=work, args=(task, theirs))
            process.start()
            theirs.close()
            running[ours] = process, task
        for ours in wait(list(running), LONGEST) or list(running):
            process, task = running.pop(ours)
            if not ours.poll():
                process.kill()
            try:
                sent = ours.recv()
            except EOFError:
                sent = None
            process.join()
            yield task, sent, process.exitcode


def _quieten() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


def outcome_of(sent: Any, status: int) -> Outcome:
    """The outcome of a fork that sent the first test that failed, or died."""
    if status in (-signal.SIGVTALRM, -signal.SIGKILL):
        return Outcome("timeout")
    if status == 0:
        return Outcome("killed", sent) if sent else Outcome("survived")
    return Outcome("killed", f"exit status {status}")


# ---- pytest


class _Plugin:
    """Few examples, the same in every run; what is to be done with the collected tests is for `loop`."""

    def __init__(self, loop: Callable[[Sequence[pytest.Item], _Plugin], None], examples: int) -> None:
        self.loop, self.examples, self.failed = loop, examples, ""

    def pytest_collection(self, session: pytest.Session) -> None:
        from hypothesis import HealthCheck, Phase, settings

        settings.register_profile(
            "mutation",
            deadline=None,
            derandomize=True,
            database=None,
            max_examples=self.examples,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        settings.load_profile("mutation")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid or "collection"

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        from hypothesis import settings

        settings.load_profile("ci")  # properties have theirs; examples in docstrings may look for the smallest
        if not self.failed:
            self.loop(session.items, self)
        return True


def _pytest(tests: Sequence[str], loop: Callable[[Sequence[pytest.Item], _Plugin], None], examples: int) -> str:
    """Collects the tests and hands them to `loop`; the first that failed, or ""."""
    plugin = _Plugin(loop, examples)
    status = pytest.main([*tests, *OPTIONS], plugins=[plugin])
    return plugin.failed or ("" if status in (0, 5) else f"pytest ended with {status}")


def _run(item: pytest.Item, following: pytest.Item | None) -> None:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)


def _run_until_noticed(items: Sequence[pytest.Item], tests: Sequence[str], plugin: _Plugin, baseline: Baseline) -> None:
    by_name = {item.nodeid: item for item in items}
    for test in tests:
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS + TIMES_AS_LONG * baseline.seconds[test])
        if test in by_name:
            _run(by_name[test], None)
        if plugin.failed:
            break
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)


# ---- The packages, as they are or with a fault


class _Loader(importlib.machinery.SourceFileLoader):
    code: Any = None

    def get_code(self, fullname: str) -> Any:
        return self.code


class _Finder(importlib.abc.MetaPathFinder):
    """Loads modules from code that it is given, by path."""

    def __init__(self, codes: dict[str, Any]) -> None:
        self.codes = codes

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        stem = ROOT / name.replace(".", "/")
        for file in (stem.with_suffix(".py"), stem / "__init__.py"):
            if code := self.codes.get(str(file.relative_to(ROOT))):
                loader = _Loader(name, str(file))
                loader.code = code
                return importlib.util.spec_from_file_location(name, file, loader=loader)
        return None


def _put_in_place(old: Any, new: Any) -> bool:
    """Makes the functions that were loaded from the code of a module run other code; False where they cannot."""
    replaced: dict[int, Any] = {}
    if not _pair(old, new, replaced):
        return False
    for function in [x for x in gc.get_objects() if type(x) is types.FunctionType and id(x.__code__) in replaced]:
        try:
            function.__code__ = replaced[id(function.__code__)]
        except ValueError:  # it closes over other variables
            return False
    return True


def _pair(old: Any, new: Any, replaced: dict[int, Any]) -> bool:
    """Finds for the code of each function in a module what takes its place; False if they do not match."""
    below = [[x for x in code.co_consts if isinstance(x, types.CodeType)] for code in (old, new)]
    if len(below[0]) != len(below[1]):
        return False
    replaced.update((id(x), y) for x, y in zip(*below))
    return all(_pair(x, y, replaced) for x, y in zip(*below))


def _import_with(mutant: Mutant) -> None:
    """Has the packages, when they are imported next, one fault in them, and `generated.py` written from what has it."""
    if mutant.path not in WRITTEN_FROM:
        sys.meta_path.insert(0, _Finder({mutant.path: mutant.compiled()}))
        return
    file, text = str(ROOT / mutant.path), mutant.text()
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file  # where `inspect` looks for sources
    finder = _Finder({mutant.path: compile(text, file, "exec", dont_inherit=True)})
    sys.meta_path.insert(0, finder)
    written = importlib.import_module("autograd.generator").source()
    finder.codes[WRITTEN] = compile(written, str(ROOT / WRITTEN), "exec", dont_inherit=True)
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]


def _is_imported(mutant: Mutant) -> bool:
    """Whether a mutant is of what runs, or is read, on import."""
    return mutant.function is None or mutant.path in WRITTEN_FROM


# ---- The test


class Suite:
    """Runs `tests`, files or single ones, on mutants; `examples` is how many hypothesis tries for each property."""

    def __init__(self, tests: Sequence[str] = TESTS, jobs: int = 2, examples: int = 25, budget: float = 0.0) -> None:
        self.tests, self.jobs, self.examples, self.budget = tests, jobs, examples, budget
        self.baseline = Baseline()

    def outcomes(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, Outcome]]:
        """Each mutant with what became of it, as soon as it is known; a RuntimeError if the tests fail without one."""
        ours, theirs = FORK.Pipe(duplex=False)
        host = FORK.Process(target=self._host, args=(mutants, theirs))
        host.start()
        theirs.close()
        self.baseline = ours.recv()
        if self.baseline.failed:
            raise RuntimeError(f"without a mutant the tests fail: {self.baseline.failed}")
        on_import = [mutant for mutant in mutants if _is_imported(mutant)]
        while (found := ours.recv()) is not None:
            mutant, (sent, status) = mutants[found[0]], found[1:]
            outcome = outcome_of(sent, status)
            kept = (mutant.path, mutant.function) in self.baseline.on_import
            if sent == CANNOT or (kept and outcome.result == "survived"):
                on_import.append(mutant)
            else:
                yield mutant, outcome
        host.join()
        for mutant, sent, status in run_all(on_import, self._work_on_import, self.jobs):
            self.baseline.noticed[sent] += 1
            yield mutant, outcome_of(sent, status)

    def _host(self, mutants: Sequence[Mutant], report: Connection) -> None:
        """Sends the baseline, then (number, what was sent, exit status) for each mutant of a function, then None."""
        _quieten()
        codes = {mutant.path: compile(mutant.tree, str(ROOT / mutant.path), "exec") for mutant in mutants}
        sys.meta_path.insert(0, _Finder(codes))
        calls = _Calls()

        def loop(items: Sequence[pytest.Item], plugin: _Plugin) -> None:
            def measure(_: None, report: Connection) -> None:
                report.send(_measured(items, plugin))

            def work(i: int, report: Connection) -> None:
                _limit()
                if not _put_in_place(codes[mutants[i].path], mutants[i].compiled()):
                    report.send(CANNOT)
                    return
                _run_until_noticed(items, baseline.tests_of(mutants[i]), plugin, baseline)
                report.send(plugin.failed)

            on_import = calls.stop()
            ((_, baseline, _),) = run_all([None], measure, 1)
            baseline = baseline or Baseline("a test that ends the process")
            baseline.on_import, baseline.budget = on_import, self.budget
            report.send(baseline)
            if not baseline.failed:
                for found in run_all([i for i, m in enumerate(mutants) if not _is_imported(m)], work, self.jobs):
                    baseline.noticed[found[1]] += 1
                    report.send(found)

        failed = _pytest(self.tests, loop, self.examples)
        report.send(Baseline(failed) if failed else None)

    def _work_on_import(self, mutant: Mutant, report: Connection) -> None:
        """Sends the first test that fails where the whole module has the fault."""
        _quieten()
        _limit()
        tests = self.baseline.tests_of(mutant, on_import=True)

        def loop(items: Sequence[pytest.Item], plugin: _Plugin) -> None:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            _run_until_noticed(items, tests, plugin, self.baseline)

        signal.setitimer(signal.ITIMER_VIRTUAL, 60.0)
        _import_with(mutant)
        report.send(_pytest(self.tests, loop, self.examples))


CANNOT = "cannot be put in place"


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _measured(items: Sequence[pytest.Item], plugin: _Plugin) -> Baseline:
    """Every test with its time and the functions that it calls, or the first that fails."""
    baseline = Baseline()
    for item, following in zip(items, [*items[1:], None]):
        calls, before = _Calls(), time.perf_counter()
        _run(item, following)
        baseline.seconds[item.nodeid], baseline.calls[item.nodeid] = time.perf_counter() - before, calls.stop()
        if plugin.failed:
            baseline.failed = plugin.failed
            break
    return baseline


class _Calls:
    """Which functions of the packages are called, from now on until it is stopped."""

    def __init__(self) -> None:
        self._codes: dict[int, Any] = {}
        sys.settrace(self._note)
        threading.settrace(self._note)

    def _note(self, frame: types.FrameType, event: str, _: Any) -> None:
        self._codes[id(frame.f_code)] = frame.f_code  # each is kept, so that no other gets its id

    def stop(self) -> set[Key]:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
        inside = tuple(f"{ROOT / package}{os.sep}" for package in PACKAGES)
        return {
            (code.co_filename[len(f"{ROOT}{os.sep}") :], code.co_firstlineno)
            for code in self._codes.values()
            if code.co_filename.startswith(inside)
        }
