"""Made-up images of ten classes leave, for a dry run without data. They say nothing about CIFAR-10.

Each class has its own smooth colour pattern; an image is its class's pattern, shifted and dimmed, under noise.
"""

import torch
from torch import Tensor
from torch.nn import functional

from archscope.training.binary import CLASSES
from archscope.training.images import Data, ImageSet

NAME = "synthetic"
TRAIN_COUNT = 2_000
TEST_COUNT = 500


def make_synthetic(train_count: int = TRAIN_COUNT, test_count: int = TEST_COUNT) -> Data:
    """The same images every time: `train_count` and `test_count` of 3x32x32, balanced over ten classes."""
    generator = torch.Generator().manual_seed(20_09)
    patterns = functional.interpolate(
        torch.randn(len(CLASSES), 3, 5, 5, generator=generator), size=(32, 32), mode="bicubic", align_corners=False
    )
    return Data(
        train=_make_set(patterns, train_count, generator),
        test=_make_set(patterns, test_count, generator),
        classes=tuple(f"synthetic-{name}" for name in CLASSES),
        source="synthetic images",
        synthetic=True,
        notes=("the images are synthetic: accuracies say nothing about CIFAR-10",),
    )


def _make_set(patterns: Tensor, count: int, generator: torch.Generator) -> ImageSet:
    labels = torch.arange(count) % len(patterns)
    labels = labels[torch.randperm(count, generator=generator)]
    shifts = torch.randint(-3, 4, (count, 2), generator=generator).tolist()
    images = torch.stack(
        [patterns[label].roll(shift, dims=(1, 2)) for label, shift in zip(labels.tolist(), shifts, strict=True)]
    )
    contrast = 0.5 + torch.rand(count, 1, 1, 1, generator=generator)
    noisy = images * contrast + torch.randn(images.shape, generator=generator)
    return ImageSet((noisy * 40 + 120).clamp(0, 255).to(torch.uint8), labels)
