"""Learning-rate schedules: functions of the number of steps already taken.  Invalid settings are a ValueError."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi

from .arguments import as_count, as_setting


def linear(start: float, end: float, steps: int) -> Callable[[int], float]:
    """Falls or rises linearly from `start` to `end` over `steps` steps, then stays at `end`.

    >>> rate = linear(1.0, 0.1, 90)
    >>> rate(0), round(rate(50), 12), rate(1000)
    (1.0, 0.5, 0.1)
    """
    start, end, steps = as_setting("start", start), as_setting("end", end), as_count("steps", steps)

    def rate(step: int) -> float:
        return end if step >= steps else start + (end - start) * step / steps

    return rate


def exponential(start: float, factor: float, every: int = 1) -> Callable[[int], float]:
    """Starts at `start` and is multiplied by `factor` every `every` steps.

    >>> rate = exponential(1.0, 0.5, every=10)
    >>> rate(9), rate(10), rate(25)
    (1.0, 0.5, 0.25)
    """
    start, factor, every = as_setting("start", start), as_setting("factor", factor), as_count("every", every)

    def rate(step: int) -> float:
        return start * factor ** (step // every)

    return rate


def cosine(start: float, end: float, steps: int, warmup: int = 0) -> Callable[[int], float]:
    """Rises linearly to `start` over `warmup` steps, then falls to `end` at `steps` along half a cosine.

    Loshchilov and Hutter (2017), without restarts.

    >>> rate = cosine(1.0, 0.0, 100, warmup=10)
    >>> rate(0), rate(9), round(rate(55), 12), rate(100)
    (0.1, 1.0, 0.5, 0.0)
    """
    start, end, steps = as_setting("start", start), as_setting("end", end), as_count("steps", steps)
    warmup = as_count("warmup", warmup, least=0)
    if warmup >= steps:
        raise ValueError(f"warmup is {warmup} of {steps} steps; give fewer, so that some are left for the decay")

    def rate(step: int) -> float:
        if step < warmup:
            return start * (step + 1) / warmup
        progress = min(1.0, (step - warmup) / (steps - warmup))
        return end + (start - end) * (1.0 + cos(pi * progress)) / 2.0

    return rate
