"""Files are replaced whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from archscope.core.errors import OutputError
from archscope.core.files import link_file, open_part, sweep_folder, write_bytes, write_text


def test_bytes_and_text_replace_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    path.chmod(0o640)
    write_text(path, "é\n")
    assert path.read_bytes() == b"\xc3\xa9\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_what_fails_leaves_the_file_as_it_was(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def refuse(*words: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, refuse)
    with pytest.raises(OutputError, match=r"cannot write .*file: No space left on device") as caught:
        write_bytes(path, b"new", "free some space")
    assert caught.value.remedy == "free some space"
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_synchronised_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refuse(path: object, flags: int, *words: int, **named: int) -> int:
        if path == tmp_path:
            raise PermissionError
        return real(path, flags, *words, **named)

    monkeypatch.setattr(os, "open", refuse)
    write_bytes(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_what_a_dead_process_left_is_swept_at_the_next_write(tmp_path: Path) -> None:
    """Process 2^22 + 1 cannot be: Linux gives numbers up to 2^22."""
    alive = tmp_path / f".file.{os.getpid()}-abc.part"
    for path in (tmp_path / f".file.{2**22 + 1}-abc.part", tmp_path / ".other.part", alive):
        path.write_text("half")
    write_bytes(tmp_path / "file", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([alive.name, ".other.part", "file"])


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    for name in ("x" * 255, "\u00e9" * 127):
        write_bytes(tmp_path / name, b"whole")
        assert (tmp_path / name).read_bytes() == b"whole"


def test_a_link_at_the_place_of_a_part_is_never_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    for name in ("a.part", ".b.part"):
        (tmp_path / name).symlink_to(mine)
    with open_part(tmp_path / "a.part", 0) as file:
        file.write(b"new")
    assert (tmp_path / "a.part").read_bytes() == b"new"
    assert not (tmp_path / "a.part").is_symlink()
    sweep_folder(tmp_path)
    assert mine.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.part", "mine"]


def test_a_part_is_cut_and_goes_on(tmp_path: Path) -> None:
    part = tmp_path / "a.part"
    part.write_bytes(b"12345")
    with open_part(part, 3) as file:
        file.write(b"x")
    assert part.read_bytes() == b"123x"
    os.mkfifo(tmp_path / "pipe.part")
    with pytest.raises(OSError, match=r"pipe.part is no regular file|No such device"):
        open_part(tmp_path / "pipe.part", 0)


def test_a_second_name_replaces_what_was_there_and_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, path = tmp_path / "source", tmp_path / "path"
    source.write_text("new")
    path.write_text("old")
    for _ in range(2):  # the second time they are two names of one file already
        link_file(source, path)
        assert path.samefile(source)
        assert sorted(tmp_path.iterdir()) == [path, source]

    def refuse(*words: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    link_file(source, path)
    assert not path.samefile(source)
    assert path.read_text() == "new"
    assert sorted(tmp_path.iterdir()) == [path, source]
