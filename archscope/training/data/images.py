"""Images as they are trained on: bytes and labels in memory, the names of the classes, and parts of them."""

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from archscope.core.errors import UnknownNameError, UsageError


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


@dataclass(frozen=True, slots=True)
class DataSubset:
    """What part of the data is used."""

    classes: tuple[str, ...] = ()
    """Names, in the order of the new labels; empty: all."""
    subset: int | None = None
    """Training images, as many of each class as of any other (one more of the first where it does not divide)."""
    test_subset: int | None = None
    """Held-out images, likewise."""
    shuffle_labels: bool = False
    """A control: the training labels are shuffled, the held-out ones stay true."""


def select_data(data: Data, selection: DataSubset, seed: int) -> Data:
    """The part of `data` that `selection` names; the first images of each class are taken.

    `seed` decides how labels are shuffled. Raises UnknownNameError, UsageError.
    """
    if selection.classes:
        data = _keep_classes(data, selection.classes)
    train = _cut(data.train, selection.subset, data, "--subset")
    test = _cut(data.test, selection.test_subset, data, "--test-subset")
    notes = data.notes
    if selection.shuffle_labels:
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
        train = replace(train, labels=train.labels[order])
        notes = (*notes, "the training labels are shuffled (a control: nothing that generalises can be learned)")
    return replace(data, train=train, test=test, notes=notes)


def _keep_classes(data: Data, names: tuple[str, ...]) -> Data:
    for name in names:
        if name not in data.classes:
            raise UnknownNameError("class", name, data.classes, f"the data has {', '.join(data.classes)}")
    if len(names) < 2 or len(set(names)) < len(names):
        raise UsageError(f"--classes {','.join(names)} must name at least two different classes")
    new_label = torch.full((len(data.classes),), -1)
    for label, name in enumerate(names):
        new_label[data.classes.index(name)] = label
    return replace(
        data, train=_relabel(data.train, new_label), test=_relabel(data.test, new_label), classes=tuple(names)
    )


def _relabel(part: ImageSet, new_label: Tensor) -> ImageSet:
    labels = new_label[part.labels]
    kept = (labels >= 0).nonzero().squeeze(1)
    return ImageSet(part.images[kept], labels[kept])


def _cut(part: ImageSet, count: int | None, data: Data, option: str) -> ImageSet:
    if count is None:
        return part
    classes = len(data.classes)
    if count < classes:
        raise UsageError(f"{option} {count} is less than one image of each of the {classes} classes")
    picked = []
    for label in range(classes):
        wanted = count // classes + (label < count % classes)
        found = (part.labels == label).nonzero().squeeze(1)
        if len(found) < wanted:
            raise UsageError(
                f"{option} {count:,} needs {wanted:,} images of {data.classes[label]}, there are {len(found):,}",
                f"at most {len(part):,} images are there",
            )
        picked.append(found[:wanted])
    return part.take(torch.cat(picked).sort().values)
