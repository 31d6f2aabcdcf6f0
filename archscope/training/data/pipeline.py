"""Augmented, normalised batches, made on the device that holds the images, a whole batch at a time.

What is drawn depends on the seed and the epoch only, not on the device, the batch or the number of processes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from archscope.training.data.images import ImageSet
from archscope.training.recipes import Channels, Recipe


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """How bytes become batches."""

    mean: Channels
    std: Channels
    padding: int = 0
    """Pixels of black on each side that random crops may reach into."""
    flip: bool = False
    size: tuple[int, int] | None = None
    """(height, width) that images are resized to; None: as they are."""
    channels_last: bool = False


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """Which images in which order, and how each is cropped and flipped: one tensor (N,) each."""

    order: Tensor
    top: Tensor
    left: Tensor
    flip: Tensor

    def to(self, device: torch.device) -> "EpochPlan":
        """The same on another device."""
        return EpochPlan(*(tensor.to(device) for tensor in (self.order, self.top, self.left, self.flip)))

    def part(self, chosen: slice) -> "EpochPlan":
        """The images at `chosen` of the order."""
        return EpochPlan(self.order[chosen], self.top[chosen], self.left[chosen], self.flip[chosen])


def make_pipeline_options(recipe: Recipe, size: tuple[int, int] | None, *, channels_last: bool) -> PipelineOptions:
    """The options that `recipe` asks for."""
    return PipelineOptions(recipe.mean, recipe.std, recipe.padding, recipe.flip, size, channels_last)


def mix_seed(*parts: int) -> int:
    """One seed out of several numbers; neighbouring numbers give unrelated seeds."""
    mixed = 0x9E3779B97F4A7C15
    for part in parts:
        mixed = ((mixed ^ part) * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) & (2**64 - 1)
        mixed ^= mixed >> 31
    return mixed & (2**63 - 1)


def draw_plan(count: int, options: PipelineOptions, seed: int, epoch: int) -> EpochPlan:
    """What epoch `epoch` does with `count` images."""
    generator = torch.Generator().manual_seed(mix_seed(seed, epoch))
    order = torch.randperm(count, generator=generator)
    reach = 2 * options.padding + 1
    top = torch.randint(reach, (count,), generator=generator)
    left = torch.randint(reach, (count,), generator=generator)
    flip = torch.rand(count, generator=generator) < 0.5
    return EpochPlan(order, top, left, flip if options.flip else torch.zeros_like(flip))


class DeviceImages:
    """Images held as bytes on a device, ready to be cut into batches."""

    def __init__(self, images: ImageSet, options: PipelineOptions, device: torch.device) -> None:
        self.options = options
        self.labels = images.labels.to(device)
        padding = options.padding
        self._count, self._channels, self._height, self._width = images.images.shape
        self._images = functional.pad(images.images, (padding, padding, padding, padding)).to(device).contiguous()
        self._scale, self._shift = _find_scale(options, self._channels, device)
        self._rows = torch.arange(self._height, device=device)
        self._planes = torch.arange(self._channels, device=device).view(1, -1, 1) * (self._height + 2 * padding)

    def __len__(self) -> int:
        return self._count

    @property
    def device(self) -> torch.device:
        """Where the batches are made."""
        return self._images.device

    def make_batch(self, plan: EpochPlan) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W), float32 and normalised, and labels (N,) of what `plan` names."""
        plan = plan.to(self.device)
        cropped = self._crop(plan.order, plan.top, plan.left)
        if self.options.flip:
            cropped = torch.where(plan.flip.view(-1, 1, 1, 1), cropped.flip(3), cropped)
        return self._finish(cropped), self.labels[plan.order]

    def cut(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Images and labels from `start` to `stop` in their own order, neither cropped nor flipped."""
        padding = self.options.padding
        height, width = padding + self._height, padding + self._width
        return self._finish(self._images[start:stop, :, padding:height, padding:width]), self.labels[start:stop]

    def _crop(self, order: Tensor, top: Tensor, left: Tensor) -> Tensor:
        """Copy whole rows of pixels: row r of a window starts at pixel (top + r, left) of the padded image."""
        if self.options.padding == 0:
            return self._images.index_select(0, order)
        padded_height, padded_width = self._images.shape[2:]
        first = (order * self._channels * padded_height + top).view(-1, 1, 1)
        starts = (first + self._planes + self._rows) * padded_width + left.view(-1, 1, 1)
        windows = self._images.view(-1).unfold(0, self._width, 1)
        rows = windows.index_select(0, starts.view(-1))
        return rows.view(-1, self._channels, self._height, self._width)

    def _finish(self, images: Tensor) -> Tensor:
        batch = images.to(torch.float32).mul_(self._scale).add_(self._shift)
        if self.options.size is not None and self.options.size != (self._height, self._width):
            batch = functional.interpolate(batch, self.options.size, mode="bilinear", align_corners=False)
        return batch.contiguous(memory_format=torch.channels_last) if self.options.channels_last else batch


def _find_scale(options: PipelineOptions, channels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """What turns bytes into normalised values: (x / 255 - mean) / std as one product and one sum."""
    mean = torch.tensor(options.mean[:channels], dtype=torch.float64)
    std = torch.tensor(options.std[:channels], dtype=torch.float64)
    scale, shift = 1 / (255 * std), -mean / std
    return (
        scale.to(torch.float32).view(-1, 1, 1).to(device),
        shift.to(torch.float32).view(-1, 1, 1).to(device),
    )


def list_batches(count: int, batch_size: int, processes: int = 1) -> list[tuple[int, int]]:
    """(start, stop) of each batch; a last one of less than two images for each process is left out.

    BatchNorm cannot learn from one value, and every process must have a part of each step.
    """
    bounds = [(start, min(start + batch_size, count)) for start in range(0, count, batch_size)]
    if len(bounds) > 1 and bounds[-1][1] - bounds[-1][0] < 2 * processes:
        bounds.pop()
    return bounds


def share_batch(start: int, stop: int, rank: int, processes: int) -> slice:
    """The part of a batch that process `rank` trains on; the parts differ by one image at most."""
    size = stop - start
    return slice(start + size * rank // processes, start + size * (rank + 1) // processes)
