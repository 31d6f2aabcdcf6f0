"""One row of the registry: everything known about a built-in model before it is built. Torch-free."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from archscope.core.trace import Setting
from archscope.models.arguments import Argument

Shape: TypeAlias = tuple[int, int, int]
"""Channels, height and width of one image."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A built-in model: its names, where it comes from and how it is built."""

    name: str
    """What people type: `vgg16`."""
    title: str
    """How a heading names it: `VGG-16 (column D of Table 1)`."""
    family: str
    """`alexnet`, `vgg`, `vgg-cifar`, `googlenet`, `resnet`, `resnet-cifar` or `resnet-cifar-lecture`."""
    source: str
    """Paper with section or table, or the lecture."""
    builder: str
    """Dotted module and function: `archscope.models.vgg:build_column`."""
    input_shape: Shape
    """(C, H, W) of the image it was made for."""
    arguments: tuple[Argument, ...]
    """What `--arg` and keyword arguments may set."""
    settings: tuple[tuple[str, Setting], ...] = ()
    """Keyword arguments of the builder that the name fixes."""
    aliases: tuple[str, ...] = ()
    """Other names: the paper's letters."""
    input_variants: tuple[tuple[str, Setting, Shape], ...] = ()
    """(argument, value, input shape) where an argument changes the image the model is for."""

    def defaults(self) -> dict[str, Setting]:
        """Every argument with its default."""
        return {argument.name: argument.default for argument in self.arguments}

    def input_shape_with(self, arguments: Mapping[str, Setting]) -> Shape:
        """The input shape (C, H, W) under these checked arguments."""
        for name, value, shape in self.input_variants:
            if arguments.get(name) == value:
                return shape
        return self.input_shape
