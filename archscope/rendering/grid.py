"""The header and the rows of a table as lines of styled pieces, before anything is coloured."""

from collections.abc import Mapping
from dataclasses import replace

from archscope.core.table import Cell, Column, Row, Table, place_cells
from archscope.rendering.fitting import Fit, Fitting, LayoutOptions
from archscope.rendering.lines import Glyphs, Line, Piece, Style, pad
from archscope.rendering.notes import Notes, wrap_words

_STYLES: dict[str, Style] = {
    "failed": "failed",
    "muted": "quiet",
    "repeat": "quiet",
    "good": "good",
    "differs": "differs",
    "bad": "bad",
}


class Grid:
    """The header and the rows of a table."""

    def __init__(self, table: Table, glyphs: Glyphs, options: LayoutOptions, notes: Notes) -> None:
        """`notes` are those that the table has so far; what is too long for its cell is added to them."""
        self.table = table
        self.glyphs = glyphs
        self.options = options
        self.notes = notes
        self._fits = Fitting(table, glyphs, options, notes)

    def lay_out(self, *, splits: bool = True) -> list[Line]:
        """The lines, header first, fitted to the width; in several parts where it `splits`."""
        fit = self._fits.choose(splits=splits)
        if fit is None:
            return self._lay_out_panels()
        self.notes.adopt(fit.notes)
        width = self._fits.measure_total(fit)
        rule = Line((Piece(self.glyphs.rule * width, "quiet"),))
        lines = [*self._build_header(fit), rule]
        for number, row in enumerate(self.table.rows):
            if row.kind != "body" and number:
                lines.append(rule)
            lines += (
                self._build_heading(row) if self._fits.is_heading(row.cells[0]) else self._build_row(fit, number, row)
            )
        return lines

    def _lay_out_panels(self) -> list[Line]:
        """The columns in several tables, as many in each as fit beside the first."""
        columns = self.table.columns
        fit = Fit([index for index, column in enumerate(columns) if not (column.hidden or column.optional)])
        self._fits.set_widths(fit)
        leads = self._fits.find_leads(fit)
        room = self._fits.width - self._fits.measure_span(fit, leads) - fit.gap
        panels = [list(leads)]
        for column in fit.columns[len(leads) :]:
            # Two columns of long texts share a part: what is longer than half of it goes to a note.
            most = (room - fit.gap) // 2 if columns[column].noted else room
            fit.widths[column] = min(fit.widths[column], most)
            if len(panels[-1]) > len(leads) and self._fits.measure_span(fit, [*panels[-1], column]) > self._fits.width:
                panels.append(list(leads))
            panels[-1].append(column)
        lines: list[Line] = []
        for panel in panels:
            grid = Grid(take_columns(self.table, panel, len(leads)), self.glyphs, self.options, self.notes)
            lines += [*([Line()] if lines else []), *grid.lay_out(splits=False)]
        return lines

    def _build_heading(self, row: Row) -> list[Line]:
        cell = row.cells[0]
        style: Style = "total" if row.kind == "total" else _STYLES.get(cell.mark, "")
        return [Line((Piece(text, style),)) for text in wrap_words(self.glyphs.clean(cell.text), self._fits.width)]

    def _build_header(self, fit: Fit) -> list[Line]:
        titles: dict[int, tuple[str, Style]] = {
            index: (
                pad(self._fits.read_title(fit, index), fit.widths[index], self.table.columns[index].align),
                "header",
            )
            for index in fit.columns
        }
        return self._stack(fit, titles, {})

    def _build_row(self, fit: Fit, number: int, row: Row) -> list[Line]:
        texts: dict[int, tuple[str, Style]] = {}
        bars: dict[int, str] = {}
        for start, cell in self._fits.placed[number]:
            covered = self._fits.list_covered(fit, start, cell)
            if not covered:
                continue
            column = self.table.columns[start]
            text = pad(
                self._fits.word_cell(fit, number, start, cell),
                self._fits.measure_span(fit, covered),
                column.align,
            )
            texts[covered[0]] = (text, "total" if row.kind == "total" else _STYLES.get(cell.mark, ""))
            if fit.bar and column.kind == "share":
                bars[start] = self._draw_bar(column, cell, fit.bar)
        return self._stack(fit, texts, bars)

    def _stack(self, fit: Fit, texts: dict[int, tuple[str, Style]], bars: Mapping[int, str]) -> list[Line]:
        """The line of a row; two where its name stands above the rest."""
        name = fit.columns[0]
        if not fit.stacked or name not in texts:
            return [self._join(fit, texts, bars)]
        line = self._join(fit, {name: texts[name]}, {})
        rest = self._join(fit, {**texts, name: ("", "")}, bars)
        return [line, rest] if rest.text else [line]

    def _join(self, fit: Fit, texts: Mapping[int, tuple[str, Style]], bars: Mapping[int, str]) -> Line:
        pieces: list[Piece] = []
        previous: int | None = None
        for index in fit.columns:
            if index not in texts:
                previous = index
                continue
            if previous is not None:
                pieces.append(Piece(" " * self._fits.find_gap(fit, previous, index)))
            text, style = texts[index]
            prefix = self._split_prefix(index, text)
            pieces += [Piece(prefix, "quiet"), Piece(text[len(prefix) :], style)] if prefix else [Piece(text, style)]
            if fit.bar and self.table.columns[index].kind == "share":
                pieces.append(Piece(" " + pad(bars.get(index, ""), fit.bar, "left"), "bar"))
            previous = index
        return Line(tuple(pieces))

    def _split_prefix(self, index: int, text: str) -> str:
        """The tree lines at the start of the first column's text."""
        if index:
            return ""
        signs = set("".join((self.glyphs.branch, self.glyphs.last, self.glyphs.line)))
        return text[: len(text) - len(text.lstrip("".join(signs)))] if any(self._fits.prefixes) else ""

    def _draw_bar(self, column: Column, cell: Cell, cells: int) -> str:
        if not isinstance(cell.value, (int, float)) or column.kind != "share":
            return ""
        parts = len(self.glyphs.blocks)
        filled = min(round(max(0.0, cell.value) * cells * parts), cells * parts)
        if parts > 1 and cell.value > 0:
            filled = max(filled, 1)
        whole, rest = divmod(filled, parts)
        return self.glyphs.blocks[-1] * whole + (self.glyphs.blocks[rest - 1] if rest else "")


def take_columns(table: Table, columns: list[int], leads: int) -> Table:
    """The table with these columns only, the first of which name the rows.

    A cell over several columns stays over those of them that it covered.
    """
    rows = []
    for row in table.rows:
        cells = []
        for start, cell in place_cells(table, row):
            span = sum(start <= column < start + cell.span for column in columns)
            if span:
                cells.append(replace(cell, span=span))
        rows.append(replace(row, cells=tuple(cells)))
    kept = [
        replace(table.columns[index], optional=False, noted=place >= leads and table.columns[index].kind == "text")
        for place, index in enumerate(columns)
    ]
    return replace(table, columns=tuple(kept), rows=tuple(rows))
