"""Standard output: what it can show, and how text gets there. The command line and `show()` share it."""

import os
import shutil
import sys

from archscope.rendering.formats import RenderOptions


def describe_stdout() -> RenderOptions:
    """The width, colours and encoding of stdout; a pipe has no width and no colours."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if not sys.stdout.isatty():
        return RenderOptions(encoding=encoding)
    color = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return RenderOptions(width=shutil.get_terminal_size().columns, color=color, encoding=encoding)


def write_stdout(text: str) -> None:
    """Write and flush; a character that stdout cannot carry becomes a question mark."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()
