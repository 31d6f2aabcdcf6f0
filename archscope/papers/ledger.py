"""Every published figure with its measured value, verdict and explanation."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

from archscope.core.documents.figures import Verdict
from archscope.core.progress import show_stage
from archscope.papers.catalogue import find_paper
from archscope.papers.measurement import MeasureError, UnavailableError, Value
from archscope.papers.networks import Networks
from archscope.papers.published import Fact, choose_facts, index_facts, list_sources
from archscope.papers.registry import Case
from archscope.papers.verdicts import judge_with_reason

FILE = "explanations.toml"


@dataclass(frozen=True, slots=True)
class FigureExplanation:
    """One explanation."""

    facts: tuple[str, ...]
    """Ids or patterns."""
    verdict: str
    """The verdict that it explains."""
    text: str


@cache
def load_explanations() -> tuple[FigureExplanation, ...]:
    """All of them, in the order of the file."""
    document = tomllib.loads((files(__package__) / FILE).read_text(encoding="utf-8"))
    return tuple(
        FigureExplanation(tuple(entry["facts"]), entry["verdict"], " ".join(entry["text"].split()))
        for entry in document["explanation"]
    )


def find_explanation(fact: str, verdict: str) -> str:
    """The first that is about this figure under this verdict; empty where none is."""
    for explanation in load_explanations():
        if explanation.verdict == verdict and any(fnmatchcase(fact, pattern) for pattern in explanation.facts):
            return explanation.text
    return ""


RECOMPUTABLE = ("trace", "arithmetic", "run")
"""Checks that something measurable answers."""
ODD: tuple[Verdict, ...] = ("convention", "inconsistent", "wrong")
"""Verdicts that need an explanation."""

_REASONS = {
    "text": "compares texts: nothing to measure",
    "external": "needs training, a data set or a competition's record",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One figure in the ledger."""

    fact: Fact
    source: str
    """Name of the source's file."""
    verdict: Verdict
    measured: str = ""
    """For people; empty where nothing was measured."""
    value: "Value | None" = None
    arithmetic: str = ""
    explanation: str = ""
    reason: str = ""
    """Why there is no value; under which convention the figure is right; or what it contradicts."""
    failed: bool = False
    """True where a recomputable figure has no value."""

    @property
    def unexplained(self) -> bool:
        """Whether the verdict needs an explanation that the package does not have."""
        return self.verdict in ODD and not self.explanation

    @property
    def broken(self) -> bool:
        """Whether it makes `archscope verify` exit with 1."""
        return self.failed or self.unexplained


def verify_facts(
    chosen: Iterable[tuple[str, Fact]] | None = None, networks: Networks | None = None
) -> tuple[Entry, ...]:
    """The ledger of `chosen` figures, each with the name of its source; of all figures where none are chosen.

    Every network is traced once for all of them. `networks` may hold traces already made.
    """
    networks = networks or Networks()
    index = index_facts(*list_sources())
    pairs = tuple(choose_facts(None) if chosen is None else chosen)
    entries = []
    with show_stage("checking figures", len(pairs), "figures") as stage:
        for source, fact in pairs:
            stage.detail = fact.model
            entries.append(_verify(Case(fact, networks, index), source))
            stage.done += 1
    return tuple(entries)


def _verify(case: Case, source: str) -> Entry:
    fact = case.fact
    if fact.check not in RECOMPUTABLE:
        return Entry(fact, source, "not recomputable", reason=_join_reason(_REASONS[fact.check], fact.note))
    try:
        measurement = find_paper(source).measure(case)
    except UnavailableError as error:
        return Entry(fact, source, "not recomputable", reason=str(error))
    except MeasureError as error:
        return Entry(fact, source, "not recomputable", reason=f"failed: {error}", failed=True)
    verdict, reason = judge_with_reason(fact, measurement)
    return Entry(
        fact,
        source,
        verdict,
        measured=measurement.text,
        value=measurement.value,
        arithmetic=measurement.arithmetic,
        explanation=find_explanation(fact.id, verdict),
        reason=reason,
    )


def _join_reason(reason: str, note: str) -> str:
    return f"{reason} ({note})" if note else reason
