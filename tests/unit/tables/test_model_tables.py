"""The lecture's form: words made from settings, numbers that add up."""

from dataclasses import replace
from typing import Any

import pytest

from archscope.core.errors import DataError
from archscope.core.table import Table, get_value
from archscope.tables.catalogue import build_catalogue_table
from archscope.tables.model import build_model_table


def read(table: Table) -> list[tuple[Any, ...]]:
    keys = [column.key for column in table.columns]
    assert keys == ["shape", "label", "params", "macs", "bytes"]
    return [tuple(get_value(column, cell) for column, cell in zip(table.columns, row.cells, strict=True))
            for row in table.rows]  # fmt: skip


def test_a_chain_in_the_form_of_the_lecture(chain: Any) -> None:
    trace, costs = chain
    table = build_model_table(trace, costs, "A chain")
    assert read(table) == [
        ("8x8x3", "INPUT", 0, 0, 768),
        ("8x8x8", "CONV1: 8 3x3 filters at stride 1, pad 1", 216, 13_824, 2_048),
        ("4x4x16", "CONV2: 16 3x3 filters at stride 2, pad 1, in 2 groups", 576, 9_216, 1_024),
        ("2x2x16", "MAX POOL1: 2x2 filters at stride 2", 0, 0, 256),
        ("10", "FC3: 10 neurons (class scores)", 650, 640, 40),
        # conv1 and relu1, conv2, pool and flatten, fc
        (None, "total", 1_442, 23_680, 2 * 2_048 + 1_024 + 2 * 256 + 40),
    ]
    assert (table.title, table.subtitle) == ("A chain", "batch 1 · eval · float32")
    assert table.rows[1].cells[0].text == "[8x8x8]"
    assert table.rows[-1].kind == "total"


def test_the_words_follow_the_settings(handmade: Any) -> None:
    def label(**settings: Any) -> str:
        net = handmade((1, 4, 9, 9))
        net.enter("", "Net", 0)
        x = net.convolve("conv", 0, 8, 9, **settings)
        net.leave(x)
        return str(read(build_model_table(*net.build(x)))[1][1])

    assert label(padding=1) == "CONV1: 8 3x3 filters at stride 1, pad 1"
    assert label(padding=1, stride=2) == "CONV1: 8 3x3 filters at stride 2, pad 1"
    assert label(kernel=5) == "CONV1: 8 5x5 filters at stride 1, pad 0"
    assert label(dilation=(2, 2)) == "CONV1: 8 3x3 filters at stride 1, pad 0, dilation 2"
    assert label(transposed=True) == "CONV1: 8 3x3 transposed filters at stride 1, pad 0"


def test_pools_norms_and_what_is_no_row(handmade: Any) -> None:
    net = handmade((1, 4, 8, 8))
    net.enter("", "Net", 0)
    net.enter("lrn", "LocalResponseNorm", 0, size=5, alpha=1e-4, beta=0.75, k=2.0)
    x = net.run("aten.mul", [0], (1, 4, 8, 8))
    net.leave(x)
    net.enter("bn", "BatchNorm2d", x, num_features=4, eps=1e-5)
    x = net.run("aten.native_batch_norm", [x, net.add_parameter("bn.weight", (4,))], (1, 4, 8, 8))
    net.leave(x)
    net.enter("pool", "AvgPool2d", x, kernel_size=3, stride=2, padding=1, ceil_mode=False, count_include_pad=True)
    x = net.run("aten.avg_pool2d", [x], (1, 4, 4, 4))
    net.leave(x)
    net.enter("same", "AdaptiveAvgPool2d", x, output_size=(4, 4))
    x = net.run("aten._adaptive_avg_pool2d", [x], (1, 4, 4, 4))
    net.leave(x)
    net.enter("half", "AdaptiveMaxPool2d", x, output_size=(2, 2))
    x = net.run("aten.adaptive_max_pool2d", [x], (1, 4, 2, 2))
    net.leave(x)
    net.enter("global", "AdaptiveAvgPool2d", x, output_size=1)
    x = net.run("aten.mean", [x], (1, 4, 1, 1))
    net.leave(x)
    x = net.call("drop", "Dropout", x, (1, 4, 1, 1), p=0.5)
    net.enter("up", "Upsample", x, scale_factor=2.0)
    x = net.run("aten.upsample_nearest2d", [x], (1, 4, 2, 2))
    net.leave(x)
    net.leave(x)
    assert [row[1] for row in read(build_model_table(*net.build(x)))] == [
        "INPUT",
        "NORM1: Normalization layer",
        "NORM2: BatchNorm2d",
        "AVG POOL1: 3x3 filters at stride 2, pad 1",
        "MAX POOL1: 4x4 to 2x2",
        "AVG POOL2: over the whole 2x2",
        "up: Upsample x2.0",
        "total",
    ]


def test_blocks_are_rows_where_the_network_branches(residual: Any) -> None:
    assert read(build_model_table(*residual)) == [
        ("6x6x3", "INPUT", 0, 0, 432),
        ("6x6x4", "CONV: 4 3x3 filters at stride 1, pad 1", 108, 3_888, 576),
        ("6x6x4", "blocks.0: Block", 16, 576, 576),
        ("6x6x4", "blocks.1: Block", 144, 5_184, 576),
        ("6x6x4", "blocks.2: Block", 144, 5_184, 576),
        (None, "total", 412, 14_832, 4 * 576),
    ]


def test_operations_without_a_module_are_rows_too(handmade: Any) -> None:
    net = handmade((1, 3, 8, 8))
    net.enter("", "Functional", 0)
    kernel = net.add_parameter("kernel", (4, 3, 3, 3))
    x = net.run("aten.convolution", [0, kernel], (1, 4, 8, 8), 4 * 64 * 27, stride=(1, 1), padding=(1, 1), groups=1,
                dilation=(1, 1), transposed=False)  # fmt: skip
    x = net.run("aten.relu", [x], (1, 4, 8, 8))
    x = net.run("aten.max_pool2d_with_indices", [x], (1, 4, 4, 4), kernel_size=(2, 2), stride=())
    x = net.run("aten.mean", [x], (1, 4, 1, 1), dim=(-1, -2))
    x = net.run("aten.view", [x], (1, 4))
    weight = net.run("aten.t", [net.add_parameter("weight", (2, 4))], (4, 2))
    x = net.run("aten.mm", [x, weight], (1, 2), 8)
    x = net.run("aten.foo", [x], (1, 2), None)
    net.leave(x)
    assert read(build_model_table(*net.build(x))) == [
        ("8x8x3", "INPUT", 0, 0, 768),
        ("8x8x4", "CONV1: 4 3x3 filters at stride 1, pad 1", 108, 6_912, 1_024),
        ("4x4x4", "MAX POOL1: 2x2 filters at stride 2", 0, 0, 256),
        ("1x1x4", "AVG POOL1: over the whole 4x4", 0, 0, 16),
        ("2", "FC2: 2 neurons", 8, 8, 8),
        ("2", "foo: operation", 0, None, 8),
        # The total is of the outputs of modules, and there is only the model itself.
        (None, "total", 116, None, 8),
    ]


def test_parameters_that_no_row_holds_have_their_own(handmade: Any) -> None:
    net = handmade((1, 5, 4))
    net.enter("", "Net", 0)
    token = net.add_parameter("token", (1, 1, 4))
    net.add_parameter("spare.weight", (3, 3))
    x = net.run("aten.add", [0, token], (1, 5, 4))
    x = net.connect("fc", x, 2)
    net.leave(x)
    rows = read(build_model_table(*net.build(x)))
    assert rows[1:] == [
        ("5x2", "FC1: 2 neurons", 10, 40, 40),
        (None, "other parameters: token, spare.weight", 13, 0, 0),
        (None, "total", 23, 40, 40),
    ]


def test_a_module_called_twice_holds_its_parameters_once(handmade: Any) -> None:
    net = handmade((1, 4, 6, 6))
    net.enter("", "Net", 0)
    x = net.convolve("conv", 0, 4, 6, padding=1)
    x = net.convolve("conv", x, 4, 6, padding=1)
    net.leave(x)
    assert [row[2] for row in read(build_model_table(*net.build(x)))] == [0, 144, 0, 144]


def test_sequences_keep_their_channels_last(handmade: Any) -> None:
    net = handmade((2, 3, 10))
    net.enter("", "Net", 0)
    net.enter("conv", "Conv1d", 0, out_channels=4, kernel_size=(3,), stride=(1,), padding=(0,))
    x = net.run("aten.convolution", [0, net.add_parameter("conv.weight", (4, 3, 3))], (2, 4, 8), 2 * 4 * 8 * 9)
    net.leave(x)
    net.enter("norm", "LayerNorm", x, normalized_shape=(8,), eps=1e-5)
    y = net.run("aten.native_layer_norm", [x], (2, 4, 8))
    net.leave(y)
    net.leave(y)
    assert [row[:2] for row in read(build_model_table(*net.build(y)))][:3] == [
        ("10x3", "INPUT"),
        ("8x4", "CONV1: 4 filters of width 3 at stride 1, pad 0"),
        ("4x8", "NORM1: LayerNorm"),
    ]


def test_a_layer_alone(handmade: Any) -> None:
    net = handmade((5, 3, 10))
    net.enter("", "LSTM", 0, hidden_size=20, num_layers=2)
    x = net.run("aten.lstm", [0, net.add_parameter("weight", (80, 10))], (5, 3, 20), 12_000)
    net.leave(x)
    assert read(build_model_table(*net.build(x)))[1] == ("3x20", "LSTM hidden 20, 2 layers", 800, 12_000, 1_200)


def test_a_pass_that_failed_shows_what_it_reached(handmade: Any) -> None:
    net = handmade((1, 3, 8, 8))
    net.enter("", "Net", 0)
    x = net.convolve("conv", 0, 4, 8, padding=1)
    net.enter("fc", "Linear", x, in_features=3, out_features=2)
    net.fail("no")
    table = build_model_table(*net.build())
    assert [row[1] for row in read(table)] == ["INPUT", "CONV1: 4 3x3 filters at stride 1, pad 1", "FC2: 2 neurons",
                                               "total"]  # fmt: skip
    assert (table.rows[2].cells[0].text, table.rows[2].cells[0].mark) == ("failed", "failed")
    assert "the forward pass stopped in fc: the counts end there" in table.notes


def test_a_trace_without_operations_cannot_be_outlined(chain: Any) -> None:
    trace, costs = chain
    with pytest.raises(DataError) as caught:
        build_model_table(replace(trace, ops=(), edges=(), state=()), replace(costs, ops=()))
    assert "--ops" in caught.value.remedy


def test_the_catalogue() -> None:
    class Line:
        name, title, source, input, params, macs = "net", "A net", "Someone 2020", (3, 8, 8), 1_442, 23_680

    table = build_catalogue_table([Line()])
    assert [cell.text for cell in table.rows[0].cells] == ["net", "1,442", "23,680", "3x8x8", "A net", "Someone 2020"]
    assert table.notes[0].startswith("1 models")
