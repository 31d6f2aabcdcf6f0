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
from importlib.metadata import version
from types import ModuleType
from typing import Any

from archscope.core.directory import keep_directory
from archscope.core.errors import MissingPackageError, TargetError, pass_interrupt, read_message


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
            with keep_directory(), self._open():
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
    except BaseException as error:
        pass_interrupt(error)
        if isinstance(error, ModuleNotFoundError) and error.name == package.partition(".")[0]:
            raise MissingPackageError(
                f"{asked} needs {package}, which is not installed", f"pip install 'torch-archscope[{extra}]'"
            ) from error
        raise explain_broken(package, extra, error) from error


def read_extra(package: Any, name: str, extra: str) -> Any:
    """The attribute `name` of an imported package; None where it has none.

    A package that imports its parts when they are first asked for raises then. Raises TargetError.
    """
    try:
        return getattr(package, name, None)
    except BaseException as error:
        pass_interrupt(error)
        raise explain_broken(package.__name__, extra, error) from error


def arose_in_import(error: BaseException) -> bool:
    """Whether it, or what led to it, was raised while a module was imported."""
    while True:
        traceback = error.__traceback__
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename.startswith("<frozen importlib"):
                return True
            traceback = traceback.tb_next
        before = error.__cause__ or error.__context__
        if before is None:
            return False
        error = before


def explain_broken(package: str, extra: str, error: BaseException) -> TargetError:
    """What to do where `package`, or another one that it imports, raised while it was imported."""
    first = error
    while (before := first.__cause__ or first.__context__) is not None:
        first = before
    culprit = _find_culprit(first) or package
    said = f"{type(first).__name__}: {' '.join(read_message(first).split())[:_CUT]}".rstrip(": ")
    told = read_message(error) if first is error and isinstance(error, ImportError) else said
    because = "" if culprit == package.partition(".")[0] else f"{culprit}, which it imports, fails with "
    return TargetError(
        f"{package} is installed but cannot be imported: {because}{told}",
        f"install {culprit} again, in a version that goes with torch {torch_version()}: "
        f"pip install --upgrade --force-reinstall {culprit}\n"
        f"or everything that is needed: pip install --upgrade 'torch-archscope[{extra}]'",
    )


_CUT = 300
"""Characters of a message that are shown."""


def torch_version() -> str:
    """Of the torch that is installed."""
    return version("torch").partition("+")[0]


def _find_culprit(error: BaseException) -> str:
    """The package whose code raised, the innermost that is neither Python's own nor torch or archscope."""
    if isinstance(error, SyntaxError) and error.filename:  # no frame of the file itself
        roots = [root for root in sys.path if root and error.filename.startswith(os.path.join(root, ""))]
        beneath = error.filename[len(max(roots, key=len)) + 1 :] if roots else ""
        return beneath.partition(os.sep)[0].removesuffix(".py")
    found, traceback = "", error.__traceback__
    while traceback is not None:
        top = str(traceback.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if top and top not in sys.stdlib_module_names and top not in ("torch", "archscope", "__main__"):
            found = top
        traceback = traceback.tb_next
    return found
