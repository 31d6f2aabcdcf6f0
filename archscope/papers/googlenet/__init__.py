"""GoogLeNet (Szegedy et al. 2014): the rows of its Table 1, what is measured of them, and the table."""

from archscope.papers.googlenet.measures import PAPER
from archscope.papers.googlenet.table import build_googlenet_table, build_narrow_googlenet_table
from archscope.papers.registry import Family

PAPERS = (PAPER,)
FAMILIES = (Family("googlenet", build_googlenet_table, build_narrow_googlenet_table),)
