"""Numbers that come with an error, and what an oracle knows of a derivative."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

SAFETY = 20.0
"""An error that is estimated may be so many times too small."""

SHARP = 1e-4
"""An estimate whose error is a larger share of the derivative cannot tell a right one from a wrong one."""


@dataclass(frozen=True)
class Estimate:
    """A number, and how far it may be off.

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
    """A derivative as limits from both sides, from the left and from the right."""

    central: Estimate
    left: Estimate
    right: Estimate


@dataclass(frozen=True)
class Evidence:
    """What an oracle knows of one derivative; `policy` is what the rules at kinks make of it, if it knows them."""

    sides: Sides
    policy: float | None = None
