"""A table as lines of styled pieces, fitted to a width, before anything is coloured.

In a terminal that is too narrow, bars go first, then words of flexible texts, then long texts go to numbered notes
beneath the table, then optional columns, half the gaps, then numbers become short ones, then flexible columns go. What
is still too wide stands in several tables, one beneath the other, each with the first column. No cell is cut or
wrapped. A pipe takes `PIPE_WIDTH` columns and leaves nothing out: long texts go to notes there too.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise, takewhile

from archscope.core.table import Cell, Column, Row, Table, place_cells
from archscope.rendering.lines import Glyphs, Line, Piece, Style, find_first_word, measure, pad, shorten
from archscope.rendering.notes import SEPARATOR, Notes, wrap_words

PIPE_WIDTH = 200
"""Columns of a line in a pipe or a file."""
BAR_CELLS = 10
WIDE_BAR_CELLS = 20
WIDE = 140
"""A terminal this wide gets the longer bars."""
SHORTEST_FLEXIBLE = 12
SHORTEST_MOVED = 10
"""Shorter texts stay in their cells: a note would be no gain."""
LARGEST_LEAD = 0.6
"""Of a line that the names of the rows may take where a table stands in several parts."""
MOST_UNSPLIT = 3
"""A table of fewer columns is not split further: it is as narrow as it can be."""
WIDEST_REFERENCE = len("[99]")
_STYLES: dict[str, Style] = {
    "failed": "failed",
    "muted": "quiet",
    "repeat": "quiet",
    "good": "good",
    "differs": "differs",
    "bad": "bad",
}


@dataclass(frozen=True, slots=True)
class LayoutOptions:
    """What the lines are for."""

    width: int | None = None
    """Columns of the terminal; None for a pipe or a file."""
    encoding: str = "utf-8"
    bars: bool = True


@dataclass(slots=True)
class _Fit:
    """One way to show a table."""

    columns: list[int]
    bar: int = 0
    gap: int = 2
    shortened: bool = False
    notes: Notes = field(default_factory=Notes)
    """Where this way puts the texts that are too long for their cells."""
    limits: dict[int, int] = field(default_factory=dict)
    """Most cells of the texts of a flexible column; others are as wide as they are."""
    noted: dict[int, int] = field(default_factory=dict)
    """Texts of a column that are wider than this stand in a note."""
    widths: dict[int, int] = field(default_factory=dict)


class Grid:
    """The header and the rows of a table."""

    def __init__(self, table: Table, glyphs: Glyphs, options: LayoutOptions, notes: Notes) -> None:
        """`notes` are those that the table has so far; what is too long for its cell is added to them."""
        self.table = table
        self.glyphs = glyphs
        self.options = options
        self.notes = notes
        self.width = options.width or PIPE_WIDTH
        self._prefixes = list(_draw_branches(table.rows, glyphs))
        self._placed = [place_cells(table, row) for row in table.rows]
        shares = any(column.kind == "share" for column in table.columns)
        bar = WIDE_BAR_CELLS if options.width is not None and options.width >= WIDE else BAR_CELLS
        self._bar = bar if options.bars and shares else 0

    def lay_out(self) -> list[Line]:
        """The lines, header first, fitted to the width."""
        fit = self._choose_fit()
        if fit is None:
            return self._lay_out_panels()
        self.notes.adopt(fit.notes)
        width = self._measure_total(fit)
        rule = Line((Piece(self.glyphs.rule * width, "quiet"),))
        lines = [self._build_header(fit), rule]
        for number, row in enumerate(self.table.rows):
            if row.kind != "body" and number:
                lines.append(rule)
            lines += self._build_heading(row) if self._is_heading(row.cells[0]) else [self._build_row(fit, number, row)]
        return lines

    def _choose_fit(self) -> _Fit | None:
        """The first of the ways, from the fullest to the barest, that fits; None where none does."""
        fullest = None
        for fit in self._list_fits():
            fullest = fullest or fit
            self._set_widths(fit)
            if self._measure_excess(fit) <= 0:
                return fit
            if fit.bar and self.options.width is not None:
                continue
            if (self.options.width is not None and self._shorten_texts(fit)) or self._move_texts(fit):
                return fit
        return fullest if self.options.width is None or self._count_shown() < MOST_UNSPLIT else None

    def _count_shown(self) -> int:
        return sum(not column.hidden for column in self.table.columns)

    def _list_fits(self) -> Iterator[_Fit]:
        columns = self.table.columns
        shown = [index for index, column in enumerate(columns) if not column.hidden]
        optional = [index for index in shown if columns[index].optional]
        yield _Fit(shown, self._bar)
        if self.options.width is None:
            return
        for count in range(0 if self._bar else 1, len(optional) + 1):
            dropped = optional[len(optional) - count :]
            yield _Fit([index for index in shown if index not in dropped])
        barest = [index for index in shown if index not in optional]
        yield _Fit(barest, gap=1)
        yield _Fit(barest, shortened=True)
        yield _Fit(barest, gap=1, shortened=True)
        yield _Fit([index for index in barest if not columns[index].flexible], shortened=True)

    def _measure_excess(self, fit: _Fit) -> int:
        return self._measure_total(fit) - self.width

    def _shorten_texts(self, fit: _Fit) -> bool:
        """Shorten flexible texts, the widest column first, until the table fits; False where it cannot."""
        columns = [index for index in fit.columns if self.table.columns[index].flexible]
        widths = {c: fit.widths[c] for c in columns}
        floors = {c: min(widths[c], self._find_floor(fit, c)) for c in columns}
        excess = self._measure_excess(fit)
        if excess > sum(widths[c] - floors[c] for c in columns):
            return False
        while excess > 0:
            widest = max((c for c in columns if widths[c] > floors[c]), key=lambda c: widths[c])
            widths[widest] -= 1
            excess -= 1
        fit.limits |= widths
        self._set_widths(fit)
        return True

    def _find_floor(self, fit: _Fit, column: int) -> int:
        """The narrowest that a flexible column may be: its texts keep their first words whole."""
        words = [measure(find_first_word(text)) for text in self._list_texts(fit, column)]
        return max(SHORTEST_FLEXIBLE, measure(self._title(fit, column)), *words)

    def _move_texts(self, fit: _Fit) -> bool:
        """Move long texts to notes, the longest first, until the table fits; False where it cannot."""
        sizes = {
            index: sorted({measure(text) for text in self._list_texts(fit, index)})
            for index in fit.columns
            if self.table.columns[index].noted
        }
        while self._measure_excess(fit) > 0:
            left = {c: found for c, found in sizes.items() if found and found[-1] >= SHORTEST_MOVED}
            if not left:
                return False
            widest = max(left, key=lambda c: left[c][-1])
            sizes[widest].pop()
            fit.noted[widest] = max([WIDEST_REFERENCE, *sizes[widest][-1:]])
            self._set_widths(fit)
        return True

    def _list_texts(self, fit: _Fit, column: int) -> list[str]:
        return [
            self._read_cell(fit, cell)
            for placed in self._placed
            for start, cell in placed
            if start == column and cell.span == 1
        ]

    def _lay_out_panels(self) -> list[Line]:
        """The columns in several tables, as many in each as fit beside the first."""
        columns = self.table.columns
        fit = _Fit([index for index, column in enumerate(columns) if not (column.hidden or column.optional)])
        self._set_widths(fit)
        leads = self._find_leads(fit)
        room = self.width - self._measure_span(fit, leads) - fit.gap
        panels = [list(leads)]
        for column in fit.columns[len(leads) :]:
            # Two columns of long texts share a part: what is longer than half of it goes to a note.
            most = (room - fit.gap) // 2 if columns[column].noted else room
            fit.widths[column] = min(fit.widths[column], most)
            if len(panels[-1]) > len(leads) and self._measure_span(fit, [*panels[-1], column]) > self.width:
                panels.append(list(leads))
            panels[-1].append(column)
        lines: list[Line] = []
        for panel in panels:
            grid = Grid(take_columns(self.table, panel, len(leads)), self.glyphs, self.options, self.notes)
            lines += [*([Line()] if lines else []), *grid.lay_out()]
        return lines

    def _find_leads(self, fit: _Fit) -> list[int]:
        """The columns that name the rows: the texts before the numbers where they are short, else the first."""
        texts = list(takewhile(lambda index: self.table.columns[index].kind == "text", fit.columns))
        short = self._measure_span(fit, texts) <= LARGEST_LEAD * self.width
        return texts if short and 0 < len(texts) < len(fit.columns) else fit.columns[:1]

    def _set_widths(self, fit: _Fit) -> None:
        fit.notes = self.notes.copy()
        fit.widths = {index: measure(self._title(fit, index)) for index in fit.columns}
        spanning = []
        for number, placed in enumerate(self._placed):
            for start, cell in placed:
                if cell.span == 1 and start in fit.widths:
                    fit.widths[start] = max(fit.widths[start], measure(self._word_cell(fit, number, start, cell)))
                elif cell.span > 1 and not self._is_heading(cell):
                    spanning.append((number, start, cell))
        for number, start, cell in spanning:
            covered = self._cover(fit, start, cell)
            lack = measure(self._word_cell(fit, number, start, cell)) - self._measure_span(fit, covered)
            if covered and lack > 0:
                fit.widths[covered[-1]] += lack

    def _is_heading(self, cell: Cell) -> bool:
        """Whether a cell is a line of its own, over all columns."""
        return len(self.table.columns) > 1 and cell.span == len(self.table.columns)

    def _build_heading(self, row: Row) -> list[Line]:
        cell = row.cells[0]
        style: Style = "total" if row.kind == "total" else _STYLES.get(cell.mark, "")
        return [Line((Piece(text, style),)) for text in wrap_words(self.glyphs.clean(cell.text), self.width)]

    def _title(self, fit: _Fit, column: int) -> str:
        found = self.table.columns[column]
        return found.short if fit.shortened and found.short else found.title

    def _read_cell(self, fit: _Fit, cell: Cell) -> str:
        """The whole text of a cell, with its sign."""
        text = self.glyphs.clean(cell.short if fit.shortened and cell.short else cell.text)
        return self.glyphs.failed + text if cell.mark == "failed" else text

    def _word_cell(self, fit: _Fit, number: int, start: int, cell: Cell) -> str:
        """The text of a cell as it will be shown, its tree lines and signs included."""
        text = self._read_cell(fit, cell)
        prefix = self._prefixes[number] if start == 0 else ""
        if cell.span == 1 and start in fit.limits:
            text = shorten(text, fit.limits[start] - measure(prefix)) or text
        if cell.span == 1 and measure(text) > fit.noted.get(start, measure(text)):
            text = fit.notes.refer(self._write_note(fit, number))
        return prefix + text

    def _write_note(self, fit: _Fit, number: int) -> str:
        """What of a row stands in a note: one for all its texts, named where several columns have such texts."""
        moved = {
            self.table.columns[start].title: text
            for start, cell in self._placed[number]
            if start in fit.noted and measure(text := self._read_cell(fit, cell)) > fit.noted[start]
        }
        if len(fit.noted) == 1:
            return next(iter(moved.values()))
        return SEPARATOR.join(f"{title}: {text}" for title, text in moved.items())

    def _cover(self, fit: _Fit, start: int, cell: Cell) -> list[int]:
        return [index for index in fit.columns if start <= index < start + cell.span]

    def _find_gap(self, fit: _Fit, left: int, right: int) -> int:
        """Right-aligned texts and the left-aligned ones after them read as one: `[55x55x96] CONV1`."""
        before, after = self.table.columns[left], self.table.columns[right]
        return 1 if (before.kind, before.align, after.align) == ("text", "right", "left") else fit.gap

    def _measure_span(self, fit: _Fit, columns: list[int]) -> int:
        gaps = sum(self._find_gap(fit, left, right) for left, right in pairwise(columns))
        return sum(fit.widths[index] for index in columns) + gaps

    def _measure_total(self, fit: _Fit) -> int:
        bars = sum(self.table.columns[index].kind == "share" for index in fit.columns) if fit.bar else 0
        return self._measure_span(fit, fit.columns) + bars * (fit.bar + 1)

    def _build_header(self, fit: _Fit) -> Line:
        titles: dict[int, tuple[str, Style]] = {
            index: (pad(self._title(fit, index), fit.widths[index], self.table.columns[index].align), "header")
            for index in fit.columns
        }
        return self._join(fit, titles, {})

    def _build_row(self, fit: _Fit, number: int, row: Row) -> Line:
        texts: dict[int, tuple[str, Style]] = {}
        bars: dict[int, str] = {}
        for start, cell in self._placed[number]:
            covered = self._cover(fit, start, cell)
            if not covered:
                continue
            column = self.table.columns[start]
            text = pad(self._word_cell(fit, number, start, cell), self._measure_span(fit, covered), column.align)
            texts[covered[0]] = (text, "total" if row.kind == "total" else _STYLES.get(cell.mark, ""))
            if fit.bar and column.kind == "share":
                bars[start] = self._draw_bar(column, cell, fit.bar)
        return self._join(fit, texts, bars)

    def _join(self, fit: _Fit, texts: Mapping[int, tuple[str, Style]], bars: Mapping[int, str]) -> Line:
        pieces: list[Piece] = []
        previous: int | None = None
        for index in fit.columns:
            if index not in texts:
                previous = index
                continue
            if previous is not None:
                pieces.append(Piece(" " * self._find_gap(fit, previous, index)))
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
        return text[: len(text) - len(text.lstrip("".join(signs)))] if any(self._prefixes) else ""

    def _draw_bar(self, column: Column, cell: Cell, cells: int) -> str:
        if not isinstance(cell.value, (int, float)) or column.kind != "share":
            return ""
        parts = len(self.glyphs.blocks)
        filled = min(round(max(0.0, cell.value) * cells * parts), cells * parts)
        if parts > 1 and cell.value > 0:
            filled = max(filled, 1)
        whole, rest = divmod(filled, parts)
        return self.glyphs.blocks[-1] * whole + (self.glyphs.blocks[rest - 1] if rest else "")


def _draw_branches(rows: Iterable[Row], glyphs: Glyphs) -> Iterator[str]:
    """Before each row's first text, the lines that make it a tree."""
    depths = [row.depth or 0 for row in rows]
    continues = [False] * len(depths)
    open_depths: set[int] = set()
    for number in range(len(depths) - 1, -1, -1):
        depth = depths[number]
        continues[number] = depth in open_depths
        open_depths = {other for other in open_depths if other <= depth} | {depth}
    open_levels: dict[int, bool] = {}
    for depth, more in zip(depths, continues, strict=True):
        open_levels[depth] = more
        stems = "".join(glyphs.line if open_levels.get(level) else " " * len(glyphs.line) for level in range(1, depth))
        yield stems + (glyphs.branch if more else glyphs.last) if depth else ""


def take_columns(table: Table, columns: list[int], leads: int) -> Table:
    """The table with these columns only, the first of which name the rows; a cell over several columns stays over those of them that it covered."""
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
