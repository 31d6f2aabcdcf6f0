"""What a benchmark is asked for, as frozen data: what the command line and Python pass to a session. Torch-free."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from archscope.core.documents.bench import Dtype
from archscope.core.words import InputSpec

DTYPES: tuple[Dtype, ...] = ("fp32", "tf32", "bf16", "fp16")
DEFAULT_SECONDS = 5.0
"""Of each target and variant, warm-up included; the first call and building it come on top."""
ALL_MODELS_BATCH = 32
"""The batch where no target is named."""
BLOCKS = 30
"""Samples that are taken, unless the time ends first."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to compute a target."""

    device: str
    """As typed: `cpu`, `cuda`, `cuda:1`."""
    dtype: Dtype

    @property
    def label(self) -> str:
        """`cuda fp32`."""
        return f"{self.device} {self.dtype}"


@dataclass(frozen=True, slots=True)
class StepOptions:
    """How a step is made."""

    channels_last: bool = False
    compiled: bool = False
    inference: bool = False
    """Forward only, in eval mode."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """The short training of each model."""

    steps: int
    data: str | None = None
    """None: synthetic images."""


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """One benchmark."""

    variants: tuple[Variant, ...]
    """Their blocks alternate; ratios are against the first."""
    batch: int | Literal["auto"] | None = None
    """None: the input's own, which is 1; 32 where no target is named."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[InputSpec, ...] = ()
    step: StepOptions = field(default_factory=StepOptions)
    layers: bool = False
    seconds: float = DEFAULT_SECONDS
    threads: int | None = None
    """Of the CPU; None: as torch has it."""
    training: TrainingOptions | None = None
