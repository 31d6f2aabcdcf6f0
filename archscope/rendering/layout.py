"""A whole table as lines: title and conditions, the grid, the notes."""

from collections.abc import Iterator

from archscope.core.table import Table
from archscope.rendering.fitting import PIPE_WIDTH, LayoutOptions
from archscope.rendering.grid import Grid
from archscope.rendering.lines import SEVERITIES, Glyphs, Line, Piece, Style, choose_glyphs, measure, read_severity
from archscope.rendering.notes import Notes, wrap_note

TITLES: dict[str, Style] = {"good": "passed", "bad": "failed"}


def lay_out(table: Table, options: LayoutOptions) -> list[Line]:
    """The lines of `table`, none wider than the terminal or than `PIPE_WIDTH` where that can be."""
    glyphs = choose_glyphs(options.encoding)
    limit = options.width or PIPE_WIDTH
    notes = Notes(table.notes)
    body = Grid(table, glyphs, options, notes).lay_out()
    width = max((measure(line.text) for line in body), default=0)
    lines = [*_lay_out_title(table, glyphs, width, limit), *body]
    written = list(notes)
    if written:
        lines.append(Line())
    for number, note in enumerate(written):
        style: Style = "quiet" if number and note.partition(":")[0] not in SEVERITIES else ""
        lines += [read_severity(text, style) for text in wrap_note(glyphs.clean(note), limit)]
    return lines


def _lay_out_title(table: Table, glyphs: Glyphs, body: int, width: int) -> Iterator[Line]:
    """The title, the conditions at the right end of the table where both fit, else beneath; then an empty line."""
    style = TITLES.get(table.mark, "title")
    title, subtitle = glyphs.clean(table.title), glyphs.clean(table.subtitle)
    together = measure(title) + 2 + measure(subtitle)
    if not title and not subtitle:
        return
    if subtitle and together <= width:
        space = " " * (min(width, max(body, together)) - measure(title) - measure(subtitle))
        yield Line((Piece(title, style), Piece(space + subtitle, "quiet")))
    else:
        yield from (Line((Piece(text, style),)) for text in wrap_note(title, width))
        yield from (Line((Piece(text, "quiet"),)) for text in wrap_note(subtitle, width) if text)
    yield Line()
