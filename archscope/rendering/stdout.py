"""Standard output: what it can show, and how text gets there. The command line and `show()` share it."""

import os
import shutil
import sys
from typing import TextIO

from archscope.rendering.formats import RenderOptions


def describe_stdout() -> RenderOptions:
    """The width, colours and encoding of stdout; a pipe has no width, and colours only where they are forced."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    return RenderOptions(width=width, color=wants_color(sys.stdout), encoding=encoding)


def wants_color(stream: TextIO) -> bool:
    """Whether text on `stream` is coloured, by the conventions of no-color.org and force-color.org.

    NO_COLOR, set to anything, turns colours off; FORCE_COLOR turns them on, in a pipe or a dumb terminal too.
    """
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


def write_stdout(text: str) -> None:
    """Write and flush; a character that stdout cannot carry becomes a question mark."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()
