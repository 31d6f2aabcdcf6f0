"""`key=value` words go in; constructor arguments come out. Nothing is evaluated: only literals are read."""

import ast
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from archscope.core.errors import UsageError

Argument: TypeAlias = (
    bool | int | float | str | list["Argument"] | tuple["Argument", ...] | dict[str, "Argument"] | None
)
"""A constructor argument: plain data."""

LONGEST_ARGUMENT = 20_000
"""Characters; more is a mistake (or an attack on the parser), not an argument."""

_WORDS: dict[str, bool | None] = {"true": True, "false": False, "none": None}
_OPENING = "([{"
_CLOSING = ")]}"
_EXAMPLE = "write --arg num_classes=10, --arg batch_norm=true or --arg cfg=64,64,M,128,M"


def parse_arguments(words: Iterable[str]) -> dict[str, Argument]:
    """`["num_classes=10", "cfg=64,M"]` -> `{"num_classes": 10, "cfg": [64, "M"]}`.

    A value is a Python literal, or true, false or none in any case, or a comma list of such values; any other bare
    word is a string. Raises UsageError where a word has no `=`, its key is no name, or a key comes twice.
    """
    arguments: dict[str, Argument] = {}
    for word in words:
        key, equals, value = word.partition("=")
        key = key.strip()
        if not equals:
            raise UsageError(f"--arg {_shorten(word)!r} has no '='", _EXAMPLE)
        if not key.isidentifier():
            raise UsageError(f"--arg {_shorten(word)!r}: {_shorten(key)!r} is not the name of an argument", _EXAMPLE)
        if key in arguments:
            raise UsageError(f"--arg {key} is given twice", "a list is one argument: --arg cfg=64,64,M")
        arguments[key] = parse_value(value.strip())
    return arguments


def parse_value(text: str) -> Argument:
    """One value: `10`, `0.5`, `(3, 3)`, `true`, `None`, `64,64,M`, `cifar`."""
    if len(text) > LONGEST_ARGUMENT:
        raise UsageError(f"an --arg value of {len(text):,} characters is too long (at most {LONGEST_ARGUMENT:,})")
    pieces = list(_split_commas(text))
    if len(pieces) > 1:
        if not pieces[-1].strip():
            pieces.pop()
        return [_parse_item(piece.strip()) for piece in pieces]
    return _parse_item(text)


def _parse_item(text: str) -> Argument:
    folded = text.casefold()
    if folded in _WORDS:
        return _WORDS[folded]
    try:
        return _check_plain(ast.literal_eval(text), text)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        # No literal, or one nested deeper than Python's parser goes.
        return text


def _check_plain(value: object, text: str) -> Argument:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [_check_plain(item, text) for item in value]
    if isinstance(value, tuple):
        return tuple(_check_plain(item, text) for item in value)
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _check_plain(item, text) for key, item in value.items()}
    raise UsageError(f"--arg value {_shorten(text)!r} is not a number, a string, true, false, none, or a list of these")


def _split_commas(text: str) -> Iterator[str]:
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


def _shorten(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."
