"""Numbers with an error, and the evidence of an oracle about a derivative."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

SAFETY = 20.0
"""An estimated error may be too small by this factor."""

SHARP = 1e-4
"""If the error is a larger share of the derivative than this, it cannot tell right from wrong."""


@dataclass(frozen=True)
class Estimate:
    """A number and its error: how far it may be off.

    >>> print(Estimate(0.5, 1e-12), Estimate(3.0, 0.0))
    0.5 +- 1e-12 3
    """

    value: float
    error: float = 0.0

    def __str__(self) -> str:
        return f"{self.value + 0.0:.12g}" + (f" +- {self.error:.1g}" if self.error else "")


NOTHING = Estimate(nan, inf)


@dataclass(frozen=True)
class Sides:
    """A derivative: the central limit, and those from the left and from the right."""

    central: Estimate
    left: Estimate
    right: Estimate


@dataclass(frozen=True)
class Evidence:
    """The evidence of an oracle about one derivative; `policy` is the derivative by the rules at kinks, if known."""

    sides: Sides
    policy: float | None = None
