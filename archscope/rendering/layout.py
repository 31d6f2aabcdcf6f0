"""A Table goes in; its lines come out as styled pieces, fitted to a width, before anything is coloured."""

from collections.abc import Iterator
from textwrap import wrap

from archscope.core.table import Table
from archscope.rendering.glyphs import Glyphs, choose_glyphs
from archscope.rendering.grid import Grid, LayoutOptions
from archscope.rendering.lines import Line, Piece, Style, measure

SEPARATOR = " · "
"""Between the parts of a note: the best place to break it."""


def lay_out(table: Table, options: LayoutOptions) -> list[Line]:
    """The lines of `table`: title and conditions, header, rows, notes. Without a width no line is wrapped or cut."""
    glyphs = choose_glyphs(options.encoding)
    body = Grid(table, glyphs, options).lay_out()
    width = max((measure(line.text) for line in body), default=0)
    lines = [*_lay_out_title(table, glyphs, width, options.width), *body]
    if table.notes:
        lines.append(Line())
    for number, note in enumerate(table.notes):
        style: Style = "quiet" if number else ""
        lines += [Line((Piece(glyphs.clean(text), style),)) for text in _wrap_note(note, options.width)]
    return lines


def _lay_out_title(table: Table, glyphs: Glyphs, body: int, width: int | None) -> Iterator[Line]:
    """The title, the conditions at the right end of the table where both fit, else beneath; then an empty line."""
    title, subtitle = glyphs.clean(table.title), glyphs.clean(table.subtitle)
    together = measure(title) + 2 + measure(subtitle)
    reach = max(body, together)
    if not title and not subtitle:
        return
    if subtitle and (width is None or together <= max(width, body)):
        space = " " * (reach - measure(title) - measure(subtitle))
        yield Line((Piece(title, "title"), Piece(space + subtitle, "quiet")))
    else:
        yield Line((Piece(title, "title"),))
        yield from [Line((Piece(subtitle, "quiet"),))] if subtitle else []
    yield Line()


def _wrap_note(note: str, width: int | None) -> Iterator[str]:
    """The note in lines of `width`, broken between its parts, and within a part only where it has to be."""
    if width is None or measure(note) <= width:
        yield note
        return
    line = ""
    for part in note.split(SEPARATOR):
        longer = f"{line}{SEPARATOR}{part}" if line else part
        if measure(longer) <= width:
            line = longer
            continue
        if line:
            yield line
        *whole, line = wrap(part, max(width, 20), break_long_words=False, break_on_hyphens=False) or [""]
        yield from whole
    if line:
        yield line
