"""Whose fault an exception is that nobody expected: the model's, whose code may raise anything, or archscope's."""

import os
import sys
import sysconfig
from typing import Any

from archscope.core.errors import ModelError, is_interrupt, read_message

_OWN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_LIVE = ("targets", "tracing", "observation", "modules", "memory", "counters", "training", "benchmarking")
"""The rooms that run models."""
_LIBRARIES = (
    "torch", "numpy", "rich", "typer", "click", "msgspec", "tabulate", "torchinfo", "fvcore", "iopath", "matplotlib",
    "PIL", "tensorboard",
)  # fmt: skip
"""Packages that archscope calls itself: where one of them raises, the code that called it tells whose fault it is."""


def blame_model(error: BaseException) -> ModelError | None:
    """The error to report where a model's code raised `error`; None where archscope's did, or the user pressed Ctrl-C.

    SystemExit, GeneratorExit and whatever else is no Exception is a model's: archscope raises none while it works.
    """
    if is_interrupt(error):
        return None
    place = _find_place(error)
    if not place and isinstance(error, Exception):
        return None
    where = f" (at {place})" if place else ""
    if isinstance(error, SystemExit):
        code: Any = error.code
        told = repr(code) if isinstance(code, (int, str, type(None))) else type(code).__name__
        return ModelError(f"the model called exit({told}){where}")
    told = " ".join(f"{type(error).__name__}: {read_message(error)}".split()).rstrip(": ")
    return ModelError(f"the model raised {told}{where}")


def _find_place(error: BaseException) -> str:
    """`net.py:12`: the innermost line of somebody else's code that archscope ran; empty where its own is at fault."""
    frames = []
    traceback = error.__traceback__
    while traceback is not None:
        frames.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    place = ""
    for file, line in reversed(frames):
        if file.startswith(_OWN):
            return place if file[len(_OWN) :].partition(os.sep)[0].removesuffix(".py") in _LIVE else ""
        if not place and not _is_library(file):
            place = f"{os.path.relpath(file) if _is_near(file) else file}:{line}"
    return place


def _is_library(file: str) -> bool:
    if file.startswith("<"):
        return not file.startswith("<cell")
    parts = file.split(os.sep)
    for folder in ("site-packages", "dist-packages"):
        if folder in parts:
            return parts[parts.index(folder) + 1].removesuffix(".py") in _LIBRARIES
    return file.startswith((sysconfig.get_path("stdlib"), *_find_torch()))


def _find_torch() -> tuple[str, ...]:
    torch = sys.modules.get("torch")
    return (os.path.join(os.path.dirname(str(torch.__file__)), ""),) if torch else ()


def _is_near(file: str) -> bool:
    try:
        return file.startswith(os.path.join(os.getcwd(), ""))
    except OSError:
        return False
