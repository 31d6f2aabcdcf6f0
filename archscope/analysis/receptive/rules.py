"""How each operation passes reaches on: windows, resampling, reductions, products, and movements of axes.

An operation without a rule whose output has the shape of its inputs, broadcast, is taken as working position by
position; any other leaves the dimensions that it may have touched unknown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from archscope.analysis.receptive.extent import (
    Extent,
    Reading,
    apply_reading,
    read_adaptive,
    read_interpolated,
    read_nearest,
    read_transposed,
    read_window,
)
from archscope.analysis.receptive.layout_ops import MOVEMENTS
from archscope.analysis.receptive.state import (
    UNKNOWN,
    WHOLE,
    Reach,
    State,
    contract_axes,
    lose_axes,
    map_axes,
    unite_states,
)
from archscope.core.trace import OpRecord, Setting, ValueRef

States: TypeAlias = Mapping[int, State]
Rule: TypeAlias = Callable[[OpRecord, States], State]


def follow_op(op: OpRecord, states: States) -> tuple[State, ...]:
    """The states of the operation's outputs."""
    name = op.name.partition(".")[2].removesuffix("_")
    if name in MOVEMENTS:
        return MOVEMENTS[name](op, states)
    rule = _RULES.get(name)
    state = rule(op, states) if rule is not None else _follow_positions(op, states)
    return tuple(state for _ in op.outputs)


def read_sizes(value: Setting, count: int, default: int) -> tuple[int, ...]:
    """`3`, `(3,)` and `(3, 3)` as one number for each of `count` dimensions; `default` where there is none."""
    sizes = value if isinstance(value, tuple) else (value,)
    numbers = [size for size in sizes if isinstance(size, int)]
    if not numbers:
        return (default,) * count
    return tuple(numbers) if len(numbers) == count else (numbers[0],) * count


def read_axis(shape: Sequence[int], dim: Setting) -> int:
    """A dimension counted from the front."""
    return dim % max(len(shape), 1) if isinstance(dim, int) else 0


def _main(op: OpRecord, states: States) -> tuple[ValueRef, State]:
    """The tensor that an operation works on: the first that depends on the image."""
    return next((ref, states[ref.value]) for ref in op.inputs if states.get(ref.value))


def resample(state: State, readings: Mapping[int, Reading]) -> State:
    """Each dimension that lies alone on an axis is read by that axis's reading; what shares one is unknown."""

    def follow(reach: Reach) -> Reach:
        if reach.kind != "extent" or reach.place == "single":
            return reach
        if reach.place == "lost":
            return UNKNOWN
        if reach.axis not in readings:
            return reach
        extent = apply_reading(reach.extent, readings[reach.axis]) if reach.place == "axis" else None
        return UNKNOWN if extent is None else replace(reach, extent=extent)

    return tuple(follow(reach) for reach in state)


def _follow_convolution(op: OpRecord, states: States) -> State:
    ref, state = _main(op, states)
    weight = op.operand("weight")
    if weight is None:
        return lose_axes(state, range(len(ref.shape)))
    rank = len(ref.shape) - 2
    kernel = weight.shape[-rank:]
    stride = read_sizes(op.argument("stride"), rank, 1)
    padding = read_sizes(op.argument("padding"), rank, 0)
    dilation = read_sizes(op.argument("dilation"), rank, 1)
    read = read_transposed if op.argument("transposed") is True else read_window
    readings = {axis + 2: read(kernel[axis], stride[axis], padding[axis], dilation[axis]) for axis in range(rank)}
    mixed = contract_axes(state, (1,)) if op.argument("groups", 1) == 1 else lose_axes(state, (1,))
    return resample(mixed, readings)


def _follow_pool(op: OpRecord, states: States) -> State:
    ref, state = _main(op, states)
    kernel_size = op.argument("kernel_size")
    rank = len(kernel_size) if isinstance(kernel_size, tuple) and len(kernel_size) > 1 else _count_window(op)
    kernel = read_sizes(kernel_size, rank, 1)
    stride = read_sizes(op.argument("stride"), rank, 0)
    padding = read_sizes(op.argument("padding"), rank, 0)
    dilation = read_sizes(op.argument("dilation"), rank, 1)
    first = len(ref.shape) - rank
    readings = {
        first + axis: read_window(kernel[axis], stride[axis] or kernel[axis], padding[axis], dilation[axis])
        for axis in range(rank)
    }
    return resample(state, readings)


def _count_window(op: OpRecord) -> int:
    """`max_pool2d_with_indices` slides along 2 dimensions."""
    return next((int(sign) for sign in op.name if sign in "123"), 2)


def _follow_adaptive(op: OpRecord, states: States) -> State:
    ref, state = _main(op, states)
    rank = _count_window(op)
    out = op.outputs[0].shape
    axes = range(len(ref.shape) - rank, len(ref.shape))
    whole = contract_axes(state, (axis for axis in axes if out[axis] == 1 and ref.shape[axis] > 1))
    return resample(whole, {axis: read_adaptive(ref.shape[axis], out[axis]) for axis in axes})


def _follow_upsampling(op: OpRecord, states: States) -> State:
    ref, state = _main(op, states)
    out, align = op.outputs[0].shape, op.argument("align_corners") is True
    taps = 4 if "bicubic" in op.name else 2 if "linear" in op.name else 1
    readings = {}
    for axis in range(2, len(ref.shape)):
        size, outputs = ref.shape[axis], out[axis]
        nearest = taps == 1
        readings[axis] = (
            read_nearest(size, outputs) if nearest else read_interpolated(size, outputs, taps, align_corners=align)
        )
    return resample(state, readings)


def _follow_shuffle(op: OpRecord, states: States) -> State:
    """`pixel_shuffle`: each position becomes a patch of factor x factor."""
    ref, state = _main(op, states)
    factor = op.outputs[0].shape[-1] // ref.shape[-1]
    rank = len(ref.shape)
    reading = Reading(lambda output: (output // factor,), period=factor)
    return resample(state, {rank - 2: reading, rank - 1: reading})


def _follow_unshuffle(op: OpRecord, states: States) -> State:
    """`pixel_unshuffle`: each patch of factor x factor becomes a position."""
    ref, state = _main(op, states)
    factor = ref.shape[-1] // op.outputs[0].shape[-1]
    rank = len(ref.shape)
    return resample(state, {axis: read_window(factor, factor, 0) for axis in (rank - 2, rank - 1)})


def _follow_reduction(op: OpRecord, states: States) -> State:
    ref, state = _main(op, states)
    dims = op.argument("dim")
    listed = dims if isinstance(dims, tuple) else (dims,)
    axes = [read_axis(ref.shape, dim) for dim in listed if isinstance(dim, int)] or list(range(len(ref.shape)))
    reduced = contract_axes(state, axes)
    if len(op.outputs[0].shape) == len(ref.shape):
        return reduced
    kept = [axis for axis in range(len(ref.shape)) if axis not in axes]
    return map_axes(reduced, {axis: place for place, axis in enumerate(kept)})


def _follow_mixing(op: OpRecord, states: States) -> State:
    """Same shape, but every output reads all positions along one axis: softmax, cumulative sums."""
    ref, state = _main(op, states)
    return contract_axes(state, (read_axis(ref.shape, op.argument("dim", -1)),))


def _follow_product(op: OpRecord, states: States) -> State:
    """A product with a weight sums over the last axis; a product of two activations is taken to mix everything."""
    data = [(ref, states[ref.value]) for ref in op.inputs if states.get(ref.value) and ref.spec.key != "bias"]
    if len(data) > 1 and len({ref.value for ref, _ in data}) > 1:
        return unite_states(_mix_everything(state) for _, state in data)
    ref, state = data[0]
    if ref.spec.key in ("mat2", "batch2"):
        return lose_axes(state, range(len(ref.shape)))
    return contract_axes(state, (len(ref.shape) - 1,))


def _follow_attention(op: OpRecord, states: States) -> State:
    return unite_states(_mix_everything(states.get(ref.value, ())) for ref in op.inputs)


def _mix_everything(state: State) -> State:
    """Where a dimension is scattered over several axes, its parts are mixed within windows: how far is not known."""
    scattered = UNKNOWN, WHOLE
    return tuple(
        reach if reach.kind != "extent" or reach.place == "single" else scattered[reach.place != "lost"]
        for reach in state
    )


def _follow_unknown(op: OpRecord, states: States) -> State:
    ref, state = _main(op, states)
    return lose_axes(state, range(len(ref.shape)))


def _follow_positions(op: OpRecord, states: States) -> State:
    """Position by position, inputs of fewer or shorter axes broadcast."""
    if not op.outputs:
        return ()
    out = op.outputs[0].shape
    aligned = []
    for ref in op.inputs:
        state = states.get(ref.value, ())
        if not state:
            continue
        if len(ref.shape) > len(out) or any(
            size not in (1, whole) for size, whole in zip(reversed(ref.shape), reversed(out), strict=False)
        ):
            return lose_axes(state, range(len(ref.shape)))
        aligned.append(_broadcast(state, ref.shape, out))
    return unite_states(aligned)


def _broadcast(state: State, shape: Sequence[int], out: Sequence[int]) -> State:
    added = len(out) - len(shape)

    def spread(reach: Reach) -> Reach:
        if reach.place not in ("axis", "merged"):
            return reach
        moved = reach.moved(reach.axis + added)
        if shape[reach.axis] == 1 and out[reach.axis + added] != 1 and reach.kind == "extent":
            span = reach.extent.find_span(0)
            return replace(moved, extent=Extent((span,), 0))
        return moved

    return tuple(spread(reach) for reach in state)


def _name(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


_RULES: dict[str, Rule] = (
    _name(
        _follow_convolution,
        "convolution _convolution convolution_overrideable cudnn_convolution mkldnn_convolution conv1d conv2d conv3d "
        "_slow_conv2d_forward thnn_conv2d _conv_depthwise2d conv_depthwise3d",
    )
    | _name(
        _follow_pool,
        "max_pool1d max_pool2d max_pool3d max_pool2d_with_indices max_pool3d_with_indices avg_pool1d avg_pool2d "
        "avg_pool3d mkldnn_max_pool2d",
    )
    | _name(
        _follow_adaptive,
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d "
        "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d",
    )
    | _name(
        _follow_upsampling,
        "upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d "
        "_upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d",
    )
    | _name(_follow_shuffle, "pixel_shuffle")
    | _name(_follow_unshuffle, "pixel_unshuffle")
    | _name(
        _follow_reduction,
        "mean sum amax amin max min prod logsumexp norm linalg_vector_norm var std var_mean std_mean any all argmax "
        "argmin nansum nanmean median",
    )
    | _name(_follow_mixing, "_softmax softmax _log_softmax log_softmax _safe_softmax cumsum cumprod logcumsumexp")
    | _name(_follow_product, "mm addmm bmm baddbmm matmul linear mv addmv dot _addmm_activation")
    | _name(
        _follow_attention,
        "scaled_dot_product_attention _scaled_dot_product_flash_attention _scaled_dot_product_efficient_attention "
        "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_cudnn_attention "
        "_scaled_dot_product_attention_math _native_multi_head_attention _transformer_encoder_layer_fwd "
        "lstm gru rnn_tanh rnn_relu mkldnn_rnn_layer _cudnn_rnn _thnn_fused_lstm_cell",
    )
    | _name(
        _follow_unknown,
        "flip roll sort topk cumsum_backward index index_put index_select gather scatter scatter_add grid_sampler_2d "
        "grid_sampler_3d im2col col2im deform_conv2d unfold _fft_c2c _fft_r2c _fft_c2r as_strided rot90 tril triu "
        "masked_select nonzero _unsafe_index max_unpool2d repeat_interleave",
    )
)
