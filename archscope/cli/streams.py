"""The standard streams while a command works. What becomes of its output never changes what the command has found.

A reader that leaves (`| head -1`) is no error. Standard output that cannot be written (a full disk, a closed stream) is
one: it is told once the command is done, and turns success into failure, but never one exit code into another.
Standard error that cannot be written is silent.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO, Any, cast

from archscope.cli.failures import print_error

SIZES = ("COLUMNS", "LINES", "TERMINAL_WIDTH")
"""Variables of the environment that rich and typer read as the terminal's size, whatever they hold."""
USAGE_CODE = 2


class Streams:
    """Standard output and standard error of one command."""

    def __init__(self) -> None:
        _fill_closed()
        self.out = _Stream(sys.stdout)
        self.err = _Stream(sys.stderr)

    def settle(self, code: int) -> int:
        """Bring everything out; the exit code of a command that ends with `code`."""
        self.out.flush()
        error = self.out.error
        if error is not None and not isinstance(error, ConnectionError):
            print_error(f"cannot write to standard output: {getattr(error, 'strerror', None) or error}")
            code = code or USAGE_CODE
        self.err.flush()
        return code


@contextmanager
def guard_streams() -> Iterator[Streams]:
    """Nothing that is written to the standard streams within raises, and sizes that are none are not believed."""
    for name in SIZES:
        if not re.fullmatch("0*[1-9][0-9]{0,3}", os.environ.get(name, "1")):
            del os.environ[name]
    streams = Streams()
    with redirect_stdout(cast("IO[str]", streams.out)), redirect_stderr(cast("IO[str]", streams.err)):
        yield streams


class _Stream:
    """A text stream that takes everything; what it cannot pass on is lost."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.error: OSError | ValueError | None = None
        """Why nothing comes out any more."""

    def write(self, text: str) -> int:
        """As the stream does it."""
        self._try(self._stream.write, text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """As the stream does it."""
        self._try(self._stream.writelines, lines)

    def flush(self) -> None:
        """As the stream does it."""
        self._try(self._stream.flush)

    def _try(self, act: Callable[..., Any], *given: Any) -> None:
        if self.error is not None:
            return
        try:
            act(*given)
        except UnicodeError:  # about the text, not about the stream
            raise
        except (OSError, ValueError) as error:
            self.error = error
            self._abandon()

    def _abandon(self) -> None:
        """Let what is left in the buffer go nowhere: Python flushes it at exit, and would complain."""
        try:
            number = self._stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
        except (OSError, ValueError):  # in memory, or closed: nothing is flushed
            return
        os.dup2(nowhere, number)
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _fill_closed() -> None:
    """Open something in the place of streams that were closed before the start (`>&-`).

    Otherwise the next file that is opened would get their numbers, and whatever is printed. Standard output becomes
    one that cannot be written, as it is; standard error goes nowhere.
    """
    for number, how in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, how)  # gets the lowest number that is free
    if sys.stdout is None:
        sys.stdout = open(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")  # noqa: SIM115  held until exit
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  held until exit
