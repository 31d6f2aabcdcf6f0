"""The name of an optional package goes in; the imported package comes out, or one error that says what to install."""

from importlib import import_module
from typing import Any

from archscope.core.errors import MissingPackageError, TargetError


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
