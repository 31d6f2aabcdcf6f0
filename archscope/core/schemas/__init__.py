"""The name of an output goes in; its JSON Schema (draft 2020-12) comes out."""

import json
from importlib.resources import files
from typing import Any

from archscope.core.errors import DataError, UnknownNameError

_SUFFIX = ".json"


def list_schemas() -> tuple[str, ...]:
    """The names that `load_schema` knows, sorted."""
    names = (entry.name for entry in files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def load_schema(name: str) -> dict[str, Any]:
    """The schema of that name. Raises UnknownNameError where there is none."""
    known = list_schemas()
    if name not in known:
        raise UnknownNameError("schema", name, known, f"known: {', '.join(known)}")
    schema = json.loads((files(__package__) / f"{name}{_SUFFIX}").read_text(encoding="utf-8"))
    if not isinstance(schema, dict):
        raise DataError(f"the schema {name!r} is not a JSON object")
    return schema
