"""Progress of long work on standard error: a live line on a terminal, a plain line now and then anywhere else.

Nothing shows within the first second, and a terminal is left as it was.
"""

import os
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from typing import IO, TYPE_CHECKING, Any, cast

from archscope.core.escaping import escape_lines, escape_name
from archscope.core.progress import Board, Stage, watch_progress

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

PATIENCE_S = 1.0
"""Work that is done sooner says nothing."""
FRAME_S = 0.125
LINE_S = 10.0
"""Between two plain lines."""
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
BAR_WIDTH = 12


def tell(text: str) -> None:
    """Write the lines to standard error at once."""
    print(escape_lines(text), file=sys.stderr, flush=True)


@contextmanager
def show_progress() -> Iterator[IO[str]]:
    """Show the stages of the work within, as they come; the stream takes what else is to be said meanwhile."""
    if os.environ.get("RANK", "0") != "0":  # of several processes, the first speaks
        yield sys.stderr
        return
    with watch_progress() as board, _escape_warnings():
        terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        display: _Display = _LiveDisplay(board) if terminal else _PlainDisplay(board)
        with redirect_stderr(display.stream):
            display.start()
            try:
                yield display.stream
            finally:
                display.stop()


@contextmanager
def _escape_warnings() -> Iterator[None]:
    """What Python prints of a warning is a text that others chose."""
    before = warnings.formatwarning

    def format_warning(*words: Any, **more: Any) -> str:
        return escape_lines(before(*words, **more))

    warnings.formatwarning = format_warning
    try:
        yield
    finally:
        warnings.formatwarning = before


class _Display:
    """Looks at the board from its own thread, which is there before the work begins."""

    stream: IO[str]

    def __init__(self, board: Board) -> None:
        self._board = board
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="archscope-progress", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End, and leave nothing behind."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        if self._over.wait(PATIENCE_S):
            return
        with suppress(OSError, ValueError):  # nobody reads stderr any more, or it is closed: the work goes on
            while True:
                self._show(list(self._board))
                if self._over.wait(FRAME_S):
                    break
            self._clear()

    def _show(self, stages: list[Stage]) -> None:
        raise NotImplementedError

    def _clear(self) -> None:
        """Nothing to clear."""


class _LiveDisplay(_Display):
    """A line for the outermost stage and one for the innermost, redrawn in place."""

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        from rich.console import Console
        from rich.file_proxy import FileProxy

        self._console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self.stream = cast("IO[str]", FileProxy(self._console, sys.stderr))
        self._live: Live | None = None
        self._frame = 0

    def _show(self, stages: list[Stage]) -> None:
        from rich.console import Group
        from rich.live import Live

        shown = stages[:1] + stages[1:][-1:]
        if not shown and self._live is None:
            return
        if self._live is None:
            self._live = Live(
                console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            self._live.start()
        self._frame += 1
        self._live.update(Group(*(self._draw(stage) for stage in shown)), refresh=True)

    def _draw(self, stage: Stage) -> "Text":
        from rich.text import Text

        what = f"{SPINNER[self._frame % len(SPINNER)]} {escape_name(stage.what)} "
        line = Text(what, no_wrap=True, overflow="ellipsis")
        if stage.total:
            full = round(BAR_WIDTH * stage.come / stage.total)
            line.append("━" * full, "green").append("─" * (BAR_WIDTH - full), "dim").append(" ")
        left = _tell_left(stage) or f"{stage.seconds:.0f} s"
        line.append(" · ".join(filter(None, (_count(stage), left))))
        return line.append(f" · {escape_name(stage.detail)}" if stage.detail else "", "dim")

    def _clear(self) -> None:
        if self._live is not None:
            self._live.stop()


class _PlainDisplay(_Display):
    """A line after one second and after ten more, unless something else was said meanwhile."""

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._heard = _Heard(sys.stderr)
        self.stream = cast("IO[str]", self._heard)
        self._said = False

    def _show(self, stages: list[Stage]) -> None:
        known = [stage for stage in stages if stage.total is not None]
        due = not self._said or time.monotonic() - self._heard.last > LINE_S
        if not known or not due or known[0].seconds < PATIENCE_S / 2:
            return
        self._said = True
        shown = known[:1] + known[1:][-1:]
        print("; ".join(map(tell_stage, shown)), file=self.stream, flush=True)


class _Heard:
    """A stream that knows when it was last written to."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.last = time.monotonic()

    def write(self, text: str) -> int:
        """As the stream does it."""
        self.last = time.monotonic()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def tell_stage(stage: Stage) -> str:
    """`checking figures, resnet152: 512 of 814 figures, about 3 s left`."""
    counts = ", ".join(filter(None, (_count(stage), _tell_left(stage))))
    return f"{escape_name(_join(stage.what, stage.detail))}: {counts}"


def _join(what: str, detail: str) -> str:
    return f"{what}, {detail}" if detail else what


def _count(stage: Stage) -> str:
    if stage.unit == "s" or (stage.total is None and not stage.done):
        return ""
    of = "" if stage.total is None else f" of {stage.total:,.0f}"
    one = (stage.done if stage.total is None else stage.total) == 1
    return f"{stage.come:,.0f}{of} {stage.unit.removesuffix('s') if one else stage.unit}".rstrip()


def _tell_left(stage: Stage) -> str:
    left = stage.left_seconds
    if left is None:
        return ""
    if left <= 0 and stage.unit == "s":
        return "takes longer than planned"
    if left < 99.5:
        return f"about {left:.0f} s left"
    minutes = round(left / 60)
    return f"about {minutes} min left" if minutes < 100 else f"about {left / 3600:.0f} h left"
