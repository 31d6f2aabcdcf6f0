"""Which measurer answers which figure: patterns of source, id, model, place and quantity, registered one by one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any, TypeAlias

from archscope.papers.measurement import MeasureError, Measurement
from archscope.papers.networks import Net, Networks
from archscope.papers.published import Fact, read_amount


@dataclass(frozen=True, slots=True)
class Case:
    """One figure to be measured, and what may be used for it."""

    fact: Fact
    networks: Networks
    facts: Mapping[str, Fact] = field(default_factory=dict)
    """Every published figure by id: some are arithmetic on others."""

    def net(self, name: str, **arguments: Any) -> Net:
        """A network that runs. Raises MeasureError."""
        return self.networks.trace(name, **arguments)

    def printed(self, identifier: str) -> Fraction:
        """The number that another figure prints. Raises MeasureError where there is none."""
        fact = self.facts.get(identifier)
        number = read_amount(fact) if fact is not None else None
        if number is None:
            raise MeasureError(f"no published number {identifier!r}")
        return number.value

    def part(self, index: int) -> str:
        """A part of the figure's id, between its dots."""
        return self.fact.id.split(".")[index]


Measurer: TypeAlias = Callable[[Case], Measurement]


@dataclass(frozen=True, slots=True)
class Rule:
    """A measurer and the figures it answers."""

    measurer: Measurer
    source: str
    """Name of the source's file."""
    patterns: Mapping[str, str]
    """By field of the figure; all must match."""

    def fits(self, fact: Fact, source: str) -> bool:
        """Whether it answers this figure."""
        return source == self.source and all(
            fnmatchcase(str(getattr(fact, name)), pattern) for name, pattern in self.patterns.items()
        )


class Registry:
    """Rules in the order of their registration: the first that fits answers."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def measures(self, source: str, **patterns: str) -> Callable[[Measurer], Measurer]:
        """Register a measurer for the figures of `source` whose fields (`id`, `model`, `where`, ...) match."""

        def register(measurer: Measurer) -> Measurer:
            self._rules.append(Rule(measurer, source, patterns))
            return measurer

        return register

    def find(self, fact: Fact, source: str) -> Measurer | None:
        """The measurer of that figure."""
        return next((rule.measurer for rule in self._rules if rule.fits(fact, source)), None)


REGISTRY = Registry()
"""Filled by the modules of `measures`."""
