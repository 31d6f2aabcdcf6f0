"""Exceptions of somebody else's code: where they arose, and one clear TargetError for them."""

import os
import re
from collections.abc import Iterator
from types import FrameType

import torch

from archscope.core.errors import TargetError, UsageError, read_message
from archscope.core.paths import find_working_folder

_CUT = 300
"""Characters of a message that are shown."""

_SKIPPED = (
    os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ""),
    os.path.join(os.path.dirname(os.path.abspath(torch.__file__)), ""),
    "<frozen ",
    "<string>",
)
"""Frames of archscope, torch and the import system say nothing about where somebody's code went wrong."""


def explain_failure(error: BaseException, doing: str, remedy: str = "") -> TargetError:
    """`doing` is what was asked, as the start of a sentence: `lecture.py`, `the constructor of Net`."""
    place = find_place(error)
    where = f" (at {place})" if place else ""
    return TargetError(f"{doing} raised {describe_error(error)}{where}", remedy)


def describe_error(error: BaseException) -> str:
    """`ValueError: what it said`, on one line."""
    said = error.msg if isinstance(error, SyntaxError) else read_message(error)
    text = re.sub(r"\s+", " ", str(said)).strip()
    text = text if len(text) <= _CUT else text[: _CUT - 3] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def find_place(error: BaseException) -> str:
    """`lecture.py:12`, the innermost line of the failure outside archscope and torch; empty where there is none."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{shorten_path(error.filename)}:{error.lineno}"
    places = [
        f"{shorten_path(frame.f_code.co_filename)}:{line}"
        for frame, line in _walk_frames(error)
        if not frame.f_code.co_filename.startswith(_SKIPPED)
    ]
    return places[-1] if places else ""


def frame_globals(error: BaseException) -> Iterator[dict[str, object]]:
    """The global names seen along the failure, innermost first."""
    yield from [frame.f_globals for frame, _ in _walk_frames(error)][::-1]


def shorten_path(path: str) -> str:
    """The path as seen from the current folder where it lies beneath it."""
    try:
        here = os.path.join(find_working_folder(), "")
    except UsageError:
        return path
    return path[len(here) :] if path.startswith(here) else path


def _walk_frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next
