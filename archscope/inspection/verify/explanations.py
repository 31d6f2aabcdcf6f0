"""Why figures are odd, in words with their arithmetic: package data apart from the figures.

An explanation belongs to figures (by id or pattern) and to one verdict: where a changed model leads to another verdict,
it no longer explains anything and is not shown.
"""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

FILE = "explanations.toml"


@dataclass(frozen=True, slots=True)
class Explanation:
    """One explanation."""

    facts: tuple[str, ...]
    """Ids or patterns."""
    verdict: str
    """The verdict that it explains."""
    text: str


@cache
def load_explanations() -> tuple[Explanation, ...]:
    """All of them, in the order of the file."""
    document = tomllib.loads((files(__package__) / FILE).read_text(encoding="utf-8"))
    return tuple(
        Explanation(tuple(entry["facts"]), entry["verdict"], " ".join(entry["text"].split()))
        for entry in document["explanation"]
    )


def find_explanation(fact: str, verdict: str) -> str:
    """The first that is about this figure under this verdict; empty where none is."""
    for explanation in load_explanations():
        if explanation.verdict == verdict and any(fnmatchcase(fact, pattern) for pattern in explanation.facts):
            return explanation.text
    return ""
