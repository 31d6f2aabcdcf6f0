"""The tree of layers, and the list of the chosen ones."""

from dataclasses import replace
from typing import Any

import pytest

from archscope.core.cost import CostReport
from archscope.core.errors import UnknownNameError, UsageError
from archscope.core.table import Table, get_value, place_cells
from archscope.core.trace import Trace
from archscope.rendering import render
from archscope.tables.layer_columns import NAMES, check_columns
from archscope.tables.layer_filter import LayerFilter
from archscope.tables.layers import LayerTableOptions, build_layer_table


def read(table: Table) -> list[dict[str, Any]]:
    """Values by column key, and the texts of the layer and the output."""
    rows = []
    for row in table.rows:
        cells = dict(zip((column.key for column in table.columns), row.cells, strict=True))
        values = {column.key: get_value(column, cells[column.key]) for column in table.columns}
        rows.append(values | {"text": cells["layer"].text, "shown": cells["output"].text, "depth": row.depth})
        assert place_cells(table, row)
    return rows


def tabulate(pair: tuple[Trace, CostReport], **options: Any) -> Table:
    trace, costs = pair
    return build_layer_table(trace, costs, LayerTableOptions(**options))


def list_texts(pair: Any, **options: Any) -> list[str]:
    return [row["text"] for row in read(tabulate(pair, **options))]


class TestTree:
    def test_rows_columns_and_conditions(self, chain: Any) -> None:
        table = tabulate(chain, title="A chain")
        assert [column.key for column in table.columns] == [
            "layer", "count", "type", "output", "params", "macs", "share", "depth", "leaf", "memory",
        ]  # fmt: skip
        assert [column.key for column in table.columns if not column.hidden] == [
            "layer", "type", "output", "params", "macs", "share",
        ]  # fmt: skip
        assert (table.title, table.subtitle) == ("A chain", "1x3x8x8 · eval · meta")
        rows = read(table)
        assert [row["text"] for row in rows] == ["chain", "conv1", "relu1", "conv2", "pool", "flatten", "fc"]
        assert [row["depth"] for row in rows] == [0, 1, 1, 1, 1, 1, 1]
        assert [row["params"] for row in rows] == [1442, 216, 0, 576, 0, 0, 650]
        assert [row["macs"] for row in rows] == [23_680, 13_824, 0, 9_216, 0, 0, 640]
        assert [row["output"] for row in rows][1:4] == ["1x8x8x8", "1x8x8x8", "1x16x4x4"]
        assert [row["type"] for row in rows][1:5] == [
            "Conv2d 3x3, pad 1", "ReLU", "Conv2d 3x3/2, pad 1, 2 groups", "MaxPool2d 2x2/2",
        ]  # fmt: skip
        assert rows[1]["share"] == 13_824 / 23_680
        assert rows[0]["share"] is None
        assert rows[2]["share"] is None

    def test_the_totals_name_their_units_and_convention(self, chain: Any) -> None:
        note = tabulate(chain).notes[0]
        assert note == (
            "1.442 K parameters (5.63 KiB), all trainable · 23.68 KMACs = 47.36 KFLOPs "
            "(1 MAC = 2 FLOPs; convolution, linear, attention) · nothing uncounted"
        )

    def test_the_totals_say_activations_and_their_memory(self, chain: Any) -> None:
        trace, costs = chain
        counted = replace(costs, activations=8 * 8 * 8 + 16 * 4 * 4 + 10)
        assert tabulate((trace, counted)).notes[1] == (
            "778 activations (outputs of convolution and linear layers) · "
            "5.54 KiB of activation memory (outputs of all layers, in-place ones too)"
        )

    def test_runs_are_one_row_with_the_numbers_of_each(self, residual: Any) -> None:
        table = tabulate(residual)
        rows = read(table)
        assert [row["text"] for row in rows] == [
            "residual", "stem", "blocks", "0", "conv", "1-2  x2 each", "conv",
        ]  # fmt: skip
        run = rows[5]
        assert (run["layer"], run["count"], run["params"], run["macs"]) == ("blocks.1-2 x2", 2, 144, 5_184)
        assert any("identical layers in a row" in note for note in table.notes)

    def test_without_folding_every_call_has_its_row(self, residual: Any) -> None:
        assert list_texts(residual, fold=False) == [
            "residual", "stem", "blocks", "0", "conv", "1", "conv", "2", "conv",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("depth", "texts"),
        [
            (0, ["residual"]),
            (1, ["residual", "stem", "blocks"]),
            (2, ["residual", "stem", "blocks", "0", "1-2  x2 each"]),
        ],
    )
    def test_depth(self, residual: Any, depth: int, texts: list[str]) -> None:
        assert list_texts(residual, depth=depth) == texts

    def test_operations_stand_where_they_ran(self, residual: Any) -> None:
        rows = read(tabulate(residual, ops=True))
        assert [row["text"] for row in rows] == [
            "residual", "stem", "blocks", "0", "conv", "add", "1-2  x2 each", "conv", "add",
        ]  # fmt: skip
        assert (rows[5]["layer"], rows[5]["type"], rows[5]["output"]) == ("blocks.0:add", "aten.add", "1x4x6x6")
        assert (rows[5]["params"], rows[5]["macs"]) == (None, 0)

    def test_a_leaf_of_several_operations_shows_them(self, handmade: Any) -> None:
        net = handmade((1, 4))
        net.enter("", "Net", 0)
        net.enter("gate", "Gate", 0)
        y = net.run("aten.sigmoid", [0], (1, 4))
        x = net.run("aten.mul", [0, y], (1, 4))
        net.leave(x)
        net.leave(x)
        assert list_texts(net.build(x), ops=True) == ["net", "gate", "sigmoid", "mul"]

    def test_the_root_is_named_as_it_was_asked_for(self, handmade: Any) -> None:
        net = handmade((1, 4), target="lecture.py:CNN")
        net.enter("", "Whatever", 0)
        net.leave(0)
        assert list_texts(net.build(0)) == ["CNN"]


class TestExceptions:
    def test_a_failed_layer(self, handmade: Any) -> None:
        net = handmade((1, 3, 4, 4))
        net.enter("", "Net", 0)
        x = net.convolve("conv", 0, 2, 4, padding=1)
        net.enter("fc", "Linear", x, in_features=7)
        net.fail("shapes cannot be multiplied")
        table = tabulate(net.build())
        cells = table.rows[2].cells
        assert (cells[3].text, cells[3].mark) == ("failed", "failed")
        assert [row["shown"] for row in read(table)] == ["-", "1x2x4x4", "failed"]
        assert read(table)[2]["macs"] is None
        assert "before the failure" in table.notes[0]
        assert "nothing uncounted" not in table.notes[0]
        assert "the forward pass stopped in fc: the counts end there" in table.notes

    def test_repeated_calls_count_their_parameters_once(self, handmade: Any) -> None:
        net = handmade((1, 4, 6, 6))
        net.enter("", "Net", 0)
        x = net.convolve("conv", 0, 4, 6, padding=1)
        x = net.convolve("conv", x, 4, 6, padding=1)
        net.leave(x)
        table = tabulate(net.build(x))
        rows = read(table)
        assert [(row["text"], row["params"]) for row in rows] == [("net", 144), ("conv", 144), ("conv (call 2)", 0)]
        assert [row["macs"] for row in rows] == [2 * 5_184, 5_184, 5_184]
        assert "called again, parameters shown with the first call only: conv" in table.notes

    def test_what_is_uncounted_is_said_with_its_reason(self, handmade: Any) -> None:
        net = handmade((1, 4))
        net.enter("", "Net", 0)
        net.enter("odd", "Odd", 0)
        x = net.run("aten.foo", [0], (1, 4), None)
        net.leave(x)
        net.leave(x)
        table = tabulate(net.build(x))
        assert [row["macs"] for row in read(table)] == [None, None]
        assert [row.cells[5].text for row in table.rows] == ["unknown", "unknown"]
        assert "at least 0 MACs" in table.notes[0]
        assert "uncounted: aten.foo x1 in odd (no formula)" in table.notes

    def test_shared_never_called_and_notes(self, chain: Any) -> None:
        trace, costs = chain
        layers = (*trace.layers[:-1], replace(trace.layers[-1], shared_with=("conv1",)))
        trace = replace(trace, layers=layers, never_called=("spare",), notes=("mode is fake because ...",))
        notes = tabulate((trace, costs)).notes
        assert "shared parameters, counted once in the total: fc with conv1" in notes
        assert "never called, parameters in the total all the same: spare" in notes
        assert notes[-1] == "mode is fake because ..."

    def test_frozen_parameters_and_buffers(self, chain: Any) -> None:
        trace, costs = chain
        frozen = replace(trace, totals=replace(trace.totals, trainable_params=0, buffers=12))
        partly = replace(trace, totals=replace(trace.totals, trainable_params=650))
        assert ", all frozen · 12 in buffers ·" in tabulate((frozen, costs)).notes[0]
        assert ", 650 of them trainable ·" in tabulate((partly, costs)).notes[0]

    def test_several_inputs_and_dtypes_are_named(self, handmade: Any) -> None:
        net = handmade((1, 4), (1, 4))
        net.enter("", "Net", 0, 1)
        net.leave(0)
        trace, costs = net.build(0)
        second = replace(trace.inputs[1], spec=replace(trace.inputs[1].spec, dtype="int64"))
        trace = replace(trace, inputs=(trace.inputs[0], second), training=True, mode="fake")
        assert tabulate((trace, costs)).subtitle == "x 1x4, x1 1x4 int64 · train · fake"


class TestSelection:
    def choose(self, pair: Any, **selection: Any) -> tuple[list[str], str]:
        table = tabulate(pair, selection=LayerFilter(**selection))
        assert all(row.depth is None for row in table.rows)
        return [row["layer"] for row in read(table)], table.notes[2]

    def test_the_largest(self, chain: Any) -> None:
        assert self.choose(chain, top=2) == (["conv1", "conv2"], "2 of 6 layer calls, largest MACs first")
        assert self.choose(chain, top=2, sort="params")[0] == ["fc", "conv2"]

    @pytest.mark.parametrize(
        ("sort", "first"),
        [("macs", "conv1"), ("share", "conv1"), ("params", "fc"), ("memory", "conv1"), ("output", "conv1"),
         ("layer", "conv1"), ("type", "conv1"), ("order", "conv1")],
    )  # fmt: skip
    def test_every_key_sorts(self, chain: Any, sort: str, first: str) -> None:
        names, _ = self.choose(chain, sort=sort)
        assert len(names) == 6
        assert names[0] == first

    def test_by_type_by_path_and_by_pattern(self, residual: Any) -> None:
        assert self.choose(residual, pattern="conv2d")[0] == [
            "stem", "blocks.0.conv", "blocks.1.conv", "blocks.2.conv",
        ]  # fmt: skip
        assert self.choose(residual, pattern="blocks.1*")[0] == ["blocks.1", "blocks.1.conv"]
        assert self.choose(residual, pattern="Block", top=1, sort="params") == (
            ["blocks.1"],
            "1 of 3 layer calls matching Block, most parameters first",
        )

    def test_what_a_container_holds_itself_has_its_row(self, handmade: Any) -> None:
        net = handmade((1, 4))
        net.enter("", "Net", 0)
        weight = net.add_parameter("weight", (4, 4))
        x = net.connect("fc", 0, 4)
        x = net.run("aten.mm", [x, weight], (1, 4), 16)
        net.leave(x)
        table = tabulate(net.build(x), selection=LayerFilter(top=5))
        rows = read(table)
        assert [(row["layer"], row["params"], row["macs"]) for row in rows] == [("net (own)", 16, 16), ("fc", 20, 16)]

    def test_an_unknown_key(self, chain: Any) -> None:
        with pytest.raises(UnknownNameError) as caught:
            self.choose(chain, sort="mac")
        assert "macs" in caught.value.remedy

    def test_a_pattern_that_nothing_matches(self, chain: Any) -> None:
        with pytest.raises(UnknownNameError) as caught:
            self.choose(chain, pattern="Conv3d")
        assert "Conv2d" in caught.value.remedy


# Bytes of the outputs of the chain's layers: float32, four bytes each.
CHAIN_BYTES = {
    "conv1": 8 * 8 * 8 * 4, "relu1": 8 * 8 * 8 * 4, "conv2": 16 * 4 * 4 * 4,
    "pool": 16 * 2 * 2 * 4, "flatten": 64 * 4, "fc": 10 * 4,
}  # fmt: skip


class TestColumns:
    def test_every_column(self, chain: Any) -> None:
        rows = read(tabulate(chain, columns=NAMES))
        assert [row["memory"] for row in rows] == [sum(CHAIN_BYTES.values()), *CHAIN_BYTES.values()]
        assert [row["memory_share"] for row in rows][:2] == [None, 2048 / 5672]
        assert [row["params_share"] for row in rows] == [None, 216 / 1442, None, 576 / 1442, None, None, 650 / 1442]
        assert [row["kernel"] for row in rows] == [None, "3x3", None, "3x3", "2x2", None, None]
        assert [row["input"] for row in rows][:4] == ["1x3x8x8", "1x3x8x8", "1x8x8x8", "1x8x8x8"]
        assert [row["leaf"] for row in rows] == [False] + [True] * 6
        assert [row["depth"] for row in rows] == [0] + [1] * 6

    def test_a_call_that_holds_others_has_the_sum_of_theirs(self, residual: Any) -> None:
        rows = read(tabulate(residual, columns=("layer", "output", "memory"), fold=False))
        one = 4 * 6 * 6 * 4
        assert [row["memory"] for row in rows] == [4 * one, one, 3 * one, one, one, one, one, one, one]

    def test_the_chosen_ones_in_their_order_the_layer_first(self, chain: Any) -> None:
        table = tabulate(chain, columns=check_columns("Kernel, input ,layer,params-share"))
        shown = [column.key for column in table.columns if not column.hidden]
        assert shown == ["layer", "kernel", "input", "params_share"]
        assert [column.key for column in table.columns if column.hidden] == ["depth", "leaf"]

    def test_a_heading_names_its_column_too(self) -> None:
        assert check_columns("MACs,parameters,share of memory,macs_share") == (
            "layer", "macs", "params", "memory_share", "share",
        )  # fmt: skip

    def test_every_name_and_all(self, chain: Any) -> None:
        assert check_columns("all") == NAMES == check_columns(NAMES)
        for name in NAMES:
            columns = tabulate(chain, columns=check_columns([name])).columns
            assert len({column.key for column in columns}) == len(columns)

    @pytest.mark.parametrize("words", ["", " ", ",", "memory,,macs", "memori", "layer,Memory,memory", "all,macs"])
    def test_what_is_no_column(self, words: str) -> None:
        with pytest.raises(UsageError) as caught:
            check_columns(words)
        assert caught.value.remedy

    def test_the_nearest_name_is_said(self) -> None:
        with pytest.raises(UnknownNameError, match="unknown column 'memori'\n  did you mean memory"):
            check_columns("memori")

    def test_beside_what_a_list_is_sorted_by_stands_its_share(self, chain: Any) -> None:
        for sort, numbers in (("params", [650 / 1442, 576 / 1442]), ("memory", [2048 / 5672] * 2)):
            table = tabulate(chain, selection=LayerFilter(sort=sort, top=2))
            keys = [column.key for column in table.columns if not column.hidden and not column.optional]
            assert keys[-2:] == [sort, f"{sort}_share"]
            assert [row[f"{sort}_share"] for row in read(table)] == numbers

    @pytest.mark.parametrize("width", [60, 70, 80, 90, 100, 120])
    def test_every_share_has_its_bar_within_the_width(self, chain: Any, width: int) -> None:
        table = tabulate(chain, columns=("layer", "params_share", "share", "memory_share"))
        header, rule, *rows = render(replace(table, notes=(), subtitle=""), width=width).splitlines()[2:]
        assert max(map(len, [header, *rows])) <= len(rule) <= width
        bars = [sum(cell in "▏▎▍▌▋▊▉█" for cell in row) > 0 for row in rows]
        assert bars[1] == (width >= 9 + 17 + 15 + 17 + 3 * 11)

    def test_what_is_shown_of_memory_is_explained(self, chain: Any) -> None:
        assert not any(note.startswith("memory:") for note in tabulate(chain).notes)
        assert any(note.startswith("memory:") for note in tabulate(chain, columns=("layer", "memory")).notes)

    def test_a_call_again_counts_its_output_again(self, handmade: Any) -> None:
        net = handmade((1, 4, 6, 6))
        net.enter("", "Net", 0)
        x = net.convolve("conv", net.convolve("conv", 0, 4, 6, padding=1), 4, 6, padding=1)
        net.leave(x)
        rows = read(tabulate(net.build(x), columns=("layer", "output", "memory", "params_share")))
        assert [row["memory"] for row in rows] == [2 * 576, 576, 576]
        assert [row["params_share"] for row in rows] == [None, 1.0, None]

    def test_a_failed_layer_has_no_memory(self, handmade: Any) -> None:
        net = handmade((1, 3, 4, 4))
        net.enter("", "Net", 0)
        x = net.convolve("conv", 0, 2, 4, padding=1)
        net.enter("fc", "Linear", x, in_features=7)
        net.fail("shapes cannot be multiplied")
        rows = read(tabulate(net.build(), columns=NAMES))
        assert [row["memory"] for row in rows] == [2 * 4 * 4 * 4, 2 * 4 * 4 * 4, None]

    def test_what_a_container_holds_itself_has_no_memory(self, handmade: Any) -> None:
        net = handmade((1, 4))
        net.enter("", "Net", 0)
        weight = net.add_parameter("weight", (4, 4))
        x = net.connect("fc", 0, 4)
        x = net.run("aten.mm", [x, weight], (1, 4), 16)
        net.leave(x)
        rows = read(tabulate(net.build(x), selection=LayerFilter(sort="memory")))
        assert [(row["layer"], row["memory"]) for row in rows] == [("fc", 16), ("net (own)", 0)]
