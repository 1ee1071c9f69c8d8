"""Loss functions of one example, ``loss(outputs, target)``, and `cost`, their mean over examples."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from math import inf
from typing import Any, TypeAlias, TypeVar, overload

import numpy as np

from autograd import (
    Value,
    add,
    div,
    exp,
    log_softmax,
    mean,
    mul,
    neg,
    relu,
    select,
    sigmoid,
    softplus,
    step,
    sub,
    topological_order,
    where,
)
from autograd import pow as power
from autograd.conversions import as_float

from .arguments import as_plain

Output = TypeVar("Output")
Target = TypeVar("Target")
Loss = TypeVar("Loss", Value, float)
Values: TypeAlias = "Value | Sequence[Value]"
"""The outputs of a model for an example."""
Numbers: TypeAlias = "float | Sequence[float] | np.ndarray[Any, Any]"
Targets: TypeAlias = "Value | Sequence[Value] | Numbers"


@overload
def half_squared_error(outputs: Values, targets: Targets) -> Value: ...
@overload
def half_squared_error(outputs: Numbers, targets: Numbers) -> float: ...
def half_squared_error(outputs: Any, targets: Any) -> Any:
    """The sum over the outputs of 1/2 (target - output)^2.

    Each argument is a number or Value, or a sequence of them.  Different shapes are a ValueError.

    >>> half_squared_error([0.5, 1.0], [0.0, 3.0])
    2.125
    """
    return reduce(operator.add, _labeled("E", [0.5 * power(t - y, 2.0) for y, t in _pairs(outputs, targets)]))


@overload
def mean_squared_error(outputs: Values, targets: Targets) -> Value: ...
@overload
def mean_squared_error(outputs: Numbers, targets: Numbers) -> float: ...
def mean_squared_error(outputs: Any, targets: Any) -> Any:
    """The mean over the outputs of (target - output)^2; arguments as in `half_squared_error`.

    >>> mean_squared_error([0.5, 1.0], [0.0, 3.0])
    2.125
    """
    return mean([power(t - y, 2.0) for y, t in _pairs(outputs, targets)])


@overload
def cross_entropy(logits: Values, target: Targets) -> Value: ...
@overload
def cross_entropy(logits: Numbers, target: Numbers) -> float: ...
def cross_entropy(logits: Any, target: Any) -> Any:
    """-log softmax(logits)[target].  Its gradient is p - y.

    Give at least two logits, not probabilities: the loss applies softmax itself, so the model's last layer is linear.

    `target` is a class, a whole number from 0 (or a row of that one number), or a distribution over the classes, such
    as a one-hot sequence.  A class out of range is a ValueError.  So are target probabilities that do not match the
    logits or do not sum to 1.

    >>> cross_entropy([1000.0, 0.0, -1000.0], 2)
    2000.0
    >>> cross_entropy([1000.0, 0.0, -1000.0], [0, 0, 1])
    2000.0
    """
    logits = _as_list(logits)
    if len(logits) < 2:
        raise ValueError(f"cross_entropy of {len(logits)} logit; give one for each class, or use binary_cross_entropy")
    log_probabilities = log_softmax(logits)
    targets = _as_list(target)
    if len(targets) != 1:
        pairs = _pairs(log_probabilities, targets)
        _check_distribution([t for _, t in pairs])
        return -reduce(operator.add, _weighted(pairs))
    (target,) = targets
    return -select(log_probabilities, target if isinstance(target, Value) else _class(target, len(logits)))


@overload
def binary_cross_entropy(logit: Values, target: Targets) -> Value: ...
@overload
def binary_cross_entropy(logit: Numbers, target: Numbers) -> float: ...
def binary_cross_entropy(logit: Any, target: Any) -> Any:
    """-t log p - (1 - t) log(1 - p) with p = sigmoid(logit).

    Give the logit, not p: the loss applies sigmoid itself, so the model's last layer is linear.  The result is accurate
    even if p would round to 0 or 1.

    `target` is a number from 0 to 1; any other is a ValueError.

    >>> binary_cross_entropy(800.0, 0), binary_cross_entropy(40.0, 1)
    (800.0, 4.248354255291589e-18)
    """
    ((z, t),) = _pairs(_single("binary_cross_entropy", logit), _as_list(target))
    if not 0.0 <= t <= 1.0:
        raise ValueError(f"binary_cross_entropy of target {t!r}; give a number from 0 to 1")
    return reduce(operator.add, _weighted([(softplus(-z), t), (softplus(z), 1.0 - t)]))


@overload
def hinge(score: Values, target: Targets) -> Value: ...
@overload
def hinge(score: Numbers, target: Numbers) -> float: ...
def hinge(score: Any, target: Any) -> Any:
    """relu(1 - target score).  `target` is -1 or 1; any other is a ValueError.

    >>> hinge(0.25, 1), hinge(0.25, -1), hinge(3.0, 1)
    (0.75, 1.25, 0.0)
    """
    ((s, t),) = _pairs(_single("hinge", score), _as_list(target))
    if not abs(t) <= 1.0 <= abs(t):
        raise ValueError(f"hinge of target {t!r}; give -1 or 1")
    return relu(1.0 - t * s)


def cost(loss: Callable[[Output, Target], Loss], outputs: Sequence[Output], targets: Sequence[Target]) -> Loss:
    """J, the mean of `loss` over M examples: 1/M times the sum of loss(outputs[m], targets[m]).

    Give as many targets as outputs, and at least one; anything else is a ValueError.

    >>> cost(hinge, [0.25, 0.5], [1, 1])
    0.625
    """
    if len(outputs) != len(targets):
        raise ValueError(
            f"outputs of {len(outputs)} examples and targets of {len(targets)}; give one target for each output"
        )
    result: Loss
    (result,) = _labeled("J", [mean(_labeled("loss", [loss(y, t) for y, t in zip(outputs, targets)]))])
    return result


LOSSES = ["mean_squared_error", "half_squared_error", "binary_cross_entropy", "cross_entropy", "hinge"]


def squash_of(x: Any) -> str:
    """ "sigmoid" or "softmax" if the graph of `x` shows that it is a probability made by one of them; else "".

    >>> from autograd import softmax
    >>> z = Value(2.0)
    >>> squash_of(sigmoid(z)), squash_of(1.0 / (1.0 + exp(-z))), squash_of(softmax([z, 0.0])[0]), squash_of(z)
    ('sigmoid', 'sigmoid', 'softmax', '')
    """
    if not isinstance(x, Value) or x.op not in (sigmoid, div):
        return ""
    total = x.inputs[-1]
    if x.op is sigmoid:
        return "sigmoid"
    if not (isinstance(total, Value) and total.op is add and any(getattr(e, "op", None) is exp for e in total.inputs)):
        return ""
    return "sigmoid" if any(isinstance(e, float) for e in total.inputs) else "softmax"


def squashed_twice(loss: Any, outputs: Any) -> tuple[str, str] | None:
    """If the graph shows that a loss of logits got probabilities: their function, and the loss that this one resembles.

    >>> p = sigmoid(Value(2.0))
    >>> squashed_twice(binary_cross_entropy(p, 1), p), squashed_twice(half_squared_error(p, 1), p)
    (('sigmoid', 'binary_cross_entropy'), None)
    """
    outputs = {x for x in _as_list(outputs) if isinstance(x, Value)}
    for node in topological_order([loss] if isinstance(loss, Value) else [], known=outputs):
        x: Any = node.inputs[0] if node.op in (exp, sigmoid, softplus) else None
        while isinstance(x, Value) and x not in outputs and x.op in (neg, sub, mul):  # -z, z - shift, target z
            x = next((y for y in x.inputs if isinstance(y, Value)), None)
        if squash := squash_of(x):
            return squash, "cross_entropy" if node.op is exp and len(outputs) > 1 else "binary_cross_entropy"
    return None


def _labeled(name: str, terms: list[Any]) -> list[Any]:
    """`terms`; those without a label get the labels ``name.0``, ``name.1`` ... or, if there is only one, ``name``."""
    for i, term in enumerate(terms):
        if isinstance(term, Value) and term.op and not term.label:
            term.label = f"{name}.{i}" if len(terms) > 1 else name
    return terms


def _weighted(pairs: list[tuple[Any, Any]]) -> list[Any]:
    """x weight for each pair (x, weight), except pairs with weight 0."""
    terms = [w * _or_zero(x, w) if isinstance(w, Value) else w * x for x, w in pairs if isinstance(w, Value) or w]
    return terms or [0.0]


def _or_zero(x: Any, weight: Value) -> Any:
    """x, or 0 for an infinity or NaN whose weight is 0.  Even then, x is the slope in the weight."""
    return where(weight + step(inf - abs(x)), x, 0.0)


def _pairs(outputs: Any, targets: Any) -> list[tuple[Any, Any]]:
    outputs, targets = _as_list(outputs), _as_list(targets)
    if not outputs:
        raise ValueError("a loss of no outputs; give at least one")
    if len(outputs) != len(targets):
        raise ValueError(
            f"outputs of shape ({len(outputs)},) and targets of shape ({len(targets)},); give a target for each output"
        )
    return list(zip(outputs, targets))


def _as_list(x: Any) -> list[Any]:
    """A number or Value as a list of one; a sequence as a list, arrays with Python's numbers."""
    x = as_plain("an argument of the loss", x)
    return [as_plain("an argument of the loss", y) for y in x] if isinstance(x, (list, tuple)) else [x]


def _single(name: str, output: Any) -> list[Any]:
    outputs = _as_list(output)
    if len(outputs) != 1:
        raise ValueError(f"{name} of {len(outputs)} outputs; give a model with one, or use cross_entropy")
    return outputs


def _class(target: Any, count: int) -> int:
    try:
        index = as_float(target)
    except TypeError:
        raise TypeError(
            f"class {target!r:.60} ({type(target).__name__}); give an int, or one probability for each class"
        ) from None
    if index not in range(count):
        raise ValueError(f"class {target!r:.60} with {count} logits; give a class from 0 to {count - 1}")
    return int(index)


def _check_distribution(target: list[Any]) -> None:
    if not (all(t >= 0 for t in target) and abs(sum(target) - 1.0) <= 1e-6):
        raise ValueError(
            f"target probabilities {target!r:.100}; give numbers from 0 that sum to 1, such as a one-hot row"
        )
