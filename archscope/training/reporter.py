"""What a run has to say while it goes on, as plain data, and who listens. Nothing here prints."""

from dataclasses import dataclass
from typing import Protocol

from archscope.core.documents.findings import EpochMetrics
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
