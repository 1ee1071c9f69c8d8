"""`compile`: two ways in, a graph that is built already and a function of one example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

from ..value import Value, require_value
from .contract import contract
from .function import CompiledFunction
from .program import Program
from .schedule import schedule
from .simplify import simplify
from .trace import trace


@overload
def compile(  # its name in the field
    values: Value | Sequence[Value], wrt: Sequence[Value], *, inputs: Sequence[Value] = ()
) -> Program: ...
@overload
def compile(values: Callable[..., Any], wrt: Sequence[Value], *, reduction: str = "mean") -> CompiledFunction: ...
def compile(
    values: Any, wrt: Sequence[Value], *, inputs: Sequence[Value] = (), reduction: str = "mean"
) -> Program | CompiledFunction:
    """The graph that computes `values` as a program of arrays, to be differentiated with respect to `wrt`.

    A function, written for one example in scalars, becomes a `CompiledFunction`, to be called with arrays that carry a
    leading batch axis.

    The graph is contracted, scheduled into waves of like nodes, and re-rolled: sums of products become matrix products,
    the scalar chain rule their transposes.  `inputs` are leaves that vary from call to call; all other leaves keep the
    numbers that they have now.

    Sums are re-associated; otherwise values and gradients are those of the engine.  A TypeError for what is not a
    Value, a ValueError for a Value that is given twice.

    >>> w, x = [Value(0.5), Value(-1.0)], [Value(2.0), Value(3.0)]
    >>> program = compile((w[0] * x[0] + w[1] * x[1]).tanh(), w, inputs=x)
    >>> print(program)
    z1 = x @ theta    ()  3 nodes
    a1 = np.tanh(z1)  ()  1 node
    2 statements for 4 nodes
    >>> value, gradient = program.value_and_grad([0.5, -1.0], [2.0, 3.0])
    >>> round(value, 6), gradient.round(6)
    (-0.964028, array([0.141302, 0.211952]))
    """
    wrt, inputs = _listed("wrt", wrt), _listed("inputs", inputs)
    for x in wrt:
        require_value(x, "compile(loss, parameters) takes Values")
    if callable(values):
        return CompiledFunction(values, wrt, reduction)
    outputs = [values] if isinstance(values, Value) else _listed("values", values)
    if not outputs:
        raise ValueError("compile of no Values; give one, or a list of them")
    leaves = [*wrt, *inputs]
    for x in (*outputs, *leaves):
        require_value(x, "compile(loss, parameters) takes Values")
    if len(set(leaves)) < len(leaves):
        raise ValueError("a Value is given twice among wrt and inputs; give each once")
    graph = simplify(trace(outputs, list(wrt), list(inputs)))
    nodes = contract(graph)
    program = Program.of(graph, nodes, schedule(nodes, graph.is_constant))
    program._wrt = list(wrt)
    return program


def _listed(name: str, values: Any) -> list[Any]:
    if isinstance(values, Value) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name} is {values!r:.60} ({type(values).__name__}); give a list of Values")
    return list(values)
