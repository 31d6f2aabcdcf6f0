"""A JSON document goes in; its text comes out: ASCII only, and one line per entry of its lists."""

import json
from collections.abc import Mapping


def format_json(document: Mapping[str, object]) -> str:
    """The text of `document`, ended by a newline. Raises ValueError for NaN and infinities, which JSON lacks."""
    fields = [f"{_dump(key)}: {_format_field(value)}" for key, value in document.items()]
    return "{\n  " + ",\n  ".join(fields) + "\n}\n" if fields else "{}\n"


def _format_field(value: object) -> str:
    if isinstance(value, (list, tuple)) and len(value) > 1 and all(isinstance(item, (dict, str)) for item in value):
        return "[\n    " + ",\n    ".join(_dump(item) for item in value) + "\n  ]"
    return _dump(value)


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)
