"""Checks of arguments: counts, settings and functions, with errors that name the right spelling."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import wraps
from inspect import Parameter, isfunction, signature
from math import inf, nan
from typing import Any, ParamSpec, TypeVar

import numpy as np

from autograd.arrays import unmasked
from autograd.conversions import as_float

P = ParamSpec("P")
R = TypeVar("R")

SPELLINGS = {
    "lr": "learning_rate",
    "eps": "epsilon",
    "params": "parameters",
    "opt": "optimizer",
    "criterion": "loss",
    "loss_fn": "loss",
    "max_iter": "epochs",
    "verbose": "progress",
    "random_state": "seed",
    "init": "initialize",
    "nonlinearity": "activation",
    "in_features": "nin",
    "out_features": "nout",
    "hidden_layer_sizes": "nouts",
}
"""What other libraries call an argument, and what it is called here, where the two are not close."""


def checked_call(**elsewhere: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator: a wrong keyword, or too many arguments, is a TypeError that says what to write.

    `elsewhere` says what to write for arguments that the function does not have.

    >>> @checked_call()
    ... def train(model, *, learning_rate=0.1):
    ...     return learning_rate
    >>> train("model", lr=0.5)
    Traceback (most recent call last):
    TypeError: train has no argument 'lr'; write learning_rate=
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        parameters = signature(function).parameters
        keywords = [name for name, p in parameters.items() if p.kind is Parameter.KEYWORD_ONLY]
        positional = len(parameters) - len(keywords)
        method = next(iter(parameters)) == "self"

        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if method and not (args and hasattr(args[0], function.__name__)):
                raise TypeError(
                    f"{function.__qualname__} was called on a class; build an object first, and call its "
                    f"{function.__name__}"
                )
            for given in kwargs:
                if given not in parameters:
                    raise TypeError(f"{_name(args)} has no argument {given!r}; write {_spelled(given)}")
            if len(args) > positional:
                most, count = positional - method, len(args) - method
                taken = f"{_name(args)} takes {most} arguments by position, {count} were given"
                raise TypeError(f"{taken}; name the others, such as {keywords[0]}=" if keywords else taken)
            return function(*args, **kwargs)

        def _name(args: Sequence[Any]) -> str:
            return type(args[0]).__name__ if function.__name__ == "__init__" else function.__qualname__

        def _spelled(given: str) -> str:
            from difflib import get_close_matches

            right = SPELLINGS.get(given, given)
            close = [right] if right in parameters else get_close_matches(right, parameters, 1)
            some = f"{close[0]}=" if close else f"one of {', '.join(list(parameters)[method:])}"
            return elsewhere.get(right, some)

        shown = signature(function).replace(parameters=list(map(_shown, parameters.values())))
        checked.__signature__ = shown  # type: ignore[attr-defined]  # of every function, and help() reads it
        return checked

    return decorate


class _Name(str):
    """Words that stand for a default in a signature."""

    __repr__ = str.__str__


def _shown(parameter: Parameter) -> Parameter:
    """The parameter as help() shows it: a function by its name, not by its address.

    >>> print(_shown(Parameter("draw", Parameter.KEYWORD_ONLY, default=as_function)))
    draw=as_function
    """
    default = parameter.default
    return parameter.replace(default=_Name(default.__name__)) if isfunction(default) else parameter


def as_function(what: str, given: Any, names: Sequence[str]) -> Callable[..., Any]:
    """`given` if it is a function; otherwise a TypeError that suggests the most similar of `names`.

    >>> as_function("loss", "mse", ["half_squared_error", "mean_squared_error"])
    Traceback (most recent call last):
    TypeError: loss 'mse' is not a function; give one, such as nn.mean_squared_error
    """
    if callable(given):
        return given  # type: ignore[no-any-return]  # it can be called
    from difflib import get_close_matches

    text = str(given).lower()
    initials = [name for name in names if "".join(word[0] for word in name.split("_")) == text]
    meant = [*initials, *get_close_matches(text, names, 1), names[0]]
    raise TypeError(f"{what} {given!r:.60} is not a function; give one, such as nn.{meant[0]}")


def as_plain(what: str, given: Any) -> Any:
    """An array as Python's numbers and Values, anything else as it is; a TypeError for a masked entry.

    >>> import numpy as np
    >>> as_plain("x", np.ma.array([1.0, 2.0], mask=[False, True]))
    Traceback (most recent call last):
    TypeError: x has a masked entry at (1,); fill it in or leave it out
    """
    return unmasked(what, given).tolist() if isinstance(given, np.ndarray) else given


def as_count(what: str, count: Any, least: int = 1) -> int:
    """`count` as an int of at least `least`; a ValueError for anything else.

    >>> import numpy as np
    >>> as_count("the number of inputs", np.int64(3))
    3
    """
    if isinstance(count, bool) or not hasattr(count, "__index__") or operator.index(count) < least:
        raise ValueError(f"{what} is {count!r:.60}; give an int of at least {least}")
    return operator.index(count)


def as_setting(name: str, number: Any, below: float = inf) -> float:
    """`number` as a finite float of at least 0, below `below`; a ValueError for anything else.

    >>> as_setting("momentum", 1, below=1.0)
    Traceback (most recent call last):
    ValueError: momentum is 1; give a number from 0 and below 1
    """
    try:
        setting = as_float(number)
    except (TypeError, OverflowError):
        setting = nan
    if not 0.0 <= setting < below:
        limit = "" if below == inf else f" and below {below:g}"
        raise ValueError(f"{name} is {number!r:.60}; give a number from 0{limit}")
    return setting
