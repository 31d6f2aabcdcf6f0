"""Bytes go in; a whole file, on the disk and not only in its cache, comes out: written beside its place and renamed.

Whoever is killed on the way leaves the old file whole.
"""

import os
from pathlib import Path

from archscope.core.errors import OutputError

PART = ".part"


def write_bytes(path: Path, blob: bytes) -> None:
    """Replace `path` by a file that holds `blob`. Raises OutputError, and leaves what was there."""
    part = path.with_name(f".{path.name}{PART}")
    try:
        with part.open("wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}",
            "what was saved before is whole: mend it (free some space), and go on with --resume",
        ) from error


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make `folder`. Raises OutputError where that cannot be, or where it cannot be written in."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {folder}: {error.strerror or error}", "choose another --run-dir") from error
    if not os.access(folder, os.W_OK):
        raise OutputError(f"cannot write in {folder}: permission denied", "choose another --run-dir")
