"""Run folders with something wrong in them: every resume gives the very weights of a whole run, or refuses by name.

All in one process, seeded; the counts are printed.
"""

import copy
import io
import json
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch

from archscope import api
from archscope.cli.app import main
from archscope.core.documents.findings import EpochMetrics
from archscope.training.checkpoint import pack_checkpoint
from archscope.training.data.images import Data, ImageSet
from archscope.training.reporter import EpochTimes, SilentReporter

pytestmark = pytest.mark.slow

NET = """
from torch import nn

def net(num_classes=3, width=4):
    return nn.Sequential(
        nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), nn.Linear(36 * width, num_classes)
    )
"""
WORDS = {"recipe": "lecture-resnet", "batch_size": 6, "learning_rate": 0.05, "epochs": 3, "checks": False}
JUNK: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, -2.5, "", "x", "\ud800", "a\x00b", [], ["x"], [[]], {}, {"x": 1}, {"x": {}},
    10**30, -(10**30), float("nan"), float("inf"), "9" * 300,
)  # fmt: skip


class Stopped(SilentReporter):
    """Ctrl-C after the second epoch."""

    def epoch(self, metrics: EpochMetrics, epochs: int, times: EpochTimes) -> None:
        if metrics.epoch == 2:
            raise KeyboardInterrupt


def make_images(count: int, seed: int) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, 8, 8), generator=generator, dtype=torch.uint8)
    return ImageSet(images, torch.arange(count) % 3)


def hash_weights(folder: Path) -> str:
    state = torch.load(folder / "last.pt", weights_only=True)
    digest = sha256(str(state["epoch"]).encode())
    for name, tensor in state["model"].items():
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


class Runs:
    """An interrupted run, the same undisturbed, and runs of another seed and of another model."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.target = f"{place / 'net.py'}:net"
        (place / "net.py").write_text(NET)
        self.whole = self.train("whole")
        self.weights = hash_weights(self.whole)
        self.half = self.train("half", reporter=Stopped())
        self.other_seed = self.train("seed", reporter=Stopped(), seed=7)
        self.other_model = self.train("wide", reporter=Stopped(), arguments={"width": 5})
        self.last = (self.half / "last.pt").read_bytes()
        self.config: dict[str, Any] = json.loads((self.half / "config.json").read_text())

    def train(self, name: str, reporter: Any = None, **more: Any) -> Path:
        folder = self.place / name
        try:
            api.train(self.target, run_dir=folder, data="synthetic", reporter=reporter, **{**WORDS, **more})
        except KeyboardInterrupt:
            assert reporter is not None
        return folder

    def resume(self, mutate: Callable[[Path], None]) -> tuple[int, str, Path]:
        """The exit code and what was said, for the interrupted run after `mutate`."""
        folder = self.place / "mutated"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.half, folder)
        mutate(folder)
        said = io.StringIO()
        with redirect_stderr(said), redirect_stdout(io.StringIO()):
            code = main(["train", self.target, "--run-dir", str(folder), "--resume", "--no-check"])
        return code, said.getvalue(), folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    data = Data(make_images(24, 1), make_images(12, 2), ("red", "green", "blue"), "noise")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("archscope.training.session.load_data", lambda where, reporter: data)
        patch.setattr("archscope.training.run.can_draw", lambda: False)
        yield Runs(tmp_path_factory.mktemp("runs"))
    torch.set_num_threads(threads)


def flip_bit(runs: Runs, draw: random.Random, folder: Path) -> None:
    blob = bytearray(runs.last)
    blob[draw.randrange(len(blob))] ^= 1 << draw.randrange(8)
    (folder / "last.pt").write_bytes(blob)


def zero_sector(runs: Runs, draw: random.Random, folder: Path) -> None:
    blob = bytearray(runs.last)
    start = 512 * draw.randrange(len(blob) // 512 + 1)
    blob[start : start + 512] = bytes(len(blob[start : start + 512]))
    (folder / "last.pt").write_bytes(blob)


def cut(runs: Runs, draw: random.Random, folder: Path) -> None:
    (folder / "last.pt").write_bytes(runs.last[: draw.randrange(len(runs.last))])


def lengthen(runs: Runs, draw: random.Random, folder: Path) -> None:
    more = draw.choice([b"\0", bytes(512), runs.last, draw.randbytes(100)])
    (folder / "last.pt").write_bytes(runs.last + more if draw.random() < 0.5 else more + runs.last)


def swap_files(runs: Runs, draw: random.Random, folder: Path) -> None:
    names = ["last.pt", "previous.pt", "config.json", "metrics.jsonl", "environment.json"]
    source = draw.choice([runs.half, runs.whole, runs.other_seed, runs.other_model])
    shutil.copy(source / draw.choice(names), folder / draw.choice(names))


def remove_files(runs: Runs, draw: random.Random, folder: Path) -> None:
    for path in draw.sample(sorted(folder.iterdir()), draw.randrange(1, 4)):
        path.unlink()


def edit_configuration(runs: Runs, draw: random.Random, folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps(edit(runs.config, draw)))


def edit_checkpoint(runs: Runs, draw: random.Random, folder: Path) -> None:
    """With a digest that is right: as a program that knows the format would write it."""
    state = torch.load(io.BytesIO(runs.last), weights_only=True)
    kind = draw.choice(["config", "metrics", "weights", "optimizer", "key"])
    if kind == "config":
        state["config"] = edit(state["config"], draw)
    elif kind == "metrics":
        state["metrics"][draw.randrange(2)] = edit(state["metrics"][0], draw)
    elif kind == "key":
        state[draw.choice(sorted(state))] = draw.choice(JUNK)
    else:
        held = state["optimizer"]["state"][0] if kind == "optimizer" else state["model"]
        name = draw.choice(sorted(held))
        held[name] = draw.choice([held[name] * float("nan"), held[name][..., None], "x", None])
    (folder / "last.pt").write_bytes(pack_checkpoint(state))


def edit_unsealed(runs: Runs, draw: random.Random, folder: Path) -> None:
    state = torch.load(io.BytesIO(runs.last), weights_only=True)
    if draw.random() < 0.5:
        state["config"] = edit(state["config"], draw)
    else:
        state["model"][draw.choice(sorted(state["model"]))].add_(1)
    torch.save(state, folder / "last.pt")


def edit(document: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    edited = copy.deepcopy(document)
    name = draw.choice(sorted(edited))
    if isinstance(edited[name], dict) and edited[name] and draw.random() < 0.7:
        edited[name] = edit(edited[name], draw)
    elif draw.random() < 0.1:
        del edited[name]
    else:
        edited[name] = draw.choice(JUNK)
    return edited


KINDS = (
    (flip_bit, 300), (zero_sector, 150), (cut, 100), (lengthen, 30), (swap_files, 80), (remove_files, 40),
    (edit_configuration, 120), (edit_checkpoint, 120), (edit_unsealed, 30),
)  # fmt: skip


def test_900_mutated_run_folders(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    assert sum(count for _, count in KINDS) >= 900
    counts: Counter[str] = Counter()
    for mutate, count in KINDS:
        draw = random.Random(mutate.__name__)
        for number in range(count):
            code, said, folder = runs.resume(partial(mutate, runs, draw))
            told = f"{mutate.__name__} {number}: {said}"
            assert code in (0, 2), told
            assert (code == 0) == ("error: " not in said), told
            assert "Traceback" not in said, told
            if code == 0:
                assert hash_weights(folder) == runs.weights, told
            assert not list(folder.glob(".*")), told
            counts[f"{mutate.__name__}: {'equal' if code == 0 else 'refused'}"] += 1
    with capsys.disabled():
        sys.stdout.write("".join(f"\n{name} {count}" for name, count in sorted(counts.items())) + "\n")


@pytest.mark.parametrize("saved", [True, False], ids=["with last.pt", "before an epoch"])
def test_wrong_types_in_config_json(saved: bool, runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    """Every field, and every field of `selection`, with each piece of junk: one clear error each, or the same run."""
    counts: Counter[int] = Counter()
    paths = [(name,) for name in runs.config] + [("selection", name) for name in runs.config["selection"]]
    for path in paths:
        for junk in JUNK:

            def change(folder: Path, path: tuple[str, ...] = path, junk: Any = junk) -> None:
                document = copy.deepcopy(runs.config)
                holder = document if len(path) == 1 else document[path[0]]
                holder[path[-1]] = junk
                (folder / "config.json").write_text(json.dumps(document))
                for name in () if saved else ("last.pt", "previous.pt"):
                    (folder / name).unlink()

            code, said, folder = runs.resume(change)
            assert code in (0, 1, 2), f"{path} {junk!r}: {said}"
            assert (code == 0) == ("error: " not in said), f"{path} {junk!r}: {said}"
            if saved and code == 0:
                assert hash_weights(folder) == runs.weights, f"{path} {junk!r}"
            counts[code] += 1
    with capsys.disabled():
        sys.stdout.write(f"\nconfig.json, by exit code: {dict(counts)}\n")
