"""Where the images come from: named by `--data`, found in the cache, downloaded into it, or made up for a dry run."""

import os
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from archscope.core.errors import DataError
from archscope.core.paths import expand_path, find_kind
from archscope.training.data.binary import CLASSES, FOLDER, OFFICIAL, TRAIN_FILES, Layout, read_archive, read_folder
from archscope.training.data.download import Published, download
from archscope.training.data.folders import read_class_folders
from archscope.training.data.images import Data, ImageSet
from archscope.training.reporter import Reporter

ARCHIVE = "cifar-10-binary.tar.gz"
CIFAR10 = Published(
    url=f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}",
    md5="c32a1d4ab5d03f1284b67883e8d87530",
    remedy=f"get {ARCHIVE} (162 MiB) from https://www.cs.toronto.edu/~kriz/cifar.html by other means and name it: "
    f"--data {ARCHIVE}\n(an unpacked folder or class folders work too; --data synthetic is a dry run)",
    limit_bytes=163 << 20,
)


def load_data(where: str | None, reporter: Reporter, layout: Layout = OFFICIAL) -> Data:
    """The data that `where` names, else what the cache holds, else what can be downloaded.

    Raises DataError where it is missing or damaged.
    """
    if where == SYNTHETIC:
        return make_synthetic()
    if where is not None:
        return _read_path(expand_path(where), layout)
    cache = find_cache()
    if find_kind(cache / FOLDER) == "folder":
        return read_folder(cache / FOLDER, layout)
    if find_kind(cache / ARCHIVE) != "file":
        reporter.note(f"downloading CIFAR-10 to {cache}")
        download(CIFAR10, cache / ARCHIVE, reporter.download)
    return read_archive(cache / ARCHIVE, CIFAR10.md5, layout)


def find_cache() -> Path:
    """`archscope` in $XDG_CACHE_HOME, else in ~/.cache."""
    named = os.environ.get("XDG_CACHE_HOME")
    return expand_path(named or "~/.cache") / "archscope"


def _read_path(path: Path, layout: Layout) -> Data:
    kind = find_kind(path)
    if kind == "file":
        return read_archive(path, CIFAR10.md5, layout)
    if kind != "folder":
        raise DataError(f"there is no file or folder {path}", CIFAR10.remedy)
    for folder in (path, path / FOLDER):
        if any(find_kind(folder / name) for name in TRAIN_FILES):
            return read_folder(folder, layout)
    if find_kind(path / "train") == find_kind(path / "test") == "folder":
        return read_class_folders(path)
    if find_kind(path / ARCHIVE) == "file":
        return read_archive(path / ARCHIVE, CIFAR10.md5, layout)
    if find_kind(path / "data_batch_1") or find_kind(path / "cifar-10-batches-py"):
        raise DataError(f"{path} holds the Python version, which is pickled and never opened here", CIFAR10.remedy)
    raise DataError(
        f"{path} holds no CIFAR-10",
        f"looked for {TRAIN_FILES[0]}, {FOLDER}/, {ARCHIVE}, and train/CLASS with test/CLASS",
    )


SYNTHETIC = "synthetic"
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
