"""Layers as the papers use them, and the initial weights of whole models. Parameters on meta are left alone."""

from collections.abc import Collection, Iterator
from typing import Literal

from torch import Tensor, nn
from torch.nn import init
from torch.nn.modules.batchnorm import _BatchNorm


def build_response_norm() -> nn.LocalResponseNorm:
    """Krizhevsky et al. 2012, section 3.3: k=2, n=5, alpha=1e-4, beta=0.75; shapes are kept.

    torch divides alpha by n, the paper does not, so 5 * 1e-4 is passed.
    """
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


Fan = Literal["fan_in", "fan_out"]


def initialise_he(module: nn.Module, *, fan: Fan = "fan_out", linear_std: float | None = None) -> None:
    """He-normal convolutions with zero biases, BatchNorm of scale 1 and shift 0 (He et al. 2015b, equation 10 and 14).

    A convolution's standard deviation is sqrt(2 / (kernel area * channels)), with the output channels for `fan_out`
    (the lecture, torchvision) and the input channels per group for `fan_in`. Linear layers get N(0, linear_std) and
    zero biases where `linear_std` is given, and otherwise keep torch's own.
    """
    for _, layer in _real_layers(module):
        if isinstance(layer, nn.Conv2d):
            init.kaiming_normal_(layer.weight, mode=fan, nonlinearity="relu")
            _fill(layer.bias, 0)
        elif isinstance(layer, _BatchNorm):
            _fill(layer.weight, 1)
            _fill(layer.bias, 0)
        elif isinstance(layer, nn.Linear) and linear_std is not None:
            init.normal_(layer.weight, 0, linear_std)
            _fill(layer.bias, 0)


def initialise_gaussian(module: nn.Module, std: float, ones: Collection[str] = ()) -> None:
    """N(0, std) for every convolution and linear layer; biases 1 in the layers named by `ones`, else 0.

    AlexNet's own (Krizhevsky et al. 2012, section 5): std 0.01, ones in conv2, conv4, conv5 and the hidden FC layers.
    """
    for name, layer in _real_layers(module):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            init.normal_(layer.weight, 0, std)
            _fill(layer.bias, 1 if name in ones else 0)


def zero_scale(norm: nn.BatchNorm2d) -> None:
    """Scale 0, so that the residual branch it ends starts as zero (Goyal et al. 2017, section 5.1)."""
    if not norm.weight.is_meta:
        init.zeros_(norm.weight)


def _real_layers(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, layer in module.named_modules():
        weight = getattr(layer, "weight", None)
        if isinstance(weight, Tensor) and not weight.is_meta:
            yield name, layer


def _fill(parameter: Tensor | None, value: float) -> None:
    if parameter is not None:
        init.constant_(parameter, value)
