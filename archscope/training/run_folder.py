"""The folder of one run: config.json, environment.json, metrics.jsonl, last.pt, curves.svg. Nothing is half written.

previous.pt is the checkpoint of the epoch before the last, for the day that last.pt is damaged.
"""

import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archscope.core.errors import DataError, OutputError, UsageError
from archscope.core.files import format_json, link_file, sweep_folder, write_bytes
from archscope.core.locks import lock_folder
from archscope.training.checkpoint import Checkpoint, unpack_checkpoint
from archscope.training.configuration import Configuration, list_differences

CONFIG, ENVIRONMENT, METRICS, LAST, CURVES = "config.json", "environment.json", "metrics.jsonl", "last.pt", "curves.svg"
PREVIOUS, KEPT = "previous.pt", "epoch*.pt"
ROOT = Path("runs")
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
        except (OSError, ValueError, RecursionError) as error:
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

    def check_empty(self) -> None:
        """Raise DataError where a run has left something, though neither configuration nor checkpoint is there."""
        left = [name for name in (METRICS, ENVIRONMENT) if (self.path / name).exists()]
        if left:
            told = f"{self.path} has {' and '.join(left)} of a run, but neither {CONFIG} nor {LAST}"
            raise DataError(told, "choose another --run-dir")

    def prepare(self) -> None:
        """Make the folder, and remove what a killed run left half written. Raises OutputError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not os.access(self.path, os.W_OK):
                raise OutputError(f"cannot write in {self.path}: permission denied", "choose another --run-dir")
            sweep_folder(self.path)
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
        link_file(self.last, path)
        return path

    def keep_previous(self) -> None:
        """Keep the last checkpoint as the one before, now that another will take its place. Raises OutputError."""
        if self.last.exists():
            link_file(self.last, self.path / PREVIOUS, _RESUME)

    def lock(self) -> AbstractContextManager[None]:
        """Keep other trainings out. Raises UsageError where one is in, OutputError."""
        return lock_folder(self.path, "trains", "choose another --run-dir")

    def read_last(self, configuration: Configuration | None) -> Checkpoint | None:
        """The checkpoint to go on from; None where there is none.

        Raises DataError where it is damaged or lost, which offers the one before: a whole one of this configuration
        (None: any).
        """
        blob = read_checkpoint(self.last)
        kept = [self.path / PREVIOUS, *sorted(self.path.glob(KEPT), reverse=True)]
        if blob is None and not any(path.exists() for path in kept):
            return None
        try:
            if blob is None:
                raise DataError(f"there is no {self.last}, though the run has saved epochs", "start again elsewhere")
            return unpack_checkpoint(blob, str(self.last))
        except DataError as error:
            before = _pick_whole(kept, configuration)
            if before is None:
                raise
            epochs = len(before.metrics)
            copied = f"cp {shlex.quote(before.name)} {shlex.quote(str(self.last))}"
            raise DataError(
                error.message, f"{before.name} is whole, after epoch {epochs}; go on from it: {copied}, then --resume"
            ) from error


def _pick_whole(paths: Sequence[Path], configuration: Configuration | None) -> Checkpoint | None:
    """The one of most epochs that is whole and of this configuration; all but the first are in falling order."""
    best: Checkpoint | None = None
    for path in paths:
        with suppress(DataError):
            blob = read_checkpoint(path)
            found = None if blob is None else unpack_checkpoint(blob, str(path))
            if found is None or not found.sealed or not _is_of(found, configuration):
                continue
            if best is None or len(found.metrics) > len(best.metrics):
                best = found
            if path.name != PREVIOUS:
                break
    return best


def _is_of(checkpoint: Checkpoint, configuration: Configuration | None) -> bool:
    return configuration is None or not list_differences(checkpoint.configuration, configuration)


@contextmanager
def claim_folder(name: str) -> Iterator[RunFolder]:
    """The next free folder of `runs`, held: `runs/vgg19_cifar-1`, ..."""
    with ExitStack() as stack:
        while True:
            folder = choose_folder(name)
            try:
                stack.enter_context(folder.lock())
                folder.check_free()
            except UsageError:  # another training has just taken it
                continue
            break
        yield folder


def choose_folder(name: str) -> RunFolder:
    """The next free folder of `runs`: `runs/vgg19_cifar-1`, ..."""
    stem = "".join(letter if letter.isalnum() or letter in "_.-" else "-" for letter in name).strip("-.") or "run"
    number = 1
    while (ROOT / f"{stem}-{number}").exists():
        number += 1
    return RunFolder(ROOT / f"{stem}-{number}")


def read_checkpoint(path: Path) -> bytes | None:
    """The bytes of the file; None where there is none. Raises DataError where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
