"""One step goes in; the largest number of bytes that torch held at once while it ran comes out."""

import os
from collections.abc import Callable

import torch
from torch import Tensor

from archscope.benchmarking.results import Memory
from archscope.benchmarking.workload import ModelWorkload
from archscope.tracing.structure import iterate_tensors

_MEMORY_EVENT = "[memory]"


def measure_memory(workload: ModelWorkload, before_bytes: int) -> Memory:
    """Run one step of a workload that has run before; `before_bytes` were held when nothing of it was there."""

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
    tensors: list[Tensor] = [*workload.module.parameters(), *workload.module.buffers()]
    tensors += [parameter.grad for parameter in workload.module.parameters() if parameter.grad is not None]
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
