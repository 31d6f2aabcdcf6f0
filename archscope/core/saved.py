"""A saved JSON document goes in; its Trace comes out. Whatever is malformed is a DataError that says where."""

from collections.abc import Mapping
from typing import Any, cast

from archscope.core.errors import DataError
from archscope.core.tensors import TensorSpec
from archscope.core.trace import (
    Edge,
    Failure,
    LayerCall,
    Mode,
    OpRecord,
    Setting,
    SourceSpan,
    StateTensor,
    StateTotals,
    Trace,
    ValueRef,
)

MODES = ("meta", "fake", "real")
KINDS = ("parameter", "buffer")


class DocumentReader:
    """Typed access to one JSON object; `place` is where it stands in the document, for the messages."""

    def __init__(self, data: object, place: str = "the document") -> None:
        if not isinstance(data, Mapping):
            raise DataError(f"{place} is not a JSON object")
        self.data: Mapping[str, Any] = data
        self.place = place

    def check_schema(self, expected: str) -> None:
        """Raise DataError unless this is a document of the `expected` schema (its major version included)."""
        found = self.data.get("schema")
        if found != expected:
            raise DataError(
                f"not a saved trace: its schema is {found!r}, not {expected!r}",
                "make one with: archscope trace TARGET --ops -o trace.json",
            )

    def check_ops(self) -> None:
        """Raise DataError unless the operations are there."""
        missing = [key for key in ("ops", "edges", "state") if key not in self.data]
        if missing:
            raise DataError(
                f"the trace of {self.data.get('target')!r} was saved without its operations",
                "save it with them: archscope trace TARGET --ops -o trace.json",
            )

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def get(self, key: str, *kinds: type, required: bool = True) -> Any:
        """The value under `key`, which must be of one of `kinds`."""
        if key not in self.data:
            if required:
                raise DataError(f"{self.place} has no {key!r}")
            return None
        value = self.data[key]
        if (isinstance(value, bool) and bool not in kinds) or not isinstance(value, kinds):
            raise DataError(f"{self.place}: {key!r} is {type(value).__name__}, not {' or '.join(_names(kinds))}")
        return value

    def text(self, key: str) -> str:
        """A string."""
        return str(self.get(key, str))

    def choice(self, key: str, known: tuple[str, ...]) -> str:
        """A string that is one of `known`."""
        value = self.text(key)
        if value not in known:
            raise DataError(f"{self.place}: {key!r} is {value!r}, not one of {', '.join(known)}")
        return value

    def optional_text(self, key: str) -> str | None:
        """A string or null."""
        return cast("str | None", self.get(key, str, type(None)))

    def flag(self, key: str) -> bool:
        """A boolean."""
        return bool(self.get(key, bool))

    def integer(self, key: str) -> int:
        """A whole number."""
        return int(self.get(key, int))

    def optional_int(self, key: str) -> int | None:
        """A whole number or null."""
        return cast("int | None", self.get(key, int, type(None)))

    def integers(self, key: str) -> tuple[int, ...]:
        """A list of whole numbers."""
        return self._items(key, int)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        return self._items(key, str)

    def _items(self, key: str, kind: type) -> tuple[Any, ...]:
        values = self.get(key, list)
        if any(isinstance(value, bool) or not isinstance(value, kind) for value in values):
            raise DataError(f"{self.place}: {key!r} is not a list of {kind.__name__}")
        return tuple(values)

    def section(self, key: str) -> "DocumentReader":
        """An object."""
        return DocumentReader(self.get(key, Mapping), f"{self.place}, {key}")

    def optional_section(self, key: str) -> "DocumentReader | None":
        """An object or null."""
        return None if self.get(key, Mapping, type(None)) is None else self.section(key)

    def sections(self, key: str, *, required: bool = True) -> list["DocumentReader"]:
        """A list of objects."""
        values = self.get(key, list, required=required) or []
        return [DocumentReader(value, f"{self.place}, {key}[{index}]") for index, value in enumerate(values)]

    def settings(self, key: str) -> tuple[tuple[str, Setting], ...]:
        """An object of settings."""
        return tuple((str(name), self._setting(value)) for name, value in self.get(key, Mapping).items())

    def _setting(self, value: object) -> Setting:
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, list):
            return tuple(self._setting(item) for item in value)
        if isinstance(value, Mapping) and value.get("float") in ("inf", "-inf", "nan"):
            return float(value["float"])
        raise DataError(f"{self.place}: {value!r} is not a setting")


def read_trace(reader: DocumentReader) -> Trace:
    """The trace in a document of schema `archscope.trace/1`."""
    totals = reader.section("totals")
    failure = reader.optional_section("failure")
    return Trace(
        archscope=reader.text("archscope"),
        torch=reader.text("torch"),
        target=reader.text("target"),
        arguments=reader.settings("arguments"),
        mode=cast("Mode", reader.choice("mode", MODES)),
        training=reader.flag("training"),
        inputs=_read_values(reader, "inputs"),
        outputs=_read_values(reader, "outputs"),
        layers=_read_layers(reader),
        ops=tuple(_read_op(op) for op in reader.sections("ops", required=False)),
        edges=tuple(
            Edge(edge.optional_int("producer"), edge.integer("consumer"), edge.integer("value"))
            for edge in reader.sections("edges", required=False)
        ),
        state=tuple(_read_state(tensor) for tensor in reader.sections("state", required=False)),
        totals=StateTotals(
            params=totals.integer("params"),
            trainable_params=totals.integer("trainable_params"),
            buffers=totals.integer("buffers"),
            param_bytes=totals.integer("param_bytes"),
            buffer_bytes=totals.integer("buffer_bytes"),
        ),
        never_called=reader.texts("never_called"),
        notes=reader.texts("notes") if "notes" in reader else (),
        failure=_read_failure(failure) if failure else None,
    )


def _read_layers(reader: DocumentReader) -> tuple[LayerCall, ...]:
    layers = tuple(_read_layer(layer) for layer in reader.sections("layers"))
    if not layers:
        raise DataError("the trace has no layers")
    for index, layer in enumerate(layers):
        parent = layer.parent if layer.parent is not None else -1
        if layer.id != index or not (parent < index and (parent >= 0) == (index > 0)):
            raise DataError(f"layers[{index}] has id {layer.id} and parent {layer.parent}, which is no pre-order")
    return layers


def _read_layer(entry: DocumentReader) -> LayerCall:
    return LayerCall(
        id=entry.integer("id"),
        parent=entry.optional_int("parent"),
        path=entry.text("path"),
        type=entry.text("type"),
        call=entry.integer("call"),
        depth=entry.integer("depth"),
        leaf=entry.flag("leaf"),
        inputs=_read_values(entry, "inputs"),
        outputs=_read_values(entry, "outputs"),
        own_params=entry.integer("own_params"),
        params=entry.integer("params"),
        trainable_params=entry.integer("trainable_params"),
        buffers=entry.integer("buffers"),
        shared_with=entry.texts("shared_with"),
        settings=entry.settings("settings"),
        sources=_read_sources(entry),
        first_op=entry.integer("first_op") if "first_op" in entry else 0,
        end_op=entry.integer("end_op") if "end_op" in entry else 0,
    )


def _read_op(entry: DocumentReader) -> OpRecord:
    return OpRecord(
        index=entry.integer("index"),
        name=entry.text("name"),
        overload=entry.text("overload"),
        layer=entry.integer("layer"),
        inputs=_read_values(entry, "inputs"),
        outputs=_read_values(entry, "outputs"),
        arguments=entry.settings("arguments"),
        sources=_read_sources(entry),
    )


def _read_state(entry: DocumentReader) -> StateTensor:
    kind = entry.choice("kind", KINDS)
    return StateTensor(
        path=entry.text("path"),
        value=entry.integer("value"),
        shape=entry.integers("shape"),
        dtype=entry.text("dtype"),
        kind="parameter" if kind == "parameter" else "buffer",
        trainable=entry.flag("trainable"),
    )


def _read_failure(entry: DocumentReader) -> Failure:
    return Failure(
        layer=entry.integer("layer"),
        path=entry.text("path"),
        error=entry.text("error"),
        message=entry.text("message"),
        sources=_read_sources(entry),
        expected=entry.optional_text("expected"),
        got=entry.optional_text("got"),
        remedies=entry.texts("remedies"),
    )


def _read_values(entry: DocumentReader, key: str) -> tuple[ValueRef, ...]:
    return tuple(
        ValueRef(
            value.integer("value") if "value" in value else 0,
            TensorSpec(value.text("key"), value.integers("shape"), value.text("dtype")),
        )
        for value in entry.sections(key)
    )


def _read_sources(entry: DocumentReader) -> tuple[SourceSpan, ...]:
    if "sources" in entry:
        return tuple(_read_source(span) for span in entry.sections("sources"))
    span = entry.optional_section("source")
    return (_read_source(span),) if span else ()


def _read_source(entry: DocumentReader) -> SourceSpan:
    return SourceSpan(
        file=entry.text("file"),
        line=entry.integer("line"),
        end_line=entry.integer("end_line"),
        column=entry.optional_int("column"),
        end_column=entry.optional_int("end_column"),
        function=entry.text("function"),
    )


def _names(kinds: tuple[type, ...]) -> list[str]:
    words: dict[type, str] = {int: "a whole number", str: "a string", bool: "true or false", list: "a list"}
    return [words.get(kind, "an object" if kind is Mapping else "null") for kind in kinds]
