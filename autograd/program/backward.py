"""The chain rule on statements: the second half of `value_and_grad`."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from ..ops import CALL, FLAT, MUL, STEP, Op
from .blocks import Block, Gather, Operand, Statement, View, blocks_of, is_batched, shape_of
from .code import Code, element, number
from .forward import Forward, axes_of, product


class Backward:
    """The statements of the backward pass as lines; from the table's partials, or of a product, two more products."""

    def __init__(self, forward: Forward, mean: bool) -> None:
        self.mean = mean
        self.forward, self.program, self.careful = forward, forward.program, forward.careful
        self.started = {self.program.parameters}  # whose gradients are there already
        self.gradient: dict[Block, str] = {}  # names that stand for the gradients of blocks
        self.body: list[str] = []
        self.computed = {statement.result: statement for statement in self.program.statements}
        operands = [x for statement in self.program.statements for x in statement.operands]
        self.active = {self.program.parameters}  # what the parameters reach
        for statement in self.program.statements:
            reached = {block for operand in statement.operands for block in blocks_of(operand)}
            if statement.kind not in (*FLAT, "max") and not self.active.isdisjoint(reached):
                self.active.add(statement.result)
        self.partly_written = {  # the gradients of matrices among them must lie in memory row by row
            x.block for x in (*operands, *self.program.outputs) if isinstance(x, View) and not x.is_whole
        }

    def lines(self) -> list[str]:
        """The chain rule, statement after statement from the last."""
        output = self.program.outputs[0]
        batched = is_batched(output)
        each = f"1.0{' / n' * self.mean}{self.forward.typed}"
        alone = "float(n)" if self.program.batch and not self.mean else "1.0"  # the same in every row
        seed = Code(f"np.full(n, {each})") if batched else Code(alone, scalar=True)
        self.contribute(output, seed, (), batched=batched)
        for statement in reversed(self.program.statements):
            if statement.result in self.started:
                self._statement(statement)
        slopes = [f"d{name} = {element('dtheta', core)}" for name, core in self.forward.parameters.values()]
        items = [(text, name) for text, name in self.forward.items.items() if text.startswith("theta")]
        return [
            "dtheta = np.zeros_like(theta)",
            *slopes,
            *(f"d{name} = 0.0" for _, name in items),
            *self.body,
            *(f"d{text.replace('.item(', '[')[:-1]}] += d{name}" for text, name in items),
        ]

    def d(self, block: Block) -> str:
        """The name of the gradient of a block."""
        return self.gradient.get(block) or f"d{self.forward.names[block]}"

    # ---- Statements ----

    def _statement(self, statement: Statement) -> None:
        d = Code(self.d(statement.result), scalar=self.forward.is_float(statement.result))
        if isinstance(statement.kind, Op):
            self._apply(statement.kind, statement, d)
        elif statement.result.scalar:
            self._of_numbers(statement, d)
        elif statement.kind == "sum":
            self._sum(statement, d)
        elif statement.kind in ("take", "pick"):
            self._selection(statement, d)
        else:  # a product: "max" is only ever detached
            self._product(statement, d)

    def _apply(self, op: Op, statement: Statement, d: Code) -> None:
        scalar = self.forward.is_float(statement.result)
        read = self.forward.read_item if scalar else self.forward.read
        codes = [read(x) for x in statement.operands]
        z = Code(self.forward.names[statement.result], scalar=scalar)
        aliased = False
        for operand, partial in zip(statement.operands, op.partials):
            if partial is None or self.active.isdisjoint(blocks_of(operand)):
                continue
            slope = partial(z, *codes)
            code = self.times(d, slope, op.gate)
            alias = code is d and not aliased
            self.contribute(operand, code, statement.result.shape, alias, statement.result.batched)
            aliased |= alias

    def _of_numbers(self, statement: Statement, d: Code) -> None:
        codes = [self.forward.read_item(x) for x in statement.operands]
        pairs = range(len(codes))
        for i in pairs:
            slope = 1.0 if statement.kind == "sum" else codes[i ^ 1]
            self.contribute(statement.operands[i], self.times(d, slope, False), ())

    def _sum(self, statement: Statement, d: Code) -> None:
        shape, batched = statement.result.shape, statement.result.batched
        for operand in statement.operands:
            longer = len(shape_of(operand)) > len(shape)
            code = Code(f"{d.text}[..., None]") if longer and (shape or batched) else d
            self.contribute(operand, code, shape, batched=batched)

    def _selection(self, statement: Statement, d: Code) -> None:
        choices, index = statement.operands
        shape = shape_of(choices)
        count = shape[0] if statement.kind == "take" else shape[-1]
        i = self.forward.index(statement, count)
        if statement.kind == "take":
            text = f"scatter({i}, {d.text}, {count})"
            self.contribute(choices, Code(text if len(shape) < 2 else f"{text}.reshape{shape}"), shape)
        else:
            self.contribute(
                choices,
                Code(f"scatter_picks({i}, {d.text}, {count})"),
                shape,
                False,
                is_batched(index) or is_batched(choices),
            )

    def _product(self, statement: Statement, d: Code) -> None:
        """Two more products; what has no batch axis is summed over the batch on the way."""
        rows, columns = statement.operands
        r, c = self.forward.full(rows), self.forward.full(columns)
        left, right, out = axes_of(statement)
        pairs = [(rows, left, right, c), (columns, right, left, r)]
        if left == right == f"{out}k" and isinstance(rows, View) and isinstance(columns, View) and rows == columns:
            pairs = pairs[1:]
        for operand, axes, other, by in pairs:
            code = product([d.text, by.text], (out, other, axes), self.careful)
            if len(pairs) == 1:
                code = 2.0 * code  # of a square, both are the same
            self.contribute(operand, code, shape_of(operand), batched=axes[:1] == "b")

    # ---- Products ----

    def times(self, d: Code, partial: Any, gate: bool) -> Code:
        """d * partial; a comparison counts as the 0 or 1 that it is."""
        if self.careful and (isinstance(partial, Code) or not isfinite(partial)):
            slope = partial if isinstance(partial, Code) else number(partial)
            return Code(f"{'gated' if gate else 'times'}({d.text}, {slope.text})")
        if isinstance(partial, Code) and partial.op is STEP:
            partial = Code(f"({partial.operands[0].text} > 0.0)", scalar=partial.scalar)
        return MUL(d, partial)  # type: ignore[no-any-return]  # Code, as d is; d itself for a factor of 1

    # ---- Accumulation ----

    def contribute(
        self, operand: Operand, code: Code, shape: tuple[int, ...], alias: bool = False, batched: bool = False
    ) -> None:
        """Adds an expression of this shape, or one that broadcasts, to the gradient of an operand."""
        if self.active.isdisjoint(blocks_of(operand)):
            return
        if isinstance(operand, Gather):
            self._to_gather(operand, code, batched)
            return
        assert isinstance(operand, View), "constants have no gradient"
        if operand.block.shape or operand.block.batched:
            self._to_view(operand, code, shape, alias, batched)
        else:
            self._to_number(operand.block, self._summed(operand, code, shape, batched))

    def _to_number(self, block: Block, code: Code) -> None:
        """A number is not changed in place: two names may stand for one."""
        text = code.text if code.scalar or not self.forward.is_float(block) else f"float({code.text})"
        if block not in self.started and text.isidentifier():
            self.gradient[block] = text
            self.started.add(block)
            return
        before = f"{self.d(block)} + " if block in self.started else ""
        self.body.append(f"d{self.forward.names[block]} = {before}{text}")
        self.gradient.pop(block, None)
        self.started.add(block)

    def _to_view(self, view: View, code: Code, shape: tuple[int, ...], alias: bool, batched: bool) -> None:
        block, core, summed = view.block, view.core, self._summed(view, code, shape, batched)
        if core.is_whole and block not in self.started:
            if summed is code:
                self._first(block, code, shape, alias)
            else:
                self._first(block, summed, core.shape, False)
            return
        self._start(block)
        if block is self.program.parameters:
            item = self.forward.items.get(f"theta.item({view.offset})") if code.scalar else None
            named = self.forward.parameters.get(element("theta", core))
            target = f"d{item}" if item else f"d{named[0]}" if named else element("dtheta", core)
        else:
            target = element(self.d(block), core)
        self.body.append(f"{target}{'' if target.isidentifier() or target.endswith(']') else '[...]'} += {summed.text}")

    def _first(self, block: Block, code: Code, shape: tuple[int, ...], alias: bool) -> None:
        """What is first added to the gradient of a whole block is that gradient."""
        name = f"d{self.forward.names[block]}"
        by_rows = len(block.shape) > 1 and block in self.partly_written
        self.started.add(block)
        if (alias and not by_rows) or (shape != block.shape and self._broadcasts(block)):
            self.gradient[block] = code.text
        elif shape != block.shape:
            whole = self.forward.shape(block.shape, block.batched)
            self.body.append(f"{name} = np.full({whole}, {code.text}{self.forward.typed})")
        elif by_rows and (alias or not code.text.isidentifier()):
            self.body.append(f"{name} = np.ascontiguousarray({code.text})")
        else:
            self.body.append(f"{name} = {code.text}{'.copy()' * code.text.isidentifier()}")

    def _broadcasts(self, block: Block) -> bool:
        """Whether its gradient is used once, in a product with an array of its shape, to which it can be broadcast."""
        statement = self.computed[block]
        if self.forward.uses[block] > 1 or not isinstance(statement.kind, Op) or len(statement.operands) > 1:
            return False
        (operand,), (partial,) = statement.operands, statement.kind.partials
        return (
            partial is not None and shape_of(operand) == block.shape and isinstance(partial(Code("z"), Code("x")), Code)
        )

    def _summed(self, view: View, code: Code, shape: tuple[int, ...], batched: bool) -> Code:
        """An expression, summed over the axes along which the view repeats, and over a batch that the block has not."""
        over_batch = batched and not view.block.batched
        axes = [0] * over_batch + [axis + batched for axis in view.repeated]
        if not axes:
            return code
        text = code.text
        if shape != view.shape:
            text = f"np.broadcast_to({text}, {self.forward.shape(view.shape, batched)})"
        elif code.binds < CALL:
            text = f"({text})"
        return Code(f"{text}.sum(axis={axes[0] if len(axes) == 1 else tuple(axes)})")

    def _to_gather(self, gather: Gather, code: Code, summed: bool) -> None:
        batched, shape, size = is_batched(gather), gather.index.shape, sum(part.size for part in gather.parts)
        index = self.forward.constant(gather.index)
        helper = "scatter" if not batched else "put_rows" if self._is_put(gather) else "scatter_rows"
        text = f"({code.text}).sum(axis=0)" if summed and not batched else code.text
        spread = f"np.broadcast_to({text}, {self.forward.shape(shape, batched)})"
        self.body.append(f"g = {helper}({index}, {spread}, {size})")
        start = 0
        for part in gather.parts:
            if isinstance(part, Block) and part in self.active:
                self._to_part(part, start, batched)
            start += part.size

    def _is_put(self, gather: Gather) -> bool:
        """Whether what it gathers, and has a gradient, it gathers once."""
        ends = np.cumsum([part.size for part in gather.parts])
        active = np.array([isinstance(part, Block) and part in self.active for part in gather.parts])
        index = gather.index.ravel()
        index = index[active[np.searchsorted(ends, index, side="right")]]
        return len(np.unique(index)) == len(index)

    def _to_part(self, part: Block, start: int, batched: bool) -> None:
        """Adds a piece of `g` to the gradient of a block."""
        if not part.shape and not part.batched:
            piece = f"g[:, {start}].sum()" if batched else f"g[{start}]"
            self._to_number(part, Code(piece))
            return
        piece = f"g[{':, ' if batched else ''}{start}:{start + part.size}]"
        if batched and not part.batched:
            piece += ".sum(axis=0)"
        if part.shape != (part.size,):
            piece += f".reshape({self.forward.shape(part.shape, part.batched)})"
        if part in self.started:
            self.body.append(f"{self.d(part)} += {piece}")
        else:
            self.body.append(f"d{self.forward.names[part]} = {piece}")
            self.started.add(part)

    def _start(self, block: Block) -> None:
        if block not in self.started:
            self.started.add(block)
            shape = self.forward.shape(block.shape, block.batched)
            self.body.append(f"d{self.forward.names[block]} = np.zeros({shape}{self.forward.typed})")
