"""The memory of a step: predicted from the trace, measured on the device, and the largest batch that fits."""

import os
from collections.abc import Callable

import torch
from torch import Tensor, nn

from archscope.benchmarking.preparation import BenchTarget
from archscope.benchmarking.results import Memory
from archscope.benchmarking.workload import ModelWorkload
from archscope.core.documents.bench import Dtype
from archscope.core.errors import ArchscopeError
from archscope.modules import iterate_parameters, iterate_tensors_of
from archscope.targets.inputs import make_arguments
from archscope.tracing.modes import Inputs
from archscope.tracing.structure import iterate_tensors

FIRST_GUESS = 32
"""The batch to try first where nothing can be predicted."""
BATCH_TOLERANCE = 0.05
"""The true largest batch is at most this much larger than what is found."""
MOST_BATCH = 1 << 20
_MEMORY_EVENT = "[memory]"


def predict_peak(bench_target: BenchTarget, batch: int, dtype: Dtype = "fp32") -> int | None:
    """Bytes at the peak of the step that is timed in that precision; None where they cannot be predicted."""
    from archscope.memory.predict import predict_memory

    target = bench_target.target

    def make_inputs(module: nn.Module, device: torch.device) -> Inputs:
        return make_arguments(target, module, bench_target.specs, device, batch)

    if target.is_instance:
        return None
    try:
        predicted = predict_memory(
            target.build, make_inputs, train=bench_target.training, optimizer="momentum", dtype=dtype
        )
    except ArchscopeError:
        return None
    return predicted.peak_bytes


def predict_batch(bench_target: BenchTarget, free_bytes: int, dtype: Dtype = "fp32") -> int:
    """The batch whose peak is all of `free_bytes`, on the line through two small ones."""
    small, large = 2, 8
    low, high = (predict_peak(bench_target, batch, dtype) for batch in (small, large))
    if low is None or high is None or high <= low:
        return FIRST_GUESS
    per_item = (high - low) / (large - small)
    return max(1, int(small + (free_bytes - low) / per_item))


def measure_memory(workload: ModelWorkload, before_bytes: int) -> Memory:
    """The most that torch held at once during one step of a workload that has run before.

    `before_bytes` were allocated before the workload was made.
    """

    def run() -> None:
        workload.run(lambda: None)

    if workload.device.type != "cuda":
        return Memory(count_resident(workload) + _measure_transient(run), None)
    torch.cuda.synchronize(workload.device)
    torch.cuda.reset_peak_memory_stats(workload.device)
    run()
    torch.cuda.synchronize(workload.device)
    allocated = torch.cuda.max_memory_allocated(workload.device) - before_bytes
    return Memory(allocated, torch.cuda.max_memory_reserved(workload.device))


def read_allocated(device: torch.device) -> int:
    """What torch's allocator holds now; 0 on the CPU, which does not tell."""
    return int(torch.cuda.memory_allocated(device)) if device.type == "cuda" else 0


def count_resident(workload: ModelWorkload) -> int:
    """Bytes of parameters, gradients, buffers, optimizer state and inputs, each storage once."""
    tensors: list[Tensor] = [*iterate_tensors_of(workload.module)]
    tensors += [parameter.grad for parameter in iterate_parameters(workload.module) if parameter.grad is not None]
    tensors += [tensor for _, tensor in iterate_tensors(workload.inputs)]
    if workload.optimizer is not None:
        tensors += [tensor for state in workload.optimizer.state.values() for _, tensor in iterate_tensors(state)]
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


def _measure_transient(run: Callable[[], None]) -> int:
    """The peak of what is allocated and freed inside, as torch's CPU allocator reports it to its profiler."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # its messages are not about the model
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        run()
    results = profile.profiler.kineto_results
    events = [event for event in results.events() if event.name() == _MEMORY_EVENT]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += int(event.nbytes())
        peak = max(peak, held)
    return peak


def probe_largest_batch(fits: Callable[[int], bool], guess: int) -> int:
    """The largest batch that fits by trying, to within 5 %; 0 where not even one image does.

    From `guess` it is doubled or halved until the border lies between two batches, then the interval is halved.
    `archscope.analysis.memory.find_largest_batch` is the exact search, for predictions that cost little.
    """
    low, high = 0, None
    batch = max(1, guess)
    while high is None or (high - low > 1 and high > low * (1 + BATCH_TOLERANCE)):
        if fits(batch):
            low = batch
            if low >= MOST_BATCH:
                return low
        else:
            high = batch
        if high is None:
            batch = min(MOST_BATCH, max(low + 1, int(low * 1.1) if low == guess else low * 2))
        elif low == 0:
            batch = high // 2
            if batch == 0:
                return 0
        else:
            batch = (low + high) // 2
    return low
