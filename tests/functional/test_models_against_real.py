"""Every built-in model: the meta trace equals a real forward pass watched by ordinary forward hooks, layer by layer."""

import warnings
from collections.abc import Iterator
from math import prod
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import archscope
from archscope.models.registry import build_model, default_input_shape, list_entries

NAMES = [entry.name for entry in list_entries()]


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _tensors(item)


def _hand_macs(module: nn.Module, args: tuple[Any, ...], output: Any) -> int:
    """MACs of a convolution or linear layer, from its weight and its real output."""
    if isinstance(module, nn.Conv2d):
        return prod(output.shape) * prod(module.weight.shape[1:])
    if isinstance(module, nn.Linear):
        return prod(output.shape) * module.in_features
    return 0


def _watch(model: nn.Module, image: torch.Tensor) -> tuple[list[dict[str, Any]], int]:
    """What forward hooks and torch's own counter see in a real forward pass, calls in the order they began."""
    calls: list[dict[str, Any]] = []
    handles = []
    for path, module in model.named_modules():

        def begin(module: nn.Module, args: Any, path: str = path) -> None:
            calls.append({"path": path, "module": module})

        def end(module: nn.Module, args: Any, output: Any, path: str = path) -> None:
            call = next(c for c in reversed(calls) if c["path"] == path and "outputs" not in c)
            call["outputs"] = [tuple(tensor.shape) for tensor in _tensors(output)]
            call["macs"] = _hand_macs(module, args, output)
            call["params"] = sum(p.numel() for p in module.parameters())

        handles += [module.register_forward_pre_hook(begin), module.register_forward_hook(end)]
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model(image)
    for handle in handles:
        handle.remove()
    return calls, counter.get_total_flops() // 2


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("name", NAMES)
def test_meta_trace_equals_real_forward(name: str, training: bool) -> None:
    arguments = {"aux": True} if name == "googlenet" and training else {}
    with torch.device("meta"):
        model = build_model(name, **arguments)
    model = model.to_empty(device="cpu").train(training)
    image = torch.zeros(2 if training else 1, *default_input_shape(name))
    calls, counted = _watch(model, image)

    summary = archscope.trace(model, image)

    assert summary.trace.mode == "meta"
    assert summary.trace.training is training
    layers = summary.trace.layers
    assert [layer.path for layer in layers] == [call["path"] for call in calls]
    assert [[ref.shape for ref in layer.outputs] for layer in layers] == [call["outputs"] for call in calls]
    assert [layer.params for layer in layers] == [call["params"] for call in calls]
    assert [cost.own_macs for cost in summary.costs.layers] == [call["macs"] for call in calls]
    assert summary.costs.macs == counted == sum(call["macs"] for call in calls)
    assert summary.trace.totals.params == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_macs_equal_torchs_counter_on_meta(name: str) -> None:
    with torch.device("meta"):
        model = build_model(name).eval()
        image = torch.empty(1, *default_input_shape(name))
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(image)
    assert archscope.trace(name).costs.macs == counter.get_total_flops() // 2
