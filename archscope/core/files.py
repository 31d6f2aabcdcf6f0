"""Files are written beside their place and renamed: a reader never sees half of one. JSON text for them."""

import json
import os
import re
import shlex
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

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
        raise OutputError(f"cannot write {path}: there is no folder {folder}", f"make it first: mkdir -p {shlex.quote(str(folder))}")
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
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
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
        if part is not None and os.path.exists(part):
            os.unlink(part)


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
