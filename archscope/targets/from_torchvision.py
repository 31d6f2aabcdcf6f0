"""`torchvision:NAME` as a target: every model of `torchvision.models.list_models()`.

A model is built as its published weights have it (the auxiliary head of a segmentation model, the image size of a
vision transformer, the frozen normalisation of a detector's backbone), so that the published figures can be compared;
the weights themselves are never loaded. GoogLeNet and Inception keep the auxiliary heads they are trained with.
"""

import inspect
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any

from torch import nn

from archscope.core.errors import TargetError, UnknownNameError, UsageError
from archscope.targets.constructor import call_constructor, check_names
from archscope.targets.imports import import_extra
from archscope.targets.target import InputTensor, Target, freeze_arguments

_LOADING = ("weights", "weights_backbone", "pretrained", "pretrained_backbone")
"""Arguments that would load weights."""

_SEGMENTATION_ARGUMENTS = ("num_classes", "aux_loss")
"""All that the builders of segmentation models heed."""

_FRAMES = 16
"""Of a clip: the figures published with the weights are for 16 frames, as are the smallest clips of MViT."""

_FLOW_SIDE = 512
"""Of the two images of RAFT: a multiple of 8, and the size that the published figures are for."""

_FROZEN_BACKBONES = frozenset((
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_resnet50_fpn",
    "fcos_resnet50_fpn",
    "keypointrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn",
    "retinanet_resnet50_fpn",
))  # fmt: skip
"""Detectors whose builders put FrozenBatchNorm2d into the backbone whenever weights are asked for."""


def find_torchvision_model(name: str, arguments: Mapping[str, Any]) -> Target:
    """The model `name` of torchvision. Raises UnknownNameError, UsageError, MissingPackageError, TargetError."""
    text = f"torchvision:{name}"
    models = _import_models(text)
    known = models.list_models()
    if name not in known:
        raise UnknownNameError("torchvision model", name, known, "archscope models 'torchvision:*' lists them")
    given = refuse_weights(arguments, _LOADING)
    builder = models.get_model_builder(name)
    published = models.get_model_weights(name).DEFAULT
    if ".segmentation." in builder.__module__:  # these builders drop what they do not know without a word
        check_names(_SEGMENTATION_ARGUMENTS, given, f"torchvision's {name}")
    settings, notes = _follow_published(name, builder, published)
    inputs = partial(_describe_inputs, published, given)
    single = inputs(None)
    return Target(
        text=text,
        title=f"{name} of torchvision",
        build=partial(_build, name, builder, {**settings, **given}),
        arguments=freeze_arguments(given),
        default_inputs=inputs,
        usual_shape=single[0].shape if len(single) == 1 and len(single[0].shape) == 4 else None,
        notes=notes,
    )


def is_torchvision_model(name: str) -> bool:
    """Whether torchvision is installed, can be imported and has a model of that name."""
    try:
        return find_spec("torchvision") is not None and name in _import_models(name).list_models()
    except TargetError:
        return False


def list_torchvision_models() -> list[tuple[str, str]]:
    """(name, module that defines it) of every model of torchvision. Raises MissingPackageError, TargetError."""
    models = _import_models("torchvision:")
    return [(name, models.get_model_builder(name).__module__) for name in models.list_models()]


def _import_models(asked: str) -> Any:
    return import_extra("torchvision", "models", asked).models


def refuse_weights(arguments: Mapping[str, Any], loading: tuple[str, ...]) -> dict[str, Any]:
    """The arguments without those that load weights, which may only say that none are. Raises UsageError."""
    for name in loading:
        if arguments.get(name):
            raise UsageError(
                f"--arg {name}={arguments[name]} would load weights, and none are ever loaded", "leave it out"
            )
    return {name: value for name, value in arguments.items() if name not in loading}


def _follow_published(name: str, builder: Any, published: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The arguments that the published weights would have set, and what to say about it."""
    parameters = inspect.signature(builder).parameters
    settings: dict[str, Any] = {key: None for key in ("weights", "weights_backbone") if key in parameters}
    notes = []
    if "quantize" in parameters:
        settings["quantize"] = False
        notes.append("the floating-point model, before quantization")
    if "aux_loss" in parameters:
        settings["aux_loss"] = True
        notes.append("with the auxiliary head, as published (aux_loss=True)")
    if name.removeprefix("quantized_") in ("googlenet", "inception_v3"):
        settings["init_weights"] = False  # their own initialisation takes a minute and changes no figure
        notes.append("with the auxiliary heads, which run in training only")
    if "vision_transformer" in builder.__module__:
        settings["image_size"] = published.meta["min_size"][0]
    if "rcnn" in name:
        notes.append("the work after the proposals depends on how many are found, so MACs differ from the published")
    if name in _FROZEN_BACKBONES:
        notes.append("with the frozen BatchNorm in the backbone that its published weights have")
    return settings, tuple(notes)


def _build(name: str, builder: Any, arguments: dict[str, Any]) -> nn.Module:
    module = call_constructor(builder, arguments, f"torchvision's {name}")
    if name in _FROZEN_BACKBONES:
        _freeze_normalisation(module.get_submodule("backbone"))
    return module


def _freeze_normalisation(module: nn.Module) -> None:
    from torchvision.ops import FrozenBatchNorm2d

    for path, part in list(module.named_modules()):
        if type(part) is nn.BatchNorm2d:
            parent, _, key = path.rpartition(".")
            setattr(module.get_submodule(parent), key, FrozenBatchNorm2d(part.num_features, eps=part.eps))


def _describe_inputs(published: Any, arguments: Mapping[str, Any], module: nn.Module | None) -> tuple[InputTensor, ...]:
    """The inputs that the weights' transforms make: batch 1; a list of one image for a detector.

    `module` is None before it is built, when a detector's own size is not known yet.
    """
    transforms = published.transforms
    kind = getattr(transforms, "func", transforms).__name__
    settings = getattr(transforms, "keywords", {})
    if kind == "ObjectDetection":
        return (InputTensor(None, (3, *_detector_size(module)), group="images"),)
    if kind == "OpticalFlow":
        image = (1, 3, _FLOW_SIDE, _FLOW_SIDE)
        return (InputTensor(None, image), InputTensor(None, image))
    if kind == "VideoClassification":
        height, width = _pair(settings["crop_size"])
        return (InputTensor(None, (1, 3, _FRAMES, height, width)),)
    default = settings.get("crop_size") or settings.get("resize_size") or max(published.meta.get("min_size", (224,)))
    height, width = _pair(arguments.get("image_size", default))
    return (InputTensor(None, (1, 3, height, width)),)


def _detector_size(module: nn.Module | None) -> tuple[int, int]:
    """The size that passes through the detector's own resizing unchanged."""
    transform = getattr(module, "transform", None)
    if transform is None:
        return (800, 800)
    if transform.fixed_size is not None:
        width, height = transform.fixed_size
        return (int(height), int(width))
    return _pair(int(transform.min_size[-1]))


def _pair(size: Any) -> tuple[int, int]:
    """One side, or (height, width)."""
    height, width = (size, size) if isinstance(size, int) else (size[0], size[-1])
    return (height, width)
