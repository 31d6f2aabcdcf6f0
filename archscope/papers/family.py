"""A family of models as its paper prints it: `archscope table vgg`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from archscope.core.errors import UnknownNameError, UsageError
from archscope.core.table import Table
from archscope.papers.tables import FAMILIES, Family, find_family
from archscope.papers.tables.reading import Traced
from archscope.rendering.formats import RenderOptions, find_format
from archscope.rendering.report import Report

STYLES = ("paper", "cs231n")


@dataclass(frozen=True, slots=True)
class FamilyTable(Report):
    """The table of a paper, measured cell by cell."""

    family: Family
    passes: dict[str, Traced]
    """Traces with their costs, by the names of the family's models."""

    def build_tables(self, width: int | None = None) -> Sequence[Table]:
        """The table, in its narrow form where a terminal of `width` columns is too narrow for it."""
        table = self.family.build(self.passes)
        if self.family.build_narrow is not None and width is not None and _measure_width(table) > width:
            return (self.family.build_narrow(self.passes),)
        return (table,)


def choose_family_table(name: str, style: str | None, *, wants_one_model: bool) -> FamilyTable | None:
    """The table of the family called `name`; None where one model is meant.

    Raises UnknownNameError for an unknown style, UsageError for the paper's style where no paper prints such a table.
    """
    if style is not None and style not in STYLES:
        raise UnknownNameError("style", style, STYLES, f"known: {', '.join(STYLES)}")
    family = find_family(name)
    wants_one_model = wants_one_model or style == "cs231n"
    if style == "paper" and (family is None or wants_one_model):
        names = ", ".join(known.name for known in FAMILIES)
        raise UsageError(
            f"{name} with these options is one model: no paper prints it as a table",
            f"--style paper is for {names}, without --arg, --input, --train, --mode and --receptive",
        )
    return None if family is None or wants_one_model else trace_family(family)


def trace_family(family: Family) -> FamilyTable:
    """The family's table, its models traced."""
    from archscope.observation import observe_target

    passes = {}
    for name in family.models:
        observed = observe_target(name)
        passes[name] = (observed.trace, observed.costs)
    return FamilyTable(family, passes)


def _measure_width(table: Table) -> int:
    """Columns that the table takes where it has all the room it wants; notes wrap anyway."""
    text = find_format("table").render(replace(table, notes=(), title="", subtitle=""), RenderOptions())
    return max(map(len, text.splitlines()))
