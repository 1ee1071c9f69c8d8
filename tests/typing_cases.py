"""What type checkers know of `autograd` and `nn`, right and wrong.  It is checked (`test_typing.py`), and never run.

Every line is without an error, or has one that its comment names: a comment too many is an error of mypy --strict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

import autograd
import nn
from autograd import Value, check_gradients, compile, draw, explain, formula, gradcheck, gradients, why_zero

if TYPE_CHECKING:
    from typing_extensions import assert_type


def values(a: Value, b: Value) -> None:
    """Arithmetic gives Values, comparisons bools."""
    assert_type(a + b, Value)
    assert_type(a + 1, Value)
    assert_type(1 + a, Value)
    assert_type(2.0 - a, Value)
    assert_type(a * b / 3, Value)
    assert_type(1 / a, Value)
    assert_type(-a, Value)
    assert_type(+a, Value)
    assert_type(abs(a), Value)
    assert_type(a**2, Value)
    assert_type(2**a, Value)
    assert_type(sum([a, b]), Value | Literal[0])  # as sum is typed: 0 if there are none
    assert_type(sum([a, b], start=Value(0.0)), Value)
    assert_type(a == b, bool)
    assert_type(a < 1.0, bool)
    assert_type(1.0 >= a, bool)
    assert_type(bool(a), bool)
    assert_type(hash(a), int)
    assert_type({a: 1}, dict[Value, int])

    assert_type(a.data, float)
    assert_type(a.grad, float)
    assert_type(a.label, str)
    assert_type(a.op, autograd.Op | None)
    assert_type(a.inputs, tuple[Value | float, ...])
    assert_type(a.backward(), None)
    a.data = 3
    a.data = np.float64(3.0)
    a.grad = 0
    a.label = "a"

    assert_type(a.tanh(), Value)
    assert_type(a.relu().exp().log().sigmoid(), Value)
    assert_type(a.softplus().sqrt().sin(), Value)
    assert_type(a.detach(), Value)


def wrong_values(a: Value) -> None:
    """A typo, a word for a number, what is read-only, and what would cut the graph."""
    a.gard  # type: ignore[attr-defined]
    a.foo()  # type: ignore[attr-defined]
    a.gard = 0.0  # type: ignore[attr-defined]
    a.tanh(2.0)  # type: ignore[call-arg]
    a.inputs = ()  # type: ignore[misc]
    a.label = 3  # type: ignore[assignment]
    Value(1.0, label=3)  # type: ignore[arg-type]
    Value(1.0, name="a")  # type: ignore[call-arg]
    autograd.gard  # type: ignore[attr-defined]
    autograd.explian(a, a)  # type: ignore[attr-defined]


def rows(a: Value, b: Value, array: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    """A row is a function of floats, Values and arrays."""
    assert_type(autograd.sigmoid(a), Value)
    assert_type(autograd.sigmoid(1.0), float)
    assert_type(autograd.sigmoid(1), float)
    assert_type(autograd.tanh(autograd.exp(a)), Value)
    assert_type(autograd.maximum(a, 0.0), Value)
    assert_type(autograd.maximum(0.0, a), Value)
    assert_type(autograd.maximum(0.0, 1.0), float)
    assert_type(autograd.where(a, 1.0, b), Value)
    assert_type(autograd.where(1.0, 2.0, 3.0), float)
    assert_type(autograd.pow(a, 2), Value)
    assert_type(autograd.abs(-1.0), float)
    autograd.sigmoid(array).sum()
    assert_type(autograd.sigmoid.name, str)


def wrong_rows(a: Value) -> None:
    """A word is no number."""
    autograd.sigmoid("1")  # type: ignore[call-overload]
    autograd.maximum(a, "1")  # type: ignore[call-overload]
    autograd.sigmoid.nam  # type: ignore[attr-defined]


def functions(xs: list[Value], numbers: list[float], mixed: list[Value | float]) -> None:
    """Functions of sequences: of Values a Value, of floats a float."""
    assert_type(autograd.dot(xs, numbers), Value)
    assert_type(autograd.dot(numbers, xs), Value)
    assert_type(autograd.dot(numbers, numbers), float)
    assert_type(autograd.mean(xs), Value)
    assert_type(autograd.mean(numbers), float)
    assert_type(autograd.logsumexp(xs), Value)
    autograd.logsumexp(mixed)
    assert_type(autograd.softmax(xs), list[Value])
    assert_type(autograd.softmax([1, 2]), list[float])
    assert_type(autograd.log_softmax(numbers), list[float])
    assert_type(autograd.select(numbers, 1), float)
    assert_type(autograd.select(["a", "b"], 1), str)
    assert_type(autograd.select(xs, 1), Value)
    assert_type(autograd.select(numbers, xs[0]), Value)
    assert_type(autograd.select([xs, xs], xs[0]), list[Value])


def wrong_functions(xs: list[Value]) -> None:
    """No sequence, or one of words."""
    autograd.mean(xs[0])  # type: ignore[call-overload]
    autograd.softmax(["1"])  # type: ignore[list-item]
    autograd.dot(xs, ["1"])  # type: ignore[list-item]


def verbs(a: Value, b: Value) -> None:
    """What looks at a graph, and what differentiates a function."""
    explained = explain(a, b)
    assert_type(explained, autograd.Derivation)
    assert_type(explained.number, float)
    assert_type(explained.to_html(), str)
    assert_type(explained.quiz(), autograd.Quiz)
    assert_type(draw(a).svg(), str)
    assert_type(str(formula(a)), str)
    assert_type(why_zero(a, b), list[str])
    assert_type(gradcheck(lambda x: x * x, 2.0).failures, list[autograd.check.Row])
    assert_type(check_gradients(a, [b]), autograd.check.Report)
    assert_type(gradients(a, [b]), list[float])
    assert_type(gradients(a, [b], create_graph=True), list[Value])
    assert_type(autograd.topological_order([a]), list[Value])
    assert_type(autograd.leaves(a), list[Value])

    def square(x: Value) -> Value:
        return x * x

    slope: Callable[..., Any] = autograd.grad(square)
    slope(2.0)
    assert_type(autograd.value_and_grad(square)(2.0), tuple[Any, Any])
    assert_type(autograd.jvp(square, (2.0,), (1.0,)), tuple[Any, Any])
    assert_type(autograd.assign([a], [1.0]), None)

    assert_type(compile(a, [b]), autograd.Program)
    assert_type(compile(square, [b]), autograd.CompiledFunction)
    assert_type(compile(a, [b]).value_and_grad([1.0])[0], float)
    with autograd.no_grad(), autograd.enable_grad(), autograd.trace_lines():
        assert_type(a + b, Value)

    @autograd.no_grad()
    def evaluated(x: float) -> float:
        return x

    assert_type(evaluated(1.0), float)


def wrong_verbs(a: Value) -> None:
    """A number where a node is asked for; an option that there is not."""
    explain(1.0, a)  # type: ignore[arg-type]
    draw(a, folded=True)  # type: ignore[call-arg]
    gradients(a, [1.0])  # type: ignore[type-var]
    compile(a, a)  # type: ignore[call-overload]
    autograd.grad(3.0)  # type: ignore[arg-type]
    gradcheck(2.0, lambda x: x)  # type: ignore[arg-type]


def models(model: nn.MLP, x: list[float]) -> None:
    """A model gives one Value or a list of them; losses take either."""
    out = model(x)
    assert_type(out, Value | list[Value])
    assert_type(nn.Neuron(2)(x), Value)
    assert_type(model.parameters(), list[Value])
    assert_type(model.layers[0].neurons[0].w, list[Value])
    loss = nn.half_squared_error(out, 1.0)
    assert_type(loss, Value)
    loss.backward()
    assert_type(nn.cross_entropy(nn.Layer(2, 3)(x), 2), Value)
    assert_type(nn.relu(loss), Value)
    assert_type(nn.gelu(loss), Value)
    optimizer = nn.Adam(model.parameters(), nn.schedules.linear(0.1, 0.0, 100))
    assert_type(optimizer.step(), None)
    assert_type(optimizer.rate, float)
    assert_type(nn.fit(model, [x], [1.0], loss=nn.half_squared_error, optimizer=optimizer, epochs=1), nn.History)
    nn.predict(model, [x]).mean()


def wrong_models(model: nn.MLP) -> None:
    """What mypy can tell before the library does."""
    nn.MLP(2, 3)  # type: ignore[arg-type]
    nn.MLP(2, [3], nonlin=False)  # type: ignore[call-arg]
    nn.Neuron(2, activation="relu")  # type: ignore[arg-type]
    nn.SGD(0.1, model.parameters())  # type: ignore[arg-type]
    nn.fit(model, [], [], los=nn.hinge)  # type: ignore[call-arg]
    model.paramters()  # type: ignore[attr-defined]
