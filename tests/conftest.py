"""`--thorough`: every test, and ten times as many random examples.  Hypothesis runs derandomized in CI."""

import os

import pytest
from hypothesis import settings

from .examples import USUAL

settings.register_profile("developer", deadline=None, max_examples=USUAL)
settings.register_profile("ci", settings.get_profile("developer"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")
settings.register_profile("thorough", settings.default, max_examples=10 * USUAL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough", action="store_true", help="run the slow tests, too, and ten times as many random examples"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--thorough"):
        settings.load_profile("thorough")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--thorough"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("slow")])
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
