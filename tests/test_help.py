"""help(): what it shows can be read, and does not change from run to run."""

from __future__ import annotations

import inspect
import pydoc

import pytest

import autograd
import nn

PUBLIC = {f"{room.__name__}.{name}": getattr(room, name) for room in (autograd, nn) for name in room.__all__}


@pytest.mark.parametrize("name", PUBLIC)
def test_signatures_show_no_addresses(name):
    """Nor do those of methods: a default that is a function would show as one."""
    thing = PUBLIC[name]
    shown = pydoc.plain(pydoc.render_doc(thing)) if callable(thing) else ""
    for line in shown.splitlines():
        assert " at 0x" not in line and "<function" not in line, line


@pytest.mark.parametrize("name", [name for name, thing in PUBLIC.items() if callable(thing)])
def test_everything_public_has_help(name):
    """A docstring of its own."""
    assert inspect.getdoc(PUBLIC[name])
