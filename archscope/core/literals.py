"""Words for constants, and pieces between commas: shared by the readers of `--arg` and `--input`."""

from collections.abc import Iterator, Mapping

CONSTANTS: Mapping[str, bool | None] = {"true": True, "false": False, "none": None}
"""Words for them, in any case."""
_OPENING = "([{"
_CLOSING = ")]}"


def split_commas(text: str) -> Iterator[str]:
    """Pieces between the commas that stand outside brackets and quotes."""
    start, depth, quote = 0, 0, ""
    for position, character in enumerate(text):
        if quote:
            quote = "" if character == quote and text[position - 1] != "\\" else quote
        elif character in "'\"":
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        elif character == "," and depth == 0:
            yield text[start:position]
            start = position + 1
    yield text[start:]
