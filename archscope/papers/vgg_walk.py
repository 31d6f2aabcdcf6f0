"""The trace of a VGG goes in; its layers come out under the names of Table 1: `conv1_1`, `pool1`, `lrn1`, `fc6`."""

from dataclasses import dataclass

from archscope.core.trace import LayerCall
from archscope.papers.networks import CONVOLUTION, MAX_POOLS, PRODUCTS, Net

FIRST_LINEAR = 6
"""The paper numbers its fully connected layers FC6 to FC8, after five stages."""


@dataclass(frozen=True, slots=True)
class WalkItem:
    """One layer."""

    name: str
    kind: str
    """`conv`, `pool`, `lrn`, `norm` or `fc`."""
    layer: LayerCall


def walk_vgg(net: Net) -> tuple[WalkItem, ...]:
    """The layers in order; a stage ends with a max pool."""
    items: list[WalkItem] = []
    stage, convolutions, linear = 1, 0, 0
    for layer in net.trace.layers:
        kind = _find_kind(net, layer)
        if kind == "conv":
            convolutions += 1
            items.append(WalkItem(f"conv{stage}_{convolutions}", kind, layer))
        elif kind == "pool":
            items.append(WalkItem(f"pool{stage}", kind, layer))
            stage, convolutions = stage + 1, 0
        elif kind == "fc":
            items.append(WalkItem(f"fc{FIRST_LINEAR + linear}", kind, layer))
            linear += 1
        elif kind:
            items.append(WalkItem(f"{kind}{stage}", kind, layer))
    return tuple(items)


def _find_kind(net: Net, layer: LayerCall) -> str:
    """By the operations that the layer ran; empty where it is none of those that Table 1 lists."""
    if not layer.leaf:
        return ""
    names = {op.name for op in net.trace.ops[layer.first_op : layer.end_op]}
    if CONVOLUTION in names:
        return "conv"
    if names & MAX_POOLS:
        return "pool"
    if names & PRODUCTS:
        return "fc"
    if "aten.native_batch_norm" in names:
        return "norm"
    return "lrn" if layer.type == "LocalResponseNorm" else ""


def list_configuration(net: Net) -> tuple[int | str, ...]:
    """As the lecture writes a configuration: `64, 'M', 128, ...`."""
    items: list[int | str] = []
    for item in walk_vgg(net):
        if item.kind == "conv":
            items.append(net.convolution(item.layer.path).out_channels)
        elif item.kind == "pool":
            items.append("M")
    return tuple(items)


def count_kinds(net: Net) -> tuple[int, int]:
    """(convolutions, fully connected layers)."""
    kinds = [item.kind for item in walk_vgg(net)]
    return kinds.count("conv"), kinds.count("fc")
