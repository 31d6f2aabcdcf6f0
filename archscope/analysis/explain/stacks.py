"""What lies between two layers of a trace as one stack: its reach, beside one larger kernel.

Simonyan and Zisserman 2014, section 2.3: three 3x3 layers reach as far as one 7x7 with 27 C^2 weights in place of 49.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import prod

from archscope.analysis.explain.arithmetic import (
    Explanation,
    Line,
    add_terms,
    add_up,
    format_number,
    join_shape,
    multiply,
)
from archscope.analysis.explain.layers import LayerExplainer
from archscope.analysis.explain.receptive_arithmetic import UNKNOWN, WHOLE
from archscope.analysis.explain.weights import express_macs
from archscope.analysis.receptive import Reach, State, measure_values
from archscope.analysis.windows import (
    Window,
    find_input,
    find_weight,
    is_convolution,
    is_pool,
    is_transposed,
    read_windows,
)
from archscope.core.errors import UsageError
from archscope.core.operators import find_kind
from archscope.core.trace import LayerCall, OpRecord


class StackExplainer:
    """Explains runs of layers of one trace."""

    def __init__(self, layers: LayerExplainer) -> None:
        self.layers = layers
        self.trace = layers.trace
        self.costs = layers.costs

    def explain(self, first: LayerCall, last: LayerCall) -> Explanation:
        """The stack from `first` to `last`, both included. Raises UsageError where `last` does not come later."""
        if last.first_op < first.end_op and last.id != first.id:
            raise UsageError(
                f"{last.path or '(root)'} does not come after {first.path or '(root)'}",
                "name the earlier layer first: features.24:features.28",
            )
        ops = self.trace.ops[first.first_op : last.end_op]
        return Explanation(
            kind="stack",
            path=f"{first.path}:{last.path}",
            type="stack",
            call=0,
            title=f"{first.path} to {last.path}: {self._count(ops)}",
            inputs=tuple(ref.shape for ref in first.inputs),
            outputs=tuple(ref.shape for ref in last.outputs),
            lines=tuple(self._explain(first, last, ops)),
        )

    def _count(self, ops: Sequence[OpRecord]) -> str:
        kernels = [join_shape(window.kernel for window in read_windows(op)) for op in ops if is_convolution(op)]
        kinds = dict.fromkeys(kernels)
        named = ", ".join(f"{kernels.count(kernel)} of {kernel}" for kernel in kinds)
        noun = "convolution" if len(kernels) == 1 else "convolutions"
        return f"{len(kernels)} {noun}" + (f" ({named})" if named else "")

    def _explain(self, first: LayerCall, last: LayerCall, ops: Sequence[OpRecord]) -> Iterator[Line]:
        start = first.inputs[:1]
        states = measure_values(self.trace, start, ops)
        state = states.get(last.outputs[0].value, ()) if last.outputs else ()
        yield from self._explain_growth(ops, states)
        yield from _explain_total(state)
        convolutions = [op for op in ops if is_convolution(op)]
        if convolutions:
            channels = _read_channels(first, last, convolutions)
            yield from self._explain_weights(convolutions, state, channels)
            yield from self._explain_macs(convolutions)
        activations = sum(find_kind(op.name) == "activation" for op in ops)
        yield Line("non-linearities", value=activations, remark="inside the stack; one larger kernel has none inside")

    def _explain_growth(self, ops: Sequence[OpRecord], states: dict[int, State]) -> Iterator[Line]:
        """One line for each window: the reach before it and what it adds."""
        for op in ops:
            if not (is_convolution(op) or is_pool(op)) or is_transposed(op):
                continue
            before, after = states.get(find_input(op).value, ()), states.get(op.outputs[0].value, ())
            windows = read_windows(op)
            if not before or not after or len(windows) != len(before):
                continue
            line = _express_growth(before[-1], after[-1], windows[-1])
            if line is not None:
                path = self.trace.layers[op.layer].path or op.name
                remark = f"reach so far; one step is {format_number(after[-1].extent.jump)} of the stack's input"
                yield Line(path, line[0], line[1], remark=remark)

    def _explain_weights(
        self, convolutions: Sequence[OpRecord], state: State, channels: tuple[int, int]
    ) -> Iterator[Line]:
        shapes = [ref.shape for op in convolutions if (ref := find_weight(op)) is not None]
        weights = sum(prod(shape) for shape in shapes)
        widths = {size for shape in shapes for size in shape[:2]}
        alike = len(widths) == 1
        taps = sum(prod(shape[2:]) for shape in shapes)
        remark = f"{taps} C*C weights with C of {widths.pop()}" if alike else "without biases"
        yield Line("weights", add_terms([multiply(shape) for shape in shapes]), weights, remark=remark, section=True)
        if any(reach.kind != "extent" for reach in state) or any(map(is_transposed, convolutions)) or not state:
            return
        kernel = [reach.extent.size for reach in state]
        into, out = channels
        single = into * out * prod(kernel)
        remark = f"{prod(kernel)} C*C weights: " if alike else ""
        name = f"one {join_shape(kernel)} kernel"
        yield Line(name, multiply([out, into, *kernel]), single, remark=remark + _compare(single, weights))

    def _explain_macs(self, convolutions: Sequence[OpRecord]) -> Iterator[Line]:
        counts = [self.costs.ops[op.index].macs or 0 for op in convolutions]
        texts = [express_macs(op) for op in convolutions]
        expression = add_terms(texts) if len(texts) <= MOST_LEAVES else add_up(counts)
        yield Line("MACs", expression, sum(counts))


MOST_LEAVES = 4
"""Products of one sum that are written out."""


def _express_growth(before: Reach, after: Reach, window: Window) -> tuple[str, int] | None:
    if before.kind != "extent" or after.kind != "extent" or before.extent.period != 1 or after.extent.period != 1:
        return None
    jump = before.extent.jump
    if jump.denominator != 1:
        return None
    taps = f"({window.kernel} - 1)" if window.dilation == 1 else f"{window.dilation} * ({window.kernel} - 1)"
    return f"{before.extent.size} + {taps} * {jump.numerator}", after.extent.size


def _explain_total(state: State) -> Iterator[Line]:
    if not state:
        return
    if any(reach.kind != "extent" for reach in state):
        text = WHOLE if any(reach.kind == "whole" for reach in state) else UNKNOWN
        yield Line("receptive field", text=text, remark="of the stack's own input")
        return
    sizes = [reach.extent.size for reach in state]
    text = " x ".join(str(size) for size in sizes)
    jump = state[-1].extent.jump
    remark = f"of the stack's own input; one step is {format_number(jump)}"
    yield Line("receptive field", value=sizes[-1], text=text, remark=remark)


def _compare(single: int, weights: int) -> str:
    """`81 % more`."""
    if single == weights:
        return "the same"
    more = Fraction(abs(single - weights) * 100, weights)
    return f"{round(more)} % {'more' if single > weights else 'fewer'}"


def _read_channels(first: LayerCall, last: LayerCall, convolutions: Sequence[OpRecord]) -> tuple[int, int]:
    """Channels that enter and leave the stack, as one convolution in its place would have them."""
    ended = convolutions[-1].outputs[0]
    into = first.inputs[0] if first.inputs else find_input(convolutions[0])
    out = last.outputs[0] if last.outputs and len(last.outputs[0].shape) == len(ended.shape) else ended
    return into.shape[1], out.shape[1]
