"""Styled lines with terminal colours, which only repeat what the words say."""

from collections.abc import Iterable
from io import StringIO

from rich.console import Console
from rich.text import Text

from archscope.rendering.lines import Line, Style, read_severity

STYLES: dict[Style, str] = {
    "": "",
    "title": "bold",
    "quiet": "dim",
    "header": "bold",
    "bar": "cyan",
    "failed": "bold red",
    "total": "bold",
    "good": "green",
    "passed": "bold green",
    "differs": "yellow",
    "bad": "red",
}


def paint_severities(text: str) -> str:
    """The text with the word coloured that says how bad a line is: `error: ...`, `warning: ...`, `ok: ...`."""
    return paint_lines(map(read_severity, text.splitlines()))


def paint_lines(lines: Iterable[Line]) -> str:
    """The lines with ANSI styles of the eight basic colours, none wrapped."""
    stream = StringIO()
    console = Console(file=stream, force_terminal=True, color_system="standard", highlight=False, legacy_windows=False)
    for line in lines:
        text = Text.assemble(*((piece.text, STYLES[piece.style]) for piece in line.pieces))
        text.rstrip()
        console.print(text, soft_wrap=True)
    return stream.getvalue()
