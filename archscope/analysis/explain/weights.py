"""The parameters, multiply-accumulates and memory of operations, written out as arithmetic."""

from collections.abc import Sequence
from math import prod

from archscope.analysis.explain.arithmetic import Line, join_shape, multiply
from archscope.analysis.windows import find_input, find_weight, is_convolution, is_transposed
from archscope.core.operators import find_operator
from archscope.core.tensors import DTYPE_BYTES
from archscope.core.trace import LayerCall, OpRecord, StateTensor, Trace, ValueRef
from archscope.core.units import format_exact


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
    weight = find_weight(op) if op is not None and is_convolution(op) else None
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
    weight = find_weight(op)
    if weight is None or not (is_convolution(op) or is_plain_product(op)):
        return ""
    data = find_input(op).shape
    if is_convolution(op):
        shape = data if is_transposed(op) else op.outputs[0].shape
        return multiply([*_drop_batch(shape)], f"({multiply(weight.shape[1:])})")
    width = weight.shape[0] if _find_formula(op) == "linear" else weight.shape[-1]
    return multiply([*_drop_ones(data[:-1]), data[-1], width])


def is_plain_product(op: OpRecord) -> bool:
    """Whether the operation is a product of two matrices, or of batches of them, that is written in one line."""
    return _find_formula(op) in ("product", "linear")


def _find_formula(op: OpRecord) -> str:
    operator = find_operator(op.name)
    return operator.formula if operator is not None else ""


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
    while op is not None and _keeps_elements(op):
        before = op.inputs[0]
        if len(before.shape) > 2 and len(ref.shape) == 2 and prod(before.shape[1:]) == ref.shape[-1]:
            sizes = before.shape[1:]
            return (Line("features", multiply(sizes), ref.shape[-1], remark=f"flattened from {join_shape(sizes)}"),)
        op = producers.get(before.value)
    return ()


def _keeps_elements(op: OpRecord) -> bool:
    operator = find_operator(op.name)
    return operator is not None and (operator.reading == "reshape" or operator.kind == "copy")


def _describe_groups(op: OpRecord, groups: object) -> str:
    if not isinstance(groups, int):
        return ""
    channels = find_input(op).shape[1]
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
