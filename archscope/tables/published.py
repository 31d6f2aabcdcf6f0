"""The name of a source goes in; its published figures come out, exactly as printed. Nothing measured is stored.

The figures are data: one TOML file a source in `facts/`, whose fields `Fact` explains.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from archscope.core.errors import DataError, UnknownNameError

FOLDER = "facts"
_SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class Fact:
    """One published figure."""

    id: str
    """Unique among all sources: `vgg.t1.A.conv1_1`."""
    model: str
    """As the source calls it."""
    where: str
    """The row, layer or part it is about."""
    quantity: str
    """`params`, `macs`, `output_shape`, ...; slashes join several."""
    published: str
    """Exactly as printed, with x for the times sign and ^ for powers."""
    rounding: str
    locus: str
    """Table, section or slide."""
    check: str
    """`trace`, `arithmetic`, `run`, `text` or `external`: what could answer it."""
    confirmed: bool
    """True if it was found in a text of the source, false if quoted from memory."""
    unit: str = ""
    convention: str = ""
    """What the figure leaves out or calls differently."""
    printed_number: str = ""
    """The digits as printed, where the figure is one number."""
    scale: int = 1
    """The published value is `printed_number * scale`."""
    split: str = ""
    year: int | None = None
    team: str = ""
    note: str = ""
    """Why the figure is odd, or why it cannot be recomputed."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures were printed."""

    name: str
    """The file's: `simonyan2014_vgg`."""
    key: str
    authors: str
    year: int
    title: str
    venue: str
    confirmed_by: str
    default_locus: str


def list_sources() -> tuple[str, ...]:
    """The names that `load_facts` knows, sorted."""
    names = (entry.name for entry in (files(__package__) / FOLDER).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def load_facts(source: str) -> tuple[Fact, ...]:
    """The figures of `source`, in the order of its file. Raises UnknownNameError, DataError."""
    return tuple(_read_fact(entry, source) for entry in _load(source).get("fact", ()))


def load_source(source: str) -> Source:
    """What `source` is. Raises UnknownNameError, DataError."""
    entry = _load(source)["source"]
    texts = ("key", "authors", "title", "venue", "confirmed_by", "default_locus")
    return Source(name=source, year=int(entry["year"]), **{word: str(entry.get(word, "")) for word in texts})


def index_facts(*sources: str) -> dict[str, Fact]:
    """The figures of several sources by id. Raises DataError where two have one id."""
    index: dict[str, Fact] = {}
    for source in sources:
        for fact in load_facts(source):
            if fact.id in index:
                raise DataError(f"two published figures have the id {fact.id!r}")
            index[fact.id] = fact
    return index


@cache
def _load(source: str) -> Mapping[str, Any]:
    known = list_sources()
    if source not in known:
        raise UnknownNameError("source", source, known, f"known: {', '.join(known)}")
    text = (files(__package__) / FOLDER / f"{source}{_SUFFIX}").read_text(encoding="utf-8")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(
            f"the published figures of {source} cannot be read: {error}", "install archscope again"
        ) from error


def _read_fact(entry: Mapping[str, Any], source: str) -> Fact:
    try:
        return Fact(**entry)
    except TypeError as error:
        raise DataError(f"{source}: {entry.get('id', 'a figure without id')}: {error}") from error
