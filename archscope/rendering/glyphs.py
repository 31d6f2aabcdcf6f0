"""An encoding goes in; the characters that it can carry come out: boxes, blocks and dots, or ASCII in their place."""

from dataclasses import dataclass


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
    ellipsis: str
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
        ellipsis="…" if _carries(encoding, "…") else "..",
        replaced={ord(char): plain for char, plain in _TEXTS.items() if not _carries(encoding, char)},
    )


def _carries(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
