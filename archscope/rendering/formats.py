"""The one map of formats: the words of `--format` and the suffixes of `-o` go in; the renderer comes out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from archscope.core.errors import UnknownNameError
from archscope.core.table import Table
from archscope.rendering.data import render_csv, render_json
from archscope.rendering.grid import LayoutOptions
from archscope.rendering.latex import render_latex
from archscope.rendering.layout import lay_out
from archscope.rendering.markdown import render_markdown


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """Where the text will be read. Files and pipes take the defaults."""

    width: int | None = None
    """Columns of the terminal; None for a pipe or a file, whose lines are as long as they need to be."""
    color: bool = False
    encoding: str = "utf-8"
    """What the reader can decode: glyphs that it lacks become ASCII."""


@dataclass(frozen=True, slots=True)
class TableFormat:
    """One format."""

    name: str
    render: Callable[[Table, RenderOptions], str]
    aliases: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()


def _render_terminal(table: Table, options: RenderOptions) -> str:
    lines = lay_out(table, LayoutOptions(width=options.width, encoding=options.encoding))
    if not options.color:
        return "".join(f"{line.text}\n" for line in lines)
    from archscope.rendering.terminal import paint_lines

    return paint_lines(lines)


def _render_plain(table: Table, options: RenderOptions) -> str:
    lines = lay_out(table, LayoutOptions(width=options.width, encoding="ascii", bars=False))
    return "".join(f"{line.text}\n" for line in lines)


FORMATS: tuple[TableFormat, ...] = (
    TableFormat("table", _render_terminal),
    TableFormat("plain", _render_plain, suffixes=(".txt",)),
    TableFormat("json", lambda table, _: render_json(table), suffixes=(".json",)),
    TableFormat("csv", lambda table, _: render_csv(table), suffixes=(".csv",)),
    TableFormat("md", lambda table, _: render_markdown(table), aliases=("markdown",), suffixes=(".md", ".markdown")),
    TableFormat("tex", lambda table, _: render_latex(table), aliases=("latex",), suffixes=(".tex",)),
)


def list_formats() -> tuple[str, ...]:
    """Every word that names a format."""
    return tuple(word for entry in FORMATS for word in (entry.name, *entry.aliases))


def find_format(word: str) -> TableFormat:
    """The format of that name, in any case. Raises UnknownNameError where there is none."""
    folded = word.casefold()
    for entry in FORMATS:
        if folded in (entry.name, *entry.aliases):
            return entry
    known = list_formats()
    raise UnknownNameError("format", word, known, f"known: {', '.join(known)}")


def find_format_by_suffix(path: str | Path) -> TableFormat:
    """The format that a file's suffix asks for. Raises UnknownNameError where it is none of them."""
    suffix = Path(path).suffix.casefold()
    for entry in FORMATS:
        if suffix in entry.suffixes:
            return entry
    known = tuple(suffix for entry in FORMATS for suffix in entry.suffixes)
    raise UnknownNameError(
        "file suffix", suffix or Path(path).name, known, f"known: {', '.join(known)}; or name one with --format"
    )


def render(
    table: Table, word: str = "table", *, width: int | None = None, color: bool = False, encoding: str = "utf-8"
) -> str:
    """The text of `table` in the format of that word, ended by a newline.

    `width` is the terminal's, None for pipes and files, where no line is wrapped or cut. Raises UnknownNameError for
    an unknown word.
    """
    return find_format(word).render(table, RenderOptions(width=width, color=color, encoding=encoding))
