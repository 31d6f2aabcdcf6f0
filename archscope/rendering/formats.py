"""The one map of formats: the words of `--format` and the suffixes of `-o`, and the renderers they name."""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from archscope.core.codec import fill, format_document
from archscope.core.documents.tables import ColumnEntry, TableDocument
from archscope.core.errors import UnknownNameError
from archscope.core.escaping import escape_table
from archscope.core.table import Cell, Row, Table, get_value, place_cells
from archscope.rendering.fitting import LayoutOptions
from archscope.rendering.latex import render_latex
from archscope.rendering.layout import lay_out


def render_csv(table: Table) -> str:
    """One header line of column keys, one line per row; a cell over several columns stands in each of them.

    A text that a spreadsheet would run as a formula has an apostrophe before it.
    """
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([_disarm(column.key) for column in table.columns])
    for row in table.rows:
        writer.writerow([_disarm(value) for value in _list_values(table, row).values()])
    return stream.getvalue()


_FORMULA = re.compile(r"\s*[=@\uff1d\uff20]|\s*[-+\uff0b\uff0d](?!$|[0-9.,]+(?:e[-+]?[0-9]+)?\s?%?$)", re.IGNORECASE)
"""How a text begins that a spreadsheet takes for a formula: not a number, and not a sign alone."""


def _disarm(value: int | float | str | None) -> int | float | str:
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    return "" if value is None else value


def build_table_document(table: Table) -> TableDocument:
    """The document of schema `archscope.table/1`."""
    columns = tuple(fill(ColumnEntry, column) for column in table.columns)
    return fill(TableDocument, table, columns=columns, rows=tuple(_list_values(table, row) for row in table.rows))


def _list_values(table: Table, row: Row) -> dict[str, int | float | str | None]:
    values: dict[str, int | float | str | None] = {column.key: None for column in table.columns}
    for start, cell in place_cells(table, row):
        for column in table.columns[start : start + cell.span]:
            values[column.key] = get_value(column, cell)
    return values


def render_markdown(table: Table) -> str:
    """The Markdown of `table`. In a tree, layers are named by their whole path: cells have no indentation.

    No cell of a Markdown table spans columns: a line over the whole table stands in the first, in bold; any other text
    stands in each of the columns that it is about.
    """
    from tabulate import tabulate

    shown = [index for index, column in enumerate(table.columns) if not column.hidden]
    body = tabulate(
        [_list_texts(table, row, shown) for row in table.rows],
        headers=[escape_markdown(table.columns[index].title) for index in shown],
        tablefmt="pipe",
        colalign=[table.columns[index].align for index in shown],
        disable_numparse=True,
    )
    title = f"**{escape_markdown(table.title)}**" if table.title else ""
    if title and table.subtitle:
        title = f"{title} ({escape_markdown(table.subtitle)})"
    parts = [title, body, *(escape_markdown(note) for note in table.notes)]
    return "\n\n".join(part for part in parts if part) + "\n"


_MARKUP = re.compile(
    r"""[\\|*`~]|(?<!\w)_|_(?!\w)
    |\](?=[(\[:])  # the end of a link's text or of an image's
    |:(?=//)|(?<=www)\.  # an address becomes a link by itself
    |^(?:\#(?=\#{0,5}(?:\s|$))|=(?=[=\s]*$)|-(?=[-\s]*$))  # a heading
    |^(?:>|[-+](?=\s))|(?<=^\d)[.)](?=\s)  # a quotation, a list""",
    re.VERBOSE | re.IGNORECASE,
)


def escape_markdown(text: str) -> str:
    """`text` such that Markdown shows it as it is."""
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return _MARKUP.sub(r"\\\g<0>", text)


def format_code(text: str) -> str:
    """`text` as a code span of a table, where only the bar has to be escaped; empty where there is none."""
    text = text.replace("|", "\\|")
    if not text.strip():
        return ""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " * (text.startswith("`") or text.endswith("`"))
    return f"{fence}{space}{text}{space}{fence}"


def _list_texts(table: Table, row: Row, shown: list[int]) -> list[str]:
    texts = [""] * len(table.columns)
    placed = place_cells(table, row)
    for start, cell in placed:
        text = _name_cell(row, cell) if start == 0 else cell.text
        for index in range(start, start + (1 if len(placed) == 1 else cell.span)):
            texts[index] = format_code(text) if table.columns[index].code else escape_markdown(text)
    texts = [texts[index] for index in shown]
    heading = len(placed) == 1 and row.kind == "section"
    return [f"**{text}**" if text else "" for text in texts] if heading or row.kind == "total" else texts


def _name_cell(row: Row, cell: Cell) -> str:
    return cell.value if row.depth and isinstance(cell.value, str) else cell.text


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """Where the text will be read. Files and pipes take the defaults."""

    width: int | None = None
    """Columns of the terminal; None for a pipe or a file, whose lines have 200 columns and leave nothing out."""
    color: bool = False
    encoding: str = "utf-8"
    """What the reader can decode: glyphs that it lacks become ASCII."""


@dataclass(frozen=True, slots=True)
class TableFormat:
    """One format."""

    name: str
    write: Callable[[Table, RenderOptions], str]
    """Writes texts as they are."""
    aliases: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    exact: bool = False
    """Whether it is for programs alone, which read back what the names are; others show what is harmless of them."""

    def render(self, table: Table, options: RenderOptions) -> str:
        """The text of `table`, ended by a newline."""
        return self.write(table if self.exact else escape_table(table), options)


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
    TableFormat("json", lambda table, _: format_document(build_table_document(table)), suffixes=(".json",), exact=True),
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

    `width` is the terminal's, None for pipes and files, where nothing is left out and long texts go to notes from 200
    columns on. Raises UnknownNameError for an unknown word.
    """
    return find_format(word).render(table, RenderOptions(width=width, color=color, encoding=encoding))
