"""What an exception means to the user: one clear message on stderr, and an exit code."""

import sys
import traceback

import typer

from archscope.core.errors import ArchscopeError, is_interrupt, read_message
from archscope.core.escaping import escape_lines
from archscope.rendering.stdout import wants_color

BUG_CODE = 101
INTERRUPT_CODE = 130
"""Of Ctrl-C, which the entry point tells: typer ends with it too."""


def report_error(error: BaseException, *, debug: bool = False) -> int:
    """Write what `error` means to stderr; the exit code is returned."""
    if debug:
        print(escape_lines("".join(traceback.format_exception(error))), end="", file=sys.stderr)
    if isinstance(error, typer.Abort) or _is_interrupt(error):
        return INTERRUPT_CODE
    if isinstance(error, ArchscopeError):
        print_error(error.message, error.remedy)
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, OSError) and error.errno is not None:
        # The system says no: a folder without permission, a full disk. What a model raises is a ModelError long since.
        place = "" if error.filename is None else f"{error.filename}: "
        print_error(f"the system refused: {place}{error.strerror}")
        return ArchscopeError.exit_code
    told = f"{type(error).__name__}: {read_message(error)}".rstrip(": ")
    remedy = "" if debug else "run it again with --debug for the traceback, and report it with that"
    print_error(f"sorry, this is a bug in archscope: {told}", remedy)
    return BUG_CODE


def print_error(message: str, remedy: str = "") -> None:
    """`error: ...`, and what to do about it on indented lines beneath."""
    first, *rest = escape_lines(message).splitlines() or [""]
    lines = [f"error: {first}", *(f"  {line}" for line in [*rest, *escape_lines(remedy).splitlines()])]
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    if wants_color(sys.stderr):
        from archscope.rendering.terminal import paint_severities

        text = paint_severities(text)
    print(text, end="", file=sys.stderr)


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind it: modules in C make another error of one that comes while they are imported."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if is_interrupt(error):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
