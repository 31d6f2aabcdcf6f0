"""Every published figure with its measured value, verdict and explanation."""

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

from archscope.core.documents.figures import Verdict
from archscope.core.progress import show_stage
from archscope.papers.catalogue import find_paper
from archscope.papers.expressions import evaluate, fill_text
from archscope.papers.measurement import MeasureError, Measurement, UnavailableError, Value
from archscope.papers.networks import Networks
from archscope.papers.published import Fact, choose_facts, index_facts, list_sources, read_amount
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
    """With `{expressions}` of what was measured."""
    when: str = ""
    """What must hold of the same for the text to be true; empty: nothing."""


@cache
def load_explanations() -> tuple[FigureExplanation, ...]:
    """All of them, in the order of the file."""
    document = tomllib.loads((files(__package__) / FILE).read_text(encoding="utf-8"))
    return tuple(
        FigureExplanation(
            tuple(entry["facts"]), entry["verdict"], " ".join(entry["text"].split()), entry.get("when", "")
        )
        for entry in document["explanation"]
    )


def find_explanation(fact: str, verdict: str) -> FigureExplanation | None:
    """The first that is about this figure under this verdict; None where none is."""
    for explanation in load_explanations():
        if explanation.verdict == verdict and any(fnmatchcase(fact, pattern) for pattern in explanation.facts):
            return explanation
    return None


def explain(case: Case, measurement: Measurement, verdict: str) -> str:
    """Why the figure has this verdict, with the measured numbers; empty where nothing known is true of them."""
    explanation = find_explanation(case.fact.id, verdict)
    if explanation is None:
        return ""
    try:
        names = _name_numbers(case, measurement)
        holds = not explanation.when or evaluate(explanation.when, names)
        return fill_text(explanation.text, names) if holds else ""
    except (LookupError, ArithmeticError, ValueError, TypeError, MeasureError):
        return ""  # the network has no such part any more, so the text does not apply


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Numbers by name, found when a text asks for them."""

    find: Callable[[str], object]

    def __getitem__(self, name: str) -> object:
        return self.find(name)


def _name_numbers(case: Case, measurement: Measurement) -> dict[str, object]:
    """What explanations may name: the value, the printed number, the measurer's terms, other figures and networks."""
    printed = read_amount(case.fact)
    terms = measurement.terms() if callable(measurement.terms) else measurement.terms
    return {
        **terms,
        "value": measurement.value,
        "printed": printed.value if printed is not None else None,
        "prints": _Numbers(case.printed),
        "params": _Numbers(lambda name: case.net(name).params()),
        "macs": _Numbers(lambda name: case.net(name).macs()),
    }


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
        explanation=explain(case, measurement, verdict),
        reason=reason,
    )


def _join_reason(reason: str, note: str) -> str:
    return f"{reason} ({note})" if note else reason
