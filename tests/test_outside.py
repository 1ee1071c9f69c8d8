"""What a function reads from outside of itself: what is watched, what is not, and when it counts as another."""

from __future__ import annotations

import functools
import json
import random
import statistics
import sys
from types import FunctionType, ModuleType

import numpy as np
import pytest

import nn
from autograd import Value, compile, gradients
from autograd.program.outside import LARGEST, MOST, Outside, _is_library

SCALE = 1.0


class Scaled:
    """A number of a class."""

    scale = 1.0


class Derived(Scaled):
    """The same number, from its base."""


def by_a_global():
    """What others call."""
    return SCALE


cached = functools.lru_cache(by_a_global)


def notices(function, change) -> bool:
    """Whether a change is noticed."""
    outside = Outside(function)
    assert outside.is_same() and outside.is_same()
    change()
    return not outside.is_same()


def test_arrays_up_to_a_size():
    """Of numbers by their bytes, of objects by identity; a view that is not contiguous is only itself."""
    for size, seen in ((LARGEST, True), (LARGEST + 1, False)):
        array = np.zeros(size)
        assert notices(lambda array=array: array, lambda array=array: array.__setitem__(-1, 1.0)) is seen
    parameters = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
    assert notices(lambda: parameters, lambda: parameters.__setitem__((1, 1), Value(4.0)))
    assert not notices(lambda: parameters, lambda: setattr(parameters[0, 0], "data", 7.0))  # the Value is the same
    turned = parameters.T
    assert not notices(lambda: turned, lambda: turned.__setitem__((0, 1), Value(4.0)))
    arrays = [np.zeros(2) for _ in range(2 * MOST)]
    assert Outside(lambda: arrays).is_same()


def test_so_many_things():
    """The name and 255 items are 256; one more, and the list is only itself; the nearest come first."""
    for size, seen in ((MOST - 1, True), (MOST, False)):
        items = [1.0] * size
        assert notices(lambda: items, lambda items=items: items.__setitem__(-1, 2.0)) is seen  # noqa: B023
    near, far = [1.0] * 100, [[1.0] * 200]
    assert notices(lambda: (near, far), lambda: near.__setitem__(0, 2.0))
    assert not notices(lambda: (near, far), lambda: far[0].__setitem__(0, 2.0))
    assert notices(lambda: (near, far), lambda: far.__setitem__(0, [1.0] * 200))
    table = dict.fromkeys(range(120), 1.0)
    assert notices(lambda: table, lambda: table.__setitem__(5, 2.0))
    table = dict.fromkeys(range(130), 1.0)  # of the keys, too
    assert not notices(lambda: table, lambda: table.__setitem__(5, 2.0))
    ring: list[object] = [1.0]
    ring.append(ring)  # which counts once
    bottom = [1.0]
    chain = functools.reduce(lambda x, _: [x], range(100), bottom)
    assert notices(lambda: (ring, chain), lambda: bottom.__setitem__(0, 2.0))
    deep: list[object] = []
    for _ in range(10**4):  # what is linked without end is followed as far as that
        deep = [deep]
    assert Outside(lambda: deep).is_same()


def test_containers_of_equal_items_are_the_same():
    """Also when they are other objects; a longer one, or one with another item, is not."""
    items = [1.0, float("nan"), "mode"]
    outside = Outside(lambda: items)
    items[:] = [float("1.0"), float("nan"), "".join(["mo", "de"])]
    assert outside.is_same()
    for changed in ([1.0], [1.0, 2.0, "mode"], [1, float("nan"), "mode"], []):
        items[:] = changed
        assert not outside.is_same()


def test_installed_packages_and_ours_are_constant():
    """By where their file is, or that they are Python's; a module made by hand is the user's."""
    for name in (__name__, "__main__", None, "", "no module at all"):
        assert not _is_library(name)
    for name in ("numpy.linalg", "json", "sys", "functools", "autograd.value", "nn", "pytest"):
        assert _is_library(name)


@pytest.mark.parametrize(
    ("file", "seen"), [(None, True), ("/home/me/settings.py", True), ("/usr/lib/site-packages/settings.py", False),
                       ("/usr/lib/python3/dist-packages/settings.py", False)],
)  # fmt: skip
def test_modules_by_where_they_are(monkeypatch, file, seen):
    """The attributes that the code names, of a module of the user's."""
    name = f"settings_{seen}_{len(file or '')}"
    settings = ModuleType(name)
    settings.scale, settings.other, settings.__file__ = 1.0, 1.0, file  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, settings)
    assert not notices(lambda: settings.scale, lambda: setattr(settings, "other", 2.0))
    assert notices(lambda: settings.scale, lambda: setattr(settings, "scale", 2.0)) is seen


def test_attributes_of_libraries(monkeypatch):
    """Of modules, functions and classes of installed packages; of an object of theirs, those that the code names."""
    for module in (json, sys, nn):
        monkeypatch.setattr(module, "scale", 1.0, raising=False)
        assert not notices(lambda: module.scale, lambda: setattr(module, "scale", 2.0))  # noqa: B023
    monkeypatch.setattr(statistics, "pi", 3.0, raising=False)
    inside = FunctionType((lambda: pi).__code__, vars(statistics))  # noqa: F821  # a function of the package
    inside.__module__ = "statistics"
    assert notices(inside, lambda: setattr(statistics, "pi", 4.0))  # compiled itself, it is looked into
    assert not notices(lambda: inside(), lambda: setattr(statistics, "pi", 5.0))
    monkeypatch.setattr(nn.MLP, "scale", 1.0, raising=False)
    model = nn.MLP(1, [1])
    assert not notices(lambda: model.scale, lambda: setattr(nn.MLP, "scale", 2.0))
    model.scale = 3.0
    assert notices(lambda: model.scale, lambda: setattr(model, "scale", 4.0))


def test_what_leads_to_a_function():
    """A cache, a class, what is nested: attributes and imports as well."""
    names = dict(globals())

    def set_scale():
        globals()["SCALE"] = 2.0

    def inner():
        return [(lambda: thing.scale)() for thing in things]

    def imports():
        def again():
            from tests.test_outside import SCALE as found  # noqa: N811

            return found

        return again

    things = [Scaled(), Scaled()]
    for function in (cached, lambda: cached(), imports, functools.partial(by_a_global), lambda: by_a_global):
        assert notices(function, set_scale), function
        globals().update(names)
    assert notices(inner, lambda: setattr(things[1], "scale", 2.0))
    try:
        assert notices(lambda: Scaled.scale, lambda: setattr(Scaled, "scale", 2.0))
        assert notices(inner, lambda: setattr(Scaled, "scale", 3.0))
        assert notices(lambda: Derived.scale, lambda: setattr(Scaled, "scale", 4.0))
        assert notices(lambda: Derived.scale, lambda: setattr(Derived, "scale", 4.0))
    finally:
        Scaled.scale = 1.0
        del Derived.scale


def test_a_module_that_is_not_there_yet():
    """It is looked for only among those that are."""

    def imports():
        import no_such_module

        return no_such_module

    assert Outside(imports).is_same()


def test_names_that_are_not_bound_yet():
    """A cell that is filled later; a builtin is no name of ours."""

    def function():
        return len(later)

    outside = Outside(function)
    assert outside.is_same()
    later = [1.0]
    assert not outside.is_same()
    del later
    assert outside.is_same()
    later = None
    assert not outside.is_same()


def test_states_of_generators():
    """Of each kind, and of those of the modules; one of the system has none."""
    system, own, bits = random.SystemRandom(), np.random.default_rng(0), np.random.PCG64(0)
    outside = Outside(lambda: (system, own, bits))
    for draw in (random.random, np.random.rand, own.normal, np.random.Generator(bits).normal):
        before = outside.random_state()
        assert outside.random_state() == before
        draw()
        assert outside.random_state() != before
    system.random()
    assert outside.is_same()  # drawing binds nothing anew


def test_values_are_not_looked_into():
    """Nor compared: a Value is the same one, whatever its number; reading asks nothing of it."""
    x, y = Value(1.0), Value(1.0)
    outside = Outside(lambda: (x, [y]))
    x.data = 5.0
    assert outside.is_same() and gradients(x * y, [y]) == [5.0]
    x = Value(5.0)
    assert not outside.is_same()


def test_a_frozen_model_of_which_a_part_is_replaced():
    """Its parameters are no parameters of the program, which is traced again when another takes the place of one."""
    w, model = Value(2.0), nn.MLP(1, [2, 1], activation=nn.tanh, seed=0)

    def function(x):
        return w * model([x])

    compiled = compile(function, [w])
    for replace in (
        lambda: None,
        lambda: model.layers[0].neurons[0].w.__setitem__(0, Value(3.0)),
        lambda: model.layers.__setitem__(0, nn.Layer(1, 2, activation=nn.tanh, seed=9)),
        lambda: setattr(model.layers[1].neurons[0], "b", 0.5),
    ):
        replace()
        model.parameters()  # which makes a parameter of the number
        assert compiled([1.0]) == pytest.approx(function(1.0).data, rel=1e-14)


@pytest.mark.parametrize("write", [lambda w, x: w, lambda w, x: x, lambda w, x: w * x])
def test_data_are_not_assigned_while_compiling(write):
    """A program would not repeat it; nothing is changed."""
    w = Value(2.0)

    def function(x):
        write(w, x).data = 7.0
        return w * x

    with pytest.raises(TypeError, match="data were assigned while compiling"):
        compile(function, [w]).value([1.0], [3.0])
    assert w.data == 2.0
