"""File and line of a finding, as a CI's annotations show them."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from archscope.core.errors import UsageError
from archscope.core.finding import Finding
from archscope.core.paths import find_working_folder
from archscope.core.trace import SourceSpan, Trace


def locate_finding(finding: Finding, trace: Trace, definition: SourceSpan | None) -> Finding:
    """The finding at the call of the layer that it names, else where the model is defined; as it is where neither is.

    Only lines of the model's own file count: what a library wrote is nothing to annotate.
    """
    model = definition or _find_forward(trace)
    if model is None or finding.file:
        return finding
    named = [layer for layer in trace.layers if finding.place and layer.path == finding.place]
    calls = (span for layer in named for span in layer.sources if span.file == model.file)
    span = next(calls, model)
    return replace(finding, file=_shorten(span.file), line=span.line)


def _find_forward(trace: Trace) -> SourceSpan | None:
    """Of a saved trace whose target is an object of a file: the first line that the model's own forward ran there."""
    file = trace.target.rpartition(":")[0]
    if not file.endswith(".py"):
        return None
    return next((span for span in _list_spans(trace) if os.path.basename(span.file) == os.path.basename(file)), None)


def _list_spans(trace: Trace) -> Iterator[SourceSpan]:
    own = f"{trace.root.type}.forward"
    for layer in trace.layers:
        yield from (span for span in layer.sources if span.function == own)


def _shorten(file: str) -> str:
    """As seen from the current folder where it lies beneath it, with slashes."""
    try:
        path, here = Path(os.path.realpath(file)), Path(os.path.realpath(find_working_folder()))
    except UsageError:
        return Path(file).as_posix()
    return (path.relative_to(here) if path.is_relative_to(here) else Path(file)).as_posix()
