"""A target as a classifier of the data: built with their number of classes, and tried on images of their size."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from archscope.core.errors import (
    ArchscopeError,
    CheckError,
    FixedArgumentError,
    ModelError,
    TargetError,
    UnknownArgumentError,
    UnknownNameError,
    UsageError,
    pass_interrupt,
)
from archscope.core.words import InputSpec, TraceOptions
from archscope.models.registry import find_entry
from archscope.modules import iterate_modules, keep_training_flags, set_training
from archscope.observation import observe_target
from archscope.targets.failures import describe_error
from archscope.targets.resolve import resolve_target
from archscope.targets.target import Target
from archscope.training.data.pipeline import mix_seed
from archscope.training.evaluation import read_scores, run_model

CLASSES_ARGUMENT = "num_classes"
NORMALISATIONS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)


@dataclass(frozen=True, slots=True)
class Classifier:
    """A module that takes the data's images and gives a score to each class."""

    text: str
    title: str
    module: nn.Module
    size: tuple[int, int]
    """(height, width) of the images it takes."""
    arguments: Mapping[str, Any]
    """Constructor arguments, the number of classes among them where it takes one."""
    notes: tuple[str, ...] = ()
    scope: Callable[[], AbstractContextManager[None]] = nullcontext
    """Held while it runs."""

    @property
    def normalised(self) -> bool:
        """Whether any of its layers normalises activations."""
        return any(isinstance(part, NORMALISATIONS) for part in iterate_modules(self.module))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the target must fit."""

    classes: int
    image: tuple[int, int, int]
    """(C, H, W) of the data's images."""
    side: int | None = None
    """Height and width that are asked for; None: the target's own."""


def build_classifier(text: str, arguments: Mapping[str, Any], wanted: Wanted, seed: int) -> Classifier:
    """Build the target with as many classes as the data has, initialised under `seed`, and try it on two images.

    Raises UnknownNameError, UsageError, TargetError where it cannot be built, ModelError where it does not take the
    images, CheckError where it has fewer outputs than there are classes.
    """
    torch.manual_seed(mix_seed(seed))
    target, module = _build_with_classes(text, arguments, wanted.classes)
    if target.is_instance:
        module = copy_module(module)
    notes = list(target.notes)
    size = _choose_size(target, module, wanted)
    if size != wanted.image[1:]:
        notes.append(
            f"images are resized from {wanted.image[1]}x{wanted.image[2]} to {size[0]}x{size[1]} on the device"
        )
    with target.scope():
        outputs = _try_forward(target, module, (wanted.image[0], *size))
    if outputs < wanted.classes:
        raise CheckError(
            f"{target.text} gives {outputs} scores, the data has {wanted.classes} classes",
            "let its constructor take num_classes, or choose classes with --classes",
        )
    if outputs > wanted.classes:
        notes.append(
            f"{target.text} gives {outputs:,} scores for {wanted.classes} classes: its constructor takes no num_classes"
        )
    return Classifier(target.text, target.title, module, size, dict(target.arguments), tuple(notes), target.scope)


def find_family(text: str) -> str:
    """The family of a built-in model; empty for every other target."""
    try:
        return find_entry(text).family
    except UnknownNameError:
        return ""


def copy_module(module: nn.Module) -> nn.Module:
    """A deep copy that shares nothing. Raises TargetError where the module cannot be copied."""
    from copy import deepcopy

    try:
        return deepcopy(module)
    except BaseException as error:
        pass_interrupt(error)
        raise TargetError(f"{type(module).__name__} cannot be copied: {describe_error(error)}") from error


def _build_with_classes(text: str, arguments: Mapping[str, Any], classes: int) -> tuple[Target, nn.Module]:
    """Build with `num_classes` where the constructor takes it, else without."""
    if CLASSES_ARGUMENT not in arguments:
        try:
            target = resolve_target(text, {**arguments, CLASSES_ARGUMENT: classes})
            return target, target.build()
        except (UnknownArgumentError, FixedArgumentError) as error:
            if error.name != CLASSES_ARGUMENT:
                raise
    target = resolve_target(text, arguments)
    return target, target.build()


def _choose_size(target: Target, module: nn.Module, wanted: Wanted) -> tuple[int, int]:
    channels, height, width = wanted.image
    usual = target.usual_shape
    if usual is None and target.default_inputs is not None:
        shapes = [item.shape for item in target.default_inputs(module)]
        usual = shapes[0] if len(shapes) == 1 else None
    if usual is not None and (len(usual) != 4 or usual[1] != channels):
        shape = "x".join(map(str, usual))
        raise UsageError(f"{target.text} takes {shape}, not images of {channels} channels")
    if wanted.side is not None:
        return wanted.side, wanted.side
    return (height, width) if usual is None else (usual[2], usual[3])


def _try_forward(target: Target, module: nn.Module, image: tuple[int, int, int]) -> int:
    """How many scores it gives to each of two images. Raises ModelError, with a size that works where one was found."""
    images = torch.zeros(2, *image)
    try:
        with keep_training_flags(module), torch.no_grad():
            return int(read_scores(run_model(lambda: set_training(module, False)(images)), 2).logits.shape[1])
    except ModelError as error:
        if error.remedy:
            raise
        raise ModelError(error.message, _advise_size(target, image)) from error


def _advise_size(target: Target, image: tuple[int, int, int]) -> str:
    """Which size would work, found by trying."""
    spec = InputSpec(None, (2, *image), None)
    try:
        remedy = observe_target(target.text, TraceOptions(arguments=target.arguments, inputs=(spec,))).remedy
    except ArchscopeError:
        remedy = ""
    return f"{remedy}; --input N resizes the images to NxN" if remedy else "--input N resizes the images to NxN"
