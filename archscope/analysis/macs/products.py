"""Matrix products: `(M, K) @ (K, N)` is `M * K * N` multiply-accumulates, times the batch."""

from collections.abc import Callable
from itertools import zip_longest

from archscope.analysis.macs.formula import Formula, elements, integer, output, shape
from archscope.core.trace import OpRecord


def _count_matrix(left: str, right: str) -> Callable[[OpRecord], int]:
    def count(op: OpRecord) -> int:
        """`elements(left) * N` for `left (..., M, K)` and `right (..., K, N)`."""
        return elements(shape(op, left)) * shape(op, right)[-1]

    return count


def _count_vector(left: str) -> Callable[[OpRecord], int]:
    def count(op: OpRecord) -> int:
        """One multiply-accumulate per element of `left`: a dot product, or a matrix times a vector."""
        return elements(shape(op, left))

    return count


def count_outer(op: OpRecord) -> int:
    """`vec1 (M,)` and `vec2 (N,)`: `M * N`."""
    return elements(shape(op, "vec1", "self")) * elements(shape(op, "vec2"))


def count_linear(op: OpRecord) -> int:
    """`input (..., K)` and `weight (N, K)`: `elements(input) * N`."""
    return elements(shape(op, "input", "self")) * shape(op, "weight")[0]


def count_packed_linear(op: OpRecord) -> int:
    """A linear layer whose weight is packed: `elements(input) * N`, N read off the output `(..., N)`."""
    return elements(shape(op, "X", "input", "self", "inp")) * output(op)[-1]


def count_packed_width(op: OpRecord) -> int:
    """A packed weight of narrow integers: `elements(output) * K`, K the width of `self (M, K)`."""
    return elements(output(op)) * shape(op, "self", "input", "inp")[-1]


def count_grouped(op: OpRecord) -> int:
    """Grouped product of a mixture of experts, offsets splitting the rows, the columns or the inner dimension.

    `(M, K) x (G, K, N)`: each row meets one expert, `M * K * N`; `(G, M, K) x (G, K, N)`: `G * M * K * N`;
    `(G, M, K) x (K, N)`: `M * K * N`, the columns split; `(M, K) x (K, N)`: `M * K * N`, the sum split.
    """
    left, right = shape(op, "self"), shape(op, "mat2")
    groups = left[0] if len(left) == len(right) == 3 else 1
    return groups * left[-2] * left[-1] * right[-1]


def count_trilinear(op: OpRecord) -> int:
    """`nn.Bilinear`'s kernel: three operands broadcast against each other, one product per element."""
    sizes: list[tuple[int, ...]] = []
    for operand, expand in (("i1", "expand1"), ("i2", "expand2"), ("i3", "expand3")):
        dims = list(shape(op, operand))
        positions = op.argument(expand, ())
        for position in positions if isinstance(positions, tuple) else ():
            dims.insert(position if isinstance(position, int) else 0, 1)
        sizes.append(tuple(dims))
    return elements(tuple(max(column) for column in zip_longest(*sizes, fillvalue=1)))


def count_linear_backward(op: OpRecord) -> int:
    """The gradients of input and weight each cost as much as the forward pass."""
    mask = op.argument("output_mask", (True, True, True))
    wanted = sum(bool(flag) for flag in mask[:2]) if isinstance(mask, tuple) else 2
    return wanted * elements(shape(op, "grad_output")) * shape(op, "weight")[-1]


def count_4bit(op: OpRecord) -> int:
    """`inp (..., K)` by a packed weight of `out_features` rows."""
    return elements(shape(op, "inp")) * integer(op, "out_features")


_COUNTS: dict[str, Callable[[OpRecord], int]] = {
    "aten.mm": _count_matrix("self", "mat2"),
    "aten.addmm": _count_matrix("mat1", "mat2"),
    "aten._addmm_activation": _count_matrix("mat1", "mat2"),
    "aten.bmm": _count_matrix("self", "mat2"),
    "aten.baddbmm": _count_matrix("batch1", "batch2"),
    "aten.addbmm": _count_matrix("batch1", "batch2"),
    "aten._int_mm": _count_matrix("self", "mat2"),
    "aten._scaled_mm": _count_matrix("self", "mat2"),
    "aten._scaled_mm_v2": _count_matrix("self", "mat2"),
    "aten._grouped_mm": count_grouped,
    "aten._scaled_grouped_mm": count_grouped,
    "aten._scaled_grouped_mm_v2": count_grouped,
    "aten.mv": _count_vector("self"),
    "aten.addmv": _count_vector("mat"),
    "aten.dot": _count_vector("self"),
    "aten.vdot": _count_vector("self"),
    "aten.addr": count_outer,
    "aten.ger": count_outer,
    "aten.linear": count_linear,
    "aten.mkldnn_linear": count_linear,
    "aten._mixed_dtypes_linear": count_packed_linear,
    "aten.linear_backward": count_linear_backward,
    "aten.mkldnn_linear_backward": count_linear_backward,
    "aten._trilinear": count_trilinear,
    "aten._weight_int8pack_mm": count_packed_width,
    "aten._weight_int4pack_mm": count_packed_width,
    "aten._weight_int4pack_mm_for_cpu": count_packed_width,
    "aten._weight_int4pack_mm_with_scales_and_zeros": count_packed_width,
    "aten._dyn_quant_matmul_4bit": count_4bit,
    "aten.fbgemm_linear_int8_weight": count_packed_linear,
    "aten.fbgemm_linear_int8_weight_fp32_activation": count_packed_linear,
    "aten.fbgemm_linear_fp16_weight": count_packed_linear,
    "aten.fbgemm_linear_fp16_weight_fp32_activation": count_packed_linear,
    "aten._wrapped_quantized_linear_prepacked": count_packed_linear,
}
_QUANTIZED = (
    "linear", "linear_relu", "linear_tanh", "linear_leaky_relu", "linear_dynamic", "linear_relu_dynamic",
    "linear_dynamic_fp16", "linear_relu_dynamic_fp16", "linear_with_input_q_dq_qweight_dq_output_fp32",
    "linear_with_input_q_dq_qweight_dq_relu_output_fp32",
)  # fmt: skip
_PACKED = {f"quantized.{name}": Formula(count_packed_linear, "convolution") for name in _QUANTIZED}
# Operations that only linear layers use: their outputs are activations whatever their weight looks like.
_LAYERS = {
    name: Formula(count, "convolution")
    for name, count in _COUNTS.items()
    if "linear" in name and "backward" not in name and name != "aten._trilinear"
}

FORMULAS: dict[str, Formula] = {name: Formula(count, "product") for name, count in _COUNTS.items()} | _LAYERS | _PACKED
