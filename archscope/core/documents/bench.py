"""Times, memory and utilisation as a document: archscope bench --compare reads older ones."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from archscope.core.codec import ABSENT, Absent, Document, Entry, NonEmpty

Dtype: TypeAlias = Literal["fp32", "tf32", "bf16", "fp16"]


class MachineEntry(Entry, frozen=True):
    """What the bench ran on, and what else that was doing."""

    processors: int
    """that the process may use"""
    load: float | None
    """mean number of running processes over the minute before; null where the system does not tell"""
    busy: bool
    """whether others ran when the bench began"""
    python: str
    system: str
    cuda: str | None
    started: str
    """date and time, UTC"""


class DeviceEntry(Entry, frozen=True):
    """One device."""

    device: str
    """as asked for"""
    name: str
    memory_bytes: int | None
    clocks: dict[str, str]
    """what nvidia-smi says of clocks, heat, power and load when the bench began; empty elsewhere"""


class DatasheetEntry(Entry, frozen=True):
    """What the maker says."""

    title: str
    flops_per_second: float | None
    """null where the maker gives none for the precision"""
    bytes_per_second: float


class CeilingEntry(Entry, frozen=True):
    """What a device can do at most in a precision, measured."""

    device: str
    dtype: Dtype
    flops_per_second: float
    """the best of eight square products"""
    bytes_per_second: float
    """the best of eight copies; reading and writing both count"""
    datasheet: DatasheetEntry | None


class TimingEntry(Entry, frozen=True):
    """Milliseconds of one phase."""

    median: float
    p10: float
    p90: float
    low: float
    """low and high hold the median with 95 %"""
    high: float
    spread: float
    """from p10 to p90, as a share of the median"""
    samples: Annotated[tuple[float, ...], NonEmpty]
    """one per block, in the order in which they were taken"""


class TrainingEntry(Entry, frozen=True):
    """The result of the short training (--train)."""

    verdict: Literal["pass", "fail"]
    reason: str | None
    """why it failed"""
    steps: int
    data: str
    """where the images came from"""
    synthetic: bool
    start_loss: float | None
    end_loss: float | None
    accuracy: float | None
    """fraction of held-out images, after the last step"""
    seconds: float | None


class LayerTimeEntry(Entry, frozen=True):
    """One module's own time, without that of the modules it calls."""

    path: str
    type: str
    forward_ms: float
    backward_ms: float | None
    macs: int | None
    """of forward"""
    bytes: int
    """what its operations read and write in forward"""
    intensity: float | None
    """FLOPs a byte"""
    floor_ms: float | None
    """what forward would take at the machine's ceilings"""
    bound: Literal["compute", "memory"] | None


class TargetEntry(Entry, frozen=True):
    """One target on one device in one precision."""

    target: str
    device: str
    dtype: Dtype
    batch: int
    """0 where the target failed before it was known"""
    forward_ms: TimingEntry | None
    """null where it was not measured, here and below"""
    backward_ms: TimingEntry | None
    optimizer_ms: TimingEntry | None
    step_ms: TimingEntry | None
    """forward, backward and optimizer together; null in inference"""
    images_per_second: float | None
    peak_memory_bytes: int | None
    """the largest that torch's allocator held in a step"""
    reserved_memory_bytes: int | None
    predicted_memory_bytes: int | None
    macs: int | None
    """of one forward pass of the batch"""
    flops_per_second: float | None
    """a step counts 3 x 2 x MACs, inference 2 x MACs"""
    utilisation: float | None
    """of the measured product"""
    datasheet_utilisation: float | None
    first_call_ms: float | None
    steps_of_block: int
    settled: bool
    complete: bool
    """false where the time ended before 30 blocks"""
    noisy: bool
    cpu_share: float | None
    """CPU seconds over wall seconds and threads"""
    training: TrainingEntry | None
    layers: tuple[LayerTimeEntry, ...]
    """with --layers"""
    whole_of_layers_ms: tuple[float, float | None] | None
    """forward and backward of the passes that took turns with those of layers"""
    failure: str | None
    """why there are no times"""


class ComparedEntry(Entry, frozen=True):
    """One target beside an older run."""

    target: str
    device: str
    dtype: Dtype
    batch: int
    ratio: float
    """above 1, the new one is slower"""
    low: float
    """low and high hold the ratio with 99 %"""
    high: float
    verdict: Literal["slower", "faster", "no difference"] | None
    """null where either run is noisy"""


class BenchDocument(Document, frozen=True, tag="archscope.bench/1"):
    """Times of forward, backward and optimizer step, memory and utilisation."""

    noun: ClassVar = "saved bench"
    remedy: ClassVar = "make one with: archscope bench TARGET -o old.json"

    archscope: str
    torch: str
    device: str
    """as asked for; several are joined by commas"""
    threads: int
    """of torch, on the CPU"""
    machine: MachineEntry
    devices: tuple[DeviceEntry, ...]
    ceilings: tuple[CeilingEntry, ...]
    channels_last: bool
    compiled: bool
    inference: bool
    interrupted: bool
    targets: tuple[TargetEntry, ...]
    compared: tuple[ComparedEntry, ...] | Absent = ABSENT
    """with --compare"""
