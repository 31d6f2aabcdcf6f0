"""What a lecture calls layers and operations: a filter bank, a pool, a norm, neurons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from archscope.analysis.windows import find_weight, is_convolution, is_pool, is_transposed
from archscope.core.operators import find_operator
from archscope.core.trace import LayerCall, OpRecord, Setting, Trace
from archscope.tables.layer_text import (
    Settings,
    count_spatial,
    describe_type,
    format_shape,
    format_size,
    format_uniform,
)

LectureRowKind = Literal["conv", "pool", "norm", "fc", "other"]


@dataclass(frozen=True, slots=True)
class LectureRow:
    """One row's layer, before it has its number."""

    kind: LectureRowKind
    heading: str
    """`CONV`, `MAX POOL`, `NORM`, `FC`; for others the layer's path, empty for the root."""
    detail: str
    """`96 11x11 filters at stride 4, pad 0`."""


def describe_layer(trace: Trace, layer: LayerCall) -> LectureRow | None:
    """The unit of a leaf call; None where it is no row of its own: an activation, dropout, flattening, an identity."""
    settings = dict(layer.settings)
    rank = count_spatial(layer)
    if "kernel_size" in settings and "out_channels" in settings:
        return LectureRow("conv", "CONV", _describe_filters(settings, rank))
    if "kernel_size" in settings and "ceil_mode" in settings:
        return LectureRow("pool", _name_pool(trace, layer), _describe_window(settings, rank))
    if "output_size" in settings and "kernel_size" not in settings:
        return _describe_adaptive(trace, layer, rank)
    if "in_features" in settings and "out_features" in settings:
        return LectureRow("fc", "FC", f"{settings['out_features']} neurons")
    if {"size", "alpha", "beta", "k"} <= settings.keys():
        return LectureRow("norm", "NORM", "Normalization layer")
    if "eps" in settings and settings.keys() & {"num_features", "normalized_shape", "num_groups"}:
        return LectureRow("norm", "NORM", layer.type)
    if layer.params or _changes_size(layer):
        return LectureRow("other", layer.path, describe_type(layer))
    return None


def describe_op(op: OpRecord, *, costly: bool) -> LectureRow | None:
    """The unit of an operation that ran outside any leaf layer; None where it is no row and costs nothing."""
    out = op.outputs[0].shape if op.outputs else ()
    settings = dict(op.arguments)
    operator = find_operator(op.name)
    title = operator.title if operator is not None else ""
    weight = find_weight(op)
    if is_convolution(op) and weight is not None:
        settings |= {"kernel_size": weight.shape[2:], "out_channels": out[1] if len(out) > 1 else None}
        return LectureRow("conv", title, _describe_filters(settings | {"transposed": is_transposed(op)}, len(out) - 2))
    if is_pool(op) and "kernel_size" in settings:
        settings["stride"] = settings.get("stride") or settings["kernel_size"]
        return LectureRow("pool", title, _describe_window(settings, len(out) - 2))
    if _find_pool_title(op) and _pools_everything(op):
        return LectureRow("pool", title, _describe_reduction(op.inputs[0].shape[2:], out[2:]))
    kind = operator.kind if operator is not None else ""
    if kind == "normalisation":
        return LectureRow("norm", "NORM", title)
    if kind == "product" and title and out:
        return LectureRow("fc", title, f"{out[-1]} neurons")
    return LectureRow("other", op.name.rpartition(".")[2], "operation") if costly else None


def _describe_filters(settings: Settings, rank: int) -> str:
    filters = _name_window(settings, rank, "transposed filters" if settings.get("transposed") else "filters")
    text = f"{settings['out_channels']} {filters} at stride {format_uniform(settings.get('stride', 1))}"
    text += f", pad {format_uniform(settings.get('padding', 0))}"
    return text + _describe_extras(settings)


def _describe_window(settings: Settings, rank: int) -> str:
    stride = settings.get("stride")
    at = format_uniform(settings["kernel_size"] if stride is None else stride)
    text = f"{_name_window(settings, rank, 'filters')} at stride {at}"
    padding = format_uniform(settings.get("padding", 0), 0)
    return (f"{text}, pad {padding}" if padding else text) + _describe_extras(settings)


def _name_window(settings: Settings, rank: int, noun: str) -> str:
    kernel = format_size(settings["kernel_size"], rank)
    return f"{kernel} {noun}" if "x" in kernel else f"{noun} of width {kernel}"


def _describe_extras(settings: Mapping[str, Setting]) -> str:
    dilation, groups = format_uniform(settings.get("dilation", 1), 1), settings.get("groups", 1)
    text = f", dilation {dilation}" if dilation else ""
    return f"{text}, in {groups} groups" if groups != 1 else text


def _describe_adaptive(trace: Trace, layer: LayerCall, rank: int) -> LectureRow | None:
    """An adaptive pool that changes nothing, as VGG's at its own input size, is no row."""
    before, after = layer.inputs[0].shape if layer.inputs else (), layer.outputs[0].shape if layer.outputs else ()
    if before == after:
        return None
    detail = _describe_reduction(before[-rank:], after[-rank:]) if rank > 0 else "adaptive"
    return LectureRow("pool", _name_pool(trace, layer), detail)


def _describe_reduction(before: Sequence[int], after: Sequence[int]) -> str:
    if all(size == 1 for size in after):
        return f"over the whole {format_shape(before)}"
    return f"{format_shape(before)} to {format_shape(after)}"


def _name_pool(trace: Trace, layer: LayerCall) -> str:
    """What the operation inside says that it is."""
    return next(filter(None, map(_find_pool_title, trace.list_ops(layer))), "POOL")


def _find_pool_title(op: OpRecord) -> str:
    """What the lecture calls a pool, or the mean that stands for one."""
    operator = find_operator(op.name)
    return operator.title if operator is not None and operator.kind in _POOLS else ""


_POOLS = ("pool", "adaptive pool", "reduction")


def _pools_everything(op: OpRecord) -> bool:
    """Whether an operation without a window reduces all that follows `(N, C)`."""
    before, after = op.inputs[0].shape, op.outputs[0].shape
    return len(before) > 2 and before[:2] == after[:2] and all(size == 1 for size in after[2:]) and before != after


def _changes_size(layer: LayerCall) -> bool:
    """Whether the number of elements changes: an upsampling, an unnamed pool."""
    return sum(ref.spec.elements for ref in layer.inputs) != sum(ref.spec.elements for ref in layer.outputs)
