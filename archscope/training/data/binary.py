"""The official binary version of CIFAR-10, as an archive or unpacked, checked record by record.

Each file holds records of 3,073 bytes: a label, then 1,024 red, green and blue bytes, row-major 32x32. The archive is
read in memory: nothing is unpacked, and nothing is unpickled.
"""

import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from archscope.core.errors import DataError
from archscope.core.paths import find_kind, read_file
from archscope.training.data.download import hash_file
from archscope.training.data.images import Data, ImageSet

FOLDER = "cifar-10-batches-bin"
RECORD_BYTES = 1 + 3 * 32 * 32
CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"


@dataclass(frozen=True, slots=True)
class Layout:
    """How many records there must be."""

    per_file: int = 10_000
    train_per_class: int = 5_000
    test_per_class: int = 1_000

    @property
    def file_bytes(self) -> int:
        """Size of each file."""
        return self.per_file * RECORD_BYTES


OFFICIAL = Layout()


def read_folder(folder: Path, layout: Layout = OFFICIAL) -> Data:
    """The images of an unpacked folder. Raises DataError where a file is missing, cut short or malformed."""
    blobs = {}
    for name in (*TRAIN_FILES, TEST_FILE):
        path = folder / name
        if find_kind(path) != "file":
            raise DataError(f"{path} is missing", f"the binary version has {', '.join((*TRAIN_FILES, TEST_FILE))}")
        _check_size(str(path), path.stat().st_size, layout)
        blobs[name] = read_file(path)
    return _assemble(blobs, str(folder), layout)


def read_archive(path: Path, md5: str, layout: Layout = OFFICIAL) -> Data:
    """The images of `cifar-10-binary.tar.gz`. Raises DataError where it is not the published file, or damaged."""
    found = hash_file(path)
    if found != md5:
        raise DataError(
            f"{path} is damaged or not the official archive: its md5 is {found}, published is {md5}",
            "delete it and download it again; for images of your own, name an unpacked folder",
        )
    blobs = {}
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                if member.isfile() and folder.removeprefix("./") == FOLDER and name in (*TRAIN_FILES, TEST_FILE):
                    _check_size(f"{name} in {path}", member.size, layout)
                    file = archive.extractfile(member)
                    blobs[name] = file.read() if file is not None else b""
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is corrupt: {error}", "delete it and download it again") from error
    missing = [name for name in (*TRAIN_FILES, TEST_FILE) if name not in blobs]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}", "the binary version of CIFAR-10 is needed")
    return _assemble(blobs, str(path), layout)


def _check_size(name: str, size: int, layout: Layout) -> None:
    if size != layout.file_bytes:
        what = "cut short" if size < layout.file_bytes else "too long"
        raise DataError(
            f"{name} is {what}: {size:,} bytes, not {layout.file_bytes:,} ({layout.per_file:,} records of "
            f"{RECORD_BYTES:,} bytes)",
            "unpack or download the archive again",
        )


def _assemble(blobs: Mapping[str, bytes], where: str, layout: Layout) -> Data:
    parts = [_read_records(blobs[name], f"{name} of {where}") for name in TRAIN_FILES]
    train = ImageSet(torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts]))
    test = _read_records(blobs[TEST_FILE], f"{TEST_FILE} of {where}")
    for split, images, wanted in (("training", train, layout.train_per_class), ("test", test, layout.test_per_class)):
        counts = torch.bincount(images.labels, minlength=len(CLASSES)).tolist()
        wrong = [f"{name} {count:,}" for name, count in zip(CLASSES, counts, strict=True) if count != wanted]
        if wrong:
            raise DataError(f"the {split} labels of {where} are wrong: {', '.join(wrong)} images, not {wanted:,} each")
    return Data(train, test, CLASSES, f"CIFAR-10, {where}")


def _read_records(blob: bytes, name: str) -> ImageSet:
    records = torch.frombuffer(bytearray(blob), dtype=torch.uint8).view(-1, RECORD_BYTES)
    labels = records[:, 0].to(torch.int64)
    worst = int(labels.max())
    if worst >= len(CLASSES):
        row = int((labels >= len(CLASSES)).nonzero()[0])
        raise DataError(f"{name}: record {row:,} has label {int(labels[row])}, labels are 0 to {len(CLASSES) - 1}")
    return ImageSet(records[:, 1:].reshape(-1, 3, 32, 32).contiguous(), labels)
