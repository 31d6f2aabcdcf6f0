"""Every paper that figures and tables come from. A new one is its module, its file of figures, and an entry here.

The names of tables are known without importing the papers, whose measurers need torch.
"""

from dataclasses import dataclass
from importlib import import_module

from archscope.papers.registry import Family, Paper


@dataclass(frozen=True, slots=True)
class PaperEntry:
    """Where a paper's measurers and tables are."""

    module: str
    """It has `PAPERS`, one for each source, and `FAMILIES` where it has tables."""
    families: tuple[str, ...] = ()
    """What people type for its tables: `archscope table resnet-cifar`."""


ENTRIES: tuple[PaperEntry, ...] = (
    PaperEntry("archscope.papers.alexnet"),
    PaperEntry("archscope.papers.vgg", ("vgg",)),
    PaperEntry("archscope.papers.resnet", ("resnet", "resnet-cifar")),
    PaperEntry("archscope.papers.googlenet", ("googlenet",)),
    PaperEntry("archscope.papers.ilsvrc", ("ilsvrc",)),
    PaperEntry("archscope.papers.lecture"),
)
"""In the order in which their tables are listed."""


def find_paper(source: str) -> Paper:
    """The paper whose file of figures has that name; one without measurers where nobody registered it."""
    papers = (paper for entry in ENTRIES for paper in import_module(entry.module).PAPERS)
    return next((paper for paper in papers if paper.source == source), Paper(source))


def list_family_names() -> tuple[str, ...]:
    """The tables that `archscope table` prints as a paper does."""
    return tuple(name for entry in ENTRIES for name in entry.families)


def find_family(name: str) -> Family | None:
    """The family of that name in any case, with hyphens or underscores; None where there is none."""
    folded = name.strip().casefold().replace("_", "-")
    entry = next((entry for entry in ENTRIES if folded in entry.families), None)
    if entry is None:
        return None
    families: tuple[Family, ...] = import_module(entry.module).FAMILIES
    return next(family for family in families if family.name == folded)
