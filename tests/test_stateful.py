"""Whatever is done to graphs, in whatever order, beside a brute-force model that shares nothing with the engine."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, field

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from autograd import TABLE, Value, compile, gradients, no_grad, topological_order
from autograd.derivatives import tangents

from .examples import examples

# Whole numbers: the arithmetic of both sides is exact, and nothing but the very same number will do.
ROWS = {
    "add": (lambda x, y: x + y, lambda x, y: (1, 1)),
    "sub": (lambda x, y: x - y, lambda x, y: (1, -1)),
    "mul": (lambda x, y: x * y, lambda x, y: (y, x)),
    "neg": (lambda x: -x, lambda x: (-1,)),
    "abs": (lambda x: x if x > 0 else -x, lambda x: ((x > 0) - (x < 0),)),
    "relu": (lambda x: x if x > 0 else 0.0, lambda x: (1 if x > 0 else 0,)),
    "maximum": (lambda x, y: x if x > y else y, lambda x, y: (1, 0) if x > y else (0, 1) if y > x else (0.5, 0.5)),
    "detach": (lambda x: x, lambda x: (0,)),
}
"""Each row with its slopes, written by hand."""

MOST_NODES, LARGEST = 40, 1e4


@dataclass
class Twin:
    """What the model knows of a node: how it was computed, from which numbers, and the two numbers that change."""

    data: float
    row: str | None = None
    inputs: tuple[int | float, ...] = ()
    seen: tuple[float, ...] = ()
    grad: float = field(default=0.0)


def slope(twins: list[Twin], output: int, variable: int) -> float:
    """d(output)/d(variable): the sum over the inputs, from the bottom up (inputs are older than nodes)."""
    found = [0.0] * len(twins)
    found[variable] = 1.0
    for x, twin in enumerate(twins):
        if x != variable and twin.row is not None:
            slopes = ROWS[twin.row][1](*twin.seen)
            found[x] = sum(s * found[y] for y, s in zip(twin.inputs, slopes) if isinstance(y, int))
    return found[output]


def below(twins: list[Twin], output: int) -> set[int]:
    """The nodes that `output` was computed from, itself included."""
    found = {output}
    for x in range(output, -1, -1):
        if x in found:
            found.update(y for y in twins[x].inputs if isinstance(y, int))
    return found


def replayed(twins: list[Twin]) -> list[Twin]:
    """The twins as they are computed from the numbers that the leaves have now."""
    found: list[Twin] = []
    for twin in twins:
        if twin.row is None:
            found.append(twin)
        else:
            seen = tuple(found[x].data if isinstance(x, int) else x for x in twin.inputs)
            found.append(Twin(ROWS[twin.row][0](*seen), twin.row, twin.inputs, seen))
    return found


class Graphs(RuleBasedStateMachine):
    """Values on one side, twins on the other."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[Value] = []
        self.twins: list[Twin] = []

    def pick(self, index: int) -> int:
        return index % len(self.values)

    def add(self, value: Value, twin: Twin) -> None:
        self.values.append(value)
        self.twins.append(twin)

    @initialize(number=st.integers(-3, 3))
    def first(self, number):
        self.leaf(number)

    @precondition(lambda self: len(self.values) < MOST_NODES)
    @rule(number=st.integers(-3, 3))
    def leaf(self, number):
        self.add(Value(number), Twin(float(number)))

    @precondition(lambda self: len(self.values) < MOST_NODES)
    @rule(
        name=st.sampled_from([name for name in ROWS if name != "detach"]),
        i=st.integers(0, 99),
        j=st.integers(0, 99),
        constant=st.none() | st.integers(-2, 2),
        recorded=st.sampled_from([True, True, True, False]),
    )
    def operate(self, name, i, j, constant, recorded):
        i, j = self.pick(i), self.pick(j)
        inputs = (i,) if len(TABLE[name].partials) == 1 else (i, j if constant is None else float(constant))
        seen = tuple(self.twins[x].data if isinstance(x, int) else x for x in inputs)
        result = ROWS[name][0](*seen)
        if abs(result) > LARGEST:
            return
        operands = [self.values[x] if isinstance(x, int) else x for x in inputs]
        if recorded:
            self.add(TABLE[name](*operands), Twin(result, name, inputs, seen))
        else:
            with no_grad():
                self.add(TABLE[name](*operands), Twin(result))

    @precondition(lambda self: len(self.values) < MOST_NODES)
    @rule(i=st.integers(0, 99))
    def detach(self, i):
        i = self.pick(i)
        self.add(self.values[i].detach(), Twin(self.twins[i].data, "detach", (i,), (self.twins[i].data,)))

    @rule(i=st.integers(0, 99), number=st.integers(-3, 3))
    def change(self, i, number):
        i = self.pick(i)
        self.values[i].data = number
        self.twins[i].data = float(number)

    @rule(i=st.integers(0, 99))
    def backward(self, i):
        i = self.pick(i)
        self.values[i].backward()
        for x in below(self.twins, i):
            self.twins[x].grad += slope(self.twins, i, x)

    @rule(i=st.integers(0, 99))
    def zero(self, i):
        i = self.pick(i)
        self.values[i].grad = 0
        self.twins[i].grad = 0.0

    @rule(i=st.integers(0, 99), j=st.integers(0, 99))
    def differentiate(self, i, j):
        i, j = self.pick(i), self.pick(j)
        expected, (output, variable) = slope(self.twins, i, j), (self.values[i], self.values[j])
        assert gradients(output, [variable]) == [expected]
        assert gradients(output, [variable], create_graph=True)[0].data == expected
        assert tangents([output], {variable: 1.0}) == [expected]

    @rule(i=st.integers(0, 99), how=st.sampled_from([copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]))
    def duplicate(self, i, how):
        i = self.pick(i)
        originals = topological_order([self.values[i]])
        if len(self.values) + len(originals) > MOST_NODES:
            return
        places = [next(k for k, v in enumerate(self.values) if v is original) for original in originals]
        renamed = {place: len(self.values) + n for n, place in enumerate(places)}
        for value, place in zip(topological_order([how(self.values[i])]), places):
            twin = self.twins[place]
            inputs = tuple(renamed[x] if isinstance(x, int) else x for x in twin.inputs)
            self.add(value, Twin(twin.data, twin.row, inputs, twin.seen, twin.grad))

    @rule(i=st.integers(0, 99))
    def run_compiled(self, i):
        i = self.pick(i)
        leaves = sorted(x for x in below(self.twins, i) if self.twins[x].row is None)
        now = replayed(self.twins)
        if any(abs(twin.data) > LARGEST**2 for twin in now):
            return
        program = compile(self.values[i], [self.values[x] for x in leaves])
        value, gradient = program.value_and_grad([self.twins[x].data for x in leaves])
        assert value == now[i].data
        assert gradient.tolist() == [slope(now, i, x) for x in leaves]

    @invariant()
    def both_are_the_same(self):
        for value, twin in zip(self.values, self.twins):
            assert (value.data, value.grad, value.numbers[1:]) == (twin.data, twin.grad, twin.seen)
            assert type(value.data) is type(value.grad) is float


SETTINGS = examples(100, stateful_step_count=40)
TestGraphs = Graphs.TestCase
TestGraphs.settings = SETTINGS


def test_a_fault_in_either_side_is_noticed(monkeypatch):
    """Negative control: the same rules, with one slope of the model wrong."""
    monkeypatch.setitem(ROWS, "sub", (ROWS["sub"][0], lambda x, y: (1, 1)))
    once = settings(SETTINGS, max_examples=5000, database=None, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Graphs, settings=once)
