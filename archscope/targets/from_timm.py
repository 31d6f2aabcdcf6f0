"""`timm:NAME` as a target: every model of `timm.list_models()`, without its weights."""

from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any

from torch import nn

from archscope.core.errors import TargetError, UnknownNameError
from archscope.targets.constructor import call_constructor
from archscope.targets.from_torchvision import refuse_weights
from archscope.targets.imports import import_extra
from archscope.targets.target import InputTensor, Target, freeze_arguments

_LOADING = ("pretrained", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")
"""Arguments that would load weights, or say where from."""


def find_timm_model(name: str, arguments: Mapping[str, Any]) -> Target:
    """The model `name` of timm, with or without the tag of its weights (`vit_base_patch16_224.augreg_in21k`).

    Raises UnknownNameError, UsageError, MissingPackageError, TargetError.
    """
    text = f"timm:{name}"
    if ":" in name or "/" in name:
        raise TargetError(
            f"{text} is a place to load from, and nothing is loaded", "name the architecture: timm:resnet50"
        )
    timm = import_extra("timm", "models", text)
    _check_name(timm, name)
    given = refuse_weights(arguments, _LOADING)
    inputs = partial(_describe_inputs, given)
    return Target(
        text=text,
        title=f"{name} of timm",
        build=partial(call_constructor, partial(_create, timm, name), given, f"timm's {name}"),
        arguments=freeze_arguments(given),
        default_inputs=inputs,
        usual_shape=inputs(timm.models.get_pretrained_cfg(name))[0].shape,
    )


def _create(timm: Any, name: str, /, **arguments: Any) -> Any:
    return timm.create_model(name, pretrained=False, **arguments)


def is_timm_model(name: str) -> bool:
    """Whether timm is installed, can be imported and has a model of that name."""
    try:
        return find_spec("timm") is not None and import_extra("timm", "models", name).is_model(name)
    except TargetError:
        return False


def list_timm_models() -> list[tuple[str, str]]:
    """(name, module that defines it) of every model of timm. Raises MissingPackageError, TargetError."""
    timm = import_extra("timm", "models", "timm:")
    return [(name, timm.models.model_entrypoint(name).__module__) for name in timm.list_models()]


def _check_name(timm: Any, name: str) -> None:
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise UnknownNameError("timm model", name, timm.list_models(), "archscope models 'timm:*' lists them")
    tags = [known.partition(".")[2] for known in timm.list_models(f"{architecture}.*", pretrained=True)]
    if tag and tag not in tags:
        listed = f"{architecture} has {', '.join(tags)}" if tags else f"write timm:{architecture}"
        raise UnknownNameError(f"weights tag of {architecture}", tag, tags, listed)


def _describe_inputs(arguments: Mapping[str, Any], source: nn.Module | Any) -> tuple[InputTensor, ...]:
    """One image, as the model's `default_cfg` has it, changed by the arguments `in_chans` and `img_size`.

    `source` is the built module, or before it is built its configuration.
    """
    config = getattr(source, "pretrained_cfg", None) or getattr(source, "default_cfg", None) or source
    size = config.get("input_size") if isinstance(config, Mapping) else getattr(config, "input_size", None)
    channels, height, width = size or (3, 224, 224)
    channels = arguments.get("in_chans") or channels
    side = arguments.get("img_size")
    if side is not None:
        height, width = (side, side) if isinstance(side, int) else (side[0], side[-1])
    return (InputTensor(None, (1, channels, height, width)),)
