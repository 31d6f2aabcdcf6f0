"""`package.module:Object` as a target: the module is imported, from the current folder too."""

import importlib
import pkgutil
import sys
from collections.abc import Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from archscope.core.errors import TargetError, UnknownNameError, UsageError, pass_interrupt, suggest_names
from archscope.core.paths import find_working_folder
from archscope.targets.failures import explain_failure
from archscope.targets.from_file import advise_failure, list_class_names, read_bytes
from archscope.targets.imports import ImportScope
from archscope.targets.objects import Home, find_object_target
from archscope.targets.target import Target


def find_in_package(module_name: str, name: str, text: str, arguments: Mapping[str, Any]) -> Target:
    """The object `name` of the importable module. Raises UnknownNameError and TargetError."""
    scope = ImportScope(_list_here(), module_name)
    with scope.enter():
        try:
            module = importlib.import_module(module_name)
        except BaseException as error:
            pass_interrupt(error)
            if isinstance(error, ModuleNotFoundError) and _is_itself(error.name, module_name):
                raise UnknownNameError("module", module_name, _list_near(module_name)) from error
            raise explain_failure(error, f"importing {module_name}", advise_failure(error)) from error
    home = Home(module_name, module, scope, (f"imported {module_name}, which runs its code",))
    if not name:
        raise TargetError(f"{text} names no object", f"write {module_name}:NAME")
    return find_object_target(home, name, text, arguments)


def _list_here() -> tuple[str, ...]:
    """The current folder, where there is one."""
    try:
        return (str(find_working_folder()),)
    except UsageError:
        return ()


def is_importable(top: str) -> bool:
    """Whether there is a top-level module of that name, in the current folder or installed; nothing is run."""
    if top in sys.modules or top in sys.builtin_module_names:
        return True
    try:
        return PathFinder.find_spec(top, [*_list_here(), *sys.path]) is not None
    except (ImportError, ValueError):
        return False


def suggest_module_words(text: str) -> tuple[str, ...]:
    """How to write `package.module.Object`, where that is what was typed: `package.module:Object`; nothing is run."""
    parts = text.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        return ()
    search: list[str] | None = [*_list_here(), *sys.path]
    spec = None
    for depth in range(len(parts)):
        try:
            found = PathFinder.find_spec(".".join(parts[: depth + 1]), search)
        except (ImportError, ValueError):
            found = None
        if found is None and depth:
            package, rest = ".".join(parts[:depth]), parts[depth:]
            near = suggest_names(rest[0], [item.name for item in pkgutil.iter_modules(search)]) if rest[1:] else ()
            return tuple(f"{package}.{name}:{'.'.join(rest[1:])}" for name in near) or (f"{package}:{'.'.join(rest)}",)
        if found is None:
            return ()
        spec, search = found, list(found.submodule_search_locations or ())
    origin = (spec.origin if spec is not None else None) or ""
    source = read_bytes(Path(origin)) if origin.endswith(".py") else b""
    return tuple(f"{text}:{name}" for name in list_class_names(source)[:LONGEST_LIST]) or (f"{text}:NAME",)


LONGEST_LIST = 8


def _is_itself(missing: str | None, module_name: str) -> bool:
    return missing is not None and f"{module_name}.".startswith(f"{missing}.")


def _list_near(module_name: str) -> list[str]:
    """Names of the modules beside the one that is missing."""
    parent = module_name.rpartition(".")[0]
    if not parent:
        return [item.name for item in pkgutil.iter_modules(_list_here())]
    package = sys.modules.get(parent)
    if package is None:
        return [f"{near}.{module_name.partition('.')[2]}" for near in (item.name for item in pkgutil.iter_modules())]
    return [f"{parent}.{item.name}" for item in pkgutil.iter_modules(getattr(package, "__path__", ()))]
