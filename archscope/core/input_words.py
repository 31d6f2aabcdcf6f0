"""The words of `--input`, parsed: sizes of a tensor, or any other argument of forward.

One word is one argument: `32`, `3x32x32`, `(1, 3, 32, 32)`, `x=1x128:long`, `scale=0.5`, `flag=true`, `mode=none`,
`xs=[1x3x64x64, 1x3x32x32]`, `batch={ids: 1x128:long, size: (7, 7)}`, `lengths=tensor([5, 3])`.
"""

import ast
import re
from math import prod
from typing import Any, NoReturn

from archscope.core.errors import InputSpecError, join_words, suggest_names
from archscope.core.input_spec import Group, InputSpec, Plain, Sizes, Value
from archscope.core.literals import CONSTANTS, split_commas
from archscope.core.tensors import DTYPE_BYTES

EXACT_FORM = "x=8x128x64 or 8x128x64:float32 for exactly these sizes"
INPUT_FORMS = f"write --input 32, --input 3x32x32, --input 8x3x224x224 or --input input_ids=1x128:int64; {EXACT_FORM}"
VALUE_FORMS = "write x=[1x3x64x64, 1x3x32x32], x=(1x4, 2), x={ids: 1x128:int64, scale: 0.5} or x=tensor([5, 3])"

LARGEST_SIZE = 2**31 - 1
"""Of one dimension."""
MOST_ELEMENTS = 2**62
"""Of one input."""
MOST_DIMENSIONS = 16
LONGEST_SIZES = 200
"""Characters of one shape."""
LONGEST_INPUT = 10_000
"""Characters of one `--input`."""
DEEPEST = 12
"""Brackets within brackets."""

DTYPES = tuple(name for name in DTYPE_BYTES if not name.startswith("q"))
"""What an input may be made of."""

_BITS = {"f": "float", "fp": "float", "i": "int", "u": "uint"}
_ALIASES = {
    "half": "float16", "float": "float32", "double": "float64", "bf16": "bfloat16",
    "long": "int64", "int": "int32", "short": "int16", "char": "int8", "byte": "uint8", "boolean": "bool",
    "chalf": "complex32", "cfloat": "complex64", "cdouble": "complex128",
    **{f"{short}{bits}": f"{word}{bits}" for short, word in _BITS.items() for bits in (8, 16, 32, 64)},
}  # fmt: skip
"""torch's own other names, and the usual short ones."""

_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
_INTEGER = re.compile(r"[+-]?[0-9]+")
_WORD = re.compile(r"[^\W\d][\w.\-/]*")
_SIZES = re.compile(r"[0-9]+(\s*[xX×]\s*[0-9]+)+")
_BETWEEN = re.compile(r"\s*[xX×,]\s*|\s+")


def parse_input(text: str) -> InputSpec:
    """`32` is a square image, `3x32x32` one with its channels, four sizes and more are taken as they are.

    With a name or a dtype (`x=32`, `1x128:int64`) the sizes are taken literally. Numbers with a fraction, `true`,
    `none`, `'text'` (with a name also bare: `mode=area`) and what stands in brackets are values of other kinds.
    Raises InputSpecError, which says what is wrong and shows an example.
    """
    shown = repr(text if len(text) <= 40 else text[:37] + "...")
    if len(text) > LONGEST_INPUT:
        raise InputSpecError(f"--input {shown} is too long ({len(text):,} characters)", INPUT_FORMS)
    return _Reader(shown).read(text)


class _Reader:
    """Reads one `--input`; `shown` stands for it in messages."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def read(self, text: str) -> InputSpec:
        return self._read_named(*self._split_name(text.strip()))

    def _read_named(self, name: str | None, text: str) -> InputSpec:
        value = self._read_bare(text, named=name is not None)
        if value is not None:
            return InputSpec(name, (), None, value=value)
        if text[:1] in _BRACKETS:
            return self._read_bracket(name, text)
        sizes, dtype = self._split_dtype(text)
        shape = self._read_shape(sizes, exact=name is not None or dtype is not None)
        square = shape[0] if name is None and dtype is None and len(shape) == 1 and not sizes.endswith(",") else None
        return InputSpec(name, shape, dtype, square)

    def _split_name(self, text: str) -> tuple[str | None, str]:
        before, equals, rest = text.partition("=")
        if not equals or text[:1] in (*_BRACKETS, "'", '"') or text.startswith("tensor("):
            return None, text
        name = before.strip()
        if not name.isidentifier():
            self._complain(f": {name!r} is not the name of an input")
        return name, rest.strip()

    def _read_bare(self, text: str, *, named: bool) -> Value | None:
        """What is neither sizes nor in brackets; None for these."""
        if text.startswith("tensor(") and text.endswith(")"):
            return self._read_tensor(text.removeprefix("tensor(")[:-1])
        if text[:1] in ("'", '"'):
            return Plain(self._read_quoted(text))
        if text.casefold() in CONSTANTS:
            return Plain(CONSTANTS[text.casefold()])
        if _INTEGER.fullmatch(text):
            return Plain(int(text)) if named and len(text) < 20 and int(text) < 1 else None
        if text.isascii() and _NUMBER.fullmatch(text):
            return Plain(float(text))
        if named and _WORD.fullmatch(text) and not re.fullmatch("[xX×]+", text):
            return Plain(text)
        return None

    def _read_bracket(self, name: str | None, text: str) -> InputSpec:
        """In brackets; whole numbers in round or square ones may be sizes as well."""
        inner, dtype = text, None
        if text[-1] != _BRACKETS[text[0]]:
            inner, _, dtype = (part.strip() for part in text.rpartition(":"))
            if inner[-1:] != _BRACKETS[text[0]]:
                self._complain(f": {text[0]!r} is not closed", VALUE_FORMS)
        if text[0] == "(" and inner[1:-1].strip() and len(list(split_commas(inner[1:-1]))) == 1:
            return self._read_named(name, inner[1:-1].strip() + (f":{dtype}" if dtype is not None else ""))
        value = self._read_value(inner, 0)
        numbers = read_numbers(value)
        if numbers is None:
            if dtype is not None:
                self._complain(": a dtype belongs to the sizes of one tensor", VALUE_FORMS)
            return InputSpec(name, (), None, value=value)
        shape = self._read_shape(",".join(map(str, numbers)), exact=True)
        return (
            InputSpec(name, shape, None, value=value)
            if dtype is None
            else InputSpec(name, shape, self.read_dtype(dtype))
        )

    # --- inside brackets -------------------------------------------------------------------------------------------

    def _read_value(self, text: str, depth: int) -> Value:
        text = text.strip()
        if depth > DEEPEST:
            self._complain(f" nests deeper than {DEEPEST}", VALUE_FORMS)
        if text[:1] in _BRACKETS:
            if text[-1] != _BRACKETS[text[0]] or len(text) < 2:
                self._complain(f": {text[0]!r} is not closed", VALUE_FORMS)
            return self._read_group(text, depth)
        bare = self._read_bare(text, named=True)
        if bare is not None:
            return bare
        if _INTEGER.fullmatch(text):
            if len(text) > 20:
                self._complain(f": {text[:20]}... is too large a number", VALUE_FORMS)
            return Plain(int(text))
        sizes, dtype = self._split_dtype(text)
        if dtype is None and not _SIZES.fullmatch(sizes):
            self._complain(f": {text[:40]!r} is no value", VALUE_FORMS)
        return Sizes(self._read_shape(sizes, exact=True), dtype)

    def _read_group(self, text: str, depth: int) -> Value:
        pieces = list(split_commas(text[1:-1]))
        if not pieces[-1].strip():
            pieces.pop()
        elif len(pieces) == 1 and text[0] == "(":
            return self._read_value(pieces[0], depth + 1)
        if text[0] != "{":
            items = tuple(self._read_value(piece, depth + 1) for piece in pieces)
            return Group("tuple" if text[0] == "(" else "list", items)
        keys, values = [], []
        for piece in pieces:
            key, colon, value = piece.partition(":")
            key = key.strip().strip("'\"")
            if not colon or not key:
                self._complain(f": {piece.strip()[:40]!r} is no key with its value", VALUE_FORMS)
            keys.append(key)
            values.append(self._read_value(value, depth + 1))
        if len(set(keys)) < len(keys):
            self._complain(": a key comes twice", VALUE_FORMS)
        return Group("dict", tuple(values), tuple(keys))

    def _read_quoted(self, text: str) -> str:
        value = self._evaluate(text)
        if not isinstance(value, str):
            self._complain(": the quotes do not hold one text", VALUE_FORMS)
        return value

    def _read_tensor(self, text: str) -> Sizes:
        """Values of a tensor: `[5, 3]`, `[[0, 1], [1, 0]]`, `3`."""
        data = self._evaluate(text)
        shape = _measure(data)
        if shape is None:
            self._complain(": tensor(...) takes numbers in lists of equal lengths", VALUE_FORMS)
        kinds = {type(item) for item in _flatten(data)}
        if any(isinstance(item, int) and not -(2**63) <= item < 2**63 for item in _flatten(data)):
            self._complain(": a number in tensor(...) is larger than int64 holds", VALUE_FORMS)
        dtype = None if float in kinds or not kinds else "bool" if kinds == {bool} else "int64"
        return Sizes(shape, dtype, data)

    def _evaluate(self, text: str) -> Any:
        try:
            return ast.literal_eval(text)
        except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
            return self._complain(f": {text[:40]!r} cannot be read", VALUE_FORMS)

    # --- sizes -----------------------------------------------------------------------------------------------------

    def _split_dtype(self, text: str) -> tuple[str, str | None]:
        sizes, colon, dtype = text.partition(":")
        return sizes.strip(), self.read_dtype(dtype) if colon else None

    def read_dtype(self, text: str) -> str:
        word = text.strip()
        dtype = word.removeprefix("torch.").casefold()
        dtype = _ALIASES.get(dtype, dtype)
        if dtype in DTYPES:
            return dtype
        near = join_words(suggest_names(dtype, DTYPES))
        remedy = f"did you mean {near}?" if near else f"known: {', '.join(DTYPES)}"
        return self._complain(f": unknown dtype {word[:40]!r}", remedy)

    def _read_shape(self, text: str, *, exact: bool) -> tuple[int, ...]:
        if not text:
            self._complain(" has no sizes")
        if len(text) > LONGEST_SIZES:
            self._complain(f" is too long ({len(text):,} characters)")
        pieces = _BETWEEN.split(text)
        if len(pieces) > 1 and text.endswith(","):
            pieces.pop()
        if len(pieces) > MOST_DIMENSIONS:
            self._complain(f" has {len(pieces)} dimensions, more than {MOST_DIMENSIONS}")
        shape = tuple(self._read_size(piece, least=0 if exact and len(pieces) > 1 else 1) for piece in pieces)
        if prod(shape) > MOST_ELEMENTS:
            self._complain(f" has {prod(shape):,} elements, more than a tensor can hold")
        return shape

    def _read_size(self, piece: str, *, least: int) -> int:
        if not piece:
            self._complain(" lacks a number before or after an 'x'")
        if not _INTEGER.fullmatch(piece):
            self._complain(f": {piece[:40]!r} is not a whole number")
        size = int(piece)
        if size < least:
            empty = "; an empty tensor: x=1x0" if size == 0 else ""
            self._complain(f": {size} is not a size, every dimension is at least 1", INPUT_FORMS + empty)
        if size > LARGEST_SIZE:
            self._complain(f": {size} is larger than any dimension may be")
        return size

    def _complain(self, said: str, remedy: str = INPUT_FORMS) -> NoReturn:
        raise InputSpecError(f"--input {self._shown}{said}", remedy)


def read_numbers(value: Value) -> tuple[int, ...] | None:
    """The whole numbers of a list or tuple that holds nothing but positive ones, so that they may be sizes."""
    if not isinstance(value, Group) or value.kind == "dict" or not value.items:
        return None
    numbers = [item.value for item in value.items if isinstance(item, Plain)]
    whole = tuple(number for number in numbers if isinstance(number, int) and not isinstance(number, bool))
    fits = len(whole) == len(value.items) <= MOST_DIMENSIONS and all(0 < number <= LARGEST_SIZE for number in whole)
    return whole if fits and prod(whole) <= MOST_ELEMENTS else None


def _measure(data: Any) -> tuple[int, ...] | None:
    """The shape of nested lists of numbers; None where they are ragged or hold something else."""
    if isinstance(data, (bool, int, float)):
        return ()
    if not isinstance(data, (list, tuple)):
        return None
    shapes = {_measure(item) for item in data}
    if not shapes:
        return (0,)
    (inner,) = shapes if len(shapes) == 1 else (None,)
    return None if inner is None else (len(data), *inner)


def _flatten(data: Any) -> list[Any]:
    return [item for part in data for item in _flatten(part)] if isinstance(data, (list, tuple)) else [data]
