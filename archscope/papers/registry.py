"""What a paper consists of: measurers, by patterns of what the figures are, and tables laid out from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from archscope.core.errors import read_message
from archscope.core.table import Table
from archscope.papers.measurement import MeasureError, Measurement
from archscope.papers.published import Fact, read_amount

if TYPE_CHECKING:
    from archscope.papers.networks import Net, Networks

FAILURES = (LookupError, ArithmeticError, ValueError)
"""What a measurer raises where the network is not what the figure speaks of: no such block, no such size."""


@dataclass(frozen=True, slots=True)
class Case:
    """One figure to be measured, and what may be used for it."""

    fact: Fact
    networks: "Networks"
    facts: Mapping[str, Fact] = field(default_factory=dict)
    """Every published figure by id: some are arithmetic on others."""

    def net(self, name: str, **arguments: Any) -> "Net":
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
    patterns: Mapping[str, str]
    """By field of the figure; all must match."""

    def fits(self, fact: Fact) -> bool:
        """Whether it answers this figure."""
        return all(fnmatchcase(str(getattr(fact, name)), pattern) for name, pattern in self.patterns.items())


@dataclass(frozen=True, slots=True)
class Family:
    """A table of several networks, as their paper prints it."""

    name: str
    """What people type: `archscope table vgg`."""
    build: "Callable[[Networks], Table]"
    """Traces what it needs, or takes it from the networks given."""
    build_narrow: "Callable[[Networks], Table] | None" = None
    """The form for a terminal that the table itself is too wide for; None where it needs none."""


class Paper:
    """One source of published figures, and who measures them."""

    def __init__(self, source: str) -> None:
        """`source` is the name of its file of figures, `simonyan2014_vgg`."""
        self.source = source
        self._rules: list[Rule] = []

    def measures(self, **patterns: str) -> Callable[[Measurer], Measurer]:
        """Register who measures the figures whose fields (`id`, `quantity`, ...) match; the first that fits answers."""

        def register(measurer: Measurer) -> Measurer:
            self._rules.append(Rule(measurer, patterns))
            return measurer

        return register

    def measure(self, case: Case) -> Measurement:
        """Answer a figure, printed or not.

        Raises MeasureError where nobody answers it or the network has no such thing, UnavailableError where this
        machine or this package lacks what is needed.
        """
        measurer = next((rule.measurer for rule in self._rules if rule.fits(case.fact)), None)
        if measurer is None:
            raise MeasureError("no measurer answers it")
        try:
            return measurer(case)
        except FAILURES as error:
            raise MeasureError(read_message(error) or type(error).__name__) from error
