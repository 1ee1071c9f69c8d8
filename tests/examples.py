"""How many random examples hypothesis tries."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

USUAL = 50
"""For one property; ten times as many with --thorough."""


def examples(count: int, **options: Any) -> settings:
    """So many, in place of `USUAL`, and ten times as many with --thorough."""
    return settings(max_examples=count * max(1, settings.default.max_examples // USUAL), **options)
