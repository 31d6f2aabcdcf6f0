"""Where an answer goes: text on stdout, or a file written beside its place and renamed."""

import os
from dataclasses import dataclass
from pathlib import Path

from archscope.core.errors import OutputError
from archscope.core.files import check_writable, write_text
from archscope.core.paths import expand_path, explain_refusal, find_kind, follow_links, open_device
from archscope.rendering.formats import RenderOptions, TableFormat, find_format, find_format_by_suffix
from archscope.rendering.report import GITHUB, Report
from archscope.rendering.stdout import describe_stdout, write_stdout


@dataclass(frozen=True, slots=True)
class Output:
    """Where the result goes, and in which format. Made before the work, so that a mistake costs no time."""

    format: TableFormat | None
    """None for findings as annotations."""
    path: Path | None
    """None for stdout."""

    @property
    def annotates(self) -> bool:
        """Whether findings are written as annotations for a CI."""
        return self.format is None

    def write(self, report: Report) -> None:
        """Write what a command answers."""
        options = RenderOptions() if self.path else describe_stdout()
        if self.format is None:
            self._write(report.render(GITHUB))
        else:
            self._write(report.render_format(self.format, options))

    def _write(self, text: str) -> None:
        if self.path is None:
            write_stdout(text)
        elif _is_device(self.path):
            _write_device(self.path, text)
        else:
            write_text(follow_links(self.path, OutputError), text)


def choose_output(word: str | None, path: Path | None, *, findings: bool = False) -> Output:
    """The output for `--format` and `-o`: the word decides, else the file's suffix. `-o -` is stdout.

    Where there are `findings` to annotate, `github` is a format too.

    Raises UnknownNameError for a format or suffix that is none, OutputError where the file cannot be written.
    """
    if path is not None and str(path) == "-":
        path = None
    chosen: TableFormat | None = None
    if not (findings and word is not None and word.casefold() == GITHUB):
        chosen = find_format(word) if word else find_format_by_suffix(path) if path else find_format("table")
    path = None if path is None else expand_path(path)
    if path is not None and not _is_device(path):
        check_writable(follow_links(path, OutputError))
    return Output(chosen, path)


def _is_device(path: Path) -> bool:
    return find_kind(path, OutputError, doing="write") not in ("", "file", "folder")


def _write_device(path: Path, text: str) -> None:
    """A terminal, a pipe or /dev/null is written to, never replaced; a reader that leaves is no error."""
    try:
        with os.fdopen(open_device(path), "w", encoding="utf-8") as device:
            device.write(text)
    except ConnectionError:
        return
    except OSError as error:
        raise explain_refusal(error, f"cannot write {path}", OutputError) from error
