"""Files are written beside their place and renamed: a reader never sees half of one. JSON text for them."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from archscope.core.errors import OutputError


def check_writable(path: Path) -> None:
    """Raise OutputError now rather than after the work, where `path` cannot be written."""
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder", "name a file in it")
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {folder}", f"make it first: mkdir -p {folder}")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise OutputError(f"cannot write {path}: permission denied", "choose another place with -o")


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to a file beside `path`, then rename it. Raises OutputError and leaves `path` as it was."""
    check_writable(path)
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def format_json(document: Mapping[str, object]) -> str:
    """The text of `document`, ended by a newline. Raises ValueError for NaN and infinities, which JSON lacks."""
    fields = [f"{_dump(key)}: {_format_field(value)}" for key, value in document.items()]
    return "{\n  " + ",\n  ".join(fields) + "\n}\n" if fields else "{}\n"


def _format_field(value: object) -> str:
    if isinstance(value, (list, tuple)) and len(value) > 1 and all(isinstance(item, (dict, str)) for item in value):
        return "[\n    " + ",\n    ".join(_dump(item) for item in value) + "\n  ]"
    return _dump(value)


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)
