"""The batched pipeline against torchvision's per-image transforms with a DataLoader: images per CPU second, in one run.

Run by hand, with torchvision installed:

    python tests/benchmarks/input_pipeline.py [PATH of CIFAR-10]

Both crop (4 pixels of padding), flip and normalise. CPU seconds are those of this process and its children, so that
worker processes are paid for. Each side is measured several times, in turns; the medians are compared.
"""

import resource
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
from torch.utils.data import DataLoader, Dataset

from archscope.training.data.images import ImageSet
from archscope.training.data.pipeline import DeviceImages, draw_plan, list_batches, make_pipeline_options
from archscope.training.data.sources import load_data, make_synthetic
from archscope.training.recipes import find_recipe
from archscope.training.reporter import SilentReporter

BATCH = 512
ROUNDS = 5
WORKERS = (0, 2)
RECIPE = find_recipe("fast")


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """As torchvision's CIFAR10: arrays, made pictures one at a time, then transformed."""

    def __init__(self, images: ImageSet) -> None:
        from torchvision import transforms

        self._arrays = images.images.permute(0, 2, 3, 1).contiguous().numpy()
        self._labels = images.labels.tolist()
        self._transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(RECIPE.mean, RECIPE.std),
            ]
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        from PIL import Image

        return self._transform(Image.fromarray(self._arrays[index])), self._labels[index]


def count_images(batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> int:
    """Make every batch, and count."""
    return sum(len(labels) for _, labels in batches)


def count_cpu_seconds() -> float:
    """Of this process, and of its children that have ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def measure(run: Callable[[], int]) -> float:
    """Images per CPU second of one run."""
    before = count_cpu_seconds()
    count = run()
    return count / (count_cpu_seconds() - before)


def list_sides(images: ImageSet) -> Iterator[tuple[str, Callable[[], int]]]:
    """What is compared, each an epoch over the images."""
    options = make_pipeline_options(RECIPE, None, channels_last=False)
    held = DeviceImages(images, options, torch.device("cpu"))
    epochs = iter(range(1_000))

    def batched() -> int:
        plan = draw_plan(len(held), options, 0, next(epochs))
        return sum(len(held.make_batch(plan.part(slice(*bounds)))[1]) for bounds in list_batches(len(held), BATCH))

    yield "batched", batched
    pictures = Pictures(images)
    for workers in WORKERS:
        loader = DataLoader(pictures, BATCH, shuffle=True, num_workers=workers)
        yield f"torchvision, {workers} workers", partial(count_images, loader)


def main() -> None:
    """Print the medians, and how many times as many images the batched pipeline makes."""
    torch.set_num_threads(1)
    place = sys.argv[1] if len(sys.argv) > 1 else None
    data = load_data(place, SilentReporter()) if place else make_synthetic(10_000, 100)
    images = data.train.take(torch.arange(10_000))
    sides = dict(list_sides(images))
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for run in sides.values():
        run()
    for _ in range(ROUNDS):
        for name, run in sides.items():
            speeds[name].append(measure(run))
    batched = statistics.median(speeds["batched"])
    lines = [f"{data.title}, {len(images):,} images, batch {BATCH}, {ROUNDS} rounds, torch {torch.__version__}"]
    for name, measured in speeds.items():
        middle = statistics.median(measured)
        spread = f"{min(measured):,.0f} to {max(measured):,.0f}"
        times = f"batched makes {batched / middle:.1f} times as many"
        lines.append(f"{name:24}{middle:10,.0f} images per CPU second ({spread}), {times}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
