"""GoogLeNet: the rows of Table 1 as data, and the builder that reads them.

Szegedy et al. 2014, Table 1, Figure 3 and section 5: true 5x5 branches, local response normalisation, dropout 40 %, no
BatchNorm. The paper prints no constants for the normalisation: Krizhevsky's are used. Pools round up (`ceil_mode`),
which the printed sizes 56, 28, 14, 7 need.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from archscope.models.layers import build_response_norm, initialise_he


@dataclass(frozen=True, slots=True)
class InceptionRow:
    """One inception row of Table 1: the widths of its branches."""

    conv1: int
    """#1x1"""
    reduce3: int
    """#3x3 reduce"""
    conv3: int
    """#3x3"""
    reduce5: int
    """#5x5 reduce"""
    conv5: int
    """#5x5"""
    project: int
    """pool proj"""

    @property
    def channels(self) -> int:
        """Channels of the concatenation."""
        return self.conv1 + self.conv3 + self.conv5 + self.project


TABLE_1 = {
    "3a": InceptionRow(64, 96, 128, 16, 32, 32),
    "3b": InceptionRow(128, 128, 192, 32, 96, 64),
    "4a": InceptionRow(192, 96, 208, 16, 48, 64),
    "4b": InceptionRow(160, 112, 224, 24, 64, 64),
    "4c": InceptionRow(128, 128, 256, 24, 64, 64),
    "4d": InceptionRow(112, 144, 288, 32, 64, 64),
    "4e": InceptionRow(256, 160, 320, 32, 128, 128),
    "5a": InceptionRow(256, 160, 320, 32, 128, 128),
    "5b": InceptionRow(384, 192, 384, 48, 128, 128),
}


class GoogLeNetOutput(NamedTuple):
    """What a network with auxiliary classifiers returns in training mode; the heads' losses weigh 0.3 (section 5)."""

    logits: Tensor
    """(N, num_classes) of the main classifier."""
    aux1: Tensor
    """(N, num_classes) of the head on inception 4a."""
    aux2: Tensor
    """(N, num_classes) of the head on inception 4d."""


class Inception(nn.Module):
    """The inception module with dimension reductions (Figure 2b): (N, C, H, W) -> (N, row.channels, H, W)."""

    def __init__(self, in_channels: int, row: InceptionRow) -> None:
        super().__init__()
        self.branch1x1 = _chain(conv=_conv(in_channels, row.conv1, 1))
        self.branch3x3 = _chain(reduce=_conv(in_channels, row.reduce3, 1), conv=_conv(row.reduce3, row.conv3, 3))
        self.branch5x5 = _chain(reduce=_conv(in_channels, row.reduce5, 1), conv=_conv(row.reduce5, row.conv5, 5))
        self.branch_pool = _chain(pool=nn.MaxPool2d(3, stride=1, padding=1), project=_conv(in_channels, row.project, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, row.channels, H, W)."""
        branches = (self.branch1x1(x), self.branch3x3(x), self.branch5x5(x), self.branch_pool(x))
        return torch.cat(branches, 1)


class AuxiliaryHead(nn.Module):
    """A classifier on an inner layer (section 5): (N, C, 14, 14) -> (N, num_classes)."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.avgpool = nn.AvgPool2d(5, stride=3)
        self.conv = nn.Conv2d(in_channels, 128, 1)
        self.relu_conv = nn.ReLU(inplace=True)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.relu_fc1 = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 14, 14) -> (N, num_classes)."""
        x = self.relu_conv(self.conv(self.avgpool(x)))
        x = torch.flatten(x, 1)
        x = self.dropout(self.relu_fc1(self.fc1(x)))
        scores: Tensor = self.fc2(x)
        return scores


class GoogLeNet(nn.Module):
    """Table 1: images (N, 3, 224, 224) in, class scores (N, num_classes) out; see `forward` for the heads."""

    def __init__(self, num_classes: int = 1000, *, aux: bool = False) -> None:
        super().__init__()
        self.conv1, self.relu1 = nn.Conv2d(3, 64, 7, stride=2, padding=3), nn.ReLU(inplace=True)
        self.pool1, self.norm1 = _max_pool(), build_response_norm()
        self.conv2_reduce, self.relu2_reduce = _conv(64, 64, 1), nn.ReLU(inplace=True)
        self.conv2, self.relu2 = _conv(64, 192, 3), nn.ReLU(inplace=True)
        self.norm2, self.pool2 = build_response_norm(), _max_pool()
        self.inception_3a = Inception(192, TABLE_1["3a"])
        self.inception_3b = Inception(TABLE_1["3a"].channels, TABLE_1["3b"])
        self.pool3 = _max_pool()
        self.inception_4a = Inception(TABLE_1["3b"].channels, TABLE_1["4a"])
        self.inception_4b = Inception(TABLE_1["4a"].channels, TABLE_1["4b"])
        self.inception_4c = Inception(TABLE_1["4b"].channels, TABLE_1["4c"])
        self.inception_4d = Inception(TABLE_1["4c"].channels, TABLE_1["4d"])
        self.inception_4e = Inception(TABLE_1["4d"].channels, TABLE_1["4e"])
        self.pool4 = _max_pool()
        self.inception_5a = Inception(TABLE_1["4e"].channels, TABLE_1["5a"])
        self.inception_5b = Inception(TABLE_1["5a"].channels, TABLE_1["5b"])
        self.avgpool = nn.AvgPool2d(7, stride=1)
        self.dropout = nn.Dropout(0.4)
        self.fc = nn.Linear(TABLE_1["5b"].channels, num_classes)
        self.aux1 = AuxiliaryHead(TABLE_1["4a"].channels, num_classes) if aux else None
        self.aux2 = AuxiliaryHead(TABLE_1["4d"].channels, num_classes) if aux else None

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutput:
        """(N, 3, 224, 224) -> (N, num_classes), or GoogLeNetOutput of three where heads are built and training."""
        x = self.norm1(self.pool1(self.relu1(self.conv1(x))))
        x = self.relu2_reduce(self.conv2_reduce(x))
        x = self.pool2(self.norm2(self.relu2(self.conv2(x))))
        x = self.inception_3a(x)
        x = self.inception_3b(x)
        x = self.pool3(x)
        x = inner1 = self.inception_4a(x)
        x = self.inception_4b(x)
        x = self.inception_4c(x)
        x = inner2 = self.inception_4d(x)
        x = self.inception_4e(x)
        x = self.pool4(x)
        x = self.inception_5a(x)
        x = self.inception_5b(x)
        x = torch.flatten(self.avgpool(x), 1)
        logits: Tensor = self.fc(self.dropout(x))
        if self.training and self.aux1 is not None and self.aux2 is not None:
            return GoogLeNetOutput(logits, self.aux1(inner1), self.aux2(inner2))
        return logits


def build_googlenet(*, num_classes: int = 1000, aux: bool = False) -> GoogLeNet:
    """GoogLeNet, with its auxiliary classifiers where `aux`.

    The paper prints no initialisation. He normal by fan_in: the 1x1 reductions have far more inputs than outputs, so
    that fan_out would let the activations grow about tenfold in each, and there is no BatchNorm to hold them.
    """
    model = GoogLeNet(num_classes, aux=aux)
    initialise_he(model, fan="fan_in", linear_std=0.01)
    return model


def _conv(in_channels: int, out_channels: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)


def _max_pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def _chain(**layers: nn.Module) -> nn.Sequential:
    """The layers in order, a ReLU after each convolution."""
    named: OrderedDict[str, nn.Module] = OrderedDict()
    for name, layer in layers.items():
        named[name] = layer
        if isinstance(layer, nn.Conv2d):
            named[f"relu_{name}"] = nn.ReLU(inplace=True)
    return nn.Sequential(named)
