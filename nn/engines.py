"""How `fit` computes the loss of a mini-batch and its gradient: one number at a time, or compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any, Protocol

import numpy as np

import autograd
from autograd import Value, no_grad, topological_order
from autograd.assigning import assign_grads, data_of
from autograd.conversions import as_float

from .losses import cost
from .module import Module

ENGINES = ("auto", "eager", "compiled")
"""What the argument `engine` of `fit` may be."""

ENOUGH_EXAMPLES, ENOUGH_NODES = 32, 300
"""With fewer examples, or nodes in a mini-batch, compiling does not pay."""


class StaleProgramError(RuntimeError):
    """The model and the loss no longer compute what was compiled."""


@dataclass
class Task:
    """A task for training: a model, a loss, examples, and the parameters to differentiate by."""

    model: Module
    loss: Callable[[Any, Any], Any]
    examples: Sequence[list[float]]
    targets: Sequence[Any]
    parameters: list[Value]

    def mean_loss(self, batch: Sequence[int]) -> Any:
        """The mean loss of a mini-batch as a graph."""
        return cost(self.loss, [self.model(self.examples[i]) for i in batch], [self.targets[i] for i in batch])


def number_of(output: Any) -> float:
    """The float of a Value or of a plain number."""
    return output.data if isinstance(output, Value) else as_float(output)


class LossRunner(Protocol):
    """One way of computing the loss of a mini-batch and its gradient."""

    name: str
    reason: str
    """Its name in the history, and why it was chosen."""
    calls_model: bool
    """Whether it calls the model for each example, so that the model may change in each step."""

    def run(self, batch: Sequence[int]) -> tuple[float, Callable[[], None]]:
        """The mean loss of a mini-batch, and a function that sets the gradients of the parameters to its gradient."""

    def check(self, examples: Sequence[int]) -> None:
        """A StaleProgramError if it no longer computes what the model and the loss do."""


class Eager:
    """Records and differentiates a new graph for each example."""

    name, calls_model = "eager", True

    def __init__(self, task: Task, reason: str = "") -> None:
        self.task, self.reason = task, reason

    def run(self, batch: Sequence[int]) -> tuple[float, Callable[[], None]]:
        """See `LossRunner`."""
        mean = self.task.mean_loss(batch)

        def differentiate() -> None:
            assign_grads(self.task.parameters, [0.0] * len(self.task.parameters))
            if isinstance(mean, Value):  # or a constant
                mean.backward()

        return number_of(mean), differentiate

    def check(self, examples: Sequence[int]) -> None:
        """See `LossRunner`: it always computes what they do."""


class Compiled:
    """Traces the model and the loss once, and runs them as matrix programs."""

    name, calls_model = "compiled", False

    def __init__(self, task: Task, reason: str = "") -> None:
        self.task, self.reason = task, reason
        self.x, self.y = np.array(task.examples), np.array(task.targets)
        model, loss = task.model, task.loss

        def loss_of_an_example(x: Any, y: Any) -> Any:  # as lists, which is what the eager engine gives
            return loss(model(x.tolist()), y.tolist() if isinstance(y, np.ndarray) else y)

        self.function = autograd.compile(loss_of_an_example, task.parameters)
        self.check([0])

    def run(self, batch: Sequence[int]) -> tuple[float, Callable[[], None]]:
        """See `LossRunner`."""
        theta = data_of(self.task.parameters)
        try:
            value, gradient = self.function.value_and_grad(theta, self.x[batch], self.y[batch])
        except Exception as error:  # such as too many branches
            raise StaleProgramError(str(error)) from error
        return value, lambda: assign_grads(self.task.parameters, gradient.tolist())

    def check(self, examples: Sequence[int]) -> None:
        """See `LossRunner`; it compares some examples."""
        theta = data_of(self.task.parameters)
        for i in examples:
            compiled = self.function.value(theta, self.x[i : i + 1], self.y[i : i + 1])
            with no_grad():
                eager = number_of(self.task.mean_loss([i]))
            if not (isclose(compiled, eager, rel_tol=1e-9, abs_tol=1e-12) or (eager != eager and compiled != compiled)):
                raise StaleProgramError(
                    f"the model or the loss has changed since it was compiled (example {i} now gives {eager:.6g}, "
                    f'compiled {compiled:.6g}); train with engine="eager"'
                )


def chosen(engine: str, task: Task, loss: Any, batch_size: int) -> LossRunner:
    """The runner with this name.  "auto" compiles if that pays for a graph like that of `loss`, and is possible."""
    if engine not in ENGINES:
        raise ValueError(f"engine is {engine!r:.60}; give one of {', '.join(ENGINES)}")
    if engine == "compiled":
        return Compiled(task)
    if engine == "eager":
        return Eager(task)
    nodes = len(topological_order([loss])) if isinstance(loss, Value) else 0
    size = f"{len(task.examples)} examples of {nodes} nodes, {batch_size} at a time"
    if len(task.examples) < ENOUGH_EXAMPLES or nodes * batch_size < ENOUGH_NODES:
        return Eager(task, f"compiling does not pay for {size}")
    try:
        return Compiled(task, size)
    except Exception as error:  # whatever a model does that cannot be compiled, it can do one number at a time
        return Eager(task, f"it cannot be compiled: {error}")
