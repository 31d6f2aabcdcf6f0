"""The result of a run for people and programs: its table, its document, and its findings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from archscope.core.codec import fill
from archscope.core.documents.findings import TrainDocument, build_finding
from archscope.core.errors import CheckError
from archscope.core.finding import Finding
from archscope.core.table import Cell, Column, Mark, Row, Table
from archscope.core.units import format_exact
from archscope.rendering.formats import RenderOptions, TableFormat
from archscope.rendering.report import Report
from archscope.training.curves import LEAST_EPOCHS, can_draw, chart_lines
from archscope.training.session import TrainResult

PASSED = Finding("note", "all checks", "the model is sound")
"""What stands in the table where nothing was found."""
SEVERITIES: dict[str, Mark] = {"error": "bad", "warning": "differs"}
"""How a severity is shown."""


def build_result_table(result: TrainResult) -> Table:
    """The held-out accuracy of each class and of all after the last epoch; where nothing was trained, the findings."""
    if not result.metrics:
        return _build_findings_table(result)
    last = result.metrics[-1]
    curves = ", curves.svg" if len(result.metrics) >= LEAST_EPOCHS and can_draw() else ""
    columns = (
        Column("class", "class"),
        Column("test_accuracy", "held-out accuracy", align="right", kind="share"),
    )
    rows = [_make_row(name, share, "body") for name, share in last.class_accuracy.items()]
    rows.append(_make_row("all", last.test_accuracy, "total"))
    notes = (
        f"epoch {last.epoch} of {result.epochs}: held-out accuracy {100 * last.test_accuracy:.2f} % (the last epoch's)",
        f"training loss {last.train_loss:.3f}, held-out loss {last.test_loss:.3f}",
        f"kept in {result.folder}: last.pt, metrics.jsonl, config.json, environment.json{curves}",
        *result.notes,
        *("; ".join(filter(None, (tell_finding(finding), finding.remedy))) for finding in result.findings),
    )
    return Table(result.heading, columns, tuple(rows), notes, _describe_conditions(result))


def build_result_document(result: TrainResult) -> TrainDocument:
    """The document of a training and its checks."""
    last = result.metrics[-1] if result.metrics else None
    return fill(
        TrainDocument,
        result,
        target=result.title,
        recipe=result.recipe.name,
        batch_size=result.recipe.batch_size,
        learning_rate=result.recipe.learning_rate,
        run_dir=None if result.folder is None else str(result.folder),
        test_accuracy=None if last is None else last.test_accuracy,
        class_accuracy=None if last is None else last.class_accuracy,
        findings=tuple(map(build_finding, result.findings)),
        seconds=round(result.seconds, 3),
    )


def tell_finding(finding: Finding) -> str:
    """`error no-gradient at conv1: ...`, one line."""
    place = f" at {finding.place}" if finding.place else ""
    return f"{finding.severity} {finding.code}{place}: {finding.message}"


def explain_finding(finding: Finding) -> list[str]:
    """Lines: the finding, what was expected and measured, and what to do."""
    lines = [tell_finding(finding)]
    pairs = (("expected", finding.expected), ("measured", finding.measured), ("remedy", finding.remedy))
    return [*lines, *(f"  {name:<10}{text}" for name, text in pairs if text)]


def _build_findings_table(result: TrainResult) -> Table:
    columns = (
        Column("severity", "finding"),
        Column("code", "check"),
        Column("place", "layer"),
        Column("message", "what was found", noted=True),
        Column("expected", "expected", noted=True),
        Column("measured", "measured", noted=True),
        Column("remedy", "remedy", hidden=True),
    )
    rows = tuple(_make_finding_row(finding) for finding in result.findings or (PASSED,))
    verdict = _describe_verdict(result.findings)
    remedies = [f"{finding.code}: {finding.remedy}" for finding in result.findings if finding.remedy]
    notes = (verdict, *remedies, *result.notes)
    return Table(f"sanity checks of {result.heading}", columns, rows, notes, _describe_conditions(result))


def _make_finding_row(finding: Finding) -> Row:
    severity = "passed" if finding is PASSED else finding.severity
    texts = (severity, finding.code, finding.place, finding.message, finding.expected, finding.measured, finding.remedy)
    mark = "good" if finding is PASSED else SEVERITIES.get(finding.severity, "")
    return Row(tuple(Cell(text, mark="" if place else mark) for place, text in enumerate(texts)))


def _describe_verdict(findings: Sequence[Finding]) -> str:
    errors = sum(finding.severity == "error" for finding in findings)
    if errors:
        return f"{errors} check{'s' if errors > 1 else ''} failed"
    return "every check passed" if not findings else "no check failed"


def _describe_conditions(result: TrainResult) -> str:
    images = f"{format_exact(result.train_images)} training and {format_exact(result.test_images)} held-out images"
    return f"{images} · batch {result.recipe.batch_size} · rate {result.recipe.learning_rate:.4g}"


def _make_row(name: str, share: float, kind: str) -> Row:
    return Row((Cell(name), Cell(f"{100 * share:.1f} %", share)), kind="total" if kind == "total" else "body")


@dataclass(frozen=True, slots=True, repr=False)
class TrainReport(Report):
    """What the sanity checks found, and how the training went."""

    result: TrainResult

    @property
    def silent(self) -> bool:
        """Whether the first process shows it."""
        return not self.result.is_primary

    @property
    def problem(self) -> CheckError | None:
        """The checks that failed."""
        if not self.result.failed or self.silent:
            return None
        errors = [finding.code for finding in self.result.findings if finding.severity == "error"]
        return CheckError(f"{self.result.title}: {', '.join(dict.fromkeys(errors))}")

    def build_document(self) -> TrainDocument:
        """The document `archscope.train/1`."""
        return build_result_document(self.result)

    def list_findings(self) -> Sequence[Finding]:
        """What the checks found."""
        return self.result.findings

    def build_tables(self, width: int | None = None) -> tuple[Table, ...]:
        """The held-out accuracy of each class; where nothing was trained, the findings."""
        return (build_result_table(self.result),)

    def render_text(self, chosen: TableFormat, options: RenderOptions) -> str:
        """The table; in a terminal the curves beneath it."""
        if chosen.name not in ("table", "plain"):
            return Report.render_text(self, chosen, options)
        text = Report.render_text(self._leave_out_told(), chosen, options)
        if len(self.result.metrics) < LEAST_EPOCHS:
            return text
        return text + "\n".join(chart_lines(self.result.metrics)) + "\n"

    def _leave_out_told(self) -> "TrainReport":
        """What stands above the result on a terminal is not said again beneath it."""
        return TrainReport(replace(self.result, findings=(), notes=())) if self.result.told else self
