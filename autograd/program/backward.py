"""The chain rule on statements: the second half of `value_and_grad`."""

from __future__ import annotations

from itertools import chain
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from ..ops import CALL, FLAT, MUL, STEP, Op
from .blocks import PRODUCTS, Block, Gather, Kind, Operand, Statement, View, blocks_of, is_batched, shape_of
from .code import Code, Name, element, number, target
from .forward import Forward, axes_of, product


class Term(NamedTuple):
    """An expression that is added to the gradient of an operand; it has this shape, or one that broadcasts to it.

    `batched` says whether it has a batch axis, too.  `owned` says that nothing else uses its array, so the array
    may become the gradient without a copy.
    """

    code: Code
    shape: tuple[int, ...] = ()
    batched: bool = False
    owned: bool = False


class Backward:
    """The backward pass as lines: the table's partials or, for a matrix product, two more products.

    The gradient of a block is called d and the name of the block, unless it is the same array as another one.
    """

    def __init__(self, forward: Forward, mean: bool) -> None:
        self.mean = mean
        self.forward, self.program, self.careful = forward, forward.program, forward.careful
        self.started = {self.program.parameters}  # the blocks whose gradients have terms already
        self.gradients: dict[Block, Code] = {}  # those that are another array or an expression
        self.body: list[str] = []
        self.computed = {statement.result: statement for statement in self.program.statements}
        operands = [x for statement in self.program.statements for x in statement.operands]
        self.active = {self.program.parameters}  # the blocks that depend on the parameters
        flat = (*FLAT, Kind.MAX)
        for statement in self.program.statements:
            if statement.kind not in flat and any(map(self._is_active, statement.operands)):
                self.active.add(statement.result)
        # The gradients of matrices among these must lie in memory row by row.
        self.partly_read = {x.block for x in (*operands, self.program.output) if isinstance(x, View) and not x.is_whole}

    def lines(self) -> list[str]:
        """The chain rule, from the last statement to the first."""
        self.add(self.program.output, self._seed())
        for statement in reversed(self.program.statements):
            if statement.result in self.started:
                self._statement(statement)
        items = [(view, name) for view, name in self.forward.items.items() if view.block is self.program.parameters]
        return [
            "dtheta = np.zeros_like(theta)",
            *(f"d{name} = {element('dtheta', view)}" for view, name in self.forward.parameters.items()),
            *(f"d{name} = 0.0" for _, name in items),
            *self.body,
            *(f"{target('dtheta', view)} += d{name}" for view, name in items),
        ]

    def _seed(self) -> Term:
        """The derivative of the result by the output of each row; if no row differs, by the one output of all."""
        if is_batched(self.program.output):
            one = "1.0 / n" if self.mean else "1.0"
            return Term(Code(f"np.full(n, {one}{self.forward.typed})"), batched=True)
        return Term(Code("float(n)" if self.program.batch and not self.mean else "1.0", scalar=True))

    # ---- Statements ----

    def _statement(self, statement: Statement) -> None:
        d = self._gradient(statement.result)
        if isinstance(statement.kind, Op):
            self._apply(statement.kind, statement, d)
        elif statement.result.scalar:
            self._scalar(statement, d)
        elif statement.kind is Kind.SUM:
            self._sum(statement, d)
        elif statement.kind is Kind.TAKE:
            self._take(statement, d)
        elif statement.kind is Kind.PICK:
            self._pick(statement, d)
        else:
            assert statement.kind in PRODUCTS, "a maximum is only used detached"
            self._product(statement, d)

    def _apply(self, op: Op, statement: Statement, d: Code) -> None:
        result = statement.result
        scalar = self.forward.is_float(result)
        read = self.forward.read_item if scalar else self.forward.read
        codes = [read(x) for x in statement.operands]
        z = Code(self.forward.names[result], scalar=scalar)
        given_away = False
        for operand, partial in zip(statement.operands, op.partials):
            if partial is None or not self._is_active(operand):
                continue
            code = self.times(d, partial(z, *codes), op.gate)
            owned = code is d and not given_away
            self._add_active(operand, Term(code, result.shape, result.batched, owned))
            given_away |= owned

    def _scalar(self, statement: Statement, d: Code) -> None:
        """A sum or a dot product of single numbers: the partial by a factor is the other factor."""
        codes = [self.forward.read_item(x) for x in statement.operands]
        partials: list[Code | float] = [1.0] * len(codes)
        if statement.kind is not Kind.SUM:
            partials = list(chain.from_iterable(zip(codes[1::2], codes[::2])))
        for operand, partial in zip(statement.operands, partials):
            self.add(operand, Term(self.times(d, partial)))

    def _sum(self, statement: Statement, d: Code) -> None:
        shape, batched = statement.result.shape, statement.result.batched
        for operand in statement.operands:
            longer = len(shape_of(operand)) > len(shape)
            code = Code(f"{d.text}[..., None]") if longer and (shape or batched) else d
            self.add(operand, Term(code, shape, batched))

    def _take(self, statement: Statement, d: Code) -> None:
        table = statement.operands[0]
        shape = shape_of(table)
        text = f"scatter({self.forward.index(statement, shape[0])}, {d.text}, {shape[0]})"
        self.add(table, Term(Code(text if len(shape) < 2 else f"{text}.reshape{shape}"), shape))

    def _pick(self, statement: Statement, d: Code) -> None:
        choices, index = statement.operands
        shape = shape_of(choices)
        code = Code(f"scatter_picks({self.forward.index(statement, shape[-1])}, {d.text}, {shape[-1]})")
        self.add(choices, Term(code, shape, is_batched(index) or is_batched(choices)))

    def _product(self, statement: Statement, d: Code) -> None:
        """Two more products; they sum over the batch for an operand without a batch axis."""
        rows, columns = statement.operands
        r, c = self.forward.full(rows), self.forward.full(columns)
        left, right, out = axes_of(statement)
        pairs = [(rows, left, right, c), (columns, right, left, r)]
        same = isinstance(rows, View) and isinstance(columns, View) and rows == columns
        is_square = same and left == right == f"{out}k"
        for operand, axes, other, by in pairs[1:] if is_square else pairs:
            code = product([d.text, by.text], (out, other, axes), self.careful)
            if is_square:
                code = 2.0 * code
            self.add(operand, Term(code, shape_of(operand), batched=axes.startswith("b")))

    def times(self, d: Code, partial: Any, gate: bool = False) -> Code:
        """d * partial; a step is written as its comparison alone, which counts as 0 or 1."""
        if self.careful and (isinstance(partial, Code) or not isfinite(partial)):
            factor = partial if isinstance(partial, Code) else number(partial)
            return Code(f"{'gated' if gate else 'times'}({d.text}, {factor.text})")
        if isinstance(partial, Code) and partial.op is STEP:
            partial = Code(f"({partial.operands[0].text} > 0.0)", scalar=partial.scalar)
        return MUL(d, partial)  # type: ignore[no-any-return]  # a Code, as d is; d itself for a factor of 1

    # ---- Accumulation ----

    def _gradient(self, block: Block) -> Code:
        if block in self.gradients:
            return self.gradients[block]
        return Name(self._name(block), scalar=self.forward.is_float(block))

    def _name(self, block: Block) -> str:
        return f"d{self.forward.names[block]}"

    def _is_active(self, operand: Operand) -> bool:
        """Whether it depends on the parameters."""
        if isinstance(operand, View):
            return operand.block in self.active
        return not self.active.isdisjoint(blocks_of(operand))

    def add(self, operand: Operand, term: Term) -> None:
        """Adds a term to the gradient of an operand, if that depends on the parameters."""
        if self._is_active(operand):
            self._add_active(operand, term)

    def _add_active(self, operand: Operand, term: Term) -> None:
        if isinstance(operand, Gather):
            self._add_to_gather(operand, term)
            return
        assert isinstance(operand, View), "constants are not active"
        if operand.block.shape or operand.block.batched:
            self._add_to_view(operand, term)
        else:
            self._add_to_number(operand.block, self._summed(operand, term))

    def _add_to_number(self, block: Block, code: Code) -> None:
        """A number is never changed in place, so several names may stand for one."""
        name, is_float = self._name(block), self.forward.is_float(block)
        if is_float and not code.scalar:
            code = Code(f"float({code.text})")
        if block in self.started:
            shared = self.gradients.pop(block, None)
            self.body.append(f"{name} = {shared.text if shared else name} + {code.text}")
        elif isinstance(code, Name):
            self.gradients[block] = Name(code.text, scalar=is_float)
        else:
            self.body.append(f"{name} = {code.text}")
        self.started.add(block)

    def _add_to_view(self, view: View, term: Term) -> None:
        block, core, code = view.block, view.core, self._summed(view, term)
        if core.is_whole and block not in self.started:
            self._begin(block, term if code is term.code else Term(code, core.shape))
            return
        if block not in self.started:
            self.started.add(block)
            shape = self.forward.shape(block.shape, block.batched)
            self.body.append(f"{self._name(block)} = np.zeros({shape}{self.forward.typed})")
        place = target(self._gradient(block).text, core)
        if block is self.program.parameters:
            if term.code.scalar and view in self.forward.items:
                place = f"d{self.forward.items[view]}"
            elif core in self.forward.parameters:
                place = f"d{self.forward.parameters[core]}"
        self.body.append(f"{place} += {code.text}")

    def _begin(self, block: Block, term: Term) -> None:
        """The first term of the gradient of a whole block is the gradient."""
        name, text = self._name(block), term.code.text
        by_rows = len(block.shape) > 1 and block in self.partly_read
        self.started.add(block)
        if (term.owned and not by_rows) or (term.shape != block.shape and self._may_broadcast(block)):
            self.gradients[block] = term.code
        elif term.shape != block.shape:
            self.body.append(
                f"{name} = np.full({self.forward.shape(block.shape, block.batched)}, {text}{self.forward.typed})"
            )
        elif by_rows and (term.owned or not isinstance(term.code, Name)):
            self.body.append(f"{name} = np.ascontiguousarray({text})")
        elif isinstance(term.code, Name):
            self.body.append(f"{name} = {text}.copy()")
        else:
            self.body.append(f"{name} = {text}")

    def _may_broadcast(self, block: Block) -> bool:
        """Whether its gradient is used once, as a factor of an array of its shape, so that it can broadcast."""
        statement = self.computed[block]
        if self.forward.uses[block] > 1 or not isinstance(statement.kind, Op) or len(statement.operands) > 1:
            return False
        (operand,), (partial,) = statement.operands, statement.kind.partials
        return (
            partial is not None and shape_of(operand) == block.shape and isinstance(partial(Code("z"), Code("x")), Code)
        )

    def _summed(self, view: View, term: Term) -> Code:
        """The term summed over the axes along which the view repeats, and over a batch axis that its block lacks."""
        leading = 1 if term.batched else 0
        axes = [axis + leading for axis in view.repeated]
        if term.batched and not view.block.batched:
            axes.insert(0, 0)
        if not axes:
            return term.code
        text = term.code.text
        if term.shape != view.shape:
            text = f"np.broadcast_to({text}, {self.forward.shape(view.shape, term.batched)})"
        elif term.code.precedence < CALL:
            text = f"({text})"
        return Code(f"{text}.sum(axis={axes[0] if len(axes) == 1 else tuple(axes)})")

    def _add_to_gather(self, gather: Gather, term: Term) -> None:
        """Scatters the term into a vector, g, as long as all parts together, and adds its pieces to their gradients."""
        batched, size = is_batched(gather), sum(part.size for part in gather.parts)
        scatter = "scatter" if not batched else "put_rows" if self._gathers_once(gather) else "scatter_rows"
        text = f"({term.code.text}).sum(axis=0)" if term.batched and not batched else term.code.text
        spread = f"np.broadcast_to({text}, {self.forward.shape(gather.index.shape, batched)})"
        self.body.append(f"g = {scatter}({self.forward.constant(gather.index)}, {spread}, {size})")
        start = 0
        for part in gather.parts:
            if isinstance(part, Block) and part in self.active:
                self._add_piece(part, start, batched)
            start += part.size

    def _gathers_once(self, gather: Gather) -> bool:
        """Whether no element with a gradient is gathered twice."""
        ends = np.cumsum([part.size for part in gather.parts])
        active = np.array([isinstance(part, Block) and part in self.active for part in gather.parts])
        index = gather.index.ravel()
        index = index[active[np.searchsorted(ends, index, side="right")]]
        return len(np.unique(index)) == len(index)

    def _add_piece(self, part: Block, start: int, batched: bool) -> None:
        """Adds the piece of `g` that begins at `start` to the gradient of a block."""
        if not part.shape and not part.batched:
            self._add_to_number(part, Code(f"g[:, {start}].sum()" if batched else f"g[{start}]"))
            return
        piece = f"g[:, {start}:{start + part.size}]" if batched else f"g[{start}:{start + part.size}]"
        if batched and not part.batched:
            piece += ".sum(axis=0)"
        if part.shape != (part.size,):
            piece += f".reshape({self.forward.shape(part.shape, part.batched)})"
        if part in self.started:
            self.body.append(f"{self._gradient(part).text} += {piece}")
        else:
            self.body.append(f"{self._name(part)} = {piece}")
            self.started.add(part)
