"""Settings and shapes as people write them."""

from typing import Any

import pytest

from archscope.core.tensors import TensorSpec
from archscope.tables.layer_text import (
    arrange_shape,
    describe_settings,
    format_shape,
    format_shapes,
    format_size,
    format_uniform,
)

CONV = {"in_channels": 4, "out_channels": 8, "kernel_size": (3, 3), "stride": (1, 1), "padding": (0, 0),
        "dilation": (1, 1), "groups": 1, "padding_mode": "zeros"}  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "rank", "phrases"),
    [
        (CONV, 2, "3x3"),
        (CONV | {"kernel_size": (7, 7), "stride": (2, 2), "padding": (3, 3)}, 2, "7x7/2, pad 3"),
        (CONV | {"kernel_size": (1, 7), "padding": (0, 3)}, 2, "1x7, pad 0x3"),
        (CONV | {"stride": (2, 1)}, 2, "3x3/2x1"),
        (CONV | {"padding": "same"}, 2, "3x3, pad same"),
        (CONV | {"padding": "valid"}, 2, "3x3"),
        (CONV | {"padding": (1, 1), "padding_mode": "reflect"}, 2, "3x3, pad 1 reflect"),
        (CONV | {"dilation": (2, 2), "groups": 2}, 2, "3x3, dilation 2, 2 groups"),
        (CONV | {"in_channels": 8, "groups": 8}, 2, "3x3, depthwise"),
        (CONV | {"output_padding": (1, 1), "stride": (2, 2)}, 2, "3x3/2, output pad 1"),
        (CONV | {"output_padding": (0, 0)}, 2, "3x3"),
        ({"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 1, "ceil_mode": False}, 2, "3x3/2, pad 1"),
        ({"kernel_size": 3, "stride": 2, "padding": 0, "ceil_mode": True}, 2, "3x3/2, ceil"),
        ({"kernel_size": 3, "stride": 2}, 3, "3x3x3/2"),
        ({"kernel_size": (5,), "stride": (1,), "padding": (2,)}, 1, "5, pad 2"),
        ({"output_size": (7, 7)}, 2, "7x7"),
        ({"output_size": 1}, 2, "1x1"),
        ({"output_size": (None, 7)}, 2, "*x7"),
        ({"in_features": 3, "out_features": 4, "bias": True}, 0, ""),
        ({"num_embeddings": 100, "embedding_dim": 16, "padding_idx": None}, 1, "100x16"),
        ({"embed_dim": 64, "num_heads": 4, "dropout": 0.0}, 1, "4 heads"),
        ({"input_size": 3, "hidden_size": 20, "num_layers": 2, "bidirectional": True}, 1,
         "hidden 20, 2 layers, bidirectional"),
        ({"num_groups": 8, "num_channels": 64, "eps": 1e-5}, 2, "8 groups"),
        ({"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 2.0}, 2, "size 5"),
        ({"p": 0.5, "inplace": False}, 2, "0.5"),
        ({"p": 0.0}, 2, ""),
        ({"scale_factor": 2.0, "mode": "nearest", "size": None}, 2, "x2.0"),
        ({"scale_factor": (2.0, 2.0)}, 2, "x2.0"),
        ({"upscale_factor": 3}, 2, "x3"),
    ],
)  # fmt: skip
def test_settings(settings: Any, rank: int, phrases: str) -> None:
    assert ", ".join(describe_settings(settings, rank)) == phrases


def test_shapes() -> None:
    assert format_shape((1, 64, 56, 56)) == "1x64x56x56"
    assert format_shape(()) == "scalar"
    specs = [TensorSpec(str(n), (1, n), "float32") for n in range(1, 6)]
    assert format_shapes(specs[:2]) == ("1x1, 1x2", "1x1, 1x2")
    assert format_shapes(specs) == ("1x1, 1x2, 1x3, 1x4, 1x5", "1x1, 1x2, 1x3 and 2 more")
    assert format_shapes([]) == ("", "")


def test_sizes() -> None:
    assert format_size(3, 2) == "3x3"
    assert format_size((3, 5), 2) == "3x5"
    assert format_size(1, 2, 1) == ""
    assert format_uniform((2, 2)) == "2"
    assert format_uniform((2, 1)) == "2x1"
    assert format_uniform("same", 0) == "same"


@pytest.mark.parametrize(
    ("shape", "channels_first", "arranged"),
    [
        ((1, 96, 55, 55), True, "55x55x96"),
        ((1, 56, 56, 96), False, "56x56x96"),
        ((2, 4, 8, 8, 8), True, "8x8x8x4"),
        ((2, 4, 10), True, "10x4"),
        ((2, 197, 768), False, "197x768"),
        ((1, 1000), True, "1000"),
        ((7,), True, "7"),
        ((), True, "scalar"),
    ],
)
def test_paper_layout(shape: Any, *, channels_first: bool, arranged: str) -> None:
    assert arrange_shape(shape, channels_first=channels_first) == arranged
