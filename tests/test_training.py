"""fit, predict, accuracy: what they train, when they stop, what they refuse, and how a training resumes."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from fractions import Fraction
from itertools import tee

import numpy as np
import pytest

from autograd import Value, compile, grad, log_softmax, no_grad
from nn import (
    MLP,
    SGD,
    Adam,
    AdamW,
    Layer,
    Module,
    Neuron,
    NonFiniteError,
    accuracy,
    binary_cross_entropy,
    cross_entropy,
    fit,
    half_squared_error,
    hinge,
    mean_squared_error,
    predict,
    schedules,
    sigmoid,
    softmax,
    tanh,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 2))
LINE = X @ [2.0, -3.0] + 0.5


def data(model: Module) -> list[float]:
    return [p.data for p in model.parameters()]


@pytest.mark.parametrize("batch_size", [1, 7, None])
def test_fit_finds_a_line(batch_size):
    """Single random examples, mini-batches and the whole set, on arrays and on lists."""
    for x, y in ((X, LINE), (X.tolist(), LINE.tolist()), (X, LINE[:, None])):
        model = MLP(2, [1], seed=0)
        optimizer = SGD(model.parameters(), 0.1 if batch_size == 1 else 0.5)
        history = fit(
            model, x, y, loss=half_squared_error, optimizer=optimizer, epochs=60, batch_size=batch_size, progress=False
        )
        np.testing.assert_allclose(data(model), [2.0, -3.0, 0.5], atol=1e-3)
        assert len(history.loss) == 60 and history.loss[-1] < 1e-6 < history.loss[0]


@pytest.mark.parametrize(
    ("loss", "y", "outputs"),
    [
        (cross_entropy, (LINE > 0).astype(int), 2),
        (binary_cross_entropy, LINE > 0, 1),
        (hinge, np.sign(LINE), 1),
        (cross_entropy, np.eye(2)[(LINE > 0).astype(int)], 2),
    ],
    ids=["classes", "logit", "hinge", "one-hot"],
)
def test_fit_classifies(loss, y, outputs):
    """With each loss for classes; accuracy understands each kind of target."""
    model = MLP(2, [outputs], seed=0)
    fit(model, X, y, loss=loss, optimizer=Adam(model.parameters(), 0.1), epochs=40, batch_size=10, progress=False)
    assert accuracy(model, X, y) >= 0.95


def test_fit_solves_xor():
    """Two layers learn what one cannot."""
    x, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    model = MLP(2, [4, 1], activation=tanh, seed=1)
    fit(
        model,
        x,
        y,
        loss=binary_cross_entropy,
        optimizer=Adam(model.parameters(), 0.1),
        epochs=200,
        batch_size=None,
        progress=False,
    )
    assert accuracy(model, x, y) == 1.0
    probability = MLP(2, [4, 1], activation=tanh, output_activation=sigmoid, seed=1)
    probability.load_state_dict(model.state_dict())
    assert accuracy(probability, x, y, threshold=0.5) == 1.0


def test_one_epoch_is_the_notes_algorithm():
    """Each example once, in random order; after each, w <- w - rate dJ/dw."""
    model, by_hand, order = MLP(2, [2, 1], activation=tanh, seed=0), MLP(2, [2, 1], activation=tanh, seed=0), []

    def loss(output, target):
        order.append(target)
        return half_squared_error(output, target)

    fit(model, X, LINE, loss=loss, optimizer=SGD(model.parameters(), 0.05), epochs=1, progress=False)
    picked = order[len(LINE) :]  # first, every target is tried
    assert sorted(picked) == sorted(LINE) and picked != list(LINE)
    for target in picked:
        x = X[list(LINE).index(target)]
        by_hand.zero_grad()
        half_squared_error(by_hand(x), target).backward()
        for p in by_hand.parameters():
            p.data -= 0.05 * p.grad
    assert data(model) == data(by_hand)


def test_fit_is_reproducible_and_the_order_depends_on_the_seed():
    """The same seed, the same bits."""

    def train(seed):
        model = MLP(2, [3, 1], seed=0)
        fit(model, X, LINE, loss=half_squared_error, epochs=2, seed=seed, progress=False)
        return data(model)

    assert train(0) == train(0) != train(1)


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_a_resumed_training_is_bit_identical(tmp_path, kind):
    """Three epochs, saved, loaded elsewhere, two more: the same bits as five."""

    def make(model):
        momentum = {"momentum": 0.9} if kind is SGD else {}
        return kind(model.parameters(), schedules.linear(0.05, 0.01, 15), **momentum)

    def train(model, optimizer, epochs):
        return fit(
            model,
            X,
            LINE,
            loss=half_squared_error,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=8,
            seed=5,
            progress=False,
        )

    whole = MLP(2, [3, 1], seed=0)
    history = train(whole, make(whole), 5)
    first = MLP(2, [3, 1], seed=0)
    optimizer = make(first)
    train(first, optimizer, 3)
    first.save(tmp_path / "half.npz", optimizer)
    second = MLP(2, [3, 1], seed=99)
    optimizer = make(second)
    second.load(tmp_path / "half.npz", optimizer)
    rest = train(second, optimizer, 2)
    assert data(second) == data(whole)
    assert rest.loss == history.loss[3:] and rest.learning_rate == history.learning_rate[3:]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1, 2] * 15, "label 2 with one output; give 0 and 1, or -1 and 1"),
        ([0, 0.5] * 15, "label 0.5"),
        ([0.25, 1] * 15, "label 0.25"),
        ([-1, 0, 1] * 10, "labels -1 and 0"),
        ([[-2], [1]] * 15, "label -2"),
        ([0, math.nan] * 15, r"y\[1\] is not finite"),
    ],
)
def test_accuracy_of_one_output_takes_two_classes(labels, message):
    """What no loss of one output takes is refused."""
    with pytest.raises(ValueError, match=message):
        accuracy(MLP(2, [1], seed=0), X, labels)


def test_accuracy_of_one_output_by_hand():
    """x is the score: three of four labels agree, whatever numbers say the two classes."""
    model = Neuron(1, nonlin=False)
    model.w[0].data = 1.0
    x = [[-2.0], [-1.0], [1.0], [2.0]]
    for labels in ([0, 1, 1, 1], [-1, 1, 1, 1], [0.0, 1.0, 1.0, 1.0], [[False], [True], [True], [True]]):
        assert accuracy(model, x, labels) == 0.75


def test_accuracy_warns_of_a_threshold_that_a_sigmoid_never_passes():
    """All outputs would be positive; a half is what to give."""
    model = MLP(2, [1], output_activation=sigmoid, seed=0)
    with pytest.warns(UserWarning, match="ends in sigmoid.*threshold, 0; give threshold=0.5") as caught:
        assert accuracy(model, X, [1] * 30) == 1.0
    assert caught[0].filename == __file__
    accuracy(model, X, [1] * 30, threshold=0.5)
    for function in (lambda z: 1.0, lambda z: [0.5], lambda z: (z.relu() * 0.0,)):  # all in [0, 1], and no sigmoid
        assert accuracy(Wrapped(MLP(2, [1]), function), X, [1] * 30) in (0.0, 1.0)


def test_accuracy_checks_the_labels():
    """A column of classes is classes; what does not match the outputs is refused."""
    model = MLP(2, [3], seed=0)
    classes = predict(model, X).argmax(axis=1)
    assert (
        accuracy(model, X, classes)
        == accuracy(model, X, classes[:, None])
        == accuracy(model, X, np.eye(3)[classes])
        == 1.0
    )
    for bad, message in (
        (np.eye(5)[classes], r"\(30, 3\) and y of shape \(30, 5\)"),
        (classes + 5, "with 3 outputs"),
        (classes + 0.5, "with 3 outputs"),
    ):
        with pytest.raises(ValueError, match=message):
            accuracy(model, X, bad)
    with pytest.raises(ValueError, match="holds no probabilities"):
        accuracy(model, X, np.zeros((30, 3)))
    with pytest.raises(ValueError, match=r"the output for x\[0\] is nan"):
        accuracy(Broken(), X, classes)
    with pytest.raises(ValueError, match=r"\(30, 1\) and y of shape \(30, 2\)"):
        accuracy(MLP(2, [1]), X, np.ones((30, 2)))


class Broken(Module):
    """NaN whatever it is given."""

    def __call__(self, x):
        return Value(math.nan)


class Scaled(Module):
    """Outputs in a tuple, and a parameter beside the network."""

    def __init__(self):
        self.network = MLP(2, [2], seed=0)

    def __call__(self, x):
        return tuple(self.network(x))


def test_outputs_may_be_tuples():
    """In fit, predict and accuracy."""
    model = Scaled()
    fit(model, X, LINE > 0, loss=cross_entropy, epochs=5, progress=False)
    assert predict(model, X).shape == (30, 2)
    assert accuracy(model, X, LINE > 0) > 0.8


def test_every_gradient_starts_at_zero_in_every_step():
    """Also that of a parameter which the optimizer has beside those of the model."""
    model, scale, slopes = MLP(2, [1], seed=0), Value(1.0), []

    class Watched(SGD):
        def step(self):
            slopes.append(scale.grad)

    optimizer = Watched([*model.parameters(), scale])
    fit(
        model,
        X,
        LINE,
        loss=lambda y, t: half_squared_error(y * scale, t),
        optimizer=optimizer,
        epochs=3,
        batch_size=None,
        progress=False,
    )
    assert len(slopes) == 3
    np.testing.assert_allclose(slopes, slopes[0], rtol=1e-12)


def test_fit_trains_inside_no_grad():
    """As the verbs do."""
    model = MLP(2, [1], seed=0)
    with no_grad():
        history = fit(model, X, LINE, loss=half_squared_error, epochs=2, progress=False)
    assert history.loss[1] < 0.5 * history.loss[0]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"optimizer": SGD(MLP(2, [1]).parameters())}, ValueError, "has none of the parameters"),
        ({"optimizer": Adam}, TypeError, r"such as Adam\(model.parameters\(\)\)"),
        ({"seed": random.Random(0)}, TypeError, "give an int"),
        ({"until": 0.5}, TypeError, "give a function of the history"),
        ({"loss": lambda y, t: 0.5}, TypeError, "the loss is 0.5 .float., not a Value that depends on the parameters"),
        ({"loss": lambda y, t: Value(y.data + 5.0)}, TypeError, "not a Value that depends on the parameters"),
        ({"loss": lambda y, t: None}, TypeError, "the loss is None .NoneType.; return a Value"),
        ({"loss": lambda y, t: [y]}, TypeError, r"the loss is \[.*; return a Value"),
        ({"loss": "mse"}, TypeError, r"loss 'mse' is not a function; give one, such as nn\.mean_squared_error"),
        ({"loss": "BCE"}, TypeError, r"such as nn\.binary_cross_entropy"),
        ({"optimizer": "adam"}, TypeError, r"such as Adam\(model.parameters\(\)\)"),
        ({"optimiser": None}, TypeError, "fit has no argument 'optimiser'; write optimizer="),
        (
            {"lr": 0.1},
            TypeError,
            r"no argument 'lr'; write optimizer=SGD\(model.parameters\(\), learning_rate=\.\.\.\)",
        ),
        ({"learning_rate": 0.1}, TypeError, r"write optimizer=SGD\(model.parameters\(\), learning_rate=\.\.\.\)"),
        ({"criterion": half_squared_error}, TypeError, "no argument 'criterion'; write loss="),
        ({"num_epochs": 3}, TypeError, "no argument 'num_epochs'; write epochs="),
        ({"batchsize": 3}, TypeError, "no argument 'batchsize'; write batch_size="),
        ({"workers": 3}, TypeError, "no argument 'workers'; write one of model, x, y, loss, optimizer"),
    ],
)
def test_bad_arguments_are_refused_before_anything_changes(settings, error, message):
    """An optimizer of another model, a class, a seed or an until that is none, a loss that is no Value."""
    model = MLP(2, [1])
    before = data(model)
    with pytest.raises(error, match=message):
        fit(model, X, LINE, progress=False, **{"loss": half_squared_error, **settings})
    assert data(model) == before


def test_arguments_of_fit_by_position_and_models_that_are_none():
    """The fourth has a name; a class and a function have no parameters to train."""
    with pytest.raises(
        TypeError, match="fit takes 3 arguments by position, 4 were given; name the others, such as loss="
    ):
        fit(MLP(2, [1]), X, LINE, "mse")
    for model in (MLP, lambda x: x[0]):
        with pytest.raises(TypeError, match=r"^model .*; give a Module, such as MLP\(2, \[16, 1\]\)$"):
            fit(model, X, LINE, loss=half_squared_error)


def test_history_has_the_learning_rate_that_was_used():
    """That of the last step of each epoch."""
    model = MLP(2, [1], seed=0)
    optimizer = SGD(model.parameters(), schedules.linear(0.1, 0.02, 2))
    history = fit(
        model, X, LINE, loss=half_squared_error, optimizer=optimizer, epochs=3, batch_size=None, progress=False
    )
    np.testing.assert_allclose(history.learning_rate, [0.1, 0.06, 0.02])


def test_until_stops_at_the_desired_loss_or_accuracy():
    """At the end of the first epoch for which it is true."""
    model = MLP(2, [1], seed=0)
    history = fit(model, X, LINE, loss=half_squared_error, until=lambda h: h.loss[-1] < 1e-3, progress=False)
    assert history.loss[-1] < 1e-3 <= history.loss[-2] and len(history.loss) < 100
    model = MLP(2, [1], seed=0)
    y = np.sign(LINE)
    fit(model, X, y, loss=hinge, until=lambda _: accuracy(model, X, y) >= 0.9, progress=False)
    assert accuracy(model, X, y) >= 0.9


def test_progress_shows_the_loss(capsys):
    """A bar on standard error, with the loss; silent if asked."""
    model = MLP(2, [1], seed=0)
    fit(model, X, LINE, loss=half_squared_error, epochs=2)
    assert "loss=" in capsys.readouterr().err
    fit(model, X, LINE, loss=half_squared_error, epochs=2, progress=False)
    assert capsys.readouterr() == ("", "")


def test_history_plots_itself(tmp_path):
    """A figure, a file if asked, in given axes if asked, and by itself in a notebook."""
    model = MLP(2, [1], seed=0)
    history = fit(model, X, LINE, loss=half_squared_error, epochs=3, progress=False)
    figure = history.plot(tmp_path / "loss.png")
    (line,) = figure.axes[0].lines
    assert list(line.get_ydata()) == history.loss
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert history._repr_png_().startswith(b"\x89PNG")  # what a notebook shows
    assert history.plot(axes=figure.axes[0]) is figure


def test_a_loss_that_blows_up_stops_with_the_last_good_parameters():
    """The message says where and what to do; the parameters give a finite loss, the optimizer is of that step."""
    model = MLP(2, [1], seed=0)
    optimizer = SGD(model.parameters(), 1e150, momentum=0.5)
    with pytest.raises(
        NonFiniteError,
        match=r"the loss is (inf|nan) in epoch 1.*smaller learning rate|after this step .* is -?(inf|nan)",
    ):
        fit(model, X, LINE, loss=half_squared_error, optimizer=optimizer, progress=False)
    assert all(map(math.isfinite, data(model)))
    losses = [half_squared_error(y, t) for y, t in zip(predict(model, X), LINE)]
    assert any(map(math.isfinite, losses))


def test_after_a_loss_that_blows_up_model_and_optimizer_are_of_one_step():
    """Two good steps, then a loss that is NaN: parameters, velocity and count are those before the third."""

    class Watched(SGD):
        def step(self):
            kept.append((data(model), self.state_dict()))
            super().step()

    def loss(output, target):
        return half_squared_error(output, target) * (math.nan if len(kept) == 2 else 1.0)

    model, kept = MLP(2, [1], seed=0), []
    optimizer = Watched(model.parameters(), 0.01, momentum=0.5)
    with pytest.raises(NonFiniteError, match="the loss is nan in epoch 3"):
        fit(model, X, LINE, loss=loss, optimizer=optimizer, batch_size=None, progress=False)
    parameters, state = kept[-1]
    assert data(model) == parameters
    assert optimizer.steps == state["steps"] == 1
    assert np.array_equal(optimizer.state["velocity"], state["velocity"])


def test_a_gradient_that_is_not_finite_stops_too():
    """A finite loss with an infinite slope: nothing is moved."""

    class Root(Module):
        def __init__(self):
            self.w = Value(0.0)

        def __call__(self, x):
            return (self.w * x[0]).sqrt()

    model = Root()
    with pytest.raises(NonFiniteError, match="gradient of w is"):
        fit(model, [[1.0]], [1.0], loss=half_squared_error, progress=False)
    assert model.w.data == 0.0


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (X, LINE[:-1], ValueError, r"x of shape \(30, 2\) and y of shape \(29,\)"),
        (X[:, 0], LINE, ValueError, r"x has shape \(30,\)"),
        (np.zeros((0, 2)), [], ValueError, r"x has shape \(0, 2\); give at least one"),
        ([], [], ValueError, "at least one"),
        (X[:, :1], LINE, ValueError, "takes 2 inputs, 1 were given"),
        (np.where(np.arange(60).reshape(30, 2) == 7, np.nan, X), LINE, ValueError, r"x\[3, 1\] is nan"),
        (X, np.where(np.arange(30) == 7, np.inf, LINE), ValueError, r"y\[7\] is not finite"),
        ([[1.0, 2.0], [3.0]], [1.0, 2.0], ValueError, "x is ragged"),
        ([[1.0, "b"]], [1.0], TypeError, r"x holds 'b' .str. at \(0, 1\); give real numbers"),
        (X, [*LINE[:-1], None], TypeError, r"y holds None .NoneType. at \(29,\)"),
        (np.ma.array(X, mask=np.arange(60).reshape(30, 2) == 7), LINE, TypeError, r"x has a masked entry at \(3, 1\)"),
        (X, np.ma.array(LINE, mask=np.arange(30) == 7), TypeError, r"y has a masked entry at \(7,\)"),
        (X, np.ones((30, 2)), ValueError, r"shape \(1,\).*shape \(2,\)"),
    ],
)
def test_data_that_do_not_fit_are_refused_before_anything_changes(x, y, error, message):
    """With both shapes, or the place of the bad number."""
    model = MLP(2, [1], seed=0)
    before = data(model)
    with pytest.raises(error, match=message):
        fit(model, x, y, loss=half_squared_error, progress=False)
    assert data(model) == before


def test_a_label_out_of_range_is_found_before_the_first_step():
    """Even if it is the last one of the data set."""
    model = MLP(2, [2], seed=0)
    before = data(model)
    with pytest.raises(ValueError, match="class 2 with 2 logits"):
        fit(model, X, [0] * 29 + [2], loss=cross_entropy, progress=False)
    assert data(model) == before


@pytest.mark.parametrize("bad", [{"epochs": 0}, {"batch_size": 0}, {"batch_size": 2.5}])
def test_bad_settings_are_refused(bad):
    """With the name of the setting."""
    with pytest.raises(ValueError, match=f"{next(iter(bad))} is .*at least 1"):
        fit(MLP(2, [1]), X, LINE, loss=half_squared_error, progress=False, **bad)


def test_predict_gives_arrays_and_records_nothing():
    """(M,) for one output, (M, K) for K."""
    model = MLP(2, [3], seed=0)
    out = predict(model, X)
    assert out.shape == (30, 3) and out.dtype == float
    np.testing.assert_allclose(out[0], [y.data for y in model(X[0])])
    assert predict(MLP(2, [1], seed=0), X.tolist()).shape == (30,)
    recorded = []

    class Watched(MLP):
        def __call__(self, x):
            recorded.append(super().__call__(x).op)
            return super().__call__(x)

    predict(Watched(2, [1]), X)
    assert set(recorded) == {None}
    with pytest.raises(ValueError, match=r"x\[0, 0\] is inf"):
        predict(model, [[math.inf, 1.0]])


def test_an_interrupted_fit_leaves_whole_parameters():
    """Ctrl-C in the middle of an epoch: every parameter is that of the last finished step."""
    model, steps = MLP(2, [1], seed=0), []

    class Watched(SGD):
        def step(self):
            super().step()
            steps.append(data(model))

    def loss(output, target):
        if len(steps) == 5:
            raise KeyboardInterrupt
        return half_squared_error(output, target)

    with pytest.raises(KeyboardInterrupt):
        fit(model, X, LINE, loss=loss, optimizer=Watched(model.parameters()), progress=False)
    assert data(model) == steps[-1]


# ---- Data as people have them ----

CLASSES = (LINE > 0).astype(int)


DRESSES = {
    "objects": lambda: (X.astype(object), CLASSES.astype(object)),
    "masked": lambda: (np.ma.array(X), np.ma.array(CLASSES, mask=False)),
    "decimals": lambda: ([[Decimal(a), Fraction(b)] for a, b in X.tolist()], [Decimal(t) for t in CLASSES.tolist()]),
    "iterators": lambda: ((map(float, row) for row in X), iter(CLASSES)),
    "rows": lambda: ([np.ma.array(row) for row in X], CLASSES[:, None].astype(float)),
    "floats": lambda: (X, CLASSES.astype(float)),
    "scalars": lambda: (list(X), [np.float64(t) for t in CLASSES]),
    "column": lambda: (X, CLASSES[:, None]),
    "bools": lambda: (X, CLASSES == 1),
}


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("engine", ["eager", "compiled"])
def test_numbers_in_any_dress_train_alike(dress, engine):
    """The same bits as an array of floats and a list of ints."""

    def train(x, y):
        model = MLP(2, [2], seed=0)
        fit(model, x, y, loss=cross_entropy, epochs=2, batch_size=10, engine=engine, progress=False)
        return data(model)

    assert train(*DRESSES[dress]()) == train(X, CLASSES.tolist())


def test_pandas_tables_and_columns():
    """Nullable types, bools, and objects train and are predicted as their numbers; pandas.NA is found at its place."""
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": X[:, 0], "b": X[:, 1]})
    expected = MLP(2, [1], seed=0)
    fit(expected, X, CLASSES, loss=binary_cross_entropy, epochs=2, progress=False)
    for y in (pandas.Series(CLASSES, dtype=kind) for kind in ("Int64", "Float64", "boolean", "object", "category")):
        for x in (table, table.astype("Float64"), table.astype(object), [row for _, row in table.iterrows()]):
            model = MLP(2, [1], seed=0)
            fit(model, x, y, loss=binary_cross_entropy, epochs=2, progress=False)
            assert data(model) == data(expected)
            assert accuracy(model, x, y) == accuracy(expected, X, CLASSES)
            assert predict(model, x).tolist() == predict(expected, X).tolist()
    holes = table.astype("Float64")
    holes.iloc[3, 1] = pandas.NA
    model = MLP(2, [1], seed=0)
    with pytest.raises(TypeError, match=r"x holds <NA> .NAType. at \(3, 1\)"):
        predict(model, holes)
    with pytest.raises(TypeError, match=r"y holds <NA> .NAType. at \(1,\)"):
        accuracy(model, X[:2], pandas.Series([1, None], dtype="Int64"))
    with pytest.raises(TypeError, match=r"y holds Timestamp.* at \(0,\)"):
        accuracy(model, X[:2], pandas.Series(pandas.to_datetime(["2020-01-01"] * 2)))


@pytest.mark.parametrize("kind", ["csr_matrix", "csr_array", "coo_array"])
def test_sparse_matrices_are_refused(kind):
    """With the method that makes them dense."""
    sparse = getattr(pytest.importorskip("scipy.sparse"), kind)(X)
    model = MLP(2, [1], seed=0)
    for call in (
        lambda: fit(model, sparse, LINE, loss=half_squared_error),
        lambda: predict(model, sparse),
        lambda: accuracy(model, X, sparse),
        lambda: compile(lambda a: model(a), model.parameters())(sparse),
    ):
        with pytest.raises(TypeError, match=r"is sparse .*; give .*\.toarray\(\)"):
            call()


@pytest.mark.parametrize(
    ("bad", "place"),
    [
        (np.ma.array(X, mask=np.arange(60).reshape(30, 2) >= 7), r"\(3, 1\)"),
        ([*X[:3], np.ma.array([1.0, 2.0], mask=[False, True])], r"\(3, 1\)"),
        ([[1.0, 2.0], [3.0, np.ma.masked]], r"\(1, 1\)"),
        (np.array([[1.0, np.ma.masked]], dtype=object), r"\(0, 1\)"),
        (iter([np.ma.masked_all(2)]), r"\(0, 0\)"),
    ],
    ids=["array", "row", "number", "object", "iterator"],
)
def test_a_mask_is_never_ignored(bad, place):
    """By predict, nor by a compiled function, for its inputs and for theta."""
    model = MLP(2, [1], seed=0)
    bad, again = tee(bad) if hasattr(bad, "__next__") else (bad, bad)
    with pytest.raises(TypeError, match=f"x has a masked entry at {place}"):
        predict(model, bad)
    with pytest.raises(TypeError, match=f"has a masked entry at {place}"):
        compile(lambda a: model(a), model.parameters())(again)
    program = compile(model([1.0, 2.0]), model.parameters())
    with pytest.raises(TypeError, match=r"theta has a masked entry at \(1,\)"):
        program.value(np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False]))
    assert program.value(np.ma.array([1.0, 2.0, 3.0])) == program.value([Decimal(1), Fraction(2), 3]) == 8.0


# ---- Losses that are constants, and outputs that are squashed twice ----


def plain_hinge(score, target):
    """The hinge as Python writes it: the int 0 where nothing is lost."""
    return max(0, 1 - target * score)


@pytest.mark.parametrize("batch_size", [1, 4, None])
def test_a_loss_may_be_a_plain_number(batch_size):
    """With gradient 0, alone and within a mean: as `hinge`, whose 0 is a Value."""
    histories, trained = [], []
    for loss in (plain_hinge, hinge):
        model = MLP(2, [1], seed=0)
        options = {"epochs": 20, "batch_size": batch_size, "engine": "eager", "progress": False}
        histories.append(fit(model, X, np.sign(LINE), loss=loss, **options).loss)
        trained.append(data(model))
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-12)
    np.testing.assert_allclose(trained[0], trained[1], rtol=1e-12)
    assert histories[0][-1] < histories[0][0]


def test_one_step_on_a_constant_and_a_slope():
    """w = 1, b = 0, rate 0.1: 2 loses a constant 0; 0.5 loses 0.5, with slopes -0.5 and -1; the mean halves them."""
    model = Neuron(1, nonlin=False)
    model.w[0].data, model.b.data = 1.0, 0.0
    history = fit(model, [[2.0], [0.5]], [1, 1], loss=plain_hinge, epochs=1, batch_size=None, progress=False)
    assert history.loss == [0.25]
    np.testing.assert_allclose(data(model), [1.025, 0.05], rtol=1e-15)


def test_nothing_to_learn_is_no_mistake():
    """Every example is 0 from the start: nothing moves; the first one alone may be constant, too."""
    model = Neuron(1, nonlin=False)
    model.w[0].data = 1.0
    history = fit(model, [[2.0], [3.0]], [1, 1], loss=plain_hinge, epochs=3, progress=False)
    assert history.loss == [0.0] * 3 and data(model) == [1.0, 0.0]
    fit(model, [[2.0], [0.5]], [1, 1], loss=lambda s, t: (1 - s) ** 2 if s < 1 else 0.5, epochs=1, progress=False)
    assert data(model) != [1.0, 0.0]


class Wrapped(Module):
    """A network, and a function of its outputs."""

    def __init__(self, network, function):
        self.network, self.function = network, function

    def __call__(self, x):
        return self.function(self.network(x))


SQUASHED_TWICE = {
    "mlp": (lambda: MLP(2, [3, 1], output_activation=sigmoid), binary_cross_entropy),
    "layer": (lambda: Layer(2, 1, activation=sigmoid), binary_cross_entropy),
    "neuron": (lambda: Neuron(2, activation=sigmoid), binary_cross_entropy),
    "wrapped": (lambda: Wrapped(MLP(2, [1]), sigmoid), binary_cross_entropy),
    "by hand": (lambda: Wrapped(MLP(2, [1]), lambda z: 1 / (1 + (-z).exp())), binary_cross_entropy),
    "weighted": (lambda: MLP(2, [1], output_activation=sigmoid), lambda p, t: 2.0 * binary_cross_entropy(p, t)),
    "in the loss": (lambda: MLP(2, [1]), lambda z, t: binary_cross_entropy(sigmoid(z), t)),
    "a dict": (lambda: Wrapped(MLP(2, [1]), lambda z: {"p": sigmoid(z)}), lambda p, t: binary_cross_entropy(p["p"], t)),
    "logistic": (lambda: MLP(2, [1], output_activation=sigmoid), lambda p, t: (1 + ((1 - 2 * t) * p).exp()).log()),
    "softmax": (lambda: MLP(2, [3, 2], output_activation=softmax), cross_entropy),
    "softmax layer": (lambda: Layer(2, 2, activation=softmax), cross_entropy),
    "softmax by hand": (
        lambda: Wrapped(MLP(2, [2]), lambda z: [a.exp() / sum(b.exp() for b in z) for a in z]),
        cross_entropy,
    ),
    "sigmoids": (lambda: MLP(2, [2], output_activation=sigmoid), cross_entropy),
}


@pytest.mark.parametrize("name", SQUASHED_TWICE)
@pytest.mark.parametrize("engine", ["eager", "compiled"])
def test_fit_warns_of_a_loss_from_logits_after_a_sigmoid(name, engine):
    """Once, naming both, where fit was called; for either class, whoever wrote the sigmoid or the loss."""
    make, loss = SQUASHED_TWICE[name]
    squash = "softmax" if name.startswith("softmax") else "sigmoid"
    wanted = "cross_entropy" if loss is cross_entropy else "binary_cross_entropy"
    for y in (CLASSES, 1 - CLASSES):
        with pytest.warns(
            UserWarning, match=f"ends in {squash}, .* as {wanted} does.*leave the {squash} out"
        ) as caught:
            fit(make(), X, y, loss=loss, epochs=2, batch_size=10, engine=engine, progress=False)
        assert len(caught) == 1 and caught[0].filename == __file__


@pytest.mark.parametrize(
    ("make", "loss"),
    [
        (lambda: MLP(2, [1], output_activation=sigmoid), half_squared_error),
        (lambda: MLP(2, [1], output_activation=sigmoid), lambda p, t: -(p if t else 1 - p).log()),
        (lambda: MLP(2, [1], output_activation=sigmoid), lambda p, t: hinge(p, 2 * t - 1)),
        (lambda: MLP(2, [2], output_activation=softmax), lambda p, t: -p[t].log()),
        (lambda: MLP(2, [3, 1], activation=sigmoid), binary_cross_entropy),
        (lambda: Wrapped(MLP(2, [2]), log_softmax), cross_entropy),
        (lambda: Wrapped(MLP(2, [1]), lambda z: 10.0 * sigmoid(z) - 5.0), binary_cross_entropy),
    ],
    ids=["squares", "likelihood", "hinge", "softmax likelihood", "hidden", "log-softmax", "bounded"],
)
def test_fit_does_not_warn_of_what_is_right(make, loss):
    """Probabilities with a loss of probabilities; a softmax of logarithms, which changes nothing."""
    fit(make(), X, CLASSES, loss=loss, epochs=1, progress=False)


# ---- Engines ----


def trained(engine: str, loss, y, outputs: int, batch_size, seed: int = 0):
    model = MLP(2, [6, outputs], activation=tanh, seed=seed)
    optimizer = Adam(model.parameters(), 0.05)
    options = {"loss": loss, "optimizer": optimizer, "epochs": 5, "batch_size": batch_size, "progress": False}
    return model, fit(model, X, y, engine=engine, **options)


@pytest.mark.parametrize("batch_size", [1, 7, None])
@pytest.mark.parametrize(
    ("loss", "y", "outputs"),
    [
        (half_squared_error, LINE, 1),
        (cross_entropy, (LINE > 0).astype(int), 3),
        (cross_entropy, np.eye(3)[(LINE > 0).astype(int)], 3),
        (binary_cross_entropy, LINE > 0, 1),
        (hinge, np.sign(LINE), 1),
    ],
    ids=["numbers", "classes", "one-hot", "logit", "hinge"],
)
def test_both_engines_have_the_same_history(loss, y, outputs, batch_size):
    """To rounding: every epoch's loss, and the parameters and gradients at the end."""
    (eager, slow), (compiled, fast) = (
        trained(engine, loss, y, outputs, batch_size) for engine in ("eager", "compiled")
    )
    assert (slow.engine, fast.engine) == ("eager", "compiled") and slow.learning_rate == fast.learning_rate
    np.testing.assert_allclose(fast.loss, slow.loss, rtol=1e-9)
    np.testing.assert_allclose(data(compiled), data(eager), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(
        [p.grad for p in compiled.parameters()], [p.grad for p in eager.parameters()], rtol=1e-6, atol=1e-10
    )


def test_auto_says_what_it_does(capsys):
    """It compiles what pays, leaves the rest, and falls back where it must: the reason is in the history and shown."""
    x, y = np.vstack([X, X]), np.concatenate([LINE, LINE])
    model = MLP(2, [6, 1], activation=tanh, seed=0)
    history = fit(model, x, y, loss=half_squared_error, epochs=2, batch_size=10)
    assert history.engine == "compiled" and "60 examples of" in history.reason
    assert capsys.readouterr().err.count("fit: compiled, 60 examples of") == 1
    small = fit(model, x[:5], y[:5], loss=half_squared_error, epochs=2, progress=False)
    assert small.engine == "eager" and "does not pay" in small.reason

    class Odd(Module):
        def __init__(self):
            self.inner = model

        def __call__(self, inputs):
            return self.inner(inputs) * (1.0 + 0.0 * round(getattr(inputs[0], "data", inputs[0])))

    odd = fit(Odd(), x, y, loss=half_squared_error, epochs=2, batch_size=10, progress=False)
    assert odd.engine == "eager" and "was read while compiling" in odd.reason
    with pytest.raises(TypeError, match="was read while compiling"):
        fit(Odd(), x, y, loss=half_squared_error, engine="compiled", progress=False)
    with pytest.raises(ValueError, match="give one of auto, eager, compiled"):
        fit(model, x, y, loss=half_squared_error, engine="fast", progress=False)
    assert capsys.readouterr().err == ""


def test_a_model_that_changes_is_noticed():
    """A compiled training of what was something else at the end is taken back, and said."""
    x, y = np.vstack([X, X]), np.concatenate([LINE, LINE])

    class Warm(Module):
        def __init__(self):
            self.inner, self.scale = MLP(2, [6, 1], activation=tanh, seed=0), 1.0

        def __call__(self, inputs):
            return self.inner(inputs) * vars(self)["scale"]  # which the code does not name

    model = Warm()
    before = data(model)

    def until(history):
        model.scale = 0.5
        return False

    options = {"loss": half_squared_error, "epochs": 2, "batch_size": 10, "until": until, "progress": False}
    with pytest.raises(RuntimeError, match="computes something else than when it was compiled"):
        fit(model, x, y, engine="compiled", **options)
    assert data(model) == before
    found = {}
    for engine in ("auto", "eager"):  # auto begins anew
        model.inner.load_state_dict(MLP(2, [6, 1], seed=0).state_dict())
        model.scale = 1.0 if engine == "auto" else 0.5
        found[engine] = fit(model, x, y, engine=engine, **options)
    assert found["auto"].loss == found["eager"].loss and "begun anew" in found["auto"].reason


def test_a_number_of_the_model_may_change_while_it_is_trained():
    """Compiled as eager: the function is traced again."""
    x, y = np.vstack([X, X]), np.concatenate([LINE, LINE])

    class Warm(Module):
        def __init__(self):
            self.inner, self.scale = MLP(2, [6, 1], activation=tanh, seed=0), 1.0

        def __call__(self, inputs):
            return self.inner(inputs) * self.scale

    losses = {}
    for engine in ("compiled", "eager"):
        model = Warm()

        def until(history, model=model):
            model.scale *= 0.5

        options = {"loss": half_squared_error, "epochs": 3, "batch_size": 10, "until": until, "progress": False}
        losses[engine] = fit(model, x, y, engine=engine, **options).loss
    assert losses["compiled"] == pytest.approx(losses["eager"], rel=1e-12)


@pytest.mark.parametrize("engine", ["eager", "compiled"])
def test_models_and_losses_get_lists_from_either_engine(engine):
    """Of the features and of a row of targets; a target by itself is a number."""
    seen = set()

    class Seeing(Module):
        def __init__(self):
            self.inner = MLP(2, [2], seed=0)

        def __call__(self, inputs):
            seen.add(type(inputs))
            return self.inner(inputs)

    def loss(outputs, target):
        seen.add(type(target))
        return half_squared_error(outputs, target)

    fit(Seeing(), X, np.column_stack([LINE, LINE]), loss=loss, engine=engine, epochs=1, progress=False)
    assert seen == {list}


def test_a_model_of_many_branches_falls_back():
    """More than a program can be made for each."""

    class Odd(Module):
        def __init__(self):
            self.w = [Value(0.1 * i) for i in range(100)]

        def __call__(self, inputs):
            return self.w[next(i for i in range(100) if inputs[0] < i - 50)] * inputs[1]

    x = np.random.default_rng(0).uniform(-45, 45, size=(300, 2))
    model = Odd()
    with pytest.warns(RuntimeWarning, match="takes 8 branches so far"):
        history = fit(
            model, x, x[:, 1], loss=half_squared_error, epochs=2, batch_size=100, progress=False, engine="auto",
            optimizer=SGD(model.parameters(), 1e-4),
        )  # fmt: skip
    assert history.engine == "eager" and "branches" in history.reason


def test_a_compiled_training_that_diverges_says_where():
    """As the eager one: back at the last finite loss, with the origin."""
    model = MLP(2, [6, 1], seed=0)
    with pytest.raises(NonFiniteError) as caught:
        fit(model, X, LINE * 1e3, loss=half_squared_error, optimizer=SGD(model.parameters(), 1e3), batch_size=10,
            engine="compiled", progress=False)  # fmt: skip
    assert caught.value.origin is not None and all(map(math.isfinite, data(model)))


def test_branches_of_a_model_are_trained():
    """A model that asks, compiled, as eager."""

    class Bent(Module):
        def __init__(self):
            self.left, self.right = MLP(2, [3, 1], seed=0), MLP(2, [3, 1], seed=1)

        def __call__(self, inputs):
            return self.left(inputs) if inputs[0] < 0 else self.right(inputs)

    losses = []
    for engine in ("eager", "compiled"):
        model = Bent()
        losses.append(fit(model, X, LINE, loss=half_squared_error, batch_size=10, epochs=3, engine=engine,
                          optimizer=SGD(model.parameters(), 0.01), progress=False).loss)  # fmt: skip
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-9)


@pytest.mark.parametrize("engine", ["eager", "compiled", "auto"])
def test_fit_trains_what_stands_in_the_places_of_parameters(engine):
    """Numbers and updates, all of them; an optimizer of those before is refused, and trains nothing."""
    model = MLP(2, [3, 1], activation=tanh, seed=0)
    stale = SGD(model.parameters(), 0.1)
    model.layers[0].neurons[0].w = [0.15, 0.2]
    model.layers[0].neurons[1].w[0] -= 0.1
    model.layers[1].neurons[0].b = 0.6
    before = data(model)
    with pytest.raises(RuntimeError, match=r"SGD holds layers\.0\.neurons\.0\.w\.0, which was replaced"):
        fit(model, X, LINE, loss=half_squared_error, optimizer=stale, engine=engine, progress=False)
    assert len(before) == 13 and data(model) == before
    fit(model, X, LINE, loss=half_squared_error, epochs=1, engine=engine, progress=False)
    assert all(a != b for a, b in zip(data(model), before))


@pytest.mark.parametrize("engine", ["eager", "compiled", "auto"])
@pytest.mark.parametrize("ends", [True, False])
def test_a_parameter_that_is_replaced_while_it_trains(engine, ends):
    """By `until`: an error that names it."""
    model = MLP(2, [3, 1], activation=tanh, seed=0)

    def until(history):
        model.layers[1].neurons[0].w[2] *= 0.5
        return ends

    with pytest.raises(RuntimeError, match=r"SGD holds layers\.1\.neurons\.0\.w\.2, which was replaced"):
        fit(model, X, LINE, loss=half_squared_error, until=until, engine=engine, progress=False)


@pytest.mark.parametrize("engine", ["eager", "compiled", "auto"])
def test_a_model_or_a_loss_that_replaces_parameters(engine):
    """In each call: an error that names it."""

    class Fading(Module):
        def __init__(self):
            self.w = [Value(1.0), Value(2.0)]

        def __call__(self, x):
            self.w[1] = Value(0.5)
            return self.w[0] * x[0] + self.w[1] * x[1]

    model, other = Fading(), MLP(2, [1], seed=0)

    def loss(y, t):
        other.layers[0].neurons[0].b = 0.5
        return half_squared_error(y, t)

    for trained, error in ((model, half_squared_error), (other, loss)):
        with pytest.raises(RuntimeError, match=r"holds (w\.1|layers\.0\.neurons\.0\.b), which was replaced"):
            fit(trained, X, LINE, loss=error, engine=engine, progress=False)


def test_the_state_of_a_recurrent_network_trains():
    """The slopes are those through all of a sequence; h is no parameter."""

    class Recurrent(Module):
        def __init__(self):
            self.w, self.u, self.h = Value(0.5), Value(0.25), 0.0

        def __call__(self, x):
            self.h = 0.0
            for number in x:
                self.h = (self.w * number + self.u * self.h).tanh()
            return self.h

    model = Recurrent()
    fit(model, [[1.0, 2.0]], [0.0], loss=half_squared_error, optimizer=SGD(model.parameters(), 1.0), epochs=1,
        engine="eager", progress=False)  # fmt: skip
    h1 = math.tanh(0.5)
    h2 = math.tanh(1.0 + 0.25 * h1)
    slope = h2 * (1.0 - h2 * h2)
    assert model.u.data == pytest.approx(0.25 - slope * h1, rel=1e-14)
    assert model.w.data == pytest.approx(0.5 - slope * (2.0 + 0.25 * (1.0 - h1 * h1)), rel=1e-14)
    assert len(model.parameters()) == 2


class Beam(Module):
    """u(x) = x (1 - x) N(x), a network that is 0 at 0 and at 1; as a model it gives u''."""

    def __init__(self, width: int) -> None:
        self.net = MLP(1, [width, 1], activation=tanh, seed=0)

    def u(self, x):
        return x * (1.0 - x) * self.net([x])

    def __call__(self, inputs):
        return grad(grad(self.u))(inputs[0])


HALVES = [[(i + 0.5) / 8] for i in range(8)]
LOAD = [-(math.pi**2) * math.sin(math.pi * x) for (x,) in HALVES]


def test_a_derivative_in_a_loss_trains_to_the_solution():
    """u'' = -pi^2 sin(pi x), u(0) = u(1) = 0: u = sin(pi x); by fit, and by hand with the same steps."""
    beam, by_hand = Beam(4), Beam(4)
    optimizers = [Adam(model.parameters(), 0.05) for model in (beam, by_hand)]
    history = fit(beam, HALVES, LOAD, loss=mean_squared_error, optimizer=optimizers[0], epochs=100, batch_size=None,
                  engine="eager", progress=False)  # fmt: skip
    assert history.loss[-1] < 0.1 < 10.0 < history.loss[0]
    for x in np.linspace(0.0, 1.0, 21).tolist():
        assert abs(beam.u(x).data - math.sin(math.pi * x)) < 0.01
    assert predict(beam, HALVES).dtype == float
    for _ in range(2):
        by_hand.zero_grad()
        loss = sum((by_hand(x) - y) ** 2 for x, y in zip(HALVES, LOAD)) / len(LOAD)
        loss.backward()
        optimizers[1].step()
    np.testing.assert_allclose(loss.data, history.loss[1], rtol=1e-9)


def test_a_penalty_on_a_slope_is_in_the_loss():
    """(w x + b - y)^2 + slope^2 for one example, where the slope by x is w: steps of gradient descent by hand."""
    model = MLP(1, [1], seed=0)
    (w, b), (x, y), rate = model.parameters(), (2.0, 3.0), 0.01
    w.data, b.data = 1.0, 0.5

    def loss(output, target):
        return (output - target) ** 2 + grad(lambda t: model([t]))(0.0) ** 2

    fit(model, [[x]], [y], loss=loss, optimizer=SGD([w, b], rate), epochs=1, progress=False)
    error = 1.0 * x + 0.5 - y
    np.testing.assert_allclose([w.data, b.data], [1.0 - rate * (2 * error * x + 2 * 1.0), 0.5 - rate * 2 * error])


def test_a_derivative_in_a_loss_is_not_compiled():
    """An error that says so; "auto" trains eagerly and gives the reason; the graph of the loss compiles."""
    beam = Beam(2)
    with pytest.raises(TypeError, match=r'compiled functions cannot hold derivatives yet.*engine="eager"'):
        fit(beam, HALVES, LOAD, loss=mean_squared_error, engine="compiled", progress=False)
    x = HALVES * 4
    history = fit(beam, x, LOAD * 4, loss=mean_squared_error, batch_size=8, epochs=1, progress=False)
    assert history.engine == "eager" and "compiled functions cannot hold derivatives yet" in history.reason
    model = MLP(1, [2, 1], activation=tanh, seed=0)

    def loss(output, target):
        return (output - target) ** 2 + grad(lambda t: model([t]))(0.0) ** 2

    with pytest.raises(TypeError, match="compiled functions cannot hold derivatives yet"):
        fit(model, x, LOAD * 4, loss=loss, engine="compiled", progress=False)
    beam.zero_grad()
    residual = beam([0.25]) ** 2
    residual.backward()
    value, slopes = compile(residual, beam.parameters()).value_and_grad(data(beam))
    np.testing.assert_allclose([value, *slopes], [residual.data, *(p.grad for p in beam.parameters())], rtol=1e-10)
