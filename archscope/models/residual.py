"""The parts of residual networks: blocks, their shortcuts, and stages of blocks.

He et al. 2015: Figure 2 (basic block), Figure 5 (bottleneck), section 3.3 (shortcut options A, B, C). Module names are
torchvision's.
"""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from torch import Tensor, nn
from torch.nn import functional

Shortcut = Literal["A", "B", "C", "none"]
"""A zero-padded identity, B projection where shapes change, C projection everywhere; none makes a plain network."""


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """One block."""

    in_channels: int
    planes: int
    """Width of the block's 3x3 convolutions."""
    stride: int = 1
    shortcut: Shortcut = "B"
    stride_in_1x1: bool = False
    """Bottlenecks only: True strides in the first 1x1 convolution (as published), False in the 3x3 (as torchvision)."""


class ZeroPadShortcut(nn.Module):
    """Option A: every stride-th pixel, and zero channels after the old ones; no parameters.

    (N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.extra_channels = out_channels - in_channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        x = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(x, (0, 0, 0, 0, 0, self.extra_channels))

    def extra_repr(self) -> str:
        """What `print(module)` shows."""
        return f"extra_channels={self.extra_channels}, stride={self.stride}"


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (Figure 2): (N, in_channels, H, W) -> (N, planes, H/stride, W/stride)."""

    expansion = 1

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        self.conv1 = _conv3x3(spec.in_channels, spec.planes, spec.stride)
        self.bn1 = nn.BatchNorm2d(spec.planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv3x3(spec.planes, spec.planes)
        self.bn2 = nn.BatchNorm2d(spec.planes)
        self.downsample = make_shortcut(spec, spec.planes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, planes, H/stride, W/stride)."""
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        activated: Tensor = self.relu(out)
        return activated

    def last_norm(self) -> nn.BatchNorm2d:
        """The normalisation that ends the residual branch."""
        return self.bn2


class PlainBlock(nn.Module):
    """A basic block without its shortcut (section 4.1): (N, in_channels, H, W) -> (N, planes, H/stride, W/stride)."""

    expansion = 1

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        self.conv1 = _conv3x3(spec.in_channels, spec.planes, spec.stride)
        self.bn1 = nn.BatchNorm2d(spec.planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv3x3(spec.planes, spec.planes)
        self.bn2 = nn.BatchNorm2d(spec.planes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, planes, H/stride, W/stride)."""
        out = self.relu(self.bn1(self.conv1(x)))
        activated: Tensor = self.relu(self.bn2(self.conv2(out)))
        return activated


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 and a shortcut (Figure 5): (N, in_channels, H, W) -> (N, 4 * planes, H/stride, W/stride)."""

    expansion = 4

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        first, second = (spec.stride, 1) if spec.stride_in_1x1 else (1, spec.stride)
        out_channels = spec.planes * self.expansion
        self.conv1 = _conv1x1(spec.in_channels, spec.planes, first)
        self.bn1 = nn.BatchNorm2d(spec.planes)
        self.conv2 = _conv3x3(spec.planes, spec.planes, second)
        self.bn2 = nn.BatchNorm2d(spec.planes)
        self.conv3 = _conv1x1(spec.planes, out_channels)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = make_shortcut(spec, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, 4 * planes, H/stride, W/stride)."""
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += identity
        activated: Tensor = self.relu(out)
        return activated

    def last_norm(self) -> nn.BatchNorm2d:
        """The normalisation that ends the residual branch."""
        return self.bn3


Block: TypeAlias = type[BasicBlock] | type[Bottleneck] | type[PlainBlock]


def make_shortcut(spec: BlockSpec, out_channels: int) -> nn.Module | None:
    """The shortcut's module, None for the identity (section 3.3, options A, B, C)."""
    if spec.shortcut != "C" and spec.stride == 1 and spec.in_channels == out_channels:
        return None
    if spec.shortcut == "A":
        return ZeroPadShortcut(spec.in_channels, out_channels, spec.stride)
    return nn.Sequential(_conv1x1(spec.in_channels, out_channels, spec.stride), nn.BatchNorm2d(out_channels))


def make_stage(block: Block, first: BlockSpec, count: int) -> nn.Sequential:
    """`count` blocks; the first one changes the shape, the others keep it."""
    rest = replace(first, in_channels=first.planes * block.expansion, stride=1)
    return nn.Sequential(block(first), *(block(rest) for _ in range(count - 1)))


def _conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)


def _conv1x1(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
