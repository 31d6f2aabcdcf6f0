"""Models of timm, without their weights."""

from typing import Any

import pytest
import torch
from torch import nn

from archscope.core.errors import TargetError, UnknownNameError, UsageError
from archscope.targets.resolve import resolve_target

timm = pytest.importorskip("timm", reason="needs the extra models")


def build(text: str, **arguments: Any) -> tuple[nn.Module, tuple[int, ...]]:
    target = resolve_target(text, arguments)
    with torch.device("meta"):
        module = target.build().eval()
    assert target.default_inputs is not None
    (item,) = target.default_inputs(module)
    assert target.usual_shape == item.shape
    return module, item.shape


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("resnet18", {}, (1, 3, 224, 224)),
        ("resnet18", {"in_chans": 1}, (1, 1, 224, 224)),
        ("vit_tiny_patch16_384", {}, (1, 3, 384, 384)),
        ("vit_tiny_patch16_224", {"img_size": 96}, (1, 3, 96, 96)),
        ("vit_tiny_patch16_224.augreg_in21k", {}, (1, 3, 224, 224)),
        ("test_resnet", {"features_only": True}, (1, 3, 160, 160)),
    ],
)
def test_inputs_fit_the_model(name: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
    module, found = build(f"timm:{name}", **arguments)
    assert found == shape
    module(torch.empty(found, device="meta"))


def test_arguments_reach_the_constructor() -> None:
    module, _ = build("timm:resnet18", num_classes=10, exportable=True)
    assert sum(parameter.numel() for parameter in module.parameters()) == 11_689_512 - 990 * 513


@pytest.mark.parametrize("place", ["hf-hub:timm/resnet18", "local-dir:/tmp/x", "timm/resnet18", "hf_hub:a/b"])
def test_places_to_load_from_are_refused(place: str) -> None:
    with pytest.raises(TargetError, match="nothing is loaded"):
        resolve_target(f"timm:{place}", {})


def test_mistakes() -> None:
    with pytest.raises(UnknownNameError) as caught:
        resolve_target("timm:resnet5", {})
    assert "resnet50" in caught.value.suggestions
    with pytest.raises(UnknownNameError) as tag:
        resolve_target("timm:vit_tiny_patch16_224.augreg_in21", {})
    assert "augreg_in21k" in tag.value.suggestions
    with pytest.raises(UnknownNameError) as unknown:
        build("timm:resnet18", num_clases=10)
    assert unknown.value.suggestions[0] == "num_classes"
    for loading in ({"pretrained": True}, {"checkpoint_path": "x.pth"}):
        with pytest.raises(UsageError, match="would load weights"):
            resolve_target("timm:resnet18", loading)


def test_a_name_of_another_origin_is_pointed_to() -> None:
    with pytest.raises(UnknownNameError) as caught:
        resolve_target("maxvit_t", {})
    assert "torchvision:maxvit_t" in caught.value.remedy
