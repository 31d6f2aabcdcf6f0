"""Receptive fields against the gradients of real forward passes, and against arithmetic."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import nn

import archscope
from archscope.analysis.receptive import Extent, Reach, State, measure_fields, measure_values
from archscope.analysis.receptive.extent import (
    apply_reading,
    read_adaptive,
    read_nearest,
    read_transposed,
    read_window,
    unite_extents,
)
from archscope.analysis.receptive.state import WHOLE, contract_axes, reshape_state, unite_states
from archscope.core.errors import DataError
from archscope.models.registry import build_model

Span = tuple[int, int]


def build_light(name: str) -> nn.Module:
    """The convolutional part of a built-in model, without its large linear layers and their initialisation."""
    with torch.device("meta"):
        model = build_model(name)
    for parent in list(model.modules()):
        for child_name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, child_name, nn.Identity())
    model.to_empty(device="cpu")
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    return model


def replace_pools(model: nn.Module) -> None:
    """Averages in place of maxima: a maximum's gradient reaches one position only."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.MaxPool2d):
                pool = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode)
                setattr(parent, name, pool)


def measure_gradient(model: nn.Module, shape: tuple[int, ...], layer: str) -> tuple[list[Span], list[int]]:
    """First and last input positions that the centre output of `layer` has a gradient to, in double precision.

    All weights are positive, so that no gradients cancel.
    """
    model = model.double().eval()
    replace_pools(model)
    with torch.no_grad():
        for parameter in model.parameters():
            fan = max(1, parameter[0].numel()) if parameter.dim() > 1 else 1
            parameter.copy_((torch.rand_like(parameter) + 0.5) / fan)
    held: list[torch.Tensor] = []
    module = model.get_submodule(layer) if layer else model
    handle = module.register_forward_hook(lambda *call: held.append(call[2]))
    x = torch.rand(shape, dtype=torch.double, requires_grad=True)
    model(x)
    handle.remove()
    output = held[0]
    centre = [size // 2 for size in output.shape[2:]]
    output[(0, slice(None), *centre)].sum().backward()
    assert x.grad is not None
    touched = x.grad[0].abs().sum(0) > 0
    spans = []
    for axis in range(touched.dim()):
        others = [other for other in range(touched.dim()) if other != axis]
        line = (touched.any(dim=others) if others else touched).nonzero().flatten()
        spans.append((int(line.min()), int(line.max())))
    return spans, centre


def predict(model: nn.Module, shape: tuple[int, ...], layer: str, centre: list[int]) -> list[Span]:
    summary = archscope.trace(model.eval(), torch.empty(shape, device="meta"))
    call = next(call for call in summary.trace.layers if call.path == layer)
    state = measure_values(summary.trace)[call.outputs[0].value]
    spans = []
    for reach, position, size in zip(state, centre, shape[2:], strict=True):
        assert reach.kind in ("extent", "whole")
        span = (0, size - 1) if reach.kind == "whole" else reach.extent.find_span(position)
        assert span is not None
        spans.append((max(0, span[0]), min(size - 1, span[1])))
    return spans


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wide, self.thin = nn.Conv2d(4, 4, 5, padding=2), nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> Any:
        return torch.relu(self.wide(x) + self.thin(x) + x)


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.small = nn.Conv2d(4, 2, 3, stride=2, padding=1)
        self.large = nn.Conv2d(4, 2, 7, stride=2, padding=3)

    def forward(self, x: torch.Tensor) -> Any:
        return torch.cat([self.small(x), self.large(x)], 1)


class Hourglass(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.middle = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.up, self.skip = nn.ConvTranspose2d(4, 4, 2, stride=2), nn.Conv2d(3, 4, 1)
        self.out = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> Any:
        return self.out(torch.cat([self.up(self.middle(self.down(x))), self.skip(x)], 1))


class Patches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(12, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> Any:
        quarters = [x[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)]
        return self.conv(torch.cat(quarters, 1))


class ChannelsLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.mix, self.last = nn.Conv2d(3, 4, 3, stride=2), nn.Linear(4, 5), nn.Conv2d(5, 2, 3)

    def forward(self, x: torch.Tensor) -> Any:
        return self.last(self.mix(self.first(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


class Squeeze(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate = nn.Conv2d(3, 4, 3), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> Any:
        x = self.conv(x)
        return x * torch.sigmoid(self.gate(x.mean((2, 3))))[:, :, None, None]


SMALL: dict[str, Callable[[], nn.Module]] = {
    "strides": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, 2), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3)),
    "dilation": lambda: nn.Sequential(nn.Conv2d(3, 4, 3, dilation=2), nn.Conv2d(4, 4, 3, dilation=(3, 1), padding=1)),
    "transposed": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.ConvTranspose2d(4, 4, 4, 2, 1), nn.Conv2d(4, 4, 3, 1, 1)
    ),
    "transposed, dilated": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3, 3), nn.ConvTranspose2d(4, 4, 5, 3, 1, dilation=2), nn.Conv2d(4, 4, 3, 2)
    ),
    "nearest": lambda: nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Upsample(scale_factor=2), nn.Conv2d(4, 4, 3, 1, 1)),
    "bilinear": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(4, 4, 3, 1, 1)
    ),
    "corners": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
    ),
    "oblong": lambda: nn.Sequential(nn.Conv2d(3, 4, (3, 5), (1, 2), (0, 2)), nn.AvgPool2d((2, 3))),
    "borders": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 5, padding="same"), nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")
    ),
    "residual": lambda: nn.Sequential(nn.Conv2d(3, 4, 3, 2), Residual(), Residual()),
    "branches": lambda: nn.Sequential(nn.Conv2d(3, 4, 1), Branches(), nn.Conv2d(4, 4, 3)),
    "hourglass": Hourglass,
    "slices": Patches,
    "channels last": ChannelsLast,
    "adaptive": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(9), nn.Conv2d(4, 2, 3)),
    "pixel shuffle": lambda: nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(2, 2, 3)),
    "pixel unshuffle": lambda: nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 2, 3)),
    "ceil and LRN": lambda: nn.Sequential(
        nn.MaxPool2d(3, 2, ceil_mode=True), nn.Conv2d(3, 3, 3, padding=1), nn.LocalResponseNorm(3)
    ),
    "depthwise": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.SiLU(), nn.Conv2d(4, 4, 5, 2, groups=4)
    ),
    "squeeze and excitation": Squeeze,
}
"""20 networks that turn, skip, branch and resample."""

BUILT_IN = [
    ("alexnet", (1, 3, 227, 227), "conv5"),
    ("vgg11", (1, 3, 128, 128), "features.15"),
    ("googlenet", (1, 3, 224, 224), "inception_4a"),
    ("resnet18", (1, 3, 128, 128), "layer2"),
    ("resnet50_v1", (1, 3, 112, 112), "layer2"),
    ("plain18", (1, 3, 128, 128), "layer2"),
    ("resnet20", (1, 3, 32, 32), "layer2"),
    ("vgg16_cifar_bn", (1, 3, 32, 32), "features"),
]


@pytest.mark.parametrize("name", SMALL)
def test_small_networks_against_gradients(name: str) -> None:
    shape = (1, 3, 40, 36)
    measured, centre = measure_gradient(SMALL[name](), shape, "")
    assert predict(SMALL[name](), shape, "", centre) == measured


@pytest.mark.parametrize(("name", "shape", "layer"), BUILT_IN, ids=[case[0] for case in BUILT_IN])
def test_built_in_networks_against_gradients(name: str, shape: tuple[int, ...], layer: str) -> None:
    measured, centre = measure_gradient(build_light(name), shape, layer)
    assert predict(build_light(name), shape, layer, centre) == measured


@pytest.mark.parametrize(
    ("name", "layer", "size", "jump"),
    [
        # The sums of (kernel - 1) * jump over all windows.
        ("alexnet", "pool3", 195, 32),
        ("vgg16", "features", 212, 32),
        ("resnet18", "layer4", 435, 32),
        ("resnet50_v1", "layer4", 483, 32),
        ("resnet101_v1", "layer4", 1027, 32),
        ("resnet152_v1", "layer4", 1507, 32),
    ],
)
def test_known_fields(name: str, layer: str, size: int, jump: int) -> None:
    summary = archscope.trace(name)
    call = next(call for call in summary.trace.layers if call.path == layer)
    field = measure_fields(summary.trace)[call.id]
    assert [(d.kind, d.size, d.jump) for d in field.dimensions] == [("extent", size, jump)] * 2
    last = measure_fields(summary.trace)[0]
    assert [dimension.kind for dimension in last.dimensions] == ["whole"] * 2


def test_alignment() -> None:
    summary = archscope.trace(nn.Sequential(nn.Conv2d(1, 1, 7, 2, 3), nn.MaxPool2d(2)), torch.empty(1, 1, 32, 32))
    first, second = (measure_fields(summary.trace)[layer].dimensions[0] for layer in (1, 2))
    assert (first.start, first.centre, first.jump) == (-3, 0, 2)
    # Two outputs that are centred on 0 and 2 are pooled.
    assert (second.start, second.centre, second.jump) == (-3, 1, 4)


def test_sequences_and_texts() -> None:
    summary = archscope.trace(nn.Sequential(nn.Conv1d(2, 3, 5), nn.MaxPool1d(2)), torch.empty(1, 2, 30))
    assert [d.size for d in measure_fields(summary.trace)[0].dimensions] == [6]
    summary = archscope.trace(nn.Embedding(10, 4), torch.zeros(1, 5, dtype=torch.int64))
    assert measure_fields(summary.trace)[0].dimensions == ()


def test_attention_over_all_tokens_and_within_windows() -> None:
    class Tokens(nn.Module):
        def __init__(self, windows: bool) -> None:
            super().__init__()
            self.patches, self.windows = nn.Conv2d(3, 8, 4, 4), windows

        def forward(self, x: torch.Tensor) -> Any:
            x = self.patches(x)
            tokens = x.flatten(2).transpose(1, 2)
            if self.windows:
                tokens = x.view(1, 8, 2, 4, 2, 4).permute(0, 2, 4, 3, 5, 1).reshape(4, 16, 8)
            return torch.softmax(tokens @ tokens.transpose(1, 2), -1) @ tokens

    for windows, kind in ((False, "whole"), (True, "unknown")):
        summary = archscope.trace(Tokens(windows), torch.empty(1, 3, 32, 32))
        assert {d.kind for d in measure_fields(summary.trace)[0].dimensions} == {kind}


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: x.flip(-1),
        lambda x: torch.roll(x, 1, 2),
        lambda x: x[:, :, torch.tensor([0, 2])],
        lambda x: x.view(1, 3, 4, 2, 8),
        lambda x: torch.nn.functional.interpolate(x, size=(5, 5))[:, :, 1:] + x[:, :, :1, :1].expand(1, 3, 4, 5),
    ],
)
def test_what_is_not_followed_is_not_claimed(forward: Callable[[torch.Tensor], torch.Tensor]) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.out = nn.Conv2d(3, 3, 1), nn.Linear(5, 5)

        def forward(self, x: torch.Tensor) -> Any:
            return forward(self.conv(x)).sum(1, keepdim=True) * 2

    summary = archscope.trace(Net(), torch.empty(1, 3, 8, 8))
    state = measure_values(summary.trace)[summary.trace.outputs[0].value]
    assert any(reach.kind == "unknown" or reach.place == "lost" for reach in state)


def test_movements_keep_what_they_move() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: torch.Tensor) -> Any:
            x = self.conv(x)
            first, second = x.split(2, 1)
            x = torch.stack([first, second], 1).flatten(1, 2)
            upper, lower = x.chunk(2, 2)
            x = torch.nn.functional.pad(lower, (1, 1)) + torch.nn.functional.pad(lower, (1, 1))
            return torch.cat([x.unsqueeze(0).squeeze(0), x.transpose(2, 3).transpose(2, 3)], 1) + upper.mean()

    summary = archscope.trace(Net(), torch.empty(1, 3, 12, 12))
    assert {d.kind for d in measure_fields(summary.trace)[0].dimensions} == {"whole"}


class TestExtents:
    def test_a_window(self) -> None:
        extent = apply_reading(Extent(), read_window(11, 4, 0))
        assert extent == Extent(((0, 10),), 4)
        assert (extent.size, extent.jump, extent.centre, extent.start) == (11, 4, 5, 0)

    def test_a_transposed_convolution_has_a_period(self) -> None:
        extent = apply_reading(Extent(), read_transposed(3, 2, 1))
        assert extent is not None
        assert [extent.find_span(output) for output in range(4)] == [(0, 0), (0, 1), (1, 1), (1, 2)]
        assert extent.jump == Fraction(1, 2)

    def test_outputs_between_sparse_taps_depend_on_nothing(self) -> None:
        extent = apply_reading(Extent(), read_transposed(1, 2, 0))
        assert extent is not None
        assert [extent.find_span(output) for output in range(3)] == [(0, 0), None, (1, 1)]
        assert extent.size == 1

    def test_adaptive_windows_vary(self) -> None:
        extent = apply_reading(Extent(), read_adaptive(10, 7))
        assert extent is not None
        assert [extent.find_span(output) for output in range(7)] == [
            (0, 1), (1, 2), (2, 4), (4, 5), (5, 7), (7, 8), (8, 9),
        ]  # fmt: skip

    def test_speeds_that_differ_do_not_unite(self) -> None:
        fast = apply_reading(Extent(), read_window(1, 2, 0))
        assert fast is not None
        assert unite_extents(Extent(), fast) is None

    def test_a_pattern_too_long_to_follow(self) -> None:
        assert apply_reading(Extent(), read_nearest(4999, 5003)) is None


class TestStates:
    def test_the_whole_is_the_most(self) -> None:
        near: State = (Reach(axis=2),)
        assert unite_states([near, (WHOLE,)]) == (WHOLE,)
        assert unite_states([near, ()]) == near
        assert unite_states([near, (WHOLE, WHOLE)])[0].kind == "unknown"

    def test_folding_and_unfolding(self) -> None:
        state: State = (Reach(axis=2), Reach(axis=3))
        folded = reshape_state(state, (1, 8, 5, 7), (1, 8, 35))
        assert [reach.place for reach in folded] == ["merged", "merged"]
        assert reshape_state(folded, (1, 8, 35), (1, 8, 5, 7)) == state
        assert [reach.place for reach in reshape_state(folded, (1, 8, 35), (1, 8, 7, 5))] == ["lost", "lost"]
        assert contract_axes(folded, (2,)) == (WHOLE, WHOLE)

    def test_a_single_position_stays_what_it_is(self) -> None:
        state: State = (Reach(axis=2), Reach(axis=3))
        flat = reshape_state(state, (1, 8, 1, 1), (1, 8))
        assert [reach.place for reach in flat] == ["single", "single"]
        assert contract_axes(flat, (1,)) == flat


def test_a_trace_without_operations(chain: Any) -> None:
    with pytest.raises(DataError):
        measure_fields(replace(chain[0], ops=(), edges=()))
