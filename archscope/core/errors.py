"""The one error tree. Each message says what was asked, what was found, where, and how to fix it.

::

    ArchscopeError                 exit code 2 unless said otherwise
    ├── UsageError                 a word, option or value that cannot be used
    │   ├── UnknownNameError       no such model or format; carries the nearest names
    │   │   ├── UnknownArgumentError   no such constructor argument
    │   │   └── UnknownLayerError  no such layer; a KeyError too, as `summary["layer9"]` is a look-up
    │   ├── InputSpecError         an --input that cannot be read
    │   └── OutputError            a file that cannot be written
    ├── TargetError                a target that cannot be loaded or built
    │   ├── FixedArgumentError     a constructor argument that cannot be changed from outside
    │   └── MissingPackageError    it needs a package that is not installed
    ├── DataError                  missing, corrupt or malformed data
    ├── CheckError                 a check failed (exit code 1)
    ├── MeasureError               a published figure cannot be measured (defined in `archscope.papers.measurement`)
    └── ModelError                 the model itself raised (exit code 3)
        └── ForwardError           in its forward pass; `.summary` holds everything before the failure
                                   (defined in `archscope.api`, since it carries a Summary)
"""

from collections.abc import Iterable
from difflib import get_close_matches


class ArchscopeError(Exception):
    """Anything archscope raises on purpose."""

    exit_code = 2

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        """What to do about it, one or more lines; empty where the message says it."""

    def __str__(self) -> str:
        """The message, and the remedy on indented lines beneath it, as the command line prints them."""
        return "\n".join([self.message, *(f"  {line}" for line in self.remedy.splitlines())])

    def __reduce__(self) -> tuple[object, ...]:
        """So that errors cross processes, whatever their constructors take."""
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[ArchscopeError], args: tuple[object, ...], state: dict[str, object]) -> ArchscopeError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class UsageError(ArchscopeError):
    """A word, option or value that cannot be used."""


class UnknownNameError(UsageError):
    """A name that nothing answers to."""

    def __init__(
        self, kind: str, name: str, known: Iterable[str], remedy: str = "", *, near: tuple[str, ...] | None = None
    ) -> None:
        """`kind` is what was looked for (`model`, `layer`, ...); `known` are the names that exist.

        `near` are those that may be meant, likeliest first; None: those of `known` that are spelt alike.
        """
        self.name = name
        self.suggestions = suggest_names(name, known) if near is None else near
        meant = f"did you mean {join_words(self.suggestions)}?" if self.suggestions else ""
        super().__init__(f"unknown {kind} {name!r}", "; ".join(part for part in (meant, remedy) if part))


class UnknownArgumentError(UnknownNameError):
    """A constructor argument that the target does not take."""

    def __init__(self, name: str, known: Iterable[str], remedy: str = "") -> None:
        super().__init__("argument", name, known, remedy)


class UnknownLayerError(UnknownNameError, KeyError):
    """A layer path that the trace does not have."""

    __str__ = UsageError.__str__  # KeyError would show a repr


class InputSpecError(UsageError):
    """An input specification that cannot be read."""


class OutputError(UsageError):
    """A file that cannot be written."""


class TargetError(ArchscopeError):
    """A target that cannot be loaded or built."""


class FixedArgumentError(TargetError):
    """A constructor argument that cannot be changed from outside."""

    def __init__(self, name: str, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.name = name


class MissingPackageError(TargetError):
    """A target that needs a package that is not installed."""


class DataError(ArchscopeError):
    """Missing, corrupt or malformed data."""


class CheckError(ArchscopeError):
    """A check failed."""

    exit_code = 1


class ModelError(ArchscopeError):
    """The traced model raised."""

    exit_code = 3


def read_message(error: BaseException) -> str:
    """What an exception says, without the remedy; of one that cannot be turned into text, that it cannot."""
    if isinstance(error, ArchscopeError):
        return error.message
    try:
        return str(error)
    except BaseException as second:  # noqa: BLE001  somebody's class: it may raise anything
        pass_interrupt(second)
        return f"(its text cannot be read: __str__ raised {type(second).__name__})"


def pass_interrupt(error: BaseException) -> None:
    """Raise `error` again where it is the user's Ctrl-C: somebody's code may raise anything else, also to no good end.

    SystemExit, GeneratorExit and subclasses of KeyboardInterrupt are such code's own.
    """
    if is_interrupt(error):
        raise error


def is_interrupt(error: BaseException) -> bool:
    """Whether it is the user's Ctrl-C."""
    return type(error) is KeyboardInterrupt


def suggest_names(name: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Up to `limit` of the known names nearest to `name`, nearest first."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    near = get_close_matches(name.casefold(), by_folded, n=limit, cutoff=0.6)
    return tuple(by_folded[folded] for folded in near)


def join_words(words: Iterable[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    listed = list(words)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} or {listed[-1]}"
