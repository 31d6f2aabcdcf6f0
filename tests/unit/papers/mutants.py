"""Builders that make a changed network, each still a whole one, and what the ledger says of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from archscope.models.registry import list_entries
from archscope.models.residual import ZeroPadShortcut

Mutation = Callable[[nn.Module], None]


def _set_weight(layer: Any, *shape: int) -> None:
    device = layer.weight.device
    layer.weight = nn.Parameter(torch.empty(shape, device=device))
    if layer.bias is not None:
        layer.bias = nn.Parameter(torch.empty(shape[0], device=device))


def _list(model: nn.Module, *kinds: type[nn.Module]) -> list[Any]:
    return [module for module in nn.Module.modules(model) if isinstance(module, kinds)]


def enlarge_kernels(model: nn.Module) -> None:
    """Every convolution two pixels larger, its maps as before."""
    for layer in _list(model, nn.Conv2d):
        layer.kernel_size = tuple(size + 2 for size in layer.kernel_size)
        layer.padding = tuple(size + 1 for size in layer.padding)
        _set_weight(layer, *layer.weight.shape[:2], *layer.kernel_size)


def enlarge_windows(model: nn.Module) -> None:
    """Every pool two pixels larger, its maps as before."""
    for layer in _list(model, nn.MaxPool2d, nn.AvgPool2d):
        layer.kernel_size, layer.padding = layer.kernel_size + 2, layer.padding + 1


def double_channels(model: nn.Module) -> None:
    """Twice the channels everywhere but in the image."""
    for layer in _list(model, nn.Conv2d):
        inputs = layer.weight.shape[1] * (1 if layer.in_channels == 3 else 2)
        layer.in_channels, layer.out_channels = inputs * layer.groups, 2 * layer.out_channels
        _set_weight(layer, layer.out_channels, inputs, *layer.kernel_size)
    for layer in _list(model, nn.Linear):
        layer.in_features, layer.out_features = 2 * layer.in_features, 2 * layer.out_features
        _set_weight(layer, layer.out_features, layer.in_features)
    for norm in _list(model, _BatchNorm):
        _set_weight(norm, 2 * norm.num_features)
        norm.num_features *= 2
        norm.running_mean = norm.running_var = torch.empty(norm.num_features, device=norm.weight.device)
    for shortcut in _list(model, ZeroPadShortcut):
        shortcut.extra_channels *= 2


class _Deeper(nn.Module):
    """A ReLU, then one more 1x1 convolution or linear layer."""

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(x)
        weight = torch.empty(x.shape[1], x.shape[1], device=x.device)
        return functional.linear(x, weight) if x.dim() == 2 else functional.conv2d(x, weight[:, :, None, None])


def deepen(model: nn.Module) -> None:
    """One more layer after every ReLU."""
    for parent in list(nn.Module.modules(model)):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.ReLU):
                setattr(parent, name, _Deeper())


def pad_images(model: nn.Module) -> None:
    """Every convolution padded by one pixel more, so that maps grow."""
    for layer in _list(model, nn.Conv2d):
        layer.padding = tuple(size + 1 for size in layer.padding)


def change_settings(model: nn.Module) -> None:
    """Other shares of dropout, other constants of response normalisation, no groups."""
    for layer in _list(model, nn.Dropout):
        layer.p = 0.125
    for layer in _list(model, nn.LocalResponseNorm):
        layer.size, layer.k, layer.alpha, layer.beta = 7, 3.0, 0.25, 0.25
    for layer in _list(model, nn.Conv2d):
        if layer.groups > 1:
            _set_weight(layer, layer.out_channels, layer.in_channels, *layer.kernel_size)
            layer.groups = 1


DROPPED = (nn.Dropout, nn.LocalResponseNorm, nn.AvgPool2d, _BatchNorm)


def drop_layers(model: nn.Module) -> None:
    """No projections, dropouts, norms of any kind, or windowed average pools."""
    for parent in list(nn.Module.modules(model)):
        for name, child in list(parent.named_children()):
            if name == "downsample" or isinstance(child, DROPPED):
                if isinstance(parent, nn.Sequential):
                    delattr(parent, name)
                else:
                    setattr(parent, name, nn.Identity())


MUTATIONS: tuple[Mutation, ...] = (
    enlarge_kernels,
    enlarge_windows,
    double_channels,
    deepen,
    pad_images,
    change_settings,
    drop_layers,
)


@contextmanager
def mutate_builders(mutation: Mutation) -> Iterator[None]:
    """Every built-in model, the lecture's stacks and torchvision's GoogLeNet, changed."""
    makers = {tuple(entry.builder.split(":")) for entry in list_entries()}
    makers |= {("archscope.models.vgg", "VGG")}
    makers |= {("torchvision.models.googlenet", "GoogLeNet")} if find_spec("torchvision") else set()
    with pytest.MonkeyPatch.context() as patch:
        for module, name in sorted(makers):
            patch.setattr(import_module(module), name, _wrap(getattr(import_module(module), name), mutation))
        yield


def _wrap(make: Callable[..., nn.Module], mutation: Mutation) -> Callable[..., nn.Module]:
    def build(*arguments: object, **words: object) -> nn.Module:
        model = make(*arguments, **words)
        mutation(model)
        return model

    return build
