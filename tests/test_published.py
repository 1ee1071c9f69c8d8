"""Published numbers and the notes' hand-derived formulas: literal, without helpers, and as properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd import Value, grad, gradients, hessian, relu, sigmoid, tanh
from nn import MLP, Neuron, binary_cross_entropy, cost, cross_entropy, half_squared_error
from nn import sigmoid as logistic

UNIT = st.floats(-3, 3)


def test_micrograd_readme():
    """micrograd's README example with only the import renamed: 24.7041, 138.8338, 645.5773."""
    a = Value(-4.0)
    b = Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    assert f"{g.data:.4f}" == "24.7041"
    g.backward()
    assert f"{a.grad:.4f}" == "138.8338"
    assert f"{b.grad:.4f}" == "645.5773"
    assert g.data == 24.70408163265306
    assert math.isclose(a.grad, 138.83381924198252, rel_tol=1e-15)
    assert math.isclose(b.grad, 645.5772594752186, rel_tol=1e-15)


def test_lecture_neuron():
    """x = (2, 0), w = (-3, 1), b = 6.88...: tanh gives 0.7071, gradients -1.5, 1.0, 0.5, 0."""
    x1, x2, w1, w2 = Value(2.0), Value(0.0), Value(-3.0), Value(1.0)
    out = (x1 * w1 + x2 * w2 + Value(6.8813735870195432)).tanh()
    out.backward()
    assert f"{out.data:.8f}" == "0.70710678"
    assert [round(v.grad, 12) for v in (x1, w1, x2, w2)] == [-1.5, 1.0, 0.5, 0.0]


def test_challenger_launches():
    """Logistic regression by Newton's method on the 23 launches: the published coefficients."""
    temperature = [66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78, 67, 53, 67, 75, 70, 81, 76, 79, 75, 76, 58]
    failure = [0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1]

    def loss(theta):
        return cost(binary_cross_entropy, [theta[0] + theta[1] * t for t in temperature], failure)

    theta = np.zeros(2)
    for _ in range(8):
        theta -= np.linalg.solve(hessian(loss)(theta), grad(loss)(theta))
    assert np.allclose(theta, [15.042901647702, -0.232162744219], rtol=1e-11)


@given(
    st.lists(UNIT, min_size=8, max_size=8),
    st.lists(UNIT, min_size=2, max_size=2),
    st.lists(UNIT, min_size=2, max_size=2),
    UNIT,
    UNIT,
)
def test_w5_and_w1_of_the_notes(weights, inputs, targets, b1, b2):
    """The formulas for w5 and w1, for random weights, inputs, targets and both biases."""
    w1, w2, w3, w4, w5, w6, w7, w8 = nodes = [Value(w) for w in weights]
    i1, i2 = inputs
    t1, t2 = targets
    h1 = sigmoid(w1 * i1 + w2 * i2 + b1)
    h2 = sigmoid(w3 * i1 + w4 * i2 + b1)
    o1 = sigmoid(w5 * h1 + w6 * h2 + b2)
    o2 = sigmoid(w7 * h1 + w8 * h2 + b2)
    error = half_squared_error([o1, o2], targets)
    error.backward()

    def logistic_function(x):
        return 1.0 / (1.0 + math.exp(-x))

    out_h1 = logistic_function(weights[0] * i1 + weights[1] * i2 + b1)
    out_h2 = logistic_function(weights[2] * i1 + weights[3] * i2 + b1)
    out_o1 = logistic_function(weights[4] * out_h1 + weights[5] * out_h2 + b2)
    out_o2 = logistic_function(weights[6] * out_h1 + weights[7] * out_h2 + b2)
    by_hand_w5 = -(t1 - out_o1) * out_o1 * (1 - out_o1) * out_h1
    through_o1 = -(t1 - out_o1) * out_o1 * (1 - out_o1) * weights[4]
    through_o2 = -(t2 - out_o2) * out_o2 * (1 - out_o2) * weights[6]
    by_hand_w1 = (through_o1 + through_o2) * out_h1 * (1 - out_h1) * i1
    assert math.isclose(w5.grad, by_hand_w5, rel_tol=1e-10, abs_tol=1e-13)
    assert math.isclose(w1.grad, by_hand_w1, rel_tol=1e-10, abs_tol=1e-13)
    assert gradients(error, nodes) == [w.grad for w in nodes]


@pytest.mark.parametrize(
    ("activation", "derivative"),
    [
        (logistic, lambda z: 1 / (1 + np.exp(-z)) * (1 - 1 / (1 + np.exp(-z)))),
        (tanh, lambda z: 1 / np.cosh(z) ** 2),
        (relu, lambda z: 1.0 * (z > 0)),
    ],
    ids=["sigmoid", "tanh", "relu"],
)
def test_delta_recursion_in_matrix_form(activation, derivative):
    """After J.backward() the pre-activations carry delta = dJ/dz of the notes, and W and b their dJ/dW and dJ/db."""
    rng = np.random.default_rng(3)
    model = MLP(3, [4, 5, 2], activation=activation, output_activation=activation, seed=4)
    for p in model.parameters():
        p.data = rng.normal()
    x, target = rng.normal(size=3), rng.normal(size=2)
    z_nodes, a_nodes = [], x.tolist()
    for layer in model.layers:
        z_nodes.append([neuron.preactivation(a_nodes) for neuron in layer.neurons])
        a_nodes = [activation(z) for z in z_nodes[-1]]
    half_squared_error(a_nodes, target).backward()

    weights = [np.array([[w.data for w in n.w] for n in layer.neurons]) for layer in model.layers]
    biases = [np.array([n.b.data for n in layer.neurons]) for layer in model.layers]
    sigma = {logistic: lambda z: 1 / (1 + np.exp(-z)), tanh: np.tanh, relu: lambda z: np.maximum(z, 0)}[activation]
    activations, zs = [x], []
    for w, b in zip(weights, biases):
        zs.append(w @ activations[-1] + b)
        activations.append(sigma(zs[-1]))
    delta = (activations[-1] - target) * derivative(zs[-1])
    for depth in (2, 1, 0):
        layer = model.layers[depth]
        np.testing.assert_allclose([z.grad for z in z_nodes[depth]], delta, rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose([n.b.grad for n in layer.neurons], delta, rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose(
            [[w.grad for w in n.w] for n in layer.neurons], np.outer(delta, activations[depth]), rtol=1e-11, atol=1e-14
        )
        if depth:
            delta = (weights[depth].T @ delta) * derivative(zs[depth - 1])


def test_the_preactivation_is_the_input_of_the_activation():
    """The node that carries delta is found in the graph of a plain call."""
    neuron = Neuron(2, activation=tanh, seed=0)
    out = neuron([1.0, 2.0])
    out.backward()
    (z,) = out.inputs
    assert z.data == neuron.preactivation([1.0, 2.0]).data
    assert z.grad == 1 - out.data**2 == neuron.b.grad


@given(st.lists(UNIT, min_size=2, max_size=5), st.data())
def test_softmax_with_cross_entropy_has_gradient_p_minus_y(logits, data):
    """dJ/dz = p - y, for an integer class and for its one-hot row."""
    k = data.draw(st.integers(0, len(logits) - 1))
    p = np.exp(logits) / np.exp(logits).sum()
    for target in (k, np.eye(len(logits))[k]):
        nodes = [Value(z) for z in logits]
        np.testing.assert_allclose(
            gradients(cross_entropy(nodes, target), nodes), p - np.eye(len(logits))[k], atol=1e-13
        )
