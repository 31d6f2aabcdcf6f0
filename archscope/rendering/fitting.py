"""How a table is fitted to a width: what is shown of it, and how wide each column is.

In a terminal that is too narrow, bars go first, then words of flexible texts, then long texts go to numbered notes
beneath the table, then optional columns, half the gaps, then numbers become short ones, then flexible columns go. What
is still too wide stands in several tables, one beneath the other, each with the first column. No cell is cut or
wrapped. A pipe takes `PIPE_WIDTH` columns and leaves nothing out: long texts go to notes there too.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise, takewhile

from archscope.core.table import Cell, Row, Table, place_cells
from archscope.rendering.lines import Glyphs, find_first_word, measure, shorten
from archscope.rendering.notes import SEPARATOR, Notes

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
LONGEST_WORD = 20
"""Longer first words of a flexible column do not hold it wide where they may stand in a note."""
_REFERENCE = re.compile(r" \[([0-9]{1,4})\]$")
WIDEST_REFERENCE = len("[99]")


@dataclass(frozen=True, slots=True)
class LayoutOptions:
    """What the lines are for."""

    width: int | None = None
    """Columns of the terminal; None for a pipe or a file."""
    encoding: str = "utf-8"
    bars: bool = True


@dataclass(slots=True)
class Fit:
    """One way to show a table."""

    columns: list[int]
    bar: int = 0
    gap: int = 2
    shortened: bool = False
    stacked: bool = False
    """Whether the first column's texts stand on lines of their own, above those of the others."""
    notes: Notes = field(default_factory=Notes)
    """Where this way puts the texts that are too long for their cells."""
    limits: dict[int, int] = field(default_factory=dict)
    """Most cells of the texts of a flexible column; others are as wide as they are."""
    noted: dict[int, int] = field(default_factory=dict)
    """Texts of a column that are wider than this stand in a note."""
    widths: dict[int, int] = field(default_factory=dict)


class Fitting:
    """The ways to show the header and the rows of a table in so many columns."""

    def __init__(self, table: Table, glyphs: Glyphs, options: LayoutOptions, notes: Notes) -> None:
        """`notes` are those that the table has so far."""
        self.table = table
        self.glyphs = glyphs
        self.options = options
        self.notes = notes
        self.width = options.width or PIPE_WIDTH
        self.prefixes = list(_draw_branches(table.rows, glyphs))
        self.placed = [place_cells(table, row) for row in table.rows]
        self._own = _find_own_notes(table, notes.numbers)
        shares = any(column.kind == "share" for column in table.columns)
        bar = WIDE_BAR_CELLS if options.width is not None and options.width >= WIDE else BAR_CELLS
        self._bar = bar if options.bars and shares else 0

    def choose(self, *, splits: bool) -> Fit | None:
        """The first of the ways, from the fullest to the barest, that fits.

        Where none does, None, for a table in several parts; the fullest where it `splits` no further.
        """
        fullest = None
        for fit in self._list_fits():
            fullest = fullest or fit
            self.set_widths(fit)
            if self._measure_excess(fit) <= 0:
                return fit
            if fit.bar and self.options.width is not None:
                continue
            if (self.options.width is not None and self._shorten_texts(fit)) or self._move_texts(fit):
                return fit
        if self.options.width is None or fullest is None:
            return fullest
        return self._stack() or (None if splits else fullest)

    def _stack(self) -> Fit | None:
        """The way with names on lines of their own, where they take most of a line."""
        columns = self.table.columns
        shown = [index for index, column in enumerate(columns) if not (column.hidden or column.optional)]
        for fit in (Fit(shown), Fit(shown, shortened=True)):
            self.set_widths(fit)
            if fit.widths[shown[0]] <= LARGEST_LEAD * self.width:
                return None
            fit.stacked = True
            self.set_widths(fit)
            if self._measure_excess(fit) <= 0 or self._shorten_texts(fit) or self._move_texts(fit):
                return fit
        return None

    def _list_fits(self) -> Iterator[Fit]:
        columns = self.table.columns
        shown = [index for index, column in enumerate(columns) if not column.hidden]
        optional = [index for index in shown if columns[index].optional]
        yield Fit(shown, self._bar)
        if self.options.width is None:
            return
        for count in range(0 if self._bar else 1, len(optional) + 1):
            dropped = optional[len(optional) - count :]
            yield Fit([index for index in shown if index not in dropped])
        barest = [index for index in shown if index not in optional]
        yield Fit(barest, gap=1)
        yield Fit(barest, shortened=True)
        yield Fit(barest, gap=1, shortened=True)
        yield Fit([index for index in barest if not columns[index].flexible], shortened=True)

    def _measure_excess(self, fit: Fit) -> int:
        return self.measure_total(fit) - self.width

    def _shorten_texts(self, fit: Fit) -> bool:
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
        fit.noted |= {c: width for c, width in widths.items() if self.table.columns[c].noted}
        self.set_widths(fit)
        return True

    def _find_floor(self, fit: Fit, column: int) -> int:
        """The narrowest that a flexible column may be: its texts keep their first words whole."""
        words = [measure(find_first_word(text)) for text in self._list_texts(fit, column)]
        if self.table.columns[column].noted:
            words = [width for width in words if width <= LONGEST_WORD]
        return max(SHORTEST_FLEXIBLE, measure(self.read_title(fit, column)), *words)

    def _move_texts(self, fit: Fit) -> bool:
        """Move long texts to notes, the longest first, until the table fits; False where it cannot."""
        sizes = {
            index: sorted({measure(text) for text in self._list_texts(fit, index)})
            for index in fit.columns
            if self.table.columns[index].noted
            and (self.options.width is None or not self.table.columns[index].flexible)
        }
        while self._measure_excess(fit) > 0:
            left = {c: found for c, found in sizes.items() if found and found[-1] >= SHORTEST_MOVED}
            if not left:
                self.set_widths(fit)
                return False
            widest = max(left, key=lambda c: left[c][-1])
            sizes[widest].pop()
            fit.noted[widest] = max([WIDEST_REFERENCE, *sizes[widest][-1:]])
            fit.widths[widest] = max(measure(self.read_title(fit, widest)), fit.noted[widest])
            if self._measure_excess(fit) <= 0:
                self.set_widths(fit)  # the numbers of many notes are wider
        return True

    def _list_texts(self, fit: Fit, column: int) -> list[str]:
        return [
            self._read_cell(fit, cell)
            for placed in self.placed
            for start, cell in placed
            if start == column and cell.span == 1
        ]

    def find_leads(self, fit: Fit) -> list[int]:
        """The columns that name the rows: the texts before the numbers where they are short, else the first."""
        texts = list(takewhile(lambda index: self.table.columns[index].kind == "text", fit.columns))
        short = self.measure_span(fit, texts) <= LARGEST_LEAD * self.width
        return texts if short and 0 < len(texts) < len(fit.columns) else fit.columns[:1]

    def set_widths(self, fit: Fit) -> None:
        """Set the widths of the columns, and put into notes what stands there."""
        fit.notes = self.notes.copy()
        fit.widths = {index: measure(self.read_title(fit, index)) for index in fit.columns}
        spanning = []
        for number, placed in enumerate(self.placed):
            for start, cell in placed[fit.stacked :]:
                if cell.span == 1 and start in fit.widths:
                    fit.widths[start] = max(fit.widths[start], measure(self.word_cell(fit, number, start, cell)))
                elif cell.span > 1 and not self.is_heading(cell):
                    spanning.append((number, start, cell))
        if fit.stacked:
            fit.widths[fit.columns[0]] = 0
        for number, start, cell in spanning:
            covered = self.list_covered(fit, start, cell)
            lack = measure(self.word_cell(fit, number, start, cell)) - self.measure_span(fit, covered)
            if covered and lack > 0:
                fit.widths[covered[-1]] += lack

    def is_heading(self, cell: Cell) -> bool:
        """Whether a cell is a line of its own, over all columns."""
        return len(self.table.columns) > 1 and cell.span == len(self.table.columns)

    def read_title(self, fit: Fit, column: int) -> str:
        """The heading of a column."""
        found = self.table.columns[column]
        return found.short if fit.shortened and found.short else found.title

    def _read_cell(self, fit: Fit, cell: Cell) -> str:
        """The whole text of a cell, with its sign."""
        text = self.glyphs.clean(cell.short if fit.shortened and cell.short else cell.text)
        return self.glyphs.failed + text if cell.mark == "failed" else text

    def word_cell(self, fit: Fit, number: int, start: int, cell: Cell) -> str:
        """The text of a cell as it will be shown, its tree lines and signs included."""
        prefix = self.prefixes[number] if start == 0 else ""
        if self._is_moved(fit, start, cell):
            own, text = self._own.get(number), self._write_note(fit, number)
            return prefix + (fit.notes.refer(text) if own is None else fit.notes.put_before(own, text))
        return prefix + self._shorten(fit, start, cell)

    def _shorten(self, fit: Fit, start: int, cell: Cell) -> str:
        text = self._read_cell(fit, cell)
        return shorten(text, fit.limits[start]) or text if cell.span == 1 and start in fit.limits else text

    def _is_moved(self, fit: Fit, start: int, cell: Cell) -> bool:
        """Whether the text of a cell stands in a note."""
        return cell.span == 1 and start in fit.noted and measure(self._shorten(fit, start, cell)) > fit.noted[start]

    def _write_note(self, fit: Fit, number: int) -> str:
        """What of a row stands in a note: one for all its texts, named where several columns have such texts."""
        moved = {
            self.table.columns[start].title: self._read_cell(fit, cell)
            for start, cell in self.placed[number]
            if self._is_moved(fit, start, cell)
        }
        if len(fit.noted) == 1 and number not in self._own:
            return next(iter(moved.values()))
        return SEPARATOR.join(f"{title}: {text}" for title, text in moved.items())

    def list_covered(self, fit: Fit, start: int, cell: Cell) -> list[int]:
        """The shown columns that a cell is over."""
        return [index for index in fit.columns if start <= index < start + cell.span]

    def find_gap(self, fit: Fit, left: int, right: int) -> int:
        """Right-aligned texts and the left-aligned ones after them read as one: `[55x55x96] CONV1`."""
        before, after = self.table.columns[left], self.table.columns[right]
        return 1 if (before.kind, before.align, after.align) == ("text", "right", "left") else fit.gap

    def measure_span(self, fit: Fit, columns: list[int]) -> int:
        """Columns that these take, with their gaps."""
        gaps = sum(self.find_gap(fit, left, right) for left, right in pairwise(columns))
        return sum(fit.widths[index] for index in columns) + gaps

    def measure_total(self, fit: Fit) -> int:
        """Columns of the whole table."""
        bars = sum(self.table.columns[index].kind == "share" for index in fit.columns) if fit.bar else 0
        return self.measure_span(fit, fit.columns) + bars * (fit.bar + 1)


def _find_own_notes(table: Table, notes: frozenset[int]) -> dict[int, int]:
    """The numbers of the notes that one row alone refers to, by the row: `wrong [3]`."""
    found = {
        number: int(reference[1])
        for number, row in enumerate(table.rows)
        for cell in row.cells
        if (reference := _REFERENCE.search(cell.text)) and int(reference[1]) in notes
    }
    counts = Counter(found.values())
    return {number: reference for number, reference in found.items() if counts[reference] == 1}


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
