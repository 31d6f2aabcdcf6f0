"""Stages of long work, and who sees them."""

import pytest

from archscope.core.progress import Stage, show_stage, track, watch_progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock says, in seconds."""
    now = [100.0]
    monkeypatch.setattr("archscope.core.progress.time.monotonic", lambda: now[0])
    return now


def test_nobody_needs_to_listen() -> None:
    with show_stage("work", 3, "parts") as stage:
        stage.done += 1
    assert list(track("abc", "work", "letters")) == ["a", "b", "c"]


def test_the_board_holds_what_is_under_way_the_outermost_first() -> None:
    with watch_progress() as board:
        for item in track(["x", "y"], "outer", "items"):
            with show_stage("inner"):
                assert [stage.what for stage in board] == ["outer", "inner"]
                assert board[0].done == (0 if item == "x" else 1)
                assert board[0].total == 2
        assert board == []


def test_a_stage_that_raises_leaves_the_board() -> None:
    with watch_progress() as board:
        with pytest.raises(ZeroDivisionError), show_stage("work"):
            raise ZeroDivisionError
        assert board == []


def test_what_is_left(clock: list[float]) -> None:
    stage = Stage("work", 12, "parts", started=100.0)
    clock[0] = 106.0
    assert stage.left_seconds is None, "nothing is done: nobody knows"
    stage.done = 3
    assert stage.left_seconds == 18  # 9 parts more, at 2 s each
    stage.even = False
    assert stage.left_seconds is None


def test_a_stage_that_lasts_a_given_time(clock: list[float]) -> None:
    stage = Stage("timing", 5, "s", started=100.0)
    clock[0] = 102.0
    assert (stage.come, stage.left_seconds) == (2, 3)
    clock[0] = 109.0
    assert (stage.come, stage.left_seconds) == (5, 0)
