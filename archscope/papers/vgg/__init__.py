"""VGG (Simonyan and Zisserman 2014): its layers by the names of Table 1, what is measured of them, and its table."""

from archscope.papers.registry import Family
from archscope.papers.vgg.measures import PAPER
from archscope.papers.vgg.table import build_vgg_table

PAPERS = (PAPER,)
FAMILIES = (Family("vgg", build_vgg_table),)
