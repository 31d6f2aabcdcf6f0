"""What text is drawn with: the characters an encoding carries, styled pieces, and how wide they are on a screen."""

import unicodedata
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What drawings are made of."""

    branch: str
    last: str
    line: str
    rule: str
    blocks: tuple[str, ...]
    """A bar's cell filled by one part, two parts, ..., wholly."""
    failed: str
    replaced: dict[int, str]
    """Characters of the texts themselves that must give way."""

    def clean(self, text: str) -> str:
        """`text` with the characters that must give way replaced."""
        return text.translate(self.replaced) if self.replaced else text


_TREE = ("├ ", "└ ", "│ ", "─")
_ASCII_TREE = ("|- ", "`- ", "|  ", "-")
_BLOCKS = ("▏", "▎", "▍", "▌", "▋", "▊", "▉", "█")
_TEXTS = {"·": "|", "×": "x", "…": ".."}


def choose_glyphs(encoding: str) -> Glyphs:
    """The finest characters that `encoding` has: cp949 has boxes but no blocks, ASCII has neither."""
    branch, last, line, rule = _TREE if _carries(encoding, "".join(_TREE)) else _ASCII_TREE
    return Glyphs(
        branch=branch,
        last=last,
        line=line,
        rule=rule,
        blocks=_BLOCKS if _carries(encoding, "".join(_BLOCKS)) else ("#",),
        failed="✗ " if _carries(encoding, "✗") else "!! ",
        replaced={ord(char): plain for char, plain in _TEXTS.items() if not _carries(encoding, char)},
    )


def _carries(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


Style = Literal["", "title", "quiet", "header", "bar", "failed", "total", "good", "passed", "differs", "bad"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of one style."""

    text: str
    style: Style = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line."""

    pieces: tuple[Piece, ...] = ()

    @property
    def text(self) -> str:
        """Without styles."""
        return "".join(piece.text for piece in self.pieces).rstrip()


def measure(text: str) -> int:
    """Cells that `text` takes on a screen: East Asian wide characters take two, marks and joiners none."""
    if text.isascii():
        return len(text)
    return sum(_measure_character(character) for character in text)


def _measure_character(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def pad(text: str, width: int, align: str) -> str:
    """`text` with spaces up to `width`."""
    space = max(0, width - measure(text))
    if align == "right":
        return " " * space + text
    if align == "center":
        return " " * (space // 2) + text + " " * (space - space // 2)
    return text + " " * space


def shorten(text: str, width: int) -> str:
    """The first phrases of `text` that fit, else its first words; empty where none does."""
    while measure(text) > width:
        text = text.rpartition(", " if ", " in text else " ")[0]
    return text


def find_first_word(text: str) -> str:
    """What `shorten` leaves at least."""
    return text.partition(", ")[0].partition(" ")[0]


SEVERITIES: dict[str, Style] = {"error": "failed", "warning": "differs", "ok": "good"}
"""Words before a colon that begin a line of text."""


def read_severity(text: str, style: Style = "") -> Line:
    """The line in that style, but for the word before a colon that says how bad it is, and what comes after."""
    word, colon, rest = text.partition(":")
    found = SEVERITIES.get(word)
    return Line((Piece(text, style),)) if found is None else Line((Piece(word + colon, found), Piece(rest)))
