"""`hf:CONFIG.json` as a target: the transformers model that a local configuration describes, without its weights.

The class is the first of the configuration's `architectures`, or the auto class of `--arg auto=...`; the other
arguments replace fields of the configuration. Code that a configuration brings along (`auto_map`) is never run.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from archscope.core.errors import DataError, TargetError, UnknownNameError, UsageError
from archscope.core.json_text import parse_json
from archscope.core.paths import expand_path, find_kind, make_absolute, read_file
from archscope.targets.constructor import call_constructor
from archscope.targets.failures import describe_error, shorten_path
from archscope.targets.imports import arose_in_import, explain_broken, import_extra, read_extra
from archscope.targets.target import Target, freeze_arguments
from archscope.targets.transformers_inputs import describe_inputs

_OUTSIDE = ("_name_or_path", "_commit_hash", "auto_map", "transformers_version")
"""Fields that say where a configuration came from."""


def find_transformers_model(place: str, arguments: Mapping[str, Any]) -> Target:
    """The model of the configuration file, or of the folder that holds a `config.json`.

    Raises UnknownNameError, UsageError, MissingPackageError, TargetError.
    """
    text = f"hf:{place}"
    file = _find_file(place)
    raw = _read_config(file)
    transformers = import_extra("transformers", "hf", text)
    overrides = {name: value for name, value in arguments.items() if name != "auto"}
    with _stay_offline():
        config = _make_config(transformers, raw, overrides, shorten_path(str(file)))
        model_class = _choose_class(transformers, raw, config, arguments.get("auto"))
    name = getattr(model_class, "__name__", "model")
    return Target(
        text=text,
        title=f"{name} of {shorten_path(str(file))}",
        build=partial(_build, model_class, config, name),
        arguments=freeze_arguments(arguments),
        default_inputs=describe_inputs,
        notes=_describe_departures(raw, name),
    )


def list_transformers_models() -> list[tuple[str, str]]:
    """(model_type, class of its plain model) of every architecture of transformers. Raises TargetError."""
    import_extra("transformers", "hf", "hf:")
    auto = import_extra("transformers.models.auto.modeling_auto", "hf", "hf:")
    named = dict(auto.MODEL_MAPPING_NAMES)
    shown = {name: item if isinstance(item, str) else item[0] for name, item in named.items()}
    return sorted(shown.items())


def _find_file(place: str) -> Path:
    path = expand_path(place)
    file = path / "config.json" if find_kind(path, TargetError) == "folder" else path
    if not place or find_kind(file, TargetError) != "file":
        remedy = "nothing is downloaded: save the model's config.json and name the file or its folder"
        raise TargetError(f"there is no file {file}" if place else "hf: names no file", remedy)
    return make_absolute(file)


def _read_config(file: Path) -> dict[str, Any]:
    shown = shorten_path(str(file))
    try:
        raw = parse_json(read_file(file, TargetError), shown, strict=False)
    except DataError as error:
        raise TargetError(error.message) from error
    if not isinstance(raw, dict) or not ("model_type" in raw or "architectures" in raw):
        raise TargetError(
            f"{shown} is no transformers configuration: it has no model_type and no architectures",
            "name the config.json that lies beside a model's weights",
        )
    return raw


def _make_config(transformers: Any, raw: Mapping[str, Any], overrides: Mapping[str, Any], shown: str) -> Any:
    """The configuration object, with the fields replaced."""
    config_class = _find_config_class(transformers, raw, shown)
    plain = {key: copy.deepcopy(value) for key, value in raw.items() if key not in _OUTSIDE}
    try:
        blank = config_class.from_dict(copy.deepcopy(plain))
        for name, value in overrides.items():
            _check_field(blank, name, shown)
            plain[name] = _merge(plain.get(name), value)
        return config_class.from_dict(plain) if overrides else blank
    except (TargetError, UsageError):
        raise
    except Exception as error:
        raise TargetError(f"{shown} is refused by {config_class.__name__}: {describe_error(error)}") from error


def _find_config_class(transformers: Any, raw: Mapping[str, Any], shown: str) -> Any:
    known = read_extra(transformers, "CONFIG_MAPPING", "hf")
    model_type = raw.get("model_type")
    if isinstance(model_type, str) and model_type in known:
        return known[model_type]
    if raw.get("auto_map"):
        raise TargetError(
            f"{shown} needs code of its own (auto_map), which is never run, and transformers does not know "
            f"the model_type {model_type!r}",
            "save that code as a file and name its class: path/file.py:Class",
        )
    if model_type is not None:
        raise UnknownNameError(
            "model_type", str(model_type), known.keys(), f"in {shown}; a newer transformers may know"
        )
    model_class = _find_class(transformers, _first_architecture(raw) or "")
    config_class = getattr(model_class, "config_class", None)
    if config_class is None:
        raise TargetError(f"{shown} has no model_type", f'add one, such as "model_type": "bert", to {shown}')
    return config_class


def _check_field(config: Any, name: str, shown: str) -> None:
    if not hasattr(config, name):
        known = [field for field in (*config.to_dict(), *config.attribute_map) if not field.startswith("_")]
        raise UnknownNameError(f"field of {type(config).__name__}", name, known, f"the fields are those of {shown}")


def _merge(old: Any, new: Any) -> Any:
    """A dict changes the fields of a nested configuration that it names, and leaves the others."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{key: _merge(old.get(key), value) for key, value in new.items()}}
    return new


def _choose_class(transformers: Any, raw: Mapping[str, Any], config: Any, auto: object) -> Any:
    """The class named by `auto`, else the first architecture, else AutoModel."""
    if auto is not None:
        found = _find_class(transformers, str(auto))
        if found is None:
            known = [name for name in dir(transformers) if name.startswith("AutoModel")]
            raise UnknownNameError("auto class", str(auto), known, "such as --arg auto=AutoModelForCausalLM")
        return found
    architecture = _first_architecture(raw)
    found = (
        read_extra(transformers, "AutoModel", "hf") if architecture is None else _find_class(transformers, architecture)
    )
    if found is None:
        known = _list_classes(transformers, config)
        remedy = "transformers' plain model is --arg auto=AutoModel"
        raise UnknownNameError("architecture", str(architecture), known, remedy)
    if architecture is None and type(config) not in read_extra(transformers, "MODEL_MAPPING", "hf"):
        known = _list_classes(transformers, config)
        raise TargetError(
            f"transformers has no plain model (AutoModel) for {type(config).__name__}, which names no architecture",
            f"name one: --arg auto={known[0]}; there are {', '.join(known)}" if known else "",
        )
    return found


def _list_classes(transformers: Any, config: Any) -> list[str]:
    """The model classes that are called like the configuration."""
    prefix = type(config).__name__.removesuffix("Config")
    return [name for name in dir(transformers) if name.startswith(prefix) and _find_class(transformers, name)]


def _first_architecture(raw: Mapping[str, Any]) -> str | None:
    named = raw.get("architectures")
    return str(named[0]) if isinstance(named, list) and named else None


def _find_class(transformers: Any, name: str) -> Any:
    """The model class or auto class of that name; None where there is none."""
    found = read_extra(transformers, name, "hf") if name.isidentifier() else None
    is_model = isinstance(found, type) and (issubclass(found, nn.Module) or name.startswith("AutoModel"))
    return found if is_model else None


def _build(model_class: Any, config: Any, name: str) -> nn.Module:
    """A new model, in the dtype that the configuration names."""
    construct = model_class.from_config if hasattr(model_class, "from_config") else model_class._from_config
    try:
        with _stay_offline():
            return call_constructor(partial(construct, copy.deepcopy(config)), {}, f"transformers' {name}")
    except TargetError as error:
        cause = error.__cause__
        if cause is not None and arose_in_import(cause):  # the auto classes import what they build
            raise explain_broken("transformers", "hf", cause) from cause
        raise


@contextmanager
def _stay_offline() -> Iterator[None]:
    """Some configurations look for a backbone on the hub: in here that fails at once."""
    constants = import_extra("huggingface_hub.constants", "hf", "hf:")
    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _describe_departures(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    notes = []
    if raw.get("auto_map"):
        notes.append(f"code of its own (auto_map) was not run: this is transformers' {name}")
    if raw.get("quantization_config"):
        notes.append("before quantization: quantization_config says how weights are stored, and none are loaded")
    return tuple(notes)
