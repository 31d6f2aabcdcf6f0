"""Shapes in place of tensors: `archscope.trace(model, (1, 3, 32, 32))`, as torchinfo takes them."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archscope
from archscope.api.words import read_inputs
from archscope.core.errors import InputSpecError, UsageError
from archscope.core.words import InputSpec

CONV = nn.Sequential(nn.Conv2d(3, 4, 3))


class Two(nn.Module):
    def forward(self, a: Tensor, b: Tensor, scale: float = 1.0) -> Tensor:
        return (a.sum() + b.sum()) * scale


class Resized(nn.Module):
    """Takes a size as well: whole numbers that are no shape of a tensor."""

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        return nn.functional.interpolate(x, size=size)


class Resizing(nn.Module):
    def forward(self, x, size=(3, 3)):  # a default says it too
        return nn.functional.interpolate(x, size=size)


class Canvas(nn.Module):
    def forward(self, size: "tuple[int, int]") -> Tensor:
        return torch.zeros(size) + 1


def list_shapes(summary: archscope.Summary) -> list[tuple[int, ...]]:
    return [ref.shape for ref in summary.trace.inputs]


@pytest.mark.parametrize(
    "shape", [(5, 3, 32, 32), [5, 3, 32, 32], torch.Size((5, 3, 32, 32)), torch.zeros(5, 3, 32, 32).shape]
)
def test_one_shape(shape: Any) -> None:
    for given in ([shape], [[shape]], [(shape,)]):
        summary = archscope.trace(CONV, *given)
        assert list_shapes(summary) == [(5, 3, 32, 32)]
        assert summary["0"].output_shape == (5, 4, 30, 30)
        assert summary.macs == 5 * 4 * 30 * 30 * 27


@pytest.mark.parametrize(
    "given",
    [
        [[(1, 3), (2, 4)]],
        [((1, 3), (2, 4))],
        [[torch.Size((1, 3)), [2, 4]]],
        [(1, 3), (2, 4)],
        [[1, 3], torch.Size((2, 4))],
    ],
)
def test_several_shapes(given: list[Any]) -> None:
    assert list_shapes(archscope.trace(Two(), *given)) == [(1, 3), (2, 4)]
    assert list_shapes(archscope.trace(Two(), *given, scale=2.0)) == [(1, 3), (2, 4)]


def test_the_batch_is_as_given() -> None:
    assert list_shapes(archscope.trace(CONV, (3, 32, 32))) == [(3, 32, 32)]
    assert archscope.trace(CONV, (3, 32, 32))["0"].output_shape == (4, 30, 30)
    assert archscope.trace(nn.Linear(8, 2), (8,))[""].output_shape == (2,)
    assert list_shapes(archscope.trace("resnet18", (2, 3, 64, 64), num_classes=10)) == [(2, 3, 64, 64)]


def test_the_dtype_is_the_module_s() -> None:
    assert archscope.trace(nn.Linear(4, 2).double(), (1, 4)).trace.inputs[0].spec.dtype == "float64"


def test_sizes_that_forward_wants_are_no_shapes() -> None:
    assert archscope.trace(Canvas(), (3, 4))[""].output_shape == (3, 4)
    assert archscope.trace(Resized(), (1, 3, 8, 8), (5, 6))[""].output_shape == (1, 3, 5, 6)
    assert archscope.trace(Resized(), torch.zeros(1, 3, 8, 8), (5, 6))[""].output_shape == (1, 3, 5, 6)
    assert archscope.trace(Resizing(), (1, 3, 8, 8), (5, 6))[""].output_shape == (1, 3, 5, 6)
    assert archscope.trace(Resizing(), (1, 3, 8, 8), size=(5, 6))[""].output_shape == (1, 3, 5, 6)
    assert archscope.trace(Resizing(), torch.zeros(1, 3, 8, 8), (5, 6))[""].output_shape == (1, 3, 5, 6)


@pytest.mark.parametrize("shape", [(1, 3, -1, 32), (0, 3, 32, 32), (1, 3, 32.0, 32), (True, 3, 32, 32), (None, 3, 8, 8),
                                   [(1, 3, 8, 8), (1, 3, 0)], (1,) * 40, (2**30, 2**30, 2**30)])  # fmt: skip
def test_what_is_no_shape_is_told(shape: Any) -> None:
    with pytest.raises(InputSpecError, match="is no shape of an input") as caught:
        archscope.trace(CONV, shape)
    assert "(1, 3, 224, 224)" in str(caught.value)


def test_shapes_and_words_are_given_twice() -> None:
    with pytest.raises(UsageError, match="given twice"):
        archscope.trace(CONV, (1, 3, 8, 8), inputs="8")
    with pytest.raises(UsageError, match="given twice"):
        archscope.trace(Two(), inputs=["2x3:float32"], b=torch.zeros(3))


def test_shapes_among_the_words() -> None:
    assert read_inputs([(3, 32, 32), "x=1x4"]) == (
        InputSpec(None, (3, 32, 32), None, exact=True),
        InputSpec("x", (1, 4), None),
    )
    assert list_shapes(archscope.trace(Two(), inputs=[(1, 3), torch.Size((2, 4))], scale=2.0)) == [(1, 3), (2, 4)]
    assert "[2x3x8x8]" not in archscope.table(CONV, inputs=[(2, 3, 8, 8)]).render("plain")
    assert "[8x8x3] INPUT" in archscope.table(CONV, inputs=[(2, 3, 8, 8)]).render("plain")


def test_other_readings_stay() -> None:
    """Lists of tensors and of floats, and what stands beside a tensor, reach forward as they are."""

    class Sum(nn.Module):
        def forward(self, items, more=None):
            return sum(items) + (0 if more is None else more.sum())

    assert archscope.trace(Sum(), [torch.zeros(2), torch.zeros(2)])[""].output_shape == (2,)
    assert archscope.trace(Sum(), [0.5, 0.25], torch.zeros(3))[""].output_shape == ()
    assert archscope.trace(Sum(), [1, 2], torch.zeros(3))[""].output_shape == ()
    assert archscope.trace(Sum(), [1, 2], more=torch.zeros(3))[""].output_shape == ()
