"""Initial weights: each function draws one weight from `random`, for a layer of `nin` inputs and `nout` outputs."""

from __future__ import annotations

import operator
from math import sqrt
from random import Random


def uniform(random: Random, nin: int, nout: int) -> float:
    """Uniform on [-1, 1], as in micrograd.

    >>> -1 <= uniform(Random(0), 2, 16) <= 1
    True
    """
    return random.uniform(-1.0, 1.0)


def glorot(random: Random, nin: int, nout: int) -> float:
    """Uniform with variance 2 / (nin + nout): for tanh and sigmoid (Glorot and Bengio, 2010).

    >>> abs(glorot(Random(0), 2, 4)) <= 1
    True
    """
    bound = sqrt(6.0 / (nin + nout))
    return random.uniform(-bound, bound)


def he(random: Random, nin: int, nout: int) -> float:
    """Normal with variance 2 / nin: for relu (He, Zhang, Ren and Sun, 2015).

    >>> he(Random(0), 2, 4) == Random(0).gauss(0.0, 1.0)
    True
    """
    return random.gauss(0.0, sqrt(2.0 / nin))


def normal(random: Random, nin: int, nout: int) -> float:
    """Normal with variance 1: for embeddings.

    >>> normal(Random(0), 27, 16) == Random(0).gauss(0.0, 1.0)
    True
    """
    return random.gauss(0.0, 1.0)


INITIALIZERS = ["uniform", "glorot", "he", "normal"]


def as_random(seed: int | Random | None) -> Random:
    """`seed` if it is a generator; a generator seeded by an int; for None, a generator that no other run will repeat.

    >>> as_random(7).random() == Random(7).random()
    True
    """
    if isinstance(seed, Random):
        return seed
    try:
        return Random(None if seed is None else operator.index(seed))
    except TypeError:
        raise TypeError(f"seed {seed!r:.60} ({type(seed).__name__}); give an int, a random.Random or None") from None
