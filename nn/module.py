"""`Module`: the owner of parameters, which names and saves them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import Value
from autograd.assigning import Change, assign_grads, changes_of, require_held, set_at_once

from .arguments import checked_call
from .optimizers import Optimizer
from .places import Holder, Walk, names_of

if TYPE_CHECKING:
    from autograd.picture.draw import Picture


class Module(Holder):
    """The base of everything with parameters.

    A parameter is a leaf Value in an attribute: directly, in another Module, or in lists, tuples, deques, dicts,
    dataclasses and object arrays of these.  Its name is the dotted path to it, such as ``layers.0.b``.  When the
    attribute is set, the name becomes the label, unless you labeled the Value yourself.  A parameter with two paths
    counts once, under the first name.  A set or any other object that holds other parameters is a TypeError.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.w, self.b = [Value(2.0)], Value(1.0)
    >>> line = Line()
    >>> line.parameters()
    [Value(data=2.0, grad=0.0, label='w.0'), Value(data=1.0, grad=0.0, label='b')]
    >>> line.state_dict()
    {'w': array([2.]), 'b': array(1.)}

    A module remembers the places of its parameters.  If you put a number there, it becomes a parameter.  So does an
    update by hand, a Value computed only from that parameter and plain numbers, inside `no_grad` or not: when you next
    ask the module for its parameters, a new parameter with that number and the same label takes its place.  Any other
    computed Value is state and stays as it is, such as the state of a recurrent network, or an inner step of
    meta-learning along recorded derivatives.

    >>> line.b = 0.5
    >>> line.w[0] -= 0.25
    >>> line.parameters()
    [Value(data=1.75, grad=0.0, label='w.0'), Value(data=0.5, grad=0.0, label='b')]

    You may remove parameters at any time.  If you replace them, an optimizer, `fit` or a compiled program that still
    holds the old ones raises a RuntimeError that names the first of them.

    A computed Value that depends on no parameter of the module, as after ``w = [x / sum(w) for x in w]``, replaces the
    parameter, too; `save` and `fit` then warn you.

    A module looks for its parameters when an attribute is set, at the end of ``__init__``, and when you ask for them.
    If you put a new Value in a list (``w[0] = Value(1.0)``) and update it before that, the update is state.  A module
    does not look into closures, partial functions, generators and class attributes, and leaves a class that defines
    `parameters` itself alone.
    """

    def __call__(self, x: Any) -> Any:
        """The output of the module for `x`.  Each subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it computes; define __call__")

    def __picture__(self) -> Picture:
        """The picture that `autograd.draw` shows of the module."""
        raise TypeError(f"{type(self).__name__} has no picture of its own; draw(model(x)) draws the graph of any model")

    def parameters(self) -> list[Value]:
        """The parameters, each once, in the order in which the attributes were set.  For errors see the class."""
        return list(names_of(self))

    def named_parameters(self) -> list[tuple[str, Value]]:
        """The list of (name, parameter) for all `parameters`.  The names become the labels.

        >>> from nn import Neuron
        >>> [name for name, _ in Neuron(2, seed=0).named_parameters()]
        ['w.0', 'w.1', 'b']
        """
        return [(name, parameter) for parameter, name in names_of(self).items()]

    def zero_grad(self) -> None:
        """Sets the gradient of every parameter to 0.

        >>> from nn import Neuron
        >>> neuron = Neuron(1, seed=0)
        >>> neuron([2.0]).backward()
        >>> neuron.zero_grad()
        >>> [p.grad for p in neuron.parameters()]
        [0.0, 0.0]
        """
        parameters = self.parameters()
        assign_grads(parameters, [0.0] * len(parameters))

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """The data of the parameters as arrays of floats, by name: shape () for a Value, (n,) for a list of n."""
        return {name: _data(entry) for name, entry in self._entries().items()}

    @checked_call()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Sets the data of every parameter from a `state_dict`.

        A missing, extra, misshapen or non-finite entry is a ValueError, and the model stays as it was.

        >>> from nn import Neuron
        >>> Neuron(2).load_state_dict({"w": [1.0, 2.0, 3.0], "b": 0.0})
        Traceback (most recent call last):
        ValueError: w of the model has shape (2,), the state's has (3,); nothing was loaded
        """
        set_at_once(self.changes_of_state(state))

    def changes_of_state(self, state: Mapping[str, Any]) -> list[Change]:
        """The changes of `load_state_dict`, for `autograd.assigning.set_at_once`; it raises the same errors."""
        from .checkpoint import check_arrays

        entries = self._entries()
        arrays = check_arrays("the model", state, {name: np.shape(entry) for name, entry in entries.items()})
        data: dict[Value, float] = {}
        for name, entry in entries.items():
            for parameter, number in zip(np.ravel(entry), arrays[name].ravel().tolist()):
                if data.setdefault(parameter, number) != number:
                    raise ValueError(f"{name} gives a shared parameter {number}, another entry {data[parameter]}")
        return changes_of(data, data.values())

    @checked_call()
    def save(self, path: str | PathLike[str], optimizer: Optimizer | None = None) -> None:
        """Writes the parameters, and the state of `optimizer` if given, to the .npz file `path`: all of it or nothing.

        Only numbers are saved.  Activations, and settings such as the learning rate, are in your program.  If anything
        interrupts it, even a power cut, either the old file or the new one is there.  If the process was killed, a file
        ``.<16 hexadecimal digits>.tmp`` may be left beside it; you may delete it.

        If the folder is missing or not writable, it raises an OSError.  If a parameter of `optimizer` was replaced, it
        raises a RuntimeError that names it.  If a computed Value has taken the place of a parameter, it is not saved,
        and a warning names the place.
        """
        from .checkpoint import write_npz

        path = os.fspath(path)
        sections = self._sections(optimizer)
        warn_of_lost(self, "saved", stacklevel=4)
        write_npz(path, {p + name: a for p, owner in sections.items() for name, a in owner.state_dict().items()})

    @checked_call()
    def load(self, path: str | PathLike[str], optimizer: Optimizer | None = None) -> None:
        """Reads what `save` wrote: the parameters, and the state of `optimizer` if given.

        If the file is corrupt, is not a checkpoint, or does not fit the model or `optimizer`, it raises a ValueError.
        If `optimizer` holds parameters that were replaced, it raises a RuntimeError.  In both cases nothing changes.

        >>> import os, tempfile
        >>> from nn import Neuron
        >>> path = os.path.join(tempfile.mkdtemp(), "neuron.npz")
        >>> trained, fresh = Neuron(2, seed=0), Neuron(2, seed=1)
        >>> trained.save(path)
        >>> fresh.load(path)
        >>> fresh([1.0, 2.0]).data == trained([1.0, 2.0]).data
        True
        """
        from .checkpoint import check_arrays, read_npz

        path = os.fspath(path)
        sections = self._sections(optimizer)
        before = {prefix: owner.state_dict() for prefix, owner in sections.items()}
        shapes = {prefix + name: a.shape for prefix, state in before.items() for name, a in state.items()}
        arrays = read_npz(path, shapes, ignore=() if optimizer else ("optimizer/",))
        check_arrays(repr(path), arrays, shapes)
        changes = []
        for prefix, owner in sections.items():
            changes += owner.changes_of_state({name: arrays[prefix + name] for name in before[prefix]})
        set_at_once(changes)

    def _sections(self, optimizer: Optimizer | None) -> dict[str, Module | Optimizer]:
        """The owners of the state in a file, by the beginnings of its names; an optimizer's contains its class."""
        if optimizer is not None and not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer {optimizer!r:.60}; give the one that trains the parameters, or leave it out")
        if optimizer is None:
            return {"model/": self}
        self.parameters()  # what was replaced is known from now on
        require_held(optimizer.parameters, type(optimizer).__name__)
        return {"model/": self, f"optimizer/{type(optimizer).__name__}/": optimizer}

    def _entries(self) -> dict[str, Any]:
        """The Value or array of Values of each attribute or list that holds a parameter not met before, by name."""
        entries: dict[str, Any] = {}
        met: set[Value] = set()
        for name, entry in Walk(self).refuse_hidden().entries:
            values = set(np.ravel(entry))
            if not values - met:
                continue
            if name in entries:
                raise ValueError(f"two entries of the state would be called {name!r}; rename an attribute or a key")
            entries[name] = entry
            met |= values
        return entries


def warn_of_lost(model: Any, what: str, stacklevel: int) -> None:
    """Warns if a computed Value, which is not trained or saved, stands in the place of a parameter.

    It does not warn of state computed from parameters of the model, as in a recurrent network.
    """
    lost = Walk(model).refuse_hidden().lost if getattr(type(model), "parameters", None) is Module.parameters else []
    if lost:
        some = (
            f"{lost[0]} and {len(lost) - 1} more hold computed Values"
            if lost[1:]
            else f"{lost[0]} holds a computed Value"
        )
        warnings.warn(
            f"{some} in place of a parameter, which is not {what}; put the number there, such as Value(w.data)",
            stacklevel=stacklevel,
        )


def _data(entry: Any) -> np.ndarray[Any, Any]:
    return np.array([p.data for p in np.ravel(entry)]).reshape(np.shape(entry))
