"""What the tracer's tests share: a fingerprint of everything a trace must leave as it was."""

import random
from collections.abc import Callable, Hashable
from typing import Any

import pytest
import torch
from torch import nn

Fingerprint = dict[str, Hashable]


def take_fingerprint(module: nn.Module, *inputs: Any) -> Fingerprint:
    """Parameters, buffers and inputs by value, version and identity; hooks, attributes, flags, random states."""
    found: Fingerprint = {
        "torch rng": torch.get_rng_state().numpy().tobytes(),
        "python rng": str(random.getstate()),
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "call": id(nn.Module.__call__),
        "functions": len(torch.overrides._get_current_function_mode_stack()),
    }
    for path, part in module.named_modules(remove_duplicate=False):
        found[f"{path} class"] = id(type(part))
        found[f"{path} training"] = part.training
        for name, value in part.__dict__.items():
            found[f"{path}.{name}"] = _describe(value)
    for index, tensor in enumerate(inputs):
        found[f"input {index}"] = _describe(tensor)
    return found


def _describe(value: Any) -> Hashable:
    if isinstance(value, torch.Tensor):
        if torch.nn.parameter.is_lazy(value) or value.device.type == "meta":
            return (id(value), type(value).__name__)
        flat = value.detach().resolve_conj().reshape(-1).contiguous()
        data = flat.view(torch.uint8).numpy().tobytes() if flat.numel() and not value.is_quantized else b""
        return (id(value), value._version, str(value.dtype), value.requires_grad, value.grad is None, data)
    if isinstance(value, dict):
        return (id(value), tuple((str(key), _describe(item)) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return (id(value), tuple(_describe(item) for item in value))
    return (id(value), repr(value) if isinstance(value, (bool, int, float, str)) else "")


@pytest.fixture
def fingerprint() -> Callable[..., Fingerprint]:
    """`fingerprint(module, *inputs)` before and after must be equal."""
    return take_fingerprint
