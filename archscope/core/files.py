"""Files are written beside their place and renamed: a reader never sees half of one. JSON text for them.

What is not whole ends in `.part`. A link of such a name is never followed, and what a killed process left is swept.
"""

import json
import os
import re
import shlex
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from archscope.core.errors import OutputError
from archscope.core.paths import explain_refusal, find_kind

PART = ".part"
"""The end of the name of a file that is not whole."""


def check_writable(path: Path) -> None:
    """Raise OutputError now rather than after the work, where `path` cannot be written."""
    kind = find_kind(path, OutputError, doing="write")
    if kind == "folder":
        raise OutputError(f"cannot write {path}: it is a folder", "name a file in it")
    folder = path.parent
    if not kind and find_kind(folder, OutputError, doing="write") != "folder":
        raise OutputError(
            f"cannot write {path}: there is no folder {folder}", f"make it first: mkdir -p {shlex.quote(str(folder))}"
        )
    if not os.access(folder, os.W_OK) or (kind and not os.access(path, os.W_OK)):
        raise OutputError(f"cannot write {path}: permission denied", "choose another place with -o")


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8. Raises OutputError and leaves `path` as it was."""
    check_writable(path)
    write_bytes(path, text.encode())


def write_bytes(path: Path, blob: bytes, remedy: str = "") -> None:
    """Write a file beside `path`, bring it to the disk, then rename it: a process killed meanwhile leaves `path` whole.

    Raises OutputError with that remedy, and leaves `path` as it was.
    """
    part = None
    try:
        sweep_parts(path)
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f"{_stem(path)}{os.getpid()}-", suffix=PART)
        with os.fdopen(descriptor, "wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        os.chmod(part, mode)
        os.replace(part, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise explain_refusal(error, f"cannot write {path}", OutputError, remedy) from error
    finally:
        if part is not None and os.path.lexists(part):
            os.unlink(part)


def link_file(source: Path, path: Path, remedy: str = "") -> None:
    """Make `path` another name of `source`, or a copy where the file system has no links; it is replaced whole.

    Raises OutputError with that remedy, and leaves `path` as it was.
    """
    part = path.with_name(f"{_stem(path)}{os.getpid()}{PART}")
    try:
        part.unlink(missing_ok=True)
        try:
            os.link(source, part)
        except OSError:  # a file system without links
            _copy(source, part)
        os.replace(part, path)
        part.unlink(missing_ok=True)  # two names of one file are left as they are by a rename
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}", remedy) from error


def _copy(source: Path, part: Path) -> None:
    with source.open("rb") as whole, part.open("xb") as copy:
        shutil.copyfileobj(whole, copy)
        copy.flush()
        os.fsync(copy.fileno())


def open_part(part: Path, start: int) -> BinaryIO:
    """Open a file that grows over several processes, cut to its first `start` bytes, to be written on.

    A link of that name is removed, never followed. Raises OSError, also where it is no file.
    """
    if part.is_symlink():
        part.unlink()
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(part, flags, 0o666)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{part.name} is no regular file")
        os.ftruncate(descriptor, start)
        os.lseek(descriptor, 0, os.SEEK_END)
        return os.fdopen(descriptor, "wb")
    except BaseException:
        os.close(descriptor)
        raise


def sweep_parts(path: Path) -> None:
    """Remove what killed processes left half written beside `path`."""
    with suppress(OSError):
        for part in _list_parts(path.parent):
            writer = part.name.removeprefix(_stem(path)).removesuffix(PART).partition("-")[0]
            if part.name.startswith(_stem(path)) and writer.isdecimal() and not _runs(int(writer)):
                part.unlink(missing_ok=True)


def sweep_folder(folder: Path) -> None:
    """Remove whatever is half written in a folder that nobody else writes in. Raises OSError."""
    for part in _list_parts(folder):
        part.unlink(missing_ok=True)


def _list_parts(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        names = [
            entry.name
            for entry in entries
            if entry.name.startswith(".") and entry.name.endswith(PART) and not entry.is_dir(follow_symlinks=False)
        ]
    yield from (folder / name for name in names)


def _stem(path: Path) -> str:
    """`.name.`, cut where the whole would be longer than a name may be."""
    return f".{os.fsdecode(os.fsencode(path.name)[:200])}."


def _runs(process: int) -> bool:
    """Whether there is such a process on this machine; True where that cannot be told."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Make renames in `folder` last, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_COMMAND = re.compile(r"#(?=#[A-Za-z]*\[)")
"""`##[error]` and `##vso[...]`, which a CI obeys in the middle of a line too; JSON spells the first sign otherwise."""


def format_json(document: Mapping[str, object]) -> str:
    """The text of `document`, ended by a newline. Raises ValueError for NaN and infinities, which JSON lacks."""
    fields = [f"{_dump(key)}: {_format_field(value)}" for key, value in document.items()]
    return "{\n  " + ",\n  ".join(fields) + "\n}\n" if fields else "{}\n"


def _format_field(value: object) -> str:
    if isinstance(value, (list, tuple)) and len(value) > 1 and all(isinstance(item, (dict, str)) for item in value):
        return "[\n    " + ",\n    ".join(_dump(item) for item in value) + "\n  ]"
    return _dump(value)


def _dump(value: object) -> str:
    return _COMMAND.sub(r"\\u0023", json.dumps(value, ensure_ascii=True, allow_nan=False))
