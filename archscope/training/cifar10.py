"""`--data` (or nothing) goes in; CIFAR-10 comes out: named, found in the cache, or downloaded into it.

The binary version is read, as published or unpacked, or class folders of images. `synthetic` makes images up.
"""

import os
from pathlib import Path

from archscope.core.errors import DataError
from archscope.training.binary import FOLDER, OFFICIAL, TRAIN_FILES, Layout, read_archive, read_folder
from archscope.training.download import Published, download
from archscope.training.folders import read_class_folders
from archscope.training.images import Data
from archscope.training.reporter import Reporter
from archscope.training.synthetic import NAME, make_synthetic

ARCHIVE = "cifar-10-binary.tar.gz"
CIFAR10 = Published(
    url=f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}",
    md5="c32a1d4ab5d03f1284b67883e8d87530",
    remedy=f"get {ARCHIVE} (162 MiB) from https://www.cs.toronto.edu/~kriz/cifar.html on another way and name it: "
    f"--data {ARCHIVE}\n(an unpacked folder or class folders will do; --data synthetic is a dry run)",
)


def load_data(where: str | None, reporter: Reporter, layout: Layout = OFFICIAL) -> Data:
    """The data that `where` names, else what the cache holds, else what can be downloaded.

    Raises DataError where it is missing or damaged.
    """
    if where == NAME:
        return make_synthetic()
    if where is not None:
        return _read_path(Path(where).expanduser(), layout)
    cache = find_cache()
    if (cache / FOLDER).is_dir():
        return read_folder(cache / FOLDER, layout)
    if not (cache / ARCHIVE).is_file():
        reporter.note(f"downloading CIFAR-10 to {cache}")
        download(CIFAR10, cache / ARCHIVE, reporter.download)
    return read_archive(cache / ARCHIVE, CIFAR10.md5, layout)


def find_cache() -> Path:
    """`archscope` in $XDG_CACHE_HOME, else in ~/.cache."""
    named = os.environ.get("XDG_CACHE_HOME")
    return (Path(named) if named else Path.home() / ".cache") / "archscope"


def _read_path(path: Path, layout: Layout) -> Data:
    if path.is_file():
        return read_archive(path, CIFAR10.md5, layout)
    if not path.is_dir():
        raise DataError(f"there is no file or folder {path}", CIFAR10.remedy)
    for folder in (path, path / FOLDER):
        if any((folder / name).exists() for name in TRAIN_FILES):
            return read_folder(folder, layout)
    if (path / "train").is_dir() and (path / "test").is_dir():
        return read_class_folders(path)
    if (path / ARCHIVE).is_file():
        return read_archive(path / ARCHIVE, CIFAR10.md5, layout)
    if (path / "data_batch_1").exists() or (path / "cifar-10-batches-py").exists():
        raise DataError(f"{path} holds the Python version, which is pickled and never opened here", CIFAR10.remedy)
    raise DataError(
        f"{path} holds no CIFAR-10",
        f"looked for {TRAIN_FILES[0]}, {FOLDER}/, {ARCHIVE}, and train/CLASS with test/CLASS",
    )
