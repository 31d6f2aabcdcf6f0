"""The catalogue file: complete, in order, and read back as written."""

import pytest

from archscope.core.errors import DataError
from archscope.models import registry as catalogue
from archscope.models.registry import list_entries


def test_one_row_a_model_in_the_registrys_order():
    rows = catalogue.load_catalogue()
    assert [(row.name, row.title, row.family, row.source, row.input) for row in rows] == [
        (entry.name, entry.title, entry.family, entry.source, entry.input_shape) for entry in list_entries()
    ]


def test_a_row_carries_the_counts():
    row = next(row for row in catalogue.load_catalogue() if row.name == "alexnet")
    assert (row.params, row.macs) == (62_378_344, 1_135_256_096)


def test_writing_and_reading_agree():
    rows = catalogue.load_catalogue()
    assert catalogue.read_catalogue(catalogue.write_catalogue(rows)) == rows


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": "archscope.catalogue/9", "models": []}',
        '{"schema": "archscope.catalogue/1"}',
        '{"schema": "archscope.catalogue/1", "models": [{"name": "x", "input": [1]}]}',
    ],
)
def test_a_broken_catalogue_is_one_clear_error(text):
    with pytest.raises(DataError):
        catalogue.read_catalogue(text)


def test_a_missing_catalogue_is_one_clear_error(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    with pytest.raises(DataError, match="missing"):
        catalogue.load_catalogue.__wrapped__()
