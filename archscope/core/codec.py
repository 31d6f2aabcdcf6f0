"""The codec of every JSON document: typed values become JSON, JSON becomes typed values, and a type its JSON Schema.

A document is a frozen type whose fields are the keys of the JSON, in their order. A field that is `ABSENT` is left out;
keys that a type does not know are ignored, since documents only gain keys within a major version.
"""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from math import isfinite
from pathlib import Path
from textwrap import dedent
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar, cast

import msgspec
from msgspec.inspect import CustomType, DataclassType, StructType, Type, type_info

from archscope.core.errors import DataError
from archscope.core.files import format_json
from archscope.core.json_text import parse_json
from archscope.core.paths import read_file
from archscope.core.trace import Setting

Absent: TypeAlias = msgspec.UnsetType
ABSENT = msgspec.UNSET
"""The value of a key that is only there when it is asked for."""

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
"""A whole number from 0."""
Shape: TypeAlias = tuple[Count, ...]
NonEmpty = msgspec.Meta(min_length=1)
Bounds = msgspec.Meta
"""Of a number: `Annotated[int, Bounds(ge=1, le=9)]`."""
Digits: TypeAlias = Annotated[str, msgspec.Meta(pattern="^[0-9]+$")]


class Entry(msgspec.Struct, frozen=True):
    """An object within a document."""


class Document(msgspec.Struct, frozen=True, tag_field="schema"):
    """A whole document; its tag, `archscope.trace/1`, is the value of its first key."""

    noun: ClassVar[str] = "document"
    """What people call it."""
    remedy: ClassVar[str] = ""
    """For whoever brings something else."""
    constraints: ClassVar[Mapping[str, Any]] = {}
    """What its JSON Schema says beyond the types."""

    @classmethod
    def schema_word(cls) -> str:
        """`archscope.trace/1`: what the document is, with its major version."""
        return str(cls.__struct_config__.tag)


class Settings:
    """Module settings or arguments by name: plain data, with {"float": "inf"} for the floats that JSON lacks."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: Iterable[tuple[str, Setting]]) -> None:
        self.pairs = tuple(pairs)


KindT = TypeVar("KindT")
DocumentT = TypeVar("DocumentT", bound=Document)

_SETTING_SCHEMA = {
    "description": 'Plain data; a float that JSON lacks is {"float": "inf"}.',
    "oneOf": [
        {"type": ["null", "boolean", "number", "string"]},
        {"type": "array", "items": {"$ref": "#/$defs/Setting"}},
        {
            "type": "object",
            "properties": {"float": {"enum": ["inf", "-inf", "nan"]}},
            "required": ["float"],
            "additionalProperties": False,
        },
    ],
}
_SETTINGS_SCHEMA = {"type": "object", "additionalProperties": {"$ref": "#/$defs/Setting"}}

_PLAIN: tuple[Any, ...] = (str, int, float, tuple)
"""What classes of their own are written as: torch's version is a string of one."""

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a string",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}


def fill(kind: type[KindT], source: object, /, **given: Any) -> KindT:
    """A `kind` whose fields are those `given`, and the attributes of `source` that bear the same names.

    Attributes that are ABSENT, or that `source` lacks, are left to the defaults of `kind`.
    """
    names = getattr(kind, "__struct_fields__", None) or kind.__dataclass_fields__  # type: ignore[attr-defined]
    found = {name: getattr(source, name, ABSENT) for name in names if name not in given}
    return kind(**{name: value for name, value in found.items() if value is not ABSENT}, **given)


def encode(document: object) -> Any:
    """The document as plain data: dicts, lists, strings, numbers, booleans and None."""
    return _make_lists(msgspec.to_builtins(document, enc_hook=_write_custom))


def format_document(document: Document) -> str:
    """The text of a document, ended by a newline. Raises ValueError for a float that JSON lacks."""
    return format_json(msgspec.to_builtins(document, enc_hook=_write_custom))


def decode(data: object, kind: type[KindT], name: str = "") -> KindT:
    """The `kind` that plain data stand for. Raises DataError for whatever is malformed, which says where.

    `name` is where the data came from: a file, for instance.
    """
    told, remedy = name or "the document", getattr(kind, "remedy", "")
    if hasattr(kind, "schema_word"):
        _check_schema(data, cast("type[Document]", kind), told)
    try:
        return msgspec.convert(data, kind, dec_hook=_read_custom)
    except msgspec.ValidationError as error:
        raise DataError(_explain(str(error), kind, name), remedy) from error
    except RecursionError as error:
        raise DataError(f"{told} is nested too deeply", remedy) from error
    except UnicodeEncodeError as error:
        raise DataError(f"{told} holds half a character: {error.object!a}", remedy) from error


def decode_text(text: str | bytes, kind: type[KindT], name: str = "") -> KindT:
    """The `kind` that a JSON text stands for. Raises DataError as `decode` does."""
    return decode(parse_json(text, name, getattr(kind, "remedy", "")), kind, name)


def read_document(path: Path, kind: type[DocumentT]) -> DocumentT:
    """The document in a file. Raises DataError where there is none."""
    return decode_text(read_file(path, DataError, kind.remedy), kind, str(path))


def build_schema(kind: type[Document]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a type of documents; what it says in words stands beneath the fields."""
    _, definitions = msgspec.json.schema_components((kind,), schema_hook=lambda _: dict(_SETTINGS_SCHEMA))
    for part in _list_kinds(type_info(kind)):
        if part is Settings:
            definitions["Setting"] = _SETTING_SCHEMA
            continue
        properties = definitions[part.__name__]["properties"]
        for name, text in _read_field_texts(part).items():
            if name in properties:
                properties[name]["description"] = text
    root = definitions.pop(kind.__name__)
    root["properties"]["schema"] = {"const": kind.schema_word()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root,
        "title": kind.schema_word(),
        "description": f"{root['description']} Additive within a major version.",
        **kind.constraints,
        "$defs": definitions,
    }


def _make_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _make_lists(item) for key, item in value.items()}
    return [_make_lists(item) for item in value] if isinstance(value, (list, tuple)) else value


def _write_custom(value: object) -> object:
    if isinstance(value, Settings):
        return {name: _write_setting(setting) for name, setting in value.pairs}
    for plain in _PLAIN:
        if isinstance(value, plain):
            return plain(value)
    raise NotImplementedError(f"no document holds a {type(value).__name__}")


def _write_setting(value: Setting) -> object:
    if isinstance(value, tuple):
        return tuple(_write_setting(item) for item in value)
    return {"float": str(value)} if isinstance(value, float) and not isfinite(value) else value


def _read_custom(kind: type, data: object) -> Settings:
    if not isinstance(data, Mapping):
        raise ValueError("expected an object")
    return Settings((str(name), _read_setting(value)) for name, value in data.items())


def _read_setting(value: object) -> Setting:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(_read_setting(item) for item in value)
    if isinstance(value, Mapping) and value.get("float") in ("inf", "-inf", "nan"):
        return float(value["float"])
    raise ValueError(f"{value!r} is not a setting")


def _check_schema(data: object, kind: type[Document], name: str) -> None:
    found = data.get("schema") if isinstance(data, Mapping) else None
    if found != kind.schema_word():
        told = f"its schema is {found!r}, not" if isinstance(found, str) else "its schema is not"
        raise DataError(
            f"{name} is not a {kind.noun}: {told} {kind.schema_word()!r}",
            kind.remedy,
        )


def _explain(message: str, kind: type, name: str) -> str:
    """Msgspec's message with the place first: `layers[3].id: expected a whole number, found a string`."""
    told, _, path = message.rpartition(" - at `$")
    told, place = (told, path.rstrip("`").lstrip(".")) if told else (message, "")
    where = ": ".join(part for part in (name, place) if part) or "the document"
    missing = re.fullmatch(r"Object missing required field `(.*)`", told)
    if missing:
        return f"{where} has no {missing[1]!r}"
    unknown = re.fullmatch(r"Invalid enum value (.*)", told, re.DOTALL)
    if unknown:
        choices = ", ".join(map(str, _list_choices(type_info(kind), re.findall(r"[^\W\d]\w*|\[", place))))
        return f"{where}: {unknown[1]} is not one of {choices}"
    told = re.sub(r"`([^`]*)`", lambda found: _name_kinds(found[1]), told)
    return f"{where}: {told[:1].lower()}{told[1:].replace(', got ', ', found ')}"


def _name_kinds(words: str) -> str:
    return " or ".join(_WORDS.get(word, word) for word in words.split(" | "))


def _list_choices(node: Type, steps: list[str]) -> list[object]:
    """The values that a field of few words may have, by the names on the way to it; `[` goes into a list or object."""
    if hasattr(node, "values") and not steps:
        return list(node.values)
    if isinstance(node, (StructType, DataclassType)):
        fields = [field.type for field in node.fields if steps and field.encode_name == steps[0]]
        return [value for inner in fields for value in _list_choices(inner, steps[1:])]
    inside = steps[1:] if steps[:1] == ["["] else steps
    return [value for inner in _list_parts(node) for value in _list_choices(inner, inside)]


def _list_parts(node: Type) -> Iterator[Type]:
    """The types that a list, an object, a union or a field's type is made of."""
    if isinstance(node, (StructType, DataclassType)):
        yield from (field.type for field in node.fields)
    yield from (getattr(node, name) for name in ("item_type", "value_type", "type") if hasattr(node, name))
    yield from (*getattr(node, "types", ()), *(getattr(node, "item_types", ())))


def _list_kinds(node: Type, found: dict[type, None] | None = None) -> tuple[type, ...]:
    """The classes within a type, itself first."""
    found = {} if found is None else found
    if isinstance(node, (StructType, DataclassType, CustomType)):
        if node.cls in found:
            return ()
        found[node.cls] = None
    for part in _list_parts(node):
        _list_kinds(part, found)
    return tuple(found)


def _read_field_texts(kind: type) -> dict[str, str]:
    """What stands beneath the fields of a class in its source, by their names."""
    body = cast("ast.ClassDef", ast.parse(dedent(inspect.getsource(kind))).body[0]).body
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
