"""A GPT, written one number at a time, learns to make up names.

The model is the one of Karpathy's microgpt: token and position embeddings, attention over the letters so far, a relu
network, both with a root-mean-square norm before and a residual connection around them, and a softmax over the next
letter.  Every number in it is a Value; `autograd.compile` turns the loss of one name into the matrix program of a
batch of names.  The names are those of the United States census of 1990, which the package `names` ships, or the lines
of your own file.

    python examples/gpt.py
    python examples/gpt.py --engine eager --steps 10
    python examples/gpt.py --data words.txt
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from autograd import Value, compile, dot, mean, no_grad, relu, softmax  # noqa: A004 -- as the field calls it
from nn import Adam, Embedding, Module, cross_entropy, schedules

CONTEXT, WIDTH, HEADS = 16, 16, 4


def small(random: Random, nin: int, nout: int) -> float:
    """Normal with standard deviation 0.08, for every parameter."""
    return random.gauss(0.0, 0.08)


def norm(x: Sequence[Any]) -> list[Any]:
    """x over the root of its mean square."""
    scale = (dot(x, x) / len(x) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


class Linear(Module):
    """W x."""

    def __init__(self, nin: int, nout: int, random: Random) -> None:
        self.w = [[Value(small(random, nin, nout)) for _ in range(nin)] for _ in range(nout)]

    def __call__(self, x: Sequence[Any]) -> list[Any]:
        """The products of x with each row."""
        return [dot(row, x) for row in self.w]


class GPT(Module):
    """One layer of attention and a network, for sequences of up to `CONTEXT` tokens out of `count`."""

    def __init__(self, count: int, seed: int = 0) -> None:
        random = Random(seed)
        self.tokens = Embedding(count, WIDTH, initialize=small, seed=random)
        self.positions = Embedding(CONTEXT, WIDTH, initialize=small, seed=random)
        self.query, self.key, self.value, self.mix = (Linear(WIDTH, WIDTH, random) for _ in range(4))
        self.up, self.down = Linear(WIDTH, 4 * WIDTH, random), Linear(4 * WIDTH, WIDTH, random)
        self.logits = Linear(WIDTH, count, random)

    def step(self, token: Any, keys: list[Any], values: list[Any]) -> list[Any]:
        """The logits of the next token after `token`; its key and value are added to `keys` and `values`."""
        x = norm([t + p for t, p in zip(self.tokens(token), self.positions(len(keys)))])
        x = [a + b for a, b in zip(x, self.attention(norm(x), keys, values))]
        hidden = [relu(z) for z in self.up(norm(x))]
        x = [a + b for a, b in zip(x, self.down(hidden))]
        return self.logits(x)

    def attention(self, x: Sequence[Any], keys: list[Any], values: list[Any]) -> list[Any]:
        """The output of each head: the values so far, weighted by how well their keys match the query."""
        query = self.query(x)
        keys.append(self.key(x))
        values.append(self.value(x))
        size, found = WIDTH // HEADS, []
        for start in range(0, WIDTH, size):
            head = slice(start, start + size)
            weights = softmax([dot(query[head], key[head]) / size**0.5 for key in keys])
            found += [dot(weights, column) for column in list(zip(*values))[head]]
        return self.mix(found)

    def __call__(self, x: Sequence[Any]) -> Any:
        """The mean cross-entropy of a sequence: the model predicts each token from those before it."""
        keys: list[Any] = []
        values: list[Any] = []
        return mean([cross_entropy(self.step(token, keys, values), target) for token, target in pairwise(x)])


def main(argv: Sequence[str] | None = None) -> None:
    """Trains, saves, samples, and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="the folder for the picture and the model")
    parser.add_argument("--data", type=Path, help="a text file, a name on each line")
    parser.add_argument("--engine", choices=["compiled", "eager"], default="compiled")
    parser.add_argument("--steps", type=count, default=1000, help="training steps (1000)")
    parser.add_argument("--batch", type=count, default=32, help="names in a step (32)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(argv)
    names = read(options.data)
    options.out.mkdir(parents=True, exist_ok=True)
    letters = sorted({letter for name in names for letter in name})
    stop, number = len(letters), {letter: i for i, letter in enumerate(letters)}
    random = Random(0)
    random.shuffle(names)
    sequences = [[stop, *(number[letter] for letter in name), stop] for name in names]
    held_out, train = sequences[: len(sequences) // 10], sequences[len(sequences) // 10 :]
    model = GPT(stop + 1)
    parameters = model.parameters()
    print(f"{len(names)} names of {len(letters)} letters; {len(parameters)} parameters")

    engine: Any = compile(model, parameters) if options.engine == "compiled" else Eager(model, parameters)
    optimizer = Adam(parameters, schedules.linear(0.01, 0.0, options.steps), betas=(0.85, 0.99))
    by_length = grouped(train)
    weights = [len(group) for group in by_length]
    losses, start = [], time.perf_counter()
    for _ in (bar := tqdm(range(options.steps), desc="steps", disable=options.quiet)):
        (group,) = random.choices(by_length, weights)  # names of one length are one array
        optimizer.zero_grad()
        losses.append(engine.backward(np.array(random.choices(group, k=options.batch))))
        optimizer.step()
        bar.set_postfix(loss=f"{np.mean(losses[-100:]):.3f}")
    seconds = time.perf_counter() - start
    print(f"{options.engine}: {options.steps} steps of {options.batch} names in {seconds:.1f} s")
    last = losses[-max(1, options.steps // 10) :]
    print(f"loss {losses[0]:.3f} -> {np.mean(last):.3f}; a letter at random has {np.log(stop + 1):.3f}")
    theta = [p.data for p in parameters]
    total = sum(len(group) * engine.value(theta, np.array(group)) for group in grouped(held_out[: 10 * options.batch]))
    print(f"held out: {total / len(held_out[: 10 * options.batch]):.3f}")

    made = [sample(model, letters, Random(seed)) for seed in range(20)]
    print("made up:", ", ".join(f"{name or '(none)'}{'*' * (name in names)}" for name in made), "(* is in the data)")
    model.save(options.out / "gpt.npz")
    picture(losses, made, set(names)).savefig(options.out / "gpt.png", dpi=150)
    print(f"wrote {options.out / 'gpt.npz'} and {options.out / 'gpt.png'}")


class Eager:
    """The same computation without the compiler: a graph for each name."""

    def __init__(self, function: Callable[[list[int]], Any], parameters: list[Value]) -> None:
        self.function, self.parameters = function, parameters

    def backward(self, names: Any) -> float:
        """Adds the gradient of the mean loss to the parameters; returns the loss."""
        loss = mean([self.function(name) for name in names.tolist()])
        loss.backward()
        return float(loss.data)

    def value(self, theta: Sequence[float], names: Any) -> float:
        """The mean loss, at the present numbers of the parameters."""
        with no_grad():
            return float(mean([self.function(name).data for name in names.tolist()]))


def count(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; give a whole number from 1")
    return int(text)


def read(path: Path | None) -> list[str]:
    """The names, each once, in small letters, those that fit the context."""
    if path is not None:
        try:
            lines: Iterable[str] = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SystemExit(f"--data {path}: {error}; give a text file in UTF-8, a name on each line") from None
    else:
        shipped = [files("names").joinpath(f"dist.{kind}.first") for kind in ("female", "male")]
        lines = (line.split()[0] for file in shipped for line in file.read_text().splitlines())
    names = sorted({line.strip().lower() for line in lines})
    fitting = [name for name in names if 0 < len(name) < CONTEXT]
    if len(fitting) < 20:
        found = f"{len(fitting)} different names of 1 to {CONTEXT - 1} letters"
        raise SystemExit(f"--data {path} holds {found}; give a file of 20 or more")
    return fitting


def grouped(sequences: Iterable[list[int]]) -> list[list[list[int]]]:
    """The sequences by length."""
    groups: dict[int, list[list[int]]] = {}
    for sequence in sequences:
        groups.setdefault(len(sequence), []).append(sequence)
    return list(groups.values())


def sample(model: GPT, letters: Sequence[str], random: Random, temperature: float = 0.6) -> str:
    """A name, letter by letter, each drawn from the softmax of the logits over `temperature`."""
    stop = token = len(letters)
    name, keys, values = "", [], []  # type: ignore[var-annotated]  # lists of Values
    with no_grad():
        while len(name) < CONTEXT - 1:
            logits = model.step(token, keys, values)
            weights = [p.data for p in softmax([z / temperature for z in logits])]
            (token,) = random.choices(range(stop + 1), weights)
            if token == stop:
                break
            name += letters[token]
    return name


def picture(losses: Sequence[float], made: Sequence[str], known: set[str]) -> Figure:
    """The loss of each step with its running mean, and the names; those in the data are gray."""
    figure = Figure(figsize=(9.0, 4.0), layout="constrained")
    axes, table = figure.subplots(1, 2, width_ratios=[2, 1])
    axes.plot(losses, color="#0072B2", alpha=0.25, linewidth=0.8)
    width = max(1, len(losses) // 20)
    smooth = np.convolve(losses, np.ones(width) / width, mode="valid")
    axes.plot(np.arange(len(smooth)) + width / 2, smooth, color="#0072B2")
    axes.set(xlabel="step", ylabel="mean cross-entropy of a letter", title="Training")
    axes.grid(alpha=0.3)
    table.axis("off")
    table.set_title("Made up (gray: in the data)")
    for i, name in enumerate(made):
        color = "0.6" if name in known else "black"
        table.text(0.05 + 0.5 * (i % 2), 0.95 - 0.095 * (i // 2), name, color=color, transform=table.transAxes)
    return figure


if __name__ == "__main__":
    main()
