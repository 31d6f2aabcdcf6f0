"""What `table`, `explain`, `budget` and `list_models` answer: reports made from summaries and from the catalogue."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from archscope.analysis.explain import Explanation
from archscope.api.places import locate_finding
from archscope.api.summary import Summary
from archscope.core.documents.findings import BudgetDocument
from archscope.core.documents.tables import ExplainDocument
from archscope.core.escaping import escape_name
from archscope.core.finding import Check, Finding
from archscope.core.table import Cell, Column, Row, Table
from archscope.core.units import format_exact
from archscope.models.registry import CatalogueRow
from archscope.rendering.findings import render_findings
from archscope.rendering.formats import RenderOptions, TableFormat, escape_markdown
from archscope.rendering.notes import fold_lines
from archscope.rendering.report import Report
from archscope.tables.catalogue import build_catalogue_table
from archscope.tables.explanation import (
    build_explain_document,
    build_explanation_table,
    build_handout_table,
    describe_flow,
    describe_trace,
)
from archscope.tables.model import build_model_table
from archscope.tables.totals import describe_totals

DEEPEST_HEADING = 4

BUDGET_COLUMNS = (
    Column("quantity", "quantity"),
    Column("measured", "measured", align="right", kind="number"),
    Column("limit", "limit", align="right", kind="number"),
    Column("against", "against"),
    Column("verdict", "verdict"),
)


@dataclass(frozen=True, slots=True, repr=False)
class ModelTable(Report):
    """One model as the lecture prints AlexNet."""

    summary: Summary
    receptive: bool = False
    """Whether each row has its receptive field, jump and centre."""

    def build_tables(self, width: int | None = None) -> Sequence[Table]:
        """The table. Raises DataError where the trace was saved without its operations."""
        summary = self.summary
        return (build_model_table(summary.trace, summary.costs, summary.title, receptive_fields=self.receptive),)


@dataclass(frozen=True, slots=True, repr=False)
class ExplainReport(Report):
    """The arithmetic behind one layer, a block or a stack of layers; or a handout of every layer."""

    summary: Summary
    explanations: tuple[Explanation, ...]
    handout: bool = False
    """True for every layer of the model, false for the one that was named."""

    def __iter__(self) -> Iterator[Explanation]:
        return iter(self.explanations)

    def build_document(self) -> ExplainDocument:
        """The document `archscope.explain/1`."""
        return build_explain_document(self.explanations, self.summary.trace)

    def build_tables(self, width: int | None = None) -> Sequence[Table]:
        """A table for each explanation, fitted to a terminal of `width` columns."""
        return tuple(build_explanation_table(explanation, width) for explanation in self.explanations)

    def build_data_table(self) -> Table:
        """The one explanation; of a handout, every line of all of them with its layer."""
        if self.handout:
            return build_handout_table(self.explanations, self.summary.trace)
        return self.build_tables()[0]

    def render_text(self, chosen: TableFormat, options: RenderOptions) -> str:
        """Tables; in Markdown a handout has headings that nest like the layers."""
        if not (self.handout and chosen.name == "md"):
            return Report.render_text(self, chosen, options)
        trace, costs = self.summary.trace, self.summary.costs
        title, passed, totals = map(
            _write_markdown, (self.summary.title, describe_trace(trace), describe_totals(trace, costs))
        )
        parts = [f"# {title}\n\n{passed}\n\n{totals}\n"]
        for layer, explanation in zip(trace.layers, self.explanations, strict=True):
            heading = "#" * min(layer.depth + 2, DEEPEST_HEADING)
            table = replace(build_explanation_table(explanation), title="", subtitle="")
            flow = describe_flow(explanation)
            told = f"`{flow}`\n\n" if flow else ""
            parts.append(f"{heading} {_write_markdown(explanation.title)}\n\n{told}{chosen.render(table, options)}")
        return "\n".join(parts)


def _write_markdown(text: str) -> str:
    return escape_markdown(escape_name(text))


@dataclass(frozen=True, slots=True, repr=False)
class BudgetReport(Report):
    """Limits and baselines, each kept or broken; a line for each."""

    checks: tuple[Check, ...]
    summary: Summary
    """Of the model that was checked."""

    @property
    def failed(self) -> bool:
        """Whether any budget is broken."""
        return any(check.finding for check in self.checks)

    def list_findings(self) -> Sequence[Finding]:
        """One for each broken budget."""
        return [check.finding for check in self.checks if check.finding]

    def list_annotations(self) -> Sequence[Finding]:
        """One for each broken budget, or one notice where all hold; at the layer that grew, else at the model."""
        findings = self.list_findings() or [self._praise()]
        return [locate_finding(finding, self.summary.trace, self.summary.definition) for finding in findings]

    def _praise(self) -> Finding:
        return Finding("note", "budget", f"all budgets hold: {'; '.join(map(_describe_kept, self.checks))}")

    def build_document(self) -> BudgetDocument:
        """The document `archscope.budget/1`."""
        return BudgetDocument(not self.failed, self.checks)

    def build_tables(self, width: int | None = None) -> Sequence[Table]:
        """A row for each budget."""
        rows = tuple(
            Row(
                (
                    Cell(check.quantity),
                    Cell("unknown") if check.measured is None else Cell(format_exact(check.measured), check.measured),
                    Cell(format_exact(check.limit), check.limit),
                    Cell(check.against),
                    Cell("broken" if check.finding else "kept"),
                )
            )
            for check in self.checks
        )
        return (Table("Budgets", BUDGET_COLUMNS, rows, tuple(finding.message for finding in self.list_findings())),)

    def render_text(self, chosen: TableFormat, options: RenderOptions) -> str:
        """Lines in a terminal: what is broken, then what is kept and how much of it is used."""
        if chosen.name not in ("table", "plain"):
            return Report.render_text(self, chosen, options)
        text = render_findings(self.list_findings(), chosen.name) + "".join(map(_tell_kept, self.checks))
        text = fold_lines(text, options.width) if options.width else text
        if not (options.color and chosen.name == "table"):
            return text
        from archscope.rendering.terminal import paint_severities

        return paint_severities(text)


def _tell_kept(check: Check) -> str:
    return "" if check.finding is not None or check.measured is None else f"ok: {_describe_kept(check)}\n"


def _describe_kept(check: Check) -> str:
    assert check.measured is not None, "what is unknown is not kept"
    share = f" ({100 * check.measured / check.limit:.1f} %)" if check.limit else ""
    kind = "budget" if check.against == "maximum" else f"baseline {escape_name(check.against)}"
    limit = f"within the {kind} of {format_exact(check.limit)}"
    return f"{check.quantity} {format_exact(check.measured)} {limit}{share}"


@dataclass(frozen=True, slots=True, repr=False)
class Catalogue(Report):
    """The built-in models that answer to a pattern; iterate over it for their rows."""

    rows: tuple[CatalogueRow, ...]

    def __iter__(self) -> Iterator[CatalogueRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> CatalogueRow:
        return self.rows[index]

    def build_tables(self, width: int | None = None) -> Sequence[Table]:
        """One table, a row for each model."""
        return (build_catalogue_table(self.rows),)


@dataclass(frozen=True, slots=True)
class OriginRow:
    """One model of somebody else's package."""

    name: str
    """The target to type: `timm:resnet18`."""
    where: str
    """The module of the package's `models` that defines it; of transformers the class."""


ORIGIN_NOTES = {
    "hf": "a model is named by its configuration: archscope trace hf:config.json, whose model_type is one of these",
    "timm": "parameters and MACs: archscope trace timm:NAME",
    "torchvision": "parameters and MACs: archscope trace torchvision:NAME",
}


@dataclass(frozen=True, slots=True, repr=False)
class OriginCatalogue(Report):
    """The models of another package that answer to a pattern; iterate over it for their rows."""

    origin: str
    """`torchvision`, `timm` or `hf`."""
    rows: tuple[OriginRow, ...]

    def __iter__(self) -> Iterator[OriginRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> OriginRow:
        return self.rows[index]

    def build_tables(self, width: int | None = None) -> Sequence[Table]:
        """One table, a row for each model."""
        where = "class" if self.origin == "hf" else "module"
        package = "transformers" if self.origin == "hf" else self.origin
        return (
            Table(
                title=f"Models of {package}",
                columns=(Column("name", "name"), Column(where, where, flexible=True)),
                rows=tuple(Row((Cell(row.name), Cell(row.where))) for row in self.rows),
                notes=(f"{len(self.rows)} model{'s' if len(self.rows) != 1 else ''} · {ORIGIN_NOTES[self.origin]}",),
            ),
        )
