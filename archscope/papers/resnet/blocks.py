"""The stages, blocks and shortcuts of a traced residual network.

A stage is a part of the network that calls others; a block is what a stage calls. A block's shortcut is what runs under
`downsample`; its main path is every other convolution in it.
"""

from dataclasses import dataclass
from itertools import groupby

from archscope.core.operators import find_kind
from archscope.core.trace import LayerCall
from archscope.papers.networks import Convolution, Net, classify_op


@dataclass(frozen=True, slots=True)
class Block:
    """One block."""

    layer: LayerCall
    main: tuple[Convolution, ...]
    """Convolutions of the main path."""
    shortcut: tuple[Convolution, ...]
    """Convolutions of the shortcut."""
    pads: bool
    """Whether a shortcut module without convolution runs: option A's."""

    @property
    def words(self) -> str:
        """`[1x1, 64; 3x3, 64; 1x1, 256]`."""
        return f"[{'; '.join(f'{found.size}, {found.out_channels}' for found in self.main)}]"

    @property
    def changes_shape(self) -> bool:
        """Whether stride or channels change from input to output."""
        before, after = self.layer.inputs[0].shape, self.layer.outputs[0].shape
        return before != after


def list_stages(net: Net) -> tuple[str, ...]:
    """Paths of the stages, in order."""
    return tuple(layer.path for layer in net.children() if net.kind(layer) == "block")


def list_blocks(net: Net, stage: str = "") -> tuple[Block, ...]:
    """The blocks of a stage; of all stages without one."""
    stages = [stage] if stage else list_stages(net)
    return tuple(_read_block(net, layer) for path in stages for layer in net.children(path))


def count_blocks(net: Net) -> tuple[int, ...]:
    """Blocks of each stage."""
    return tuple(len(net.children(stage)) for stage in list_stages(net))


def _read_block(net: Net, layer: LayerCall) -> Block:
    shortcut_path = f"{layer.path}.downsample"
    aside = net.layer(shortcut_path) if net.has(shortcut_path) else None
    inside = range(aside.first_op, aside.end_op) if aside else range(0)
    convolutions = [op for op in net.ops(layer.path) if classify_op(op) == "conv"]
    main = tuple(Convolution(op) for op in convolutions if op.index not in inside)
    shortcut = tuple(Convolution(op) for op in convolutions if op.index in inside)
    return Block(layer, main, shortcut, pads=aside is not None and not shortcut)


def count_projections(net: Net) -> int:
    """Shortcuts that are 1x1 convolutions."""
    return sum(bool(block.shortcut) for block in list_blocks(net))


def count_additions(net: Net) -> int:
    """Blocks that add their input to what they made."""
    return sum(any(find_kind(op.name) == "addition" for op in net.ops(block.layer.path)) for block in list_blocks(net))


def count_main(net: Net, stage: str) -> int:
    """Convolutions on the main path of a stage."""
    return sum(len(block.main) for block in list_blocks(net, stage))


def describe_stage(net: Net, stage: str) -> str:
    """`[3x3, 64; 3x3, 64] x2`; blocks that differ are listed one after the other."""
    runs = groupby(block.words for block in list_blocks(net, stage))
    return ", ".join(f"{words} x{sum(1 for _ in run)}" for words, run in runs)
