"""Tables and explanations as documents: what people read, for programs."""

from typing import Literal

from archscope.core.codec import Count, Document, Entry, Shape
from archscope.core.documents.trace import TensorEntry
from archscope.core.table import ColumnKind


class ColumnEntry(Entry, frozen=True):
    """One column of a table."""

    key: str
    """The key of the rows' values."""
    title: str
    """Heading for people."""
    unit: str
    kind: ColumnKind
    """share: fractions of 1."""


class TableDocument(Document, frozen=True, tag="archscope.table/1"):
    """A table as data."""

    title: str
    subtitle: str
    """The conditions."""
    columns: tuple[ColumnEntry, ...]
    rows: tuple[dict[str, bool | int | float | str | None], ...]
    """The values by the columns' keys; null where there is none."""
    notes: tuple[str, ...]
    """Totals in words, conventions, footnotes."""


class LineEntry(Entry, frozen=True):
    """One quantity of a layer and how it comes about."""

    quantity: str
    """What it is: parameters, MACs, height, width, ...; in a block, the part it is about."""
    expression: str | None
    """Arithmetic with + - * / ( ) floor ceil that evaluates to value; null where nothing is computed."""
    value: int | float | None
    """The exact number; null where the answer is none."""
    text: str
    """The answer for people."""
    remark: str
    of: str | None
    """In a block, the sum that a part's number belongs to: parameters or MACs."""


class ExplanationEntry(Entry, frozen=True):
    """The arithmetic of one layer, block or stack."""

    kind: Literal["layer", "block", "stack"]
    """A layer that calls no other, a block that does, or a stack from one layer to another."""
    layer: str
    """The module path, empty for the model itself; of a stack, first:last."""
    type: str
    call: Count
    """How many times the module had been called before."""
    title: str
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    lines: tuple[LineEntry, ...]


class ExplainDocument(Document, frozen=True, tag="archscope.explain/1"):
    """The arithmetic behind layers: archscope explain TARGET LAYER --format json."""

    archscope: str
    """Version of archscope."""
    torch: str
    """Version of torch that ran the pass."""
    target: str
    inputs: tuple[TensorEntry, ...]
    """Of the model."""
    explanations: tuple[ExplanationEntry, ...]
    """One, or with --all one for every layer call, the model itself first."""
