"""The arithmetic behind one layer call: every number about it, and the words that head them."""

from collections.abc import Iterator, Mapping

from archscope.analysis.explain.arithmetic import Explanation, Line, add_up, join_shape, join_sizes
from archscope.analysis.explain.receptive_arithmetic import explain_field
from archscope.analysis.explain.weights import (
    explain_flattening,
    explain_macs,
    explain_memory,
    explain_parameters,
    is_plain_product,
)
from archscope.analysis.explain.windows import count_spatial, explain_adaptive, explain_average, explain_windows
from archscope.analysis.receptive import State
from archscope.analysis.windows import (
    Window,
    find_input,
    is_adaptive,
    is_average,
    is_convolution,
    is_pool,
    read_windows,
)
from archscope.core.cost import CostReport
from archscope.core.operators import find_kind
from archscope.core.trace import LayerCall, OpRecord, Trace

_SIZES = ("num_features", "normalized_shape", "num_channels", "p", "embed_dim", "num_heads", "hidden_size", "size")
"""Settings worth a place in the heading of a layer that slides no window."""


def title_layer(layer: LayerCall, op: OpRecord | None) -> str:
    """`conv1: Conv2d(3 -> 96, kernel 11x11, stride 4, padding 0)`."""
    name = layer.path or "the model"
    if layer.call:
        name = f"{name} (call {layer.call + 1})"
    inside = describe_op(layer, op) if op is not None else _describe_settings(layer)
    return f"{name}: {layer.type}({inside})" if inside else f"{name}: {layer.type}"


def describe_op(layer: LayerCall, op: OpRecord) -> str:
    """What a window, a pool or a product is made of."""
    if is_convolution(op):
        groups = op.argument("groups", 1)
        windows = read_windows(op)
        text = f"{find_input(op).shape[1]} -> {op.outputs[0].shape[1]}, {_describe_window(windows)}"
        return text if groups == 1 else f"{text}, groups {groups}"
    if is_pool(op):
        windows = read_windows(op)[-count_spatial(layer, op) :]
        return _describe_window(windows) + (", ceil mode" if windows[0].ceil_mode else "")
    if is_adaptive(op):
        return f"to {join_shape(op.outputs[0].shape[-count_spatial(layer, op) :])}"
    if is_average(op):
        return f"to {join_shape(1 for _ in op.inputs[0].shape[2:])}"
    factors = [ref for ref in op.inputs if len(ref.shape) > 1]
    return f"{factors[0].shape[-1]} -> {op.outputs[0].shape[-1]}" if factors and op.outputs else ""


def _describe_window(windows: tuple[Window, ...]) -> str:
    parts = [
        f"kernel {join_shape([window.kernel for window in windows])}",
        f"stride {join_sizes([window.stride for window in windows])}",
        f"padding {join_sizes([window.padding for window in windows])}",
    ]
    dilation = join_sizes([window.dilation for window in windows])
    more = join_sizes([window.output_padding for window in windows])
    parts += [f"dilation {dilation}"] if dilation != "1" else []
    parts += [f"output padding {more}"] if more != "0" else []
    return ", ".join(parts)


def _describe_settings(layer: LayerCall) -> str:
    settings = dict(layer.settings)
    shown = []
    for name in _SIZES:
        value = settings.get(name)
        if value is None or isinstance(value, bool):
            continue
        text = join_shape(size for size in value if isinstance(size, int)) if isinstance(value, tuple) else str(value)
        shown.append(text if name in ("num_features", "normalized_shape", "p") else f"{name} {text}")
    return ", ".join(shown)


class LayerExplainer:
    """Explains the calls of one trace that make no others."""

    def __init__(self, trace: Trace, costs: CostReport, states: Mapping[int, State]) -> None:
        self.trace = trace
        self.costs = costs
        self.states = states

    def explain(self, layer: LayerCall) -> Explanation:
        """The arithmetic of a leaf."""
        mains = self.list_main_ops(layer)
        only = mains[0] if len(mains) == 1 and self._makes_output(mains[0], layer) else None
        lines = self._explain_one(layer, only) if only is not None or not mains else self._explain_all(layer, mains)
        return Explanation(
            kind="layer",
            path=layer.path,
            type=layer.type,
            call=layer.call,
            title=title_layer(layer, only),
            inputs=tuple(ref.shape for ref in layer.inputs),
            outputs=tuple(ref.shape for ref in layer.outputs),
            lines=tuple(lines),
        )

    def list_main_ops(self, layer: LayerCall) -> list[OpRecord]:
        """The operations of the call itself that have arithmetic of their own: windows, pools and products."""
        own = self.trace.list_own_ops(layer)
        mains = [op for op in own if is_convolution(op) or is_plain_product(op)]
        pools = [op for op in own if is_pool(op) or is_adaptive(op) or is_average(op)]
        settings = dict(layer.settings)
        # A normalisation across channels pools inside: that is no pool of the network.
        return (
            mains if {"size", "alpha", "beta"} <= settings.keys() else [op for op in own if op in mains or op in pools]
        )

    def explain_op(self, layer: LayerCall, op: OpRecord, *, parameters: bool = True) -> Iterator[Line]:
        """The arithmetic of one window, pool or product."""
        if is_adaptive(op):
            yield from explain_adaptive(op, count_spatial(layer, op))
        elif is_average(op):
            yield from explain_average(op)
        elif is_convolution(op) or is_pool(op):
            yield from explain_windows(op, count_spatial(layer, op))
        else:
            yield from explain_flattening(self.trace, find_input(op)) if parameters else ()
        if parameters:
            yield from explain_parameters(self.trace, layer, op)
        yield from explain_macs(op, self.costs.ops[op.index].macs)

    def _explain_one(self, layer: LayerCall, op: OpRecord | None) -> Iterator[Line]:
        out = layer.outputs[0] if layer.outputs else None
        if op is not None:
            yield from self._explain_padding(layer)
            yield from self.explain_op(layer, op)
        else:
            if out is not None:
                yield Line("output", text=join_shape(out.shape), remark=_compare_shapes(layer))
            yield from explain_parameters(self.trace, layer, None)
            macs = self.costs.layers[layer.id].own_macs
            yield from self._sum_macs(layer) if macs else ()
        if not layer.own_params and self.costs.layers[layer.id].own_macs == 0:
            yield Line("parameters, MACs", value=0, remark="only convolutions and matrix products count MACs")
        if out is not None:
            yield explain_memory(out)
            yield from explain_field(op, self.states, out.value)

    def _explain_all(self, layer: LayerCall, mains: list[OpRecord]) -> Iterator[Line]:
        """Several operations in one call: functional code, read from top to bottom."""
        for number, op in enumerate(mains):
            short = op.name.rpartition(".")[2]
            yield Line(short, text=join_shape(op.outputs[0].shape), remark=describe_op(layer, op), section=number > 0)
            yield from self.explain_op(layer, op, parameters=False)
            yield from explain_field(op, self.states, op.outputs[0].value)
        yield Line("together", text="", remark="of the whole layer", section=True)
        yield from explain_parameters(self.trace, layer, None)
        yield from self._sum_macs(layer)
        if layer.outputs:
            yield explain_memory(layer.outputs[0])
            yield from explain_field(None, self.states, layer.outputs[0].value)

    def _sum_macs(self, layer: LayerCall) -> Iterator[Line]:
        ops = self.trace.list_ops(layer)
        counts = [self.costs.ops[op.index].macs for op in ops]
        known = [count for count in counts if count]
        names = dict.fromkeys(op.name.rpartition(".")[2] for op, count in zip(ops, counts, strict=True) if count)
        if any(count is None for count in counts):
            yield Line("MACs", text="unknown", remark="an operation in it has no formula")
        elif known:
            expression = add_up(known) if len(known) > 1 else ""
            yield Line("MACs", expression, sum(known), remark=f"of {', '.join(names)}")

    def _explain_padding(self, layer: LayerCall) -> Iterator[Line]:
        """`padding="same"` and reflected borders are operations of their own before the window."""
        for op in self.trace.list_ops(layer):
            if find_kind(op.name) != "padding":
                continue
            pads = op.argument("pad", op.argument("padding", ()))
            numbers = [size for size in pads if isinstance(size, int)] if isinstance(pads, tuple) else []
            sides = list(zip(numbers[::2], numbers[1::2], strict=True))
            for axis, (before, after) in zip(range(-1, -1 - len(sides), -1), sides, strict=True):
                size, padded = op.inputs[0].shape[axis], op.outputs[0].shape[axis]
                name = {-1: "padded width", -2: "padded height"}.get(axis, "padded depth")
                yield Line(name, f"{before} + {size} + {after}", padded)

    def _makes_output(self, op: OpRecord, layer: LayerCall) -> bool:
        """Whether what the operation makes is what the layer returns, in whatever shape."""
        if not layer.outputs or not op.outputs:
            return False
        return layer.outputs[0].spec.elements == op.outputs[0].spec.elements


def _compare_shapes(layer: LayerCall) -> str:
    shapes = [ref.shape for ref in layer.inputs]
    if layer.outputs and len(shapes) == 1:
        return "the shape of the input" if shapes[0] == layer.outputs[0].shape else f"from {join_shape(shapes[0])}"
    return ""
