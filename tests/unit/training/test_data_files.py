"""The binary version, class folders and made-up images: read right, and every damage is named."""

import hashlib
import io
import os
import re
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from archscope.core.errors import DataError, MissingPackageError
from archscope.training.data import binary, download, folders
from archscope.training.data import sources as cifar10
from archscope.training.data.binary import CLASSES, FOLDER, RECORD_BYTES, TEST_FILE, TRAIN_FILES, Layout, read_archive
from archscope.training.data.download import Published
from archscope.training.data.images import Data, fingerprint_data
from archscope.training.data.sources import make_synthetic
from archscope.training.reporter import SilentReporter

WriteBinary = Callable[..., Path]


def pack(folder: Path, archive: Path, kind: str = "w:gz") -> str:
    with tarfile.open(archive, kind) as tar:  # type: ignore[call-overload]
        tar.add(folder, arcname=FOLDER)
    return hashlib.md5(archive.read_bytes()).hexdigest()


class TestBinary:
    def test_records_in_their_order(self, write_binary: WriteBinary, tiny: Layout) -> None:
        data = binary.read_folder(write_binary(), tiny)
        assert data.train.images.shape == (100, 3, 32, 32)
        assert data.test.images.shape == (20, 3, 32, 32)
        assert data.train.labels[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
        assert data.train.images[3, 0].unique().tolist() == [63]
        assert data.train.images[3, 1].unique().tolist() == [252]
        assert data.train.images[3, 2].unique().tolist() == [0]
        assert data.classes == CLASSES
        assert data.image_shape == (3, 32, 32)

    def test_the_official_sizes(self) -> None:
        assert binary.OFFICIAL.file_bytes == 30_730_000
        assert (binary.OFFICIAL.train_per_class, binary.OFFICIAL.test_per_class) == (5_000, 1_000)

    def test_a_missing_file(self, write_binary: WriteBinary, tiny: Layout) -> None:
        folder = write_binary()
        (folder / "data_batch_4.bin").unlink()
        with pytest.raises(DataError, match=r"data_batch_4.bin is missing"):
            binary.read_folder(folder, tiny)

    @pytest.mark.parametrize(("cut", "word"), [(-1000, "cut short"), (1, "too long")])
    def test_a_truncated_batch(
        self, cut: int, word: str, write_binary: WriteBinary, make_records: Callable[..., bytes], tiny: Layout
    ) -> None:
        blob = (make_records() + bytes(1))[: 20 * RECORD_BYTES + cut]
        folder = write_binary(data_batch_3=blob)
        with pytest.raises(DataError, match=rf"data_batch_3.bin is {word}: {len(blob):,} bytes, not 61,460"):
            binary.read_folder(folder, tiny)

    def test_a_label_out_of_range(
        self, write_binary: WriteBinary, make_records: Callable[..., bytes], tiny: Layout
    ) -> None:
        blob = bytearray(make_records())
        blob[5 * RECORD_BYTES] = 11
        with pytest.raises(DataError, match=r"test_batch.bin of .*: record 5 has label 11, labels are 0 to 9"):
            binary.read_folder(write_binary(test_batch=bytes(blob)), tiny)

    def test_classes_that_are_not_balanced(
        self, write_binary: WriteBinary, make_records: Callable[..., bytes], tiny: Layout
    ) -> None:
        blob = bytearray(make_records())
        blob[0] = 7
        with pytest.raises(DataError, match=r"training labels of .* are wrong: airplane 9, horse 11 images, not 10"):
            binary.read_folder(write_binary(data_batch_1=bytes(blob)), tiny)

    def test_a_file_that_cannot_be_read(
        self, write_binary: WriteBinary, tiny: Layout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = write_binary()

        def refuse(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(DataError, match=r"cannot read .*data_batch_1.bin: Permission denied"):
            binary.read_folder(folder, tiny)


class TestArchive:
    def test_it_is_read_in_memory(self, write_binary: WriteBinary, tiny: Layout, tmp_path: Path) -> None:
        folder = write_binary()
        archive = tmp_path / "archive.tar.gz"
        md5 = pack(folder, archive)
        before = sorted(tmp_path.rglob("*"))
        data = read_archive(archive, md5, tiny)
        assert torch.equal(data.train.images, binary.read_folder(folder, tiny).train.images)
        assert sorted(tmp_path.rglob("*")) == before

    def test_another_checksum(self, write_binary: WriteBinary, tiny: Layout, tmp_path: Path) -> None:
        archive = tmp_path / "archive.tar.gz"
        md5 = pack(write_binary(), archive)
        archive.write_bytes(archive.read_bytes()[:-40])
        with pytest.raises(DataError, match=rf"damaged or not the official archive: its md5 is .* published is {md5}"):
            read_archive(archive, md5, tiny)

    @pytest.mark.parametrize("blob", [b"no archive", b"\x1f\x8b\x08\x00 cut"])
    def test_no_archive_at_all(self, blob: bytes, tmp_path: Path) -> None:
        path = tmp_path / "archive.tar.gz"
        path.write_bytes(blob)
        with pytest.raises(DataError, match="is corrupt"):
            read_archive(path, hashlib.md5(blob).hexdigest())

    def test_members_that_lead_elsewhere_are_not_followed(
        self, tmp_path: Path, tiny: Layout, make_records: Callable[..., bytes]
    ) -> None:
        path = tmp_path / "archive.tar"
        with tarfile.open(path, "w") as tar:
            for name in (*TRAIN_FILES, TEST_FILE):
                link = tarfile.TarInfo(f"{FOLDER}/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
                tar.addfile(link)
                evil = tarfile.TarInfo(f"../{FOLDER}/{name}")
                evil.size = len(make_records())
                tar.addfile(evil, io.BytesIO(make_records()))
        with pytest.raises(DataError, match=r"lacks data_batch_1.bin"):
            read_archive(path, hashlib.md5(path.read_bytes()).hexdigest(), tiny)

    def test_a_truncated_member(self, write_binary: WriteBinary, tiny: Layout, tmp_path: Path) -> None:
        archive = tmp_path / "archive.tar.gz"
        md5 = pack(write_binary(data_batch_2=b"short"), archive)
        with pytest.raises(DataError, match=r"data_batch_2.bin in .* is cut short: 5 bytes"):
            read_archive(archive, md5, tiny)

    def test_a_file_that_is_gone(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="cannot read"):
            download.hash_file(tmp_path / "nothing")


def load(where: str | None, layout: Layout) -> Data:
    return cifar10.load_data(where, SilentReporter(), layout)


class TestPlaces:
    def test_the_folder_itself_or_the_one_above(self, write_binary: WriteBinary, tiny: Layout) -> None:
        folder = write_binary()
        assert len(load(str(folder), tiny).train) == 100
        assert len(load(str(folder.parent), tiny).train) == 100

    def test_an_archive_by_name_or_in_its_folder(
        self, write_binary: WriteBinary, tiny: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = tmp_path / "place"
        place.mkdir()
        md5 = pack(write_binary(), place / cifar10.ARCHIVE)
        monkeypatch.setattr(cifar10, "CIFAR10", Published("none:", md5, ""))
        assert len(load(str(place), tiny).test) == 20
        assert len(load(str(place / cifar10.ARCHIVE), tiny).test) == 20

    def test_the_cache_comes_before_a_download(
        self, write_binary: WriteBinary, tiny: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        cache = cifar10.find_cache()
        assert cache == tmp_path / "cache" / "archscope"
        cache.mkdir(parents=True)
        md5 = pack(write_binary(), cache / cifar10.ARCHIVE)
        monkeypatch.setattr(cifar10, "CIFAR10", Published("none:", md5, ""))
        assert cifar10.ARCHIVE in load(None, tiny).source
        (tmp_path / "data" / FOLDER).rename(cache / FOLDER)
        assert str(cache / FOLDER) in load(None, tiny).source

    def test_the_usual_cache(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        assert cifar10.find_cache() == Path.home() / ".cache" / "archscope"

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="no file or folder") as caught:
            load(str(tmp_path / "nothing"), binary.OFFICIAL)
        assert "cs.toronto.edu" in caught.value.remedy
        assert caught.value.exit_code == 2
        with pytest.raises(DataError, match="holds no CIFAR-10"):
            load(str(tmp_path), binary.OFFICIAL)

    def test_the_pickled_version_is_not_opened(self, tmp_path: Path) -> None:
        (tmp_path / "data_batch_1").write_bytes(b"\x80\x02.")
        with pytest.raises(DataError, match="pickled and never opened"):
            load(str(tmp_path), binary.OFFICIAL)

    def test_synthetic_images_say_so(self) -> None:
        data = load("synthetic", binary.OFFICIAL)
        assert data.synthetic
        assert "SYNTHETIC" in data.title
        assert all(name.startswith("synthetic-") for name in data.classes)
        assert torch.bincount(data.train.labels).tolist() == [200] * 10
        assert fingerprint_data(data) == fingerprint_data(make_synthetic())


class TestClassFolders:
    @pytest.fixture
    def image(self) -> Any:
        return pytest.importorskip("PIL.Image")

    def write(self, image: Any, root: Path, size: tuple[int, int] = (6, 4)) -> None:
        for split, count in (("train", 3), ("test", 2)):
            for label, name in enumerate(("cat", "bird", "ant")):
                folder = root / split / name
                folder.mkdir(parents=True)
                for number in range(count):
                    suffix = ".png" if number % 2 else ".PNG"
                    image.new("RGB", size, (label * 50, number, 7)).save(folder / f"{number}{suffix}", "PNG")

    def test_classes_in_alphabetical_order(self, image: Any, tmp_path: Path) -> None:
        self.write(image, tmp_path)
        data = load(str(tmp_path), binary.OFFICIAL)
        assert data.classes == ("ant", "bird", "cat")
        assert data.train.images.shape == (9, 3, 4, 6)
        assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        assert data.train.images[0].unique().tolist() == [0, 7, 100]
        assert len(data.test) == 6

    def test_jpeg_and_grey_become_rgb(self, image: Any, tmp_path: Path) -> None:
        self.write(image, tmp_path)
        image.new("L", (6, 4), 200).save(tmp_path / "train" / "ant" / "9.jpg")
        data = folders.read_class_folders(tmp_path)
        assert data.train.images[3].shape == (3, 4, 6)
        assert data.train.images[3].unique().tolist() == [200]

    def test_another_size(self, image: Any, tmp_path: Path) -> None:
        self.write(image, tmp_path)
        image.new("RGB", (5, 4)).save(tmp_path / "test" / "cat" / "9.png")
        with pytest.raises(DataError, match=r"cat/9.png is 4x5, the images before it are 4x6"):
            folders.read_class_folders(tmp_path)

    def test_a_damaged_image(self, image: Any, tmp_path: Path) -> None:
        self.write(image, tmp_path)
        path = tmp_path / "train" / "bird" / "1.png"
        path.write_bytes(path.read_bytes()[:40])
        with pytest.raises(DataError, match=r"bird/1.png cannot be read as an image"):
            folders.read_class_folders(tmp_path)

    @pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "EPS", "PDF"])
    def test_other_kinds_under_a_png_name(
        self, kind: str, image: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of an EPS, Pillow would run Ghostscript."""

        def run(*_: Any, **__: Any) -> None:
            raise AssertionError("Ghostscript")

        monkeypatch.setattr(pytest.importorskip("PIL.EpsImagePlugin"), "Ghostscript", run)
        self.write(image, tmp_path)
        image.new("RGB", (6, 4)).save(tmp_path / "train" / "ant" / "0.PNG", kind)
        with pytest.raises(DataError, match=r"ant/0.PNG cannot be read as an image: it is neither PNG nor JPEG"):
            folders.read_class_folders(tmp_path)

    @pytest.mark.parametrize("side", [12_000, 30_000])
    def test_decompression_bombs(self, side: int, image: Any, tmp_path: Path) -> None:
        """A header of 13 bytes that promises 12,000 x 12,000 pixels or more."""
        self.write(image, tmp_path)
        header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        data = b"IDAT" + zlib.compress(bytes(1 << 20))
        chunks = [
            struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (header, data)
        ]
        (tmp_path / "train" / "ant" / "0.PNG").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
        with pytest.raises(DataError, match=r"ant/0.PNG would fill the memory .*\n.* the largest side here is 512"):
            folders.read_class_folders(tmp_path)

    def test_what_is_not_a_file(self, image: Any, tmp_path: Path) -> None:
        """A pipe would never end."""
        self.write(image, tmp_path)
        os.mkfifo(tmp_path / "train" / "ant" / "9.png")
        with pytest.raises(DataError, match=r"ant/9.png cannot be read as an image: it is a pipe"):
            folders.read_class_folders(tmp_path)

    def test_images_too_large_for_memory(self, image: Any, tmp_path: Path) -> None:
        self.write(image, tmp_path, size=(513, 2))
        with pytest.raises(DataError, match="the largest side here is 512"):
            folders.read_class_folders(tmp_path)

    def test_classes_that_differ(self, image: Any, tmp_path: Path) -> None:
        self.write(image, tmp_path)
        (tmp_path / "test" / "dog").mkdir()
        with pytest.raises(DataError, match="different classes: dog"):
            folders.read_class_folders(tmp_path)

    def test_a_class_without_images(self, image: Any, tmp_path: Path) -> None:
        self.write(image, tmp_path)
        for split in ("train", "test"):
            (tmp_path / split / "dog").mkdir()
        with pytest.raises(DataError, match=r"train/dog holds no image"):
            folders.read_class_folders(tmp_path)

    def test_one_class_is_too_few(self, image: Any, tmp_path: Path) -> None:
        for split in ("train", "test"):
            (tmp_path / split / "dog").mkdir(parents=True)
        with pytest.raises(DataError, match="at least 2"):
            folders.read_class_folders(tmp_path)

    def test_without_pillow(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "PIL", None)
        monkeypatch.delitem(__import__("sys").modules, "PIL.Image", raising=False)
        with pytest.raises(MissingPackageError) as caught:
            folders.read_class_folders(tmp_path)
        assert re.fullmatch(r"pip install 'torch-archscope\[models\]'", caught.value.remedy)
