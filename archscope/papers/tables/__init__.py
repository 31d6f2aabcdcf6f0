"""Traces of a family's models go in; the table that its paper prints comes out, measured cell by cell.

Nothing is read from the builders: a layer that is not in the trace is not in the table. A cell whose printed value
differs from the measured one shows the measured one, is marked, and has a footnote that says both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from archscope.core.table import Table
from archscope.papers.tables import googlenet, ilsvrc, resnet, resnet_cifar, vgg
from archscope.papers.tables.reading import Traced


@dataclass(frozen=True, slots=True)
class Family:
    """One family table."""

    name: str
    """What people type: `archscope table vgg`."""
    models: tuple[str, ...]
    """The built-in models whose traces it is made from."""
    build: Callable[[Mapping[str, Traced]], Table]
    build_narrow: Callable[[Mapping[str, Traced]], Table] | None = None
    """The form for a terminal that the table itself is too wide for; None where it needs none."""


FAMILIES: tuple[Family, ...] = (
    Family("vgg", tuple(vgg.COLUMNS.values()), vgg.build_vgg_table),
    Family("resnet", tuple(resnet.COLUMNS.values()), resnet.build_resnet_table, resnet.build_narrow_resnet_table),
    Family("resnet-cifar", tuple(resnet_cifar.NETWORKS.values()), resnet_cifar.build_cifar_table),
    Family("googlenet", ("googlenet",), googlenet.build_googlenet_table, googlenet.build_narrow_googlenet_table),
    Family("ilsvrc", (), ilsvrc.build_winners_table, ilsvrc.build_narrow_winners_table),
)


def find_family(name: str) -> Family | None:
    """The family of that name in any case, with hyphens or underscores; None where there is none."""
    folded = name.strip().casefold().replace("_", "-")
    return next((family for family in FAMILIES if family.name == folded), None)


__all__ = ["FAMILIES", "Family", "Traced", "find_family"]
