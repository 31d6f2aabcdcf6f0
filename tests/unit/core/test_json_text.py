"""JSON that somebody else wrote: bounded in depth, numbers and characters."""

import json

import pytest

from archscope.core.errors import DataError
from archscope.core.json_text import parse_json

DEEP = 100_000


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"{", "Expecting property name"),
        (b'{"a": 1', "Expecting"),
        (b"{} {}", "Extra data"),
        (b"[" * DEEP + b"]" * DEEP, "more than 100 lists and objects"),
        (b'{"a":' * DEEP + b"1" + b"}" * DEEP, "more than 100 lists and objects"),
        (b"[" * 102 + b"]" * 102, "more than 100 lists and objects"),
        (b"1" + b"0" * 400, "a number of 401 digits is too large"),
        (b"-" + b"9" * 5_000, "a number of 5,000 digits is too large"),
        (b"1e999", "the number '1e999' is too large"),
        (b"[-1e400]", "the number '-1e400' is too large"),
        (b"NaN", "NaN is no number of JSON"),
        (b"[-Infinity]", "-Infinity is no number of JSON"),
        (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' stands twice in one object"),
        (b'{"a": "\xff"}', "not utf-8 at byte 7"),
        (b'["\\ud800"]', r"holds half a character: '\ud800'"),
        (b'{"\\udc00": 1}', r"holds half a character: '\udc00'"),
        (b'["\xed\xa0\x80"]', "not utf-8 at byte 2"),
        (b"[1_000]", "Expecting"),
        ("[²]".encode(), "Expecting"),
        ("[٣]".encode(), "Expecting"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_is_refused(text: bytes, told: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_json(text, "x.json", "make another")
    assert told in caught.value.message
    assert "x.json" in caught.value.message
    assert caught.value.remedy == "make another"
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_encoding_of_json(encoding: str) -> None:
    assert parse_json('{"a": ["é한", 1]}'.encode(encoding)) == {"a": ["é한", 1]}


def test_what_lies_within_the_bounds() -> None:
    largest = int("9" * 40)
    data = {"whole": largest, "minus": -largest, "float": 1e308, "small": 1e-400, "pair": "\U0001f600"}
    assert parse_json(json.dumps(data)) == data
    nested = parse_json("[" * 101 + "]" * 101)
    for _ in range(100):
        (nested,) = nested
    assert nested == []


def test_files_of_other_tools_may_hold_what_json_lacks() -> None:
    assert parse_json('{"a": 1, "a": Infinity, "b": "\\ud800"}', strict=False) == {"a": float("inf"), "b": "\ud800"}
    for text in ("[" * DEEP, "9" * 5_000):
        with pytest.raises(DataError):
            parse_json(text, strict=False)
