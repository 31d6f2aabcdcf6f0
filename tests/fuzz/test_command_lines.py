"""Thousands of odd command lines in one process: each is answered or refused; none is a bug, hangs or half-writes."""

import io
import json
import random
import resource
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from archscope.cli.app import main

from .command_lines import make_folder, write_line

pytestmark = pytest.mark.slow

LINES = 2600
SEED = 12
MOST_SECONDS = 10
MOST_BYTES = 8 << 30
"""Of address space beyond what there is: what asks for more gets an error, and takes nothing from the machine."""


class HangError(BaseException):
    """A line took too long."""


@contextmanager
def bound() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def bounded_memory() -> Iterator[None]:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MOST_BYTES, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


def run(words: list[str]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings(), bound():
        warnings.simplefilter("ignore")
        code = main(words)
    return code, out.getvalue(), err.getvalue()


def judge(words: list[str], folder: Path) -> tuple[int, list[str]]:
    """The exit code, and what is wrong with how the line ended."""
    started = time.monotonic()
    code, _, err = run(words)
    took = time.monotonic() - started
    faults = []
    if code not in (0, 1, 2, 3):
        faults.append(f"exit code {code}")
    if took >= MOST_SECONDS:
        faults.append(f"took {took:.1f} s")
    if "Traceback" in err and "--debug" not in words:
        faults.append("a traceback")
    if code in (2, 3) and words and "error: " not in err:
        faults.append("no error is told")
    left = [path for path in (*folder.iterdir(), *(folder / "out").iterdir()) if path.name.endswith(".part")]
    faults += [f"{path.name} is left" for path in left]
    for path in (folder / "out").iterdir():
        text = path.read_text(encoding="utf-8")
        if not text.endswith("\n"):
            faults.append(f"{path.name} is not whole")
        if path.suffix == ".json" and "--format" not in " ".join(words):
            json.loads(text)
        path.unlink()
    return code, [f"{fault}: {words!r}: {err[-300:]!r}" for fault in faults]


@pytest.mark.skipif(sys.platform != "linux", reason="bounds its memory as Linux does")
def test_command_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bounded_memory: None, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    make_folder(tmp_path)
    run(["trace", "net.py:Net", "--input", "2x4", "--ops", "-o", "saved.json"])
    run(["trace", "net.py:Net", "--input", "2x4", "-o", "bare.json"])
    run(["trace", "net.py:Misfit", "--input", "2x4", "--ops", "-o", "broken.json"])
    chance = random.Random(SEED)
    codes: Counter[int] = Counter()
    faults: list[str] = []
    for _ in range(LINES):
        code, found = judge(write_line(chance), tmp_path)
        codes[code] += 1
        faults += found
    told = ", ".join(f"{count} ended with {code}" for code, count in sorted(codes.items()))
    with capsys.disabled():
        sys.stdout.write(f"\n{sum(codes.values())} command lines: {told}\n")
    assert not faults, "\n".join(faults)
    assert min(codes[0], codes[1], codes[2], codes[3]) >= sum(codes.values()) // 100, codes
