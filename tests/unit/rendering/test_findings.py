"""Findings as text, JSON and annotations."""

import json

import jsonschema
import pytest

from archscope.core.documents import load_schema
from archscope.core.errors import UnknownNameError
from archscope.core.finding import Finding
from archscope.rendering.findings import render_findings

FOUND = Finding("warning", "shape", "wrong: 50 %\nnot 60", file="a,b.py", line=7, remedy="mend it")


def test_text_has_the_place_and_the_remedy() -> None:
    assert render_findings([FOUND], "table") == "a,b.py:7: warning: wrong: 50 %\nnot 60\n  mend it\n"


def test_annotations_escape_what_would_end_them() -> None:
    assert render_findings([FOUND], "github") == "::warning file=a%2Cb.py,line=7,title=shape::wrong: 50 %25%0Anot 60\n"
    note = Finding("note", "n:1", "fine")
    assert render_findings([note], "GitHub") == "::notice title=n%3A1::fine\n"


def test_json_has_every_field() -> None:
    document = json.loads(render_findings([FOUND], "json"))
    assert document["findings"][0]["line"] == 7
    assert document["schema"] == "archscope.findings/1"
    jsonschema.validate(document, load_schema("findings"))


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UnknownNameError):
        render_findings([FOUND], "yaml")
