"""The progress of a run as plain data, and who listens to it; nothing here prints. TensorBoard is one listener."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from archscope.core.documents.findings import EpochMetrics
from archscope.core.errors import MissingPackageError
from archscope.core.finding import Finding


@dataclass(frozen=True, slots=True)
class StepReport:
    """The last 30 iterations."""

    epoch: int
    """From 1."""
    iteration: int
    """From 1, within the epoch."""
    iterations: int
    """Of an epoch."""
    loss: float
    """Mean training loss over the iterations since the last report."""


@dataclass(frozen=True, slots=True)
class EpochTimes:
    """How long an epoch took, in this session."""

    train_seconds: float
    data_seconds: float
    """Of these, making batches."""
    test_seconds: float
    images: int
    """Trained on, over all processes."""


class Reporter(Protocol):
    """Who listens."""

    def note(self, text: str) -> None:
        """One line about what is being done."""

    def download(self, done: int, total: int | None) -> None:
        """Bytes that have arrived, of those expected."""

    def finding(self, finding: Finding) -> None:
        """What a check found."""

    def step(self, report: StepReport) -> None:
        """Every 30 iterations, as in the lecture."""

    def epoch(self, metrics: EpochMetrics, epochs: int, times: EpochTimes) -> None:
        """After each epoch's evaluation, once it is saved."""


class SilentReporter:
    """Listens and says nothing."""

    def note(self, text: str) -> None:
        """Ignore it."""

    def download(self, done: int, total: int | None) -> None:
        """Ignore it."""

    def finding(self, finding: Finding) -> None:
        """Ignore it."""

    def step(self, report: StepReport) -> None:
        """Ignore it."""

    def epoch(self, metrics: EpochMetrics, epochs: int, times: EpochTimes) -> None:
        """Ignore it."""


EVENTS_FOLDER = "tensorboard"


class EventLog:
    """Writes the curves of a run; without a writer it does nothing."""

    def __init__(self, writer: Any = None) -> None:
        self._writer = writer

    def write(self, metrics: EpochMetrics) -> None:
        """One epoch."""
        if self._writer is None:
            return
        values = {
            "loss/train": metrics.train_loss,
            "loss/test": metrics.test_loss,
            "accuracy/train": metrics.train_accuracy,
            "accuracy/test": metrics.test_accuracy,
            "learning_rate": metrics.learning_rate,
            **{f"class_accuracy/{name}": value for name, value in metrics.class_accuracy.items()},
        }
        for name, value in values.items():
            self._writer.add_scalar(name, value, metrics.epoch)
        self._writer.flush()


@contextmanager
def open_events(folder: Path, done: int, *, wanted: bool) -> Iterator[EventLog]:
    """A log in `folder`/tensorboard that goes on after `done` epochs; one that does nothing where none is wanted.

    Raises MissingPackageError where TensorBoard is not installed.
    """
    if not wanted:
        yield EventLog()
        return
    check_tensorboard()
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder / EVENTS_FOLDER), purge_step=done + 1)
    try:
        yield EventLog(writer)
    finally:
        writer.close()


def check_tensorboard() -> None:
    """Raise MissingPackageError where TensorBoard is not installed."""
    from importlib.util import find_spec

    if find_spec("tensorboard") is None:
        raise MissingPackageError(
            "--tensorboard needs tensorboard, which is not installed", "pip install 'torch-archscope[tensorboard]'"
        )
