"""A Table goes in; CSV or JSON for programs comes out: column keys and exact values, hidden columns too."""

import csv
from io import StringIO

from archscope.core.jsontext import format_json
from archscope.core.table import Row, Table, get_value, place_cells

SCHEMA = "archscope.table/1"


def render_csv(table: Table) -> str:
    """One header line of column keys, one line per row; a cell over several columns stands in each of them."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([column.key for column in table.columns])
    for row in table.rows:
        writer.writerow(["" if value is None else value for value in _list_values(table, row).values()])
    return stream.getvalue()


def render_json(table: Table) -> str:
    """The document of schema `archscope.table/1`."""
    return format_json(
        {
            "schema": SCHEMA,
            "title": table.title,
            "subtitle": table.subtitle,
            "columns": [
                {"key": column.key, "title": column.title, "unit": column.unit, "kind": column.kind}
                for column in table.columns
            ],
            "rows": [_list_values(table, row) for row in table.rows],
            "notes": list(table.notes),
        }
    )


def _list_values(table: Table, row: Row) -> dict[str, int | float | str | None]:
    values: dict[str, int | float | str | None] = {column.key: None for column in table.columns}
    for start, cell in place_cells(table, row):
        for column in table.columns[start : start + cell.span]:
            values[column.key] = get_value(column, cell)
    return values
