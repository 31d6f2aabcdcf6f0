"""Every paper that figures and tables come from. A new one is its module, its file of figures, and a line here."""

from archscope.papers import alexnet, googlenet, ilsvrc, lecture, resnet, vgg
from archscope.papers.registry import Family, Paper

PAPERS: tuple[Paper, ...] = (
    alexnet.PAPER,
    alexnet.SLIDE,
    vgg.PAPER,
    resnet.PAPER,
    googlenet.PAPER,
    ilsvrc.CHART,
    *lecture.SOURCES,
)
"""In the order in which their tables are listed."""


def find_paper(source: str) -> Paper:
    """The paper whose file of figures has that name; one without measurers where nobody registered it."""
    return next((paper for paper in PAPERS if paper.source == source), Paper(source))


def list_families() -> tuple[Family, ...]:
    """The tables that `archscope table` prints as a paper does."""
    return tuple(family for paper in PAPERS for family in paper.families)


def find_family(name: str) -> Family | None:
    """The family of that name in any case, with hyphens or underscores; None where there is none."""
    folded = name.strip().casefold().replace("_", "-")
    return next((family for family in list_families() if family.name == folded), None)
