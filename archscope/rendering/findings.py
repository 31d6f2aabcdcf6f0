"""Findings as text for people, as JSON for programs, or as annotations for a CI of GitHub's kind."""

from collections.abc import Sequence

from archscope.core.codec import format_document
from archscope.core.documents.findings import build_findings_document
from archscope.core.errors import UnknownNameError
from archscope.core.escaping import escape_lines, escape_name
from archscope.core.finding import Finding

WORDS = ("table", "plain", "json", "github")
"""Formats of findings."""


def render_findings(findings: Sequence[Finding], word: str) -> str:
    """The text of the findings, one line each (and a remedy beneath). Raises UnknownNameError for an unknown format."""
    folded = word.casefold()
    if folded == "json":
        return format_document(build_findings_document(findings))
    if folded == "github":
        return "".join(f"{_annotate(finding)}\n" for finding in findings)
    if folded in ("table", "plain"):
        return "".join(f"{line}\n" for finding in findings for line in _write_lines(finding))
    raise UnknownNameError("format", word, WORDS, f"known: {', '.join(WORDS)}")


def _write_lines(finding: Finding) -> list[str]:
    where = f"{escape_name(finding.file)}:{finding.line}: " if finding.file and finding.line else ""
    lines = [f"{where}{finding.severity}: {escape_lines(finding.message)}"]
    return lines + [f"  {line}" for line in escape_lines(finding.remedy).splitlines()]


def _annotate(finding: Finding) -> str:
    """`::error file=F,line=N::message`, with the characters escaped that would end it, as GitHub's toolkit does."""
    kind = "notice" if finding.severity == "note" else finding.severity
    properties = [f"title={_escape_property(escape_name(finding.code))}"]
    if finding.file:
        properties = [
            f"file={_escape_property(escape_name(finding.file))}",
            f"line={max(1, finding.line)}",
            *properties,
        ]
    return f"::{kind} {','.join(properties)}::{_escape(escape_lines(finding.message))}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
