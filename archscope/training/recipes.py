"""How to train, as frozen data: the lecture's two notebooks, corrected, and `fast`."""

from dataclasses import dataclass, replace
from math import cos, pi
from typing import TypeAlias

from archscope.core.errors import UnknownNameError, UsageError

Channels: TypeAlias = tuple[float, float, float]

LOSS_INTERVAL = 30
"""Iterations between two reports of the loss, as in the lecture."""
CIFAR_MEAN: Channels = (0.4914, 0.4822, 0.4465)
CIFAR_STD: Channels = (0.2470, 0.2435, 0.2616)
"""Over all pixels of the training set, as notebook 10-6-2 computes it; its heading prints 0.2023, 0.1994, 0.2010, which
are means over images of each image's own deviation."""


@dataclass(frozen=True, slots=True)
class StepDecay:
    """The rate is multiplied by `factor` after every `every` epochs."""

    every: int
    factor: float
    early: bool = False
    """True where the scheduler is stepped at the start of each epoch, so that each drop comes one epoch early."""

    def scale(self, epoch: float) -> float:
        """What the rate is multiplied by at `epoch` (from 0; the fraction is the place within it)."""
        return self.factor ** ((int(epoch) + self.early) // self.every)


@dataclass(frozen=True, slots=True)
class OneCycle:
    """Up in a line, down along half a cosine (Smith and Topin 2017)."""

    warmup: float = 0.2
    """Fraction of the training that goes up."""
    start: float = 0.1
    """First rate, as a fraction of the peak; the last is near 0."""

    def scale(self, progress: float) -> float:
        """What the peak rate is multiplied by at `progress` (0 to 1)."""
        if progress < self.warmup:
            return self.start + (1 - self.start) * progress / self.warmup
        return (1 + cos(pi * (progress - self.warmup) / (1 - self.warmup))) / 2


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything about a training but the model, the data and the number of epochs."""

    name: str
    source: str
    batch_size: int
    learning_rate: float
    """Peak rate, for `batch_size` images a step."""
    schedule: StepDecay | OneCycle
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    padding: int = 0
    """Pixels of black around the image that random crops may reach into; 0: no crops."""
    flip: bool = True
    """Mirror half of the images."""
    mean: Channels = CIFAR_MEAN
    std: Channels = CIFAR_STD
    """Normalisation per channel, of images between 0 and 1."""
    seed: int = 0
    adapts: bool = False
    """True where batch and rate follow the data and the model: see `fit_recipe`."""
    accelerated: bool = False
    """Mixed precision and channels-last, on CUDA."""
    clip_norm: float | None = None
    """Largest norm of the whole gradient; None: any."""
    tests_in_training: bool = False
    """True where held-out images are judged without `eval()`: dropout stays on, and BatchNorm learns from them."""
    test_batch_size: int = 500


RECIPES = (
    Recipe(
        name="lecture-vgg",
        source="notebook 10-5-2 with eval(), the scheduler after the epoch, and flips",
        batch_size=512,
        learning_rate=0.005,
        schedule=StepDecay(every=5, factor=0.9),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        seed=777,
    ),
    Recipe(
        name="lecture-resnet",
        source="notebook 10-6-2 with eval(), the scheduler after the epoch, and flips",
        batch_size=256,
        learning_rate=0.1,
        schedule=StepDecay(every=10, factor=0.5),
        weight_decay=5e-4,
        padding=4,
        seed=777,
    ),
    Recipe(
        name="fast",
        source="one cycle of Nesterov SGD with label smoothing",
        batch_size=512,
        learning_rate=0.4,
        schedule=OneCycle(),
        nesterov=True,
        weight_decay=5e-4,
        label_smoothing=0.1,
        padding=4,
        adapts=True,
        accelerated=True,
        clip_norm=5.0,
    ),
)

_TEST_BATCHES = {"lecture-vgg": 4, "lecture-resnet": 256}
SMALLEST_BATCH = 32
LEAST_STEPS = 90
"""Steps of an epoch that a batch should leave, where the recipe adapts."""
UNNORMALISED_SCALE = 0.1
"""What the rate is multiplied by where no layer normalises, where the recipe adapts."""


def find_recipe(name: str, *, as_printed: bool = False) -> Recipe:
    """The recipe of that name; `as_printed` undoes its corrections: scheduler first, no `eval()`, no flips.

    Raises UnknownNameError, and UsageError for a recipe that was never printed.
    """
    by_name = {recipe.name: recipe for recipe in RECIPES}
    if name not in by_name:
        raise UnknownNameError("recipe", name, by_name, f"known: {', '.join(by_name)}")
    recipe = by_name[name]
    if not as_printed:
        return recipe
    if not isinstance(recipe.schedule, StepDecay):
        raise UsageError(f"--as-printed does not apply to the recipe {name}", "use it with a lecture- recipe")
    return replace(
        recipe,
        source=recipe.source.partition(" with ")[0] + " as printed",
        schedule=replace(recipe.schedule, early=True),
        flip=False,
        tests_in_training=True,
        test_batch_size=_TEST_BATCHES[name],
    )


def choose_recipe(family: str) -> str:
    """The recipe that fits a built-in model's family, by name; `fast` for everything else."""
    if family.startswith(("vgg", "alexnet", "googlenet", "zfnet")):
        return "lecture-vgg"
    return "lecture-resnet" if family.startswith("resnet") else "fast"


def fit_recipe(recipe: Recipe, images: int, *, normalised: bool, batch_size: int | None, rate: float | None) -> Recipe:
    """The recipe with the batch and the rate that will be used.

    What is asked for is taken. Otherwise a recipe that adapts halves its batch until an epoch has 90 steps (32 images
    at the least), and its rate follows the batch and is a tenth where the model normalises nothing.
    """
    chosen = batch_size
    if chosen is None:
        chosen = recipe.batch_size
        while recipe.adapts and chosen > SMALLEST_BATCH and images < LEAST_STEPS * chosen:
            chosen //= 2
    if rate is None:
        rate = recipe.learning_rate
        if recipe.adapts:
            rate *= chosen / recipe.batch_size * (1 if normalised else UNNORMALISED_SCALE)
    return replace(recipe, batch_size=chosen, learning_rate=rate)


def find_rate(recipe: Recipe, step: int, steps: int, epochs: int) -> float:
    """The learning rate of step `step` (from 0, over all epochs) of `steps` an epoch."""
    if isinstance(recipe.schedule, StepDecay):
        return recipe.learning_rate * recipe.schedule.scale(step // steps)
    return recipe.learning_rate * recipe.schedule.scale((step + 1) / (steps * epochs + 1))
