"""Images in class folders: `train/CLASS/*.png`, `test/CLASS/*.jpg`."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archscope.core.errors import DataError
from archscope.core.paths import find_kind, list_folder
from archscope.targets.imports import import_extra
from archscope.training.data.images import Data, ImageSet

SUFFIXES = (".png", ".jpg", ".jpeg")
KINDS = ("PNG", "JPEG")
"""What a file may hold, whatever it is called: of others, Pillow runs programs (Ghostscript for EPS)."""
LARGEST_SIDE = 512
"""Pixels. Everything is held in memory."""


def read_class_folders(root: Path) -> Data:
    """Read `root/train/CLASS/*` and `root/test/CLASS/*`; the classes are the folders' names, in alphabetical order.

    Raises DataError where a class or an image is missing, damaged or of another size than the first, and
    MissingPackageError where nothing that reads images is installed.
    """
    asked = f"reading the images in {root}"
    import_extra("PIL", "models", asked)
    reader = import_extra("PIL.Image", "models", asked)
    classes = _list_classes(root / "train")
    held_out = _list_classes(root / "test")
    if classes != held_out:
        differing = sorted(set(classes) ^ set(held_out))
        raise DataError(
            f"{root}/train and {root}/test have different classes: {', '.join(differing)}",
            "each class needs a folder in both",
        )
    if len(classes) < 2:
        raise DataError(f"{root}/train has {len(classes)} class, at least 2 are needed")
    train = _read_split(root / "train", classes, reader, None)
    test = _read_split(root / "test", classes, reader, (train.images.shape[2], train.images.shape[3]))
    return Data(train, test, classes, f"class folders, {root}")


def _list_classes(folder: Path) -> tuple[str, ...]:
    listed = (entry for entry in list_folder(folder, DataError) if not entry.name.startswith("."))
    return tuple(entry.name for entry in listed if find_kind(entry) == "folder")


def _read_split(folder: Path, classes: tuple[str, ...], reader: Any, size: tuple[int, int] | None) -> ImageSet:
    images: list[Tensor] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        before = len(images)
        for path in _list_images(folder / name):
            image = _read_image(path, reader, size)
            size = (image.shape[1], image.shape[2])
            images.append(image)
            labels.append(label)
        if len(images) == before:
            raise DataError(f"{folder / name} holds no image", f"images end in {', '.join(SUFFIXES)}")
    return ImageSet(torch.stack(images), torch.tensor(labels))


def _list_images(folder: Path) -> Iterator[Path]:
    for path in list_folder(folder, DataError):
        if path.suffix.casefold() in SUFFIXES:
            kind = find_kind(path)
            if kind != "file":
                raise DataError(f"{path} cannot be read as an image: it is {f'a {kind}' if kind else 'a broken link'}")
            yield path


def _read_image(path: Path, reader: Any, size: tuple[int, int] | None) -> Tensor:
    """(3, H, W), uint8. Raises DataError where it cannot be decoded or has another size than `size` (H, W)."""
    if not path.is_file():
        raise DataError(f"{path} is not a file", "take it out of its class folder")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", reader.DecompressionBombWarning)
            with reader.open(path, formats=KINDS) as picture:
                width, height = picture.size
                _check_size(path, (height, width), size)
                pixels = bytearray(picture.convert("RGB").tobytes())
    except reader.UnidentifiedImageError as error:
        raise DataError(
            f"{path} cannot be read as an image: it is neither PNG nor JPEG", "convert it, or take it out"
        ) from error
    except (reader.DecompressionBombError, reader.DecompressionBombWarning) as error:
        raise DataError(
            f"{path} would fill the memory (a decompression bomb): {error}",
            f"take it out; the largest side here is {LARGEST_SIDE}",
        ) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{path} cannot be read as an image: {error}") from error
    return torch.frombuffer(pixels, dtype=torch.uint8).view(height, width, 3).permute(2, 0, 1).contiguous()


def _check_size(path: Path, found: tuple[int, int], wanted: tuple[int, int] | None) -> None:
    height, width = found
    if wanted is not None and found != wanted:
        raise DataError(
            f"{path} is {height}x{width}, the images before it are {wanted[0]}x{wanted[1]}",
            "all images must have the same size; they are resized to the target's input on the device",
        )
    if max(found) > LARGEST_SIDE:
        raise DataError(
            f"{path} is {height}x{width}, the largest side here is {LARGEST_SIDE}", "make the images smaller"
        )
