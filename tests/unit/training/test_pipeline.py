"""Batches: the same values that one image at a time would give, the same under any split, new in every epoch."""

import pytest
import torch
from torch.nn import functional

from archscope.training.data.images import Data, ImageSet
from archscope.training.data.pipeline import (
    DeviceImages,
    EpochPlan,
    PipelineOptions,
    draw_plan,
    list_batches,
    mix_seed,
    share_batch,
)

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
CPU = torch.device("cpu")


def normalise(image: torch.Tensor) -> torch.Tensor:
    return (image.float() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def make_reference(data: ImageSet, plan: EpochPlan, padding: int) -> torch.Tensor:
    """One image at a time, as torchvision's RandomCrop(padding=...) and RandomHorizontalFlip do it."""
    made = []
    for place, index in enumerate(plan.order.tolist()):
        image = functional.pad(data.images[index], (padding,) * 4)
        top, left = int(plan.top[place]), int(plan.left[place])
        image = image[:, top : top + data.images.shape[2], left : left + data.images.shape[3]]
        made.append(normalise(image.flip(2) if plan.flip[place] else image))
    return torch.stack(made)


@pytest.mark.parametrize("padding", [0, 1, 4])
@pytest.mark.parametrize("flip", [True, False])
def test_a_batch_is_what_one_image_at_a_time_gives(padding: int, flip: bool, data: Data) -> None:
    options = PipelineOptions(MEAN, STD, padding, flip)
    images = DeviceImages(data.train, options, CPU)
    plan = draw_plan(len(images), options, seed=3, epoch=1)
    batch, labels = images.make_batch(plan)
    torch.testing.assert_close(batch, make_reference(data.train, plan, padding), rtol=1e-5, atol=1e-5)
    assert torch.equal(labels, data.train.labels[plan.order])
    assert bool(plan.flip.any()) == flip
    assert int(plan.top.max()) == int(plan.left.max()) == 2 * padding


def test_a_split_changes_nothing(data: Data) -> None:
    options = PipelineOptions(MEAN, STD, 2, flip=True)
    images = DeviceImages(data.train, options, CPU)
    plan = draw_plan(len(images), options, seed=3, epoch=1)
    whole, _ = images.make_batch(plan)
    parts = [images.make_batch(plan.part(slice(start, start + 7)))[0] for start in range(0, 60, 7)]
    assert torch.equal(whole, torch.cat(parts))


def test_seed_and_epoch_decide() -> None:
    options = PipelineOptions(MEAN, STD, 4, flip=True)
    orders = [tuple(draw_plan(50, options, seed, epoch).order.tolist()) for seed in (0, 1) for epoch in (0, 1)]
    assert len(set(orders)) == 4
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert orders[0] == tuple(draw_plan(50, options, 0, 0).order.tolist())


def test_seeds_are_spread() -> None:
    seeds = {mix_seed(seed, epoch, rank) for seed in range(20) for epoch in range(20) for rank in range(4)}
    assert len(seeds) == 1600
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_images_as_they_are(data: Data) -> None:
    images = DeviceImages(data.test, PipelineOptions(MEAN, STD, 4, flip=True), CPU)
    batch, labels = images.cut(3, 8)
    torch.testing.assert_close(batch, torch.stack([normalise(image) for image in data.test.images[3:8]]))
    assert torch.equal(labels, data.test.labels[3:8])
    assert images.device == CPU


def test_images_are_resized_and_laid_out(data: Data) -> None:
    options = PipelineOptions(MEAN, STD, size=(20, 12), channels_last=True)
    batch, _ = DeviceImages(data.test, options, CPU).cut(0, 2)
    assert batch.shape == (2, 3, 20, 12)
    assert batch.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("count", "size", "processes", "expected"),
    [
        (10, 4, 1, [(0, 4), (4, 8), (8, 10)]),
        (9, 4, 1, [(0, 4), (4, 8)]),
        (10, 4, 2, [(0, 4), (4, 8)]),
        (3, 8, 1, [(0, 3)]),
        (1, 8, 1, [(0, 1)]),
    ],
)
def test_batches(count: int, size: int, processes: int, expected: list[tuple[int, int]]) -> None:
    assert list_batches(count, size, processes) == expected


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_processes_share_every_image_once(processes: int) -> None:
    parts = [share_batch(10, 21, rank, processes) for rank in range(processes)]
    assert [number for part in parts for number in range(part.start, part.stop)] == list(range(10, 21))
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) - min(sizes) <= 1
