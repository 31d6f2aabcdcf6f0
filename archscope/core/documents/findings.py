"""What was found as documents: findings, budgets, and a training with its checks."""

from collections.abc import Sequence
from dataclasses import dataclass

from archscope.core.codec import Count, Document, Entry, fill
from archscope.core.finding import Check, Finding, Severity


class FindingEntry(Entry, frozen=True):
    """One thing found, with its place and its remedy."""

    severity: Severity
    code: str
    """Stable word for machines."""
    message: str
    place: str
    """A layer path, or file:line; empty where the finding is about the whole."""
    file: str | None
    line: Count | None
    """From 1."""
    expected: str
    measured: str
    remedy: str


class FindingsDocument(Document, frozen=True, tag="archscope.findings/1"):
    """What a check has to say."""

    findings: tuple[FindingEntry, ...]


class BudgetDocument(Document, frozen=True, tag="archscope.budget/1"):
    """Budgets kept or broken: archscope budget TARGET --max-params 5M --format json."""

    kept: bool
    """False where any budget is broken: exit code 1."""
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """One epoch: what a line of metrics.jsonl holds. No times, so that a resumed run writes the same lines."""

    epoch: int
    """From 1."""
    train_loss: float
    """Mean over the epoch's images of the loss that was minimised (label smoothing and heads included)."""
    train_accuracy: float
    """Fraction, over the augmented images, each judged when it was trained on."""
    test_loss: float
    """Mean cross-entropy over the held-out images."""
    test_accuracy: float
    """Fraction."""
    class_accuracy: dict[str, float]
    """Fraction of each class of the held-out images."""
    learning_rate: float
    """Of the epoch's last step."""


class TrainDocument(Document, frozen=True, tag="archscope.train/1"):
    """A short training and what its checks found: archscope train TARGET --format json."""

    target: str
    """For people."""
    data: str
    """Where the images came from; says so where they are synthetic."""
    synthetic: bool
    train_images: Count
    test_images: Count
    recipe: str
    batch_size: Count
    learning_rate: float
    """As the recipe starts with it."""
    seed: int
    epochs: Count
    run_dir: str | None
    """Null where nothing was trained."""
    test_accuracy: float | None
    """Of the last epoch, a fraction of the held-out images; null where nothing was trained."""
    class_accuracy: dict[str, float] | None
    """Of the last epoch, by class."""
    metrics: tuple[EpochMetrics, ...]
    findings: tuple[FindingEntry, ...]
    failed: bool
    """Whether a check found an error."""
    seconds: float
    """Of this session, checks and data included."""
    notes: tuple[str, ...]


def build_finding(finding: Finding) -> FindingEntry:
    """The finding, with null for a file or line that it has not."""
    return fill(FindingEntry, finding, file=finding.file or None, line=finding.line or None)


def read_finding(entry: FindingEntry) -> Finding:
    """The finding that the entry was made from."""
    return fill(Finding, entry, file=entry.file or "", line=entry.line or 0)


def build_findings_document(findings: Sequence[Finding]) -> FindingsDocument:
    """The document of the findings."""
    return FindingsDocument(tuple(map(build_finding, findings)))
