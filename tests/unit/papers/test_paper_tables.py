"""Family tables against the papers, cell by cell, and against networks that are not the papers'."""

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from archscope.core.errors import DataError, UnknownNameError
from archscope.core.table import Table, get_value, place_cells
from archscope.models import googlenet as googlenet_builder
from archscope.models import resnet as resnet_builder
from archscope.models import vgg_rows
from archscope.papers.catalogue import find_family, list_family_names
from archscope.papers.ilsvrc import YEARS
from archscope.papers.layout import format_like, normalise, round_printed
from archscope.papers.networks import Networks
from archscope.papers.published import Fact, index_facts, list_sources, load_facts, load_source
from archscope.papers.resnet.cifar import fit_form
from archscope.rendering import render
from archscope.rendering.formats import FORMATS, RenderOptions, TableFormat

Grid = list[dict[str, Any]]


NETWORKS = Networks()
"""Those of the builders as they are, each traced once."""


def build_anew(name: str) -> Table:
    family = find_family(name)
    assert family is not None
    return family.build(Networks())


@cache
def build(name: str, *, narrow: bool = False) -> Table:
    family = find_family(name)
    assert family is not None
    return family.build_narrow(NETWORKS) if narrow and family.build_narrow else family.build(NETWORKS)


def read_cells(table: Table) -> list[dict[str, Any]]:
    """By row and column key, the cell that covers it."""
    rows = []
    for row in table.rows:
        covered: dict[str, Any] = {}
        for start, cell in place_cells(table, row):
            for column in table.columns[start : start + cell.span]:
                covered[column.key] = cell
        rows.append(covered)
    return rows


def read_values(table: Table) -> Grid:
    columns = {column.key: column for column in table.columns}
    return [{key: get_value(columns[key], cell) for key, cell in row.items()} for row in read_cells(table)]


def find_row(table: Table, key: str, value: str, place: int = 1) -> dict[str, Any]:
    rows = [(cells, values) for cells, values in zip(read_cells(table), read_values(table), strict=True)
            if values[key] == value]  # fmt: skip
    return rows[place - 1][0]


def list_marked(table: Table) -> list[str]:
    return [cell.text for row in table.rows for cell in row.cells if cell.mark == "differs"]


def strip_mark(text: str) -> str:
    return " ".join(word for word in text.split() if not word.startswith("["))


def list_facts(source: str, prefixes: Iterable[str]) -> list[Fact]:
    return [fact for fact in load_facts(source) if fact.id.startswith(tuple(prefixes))]


class TestVgg:
    def find(self, fact: Fact) -> Any:
        _, table, letter, place = fact.id.split(".", 3)
        if table == "t2":
            return find_row(build("vgg"), "row", "params")[letter]
        if place == "weight_layers":
            return find_row(build("vgg"), "row", "depth")[letter]
        if place.endswith(".lrn"):
            return find_row(build("vgg"), "row", "conv1", 2)[letter]
        name, _, number = place.partition("_")
        return find_row(build("vgg"), "row", name, int(number or 1))[letter]

    def test_every_cell_is_the_printed_one(self) -> None:
        facts = [fact for fact in list_facts("simonyan2014_vgg", ["vgg.t1.", "vgg.t2."]) if fact.where != "total"
                 or fact.quantity in ("weight_layers", "params")]  # fmt: skip
        facts = [fact for fact in facts if fact.id.split(".")[2] in ("A", "A-LRN", "B", "C", "D", "E")
                 and not fact.id.endswith("n1x1")]  # fmt: skip
        # 6 columns: 8 + 8 + 10 + 13 + 13 + 16 convolutions, 1 LRN, 5 pools, 3 FC, depth and parameters each.
        assert len(facts) == 8 + 8 + 10 + 13 + 13 + 16 + 1 + 6 * (5 + 3 + 1 + 1)
        for fact in facts:
            assert self.find(fact).text == fact.published, fact.id
        assert list_marked(build("vgg")) == []

    def test_nothing_stands_in_the_table_that_is_not_printed(self) -> None:
        values = read_values(build("vgg"))
        assert [row["D"] for row in values if str(row["D"]).startswith("conv")] == (
            ["conv3-64"] * 2 + ["conv3-128"] * 2 + ["conv3-256"] * 3 + ["conv3-512"] * 6
        )
        assert [row["E"] for row in values].count("maxpool") == 5
        assert values[1]["A"] == "input (224 x 224 RGB image)"
        assert values[-1]["D"] == 138_357_544
        assert values[-2]["A"] == "soft-max"

    def test_soft_max_has_its_footnote(self) -> None:
        assert any(note.startswith("soft-max: the loss") for note in build("vgg").notes)

    def test_a_deleted_row_of_the_builder_changes_the_table(self, monkeypatch: pytest.MonkeyPatch) -> None:
        column = vgg_rows.TABLE_1["D"]
        monkeypatch.setitem(vgg_rows.TABLE_1, "D", column[:6] + column[7:])
        table = build_anew("vgg")
        assert find_row(table, "row", "conv3", 3)["D"].text == "- [2]"
        assert find_row(table, "row", "conv3", 3)["E"].text == "conv3-256"
        assert find_row(table, "row", "depth")["D"].text == "15 weight layers [1]"
        assert find_row(table, "row", "params")["D"].value == 138_357_544 - (256 * 256 * 9 + 256)
        assert any("D, conv3_3: printed conv3-256, measured -" in note for note in table.notes)

    def test_a_layer_that_is_not_printed_has_a_row(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(vgg_rows.TABLE_1, "E", (*vgg_rows.TABLE_1["E"][:-1], "conv1-512", "M"))
        table = build_anew("vgg")
        cells = find_row(table, "row", "conv5", 5)
        assert (cells["E"].text, cells["E"].mark, cells["D"].text) == ("conv1-512", "", "")
        assert find_row(table, "row", "depth")["E"].text == "20 weight layers [1]"

    def test_a_deleted_pool_breaks_the_span(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(vgg_rows.TABLE_1, "A", tuple(word for word in vgg_rows.TABLE_1["A"][:-1]))
        table = build_anew("vgg")
        assert find_row(table, "row", "pool5")["A"].text.startswith("- [")
        assert find_row(table, "row", "pool5")["E"].text == "maxpool"


class TestResNet:
    def find(self, fact: Fact) -> Any:
        _, _, depth, *place = fact.id.split(".")
        column = f"{depth}-layer"
        name = place[0]
        if place == ["maxpool"]:
            return find_row(build("resnet"), "layer name", "conv2_x")[column]
        if place[-1] == "output":
            return find_row(build("resnet"), "layer name", name)["output size"]
        if place[-1] == "blocks":
            return find_row(build("resnet"), "layer name", name, 2 if name == "conv2_x" else 1)[column]
        return find_row(build("resnet"), "layer name", {"flops": "FLOPs"}.get(name, name))[column]

    def test_every_cell_is_the_printed_one_but_for_two(self) -> None:
        facts = [fact for fact in list_facts("he2015_resnet", ["resnet.t1."])
                 if fact.id.split(".")[2].isdigit() and fact.quantity != "weight_layers"]  # fmt: skip
        # Each column: conv1, pool, head, FLOPs, 4 blocks and 5 output sizes.
        assert len(facts) == 5 * (4 + 4 + 5)
        differing = {fact.id for fact in facts if normalise(self.find(fact).text) != normalise(fact.published)}
        assert differing == {"resnet.t1.34.flops", "resnet.t1.50.flops"}
        assert list_marked(build("resnet")) == ["[1] 3.7x10^9", "[2] 3.9x10^9"]

    def test_the_footnotes_say_both_values(self) -> None:
        notes = [note for note in build("resnet").notes if note.startswith("[")]
        assert any(
            "printed 3.6x10^9, measured 3,663,761,408 (3.7x10^9)" in note and "option A" in note for note in notes
        )
        assert any(
            "printed 3.8x10^9, measured 3,857,973,248 (3.9x10^9)" in note and "truncated" in note for note in notes
        )

    def test_the_form_of_the_issue(self) -> None:
        assert find_row(build("resnet"), "layer name", "conv2_x", 2)["18-layer"].text == "[3x3, 64; 3x3, 64] x 2"

    def test_a_changed_layout_of_the_builder_changes_the_table(self, monkeypatch: pytest.MonkeyPatch) -> None:
        layout = replace(resnet_builder.LAYOUTS["resnet18"], counts=(2, 2, 3, 2))
        monkeypatch.setitem(resnet_builder.LAYOUTS, "resnet18", layout)
        table = build_anew("resnet")
        assert find_row(table, "layer name", "conv4_x")["18-layer"].text == "[3x3, 256; 3x3, 256] x 3 [1]"

    def test_the_narrow_form_holds_the_same_words(self) -> None:
        wide, narrow = build("resnet"), build("resnet", narrow=True)
        for column in ("18-layer", "152-layer"):
            words = " ".join(row[column].text for row in read_cells(narrow) if row[column].text)
            blocks = [row[column].text for row in read_cells(wide) if row[column].text.startswith("[3")]
            assert all(block.replace("; ", " ") in " ".join(words.split()) for block in blocks)


class TestResNetCifar:
    def test_the_forms_of_section_4_2(self) -> None:
        table = build("resnet-cifar")
        layers, filters = read_values(table)[:2]
        assert (layers["32x32"], layers["16x16"], layers["8x8"], layers["layers"]) == ("1+2n", "2n", "2n", "6n+2")
        assert (filters["32x32"], filters["16x16"], filters["8x8"]) == ("16", "32", "64")
        assert list_marked(table) == []

    def test_table_6(self) -> None:
        table = build("resnet-cifar")
        facts = [fact for fact in list_facts("he2015_resnet", ["resnet.t6."])
                 if fact.quantity in ("weight_layers", "params") and fact.model.startswith("ResNet")]  # fmt: skip
        assert len(facts) == 12
        for fact in facts:
            row = find_row(table, "output map size", f"ResNet-{fact.id.split('.')[2]}")
            cell = row["layers" if fact.quantity == "weight_layers" else "params"]
            assert cell.text == fact.published, fact.id
        values = read_values(table)[2:]
        assert [row["n"] for row in values] == [3, 5, 7, 9, 18, 200]
        assert all(row["32x32"] + row["16x16"] + row["8x8"] + 1 == row["layers"] for row in values)

    @pytest.mark.parametrize(
        ("counts", "form"),
        [
            ([(3, 7), (5, 11)], "1+2n"),
            ([(3, 6), (5, 10), (9, 18)], "2n"),
            ([(3, 7), (5, 12), (7, 15)], ""),
            ([(1, 2)], ""),
        ],
    )
    def test_lines_through_counts(self, counts: list[tuple[int, int]], form: str) -> None:
        assert fit_form(counts) == form


ROWS = (
    "conv1 pool1 conv2 pool2 3a 3b pool3 4a 4b 4c 4d 4e pool4 5a 5b avgpool dropout linear softmax".split()
)  # fmt: skip
COLUMNS = {"output_size": "output size", "patch": "patch size/stride", "depth": "depth", "params": "params",
           "ops": "ops"}  # fmt: skip
DIFFERING = {
    "googlenet.conv1.params", "googlenet.conv1.ops", "googlenet.3a.params", "googlenet.3b.params",
    "googlenet.4a.params", "googlenet.4a.ops", "googlenet.4b.params", "googlenet.4c.params",
    "googlenet.4d.params", "googlenet.4e.params", "googlenet.5a.params", "googlenet.5a.ops",
    "googlenet.5b.params",
}  # fmt: skip


class TestGoogLeNet:
    def test_every_cell_is_the_printed_one_but_for_thirteen(self) -> None:
        cells = read_cells(build("googlenet"))
        assert len(cells) == len(ROWS)
        by_name = dict(zip(ROWS, cells, strict=True))
        differing, compared = set(), 0
        for fact in load_facts("szegedy2014_googlenet"):
            _, name, *place = fact.id.split(".")
            if name not in by_name or not place:
                continue
            if place == ["columns"]:
                for part in fact.published.split(", "):
                    column, _, width = part.rpartition(" ")
                    assert by_name[name][column].value == int(width), fact.id
                compared += 1
                continue
            cell = by_name[name][COLUMNS[place[0]]]
            compared += 1
            if cell.text != fact.published:
                differing.add(fact.id)
                assert cell.mark == "differs"
        assert compared == 19 * 2 + 7 + 10 + 12 * 2
        assert differing == DIFFERING
        assert len(list_marked(build("googlenet"))) == 13

    def test_the_first_row_and_its_footnote(self) -> None:
        cells = read_cells(build("googlenet"))[0]
        assert (cells["params"].value, cells["ops"].value) == (64 * 3 * 7 * 7, 64 * 3 * 7 * 7 * 112 * 112)
        note = next(note for note in build("googlenet").notes if note.startswith("[1] conv1"))
        assert "params printed 2.7K, measured 9,408 (9.2K)" in note
        assert "ops printed 34M, measured 118,013,952 (118M)" in note
        assert "separable" in note

    def test_one_row_per_layer_with_exact_numbers_in_csv(self) -> None:
        lines = render(build("googlenet"), "csv").splitlines()
        assert lines[0].split(",")[:4] == ["type", "patch size/stride", "output size", "depth"]
        assert lines[5] == "inception (3a),,28x28x256,2,64,96,128,16,32,32,163328,128049152"

    def test_a_changed_row_of_the_builder_changes_the_table(self, monkeypatch: pytest.MonkeyPatch) -> None:
        row = replace(googlenet_builder.TABLE_1["4b"], conv1=161)
        monkeypatch.setitem(googlenet_builder.TABLE_1, "4b", row)
        cells = dict(zip(ROWS, read_cells(build_anew("googlenet")), strict=True))
        assert cells["4b"]["#1x1"].value == 161
        assert cells["4b"]["#1x1"].mark == "differs"
        assert cells["4b"]["output size"].text == "14x14x513 [5]"


class TestWinners:
    def test_official_errors(self) -> None:
        facts = index_facts("ilsvrc_winners")
        for year in YEARS:
            row = find_row(build("ilsvrc"), "year", year)
            assert facts[f"ilsvrc.{year}.official"].published.startswith(row["top5_error"].text)
            assert row["winner"].text == facts[f"ilsvrc.{year}.official"].model
            for key, fact in (("chart", f"ilsvrc.{year}.plotted"), ("lecture", f"ilsvrc.lecture.{year}")):
                assert strip_mark(row[key].text) == facts[fact].published

    def test_what_the_charts_print_otherwise_is_marked(self) -> None:
        marked = [strip_mark(text) for text in list_marked(build("ilsvrc"))]
        assert marked == ["16.4", "16.4", "11.7", "11.7", "3.1"]
        notes = "\n".join(build("ilsvrc").notes)
        assert "the chart prints 16.4, official 15.315" in notes

    @pytest.mark.parametrize("entry", FORMATS, ids=lambda entry: entry.name)
    def test_a_copied_depth_says_so_in_its_cell(self, entry: TableFormat) -> None:
        """Nobody can build the ensembles of 2016 and 2017; AlexNet, ZFNet and the others are measured."""
        text = entry.render(build("ilsvrc"), RenderOptions(width=200))
        assert len(re.findall(r"\b152 copied\b", text)) == 2
        assert find_row(build("ilsvrc"), "year", 2013)["layers"].value == 8
        assert find_row(build("ilsvrc"), "year", 2015)["layers"].value == 152

    def test_every_row_has_a_bar(self) -> None:
        shares = [row["of_first"] for row in read_values(build("ilsvrc"))]
        assert shares[0] == 1
        assert shares[-3] == round(2.251 / 28.191, 6)
        assert all(0 < share <= 1 for share in shares)
        text = render(build("ilsvrc", narrow=True), width=80)
        assert text.count("█") > 20


class TestPublished:
    def test_every_source_is_read(self) -> None:
        assert len(list_sources()) == 11
        assert sum(len(load_facts(source)) for source in list_sources()) == 814
        assert load_source("simonyan2014_vgg").year == 2014
        assert len(index_facts(*list_sources())) == 814

    def test_the_files_are_the_shared_ones(self, shared_dir: Path, repository: Path) -> None:
        for path in sorted((shared_dir / "facts").glob("*.toml")):
            copy = repository / "archscope" / "papers" / "facts" / path.name
            assert copy.read_bytes() == path.read_bytes()

    def test_a_source_that_is_none(self) -> None:
        with pytest.raises(UnknownNameError) as caught:
            load_facts("simonyan2014")
        assert "simonyan2014_vgg" in caught.value.remedy

    def test_figures_are_told_apart_by_their_ids(self) -> None:
        with pytest.raises(DataError, match="two published figures have the id"):
            index_facts("lecture", "lecture")

    @pytest.mark.parametrize(
        ("value", "decimals", "text"),
        [(159, 0, "159"), (0.5, 0, "1"), (2.25, 1, "2.3"), (1.24, 1, "1.2"), (1000, 0, "1000")],
    )
    def test_halves_round_up(self, value: Any, decimals: int, text: str) -> None:
        assert round_printed(value, decimals) == text

    def make(self, published: str, **more: Any) -> Fact:
        return Fact("x.y.z", "m", "w", "params", published, "exact", "Table 9", "trace", confirmed=True, **more)

    def test_the_form_of_the_figure(self) -> None:
        assert format_like(self.make("2.7K", printed_number="2.7", scale=1024), 9408) == "9.2K"
        assert format_like(self.make("3.6x10^9", printed_number="3.6", scale=10**9), 3_663_761_408) == "3.7x10^9"
        assert format_like(self.make("1072K", printed_number="1072", scale=1024), 1_042_432) == "1018K"


@pytest.mark.parametrize("name", list_family_names())
class TestGolden:
    """The whole form. Write the files anew after a change that was meant: ARCHSCOPE_WRITE_GOLDEN=1 pytest ..."""

    def compare(self, name: str, text: str, repository: Path) -> None:
        path = repository / "tests" / "golden" / name
        if os.environ.get("ARCHSCOPE_WRITE_GOLDEN"):
            path.write_text(text, encoding="utf-8", newline="\n")
        assert text == path.read_text(encoding="utf-8")

    @pytest.mark.parametrize("word", ["csv", "tex"])
    def test_formats(self, name: str, word: str, repository: Path) -> None:
        self.compare(f"table_{name}.{word}", render(build(name), word), repository)

    def test_a_pipe(self, name: str, repository: Path) -> None:
        self.compare(f"table_{name}.pipe.txt", render(build(name)), repository)

    def test_200_columns(self, name: str, repository: Path) -> None:
        text = render(build(name), width=200)
        assert max(map(len, text.splitlines())) <= 200
        self.compare(f"table_{name}.200.txt", text, repository)

    def test_80_columns(self, name: str, repository: Path) -> None:
        text = render(build(name, narrow=True), width=80)
        assert max(map(len, text.splitlines())) <= 80
        self.compare(f"table_{name}.80.txt", text, repository)
