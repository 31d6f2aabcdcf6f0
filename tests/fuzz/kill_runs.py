"""Kills trainings, 200 of them, and goes on with each: `python kill_runs.py FOLDER` tells what came of it as JSON.

One process trains once undisturbed; every other training is a child that it forks. A child dies at a moment
of its own: after some milliseconds, before the n-th call that opens, links, renames, removes, locks or synchronises a
file, or in the midst of a write.
"""

import io
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from archscope.cli.app import main
from archscope.training import run, session
from archscope.training.data.images import Data, ImageSet

NET = """
from torch import nn

def net(num_classes=3):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, num_classes))
"""
WATCHED = {"open", "os.link", "os.rename", "os.remove", "os.chmod", "os.mkdir", "os.rmdir", "os.truncate"}
WATCHED |= {"fcntl.lockf", "os.scandir"}
RUNS = 200


def make_images(count: int, seed: int) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, 8, 8), generator=generator, dtype=torch.uint8)
    return ImageSet(images, torch.arange(count) % 3)


def train(folder: Path, *words: str) -> tuple[int, str]:
    said = io.StringIO()
    target = f"{folder.parent / 'net.py'}:net"
    options = ["--epochs", "3", "--batch-size", "6", "--recipe", "fast", "--no-check", "--threads", "1"]
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        code = main(["train", target, "--run-dir", str(folder), *options, *words])
    return code, said.getvalue()


def fork(work: Callable[[], Any], begin: Callable[[], None] = lambda: None) -> tuple[int, Any]:
    """The signal that ended a child (0: none), and what `work` returned in it."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        code = 70
        try:
            os.close(reader)
            begin()
            answer = json.dumps(work()).encode()
            signal.setitimer(signal.ITIMER_REAL, 0)
            os.write(writer, answer)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    status = os.waitpid(child, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, json.loads(answer) if answer else None


def die_after(seconds: float) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def die_at_call(number: int, folder: Path) -> None:
    left = [number]

    def count() -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(event: str, args: tuple[Any, ...]) -> None:
        told = any(isinstance(word, (str, bytes, Path)) and str(folder) in os.fsdecode(word) for word in args)
        if event in WATCHED and (told or event == "fcntl.lockf"):
            count()

    def synchronise(descriptor: int, real: Callable[[int], None] = os.fsync) -> None:
        count()
        real(descriptor)

    os.fsync = synchronise  # type: ignore[assignment]
    sys.addaudithook(hear)


def die_in_write(most_bytes: int) -> None:
    left = [most_bytes]

    def open_file(descriptor: int, mode: str, real: Callable[..., Any] = os.fdopen) -> Any:
        file = real(descriptor, mode)
        if "w" not in mode:
            return file
        return Torn(file, left)

    os.fdopen = open_file  # type: ignore[assignment]


class Torn:
    """A file in which the process dies after so many bytes."""

    def __init__(self, file: Any, left: list[int]) -> None:
        self.file, self.left = file, left

    def __enter__(self) -> "Torn":
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, blob: bytes) -> int:
        if len(blob) > self.left[0]:
            os.write(self.file.fileno(), blob[: self.left[0]])
            os.kill(os.getpid(), signal.SIGKILL)
        self.left[0] -= len(blob)
        written: int = self.file.write(blob)
        return written


def choose_end(number: int, folder: Path, seconds: float, draw: random.Random) -> tuple[str, Callable[[], None]]:
    kind = ("moment", "call", "call", "write")[number % 4]
    if kind == "moment":
        after = draw.uniform(0.001, seconds)
        return kind, lambda: die_after(after)
    if kind == "call":
        calls = draw.randrange(90)
        return kind, lambda: die_at_call(calls, folder)
    size = draw.randrange(30_000)
    return kind, lambda: die_in_write(size)


def describe(folder: Path) -> list[str]:
    state = torch.load(folder / "last.pt", weights_only=True)
    weights = sha256(b"".join(tensor.numpy().tobytes() for tensor in state["model"].values())).hexdigest()
    files = [sha256((folder / name).read_bytes()).hexdigest() for name in ("last.pt", "metrics.jsonl", "config.json")]
    return [weights, *files]


def finish(folder: Path, *words: str) -> tuple[tuple[int, str], list[str]]:
    return train(folder, *words, "--resume"), describe(folder)


def kill_runs(place: Path) -> dict[str, Any]:
    data = Data(make_images(24, 1), make_images(12, 2), ("red", "green", "blue"), "noise")
    vars(session)["load_data"] = lambda where, reporter: data
    vars(run)["can_draw"] = lambda: False
    torch.set_num_threads(1)
    place = place.resolve()
    (place / "net.py").write_text(NET)
    draw, counts, faults = random.Random(12), Counter[str](), list[str]()
    train(place / "warm")  # what is imported late is imported before the first fork
    started = time.monotonic()
    train(place / "whole")
    seconds, whole = time.monotonic() - started, describe(place / "whole")
    for number in range(RUNS):
        folder = place / f"run{number}"
        words = ("--keep", "all") if number % 3 == 0 else ()
        resumed: tuple[str, ...] = ()
        for _ in range(1 + number % 2):
            kind, begin = choose_end(number, folder, seconds, draw)
            ended, _ = fork(partial(train, folder, *words, *resumed), begin)
            counts[f"{kind}: {'killed' if ended else 'ended before'}"] += 1
            resumed = ("--resume",)
        _, answer = fork(partial(finish, folder, *words))
        if answer is None:
            faults.append(f"run {number} ({kind}): no answer")
            continue
        (code, said), found = answer
        left = [path.name for path in folder.glob(".*")]
        counts["equal" if code == 0 else "refused"] += 1
        if code not in (0, 2) or (code == 0 and found != whole) or left:
            faults.append(f"run {number} ({kind}): {code} {said} {left} {found} {whole}")
    return {"counts": dict(sorted(counts.items())), "faults": faults}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(kill_runs(Path(sys.argv[1]))))
