"""`Module`: what owns parameters, names them, and saves them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

import numpy as np

from autograd import Value, assign

from .checkpoint import check_arrays, read_npz, write_npz
from .optimisers import Optimiser


class Module:
    """The base of everything with parameters.

    A parameter is a Value that nothing computed, held in an attribute: directly, in another Module, or in lists,
    tuples, dicts and object arrays of these.  Its name is the way to it, dotted, and becomes its label when the
    attribute is set, unless it was labelled by hand.  A parameter that can be reached in two ways counts once, under
    the first name.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.w, self.b = [Value(2.0)], Value(1.0)
    >>> line = Line()
    >>> line.parameters()
    [Value(data=2.0, grad=0.0, label='w.0'), Value(data=1.0, grad=0.0, label='b')]
    >>> line.state_dict()
    {'w': array([2.]), 'b': array(1.)}
    """

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        for dotted, parameter in _named((name, value)):
            if not parameter.label or dotted.endswith("." + parameter.label):  # a longer way to the same parameter
                parameter.label = dotted

    def __call__(self, x: Any) -> Any:
        """What the module makes of `x`; each kind of module defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it computes; define __call__")

    def parameters(self) -> list[Value]:
        """The parameters, each once, in the order in which the attributes were set."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_parameters(self) -> list[tuple[str, Value]]:
        """(name, parameter) for each of `parameters`."""
        return list(_named(*vars(self).items()))

    def zero_grad(self) -> None:
        """Sets the gradient of every parameter to 0."""
        for parameter in self.parameters():
            parameter.grad = 0.0

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """The data of the parameters as arrays of floats, by name: () for a Value, (n,) for a list of n."""
        return {name: _data(entry) for name, entry in self._entries()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Sets the data of every parameter from a `state_dict`.

        A ValueError for a missing, extra, misshapen or non-finite entry; the model is then as it was.
        """
        entries = dict(self._entries())
        arrays = check_arrays("the model", state, {name: np.shape(entry) for name, entry in entries.items()})
        parameters = [p for entry in entries.values() for p in np.ravel(entry)]
        assign(parameters, [x for name in entries for x in arrays[name].ravel().tolist()])

    def save(self, path: str | PathLike[str], optimiser: Optimiser | None = None) -> None:
        """Writes the parameters, and the state of `optimiser`, to an .npz file: all of it, or nothing at all."""
        arrays = {f"model/{name}": array for name, array in self.state_dict().items()}
        if optimiser is not None:
            arrays |= {f"optimiser/{name}": array for name, array in optimiser.state_dict().items()}
        write_npz(path, arrays)

    def load(self, path: str | PathLike[str], optimiser: Optimiser | None = None) -> None:
        """Reads what `save` wrote.

        A ValueError if the file is corrupt, foreign or does not fit the model or `optimiser`; both are then as they
        were.
        """
        shapes = {f"model/{name}": array.shape for name, array in self.state_dict().items()}
        if optimiser is not None:
            shapes |= {f"optimiser/{name}": array.shape for name, array in optimiser.state_dict().items()}
        arrays = read_npz(path, shapes, ignore=() if optimiser else ("optimiser/",))
        check_arrays(f"{path}", arrays, shapes)  # of both parts, before either is changed
        parts: dict[str, dict[str, Any]] = {"model": {}, "optimiser": {}}
        for name, array in arrays.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = array
        self.load_state_dict(parts["model"])
        if optimiser is not None:
            optimiser.load_state_dict(parts["optimiser"])

    def _entries(self) -> Iterator[tuple[str, Any]]:
        """(name, Value or array of Values) for each attribute or list that holds a parameter not met before."""
        met: set[Value] = set()
        for name, entry in _walk(*vars(self).items()):
            values = set(np.ravel(entry))
            if values - met:
                yield name, entry
            met |= values


def _named(*items: tuple[str, Any]) -> Iterator[tuple[str, Value]]:
    met: set[Value] = set()
    for name, entry in _walk(*items):
        for index, parameter in np.ndenumerate(np.array(entry, dtype=object)):
            if parameter not in met:
                met.add(parameter)
                yield ".".join([name, *map(str, index)]), parameter


def _walk(*items: tuple[str, Any]) -> Iterator[tuple[str, Any]]:
    """Depth first, in order: each Value, and each list of Values as one array; every Module once."""
    met: set[int] = set()
    waiting = list(items)[::-1]
    while waiting:
        name, item = waiting.pop()
        if _is_parameter(item):
            yield name, item
        elif isinstance(item, (list, tuple, np.ndarray)) and len(item) and all(map(_is_parameter, np.ravel(item))):
            yield name, np.array(item, dtype=object)
        elif isinstance(item, Module) and id(item) not in met:
            met.add(id(item))
            waiting += [(f"{name}.{key}", part) for key, part in vars(item).items()][::-1]
        elif isinstance(item, (list, tuple)):
            waiting += [(f"{name}.{i}", part) for i, part in enumerate(item)][::-1]
        elif isinstance(item, dict):
            waiting += [(f"{name}.{key}", part) for key, part in item.items()][::-1]


def _is_parameter(item: Any) -> bool:
    return isinstance(item, Value) and not item.inputs


def _data(entry: Any) -> np.ndarray[Any, Any]:
    return np.array([p.data for p in np.ravel(entry)]).reshape(np.shape(entry))
