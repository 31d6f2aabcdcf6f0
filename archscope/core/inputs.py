"""`--input` words go in (`32`, `3x32x32`, `input_ids=1x128:int64`); `InputSpec` comes out."""

import re
from dataclasses import dataclass
from math import prod

from archscope.core.errors import InputSpecError, join_words, suggest_names
from archscope.core.tensors import DTYPE_BYTES

EXAMPLES = "write --input 32, --input 3x32x32, --input 8x3x224x224 or --input input_ids=1x128:int64"

LARGEST_SIZE = 2**31 - 1
"""Of one dimension."""
MOST_ELEMENTS = 2**62
"""Of one input."""
MOST_DIMENSIONS = 16
LONGEST_INPUT = 200
"""Characters of one `--input`."""

DTYPES = tuple(name for name in DTYPE_BYTES if not name.startswith("q"))
"""What an input may be made of."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input asked for."""

    name: str | None
    """The parameter of forward; None where the input is positional."""
    shape: tuple[int, ...]
    """The sizes; `(N,)` where `square` is set."""
    dtype: str | None
    """None where it is left to the target."""
    square: int | None = None
    """The side where only `N` was given: square images, with the target's own channels and batch 1."""


def parse_input(text: str) -> InputSpec:
    """`32` is a square image, `3x32x32` one with its channels (batch 1), four sizes and more are taken as they are.

    With a name or a dtype (`x=32`, `1x128:int64`) the sizes are taken literally. Raises InputSpecError, which says
    what is wrong and shows an example.
    """
    shown = repr(text if len(text) <= 40 else text[:37] + "...")
    if len(text) > LONGEST_INPUT:
        raise InputSpecError(f"--input {shown} is too long ({len(text):,} characters)", EXAMPLES)
    name, equals, rest = text.rpartition("=")
    name = name.strip()
    if equals and not name.isidentifier():
        raise InputSpecError(f"--input {shown}: {name!r} is not the name of an input", EXAMPLES)
    sizes, colon, dtype = rest.partition(":")
    shape = _parse_shape(sizes.strip(), shown)
    if equals or colon:
        return InputSpec(name or None, shape, _parse_dtype(dtype.strip(), shown) if colon else None)
    if len(shape) == 1:
        return InputSpec(None, shape, None, square=shape[0])
    return InputSpec(None, (1, *shape) if len(shape) == 3 else shape, None)


def _parse_shape(text: str, shown: str) -> tuple[int, ...]:
    if not text:
        raise InputSpecError(f"--input {shown} has no sizes", EXAMPLES)
    pieces = re.split("[xX×]", text)
    if len(pieces) > MOST_DIMENSIONS:
        raise InputSpecError(f"--input {shown} has {len(pieces)} dimensions, more than {MOST_DIMENSIONS}", EXAMPLES)
    shape = tuple(_parse_size(piece.strip(), shown) for piece in pieces)
    if prod(shape) > MOST_ELEMENTS:
        raise InputSpecError(f"--input {shown} has {prod(shape):,} elements, more than a tensor can hold", EXAMPLES)
    return shape


def _parse_size(piece: str, shown: str) -> int:
    if not piece:
        raise InputSpecError(f"--input {shown} lacks a number before or after an 'x'", EXAMPLES)
    if not re.fullmatch("[+-]?[0-9]+", piece):
        raise InputSpecError(f"--input {shown}: {piece!r} is not a whole number", EXAMPLES)
    size = int(piece)
    if size < 1:
        raise InputSpecError(f"--input {shown}: {size} is not a size, every dimension is at least 1", EXAMPLES)
    if size > LARGEST_SIZE:
        raise InputSpecError(f"--input {shown}: {size} is larger than any dimension may be", EXAMPLES)
    return size


def _parse_dtype(text: str, shown: str) -> str:
    dtype = text.removeprefix("torch.")
    if dtype in DTYPES:
        return dtype
    near = join_words(suggest_names(dtype, DTYPES))
    remedy = f"did you mean {near}?" if near else f"known: {', '.join(DTYPES)}"
    raise InputSpecError(f"--input {shown}: unknown dtype {dtype!r}", remedy)
