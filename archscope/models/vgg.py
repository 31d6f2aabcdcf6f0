"""VGG: the columns of Table 1, and any stack of layers written like one.

Simonyan and Zisserman 2014, Table 1; `make_layers` and the class `VGG` as in the lecture. Module names are
torchvision's (`features.N`, `avgpool`, `classifier.N`), so its weights load.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from archscope.models.layers import build_response_norm, initialise_he
from archscope.models.vgg_rows import LECTURE_CIFAR, TABLE_1, Conv, Item, Pool, Word, last_channels, read_row

Classifier = Literal["imagenet", "lecture", "none"]


@dataclass(frozen=True, slots=True)
class Head:
    """What stands between the convolutions and the first linear layer."""

    channels: int = 512
    """Channels that the classifier reads."""
    grid: int = 7
    """Rows and columns that it reads."""
    pooled: bool = True
    """True where an adaptive average pool makes that grid, whatever the image."""


CIFAR_HEAD = Head(grid=4, pooled=False)
"""The lecture's for 32x32 images: no average pool, 512*4*4 inputs (notebook 10-5-2)."""


class VGG(nn.Module):
    """The lecture's class: images (N, 3, H, W) in, class scores (N, num_classes) out."""

    def __init__(
        self, features: nn.Sequential, num_classes: int = 1000, *, head: Head | None = None, init_weights: bool = True
    ) -> None:
        super().__init__()
        head = head or Head()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((head.grid, head.grid)) if head.pooled else None
        self.classifier = nn.Sequential(
            nn.Linear(head.channels * head.grid * head.grid, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            initialise_he(self, linear_std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes)."""
        x = self.features(x)
        if self.avgpool is not None:
            x = self.avgpool(x)
        x = torch.flatten(x, 1)
        scores: Tensor = self.classifier(x)
        return scores


def make_layers(cfg: Sequence[Word], batch_norm: bool = False) -> nn.Sequential:  # noqa: FBT001, FBT002 - as the lecture
    """The convolutional part: images (N, 3, H, W) in, maps (N, channels, h, w) out.

    `cfg` is a row in the words of `vgg_rows`. Raises UsageError for a word that is no layer.
    """
    layers: list[nn.Module] = []
    channels = 3
    for item in read_row(cfg):
        layers += _build_item(item, channels, batch_norm=batch_norm)
        channels = item.channels if isinstance(item, Conv) else channels
    return nn.Sequential(*layers)


def _build_item(item: Item, channels: int, *, batch_norm: bool) -> list[nn.Module]:
    if isinstance(item, Conv):
        convolution = nn.Conv2d(channels, item.channels, item.kernel, padding=item.padding)
        norm = [nn.BatchNorm2d(item.channels)] if batch_norm else []
        return [convolution, *norm, nn.ReLU(inplace=True)]
    if isinstance(item, Pool):
        return [nn.MaxPool2d(2, stride=2)]
    return [build_response_norm()]  # section 2.1: Krizhevsky's parameters


def build_column(*, column: str, batch_norm: bool, num_classes: int = 1000) -> VGG:
    """A column of Table 1 by its letter (`A`, `A-LRN`, `B`, `C`, `D`, `E`)."""
    return VGG(make_layers(TABLE_1[column], batch_norm), num_classes)


def build_cifar(*, row: str, batch_norm: bool, num_classes: int = 10) -> VGG:
    """The lecture's CIFAR-10 network (`vgg16`, `vgg19`) for images (N, 3, 32, 32)."""
    return VGG(make_layers(LECTURE_CIFAR[row], batch_norm), num_classes, head=CIFAR_HEAD)


def build_vgg(
    *,
    cfg: Sequence[Word],
    batch_norm: bool = False,
    classifier: Classifier | None = "imagenet",
    num_classes: int = 1000,
) -> nn.Module:
    """A VGG of any configuration.

    `classifier` is `imagenet` (its first layer reads what `cfg` makes), `lecture` (it always reads 512*7*7, as the
    lecture's class does, so that a 256-channel stack does not fit) or `none` (the bare Sequential of `make_layers`).
    """
    features = make_layers(cfg, batch_norm)
    if classifier is None or classifier == "none":
        initialise_he(features)
        return features
    channels = last_channels(read_row(cfg)) if classifier == "imagenet" else 512
    return VGG(features, num_classes, head=Head(channels=channels))
