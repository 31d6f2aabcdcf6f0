"""The processes that train together, as torchrun starts them: the place of this one, and what all must agree on.

One process is the usual case, for which everything here does nothing.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from archscope.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those that train together."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    """Among those of this machine."""

    @property
    def is_primary(self) -> bool:
        """Whether this is the process that writes files and reports."""
        return self.rank == 0

    def wait(self) -> None:
        """Until every process is here."""
        if self.count > 1:
            distributed.barrier()

    def add(self, values: Tensor) -> Tensor:
        """The sum of `values` over all processes."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def share_bytes(self, blob: bytes | None, device: torch.device) -> bytes | None:
        """What the first process holds; None where it holds nothing."""
        if self.count == 1:
            return blob
        length = torch.tensor([-1 if blob is None else len(blob)], device=device)
        distributed.broadcast(length, 0)
        size = int(length)
        if size <= 0:
            return None if size < 0 else b""
        data = torch.empty(size, dtype=torch.uint8, device=device)
        if self.is_primary and blob is not None:
            data.copy_(torch.frombuffer(bytearray(blob), dtype=torch.uint8))
        distributed.broadcast(data, 0)
        held = data.cpu()
        return ctypes.string_at(held.data_ptr(), size)

    def agree(self, *, yes: bool, device: torch.device) -> bool:
        """What the first process says."""
        if self.count == 1:
            return yes
        told = torch.tensor([int(yes)], device=device)
        distributed.broadcast(told, 0)
        return bool(told)

    def wrap(self, module: nn.Module, device: torch.device) -> nn.Module:
        """The module whose gradients are averaged over all processes."""
        if self.count == 1:
            return module
        return nn.parallel.DistributedDataParallel(module, device_ids=[device] if device.type == "cuda" else None)


def read_processes() -> Processes:
    """From the environment that torchrun makes. Raises UsageError where it is incomplete."""
    if "WORLD_SIZE" not in os.environ or "RANK" not in os.environ:
        return Processes()
    try:
        rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        local_rank = int(os.environ.get("LOCAL_RANK", rank))
    except ValueError as error:
        raise UsageError(
            f"RANK and WORLD_SIZE must be numbers: {error}", "start it with torchrun --nproc-per-node N"
        ) from error
    return Processes(rank, count, local_rank)


@contextmanager
def join_processes(processes: Processes, device: torch.device) -> Iterator[None]:
    """Connect them (NCCL on CUDA, gloo elsewhere), and part at the end."""
    if processes.count == 1:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()
