"""Neuron, Layer and MLP: what they compute, and what they refuse."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from autograd import Value
from nn import MLP, SGD, Embedding, Layer, Neuron, glorot, he, identity, sigmoid, softmax, tanh, uniform


def test_a_neuron_is_activation_of_w_x_plus_b():
    """By hand, on lists, tuples, arrays, Values and mixtures."""
    neuron = Neuron(2, activation=tanh, seed=0)
    neuron.w[0].data, neuron.w[1].data, neuron.b.data = 0.5, -1.0, 0.25
    for x in ([2.0, 3.0], (2, 3), np.array([2.0, 3.0]), [Value(2.0), 3.0]):
        assert neuron(x).data == math.tanh(0.5 * 2 - 1.0 * 3 + 0.25)
    assert neuron.preactivation([2.0, 3.0]).data == -1.75


def test_an_mlp_is_matrices():
    """Against NumPy."""
    model = MLP(3, [4, 2], activation=tanh, seed=1)
    x = [0.1, -0.2, 0.3]
    a = np.array(x)
    for layer, f in zip(model.layers, (np.tanh, lambda z: z)):
        a = f(np.array([[w.data for w in n.w] for n in layer.neurons]) @ a + [n.b.data for n in layer.neurons])
    np.testing.assert_allclose([y.data for y in model(x)], a, rtol=1e-14)


def test_softmax_takes_a_whole_layer():
    """The outputs sum to 1; a softmax layer differentiates."""
    layer = Layer(2, 3, activation=softmax, seed=0)
    out = layer([1.0, 2.0])
    assert math.isclose(sum(y.data for y in out), 1.0) and all(n.activation is identity for n in layer.neurons)
    model = MLP(2, [4, 3], output_activation=softmax, seed=0)
    assert math.isclose(sum(y.data for y in model([1.0, 2.0])), 1.0)


def test_layers_of_width_one_inside():
    """A hidden layer of one neuron feeds the next one."""
    assert isinstance(MLP(2, [1, 1, 2], seed=0)([1.0, 2.0])[1], Value)


def test_initialization_is_reproducible_and_never_global():
    """The same seed gives the same model, no seed another one; the global generator is neither used nor disturbed."""
    state = random.getstate()
    one, two = ([p.data for p in MLP(2, [3, 1], seed=7).parameters()] for _ in range(2))
    generator = random.Random(7)
    three = [p.data for p in MLP(2, [3, 1], seed=generator).parameters()]
    assert one == two == three
    assert [p.data for p in MLP(2, [3, 1]).parameters()] != [p.data for p in MLP(2, [3, 1]).parameters()]
    assert random.getstate() == state
    with pytest.raises(TypeError, match="give an int"):
        MLP(2, [1], seed="abc")


@pytest.mark.parametrize(("initialize", "variance"), [(uniform, 1 / 3), (glorot, 2 / 300), (he, 2 / 100)])
def test_initializers_have_the_variance_they_promise(initialize, variance):
    """Mean 0 and the published variance, over 20,000 weights of a layer of 100 to 200; biases are 0."""
    layer = Layer(100, 200, initialize=initialize, seed=0)
    weights = np.array([[w.data for w in n.w] for n in layer.neurons])
    assert abs(weights.mean()) < 4 * math.sqrt(variance / weights.size)
    assert math.isclose(weights.var(), variance, rel_tol=0.05)
    assert {n.b.data for n in layer.neurons} == {0.0}


@pytest.mark.parametrize("x", [[1.0], [1.0, 2.0, 3.0], (), np.ones(3)])
@pytest.mark.parametrize("make", [lambda: Neuron(2), lambda: Layer(2, 3), lambda: MLP(2, [3, 1])])
def test_a_wrong_number_of_inputs_is_refused(make, x):
    """Never a silent truncation: the message has both numbers."""
    with pytest.raises(ValueError, match=f"takes 2 inputs, {len(x)} were given"):
        make()(x)


def test_what_is_no_single_example_is_refused():
    """A number, and a whole data set, with what to do."""
    with pytest.raises(TypeError, match="sequence of 2 inputs"):
        MLP(2, [1])(3.0)
    with pytest.raises(ValueError, match=r"shape \(2,\), not \(5, 2\); nn.predict"):
        MLP(2, [1])(np.zeros((5, 2)))


def test_numpy_integers_are_integers():
    """Widths and seeds as they come out of arrays."""
    sizes = np.array([2, 3])
    assert len(MLP(sizes[0], [sizes[1], 1], seed=sizes[0]).parameters()) == 13


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Neuron(2, nonlin=False, activation=tanh), "give one of the two"),
        (lambda: Neuron(2, activation=softmax), "give it to a Layer"),
        (lambda: Layer(2, 1, activation=softmax), "softmax of one output is always 1"),
    ],
)
def test_activations_that_make_no_sense_are_refused(make, message):
    """With what to do."""
    with pytest.raises(ValueError, match=message):
        make()


def test_an_activation_is_a_function():
    """Not its name."""
    for make in (Neuron, lambda *args: Layer(2, *args)):
        with pytest.raises(TypeError, match=r"not a bool; name the activation: activation=nn\.tanh"):
            make(2, tanh)
    assert MLP(2, [2, 1], output_activation=None).layers[1].activation is identity
    for make in (
        lambda f: Neuron(2, activation=f),
        lambda f: Layer(2, 2, activation=f),
        lambda f: MLP(2, [1], activation=f),  # though there is no hidden layer to have it
        lambda f: MLP(2, [2, 1], activation=f),
        lambda f: MLP(2, [1], output_activation=f),
    ):
        for bad, right in (("tanh", "tanh"), (3.0, "tanh"), (0, "tanh"), ("", "tanh"), ("LeakyReLU", "leaky_relu")):
            with pytest.raises(TypeError, match=f"activation {bad!r} is not a function; give one, such as nn.{right}$"):
                make(bad)
    for make in (lambda f: MLP(2, [1], initialize=f), lambda f: Embedding(2, 2, initialize=f)):
        for bad, right in (("he", "he"), (None, "uniform"), ("Glorot", "glorot")):
            with pytest.raises(TypeError, match=f"initialize {bad!r} is not a function; give one, such as nn.{right}$"):
                make(bad)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MLP(2, [1], initialise=he), "MLP has no argument 'initialise'; write initialize="),
        (lambda: MLP(2, [1], nonlinearity=tanh), "MLP has no argument 'nonlinearity'; write activation="),
        (lambda: MLP(2, hidden_layer_sizes=[1]), "write nouts="),
        (lambda: Layer(in_features=2, out_features=3), "Layer has no argument 'in_features'; write nin="),
        (lambda: Neuron(2, activaton=tanh), "Neuron has no argument 'activaton'; write activation="),
        (lambda: Layer(2, 3, bias=False), "write one of nin, nout, nonlin, activation, initialize, seed"),
        (
            lambda: MLP(2, [1], tanh),
            "takes 2 arguments by position, 3 were given; name the others, such as activation=",
        ),
        (lambda: MLP.load("file.npz"), "load was called on a class; build an object first, and call its load"),
        (lambda: MLP.save("file.npz"), "save was called on a class"),
        (lambda: Layer.load_state_dict({"w": 1.0}), "load_state_dict was called on a class"),
        (lambda: SGD.load_state_dict({"steps": 1.0}), "load_state_dict was called on a class"),
        (lambda: MLP(2, [1]).save("file.npz", optimiser=None), "write optimizer="),
    ],
)
def test_calls_in_the_spelling_of_others_say_what_to_write(call, message):
    """Keywords, positions, and methods of an object called on its class."""
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize(
    ("x", "input_and_kind"),
    [
        (["a", "b"], r"input 0 .* is 'a' \(str\)"),
        (np.array(["a", "b"]), r"input 0 .* is 'a' \(str\)"),
        ("ab", r"input 0 .* is 'a' \(str\)"),
        ([1.0, None], r"input 1 .* is None \(NoneType\)"),
        ([1.0, [2.0]], r"input 1 .* is \[2.0\] \(list\)"),
        ([1.0, 2j], r"input 1 .* is 2j \(complex\)"),
        (np.ma.array([1.0, 2.0], mask=[False, True]), "input 1"),
        (b"ab", "not a bytes"),
        ({0: 1.0, 1: 2.0}, "not a dict"),
        ({1.0, 2.0}, "not a set"),
    ],
)
@pytest.mark.parametrize("make", [lambda: Neuron(2), lambda: Layer(2, 3), lambda: MLP(2, [3, 1])])
def test_inputs_that_are_no_numbers_are_named(make, x, input_and_kind):
    """By their index; no word of Python's about sequences, and no dict taken for its keys."""
    with pytest.raises(TypeError, match=input_and_kind):
        make()(x)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Neuron(True),
        lambda: Neuron(0),
        lambda: Layer(2, 0),
        lambda: Layer(0, 2),
        lambda: MLP(2, []),
        lambda: MLP(2, [3, 0]),
        lambda: MLP(0, [3]),
        lambda: MLP(2, 3),
        lambda: Neuron(2.5),
        lambda: MLP(2, [-1]),
    ],
)
def test_zero_layers_and_widths_are_refused(make):
    """With what was given and what is allowed."""
    with pytest.raises(ValueError, match="at least"):
        make()


def test_repr():
    """Short, and with the sizes."""
    assert repr(Neuron(2)) == "Neuron(2, relu)"
    assert repr(Layer(2, 3, nonlin=False)) == "Layer(2 -> 3, identity)"
    assert repr(MLP(2, [3, 1], activation=sigmoid)) == "MLP(2 -> 3 sigmoid -> 1 identity, 13 parameters)"
    assert repr(Layer(2, 3, activation=softmax)) == "Layer(2 -> 3, softmax)"


def test_what_is_computed_has_names():
    """z before and a after the activation, beside the bias; what was labeled by hand or is not ours stays as it is."""
    model = MLP(2, [2, 2], activation=tanh, output_activation=softmax, seed=0)
    out = model([1.0, 2.0])
    assert [a.label for a in out] == ["layers.1.neurons.0.a", "layers.1.neurons.1.a"]
    assert model.layers[0].neurons[1].preactivation([1.0, 2.0]).label == "layers.0.neurons.1.z"
    assert Neuron(1, activation=identity, seed=0)([1.0]).label == "z"
    named = Neuron(1, activation=tanh, seed=0)
    named.b.label = "b1"
    assert named([1.0]).label == ""
    mine = Value(3.0)
    assert Neuron(1, activation=lambda z: mine, seed=0)([1.0]) is mine and mine.label == ""


def test_an_embedding_is_a_table():
    """A row for each token, drawn from the seed; tokens out of range are errors; its rows are parameters."""
    table = Embedding(5, 3, seed=0)
    assert len(table.parameters()) == 15 and table(2) == table.rows[2] and repr(table) == "Embedding(5 tokens -> 3)"
    chosen = table(Value(2.0))
    assert [x.data for x in chosen] == [x.data for x in table.rows[2]]
    sum(chosen).backward()
    assert [p.grad for p in table.parameters()] == [float(i // 3 == 2) for i in range(15)]
    assert [p.data for p in Embedding(5, 3, seed=0).parameters()] == [p.data for p in table.parameters()]
    with pytest.raises(IndexError, match="index 5 of a sequence of 5"):
        table(5)
    with pytest.raises(ValueError, match="the number of tokens is 0"):
        Embedding(0, 3)
    with pytest.raises(ValueError, match="the size of their vectors is"):
        Embedding(2, 1.5)
