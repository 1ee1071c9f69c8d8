"""Pass 6: statements become NumPy source that stands by itself.

The expressions come from running the rows of the table, and their partials, on `Code`: no derivative is written here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from ..formula import ACTIVATIONS
from ..notation import counted
from ..ops import (
    ADD,
    CALL,
    DETACH,
    DIV,
    MUL,
    NEG,
    POW,
    POWER,
    PRODUCT,
    SIGNED,
    STEP,
    SUB,
    SUM,
    WHERE,
    Op,
    Operators,
    as_float,
)
from .lower import Block, Gather, Lowered, Operand, Statement, View, blocks_of

_INFIX = {
    ADD: ("{} + {}", SUM, (SUM, SIGNED + 1)),
    SUB: ("{} - {}", SUM, (SUM, SIGNED + 1)),
    MUL: ("{} * {}", PRODUCT, (PRODUCT, PRODUCT + 1)),
    DIV: ("{} / {}", PRODUCT, (PRODUCT, PRODUCT + 1)),
    NEG: ("-{}", SIGNED, (PRODUCT,)),
    POW: ("{}**{}", POWER, (CALL, CALL)),
}
"""Operators of Python: how they are written, how tightly they bind, and how tightly their operands must."""

_NUMPY = {
    name: f"np.{name}"
    for name in ("abs", "sign", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan", "arctan", "sinh", "cosh",
                 "tanh", "where")
}  # fmt: skip

HELPERS = {
    "sigmoid": "e = np.exp(-np.abs(x))\nreturn np.where(x < 0.0, e, 1.0) / (1.0 + e)",
    "softplus": "return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))",
    "step": "return np.where(x > 0.0, 1.0, 0.0)",
    "relu": "return np.maximum(x, 0.0) + 0.0  # never -0.0",
    "maximum": "return np.where((x >= y) | np.isnan(x), x, y)",
    "minimum": "return np.where((x <= y) | np.isnan(x), x, y)",
    "times": "return np.where(x == 0.0, 0.0, x * y)  # a zero adjoint wins, also over infinity",
    "gated": "return np.where((x == 0.0) | (y == 0.0), 0.0, x * y)",
    "product": "return times(x[..., None], y).sum(axis=-2)  # x @ y, in which zeros of x win",
}
"""What NumPy has no function for, or one that differs at special values."""


class Code(Operators):
    """A NumPy expression; calling a row of the table on it gives another."""

    def __init__(self, text: str, binds: int = CALL, op: Op | None = None, operands: Sequence[Any] = ()) -> None:
        self.text, self.binds, self.op, self.operands = text, binds, op, operands

    @staticmethod
    def __record__(op: Op, operands: Sequence[Any]) -> Any:
        """``op(*operands)`` in a partial; factors of 1 and decided conditions, which only partials have, go."""
        if op is WHERE and not isinstance(operands[0], Code):
            return operands[1] if operands[0] else operands[2]
        if op is POW and not isinstance(operands[1], Code) and operands[1] == 1.0:
            return operands[0]
        if op is MUL:
            for x, y in (operands, operands[::-1]):
                if not isinstance(x, Code) and abs(x) == 1.0:
                    return y if x > 0.0 else NEG(y)
        return write(op, operands)


def write(op: Op, operands: Sequence[Any]) -> Code:
    """``op(*operands)`` as NumPy.

    >>> write(MUL, [write(ADD, [Code("x"), 1.0]), Code("y")]).text
    '(x + 1.0) * y'
    """
    codes = [x if isinstance(x, Code) else number(as_float(x)) for x in operands]
    if op is DETACH:
        return codes[0]
    if op not in _INFIX:
        return Code(f"{_NUMPY.get(op.name, op.name)}({', '.join(code.text for code in codes)})", CALL, op, codes)
    template, binds, places = _INFIX[op]
    texts = [code.text if code.binds >= place else f"({code.text})" for code, place in zip(codes, places)]
    return Code(template.format(*texts), binds, op, codes)


def number(x: float) -> Code:
    """A constant."""
    text = repr(x).replace("inf", "np.inf").replace("nan", "np.nan")
    return Code(text, SIGNED if text.startswith("-") else CALL)


def emit(program: Lowered, careful: bool = False) -> str:
    """The source of ``value(theta, x)`` and ``value_and_grad(theta, x)``, of the first output, and of ``outputs``.

    With `careful`, zeros win over infinity in the products of the backward pass, as they do in the engine.
    """
    return _Emission(program, careful).source()


def listing(program: Lowered) -> str:
    """The forward statements, each with its shape and the number of scalar nodes that it stands for."""
    emission = _Emission(program, careful=False)
    lines = emission.forward()
    inlined = {s.result: s.nodes for s in program.statements if s.result in emission.inline}
    rows = []
    for line, statement in zip(lines, emission.shown):
        nodes = statement.nodes + sum(inlined.get(x, 0) for operand in statement.operands for x in blocks_of(operand))
        gathered = any(isinstance(x, Gather) for x in statement.operands)
        rows.append((line, f"{statement.result.shape}", counted(nodes, "node") + ", gathered" * gathered))
    widths = [min(60, max(map(len, column))) for column in zip(*rows)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    total = sum(statement.nodes for statement in program.statements)
    return "\n".join([*text, f"{counted(len(rows), 'statement')} for {counted(total, 'node')}"])


class _Emission:
    def __init__(self, program: Lowered, careful: bool) -> None:
        self.program, self.careful = program, careful
        self.batch = program.inputs.batched
        self.constants: dict[bytes, tuple[str, Any]] = {}
        self.parameters: dict[str, tuple[str, View]] = {}  # the named views of theta
        self.names: dict[Block, str] = {program.parameters: "theta", program.inputs: "x"}
        self.counters: Counter[str] = Counter()
        self.inline: dict[Block, Code] = {}
        self.shown: list[Statement] = []
        self.uses = Counter(
            operand.block
            for statement in program.statements
            for operand in statement.operands
            if isinstance(operand, View)
        )
        self.uses.update(
            part for statement in program.statements for operand in statement.operands if isinstance(operand, Gather)
            for part in operand.parts if isinstance(part, Block)
        )  # fmt: skip
        for operand in program.outputs:
            self.uses.update(part for part in blocks_of(operand))

    # ---- Reading ----

    def constant(self, values: Any) -> str:
        """The name of an array of constants."""
        key = repr((values.shape, values.dtype.kind)).encode() + values.tobytes()
        if key not in self.constants:
            self.constants[key] = f"{'i' if values.dtype.kind == 'i' else 'c'}{self._next('constant')}", values
        return self.constants[key][0]

    def _next(self, kind: str) -> int:
        self.counters[kind] += 1
        return self.counters[kind]

    def read(self, operand: Operand) -> Code | float:
        """The expression for an operand."""
        if isinstance(operand, float):
            return operand
        if isinstance(operand, View):
            if operand.is_whole and operand.block in self.inline:
                return self.inline[operand.block]
            if operand.block is self.program.parameters and any(
                n > 1 and step for n, step in zip(operand.shape, operand.strides)
            ):
                return Code(self._parameter(operand))
            return Code(self.element(self.names[operand.block], operand))
        if isinstance(operand, Gather):
            batched = any(block.batched for block in blocks_of(operand))
            flat = [
                self._flat(part, batched)
                if isinstance(part, Block)
                else self._repeated(self.constant(part), part.size, batched)
                for part in operand.parts
            ]
            axis = ", axis=1" if batched else ""
            joined = flat[0] if len(flat) == 1 else f"np.concatenate([{', '.join(flat)}]{axis})"
            return Code(f"{joined}[{':, ' if batched else ''}{self.constant(operand.index)}]")
        return Code(self.constant(operand))

    def _flat(self, block: Block, batched: bool) -> str:
        """A block as a vector, or as one for each row."""
        name = self.names[block]
        if block.batched:
            return name if len(block.shape) == 1 else f"{name}.reshape(n, -1)"
        return self._repeated(f"np.ravel({name})", block.size, batched)

    def _repeated(self, text: str, size: int, batched: bool) -> str:
        return f"np.broadcast_to({text}, (n, {size}))" if batched else text

    def element(self, name: str, view: View) -> str:
        """The expression for a view of a block, with or without a batch axis."""
        return batched_element(name, view) if view.block.batched else element(name, view)

    def shape(self, shape: tuple[int, ...], batched: bool) -> str:
        """A shape, written."""
        return f"({', '.join(['n', *map(str, shape)])}{',' if not shape else ''})" if batched else f"{shape}"

    def full(self, operand: Operand) -> Code:
        """The expression for an operand in all its length, also where it repeats an element."""
        code = self.read(operand)
        if isinstance(code, float):
            return Code(f"np.full({_shape(operand)}, {number(code).text})") if _shape(operand) else number(code)
        if isinstance(operand, View) and operand.repeated:
            return Code(f"np.broadcast_to({code.text}, {self.shape(operand.shape, operand.block.batched)})")
        return code

    def _parameter(self, view: View) -> str:
        """The name of a view of the parameters; W for matrices, b for vectors."""
        core = view.core
        text = element("theta", core)
        if text == "theta":
            name = text
        else:
            if text not in self.parameters:
                letter = "W" if len(core.shape) > 1 else "b"
                self.parameters[text] = f"{letter}{self._next(letter)}", core
            name, _ = self.parameters[text]
        return name + "[:, None]" if view.repeated and view.repeated[-1] == len(view.shape) - 1 else name

    # ---- Forward ----

    def forward(self) -> list[str]:
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
                self.inline[block], self.names[block] = code, f"p{self._next('p')}"
                continue
            self.names[block] = self._name(statement)
            lines.append(f"{self.names[block]} = {code.text}")
            self.shown.append(statement)
        return lines

    def _name(self, statement: Statement) -> str:
        inlined = any(isinstance(x, View) and x.block in self.inline for x in statement.operands)
        letter = "z" if inlined or statement.kind == "matmul" else "a" if statement.kind in ACTIVATIONS else "v"
        return f"{letter}{self._next(letter)}"

    def expression(self, statement: Statement) -> Code:
        """The right side of a statement."""
        if isinstance(statement.kind, Op):
            return write(statement.kind, [self.read(x) for x in statement.operands])
        texts = [self.full(x).text for x in statement.operands]
        product = statement.kind in ("matmul", "dots") and statement.result.batched
        if product and (statement.kind == "dots" or _is_batched(statement.operands[1])):
            return Code(_einsum(texts, _letters(statement)))
        if statement.kind == "matmul" and statement.result.batched and len(_shape(statement.operands[0])) == 1:
            return Code(f"{texts[0]} @ {texts[1]}{'.T' * (len(_shape(statement.operands[1])) - 1)}", PRODUCT)
        if statement.kind == "matmul":
            rows, columns = (len(_shape(x)) for x in statement.operands)
            if rows == 2 and columns == 2:
                return Code(f"{texts[0]} @ {texts[1]}.T", PRODUCT)
            return Code(f"{texts[1]} @ {texts[0]}" if columns == 2 else f"{texts[0]} @ {texts[1]}", PRODUCT)
        if statement.kind == "dots":
            return Code(f"np.einsum('ij,ij->i', {texts[0]}, {texts[1]})")
        if statement.kind == "max":
            return Code(f"{texts[0]}.max(axis=-1)")
        summed = [
            f"{text}.sum(axis=-1)" if len(_shape(x)) > len(statement.result.shape) else text
            for x, text in zip(statement.operands, texts)
        ]
        return Code(" + ".join(summed), SUM)

    # ---- Backward ----

    def backward(self) -> list[str]:
        """The chain rule, statement after statement from the last."""
        self.lines: list[str] = []
        self.started: set[Block] = set()
        self.gradient: dict[Block, str] = {}
        self.partial = self._partly_written()
        output = self.program.outputs[0]
        batched = _is_batched(output)
        self.contribute(output, Code("np.full(n, 1.0 / n)" if batched else "1.0"), (), batched=batched)
        for statement in reversed(self.program.statements):
            if statement.result in self.started:
                self._statement(statement)
        return self.lines

    def _partly_written(self) -> set[Block]:
        """The blocks to parts of whose gradients something is added: these must lie in memory row by row."""
        operands = [x for statement in self.program.statements for x in statement.operands]
        return {x.block for x in (*operands, *self.program.outputs) if isinstance(x, View) and not x.is_whole}

    def d(self, block: Block) -> str:
        """The name of the gradient of a block."""
        return self.gradient.get(block) or f"d{self.names[block]}"

    def _statement(self, statement: Statement) -> None:
        d, shape, batched = Code(self.d(statement.result)), statement.result.shape, statement.result.batched
        if isinstance(statement.kind, Op):
            codes = [self.read(x) for x in statement.operands]
            z = Code(self.names[statement.result])
            aliased = False
            for operand, partial in zip(statement.operands, statement.kind.partials):
                if partial is None or not _varies(operand):
                    continue
                slope = partial(z, *codes)
                if statement.kind.gate and not isinstance(slope, Code) and slope == 0.0:
                    continue
                code = self.times(d, slope, statement.kind.gate)
                alias = code is d and not aliased
                self.contribute(operand, code, shape, alias, batched)
                aliased |= alias
            return
        if statement.kind == "max":
            return  # it is only ever detached
        if statement.kind == "sum":
            for operand in statement.operands:
                longer = len(_shape(operand)) > len(shape)
                code = Code(f"{d.text}[..., None]") if longer and (shape or batched) else d
                self.contribute(operand, code, None if longer else shape, batched=batched)
            return
        rows, columns = statement.operands
        r, c = self.full(rows), self.full(columns)
        if batched:
            self._batched_product(statement, d, r, c)
            return
        if statement.kind == "dots":
            self.contribute(rows, self.times(Code(f"{d.text}[:, None]"), c, False), _shape(rows))
            self.contribute(columns, self.times(Code(f"{d.text}[:, None]"), r, False), _shape(rows))
            return
        nr, nc = len(_shape(rows)) == 2, len(_shape(columns)) == 2
        turned = Code(f"{d.text}.T")
        for operand, by, ours, other in ((rows, c, nr, nc), (columns, r, nc, nr)):
            if not _varies(operand):
                continue
            if other:  # summed over the other vectors
                self.contribute(operand, self.matmul(turned if ours and operand is columns else d, by), _shape(operand))
            elif ours:
                self.contribute(operand, self.times(Code(f"{d.text}[:, None]"), by, False), _shape(operand))
            else:
                self.contribute(operand, self.times(d, by, False), _shape(operand))

    def _batched_product(self, statement: Statement, d: Code, r: Code, c: Code) -> None:
        """The two products of a product's derivative; what is no parameter of a batch is summed over it on the way."""
        rows, columns = statement.operands
        left, right, out = _letters(statement)
        plain = statement.kind == "matmul" and len(left) == 2 and right in ("k", "lk") and left[0] == "b"
        for operand, letters, other, by in ((rows, left, right, c), (columns, right, left, r)):
            if not _varies(operand):
                continue
            if plain and operand is rows:
                text = f"{d.text} @ {by.text}" if right == "lk" else f"{d.text}[:, None] * {by.text}"
            elif plain:
                text = f"{d.text}.T @ {by.text}" if right == "lk" else f"{d.text} @ {by.text}"
            else:
                text = _einsum([d.text, by.text], (out, other, letters))
            self.contribute(operand, Code(text, PRODUCT), _shape(operand), batched=letters[0] == "b")

    def times(self, d: Code, partial: Any, gate: bool) -> Any:
        """d * partial; a comparison counts as the 0 or 1 that it is."""
        if self.careful and (isinstance(partial, Code) or not isfinite(partial)):
            slope = partial if isinstance(partial, Code) else number(partial)
            return Code(f"{'gated' if gate else 'times'}({d.text}, {slope.text})")
        if not isinstance(partial, Code) and partial == 1.0:
            return d
        if isinstance(partial, Code) and partial.op is STEP:
            partial = Code(f"({partial.operands[0].text} > 0.0)")
        return MUL(d, partial)

    def matmul(self, d: Code, by: Code) -> Code:
        """d @ by."""
        return Code(f"product({d.text}, {by.text})") if self.careful else Code(f"{d.text} @ {by.text}", PRODUCT)

    def contribute(
        self, operand: Operand, code: Any, shape: tuple[int, ...] | None, alias: bool = False, batched: bool = False
    ) -> None:
        """Adds an expression of this shape (None: one to be broadcast) to the gradient of an operand."""
        if not isinstance(code, Code):
            code = number(code)
        if isinstance(operand, View):
            if operand.block is not self.program.inputs:
                self._contribute_to_view(operand, code, shape, alias, batched)
        elif isinstance(operand, Gather):
            self._contribute_to_gather(operand, code, batched)

    def _contribute_to_view(
        self, view: View, code: Code, shape: tuple[int, ...] | None, alias: bool, batched: bool
    ) -> None:
        block = view.block
        first = view.is_whole and block not in self.started and block is not self.program.parameters
        if first and batched == block.batched:
            whole = self.shape(view.shape, batched)
            name = f"d{self.names[block]}"
            if alias:
                self.gradient[block] = code.text
            elif shape is None or shape != view.shape:
                full = f"np.full({whole}, {code.text})"
                self.lines.append(f"{name} = {f'np.broadcast_to({code.text}, {whole}).copy()' if batched else full}")
            elif block in self.partial and (block.shape or batched):
                self.lines.append(f"{name} = np.ascontiguousarray({code.text})")
            else:
                copy = (block.shape or batched) and code.text.isidentifier()
                self.lines.append(f"{name} = {code.text}{'.copy()' if copy else ''}")
            self.started.add(block)
            return
        axes = [axis + batched for axis in view.repeated]
        text = code.text
        if batched and not block.batched:
            axes.insert(0, 0)
        if axes:
            if shape != view.shape:
                text = f"np.broadcast_to({text}, {self.shape(view.shape, batched)})"
            elif code.binds < CALL:
                text = f"({text})"
            text += f".sum(axis={axes[0] if len(axes) == 1 else tuple(axes)})"
        core = view.core
        if not block.shape and not block.batched:  # numbers are not changed in place: two names may stand for one
            own = f"d{self.names[block]}"
            self.lines.append(f"{own} = {f'{self.d(block)} + ' if block in self.started else ''}{text}")
            self.gradient.pop(block, None)
            self.started.add(block)
            return
        self._start(block)
        if block is self.program.parameters:
            named = self.parameters.get(element("theta", core))
            target = f"d{named[0]}" if named else element("dtheta", core)
        else:
            target = self.element(self.d(block), core)
        self.lines.append(f"{target}{'' if target.isidentifier() or target.endswith(']') else '[...]'} += {text}")

    def _contribute_to_gather(self, gather: Gather, code: Code, summed: bool) -> None:
        parts = [part for part in gather.parts if isinstance(part, Block)]
        if not parts:
            return
        batched = any(part.batched for part in parts)
        sizes = [part.size for part in gather.parts]
        index, shape = self.constant(gather.index), gather.index.shape
        if batched:
            self.lines += [f"g = np.zeros((n, {sum(sizes)}))", f"np.add.at(g, (slice(None), {index}), {code.text})"]
        else:
            text = f"({code.text}).sum(axis=0)" if summed else code.text
            spread = f"np.broadcast_to({text}, {shape}).ravel()"
            self.lines.append(f"g = np.bincount({index}.ravel(), {spread}, {sum(sizes)})")
        start = 0
        for part, size in zip(gather.parts, sizes):
            if isinstance(part, Block) and part is not self.program.inputs:
                piece = f"g[{':, ' if batched else ''}{start}:{start + size}]"
                if batched and not part.batched:
                    piece += ".sum(axis=0)"
                if part.shape != (size,):
                    piece += f".reshape({self.shape(part.shape, part.batched)})"
                if not part.shape and not part.batched:
                    self._contribute_to_view(
                        View(part, 0, (), ()), Code(f"g[{start}]" if not batched else piece), (), False, False
                    )
                elif part not in self.started and part is not self.program.parameters:
                    self.lines.append(f"d{self.names[part]} = {piece}")
                    self.started.add(part)
                else:
                    self._start(part)
                    self.lines.append(f"{self.d(part)} += {piece}")
            start += size

    def _start(self, block: Block) -> None:
        if block not in self.started:
            self.started.add(block)
            if block is not self.program.parameters:
                self.lines.append(f"d{self.names[block]} = np.zeros({self.shape(block.shape, block.batched)})")

    # ---- The whole ----

    def source(self) -> str:
        """The module."""
        forward = self.forward()
        first = self.read(self.program.outputs[0])
        value = first.text if isinstance(first, Code) else number(first).text
        outputs = ", ".join(
            x.text if isinstance(x, Code) else number(x).text for x in map(self.read, self.program.outputs)
        )
        backward = self.backward() if len(self.program.outputs) == 1 else []
        views = ["n = len(x)"] * self.batch + [f"{name} = {text}" for text, (name, _) in self.parameters.items()]
        slopes = [f"d{name} = {element('dtheta', core)}" for name, core in self.parameters.values()]
        result = value if self.batch else f"float({value})"
        parts = [_function("value", [*views, *forward, f"return {result}"])]
        parts.append(_function("outputs", [*views, *forward, f"return np.array([{outputs}])"]))
        if len(self.program.outputs) == 1:
            body = [*views, *forward, "", "dtheta = np.zeros_like(theta)", *slopes, *backward]
            parts.append(_function("value_and_grad", [*body, f"return {result}, dtheta"]))
        text = "\n\n\n".join(parts)
        helpers = [_helper(name) for name in HELPERS if f"{name}(" in text or (name == "times" and "product(" in text)]
        constants = [f"{name} = np.array({values.tolist()!r})".replace("inf", "np.inf").replace("nan", "np.nan")
                     for name, values in self.constants.values()]  # fmt: skip
        return (
            "\n\n\n".join(["import numpy as np", *(["\n".join(constants)] if constants else []), *helpers, text]) + "\n"
        )


def element(name: str, view: View) -> str:
    """The NumPy expression for a view of the block that is called `name`.

    >>> theta = Block("theta", (12,))
    >>> element("theta", View(theta, 0, (4, 1), (3, 3))), element("theta", View(theta, 3, (4,), (3,)))
    ('theta.reshape(3, 4)[:, 0:3]', 'theta[3:12:4]')
    """
    block = view.block
    if view.is_whole or not block.shape:
        return name
    flat = name if len(block.shape) == 1 else f"{name}.reshape(-1)"
    kept = [i for i in range(len(view.shape)) if i not in view.repeated and view.shape[i] > 1]
    if not kept:
        place = np.unravel_index(view.offset, block.shape)
        return f"{name}[{', '.join(str(int(i)) for i in place)}]"
    if len(kept) == 1:
        axis = kept[0]
        picked = _slice(view.offset, view.strides[axis], view.shape[axis])
        text = flat if picked == f"0:{block.size}" else f"{flat}[{picked}]"
        return text + "[:, None]" if len(view.shape) == 2 and axis == 0 else text
    (rows, columns), (down, right) = view.shape, view.strides
    if down < right:
        return element(name, View(block, view.offset, (right, down), (columns, rows))) + ".T"
    within = view.pitch(rows, columns, down)
    assert within is not None, "a view that is no slice"
    first = view.offset - within
    if block.shape[1:] == (down,):
        return f"{name}[{first // down}:{first // down + rows}, {within}:{within + columns}]"
    text = f"{flat}[{first}:{first + rows * down}]" if rows * down < block.size else flat
    text = f"{text}.reshape({rows}, {down})"
    return text if columns == down else f"{text}[:, {within}:{within + columns}]"


def _slice(offset: int, step: int, count: int) -> str:
    """The slice for `count` elements from `offset`, `step` apart.

    >>> _slice(2, 1, 3), _slice(0, 4, 3), _slice(5, -1, 3), _slice(2, -1, 3)
    ('2:5', '0:9:4', '5:2:-1', '2::-1')
    """
    last = offset + step * (count - 1)
    if step > 0:
        return f"{offset}:{last + 1}{f':{step}' if step > 1 else ''}"
    return f"{offset}:{last - 1 if last else ''}:{step}"


def batched_element(name: str, view: View) -> str:
    """The same for a block with a batch axis; all axes are there, those along which it repeats with length 1.

    >>> x = Block("x", (12,), batched=True)
    >>> batched_element("x", View(x, 0, (4, 1), (3, 3))), batched_element("x", View(x, 3, (0,), (5,)))
    ('x.reshape(n, 3, 4)[:, :, 0:3]', 'x[:, 3][:, None]')
    """
    block = view.block
    if view.is_whole:
        return name
    kept = [i for i in range(len(view.shape)) if i not in view.repeated and view.shape[i] > 1]
    flat = name if len(block.shape) == 1 else f"{name}.reshape(n, -1)"
    if not kept:
        place = [str(int(i)) for i in np.unravel_index(view.offset, block.shape)] if block.shape else []
        text = f"{name}[{', '.join([':', *place])}]" if place else name
    elif len(kept) == 1:
        picked = _slice(view.offset, view.strides[kept[0]], view.shape[kept[0]])
        text = flat if picked == f"0:{block.size}" else f"{flat}[:, {picked}]"
    else:
        (rows, columns), (down, right) = view.shape, view.strides
        if down < right:
            turned = View(block, view.offset, (right, down), (columns, rows))
            return f"{batched_element(name, turned)}.swapaxes(1, 2)"
        within = view.pitch(rows, columns, down)
        assert within is not None, "a view that is no slice"
        first = view.offset - within
        if block.shape[1:] == (down,):
            return f"{name}[:, {first // down}:{first // down + rows}, {within}:{within + columns}]"
        text = flat if rows * down == block.size else f"{flat}[:, {first}:{first + rows * down}]"
        text = f"{text}.reshape(n, {rows}, {down})"
        return text if columns == down else f"{text}[:, :, {within}:{within + columns}]"
    if len(kept) < len(view.shape):
        text += f"[{', '.join([':', *(':' if i in kept else 'None' for i in range(len(view.shape)))])}]"
    return text


def _is_batched(operand: Operand) -> bool:
    return any(block.batched for block in blocks_of(operand))


def _letters(statement: Statement) -> tuple[str, str, str]:
    """The axes of both operands of a product and of its result, as einsum has them."""
    rows, columns = statement.operands
    b = ["b" if _is_batched(x) else "" for x in statement.operands]
    if statement.kind == "dots":
        return f"{b[0]}ik", f"{b[1]}ik", "bi"
    r, c = ("r" if len(_shape(rows)) == 2 else ""), ("l" if len(_shape(columns)) == 2 else "")
    return f"{b[0]}{r}k", f"{b[1]}{c}k", f"b{r}{c}"


def _einsum(texts: Sequence[str], letters: tuple[str, str, str]) -> str:
    if letters == ("bk", "bk", "b"):
        return f"({texts[0]} * {texts[1]}).sum(axis=-1)"
    if letters == ("b", "bk", "bk"):
        return f"{texts[0]}[:, None] * {texts[1]}"
    return f"np.einsum('{letters[0]},{letters[1]}->{letters[2]}', {texts[0]}, {texts[1]}, optimize=True)"


def _function(name: str, lines: list[str]) -> str:
    return "\n".join([f"def {name}(theta, x=()):", *(f"    {line}" if line else "" for line in lines)])


def _helper(name: str) -> str:
    arguments = "x, y" if name in ("maximum", "minimum", "times", "gated", "product") else "x"
    return "\n".join([f"def {name}({arguments}):", *(f"    {line}" for line in HELPERS[name].split("\n"))])


def _shape(operand: Operand) -> tuple[int, ...]:
    if isinstance(operand, Gather):
        return tuple(operand.index.shape)
    return () if isinstance(operand, float) else operand.shape


def _varies(operand: Operand) -> bool:
    return bool(blocks_of(operand))
