"""Gradients before independent oracles: `gradcheck` and `check_gradients`, and what they return."""

from .entry import ORACLES, check_gradients, gradcheck
from .verdict import FAIL, KINK, PASS, UNSURE, Finding, Report, Row

__all__ = ["FAIL", "KINK", "ORACLES", "PASS", "UNSURE", "Finding", "Report", "Row", "check_gradients", "gradcheck"]
