"""The folder of one run: config.json, environment.json, metrics.jsonl, last.pt, curves.svg. Nothing is half written."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archscope.core.errors import DataError, OutputError, UsageError
from archscope.core.files import format_json
from archscope.training.writing import make_folder, write_bytes

CONFIG, ENVIRONMENT, METRICS, LAST, CURVES = "config.json", "environment.json", "metrics.jsonl", "last.pt", "curves.svg"
ROOT = Path("runs")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where a run is kept."""

    path: Path

    @property
    def last(self) -> Path:
        """The checkpoint of the last epoch that was finished."""
        return self.path / LAST

    def read_config(self) -> dict[str, Any] | None:
        """What the run was started with; None where there is none. Raises DataError where it cannot be read."""
        path = self.path / CONFIG
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise DataError(f"cannot read {path}: {error}", "choose another --run-dir") from error
        if not isinstance(config, dict):
            raise DataError(f"{path} is no configuration of a run", "choose another --run-dir")
        return config

    def check_free(self) -> None:
        """Raise UsageError where the folder holds a run already."""
        if (self.path / CONFIG).exists() or self.last.exists():
            raise UsageError(
                f"{self.path} holds a run already", "add --resume to go on with it, or choose another --run-dir"
            )

    def write_json(self, name: str, document: Mapping[str, object]) -> None:
        """Write a document. Raises OutputError."""
        write_bytes(self.path / name, format_json(document).encode())

    def write_metrics(self, entries: Sequence[Mapping[str, object]]) -> None:
        """Write a line for each epoch; lines of epochs that no checkpoint holds disappear. Raises OutputError."""
        lines = "".join(json.dumps(entry, allow_nan=False) + "\n" for entry in entries)
        write_bytes(self.path / METRICS, lines.encode())

    def write_last(self, blob: bytes) -> None:
        """Write the checkpoint. Raises OutputError, and leaves the one before."""
        write_bytes(self.last, blob)

    def keep_last(self, epoch: int, accuracy: float) -> Path:
        """Keep the checkpoint under a name of its own, by epoch and accuracy. Raises OutputError."""
        path = self.path / f"epoch{epoch:03d}-{accuracy:.4f}.pt"
        part = path.with_name(f".{path.name}.part")
        try:
            part.unlink(missing_ok=True)
            try:
                os.link(self.last, part)
            except OSError:  # a file system without links
                shutil.copyfile(self.last, part)
            os.replace(part, path)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
        return path


def choose_folder(asked: Path | None, name: str) -> RunFolder:
    """The folder that is asked for, else the next free one of `runs` (`runs/vgg19_cifar-1`, ...)."""
    if asked is not None:
        return RunFolder(asked)
    stem = "".join(letter if letter.isalnum() or letter in "_.-" else "-" for letter in name).strip("-.") or "run"
    number = 1
    while (ROOT / f"{stem}-{number}").exists():
        number += 1
    return RunFolder(ROOT / f"{stem}-{number}")


def open_folder(folder: RunFolder) -> None:
    """Make it. Raises OutputError where it cannot be written in."""
    make_folder(folder.path)
