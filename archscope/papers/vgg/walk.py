"""The layers of a traced VGG under the names of Table 1: `conv1_1`, `lrn1`, `pool1`, `fc6`."""

from dataclasses import dataclass

from archscope.core.trace import LayerCall
from archscope.papers.networks import Net

FIRST_LINEAR = 6
"""The paper numbers its fully connected layers FC6 to FC8, after five stages."""


@dataclass(frozen=True, slots=True)
class WalkItem:
    """One layer."""

    name: str
    kind: str
    """`conv`, `pool`, `lrn`, `norm` or `fc`."""
    layer: LayerCall
    stage: int
    """From 1; a stage ends with a max pool."""


def walk_vgg(net: Net) -> tuple[WalkItem, ...]:
    """The layers in order."""
    items: list[WalkItem] = []
    stage, convolutions, linear = 1, 0, 0
    for layer in net.trace.layers:
        kind = net.kind(layer)
        if kind == "conv":
            convolutions += 1
            items.append(WalkItem(f"conv{stage}_{convolutions}", kind, layer, stage))
        elif kind == "pool":
            items.append(WalkItem(f"pool{stage}", kind, layer, stage))
            stage, convolutions = stage + 1, 0
        elif kind == "fc":
            items.append(WalkItem(f"fc{FIRST_LINEAR + linear}", kind, layer, stage))
            linear += 1
        elif kind in ("norm", "lrn"):
            items.append(WalkItem(f"{kind}{stage}", kind, layer, stage))
    return tuple(items)


def list_configuration(net: Net) -> tuple[int | str, ...]:
    """As the lecture writes a configuration: `64, 'M', 128, ...`."""
    items = (item for item in walk_vgg(net) if item.kind in ("conv", "pool"))
    return tuple("M" if item.kind == "pool" else net.convolution(item.layer.path).out_channels for item in items)


def count_kinds(net: Net) -> tuple[int, int]:
    """(convolutions, fully connected layers)."""
    kinds = [item.kind for item in walk_vgg(net)]
    return kinds.count("conv"), kinds.count("fc")
