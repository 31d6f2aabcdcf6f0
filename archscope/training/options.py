"""What a run is asked for, as frozen data: what the command line and Python pass to a session."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from archscope.training.data.images import DataSubset

Precision = Literal["float32", "bfloat16", "float16"]
Keep = Literal["last", "all"]


DEFAULT_EPOCHS = 2
"""As in the lecture's assignment."""
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What is kept of a run, and how it begins."""

    folder: Path | None = None
    """None: a new one in `runs`."""
    resume: bool = False
    checks: bool = True
    """False: train without the sanity checks."""
    keep: Keep = "last"
    tensorboard: bool = False


@dataclass(frozen=True, slots=True)
class MachineOptions:
    """Where and how it is computed."""

    device: str | None = None
    """None: CUDA where there is some, else the CPU."""
    threads: int | None = None
    """Of the CPU; None: as torch has it, or as the resumed run had."""
    compiled: bool = False
    """Whether the model goes through `torch.compile`."""
    precision: Precision | None = None
    """None: what the recipe asks for on this device."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """One run. What is None is decided by the recipe, the target, the machine, or the run that is resumed."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Constructor arguments of the target."""
    side: int | None = None
    """Height and width that images are resized to; None: the target's own input."""
    data: str | None = None
    """A path, or `synthetic`; None: the cache, else a download."""
    data_digest: str | None = None
    """What the images must be, where a run goes on; None: any."""
    selection: DataSubset = field(default_factory=DataSubset)
    recipe: str | None = None
    as_printed: bool = False
    epochs: int | None = None
    """None: two, as in the lecture's assignment."""
    batch_size: int | None = None
    """Images of a step, over all processes."""
    learning_rate: float | None = None
    seed: int | None = None
    run: RunOptions = field(default_factory=RunOptions)
    machine: MachineOptions = field(default_factory=MachineOptions)
