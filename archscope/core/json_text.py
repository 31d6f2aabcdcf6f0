"""JSON text that somebody else wrote, read within bounds: the one place where bytes become plain data.

A text within them is UTF-8, UTF-16 or UTF-32, with or without a byte-order mark, nests at most `DEEPEST` lists and
objects, has each key once and holds only numbers that fit: no NaN, no infinities, nothing beyond `MOST_DIGITS` digits.
"""

import json
import re
from typing import Any

from archscope.core.errors import DataError

DEEPEST = 100
"""Lists and objects in one another. Saved traces have 10, notebooks and configurations of others up to 30."""
MOST_DIGITS = 40
"""Of a whole number: beyond any count, and far below what a float overflows at."""

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""Escapes that make half a character unless two of them stand together."""


def parse_json(text: str | bytes, name: str = "", remedy: str = "", *, strict: bool = True) -> Any:
    """The plain data of a JSON text. Raises DataError, which says what is wrong and where.

    `name` is where the text came from: a file, for instance. Not `strict` is for files of other tools, which write NaN
    and half characters at times: there only the size of numbers and the depth are bounded.
    """
    told = name or "the document"
    try:
        characters = _decode(text) if isinstance(text, bytes) else text
        data = json.loads(
            characters,
            object_pairs_hook=_make_object if strict else None,
            parse_int=_read_whole,
            parse_float=_read_float if strict else None,
            parse_constant=_refuse_constant if strict else None,
        )
        _check_depth(data)
        if strict and _HALF.search(characters):
            json.dumps(data, ensure_ascii=False).encode()
    except RecursionError as error:
        why = f"more than {DEEPEST} lists and objects lie in one another"
        raise DataError(f"cannot read {told} as JSON: {why}", remedy) from error
    except UnicodeEncodeError as error:
        raise DataError(f"{told} holds half a character: {error.object[error.start : error.end]!a}", remedy) from error
    except ValueError as error:
        why = f"not {error.encoding} at byte {error.start:,}" if isinstance(error, UnicodeDecodeError) else str(error)
        why = "it is empty" if not text.strip() else why
        raise DataError(f"cannot read {told} as JSON: {why}", remedy) from error
    return data


def _decode(blob: bytes) -> str:
    return blob.decode(json.detect_encoding(blob))


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {_shorten(twice)} stands twice in one object")
    return found


def _read_whole(digits: str) -> int:
    if len(digits.lstrip("-")) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits.lstrip('-')):,} digits is too large")
    return int(digits)


def _read_float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {_shorten(digits)} is too large")
    return value


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _shorten(word: str) -> str:
    return ascii(word if len(word) <= 40 else word[:37] + "...")


def _check_depth(data: Any) -> None:
    """Raise RecursionError, as the parser does further down, where lists and objects are nested too deeply."""
    level, depth = [data], 0
    while level:
        depth += 1
        if depth > DEEPEST + 1:
            raise RecursionError
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]
