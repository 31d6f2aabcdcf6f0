"""The folder of one run: config.json, environment.json, metrics.jsonl, last.pt, curves.svg. Nothing is half written.

A checkpoint is loaded with `weights_only=True` only.
"""

import io
import json
import os
import pickle
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from archscope.core.codec import decode, encode
from archscope.core.documents.findings import EpochMetrics
from archscope.core.errors import DataError, OutputError, UsageError
from archscope.core.files import PART, format_json, write_bytes

CONFIG, ENVIRONMENT, METRICS, LAST, CURVES = "config.json", "environment.json", "metrics.jsonl", "last.pt", "curves.svg"
ROOT = Path("runs")
FORMAT = "archscope.checkpoint/1"
KEYS = frozenset({"format", "model", "optimizer", "scaler", "epoch", "metrics", "config"})
_RESUME = "the files saved before are intact: free some space, then go on with --resume"


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
            raise DataError(f"{path} is not the configuration of a run", "choose another --run-dir")
        return config

    def check_free(self) -> None:
        """Raise UsageError where the folder holds a run already."""
        if (self.path / CONFIG).exists() or self.last.exists():
            raise UsageError(
                f"{self.path} holds a run already", "add --resume to go on with it, or choose another --run-dir"
            )

    def prepare(self) -> None:
        """Make the folder, and remove what a killed run left half written. Raises OutputError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not os.access(self.path, os.W_OK):
                raise OutputError(f"cannot write in {self.path}: permission denied", "choose another --run-dir")
            for part in self.path.glob(f".*{PART}"):
                part.unlink()
        except OSError as error:
            raise OutputError(
                f"cannot make {self.path}: {error.strerror or error}", "choose another --run-dir"
            ) from error

    def write(self, name: str, blob: bytes) -> None:
        """Replace a file of the folder. Raises OutputError, and leaves the one before."""
        write_bytes(self.path / name, blob, _RESUME)

    def write_json(self, name: str, document: Mapping[str, object]) -> None:
        """Write a document. Raises OutputError."""
        self.write(name, format_json(document).encode())

    def write_metrics(self, entries: Sequence[Mapping[str, object]]) -> None:
        """Write a line for each epoch; lines of epochs that no checkpoint holds disappear. Raises OutputError."""
        lines = "".join(json.dumps(entry, allow_nan=False) + "\n" for entry in entries)
        self.write(METRICS, lines.encode())

    def keep_last(self, epoch: int, accuracy: float) -> Path:
        """Keep the checkpoint under a name of its own, by epoch and accuracy. Raises OutputError."""
        path = self.path / f"epoch{epoch:03d}-{accuracy:.4f}.pt"
        part = path.with_name(f".{path.name}{PART}")
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


def choose_folder(name: str) -> RunFolder:
    """The next free folder of `runs`: `runs/vgg19_cifar-1`, ..."""
    stem = "".join(letter if letter.isalnum() or letter in "_.-" else "-" for letter in name).strip("-.") or "run"
    number = 1
    while (ROOT / f"{stem}-{number}").exists():
        number += 1
    return RunFolder(ROOT / f"{stem}-{number}")


def pack_checkpoint(state: Mapping[str, Any]) -> bytes:
    """The bytes of a checkpoint file."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    return buffer.getvalue()


def unpack_checkpoint(blob: bytes, name: str) -> dict[str, Any]:
    """The state in a checkpoint's bytes, on the CPU. Raises DataError where it is damaged or not one of ours."""
    try:
        state = torch.load(io.BytesIO(blob), map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{name} is damaged: {reason}", "use another checkpoint, or start again") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT or KEYS - state.keys():
        raise DataError(f"{name} is not a checkpoint of archscope ({FORMAT})", "choose another --run-dir")
    return state


def read_checkpoint(path: Path) -> bytes | None:
    """The bytes of the file; None where there is none. Raises DataError where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def pack_metrics(metrics: tuple[EpochMetrics, ...]) -> list[dict[str, Any]]:
    """Plain data: what a line of metrics.jsonl holds, for each epoch."""
    entries: list[dict[str, Any]] = encode(metrics)
    return entries


def unpack_metrics(entries: object) -> tuple[EpochMetrics, ...]:
    """The inverse of `pack_metrics`. Raises DataError where they are damaged."""
    return decode(entries, tuple[EpochMetrics, ...], "the metrics of the checkpoint")
