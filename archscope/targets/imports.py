"""Importing what somebody else wrote: a scope for the code of a file, and optional packages.

Two files in different folders may each have a sibling `blocks.py`. What a scope imports from its own folders is
therefore taken out of `sys.modules` when the scope is left, and put back when it is entered again to build the model.
"""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any

from archscope.core.errors import MissingPackageError, TargetError


@dataclass(frozen=True, slots=True)
class ImportScope:
    """What one target's code sees while it runs: its folders first on `sys.path`, its own siblings."""

    folders: tuple[str, ...]
    """Searched for imports; the first before all else, the others after all else."""
    program: str
    """What `sys.argv` names, so that a script that parses arguments sees none of ours."""
    kept: set[str] = field(default_factory=set)
    """Names of modules that stay registered."""
    _siblings: dict[str, ModuleType] = field(default_factory=dict)
    _held: list[bool] = field(default_factory=list)
    """Not empty while the scope is entered."""

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Run the target's code in here: what it prints goes to stderr, and nothing is written beside it."""
        with self.hold(), redirect_stdout(sys.stderr):
            yield

    @contextmanager
    def hold(self) -> Iterator[None]:
        """The same without a word on where prints go: for forward passes, which import now and then as well."""
        if self._held:
            yield
            return
        self._held.append(True)
        try:
            with self._open():
                yield
        finally:
            self._held.clear()

    @contextmanager
    def _open(self) -> Iterator[None]:
        before = (list(sys.path), sys.argv, sys.dont_write_bytecode)
        known = set(sys.modules)
        own = tuple(folder for folder in self.folders if folder not in sys.path)
        sys.path[:] = [*self.folders[:1], *sys.path, *self.folders[1:]]
        sys.argv = [self.program]
        sys.dont_write_bytecode = True
        sys.modules.update(self._siblings)
        importlib.invalidate_caches()
        try:
            yield
        finally:
            sys.path[:], sys.argv, sys.dont_write_bytecode = before
            self._take_out([name for name in sys.modules if name not in known], own)

    def _take_out(self, names: list[str], own: tuple[str, ...]) -> None:
        tops = {name.partition(".")[0] for name in names}
        local = {top for top in tops if _lies_in(sys.modules.get(top), own)}
        for name in names:
            if name.partition(".")[0] in local and name not in self.kept:
                self._siblings[name] = sys.modules.pop(name)


def _lies_in(module: ModuleType | None, folders: tuple[str, ...]) -> bool:
    """Whether a top-level module is a file or a package right inside one of the folders."""
    if module is None:
        return False
    paths = [*getattr(module, "__path__", ())] or [getattr(module, "__file__", None) or ""]
    return any(os.path.dirname(os.path.abspath(path)) in folders for path in paths if path)


def import_extra(package: str, extra: str, asked: str) -> Any:
    """Import `package`, which the extra `extra` installs, for the target `asked`.

    Raises MissingPackageError where it is not installed, TargetError where it is but cannot be imported.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.partition(".")[0]:
            raise TargetError(f"{package} is installed but cannot be imported: {error}", _reinstall(extra)) from error
        raise MissingPackageError(
            f"{asked} needs {package}, which is not installed", f"pip install 'torch-archscope[{extra}]'"
        ) from error
    except (ImportError, OSError, RuntimeError) as error:
        raise TargetError(f"{package} is installed but cannot be imported: {error}", _reinstall(extra)) from error


def _reinstall(extra: str) -> str:
    return f"pip install --upgrade 'torch-archscope[{extra}]'"
