"""Where the output goes: files, pipes, terminals, and readers that leave."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import archscope
from archscope.api import Summary
from archscope.cli.app import main
from archscope.cli.output import choose_output
from archscope.rendering.stdout import describe_stdout, wants_color

COMMAND = [sys.executable, "-P", "-m", "archscope"]


def make_environment(**more: str) -> dict[str, str]:
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "PYTHONIOENCODING")
    }
    return kept | {"PYTHONPATH": str(Path(archscope.__file__).parents[1]), "TERM": "xterm-256color"} | more


def run_in_terminal(words: list[str], columns: int, **environment: str) -> str:
    """What a terminal of that many columns is sent by the command."""
    return send_to_terminal([*COMMAND, *words], columns, **environment)


def send_to_terminal(command: list[str], columns: int, **environment: str) -> str:
    """What a terminal of that many columns is sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=make_environment(**environment))
    os.close(theirs)
    received = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        received += piece
    os.close(ours)
    assert process.wait() == 0
    return received.decode().replace("\r\n", "\n")


@pytest.fixture
def saved(tmp_path: Path, residual: Any) -> Path:
    path = tmp_path / "residual.json"
    trace, costs = residual
    Summary(trace, costs, "").save(path)
    return path


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "start"),
        [
            ("x.csv", "layer,count,type,output,params,macs,share,depth,leaf,memory\n"),
            ("x.md", "**residual** (1x3x6x6 · eval · meta)\n"),
            ("x.tex", "% residual\n"),
            ("x.txt", "residual   "),
            ("x.json", '{\n  "schema": "archscope.trace/1",\n'),
        ],
    )
    def test_the_suffix_picks_the_format(
        self, saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, start: str
    ) -> None:
        path = tmp_path / name
        assert main(["trace", str(saved), "-o", str(path)]) == 0
        assert path.read_bytes().decode().startswith(start)
        assert capsys.readouterr().out == ""
        assert not list(tmp_path.glob(".*"))

    def test_the_word_wins_over_the_suffix(self, saved: Path, tmp_path: Path) -> None:
        path = tmp_path / "x.odd"
        assert main(["trace", str(saved), "-o", str(path), "--format", "csv"]) == 0
        assert path.read_text().startswith("layer,")

    def test_a_dash_is_stdout(self, saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["trace", str(saved), "-o", "-", "--format", "csv"]) == 0
        assert capsys.readouterr().out.startswith("layer,")

    def test_a_file_that_is_there_is_replaced_and_keeps_its_mode(self, saved: Path, tmp_path: Path) -> None:
        path, link = tmp_path / "x.csv", tmp_path / "link.csv"
        path.write_text("old")
        path.chmod(0o640)
        link.symlink_to(path)
        assert main(["trace", str(saved), "-o", str(link)]) == 0
        assert link.is_symlink()
        assert path.read_text().startswith("layer,")
        assert path.stat().st_mode & 0o777 == 0o640

    def test_a_device_is_written_to_and_stays(self, saved: Path) -> None:
        assert main(["trace", str(saved), "-o", "/dev/null", "--format", "csv"]) == 0
        assert not Path("/dev/null").is_file()

    def test_what_cannot_be_written_is_said_before_the_work(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("archscope.api.calls.trace_target", lambda *_: pytest.fail("the work began"))
        for path in (tmp_path / "none" / "x.csv", tmp_path):
            assert main(["trace", "alexnet", "--format", "csv", "-o", str(path)]) == 2
            assert "cannot write" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []

    def test_an_interrupted_write_leaves_the_old_file(
        self, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "x.csv"
        path.write_text("old")

        def fill_up(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.replace", fill_up)
        assert main(["trace", str(saved), "-o", str(path)]) == 2
        assert path.read_text() == "old"
        assert sorted(file.name for file in tmp_path.iterdir()) == ["residual.json", "x.csv"]
        assert "No space left on device" in capsys.readouterr().err


class TestColours:
    """no-color.org and force-color.org: set to anything, NO_COLOR before FORCE_COLOR before the terminal."""

    @pytest.mark.parametrize(
        ("environment", "terminal", "colored"),
        [
            ({}, True, True),
            ({}, False, False),
            ({"TERM": "dumb"}, True, False),
            ({"NO_COLOR": "1"}, True, False),
            ({"NO_COLOR": ""}, True, True),
            ({"FORCE_COLOR": "1"}, False, True),
            ({"FORCE_COLOR": "0"}, False, True),
            ({"FORCE_COLOR": ""}, False, False),
            ({"FORCE_COLOR": "1", "TERM": "dumb"}, False, True),
            ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ],
    )
    def test_conventions(
        self, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], terminal: bool, colored: bool
    ) -> None:
        for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        stream = StringIO()
        monkeypatch.setattr(stream, "isatty", lambda: terminal)
        assert wants_color(stream) is colored

    def test_errors_and_verdicts(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        words = ["budget", "resnet18", "--max-params", "1", "--max-macs", "2G"]
        assert main(words) == 1
        plain = capsys.readouterr().out
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert main(words) == 1
        told = capsys.readouterr().out
        assert told.startswith("\x1b[1;31merror:\x1b[0m params 11,689,512 exceed")
        assert "\n\x1b[32mok:\x1b[0m macs 1,814,073,344 within" in told
        assert re.sub(r"\x1b\[[0-9;]*m", "", told) == plain
        assert main(["trace", "nope"]) == 2
        assert capsys.readouterr().err.startswith("\x1b[1;31merror:\x1b[0m unknown model 'nope'\n")
        assert main(["verify", "googlenet.conv1.params"]) == 0
        assert "\x1b[31mwrong [1]\x1b[0m" in capsys.readouterr().out

    @pytest.mark.parametrize("word", ["plain", "json", "csv", "md", "tex"])
    def test_other_formats_and_files_have_none(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, word: str
    ) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert main(["budget", "resnet18", "--max-params", "1", "--format", word]) == 1
        assert "\x1b" not in capsys.readouterr().out
        assert main(["table", "alexnet", "--format", "table", "-o", str(tmp_path / "x.txt")]) == 0
        assert "\x1b" not in (tmp_path / "x.txt").read_text(encoding="utf-8")


class TestPipes:
    def test_a_pipe_has_no_width_and_no_colours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("FORCE_COLOR", raising=False)
        options = describe_stdout()
        assert (options.width, options.color) == (None, False)
        assert choose_output(None, None).format.name == "table"

    @pytest.mark.parametrize("encoding", ["ascii", "cp949", "utf-8"])
    def test_every_encoding(self, saved: Path, encoding: str) -> None:
        document = json.loads(saved.read_text()) | {"target": "모델.py:망 ✓"}
        saved.write_text(json.dumps(document))
        done = subprocess.run(
            [*COMMAND, "trace", str(saved)],
            env=make_environment(PYTHONIOENCODING=encoding),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        text = done.stdout.decode(encoding)
        assert ("├ stem" if encoding != "ascii" else "|- stem") in text
        assert ("망" in text) == (encoding != "ascii")

    def test_no_torch_is_needed_to_read_a_saved_trace(self, saved: Path) -> None:
        code = (
            f"import sys; from archscope.cli.app import main; code = main(['table', {str(saved)!r}]); "
            "sys.exit(code or 9 * ('torch' in sys.modules))"
        )
        done = subprocess.run(
            [sys.executable, "-P", "-c", code], env=make_environment(), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def test_a_reader_that_leaves_is_no_error(self) -> None:
        process = subprocess.Popen(
            [*COMMAND, "models"], env=make_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        complaint = process.stderr.read()
        process.stderr.close()
        assert process.wait() == 0
        assert complaint == b""


class TestTerminals:
    def test_width_and_colours(self, saved: Path) -> None:
        text = run_in_terminal(["trace", str(saved)], 60)
        assert "\x1b[1m" in text
        plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
        assert max(map(len, plain.splitlines())) <= 60
        assert "├ stem" in plain

    def test_no_color(self, saved: Path) -> None:
        assert "\x1b[" not in run_in_terminal(["trace", str(saved)], 100, NO_COLOR="1")
        assert "\x1b[" not in run_in_terminal(["trace", str(saved)], 100, TERM="dumb")

    @pytest.mark.parametrize(
        ("columns", "environment"), [(60, {}), (100, {"NO_COLOR": "1"}), (60, {"PYTHONIOENCODING": "ascii"})]
    )
    def test_show_prints_what_the_command_prints(self, saved: Path, columns: int, environment: dict[str, str]) -> None:
        code = f"import archscope; s = archscope.load({str(saved)!r}); s.show(); archscope.table(s).show(); s.show(1)"
        shown = send_to_terminal([sys.executable, "-P", "-c", code], columns, **environment)
        words = (["trace", str(saved)], ["table", str(saved)], ["trace", str(saved), "--depth", "1"])
        assert shown == "".join(run_in_terminal(list(line), columns, **environment) for line in words)

    def test_show_in_a_pipe(self, saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["trace", str(saved)]) == 0
        printed = capsys.readouterr().out
        archscope.load(saved).show()
        assert capsys.readouterr().out == printed
