"""The words of a target decide its origin; the origin's file finds it. Built-in models are found here."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from archscope.core.errors import TargetError, UnknownNameError, suggest_names
from archscope.core.paths import expand_path, find_kind, list_folder
from archscope.models.registry import build_model, check_arguments, default_input_shape, find_entry
from archscope.targets.from_file import SUFFIXES, find_in_file
from archscope.targets.from_notebook import find_in_notebook
from archscope.targets.from_package import find_in_package, is_importable, suggest_module_words
from archscope.targets.from_timm import find_timm_model, is_timm_model, list_timm_models
from archscope.targets.from_torchvision import find_torchvision_model, is_torchvision_model, list_torchvision_models
from archscope.targets.from_transformers import find_transformers_model, list_transformers_models
from archscope.targets.target import InputTensor, Target


def find_builtin(name: str, arguments: Mapping[str, Any]) -> Target:
    """The built-in model `name`. Raises UnknownNameError, and UsageError for arguments it does not take."""
    entry = find_entry(name)
    checked = check_arguments(entry.name, **arguments)
    shape = default_input_shape(entry.name, **arguments)

    def default_inputs(_: nn.Module) -> tuple[InputTensor, ...]:
        return (InputTensor(None, (1, *shape)),)

    return Target(
        text=entry.name,
        title=entry.title,
        build=partial(build_model, entry.name, **arguments),
        arguments={key: checked[key] for key in arguments},
        default_inputs=default_inputs,
        usual_shape=(1, *shape),
    )


ORIGINS: Mapping[str, Callable[[str, Mapping[str, Any]], Target]] = {
    "torchvision": find_torchvision_model,
    "timm": find_timm_model,
    "hf": find_transformers_model,
}
"""What may stand before the first colon."""

LISTS: Mapping[str, Callable[[], list[tuple[str, str]]]] = {
    "torchvision": list_torchvision_models,
    "timm": list_timm_models,
    "hf": list_transformers_models,
}
"""What each origin has: names, and where or by which class each is defined."""


def resolve_target(text: str, arguments: Mapping[str, Any]) -> Target:
    """Find the target `text` with its constructor `arguments`.

    `vgg16`, `torchvision:NAME`, `timm:NAME`, `hf:CONFIG.json`, `path/file.py:Object`, `path/notebook.ipynb:Object` or
    `package.module:Object`. A file or module that is named is run. Raises UnknownNameError, UsageError, TargetError.
    """
    origin, colon, rest = text.partition(":")
    if colon and origin in ORIGINS:
        return ORIGINS[origin](rest, arguments)
    place, name = _split_object(text)
    if place is None:
        return _find_builtin(text, arguments)
    if place.endswith(SUFFIXES):
        find = find_in_notebook if place.endswith(".ipynb") else find_in_file
        return find(expand_path(place), name, text, arguments)
    return _find_elsewhere(place, name, text, arguments)


def _split_object(text: str) -> tuple[str | None, str]:
    """`path/net.py` and `Net` of `path/net.py:Net`; no place for a bare name. A drive's colon splits nothing."""
    if text.endswith(SUFFIXES) or (os.path.exists(text) and not text.replace("-", "_").isidentifier()):
        return text, ""
    place, colon, name = text.rpartition(":")
    return (place, name.strip()) if colon else (None, text)


def _find_builtin(text: str, arguments: Mapping[str, Any]) -> Target:
    try:
        return find_builtin(text, arguments)
    except UnknownNameError as error:
        if error.name != text or error.suggestions:
            raise
        checks = {"torchvision": is_torchvision_model, "timm": is_timm_model}
        found = [f"{origin}:{text}" for origin, knows in checks.items() if knows(text)]
        found = found or list(suggest_module_words(text))
        if not found:
            raise
        raise UnknownNameError("model", text, (), f"did you mean {' or '.join(found)}?") from error


def _find_elsewhere(place: str, name: str, text: str, arguments: Mapping[str, Any]) -> Target:
    """A module to import; else say what was meant."""
    if find_kind(expand_path(place), TargetError):
        raise TargetError(f"{text} is not a .py file, a notebook or a module", _advise_path(expand_path(place)))
    parts = place.split(".")
    importable = all(part.isidentifier() for part in parts)
    if importable and is_importable(parts[0]):
        try:
            return find_in_package(place, name, text, arguments)
        except UnknownNameError as error:
            if error.name != place:
                raise
            _refuse_near_file(Path(place), name)
            raise
    near = suggest_names(place, ORIGINS, limit=1)
    if near:
        raise UnknownNameError("origin", place, ORIGINS, f"write {near[0]}:{name}")
    _refuse_near_file(Path(place), name)
    if importable:
        return find_in_package(place, name, text, arguments)
    raise TargetError(f"there is no file {place}", "write path/file.py:Object, or package.module:Object")


def _refuse_near_file(path: Path, name: str) -> None:
    """Raise TargetError where a file is called almost so."""
    files = [entry.name for entry in list_folder(path.parent) if entry.suffix in SUFFIXES]
    for file in suggest_names(path.name, files, limit=1):
        raise TargetError(f"there is no file or module {path}", f"did you mean {path.parent / file}:{name}?")


def _advise_path(path: Path) -> str:
    if path.suffix == ".json" or find_kind(path / "config.json", TargetError) == "file":
        return f"a transformers config is written hf:{path}"
    return "write path/file.py:Object, or package.module:Object"
