"""Operations with their tensors go in; their parameters, multiply-accumulates and memory come out as arithmetic."""

from collections.abc import Sequence
from math import prod

from archscope.analysis.explain.arithmetic import Line, join_shape, multiply
from archscope.analysis.explain.windows import is_convolution, is_transposed
from archscope.core.tensors import DTYPE_BYTES
from archscope.core.trace import LayerCall, OpRecord, StateTensor, Trace, ValueRef
from archscope.core.units import format_exact

PRODUCTS = {
    "mm": ("self", "mat2"),
    "addmm": ("mat1", "mat2"),
    "_addmm_activation": ("mat1", "mat2"),
    "bmm": ("self", "mat2"),
    "baddbmm": ("batch1", "batch2"),
}
"""Matrix products by name, and what their factors are called."""


def list_own_parameters(trace: Trace, layer: LayerCall) -> tuple[StateTensor, ...]:
    """The parameters registered on the layer itself."""
    prefix = f"{layer.path}." if layer.path else ""
    return tuple(
        tensor
        for tensor in trace.state
        if tensor.kind == "parameter" and tensor.path.startswith(prefix) and "." not in tensor.path[len(prefix) :]
    )


def express_parameters(trace: Trace, layer: LayerCall, op: OpRecord | None) -> tuple[str, str]:
    """`96 * (3 * 11 * 11) + 96` and a remark; the tensors one by one where the layer is no plain one."""
    own = list_own_parameters(trace, layer)
    weight = op.operand("weight") if op is not None and is_convolution(op) else None
    named = {tensor.path.rpartition(".")[2]: tensor for tensor in own}
    if weight is not None and "weight" in named and named["weight"].value == weight.value and len(named) <= 2:
        first, *rest = weight.shape
        expression = f"{first} * ({multiply(rest)})"
    elif set(named) <= {"weight", "bias"} and len(named.get("weight", _EMPTY).shape) == 2:
        first, second = named["weight"].shape
        expression = f"{first} * {second}"
    else:
        return " + ".join(multiply(tensor.shape) for tensor in own), _name_tensors(own)
    weights = prod(named["weight"].shape)
    if "bias" not in named:
        return expression, "no biases"
    biases = prod(named["bias"].shape)
    return f"{expression} + {biases}", f"weights {format_exact(weights)}, biases {format_exact(biases)}"


_EMPTY = StateTensor("", -1, (), "", "parameter", trainable=False)


def explain_parameters(trace: Trace, layer: LayerCall, op: OpRecord | None) -> tuple[Line, ...]:
    """The layer's own parameters; none where it has none."""
    if not layer.own_params:
        return ()
    expression, remark = express_parameters(trace, layer, op)
    if layer.call:
        remark = f"{remark}; the same as in the first call"
    if layer.shared_with:
        remark = f"{remark}; shared with {', '.join(layer.shared_with)}"
    if op is not None and is_convolution(op) and (groups := op.argument("groups", 1)) != 1:
        remark = f"{remark}; {_describe_groups(op, groups)}"
    return (Line("parameters", expression, layer.own_params, remark=remark.removeprefix("; ")),)


def express_macs(op: OpRecord) -> str:
    """`55 * 55 * 96 * (3 * 11 * 11)`; empty where the operation has no formula of one line."""
    name = op.name.partition(".")[2]
    out = op.outputs[0].shape if op.outputs else ()
    weight = op.operand("weight")
    if is_convolution(op) and weight is not None:
        data = op.operand("input") or op.inputs[0]
        shape = data.shape if is_transposed(op) else out
        return multiply([*_drop_batch(shape)], f"({multiply(weight.shape[1:])})")
    if name in PRODUCTS:
        left, right = (op.operand(key) for key in PRODUCTS[name])
        if left is not None and right is not None:
            return multiply([*_drop_ones(left.shape[:-1]), left.shape[-1], right.shape[-1]])
    if name == "linear" and weight is not None:
        data = op.operand("input") or op.inputs[0]
        return multiply([*_drop_ones(data.shape[:-1]), data.shape[-1], weight.shape[0]])
    return ""


def explain_macs(op: OpRecord, macs: int | None) -> tuple[Line, ...]:
    """The operation's multiply-accumulates; nothing where it costs none."""
    if not macs:
        return ()
    expression = express_macs(op)
    remark = "each input position meets the kernel once" if is_transposed(op) else ""
    return (Line("MACs", expression, macs, remark=remark),)


def explain_memory(ref: ValueRef) -> Line:
    """Bytes of an output."""
    width = DTYPE_BYTES.get(ref.spec.dtype, 1)
    sizes = (_drop_batch(ref.shape) if len(ref.shape) > 3 else _drop_ones(ref.shape)) or [1]
    size_bytes = prod(ref.shape) * width
    text = f"{format_exact(size_bytes)} bytes"
    return Line("output memory", multiply([*sizes, width]), size_bytes, text, f"{ref.spec.dtype}, {width} bytes each")


def explain_flattening(trace: Trace, ref: ValueRef) -> tuple[Line, ...]:
    """`512 * 7 * 7 = 25,088` where a linear layer reads what was flattened."""
    producers = {out.value: op for op in trace.ops for out in op.outputs}
    op = producers.get(ref.value)
    while op is not None and op.name.partition(".")[2] in ("view", "_unsafe_view", "reshape", "flatten", "clone"):
        before = op.inputs[0]
        if len(before.shape) > 2 and len(ref.shape) == 2 and prod(before.shape[1:]) == ref.shape[-1]:
            sizes = before.shape[1:]
            return (Line("features", multiply(sizes), ref.shape[-1], remark=f"flattened from {join_shape(sizes)}"),)
        op = producers.get(before.value)
    return ()


def _describe_groups(op: OpRecord, groups: object) -> str:
    weight = op.operand("weight")
    data = op.operand("input") or op.inputs[0]
    if weight is None or not isinstance(groups, int):
        return ""
    channels = data.shape[1]
    if groups == channels == op.outputs[0].shape[1]:
        return "depthwise: each filter reads one channel"
    return f"{groups} groups: each filter reads {channels} / {groups} = {channels // groups} channels"


def _name_tensors(tensors: Sequence[StateTensor]) -> str:
    return ", ".join(f"{tensor.path.rpartition('.')[2]} {join_shape(tensor.shape)}" for tensor in tensors)


def _drop_batch(shape: Sequence[int]) -> list[int]:
    """`(N, C, H, W)` as H, W, C, as papers write it, with the batch before where it is more than one."""
    if len(shape) < 2:
        return list(shape)
    batch, channels, *sizes = shape
    return [*([batch] if batch != 1 else []), *sizes, channels]


def _drop_ones(shape: Sequence[int]) -> list[int]:
    return [size for size in shape if size != 1]
