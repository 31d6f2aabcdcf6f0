"""Random CNNs: the meta trace equals a real forward pass in shapes, parameters and MACs, and its plain form equals it.

Networks are drawn with convolutions of every kind (dilated, grouped, transposed, depthwise, asymmetric), pools with and
without ceil_mode, four norms, branches that are added or concatenated, and odd sizes.
"""

from dataclasses import replace
from math import prod
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import archscope
from archscope.tracing.executors import MetaExecutor
from archscope.tracing.observe import TracedModule, observe_forward


class Branches(nn.Module):
    """Runs every branch on the input and adds or concatenates what comes out, functionally."""

    def __init__(self, branches: list[nn.Module], *, concatenate: bool) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.concatenate = concatenate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs = [branch(x) for branch in self.branches]
        if self.concatenate:
            return torch.cat(outputs, dim=1)
        total = outputs[0]
        for output in outputs[1:]:
            total = total + output
        return torch.relu(total)


def _divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


@st.composite
def convolutions(draw: st.DrawFn, channels: int, side: int, *, same: bool = False) -> tuple[nn.Module, int]:
    groups = draw(st.sampled_from(_divisors(channels)))
    out = groups * draw(st.integers(1, 4))
    bias = draw(st.booleans())
    if same:
        kernel, dilation = draw(st.sampled_from([1, 3, 5])), draw(st.integers(1, 2))
        return nn.Conv2d(channels, out, kernel, padding="same", dilation=dilation, groups=groups, bias=bias), out
    if side <= 12 and draw(st.integers(0, 4)) == 0:
        stride = draw(st.integers(1, 2))
        made = nn.ConvTranspose2d(channels, out, draw(st.integers(1, 3)), stride=stride, groups=groups, bias=bias,
                                  output_padding=draw(st.integers(0, stride - 1)))  # fmt: skip
        return made, out
    window = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    padding = (draw(st.integers(0, 2)), draw(st.integers(0, 2)))
    dilation = draw(st.integers(1, 2))
    stride = draw(st.integers(1, 3))
    return nn.Conv2d(channels, out, window, stride, padding, dilation, groups, bias), out


@st.composite
def pools(draw: st.DrawFn) -> nn.Module:
    kernel = draw(st.integers(1, 3))
    kind: Any = draw(st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]))
    padding, stride = draw(st.integers(0, kernel // 2)), draw(st.integers(1, 3))
    if draw(st.integers(0, 5)) == 0:
        return nn.AdaptiveAvgPool2d(draw(st.integers(1, 4)))
    return kind(kernel, stride, padding, ceil_mode=draw(st.booleans()))


@st.composite
def norms(draw: st.DrawFn, channels: int) -> nn.Module:
    kinds = [
        nn.BatchNorm2d(channels, affine=draw(st.booleans())),
        nn.GroupNorm(draw(st.sampled_from(_divisors(channels))), channels),
        nn.LocalResponseNorm(draw(st.sampled_from([1, 3, 5]))),
        nn.InstanceNorm2d(channels),
    ]
    return draw(st.sampled_from(kinds))


ACTIVATIONS = [nn.ReLU, nn.GELU, nn.Sigmoid, nn.Hardswish, nn.SiLU]


@st.composite
def networks(draw: st.DrawFn) -> tuple[nn.Module, torch.Tensor]:
    channels, height, width = draw(st.integers(1, 6)), draw(st.integers(5, 33)), draw(st.integers(5, 33))
    image = torch.zeros(draw(st.integers(1, 2)), channels, height, width)
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["conv", "conv", "pool", "norm", "act", "add", "cat"]))
        if kind == "conv":
            layer, channels = draw(convolutions(channels, height))
        elif kind == "pool":
            layer = draw(pools())
        elif kind == "norm":
            layer = draw(norms(channels))
        elif kind == "act":
            layer = draw(st.sampled_from(ACTIVATIONS))()
        else:
            branches = [draw(convolutions(channels, height, same=True)) for _ in range(draw(st.integers(2, 3)))]
            modules, widths = [module for module, _ in branches], [width for _, width in branches]
            if kind == "add":
                widths = [widths[0]] * len(widths)
                modules = [modules[0], *(nn.Conv2d(channels, widths[0], 1) for _ in modules[1:])]
            layer, channels = Branches(modules, concatenate=kind == "cat"), sum(widths) if kind == "cat" else widths[0]
        layers.append(layer)
        height = height if kind != "conv" else max(1, height // 2)
    if draw(st.booleans()):
        layers += [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, draw(st.integers(1, 9)))]
    return nn.Sequential(*layers).eval(), image


def _hand_macs(module: nn.Module, args: Any, output: torch.Tensor) -> int:
    if isinstance(module, nn.ConvTranspose2d):
        return prod(args[0].shape) * prod(module.weight.shape[1:])
    if isinstance(module, nn.Conv2d):
        return prod(output.shape) * prod(module.weight.shape[1:])
    return prod(output.shape) * module.in_features if isinstance(module, nn.Linear) else 0


def _run_for_real(model: nn.Module, image: torch.Tensor) -> list[tuple[str, tuple[int, ...], int, int]]:
    seen: list[tuple[str, tuple[int, ...], int, int]] = []
    handles = []
    for path, module in model.named_modules():

        def hook(module: nn.Module, args: Any, output: torch.Tensor, path: str = path) -> None:
            params = sum(p.numel() for p in module.parameters())
            seen.append((path, tuple(output.shape), params, _hand_macs(module, args, output)))

        handles.append(module.register_forward_hook(hook))
    try:
        with torch.no_grad():
            model(image)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def check_network(model: nn.Module, image: torch.Tensor) -> None:
    """The trace of `model` against a real forward; networks that fail for real must fail in the trace too."""
    try:
        seen = _run_for_real(model, image)
    except (RuntimeError, ValueError) as error:
        with pytest.raises(archscope.ForwardError) as caught:
            archscope.trace(model, image)
        failed = caught.value.summary.trace.failure
        if failed is None:
            raise AssertionError("a forward that raised has no failure") from error
        return
    summary = archscope.trace(model, image)
    assert summary.trace.mode == "meta"
    traced = {
        layer.path: (layer.outputs[0].shape, layer.params, summary.costs.layers[layer.id].own_macs)
        for layer in summary.trace.layers
    }
    assert traced == {path: (shape, params, macs) for path, shape, params, macs in seen}
    assert summary.costs.macs == sum(macs for *_, macs in seen)
    assert summary.trace.totals.params == sum(p.numel() for p in model.parameters())
    _check_plain_form(model)


def _check_plain_form(model: nn.Module) -> None:
    """The exact shape rules leave no mark: records and strides equal those of the true meta kernels."""
    twin = nn.Sequential(*model.children()).to("meta")
    inputs = (torch.empty(1, _channels(model), 40, 40, device="meta"),)
    results = []
    for plain in (False, True):
        observation = observe_forward(TracedModule(twin, inputs), MetaExecutor(plain=plain))
        trace = replace(observation.trace, failure=None)
        results.append((trace.ops, trace.edges, trace.layers, observation.error is None))
    assert results[0] == results[1]


def _channels(model: nn.Module) -> int:
    for module in model.modules():
        found = getattr(module, "in_channels", None) or getattr(module, "num_features", None)
        found = found or getattr(module, "num_channels", None)
        if found:
            return int(found)
    return 3


CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


# One in twelve fails for real too (checked to fail in the trace): at least 200 and 2,000 are compared in full.
@settings(max_examples=220, suppress_health_check=CHECKS)
@given(networks())
def test_two_hundred_random_networks(drawn: tuple[nn.Module, torch.Tensor]) -> None:
    check_network(*drawn)


@pytest.mark.slow
@settings(max_examples=2250, suppress_health_check=CHECKS)
@given(networks())
def test_two_thousand_random_networks(drawn: tuple[nn.Module, torch.Tensor]) -> None:
    check_network(*drawn)
