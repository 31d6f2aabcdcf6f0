"""Training code of the lecture: schedules and loaders that are run, and weights that are drawn and measured."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import sqrt

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from archscope.models.layers import Fan, initialise_he
from archscope.papers.lecture.notebooks import RESNET_CIFAR, VGG_CIFAR
from archscope.papers.lecture.slides import SLIDES
from archscope.papers.measurement import Claim, Convention, Measurement, Numbers
from archscope.papers.registry import Case

TRAINING_IMAGES, TEST_IMAGES = 50_000, 10_000
"""Of CIFAR-10 (Krizhevsky 2009)."""
PRINT_EVERY = 30
"""Batches between two lines of the lecture's log."""
VGG_STEP, RESNET_STEP = (5, 0.9), (10, 0.5)
"""StepLR's step size and factor in notebooks 10-5-2 and 10-6-2."""
OLD_ORDER = "PyTorch before 1.1, where the scheduler came first in an epoch"


@SLIDES.measures(id="lecture.sched.order")
def measure_slide_order(_: Case) -> Measurement:
    """Both schedules in the slide's order."""
    return _measure_schedules(VGG_STEP, RESNET_STEP)


@VGG_CIFAR.measures(id="lab1052.sched")
def measure_vgg_schedule(_: Case) -> Measurement:
    """The VGG's schedule."""
    return _measure_schedules(VGG_STEP)


@RESNET_CIFAR.measures(id="lab1062.sched")
def measure_resnet_schedule(_: Case) -> Measurement:
    """The ResNet's schedule."""
    return _measure_schedules(RESNET_STEP)


def _measure_schedules(*schedules: tuple[int, float]) -> Measurement:
    """The epoch, from 1, whose steps first use a lower rate; in the order of the notebook and in torch's."""
    early = tuple(_find_first_drop(*schedule, scheduler_first=True) for schedule in schedules)
    right = tuple(_find_first_drop(*schedule, scheduler_first=False) for schedule in schedules)
    old = tuple(_find_old_drop(*schedule) for schedule in schedules)
    text = f"first drop in epoch {_join(early)}, in torch's order in epoch {_join(right)}"
    value = early if len(early) > 1 else early[0]
    before = Convention(OLD_ORDER, Claim(old == right))
    return Measurement(text, value, Claim(early == right), conventions=(before,))


def _join(numbers: tuple[int, ...]) -> str:
    return " and ".join(map(str, numbers))


def _find_first_drop(size: int, factor: float, *, scheduler_first: bool) -> int:
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, size, factor)
    epoch = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of the order, which is what is measured
        while epoch < 10 * size:
            epoch += 1
            if scheduler_first:
                scheduler.step()
            if optimizer.param_groups[0]["lr"] < 1.0:
                break
            optimizer.step()
            if not scheduler_first:
                scheduler.step()
    return epoch


def _find_old_drop(size: int, factor: float) -> int:
    """Before 1.1 the first step of an epoch set `factor ** (epoch // size)`, epochs from 0."""
    return next(epoch + 1 for epoch in range(10 * size) if factor ** (epoch // size) < 1.0)


def _count_batches(images: int, size: int) -> int:
    return len(DataLoader(TensorDataset(torch.empty(images)), batch_size=size))


@VGG_CIFAR.measures(id="lab1052.*loader")
@RESNET_CIFAR.measures(id="lab1062.*loader")
def measure_loader(case: Case) -> Measurement:
    """Batches of an epoch."""
    size = int(case.fact.published.partition("batch_size=")[2].split()[0])
    images = TEST_IMAGES if case.fact.id.endswith("testloader") else TRAINING_IMAGES
    count = _count_batches(images, size)
    arithmetic = f"ceil({images}/{size}) = {count:,}"
    return Measurement(f"{count:,} batches", count, Numbers((size,), at=(0,)), arithmetic)


@SLIDES.measures(id="lecture.cifar.prints")
@RESNET_CIFAR.measures(id="lab1062.prints")
def measure_prints(case: Case) -> Measurement:
    """Lines of the log in one epoch."""
    slide = case.fact.id.startswith("lecture")
    batches = _count_batches(TRAINING_IMAGES, 512 if slide else 256)
    lines = batches // PRINT_EVERY
    reading = (
        Numbers((lines, *(PRINT_EVERY * (line + 1) for line in range(lines)))) if slide else Numbers((PRINT_EVERY,))
    )
    return Measurement(f"{lines} lines", lines, reading, f"floor({batches}/{PRINT_EVERY}) = {lines}")


@contextmanager
def _seed() -> Iterator[None]:
    """Always the same numbers; the caller's own are left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def _draw_std(inputs: int, outputs: int, fan: Fan) -> float:
    """Standard deviation of an initialised 3x3 convolution."""
    with _seed():
        layer = nn.Conv2d(inputs, outputs, 3)
        initialise_he(layer, fan=fan)
        return float(layer.weight.detach().std(correction=0))


@SLIDES.measures(id="lecture.he.var")
def measure_variance(_: Case) -> Measurement:
    """Of 3x3 weights on 3 channels (27 inputs), so many filters that the draw is exact to a thousandth."""
    std = _draw_std(3, 65536, "fan_in")
    variance = std * std
    claimed = sqrt(2 / 27)
    text = f"variance {variance:.3f} (standard deviation {std:.3f})"
    arithmetic = f"2/27 = {2 / 27:.4f}; sqrt(2/27) = {claimed:.4f}"
    return Measurement(text, (round(variance * 1000), 1000), Claim(abs(variance - claimed) < 0.01), arithmetic)


@SLIDES.measures(id="lecture.he.fan")
def measure_fans(_: Case) -> Measurement:
    """Both ways to scale a 3x3 convolution from 3 to 64 channels, each drawn many times over."""
    by_inputs, by_outputs = _draw_std(3, 65536, "fan_in"), _draw_std(512, 64, "fan_out")
    text = f"standard deviation {by_inputs:.3f} by the formula, {by_outputs:.3f} by the code"
    arithmetic = f"sqrt(2/(3*3*3)) = {sqrt(2 / 27):.4f}; sqrt(2/(64*3*3)) = {sqrt(2 / 576):.4f}"
    return Measurement(
        text,
        tuple((round(std * 1000), 1000) for std in (by_inputs, by_outputs)),
        Claim(abs(by_inputs - by_outputs) < 0.01),
        arithmetic,
        conflict=f"the formula gives {by_inputs:.3f}, the code beside it {by_outputs:.3f}",
    )
