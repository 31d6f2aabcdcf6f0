"""Downloads: into a file beside its place, which is checked and then renamed.

An interrupted download continues where it stopped: what has arrived stays in `NAME.part`. A server that sends more
than was published, or hardly anything, is left.
"""

import errno
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from archscope.core.errors import DataError, OutputError
from archscope.core.files import open_part

CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 30
ATTEMPTS = 3
PATIENCE_SECONDS = 60
"""In which at least `LEAST_BYTES` arrive."""
LEAST_BYTES = 1 << 16

Tell = Callable[[int, int | None], None]
"""Called with the bytes that are there, and the bytes there will be where the server says so."""


@dataclass(frozen=True, slots=True)
class Published:
    """A published file."""

    url: str
    md5: str
    remedy: str
    """How to get it otherwise."""
    limit_bytes: int = 1 << 28
    """What it does not exceed."""


class _RefusedError(Exception):
    """The server sends something else than what was published: another try would bring no more."""


def download(published: Published, path: Path, tell: Tell) -> None:
    """Fetch the file to `path`, up to three times from where it stopped.

    Raises DataError where it cannot be had, is larger than it may be or does not match its checksum, OutputError where
    it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    _make_folder(path.parent)
    problem = ""
    for _ in range(ATTEMPTS):
        try:
            problem = _fetch(published, part, tell)
        except _RefusedError as error:
            part.unlink(missing_ok=True)
            told = f"{error}; nothing of it is kept"
            raise DataError(f"cannot download {published.url}: {told}", published.remedy) from error
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


def _fetch(published: Published, part: Path, tell: Tell) -> str:
    """Fetch what `part` lacks; the problem is returned, nothing where it is whole."""
    start = part.stat().st_size if part.is_file() and not part.is_symlink() else 0
    start = start if start <= published.limit_bytes else 0
    request = Request(published.url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            resumed = response.status == 206 and f"bytes {start}-" in response.headers.get("Content-Range", "")
            start = start if resumed else 0
            length = response.headers.get("Content-Length")
            total = start + int(length) if length is not None else None
            if total is not None and total > published.limit_bytes:
                most = f"at most {published.limit_bytes:,} were expected"
                raise _RefusedError(f"the server offers {total:,} bytes, {most}")
            return _copy(response, part, _Amounts(start, total, published.limit_bytes), tell)
    except HTTPError as error:
        error.close()
        # 416: nothing is left to send, so the checksum decides.
        return "" if error.code == 416 and start else f"the server answered {error.code} {error.reason}"
    except (OSError, HTTPException, ValueError) as error:
        return str(getattr(error, "reason", None) or error) or type(error).__name__


@dataclass(frozen=True, slots=True)
class _Amounts:
    """Bytes: what is there, what there will be where the server says so, and what there may be."""

    start: int
    total: int | None
    limit: int


def _copy(response: HTTPResponse, part: Path, amounts: _Amounts, tell: Tell) -> str:
    """Append what arrives to what is there; the problem is returned, nothing where it is whole."""
    done = counted = amounts.start
    since = time.monotonic()
    with _open(part, amounts.start) as file:
        tell(done, amounts.total)
        while chunk := response.read1(CHUNK_BYTES):
            done += len(chunk)
            if done > amounts.limit:
                raise _RefusedError(f"the server does not stop after {amounts.limit:,} bytes, the most expected")
            try:
                file.write(chunk)
            except OSError as error:
                raise _explain_full(part, error) from error
            tell(done, amounts.total)
            if time.monotonic() - since > PATIENCE_SECONDS:
                if done - counted < LEAST_BYTES:
                    return f"too slow: {done - counted:,} bytes in {PATIENCE_SECONDS} s"
                since, counted = time.monotonic(), done
        try:
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            raise _explain_full(part, error) from error
    total = amounts.total
    return "" if total is None or done >= total else f"the connection ended after {done:,} of {total:,} bytes"


def _open(part: Path, start: int) -> BinaryIO:
    try:
        return open_part(part, start)
    except OSError as error:
        raise _explain_full(part, error) from error


def _explain_full(part: Path, error: OSError) -> OutputError:
    remedy = "free some space; the download continues where it stopped" if error.errno == errno.ENOSPC else ""
    return OutputError(f"cannot write {part}: {error.strerror or error}", remedy)
