"""A table as a light, static piece of HTML, for notebooks: no script, no external file, light and dark."""

from html import escape

from archscope.core.escaping import escape_table
from archscope.core.table import Cell, Row, Table, place_cells
from archscope.core.units import format_exact

MOST_ROWS = 400
"""Rows that a notebook shows; the rest is counted."""

_STYLE = (
    ".archscope{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    ".archscope caption{text-align:left;font-weight:600;padding:.2em .6em}"
    ".archscope caption span{font-weight:400;opacity:.7}"
    ".archscope th,.archscope td{padding:.1em .6em;white-space:pre;text-align:left;border:0}"
    ".archscope thead th{border-bottom:1px solid currentColor}"
    ".archscope .r{text-align:right}.archscope .c{text-align:center}.archscope .q{opacity:.55}"
    ".archscope .total td{border-top:1px solid currentColor;font-weight:600}"
    ".archscope .section td{border-top:1px solid #8884}"
    ".archscope-notes{opacity:.8;font-size:.92em;padding:.2em .6em}"
)
_ALIGN = {"left": "", "right": "r", "center": "c"}


def render_html(table: Table) -> str:
    """The HTML of `table`, with its title above and its notes below; every text is escaped."""
    table = escape_table(table)
    shown = [number for number, column in enumerate(table.columns) if not column.hidden]
    heads = "".join(_write("th", table.columns[n].title, _ALIGN[table.columns[n].align]) for n in shown)
    rows = [_write_row(table, row, shown) for row in table.rows[:MOST_ROWS]]
    more = len(table.rows) - MOST_ROWS
    if more > 0:
        rows.append(f'<tr><td colspan="{len(shown)}">... {format_exact(more)} more rows</td></tr>')
    subtitle = f" <span>{escape(table.subtitle)}</span>" if table.subtitle else ""
    notes = "".join(f"<div>{escape(note)}</div>" for note in table.notes)
    return (
        f'<style>{_STYLE}</style><table class="archscope"><caption>{escape(table.title)}{subtitle}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f'<div class="archscope-notes">{notes}</div>'
    )


def _write_row(table: Table, row: Row, shown: list[int]) -> str:
    cells = []
    for start, cell in place_cells(table, row):
        span = sum(number in shown for number in range(start, start + cell.span))
        if span:
            indent = "  " * (row.depth or 0) if start == 0 else ""
            cells.append(_write_cell(cell, indent + cell.text, _ALIGN[table.columns[start].align], span))
    return f'<tr class="{row.kind}">{"".join(cells)}</tr>'


def _write_cell(cell: Cell, text: str, align: str, span: int) -> str:
    quiet = "q" if cell.mark in ("muted", "repeat") else ""
    return _write("td", text, " ".join(word for word in (align, quiet) if word), span)


def _write(tag: str, text: str, classes: str, span: int = 1) -> str:
    attributes = (f' class="{classes}"' if classes else "") + (f' colspan="{span}"' if span > 1 else "")
    return f"<{tag}{attributes}>{escape(text)}</{tag}>"
