"""Images as they are trained on: bytes and labels in memory, with the names of the classes."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Images with their labels."""

    images: Tensor
    """(N, C, H, W), uint8."""
    labels: Tensor
    """(N,), int64, from 0."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Tensor) -> "ImageSet":
        """The images at `indices` (M,), in that order."""
        return ImageSet(self.images[indices], self.labels[indices])


@dataclass(frozen=True, slots=True)
class Data:
    """A training set, a held-out set, and what is known of them."""

    train: ImageSet
    test: ImageSet
    classes: tuple[str, ...]
    """Names, in the order of the labels."""
    source: str
    """Where the images come from, for people."""
    synthetic: bool = False
    """True where the images were made up: every output says so."""
    notes: tuple[str, ...] = ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    @property
    def title(self) -> str:
        """For headings: the source, and that it is synthetic where it is."""
        return "SYNTHETIC images, not CIFAR-10" if self.synthetic else self.source


def fingerprint_data(data: Data) -> str:
    """A digest of labels, classes and every 97th image: tells whether a resumed run sees the data it began with."""
    digest = hashlib.sha256(repr(data.classes).encode())
    for part in (data.train, data.test):
        digest.update(repr(tuple(part.images.shape)).encode())
        for tensor in (part.labels.to(torch.int64), part.images[::97]):
            digest.update(bytes(tensor.contiguous().view(torch.uint8).flatten().tolist()))
    return digest.hexdigest()[:16]
