"""Optimizers against the published recurrences, written out in scalars; schedules; state."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd import Value
from nn import SGD, Adam, AdamW, Neuron, NonFiniteError, schedules

START, SLOPES = 1.5, (0.5, -2.0, 0.25, 3.0, -1.0)


def run(make):
    """The parameter after each step along SLOPES."""
    p = Value(START, "p")
    optimizer = make([p])
    for slope in SLOPES:
        p.grad = slope
        optimizer.step()
        yield p.data


def sgd(rate, momentum=0.0, nesterov=False, decay=0.0):
    theta, velocity = START, 0.0
    for g in SLOPES:
        g = g + decay * theta
        velocity = momentum * velocity + g
        theta -= rate * (g + momentum * velocity if nesterov else velocity)
        yield theta


def adam(rate, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.0, decoupled=0.0):
    theta, m, v = START, 0.0, 0.0
    for t, g in enumerate(SLOPES, start=1):
        theta -= rate * decoupled * theta
        g = g + decay * theta
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        theta -= rate * (m / (1 - beta1**t)) / (math.sqrt(v / (1 - beta2**t)) + epsilon)
        yield theta


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda ps: SGD(ps, 0.1), sgd(0.1)),
        (lambda ps: SGD(ps, 0.1, momentum=0.9), sgd(0.1, 0.9)),
        (lambda ps: SGD(ps, 0.1, momentum=0.9, nesterov=True), sgd(0.1, 0.9, True)),
        (lambda ps: SGD(ps, 0.1, weight_decay=0.5), sgd(0.1, decay=0.5)),
        (lambda ps: Adam(ps, 0.1), adam(0.1)),
        (lambda ps: Adam(ps, 0.1, betas=(0.5, 0.75), epsilon=1e-3, weight_decay=0.5), adam(0.1, 0.5, 0.75, 1e-3, 0.5)),
        (lambda ps: AdamW(ps, 0.1, weight_decay=0.5), adam(0.1, decoupled=0.5)),
    ],
    ids=["sgd", "momentum", "nesterov", "weight decay", "adam", "adam with all", "adamw"],
)
def test_published_recurrences(make, expected):
    """Step by step."""
    for got, wanted in zip(run(make), expected, strict=True):
        assert math.isclose(got, wanted, rel_tol=1e-13)


@pytest.mark.parametrize("make", [lambda ps: SGD(ps, 0.1, momentum=0.9), Adam, AdamW])
def test_a_saved_state_goes_on_bit_for_bit(make):
    """Three steps, the state handed over, two more: the same as five."""
    whole = list(run(make))
    p, q = Value(START), Value(0.0)
    first, second = make([p]), make([q])
    for slope in SLOPES[:3]:
        p.grad = slope
        first.step()
    q.data = p.data
    second.load_state_dict(first.state_dict())
    for slope, wanted in zip(SLOPES[3:], whole[3:]):
        q.grad = slope
        second.step()
        assert q.data == wanted


def test_a_schedule_sees_the_number_of_steps_taken():
    """learning_rate may be a function; it is asked once a step."""
    p = Value(0.0)
    optimizer = SGD([p], lambda step: 10.0**-step)
    for _ in range(3):
        p.grad = -1.0
        optimizer.step()
    assert math.isclose(p.data, 1.11) and optimizer.rate == 1e-3


@given(st.integers(0, 200))
def test_schedules_stay_in_range(step):
    """Between start and end, and at the end from `steps` on."""
    for rate in (schedules.linear(1.0, 0.1, 100), schedules.cosine(1.0, 0.1, 100)):
        assert 0.1 <= rate(step) <= 1.0 and (step < 100 or rate(step) == 0.1)
    assert schedules.exponential(1.0, 0.5, every=50)(step) == 0.5 ** (step // 50)
    assert schedules.cosine(1.0, 0.0, 100, warmup=10)(4) == 0.5


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("make", [SGD, Adam])
def test_a_non_finite_gradient_moves_nothing(make, bad):
    """The error names the parameter; parameters, state and count are as they were."""
    a, b = Value(1.0, "a"), Value(2.0, "b")
    optimizer = make([a, b])
    a.grad, b.grad = 1.0, bad
    with pytest.raises(NonFiniteError, match=f"gradient of b is {bad}"):
        optimizer.step()
    assert (a.data, b.data, optimizer.steps) == (1.0, 2.0, 0)


def test_bad_settings_are_refused():
    """No parameters; Nesterov without momentum; a state of another optimizer."""
    with pytest.raises(ValueError, match=r"give the Values of model\.parameters"):
        SGD([])
    with pytest.raises(ValueError, match="give a momentum"):
        SGD([Value(1.0)], nesterov=True)
    with pytest.raises(ValueError, match="lacks first_moment"):
        Adam([Value(1.0)]).load_state_dict(SGD([Value(1.0)]).state_dict())
    with pytest.raises(ValueError, match="give whole numbers from 0"):
        SGD([Value(1.0)]).load_state_dict({"steps": -1.5, "epochs": 0, "velocity": [0.0]})
    for settings in ({"learning_rate": "0.1"}, {"learning_rate": math.nan}, {"learning_rate": -1}, {"momentum": 1.0}):
        with pytest.raises(ValueError, match=f"{next(iter(settings))} is .*give a number from 0"):
            SGD([Value(1.0)], **settings)
    for rate in (10**400, lambda step: -1.0):
        with pytest.raises(ValueError, match="learning_rate is"):
            SGD([Value(1.0)], rate).step()
    with pytest.raises(ValueError, match="epsilon is 0"):
        Adam([Value(1.0)], epsilon=0.0)
    with pytest.raises(ValueError, match=r"betas\[0\] is 2"):
        Adam([Value(1.0)], betas=(2, 3))
    with pytest.raises(TypeError, match=r"SGD of a Neuron; give model.parameters\(\)"):
        SGD(Neuron(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: SGD(p, lr=0.1), "SGD has no argument 'lr'; write learning_rate="),
        (lambda p: Adam(p, lr=0.1), "Adam has no argument 'lr'; write learning_rate="),
        (lambda p: Adam(p, eps=1e-8), "Adam has no argument 'eps'; write epsilon="),
        (lambda p: AdamW(p, weightdecay=0.1), "AdamW has no argument 'weightdecay'; write weight_decay="),
        (lambda p: SGD(params=p), "SGD has no argument 'params'; write parameters="),
        (lambda p: SGD(p, 0.1, 0.9), "SGD takes 2 arguments by position, 3 were given; .* such as momentum="),
        (lambda p: SGD([{"params": p}]), r"SGD of parameter groups; give the Values of model\.parameters\(\)"),
        (lambda p: Adam([{"params": p, "lr": 0.1}, {"params": p}]), "Adam of parameter groups"),
        (lambda p: SGD(p, momentum=0.9, nesterov=0.5), "nesterov is 0.5, not a bool; give the number as momentum="),
    ],
)
def test_the_habits_of_others_are_answered_with_what_to_write(call, message):
    """PyTorch's names, its groups, and settings by position."""
    with pytest.raises(TypeError, match=message):
        call([Value(1.0)])


def test_what_holds_no_values_is_refused():
    """Nested lists, names with parameters, names alone; betas that are not two."""
    p = Value(1.0)
    for bad in ([[p]], [("w", p)], {"w": p}):
        with pytest.raises(ValueError, match=r"give the Values of model\.parameters"):
            SGD(bad)
    for betas in (0.9, (0.9,), (0.9, 0.99, 0.999)):
        with pytest.raises(ValueError, match=r"betas is .*; give two numbers"):
            Adam([p], betas=betas)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.exponential(1.0, 0.5, every=0), "every is 0; give an int of at least 1"),
        (lambda: schedules.exponential(1.0, 0.5, every=2.5), "every is 2.5"),
        (lambda: schedules.exponential(1.0, -0.5), "factor is -0.5; give a number from 0"),
        (lambda: schedules.exponential("1", 0.5), "start is '1'"),
        (lambda: schedules.linear(1.0, 0.1, 0), "steps is 0; give an int of at least 1"),
        (lambda: schedules.linear(1.0, 0.1, -5), "steps is -5"),
        (lambda: schedules.linear(math.nan, 0.1, 5), "start is nan"),
        (lambda: schedules.linear(1.0, math.inf, 5), "end is inf"),
        (lambda: schedules.cosine(1.0, 0.1, 0), "steps is 0"),
        (lambda: schedules.cosine(1.0, 0.1, "10"), "steps is '10'"),
        (lambda: schedules.cosine(1.0, -0.1, 10), "end is -0.1"),
        (lambda: schedules.cosine(1.0, 0.1, 10, warmup=-1), "warmup is -1; give an int of at least 0"),
        (lambda: schedules.cosine(1.0, 0.1, 10, warmup=11), "warmup is 11 of 10 steps; give fewer"),
    ],
)
def test_a_schedule_that_cannot_be_followed_is_refused_at_once(make, message):
    """Not at the first step."""
    with pytest.raises(ValueError, match=message):
        make()


def test_a_step_to_infinity_is_not_taken():
    """Neither parameters nor moments overflow in silence."""
    p = Value(1.0, "p")
    p.grad = 1e200
    with pytest.raises(NonFiniteError, match="after this step the second_moment of p is inf"):
        Adam([p]).step()
    with pytest.raises(NonFiniteError, match="after this step p is -inf"):
        SGD([p], 1e200).step()
    assert p.data == 1.0


def test_the_state_is_a_copy():
    """Changing it changes no optimizer; repr shows what one is."""
    optimizer = SGD([Value(1.0)], 0.5)
    optimizer.state_dict()["velocity"][:] = 5.0
    assert optimizer.state["velocity"].tolist() == [0.0]
    assert repr(optimizer) == "SGD(1 parameters, learning_rate=0.5, 0 steps)"
