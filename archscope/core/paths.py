"""Names of files and folders as people type them, and what is read from them: the one place where both are checked.

Whatever the system says no to (permissions, a name too long, a loop of links, a folder that is gone) is an error that
names the path and the reason; nothing waits for what never comes.
"""

import errno
import os
import stat
from pathlib import Path
from typing import TypeVar

from archscope.core.errors import ArchscopeError, DataError, UsageError

ErrorT = TypeVar("ErrorT", bound=ArchscopeError)

_REASONS = {
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "its links go round in a circle",
    errno.EISDIR: "it is a folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.ENXIO: "nobody reads at its other end",
}
_KINDS = (
    (stat.S_ISREG, "file"), (stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"), (stat.S_ISBLK, "device"),
)  # fmt: skip
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


def expand_path(text: str | os.PathLike[str]) -> Path:
    """The path, with `~` and `~name` replaced. Raises UsageError where it can be none."""
    told = os.fspath(text)
    if "\0" in told:
        raise UsageError(f"{told!a} is no path: it holds a NUL character")
    try:
        os.fsencode(told)
    except UnicodeEncodeError as error:
        raise UsageError(f"{told!a} is no path: it holds half a character") from error
    try:
        return Path(told).expanduser()
    except RuntimeError as error:
        name = told.partition("/")[0]
        remedy = f"write ./{told} for a file of that name" if name != "~" else "set HOME, or write the whole path"
        raise UsageError(f"there is no home folder {name}", remedy) from error


def find_kind(path: Path, error_type: type[ArchscopeError] = DataError, *, doing: str = "read") -> str:
    """`file`, `folder`, `pipe`, `device` or `socket`; empty where there is nothing. Links are followed.

    Raises `error_type` where the system does not tell: no permission for a folder on the way, a name too long, ...
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in _ABSENT:
            return ""
        raise explain_refusal(error, f"cannot {doing} {path}", error_type) from error
    return next((word for fits, word in _KINDS if fits(mode)), "device")


def read_file(path: Path, error_type: type[ArchscopeError] = DataError, remedy: str = "") -> bytes:
    """The bytes of a file, or of a pipe that somebody writes to. Raises `error_type` where there are none to read.

    Folders and devices are refused; a pipe that nobody has opened for writing is empty.
    """
    kind = find_kind(path, error_type)
    if not kind:
        raise error_type(f"there is no file {path}", remedy)
    if kind not in ("file", "pipe"):
        raise error_type(f"cannot read {path}: it is a {kind}, not a file", remedy)
    try:
        # Without O_NONBLOCK, opening a pipe without a writer waits for one.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        if kind == "pipe":
            os.set_blocking(descriptor, True)
        with os.fdopen(descriptor, "rb") as file:
            return file.read()
    except OSError as error:
        raise explain_refusal(error, f"cannot read {path}", error_type) from error


def follow_links(path: Path, error_type: type[ArchscopeError] = DataError) -> Path:
    """The path that links lead to, where it is a link; else the path as it is. Raises `error_type` for a loop."""
    try:
        return path.resolve() if path.is_symlink() else path
    except (OSError, RuntimeError) as error:
        raise explain_refusal(error, f"cannot follow {path}", error_type) from error


def open_device(path: Path) -> int:
    """The descriptor of a terminal, a pipe or a device, to write to. Raises OSError where nobody reads from a pipe."""
    # Without O_NONBLOCK, opening a pipe without a reader waits for one.
    descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    os.set_blocking(descriptor, True)
    return descriptor


def list_folder(path: Path, error_type: type[ArchscopeError] | None = None) -> list[Path]:
    """What lies in the folder, by name. Where it cannot be listed: nothing, or `error_type` is raised."""
    try:
        return sorted(path.iterdir())
    except OSError as error:
        if error_type is None:
            return []
        raise explain_refusal(error, f"cannot read {path}", error_type) from error


def find_working_folder() -> Path:
    """The current folder. Raises UsageError where it has been removed."""
    try:
        return Path.cwd()
    except OSError as error:
        raise explain_refusal(
            error, "the current folder cannot be read", UsageError, "go to one that is there: cd ~"
        ) from error


def make_absolute(path: Path) -> Path:
    """The path from the root on, without `..`, links left as they are. Raises UsageError where it cannot be known."""
    return (
        path
        if path.is_absolute() and ".." not in path.parts
        else Path(os.path.normpath(path if path.is_absolute() else find_working_folder() / path))
    )


def explain_refusal(error: Exception, doing: str, error_type: type[ErrorT], remedy: str = "") -> ErrorT:
    """What the system refused, as an error of ours: `cannot read x.json: permission denied`."""
    number = getattr(error, "errno", None)
    reason = _REASONS.get(number or 0) or getattr(error, "strerror", None) or str(error)
    return error_type(f"{doing}: {reason}", remedy)
