"""Gradients held against independent oracles: `gradcheck` and `check_gradients`, and the reports that they return."""

from .bench import ORACLES
from .entry import check_gradients, gradcheck
from .verdict import FAIL, KINK, PASS, UNSURE, Finding, Report, Row, Verdict

__all__ = [
    "FAIL",
    "KINK",
    "ORACLES",
    "PASS",
    "UNSURE",
    "Finding",
    "Report",
    "Row",
    "Verdict",
    "check_gradients",
    "gradcheck",
]
