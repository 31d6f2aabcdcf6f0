"""What stands beneath a table: its notes, those for texts too long for a cell among them, and how they are wrapped."""

import re
from collections.abc import Iterator, Sequence
from textwrap import wrap

from archscope.rendering.lines import measure

SEPARATOR = " · "
"""Between the parts of a note: the best place to break it."""
NARROWEST = 20
"""Columns that lines are broken for at least."""
FOLD = 2
"""Spaces before the rest of a line that was too long."""
_NUMBERED = re.compile(r"\[([0-9]{1,4})\] ")


class Notes:
    """The notes of a table; texts that are added get numbers, those that are the same the same one."""

    def __init__(self, written: Sequence[str] = ()) -> None:
        """`written` are the table's own; their `[3] ...` are counted on."""
        self._written = tuple(written)
        self._last = max(self.numbers, default=0)
        self._numbers: dict[str, int] = {}
        self._before: dict[int, str] = {}
        """What comes before the text of a note that the table has of its own, by its number."""

    @property
    def numbers(self) -> frozenset[int]:
        """Of the table's own."""
        return frozenset(int(found[1]) for note in self._written if (found := _NUMBERED.match(note)))

    def copy(self) -> "Notes":
        """The same notes, to try something."""
        other = Notes(self._written)
        other.adopt(self)
        return other

    def adopt(self, other: "Notes") -> None:
        """Take what was tried."""
        self._numbers = dict(other._numbers)
        self._before = dict(other._before)

    def put_before(self, number: int, text: str) -> str:
        """`[4]`, the table's own note of that number, which from now on begins with `text`."""
        self._before[number] = text
        return f"[{number}]"

    def refer(self, text: str) -> str:
        """`[4]`, which stands for `text`."""
        return f"[{self._numbers.setdefault(text, self._last + len(self._numbers) + 1)}]"

    def __iter__(self) -> Iterator[str]:
        """All of them: the numbered ones follow each other."""
        numbered = [place for place, note in enumerate(self._written) if _NUMBERED.match(note)]
        end = numbered[-1] + 1 if numbered else 0
        yield from map(self._write_own, self._written[:end])
        yield from (f"[{number}] {text}" for text, number in self._numbers.items())
        yield from self._written[end:]

    def _write_own(self, note: str) -> str:
        found = _NUMBERED.match(note)
        before = self._before.get(int(found[1])) if found else None
        return note if found is None or before is None else f"{found[0]}{before}{SEPARATOR}{note[found.end() :]}"


def wrap_note(note: str, width: int) -> Iterator[str]:
    """The note in lines of `width`, broken between its parts, and within a part only where it has to be."""
    if measure(note) <= width:
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
        *whole, line = wrap_words(part, width)
        yield from whole
    if line:
        yield line


def fold_lines(text: str, width: int) -> str:
    """Lines of text in `width` columns, what is left of each indented beneath it."""
    lines = []
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()))
        rest = indent + " " * FOLD
        lines += _wrap(line.strip(), width, indent, rest)
    return "".join(f"{line}\n" for line in lines)


def wrap_words(text: str, width: int) -> list[str]:
    """The text in lines of `width`, broken at spaces; a longer word after a comma or slash, else not at all."""
    width = max(width, NARROWEST)
    parted = " ".join(_part_word(word, width) if len(word) > width else word for word in text.split(" "))
    return _wrap(parted, width)


def _wrap(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    lines = wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [""]


def _part_word(word: str, width: int) -> str:
    """The word with a space wherever it may be broken to fit `width`."""
    lines = [""]
    for piece in re.split("(?<=[,/])", word):
        if lines[-1] and len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += piece
    return " ".join(lines)
