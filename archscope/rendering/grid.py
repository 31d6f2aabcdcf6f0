"""A table as lines of styled pieces, fitted to a width, before anything is coloured.

In a terminal that is too narrow, bars go first, then words of flexible texts, then optional columns, then half the
gaps, then numbers become short ones, then texts are cut. A number is never cut or wrapped. A pipe has no width: it
gets everything.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from textwrap import wrap

from archscope.core.table import Cell, Column, Row, Table, place_cells
from archscope.rendering.lines import Glyphs, Line, Piece, Style, choose_glyphs, cut, measure, pad, shorten

BAR_CELLS = 10
WIDE_BAR_CELLS = 20
WIDE = 140
"""A terminal this wide gets the longer bars."""
SHORTEST_FLEXIBLE = 12
SHORTEST_CUT = 8
_STYLES: dict[str, Style] = {"failed": "failed", "muted": "quiet", "repeat": "quiet"}


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
    bar: int
    gap: int = 2
    shortened: bool = False
    limits: dict[int, int] = field(default_factory=dict)
    """Most cells of the texts of a column; others are as wide as they are."""
    widths: dict[int, int] = field(default_factory=dict)


class Grid:
    """The header and the rows of a table."""

    def __init__(self, table: Table, glyphs: Glyphs, options: LayoutOptions) -> None:
        self.table = table
        self.glyphs = glyphs
        self.width = options.width
        self._prefixes = list(_draw_branches(table.rows, glyphs))
        self._placed = [place_cells(table, row) for row in table.rows]
        shares = any(column.kind == "share" for column in table.columns)
        bar = WIDE_BAR_CELLS if options.width is not None and options.width >= WIDE else BAR_CELLS
        self._bar = bar if options.bars and shares else 0

    def lay_out(self) -> list[Line]:
        """The lines, header first, fitted to the width."""
        fit = self._choose_fit()
        width = self._measure_total(fit)
        rule = Line((Piece(self.glyphs.rule * width, "quiet"),))
        lines = [self._build_header(fit), rule]
        for number, row in enumerate(self.table.rows):
            if row.kind != "body" and number:
                lines.append(rule)
            lines.append(self._build_row(fit, number, row))
        return lines

    def _choose_fit(self) -> _Fit:
        """The first of the ways, from the fullest to the barest, that fits."""
        for fit in self._list_fits():
            self._set_widths(fit)
            if self.width is None or self._measure_total(fit) <= self.width:
                return fit
            if not fit.bar and self._squeeze(fit, self._list_flexible(fit), SHORTEST_FLEXIBLE):
                return fit
        self._squeeze(fit, [c for c in fit.columns if self.table.columns[c].kind == "text"], SHORTEST_CUT)
        return fit

    def _list_fits(self) -> Iterator[_Fit]:
        shown = [index for index, column in enumerate(self.table.columns) if not column.hidden]
        optional = [index for index in shown if self.table.columns[index].optional]
        if self._bar:
            yield _Fit(shown, self._bar)
        for count in range(len(optional) + 1):
            dropped = optional[len(optional) - count :]
            yield _Fit([index for index in shown if index not in dropped], 0)
        barest = [index for index in shown if index not in optional]
        yield _Fit(barest, 0, gap=1)
        yield _Fit(barest, 0, shortened=True)

    def _list_flexible(self, fit: _Fit) -> list[int]:
        return [index for index in fit.columns if self.table.columns[index].flexible]

    def _squeeze(self, fit: _Fit, columns: list[int], least: int) -> bool:
        """Narrow `columns`, the widest first, until the table fits; False (with all narrowed) where it cannot."""
        widths = {c: fit.widths[c] for c in columns}
        floors = {c: min(widths[c], max(least, measure(self.table.columns[c].title))) for c in columns}
        excess = self._measure_total(fit) - (self.width or 0)
        if excess > sum(widths[c] - floors[c] for c in columns) and least == SHORTEST_FLEXIBLE:
            return False
        while excess > 0 and any(widths[c] > floors[c] for c in columns):
            widest = max((c for c in columns if widths[c] > floors[c]), key=lambda c: widths[c])
            widths[widest] -= 1
            excess -= 1
        fit.limits |= widths
        self._set_widths(fit)
        return excess <= 0

    def _set_widths(self, fit: _Fit) -> None:
        fit.widths = {index: measure(self.table.columns[index].title) for index in fit.columns}
        spanning = []
        for number, placed in enumerate(self._placed):
            for start, cell in placed:
                if cell.span == 1 and start in fit.widths:
                    fit.widths[start] = max(fit.widths[start], measure(self._word_cell(fit, number, start, cell)))
                elif cell.span > 1:
                    spanning.append((number, start, cell))
        for number, start, cell in spanning:
            covered = self._cover(fit, start, cell)
            lack = measure(self._word_cell(fit, number, start, cell)) - self._measure_span(fit, covered)
            if covered and lack > 0:
                fit.widths[covered[-1]] += lack

    def _word_cell(self, fit: _Fit, number: int, start: int, cell: Cell) -> str:
        """The text of a cell as it will be shown, its tree lines and signs included."""
        text = cell.short if fit.shortened and cell.short else cell.text
        text = self.glyphs.clean(text)
        if cell.mark == "failed":
            text = self.glyphs.failed + text
        prefix = self._prefixes[number] if start == 0 else ""
        limit = fit.limits.get(start)
        if limit is None or measure(prefix + text) <= limit or cell.span > 1:
            return prefix + text
        if self.table.columns[start].flexible:
            text = shorten(text, limit - measure(prefix)) or text
        tail = cell.tail if text.endswith(cell.tail) and measure(prefix + cell.tail) < limit else ""
        head = (prefix + text).removesuffix(tail)
        return cut(head, limit - measure(tail), self.glyphs.ellipsis) + tail

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
            index: (pad(self.table.columns[index].title, fit.widths[index], self.table.columns[index].align), "header")
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
