"""The generated catalogue says what a trace of every built-in model finds.

`ARCHSCOPE_WRITE_CATALOGUE=1 pytest tests/functional/test_catalogue.py` writes it anew.
"""

import os
from pathlib import Path

import archscope
from archscope.models.registry import CatalogueRow, default_input_shape, list_entries, load_catalogue, write_catalogue


def _trace_row(name: str) -> CatalogueRow:
    entry = next(entry for entry in list_entries() if entry.name == name)
    summary = archscope.trace(name)
    macs = summary.costs.macs
    assert macs is not None
    shape = default_input_shape(name)
    return CatalogueRow(name, entry.title, entry.family, entry.source, shape, summary.trace.totals.params, macs)


def test_the_catalogue_is_what_a_trace_of_every_model_finds(repository: Path) -> None:
    rows = tuple(_trace_row(entry.name) for entry in list_entries())
    if os.environ.get("ARCHSCOPE_WRITE_CATALOGUE"):
        (repository / "archscope/models/catalogue.json").write_text(write_catalogue(rows), encoding="utf-8")
    assert load_catalogue() == rows
