"""NumPy's functions on Values, arrays of Values and masked arrays: each records what NumPy computes, or raises."""

from __future__ import annotations

import inspect
import math
import re
import warnings

import numpy as np
import pytest

from autograd import Value, dot, exp, grad, gradients, hessian, jacobian, logsumexp, mean, select, softmax

from .oracles import difference

ma = np.ma

# ---- Masked arrays ---------------------------------------------------------------------------------------------------


def masked():
    return ma.array([1.0, 2.0, 3.0], mask=[False, True, False])


def test_a_masked_array_does_not_cut_the_graph():
    """d/dw of 1 w + 2 w is 3; a masked entry is left out of sums and means."""
    assert grad(lambda w: np.sum(w * ma.array([1.0, 2.0])))(2.0) == 3.0
    assert grad(lambda w: np.sum(w * masked()))(2.0) == grad(lambda w: (masked() * w).sum())(2.0) == 4.0
    assert grad(lambda w: (w * masked()).mean())(2.0) == 2.0
    assert grad(lambda w: ma.exp(w))(0.0) == 1.0
    assert grad(lambda w: ma.sum(ma.exp(w * masked())))(0.0) == 4.0
    assert grad(lambda w: ma.multiply(w, w))(3.0) == 6.0


def test_a_mask_is_never_ignored():
    """A masked number is no number; an operation with it is masked, as NumPy has it."""
    for number in (ma.masked, ma.array(3.0, mask=True)):
        for make in (Value, exp):
            with pytest.raises(TypeError):
                make(number)
        assert Value(2.0) * number is ma.masked and number + Value(2.0) is ma.masked
        assert dot([Value(1.0)], [number]) is mean([Value(1.0), number]) is ma.masked
    assert (Value(2.0) * ma.array(3.0)).data == 6.0
    with pytest.raises(TypeError):
        dot([Value(1.0)] * 3, masked())


ARGUMENTS = {
    "v": lambda x: (x,),
    "v, v": lambda x: (x, x * x),
    "array": lambda x: (np.array([x, x * 2.0, x + 1.0]),),
    "array, v": lambda x: (np.array([1.0, 2.0, 0.3]), x),
    "v, array": lambda x: (x, np.array([1.0, 2.0, 0.3])),
    "array, array": lambda x: (np.array([x, x * 2.0, x + 1.0]), np.array([1.0, 2.0, 3.0])),
    "array, int": lambda x: (np.array([x, x * 2.0, x + 1.0]), 2),
    "array, low, high": lambda x: (np.array([x, x * 2.0, x + 1.0]), 0.1, 0.5),
    "table": lambda x: (np.array([[x, x * 2.0], [x + 1.0, x * x]]),),
    "table, table": lambda x: (np.array([[x, x * 2.0], [x + 1.0, x * x]]), np.eye(2) + 0.3),
    "bools, list, list": lambda x: ([True, False], [x, 2.0 * x], [x * x, 3.0 * x]),
    "masked": lambda x: (masked() * x,),
    "v, masked": lambda x: (x, masked()),
    "masked, v": lambda x: (masked(), x),
    "masked, array": lambda x: (masked() * x, np.array([1.0, 2.0, 3.0])),
    "array, masked": lambda x: (np.array([x, x, x]), masked()),
    "bools, masked": lambda x: ([True, False, False], masked() * x),
    "bools, masked, v": lambda x: ([True, False, True], masked() * x, x),
}
LEFT_OUT = {
    *("test", "info", "show_config", "show_runtime", "source", "lookfor"),  # they print
    *(
        "load",
        "loadtxt",
        "genfromtxt",
        "fromregex",
        "fromfile",
        "save",
        "savez",
        "savez_compressed",
        "savetxt",
    ),  # files
    *("seterr", "seterrcall", "setbufsize", "set_printoptions", "printoptions"),  # settings
    "polydiv",  # trims what rounding leaves, so that differences jump
    *(
        "frombuffer",
        "fromstring",
        "empty",
        "empty_like",
        "ids",
        "who",
        "maximum_sctype",
        "obj2sctype",
    ),  # what happens to be in memory
}


def numbers_in(result):
    """Every number and Value in what a function returned, those that are masked left out."""
    if isinstance(result, (list, tuple)):
        return [x for part in result for x in numbers_in(part)]
    if isinstance(result, ma.MaskedArray):
        return result.compressed().tolist()
    return result.ravel().tolist() if isinstance(result, np.ndarray) else [result]


FUNCTIONS = [
    (module, name)
    for module in (np, np.linalg, ma)
    for name, function in sorted(vars(module).items())
    if callable(function) and not inspect.isclass(function) and not name.startswith("_") and name not in LEFT_OUT
]


@pytest.mark.parametrize(("module", "name"), FUNCTIONS, ids=[f"{m.__name__}.{name}" for m, name in FUNCTIONS])
def test_every_function_records_or_raises(module, name):
    """Where NumPy makes a float of a float, it makes a Value of a Value, with the slope that differences have."""
    for arguments in ARGUMENTS.values():

        def run(x, arguments=arguments):
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                return numbers_in(getattr(module, name)(*arguments(x)))

        x = Value(0.4)
        try:
            found, plain = run(x), run(0.4)
        except Exception:  # it raises: nothing is lost
            continue
        for i, (number, float_) in enumerate(zip(found, plain)):
            if isinstance(float_, float) and math.isfinite(float_) and not name.startswith("logical"):
                slope = gradients(number, [x])[0] if isinstance(number, Value) else 0.0
                expected = difference(lambda t, i=i: float(run(t)[i]), 0.4)
                assert math.isnan(slope) or slope == pytest.approx(expected, rel=1e-6, abs=1e-8), (name, arguments, i)


def test_the_sweep_sees_a_graph_that_is_cut():
    """A function that takes the number out of a Value is caught (negative control)."""
    ma.lost = lambda v: v.data * 2.0 if isinstance(v, Value) else np.multiply(v, 2.0)
    try:
        with pytest.raises(AssertionError):
            test_every_function_records_or_raises(ma, "lost")
    finally:
        del ma.lost


# ---- Arrays of Values, and single ones -------------------------------------------------------------------------------

X = np.array([0.5, -1.5, 2.0])


@pytest.mark.parametrize(
    ("function", "gradient"),
    [
        (np.std, (X - X.mean()) / (3 * X.std())),
        (np.var, 2 * (X - X.mean()) / 3),
        (lambda x: np.var(x, ddof=1), X - X.mean()),
        (lambda x: np.std(np.stack([x, 2 * x]), axis=1)[1], 2 * (X - X.mean()) / (3 * X.std())),
        (lambda x: np.linalg.norm(x, axis=0), X / math.sqrt(6.5)),
        (lambda x: np.linalg.norm(np.stack([x, x]), axis=1)[0], X / math.sqrt(6.5)),
        (lambda x: np.linalg.norm(np.stack([x, x])), 2 * X / math.sqrt(13.0)),
        (lambda x: np.linalg.norm(x, 1), np.sign(X)),
        (lambda x: np.linalg.norm(x, np.inf), [0.0, 0.0, 1.0]),
        (lambda x: np.linalg.norm(x, 3), np.sign(X) * X**2 / (0.5**3 + 1.5**3 + 8.0) ** (2 / 3)),
        (lambda x: np.vdot(x, x), 2 * X),
        (lambda x: np.vdot([1.0, 2.0, 3.0], x), [1.0, 2.0, 3.0]),
        (lambda x: np.sum(np.conj(x) * x), 2 * X),
        (lambda x: np.conjugate(x[0]) * 3.0, [3.0, 0.0, 0.0]),
        (lambda x: np.average(x, weights=[1.0, 2.0, 1.0]), [0.25, 0.5, 0.25]),
        (lambda x: np.ptp(x), [0.0, -1.0, 1.0]),
        (lambda x: np.inner(x, x) + np.trace(np.outer(x, x)), 4 * X),
        (lambda x: np.tensordot(x, x, 1), 2 * X),
        (lambda x: np.prod(x), [-3.0, 1.0, -0.75]),
        (lambda x: np.polyval(x, 2.0), [4.0, 2.0, 1.0]),
        (lambda x: np.trapezoid(x) if hasattr(np, "trapezoid") else np.trapz(x), [0.5, 1.0, 0.5]),
        (lambda x: np.cross(x, [1.0, 0.0, 0.0])[1], [0.0, 0.0, 1.0]),
        (lambda x: np.kron(x, [1.0, 2.0]).sum(), [3.0, 3.0, 3.0]),
        (lambda x: np.convolve(x, [1.0, 10.0])[1], [10.0, 1.0, 0.0]),
        (lambda x: np.median(x), [1.0, 0.0, 0.0]),
        (lambda x: np.clip(x, -1.0, 1.0).sum(), [1.0, 0.0, 0.0]),
        (lambda x: np.nansum(x), [1.0, 1.0, 1.0]),
        (lambda x: np.cumsum(x)[1] + np.diff(x)[0], [0.0, 2.0, 0.0]),
        (lambda x: np.count_nonzero(x) * x[0], [3.0, 0.0, 0.0]),
    ],
)
def test_functions_of_arrays(function, gradient):
    """The gradients by hand."""
    assert grad(function)(X) == pytest.approx(np.asarray(gradient), rel=1e-14, abs=1e-15)


def sinc(x):
    """sin(x)/x, by NumPy's idiom for a removable singularity."""
    return np.where(x == 0, 1.0, np.sin(np.where(x == 0, 1.0, x)) / np.where(x == 0, 1.0, x))


def test_the_double_where():
    """sinc' = cos(x)/x - sin(x)/x^2, and 0 at 0; written with NumPy alone, of a number and of an array."""
    slope = math.cos(0.3) / 0.3 - math.sin(0.3) / 0.09
    bend = -math.sin(0.3) / 0.3 - 2 * math.cos(0.3) / 0.09 + 2 * math.sin(0.3) / 0.027
    x = np.array([0.0, 0.3])
    assert [grad(sinc)(0.0), grad(sinc)(0.3)] == [0.0, pytest.approx(slope, rel=1e-13)]
    assert jacobian(sinc)(x) == pytest.approx(np.diag([0.0, slope]), rel=1e-13)
    assert hessian(lambda x: np.sum(sinc(x)))(x)[1, 1] == pytest.approx(bend, rel=1e-11)
    pi = math.pi
    slope = pi * (math.cos(0.3 * pi) / (0.3 * pi) - math.sin(0.3 * pi) / (0.3 * pi) ** 2)
    assert grad(np.sinc)(0.0) == 0.0 and grad(np.sinc)(0.3) == pytest.approx(slope, rel=1e-13)


@pytest.mark.parametrize(
    ("function", "x", "gradient"),
    [
        (lambda x: np.sum(np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), 0.0)), [0.0, 0.5], [0.0, 2.0]),
        (lambda x: np.sum(np.sqrt(np.where(x == 0, 1.0, x))), [0.0, 0.25], [0.0, 1.0]),
        (lambda x: np.sum(np.exp(np.concatenate([x, [0.0]]))), [0.0, 0.0], [1.0, 1.0]),
        (lambda x: np.sum(np.maximum(x, 0.0)), [0.0, 2.0, -1.0], [0.5, 1.0, 0.0]),
        (lambda x: np.sum(np.sign(x) * x), [2.0, -3.0], [1.0, -1.0]),
        (lambda x: x[0] / np.concatenate([x, [0.0]])[0] + x[1], [2.0, 3.0], [0.0, 1.0]),
        (lambda x: np.where(np.concatenate([x, [1.0]]) / 0.0 > 0, 2.0, 3.0)[1] * x[0], [1.0], [2.0]),  # inf, no error
        (lambda x: np.sum(np.logical_or(x, 0.0)), [3.0, 4.0], [0.0, 0.0]),
        (lambda x: np.logical_and(1.0, x[0]) * x[0], [3.0], [1.0]),
        (lambda x: np.all(np.logical_not(x - 3.0)) * x[0], [3.0], [1.0]),
    ],
)
def test_arrays_of_values_and_numbers(function, x, gradient):
    """What NumPy puts into an array beside Values is a number to its functions; truths are bools."""
    assert grad(function)(np.array(x)).tolist() == gradient


def test_a_question_of_an_array_says_what_to_write():
    """The array that a verb passes knows more than an array of objects."""
    with pytest.raises(TypeError, match=re.escape("write v != v")):
        grad(lambda x: np.sum(np.where(np.isnan(x), 0.0, x)))(np.ones(2))
    with pytest.raises(TypeError, match="arccosh is not a primitive"):
        grad(lambda x: np.sum(np.arccosh(x)))(np.ones(2))


def test_functions_of_sequences_ignore_no_mask():
    """dot, mean, select ... name the first masked place."""
    for call in (
        lambda: dot(masked(), [Value(1.0)] * 3),
        lambda: mean(masked()),
        lambda: select(masked(), 1),
        lambda: logsumexp(masked()),
        lambda: softmax(masked()),
    ):
        with pytest.raises(TypeError, match=re.escape("has a masked entry at (1,)")):
            call()
    assert mean(ma.array([1.0, 3.0])) == 2.0
    assert np.less(Value(2.0), masked()).tolist() == [False, None, True]


@pytest.mark.parametrize(
    ("function", "value", "slope"),
    [
        (np.std, 0.0, math.nan),
        (np.var, 0.0, 0.0),
        (np.sum, 3.0, 1.0),
        (np.prod, 3.0, 1.0),
        (np.max, 3.0, 1.0),
        (np.min, 3.0, 1.0),
        (np.mean, 3.0, 1.0),
        (np.ptp, 0.0, 0.0),
        (np.conj, 3.0, 1.0),
        (np.linalg.norm, 3.0, 1.0),
        (np.add.reduce, 3.0, 1.0),
        (lambda v: np.sum(v, initial=2.0), 5.0, 1.0),
        (lambda v: np.prod(v, initial=2.0), 6.0, 2.0),
        (lambda v: np.multiply.outer(v, np.ones(2)).sum(), 6.0, 2.0),
        (lambda v: np.multiply.outer([1.0, 2.0], v).sum(), 9.0, 3.0),
        (lambda v: np.sum(v * v), 9.0, 6.0),
        (lambda v: np.vdot(v, v), 9.0, 6.0),
    ],
)
def test_functions_of_one_value(function, value, slope):
    """A single Value is to NumPy what a scalar is."""
    x = Value(3.0)
    assert np.ndim(x) == 0 and np.shape(x) == () and np.size(x) == 1
    result = function(x)
    assert result.data == value and gradients(result, [x]) == pytest.approx([slope], nan_ok=True)


def test_a_question_says_what_to_write():
    """isnan, isinf and isfinite have no answer by comparison in NumPy."""
    x = Value(3.0)
    for ask, hint in ((np.isnan, "v != v"), (np.isinf, "abs(v) == math.inf"), (np.isfinite, "abs(v) < math.inf")):
        with pytest.raises(TypeError, match=re.escape(f"np.{ask.__name__} of a Value; write {hint}")):
            ask(x)
    nan = Value(math.nan)
    assert nan != nan and not abs(nan) < math.inf and abs(Value(-math.inf)) == math.inf


def test_what_is_written_to_a_float_array_raises():
    """No number is taken out of a Value to fit where there is only room for floats."""
    x = Value(3.0)
    for write in (
        lambda: np.add.at(np.zeros(2), [0], x),
        lambda: np.add(x, 1.0, out=np.zeros(())),
        lambda: np.copyto(np.zeros(2), x),
        lambda: np.put(np.zeros(2), [0], [x]),
        lambda: np.fill_diagonal(np.zeros((2, 2)), x),
        lambda: np.zeros(2).fill(x),
        lambda: np.array([x], dtype=float),
        lambda: np.full(2, x, dtype=float),
    ):
        with pytest.raises(TypeError):
            write()
    full = np.full(2, x)
    np.add.at(full, [0, 0], [x, 1.0])
    assert [gradients(v, [x]) for v in full] == [[2.0], [1.0]] and full[0].data == 7.0


def test_where_and_out_of_a_ufunc():
    """What `where` leaves out stays as it was; an array of floats takes no Value."""
    x = Value(3.0)
    out = np.array([1.0, 2.0], dtype=object)
    assert np.add(x, [1.0, 1.0], out=out, where=[True, False]) is out
    assert gradients(out[0], [x]) == [1.0] and out[1] == 2.0
    with pytest.raises(TypeError):
        np.add(x, [1.0, 1.0], out=np.zeros(2), where=[True, False])
    found = grad(lambda t: np.multiply(t, 2.0, out=np.array([t[0], 5.0 * t[1]]), where=[True, False]).sum())(np.ones(2))
    assert found.tolist() == [2.0, 5.0]
