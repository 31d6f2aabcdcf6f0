"""Published figures, and other tools' counts, beside what is measured, as documents."""

from typing import Literal, TypeAlias

from archscope.core.codec import Document, Entry

Verdict: TypeAlias = Literal["agrees", "rounded", "convention", "inconsistent", "wrong", "not recomputable"]
Row: TypeAlias = tuple[int | str, ...]


class SourceEntry(Entry, frozen=True):
    """One source and what became of its figures."""

    source: str
    """Name of the file of its figures."""
    key: str
    title: str
    figures: int
    measured: int
    """Figures that have a measured value."""
    verdicts: dict[Verdict, int]


class FactEntry(Entry, frozen=True):
    """One published figure."""

    id: str
    published: str
    """exactly as printed"""
    measured: str | None
    """for people"""
    measured_value: int | tuple[int | str | Row, ...] | None
    """an integer; a list of sizes, words or lists; where the figure is not whole, [numerator, denominator]"""
    verdict: Verdict
    arithmetic: str
    """how the value comes about; empty where it is read off directly"""
    explanation: str
    """why the figure is odd; empty where it is not"""
    source: str
    model: str
    """as the source calls it"""
    where: str
    """the row, layer or part it is about"""
    quantity: str
    locus: str
    """table, section or slide"""
    unit: str
    check: Literal["trace", "arithmetic", "run", "text", "external"]
    """what could answer it"""
    reason: str
    """why there is no value; the convention under which the figure is right; or what it contradicts"""
    note: str
    """the note published with the figure"""


class VerifyDocument(Document, frozen=True, tag="archscope.verify/1"):
    """Published figures against what is measured."""

    archscope: str
    kept: bool
    """false where a recomputable figure has no value, or an odd one no explanation: exit code 1"""
    sources: tuple[SourceEntry, ...]
    facts: tuple[FactEntry, ...]


Standing: TypeAlias = Literal["holds", "differs", "not comparable"]


class AgainstFigure(Entry, frozen=True):
    """One published figure of the network beside the model."""

    id: str
    published: str
    """exactly as printed"""
    measured: str | None
    """of the model, for people; null where it is not comparable"""
    expected: str | None
    """what the paper's network measures as archscope builds it; null where it is not comparable"""
    verdict: Standing
    """not comparable: the model does not show it, or it is about something else; never counted as held"""
    judgement: str
    """what verify says of the printed figure beside the model's: agrees, rounded, ...; empty where not comparable"""
    reason: str
    """why it is not comparable, or how the value comes about"""
    source: str
    model: str
    """as the source calls it"""
    where: str
    quantity: str
    locus: str
    """table, section or slide"""


class AgainstLayer(Entry, frozen=True):
    """One quantity of the whole network, or of a layer with weights."""

    place: str
    """path of the layer in archscope's model; empty for the whole network, and for a layer of the model alone"""
    theirs: str
    """path of its counterpart in the model; empty where there is none"""
    quantity: str
    """parameters, MACs, input or output of the whole; output, weight or MACs of a layer"""
    expected: int | tuple[int, ...] | None
    """a count or a shape; null where there is no such layer, or MACs cannot be counted"""
    measured: int | tuple[int, ...] | None
    verdict: Standing


class AgainstDocument(Document, frozen=True, tag="archscope.against/1"):
    """A model against a network of the papers: archscope verify TARGET --against MODEL --format json."""

    archscope: str
    target: str
    against: str
    """name of the built-in model"""
    kept: bool
    """false where anything differs: exit code 1"""
    figures: tuple[AgainstFigure, ...]
    totals: tuple[AgainstLayer, ...]
    layers: tuple[AgainstLayer, ...]


class DifferenceEntry(Entry, frozen=True):
    """A part of theirs minus ours, with its cause."""

    difference: int
    """theirs minus ours: positive where the tool counts more"""
    cause: str
    explained: bool
    """false where nothing that is known of the tool accounts for it"""


class CounterEntry(Entry, frozen=True):
    """One tool beside ours."""

    tool: str
    version: str | None
    ran_on: Literal["meta", "cpu"] | None
    """where the model was that it ran; null where it did not run"""
    params: int | None
    """null where the tool does not count them"""
    macs: int | None
    """1 MAC is 1 multiply-add, whatever the tool prints"""
    printed: str
    """as the tool itself puts it"""
    explained: bool
    """whether every difference has a known cause"""
    params_differences: tuple[DifferenceEntry, ...]
    differences: tuple[DifferenceEntry, ...]
    """of the MACs"""
    error: str | None
    """why there is no count"""


class ModelEntry(Entry, frozen=True):
    """One model with every tool's counts."""

    target: str
    title: str
    input: str
    """shapes of the inputs, in words"""
    params: int
    macs: int | None
    """null where ours has uncounted operations"""
    counters: tuple[CounterEntry, ...]


class CountersDocument(Document, frozen=True, tag="archscope.counters/1"):
    """Other tools' counts beside ours: archscope verify --counters TARGET --format json."""

    models: tuple[ModelEntry, ...]
