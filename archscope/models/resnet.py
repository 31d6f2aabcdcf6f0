"""ResNet and its plain baseline for ImageNet: a layout row and options enter, a module leaves.

He et al. 2015, Table 1. Module names are torchvision's, so its weights load.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from archscope.models.initialisation import initialise_he, zero_scale
from archscope.models.residual import BasicBlock, Block, BlockSpec, Bottleneck, PlainBlock, Shortcut, make_stage

Stem = Literal["imagenet", "cifar"]


@dataclass(frozen=True, slots=True)
class Layout:
    """One column of Table 1."""

    block: Block
    counts: tuple[int, int, int, int]
    """Blocks in conv2_x, conv3_x, conv4_x and conv5_x."""
    stride_in_1x1: bool = False
    """Bottlenecks only: True strides in the first 1x1 convolution, as published."""
    planes: tuple[int, int, int, int] = (64, 128, 256, 512)
    """Widths of the four stages; the stem has the first."""
    strides: tuple[int, int, int, int] = (1, 2, 2, 2)
    """Strides of the first block of each stage."""


LAYOUTS = {
    "resnet18": Layout(BasicBlock, (2, 2, 2, 2)),
    "resnet34": Layout(BasicBlock, (3, 4, 6, 3)),
    "resnet50": Layout(Bottleneck, (3, 4, 6, 3)),
    "resnet101": Layout(Bottleneck, (3, 4, 23, 3)),
    "resnet152": Layout(Bottleneck, (3, 8, 36, 3)),
    "resnet50_v1": Layout(Bottleneck, (3, 4, 6, 3), stride_in_1x1=True),
    "resnet101_v1": Layout(Bottleneck, (3, 4, 23, 3), stride_in_1x1=True),
    "resnet152_v1": Layout(Bottleneck, (3, 8, 36, 3), stride_in_1x1=True),
    "plain18": Layout(PlainBlock, (2, 2, 2, 2)),
    "plain34": Layout(PlainBlock, (3, 4, 6, 3)),
}


@dataclass(frozen=True, slots=True)
class ResNetOptions:
    """What may be asked of any layout."""

    num_classes: int = 1000
    shortcut: Shortcut = "B"
    stem: Stem = "imagenet"
    """`cifar` is a 3x3 convolution of stride 1 without max pool."""
    zero_init_residual: bool = False


class ResNet(nn.Module):
    """A residual network of four stages: images (N, 3, H, W) in, class scores (N, num_classes) out."""

    def __init__(self, layout: Layout, options: ResNetOptions) -> None:
        super().__init__()
        width = layout.planes[0]
        small = options.stem == "cifar"
        kernel, stride = (3, 1) if small else (7, 2)
        self.conv1 = nn.Conv2d(3, width, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = None if small else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1, self.layer2, self.layer3, self.layer4 = _make_stages(layout, options.shortcut)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(layout.planes[-1] * layout.block.expansion, options.num_classes)
        initialise_residual(self, zero_init_residual=options.zero_init_residual)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes)."""
        x = self.relu(self.bn1(self.conv1(x)))
        if self.maxpool is not None:
            x = self.maxpool(x)
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.layer4(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        scores: Tensor = self.fc(x)
        return scores


def initialise_residual(model: nn.Module, *, zero_init_residual: bool) -> None:
    """He-normal convolutions by fan_out, constant BatchNorm; the last scale of each residual branch 0 where asked."""
    initialise_he(model)
    if zero_init_residual:
        for layer in model.modules():
            if isinstance(layer, BasicBlock | Bottleneck):
                zero_scale(layer.last_norm())


def build_resnet(
    *,
    layout: str,
    num_classes: int = 1000,
    shortcut: Shortcut = "B",
    stem: Stem = "imagenet",
    zero_init_residual: bool = False,
) -> ResNet:
    """A network of `LAYOUTS` by its name; a plain one has no shortcut whatever `shortcut` says."""
    options = ResNetOptions(num_classes, shortcut, stem, zero_init_residual)
    return ResNet(LAYOUTS[layout], options)


def _make_stages(layout: Layout, shortcut: Shortcut) -> list[nn.Sequential]:
    stages = []
    channels = layout.planes[0]
    for planes, stride, count in zip(layout.planes, layout.strides, layout.counts, strict=True):
        first = BlockSpec(channels, planes, stride, shortcut, layout.stride_in_1x1)
        stages.append(make_stage(layout.block, first, count))
        channels = planes * layout.block.expansion
    return stages
