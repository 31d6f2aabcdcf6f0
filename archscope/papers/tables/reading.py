"""A Trace goes in; what papers write about its layers comes out: kernels, filters, weights, depths."""

from collections.abc import Iterator
from math import prod
from typing import TypeAlias

from archscope.analysis.outline import list_children
from archscope.core.cost import CostReport
from archscope.core.trace import LayerCall, Trace
from archscope.tables.layer_text import arrange_shape

Traced: TypeAlias = tuple[Trace, CostReport]


class Reader:
    """One trace, with the questions that family tables ask of it."""

    def __init__(self, trace: Trace, costs: CostReport) -> None:
        self.trace = trace
        self.costs = costs
        self._children = list_children(trace)

    def list_leaves(self, call: int = 0) -> tuple[LayerCall, ...]:
        """The calls beneath `call` (or itself) that make no others, in the order of execution."""
        layer = self.trace.layers[call]
        if layer.leaf:
            return (layer,)
        return tuple(leaf for child in self._children[call] for leaf in self.list_leaves(child))

    def list_children(self, call: int = 0) -> tuple[LayerCall, ...]:
        """The calls that `call` made itself."""
        return tuple(self.trace.layers[child] for child in self._children[call])

    def count_weights(self, layer: LayerCall) -> int:
        """Elements of the weights of the layer and all beneath it, biases and scales left out."""
        prefix = f"{layer.path}." if layer.path else ""
        return sum(
            prod(tensor.shape)
            for tensor in self.trace.state
            if tensor.kind == "parameter" and len(tensor.shape) > 1 and tensor.path.startswith(prefix)
        )

    def count_macs(self, layer: LayerCall) -> int:
        """Multiply-accumulates of the layer and all beneath it."""
        return self.costs.layers[layer.id].macs or 0

    def count_deepest(self, layer: LayerCall) -> int:
        """Layers with weights on the longest path through the layer's branches."""
        if layer.leaf:
            return int(is_weighted(layer))
        depth: dict[int, int] = {}
        for op in self.trace.ops[layer.first_op : layer.end_op]:
            before = max((depth.get(ref.value, 0) for ref in op.inputs), default=0)
            after = before + int(is_weighted(self.trace.layers[op.layer]) and op.operand("weight") is not None)
            depth |= {ref.value: after for ref in op.outputs}
        return max((depth.get(ref.value, 0) for ref in layer.outputs), default=0)


def is_convolution(layer: LayerCall) -> bool:
    """Whether the call is a convolution."""
    return layer.setting("kernel_size") is not None and layer.setting("out_channels") is not None


def is_linear(layer: LayerCall) -> bool:
    """Whether the call is a fully connected layer."""
    return layer.setting("out_features") is not None and layer.setting("in_features") is not None


def is_weighted(layer: LayerCall) -> bool:
    """Whether papers count it among the layers with weights."""
    return is_convolution(layer) or is_linear(layer)


def read_size(value: object) -> int:
    """`3` and `(3, 3)` are 3; what is neither raises ValueError."""
    sizes = set(value) if isinstance(value, tuple) else {value}
    size = sizes.pop()
    if sizes or not isinstance(size, int):
        raise ValueError(f"{value!r} is not one size")
    return size


def read_kernel(layer: LayerCall) -> int:
    """The side of a square kernel."""
    return read_size(layer.setting("kernel_size"))


def read_stride(layer: LayerCall) -> int:
    """The stride, the same in both directions; a pool without one strides by its kernel."""
    stride = layer.setting("stride")
    return read_kernel(layer) if stride is None else read_size(stride)


def arrange_output(layer: LayerCall, rank: int = 3) -> str:
    """The first output as HxWxC, as HxW at rank 2; a vector of features is 1x1xC."""
    shape = layer.outputs[0].shape if layer.outputs else ()
    if len(shape) == 2:
        shape = (*shape, 1, 1)
    if rank == 2:
        shape = (1, *shape[2:])
        return arrange_shape(shape, channels_first=False)
    return arrange_shape(shape, channels_first=True)


def zip_columns(columns: list[list[str]]) -> Iterator[tuple[str, ...]]:
    """Rows through columns of unequal length, empty where a column has ended."""
    for place in range(max((len(column) for column in columns), default=0)):
        yield tuple(column[place] if place < len(column) else "" for column in columns)
