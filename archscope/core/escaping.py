r"""Names that others chose, made harmless to show: layer paths, classes, files and messages of strangers' models.

Whatever would move the cursor, end a line, turn the reading direction, be invisible or command a CI is shown as
`\x1b`, `\u202e` or `\U000e0041`. Names in any language stay as they are, and so do emoji.
"""

import re
from dataclasses import replace

from archscope.core.table import Cell, Row, Table

_INVISIBLE = (
    r"\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\u3164\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U0010ffff"
)
"""Controls, marks of direction, joiners, fillers, tags, halves of characters, private and no characters."""
_JOINED = r"\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u17ff"
"""Scripts that are spelt with joiners: Arabic and Persian, those of India, Tibetan, Burmese, Khmer."""
_PICTURES = r"\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_IDEOGRAPHS = r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SPELT = "|".join(
    (
        rf"(?<=[{_JOINED}])[\u200c\u200d](?=[{_JOINED}])",
        rf"(?<=[{_PICTURES}\ufe0f])\u200d(?=[{_PICTURES}])",
        rf"(?<=[0-9#*{_PICTURES}])[\ufe0e\ufe0f]",
        rf"(?<=[{_IDEOGRAPHS}])[\U000e0100-\U000e01ef]",
        r"(?<=\U0001f3f4)[\U000e0030-\U000e007a]{1,6}\U000e007f",  # the flags of England, Scotland and Wales
    )
)
"""Where such characters are part of a word or a picture."""
_COMMANDS = r"(?:^|(?<=[\s,/])):(?=:[A-Za-z])|#(?=#[A-Za-z]*\[)"
"""What a CI obeys wherever a line has it: `::error ...` of GitHub, also indented; `##[error]` and `##vso[...]`."""
_HOSTILE = rf"(?P<spelt>{_SPELT})|(?P<hostile>[{_INVISIBLE}]|{_COMMANDS})"
_ESCAPED = rf"(?P<backslashes>\\+)(?=x[0-9a-f]{{2}}|u[0-9a-f]{{4}}|U[0-9a-f]{{8}}|[{_INVISIBLE}]|{_COMMANDS})"
_IN_NAMES = re.compile(f"{_ESCAPED}|{_HOSTILE}")
_IN_LINES = re.compile(_HOSTILE)
_SUSPICIOUS = re.compile(rf"\\|::|##|[{_INVISIBLE}]")
"""Quickly said of most texts: they have none of it."""


def escape_name(text: str) -> str:
    r"""`text` on one line, every character of it visible; different texts stay different.

    Backslashes are doubled where they stand before what reads as an escape: `\x1b` is the character, `\\x1b` was
    written so.
    """
    return _IN_NAMES.sub(_escape, text) if _SUSPICIOUS.search(text) else text


def escape_lines(text: str) -> str:
    r"""The lines of a message, ended by `\n` alone, each as `escape_name` shows it.

    Backslashes stay: messages quote names as Python does, which has doubled them.
    """
    if not _SUSPICIOUS.search(text):
        return text
    return "\n".join(_IN_LINES.sub(_escape, line) for line in text.replace("\r\n", "\n").split("\n"))


def escape_table(table: Table) -> Table:
    """The table with all its texts escaped; titles of columns, notes and values that are texts too."""
    return replace(
        table,
        title=escape_name(table.title),
        subtitle=escape_name(table.subtitle),
        notes=tuple(map(escape_name, table.notes)),
        columns=tuple(
            replace(
                column, key=escape_name(column.key), title=escape_name(column.title), short=escape_name(column.short)
            )
            for column in table.columns
        ),
        rows=tuple(Row(tuple(map(_escape_cell, row.cells)), row.kind, row.depth) for row in table.rows),
    )


def _escape_cell(cell: Cell) -> Cell:
    return replace(
        cell,
        text=escape_name(cell.text),
        value=escape_name(cell.value) if isinstance(cell.value, str) else cell.value,
        short=escape_name(cell.short),
        judged=escape_name(cell.judged),
    )


def _escape(found: re.Match[str]) -> str:
    if found.lastgroup == "spelt":
        return found[0]
    if found.lastgroup == "backslashes":
        return 2 * found[0]
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
