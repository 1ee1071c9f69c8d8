"""Code written for micrograd, with only its imports renamed, and what it expects of the classes."""

from __future__ import annotations

import random

import pytest

from autograd import Value, topological_order
from nn import MLP, Layer, Neuron

from .laws import same


def test_the_demo_runs_unchanged():
    """micrograd's demo: moons-like data, MLP 2-16-16-1, SVM max-margin loss, L2, SGD by hand."""
    random.seed(1337)
    X = [[random.uniform(-1, 1), random.uniform(-1, 1)] for _ in range(20)]
    y = [1 if a * a + b > 0 else -1 for a, b in X]
    model = MLP(2, [16, 16, 1], seed=1)  # 2-layer neural network; a seed, for the test to be the same every time

    def loss():
        inputs = [list(map(Value, xrow)) for xrow in X]
        # forward the model to get scores
        scores = list(map(model, inputs))
        # svm "max-margin" loss
        losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(y, scores)]
        data_loss = sum(losses) * (1.0 / len(losses))
        # L2 regularization
        alpha = 1e-4
        reg_loss = alpha * sum(p * p for p in model.parameters())
        total_loss = data_loss + reg_loss
        # also get accuracy
        accuracy = [(yi > 0) == (scorei.data > 0) for yi, scorei in zip(y, scores)]
        return total_loss, sum(accuracy) / len(accuracy)

    history = []
    for k in range(20):
        # forward
        total_loss, acc = loss()
        # backward
        model.zero_grad()
        total_loss.backward()
        # update (sgd)
        learning_rate = 0.2 - 0.18 * k / 20
        for p in model.parameters():
            p.data -= learning_rate * p.grad
        history.append(total_loss.data)
    assert min(history) < history[0] and acc >= 0.7


def test_the_classes_of_micrograd():
    """Names, arguments and results: parameters(), zero_grad(), nonlin, and the single-output layer's scalar."""
    n = Neuron(2, nonlin=False)
    assert len(n.w) == 2 and n.b.data == 0 and same(n.parameters(), [*n.w, n.b])
    assert all(-1 <= w.data <= 1 for w in n.w)
    layer = Layer(2, 3, nonlin=False)
    assert len(layer.neurons) == 3 and len(layer([1.0, 2.0])) == 3 and len(layer.parameters()) == 9
    model = MLP(3, [4, 4, 1])
    out = model([2.0, 3.0, -1.0])
    assert isinstance(out, Value) and len(model.parameters()) == 41
    out.backward()
    assert any(p.grad for p in model.parameters())
    model.zero_grad()
    assert not any(p.grad for p in model.parameters())
    x = Value(0.0)
    x.relu().backward()
    assert x.grad == 0


def test_parameters_defined_as_micrograd_defines_them():
    """A subclass may say itself what its parameters are."""
    from nn import Module

    class Line(Module):
        def __init__(self):
            self.a, self.b = Value(1.0), Value(2.0)

        def parameters(self):
            return [self.b]

    line = Line()
    line.b.grad = 3.0
    line.zero_grad()
    assert line.b.grad == 0.0


def test_parameters_that_are_computed_anew():
    """n.w = [w - lr * w.grad ...], as is written for micrograd: the same numbers as by p.data, and no graph grows."""
    kept, rebound = (MLP(1, [3, 1], seed=0) for _ in range(2))
    sizes = set()
    for _ in range(20):
        for model in (kept, rebound):
            model.zero_grad()
            loss = sum((model([x / 4]) - x) ** 2 for x in range(4))
            loss.backward()
        sizes.add(len(topological_order([loss])))
        for p in kept.parameters():
            p.data -= 0.05 * p.grad
        for n in [n for layer in rebound.layers for n in layer.neurons]:
            n.w = [w - 0.05 * w.grad for w in n.w]
            n.b -= 0.05 * n.b.grad
        assert [p.data for p in rebound.parameters()] == [p.data for p in kept.parameters()]
    assert len(sizes) == 1 and len(rebound.parameters()) == 10
    assert [p.label for p in rebound.parameters()] == [p.label for p in kept.parameters()]


def test_the_lecture_draws_and_steps_by_hand():
    """The lecture reads `_prev` and `_op` to draw a graph, and calls `_backward` node after node."""

    def trace(root):
        nodes, edges = set(), set()

        def build(v):
            if v not in nodes:
                nodes.add(v)
                for child in v._prev:
                    edges.add((child, v))
                    build(child)

        build(root)
        return nodes, edges

    x1, x2, w1, w2 = Value(2.0), Value(0.0), Value(-3.0), Value(1.0)
    b = Value(6.8813735870195432)
    x1w1, x2w2 = x1 * w1, x2 * w2
    total = x1w1 + x2w2
    n = total + b
    o = n.tanh()
    nodes, edges = trace(o)
    assert len(nodes) == 10 and len(edges) == 9 and (x1, x1w1) in edges
    assert [v._op for v in (x1, x1w1, total, o)] == ["", "*", "+", "tanh"]
    assert [v._op for v in (x1 - 1, x1 / w1, x1**2, -x1, x1.relu(), x1.exp())] == ["-", "/", "**", "-", "ReLU", "exp"]
    o.grad = 1.0
    for node in (o, n, total, x1w1, x2w2):
        node._backward()
    b._backward()  # a leaf has nothing to pass on
    assert [round(v.grad, 9) for v in (x1, w1, x2, w2, b)] == [-1.5, 1.0, 0.5, 0.0, 0.5]
    a = Value(3.0)
    twice = a + a
    twice.grad = 1.0
    twice._backward()
    assert a.grad == 2.0 and same(twice._prev, [a])


def test_the_children_of_a_node_are_read_only():
    """In order, each once: the same graph is drawn the same way in every process."""
    a, b = Value(1.0), Value(2.0)
    y = a * b
    assert same((a * 2.0)._prev, [a])
    assert same(y._prev, [a, b]) and y._prev == {a, b} and not a._prev
    for name in ("_prev", "_op"):
        with pytest.raises(AttributeError):
            setattr(y, name, ())
