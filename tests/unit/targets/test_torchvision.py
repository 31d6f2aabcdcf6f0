"""Models of torchvision, built as published, without their weights."""

from typing import Any

import pytest
import torch
from torch import nn

from archscope.core.errors import TargetError, UnknownNameError, UsageError
from archscope.targets.resolve import resolve_target
from archscope.targets.target import InputTensor, Target, build_arguments

torchvision = pytest.importorskip("torchvision", reason="needs the extra models")


REGNETS = "torchvision's RegNet reads values while it is built, which plain meta tensors lack"
HEADS = {"googlenet", "quantized_googlenet"}
"""Published without the auxiliary heads that they are built with."""


def build_on_meta(target: Target) -> nn.Module:
    with torch.device("meta"):
        return target.build().eval()


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def inputs_of(target: Target, module: nn.Module) -> tuple[InputTensor, ...]:
    assert target.default_inputs is not None
    return target.default_inputs(module)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("resnet18", [(1, 3, 224, 224)]),
        ("inception_v3", [(1, 3, 299, 299)]),
        ("efficientnet_b1", [(1, 3, 240, 240)]),
        ("vit_h_14", [(1, 3, 518, 518)]),
        ("quantized_mobilenet_v2", [(1, 3, 224, 224)]),
        ("lraspp_mobilenet_v3_large", [(1, 3, 520, 520)]),
        ("r3d_18", [(1, 3, 16, 112, 112)]),
        ("raft_small", [(1, 3, 512, 512)] * 2),
        ("ssd300_vgg16", [(3, 300, 300)]),
        ("fasterrcnn_mobilenet_v3_large_320_fpn", [(3, 320, 320)]),
        ("fcos_resnet50_fpn", [(3, 800, 800)]),
    ],
)
def test_inputs_and_published_parameters(name: str, shapes: list[tuple[int, ...]]) -> None:
    target = resolve_target(f"torchvision:{name}", {})
    module = build_on_meta(target)
    inputs = inputs_of(target, module)
    assert [item.shape for item in inputs] == shapes
    assert all((item.group is not None) == (len(item.shape) == 3) for item in inputs)
    published = torchvision.models.get_model_weights(name).DEFAULT.meta["num_params"]
    assert count(module) == published
    assert target.usual_shape == (shapes[0] if len(shapes) == 1 and len(shapes[0]) == 4 else None)


def test_a_detector_takes_a_list() -> None:
    target = resolve_target("torchvision:ssdlite320_mobilenet_v3_large", {})
    args, kwargs = build_arguments(inputs_of(target, build_on_meta(target)), lambda item: torch.empty(item.shape))
    ((image,),) = args
    assert tuple(image.shape) == (3, 320, 320)
    assert kwargs == {}
    two_stage = resolve_target("torchvision:maskrcnn_resnet50_fpn_v2", {})
    assert any("proposals" in note for note in two_stage.notes)


def test_a_detector_says_its_own_size() -> None:
    target = resolve_target("torchvision:retinanet_resnet50_fpn_v2", {"min_size": 400})
    assert inputs_of(target, build_on_meta(target))[0].shape == (3, 400, 400)


def test_the_auxiliary_heads() -> None:
    google = build_on_meta(resolve_target("torchvision:googlenet", {}))
    assert google.aux1 is not None  # 13,004,888 with both heads; the published 6,624,904 are without
    assert count(google) == 13_004_888
    target = resolve_target("torchvision:fcn_resnet50", {})
    assert build_on_meta(target).aux_classifier is not None
    assert any("aux_loss=True" in note for note in target.notes)
    assert build_on_meta(resolve_target("torchvision:fcn_resnet50", {"aux_loss": False})).aux_classifier is None


@pytest.mark.parametrize("arguments", [{"num_classes": 10}, {"num_classes": 10, "weights": None, "pretrained": False}])
def test_arguments_reach_the_constructor(arguments: dict[str, Any]) -> None:
    target = resolve_target("torchvision:resnet18", arguments)
    # The published 11,689,512 less 990 of the 1,000 classes, each 512 weights and a bias.
    assert count(build_on_meta(target)) == 11_689_512 - 990 * 513
    assert target.arguments == {"num_classes": 10}


def test_the_image_size_of_a_vision_transformer() -> None:
    target = resolve_target("torchvision:vit_b_16", {"image_size": 384})
    module = build_on_meta(target)
    assert inputs_of(target, module)[0].shape == (1, 3, 384, 384)
    assert count(module) == 86_567_656 + (24 * 24 - 14 * 14) * 768


def test_mistakes() -> None:
    with pytest.raises(UnknownNameError) as caught:
        resolve_target("torchvision:resnet5", {})
    assert "resnet50" in caught.value.suggestions
    with pytest.raises(UnknownNameError) as unknown:
        build_on_meta(resolve_target("torchvision:resnet18", {"num_clases": 10}))
    assert unknown.value.suggestions[0] == "num_classes"
    with pytest.raises(UnknownNameError) as segmentation:
        resolve_target("torchvision:lraspp_mobilenet_v3_large", {"num_clases": 10})
    assert segmentation.value.suggestions == ("num_classes",)
    with pytest.raises(UsageError, match="would load weights"):
        resolve_target("torchvision:resnet18", {"weights": "DEFAULT"})
    with pytest.raises(TargetError, match="torchvision's resnet18 raised"):
        build_on_meta(resolve_target("torchvision:resnet18", {"num_classes": "many"}))


def test_every_build_is_a_new_module() -> None:
    target = resolve_target("torchvision:squeezenet1_1", {})
    assert build_on_meta(target) is not build_on_meta(target)


@pytest.mark.slow
@pytest.mark.parametrize("name", torchvision.models.list_models())
def test_every_model_has_its_published_parameters(name: str) -> None:
    if name.startswith("regnet"):
        pytest.skip(REGNETS)
    target = resolve_target(f"torchvision:{name}", {})
    module = build_on_meta(target)
    meta = torchvision.models.get_model_weights(name).DEFAULT.meta
    if name not in HEADS:
        assert count(module) == meta["num_params"]
    for item in inputs_of(target, module):
        smallest = meta.get("min_size") or (1, 1)
        assert item.shape[-2] >= smallest[0]
        assert item.shape[-1] >= smallest[1]
        assert item.shape[-3 if len(item.shape) != 5 else 1] == 3
