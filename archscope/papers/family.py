"""A family of models as its paper prints it: `archscope table vgg`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archscope.core.errors import UnknownNameError, UsageError
from archscope.core.table import Table
from archscope.papers.catalogue import find_family, list_family_names
from archscope.rendering.formats import RenderOptions, find_format
from archscope.rendering.report import Report

if TYPE_CHECKING:
    from archscope.papers.networks import Networks
    from archscope.papers.registry import Family

STYLES = ("paper", "cs231n")


@dataclass(frozen=True, slots=True, repr=False)
class FamilyTable(Report):
    """The table of a paper, measured cell by cell."""

    family: "Family"
    networks: "Networks"
    """The family's models, traced."""
    table: Table
    """With all the room it wants."""

    def build_tables(self, width: int | None = None) -> Sequence[Table]:
        """The table, in its narrow form where a terminal of `width` columns is too narrow for it."""
        narrow = self.family.build_narrow
        if narrow is not None and width is not None and _measure_width(self.table) > width:
            return (narrow(self.networks),)
        return (self.table,)

    def build_data_table(self) -> Table:
        """The table with the verdicts on its cells, row by row."""
        from archscope.papers.layout import mark_rows

        return mark_rows(self.table)


def choose_family_table(name: str, style: str | None, *, wants_one_model: bool) -> FamilyTable | None:
    """The table of the family called `name`; None where one model is meant.

    Raises UnknownNameError for an unknown style, UsageError for the paper's style where no paper prints such a table.
    """
    if style is not None and style not in STYLES:
        raise UnknownNameError("style", style, STYLES, f"known: {', '.join(STYLES)}")
    family = find_family(name)
    wants_one_model = wants_one_model or style == "cs231n"
    if style == "paper" and (family is None or wants_one_model):
        names = ", ".join(list_family_names())
        raise UsageError(
            f"{name} with these options is one model: no paper prints it as a table",
            f"--style paper is for {names}, without --arg, --input, --train, --mode and --receptive",
        )
    return None if family is None or wants_one_model else trace_family(family)


def trace_family(family: "Family") -> FamilyTable:
    """The family's table, its models traced."""
    from archscope.papers.networks import Networks

    networks = Networks()
    return FamilyTable(family, networks, family.build(networks))


def _measure_width(table: Table) -> int:
    """Columns that the table takes where it has all the room it wants; notes wrap anyway."""
    text = find_format("table").render(replace(table, notes=(), title="", subtitle=""), RenderOptions())
    return max(map(len, text.splitlines()))
