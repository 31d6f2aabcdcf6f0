"""Where a command shows its result: stdout, or a file that is written beside its place and renamed."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archscope.core.errors import OutputError

if TYPE_CHECKING:
    from archscope.core.codec import Document
    from archscope.core.table import Table
    from archscope.rendering import RenderOptions, TableFormat


@dataclass(frozen=True, slots=True)
class Output:
    """Where the result goes, and in which format. Made before the work, so that a mistake costs no time."""

    format: "TableFormat"
    path: Path | None
    """None for stdout."""

    @property
    def wants_json(self) -> bool:
        """Whether a command with a document of its own should write that."""
        return self.format.name == "json"

    def write_table(self, table: "Table") -> None:
        """Write a table in the format."""
        from archscope.rendering import RenderOptions

        options = RenderOptions() if self.path else describe_stdout()
        self._write(self.format.render(table, options))

    def write_document(self, document: "Document") -> None:
        """Write a JSON document."""
        from archscope.core.codec import format_document

        self._write(format_document(document))

    def write_text(self, text: str) -> None:
        """Write a text that a command has made itself."""
        self._write(text)

    def render(self, table: "Table") -> str:
        """The text of a table, for a command that writes several of them together."""
        from archscope.rendering import RenderOptions

        return self.format.render(table, RenderOptions() if self.path else describe_stdout())

    @property
    def width(self) -> int | None:
        """Columns of the terminal that people read in; None for files, pipes and formats for programs."""
        return describe_stdout().width if self.path is None and self.format.name in ("table", "plain") else None

    def _write(self, text: str) -> None:
        from archscope.core.files import write_text

        if self.path is None:
            write_stdout(text)
        elif self.path.exists() and not self.path.is_file():
            _write_device(self.path, text)
        else:
            write_text(self.path.resolve(), text)


def choose_output(word: str | None, path: Path | None) -> Output:
    """The output for `--format` and `-o`: the word decides, else the file's suffix. `-o -` is stdout.

    Raises UnknownNameError for a format or suffix that is none, OutputError where the file cannot be written.
    """
    from archscope.core.files import check_writable
    from archscope.rendering import find_format, find_format_by_suffix

    if path is not None and str(path) == "-":
        path = None
    chosen = find_format(word) if word else find_format_by_suffix(path) if path else find_format("table")
    if path is not None and not (path.exists() and not path.is_file() and not path.is_dir()):
        check_writable(path.resolve() if path.is_symlink() else path)
    return Output(chosen, path)


def describe_stdout() -> "RenderOptions":
    """The width, colours and encoding of stdout; a pipe has no width and no colours."""
    from archscope.rendering import RenderOptions

    encoding = sys.stdout.encoding or "utf-8"
    if not sys.stdout.isatty():
        return RenderOptions(encoding=encoding)
    color = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return RenderOptions(width=shutil.get_terminal_size().columns, color=color, encoding=encoding)


def write_stdout(text: str) -> None:
    """Write and flush; a character that stdout cannot carry becomes a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def _write_device(path: Path, text: str) -> None:
    """A terminal, a pipe or /dev/null is written to, never replaced."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
