"""The lecture: its slides, the four notebooks that they link to, and the code that both show."""

from archscope.papers.lecture import adaptive, snippets, training
from archscope.papers.lecture.notebooks import RESNET, RESNET_CIFAR, VGG, VGG_CIFAR
from archscope.papers.lecture.slides import SLIDES

MEASURERS = (adaptive, snippets, training)
"""Modules that answer figures of several sources."""
PAPERS = (SLIDES, VGG, VGG_CIFAR, RESNET, RESNET_CIFAR)
