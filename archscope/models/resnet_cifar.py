"""ResNets for 32x32 images: the paper's family of 6n+2 layers, and the lecture's four-stage networks.

A depth or a layout name and options enter, a module for images (N, 3, 32, 32) leaves.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from archscope.models.residual import BasicBlock, Block, BlockSpec, PlainBlock, Shortcut, make_stage
from archscope.models.resnet import LAYOUTS, ResNet, ResNetOptions, initialise_residual

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
