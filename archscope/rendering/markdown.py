"""A Table goes in; a GitHub-flavoured Markdown table comes out, its title above and its notes below."""

import re

from archscope.core.table import Cell, Row, Table, place_cells


def render_markdown(table: Table) -> str:
    """The Markdown of `table`. In a tree, layers are named by their whole path: cells have no indentation."""
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


def escape_markdown(text: str) -> str:
    """`text` such that Markdown shows it as it is."""
    text = text.replace("\n", " ").replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|*`~]|(?<!\w)_|_(?!\w))", r"\\\1", text)


def _list_texts(table: Table, row: Row, shown: list[int]) -> list[str]:
    texts = [""] * len(table.columns)
    for start, cell in place_cells(table, row):
        texts[start] = escape_markdown(_name_cell(row, cell) if start == 0 else cell.text)
    texts = [texts[index] for index in shown]
    return [f"**{text}**" if text else "" for text in texts] if row.kind == "total" else texts


def _name_cell(row: Row, cell: Cell) -> str:
    return cell.value if row.depth and isinstance(cell.value, str) else cell.text
