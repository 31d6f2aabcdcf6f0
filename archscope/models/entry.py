"""One row of the registry: a built-in model and its arguments, before it is built. Torch-free."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from archscope.core.errors import UsageError, join_words
from archscope.core.trace import Setting
from archscope.models.vgg_rows import LARGEST, list_words, read_row

ArgumentKind = Literal["count", "flag", "choice", "layers"]


@dataclass(frozen=True, slots=True)
class Argument:
    """One keyword argument of a model."""

    name: str
    kind: ArgumentKind
    """`count` a whole number from 1; `flag` true or false; `choice` one of `choices`; `layers` a VGG configuration."""
    default: Setting
    about: str
    """What it does, in a few words."""
    choices: tuple[str, ...] = ()
    """The words allowed, in any case; only for `choice`."""

    def check(self, value: object) -> Setting:
        """The value in its canonical form. Raises UsageError naming the value and what is allowed."""
        match self.kind:
            case "count":
                return self._check_count(value)
            case "flag":
                return self._check_flag(value)
            case "choice":
                return self._check_choice(value)
            case "layers":
                read_row(value)
                return list_words(value)

    @property
    def allowed(self) -> str:
        """The values it takes, in words."""
        match self.kind:
            case "count":
                return f"a whole number from 1 to {LARGEST:,}"
            case "flag":
                return "true or false"
            case "choice":
                return join_words(self.choices)
            case "layers":
                return "a list such as 64,64,M,128,128,M"

    def _check_count(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST:
            raise self._refuse(value)
        return value

    def _check_flag(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise self._refuse(value)
        return value

    def _check_choice(self, value: object) -> str:
        # The command line reads the bare word `none` as Python's None.
        by_folded = {choice.casefold(): choice for choice in self.choices}
        choice = by_folded.get(str(value).casefold())
        if choice is None or not isinstance(value, str | None):
            raise self._refuse(value)
        return choice

    def _refuse(self, value: object) -> UsageError:
        return UsageError(f"{self.name}={value!r} cannot be used", f"{self.name} must be {self.allowed}")


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
