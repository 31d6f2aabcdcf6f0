"""Exact integers as people read them, with the unit named: `62,378,344`, `1.135 GMACs`, `238 MiB`."""

from fractions import Fraction

_BINARY = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
_DECIMAL = ("", "K", "M", "G", "T", "P", "E")


def format_exact(value: int) -> str:
    """`62378344` -> `62,378,344`."""
    return f"{value:,}"


def format_si(value: int, unit: str = "", digits: int = 4) -> str:
    """`1135256096, "MACs"` -> `1.135 GMACs`; below 1,000 the number stays whole."""
    if abs(value) < 1000:
        return f"{value} {unit}".rstrip()
    scaled, step = Fraction(value), 0
    while _round_significant(scaled, digits) >= 1000 and step < len(_DECIMAL) - 1:
        scaled, step = scaled / 1000, step + 1
    return f"{_significant(scaled, digits)} {_DECIMAL[step]}{unit}".rstrip()


def format_bytes(value: int, digits: int = 3) -> str:
    """`1161600` -> `1.11 MiB`; below 1,024 the number stays whole."""
    if abs(value) < 1024:
        return f"{value} bytes"
    scaled, step = Fraction(value), 0
    while _round_significant(scaled, digits) >= 1000 and step < len(_BINARY) - 1:
        scaled, step = scaled / 1024, step + 1
    return f"{_significant(scaled, digits)} {_BINARY[step]}"


def format_share(part: int, whole: int) -> str:
    """`13631488, 85458944` -> `16.0 %`."""
    return f"{100 * part / whole:.1f} %" if whole else "0.0 %"


def _round_significant(value: Fraction, digits: int) -> float:
    return float(f"{float(value):.{digits}g}")


def _significant(value: Fraction, digits: int) -> str:
    rounded = _round_significant(value, digits)
    whole = len(str(int(abs(rounded))))
    return f"{rounded:.{max(0, digits - whole)}f}"


def plain_number(value: int | float | Fraction | None) -> int | float | None:
    """A fraction as an integer where it is one, else as a float; other numbers stay."""
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else float(value)
    return value
