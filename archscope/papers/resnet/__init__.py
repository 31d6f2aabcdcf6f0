"""ResNet (He et al. 2015): its stages and blocks, what is measured of them, the tables for ImageNet and CIFAR-10."""

from archscope.papers.registry import Family
from archscope.papers.resnet.cifar import build_cifar_table
from archscope.papers.resnet.measures import PAPER
from archscope.papers.resnet.table import build_narrow_resnet_table, build_resnet_table

PAPERS = (PAPER,)
FAMILIES = (
    Family("resnet", build_resnet_table, build_narrow_resnet_table),
    Family("resnet-cifar", build_cifar_table),
)
