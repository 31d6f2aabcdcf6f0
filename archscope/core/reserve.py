"""What is kept free beside a computation: an amount for the device's context, and a share of the memory."""

import re
from dataclasses import dataclass
from fractions import Fraction

from archscope.core.errors import UsageError
from archscope.core.words import format_memory, parse_memory

RESERVE_FORMS = "write --reserve 0.5GiB+5%, --reserve 1GiB, --reserve 10% or --reserve 0"


@dataclass(frozen=True, slots=True)
class Reserve:
    """Bytes and a share of the memory that no batch may take."""

    fixed_bytes: int = 2**29
    """For the device's context: on CUDA about 0.5 GiB."""
    share: Fraction = Fraction(1, 20)
    """For what the allocator cannot use between its blocks: of the whole memory, from 0 to below 1."""

    def find_bytes(self, memory_bytes: int) -> int:
        """What is kept free of so much memory, a part of a byte rounded up."""
        return self.fixed_bytes - int(-(self.share * memory_bytes) // 1)

    def find_memory(self, needed_bytes: int) -> int:
        """The least memory of which `needed_bytes` are left: all of it is needed or reserved."""
        return -int(-(needed_bytes + self.fixed_bytes) / (1 - self.share) // 1)

    def __str__(self) -> str:
        """`0.5 GiB + 5 %`, `1 GiB`, `10 %`, `nothing`."""
        percent = f"{float(100 * self.share):.10g} %"
        size = "0.5 GiB" if self.fixed_bytes == 2**29 else format_memory(self.fixed_bytes)
        parts = [size] * bool(self.fixed_bytes) + [percent] * bool(self.share)
        return " + ".join(parts) or "nothing"


def parse_reserve(text: str) -> Reserve:
    """`0.5GiB+5%`, `1GiB` (no share), `10%` (no amount), `0`. Raises UsageError, which shows how to write it."""
    shown = repr(text if len(text) <= 40 else text[:37] + "...")
    fixed: int | None = None
    share: Fraction | None = None
    for piece in (piece.strip() for piece in text.split("+")):
        percent = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*%", piece)
        if (share if percent else fixed) is not None:
            raise UsageError(f"--reserve {shown} names two {'shares' if percent else 'amounts'}", RESERVE_FORMS)
        if percent:
            share = Fraction(percent[1]) / 100
        else:
            fixed = _parse_amount(piece, shown)
    if share is not None and share >= 1:
        raise UsageError(f"--reserve {shown} leaves no memory", RESERVE_FORMS)
    return Reserve(fixed or 0, share or Fraction(0))


def _parse_amount(piece: str, shown: str) -> int:
    if re.fullmatch(r"0+(\.0+)?\s*[a-zA-Z]*", piece):
        return 0
    try:
        return parse_memory(piece)
    except UsageError as error:
        raise UsageError(error.message.replace("--memory", "--reserve"), RESERVE_FORMS) from error
