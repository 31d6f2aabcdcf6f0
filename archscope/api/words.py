"""What Python callers give, checked before any work: targets, inputs, modes, counts and ranges."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import prod
from numbers import Integral, Real
from typing import Any, TypeAlias, get_args

from archscope.core.errors import InputSpecError, UnknownNameError, UsageError
from archscope.core.reserve import RESERVE_FORMS, Reserve, parse_reserve
from archscope.core.trace import Mode
from archscope.core.words import (
    LARGEST_SIZE,
    MOST_DIMENSIONS,
    MOST_ELEMENTS,
    InputSpec,
    parse_count,
    parse_input,
    parse_memory,
)

Inputs: TypeAlias = str | int | Sequence[str | InputSpec | Sequence[int]] | Sequence[int]
"""Inputs in the words of `--input`: `"32"`, `"3x32x32"`, `["input_ids=1x128:int64"]`; parsed already; one shape as
integers, `(3, 32, 32)`, or one side, `32`; or a list of whole shapes, `[(1, 3, 32, 32), (1, 10)]`."""
Count: TypeAlias = int | str
"""A number, or a word such as `"5M"`."""
MOST_TOLERANCE = 1e6
"""Per cent."""


LARGEST_AMOUNT = 10**45
"""Of parameters, MACs and bytes: more than any that can be written in words."""
LARGEST_REAL = 1e12
"""Of seconds and per cents."""
MOST = {"threads": 1024}
"""Of what a process can have: torch asks the system for each, and ends the process where there are none left."""


def is_saved(target: str) -> bool:
    """Whether the target is named as a saved trace is: `x.json`, with no origin before it."""
    return target.endswith(".json") and ":" not in target


def speaks_of_inputs(value: object) -> bool:
    """Whether a value is in the words of `--input`, so that it is the option and no argument of forward."""
    return isinstance(value, str) or (
        isinstance(value, (tuple, list)) and all(isinstance(item, (str, InputSpec)) for item in value)
    )


def read_inputs(words: Inputs) -> tuple[InputSpec, ...]:
    """Inputs in words, parsed; those that are parsed already stay. Raises InputSpecError, UsageError."""
    if isinstance(words, str) or _is_size(words):
        return (parse_input(str(words)),)
    if isinstance(words, (tuple, list)):
        if is_shape(words):
            return (parse_input("x".join(map(str, words))),)
        if all(isinstance(item, (str, InputSpec)) or is_shape(item) for item in words):
            return tuple(map(_read_input, words))
    raise UsageError(
        f"inputs cannot be read from {_show(words)}",
        'give a shape in words, "3x32x32" or ["input_ids=1x128:int64"], or tensors in place of it',
    )


def _read_input(word: Any) -> InputSpec:
    return word if isinstance(word, InputSpec) else parse_input(word) if isinstance(word, str) else _read_shape(word)


def is_shape(value: object) -> bool:
    """Whether a value is a shape: whole numbers in a tuple, a list or a torch.Size (which is a tuple)."""
    return isinstance(value, (tuple, list)) and bool(value) and all(map(_is_size, value))


def speaks_of_shapes(value: object) -> bool:
    """Whether a value is a shape or a list of shapes, or was meant to be one: `(1, 3, 32.0, 32)`."""
    if not isinstance(value, (tuple, list)):
        return False
    return _resembles_shape(value) or (bool(value) and all(map(_resembles_shape, value)))


def _resembles_shape(value: object) -> bool:
    return (
        isinstance(value, (tuple, list))
        and any(map(_is_size, value))
        and all(isinstance(item, Real) or item is None for item in value)
    )


def read_shapes(values: Iterable[Any]) -> tuple[InputSpec, ...]:
    """Inputs of those shapes, batches included; a list of shapes is several inputs. Raises InputSpecError."""
    shapes = [shape for value in values for shape in ((value,) if _resembles_shape(value) else value)]
    return tuple(map(_read_shape, shapes))


def _read_shape(sizes: Sequence[Any]) -> InputSpec:
    shape = tuple(sizes)
    wrong = next((size for size in shape if not _is_size(size) or not 1 <= size <= LARGEST_SIZE), None)
    if wrong is not None or not is_shape(shape):
        problem = f"{wrong} is no whole number from 1 to {LARGEST_SIZE:,}"
    elif len(shape) > MOST_DIMENSIONS:
        problem = f"it has {len(shape)} dimensions, more than {MOST_DIMENSIONS}"
    elif prod(shape) > MOST_ELEMENTS:
        problem = f"it has {prod(shape):,} elements, more than a tensor can hold"
    else:
        return InputSpec(None, tuple(map(int, shape)), None, exact=True)
    raise InputSpecError(
        f"{shape} is no shape of an input: {problem}", "give every size, the batch first: (1, 3, 224, 224)"
    )


def read_count(word: Count, name: str) -> int:
    """A limit as a whole number from 0 to `LARGEST_AMOUNT`. Raises UsageError, which names the limit."""
    if not isinstance(word, str):
        return check_least(name, word, 0, LARGEST_AMOUNT)
    try:
        return parse_count(word)
    except UsageError as error:
        raise UsageError(f"--{name.replace('_', '-')} {error.message}", error.remedy) from error


def read_bytes(word: Count) -> int:
    """An amount of memory in bytes, from a number or a word such as `"16GiB"`. Raises UsageError."""
    return check_least("memory", parse_memory(word) if isinstance(word, str) else word, 1, LARGEST_AMOUNT)


def read_reserve(word: Count) -> Reserve:
    """What is kept free: a number of bytes, or a word such as `"0.5GiB+5%"`. Raises UsageError."""
    if isinstance(word, str):
        return parse_reserve(word)
    if not _is_size(word) or word < 0:
        raise UsageError(f"reserve cannot be {_show(word)}", RESERVE_FORMS.replace("--reserve ", ""))
    return Reserve(word, Fraction(0))


def check_least(name: str, value: Any, least: int, most: int = LARGEST_SIZE) -> int:
    """The value. Raises UsageError where it is no whole number, less than `least` or more than `most`."""
    most = min(most, MOST.get(name, most))
    if not _is_size(value) or value < least:
        raise UsageError(f"{name} cannot be {_show(value)}", f"give a whole number from {least}")
    if value > most:
        raise UsageError(f"{name} cannot be {_show(value)}", f"give a whole number from {least} to {most:,}")
    return int(value)


def check_finite(name: str, value: Any, least: float) -> float:
    """The value. Raises UsageError where it is no number, less than `least` or too large to compute with."""
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= LARGEST_REAL
    if not fits:
        raise UsageError(f"{name} cannot be {_show(value)}", f"give a number from {least:g}")
    return float(value)


def check_tolerance(value: Any) -> float:
    """The growth in per cent as a fraction. Raises UsageError where it is none."""
    if check_finite("tolerance", value, 0) > MOST_TOLERANCE:
        raise UsageError(f"tolerance cannot be {_show(value)}", f"give a number from 0 to {MOST_TOLERANCE:,.0f}")
    return float(value) / 100


def check_mode(mode: str | None) -> None:
    """Raise UnknownNameError where there is no such mode."""
    check_word("mode", mode, get_args(Mode))


def check_word(kind: str, word: str | None, known: Sequence[str]) -> None:
    """Raise UnknownNameError where `word` is none of the known ones."""
    if word is not None and word not in known:
        raise UnknownNameError(kind, str(word), known, f"known: {', '.join(known)}")


def check_flag(name: str, value: object) -> None:
    """Raise UsageError where it is neither True, False nor None."""
    if value is not None and not isinstance(value, bool):
        raise UsageError(f"{name} cannot be {_show(value)}", "give True, False or None")


def check_name(call: str, target: object, *, may_be_saved: bool = False) -> None:
    """Raise UsageError where the target is not named in words: what is run again and again is built anew each time."""
    if not isinstance(target, str):
        raise UsageError(
            f"{call} takes a target in words, not a {type(target).__name__}",
            'name a built-in model, "timm:resnet50", or the class in its file: "net.py:Net"',
        )
    if is_saved(target) and not may_be_saved:
        raise UsageError(f"{target} is a saved trace, which cannot be run again", "name the model itself")


def check_unchanged(path: str, options: Mapping[str, Any]) -> None:
    """Raise UsageError where a saved trace comes with options that only a new trace could follow."""
    if any(options.values()):
        words = [f"--{word}" for word in options]
        raise UsageError(
            f"{path} is a saved trace: {', '.join(words[:-1])} and {words[-1]} cannot change it",
            "name the model itself to trace it again",
        )


def list_words(words: str | Sequence[str]) -> tuple[str, ...]:
    """Words; a lone one is one word, not its letters."""
    return (words,) if isinstance(words, str) else tuple(words)


def _is_size(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _show(value: object) -> str:
    if isinstance(value, int) and abs(value) > LARGEST_AMOUNT:
        return f"a number above {LARGEST_AMOUNT:.0e}"
    return repr(value) if isinstance(value, (bool, int, float, str, tuple, list)) else f"a {type(value).__name__}"
