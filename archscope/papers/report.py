"""The ledger as a table for people, as a document for programs, and as findings for a CI."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from archscope.core.codec import fill
from archscope.core.documents.figures import FactEntry, SourceEntry, Verdict, VerifyDocument
from archscope.core.errors import CheckError
from archscope.core.finding import Finding
from archscope.core.table import Cell, Column, Mark, Row, Table
from archscope.papers.ledger import ODD, Entry
from archscope.papers.published import Source, load_source
from archscope.papers.verdicts import VERDICTS
from archscope.rendering.report import Report
from archscope.version import __version__


def build_verify_document(entries: Sequence[Entry]) -> VerifyDocument:
    """The document: a summary per source, and every figure."""
    return VerifyDocument(
        archscope=__version__,
        kept=not any(entry.broken for entry in entries),
        sources=tuple(_build_source(name, entries) for name in dict.fromkeys(entry.source for entry in entries)),
        facts=tuple(map(_build_fact, entries)),
    )


def _build_fact(entry: Entry) -> FactEntry:
    return fill(
        FactEntry,
        entry.fact,
        measured=entry.measured or None,
        measured_value=entry.value,
        verdict=entry.verdict,
        arithmetic=entry.arithmetic,
        explanation=entry.explanation,
        source=entry.source,
        reason=entry.reason,
    )


def _build_source(name: str, entries: Sequence[Entry]) -> SourceEntry:
    verdicts = [entry.verdict for entry in entries if entry.source == name]
    return fill(
        SourceEntry,
        load_source(name),
        source=name,
        figures=len(verdicts),
        measured=sum(verdict != "not recomputable" for verdict in verdicts),
        verdicts={verdict: verdicts.count(verdict) for verdict in VERDICTS},
    )


COLUMNS = (
    Column("id", "figure"),
    Column("quantity", "quantity", optional=True),
    Column("where", "where", optional=True),
    Column("model", "model", optional=True),
    Column("published", "printed", align="right", noted=True),
    Column("measured", "measured", align="right", noted=True),
    Column("verdict", "verdict"),
    *(Column(key, key, hidden=True) for key in ("source", "check", "arithmetic", "explanation", "reason")),
)


MARKS: dict[Verdict, Mark] = {
    "agrees": "good",
    "rounded": "good",
    "convention": "differs",
    "inconsistent": "bad",
    "wrong": "bad",
    "not recomputable": "muted",
}
"""How a verdict is shown."""

WIDEST = 78
"""Of the line that names a source: it must fit a terminal."""


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What of the ledger to show."""

    title: str
    only_odd: bool = False
    """Rows of figures that do not simply agree; the rest is counted."""
    verdicts: tuple[str, ...] = ()
    """Rows of these verdicts only; empty: of all that were measured."""

    def shows(self, entry: Entry) -> bool:
        """Whether the entry gets a row."""
        if self.verdicts:
            return entry.verdict in self.verdicts
        if entry.broken:
            return True
        return entry.verdict != "not recomputable" and not (self.only_odd and entry.verdict == "agrees")


class _Notes:
    """Notes by number; figures with one text share it."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def refer(self, entry: Entry) -> str:
        """` [3]`, or nothing where there is nothing to say."""
        text = write_note(entry)
        if not text:
            return ""
        return f" [{self._numbers.setdefault(text, len(self._numbers) + 1)}]"

    def write(self) -> Iterator[str]:
        """`[3] ...`, in order."""
        return (f"[{number}] {text}" for text, number in self._numbers.items())


def write_note(entry: Entry) -> str:
    """What there is to say of one figure."""
    parts = [entry.explanation]
    if entry.verdict in ODD and not entry.explanation:
        parts += ["no explanation is known", entry.arithmetic, entry.reason]
    if entry.failed:
        parts.append(entry.reason)
    return " · ".join(part for part in parts if part)


def build_report(entries: Sequence[Entry], options: ReportOptions) -> Table:
    """A section for each source with its counts, and a row for each figure to be shown."""
    notes, rows = _Notes(), []
    for name, group in groupby(entries, key=lambda entry: entry.source):
        listed = list(group)
        shown = [_build_row(entry, notes.refer(entry)) for entry in listed if options.shows(entry)]
        if shown or not options.verdicts:
            rows += [*_build_section(load_source(name), listed), *shown]
    rows.append(Row((Cell(count_verdicts(entries), span=len(COLUMNS)),), kind="total"))
    measured = sum(entry.verdict != "not recomputable" for entry in entries)
    return Table(
        title=options.title,
        subtitle=f"{len(entries)} figures · {measured} measured · {len(entries) - measured} not recomputable here",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=(*notes.write(), *_list_silent(entries, options)),
    )


def build_ledger(entries: Sequence[Entry], options: ReportOptions) -> Table:
    """One row per figure and nothing else, for CSV."""
    shown = [entry for entry in entries if not options.verdicts or entry.verdict in options.verdicts]
    return Table(title=options.title, columns=COLUMNS, rows=tuple(_build_row(entry, "") for entry in shown))


def _build_section(source: Source, entries: Sequence[Entry]) -> Iterator[Row]:
    """Who printed it, and what became of it."""
    title = f"{name_authors(source)} {source.year}"
    longer = f"{title}: {source.title}"
    yield Row((Cell(longer if len(longer) <= WIDEST else title, span=len(COLUMNS)),), kind="section")
    yield Row((Cell(count_verdicts(entries), span=len(COLUMNS)),))


def name_authors(source: Source) -> str:
    """`Szegedy et al.`, `Simonyan and Zisserman`, `Li et al.`."""
    listed = source.authors.partition(" (")[0].split(",")
    names = [re.sub(r"^(?:[A-Z]\.-?\s?)+", "", name.strip()) for name in listed]
    return f"{names[0]} et al." if len(names) > 2 else " and ".join(names)


def count_verdicts(entries: Sequence[Entry]) -> str:
    """`250 figures, 140 measured: 138 agree, 2 rounded`."""
    verdicts = [entry.verdict for entry in entries]
    measured = len(verdicts) - verdicts.count("not recomputable")
    counts = [(verdicts.count(verdict), "agree" if verdict == "agrees" else verdict) for verdict in VERDICTS[:-1]]
    found = ", ".join(f"{count} {word}" for count, word in counts if count)
    return f"{len(verdicts)} figures, {measured} measured{': ' if found else ''}{found}"


def _build_row(entry: Entry, mark: str) -> Row:
    fact = entry.fact
    return Row(
        (
            *map(Cell, (fact.id, fact.quantity, fact.where, fact.model, fact.published, entry.measured)),
            Cell(entry.verdict + mark, entry.verdict, mark=MARKS[entry.verdict]),
            *map(Cell, (entry.source, fact.check, entry.arithmetic, entry.explanation, entry.reason)),
        )
    )


def _list_silent(entries: Sequence[Entry], options: ReportOptions) -> Iterator[str]:
    """The figures without a value, by reason, where they have no rows of their own."""
    if options.verdicts:
        return
    silent = [entry for entry in entries if entry.verdict == "not recomputable" and not options.shows(entry)]
    reasons: dict[str, list[str]] = {}
    for entry in silent:
        reasons.setdefault(entry.reason.partition(" (")[0], []).append(entry.fact.id)
    for reason, names in reasons.items():
        listed = "" if options.only_odd else f": {', '.join(names)}"
        yield f"not recomputable, {reason} ({len(names)}){listed}"
    if options.only_odd and silent:
        yield "their ids and reasons: archscope verify --verdict not-recomputable"


def list_findings(entries: Sequence[Entry]) -> list[Finding]:
    """A finding for each figure that does not agree: an error where nothing explains it."""
    findings = []
    for entry in entries:
        if entry.verdict == "agrees" or (entry.verdict == "not recomputable" and not entry.failed):
            continue
        told = entry.explanation or entry.reason
        message = (
            f"{entry.fact.id} is {entry.verdict}: printed {entry.fact.published}, measured {entry.measured or '-'}"
        )
        findings.append(
            Finding(
                severity="error" if entry.broken else "note",
                code=f"verify-{entry.verdict.replace(' ', '-')}",
                message=f"{message}. {told}" if told else message,
                place=entry.fact.id,
                expected=entry.fact.published,
                measured=entry.measured,
            )
        )
    return findings


@dataclass(frozen=True, slots=True, repr=False)
class VerifyReport(Report):
    """Published figures with what is measured, and a verdict for each."""

    entries: tuple[Entry, ...]
    """Every figure that was meant."""
    title: str
    only_odd: bool = False
    """Whether figures that simply agree are counted, and not listed, in tables for people."""
    verdicts: tuple[str, ...] = ()
    """Figures of these verdicts only; empty: of all."""

    @property
    def shown(self) -> list[Entry]:
        """The figures of the verdicts asked for."""
        return [entry for entry in self.entries if not self.verdicts or entry.verdict in self.verdicts]

    @property
    def problem(self) -> CheckError | None:
        """Figures without a value, or odd ones that nothing explains."""
        broken = [entry.fact.id for entry in self.entries if entry.broken]
        if not broken:
            return None
        return CheckError(
            f"{len(broken)} figures have no value, or an odd one without an explanation", ", ".join(broken)
        )

    def build_document(self) -> VerifyDocument:
        """The document `archscope.verify/1`."""
        return build_verify_document(self.shown)

    def list_findings(self) -> Sequence[Finding]:
        """A finding for each figure that does not agree."""
        return list_findings(self.shown)

    def build_tables(self, width: int | None = None) -> tuple[Table, ...]:
        """One table, a section for each source."""
        return (build_report(self.entries, self._options),)

    def build_data_table(self) -> Table:
        """One row for each figure."""
        return build_ledger(self.entries, self._options)

    @property
    def _options(self) -> ReportOptions:
        return ReportOptions(self.title, only_odd=self.only_odd, verdicts=self.verdicts)
