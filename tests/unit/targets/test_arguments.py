"""Inputs described, turned into the arguments of forward."""

import torch
from torch import nn

from archscope.core.words import parse_input
from archscope.targets.inputs import choose_inputs
from archscope.targets.target import InputTensor, Target, build_arguments, freeze_arguments


def make(item: InputTensor) -> torch.Tensor:
    return torch.empty(item.shape)


def test_positions_names_and_lists() -> None:
    inputs = (
        InputTensor(None, (3, 8, 8), group="images"),
        InputTensor(None, (1, 2)),
        InputTensor(None, (3, 9, 9), group="images"),
        InputTensor("mask", (1, 4)),
        InputTensor("hints", (5,), group="hints"),
        InputTensor("hints", (6,), group="hints"),
    )
    args, kwargs = build_arguments(inputs, make)
    images, plain = args
    assert [tuple(image.shape) for image in images] == [(3, 8, 8), (3, 9, 9)]
    assert tuple(plain.shape) == (1, 2)
    assert tuple(kwargs["mask"].shape) == (1, 4)
    assert [tuple(hint.shape) for hint in kwargs["hints"]] == [(5,), (6,)]


def test_arguments_are_frozen() -> None:
    frozen = freeze_arguments({"cfg": [64, "M", [1, 2]], "depth": None, "norm": {"eps": 1}})
    assert frozen == {"cfg": (64, "M", (1, 2)), "depth": None, "norm": "{'eps': 1}"}


def shapes(known: tuple[InputTensor, ...], *words: str) -> list[tuple[str | None, tuple[int, ...]]]:
    target = Target("t", "t", nn.Identity, default_inputs=lambda _: known)
    chosen = choose_inputs(target, nn.Identity(), [parse_input(word) for word in words])
    return [(item.name, item.shape) for item in chosen]


def test_a_batch_becomes_a_list_of_images() -> None:
    known = (InputTensor(None, (3, 800, 800), group="images"),)
    assert shapes(known, "3x64x96") == [(None, (3, 64, 96))]
    assert shapes(known, "2x3x64x96") == [(None, (3, 64, 96))] * 2
    assert shapes(known, "320") == [(None, (3, 320, 320))]


def test_one_shape_stands_for_two_equal_images() -> None:
    known = (InputTensor(None, (1, 3, 512, 512)),) * 2
    assert shapes(known, "1x3x128x128") == [(None, (1, 3, 128, 128))] * 2
    assert shapes(known, "1x3x128x128", "1x3x64x64") == [(None, (1, 3, 128, 128)), (None, (1, 3, 64, 64))]


def test_shapes_without_names_reach_named_inputs() -> None:
    known = (InputTensor("input_ids", (1, 128), "int64"), InputTensor("decoder_input_ids", (1, 128), "int64"))
    assert shapes(known, "2x16") == [("input_ids", (2, 16)), ("decoder_input_ids", (1, 128))]
    assert shapes(known, "decoder_input_ids=1x7", "2x16") == [("input_ids", (2, 16)), ("decoder_input_ids", (1, 7))]
    assert shapes(known, "64") == [("input_ids", (1, 64)), ("decoder_input_ids", (1, 64))]


def test_a_lone_size_is_for_the_image_beside_a_text() -> None:
    known = (InputTensor("input_ids", (1, 77), "int64"), InputTensor("pixel_values", (1, 3, 224, 224)))
    assert shapes(known, "96") == [("input_ids", (1, 77)), ("pixel_values", (1, 3, 96, 96))]
