"""The compiler: a graph of scalars becomes a NumPy program.

`compile` (in `compiler`) takes a graph, or a function of one example.  The passes, each in a module of its name, are
trace, simplify, contract, schedule, lower and emit.  A function is traced by `tracer`, and `guards` decide which of its
branches a row takes.
"""

from .compiler import compile as compile
from .function import CompiledFunction
from .program import Program

__all__ = ["CompiledFunction", "Program"]
