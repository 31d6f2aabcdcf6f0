"""Progress on standard error: within a second nothing, then what is done and how much is left."""

import os
import pty
import re
import select
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from archscope.cli import progress as cli_progress
from archscope.cli.progress import show_progress, tell_stage
from archscope.core.progress import Stage, show_stage


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter times, the same order."""
    monkeypatch.setattr(cli_progress, "PATIENCE_S", 0.08)
    monkeypatch.setattr(cli_progress, "FRAME_S", 0.01)
    monkeypatch.setattr(cli_progress, "LINE_S", 0.2)
    monkeypatch.delenv("RANK", raising=False)


def work(seconds: float, total: float | None = 8) -> None:
    with show_stage("checking figures", total, "figures") as stage:
        stage.detail = "vgg16"
        stage.done = 2
        time.sleep(seconds)


class TestInAPipe:
    def test_work_that_is_soon_done_says_nothing(self, quick: None, capsys: pytest.CaptureFixture[str]) -> None:
        with show_progress():
            work(0.01)
        assert capsys.readouterr().err == ""

    def test_after_a_while_a_line_with_what_and_how_much(self, quick: None, capsys: pytest.CaptureFixture[str]) -> None:
        with show_progress():
            work(0.15)
        (line,) = capsys.readouterr().err.splitlines()
        assert re.fullmatch(r"checking figures, vgg16: 2 of 8 figures, about \d+ s left", line)

    def test_lines_are_rare(self, quick: None, capsys: pytest.CaptureFixture[str]) -> None:
        with show_progress():
            work(0.75)
        assert 2 <= len(capsys.readouterr().err.splitlines()) <= 4

    def test_other_words_stand_in_for_it(self, quick: None, capsys: pytest.CaptureFixture[str]) -> None:
        with show_progress(), show_stage("training", 8, "steps"):
            for _ in range(8):
                time.sleep(0.06)
                sys.stderr.write("loss 1.0\n")
        lines = capsys.readouterr().err.splitlines()
        assert lines.count("loss 1.0") == 8
        assert len(lines) == 9, "one line of ours, at the beginning"

    def test_only_the_first_of_several_processes_speaks(
        self, quick: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("RANK", "1")
        with show_progress():
            work(0.15)
        assert capsys.readouterr().err == ""


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a function with a terminal of 80 columns as stderr; what it drew comes back."""

    def run(function: Callable[[], None]) -> str:
        leader, follower = pty.openpty()
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "80")
        with os.fdopen(follower, "w", encoding="utf-8") as stream:
            monkeypatch.setattr(sys, "stderr", stream)
            function()
            stream.flush()
            drawn = b""
            while select.select([leader], [], [], 0.05)[0]:
                drawn += os.read(leader, 65536)
        os.close(leader)
        return drawn.decode()

    return run


class TestOnATerminal:
    def test_a_live_line_that_goes_away(self, quick: None, on_terminal: Any) -> None:
        def act() -> None:
            with show_progress():
                work(0.2)

        drawn = on_terminal(act)
        assert "checking figures" in drawn
        assert "vgg16" in drawn
        assert "2 of 8 figures" in drawn
        assert "s left" in drawn
        assert drawn.endswith("\x1b[2K") or drawn.rstrip("\r\n").endswith("\x1b[2K"), "the line is erased"
        assert "\x1b[?25h" in drawn, "the cursor is shown again"

    def test_work_that_is_soon_done_draws_nothing(self, quick: None, on_terminal: Any) -> None:
        def act() -> None:
            with show_progress():
                work(0.01)

        assert on_terminal(act) == ""

    def test_what_is_printed_meanwhile_stays(self, quick: None, on_terminal: Any) -> None:
        def act() -> None:
            with show_progress(), show_stage("training", 8, "steps"):
                time.sleep(0.12)
                sys.stderr.write("[1,    30/400] loss: 2.303 [not markup]\n")
                time.sleep(0.05)

        assert "[1,    30/400] loss: 2.303 [not markup]" in on_terminal(act)

    def test_the_terminal_is_left_as_it_was_when_interrupted(self, quick: None, on_terminal: Any) -> None:
        def be_interrupted() -> None:
            with show_progress():
                work(0.12)
                raise KeyboardInterrupt

        def act() -> None:
            stream = sys.stderr
            with pytest.raises(KeyboardInterrupt):
                be_interrupted()
            assert sys.stderr is stream

        assert "\x1b[?25h" in on_terminal(act)


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        (Stage("training", 800, "steps", detail="epoch 1 of 2"), "training, epoch 1 of 2: 0 of 800 steps"),
        (
            Stage("predicting memory", None, "predictions", 1, "batch 64"),
            "predicting memory, batch 64: 1 prediction",
        ),
        (Stage("timing steps", 0.001, "s", started=0.0), "timing steps: takes longer than planned"),
    ],
)
def test_words(stage: Stage, told: str) -> None:
    assert tell_stage(stage) == told
