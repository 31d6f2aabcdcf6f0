"""What a command answers, and the one way from it to every format: the command line, Python and notebooks share it.

A command's result is a `Report`: it lays itself out as tables for people, as one document for programs and, where it
judges something, as findings for a CI.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archscope.core.codec import Document, encode, format_document
from archscope.core.errors import OutputError, UsageError
from archscope.core.files import write_text
from archscope.core.finding import Finding
from archscope.core.paths import expand_path, find_kind, follow_links
from archscope.core.table import Table
from archscope.rendering.findings import render_findings
from archscope.rendering.formats import (
    RenderOptions,
    TableFormat,
    build_table_document,
    find_format,
    find_format_by_suffix,
)
from archscope.rendering.html import render_html
from archscope.rendering.stdout import describe_stdout, write_stdout

HEAD_LINES = 16
"""Of a report that a REPL shows."""
GITHUB = "github"
"""The word of `--format` for findings as annotations; only reports that judge something have it."""


class Report(ABC):
    """The answer of one command."""

    __slots__ = ()

    def build_document(self) -> Document:
        """The document for programs; of a report that has none of its own, the table's."""
        return build_table_document(self.build_data_table())

    @abstractmethod
    def build_tables(self, width: int | None = None) -> Sequence[Table]:
        """The tables that people read, one after the other; `width` is the terminal's, None elsewhere."""

    def build_data_table(self) -> Table:
        """The one table that a CSV file holds."""
        return self.build_tables()[0]

    def list_findings(self) -> Sequence[Finding]:
        """What the report found fault with. Raises UsageError where it judges nothing."""
        raise UsageError("there are no findings to annotate here", "choose another --format")

    def list_annotations(self) -> Sequence[Finding]:
        """The same for a CI, with file and line where they are known. Raises UsageError where it judges nothing."""
        return self.list_findings()

    @property
    def problem(self) -> BaseException | None:
        """The error that ends the command once the report is shown; None where it ends well."""
        return None

    @property
    def failed(self) -> bool:
        """Whether the check that the report is about did not hold: exit code 1."""
        return False

    @property
    def silent(self) -> bool:
        """Whether another process of the same run shows it."""
        return False

    # --- the same for every report ------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The JSON document, as plain data with exact integers."""
        document: dict[str, Any] = encode(self.build_document())
        return document

    def render(self, word: str = "table", options: RenderOptions | None = None) -> str:
        """The text in the format of that word, ended by a newline. Raises UnknownNameError for an unknown word."""
        if word.casefold() == GITHUB:
            return render_findings(self.list_annotations(), GITHUB)
        return self.render_format(find_format(word), options or RenderOptions())

    def render_format(self, chosen: TableFormat, options: RenderOptions) -> str:
        """The text in a format that was looked up before."""
        if chosen.name == "json":
            return format_document(self.build_document())
        if chosen.name == "csv":
            return chosen.render(self.build_data_table(), options)
        return self.render_text(chosen, options)

    def render_text(self, chosen: TableFormat, options: RenderOptions) -> str:
        """The text for people, in every format that they read."""
        width = options.width if chosen.name in ("table", "plain") else None
        return "\n".join(chosen.render(table, options) for table in self.build_tables(width))

    def save(self, path: str | Path) -> None:
        """Write the report beside `path` and rename it there; the suffix picks the format.

        Raises UnknownNameError for a suffix that is none, OutputError where the file cannot be written.
        """
        place = expand_path(path)
        if find_kind(place, OutputError, doing="write") == "folder":
            raise OutputError(f"cannot write {path}: it is a folder", "name a file in it")
        write_text(follow_links(place, OutputError), self.render_format(find_format_by_suffix(place), RenderOptions()))

    def show(self) -> None:
        """Print the report as the command does: fitted to the terminal, in its colours and characters."""
        write_stdout(self.render("table", describe_stdout()))

    def __str__(self) -> str:
        return self.render("plain")

    def __repr__(self) -> str:
        """The head of the text: what a REPL shows."""
        lines = self.render("plain").rstrip("\n").splitlines()
        more = len(lines) - HEAD_LINES
        rest = lines[HEAD_LINES:] if more < 2 else [f"... {more} more lines: .show() prints all of them"]
        return "\n".join([*lines[:HEAD_LINES], *rest])

    def _repr_html_(self) -> str:
        return "".join(map(render_html, self.build_tables()))
