"""The exit code belongs to the check: no stream, however it fails, turns a failed check into success or a bug."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import archscope
from archscope.api import Summary
from archscope.cli.app import main
from archscope.core.trace import Failure

COMMAND = [sys.executable, "-P", "-m", "archscope"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(archscope.__file__).parents[1])}
FORMATS = ("table", "plain", "json", "csv", "md", "tex", "github")


class Leaving(io.RawIOBase):
    """A pipe whose reader leaves after so many bytes, or a disk that is full then."""

    def __init__(self, left: int, error: OSError) -> None:
        self.left, self.error = left, error

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        taken = min(self.left, len(data))
        if not taken:
            raise self.error
        self.left -= taken
        return taken


@pytest.fixture
def leave(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that runs a command line whose standard output ends after so many bytes; its exit code."""

    def run(words: list[str], offset: int, error: OSError | None = None) -> int:
        raw = Leaving(offset, error or BrokenPipeError(32, "Broken pipe"))
        # As Python makes the standard output of a pipe.
        stream = io.TextIOWrapper(io.BufferedWriter(raw, 64), encoding="utf-8")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            code = main(words)
        raw.left = sys.maxsize  # or its end would complain
        return code

    return run


@pytest.fixture
def saved(tmp_path: Path, chain: Any) -> str:
    """A saved trace of 1,442 parameters."""
    trace, costs = chain
    Summary(trace, costs, "").save(tmp_path / "chain.json")
    return str(tmp_path / "chain.json")


@pytest.fixture
def broken(tmp_path: Path, handmade: Any) -> str:
    """A saved trace whose forward failed."""
    net = handmade((1, 4), target="net")
    net.enter("", "Net", 0)
    net.enter("fc", "Linear", 0, in_features=5, out_features=4)
    net.add_parameter("fc.weight", (4, 5))
    net.fail("mat1 and mat2 shapes cannot be multiplied (1x4 and 5x4)")
    trace, costs = net.build()
    Summary(trace, costs, "").save(tmp_path / "broken.json")
    return str(tmp_path / "broken.json")


class TestReadersThatLeave:
    @pytest.mark.parametrize("word", FORMATS)
    def test_a_failed_check_stays_failed_and_a_kept_one_kept(
        self, saved: str, leave: Any, capsys: pytest.CaptureFixture[str], word: str
    ) -> None:
        for limit, code in (("1441", 1), ("1442", 0)):
            words = ["budget", saved, "--max-params", limit, "--format", word]
            assert main(words) == code
            length = len(capsys.readouterr().out.encode())
            assert length > 20
            step = 1 if word == "plain" and code else 29  # tests/fuzz leaves at every byte of each
            assert {leave(words, offset) for offset in (*range(0, length, step), length)} == {code}
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize("word", FORMATS[:-1])
    def test_a_model_that_raised_is_told(self, broken: str, leave: Any, word: str) -> None:
        words = ["budget", broken, "--max-params", "1G", "--format", word]
        assert {leave(words, offset) for offset in range(0, 800, 89)} == {3}

    @pytest.mark.slow
    @pytest.mark.parametrize("word", FORMATS)
    def test_at_every_byte(self, saved: str, broken: str, leave: Any, word: str) -> None:
        # Where the output has ended, the code is the same: the longest of them has less than 600 bytes.
        words = ["budget", saved, "--max-params", "1441", "--format", word]
        assert {leave(words, offset) for offset in range(600)} == {1}
        if word in ("plain", "csv"):
            words = ["budget", broken, "--max-params", "1G", "--format", word]
            assert {leave(words, offset) for offset in range(700)} == {3}

    @pytest.mark.parametrize(
        "words", [["--help"], ["--version"], ["budget", "--help"], ["schema", "fit"], ["models", "--format", "csv"]]
    )
    def test_where_nothing_is_checked_it_is_no_error(
        self, leave: Any, capsys: pytest.CaptureFixture[str], words: list[str]
    ) -> None:
        assert {leave(words, offset) for offset in (0, 1, 40, 400)} == {0}
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize("place", ["-", "/dev/stdout"])
    @pytest.mark.parametrize(("limit", "code"), [("1441", 1), ("1442", 0)])
    def test_real_pipes(self, saved: str, place: str, limit: str, code: int) -> None:
        words = ["budget", saved, "--max-params", limit, "--format", "csv", "-o", place]
        assert run_into(words, stdout="closed pipe") == (code, b"")

    def test_help_of_a_real_pipe(self) -> None:
        assert run_into(["--help"], stdout="closed pipe") == (0, b"")


def run_into(words: list[str], stdout: str | None = None, stderr: str | None = None) -> tuple[int, bytes]:
    """The exit code and the standard error of a process with such streams: a file, `closed`, or `closed pipe`."""
    ends: list[int] = []

    def close() -> None:
        for number, kind in ((1, stdout), (2, stderr)):
            if kind == "closed":
                os.close(number)

    def open_stream(kind: str | None) -> int:
        if kind == "closed pipe":
            reader, writer = os.pipe()
            os.close(reader)
            ends.append(writer)
        elif kind in (None, "closed"):
            return subprocess.PIPE
        else:
            ends.append(os.open(str(kind), os.O_WRONLY))
        return ends[-1]

    done = subprocess.run(
        [*COMMAND, *words],
        stdout=open_stream(stdout),
        stderr=open_stream(stderr),
        env=ENVIRONMENT,
        preexec_fn=close,
        check=False,
    )
    for end in ends:
        os.close(end)
    return done.returncode, done.stderr or b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
class TestStreamsThatCannotBeWritten:
    FULL = b"error: cannot write to standard output: No space left on device\n"
    CLOSED = b"error: cannot write to standard output: Bad file descriptor\n"

    @pytest.mark.parametrize(("stdout", "told"), [("/dev/full", FULL), ("closed", CLOSED)])
    def test_standard_output(self, saved: str, broken: str, stdout: str, told: bytes) -> None:
        assert run_into(["budget", saved, "--max-params", "1"], stdout) == (1, told)
        assert run_into(["budget", saved, "--max-params", "1M"], stdout) == (2, told)
        assert run_into(["--help"], stdout) == (2, told)
        code, err = run_into(["budget", broken, "--max-params", "1"], stdout)
        assert (code, err.endswith(told)) == (3, True)

    @pytest.mark.parametrize("stderr", ["/dev/full", "closed", "closed pipe"])
    def test_standard_error(self, saved: str, stderr: str) -> None:
        assert run_into(["schema", "nope"], stderr=stderr) == (2, b"")
        assert run_into(["budget", saved, "--max-params", "1"], stdout="closed", stderr=stderr) == (1, b"")

    def test_what_is_written_to_a_file_needs_no_standard_output(self, saved: str, tmp_path: Path) -> None:
        place = tmp_path / "x.csv"
        assert run_into(["trace", saved, "-o", str(place)], stdout="closed", stderr="closed") == (0, b"")
        assert place.read_text(encoding="utf-8").startswith("layer,")

    def test_a_full_disk_at_every_byte(self, saved: str, leave: Any, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["budget", saved, "--max-params", "1441"]
        assert main(words) == 1
        length = len(capsys.readouterr().out.encode())
        full = OSError(28, "No space left on device")
        assert {leave(words, offset, full) for offset in range(0, length, 7)} == {1}
        assert {leave(["budget", saved, "--max-params", "1442"], offset, full) for offset in range(0, 20, 7)} == {2}

    @pytest.mark.parametrize(("limit", "code"), [("1441", 1), ("1442", 2)])
    def test_a_file_that_cannot_be_written(
        self, saved: str, capsys: pytest.CaptureFixture[str], limit: str, code: int
    ) -> None:
        assert main(["budget", saved, "--max-params", limit, "-o", "/dev/full", "--format", "csv"]) == code
        assert capsys.readouterr().err == "error: cannot write /dev/full: No space left on device\n"


class TestSizesOfTheTerminal:
    @pytest.mark.parametrize("word", ["0", "-5", "many", "", "²", "٣", "1e3", "8" * 9, "8" * 5000])
    def test_what_is_no_size_is_not_believed(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: str
    ) -> None:
        monkeypatch.delenv("COLUMNS", raising=False)
        assert main(["budget", "--help"]) == 0
        usual = capsys.readouterr().out
        assert "--max-params" in usual
        for name in ("COLUMNS", "LINES", "TERMINAL_WIDTH"):
            monkeypatch.setenv(name, word)
        assert main(["budget", "--help"]) == 0
        assert capsys.readouterr().out == usual


class TestInterrupts:
    @pytest.mark.parametrize("delay_s", [0.001, 0.03, 0.15, 0.8])
    def test_ctrl_c_shows_no_traceback(self, delay_s: float) -> None:
        code = (
            # Whoever runs these tests in the background ignores Ctrl-C, and so would what they start.
            "import os, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "sys.argv[1:] = ['trace', 'resnet1202']; "
            "from archscope.__main__ import main; os.write(1, b'.'); sys.exit(main())"
        )
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
        )
        assert process.stdout
        assert process.stdout.read(1) == b"."
        time.sleep(delay_s)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
        assert (process.returncode, told) in ((130, b"interrupted\n"), (0, b""))

    def test_an_interrupt_that_was_made_another_error(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(*_: Any) -> None:
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt:
                raise ImportError("numpy._core.multiarray failed to import") from None

        monkeypatch.setattr("archscope.api.list_models", fail)
        assert main(["models"]) == 130
        assert capsys.readouterr().err == "interrupted\n"


Change = Callable[[dict[str, Any]], object]


UNCOUNTED = {"op": "aten.foo", "layers": [1], "calls": 1, "reason": "no formula"}


def drop_count(document: dict[str, Any]) -> None:
    """As of a model with an operation that has no count."""
    conv1 = document["layers"][1]
    for place in (conv1, document["layers"][0], document["totals"]):
        place["macs"] = None
    document["totals"]["flops"] = conv1["own_macs"] = None
    document["ops"][0] |= {"macs": None, "reason": "no formula"}
    document["totals"]["counted_macs"] -= 13_824
    document.update(counts_complete=False, uncounted=[UNCOUNTED | {"op": "aten.convolution"}])


def drop_ops(document: dict[str, Any]) -> None:
    for key in ("ops", "edges", "state"):
        document.pop(key)


class TestTracesThatProveNothing:
    LIMITS = ("--max-params", "1G", "--max-macs", "1G", "--max-activations", "1G")

    @pytest.fixture
    def change(self, saved: str) -> Any:
        def change(path: str, act: Change) -> str:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
            act(document)
            Path(path).write_text(json.dumps(document), encoding="utf-8")
            return path

        return change

    @pytest.mark.parametrize("with_ops", [True, False])
    def test_a_forward_that_did_not_finish(
        self, broken: str, saved: str, change: Any, capsys: pytest.CaptureFixture[str], with_ops: bool
    ) -> None:
        acts: tuple[tuple[str, Change], ...] = (
            (broken, lambda document: None),
            (broken, lambda document: document.update(failure=None)),
            (broken, lambda document: document.update(forward_complete=True)),
            (saved, lambda document: document.update(forward_complete=False)),
        )
        for number, (path, act) in enumerate(acts):
            kept = Path(path).read_bytes()
            change(path, act)
            if not with_ops:
                change(path, drop_ops)
            assert main(["budget", path, *self.LIMITS]) == (2 if number else 3), "contradictory"
            captured = capsys.readouterr()
            assert "ok:" not in captured.out
            assert captured.err.startswith("error: ")
            assert main(["budget", "vgg11", "--baseline", path]) == 2
            told = capsys.readouterr().err
            assert ("failure says otherwise" if number else "failed: it has no totals") in told
            Path(path).write_bytes(kept)

    @pytest.mark.parametrize("with_ops", [True, False])
    def test_counts_that_are_not_complete(
        self, saved: str, change: Any, capsys: pytest.CaptureFixture[str], with_ops: bool
    ) -> None:
        whole = Path(saved).with_name("whole.json")
        whole.write_bytes(Path(saved).read_bytes())
        change(saved, drop_count)
        if not with_ops:
            change(saved, drop_ops)
        assert main(["budget", saved, *self.LIMITS]) == 1
        told = "are not known in full: aten.convolution (no formula)"
        assert capsys.readouterr().out.splitlines() == [
            f"error: macs {told}",
            f"error: activations {told}",
            "ok: params 1,442 within the budget of 1,000,000,000 (0.0 %)",
        ]
        for model, baseline in ((saved, whole), (whole, saved)):
            assert main(["budget", str(model), "--baseline", str(baseline)]) == 1
            assert f"error: macs {told}" in capsys.readouterr().out

    @pytest.mark.parametrize(
        "act",
        [
            lambda document: document.update(counts_complete=False),
            lambda document: document["totals"].update(macs=None),
            lambda document: document["layers"][0].update(macs=None),
            lambda document: document.update(uncounted=[UNCOUNTED]),
        ],
    )
    def test_one_sign_of_it_is_enough(
        self, saved: str, change: Any, capsys: pytest.CaptureFixture[str], act: Change
    ) -> None:
        change(saved, act)
        for words in (["budget", saved, *self.LIMITS], ["budget", saved, "--baseline", saved]):
            assert main(words) in (1, 2)  # broken, or refused because the document contradicts itself
            assert "ok: macs" not in capsys.readouterr().out

    @pytest.mark.parametrize("name", ["params", "macs", "activations", "counted_macs"])
    @pytest.mark.parametrize("value", [-1, -(10**30), -1.0, True, "7"])
    def test_totals_that_are_no_counts(
        self, saved: str, change: Any, capsys: pytest.CaptureFixture[str], name: str, value: object
    ) -> None:
        change(saved, lambda document: document["totals"].update({name: value}))
        for words in (["budget", saved, *self.LIMITS], ["budget", "vgg11", "--baseline", saved]):
            assert main(words) == 2
            captured = capsys.readouterr()
            assert captured.out == ""
            assert f"totals.{name}: expected a whole number" in captured.err

    @pytest.mark.parametrize(("name", "told"), [("params", "1442"), ("macs", "23680")])
    @pytest.mark.parametrize("with_ops", [True, False])
    def test_totals_that_are_not_those_of_the_layers(
        self, saved: str, change: Any, capsys: pytest.CaptureFixture[str], name: str, told: str, with_ops: bool
    ) -> None:
        change(saved, lambda document: document["totals"].update({name: 5}))
        if not with_ops:
            change(saved, drop_ops)
        assert main(["budget", saved, *self.LIMITS]) == 2
        err = capsys.readouterr().err
        assert f"totals.{name} is 5, " in err
        assert told in err

    def test_a_failure_needs_no_file(self, chain: Any) -> None:
        from dataclasses import replace

        trace, costs = chain
        failed = Summary(replace(trace, failure=Failure(0, "", "Error", "odd")), costs, "")
        with pytest.raises(archscope.ForwardError, match="odd"):
            archscope.budget(failed, max_params=10**9)
