"""The measurers, one file per source or subject; importing this package registers them all."""

from archscope.inspection.verify.measures import (
    adaptive,
    alexnet,
    googlenet,
    ilsvrc,
    lecture,
    notebooks,
    resnet,
    resnet_cifar,
    resnet_shortcuts,
    snippets,
    training,
    vgg,
)

__all__ = [
    "adaptive",
    "alexnet",
    "googlenet",
    "ilsvrc",
    "lecture",
    "notebooks",
    "resnet",
    "resnet_cifar",
    "resnet_shortcuts",
    "snippets",
    "training",
    "vgg",
]
