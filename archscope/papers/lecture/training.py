"""Training code of the lecture: schedules and loaders that are run, and weights that are drawn and measured."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import sqrt

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from archscope.models.layers import Fan, initialise_he
from archscope.papers.expressions import evaluate
from archscope.papers.lecture.notebooks import RESNET_CIFAR, VGG_CIFAR
from archscope.papers.lecture.slides import SLIDES
from archscope.papers.measurement import Claim, Convention, Measurement, Numbers, UnavailableError
from archscope.papers.published import Fact, find_numbers, list_numbers
from archscope.papers.registry import Case

TRAINING_IMAGES, TEST_IMAGES = 50_000, 10_000
"""Of CIFAR-10 (Krizhevsky 2009)."""
OLD_ORDER = "PyTorch before 1.1, where the scheduler came first in an epoch"


@SLIDES.measures(id="lecture.sched.order")
def measure_slide_order(case: Case) -> Measurement:
    """Both schedules in the slide's order."""
    return _measure_schedules(case, *(case.facts[f"{notebook}.sched"] for notebook in ("lab1052", "lab1062")))


@VGG_CIFAR.measures(id="lab1052.sched")
@RESNET_CIFAR.measures(id="lab1062.sched")
def measure_notebook_schedule(case: Case) -> Measurement:
    """The notebook's schedule."""
    return _measure_schedules(case, case.fact)


def _measure_schedules(case: Case, *settings: Fact) -> Measurement:
    """The epoch, from 1, whose steps first use a lower rate; in the printed order and in torch's."""
    schedules = [_read_schedule(fact) for fact in settings]
    first = "before optimizer.step()" in case.fact.published
    early = tuple(_find_first_drop(*schedule, scheduler_first=first) for schedule in schedules)
    right = tuple(_find_first_drop(*schedule, scheduler_first=False) for schedule in schedules)
    old = tuple(_find_old_drop(*schedule) for schedule in schedules)
    text = f"first drop in epoch {_join(early)}, in torch's order in epoch {_join(right)}"
    value = early if len(early) > 1 else early[0]
    before = Convention(OLD_ORDER, Claim(old == right))
    terms = {"size": schedules[0][0], "early": early[0], "right": right[0]}
    return Measurement(text, value, Claim(early == right), conventions=(before,), terms=terms)


def _read_schedule(fact: Fact) -> tuple[int, float]:
    """Step size and factor of `StepLR(step_size=5, gamma=0.9)`."""
    size, factor = find_numbers(fact.published, r"(?:step_size|gamma)=([\d.]+)")
    return int(size), float(factor)


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


@VGG_CIFAR.measures(id="lab1052.testloader")
@RESNET_CIFAR.measures(id="lab1062.testloader")
def refuse_test_loader(case: Case) -> Measurement:
    """The batch size is all that is printed; it makes a count, which nothing printed states."""
    size = _read_batch_size(case)
    raise UnavailableError(
        f"no count is printed: {TEST_IMAGES:,} images in batches of {size} are {_count_batches(TEST_IMAGES, size):,}"
    )


@RESNET_CIFAR.measures(id="lab1062.prints")
def refuse_prints(case: Case) -> Measurement:
    """The interval is a setting of the loop."""
    interval, size = int(list_numbers(case.fact.published)[0].value), int(case.printed("lab1062.batch"))
    batches = _count_batches(TRAINING_IMAGES, size)
    raise UnavailableError(
        f"no log was kept: {batches} batches with a line every {interval} are {batches // interval} lines"
    )


@VGG_CIFAR.measures(id="lab1052.loader")
@RESNET_CIFAR.measures(id="lab1062.loader")
def measure_loader(case: Case) -> Measurement:
    """Batches of an epoch, with the batch size that the notebook prints among its settings."""
    size, printed = int(case.printed(f"{case.part(0)}.batch")), _read_batch_size(case)
    count, other = _count_batches(TRAINING_IMAGES, size), _count_batches(TRAINING_IMAGES, printed)
    arithmetic = f"ceil({TRAINING_IMAGES}/{size}) = {count:,}"
    conflict = f"batches of {printed} are {other:,}; the notebook's settings print {size}, which makes {count:,}"
    reading = Numbers((size,), pattern=r"batch_size=(\d+)")
    return Measurement(f"{count:,} batches", count, reading, arithmetic, conflict=conflict)


def _read_batch_size(case: Case) -> int:
    return int(find_numbers(case.fact.published, r"batch_size=(\d+)")[0])


@SLIDES.measures(id="lecture.cifar.prints")
def measure_prints(case: Case) -> Measurement:
    """Lines of the log in one epoch of the notebook's batches, at the interval of the first line."""
    interval, batches = (
        int(list_numbers(case.fact.published)[1].value),
        _count_batches(TRAINING_IMAGES, int(case.printed("lab1052.batch"))),
    )
    lines = batches // interval
    reading = Numbers((lines, *(interval * (line + 1) for line in range(lines))))
    return Measurement(f"{lines} lines", lines, reading, f"floor({batches}/{interval}) = {lines}")


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
def measure_variance(case: Case) -> Measurement:
    """Of 3x3 weights on 3 channels (27 inputs), so many filters that the draw is exact to a thousandth."""
    inputs = 3 * 3 * 3
    std = _draw_std(3, 65536, "fan_in")
    variance = std * std
    claimed = float(evaluate(case.fact.published.partition("=")[2], {"n_in": inputs}))
    text = f"variance {variance:.3f} (standard deviation {std:.3f})"
    arithmetic = f"2/{inputs} = {2 / inputs:.4f}; sqrt(2/{inputs}) = {sqrt(2 / inputs):.4f}"
    value = (round(variance * 1000), 1000)
    terms = {"inputs": inputs}
    return Measurement(text, value, Claim(abs(variance - claimed) < 0.01), arithmetic, terms=terms)


@SLIDES.measures(id="lecture.he.fan")
def measure_fans(case: Case) -> Measurement:
    """The printed ways to scale a 3x3 convolution from 3 to 64 channels, each drawn many times over."""
    formula, code = case.fact.published.partition(";")[::2]
    by_formula, by_code = (_draw_fan("fan_out" if "_out" in words else "fan_in") for words in (formula, code))
    text = f"standard deviation {by_formula:.3f} by the formula, {by_code:.3f} by the code"
    arithmetic = f"sqrt(2/(3*3*3)) = {sqrt(2 / 27):.4f}; sqrt(2/(64*3*3)) = {sqrt(2 / 576):.4f}"
    return Measurement(
        text,
        tuple((round(std * 1000), 1000) for std in (by_formula, by_code)),
        Claim(abs(by_formula - by_code) < 0.01),
        arithmetic,
        conflict=f"the formula gives {by_formula:.3f}, the code beside it {by_code:.3f}",
    )


def _draw_fan(fan: Fan) -> float:
    """Of 27 inputs or 576 outputs; the other side is as wide as a good estimate needs."""
    return _draw_std(3, 65536, fan) if fan == "fan_in" else _draw_std(512, 64, fan)
