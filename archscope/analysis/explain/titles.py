"""A layer call goes in; the words that head its explanation come out."""

from archscope.analysis.explain.lines import join_shape, join_sizes
from archscope.analysis.explain.windows import (
    Window,
    count_spatial,
    is_adaptive,
    is_average,
    is_convolution,
    is_pool,
    read_windows,
)
from archscope.core.trace import LayerCall, OpRecord

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
        data = op.operand("input") or op.inputs[0]
        groups = op.argument("groups", 1)
        windows = read_windows(op)
        text = f"{data.shape[1]} -> {op.outputs[0].shape[1]}, {_describe_window(windows)}"
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
