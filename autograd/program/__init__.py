"""The compiler: a graph of scalars becomes a NumPy program.

`compile` (in `compiler`) takes a graph, or a function of one example.  The passes are trace, simplify, contract,
schedule, lower and emit, each in the module of its name.  `program` calls them in this order; to add a pass, add its
call there.  `tracer` traces a function, and `guards` decide which of its branches a row takes.
"""

from .compiler import compile as compile
from .function import CompiledFunction
from .program import Program

__all__ = ["CompiledFunction", "Program"]
