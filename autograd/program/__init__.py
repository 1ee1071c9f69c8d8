"""Scalar graphs as NumPy programs: trace, simplify, contract, schedule, lower, emit; one module for each pass."""

from .entry import compile as compile
from .function import CompiledFunction
from .program import Program

__all__ = ["CompiledFunction", "Program"]
