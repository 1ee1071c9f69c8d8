"""The forward half of a program: the names, how operands are read, and the expression of each statement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..ops import ACTIVATIONS, ADD, DETACH, MUL, PRODUCT, SUM, Op
from .blocks import (
    PRODUCTS,
    Array,
    Block,
    Gather,
    Kind,
    Lowered,
    Operand,
    Statement,
    View,
    blocks_of,
    is_batched,
    shape_of,
)
from .code import Code, element, item, number, spelled_tuple, write


class Forward:
    """The statements of a program as lines, and the names and expressions that read them.

    `typed` is the last argument of calls that make arrays of another type than NumPy's own.  In a `careful` program
    every number is a NumPy one, because Python's floats raise where IEEE 754 has an answer.
    """

    def __init__(self, program: Lowered, dtype: str, careful: bool) -> None:
        self.program, self.careful, self.typed = program, careful, "" if dtype == "float64" else f", np.{dtype}"
        self.constants: dict[bytes, tuple[str, Array]] = {}
        self.parameters: dict[View, str] = {}  # the names of views of theta
        self.items: dict[View, str] = {}  # the names of single elements of theta and the inputs, as Python floats
        self.names: dict[Block, str] = {program.parameters: "theta", **{block: block.name for block in program.inputs}}
        self.counters: Counter[str] = Counter()
        self.inline: dict[Block, Code] = {}  # the matrix products that are written where they are added
        self.shown: list[Statement] = []  # the statements that have a line
        products = [statement for statement in program.statements if statement.kind in PRODUCTS]
        self.weights = {x for statement in products for x in statement.operands if isinstance(x, View)}
        read = [*(operand for statement in program.statements for operand in statement.operands), program.output]
        self.uses = Counter(block for operand in read for block in blocks_of(operand))

    def lines(self) -> list[str]:
        """A line for each statement, in order.

        A matrix product whose only use is an addition does not get its own line, and a detached array keeps its name.
        """
        lines = []
        added = {
            x.block
            for statement in self.program.statements
            for x in statement.operands
            if statement.kind is ADD and isinstance(x, View) and x.is_whole and x.shape == statement.result.shape
        }
        for statement in self.program.statements:
            code, block = self.expression(statement), statement.result
            if statement.kind is Kind.MATMUL and self.uses[block] == 1 and block in added:
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

    def read_names(self) -> list[str]:
        """The lines that give names to views of theta, and to single elements of theta and the inputs."""
        views = [f"{name} = {element('theta', view)}" for view, name in self.parameters.items()]
        return views + [f"{name} = {item(self.names[view.block], view)}" for view, name in self.items.items()]

    def _name(self, statement: Statement) -> str:
        """A new name: z if there is a matrix product in it, a for an activation, v for anything else."""
        inlined = any(isinstance(x, View) and x.block in self.inline for x in statement.operands)
        has_product = inlined or statement.kind is Kind.MATMUL
        letter = "z" if has_product else "a" if statement.kind in ACTIVATIONS else "v"
        return f"{letter}{self.next(letter)}"

    def next(self, kind: str) -> int:
        """The next number for names of this kind."""
        self.counters[kind] += 1
        return self.counters[kind]

    # ---- Reading ----

    def constant(self, values: Array) -> str:
        """The name of an array of constants; arrays that are equal bit for bit have one name."""
        key = repr((values.shape, values.dtype.kind)).encode() + values.tobytes()
        if key not in self.constants:
            self.constants[key] = f"{'i' if values.dtype.kind == 'i' else 'c'}{self.next('constant')}", values
        return self.constants[key][0]

    def is_float(self, block: Block) -> bool:
        """Whether it is a Python float; a careful program has none."""
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
        """The expression for a single number, as a Python float unless the program is careful."""
        if self.careful or isinstance(operand, float):
            return self.read(operand)
        assert isinstance(operand, View), "a single number is an element of a block, or a constant"
        block = operand.block
        if block in self.inline:
            return self.inline[block]
        if not block.shape:
            return Code(self.names[block], scalar=True)
        if block is self.program.parameters or block in self.program.inputs:
            if operand not in self.items:
                letter = "w" if block is self.program.parameters else "u"
                self.items[operand] = f"{letter}{self.next(letter)}"
            return Code(self.items[operand], scalar=True)
        return Code(item(self.names[block], operand), scalar=True)

    def _gathered(self, gather: Gather) -> str:
        """The elements that a gather takes from its parts, laid end to end; neighboring scalars make one array."""
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
        axis = ", axis=1" if batched else ""
        joined = flat[0] if len(flat) == 1 else f"np.concatenate([{', '.join(flat)}]{axis})"
        return f"{joined}.take({self.constant(gather.index)}{axis})"

    def _flat(self, block: Block, batched: bool) -> str:
        """A block as a vector or, if `batched`, as one for each row of the batch."""
        name = self.names[block]
        if block.batched:
            return name if len(block.shape) == 1 else f"{name}.reshape(n, -1)"
        return self._repeated(name if len(block.shape) == 1 else f"{name}.ravel()", block.size, batched)

    def _repeated(self, text: str, size: int, batched: bool) -> str:
        return f"np.broadcast_to({text}, (n, {size}))" if batched else text

    @staticmethod
    def shape(shape: tuple[int, ...], batched: bool) -> str:
        """A shape as source.

        >>> Forward.shape((3,), True), Forward.shape((), True), Forward.shape((3, 2), False)
        ('(n, 3)', '(n,)', '(3, 2)')
        """
        return spelled_tuple([*(["n"] if batched else []), *map(str, shape)])

    def full(self, operand: Operand) -> Code:
        """The expression for an operand in its full shape, even where it repeats an element."""
        code = self.read(operand)
        if isinstance(code, float):
            return number(code)
        if isinstance(operand, View) and operand.repeated:
            return Code(f"np.broadcast_to({code.text}, {self.shape(operand.shape, operand.block.batched)})")
        return code

    def _parameter(self, view: View) -> str:
        """The name of a view of theta: W for a matrix, w for a vector in products, b for any other."""
        core = view.core
        if core.is_whole:
            name = "theta"
        else:
            if core not in self.parameters:
                letter = "W" if len(core.shape) > 1 else "w" if view in self.weights else "b"
                self.parameters[core] = f"{letter}{self.next(letter)}"
            name = self.parameters[core]
        return f"{name}[:, None]" if view.repeated and view.repeated[-1] == len(view.shape) - 1 else name

    # ---- Expressions ----

    def expression(self, statement: Statement) -> Code:
        """The right side of a statement."""
        if statement.result.scalar:
            return self._of_numbers(statement)
        if isinstance(statement.kind, Op):
            return write(statement.kind, [self.read(x) for x in statement.operands])
        texts = [self.full(x).text for x in statement.operands]
        if statement.kind in PRODUCTS:
            return product(texts, axes_of(statement))
        if statement.kind is Kind.TAKE:
            return Code(f"{texts[0]}[{self.index(statement, shape_of(statement.operands[0])[0])}]")
        if statement.kind is Kind.PICK:
            choices = statement.operands[0]
            if statement.result.batched and not is_batched(choices):
                texts[0] = f"np.broadcast_to({texts[0]}, {self.shape(shape_of(choices), True)})"
            i = self.index(statement, shape_of(choices)[-1])
            return Code(f"np.take_along_axis({texts[0]}, {i}[..., None], axis=-1)[..., 0]")
        if statement.kind is Kind.MAX:
            return Code(f"{texts[0]}.max(axis=-1)")
        summed = [
            f"{text}.sum(axis=-1)" if len(shape_of(x)) > len(statement.result.shape) else text
            for x, text in zip(statement.operands, texts)
        ]
        return Code(" + ".join(summed), SUM)

    def index(self, statement: Statement, count: int) -> str:
        """The expression for the indexes of a selection, which are checked when it runs."""
        operand = statement.operands[1]
        text = self.full(operand).text
        if statement.kind is Kind.PICK and statement.result.batched and not is_batched(operand):
            text = f"np.broadcast_to({text}, {self.shape(shape_of(operand), True)})"
        return f"index({text}, {count})"

    def _of_numbers(self, statement: Statement) -> Code:
        codes = [self.read_item(x) for x in statement.operands]
        if isinstance(statement.kind, Op):
            return write(statement.kind, codes)
        terms = codes if statement.kind is Kind.SUM else [write(MUL, pair) for pair in zip(codes[::2], codes[1::2])]
        total = terms[0]
        for term in terms[1:]:
            total = write(ADD, [total, term])
        assert isinstance(total, Code), "a sum of constants is a constant"
        return total


def axes_of(statement: Statement) -> tuple[str, str, str]:
    """The axes of both operands of a product, and of its result.

    They are b for the batch, r and l for the rows of the first and the second operand, and k, which is summed over.
    """
    rows, columns = statement.operands
    b = ["b" if is_batched(x) else "" for x in statement.operands]
    if statement.kind is Kind.DOTS:
        return f"{b[0]}rk", f"{b[1]}rk", f"{max(b)}r"
    r, c = ("r" if len(shape_of(rows)) == 2 else ""), ("l" if len(shape_of(columns)) == 2 else "")
    return f"{b[0]}{r}k", f"{b[1]}{c}k", f"{max(b)}{r}{c}"


_PRODUCTS = {
    ("k", "k", ""): ("{x}", "@", "{y}"), ("rk", "k", "r"): ("{x}", "@", "{y}"), ("k", "lk", "l"): ("{y}", "@", "{x}"),
    ("rk", "lk", "rl"): ("{x}", "@", "{y}.T"),
    ("bk", "k", "b"): ("{x}", "@", "{y}"), ("bk", "lk", "bl"): ("{x}", "@", "{y}.T"),
    ("brk", "k", "br"): ("{x}", "@", "{y}"), ("brk", "lk", "brl"): ("{x}", "@", "{y}.T"),
    ("brk", "blk", "brl"): ("{x}", "@", "{y}.swapaxes(1, 2)"), ("bk", "bk", "b"): ("{x}", "dot", "{y}"),
    # The backward pass has these; the first operand is the gradient of the result.
    ("", "k", "k"): ("{x}", "*", "{y}"), ("r", "k", "rk"): ("{x}[:, None]", "*", "{y}"),
    ("r", "rk", "k"): ("{x}", "@", "{y}"), ("l", "lk", "k"): ("{x}", "@", "{y}"),
    ("l", "k", "lk"): ("{x}[:, None]", "*", "{y}"), ("r", "rk", "rk"): ("{x}[:, None]", "*", "{y}"),
    ("rl", "lk", "rk"): ("{x}", "@", "{y}"), ("rl", "rk", "lk"): ("{x}.T", "@", "{y}"),
    ("b", "k", "bk"): ("{x}[:, None]", "*", "{y}"), ("b", "bk", "k"): ("{x}", "@", "{y}"),
    ("b", "bk", "bk"): ("{x}[:, None]", "*", "{y}"), ("bl", "lk", "bk"): ("{x}", "@", "{y}"),
    ("bl", "bk", "lk"): ("{x}.T", "@", "{y}"), ("br", "brk", "brk"): ("{x}[..., None]", "*", "{y}"),
    ("brl", "lk", "brk"): ("{x}", "@", "{y}"), ("brl", "brk", "lk"): ("{x}", "outer", "{y}"),
    ("brl", "blk", "brk"): ("{x}", "@", "{y}"), ("brl", "brk", "blk"): ("{x}.swapaxes(1, 2)", "@", "{y}"),
}  # fmt: skip
"""Products by their axes: an operator between the operands x and y; `product` leaves all others to einsum."""

_OPERATORS = {"@": "{} @ {}", "*": "{} * {}", "outer": "outer({}, {})", "dot": "({} * {}).sum(axis=-1)"}
_CAREFUL_OPERATORS = {"@": "product({}, {})", "*": "times({}, {})"}
"""The same for careful programs, where zeros in the left operand win over infinity.  They have no batch."""


def product(texts: Sequence[str], axes: tuple[str, str, str], careful: bool = False) -> Code:
    """A product in NumPy; if `careful`, zeros in the first operand win.

    >>> product(["a1", "W2"], ("bk", "lk", "bl")).text, product(["dz2", "W2"], ("bl", "lk", "bk")).text
    ('a1 @ W2.T', 'dz2 @ W2')
    >>> product(["dz2", "W2"], ("l", "lk", "k"), careful=True).text
    'product(dz2, W2)'
    """
    x, y = texts
    if axes not in _PRODUCTS:
        return Code(f"np.einsum('{axes[0]},{axes[1]}->{axes[2]}', {x}, {y})")
    left, operator, right = _PRODUCTS[axes]
    left, right = left.format(x=x, y=y), right.format(x=x, y=y)
    if careful:
        return Code(_CAREFUL_OPERATORS[operator].format(left, right))
    return Code(_OPERATORS[operator].format(left, right), PRODUCT)
