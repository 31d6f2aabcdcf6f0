"""The generated catalogue: the models' names, sources and counts leave, read from `catalogue.json`. Torch-free."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

from archscope.core.errors import DataError
from archscope.models.entry import Shape

CATALOGUE_SCHEMA = "archscope.catalogue/1"


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One built-in model, with its defaults, traced in eval mode at batch 1."""

    name: str
    title: str
    family: str
    source: str
    input: Shape
    """(C, H, W) of its default image."""
    params: int
    macs: int


@cache
def load_catalogue() -> tuple[CatalogueRow, ...]:
    """Every row, in the registry's order. Raises DataError where the file cannot be read."""
    try:
        text = resources.files("archscope.models").joinpath("catalogue.json").read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"the catalogue of models is missing: {error}", "install archscope again") from error
    return read_catalogue(text)


def read_catalogue(text: str) -> tuple[CatalogueRow, ...]:
    """Rows from the catalogue's JSON text. Raises DataError where it is not a catalogue."""
    try:
        document = json.loads(text)
        if document["schema"] != CATALOGUE_SCHEMA:
            raise DataError(f"the catalogue has schema {document['schema']!r}, not {CATALOGUE_SCHEMA!r}")
        return tuple(CatalogueRow(**{**row, "input": tuple(row["input"])}) for row in document["models"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the catalogue of models cannot be read: {error}", "install archscope again") from error


def write_catalogue(rows: tuple[CatalogueRow, ...]) -> str:
    """The catalogue's JSON text, one row a line; the inverse of `read_catalogue`."""
    lines = ",\n  ".join(
        json.dumps(
            {
                "name": row.name,
                "title": row.title,
                "family": row.family,
                "source": row.source,
                "input": list(row.input),
                "params": row.params,
                "macs": row.macs,
            }
        )
        for row in rows
    )
    return f'{{"schema": "{CATALOGUE_SCHEMA}", "models": [\n  {lines}\n]}}\n'
