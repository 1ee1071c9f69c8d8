"""How many random examples hypothesis tries."""

from __future__ import annotations

from typing import Any

from hypothesis import settings


def examples(count: int, **options: Any) -> settings:
    """So many, and ten times as many with --thorough: for tests that need other than the usual 100."""
    return settings(max_examples=count * max(1, settings.default.max_examples // 100), **options)
