"""Convolutions. A weight is `(C_out, C_in / groups, *kernel)`, of a transposed one `(C_in, C_out / groups, *kernel)`.

Every output element of a convolution sums over `C_in / groups * prod(kernel)` products; padding is counted, as in the
papers. A transposed convolution spreads every *input* element over `C_out / groups * prod(kernel)` outputs. Where a
framework computes one complex convolution as three real ones, the three are counted.
"""

from archscope.analysis.macs.formula import Formula, elements, output, shape
from archscope.core.trace import OpRecord


def count_convolution(op: OpRecord) -> int:
    """`elements(output) * prod(weight.shape[1:])`, or with the input's elements where it is transposed."""
    sizes = shape(op, "input", "self", "qx") if op.argument("transposed") is True else output(op)
    return elements(sizes) * elements(shape(op, "weight", "packed_weight", "weight.0", "packed_weight.0")[1:])


def count_transposed(op: OpRecord) -> int:
    """`elements(input) * prod(weight.shape[1:])`."""
    return elements(shape(op, "input", "self", "qx")) * elements(shape(op, "weight", "packed_weight")[1:])


def count_tbc(op: OpRecord) -> int:
    """Time-batch-channel convolution, weight `(kernel, C_in, C_out)`: `elements(output) * kernel * C_in`."""
    kernel, channels, _ = shape(op, "weight")
    return elements(output(op)) * kernel * channels


def count_backward(op: OpRecord) -> int:
    """The gradients of input and weight each cost as much as the forward pass; the bias none."""
    weight = shape(op, "weight")
    sizes = shape(op, "input", "self") if op.argument("transposed") is True else shape(op, "grad_output")
    mask = op.argument("output_mask", (True, True, True))
    wanted = sum(bool(flag) for flag in mask[:2]) if isinstance(mask, tuple) else 2
    return wanted * elements(sizes) * elements(weight[1:])


_PLAIN = (
    "aten.convolution", "aten._convolution", "aten.convolution_overrideable", "aten.cudnn_convolution",
    "aten.cudnn_convolution_relu", "aten.cudnn_convolution_add_relu", "aten.miopen_convolution",
    "aten.miopen_convolution_relu", "aten.miopen_convolution_add_relu", "aten.miopen_depthwise_convolution",
    "aten.mkldnn_convolution", "aten._mps_convolution", "aten._nnpack_spatial_convolution",
    "aten._slow_conv2d_forward", "aten.thnn_conv2d", "aten.slow_conv3d", "aten.slow_conv3d_forward",
    "aten.slow_conv_dilated2d", "aten.slow_conv_dilated3d", "aten._conv_depthwise2d", "aten.conv_depthwise3d",
    "aten.conv1d", "aten.conv2d", "aten.conv3d", "torchvision.deform_conv2d",
    "quantized.conv1d", "quantized.conv1d_relu", "quantized.conv1d_dynamic", "quantized.conv2d",
    "quantized.conv2d_relu", "quantized.conv2d_add", "quantized.conv2d_add_relu", "quantized.conv2d_dynamic",
    "quantized.conv3d", "quantized.conv3d_relu", "quantized.conv3d_dynamic",
)  # fmt: skip
_TRANSPOSED = (
    "aten.cudnn_convolution_transpose", "aten.miopen_convolution_transpose", "aten._mps_convolution_transpose",
    "aten.slow_conv_transpose2d", "aten.slow_conv_transpose3d", "aten.conv_transpose1d", "aten.conv_transpose2d",
    "aten.conv_transpose3d", "quantized.conv_transpose1d", "quantized.conv_transpose1d_dynamic",
    "quantized.conv_transpose2d", "quantized.conv_transpose2d_dynamic", "quantized.conv_transpose3d",
    "quantized.conv_transpose3d_dynamic",
)  # fmt: skip
_BACKWARD = (
    "aten.convolution_backward", "aten.convolution_backward_overrideable", "aten._slow_conv2d_backward",
    "aten.mps_convolution_backward",
)  # fmt: skip

FORMULAS: dict[str, Formula] = (
    {name: Formula(count_convolution, "convolution") for name in _PLAIN}
    | {name: Formula(count_transposed, "convolution") for name in _TRANSPOSED}
    | {name: Formula(count_backward, "other") for name in _BACKWARD}
    | {"aten.conv_tbc": Formula(count_tbc, "convolution")}
)
