"""What people type, parsed: constructor arguments, amounts of memory, and how to trace a target; inputs beside it."""

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

from archscope.core.errors import UsageError
from archscope.core.input_spec import InputSpec
from archscope.core.input_words import LARGEST_SIZE, MOST_DIMENSIONS, MOST_ELEMENTS, parse_input
from archscope.core.literals import CONSTANTS, split_commas
from archscope.core.trace import Mode

__all__ = [
    "LARGEST_SIZE",
    "MOST_DIMENSIONS",
    "MOST_ELEMENTS",
    "InputSpec",
    "parse_input",
]

Argument: TypeAlias = (
    bool | int | float | str | list["Argument"] | tuple["Argument", ...] | dict[str, "Argument"] | None
)
"""A constructor argument: plain data."""

LONGEST_ARGUMENT = 20_000
"""Characters; more is a mistake (or an attack on the parser), not an argument."""

_ARG_FORMS = "write --arg num_classes=10, --arg batch_norm=true or --arg cfg=64,64,M,128,M"


def parse_arguments(words: Iterable[str]) -> dict[str, Argument]:
    """`["num_classes=10", "cfg=64,M"]` -> `{"num_classes": 10, "cfg": [64, "M"]}`.

    A value is a Python literal, or true, false or none in any case, or a comma list of such values; any other bare
    word is a string. Raises UsageError where a word has no `=`, its key is no name, or a key comes twice.
    """
    arguments: dict[str, Argument] = {}
    for word in words:
        key, equals, value = word.partition("=")
        key = key.strip()
        if not equals:
            raise UsageError(f"--arg {_shorten(word)!r} has no '='", _ARG_FORMS)
        if not key.isidentifier():
            raise UsageError(f"--arg {_shorten(word)!r}: {_shorten(key)!r} is not the name of an argument", _ARG_FORMS)
        if key in arguments:
            raise UsageError(f"--arg {key} is given twice", "a list is one argument: --arg cfg=64,64,M")
        arguments[key] = parse_value(value.strip())
    return arguments


def parse_value(text: str) -> Argument:
    """One value: `10`, `0.5`, `(3, 3)`, `true`, `None`, `64,64,M`, `cifar`."""
    if len(text) > LONGEST_ARGUMENT:
        raise UsageError(f"an --arg value of {len(text):,} characters is too long (at most {LONGEST_ARGUMENT:,})")
    pieces = list(split_commas(text))
    if len(pieces) > 1:
        if not pieces[-1].strip():
            pieces.pop()
        return [_parse_item(piece.strip()) for piece in pieces]
    return _parse_item(text)


def _parse_item(text: str) -> Argument:
    folded = text.casefold()
    if folded in CONSTANTS:
        return CONSTANTS[folded]
    try:
        return _check_plain(ast.literal_eval(text), text)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        # No literal, or one nested deeper than Python's parser goes.
        return text


def _check_plain(value: object, text: str) -> Argument:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [_check_plain(item, text) for item in value]
    if isinstance(value, tuple):
        return tuple(_check_plain(item, text) for item in value)
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _check_plain(item, text) for key, item in value.items()}
    raise UsageError(f"--arg value {_shorten(text)!r} is not a number, a string, true, false, none, or a list of these")


def _shorten(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


LONGEST_COUNT = 40
"""Characters."""
COUNT_FORMS = "write 5M, 1.5G, 600_000 or 600,000"
MEMORY_FORMS = "write --memory 16GiB, --memory 16GB or --memory 24000MB"

_LETTERS = "KMGTP"
_UNITS: dict[str, int] = {
    **{f"{letter}iB": int(1024**power) for power, letter in enumerate(_LETTERS, 1)},
    **{f"{letter}B": int(1000**power) for power, letter in enumerate(_LETTERS, 1)},
    "B": 1,
}
_FACTORS = {unit.casefold(): factor for unit, factor in _UNITS.items()}
_COUNTS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12}


def parse_memory(text: str) -> int:
    """`16GiB` -> 17179869184, `16GB` -> 16000000000, `1.5GiB`, `512 MiB`; the unit is required, in any case.

    Raises UsageError, which shows how to write it.
    """
    shown = repr(text if len(text) <= 40 else text[:37] + "...")
    found = re.fullmatch(r"([0-9][0-9_,]{0,24}(?:\.[0-9]{1,12})?)\s*([a-z]*)", text.strip().casefold())
    if found is None:
        raise UsageError(f"--memory {shown} is not an amount of memory", MEMORY_FORMS)
    digits, unit = found.groups()
    if not unit:
        raise UsageError(f"--memory {shown} has no unit", MEMORY_FORMS)
    if unit not in _FACTORS:
        raise UsageError(f"--memory {shown}: unknown unit {unit!r}", f"{MEMORY_FORMS}: GiB is 1024^3 bytes, GB 1000^3")
    exact = _read_digits(digits) * _FACTORS[unit]
    if unit == "b" and exact.denominator > 1:
        raise UsageError(f"--memory {shown} is no whole number of bytes", MEMORY_FORMS)
    if exact < 1:
        raise UsageError(f"--memory {shown} is nothing", MEMORY_FORMS)
    return int(exact)


def parse_count(word: str) -> int:
    """`5M` -> 5000000, `1.5G`, `600_000`, `600,000`. Raises UsageError, also for what is no whole number: `2.3`."""
    if len(word) > LONGEST_COUNT:
        raise UsageError(f"{_shorten(word)!r} is too long for a count", COUNT_FORMS)
    found = re.fullmatch(r"([0-9][0-9_,]*(?:\.[0-9]+)?|\.[0-9]+)\s*([kmgbt]?)", word.strip().casefold())
    if found is None:
        raise UsageError(f"{_shorten(word)!r} is not a count", COUNT_FORMS)
    digits, suffix = found.groups()
    exact = _read_digits(digits) * _COUNTS[suffix]
    if exact.denominator > 1:
        raise UsageError(
            f"{_shorten(word)!r} is no whole number",
            f"{COUNT_FORMS}; a bare number counts one by one, so {digits} million is {digits}M"
            if not suffix
            else COUNT_FORMS,
        )
    return int(exact)


def _read_digits(digits: str) -> Fraction:
    """`600_000`, `138,357,544`, `.5`, exactly."""
    whole, _, fraction = digits.replace("_", "").replace(",", "").partition(".")
    return Fraction(int(f"{whole}{fraction}"), 10 ** len(fraction))


def format_memory(amount: int) -> str:
    """An amount as people write it, exact: `16 GiB`, `24 GB`, `1,234 B`: in the largest unit that divides it."""
    unit = max((unit for unit, factor in _UNITS.items() if amount % factor == 0), key=lambda unit: _UNITS[unit])
    return f"{amount // _UNITS[unit]:,} {unit}"


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """How to trace a target named in words."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Constructor arguments."""
    inputs: tuple[InputSpec, ...] = ()
    """Inputs asked for; empty: the target's own."""
    train: bool | None = None
    """Training flag; None: the target's own (eval for models that are named)."""
    mode: Mode | None = None
    """None: meta, else fake tensors, else a real forward."""
    batch: int | None = None
    """None: that of the inputs."""
