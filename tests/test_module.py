"""Modules: names, labels, sharing, state, and files that are written whole and read without trust."""

from __future__ import annotations

import argparse
import copy
import dataclasses
import functools
import logging
import math
import os
import pickle
import queue
import random
import re
import threading
import types
import weakref
import zipfile
from array import array
from collections import ChainMap, OrderedDict, UserDict, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from autograd import Value, compile, enable_grad, grad, gradients, jacobian, jvp, maximum, minimum, no_grad, sign
from nn import (
    MLP,
    SGD,
    Adam,
    AdamW,
    Embedding,
    Layer,
    Module,
    Neuron,
    accuracy,
    binary_cross_entropy,
    fit,
    half_squared_error,
    identity,
    places,
    schedules,
    tanh,
)


class Net(Module):
    """Attributes of every kind, and a parameter that is used twice."""

    def __init__(self):
        self.scale = Value(2.0, label="gain")
        self.blocks = {"first": Layer(2, 2, seed=0), "second": [Neuron(2, seed=1)]}
        self.table = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
        self.tied = self.blocks["second"][0].w
        self.name, self.size, self.last = "net", 3, Value(1.0) * 2.0


NAMES = [
    "scale",
    "blocks.first.neurons.0.w.0",
    "blocks.first.neurons.0.w.1",
    "blocks.first.neurons.0.b",
    "blocks.first.neurons.1.w.0",
    "blocks.first.neurons.1.w.1",
    "blocks.first.neurons.1.b",
    "blocks.second.0.w.0",
    "blocks.second.0.w.1",
    "blocks.second.0.b",
    "table.0.0",
    "table.0.1",
    "table.1.0",
    "table.1.1",
]


def test_names_are_the_ways_to_the_parameters():
    """Dotted, in order, each parameter once; computed nodes and other attributes are no parameters."""
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert net.parameters() == [p for _, p in net.named_parameters()]


def test_names_become_labels_but_hand_set_labels_stay():
    """Also when a module becomes part of a larger one."""
    net = Net()
    assert [p.label for p in net.parameters()] == ["gain", *NAMES[1:]]
    assert MLP(2, [3, 1], seed=0).layers[1].neurons[0].w[2].label == "layers.1.neurons.0.w.2"


def test_a_shared_parameter_counts_once():
    """Two layers, one weight: one parameter, one entry of the state, one step of the optimizer."""
    shared = Layer(2, 2, seed=0)

    class Twice(Module):
        def __init__(self):
            self.one, self.two = shared, shared
            self.again = shared.neurons[0].w

    twice = Twice()
    assert len(twice.parameters()) == 6 and len(twice.state_dict()) == 4
    (twice.one.neurons[0].w[0] * 1.0).backward()
    before = shared.neurons[0].w[0].data
    optimizer = SGD([*twice.parameters(), *twice.parameters()], learning_rate=1.0)
    assert len(optimizer.parameters) == 6
    optimizer.step()
    assert shared.neurons[0].w[0].data == before - 1.0


class Bare(Module):
    """Whatever attributes it is given."""

    def __init__(self, **attributes):
        for name, value in attributes.items():
            setattr(self, name, value)


def test_parameters_are_found_in_what_holds_them():
    """Ragged lists, mixtures, arrays of this and that, a parent, a dict that holds itself; not in plain data."""
    a, b, c = Value(1.0), Value(2.0), Value(3.0)
    child, loop = Bare(w=a), {"b": b}
    loop["self"] = loop
    parent = Bare(child=child, loop=loop, rows=[[1], [2, 3]], arrays=[np.zeros(2), np.zeros(3)], boxed=np.array(c))
    child.parent = parent
    assert [name for name, _ in parent.named_parameters()] == ["child.w", "loop.b", "boxed"]
    assert [name for name, _ in child.named_parameters()] == ["w", "parent.loop.b", "parent.boxed"]
    ragged = Bare(w=[[a], [b, c]], mixed=[1, Value(4.0), None], table=np.array([Value(5.0), None]))
    assert [name for name, _ in ragged.named_parameters()] == ["w.0.0", "w.1.0", "w.1.1", "mixed.1", "table.0"]
    with pytest.raises(TypeError, match="w is a set; parameters need an order"):
        Bare(w={a, b})


def test_what_was_computed_is_no_parameter():
    """An activation kept in an attribute, recorded or from inside no_grad."""
    module = Bare(w=Value(2.0))
    with no_grad():
        module.z = module.w * 3.0
    module.recorded = module.w * 3.0
    assert module.parameters() == [module.w]
    assert list(module.state_dict()) == ["w"]


def test_layers_appended_to_a_list_are_labeled_when_they_are_named():
    """The labels are the names, also for modules that came later."""
    model = Bare(layers=[])
    model.layers += [Layer(1, 1, seed=0), Layer(1, 1, seed=1)]
    assert [p.label for p in model.parameters()] == [name for name, _ in model.named_parameters()]
    assert model.layers[1].neurons[0].b.label == "layers.1.neurons.0.b"


def test_names_that_collide_are_refused():
    """No entry of the state takes the place of another."""
    with pytest.raises(ValueError, match=r"two entries of the state would be called 'd\.1'"):
        Bare(d={1: Value(1.0), "1": Value(2.0)}).state_dict()


def test_a_state_may_not_contradict_itself():
    """Weights tied in part: two entries, one parameter, two numbers."""
    a, b, c = Value(1.0), Value(2.0), Value(3.0)
    tied = Bare(u=[a, b], v=[b, c])
    tied.load_state_dict({"u": [4.0, 5.0], "v": [5.0, 6.0]})
    with pytest.raises(ValueError, match=r"v gives a shared parameter 99\.0, another entry 2\.0"):
        tied.load_state_dict({"u": [1.0, 2.0], "v": [99.0, 3.0]})
    assert [x.data for x in (a, b, c)] == [4.0, 5.0, 6.0]


def test_zero_grad():
    """Every gradient is 0.0 again."""
    net = Net()
    for p in net.parameters():
        p.grad = 3.0
    net.zero_grad()
    assert {p.grad for p in net.parameters()} == {0.0}


def test_state_dict_is_arrays_by_name():
    """() for a Value, (n,) for a list, the shape of an array; loading it sets the numbers."""
    net, other = Net(), Net()
    state = net.state_dict()
    assert {name: array.shape for name, array in state.items()} == {
        "scale": (),
        "blocks.first.neurons.0.w": (2,),
        "blocks.first.neurons.0.b": (),
        "blocks.first.neurons.1.w": (2,),
        "blocks.first.neurons.1.b": (),
        "blocks.second.0.w": (2,),
        "blocks.second.0.b": (),
        "table": (2, 2),
    }
    for p in net.parameters():
        p.data += 1.0
    other.load_state_dict(net.state_dict())
    assert [p.data for p in other.parameters()] == [p.data for p in net.parameters()]
    assert state["scale"] == 2.0  # a copy, not a view


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s.pop("scale"), "lacks scale"),
        (lambda s: s.update(other=np.zeros(1)), "has other, which is not expected"),
        (lambda s: s.update(scale=np.zeros(2)), r"shape \(\), the state's has \(2,\)"),
        (lambda s: s.update(table=np.full((2, 2), np.nan)), "table of the model holds nan"),
        (
            lambda s: s.update(scale=np.longdouble("1e4000")),
            "scale of the model holds a number beyond the range of a float",
        ),
        (lambda s: s.update(scale=1j), "scale of the model holds 1j .complex.*; nothing was loaded"),
        (lambda s: s.update(scale="x"), "scale of the model holds 'x' .str.*; nothing was loaded"),
        (lambda s: s.update(scale=np.ma.masked), "scale of the model has a masked entry.*; nothing was loaded"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(spoil, message):
    """Missing, extra, misshapen, non-finite or no numbers: a ValueError, and the model is as it was."""
    net = Net()
    before = [p.data for p in net.parameters()]
    state = {name: array + 1.0 for name, array in net.state_dict().items()}
    spoil(state)
    with pytest.raises(ValueError, match=message):
        net.load_state_dict(state)
    assert [p.data for p in net.parameters()] == before


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_save_and_load(tmp_path, kind):
    """Model and optimizer come back bit for bit; the model alone can be read from the same file."""
    model, other, third = (MLP(2, [3, 1], seed=seed) for seed in (0, 1, 2))
    optimizer, another = kind(model.parameters(), 0.1), kind(other.parameters(), 0.1)
    for _ in range(3):
        model.zero_grad()
        model([1.0, 2.0]).backward()
        optimizer.step()
    model.save(tmp_path / "model.npz", optimizer)
    other.load(tmp_path / "model.npz", another)
    third.load(tmp_path / "model.npz")
    assert (
        [p.data for p in other.parameters()]
        == [p.data for p in model.parameters()]
        == [p.data for p in third.parameters()]
    )
    assert another.steps == 3
    for name, vector in optimizer.state_dict().items():
        assert np.array_equal(vector, another.state_dict()[name])
    assert list(tmp_path.iterdir()) == [tmp_path / "model.npz"]


def spoilt_files(path, good):
    """Files that are not what `save` writes, by name."""
    content = good.read_bytes()
    yield "empty", b""
    yield "text", b"these are not the weights"
    yield "truncated", content[: len(content) // 2]
    flipped = bytearray(content)
    flipped[len(content) // 3] ^= 0xFF
    yield "flipped", bytes(flipped)
    yield "pickle", pickle.dumps([1, 2, 3])
    np.savez(path / "foreign.npz", a=np.zeros(3))
    yield "foreign", (path / "foreign.npz").read_bytes()
    with np.load(good) as arrays:
        state = dict(arrays)
    for name, changes in {
        "object": {"model/layers.0.neurons.0.w": np.array([{}, {}], dtype=object)},
        "shape": {"model/layers.0.neurons.0.w": np.zeros(3)},
        "nan": {"model/layers.0.neurons.0.w": np.array([np.nan, 0.0])},
        "dtype": {"model/layers.0.neurons.0.w": np.zeros(2, dtype=np.float32)},
        "int": {"model/layers.0.neurons.0.w": np.ones(2, dtype=np.int64)},
        "extra": {"model/z": np.zeros(3)},
    }.items():
        np.savez(path / "spoilt.npz", **{**state, **changes})
        yield name, (path / "spoilt.npz").read_bytes()
    header = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    with zipfile.ZipFile(path / "huge.npz", "w") as archive:
        for name in state:
            archive.writestr(f"{name}.npy", header.ljust(127) + b"\n")
    yield "huge", (path / "huge.npz").read_bytes()


def test_files_that_are_not_checkpoints_are_refused(tmp_path):
    """Corrupt, foreign, pickled, misshapen, non-finite or huge: a ValueError that names the file; the model stays."""
    model = MLP(2, [1], seed=0)
    model.save(tmp_path / "good.npz")
    before, bad = [p.data for p in model.parameters()], tmp_path / "bad.npz"
    for name, content in spoilt_files(tmp_path, tmp_path / "good.npz"):
        bad.write_bytes(content)
        with pytest.raises(ValueError, match=r"bad\.npz") as caught:
            model.load(bad)
        assert [p.data for p in model.parameters()] == before, name
        assert "Traceback" not in str(caught.value)
    with pytest.raises(FileNotFoundError):
        model.load(tmp_path / "missing.npz")


def test_files_keep_their_place_and_their_mode(tmp_path):
    """A new file is as readable as others, an old one stays so; a link is followed; a missing folder is named."""
    model, path, link = MLP(2, [1], seed=0), tmp_path / "model", tmp_path / "link"
    (tmp_path / "other").touch()
    model.save(path)
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
    path.chmod(0o640)
    link.symlink_to(path)
    model.save(link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(OSError, match="not a regular file"):
        model.save(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        model.save(tmp_path / "nowhere" / "model.npz")


def test_an_optimizer_that_does_not_fit_changes_nothing(tmp_path):
    """Neither the model nor the optimizer, if the file has the state of another."""
    model = MLP(2, [1], seed=0)
    model.save(tmp_path / "model.npz", SGD(model.parameters()))
    before = [p.data for p in model.parameters()]
    for p in model.parameters():
        p.data = 5.0
    with pytest.raises(ValueError, match=r"lacks optimizer/Adam/epochs"):
        model.load(tmp_path / "model.npz", Adam(model.parameters()))
    assert {p.data for p in model.parameters()} == {5.0}
    with np.load(tmp_path / "model.npz") as arrays:
        np.savez(tmp_path / "nan.npz", **{**arrays, "optimizer/SGD/velocity": np.full(3, np.nan)})
    with pytest.raises(ValueError, match=r"optimizer/SGD/velocity of .* holds nan"):
        model.load(tmp_path / "nan.npz", SGD(model.parameters()))
    assert {p.data for p in model.parameters()} == {5.0}
    model.load(tmp_path / "model.npz")
    assert [p.data for p in model.parameters()] == before


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    """An exception in the middle of writing: the old file is whole, and nothing else is left lying about."""
    model = MLP(2, [1], seed=0)
    path = tmp_path / "model.npz"
    model.save(path)
    old = path.read_bytes()

    def broken(file, **arrays):
        file.write(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", broken)
    with pytest.raises(KeyboardInterrupt):
        model.save(path)
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


def test_a_module_without_call_says_so():
    """With its name."""
    with pytest.raises(NotImplementedError, match="Net does not say what it computes"):
        Net()([1.0])


# ---- What stands in the place of a parameter ----

Pair = namedtuple("Pair", "w b")


@dataclasses.dataclass(frozen=True)
class Frozen:
    w: Value
    size: int = 3


@dataclasses.dataclass
class Slotted:
    __slots__ = ("w",)
    w: list


class Named(list):
    """A list with attributes."""


def held(make):
    """A module that holds, in one attribute, what `make` makes of a fresh parameter, 1.0, and of another, 2.0."""
    return Bare(held=make(Value(1.0), Value(2.0)))


CONTAINERS = {
    "value": (lambda v, _: v, ["held"]),
    "list": (lambda v, w: [v, w], ["held.0", "held.1"]),
    "list subclass": (lambda v, w: Named([v, w]), ["held.0", "held.1"]),
    "nested lists": (lambda v, w: [[v], [w, None]], ["held.0.0", "held.1.0"]),
    "tuple": (lambda v, w: (v, w), ["held.0", "held.1"]),
    "dict": (lambda v, w: {"a": v, "b": w, "n": 3}, ["held.a", "held.b"]),
    "OrderedDict": (lambda v, w: OrderedDict(a=v, b=[w]), ["held.a", "held.b.0"]),
    "defaultdict": (lambda v, w: defaultdict(list, a=[v, w]), ["held.a.0", "held.a.1"]),
    "deque": (lambda v, w: deque([v, w], maxlen=2), ["held.0", "held.1"]),
    "array": (lambda v, w: np.array([[v], [w]]), ["held.0.0", "held.1.0"]),
    "array of none": (lambda v, _: np.array(v), ["held"]),
    "namedtuple": (lambda v, w: Pair(v, [w]), ["held.0", "held.1.0"]),
    "dataclass": (lambda v, w: Slotted([v, w]), ["held.w.0", "held.w.1"]),
    "frozen dataclass": (lambda v, _: Frozen(v), ["held.w"]),
    "all of them": (lambda v, w: [{"x": (Pair(v, deque([Frozen(w)])), None)}], ["held.0.x.0.0", "held.0.x.0.1.0.w"]),
}
every_container = pytest.mark.parametrize(("make", "names"), CONTAINERS.values(), ids=CONTAINERS)


def mapped(change, item):
    """The like of `item`, with every Value in it changed."""
    again = functools.partial(mapped, change)
    if isinstance(item, Value):
        return change(item)
    if isinstance(item, Pair):
        return Pair(*map(again, item))
    if isinstance(item, (list, tuple)):
        return type(item)(map(again, item))
    if isinstance(item, deque):
        return deque(map(again, item), item.maxlen)
    if isinstance(item, dict):
        made = copy.copy(item)
        made.update({key: again(part) for key, part in item.items()})
        return made
    if isinstance(item, np.ndarray):
        made = np.empty(item.shape, dtype=object)
        for index, part in np.ndenumerate(item):
            made[index] = change(part)
        return made
    return dataclasses.replace(item, w=again(item.w)) if dataclasses.is_dataclass(item) else item


@every_container
def test_parameters_are_found_in_every_container(make, names):
    """By their names, saved and loaded."""
    model, other = held(make), held(make)
    assert [name for name, _ in model.named_parameters()] == names
    for p in model.parameters():
        p.data *= 8.0
    other.load_state_dict(model.state_dict())
    assert [p.data for p in other.parameters()] == [8.0, 16.0][: len(names)]


@every_container
@pytest.mark.parametrize("recorded", [True, False])
def test_an_update_becomes_the_parameter(make, names, recorded, tmp_path):
    """A leaf of its number and label, twice updated or once, recorded or not; nothing else of the model changes."""
    model = held(make)
    shapes = {name: array.shape for name, array in model.state_dict().items()}
    optimizer = SGD(model.parameters(), 1.0)
    old = model.parameters()
    for p in old:
        p.grad = 0.25
    for _ in range(2):
        if recorded:
            model.held = mapped(lambda w: w - 0.5 * w.grad, model.held)
        else:
            with no_grad():
                model.held = mapped(lambda w: w - 0.5 * w.grad, model.held)
    now = model.named_parameters()
    # the second update is of the first one's node, which has no gradient
    assert [(name, p.data, p.grad, p.label) for name, p in now] == [
        (name, number - 0.125, 0.0, name) for name, number in zip(names, (1.0, 2.0))
    ]
    assert all(p.op is None and p.inputs == () and not p.numbers for _, p in now)
    assert all(a is b for a, b in zip(model.parameters(), [p for _, p in now]))
    assert type(model.held) is type(held(make).held)
    assert {name: array.shape for name, array in model.state_dict().items()} == shapes
    model.save(tmp_path / "model.npz")
    fresh = held(make)
    fresh.load(tmp_path / "model.npz")
    assert [p.data for p in fresh.parameters()] == [p.data for _, p in now]
    for act in (optimizer.step, lambda: model.save(tmp_path / "x", optimizer), lambda: model.load("x", optimizer)):
        with pytest.raises(RuntimeError, match=re.escape(f"SGD holds {names[0]}, which was replaced")):
            act()
    assert [p.data for p in old] == [1.0, 2.0][: len(names)]


@every_container
def test_numbers_become_parameters(make, names):
    """In the places of parameters, of any kind of real number; labeled."""
    numbers = iter([3, np.float32(0.5)])
    model = held(make)
    model.held = mapped(lambda _: next(numbers), model.held)
    assert [(name, p.data, p.label) for name, p in model.named_parameters()] == list(zip(names, [3.0, 0.5], names))
    assert all(type(p) is Value for p in model.parameters())


def test_a_container_is_written_to():
    """Item by item, without setting an attribute."""
    neuron, table = Neuron(2, seed=0), Embedding(3, 2, seed=0)
    before = [p.data for p in neuron.parameters()]
    neuron.w[0] -= 0.1
    neuron.w[0] *= 2.0
    neuron.b += 1.0
    assert [p.data for p in neuron.parameters()] == [2.0 * (before[0] - 0.1), before[1], 1.0]
    table.rows[2][1] = 0.5
    assert len(table.parameters()) == 6 and table.parameters()[5].data == 0.5
    neuron.w.append(0.75)
    assert [name for name, _ in neuron.named_parameters()] == ["w.0", "w.1", "w.2", "b"]


@pytest.mark.parametrize(
    ("number", "data"),
    [(0.6, 0.6), (2, 2.0), (np.int64(3), 3.0), (np.array(0.5), 0.5), (Fraction(1, 4), 0.25), (Decimal("0.5"), 0.5)],
)
def test_a_bias_of_any_number(number, data):
    """It is a Value at once."""
    neuron = Neuron(1)
    neuron.b = number
    assert isinstance(neuron.b, Value) and neuron.b.data == data
    neuron([1.0]).backward()
    assert neuron.parameters()[1].label == "b"


@pytest.mark.parametrize("weights", [[0.15, 0.2], (0.15, 0.2), np.array([0.15, 0.2]), deque([0.15, 0.2])])
def test_weights_of_plain_numbers(weights):
    """Two neurons that are given one list are not tied by it, and the list stays as it is."""
    layer = Layer(2, 2, activation=identity, seed=0)
    for neuron in layer.neurons:
        neuron.w = weights
    assert [name for name, _ in layer.neurons[1].named_parameters()] == ["w.0", "w.1", "b"]
    assert len(layer.parameters()) == 6 and [float(w) for w in weights] == [0.15, 0.2]
    assert {name: array.shape for name, array in layer.state_dict().items()}["neurons.0.w"] == (2,)
    layer.neurons[0]([2.0, 3.0]).backward()
    assert [p.grad for p in layer.neurons[0].parameters()] == [2.0, 3.0, 1.0]


def test_weights_of_a_column_and_of_a_masked_array():
    """A column of pandas is an array of numbers; what is masked is none."""
    neuron = Neuron(2, seed=0)
    neuron.w = pytest.importorskip("pandas").Series([0.15, 0.2])
    assert [p.data for p in neuron.parameters()] == [0.15, 0.2, 0.0]
    with pytest.raises(TypeError, match=r"w has a masked entry at \(1,\)"):
        neuron.w = np.ma.array([0.15, 0.2], mask=[False, True])


@pytest.mark.parametrize("rows", [np.ones((4, 2)), [[1.0, 1.0]] * 4])
def test_a_table_of_plain_numbers(rows):
    """Rows of numbers in place of rows of parameters, more than before: the same entries in the state."""
    table = Embedding(3, 2, seed=0)
    table.rows = rows
    assert list(table.state_dict()) == ["rows.0", "rows.1", "rows.2", "rows.3"] and len(table.parameters()) == 8


def test_what_held_no_parameter_stays_a_number():
    """Settings, flags and counters, also in a dict beside parameters."""
    model = Bare(size=3, options={"w": Value(1.0), "rate": 0.1}, b=Value(2.0))
    model.options["count"], model.size, model.b = 5, 4, None
    assert [name for name, _ in model.named_parameters()] == ["options.w"]
    assert (model.options["rate"], model.options["count"], model.size) == (0.1, 5, 4)


def test_updates_of_a_list_that_was_shortened_or_sorted():
    """Each keeps its label; one that still stands elsewhere is not updated by a computed neighbor."""
    neuron = Bare(w=[Value(1.0), Value(2.0), Value(3.0)])
    neuron.w = [2.0 * w for w in neuron.w[1:]]
    assert [(p.data, p.label) for p in neuron.parameters()] == [(4.0, "w.1"), (6.0, "w.2")]
    neuron.w = [w - 1.0 for w in reversed(neuron.w)]
    assert [(p.data, p.label) for p in neuron.parameters()] == [(5.0, "w.2"), (3.0, "w.1")]
    neuron.w.append(2.0 * neuron.w[-1])
    assert len(neuron.parameters()) == 2 and neuron.w[2].op is not None


class Recurrent(Module):
    """h <- tanh(w x + u h)."""

    def __init__(self, start):
        self.w, self.u, self.h = Value(0.5), Value(0.25), start

    def __call__(self, x):
        self.h = (self.w * x + self.u * self.h).tanh()
        return self.h


class Counting(Module):
    """A part of a network that holds nothing but its state."""

    def __init__(self):
        self.h = Value(0.0)


def test_state_in_a_part_is_judged_by_the_whole():
    """Though the part, which has none of the parameters that lead to it, is asked first."""
    model = Bare(w=Value(0.5), part=Counting())
    optimizer = SGD(model.parameters())
    model.part.h = state = (model.w * 2.0 + model.part.h).tanh()
    assert model.part.parameters() == [] and model.part.h is state
    optimizer.step()
    assert model.parameters() == [model.w] and model.part.h is state


def test_state_that_was_computed_from_state():
    """As in an LSTM: one search for a parameter does not hide the way from another."""
    model = Bare(w=Value(0.5), c=Value(0.0), h=Value(0.0))
    optimizer = SGD(model.parameters())
    model.c = (model.w * 2.0).tanh()
    model.h = model.c.tanh()
    assert model.parameters() == [model.w]
    optimizer.step()


@pytest.mark.parametrize("start", [0.0, Value(0.0)])
def test_the_state_of_a_recurrent_network_keeps_its_graph(start):
    """Also where it began as a Value: through two steps, whatever asks for the parameters in between."""
    model = Recurrent(start)
    optimizer = SGD(model.parameters(), 1.0)
    first = model(1.0)
    model.zero_grad()
    second = model(2.0)
    assert [name for name, _ in model.named_parameters()] == ["w", "u"] and model.h is second
    second.backward()
    h1 = np.tanh(0.5)
    slope = 1.0 - np.tanh(1.0 + 0.25 * h1) ** 2
    assert model.w.grad == pytest.approx(slope * (2.0 + 0.25 * (1.0 - h1**2)), rel=1e-14)
    assert model.u.grad == pytest.approx(slope * h1, rel=1e-14) and first.grad == pytest.approx(slope * 0.25)
    optimizer.step()
    model.h = 0.0
    assert len(model.parameters()) == 2 and model.h == 0.0 and type(model.h) is float


def test_an_inner_step_of_meta_learning_keeps_its_graph():
    """w - rate g, with g a recorded slope: the second derivative reaches w.  By hand, of (3 w - 1)^2 after one step."""
    model = Bare(w=[Value(1.0)])
    optimizer, outer = SGD(model.parameters(), 1.0), model.w

    def loss():
        return (model.w[0] * 3.0 - 1.0) ** 2

    (slope,) = gradients(loss(), model.w, create_graph=True)
    model.w = [model.w[0] - 0.01 * slope]
    assert model.parameters() == []
    loss().backward()
    inner = 1.0 - 0.01 * 12.0  # w - rate 6 (3 w - 1)
    assert outer[0].grad == pytest.approx(6.0 * (3.0 * inner - 1.0) * (1.0 - 0.01 * 18.0), rel=1e-14)
    model.w = outer
    optimizer.step()
    assert model.parameters()[0] is outer[0] and outer[0].data == 1.0 - outer[0].grad


@pytest.mark.parametrize("loss", [lambda z: z * z, lambda z: 0.5 * z**2, tanh, lambda z: z.exp(), lambda z: z.sin()])
def test_recorded_slopes_of_a_single_parameter_are_none_of_its_updates(loss):
    """Nothing but numbers takes part in them, and still they are to be differentiated."""
    model = Bare(w=Value(1.0))
    (slope,) = gradients(loss(model.w * 3.0 - 1.0), [model.w], create_graph=True)
    model.w = state = model.w - 0.01 * slope
    assert model.parameters() == [] and model.w is state


@pytest.mark.parametrize(
    ("update", "number"),
    [
        (lambda w: w - 0.5 * (w.grad + 0.25 * w), 1.5),
        (lambda w: (1.0 - 0.25) * w - 0.5 * w.grad, 1.25),
        (lambda w: -w / 4, -0.5),
        (lambda w: w.relu() ** 2 + 1, 5.0),
        (lambda w: w * w, 4.0),
        (lambda w: w - Value(0.5).data, 1.5),
    ],
)
def test_updates_of_many_kinds(update, number):
    """Decay, clipping, squares: of one parameter and numbers; also twice in a row."""
    model = Bare(w=Value(2.0))
    model.w.grad = 0.5
    model.w = update(model.w)
    assert [(p.data, p.label) for p in model.parameters()] == [(number, "w")]
    model = Bare(w=Value(2.0))
    model.w = update(update(model.w))
    assert len(model.parameters()) == 1


@pytest.mark.parametrize("other", [lambda w: w * Value(0.5), lambda w: Value(3.0) * 2.0])
def test_what_other_values_take_part_in_is_state(other):
    """A rate that is a Value may be learned itself; so may what a weight is made of."""
    model = Bare(w=Value(1.0))
    model.w = state = other(model.w)
    assert model.parameters() == [] and model.w is state and state.op is not None


def test_tied_weights():
    """An item that is set in a list that two share is set for both; one of two names rebound ends the tie."""

    class Tied(Module):
        def __init__(self):
            self.one, self.two = Neuron(1, seed=0), Neuron(1, seed=1)
            self.two.w = self.one.w

    model = Tied()
    model.one.w[0] -= 0.5
    assert len(model.parameters()) == 3 and model.two.w[0] is model.one.w[0] is model.parameters()[0]
    optimizer = SGD(model.parameters())
    model.two.w = [Value(3.0)]
    optimizer.step()  # what it holds is still there by its other name
    assert len(model.parameters()) == 4
    model.one.w = [Value(4.0)]
    with pytest.raises(RuntimeError, match=r"SGD holds one\.w\.0, which was replaced"):
        optimizer.step()
    model.one.w = model.two.w
    model.parameters()
    model.one.w[0] = 0.5
    assert len(model.parameters()) == 3 and model.one.w is model.two.w
    model.one.w = [Value(4.0)]
    shared = model.one.w[0] * 0.5
    model.one.w, model.two.w = [shared], [shared]
    assert len(model.parameters()) == 3 and model.one.w[0].data == 2.0


def test_weights_tied_between_two_models():
    """What one of the models does not hold any more, the other may."""
    one, two = Neuron(1, seed=0), Neuron(1, seed=1)
    two.w = one.w
    optimizer = SGD(one.parameters() + two.parameters())
    one.w = [Value(1.0)]
    optimizer.step()
    two.w = [Value(1.0)]
    with pytest.raises(RuntimeError, match="which was replaced"):
        optimizer.step()


@pytest.mark.parametrize(
    "remove",
    [
        lambda model: model.layers.pop(),
        lambda model: model.layers.pop(0),
        lambda model: model.layers.insert(0, Layer(2, 2)),
        lambda model: model.layers.append(Layer(1, 2)),
        lambda model: delattr(model.layers[0].neurons[0], "b"),
        lambda model: model.layers[0].neurons[0].w.pop(0),
        lambda model: model.layers.clear(),
    ],
)
def test_removing_and_adding_is_allowed(remove, tmp_path):
    """No error, no ghost: not in the parameters, nor in a file."""
    model = MLP(2, [2, 1], seed=0)
    optimizer = SGD(model.parameters())
    remove(model)
    optimizer.step()
    model.save(tmp_path / "model.npz", optimizer)
    assert sum(array.size for array in model.state_dict().values()) == len(model.parameters())
    assert set(map(id, model.parameters())) == {
        id(p) for layer in model.layers for n in layer.neurons for p in (*n.w, *([n.b] if hasattr(n, "b") else []))
    }


@pytest.mark.parametrize(
    ("replace", "name"),
    [
        (lambda model: model.layers.__setitem__(1, Layer(2, 3)), "layers.1.neurons.0.w.0"),
        (lambda model: model.layers.__setitem__(1, MLP(2, [3])), "layers.1.neurons.0.w.0"),
        (lambda model: setattr(model, "layers", [Layer(2, 2)]), "layers.0.neurons.0.w.0"),
        (lambda model: model.layers[0].neurons.__setitem__(1, Neuron(2)), "layers.0.neurons.1.w.0"),
        (lambda model: model.layers[0].neurons[1].w.__setitem__(1, Value(1.0)), "layers.0.neurons.1.w.1"),
        (lambda model: setattr(model.layers[0].neurons[1], "b", Value(1.0)), "layers.0.neurons.1.b"),
        (lambda model: vars(model.layers[0].neurons[1]).update(b=Value(1.0)), "layers.0.neurons.1.b"),
    ],
)
@pytest.mark.parametrize("made", [lambda ps: ps, lambda ps: [p for p in ps if p.data == p.data], lambda ps: iter(ps)])
def test_an_optimizer_of_replaced_parameters_names_the_first(replace, name, made):
    """However its list was made, and without anybody asking the model in between; nothing is moved."""
    model = MLP(2, [2, 1], seed=0)
    optimizer = SGD(made(model.parameters()))
    before = [p.data for p in optimizer.parameters]
    for p in optimizer.parameters:
        p.grad = 1.0
    replace(model)
    with pytest.raises(RuntimeError, match=f"SGD holds {name}, which was replaced; create a new one"):
        optimizer.step()
    assert [p.data for p in optimizer.parameters] == before and optimizer.steps == 0


def test_a_parameter_that_is_put_back_is_no_longer_replaced():
    """As after a trial of other weights."""
    neuron = Neuron(1, seed=0)
    optimizer, weights = SGD(neuron.parameters()), neuron.w
    neuron.w = [0.5]
    with pytest.raises(RuntimeError, match=r"SGD holds w\.0"):
        optimizer.step()
    neuron.w = weights
    optimizer.step()


def test_compiled_programs_of_replaced_parameters_name_the_first():
    """Where they read the Values, and where they would be traced; of numbers that are given, they stay functions."""
    neuron = Neuron(1, activation=identity, seed=0)
    function = compile(lambda x: neuron(x) ** 2, neuron.parameters())
    program = compile(neuron([2.0]) ** 2, neuron.parameters())
    assert function([[2.0]]) == program.backward()
    neuron.w[0] -= 0.1
    for act in (function, function.backward):
        with pytest.raises(RuntimeError, match=r"the compiled function holds w\.0, which was replaced"):
            act([[2.0]])
    with pytest.raises(RuntimeError, match=r"the compiled function holds w\.0, which was replaced"):
        function.value([1.0, 1.0], [[[2.0]]])  # of other shapes
    assert function.value([1.0, 1.0], [[2.0]]) == 9.0
    with pytest.raises(RuntimeError, match=r"the compiled program holds w\.0, which was replaced"):
        program.backward()
    assert program.value([1.0, 1.0]) == 9.0


class Box:
    """An object of no special kind."""

    def __init__(self, **attributes):
        vars(self).update(attributes)


class SlottedBox:
    __slots__ = ("content",)

    def __init__(self, content):
        self.content = content


@pytest.mark.parametrize(
    "make",
    [
        lambda v: Box(w=v),
        lambda v: Box(layer=Bare(w=v)),
        lambda v: Box(layers=[{"a": (v,)}]),
        lambda v: Box(inner=Box(w=v)),
        lambda v: SlottedBox(v),
        lambda v: types.SimpleNamespace(w=v),
        lambda v: argparse.Namespace(w=v),
        lambda v: types.MappingProxyType({"w": v}),
        lambda v: UserDict(w=v),
        lambda v: ChainMap({"w": v}),
    ],
)
def test_any_other_object_that_holds_parameters_is_an_error(make, tmp_path):
    """With the way to it and its type, wherever the parameters are needed."""
    model = Bare(w=Value(1.0), parts=[make(Value(2.0))])
    name = type(model.parts[0]).__name__
    for act in (model.parameters, model.zero_grad, model.state_dict, lambda: model.save(tmp_path / "x")):
        with pytest.raises(TypeError, match=f"parts.0 is a {name}, in which parameters are not found, and holds Value"):
            act()
    assert not list(tmp_path.iterdir())
    del model.parts[0]
    assert len(model.parameters()) == 1


def test_what_appears_in_an_object_later_is_noticed():
    """Though the model was asked before."""
    model = Bare(w=Value(1.0), box=Box(rows=[[1.0], "a"]), data=[1.0, 2.0])
    assert len(model.parameters()) == 1
    model.data[1] = Value(2.0)
    assert [name for name, _ in model.named_parameters()] == ["w", "data.1"]
    model.box.rows[0][0] = Value(2.0)
    with pytest.raises(TypeError, match="box is a Box"):
        model.parameters()


@pytest.mark.parametrize("lost", [iter, lambda w: (x for x in w), lambda w: dict(enumerate(w)).values()])
def test_parameters_in_an_iterator_are_an_error(lost):
    """It would be read once."""
    neuron = Neuron(2)
    with pytest.raises(TypeError, match=r"w is a .*, where parameters were; hold them in a list"):
        neuron.w = lost(neuron.w)


def test_other_attributes_are_left_alone():
    """Functions, files, loggers, generators of random numbers, optimizers, compiled functions; no property is asked."""

    class Touchy:
        @property
        def w(self):
            raise AssertionError

        def __getattr__(self, name):
            raise AssertionError(name)

    model = Bare(w=Value(1.0), layer=Neuron(1, seed=0), activation=tanh, partial=functools.partial(max, Value(1.0)))
    model.random, model.numpy, model.log = random.Random(0), np.random.default_rng(0), logging.getLogger("nn")
    model.lock, model.kind, model.module, model.touchy, model.method = (
        threading.Lock(),
        Box,
        np,
        Touchy(),
        model.zero_grad,
    )
    model.data, model.error, model.last = np.zeros((2, 2)), ValueError("x"), Box(loss=Value(1.0) * 2.0)
    model.optimizer = SGD(model.parameters())
    model.loss = compile(lambda x: model.layer(x), model.layer.parameters())
    with open(os.devnull) as model.file:
        assert [name for name, _ in model.named_parameters()] == ["w", "layer.w.0", "layer.b"]


def test_parents_and_trainers_may_be_known():
    """Ways that lead back: from an object to the model, from a layer to a trainer of the whole."""
    model = Bare(layer=Neuron(1, seed=0), w=Value(1.0))
    model.trainer = Box(model=model, optimizer=SGD(model.parameters()))
    model.itself, model.weak, model.layer.trainer = model, weakref.proxy(model), model.trainer
    assert len(model.parameters()) == 3 and len(model.layer.parameters()) == 2


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_remember_places_of_their_own(copied):
    """An update in a copy is one there, and leaves the original."""
    neuron = Neuron(1, seed=0)
    before = [p.data for p in neuron.parameters()]
    other = copied(neuron)
    other.w, other.b = [0.5], other.b + 1.0
    assert [p.data for p in other.parameters()] == [0.5, 1.0]
    assert [p.data for p in neuron.parameters()] == before
    neuron.b = neuron.b - 1.0
    assert [p.data for p in neuron.parameters()] == [before[0], -1.0]


def test_modules_of_every_making():
    """Without __init__ of the base, with an own __setattr__, dataclasses, slots, and such as are lists, too."""

    class Quiet(Module):
        def __setattr__(self, name, value):
            vars(self)[name] = value

    @dataclasses.dataclass
    class Line(Module):
        w: Value
        size: int = 1

    class Slots(Module):
        __slots__ = ("w",)

    class Sequence(Module, list):
        pass

    quiet, line, slots, sequence = Quiet(), Line(Value(1.0)), Slots(), Sequence([Value(1.0)])
    quiet.w = slots.w = Value(1.0)
    for model in (quiet, line, slots):
        assert len(model.parameters()) == 1
        model.w = model.w - 0.5
        assert [(name, p.data) for name, p in model.named_parameters()] == [("w", 0.5)]
    assert [name for name, _ in sequence.named_parameters()] == ["0"]


def test_a_chain_of_many_modules_and_lists():
    """However deep."""
    rows = [Value(1.0)]
    for _ in range(3000):
        rows = [rows]
    first = last = Bare(w=Value(1.0), rows=rows)
    for _ in range(3000):
        last.next = Bare(w=Value(1.0))
        last = last.next
    assert len(first.parameters()) == 3002


# ---- More that stands in the places of parameters

UPDATES_IN_PLACE = [
    lambda m: m.w.__setitem__(0, m.w[0] - 0.5),
    lambda m: m.w.__setitem__(slice(None), m.w - [0.5, 0.0]),
    lambda m: m.w.__setitem__(np.array([True, False]), 0.5),
    lambda m: m.w.__setitem__(0, Value(0.5)),
    lambda m: setattr(m, "w", m.w - [0.5, 0.0]),
    lambda m: m.w.__isub__([0.5, 0.0]),
]


@pytest.mark.parametrize("update", UPDATES_IN_PLACE)
@pytest.mark.parametrize("recorded", [True, False])
def test_an_array_is_written_to(update, recorded):
    """In place or not, it is what stands there that is trained; a second attribute changes nothing."""
    model = Bare(w=np.array([Value(1.0), Value(2.0)]), size=3)
    optimizer = SGD(model.parameters())
    with enable_grad() if recorded else no_grad():
        update(model)
    with pytest.raises(RuntimeError, match=r"SGD holds w\.0, which was replaced"):
        optimizer.step()
    assert [(name, p.data) for name, p in model.named_parameters()] == [("w.0", 0.5), ("w.1", 2.0)]
    assert all(p is w for p, w in zip(model.parameters(), model.w))


def test_an_array_in_a_list_is_written_to():
    """By its own operator."""
    model = Bare(rows=[np.array([Value(1.0)]), np.array([Value(2.0)])])
    model.parameters()
    model.rows[1] -= 0.5
    assert [p.data for p in model.parameters()] == [1.0, 1.5]


@pytest.mark.parametrize(
    ("update", "number"),
    [
        (lambda w: w - 0.5 * (w.grad + 0.25 * sign(w)), 1.625),
        (lambda w: sign(w) * maximum(abs(w) - 0.25, 0.0), 1.75),
        (lambda w: w * minimum(1.0, 1.0 / abs(w)), 1.0),
        (lambda w: w - 0.5 * tanh(w), 2.0 - 0.5 * math.tanh(2.0)),
        (lambda w: w * w.sigmoid(), 2.0 / (1.0 + math.exp(-2.0))),
        (lambda w: w / (1.0 + abs(w)), 2.0 / 3.0),
        (lambda w: (w + w**3) / 2.0, 5.0),
        (lambda w: w - 0.1 * w**2, 1.6),
        (lambda w: w - 0.1 * ((w * 3.0 - 1.0) * 3.0 + 0.01 * (w * 3.0 - 1.0)), 2.0 - 0.1 * 5.0 * 3.01),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_whatever_is_computed_of_a_parameter_and_numbers_becomes_it(update, number, alone):
    """Decay, soft thresholds, clipping, gradients by hand, however they are spelled."""
    model = Bare(w=Value(2.0)) if alone else Bare(w=Value(2.0), b=Value(1.0))
    model.w.grad = 0.5
    model.w = update(model.w)
    assert model.named_parameters()[0][0] == "w" and len(model.parameters()) == 2 - alone
    assert model.parameters()[0].data == pytest.approx(number, rel=1e-14)


@pytest.mark.parametrize("copied", [lambda pair: pair, copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
@pytest.mark.parametrize(
    "slope",
    [
        lambda w: gradients(w**3, [w], create_graph=True)[0],
        lambda w: gradients(w.exp(), [w], create_graph=True)[0],
        lambda w: grad(lambda t: w * w * t)(1.0),
        lambda w: jacobian(lambda t: [w * w * t[0]])([1.0])[0][0],
        lambda w: jvp(lambda t: w * w * t, (1.0,), (1.0,))[1],
        lambda w: grad(lambda v: v**3)(w),
    ],
)
def test_steps_along_recorded_slopes_are_state(slope, copied):
    """Of one parameter, by every verb, with a factor and a penalty beside; copies know it, too."""
    model = Bare(w=Value(2.0))
    model, found = copied((model, slope(model.w)))
    model.w = state = model.w - 0.01 * (3.0 * found + 0.1 * model.w)
    assert model.parameters() == [] and model.w is state


class Appending(Module):
    def __init__(self):
        self.w, self.p = [], {}
        for _ in range(2):
            self.w.append(Value(1.0))
        self.p["a"] = Value(3.0)
        vars(self).update(b=Value(2.0))


def test_what_is_appended_in_init_is_seen():
    """Updates and numbers keep its place, and optimizers notice, before anybody asks."""
    model = Appending()
    optimizer = SGD([*model.w, model.b])
    model.w[0] -= 0.5
    model.w[1], model.p["a"] = 0.25, 4
    model.b = model.b * 2.0
    with pytest.raises(RuntimeError, match=r"SGD holds .*, which was replaced"):
        optimizer.step()
    found = {name: p.data for name, p in model.named_parameters()}
    assert found == {"w.0": 0.5, "w.1": 0.25, "p.a": 4.0, "b": 4.0}


def test_a_shallow_copy_is_no_replacement():
    """Of the original, which goes on to be trained; if the copy alone is left, it counts."""
    neuron = Neuron(1, seed=0)
    optimizer, other = SGD(neuron.parameters()), copy.copy(neuron)
    other.b = other.b + 0.5
    assert [p.data for p in other.parameters()][1] == 0.5
    optimizer.step()
    assert neuron.parameters()[1].data == 0.0
    optimizer = SGD([*other.w, other.b])
    del neuron
    other.w[0] = 0.5
    with pytest.raises(RuntimeError, match=r"SGD holds w\.0"):
        optimizer.step()


@pytest.mark.parametrize("asks", [lambda model: None, repr, lambda model: model.parameters()])
@pytest.mark.parametrize(
    ("remove", "put", "name"),
    [
        (lambda m: m.layers.pop(), lambda m: m.layers.append(Layer(2, 1)), "layers.1.neurons.0.w.0"),
        (lambda m: delattr(m.layers[0].neurons[0], "b"), lambda m: setattr(m.layers[0].neurons[0], "b", Value(1.0)),
         "layers.0.neurons.0.b"),
        (lambda m: m.layers[0].neurons[0].w.pop(), lambda m: m.layers[0].neurons[0].w.append(Value(1.0)),
         "layers.0.neurons.0.w.1"),
        (lambda m: m.layers[0].neurons[0].w.__setitem__(1, None),
         lambda m: m.layers[0].neurons[0].w.__setitem__(1, Value(1.0)), "layers.0.neurons.0.w.1"),
    ],
)  # fmt: skip
def test_replacing_in_two_steps_is_replacing(asks, remove, put, name):
    """Whoever asked in between."""
    model = MLP(2, [2, 1], seed=0)
    optimizer = SGD(model.parameters())
    remove(model)
    asks(model)
    optimizer.step()
    put(model)
    with pytest.raises(RuntimeError, match=f"SGD holds {re.escape(name)}, which was replaced"):
        optimizer.step()


@pytest.mark.parametrize("copied", [lambda pair: pair, copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_optimizers_of_parts_notice_replacements_in_the_whole(copied):
    """Though the model was never asked; a part that was taken out is trained alone when it is asked."""
    model, optimizer = MLP(2, [2, 1]), None
    model, optimizer = copied((model, SGD(model.layers[1].parameters())))
    optimizer.step()
    old = model.layers[1]
    model.layers[1] = Layer(2, 1)
    with pytest.raises(RuntimeError, match=r"SGD holds layers\.1\.neurons\.0\.w\.0, which was replaced"):
        optimizer.step()
    alone = SGD(old.parameters())
    alone.step()
    old.neurons[0].b = 0.5
    with pytest.raises(RuntimeError, match=r"which was replaced"):
        alone.step()


@pytest.mark.parametrize(
    "empty", [lambda n: setattr(n, "w", []), lambda n: setattr(n, "w", None), lambda n: n.w.clear()]
)
def test_an_empty_place_is_remembered(empty):
    """Numbers in it become parameters, whoever asked in between."""
    neuron = Neuron(2, seed=0)
    empty(neuron)
    neuron.b = None
    assert neuron.parameters() == []
    neuron.w, neuron.b = [0.25, 0.5], 3
    assert [(name, p.data) for name, p in neuron.named_parameters()] == [("w.0", 0.25), ("w.1", 0.5), ("b", 3.0)]


@pytest.mark.parametrize(
    "numbers", [range(2), array("d", [0, 1]), memoryview(array("d", [0, 1])), [False, True], np.array([False, True])]
)
def test_numbers_of_every_kind_become_parameters(numbers):
    """Bools are numbers; what is read like an array is one."""
    neuron = Neuron(2, seed=0)
    neuron.w = numbers
    neuron.b = np.True_
    assert [(name, p.data) for name, p in neuron.named_parameters()] == [("w.0", 0.0), ("w.1", 1.0), ("b", 1.0)]


@pytest.mark.parametrize("wrong", ["x", b"x", 1j, [1j], ["x"], {0.5}, np.array(["x"]), 10**400])
def test_what_is_no_number_in_the_place_of_a_parameter_is_an_error(wrong):
    """It names the place."""
    neuron = Neuron(1)
    with pytest.raises((TypeError, OverflowError), match=r"^b"):
        neuron.b = wrong


def in_queue(x):
    found = queue.Queue()
    found.put(x)
    return found


@pytest.mark.parametrize(
    "make",
    [
        in_queue,
        lambda x: {x: 1.0},
        lambda x: x.parameters if isinstance(x, Module) else x.exp,
        lambda x: [x].append,
        lambda x: np.array([(x, 1.0)], dtype=[("w", object), ("n", float)]),
        lambda x: pytest.importorskip("pandas").Series([x, 1.0]),
        lambda x: pytest.importorskip("pandas").DataFrame({"n": [1.0, 2.0], "x": ["a", x]}),
    ],
)
@pytest.mark.parametrize("held_there", [lambda: Value(1.0), lambda: Neuron(1)])
def test_parameters_in_odd_places_are_an_error(make, held_there):
    """Queues, keys, methods, fields and columns; of what the module holds elsewhere, they are allowed."""
    thing = held_there()
    model = Bare(w=Value(1.0))
    model.odd = make(thing)
    with pytest.raises(TypeError, match=r"odd is a .*in which parameters are not found|a key of odd"):
        model.parameters()
    model.thing = thing
    assert len(model.parameters()) == 1 + len(getattr(thing, "w", [])) + 1


def test_a_class_that_says_what_its_parameters_are_may_hold_them_anywhere():
    """Nothing is refused that it gives; the others are trained as ever."""

    class Line(Module):
        def __init__(self):
            self.box, self.b = Box(w=Value(1.0)), Value(2.0)

        def __call__(self, x):
            return self.box.w * x[0] + self.b

        def parameters(self):
            return [self.box.w, self.b]

    line = Line()
    fit(line, [[1.0]], [0.0], loss=half_squared_error, optimizer=SGD(line.parameters(), 0.1), epochs=1, progress=False)
    assert [p.data for p in line.parameters()] == pytest.approx([1.0 - 0.3, 2.0 - 0.3])


def test_sets_of_what_is_found_elsewhere_are_allowed():
    """Such as of frozen parameters."""
    neuron = Neuron(2)
    neuron.frozen = set(neuron.w)
    assert len(neuron.parameters()) == 3


def normalized(n):
    total = n.w[0] + n.w[1]
    n.w = [w / total for w in n.w]


def averaged(n):
    other = Neuron(2, seed=1)
    n.w = [0.9 * w + 0.1 * v for w, v in zip(n.w, other.w)]


@pytest.mark.parametrize("compute", [normalized, averaged, lambda n: setattr(n, "w", [w * Value(2.0) for w in n.w])])
def test_weights_that_are_computed_do_not_go_unnoticed(compute, tmp_path):
    """They stay as they are; who trains the old ones raises, who saves or trains the rest warns; numbers mend it."""
    neuron = Neuron(2, activation=identity, seed=0)
    optimizer = SGD(neuron.parameters())
    compute(neuron)
    state = list(neuron.w)
    for act in (optimizer.step, lambda: neuron.save(tmp_path / "x", optimizer)):
        with pytest.raises(RuntimeError, match=r"SGD holds w\.0, which was replaced"):
            act()
    with pytest.warns(UserWarning, match=r"w\.0 and 1 more hold computed Values .*not saved"):
        neuron.save(tmp_path / "x")
    with pytest.warns(UserWarning, match=r"w\.0 and 1 more hold computed Values .*not trained"):
        fit(neuron, [[1.0, 2.0]], [1.0], loss=half_squared_error, epochs=1, progress=False)
    assert len(neuron.parameters()) == 1 and all(w is x for w, x in zip(neuron.w, state))
    neuron.w = [w.data for w in neuron.w]
    neuron.save(tmp_path / "x")
    assert [p.data for p in neuron.parameters()][:2] == [x.data for x in state]


def test_numbers_beside_parameters_are_cheap():
    """A step of an optimizer looks at none of the data that a model holds; a walk passes over them row by row."""

    class Counted(list):
        looks = 0

        def __iter__(self):
            Counted.looks += 1
            return super().__iter__()

    model = Bare(w=[Value(1.0)], data=Counted([[1.0, 2.0]] * 10))
    optimizer = SGD(model.parameters())
    before = Counted.looks
    for _ in range(10):
        optimizer.step()
    assert Counted.looks == before


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: MLP(2, [1], nonlin=False), "write output_activation="),
        (lambda m: m.save("x", SGD), "optimizer <class"),
        (lambda m: m.save("x", optimizer="sgd"), "optimizer 'sgd'"),
        (lambda m: m.load("x", "sgd"), "optimizer 'sgd'"),
        (lambda m: m.load_state_dict("x.npz"), "the state is 'x.npz'"),
        (lambda m: m.load_state_dict(m.parameters()), "the state is .Value"),
        (lambda m: m.load_state_dict(m), "the state is Neuron"),
        (lambda m: m.load(3), "os.PathLike"),
        (lambda m: SGD(m.parameters(), schedules.exponential), "learning_rate is not a schedule"),
        (lambda m: accuracy(m, [[1.0]], [1], threshold=None), "threshold is None"),
        (lambda m: accuracy(m, [[1.0]], [1], threshold=math.nan), "threshold is nan"),
        (lambda m: m([np.ma.masked]), "input 0 of Neuron.* is masked"),
        (lambda m: m(np.ma.array([1.0], mask=[True])), "input 0 of Neuron.* is masked"),
        (lambda m: half_squared_error(np.ma.array([1.0], mask=[True]), [1.0]), "masked entry at"),
        (lambda m: binary_cross_entropy(1.0, np.ma.masked), "masked entry"),
    ],
)
def test_wrong_arguments_say_what_to_write(call, message):
    """One line each."""
    with pytest.raises((TypeError, ValueError), match=message):
        call(Neuron(1, seed=0))


# ---- A second look at a model that has not changed


class Bag(Module):
    """A module with containers of every kind, full and empty."""

    def __init__(self) -> None:
        self.w, self.pair, self.table = [Value(1.0), Value(2.0)], (Value(3.0), [Value(4.0)]), {"a": Value(5.0)}
        self.empty, self.log, self.parts, self.b = [], [0.5, 0.25], [Neuron(2, seed=0)], Value(6.0)
        self.array = np.array([Value(7.0), Value(8.0)])


CHANGES = {
    "nothing": lambda m: None,
    "an attribute": lambda m: setattr(m, "c", Value(9.0)),
    "an element": lambda m: m.w.__setitem__(0, Value(9.0)),
    "one more": lambda m: m.w.append(Value(9.0)),
    "one less": lambda m: m.w.pop(),
    "an update": lambda m: m.w.__setitem__(1, m.w[1] * 0.5),
    "a number": lambda m: m.w.__setitem__(1, 0.5),
    "in a tuple": lambda m: m.pair[1].append(Value(9.0)),
    "in a dict": lambda m: m.table.update(b=Value(9.0)),
    "out of a dict": lambda m: m.table.clear(),
    "in what was empty": lambda m: m.empty.append(Value(9.0)),
    "in a list of numbers": lambda m: m.log.__setitem__(0, Value(9.0)),
    "in an array": lambda m: m.array.__setitem__(1, Value(9.0)),
    "in a part": lambda m: m.parts[0].w.append(Value(9.0)),
    "a part": lambda m: m.parts.append(Neuron(1, seed=1)),
    "no part": lambda m: m.parts.clear(),
    "of a part": lambda m: setattr(m.parts[0], "c", Value(9.0)),
    "gone": lambda m: delattr(m, "b"),
    "a label": lambda m: setattr(m.b, "label", ""),
    "in vars": lambda m: vars(m).update(d=Value(9.0)),
}


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_parameters_are_looked_for_again_when_anything_has_moved(change, log):
    """As if they had never been looked for; also where there is a list of numbers, which may get a parameter."""

    def found(looks: int) -> list[tuple[str, float, str]]:
        model = Bag()
        if not log and change != "in a list of numbers":
            del model.log
        for _ in range(looks):
            model.parameters()
        CHANGES[change](model)
        named = model.named_parameters()
        assert [p for _, p in named] == model.parameters()
        return [(name, p.data, p.label) for name, p in named]

    assert found(1) == found(2) == found(3)
    assert change == "nothing" or (found(2) != [] and (change in ("a label",) or found(2) != unchanged(log)))


def unchanged(log: bool) -> list[tuple[str, float, str]]:
    return [(name, p.data, p.label) for name, p in Bag().named_parameters()]


def test_a_model_that_has_not_changed_is_not_walked(monkeypatch):
    """Two looks at it are one walk."""
    model, walks = MLP(2, [4, 1]), []
    walk = places.Walk
    monkeypatch.setattr(places, "Walk", lambda *args, **options: walks.append(args) or walk(*args, **options))
    for _ in range(3):
        model.parameters()
    assert len(walks) == 1
    model.layers[0].neurons[1].w[0] = Value(1.0)
    model.parameters()
    assert len(walks) == 2
