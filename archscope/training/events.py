"""Epochs go in; TensorBoard's event files come out, where the extra `tensorboard` is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archscope.core.documents.findings import EpochMetrics
from archscope.core.errors import MissingPackageError

FOLDER = "tensorboard"


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

    writer: Any = SummaryWriter(str(folder / FOLDER), purge_step=done + 1)
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
