"""The columns that a table of layers can have, and which of them are shown."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from archscope.core.errors import UnknownNameError, UsageError
from archscope.core.table import Column
from archscope.tables import receptive

_ALL = (
    Column("layer", "layer"),
    Column("depth", "depth", align="right", kind="number"),
    Column("leaf", "leaf"),
    Column("type", "type", flexible=True, noted=True),
    Column("input", "input"),
    Column("output", "output"),
    Column("kernel", "kernel"),
    Column("params", "parameters", align="right", kind="number"),
    Column("params_share", "share of params", align="right", kind="share", optional=True),
    Column("macs", "MACs", align="right", kind="number"),
    Column("share", "share", align="right", kind="share", optional=True),
    Column("memory", "memory", align="right", kind="number"),
    Column("memory_share", "share of memory", align="right", kind="share", optional=True),
)
_BY_KEY = {column.key: column for column in _ALL}
_COUNT = Column("count", "count", align="right", kind="number", hidden=True)

NAMES = tuple(_BY_KEY)
"""The words of `--columns`, in the order that a table of all of them has."""
_KEYS = {
    **{column.title.casefold().replace(" ", "_"): column.key for column in _ALL},
    **dict.fromkeys(("macs_share", "share_of_macs"), "share"),
    **{name: name for name in NAMES},
}
"""What a column answers to: its key, and its heading."""
EVERY = "all"
"""The word for all of them."""

_USUAL = ("layer", "type", "output", "params", "macs", "share")
_SORTED = {
    "params": ("layer", "type", "output", "params", "params_share", "macs"),
    "memory": ("layer", "type", "output", "memory", "memory_share", "params", "macs"),
}
"""What a list is sorted by comes first, with its share; a narrow terminal may leave out what follows."""

MEMORY_NOTE = "memory: activation memory, the outputs of a layer, or of all the layers in it"


def check_columns(words: str | Iterable[str]) -> tuple[str, ...]:
    """The keys of the columns so named, the layer first: `"input,kernel"`, `["input", "kernel"]`, `"all"`.

    Raises UnknownNameError for a word that names none, UsageError where there is none or one comes twice.
    """
    listed = words.split(",") if isinstance(words, str) else words
    names = [str(word).strip().casefold().replace("-", "_").replace(" ", "_") for word in listed]
    if names == [EVERY]:
        return NAMES
    known = f"known: {', '.join(NAMES)}; or all of them: all"
    if not any(names):
        raise UsageError("no column is named", known)
    for name in names:
        if name not in _KEYS:
            raise UnknownNameError("column", name, NAMES, known)
    keys = [_KEYS[name] for name in names]
    for key in keys:
        if keys.count(key) > 1:
            raise UsageError(f"column {key!r} is named twice", "leave out one of them")
    return ("layer", *(key for key in keys if key != "layer"))


def choose_columns(keys: Sequence[str], sort: str | None, *, receptive_fields: bool) -> tuple[Column, ...]:
    """The columns of those keys, or without any those that suit the order; programs get a few more."""
    first, *shown = _choose_asked(keys) if keys else _choose_sorted(sort or "")
    named = {first.key, *(column.key for column in shown)}
    more = ("depth", "leaf") if keys else ("depth", "leaf", "share", "memory")
    hidden = [replace(_BY_KEY[key], hidden=True) for key in more if key not in named]
    reach = receptive.COLUMNS if receptive_fields else ()
    return (first, *(() if keys else (_COUNT,)), *shown, *hidden, *reach)


def _choose_sorted(sort: str) -> list[Column]:
    keys = _SORTED.get(sort)
    if keys is None:
        return [_BY_KEY[key] for key in _USUAL]
    kept = keys.index(f"{sort}_share")
    return [replace(_BY_KEY[key], optional=place > kept) for place, key in enumerate(keys)]


def _choose_asked(keys: Sequence[str]) -> list[Column]:
    """What is asked for by name stays in a narrow terminal; of all columns, the usual ones do."""
    kept = _USUAL[:-1] if tuple(keys) == NAMES else keys
    titles = {"share": "share of MACs"} if {"params_share", "memory_share"}.intersection(keys) else {}
    return [replace(_BY_KEY[key], title=titles.get(key, _BY_KEY[key].title), optional=key not in kept) for key in keys]
