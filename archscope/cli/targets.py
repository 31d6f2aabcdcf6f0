"""The Summary of a target in words: traced now, or read from a saved trace without torch."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from archscope.core.errors import ModelError, UsageError

if TYPE_CHECKING:
    from archscope.api import Summary
    from archscope.core.words import TraceOptions


def summarise(target: str, options: "TraceOptions") -> "Summary":
    """Trace `target`, or read it where it is the JSON of a saved trace. Raises what either raises."""
    from archscope.api import trace_target

    if not is_saved(target):
        # What a model prints is no part of the result, and a model must not end the command.
        with redirect_stdout(sys.stderr):
            try:
                return trace_target(target, options)
            except SystemExit as error:
                raise ModelError(f"{target} called exit({error.code!r}) in its forward pass") from error
    if options.arguments or options.inputs or options.train or options.mode:
        raise UsageError(
            f"{target} is a saved trace: --input, --arg, --train and --mode cannot change it",
            "name the model itself to trace it again",
        )
    return read_summary(Path(target))


def is_saved(target: str) -> bool:
    """Whether the target is named as a saved trace is: `x.json`, with no origin before it."""
    return target.endswith(".json") and ":" not in target


def read_summary(path: Path) -> "Summary":
    """The Summary in a file that `archscope trace -o x.json` wrote. Raises DataError where it cannot be read."""
    from archscope.api import Summary
    from archscope.core.codec import read_document
    from archscope.core.documents.trace import TraceDocument
    from archscope.core.saved import read_costs, read_trace

    document = read_document(path, TraceDocument)
    return Summary(read_trace(document), read_costs(document), document.target)
