"""Optimisers: how parameters follow their gradients.

Each works on the flat vector of the parameters.  ``learning_rate`` is a number, or a schedule: a function of the
number of steps already taken (see `nn.schedules`).  A step is taken whole, or, where a gradient is not finite, not at
all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from autograd import Value, assign

from .checkpoint import check_arrays

Vector: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


class NonFiniteError(ArithmeticError):
    """A loss or a gradient is infinite or NaN."""


class Optimiser:
    """What every optimiser has: parameters, a learning rate, a count of steps and epochs, and vectors of state."""

    names: tuple[str, ...] = ()
    """The vectors of the state: one number for each parameter."""

    def __init__(self, parameters: Iterable[Value], learning_rate: float | Callable[[int], float]) -> None:
        self.parameters = list(dict.fromkeys(parameters))
        if not self.parameters:
            raise ValueError(f"{type(self).__name__} of no parameters; give model.parameters()")
        self.learning_rate = learning_rate
        self.steps = 0
        self.epochs = 0
        self.state: dict[str, Vector] = {name: np.zeros(len(self.parameters)) for name in self.names}

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.learning_rate(self.steps) if callable(self.learning_rate) else self.learning_rate)

    def step(self) -> None:
        """Moves the parameters along their gradients; a NonFiniteError, and nothing moved, if one is not finite."""
        gradient = np.array([p.grad for p in self.parameters])
        if not np.isfinite(gradient).all():
            worst = self.parameters[int(np.argmin(np.isfinite(gradient)))]
            raise NonFiniteError(
                f"the gradient of {worst.label or 'a parameter'} is {worst.grad}; no parameter was changed"
            )
        theta = np.array([p.data for p in self.parameters])
        moved, state = self.update(theta, gradient, self.rate)
        assign(self.parameters, moved.tolist())
        self.state, self.steps = state, self.steps + 1

    def update(self, theta: Vector, gradient: Vector, rate: float) -> tuple[Vector, dict[str, Vector]]:
        """The new parameters and the new state; the rule of the optimiser."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Counts and state as arrays; with `load_state_dict`, training goes on as if it had not stopped."""
        return {"steps": np.array(float(self.steps)), "epochs": np.array(float(self.epochs)), **self.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state_dict`; a ValueError, and nothing changed, if it is not that of such an optimiser."""
        shapes = {name: array.shape for name, array in self.state_dict().items()}
        arrays = check_arrays(type(self).__name__, state, shapes)
        self.steps, self.epochs = int(arrays.pop("steps")), int(arrays.pop("epochs"))
        self.state = arrays


class SGD(Optimiser):
    """Gradient descent: theta - rate g, with momentum v <- momentum v + g in place of g where asked.

    ``nesterov=True`` looks ahead: g + momentum v (Sutskever, Martens, Dahl and Hinton, 2013).  `weight_decay` adds
    weight_decay theta to g, the gradient of the L2 term weight_decay/2 sum(theta^2).

    >>> w = Value(2.0)
    >>> (w * w).backward()
    >>> SGD([w], learning_rate=0.25).step()
    >>> w.data
    1.0
    """

    names = ("velocity",)

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Callable[[int], float] = 0.1,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, learning_rate)
        if nesterov and not momentum:
            raise ValueError("nesterov=True with momentum 0; give a momentum, such as 0.9")
        self.momentum, self.nesterov, self.weight_decay = momentum, nesterov, weight_decay

    def update(self, theta: Vector, gradient: Vector, rate: float) -> tuple[Vector, dict[str, Vector]]:
        """theta - rate v, with v = momentum v + g."""
        gradient = gradient + self.weight_decay * theta
        velocity = self.momentum * self.state["velocity"] + gradient
        direction = gradient + self.momentum * velocity if self.nesterov else velocity
        return theta - rate * direction, {"velocity": velocity}


class Adam(Optimiser):
    """Adam (Kingma and Ba, 2015): steps of about `learning_rate`, scaled by running moments of the gradient.

    `weight_decay` adds weight_decay theta to the gradient; `AdamW` decays the parameters themselves.

    >>> w = Value(2.0)
    >>> (w * w).backward()
    >>> Adam([w], learning_rate=0.25).step()
    >>> round(w.data, 6)
    1.75
    """

    names = ("first_moment", "second_moment")

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Callable[[int], float] = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, learning_rate)
        self.betas, self.epsilon, self.weight_decay = betas, epsilon, weight_decay

    def update(self, theta: Vector, gradient: Vector, rate: float) -> tuple[Vector, dict[str, Vector]]:
        """theta - rate m / (sqrt(v) + epsilon), with m and v corrected for their start at 0."""
        gradient = gradient + self.weight_decay * theta
        beta1, beta2 = self.betas
        first = beta1 * self.state["first_moment"] + (1.0 - beta1) * gradient
        second = beta2 * self.state["second_moment"] + (1.0 - beta2) * gradient**2
        t = self.steps + 1
        mean, variance = first / (1.0 - beta1**t), second / (1.0 - beta2**t)
        moved = theta - rate * mean / (np.sqrt(variance) + self.epsilon)
        return moved, {"first_moment": first, "second_moment": second}


class AdamW(Adam):
    """Adam with decoupled weight decay, theta - rate weight_decay theta (Loshchilov and Hutter, 2019).

    >>> w = Value(2.0)
    >>> AdamW([w], learning_rate=0.25, weight_decay=0.1).step()
    >>> w.data
    1.95
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Callable[[int], float] = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, learning_rate, betas=betas, epsilon=epsilon)
        self.decay = weight_decay

    def update(self, theta: Vector, gradient: Vector, rate: float) -> tuple[Vector, dict[str, Vector]]:
        """Adam's step from the decayed parameters."""
        return super().update(theta * (1.0 - rate * self.decay), gradient, rate)
