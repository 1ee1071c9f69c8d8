"""`compile`: a graph becomes a `Program`, and a function of one example a `CompiledFunction`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, overload

from ..collector import paused_collector
from ..graph import require_value, topological_order
from ..value import Value
from .function import CompiledFunction
from .program import DTYPES, Program
from .trace import trace


@overload
def compile(
    values: Value | Sequence[Value], wrt: Sequence[Value], *, inputs: Sequence[Value] = (), dtype: str = "float64"
) -> Program: ...
@overload
def compile(
    values: Callable[..., Any],
    wrt: Sequence[Value],
    *,
    reduction: str = "mean",
    branches: str = "trace",
    dtype: str = "float64",
) -> CompiledFunction: ...
@overload
def compile(
    *, wrt: Sequence[Value], reduction: str = "mean", branches: str = "trace", dtype: str = "float64"
) -> Callable[[Callable[..., Any]], CompiledFunction]: ...
def compile(
    values: Any = None,
    wrt: Sequence[Value] = (),
    *,
    inputs: Sequence[Value] = (),
    reduction: str = "mean",
    branches: str = "trace",
    dtype: str = "float64",
) -> Any:
    """The graph that computes `values`, as a program of arrays with the parameters `wrt`.

    A function of one example, written in scalars, becomes a `CompiledFunction`, which takes arrays with a leading batch
    axis; see there for `reduction` and `branches`.  ``@compile(wrt=parameters)`` is the same as a decorator.  Both
    results have `value` and `value_and_grad`.  These take `theta`, the vector of the numbers of `wrt`, and the inputs.
    Both have `backward`, too, which reads and writes the Values: ``loss.backward(xs, ys)``.

    Sums of products become matrix products, and nodes of one kind become one operation on an array.  `inputs` are
    leaves that vary from call to call.  All other leaves keep the numbers that they have now, and comparisons
    keep their outcomes.  `dtype` is "float64" or "float32".

    Values and gradients are those of the engine, except that sums are added in another order.  A TypeError for anything
    that is not a Value.  A ValueError for a Value that is given twice or was computed from another one in `wrt` and
    `inputs`, and for a function without parameters.

    >>> w, x = [Value(0.5), Value(-1.0)], [Value(2.0), Value(3.0)]
    >>> program = compile((w[0] * x[0] + w[1] * x[1]).tanh(), w, inputs=x)
    >>> print(program)
    z1 = x @ theta      ()  3 nodes
    a1 = math.tanh(z1)  ()  1 node, alone
    2 statements for 4 nodes
    >>> value, gradient = program.value_and_grad([0.5, -1.0], [2.0, 3.0])
    >>> round(value, 6), gradient.round(6)
    (-0.964028, array([0.141302, 0.211952]))
    >>> @compile(wrt=w)
    ... def squared(x):
    ...     return (w[0] * x + w[1]) ** 2
    >>> squared.value([0.5, -1.0], [2.0, 4.0, 6.0]) == squared([2.0, 4.0, 6.0])
    True
    >>> from nn import SGD
    >>> optimizer = SGD(w, 0.01)
    >>> for _ in range(100):
    ...     optimizer.zero_grad()
    ...     loss = squared.backward([2.0, 4.0, 6.0])
    ...     optimizer.step()
    >>> round(loss, 3)
    0.093
    """
    dtype = getattr(dtype, "__name__", str(dtype))
    if dtype not in DTYPES:
        raise ValueError(f"dtype is {dtype!r:.60}; give one of {', '.join(DTYPES)}")
    wrt, inputs = _listed("wrt", wrt), _listed("inputs", inputs)
    _check_varying(wrt, inputs)
    if values is not None and not callable(values):
        if (reduction, branches) != ("mean", "trace"):
            raise ValueError("a graph was given reduction= or branches=; they are for functions, so leave them out")
        return _compile_graph(values, wrt, inputs, dtype)
    if inputs:
        raise ValueError("a function was given inputs=; its arguments are its inputs, as arrays in each call")
    if not wrt:
        raise ValueError(
            "a function that is compiled without parameters trains nothing; write compile(function, parameters), "
            "with the list of Values to differentiate by, such as model.parameters(), or @compile(wrt=parameters)"
        )
    if values is None:
        return partial(compile, wrt=wrt, reduction=reduction, branches=branches, dtype=dtype)
    return CompiledFunction(values, wrt, reduction, branches, dtype)


def _compile_graph(values: Any, wrt: Sequence[Value], inputs: Sequence[Value], dtype: str) -> Program:
    outputs = [values] if isinstance(values, Value) else _listed("values", values)
    if not outputs:
        raise ValueError("compile was given no Values; give one, or a list of them")
    if not wrt and not inputs:
        raise ValueError("nothing varies in a graph compiled without parameters; write compile(loss, parameters)")
    for x in outputs:
        require_value(x, "compile(loss, parameters) takes Values")
    shapes = {"x": (len(inputs),)} if inputs else {}
    with paused_collector():
        tape = trace(outputs, wrt, inputs)
    return Program(tape, shapes, dtype=dtype, wrt=wrt, inputs=inputs)


def _check_varying(wrt: Sequence[Any], inputs: Sequence[Any]) -> None:
    """An error unless these are different Values, none of them computed from another."""
    for x in (*wrt, *inputs):
        require_value(x, "compile(loss, parameters) takes Values")
    for where, values in (("in wrt", wrt), ("among wrt and inputs", [*wrt, *inputs])):
        if len(set(values)) < len(values):
            raise ValueError(f"a Value is given twice {where}; give each once")
    varying = {*wrt, *inputs}
    dependent: set[Value] = set()
    for node in topological_order(varying):
        if any(x in varying or x in dependent for x in node.inputs if isinstance(x, Value)):
            dependent.add(node)
    for x in varying & dependent:
        raise ValueError(
            f"{x!r:.60} was computed from another Value in wrt or inputs, so it cannot vary by itself; give the Values "
            "that it was computed from, or take gradients(output, values) of the graph"
        )


def _listed(name: str, values: Any) -> list[Any]:
    if isinstance(values, Value) or not hasattr(values, "__iter__"):
        hint = "model.parameters()" if hasattr(values, "parameters") else "a list of Values"
        raise TypeError(f"{name} is {values!r:.60} ({type(values).__name__}); give {hint}")
    return list(values)
