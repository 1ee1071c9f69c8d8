"""Negative controls: a wrong row, a wrong sign and a missing += must each be noticed by the checks of this suite."""

from __future__ import annotations

import math
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import autograd.graph
from autograd import TABLE, Value, gradients

from . import laws
from .oracles import ANALYTIC, path_sum

POINT = (0.75, 1.5, 0.5)


def fails(law, row) -> bool:
    try:
        law(row, POINT[: len(row.partials)])
    except AssertionError as error:
        assert row.name in str(error)  # the message names the row
        return True
    return False


def spoilt(partial, how):
    return lambda *numbers: how(partial(*numbers))


@pytest.mark.parametrize("name", [op.name for op in TABLE.values() if not op.flat])
@pytest.mark.parametrize("how", [lambda d: -d, lambda d: d * 1.001, lambda d: d + 1e-3], ids=["sign", "factor", "term"])
def test_a_wrong_partial_is_noticed(name, how):
    """Each partial of each row, with its sign flipped, or off by a thousandth."""
    row = TABLE[name]
    assert not fails(laws.partials_equal_differences, row)
    for i, partial in enumerate(row.partials):
        point = POINT[: len(row.partials)]
        if partial is None or how(partial(row.forward(*point), *point)) == partial(row.forward(*point), *point):
            continue  # nothing changes at this point
        partials = [*row.partials[:i], spoilt(partial, how), *row.partials[i + 1 :]]
        assert fails(laws.partials_equal_differences, replace(row, partials=tuple(partials)))


@pytest.mark.parametrize("name", [op.name for op in TABLE.values() if op.flat and op.name != "detach"])
def test_a_wrong_zero_is_noticed(name):
    """Rows with derivative 0 too."""
    assert fails(
        laws.partials_equal_differences,
        replace(TABLE[name], partials=(lambda *numbers: 1e-3,) * len(TABLE[name].partials)),
    )


@pytest.mark.parametrize("name", list(TABLE))
def test_a_wrong_evaluation_is_noticed(name):
    """A forward that differs from its ufunc by a few ulp."""
    row = TABLE[name]
    assert fails(laws.forward_equals_ufunc, replace(row, forward=lambda *x: row.forward(*x) * (1 + 1e-14) + 1e-14))


def test_a_foreign_derivative_is_noticed():
    """A partial that calls a primitive outside the table."""
    foreign = replace(TABLE["cos"], name="cosine")
    assert fails(laws.table_is_closed, replace(TABLE["sin"], partials=(lambda z, x: foreign(x),)))


def test_a_wrong_second_derivative_is_noticed(monkeypatch):
    """A partial that is right in value but not recorded."""
    wrong = replace(TABLE["exp"], partials=(lambda z, x: z.data if isinstance(z, Value) else z,))
    assert fails(laws.second_order, wrong)


@pytest.mark.parametrize("name", list(ANALYTIC))
def test_the_complex_step_notices_a_wrong_partial(name):
    """By the second oracle too, at a relative error of 1e-9."""
    row = TABLE[name]
    (partial,) = row.partials
    assert not fails(laws.partials_equal_complex_step, row)
    assert fails(laws.partials_equal_complex_step, replace(row, partials=(spoilt(partial, lambda d: d * (1 + 1e-9)),)))


@pytest.mark.parametrize("kind", [np.ndarray, Value])
def test_a_partial_that_differs_between_kinds_is_noticed(kind):
    """Right on floats, wrong on arrays or on Values."""
    right = TABLE["tanh"].partials[0]
    wrong = replace(TABLE["tanh"], partials=(lambda z, x: right(z, x) * (1.5 if isinstance(x, kind) else 1.0),))
    assert fails(laws.partials_agree_on_all_kinds, wrong)


def test_a_gate_that_multiplies_is_noticed():
    """Without its column `gate`, relu lets an infinite adjoint through as NaN."""
    x = Value(-1.0)
    open_gate = Value.__record__(replace(TABLE["relu"], gate=False), [x])
    assert gradients(x.relu().sqrt(), [x]) == [0.0]
    assert math.isnan(gradients(open_gate.sqrt(), [x])[0])


def engine_with(old: str, new: str) -> types.ModuleType:
    """The module graph.py with a fault in it."""
    source = Path(autograd.graph.__file__).read_text()
    assert source.count(old) == 1
    module = types.ModuleType("autograd.broken_graph")
    module.__package__ = "autograd"
    exec(compile(source.replace(old, new), "broken_graph.py", "exec"), module.__dict__)
    return module


FAULTS = [
    ("found[target] + term if target in found else term", "term"),  # the missing +=
    ("found[target] + term if target in found else term", "found[target] - term if target in found else term"),
    ("slopes(nodes, {output: 1.0}, nodes)", "slopes(nodes, {output: -1.0}, nodes)"),
    ("topological_order(require_value(output))[::-1]", "topological_order(require_value(output))"),
    ("product = adjoint * partial", "product = adjoint + partial"),
]


@pytest.mark.parametrize(
    ("old", "new"), [("def adjoints", "def adjoints"), *FAULTS], ids=["none", "+=", "-=", "seed", "order", "*"]
)
def test_a_fault_in_the_sweep_is_noticed(old, new):
    """Shared nodes, against the sum over paths; without a fault the check passes."""
    x, y = Value(0.75), Value(1.5)
    shared = x * y + x
    output = shared * shared * y - shared
    module = engine_with(old, new)
    module._sweeping.acquire()  # so that the definition is used, not what is written out (see test_engine.py)
    found = module.adjoints(output)
    right = all(laws.close(found.get(leaf, 0.0), path_sum(output, leaf), 1e-12) for leaf in (x, y, shared))
    assert right == (old == new)
