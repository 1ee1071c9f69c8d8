"""Modules: names, labels, sharing, state, and files that are written whole and read without trust."""

from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pytest

from autograd import Value, no_grad
from nn import MLP, SGD, Adam, AdamW, Layer, Module, Neuron


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
    with pytest.raises(OSError, match="no ordinary file"):
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
