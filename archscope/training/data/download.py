"""Downloads: into a file beside its place, which is checked and then renamed.

An interrupted download continues where it stopped: what has arrived stays in `NAME.part`.
"""

import errno
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from archscope.core.errors import DataError, OutputError

CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 30
ATTEMPTS = 3

Tell = Callable[[int, int | None], None]
"""Called with the bytes that are there, and the bytes there will be where the server says so."""


@dataclass(frozen=True, slots=True)
class Published:
    """A published file."""

    url: str
    md5: str
    remedy: str
    """How to get it otherwise."""


def download(published: Published, path: Path, tell: Tell) -> None:
    """Fetch the file to `path`, up to three times from where it stopped.

    Raises DataError where it cannot be had or does not match its checksum, OutputError where it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    _make_folder(path.parent)
    problem = ""
    for _ in range(ATTEMPTS):
        problem = _fetch(published.url, part, tell)
        if not problem:
            break
    else:
        kept = f"; {part.stat().st_size:,} bytes are kept; the next try continues from there" if part.is_file() else ""
        raise DataError(f"cannot download {published.url}: {problem}{kept}", published.remedy)
    found = hash_file(part)
    if found != published.md5:
        part.unlink()
        raise DataError(
            f"the download from {published.url} is damaged: its md5 is {found}, published is {published.md5}",
            f"it was deleted; try again, or {published.remedy}",
        )
    os.replace(part, path)


def hash_file(path: Path) -> str:
    """The md5 of a file, in hexadecimal. Raises DataError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {folder}: {error.strerror or error}") from error


def _fetch(url: str, part: Path, tell: Tell) -> str:
    """Fetch what `part` lacks; the problem is returned, nothing where it is whole."""
    start = part.stat().st_size if part.is_file() else 0
    request = Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            resumed = response.status == 206 and f"bytes {start}-" in response.headers.get("Content-Range", "")
            start = start if resumed else 0
            length = response.headers.get("Content-Length")
            total = start + int(length) if length is not None else None
            done = _copy(response, part, start, lambda count: tell(count, total))
    except HTTPError as error:
        error.close()
        # 416: nothing is left to send, so the checksum decides.
        return "" if error.code == 416 and start else f"the server answered {error.code} {error.reason}"
    except (OSError, HTTPException, ValueError) as error:
        return str(getattr(error, "reason", None) or error) or type(error).__name__
    return "" if total is None or done >= total else f"the connection ended after {done:,} of {total:,} bytes"


def _copy(response: HTTPResponse, part: Path, start: int, tell: Callable[[int], None]) -> int:
    """Append what arrives to the first `start` bytes; the size reached is returned."""
    done = start
    with _open(part, start) as file:
        tell(done)
        while chunk := response.read(CHUNK_BYTES):
            try:
                file.write(chunk)
            except OSError as error:
                raise _explain_full(part, error) from error
            done += len(chunk)
            tell(done)
        try:
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            raise _explain_full(part, error) from error
    return done


def _open(part: Path, start: int):  # type: ignore[no-untyped-def]
    try:
        return part.open("ab" if start else "wb")
    except OSError as error:
        raise _explain_full(part, error) from error


def _explain_full(part: Path, error: OSError) -> OutputError:
    remedy = "free some space; the download continues where it stopped" if error.errno == errno.ENOSPC else ""
    return OutputError(f"cannot write {part}: {error.strerror or error}", remedy)
