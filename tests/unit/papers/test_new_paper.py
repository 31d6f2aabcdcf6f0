"""A paper that is not built in: a file of figures, measurers and a table, and an entry of the catalogue."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from archscope.cli.app import main
from archscope.core.table import Cell, Column, Row, Table
from archscope.papers import catalogue, published
from archscope.papers.layout import CellWriter, Shown
from archscope.papers.measurement import Measurement, UnavailableError, measure_phrase
from archscope.papers.networks import Networks
from archscope.papers.registry import Case, Family, Paper

FIGURES = """
[source]
key = "doe2031"
authors = "J. Doe"
year = 2031
title = "Nets"

[[fact]]
id = "doe.18.conv1"
model = "ResNet-18"
where = "conv1"
quantity = "kernel"
published = "7x7, 64"
rounding = "exact"
locus = "Table 1"
check = "trace"
confirmed = true

[[fact]]
id = "doe.34.conv1"
model = "ResNet-34"
where = "conv1"
quantity = "kernel"
published = "5x5, 64"
rounding = "exact"
locus = "Table 1"
check = "trace"
confirmed = true
note = "a slip"

[[fact]]
id = "doe.18.params"
model = "ResNet-18"
where = "total"
quantity = "params"
published = "11.7M"
printed_number = "11.7"
scale = 1000000
rounding = "0.1M"
locus = "Table 1"
check = "trace"
confirmed = true

[[fact]]
id = "doe.34.params"
model = "ResNet-34"
where = "total"
quantity = "params"
published = "21.9M"
printed_number = "21.9"
scale = 1000000
rounding = "0.1M"
locus = "Table 1"
check = "trace"
confirmed = true

[[fact]]
id = "doe.18.columns"
model = "ResNet-18"
where = "widths"
quantity = "channels"
published = "a 64, b 1, c 3"
rounding = "exact"
locus = "Table 1"
check = "trace"
confirmed = true

[[fact]]
id = "doe.18.secret"
model = "ResNet-18"
where = "conv9"
quantity = "kernel"
published = "9x9"
rounding = "exact"
locus = "Table 1"
check = "trace"
confirmed = true
"""

PAPER = Paper("doe2031_nets")


@PAPER.measures(id="doe.*.conv1")
def measure_stem(case: Case) -> Measurement:
    found = case.net(f"resnet{case.part(1)}").convolution("conv1")
    return measure_phrase(f"{found.size}, {found.out_channels}", found.out_channels)


@PAPER.measures(id="doe.*.params")
def measure_params(case: Case) -> Measurement:
    return case.net(f"resnet{case.part(1)}").measure_params()


@PAPER.measures(id="doe.*.columns")
def measure_columns(_: Case) -> Measurement:
    return measure_phrase("a 64, b 2", (64, 2))


@PAPER.measures(id="doe.18.secret")
def measure_secret(_: Case) -> Measurement:
    raise UnavailableError("nobody tells")


@PAPER.measures(id="doe.odd")
def measure_odd(_: Case) -> Measurement:
    raise IndexError("no second block")


def build_table(networks: Networks) -> Table:
    cells = CellWriter(PAPER, networks)
    row = Row((Cell("conv1"), *(cells.write(f"doe.{depth}.conv1", f"{depth}-layer") for depth in (18, 34, 50))))
    columns = (Column("row", ""), *(Column(str(depth), str(depth)) for depth in (18, 34, 50)))
    return Table("Doe 2031", columns, (row,), notes=cells.list_notes())


def build_broken(networks: Networks) -> Table:
    networks.trace("resnet19")
    raise AssertionError("there is no such model")


PAPERS = (PAPER,)
FAMILIES = (Family("doe-nets", build_table), Family("doe-broken", build_broken))

NETWORKS = Networks()

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def paper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, repository: Path) -> None:
    """Registered beside those that are built in."""
    folder = copytree(repository / "archscope" / "papers" / "facts", tmp_path / "facts")
    (folder / "doe2031_nets.toml").write_text(FIGURES, encoding="utf-8")
    monkeypatch.setattr(published, "FOLDER", str(folder))
    entry = catalogue.PaperEntry(__name__, ("doe-nets", "doe-broken"))
    monkeypatch.setattr(catalogue, "ENTRIES", (*catalogue.ENTRIES, entry))


def test_its_figures_are_verified(capsys: Capture) -> None:
    assert main(["verify", "doe2031", "--format", "json"]) == 1  # nothing explains the slip
    facts = {fact["id"]: fact for fact in json.loads(capsys.readouterr().out)["facts"]}
    assert facts["doe.18.conv1"]["verdict"] == "agrees"
    assert (facts["doe.34.conv1"]["verdict"], facts["doe.34.conv1"]["measured"]) == ("wrong", "7x7, 64")
    # torchvision's documentation has the same 11,689,512 and 21,797,672.
    assert facts["doe.18.params"]["measured_value"] == 11_689_512
    # 21.9 is more than one unit of its last digit away.
    assert (facts["doe.34.params"]["verdict"], facts["doe.34.params"]["measured"]) == ("wrong", "21,797,672")
    assert (facts["doe.18.secret"]["measured"], facts["doe.18.secret"]["reason"]) == (None, "nobody tells")


def test_its_table_is_laid_out_from_the_same_measurers(capsys: Capture) -> None:
    assert main(["table", "Doe_Nets", "--format", "csv"]) == 0
    # The paper prints nothing of a third network; it is measured by the same rule.
    assert capsys.readouterr().out.splitlines() == [
        "row,18,34,50,marks",
        'conv1,"7x7, 64","7x7, 64","7x7, 64",34: wrong [1]',
    ]
    assert main(["table", "doe-nets", "--format", "plain"]) == 0
    assert "[1] 34-layer: printed 5x5, 64, measured 7x7, 64: a slip" in capsys.readouterr().out


def test_a_network_that_cannot_be_traced_is_told(capsys: Capture) -> None:
    assert main(["table", "doe-broken"]) == 2
    assert "resnet19" in capsys.readouterr().err


def test_the_other_papers_are_still_there() -> None:
    names = catalogue.list_family_names()
    assert names == ("vgg", "resnet", "resnet-cifar", "googlenet", "ilsvrc", "doe-nets", "doe-broken")
    assert [family.name for name in names if (family := catalogue.find_family(name))] == list(names)
    assert catalogue.find_family("densenet") is None
    assert catalogue.find_paper("doe2031_nets") is PAPER


@pytest.mark.parametrize(
    ("write", "text", "value", "mark"),
    [
        (lambda cells: cells.write("doe.18.conv1", "here"), "7x7, 64", None, ""),
        (lambda cells: cells.write("doe.34.conv1", "here"), "7x7, 64 [1]", "7x7, 64", "differs"),
        (lambda cells: cells.write("doe.34.conv1", "here", str.upper), "7X7, 64 [1]", "7X7, 64", "differs"),
        (lambda cells: cells.write("doe.18.secret", "here"), "- [1]", None, "differs"),
        (lambda cells: cells.write("doe.18.nothing", "here"), "", None, ""),
        (lambda cells: cells.write("doe.odd", "here"), "", None, ""),
        (lambda cells: cells.write_number("doe.18.params", "here"), "11.7M", 11_689_512, ""),
        (lambda cells: cells.write_number("doe.34.params", "here"), "[1] 21.8M", 21_797_672, "differs"),
        (lambda cells: cells.write_number("doe.50.params", "here"), "25,557,032", 25_557_032, ""),
        (lambda cells: cells.write_number("doe.18.secret", "here"), "[1] -", None, "differs"),
        (lambda cells: cells.write_part("doe.18.columns", "here", "a"), "64", 64, ""),
        (lambda cells: cells.write_part("doe.18.columns", "here", "b"), "2 [1]", 2, "differs"),
        (lambda cells: cells.write_part("doe.18.columns", "here", "c"), "- [1]", None, "differs"),
        (lambda cells: cells.write_part("doe.18.columns", "here", "d"), "", None, ""),
        (lambda cells: cells.write_part("doe.34.columns", "here", "b"), "2", 2, ""),
        (lambda cells: cells.compare("doe.18.columns", "here", Shown("1", phrase="b 1")), "1", None, ""),
        (lambda cells: cells.compare("doe.18.columns", "here", Shown("5", 5, "b 5")), "5 [1]", 5, "differs"),
    ],
)
def test_cells(write: Callable[[CellWriter], Cell], text: str, value: object, mark: str) -> None:
    cell = write(CellWriter(PAPER, NETWORKS))
    assert (cell.text, cell.value, cell.mark) == (text, value, mark)


def test_notes_are_numbered_by_place_and_say_both_values() -> None:
    cells = CellWriter(PAPER, NETWORKS, {"params": "weights"})
    assert cells.write("doe.34.conv1", "here").text == "7x7, 64 [1]"
    assert cells.write("doe.18.secret", "there").text == "- [2]"
    assert cells.write_number("doe.34.params", "here").text == "[1] 21.8M"
    assert cells.list_notes() == (
        "[1] here: printed 5x5, 64, measured 7x7, 64: a slip; weights printed 21.9M, measured 21,797,672 (21.8M)",
        "[2] there: printed 9x9, measured -",
    )
