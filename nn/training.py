"""`fit` trains a model; `predict` and `accuracy` use it."""

from __future__ import annotations

import operator
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain
from math import isfinite, nan
from os import PathLike
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

import autograd
from autograd import Value, enable_grad, no_grad, topological_order, trace_lines
from autograd.arrays import as_real_array
from autograd.assigning import changes_of, data_of, require_held, set_at_once
from autograd.conversions import as_float

from .arguments import as_count, as_function, checked_call
from .engines import Eager, LossRunner, StaleProgramError, Task, chosen, number_of
from .losses import LOSSES, squash_of, squashed_twice
from .module import Module, warn_of_lost
from .optimizers import SGD, NonFiniteError, Optimizer

if TYPE_CHECKING:
    from autograd.derivation.diagnose import Origin

CHECKED = 16
"""At the end, so many examples are computed once more, to see that what was compiled is still what the model does."""


@dataclass
class History:
    """The history of a training: for each epoch, the mean loss and the learning rate of the last step."""

    loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    engine: str = "eager"
    """How it was computed, "eager" or "compiled", and why."""
    reason: str = ""

    def plot(self, path: str | PathLike[str] | None = None, axes: Any = None) -> Any:
        """Plots the loss and returns the matplotlib figure.

        It draws on `axes` if given, and saves to `path` if given, as svg, png or pdf, by its ending.  If matplotlib is
        missing, an ImportError says what to install.

        >>> History([2.0, 1.0, 0.5], [0.1, 0.1, 0.1]).plot().axes[0].get_xlabel()
        'epoch'
        """
        if axes is None:
            try:
                from matplotlib.figure import Figure
            except ImportError:
                raise ImportError("a plot needs matplotlib; pip install matplotlib") from None
            axes = Figure(figsize=(6.0, 3.5), layout="constrained").add_subplot()
        axes.plot(range(1, len(self.loss) + 1), self.loss, marker="." if len(self.loss) < 50 else "")
        axes.set(xlabel="epoch", ylabel="mean loss", title="Training")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        if path is not None:
            axes.figure.savefig(path)
        return axes.figure

    def _repr_png_(self) -> bytes | None:  # in a notebook
        try:
            figure, png = self.plot(), BytesIO()
        except ImportError:
            return None
        figure.savefig(png, format="png", dpi=100)
        return png.getvalue()


@checked_call(
    learning_rate="optimizer=SGD(model.parameters(), learning_rate=...)",
    momentum="optimizer=SGD(model.parameters(), momentum=...)",
    weight_decay="optimizer=SGD(model.parameters(), weight_decay=...)",
)
@enable_grad()
def fit(
    model: Module,
    x: Any,
    y: Any,
    *,
    loss: Callable[[Any, Any], Any],
    optimizer: Optimizer | None = None,
    epochs: int = 100,
    batch_size: int | None = 1,
    until: Callable[[History], bool] | None = None,
    seed: int = 0,
    engine: str = "auto",
    progress: bool = True,
) -> History:
    """Trains `model` and returns the history of its loss.

    Each epoch visits every example once, in random order.  After every `batch_size` examples (1: online gradient
    descent; None: the full batch) the optimizer takes a step along the gradient of their mean loss.  Training stops
    after `epochs`, or earlier when ``until(history)`` is true at the end of an epoch, such as
    ``lambda history: history.loss[-1] < 0.05``.

    `x` holds M examples of `nin` numbers and `y` holds M targets that `loss` understands.  Both may be arrays, nested
    lists or pandas tables (see `autograd.arrays.as_real_array`).  The default `optimizer` is SGD with its defaults.
    The optimizer counts the epochs.  The order of an epoch depends only on `seed` and that count, so a training that
    you save with its optimizer and resume gives the same numbers, bit for bit, as one that never stopped.

    `engine` is one of three.  "eager" records a new graph for every example.  "compiled" runs the model and the loss as
    the matrix program that `autograd.compile` makes of them; the history is the same, up to rounding.  "auto" compiles
    if that pays and is possible; the history and the progress bar say which it chose, and why.  A compiled model is
    called only for a few examples.  If it turns out that the model has changed, "auto" starts over with "eager", and
    "compiled" restores the parameters and raises a RuntimeError.

    The loss of some examples may be a plain number: a constant, with gradient 0.  If the model ends in sigmoid or
    softmax and the loss takes logits, a warning says so.

    If x and y do not fit each other, the model or the loss, `fit` raises a ValueError before it changes anything, and a
    TypeError for an argument of the wrong kind.  If another parameter replaces one of the optimizer's, before or during
    training (see `Module`), it raises a RuntimeError that names the parameter.

    If the loss or a gradient becomes NaN or infinite, training stops and the last good parameters are restored.  A
    NonFiniteError says where the number came from (see `autograd.origin_of_nonfinite`); to find that, `fit` computes
    the loss of the mini-batch once more.  An interrupt (Ctrl-C) leaves the model and the optimizer as they were after
    some step; when resumed, that epoch starts over.

    >>> from nn import MLP, half_squared_error
    >>> model = MLP(1, [1], seed=0)
    >>> x, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> history = fit(model, x, y, loss=half_squared_error, until=lambda h: h.loss[-1] < 1e-12, progress=False)
    >>> [round(p.data, 4) for p in model.parameters()]
    [2.0, 1.0]
    """
    examples, targets = _examples(x, y)
    epochs = as_count("epochs", epochs)
    size = len(examples) if batch_size is None else as_count("batch_size", batch_size)
    _check_model(model)
    warn_of_lost(model, "trained", stacklevel=4)
    optimizer = SGD(model.parameters()) if optimizer is None else optimizer
    _check_optimizer(model, optimizer)
    loss = as_function("loss", loss, LOSSES)
    if until is not None and not callable(until):
        raise TypeError(f"until is {until!r:.60}; give a function of the history, such as lambda h: h.loss[-1] < 0.05")
    first = model(examples[0])
    tried = _checked(loss(first, targets[0]))
    with no_grad():  # the whole of y is tried on the loss, so that a bad target does not turn up half-way
        for target in targets[1:]:
            _checked(loss(first, target))

    differentiated = list(dict.fromkeys([*model.parameters(), *optimizer.parameters]))
    task = Task(model, loss, examples, targets, differentiated)
    _check_depends(task, tried)
    _warn_if_squashed_twice(first, tried)
    runs = chosen(engine, task, tried, min(size, len(examples)))
    start, plan = _snapshot(optimizer), _Plan(epochs, size, seed, until, progress, says_how=engine == "auto")
    try:
        return _train(runs, task, optimizer, plan)
    except StaleProgramError as error:  # what was trained is not what the model computes
        _rewind(optimizer, start)
        if engine != "auto":
            raise
        runs = Eager(task, f"started over, because the compiled program was out of date: {error}")
        return _train(runs, task, optimizer, plan)


@dataclass
class _Plan:
    """The plan of a training: how long and how; the names are those of `fit`'s arguments."""

    epochs: int
    batch_size: int
    seed: int
    until: Callable[[History], bool] | None
    progress: bool
    says_how: bool
    """Whether the runner is named beside the progress."""


def _train(runs: LossRunner, task: Task, optimizer: Optimizer, plan: _Plan) -> History:
    from tqdm import tqdm

    history, good, count = History(engine=runs.name, reason=runs.reason), _snapshot(optimizer), len(task.examples)
    if plan.progress and plan.says_how:
        tqdm.write(f"fit: {runs.name}, {runs.reason}", file=sys.stderr)
    # Where no user's code runs within an epoch, nobody can replace a parameter there; it is looked at the end.
    is_closed = not (
        runs.calls_model or callable(optimizer.learning_rate) or type(optimizer).step is not Optimizer.step
    )
    step = optimizer.advance if is_closed else optimizer.step
    with tqdm(total=plan.epochs, desc="epochs", disable=not plan.progress) as bar:
        for _ in range(plan.epochs):
            order = _shuffled(count, plan.seed, optimizer.epochs)
            total = 0.0
            for batch in (order[start : start + plan.batch_size] for start in range(0, count, plan.batch_size)):
                try:
                    mean, differentiate = runs.run(batch)
                    _check_loss(mean, history, batch)
                    good, rate = _snapshot(optimizer), optimizer.rate
                    differentiate()
                    step()
                except NonFiniteError as error:
                    try:
                        with trace_lines():  # once more, to see where it came from
                            origin = autograd.origin_of_nonfinite(task.mean_loss(batch))
                    except Exception:  # a model or a loss that cannot be run twice
                        origin = None
                    finally:
                        _rewind(optimizer, good)
                    raise _with_origin(error, origin) from None
                total += mean * len(batch)
            optimizer.epochs += 1
            history.loss.append(total / count)
            history.learning_rate.append(rate)
            bar.update()
            bar.set_postfix(loss=f"{history.loss[-1]:.4g}")
            ends = plan.until is not None and plan.until(history)
            require_held(optimizer.parameters, type(optimizer).__name__)
            if plan.until is not None:
                runs.check([optimizer.epochs % count])  # it may have changed the model
                if ends:
                    break
    runs.check(range(0, count, -(-count // CHECKED)))
    return history


def _check_model(model: Any) -> None:
    if isinstance(model, type) or not (callable(model) and callable(getattr(model, "parameters", None))):
        raise TypeError(f"model {model!r:.60}; give a Module, such as MLP(2, [16, 1])")


def _check_optimizer(model: Module, optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer {optimizer!r:.60}; give one of the parameters, such as Adam(model.parameters())")
    require_held(optimizer.parameters, type(optimizer).__name__)
    if set(model.parameters()).isdisjoint(optimizer.parameters):
        raise ValueError(f"{optimizer} has none of the parameters of {model}; give it model.parameters()")


def _checked(loss: Any) -> Any:
    try:
        number_of(loss)
    except TypeError:
        given = f"the loss is {loss!r:.60} ({type(loss).__name__})"
        raise TypeError(f"{given}; return a Value, or a number where it is constant") from None
    return loss


def _check_depends(task: Task, tried: Any) -> None:
    """A TypeError if no example's loss depends on the parameters, unless all are 0: then there is nothing to learn.

    Some may be plain numbers, such as the 0 of ``max(0, 1 - t * s)``: constants, with gradient 0.
    """
    parameters = set(task.parameters)

    def is_constant(loss: Any) -> bool:
        return not isinstance(loss, Value) or parameters.isdisjoint(topological_order([loss]))

    wrong = None
    for loss in chain([tried], (task.mean_loss([i]) for i in range(len(task.examples)))):
        if not is_constant(loss):
            return
        if number_of(loss) and wrong is None:
            wrong = loss
    if wrong is not None:
        raise TypeError(
            f"the loss is {wrong!r:.60} ({type(wrong).__name__}), not a Value that depends on the parameters, "
            "for any example; compute it from the outputs of the model"
        )


def _warn_if_squashed_twice(outputs: Any, loss: Any) -> None:
    if found := squashed_twice(loss, outputs):
        squash, from_logits = found
        warnings.warn(
            f"the model ends in {squash}, but the loss takes logits, as {from_logits} does, so training stalls; "
            f"leave the {squash} out: make the last layer linear, for example with output_activation=None",
            stacklevel=5,  # past `fit` and its two decorators
        )


def _shuffled(count: int, seed: Any, epoch: int) -> list[int]:
    """The order of an epoch: the examples, shuffled by `seed` and the number of the epoch."""
    if not hasattr(seed, "__index__"):
        raise TypeError(f"seed {seed!r:.60} ({type(seed).__name__}); give an int: with the epoch, it gives the order")
    order = list(range(count))
    Random(f"{operator.index(seed)} {epoch}").shuffle(order)
    return order


def predict(model: Module, x: Any) -> np.ndarray[Any, Any]:
    """The outputs of `model` for M examples, computed under `no_grad`.  Shape (M,) for one output, (M, K) for K.

    >>> from nn import MLP
    >>> predict(MLP(2, [3], seed=0), np.zeros((5, 2))).shape
    (5, 3)
    """
    with no_grad():
        outputs = [model(row) for row in _features(x)]
    several = (list, tuple, np.ndarray)
    return np.array([[number_of(y) for y in row] if isinstance(row, several) else number_of(row) for row in outputs])


def accuracy(model: Module, x: Any, y: Any, threshold: float = 0.0) -> float:
    """The fraction of the M examples that `model` classifies as in `y`.

    With K outputs, the largest is the class.  `y` holds classes from 0 to K - 1, shape (M,) or (M, 1), or one-hot rows,
    shape (M, K).  With one output, the class is positive if the output is above `threshold`: 0 for a score or logit,
    0.5 for a probability.  `y`, shape (M,) or (M, 1), is then 1 for the positive class and 0 or -1 for the other.  Any
    other shape or class is a ValueError.  A warning says if the model ends in sigmoid and `threshold` is not between 0
    and 1.

    >>> from nn import MLP
    >>> model = MLP(2, [1], seed=0)
    >>> x = [[0.5, -1.0], [2.0, 1.0]]
    >>> accuracy(model, x, [2 * int(score > 0) - 1 for score in predict(model, x)])
    1.0
    """
    threshold = _as_threshold(threshold)
    x, y = _examples(x, y)
    outputs, labels = predict(model, x).reshape(len(x), -1), np.array(y).reshape(len(x), -1)
    count = outputs.shape[1]
    if np.isnan(outputs).any():
        raise ValueError(
            f"the output for x[{int(np.argwhere(np.isnan(outputs))[0][0])}] is nan, which says nothing about the class"
        )
    if labels.shape[1] not in (1, count):
        raise ValueError(
            f"outputs of shape {outputs.shape} and y of shape {labels.shape}; give a class for each row of x"
        )
    if count == 1:
        _check_two_classes(labels)
        _warn_of_threshold(model, x[0], outputs, threshold)
        return float(np.mean((outputs > threshold) == (labels > 0)))
    if labels.shape[1] == count and not (np.all(labels >= 0) and np.allclose(labels.sum(axis=1), 1.0)):
        raise ValueError("a row of y is not a distribution; give one-hot rows, or a class for each row of x")
    classes = labels.argmax(axis=1) if labels.shape[1] == count else labels[:, 0]
    if not np.isin(classes, range(count)).all():
        wrong = classes[~np.isin(classes, range(count))][0]
        raise ValueError(f"class {wrong} with {count} outputs; give classes from 0 to {count - 1}")
    return float(np.mean(outputs.argmax(axis=1) == classes))


def _as_threshold(threshold: Any) -> float:
    try:
        number = as_float(threshold)
    except (TypeError, OverflowError):
        number = nan
    if number != number:
        raise ValueError(f"threshold is {threshold!r:.60}; give a number, such as 0.5 for a probability")
    return number


def _check_two_classes(labels: np.ndarray[Any, Any]) -> None:
    """A ValueError unless the labels are 0 and 1, or -1 and 1."""
    if not any(np.isin(labels, pair).all() for pair in ([0, 1], [-1, 1])):
        strange = ~np.isin(labels, [-1, 0, 1])
        found = f"label {labels[strange][0]}" if strange.any() else "labels -1 and 0"
        raise ValueError(f"{found} with one output; give 0 and 1, or -1 and 1")


def _warn_of_threshold(model: Module, example: list[float], outputs: np.ndarray[Any, Any], threshold: float) -> None:
    if not 0.0 < threshold < 1.0 and ((outputs >= 0.0) & (outputs <= 1.0)).all():
        with enable_grad():
            (output,) = np.ravel(model(example))
        if squash := squash_of(output):
            warnings.warn(
                f"the model ends in {squash}, so all outputs are on one side of the threshold, {threshold:g}; "
                "give threshold=0.5",
                stacklevel=3,
            )


def _features(x: Any) -> list[list[float]]:
    """`x` as M rows of floats, M at least 1."""
    array = as_real_array("x", x).astype(float)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"x has shape {array.shape}; give at least one example as (M, nin), a row for each")
    if not np.isfinite(array).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(
            f"x[{row}, {column}] is {array[row, column]}; features must be finite, so fill in or drop missing values"
        )
    return array.tolist()  # type: ignore[no-any-return]  # 2-d


def _examples(x: Any, y: Any) -> tuple[list[list[float]], list[Any]]:
    features, targets = _features(x), as_real_array("y", y)
    if targets.ndim not in (1, 2) or len(targets) != len(features):
        shape = (len(features), len(features[0]))
        raise ValueError(
            f"x of shape {shape} and y of shape {targets.shape}; give a target, or a row of them, for each row of x"
        )
    if not np.isfinite(targets).all():
        raise ValueError(f"y[{int(np.argwhere(~np.isfinite(targets))[0][0])}] is not finite; give finite targets")
    return features, targets.tolist()


def _check_loss(mean: float, history: History, batch: list[int]) -> None:
    if not isfinite(mean):
        raise NonFiniteError(
            f"the loss became {mean} in epoch {len(history.loss) + 1}, examples {batch[:5]}"
            f"{' and others' if batch[5:] else ''}; the last good parameters were restored; "
            "try a smaller learning rate, or scale the features"
        )


def _with_origin(error: NonFiniteError, origin: Origin | None) -> NonFiniteError:
    found = NonFiniteError(f"{error}\n{origin}" if origin else str(error))
    found.origin = origin
    return found


def _snapshot(optimizer: Optimizer) -> tuple[list[float], dict[str, Any]]:
    return data_of(optimizer.parameters), optimizer.state_dict()


def _rewind(optimizer: Optimizer, snapshot: tuple[list[float], dict[str, Any]]) -> None:
    data, state = snapshot
    set_at_once([*changes_of(optimizer.parameters, data), *optimizer.changes_of_state(state)])
