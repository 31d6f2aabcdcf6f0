"""What a benchmark found, as frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from archscope.benchmarking.options import StepOptions, Variant
from archscope.benchmarking.roofline import Ceiling, LayerTime
from archscope.benchmarking.statistics import Timing
from archscope.benchmarking.workload import STEP
from archscope.machine.environment import MachineRecord


@dataclass(frozen=True, slots=True)
class Memory:
    """The largest that was held at once, in bytes."""

    allocated: int
    """By tensors and workspaces: parameters, gradients, optimizer state, activations."""
    reserved: int | None
    """By torch's allocator; None on the CPU."""
    predicted: int | None = None
    """From the trace; None where there is no prediction."""


@dataclass(frozen=True, slots=True)
class TrainingVerdict:
    """The result of a short training."""

    passed: bool
    reason: str
    """Why it failed; empty where it passed."""
    steps: int
    data: str
    """Where the images came from; says so where they are made up."""
    synthetic: bool
    start_loss: float | None = None
    end_loss: float | None = None
    accuracy: float | None = None
    """Fraction of held-out images, after the last step."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class VariantResult:
    """One target on one device in one precision."""

    target: str
    variant: Variant
    batch: int
    """0 where it is not known."""
    timings: Mapping[str, Timing] = field(default_factory=dict)
    """By phase (`forward`, `backward`, `optimizer`) and for the whole `step`; in inference `forward` only."""
    first_call_ms: float | None = None
    steps_of_block: int = 1
    settled: bool = True
    complete: bool = True
    """False where the time ended before 30 blocks."""
    memory: Memory | None = None
    macs: int | None = None
    """Of one forward pass of the batch."""
    cpu_share: float | None = None
    """CPU seconds over wall seconds and threads, while it was measured."""
    layers: tuple[LayerTime, ...] = ()
    whole_of_layers_ms: tuple[float, float | None] | None = None
    """Forward and backward without an observer, taken in turns with the passes that `layers` come from."""
    training: TrainingVerdict | None = None
    failure: str = ""
    """Why there are no times; empty where there are."""
    exit_code: int = 0
    """Of the failure: 3 where the model is at fault, 2 where what was asked for is; 0 without one."""
    notes: tuple[str, ...] = ()

    @property
    def whole(self) -> Timing | None:
        """The step; the forward pass in inference; None where nothing was measured."""
        return self.timings.get(STEP) or self.timings.get("forward")

    @property
    def images_per_second(self) -> float | None:
        """Items of the batch by the median of the whole."""
        return 1e3 * self.batch / self.whole.median if self.whole is not None and self.whole.median else None

    @property
    def flops_per_second(self) -> float | None:
        """Two FLOPs a MAC; backward is counted as twice forward."""
        if self.macs is None or self.whole is None or not self.whole.median:
            return None
        return 2e3 * self.macs * (3 if STEP in self.timings else 1) / self.whole.median


@dataclass(frozen=True, slots=True)
class BenchReport:
    """Everything that was found, with the machine that it was found on."""

    results: tuple[VariantResult, ...]
    machine: MachineRecord
    ceilings: tuple[Ceiling, ...]
    step: StepOptions
    interrupted: bool = False

    def find_ceiling(self, variant: Variant) -> Ceiling | None:
        """What the variant's device can do at most."""
        return next((ceiling for ceiling in self.ceilings if ceiling.variant == variant), None)

    @property
    def failures(self) -> tuple[VariantResult, ...]:
        """What could not be measured."""
        return tuple(result for result in self.results if result.failure)

    @property
    def untrained(self) -> tuple[VariantResult, ...]:
        """What failed the short training."""
        return tuple(item for item in self.results if item.training is not None and not item.training.passed)
