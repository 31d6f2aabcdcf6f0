"""AlexNet: the lecture's single tower, and the network as published with two towers as groups.

Krizhevsky, Sutskever and Hinton 2012, section 3. Both read 227x227 images without padding: the paper prints 224, which
its first layer's 55x55 outputs contradict.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from archscope.models.layers import build_response_norm, initialise_gaussian, initialise_he


@dataclass(frozen=True, slots=True)
class ConvRow:
    """One convolution."""

    in_channels: int
    out_channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1

    def build(self) -> nn.Conv2d:
        """The layer itself."""
        return nn.Conv2d(
            self.in_channels,
            self.out_channels,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            groups=self.groups,
        )


ONE_TOWER = (
    ConvRow(3, 96, 11, stride=4),
    ConvRow(96, 256, 5, padding=2),
    ConvRow(256, 384, 3, padding=1),
    ConvRow(384, 384, 3, padding=1),
    ConvRow(384, 256, 3, padding=1),
)
"""CONV1 to CONV5 of the lecture's table (CS231n lecture 9)."""

TWO_TOWERS = (
    ConvRow(3, 96, 11, stride=4),
    ConvRow(96, 256, 5, padding=2, groups=2),
    ConvRow(256, 384, 3, padding=1),
    ConvRow(384, 384, 3, padding=1, groups=2),
    ConvRow(384, 256, 3, padding=1, groups=2),
)
"""The paper's kernels (section 3.5): 5x5x48, 3x3x192 and 3x3x192 where a layer reads its own GPU's maps only."""

BIASED_LAYERS = ("conv2", "conv4", "conv5", "fc6", "fc7")
"""Layers whose biases start at 1 (section 5)."""


class AlexNet(nn.Module):
    """The single-tower network of the lecture's table: pool before norm.

    Images (N, 3, 227, 227) in, class scores (N, num_classes) out.
    """

    def __init__(self, rows: tuple[ConvRow, ...] = ONE_TOWER, num_classes: int = 1000) -> None:
        super().__init__()
        conv1, conv2, conv3, conv4, conv5 = (row.build() for row in rows)
        self.conv1, self.relu1 = conv1, nn.ReLU(inplace=True)
        self.pool1, self.norm1 = nn.MaxPool2d(3, stride=2), build_response_norm()
        self.conv2, self.relu2 = conv2, nn.ReLU(inplace=True)
        self.pool2, self.norm2 = nn.MaxPool2d(3, stride=2), build_response_norm()
        self.conv3, self.relu3 = conv3, nn.ReLU(inplace=True)
        self.conv4, self.relu4 = conv4, nn.ReLU(inplace=True)
        self.conv5, self.relu5 = conv5, nn.ReLU(inplace=True)
        self.pool3 = nn.MaxPool2d(3, stride=2)
        self.fc6, self.relu6 = nn.Linear(256 * 6 * 6, 4096), nn.ReLU(inplace=True)
        self.drop6 = nn.Dropout(0.5)
        self.fc7, self.relu7 = nn.Linear(4096, 4096), nn.ReLU(inplace=True)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(4096, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 227, 227) -> (N, num_classes)."""
        x = self.norm1(self.pool1(self.relu1(self.conv1(x))))
        x = self.norm2(self.pool2(self.relu2(self.conv2(x))))
        return self.forward_rest(x)

    def forward_rest(self, x: Tensor) -> Tensor:
        """(N, 256, 13, 13), what CONV3 reads, -> (N, num_classes)."""
        x = self.relu3(self.conv3(x))
        x = self.relu4(self.conv4(x))
        x = self.pool3(self.relu5(self.conv5(x)))
        x = torch.flatten(x, 1)
        x = self.drop6(self.relu6(self.fc6(x)))
        x = self.drop7(self.relu7(self.fc7(x)))
        scores: Tensor = self.fc8(x)
        return scores


class AlexNet2012(AlexNet):
    """The network as published: grouped CONV2, CONV4 and CONV5, and norm before pool (section 3.5).

    Images (N, 3, 227, 227) in, class scores (N, num_classes) out.
    """

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__(TWO_TOWERS, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 227, 227) -> (N, num_classes)."""
        x = self.pool1(self.norm1(self.relu1(self.conv1(x))))
        x = self.pool2(self.norm2(self.relu2(self.conv2(x))))
        return self.forward_rest(x)


def build_alexnet(*, num_classes: int = 1000) -> AlexNet:
    """The lecture's network, initialised as the lecture says: He-normal convolutions, N(0, 0.01) linear layers."""
    model = AlexNet(num_classes=num_classes)
    initialise_he(model, linear_std=0.01)
    return model


def build_alexnet_2012(*, num_classes: int = 1000) -> AlexNet2012:
    """The published network, initialised as published (section 5): N(0, 0.01) and its biases of 1."""
    model = AlexNet2012(num_classes)
    initialise_gaussian(model, 0.01, ones=BIASED_LAYERS)
    return model
