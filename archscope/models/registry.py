"""The built-in models by name, and the generated catalogue of their counts.

Importing this module imports no torch; `build_model` imports the builder that a row names.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module, resources
from typing import TYPE_CHECKING, ClassVar

from archscope.core.codec import Document, decode_text, format_document
from archscope.core.errors import DataError, UnknownArgumentError, UnknownNameError
from archscope.core.trace import Setting
from archscope.models.entry import ModelEntry, Shape
from archscope.models.rows import ROWS

if TYPE_CHECKING:
    from torch import nn


def find_entry(name: str) -> ModelEntry:
    """The entry of that name or alias; case, hyphens and underscores do not matter (`VGG-D`, `ResNet-50`).

    Raises UnknownNameError, with the nearest names, where nothing answers.
    """
    entry = _BY_NAME.get(_fold(name))
    if entry is None:
        raise UnknownNameError("model", name, _spelled_names(ROWS), "`archscope models` lists them")
    return entry


def list_entries() -> tuple[ModelEntry, ...]:
    """Every entry, in the order of the papers."""
    return ROWS


def check_arguments(name: str, /, **arguments: object) -> dict[str, Setting]:
    """The given arguments in canonical form.

    Raises UnknownArgumentError for an argument the model does not take, UsageError for a value it cannot use.
    """
    entry = find_entry(name)
    accepted = {argument.name: argument for argument in entry.arguments}
    for word in arguments:
        if word not in accepted:
            raise UnknownArgumentError(word, accepted, f"{entry.name} takes {', '.join(accepted)}")
    return {word: accepted[word].check(value) for word, value in arguments.items()}


def default_input_shape(name: str, /, **arguments: object) -> Shape:
    """The image the model was made for, as (C, H, W): 3x224x224 for resnet18, 3x32x32 with `stem="cifar"`."""
    return find_entry(name).input_shape_with(check_arguments(name, **arguments))


def build_model(name: str, /, **arguments: object) -> "nn.Module":
    """A new module of that name, initialised, in training mode as torch makes it.

    Under `torch.device("meta")` nothing is allocated and nothing initialised. Raises UnknownNameError for an unknown
    model, UnknownArgumentError for an unknown argument, UsageError for a value that cannot be used.
    """
    entry = find_entry(name)
    given = check_arguments(name, **arguments)
    module_name, _, function = entry.builder.partition(":")
    builder = getattr(import_module(module_name), function)
    module: nn.Module = builder(**dict(entry.settings), **{**entry.defaults(), **given})
    return module


def index_entries(entries: Iterable[ModelEntry]) -> dict[str, ModelEntry]:
    """Entries by folded name and alias. Raises ValueError where two would answer to one name."""
    index: dict[str, ModelEntry] = {}
    for entry in entries:
        for name in (entry.name, *entry.aliases):
            if _fold(name) in index:
                raise ValueError(f"two models answer to {name!r}: {index[_fold(name)].name} and {entry.name}")
            index[_fold(name)] = entry
    return index


def _fold(name: str) -> str:
    return name.strip().casefold().replace("-", "").replace("_", "")


def _spelled_names(entries: Iterable[ModelEntry]) -> tuple[str, ...]:
    return tuple(name for entry in entries for name in (entry.name, *entry.aliases))


_BY_NAME = index_entries(ROWS)


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One built-in model, with its defaults, traced in eval mode at batch 1."""

    name: str
    title: str
    family: str
    source: str
    input: Shape
    """(C, H, W) of its default image."""
    params: int
    macs: int


class CatalogueDocument(Document, frozen=True, tag="archscope.catalogue/1"):
    """Every built-in model, in the registry's order."""

    noun: ClassVar = "catalogue of models"
    remedy: ClassVar = "install archscope again"

    models: tuple[CatalogueRow, ...]


@cache
def load_catalogue() -> tuple[CatalogueRow, ...]:
    """Every row, in the registry's order. Raises DataError where the file cannot be read."""
    try:
        text = resources.files("archscope.models").joinpath("catalogue.json").read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"the catalogue of models is missing: {error}", CatalogueDocument.remedy) from error
    return read_catalogue(text)


def read_catalogue(text: str) -> tuple[CatalogueRow, ...]:
    """Rows from the catalogue's JSON text. Raises DataError where it is not a catalogue."""
    return decode_text(text, CatalogueDocument, "the catalogue of models").models


def write_catalogue(rows: tuple[CatalogueRow, ...]) -> str:
    """The catalogue's JSON text, one row a line; the inverse of `read_catalogue`."""
    return format_document(CatalogueDocument(rows))
