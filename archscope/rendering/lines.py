"""Styled pieces of text, the lines they make, and how wide they are on a screen."""

import unicodedata
from dataclasses import dataclass
from typing import Literal

Style = Literal["", "title", "quiet", "header", "bar", "failed", "total"]


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
    """Cells that `text` takes on a screen: East Asian wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(_measure_character(character) for character in text)


def _measure_character(character: str) -> int:
    if unicodedata.combining(character):
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


def cut(text: str, width: int, ellipsis: str) -> str:
    """`text`, or its start and an ellipsis where it does not fit."""
    if measure(text) <= width:
        return text
    while text and measure(text) + len(ellipsis) > width:
        text = text[:-1]
    return text + ellipsis
