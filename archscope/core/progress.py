"""How far long work has come. Whoever works says it in stages; whoever listens looks at them; nothing here prints.

A stage costs its worker an attribute and no call: the listener reads the board from a thread of its own.
"""

import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Stage:
    """A part of the work, from its begin to its end."""

    what: str
    """`training`, `checking figures`."""
    total: float | None = None
    """How much there is to do; None where nobody knows."""
    unit: str = ""
    """Of `total` and `done`, in the plural: `figures`. Of a stage whose work is to last so long: `s`."""
    done: float = 0
    detail: str = ""
    """What is being done right now: `resnet50`, `epoch 2 of 5`."""
    even: bool = True
    """Whether its parts take about the same time, so that what is left can be told."""
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.started

    @property
    def come(self) -> float:
        """How much is done, at most `total`; of a stage that lasts a given time, the seconds."""
        done = self.seconds if self.unit == "s" else self.done
        return done if self.total is None else min(done, self.total)

    @property
    def left_seconds(self) -> float | None:
        """How long it should still take at the speed so far; None where that is not known."""
        if self.total is None or self.come <= 0 or not self.even:
            return None
        left = self.total - self.come
        return left if self.unit == "s" else left * self.seconds / self.come


Board = list[Stage]
"""The stages that are under way, the outermost first."""

_BOARD: ContextVar[Board | None] = ContextVar("archscope_progress", default=None)


@contextmanager
def watch_progress() -> Iterator[Board]:
    """Within this context, and in this thread, stages stand on the board that is given."""
    board: Board = []
    token = _BOARD.set(board)
    try:
        yield board
    finally:
        _BOARD.reset(token)


@contextmanager
def show_stage(
    what: str, total: float | None = None, unit: str = "", detail: str = "", *, even: bool = True
) -> Iterator[Stage]:
    """A stage that is under way within this context."""
    stage = Stage(what, total, unit, detail=detail, even=even)
    board = _BOARD.get()
    if board is not None:
        board.append(stage)
    try:
        yield stage
    finally:
        if board is not None:
            board.remove(stage)


def track(items: Iterable[T], what: str, unit: str) -> Iterator[T]:
    """The items, one after the other; each is done when the next is asked for."""
    with show_stage(what, len(items) if isinstance(items, Sized) else None, unit) as stage:
        for item in items:
            yield item
            stage.done += 1
