"""Code that the slides and notebooks show: each piece is run, and what Python says is the measurement.

The value is 1 where it runs and 0 where it raises.
"""

from collections.abc import Callable
from importlib.util import find_spec

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from archscope.papers.lecture.notebooks import RESNET, RESNET_CIFAR, VGG_CIFAR
from archscope.papers.lecture.slides import SLIDES
from archscope.papers.measurement import Claim, Measurement, UnavailableError
from archscope.papers.registry import Case

CLASS_BODY = """
class VGG(nn.Module):
    def __init__(self, features, num_classes=1000, init_weights=True):
        super(VGG, self).__init__()
{}
"""
"""As the slide stands (slide class VGG (1)); the braces of these three hold what is copied from the figure's text."""

RETURN_MODE = """
def resnet152(pretrained=False):
    model = object()
    {}

resnet152()
"""
"""The end of resnet152 in notebook 10-6-1."""

MAKE_LAYER = "self.layer1 = self._make_layer(block, 64, layers[0]{}\n)"
"""A line of notebook 10-6-1."""


def _try(run: Callable[[], object]) -> Measurement:
    """What a piece of code does."""
    try:
        run()
    except (NameError, SyntaxError, AttributeError) as error:
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        return Measurement(f"{type(error).__name__}: {message}", 0, Claim(False))
    return Measurement("runs", 1, Claim(True))


def _run(code: str, **names: object) -> None:
    exec(compile(code, "<published>", "exec"), {"nn": nn, **names})


@SLIDES.measures(id="lecture.vgg.class_body")
def measure_class_body(case: Case) -> Measurement:
    """The class as the slide indents it."""
    statement, level, _ = case.fact.published.partition(" at class level")
    indent = " " * (4 if level else 8)
    return _try(lambda: _run(CLASS_BODY.format(indent + statement)))


@RESNET.measures(id="lab1061.syntax")
def measure_syntax(case: Case) -> Measurement:
    """Whether the line compiles as printed."""
    literal = case.fact.published.removeprefix("layers[0]")
    return _try(lambda: compile(MAKE_LAYER.format(literal), "<published>", "exec"))


@RESNET.measures(id="lab1061.mode")
def measure_return(case: Case) -> Measurement:
    """The function, called."""
    return _try(lambda: _run(RETURN_MODE.format(case.fact.published)))


@VGG_CIFAR.measures(id="lab1052.next")
def measure_iterator(case: Case) -> Measurement:
    """The iterator of a DataLoader, asked as the notebook asks it."""
    iterator = iter(DataLoader(TensorDataset(torch.zeros(4)), batch_size=2))
    return _try(lambda: _run(case.fact.published, dataiter=iterator))


@RESNET_CIFAR.measures(id="lab1062.traindata")
def measure_data_attribute(case: Case) -> Measurement:
    """Which attributes torchvision's CIFAR-10 sets; nothing is downloaded."""
    if find_spec("torchvision") is None:
        raise UnavailableError("torchvision is not installed: pip install 'torch-archscope[models]'")
    from torchvision.datasets import CIFAR10

    names = CIFAR10.__init__.__code__.co_names
    name = case.fact.published.removeprefix("trainset.")
    has_name = name in names
    text = f"{name} exists" if has_name else f"no {name}; {'data' if 'data' in names else 'no data'} is set"
    return Measurement(text, int(has_name), Claim(has_name))
