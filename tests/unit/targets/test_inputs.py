"""Inputs asked for and inputs known, put together."""

import pytest
import torch
from torch import nn

from archscope.core.errors import UsageError
from archscope.core.words import parse_input
from archscope.targets.inputs import change_batch, choose_inputs, find_dtype, make_arguments
from archscope.targets.target import InputTensor, Target


def target(*known: InputTensor) -> Target:
    return Target("t", "t", nn.Identity, default_inputs=(lambda _: known) if known else None)


IMAGE = InputTensor(None, (1, 3, 224, 224))
IDS = InputTensor("input_ids", (1, 16), "int64")


@pytest.mark.parametrize(
    ("known", "words", "shapes"),
    [
        ((IMAGE,), ["32"], [(None, (1, 3, 32, 32), None)]),
        ((IMAGE,), ["8x1x28x28"], [(None, (8, 1, 28, 28), None)]),
        ((), ["32"], [(None, (1, 3, 32, 32), None)]),
        ((), ["1x7:int64"], [(None, (1, 7), "int64")]),
        ((IDS,), ["input_ids=1x128"], [("input_ids", (1, 128), "int64")]),
        ((IMAGE, IDS), ["input_ids=2x8:int32"], [(None, (1, 3, 224, 224), None), ("input_ids", (2, 8), "int32")]),
    ],
)
def test_words_complete_what_is_known(
    known: tuple[InputTensor, ...], words: list[str], shapes: list[tuple[object, ...]]
) -> None:
    specs = [parse_input(word) for word in words]
    chosen = choose_inputs(target(*known), nn.Identity(), specs)
    assert [(item.name, item.shape, item.dtype) for item in chosen] == shapes


def test_without_words_the_targets_own_inputs_are_taken() -> None:
    assert choose_inputs(target(IMAGE), nn.Identity(), []) == (IMAGE,)
    with pytest.raises(UsageError, match="does not say what input it takes"):
        choose_inputs(target(), nn.Identity(), [])


def test_the_dtype_is_that_of_the_weights() -> None:
    assert find_dtype(nn.Linear(2, 2).half()) is torch.float16
    assert find_dtype(nn.Identity()) is torch.float32


def test_the_dtype_is_that_of_the_layers_not_of_odd_parameters_beside_them() -> None:
    class Odd(nn.Module):
        def __init__(self, odd: torch.dtype, layer: nn.Module | None) -> None:
            super().__init__()
            self.odd = nn.Parameter(torch.ones(2, dtype=odd))
            self.many = nn.ParameterList([torch.ones(2, dtype=odd)])
            self.layer = layer

    assert find_dtype(Odd(torch.complex64, nn.Linear(2, 2))) is torch.float32
    assert find_dtype(Odd(torch.float64, nn.Conv2d(3, 2, 1))) is torch.float32
    assert find_dtype(Odd(torch.float32, nn.Linear(2, 2, dtype=torch.complex64))) is torch.complex64
    assert find_dtype(Odd(torch.complex128, None)) is torch.complex128
    assert find_dtype(nn.ModuleList([Odd(torch.complex64, None), Odd(torch.float64, None)])) is torch.float64
    assert find_dtype(nn.Embedding(3, 2, dtype=torch.bfloat16)) is torch.bfloat16


def test_another_batch() -> None:
    state = InputTensor("state", (2, 1, 8))
    length = InputTensor("length", ())
    assert change_batch((IMAGE, IDS, state, length), 5) == (
        InputTensor(None, (5, 3, 224, 224)),
        InputTensor("input_ids", (5, 16), "int64"),
        state,  # its first dimension is not that of the first input
        length,
    )
    assert change_batch((IMAGE,), None) == (IMAGE,)
    image = InputTensor(None, (3, 8, 8), group="images")
    assert change_batch((image, image), 3) == (image, image, image)
    (ids,), named = make_arguments(
        target(InputTensor(None, (1, 4), "int64")), nn.Identity(), (), torch.device("meta"), 6
    )
    assert (ids.shape, ids.dtype, named) == ((6, 4), torch.int64, {})
