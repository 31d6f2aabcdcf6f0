"""Residual networks for ImageNet and for CIFAR-10 (He et al. 2015), and the plain networks beside them."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from archscope.models.layers import initialise_he, zero_scale
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


STAGES = ((16, 1), (32, 2), (64, 2))
"""Width and first stride of the three stages, on maps of 32, 16 and 8 (He et al. 2015, section 4.2)."""

LECTURE_PLANES = (16, 32, 64, 128)
LECTURE_STRIDES = (1, 1, 2, 2)
"""Notebook 10-6-2: the second stage keeps 32x32."""


class CifarResNet(nn.Module):
    """The paper's network of 6n+2 layers: images (N, 3, 32, 32) in, class scores (N, num_classes) out."""

    def __init__(self, block: Block, blocks: int, *, shortcut: Shortcut, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        channels, stages = 16, []
        for planes, stride in STAGES:
            stages.append(make_stage(block, BlockSpec(channels, planes, stride, shortcut), blocks))
            channels = planes
        self.layer1, self.layer2, self.layer3 = stages
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(64, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> (N, num_classes)."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        scores: Tensor = self.fc(x)
        return scores


def build_resnet_cifar(
    *, depth: int, num_classes: int = 10, shortcut: Shortcut = "A", zero_init_residual: bool = False
) -> CifarResNet:
    """The paper's CIFAR-10 network of `depth` = 6n+2 layers; `shortcut="none"` makes the plain one.

    He et al. 2015, section 4.2: option A in all cases, so that residual and plain networks have the same parameters.
    """
    blocks, remainder = divmod(depth - 2, 6)
    if remainder or blocks < 1:
        raise ValueError(f"depth must be 6n+2 with n from 1, not {depth}")
    block: Block = PlainBlock if shortcut == "none" else BasicBlock
    model = CifarResNet(block, blocks, shortcut=shortcut, num_classes=num_classes)
    initialise_residual(model, zero_init_residual=zero_init_residual)
    return model


def build_lecture_resnet(
    *, layout: str, num_classes: int = 10, shortcut: Shortcut = "B", zero_init_residual: bool = False
) -> ResNet:
    """The lecture's network for CIFAR-10 (notebook 10-6-2): `layout`'s blocks, narrow planes, no max pool."""
    narrow = replace(LAYOUTS[layout], planes=LECTURE_PLANES, strides=LECTURE_STRIDES)
    return ResNet(narrow, ResNetOptions(num_classes, shortcut, "cifar", zero_init_residual))
