"""Source spans that a person would look at: the stack frames outside torch and outside the tracer."""

import os
import threading
from types import CodeType, FrameType

import torch

from archscope.core.trace import SourceSpan
from archscope.tracing.calls import CALL_CODE
from archscope.tracing.observer import ForwardObserver
from archscope.tracing.threads import THREAD_CODE

_SKIPPED_FOLDERS = tuple(
    os.path.join(os.path.dirname(os.path.abspath(path)), "") for path in (torch.__file__, __file__)
)
_SKIPPED_PREFIXES = ("<frozen ", "<string>", threading.__file__)
_MAX_LOCAL_FRAMES = 16

_BORDER_CODES = (CALL_CODE, ForwardObserver.call_root.__code__, THREAD_CODE)
"""A frame that runs one of these is the border between one module call and the next, or the world outside."""


class SourceFinder:
    """Finds the frames between an operation or call and the module call around it; remembers what it has seen."""

    def __init__(self) -> None:
        self._skipped: dict[CodeType, bool] = {}
        self._spans: dict[tuple[CodeType, int], SourceSpan] = {}
        self._chains: dict[tuple[tuple[tuple[CodeType, int], ...], int], tuple[SourceSpan, ...]] = {}

    def find_chain(self, frame: FrameType | None, outer: tuple[SourceSpan, ...]) -> tuple[SourceSpan, ...]:
        """Spans from `frame` up to the border of the innermost module call, then `outer`, the chain of that call."""
        places: list[tuple[CodeType, int]] = []
        while frame is not None and frame.f_code not in _BORDER_CODES and len(places) < _MAX_LOCAL_FRAMES:
            code = frame.f_code
            skip = self._skipped.get(code)
            if skip is None:
                skip = self._skipped[code] = code.co_filename.startswith(_SKIPPED_FOLDERS + _SKIPPED_PREFIXES)
            if not skip:
                places.append((code, frame.f_lasti))
            frame = frame.f_back
        if not places:
            return outer
        key = (tuple(places), id(outer))
        chain = self._chains.get(key)
        if chain is None:
            chain = self._chains[key] = (*map(self._find_span, places), *outer)
        return chain

    def _find_span(self, place: tuple[CodeType, int]) -> SourceSpan:
        span = self._spans.get(place)
        if span is None:
            span = self._spans[place] = _read_span(*place)
        return span


def _read_span(code: CodeType, last_instruction: int) -> SourceSpan:
    line, end_line, column, end_column = (None,) * 4
    for index, position in enumerate(code.co_positions()):
        if index == last_instruction // 2:
            line, end_line, column, end_column = position
            break
    first = line if line is not None else code.co_firstlineno
    return SourceSpan(
        file=code.co_filename,
        line=first,
        end_line=end_line if end_line is not None else first,
        column=None if column is None else column + 1,
        end_column=None if end_column is None else end_column + 1,
        function=code.co_qualname,
    )


def spans_of_error(error: BaseException) -> tuple[SourceSpan, ...]:
    """The frames an exception passed through, outside torch and the tracer, innermost first."""
    spans = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not code.co_filename.startswith(_SKIPPED_FOLDERS + _SKIPPED_PREFIXES):
            spans.append(_read_span(code, traceback.tb_lasti))
        traceback = traceback.tb_next
    return tuple(reversed(spans))
