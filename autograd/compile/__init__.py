"""Scalar graphs as NumPy programs: trace, simplify, contract, schedule, lower, emit; one module for each pass."""

from .program import Program, compile

__all__ = ["Program", "compile"]
