"""The columns of VGG's Table 1 as data, and the reading of any such column. Torch-free.

A row of words (`64, 64, "M", ...`) is read into checked `Conv`, `Pool` and `Norm` items.

Words: a bare number is a 3x3 convolution with padding 1 (`64` is the paper's conv3-64), `"conv1-256"` a 1x1 convolution
without padding, `"M"` a 2x2 max pool of stride 2, `"LRN"` a local response normalisation.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

from archscope.core.errors import UsageError

Word: TypeAlias = int | str

TABLE_1: dict[str, tuple[Word, ...]] = {
    "A": (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"),
    "A-LRN": (64, "LRN", "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"),
    "B": (64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"),
    "C": (
        *(64, 64, "M", 128, 128, "M", 256, 256, "conv1-256", "M"),
        *(512, 512, "conv1-512", "M", 512, 512, "conv1-512", "M"),
    ),
    "D": (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"),
    "E": (
        *(64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M"),
        *(512, 512, 512, 512, "M", 512, 512, 512, 512, "M"),
    ),
}
"""Simonyan and Zisserman 2014, Table 1, from the image to the last max pool."""

LECTURE_CIFAR: dict[str, tuple[Word, ...]] = {
    "vgg16": (32, 32, "M", 64, 64, 128, 128, 128, "M", 256, 256, 256, 512, 512, 512, "M"),
    "vgg19": (32, 32, "M", 64, 64, 128, 128, 128, 128, "M", 256, 256, 256, 256, 512, 512, 512, 512, "M"),
}
"""The lecture's CIFAR-10 networks: three pools, so that 32x32 images leave as 4x4 maps."""

LARGEST = 2**31 - 1

_CONVOLUTION = re.compile(r"conv(\d{1,4})-(\d{1,10})", re.ASCII)
_ALLOWED = 'numbers of channels (3x3 convolutions), "convK-N" (K odd), "M" (max pool) and "LRN"'


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution of stride 1 that keeps the spatial size."""

    channels: int
    kernel: int = 3

    @property
    def padding(self) -> int:
        """Half the kernel, rounded down: 1 for 3x3, none for 1x1."""
        return self.kernel // 2


@dataclass(frozen=True, slots=True)
class Pool:
    """A 2x2 max pool of stride 2."""


@dataclass(frozen=True, slots=True)
class Norm:
    """A local response normalisation."""


Item: TypeAlias = Conv | Pool | Norm


def read_row(row: object) -> tuple[Item, ...]:
    """The items of a row of words; a lone word is a row of one. Raises UsageError for a word that cannot be read."""
    items = tuple(_read_word(word) for word in list_words(row))
    if not any(isinstance(item, Conv) for item in items):
        raise UsageError(f"cfg={row!r} holds no convolution", f"allowed are {_ALLOWED}")
    return items


def last_channels(items: tuple[Item, ...]) -> int:
    """Channels that leave the last convolution."""
    return [item.channels for item in items if isinstance(item, Conv)][-1]


def list_words(row: object) -> tuple[Word, ...]:
    """The words of a row, unread; a lone word is a row of one. Raises UsageError where the row is no list of words."""
    words = (row,) if isinstance(row, int | str) else row
    if not isinstance(words, list | tuple) or not all(isinstance(word, int | str) for word in words):
        raise UsageError(f"cfg={row!r} is not a list of layers", f"allowed are {_ALLOWED}")
    return tuple(words)


def _read_word(word: Word) -> Item:
    if isinstance(word, str):
        folded = word.strip().casefold()
        if folded in ("m", "lrn"):
            return Pool() if folded == "m" else Norm()
        match = _CONVOLUTION.fullmatch(folded)
        if match and int(match[1]) % 2 and 1 <= int(match[2]) <= LARGEST:
            return Conv(int(match[2]), int(match[1]))
    elif not isinstance(word, bool) and 1 <= word <= LARGEST:
        return Conv(word)
    raise UsageError(f"cfg holds {word!r}, which is no layer", f"allowed are {_ALLOWED}")
