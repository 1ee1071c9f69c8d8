"""Optimizers: they change parameters along their gradients.

An optimizer works on the flat vector of the parameters.  ``learning_rate`` is a number or a schedule, a function of the
number of steps already taken (see `nn.schedules`).  A step changes all parameters, or none if a gradient is not finite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from autograd import Value
from autograd.assigning import Change, assign_grads, changes_of, data_of, grads_of, require_held, set_at_once

from .arguments import as_setting, checked_call

if TYPE_CHECKING:
    from autograd.derivation.diagnose import Origin

Vector: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


class NonFiniteError(ArithmeticError):
    """A loss, a gradient or a step is NaN or infinite.  Nothing was changed.

    If `nn.fit` raises it, `origin` says where the number came from, if that was found (`autograd.origin_of_nonfinite`).
    The message says the same in words.
    """

    origin: Origin | None = None


class Optimizer:
    """The base of every optimizer: parameters, a learning rate, counts of steps and epochs, and vectors of state.

    A subclass lists its state vectors, with one number for each parameter, in `state_names`, and defines `update`.
    Invalid settings are a TypeError or a ValueError.
    """

    state_names: tuple[str, ...] = ()

    def __init__(self, parameters: Iterable[Value], learning_rate: float | Callable[[int], float]) -> None:
        if not isinstance(parameters, Iterable):
            raise TypeError(f"{type(self).__name__} of a {type(parameters).__name__}; give model.parameters()")
        parameters = list(parameters)
        if any(isinstance(group, dict) for group in parameters):
            raise TypeError(
                f"{type(self).__name__} of parameter groups; give the Values of model.parameters(), "
                "and make one optimizer for each group"
            )
        if not parameters or not all(isinstance(p, Value) for p in parameters):
            raise ValueError(f"{type(self).__name__} of {parameters!r:.60}; give the Values of model.parameters()")
        self.parameters = list(dict.fromkeys(parameters))
        self.learning_rate = learning_rate if callable(learning_rate) else as_setting("learning_rate", learning_rate)
        self.steps = 0
        self.epochs = 0
        self.state: dict[str, Vector] = {name: np.zeros(len(self.parameters)) for name in self.state_names}
        if callable(learning_rate):
            try:
                self.rate  # noqa: B018  # now, rather than in the first step
            except TypeError as error:
                raise TypeError(
                    f"learning_rate is not a schedule, a function of the number of steps: {error}"
                ) from None

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        rate = self.learning_rate(self.steps) if callable(self.learning_rate) else self.learning_rate
        return as_setting("learning_rate", rate)

    def zero_grad(self) -> None:
        """Sets the gradient of every parameter to 0."""
        assign_grads(self.parameters, [0.0] * len(self.parameters))

    def step(self) -> None:
        """Updates the data of the parameters from their gradients.

        If a gradient is NaN or infinite, or a parameter would become so, it raises a NonFiniteError.  If another
        parameter has replaced one of them (see `nn.Module`), it raises a RuntimeError.  In both cases nothing changes.
        An interrupt (Ctrl-C) leaves the parameters and the state either before the step or after it.
        """
        require_held(self.parameters, type(self).__name__)
        self.advance()

    def advance(self) -> None:
        """Takes a step without checking for replaced parameters, for loops in which no user code runs."""
        gradient = np.array(grads_of(self.parameters))
        self._check_finite("the gradient of", gradient)
        theta = np.array(data_of(self.parameters))
        with np.errstate(all="ignore"):
            moved, state = self.update(theta, gradient, self.rate)
        self._check_finite("after this step", moved)
        for name, vector in state.items():
            self._check_finite(f"after this step the {name} of", vector)
        changes = changes_of(self.parameters, moved.tolist())
        set_at_once([*changes, (self, "state", state), (self, "steps", self.steps + 1)])

    def update(self, theta: Vector, gradient: Vector, rate: float) -> tuple[Vector, dict[str, Vector]]:
        """The optimizer's rule: returns the new parameters and the new state."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """The counts and the state as arrays.  After `load_state_dict`, training goes on as if it had never stopped.

        >>> SGD([Value(1.0)]).state_dict()
        {'steps': array(0.), 'epochs': array(0.), 'velocity': array([0.])}
        """
        state = {name: vector.copy() for name, vector in self.state.items()}
        return {"steps": np.array(float(self.steps)), "epochs": np.array(float(self.epochs)), **state}

    @checked_call()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Loads a `state_dict`.  If it does not fit this optimizer, it raises a ValueError, and nothing changes."""
        set_at_once(self.changes_of_state(state))

    def changes_of_state(self, state: Mapping[str, Any]) -> list[Change]:
        """The changes of `load_state_dict`, for `autograd.assigning.set_at_once`; it raises the same errors."""
        from .checkpoint import check_arrays

        shapes = {name: array.shape for name, array in self.state_dict().items()}
        arrays = check_arrays(type(self).__name__, state, shapes)
        counts = [float(arrays.pop(name)) for name in ("steps", "epochs")]
        if not all(count >= 0 and count.is_integer() for count in counts):
            raise ValueError(f"steps and epochs of {type(self).__name__} are {counts}; give whole numbers from 0")
        steps, epochs = map(int, counts)
        return [(self, "steps", steps), (self, "epochs", epochs), (self, "state", arrays)]

    def _check_finite(self, what: str, vector: Vector) -> None:
        if not np.isfinite(vector).all():
            from autograd.derivation.notation import quoted

            worst = int(np.argmin(np.isfinite(vector)))
            label = self.parameters[worst].label
            name = quoted(label) if label else f"parameter {worst}"
            raise NonFiniteError(f"{what} {name} is {vector[worst]}; no parameter was changed")

    def __repr__(self) -> str:
        rate = "a schedule" if callable(self.learning_rate) else self.learning_rate
        return f"{type(self).__name__}({len(self.parameters)} parameters, learning_rate={rate}, {self.steps} steps)"


class SGD(Optimizer):
    """Gradient descent: theta - rate g.  With `momentum`, v <- momentum v + g takes the place of g.

    ``nesterov=True`` looks ahead and uses g + momentum v (Sutskever, Martens, Dahl and Hinton, 2013).  `weight_decay`
    adds weight_decay theta to g, the gradient of the L2 term weight_decay/2 sum(theta^2).

    >>> w = Value(2.0)
    >>> (w * w).backward()
    >>> SGD([w], learning_rate=0.25).step()
    >>> w.data
    1.0
    """

    state_names = ("velocity",)

    @checked_call()
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
        self.momentum = as_setting("momentum", momentum, below=1.0)
        self.weight_decay = as_setting("weight_decay", weight_decay)
        if not isinstance(nesterov, (bool, np.bool_)):
            raise TypeError(f"nesterov is {nesterov!r:.60}, not a bool; give the number as momentum=")
        self.nesterov = nesterov
        if nesterov and not momentum:
            raise ValueError("nesterov=True with momentum 0; give a momentum, such as 0.9")

    def update(self, theta: Vector, gradient: Vector, rate: float) -> tuple[Vector, dict[str, Vector]]:
        """theta - rate v, with v = momentum v + g."""
        gradient = gradient + self.weight_decay * theta
        velocity = self.momentum * self.state["velocity"] + gradient
        direction = gradient + self.momentum * velocity if self.nesterov else velocity
        return theta - rate * direction, {"velocity": velocity}


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015): steps of about `learning_rate`, scaled by running moments of the gradient.

    `weight_decay` (0 if not given) adds weight_decay theta to the gradient; `AdamW` decays the parameters themselves.

    >>> w = Value(2.0)
    >>> (w * w).backward()
    >>> Adam([w], learning_rate=0.25).step()
    >>> round(w.data, 6)
    1.75
    """

    state_names = ("first_moment", "second_moment")
    default_weight_decay = 0.0

    @checked_call()
    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Callable[[int], float] = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float | None = None,
    ) -> None:
        super().__init__(parameters, learning_rate)
        if not isinstance(betas, (list, tuple)) or len(betas) != 2:
            raise ValueError(f"betas is {betas!r:.60}; give two numbers, such as (0.9, 0.999)")
        beta1, beta2 = betas
        self.betas = as_setting("betas[0]", beta1, below=1.0), as_setting("betas[1]", beta2, below=1.0)
        self.epsilon = as_setting("epsilon", epsilon)
        if not epsilon:
            raise ValueError("epsilon is 0, so a gradient of 0 would give 0 / 0; give a small number, such as 1e-8")
        decay = self.default_weight_decay if weight_decay is None else weight_decay
        self.weight_decay = as_setting("weight_decay", decay)

    def update(self, theta: Vector, gradient: Vector, rate: float) -> tuple[Vector, dict[str, Vector]]:
        """theta - rate m / (sqrt(v) + epsilon), with m and v corrected for their start at 0."""
        theta, gradient = self._decayed(theta, gradient, rate)
        beta1, beta2 = self.betas
        first = beta1 * self.state["first_moment"] + (1.0 - beta1) * gradient
        second = beta2 * self.state["second_moment"] + (1.0 - beta2) * gradient**2
        t = self.steps + 1
        mean, variance = first / (1.0 - beta1**t), second / (1.0 - beta2**t)
        moved = theta - rate * mean / (np.sqrt(variance) + self.epsilon)
        return moved, {"first_moment": first, "second_moment": second}

    def _decayed(self, theta: Vector, gradient: Vector, rate: float) -> tuple[Vector, Vector]:
        return theta, gradient + self.weight_decay * theta


class AdamW(Adam):
    """Adam with decoupled weight decay, theta - rate weight_decay theta (Loshchilov and Hutter, 2019).

    The arguments are those of `Adam`; `weight_decay` is 0.01 if not given.

    >>> w = Value(2.0)
    >>> AdamW([w], learning_rate=0.25, weight_decay=0.1).step()
    >>> w.data
    1.95
    """

    default_weight_decay = 0.01

    def _decayed(self, theta: Vector, gradient: Vector, rate: float) -> tuple[Vector, Vector]:
        return theta * (1.0 - rate * self.weight_decay), gradient
