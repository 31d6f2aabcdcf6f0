"""Command lines run in this process: their exit codes, what they wrote, and how long they took."""

import contextlib
import io
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import pytest

from archscope.cli.app import main

LIMIT_SECONDS = 10.0


class Hang(BaseException):
    """A command that did not end in time; no `except Exception` keeps it."""


@dataclass
class Tally:
    """What came of all command lines."""

    codes: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0

    def run(self, words: Sequence[str], about: str, allowed: Sequence[int] = (0, 1, 2, 3)) -> int:
        """Run one command line; a code that is not allowed, a traceback and a hang are faults."""
        errors, started = io.StringIO(), time.perf_counter()
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # as strict as a pipe
        code = -1
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors), _bound():
                code = main(list(words))
        except Hang:
            self.faults.append(f"{about}: {' '.join(words)}: no end after {LIMIT_SECONDS:.0f} s")
        except UnicodeError as error:
            self.faults.append(f"{about}: {' '.join(words)}: {error}")
        self.slowest_seconds = max(self.slowest_seconds, time.perf_counter() - started)
        self.codes[code] += 1
        if code not in allowed or (code == 2 and "error: " not in errors.getvalue()):
            self.faults.append(f"{about}: {' '.join(words)} exits {code}: {errors.getvalue()[:300]}")
        return code

    def describe(self) -> str:
        """The counts, as the fuzzers print them."""
        codes = ", ".join(f"{count} exit {code}" for code, count in sorted(self.codes.items()))
        return f"{self.codes.total()} runs: {codes}; the slowest took {self.slowest_seconds:.2f} s"


@contextlib.contextmanager
def _bound() -> Iterator[None]:
    def stop(signum: int, frame: FrameType | None) -> None:
        raise Hang

    if not hasattr(signal, "SIGALRM"):
        pytest.skip("stops what hangs with SIGALRM")
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def check_whole(folder: Path, kept: set[str]) -> None:
    """Nothing lies in the folder but what was put there: no part of a file that was not finished."""
    assert {path.name for path in folder.iterdir()} - kept == set()
