"""The sums of a call that makes others: an inception module, a residual block, a stage, the model."""

from collections.abc import Iterator, Sequence

from archscope.analysis.explain.arithmetic import Explanation, Line, add_terms, add_up, join_shape
from archscope.analysis.explain.layers import LayerExplainer, title_layer
from archscope.analysis.explain.receptive_arithmetic import explain_field
from archscope.analysis.explain.weights import explain_memory, express_macs, express_parameters
from archscope.core.operators import find_kind
from archscope.core.trace import LayerCall, OpRecord, name_relative

MOST_LEAVES = 4
"""Layers of a branch whose own arithmetic is written out in its line."""
MOST_TERMS = 12
"""Numbers of one sum; a longer one is a number only."""


class BlockExplainer:
    """Explains the calls of one trace that make others."""

    def __init__(self, layers: LayerExplainer) -> None:
        self.layers = layers
        self.trace = layers.trace
        self.costs = layers.costs

    def explain(self, block: LayerCall) -> Explanation:
        """The parts of the block with their sums, what meets in it, and its receptive field."""
        return Explanation(
            kind="block",
            path=block.path,
            type=block.type,
            call=block.call,
            title=title_layer(block, None),
            inputs=tuple(ref.shape for ref in block.inputs),
            outputs=tuple(ref.shape for ref in block.outputs),
            lines=tuple(self._explain(block)),
        )

    def _explain(self, block: LayerCall) -> Iterator[Line]:
        parts = self.trace.list_children(block)
        yield from self._sum_parameters(block, parts)
        yield from self._sum_macs(block, parts)
        meetings = list(self._explain_meetings(block))
        for number, line in enumerate(meetings):
            yield Line(line.quantity, line.expression, line.value, line.text, line.remark, section=number == 0)
        if block.outputs:
            memory = explain_memory(block.outputs[0])
            yield Line(
                memory.quantity, memory.expression, memory.value, memory.text, memory.remark, section=not meetings
            )
            yield from explain_field(None, self.layers.states, block.outputs[0].value)

    def _sum_parameters(self, block: LayerCall, parts: Sequence[LayerCall]) -> Iterator[Line]:
        """One line for each part that holds parameters, then their sum; shared or repeated parts count once."""
        held = [part for part in parts if part.params]
        for number, part in enumerate(held):
            expression = self._express_params(part)
            remark = "parameters" if number == 0 else ""
            name = name_relative(part.path, block.path)
            yield Line(name, expression, part.params, remark=remark, of="parameters")
        own = block.own_params
        if own:
            expression, remark = express_parameters(self.trace, block, None)
            yield Line("(its own)", expression, own, remark=remark, of="parameters")
        counted = [part.params for part in held] + ([own] if own else [])
        expression = add_up(counted) if sum(counted) == block.params else ""
        remark = "" if sum(counted) == block.params else "parts that share or repeat their parameters count once"
        yield Line("parameters", _keep_short(expression, counted), block.params, remark=remark)

    def _sum_macs(self, block: LayerCall, parts: Sequence[LayerCall]) -> Iterator[Line]:
        """One line for each part and operation that costs something, then their sum."""
        counted: list[int] = []
        for part in parts:
            macs = self.costs.layers[part.id].macs
            if macs:
                name = name_relative(part.path, block.path) + (f" (call {part.call + 1})" if part.call else "")
                remark = "MACs" if not counted else ""
                expression = self._express_macs(part)
                yield Line(name, expression, macs, remark=remark, of="MACs", section=not counted)
                counted.append(macs)
        for op in self.trace.list_own_ops(block):
            macs = self.costs.ops[op.index].macs
            if macs:
                remark = "MACs" if not counted else ""
                name = op.name.rpartition(".")[2]
                yield Line(name, express_macs(op), macs, remark=remark, of="MACs", section=not counted)
                counted.append(macs)
        total = self.costs.layers[block.id].macs
        if total is None:
            yield Line("MACs", text="unknown", remark="an operation in it has no formula")
        else:
            yield Line("MACs", _keep_short(add_up(counted), counted), total)

    def _express_params(self, part: LayerCall) -> str:
        held = [leaf for leaf in self._list_leaves(part) if leaf.own_params and not leaf.call]
        if not 0 < len(held) <= MOST_LEAVES or sum(leaf.own_params for leaf in held) != part.params:
            return ""
        texts = [express_parameters(self.trace, leaf, self._find_main(leaf))[0] for leaf in held]
        return add_terms(texts)

    def _express_macs(self, part: LayerCall) -> str:
        costly = [op for op in self.trace.list_ops(part) if self.costs.ops[op.index].macs]
        texts = [express_macs(op) for op in costly]
        return add_terms(texts) if all(texts) and len(texts) <= MOST_LEAVES else ""

    def _explain_meetings(self, block: LayerCall) -> Iterator[Line]:
        """Where branches meet in the block itself: concatenations and additions."""
        for op in self.trace.list_own_ops(block):
            kind = find_kind(op.name)
            shapes = [ref.shape for ref in op.inputs]
            if kind == "concatenation" and op.outputs:
                axis = op.argument("dim", 0)
                place = axis % len(op.outputs[0].shape) if isinstance(axis, int) else 0
                sizes = [shape[place] for shape in shapes if len(shape) > place]
                quantity = "channels" if place == 1 else f"dimension {place}"
                remark = f"concatenated to {join_shape(op.outputs[0].shape)}"
                yield Line(quantity, " + ".join(map(str, sizes)), op.outputs[0].shape[place], remark=remark)
            elif kind == "addition" and len(shapes) == 2 and len(shapes[0]) > 2:
                yield Line("addition", text=join_shape(op.outputs[0].shape), remark="element by element, 0 MACs")

    def _list_leaves(self, layer: LayerCall) -> list[LayerCall]:
        if layer.leaf:
            return [layer]
        return [leaf for child in self.trace.list_children(layer) for leaf in self._list_leaves(child)]

    def _find_main(self, leaf: LayerCall) -> OpRecord | None:
        mains = self.layers.list_main_ops(leaf)
        return mains[0] if len(mains) == 1 else None


def _keep_short(expression: str, terms: Sequence[int]) -> str:
    """A sum of one number is that number; one of very many is not written out."""
    return expression if len(terms) > 1 and expression.count(" + ") < MOST_TERMS else ""
