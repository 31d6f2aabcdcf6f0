"""`lecture.py:Net` as a target: the file is run, as an import runs it, and the object is taken from what it made."""

import ast
import hashlib
import importlib
import linecache
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from archscope.core.errors import TargetError, join_words, pass_interrupt, suggest_names
from archscope.core.paths import find_kind, list_folder, make_absolute, read_file
from archscope.targets.choice import choose_object
from archscope.targets.failures import explain_failure, shorten_path
from archscope.targets.imports import ImportScope
from archscope.targets.objects import Home, find_object_target
from archscope.targets.target import Target

SUFFIXES = (".py", ".ipynb")
"""Of the files that can be run."""

GUARD = 'put what should not run on import under `if __name__ == "__main__":`'


def find_in_file(path: Path, name: str, text: str, arguments: Mapping[str, Any]) -> Target:
    """The object `name` of the Python file. Raises UnknownNameError and TargetError."""
    file = check_file(path)
    if name:
        return find_object_target(_run_file(file), name, text, arguments)
    with list_classes_beside(list_class_names(read_bytes(file))):
        home = _run_file(file)
    return find_chosen_target(home, (ast.parse(read_bytes(file)),), text, arguments)


@contextmanager
def list_classes_beside(classes: list[str]) -> Iterator[None]:
    """An error of running a file that alone is named says which classes it defines."""
    try:
        yield
    except TargetError as error:
        if classes:
            error.remedy = "; ".join(part for part in (error.remedy, f"it defines {', '.join(classes)}") if part)
        raise


def find_chosen_target(home: Home, trees: Iterable[ast.Module], text: str, arguments: Mapping[str, Any]) -> Target:
    """The model of a file that alone is named. Raises TargetError where that could be one or another."""
    name, note = choose_object(home, trees, text, arguments)
    target = find_object_target(home, name, f"{text.removesuffix(':')}:{name}", arguments)
    return replace(target, notes=(*target.notes, note))


def check_file(path: Path) -> Path:
    """The absolute path. Raises TargetError where there is no such file, with the nearest ones."""
    kind = find_kind(path, TargetError)
    if kind == "file":
        return make_absolute(path)
    if kind:
        raise TargetError(f"{path} is a {kind}, not a file")
    if find_kind(path.parent, TargetError) != "folder":
        raise TargetError(f"there is no file {path}", f"there is no folder {path.parent}")
    there = [entry.name for entry in list_folder(path.parent) if entry.suffix in SUFFIXES]
    near = [str(path.parent / name) for name in suggest_names(path.name, there)]
    raise TargetError(f"there is no file {path}", f"did you mean {join_words(near)}?" if near else "")


def read_bytes(file: Path) -> bytes:
    """The content. Raises TargetError where it cannot be read."""
    return read_file(Path(shorten_path(str(file))), TargetError)


def list_class_names(source: str | bytes) -> list[str]:
    """Names of the Module classes that the source defines, read without running it."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return []
    found: list[str] = []
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            bases = [ast.unparse(base) for base in statement.bases]
            if any(base in found or base.startswith(("nn.", "torch.nn.")) or base.endswith("Module") for base in bases):
                found.append(statement.name)
    return found


def make_module(file: Path, package: str) -> types.ModuleType:
    """An empty module for the file, registered under a name of its own, so that a second load replaces the first."""
    digest = hashlib.sha256(str(file).encode()).hexdigest()[:8]
    stem = "".join(letter if letter.isalnum() else "_" for letter in file.stem)
    name = ".".join(part for part in (package, f"archscope_target_{stem}_{digest}") if part)
    module = types.ModuleType(name)
    module.__file__ = str(file)
    module.__package__ = package
    module.__spec__ = ModuleSpec(name, None, origin=str(file))
    sys.modules[name] = module
    return module


def _run_file(file: Path) -> Home:
    shown = shorten_path(str(file))
    root, package = _find_package(file)
    folders = (str(root), str(file.parent)) if package else (str(root),)
    scope = ImportScope(folders, str(file))
    source = read_bytes(file)
    linecache.checkcache(str(file))
    with scope.enter():
        try:
            if package:
                importlib.import_module(package)
            module = make_module(file, package)
            scope.kept.add(module.__name__)
            exec(compile(source, str(file), "exec", dont_inherit=True), vars(module))
        except BaseException as error:
            pass_interrupt(error)
            raise explain_failure(error, shown, advise_failure(error)) from error
    return Home(shown, module, scope, (f"ran {shown} to load it",))


def advise_failure(error: BaseException) -> str:
    """What to do about a file that cannot be run to its end."""
    if isinstance(error, SyntaxError):
        return ""
    if isinstance(error, ModuleNotFoundError):
        return f"install what provides {error.name}, or run where it can be imported"
    return f"{GUARD}" if isinstance(error, SystemExit) else f"fix it, or {GUARD}"


def _find_package(file: Path) -> tuple[Path, str]:
    """The folder that imports start from, and the package that the file lies in (empty for a lone file)."""
    parts: list[str] = []
    folder = file.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier() and folder != folder.parent:
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)
