"""Words for an amount of memory go in (`16GiB`, `16GB`, `24000MB`); bytes come out, exact."""

import re

from archscope.core.errors import UsageError

EXAMPLES = "write --memory 16GiB, --memory 16GB or --memory 24000MB"

_LETTERS = "KMGTP"
_UNITS: dict[str, int] = {
    **{f"{letter}iB": int(1024**power) for power, letter in enumerate(_LETTERS, 1)},
    **{f"{letter}B": int(1000**power) for power, letter in enumerate(_LETTERS, 1)},
    "B": 1,
}
_FACTORS = {unit.casefold(): factor for unit, factor in _UNITS.items()}


def parse_memory(text: str) -> int:
    """`16GiB` -> 17179869184, `16GB` -> 16000000000, `1.5GiB`, `512 MiB`; the unit is required, in any case.

    Raises UsageError, which shows how to write it.
    """
    shown = repr(text if len(text) <= 40 else text[:37] + "...")
    found = re.fullmatch(r"([0-9][0-9_,]{0,24}(?:\.[0-9]{1,12})?)\s*([a-z]*)", text.strip().casefold())
    if found is None:
        raise UsageError(f"--memory {shown} is not an amount of memory", EXAMPLES)
    digits, unit = found.groups()
    if not unit:
        raise UsageError(f"--memory {shown} has no unit", EXAMPLES)
    if unit not in _FACTORS:
        raise UsageError(f"--memory {shown}: unknown unit {unit!r}", f"{EXAMPLES}: GiB is 1024^3 bytes, GB 1000^3")
    whole, _, fraction = digits.replace("_", "").replace(",", "").partition(".")
    scale: int = 10 ** len(fraction)
    amount: int = int(f"{whole}{fraction}") * _FACTORS[unit] // scale
    if amount < 1:
        raise UsageError(f"--memory {shown} is nothing", EXAMPLES)
    return amount


def format_memory(amount: int) -> str:
    """An amount as people write it, exact: `16 GiB`, `24 GB`, `1,234 B`: in the largest unit that divides it."""
    unit = max((unit for unit, factor in _UNITS.items() if amount % factor == 0), key=lambda unit: _UNITS[unit])
    return f"{amount // _UNITS[unit]:,} {unit}"
