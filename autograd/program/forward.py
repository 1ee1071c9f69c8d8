"""The forward half of a program: names, reading, and the expression of each statement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..ops import ACTIVATIONS, ADD, DETACH, MUL, PRODUCT, SUM, Op
from .blocks import Array, Block, Gather, Lowered, Operand, Statement, View, blocks_of, is_batched, shape_of
from .code import Code, element, number, write


class Forward:
    """The statements of a program as lines, and the names and expressions by which they are read."""

    def __init__(self, program: Lowered, dtype: str, careful: bool) -> None:
        self.program, self.careful, self.typed = program, careful, "" if dtype == "float64" else f", np.{dtype}"
        self.constants: dict[bytes, tuple[str, Array]] = {}
        self.parameters: dict[str, tuple[str, View]] = {}  # the named views of theta
        self.items: dict[str, str] = {}  # the named elements of theta and the inputs, as Python floats
        self.names: dict[Block, str] = {program.parameters: "theta", **{block: block.name for block in program.inputs}}
        self.counters: Counter[str] = Counter()
        self.inline: dict[Block, Code] = {}
        self.shown: list[Statement] = []
        self.weights = {
            operand
            for statement in program.statements
            for operand in statement.operands
            if statement.kind in ("matmul", "dots") and isinstance(operand, View)
        }
        read = [operand for statement in program.statements for operand in statement.operands] + program.outputs
        self.uses = Counter(block for operand in read for block in blocks_of(operand))

    def lines(self) -> list[str]:
        """A line for each statement; matrix products to which something is added are written in one."""
        lines = []
        added = {
            x.block
            for statement in self.program.statements
            for x in statement.operands
            if statement.kind is ADD and isinstance(x, View) and x.is_whole and x.shape == statement.result.shape
        }
        for statement in self.program.statements:
            code, block = self.expression(statement), statement.result
            if statement.kind == "matmul" and self.uses[block] == 1 and block in added:
                self.inline[block], self.names[block] = code, f"p{self.next('p')}"
                continue
            operand = statement.operands[0]
            if statement.kind is DETACH and isinstance(operand, View) and operand.is_whole:
                self.names[block] = self.names[operand.block]
                continue
            self.names[block] = self._name(statement)
            lines.append(f"{self.names[block]} = {code.text}")
            self.shown.append(statement)
        return lines

    def _name(self, statement: Statement) -> str:
        inlined = any(isinstance(x, View) and x.block in self.inline for x in statement.operands)
        letter = "z" if inlined or statement.kind == "matmul" else "a" if statement.kind in ACTIVATIONS else "v"
        return f"{letter}{self.next(letter)}"

    def next(self, kind: str) -> int:
        """A new number for names of this kind."""
        self.counters[kind] += 1
        return self.counters[kind]

    # ---- Reading ----

    def constant(self, values: Array) -> str:
        """The name of an array of constants."""
        key = repr((values.shape, values.dtype.kind)).encode() + values.tobytes()
        if key not in self.constants:
            self.constants[key] = f"{'i' if values.dtype.kind == 'i' else 'c'}{self.next('constant')}", values
        return self.constants[key][0]

    def is_float(self, block: Block) -> bool:
        """Whether it is a Python float: nothing is, in a careful program, where floats would raise."""
        return block.scalar and not self.careful

    def read(self, operand: Operand) -> Code | float:
        """The expression for an operand."""
        if isinstance(operand, float):
            return operand
        if isinstance(operand, View):
            if operand.is_whole and operand.block in self.inline:
                return self.inline[operand.block]
            if operand.block is self.program.parameters and any(operand.strides):
                return Code(self._parameter(operand))
            return Code(element(self.names[operand.block], operand), scalar=self.is_float(operand.block))
        if isinstance(operand, Gather):
            return Code(self._gathered(operand))
        return Code(self.constant(operand))

    def read_item(self, operand: Operand) -> Code | float:
        """The expression for one number, a Python float unless the program is careful."""
        if self.careful or isinstance(operand, float):
            return self.read(operand)
        assert isinstance(operand, View), "a number is one of a block, or a constant"
        block = operand.block
        if block in self.inline:
            return self.inline[block]
        name = self.names[block]
        if not block.shape:
            return Code(name, scalar=True)
        text = f"{name}.item({', '.join(str(int(i)) for i in np.unravel_index(operand.offset, block.shape))})"
        if block is self.program.parameters or block in self.program.inputs:
            if text not in self.items:
                letter = "w" if block is self.program.parameters else "u"
                self.items[text] = f"{letter}{self.next(letter)}"
            text = self.items[text]
        return Code(text, scalar=True)

    def _gathered(self, gather: Gather) -> str:
        """The elements of a gather, picked from its parts laid end to end; scalars are first made arrays."""
        batched = is_batched(gather)
        flat: list[str] = []
        scalars: list[str] = []
        for part in (*gather.parts, None):
            if isinstance(part, Block) and not part.shape and not part.batched:
                scalars.append(self.names[part])
                continue
            if scalars:
                flat.append(self._repeated(f"np.array([{', '.join(scalars)}]{self.typed})", len(scalars), batched))
                scalars = []
            if isinstance(part, Block):
                flat.append(self._flat(part, batched))
            elif part is not None:
                flat.append(self._repeated(self.constant(part), part.size, batched))
        joined = flat[0] if len(flat) == 1 else f"np.concatenate([{', '.join(flat)}]{', axis=1' * batched})"
        return f"{joined}.take({self.constant(gather.index)}{', axis=1' * batched})"

    def _flat(self, block: Block, batched: bool) -> str:
        """A block as a vector, or as one for each row."""
        name = self.names[block]
        if block.batched:
            return name if len(block.shape) == 1 else f"{name}.reshape(n, -1)"
        return self._repeated(name if len(block.shape) == 1 else f"{name}.ravel()", block.size, batched)

    def _repeated(self, text: str, size: int, batched: bool) -> str:
        return f"np.broadcast_to({text}, (n, {size}))" if batched else text

    def shape(self, shape: tuple[int, ...], batched: bool) -> str:
        """A shape, written."""
        return str(("n", *shape)).replace("'", "") if batched else str(shape)

    def full(self, operand: Operand) -> Code:
        """The expression for an operand in all its length, also where it repeats an element."""
        code = self.read(operand)
        if isinstance(code, float):
            return number(code)
        if isinstance(operand, View) and operand.repeated:
            return Code(f"np.broadcast_to({code.text}, {self.shape(operand.shape, operand.block.batched)})")
        return code

    def _parameter(self, view: View) -> str:
        """The name of a view of the parameters; W for matrices, w for vectors in products, b for others."""
        core = view.core
        text = element("theta", core)
        if text == "theta":
            name = text
        else:
            if text not in self.parameters:
                letter = "W" if len(core.shape) > 1 else "w" if view in self.weights else "b"
                self.parameters[text] = f"{letter}{self.next(letter)}", core
            name, _ = self.parameters[text]
        return name + "[:, None]" if view.repeated and view.repeated[-1] == len(view.shape) - 1 else name

    # ---- Expressions ----

    def expression(self, statement: Statement) -> Code:
        """The right side of a statement."""
        if statement.result.scalar:
            return self._of_numbers(statement)
        if isinstance(statement.kind, Op):
            return write(statement.kind, [self.read(x) for x in statement.operands])
        texts = [self.full(x).text for x in statement.operands]
        if statement.kind in ("matmul", "dots"):
            return product(texts, axes_of(statement))
        if statement.kind == "take":
            return Code(f"{texts[0]}[{self.index(statement, shape_of(statement.operands[0])[0])}]")
        if statement.kind == "pick":
            choices = statement.operands[0]
            if statement.result.batched and not is_batched(choices):
                texts[0] = f"np.broadcast_to({texts[0]}, {self.shape(shape_of(choices), True)})"
            i = self.index(statement, shape_of(choices)[-1])
            return Code(f"np.take_along_axis({texts[0]}, {i}[..., None], axis=-1)[..., 0]")
        if statement.kind == "max":
            return Code(f"{texts[0]}.max(axis=-1)")
        summed = [
            f"{text}.sum(axis=-1)" if len(shape_of(x)) > len(statement.result.shape) else text
            for x, text in zip(statement.operands, texts)
        ]
        return Code(" + ".join(summed), SUM)

    def index(self, statement: Statement, count: int) -> str:
        """The indexes of a selection, checked."""
        operand = statement.operands[1]
        text = self.full(operand).text
        if statement.kind == "pick" and statement.result.batched and not is_batched(operand):
            text = f"np.broadcast_to({text}, {self.shape(shape_of(operand), True)})"
        return f"index({text}, {count})"

    def _of_numbers(self, statement: Statement) -> Code:
        codes = [self.read_item(x) for x in statement.operands]
        if isinstance(statement.kind, Op):
            return write(statement.kind, codes)
        terms = codes if statement.kind == "sum" else [write(MUL, pair) for pair in zip(codes[::2], codes[1::2])]
        total = terms[0]
        for term in terms[1:]:
            total = write(ADD, [total, term])
        assert isinstance(total, Code), "a sum of constants is one"
        return total


def axes_of(statement: Statement) -> tuple[str, str, str]:
    """The axes of both operands of a product and of its result: b for a batch, r and l for rows, k is summed over."""
    rows, columns = statement.operands
    b = ["b" if is_batched(x) else "" for x in statement.operands]
    if statement.kind == "dots":
        return f"{b[0]}rk", f"{b[1]}rk", f"{max(b)}r"
    r, c = ("r" if len(shape_of(rows)) == 2 else ""), ("l" if len(shape_of(columns)) == 2 else "")
    return f"{b[0]}{r}k", f"{b[1]}{c}k", f"{max(b)}{r}{c}"


_PRODUCTS = {
    ("k", "k", ""): "{} @ {}", ("rk", "k", "r"): "{} @ {}", ("k", "lk", "l"): "{1} @ {0}",
    ("rk", "lk", "rl"): "{} @ {}.T",
    ("bk", "k", "b"): "{} @ {}", ("bk", "lk", "bl"): "{} @ {}.T", ("brk", "k", "br"): "{} @ {}",
    ("brk", "lk", "brl"): "{} @ {}.T", ("brk", "blk", "brl"): "{} @ {}.swapaxes(1, 2)",
    ("bk", "bk", "b"): "({} * {}).sum(axis=-1)",
    # And those of the backward pass, in which the first is the slope of the result.
    ("", "k", "k"): "{} * {}", ("r", "k", "rk"): "{}[:, None] * {}", ("r", "rk", "k"): "{} @ {}",
    ("l", "lk", "k"): "{} @ {}", ("l", "k", "lk"): "{}[:, None] * {}", ("r", "rk", "rk"): "{}[:, None] * {}",
    ("rl", "lk", "rk"): "{} @ {}", ("rl", "rk", "lk"): "{}.T @ {}",
    ("b", "k", "bk"): "{}[:, None] * {}", ("b", "bk", "k"): "{} @ {}", ("b", "bk", "bk"): "{}[:, None] * {}",
    ("bl", "lk", "bk"): "{} @ {}", ("bl", "bk", "lk"): "{}.T @ {}",
    ("br", "brk", "brk"): "{}[..., None] * {}", ("brl", "lk", "brk"): "{} @ {}", ("brl", "brk", "lk"): "outer({}, {})",
    ("brl", "blk", "brk"): "{} @ {}", ("brl", "brk", "blk"): "{}.swapaxes(1, 2) @ {}",
}  # fmt: skip
"""Products by their axes; what is not here is left to einsum."""


def product(texts: Sequence[str], axes: tuple[str, str, str], careful: bool = False) -> Code:
    """A product as NumPy; a `careful` one, in which zeros of the first operand win, has no batch.

    >>> product(["a1", "W2"], ("bk", "lk", "bl")).text, product(["dz2", "W2"], ("bl", "lk", "bk")).text
    ('a1 @ W2.T', 'dz2 @ W2')
    >>> product(["dz2", "W2"], ("l", "lk", "k"), careful=True).text
    'product(dz2, W2)'
    """
    if axes not in _PRODUCTS:
        return Code(f"np.einsum('{axes[0]},{axes[1]}->{axes[2]}', {texts[0]}, {texts[1]})")
    template = _PRODUCTS[axes]
    if careful:
        name, sign = ("product", " @ ") if " @ " in template else ("times", " * ")
        x, _, y = template.partition(sign)
        return Code(f"{name}({x.format(texts[0])}, {y.format(texts[1])})")
    return Code(template.format(*texts), PRODUCT)
