"""The codec: what is written and read, what is said of the malformed, and the JSON Schema that it generates."""

import json
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from math import inf, isnan, nan
from pathlib import Path
from typing import Any, ClassVar, Literal

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archscope.core.codec import (
    ABSENT,
    Absent,
    Count,
    Document,
    Entry,
    Settings,
    build_schema,
    decode,
    encode,
    fill,
    format_document,
    read_document,
)
from archscope.core.documents.trace import TraceDocument
from archscope.core.errors import DataError
from archscope.core.saved import build_trace_document, read_costs, read_trace


@dataclass(frozen=True, slots=True)
class Place:
    """A place."""

    line: int
    """From 1."""
    column: int | None = None


class Part(Entry, frozen=True):
    """A part."""

    name: str
    """What it is
    called."""
    size: Count
    place: Place | None
    settings: Settings
    mode: Literal["on", "off"] | None = None
    extra: int | Absent = ABSENT


class Whole(Document, frozen=True, tag="archscope.whole/1"):
    """A whole."""

    noun: ClassVar = "whole"
    remedy: ClassVar = "make whole"

    parts: tuple[Part, ...]
    """Its parts."""
    by_name: dict[str, float] | Absent = ABSENT


class Named(str):
    """A string of a class of its own."""

    __slots__ = ()


PART = Part("a", 2**70, Place(3), Settings((("kernel", (3, (1, None))), ("p", inf), ("name", Named("n")))))
PLAIN: dict[str, Any] = {
    "schema": "archscope.whole/1",
    "parts": [
        {
            "name": "a",
            "size": 2**70,
            "place": {"line": 3, "column": None},
            "settings": {"kernel": [3, [1, None]], "p": {"float": "inf"}, "name": "n"},
            "mode": None,
        }
    ],
}


def change(**fields: Any) -> dict[str, Any]:
    """The document with other fields in its part."""
    document = deepcopy(PLAIN)
    document["parts"][0] |= fields
    return document


class TestWriting:
    def test_keys_in_the_order_of_the_fields_and_no_absent_ones(self) -> None:
        document = encode(Whole((PART,)))
        assert document == PLAIN
        assert list(document["parts"][0]) == ["name", "size", "place", "settings", "mode"]
        assert type(document["parts"][0]["settings"]["name"]) is str
        assert encode(fill(Part, PART, extra=3))["extra"] == 3

    def test_the_text_is_the_plain_data_and_ascii(self) -> None:
        text = format_document(Whole((fill(Part, PART, name="층"),)))
        assert text.isascii()
        assert json.loads(text) == change(name="층")

    def test_a_file_name_that_is_no_unicode_survives(self) -> None:
        document = Whole((fill(Part, PART, name="\udcff.py"),))
        assert decode(json.loads(format_document(document)), Whole).parts[0].name == "\udcff.py"

    def test_what_json_lacks_is_refused(self) -> None:
        with pytest.raises(ValueError, match="JSON"):
            format_document(Whole((), {"a": nan}))

    def test_what_is_no_data_is_refused(self) -> None:
        with pytest.raises(NotImplementedError, match="no document holds a"):
            encode(fill(Part, PART, name=Path("a")))


class TestReading:
    def test_what_was_written_comes_back(self) -> None:
        whole = decode(PLAIN, Whole)
        (part,) = whole.parts
        assert part.settings.pairs == (("kernel", (3, (1, None))), ("p", inf), ("name", "n"))
        assert (part.size, part.place, part.extra) == (2**70, Place(3), ABSENT)
        assert encode(whole) == PLAIN
        read = decode(change(settings={"x": {"float": "nan"}}), Whole).parts[0].settings.pairs[0][1]
        assert isinstance(read, float)
        assert isnan(read)

    def test_what_is_unknown_is_ignored(self) -> None:
        assert encode(decode(change(later=1) | {"later": [2]}, Whole)) == PLAIN

    @pytest.mark.parametrize(
        ("document", "told"),
        [
            ([], "the document is not a whole: its schema is not 'archscope.whole/1'"),
            ({"schema": "archscope.whole/2"}, "its schema is 'archscope.whole/2', not 'archscope.whole/1'"),
            ({"schema": "archscope.whole/1"}, "the document has no 'parts'"),
            (change(size="2"), "parts[0].size: expected a whole number, found a string"),
            (change(size=True), "parts[0].size: expected a whole number, found true or false"),
            (change(size=2.5), "parts[0].size: expected a whole number, found a number"),
            (change(size=-1), "parts[0].size: expected a whole number >= 0"),
            (change(place=[]), "parts[0].place: expected an object or null, found a list"),
            (change(place={}), "parts[0].place has no 'line'"),
            (change(mode="up"), "parts[0].mode: 'up' is not one of off, on"),
            (change(settings=[]), "parts[0].settings: expected an object"),
            (change(settings={"a": {"b": 1}}), "parts[0].settings: {'b': 1} is not a setting"),
            (PLAIN | {"\ud800": 1}, "the document holds half a character: '\\ud800'"),
            (PLAIN | {"by_name": {"x": "1"}}, "by_name[...]: expected a number, found a string"),
        ],
    )
    def test_the_malformed_is_told_with_its_place(self, document: Any, told: str) -> None:
        with pytest.raises(DataError) as caught:
            decode(document, Whole)
        assert caught.value.message.endswith(told)

    def test_endless_nesting_is_malformed_too(self) -> None:
        nested: Any = 1
        for _ in range(100_000):
            nested = [nested]
        with pytest.raises(DataError, match="nested too deeply"):
            decode(change(settings={"a": nested}), Whole)

    def test_files(self, tmp_path: Path) -> None:
        path = tmp_path / "whole.json"
        path.write_text(format_document(Whole((PART,))), encoding="utf-8")
        assert encode(read_document(path, Whole)) == PLAIN
        for text, told in (
            (b"{", "as JSON"),
            (b"\xff", "as JSON"),
            (b"[" * 100_000, "as JSON"),
            (b"1" * 5_000, "as JSON"),
            (b"{}", "whole.json is not a whole"),
            (json.dumps(change(size="")).encode(), "whole.json: parts[0].size: expected"),
        ):
            path.write_bytes(text)
            with pytest.raises(DataError) as caught:
                read_document(path, Whole)
            assert told in caught.value.message
        for missing, told in ((tmp_path / "no.json", "there is no file"), (tmp_path, "cannot read")):
            with pytest.raises(DataError, match=told):
                read_document(missing, Whole)


class TestFill:
    def test_fields_of_one_name_are_copied(self) -> None:
        assert fill(Place, Place(1, 2)) == Place(1, 2)
        assert fill(Place, PART, line=7) == Place(7)
        with pytest.raises(TypeError, match="line"):
            fill(Place, PART)


class TestSchema:
    def test_words_types_and_what_must_be_there(self) -> None:
        schema = build_schema(Whole)
        jsonschema.Draft202012Validator.check_schema(schema)
        assert list(schema)[:3] == ["$schema", "title", "description"]
        assert schema["title"] == "archscope.whole/1"
        assert schema["description"] == "A whole. Additive within a major version."
        assert schema["properties"]["schema"] == {"const": "archscope.whole/1"}
        assert schema["properties"]["parts"]["description"] == "Its parts."
        assert schema["required"] == ["schema", "parts"]
        part = schema["$defs"]["Part"]
        assert part["properties"]["name"] == {"type": "string", "description": "What it is called."}
        assert part["required"] == ["name", "size", "place", "settings"]
        assert schema["$defs"]["Place"]["properties"]["line"]["description"] == "From 1."

    def test_it_accepts_what_is_written_and_nothing_else(self) -> None:
        validator = jsonschema.Draft202012Validator(build_schema(Whole))
        validator.validate(PLAIN)
        for wrong in (change(size=-1), change(size=None), change(mode="up"), change(settings={"a": {"b": 1}})):
            assert not validator.is_valid(wrong)
        assert not validator.is_valid(PLAIN | {"schema": "archscope.whole/2"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def list_places(value: Any) -> list[tuple[Any, Any]]:
    """Every container in a JSON value, with each of its keys."""
    if not isinstance(value, (dict, list)):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [place for key in keys for place in list_places(value[key])]


class TestFuzz:
    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data(), value=JSON, delete=st.booleans())
    def test_a_damaged_trace_is_read_or_told(self, residual: Any, data: Any, value: Any, *, delete: bool) -> None:
        document = encode(build_trace_document(*residual, ops=True))
        container, key = data.draw(st.sampled_from(list_places(document)))
        if delete:
            del container[key]
        else:
            container[key] = value
        with suppress(DataError):
            saved = decode(document, TraceDocument)
            read_trace(saved)
            read_costs(saved)

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    def test_a_flipped_bit_in_a_file(self, residual: Any, tmp_path: Path, place: float, bit: int) -> None:
        blob = bytearray(format_document(build_trace_document(*residual, ops=True)).encode())
        blob[int(place * len(blob))] ^= 1 << bit
        path = tmp_path / "flipped.json"
        path.write_bytes(blob)
        with suppress(DataError):
            saved = read_document(path, TraceDocument)
            read_trace(saved)
