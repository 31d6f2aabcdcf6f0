"""The name of a device goes in; what its maker says it can do comes out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from archscope.core.documents.bench import Dtype


@dataclass(frozen=True, slots=True)
class Datasheet:
    """One device of the table."""

    title: str
    flops_per_second: Mapping[str, float]
    """By precision; a precision that the device lacks is absent."""
    bytes_per_second: float

    def find_peak(self, dtype: Dtype) -> float | None:
        """FLOP/s of dense products; None where the maker gives none."""
        return self.flops_per_second.get(dtype)


def find_datasheet(device_name: str) -> Datasheet | None:
    """The first row whose words all stand in the name, as words of their own; None where there is none."""
    words = set(device_name.casefold().replace("-", " ").split())
    for row in _load_rows():
        if all(word.casefold() in words for word in row["words"]):
            peaks = {name: row[name] * 1e12 for name in ("fp32", "tf32", "bf16", "fp16") if row[name] is not None}
            return Datasheet(row["title"], peaks, row["bandwidth"] * 1e9)
    return None


@cache
def _load_rows() -> tuple[dict[str, Any], ...]:
    text = resources.files("archscope.benchmarking").joinpath("datasheet.json").read_text(encoding="utf-8")
    return tuple(json.loads(text)["devices"])
