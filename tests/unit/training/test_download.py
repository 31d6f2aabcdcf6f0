"""Downloads from a server of our own: whole, resumed, cut, damaged, refused, and onto a full disk."""

import errno
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from archscope.core.errors import DataError, OutputError
from archscope.training.data import download as downloads
from archscope.training.data import sources as cifar10
from archscope.training.data.download import Published, download
from archscope.training.reporter import SilentReporter

BLOB = bytes(range(256)) * 64


class Server(ThreadingHTTPServer):
    """Sends BLOB; `cuts` says after how many bytes each answer ends, `ranges` whether a part can be asked for."""

    daemon_threads = True
    cuts: list[int]
    ranges: bool
    status: int
    asked: list[str]
    endless: str = ""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.asked.append(asked)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-") or 0) if self.server.ranges else 0
        if start >= len(BLOB):
            self.send_error(416)
            return
        if self.server.endless:
            self.send_response(200)
            self.end_headers()
            self._send_for_ever()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(BLOB) - 1}/{len(BLOB)}")
        self.send_header("Content-Length", str(len(BLOB) - start))
        self.end_headers()
        stop = self.server.cuts.pop(0) if self.server.cuts else len(BLOB)
        self.wfile.write(BLOB[start:stop])

    def _send_for_ever(self) -> None:
        with suppress(OSError):
            while True:
                self.wfile.write(b"x" if self.server.endless == "slow" else BLOB)
                time.sleep(0.02 if self.server.endless == "slow" else 0)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the library's
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.cuts, server.ranges, server.status, server.asked = [], True, 200, []
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def publish(server: Server, md5: str = hashlib.md5(BLOB).hexdigest()) -> Published:
    return Published(f"http://127.0.0.1:{server.server_port}/file", md5, "get it otherwise")


def test_a_whole_file(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    path = tmp_path / "new" / "file"
    download(publish(server), path, lambda done, total: told.append((done, total)))
    assert path.read_bytes() == BLOB
    assert told[0] == (0, len(BLOB))
    assert told[-1] == (len(BLOB), len(BLOB))
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_part_is_continued(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(BLOB[:5000])
    download(publish(server), tmp_path / "file", lambda done, total: None)
    assert server.asked == ["bytes=5000-"]
    assert (tmp_path / "file").read_bytes() == BLOB


def test_connections_that_end_early_are_continued(server: Server, tmp_path: Path) -> None:
    server.cuts = [4000, 9000]
    download(publish(server), tmp_path / "file", lambda done, total: None)
    assert server.asked == ["", "bytes=4000-", "bytes=9000-"]
    assert (tmp_path / "file").read_bytes() == BLOB


def test_a_server_that_cannot_continue_starts_anew(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "file.part").write_bytes(b"x" * 5000)
    download(publish(server), tmp_path / "file", lambda done, total: None)
    assert (tmp_path / "file").read_bytes() == BLOB


def test_what_arrived_is_kept_where_it_never_ends(server: Server, tmp_path: Path) -> None:
    server.cuts = [1000, 2000, 3000]
    with pytest.raises(DataError, match=r"ended after 3,000 of 16,384 bytes; 3,000 bytes are kept") as caught:
        download(publish(server), tmp_path / "file", lambda done, total: None)
    assert caught.value.remedy == "get it otherwise"
    assert (tmp_path / "file.part").stat().st_size == 3000
    assert not (tmp_path / "file").exists()


def test_another_checksum(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is damaged: its md5 is") as caught:
        download(publish(server, "0" * 32), tmp_path / "file", lambda done, total: None)
    assert "it was deleted" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_is_whole_already(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(BLOB)
    download(publish(server), tmp_path / "file", lambda done, total: None)
    assert (tmp_path / "file").read_bytes() == BLOB


def test_a_server_that_refuses(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(DataError, match="the server answered 404"):
        download(publish(server), tmp_path / "file", lambda done, total: None)


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    closed = Published("http://127.0.0.1:9/file", "", cifar10.CIFAR10.remedy)
    monkeypatch.setattr(cifar10, "CIFAR10", closed)
    with pytest.raises(DataError, match=r"cannot download http://127.0.0.1:9/file: .*refused") as caught:
        cifar10.load_data(None, SilentReporter())
    assert "--data cifar-10-binary.tar.gz" in caught.value.remedy
    assert caught.value.exit_code == 2


def test_a_disk_that_is_full(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def write(self, chunk: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(downloads, "_open", lambda part, start: Full())
    with pytest.raises(OutputError, match="No space left on device") as caught:
        download(publish(server), tmp_path / "file", lambda done, total: None)
    assert "continues where it stopped" in caught.value.remedy


def test_a_disk_that_fills_at_the_end(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OutputError, match="No space left on device"):
        download(publish(server), tmp_path / "file", lambda done, total: None)


def test_a_place_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="cannot make"):
        download(publish(server), tmp_path / "taken" / "file", lambda done, total: None)
    (tmp_path / "file.part").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*file.part"):
        download(publish(server), tmp_path / "file", lambda done, total: None)


def test_a_server_that_sends_for_ever_is_stopped(server: Server, tmp_path: Path) -> None:
    server.endless = "fast"
    published = replace(publish(server), limit_bytes=100_000)
    with pytest.raises(DataError, match=r"the server does not stop after 100,000 bytes, the most expected; nothing of"):
        download(published, tmp_path / "file", lambda done, total: None)
    assert list(tmp_path.iterdir()) == []
    assert len(server.asked) == 1


def test_a_server_that_trickles_for_ever_is_stopped(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.endless = "slow"
    monkeypatch.setattr(downloads, "PATIENCE_SECONDS", 0.1)
    with pytest.raises(DataError, match=r"too slow: \d+ bytes in 0.1 s"):
        download(publish(server), tmp_path / "file", lambda done, total: None)


def test_a_server_that_offers_more_than_was_published(server: Server, tmp_path: Path) -> None:
    published = replace(publish(server), limit_bytes=len(BLOB) - 1)
    with pytest.raises(DataError, match=r"offers 16,384 bytes, at most 16,383 were expected; nothing of it is kept"):
        download(published, tmp_path / "file", lambda done, total: None)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file.part").write_bytes(bytes(len(BLOB)))  # longer than it may be: begun anew
    with pytest.raises(DataError):
        download(published, tmp_path / "file", lambda done, total: None)
    assert server.asked == ["", ""]


def test_the_limit_of_cifar_10_is_what_its_page_says() -> None:
    """Https://www.cs.toronto.edu/~kriz/cifar.html: the binary version has 162 MB, rounded."""
    assert cifar10.CIFAR10.limit_bytes == 163 * 1024 * 1024


def test_a_part_that_is_a_link_is_not_followed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(BLOB[:5000])
    (tmp_path / "file.part").symlink_to(tmp_path / "mine")
    download(publish(server), tmp_path / "file", lambda done, total: None)
    assert (tmp_path / "mine").read_bytes() == BLOB[:5000]
    assert (tmp_path / "file").read_bytes() == BLOB
    assert not (tmp_path / "file").is_symlink()
