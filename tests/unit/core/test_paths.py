"""Paths: what the system refuses is said by name and reason, and nothing waits for what never comes."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from archscope.cli.app import main
from archscope.core.errors import ArchscopeError, DataError, OutputError, UsageError
from archscope.core.files import check_writable
from archscope.core.paths import expand_path, find_kind, find_working_folder, list_folder, make_absolute, read_file

LONG = "x" * 300


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with one of each thing that is no file to read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("{}")
    for end in ("json", "py", "ipynb"):
        os.symlink(f"loop.{end}", f"loop.{end}")
        os.mkfifo(f"pipe.{end}")
        os.mkdir(f"folder.{end}")
        os.symlink("/dev/zero", f"device.{end}")
        os.symlink("nowhere", f"broken.{end}")
    return tmp_path


ODD = (
    *("loop", "pipe", "folder", "device", "broken", LONG, f"a/{LONG}/b", "file/x", "/", "~nosuchuser/x", "nul\0x"),
    *("half\ud800", "x/" * 3000 + "x"),
)
COMMANDS = (
    "trace {0}.json", "table {0}.json", "explain {0}.json --all", "budget {0}.json --max-params 1",
    "fit {0}.json --batch 1", "budget alexnet --baseline {0}.json", "bench alexnet --device cpu --compare {0}.json",
    "trace hf:{0}.json", "trace {0}.py", "trace {0}.py:Net", "trace {0}.ipynb", "trace {0}.ipynb:Net",
    "train {0}.py:Net --check-only --data synthetic", "train resnet20 --check-only --data {0}.json",
)  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: ascii(odd)[:12])
def test_every_command_refuses_what_is_no_file_in_one_error(
    folder: Path, capsys: pytest.CaptureFixture[str], odd: str
) -> None:
    for words in COMMANDS:
        assert main([word.format(odd) for word in words.split()]) == 2, words
        assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("loop.json", "its links go round in a circle"),
        (f"{LONG}.json", "the name is too long"),
        ("folder.json", "it is a folder, not a file"),
        ("device.json", "it is a device, not a file"),
        ("broken.json", "there is no file broken.json"),
        ("file/x.json", "there is no file file/x.json"),
    ],
)
def test_what_cannot_be_read_says_why(folder: Path, path: str, told: str) -> None:
    with pytest.raises(DataError) as caught:
        read_file(Path(path))
    assert told in caught.value.message


def test_a_pipe_is_read_where_somebody_writes_and_empty_where_nobody_does(folder: Path) -> None:
    assert read_file(Path("pipe.json")) == b""
    reader, writer = os.pipe()
    os.write(writer, b"some text")
    os.close(writer)
    try:
        assert read_file(Path(f"/dev/fd/{reader}")) == b"some text"
    finally:
        os.close(reader)


def test_a_pipe_that_nobody_reads_is_not_waited_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "-o", "pipe.json"]) == 2
    assert capsys.readouterr().err == "error: cannot write pipe.json: nobody reads at its other end\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [("a\0b", "NUL"), ("a\ud800", "half a character"), ("~nosuchuser/x", "there is no home folder ~nosuchuser")],
)
def test_names_that_are_no_paths(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        expand_path(text)


def test_a_name_of_other_bytes_than_utf8_is_one(folder: Path) -> None:
    name = os.fsdecode(b"\xff.json")
    Path(name).write_text("{}")
    assert read_file(expand_path(name)) == b"{}"


REFUSED = (errno.EACCES, errno.EIO, errno.ESTALE, errno.ENAMETOOLONG, errno.ELOOP)


@pytest.mark.parametrize("number", REFUSED, ids=lambda number: errno.errorcode[number])
def test_whatever_the_system_refuses_is_an_error_of_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As root no permission is missing, so the system's answer is made up."""
    path = tmp_path / "x.json"
    path.write_text("{}")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    attempts: tuple[tuple[str, Callable[[], object], type[ArchscopeError]], ...] = (
        ("stat", lambda: find_kind(path), DataError),
        ("stat", lambda: read_file(path), DataError),
        ("open", lambda: read_file(path), DataError),
        ("stat", lambda: check_writable(path), OutputError),
        ("getcwd", find_working_folder, UsageError),
        ("getcwd", lambda: make_absolute(Path("x.json")), UsageError),
    )
    for name, attempt, kind in attempts:
        with monkeypatch.context() as patch:
            patch.setattr(os, name, refuse)
            with pytest.raises(kind):
                attempt()
    assert list_folder(tmp_path / "none") == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    try:
        for words in COMMANDS:
            line = [word.format(closed / "x") for word in words.split()]
            assert main(line) == 2, line
            assert "ermission denied" in capsys.readouterr().err
    finally:
        closed.chmod(0o700)


@pytest.mark.parametrize(
    "words", ["table alexnet", "models", "explain alexnet conv1", "budget alexnet --max-params 1G"]
)
def test_a_current_folder_that_is_gone_matters_to_nothing_that_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert main(words.split()) == 0
    for path in ("x.json", "../x.json", "x.py:Net", "x.ipynb", "hf:x.json", "some.module:Net"):
        assert main(["trace", path]) == 2
    assert main(["models", "-o", "x.json"]) == 2
