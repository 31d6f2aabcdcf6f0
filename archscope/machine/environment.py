"""What something was computed with: versions, devices, threads, and what else the machine was doing."""

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from archscope.machine.device import find_device, find_device_name
from archscope.version import __version__

BUSY_LOAD = 0.35
"""Of the processors: more than this ran already when the benchmark began."""
LOW_CPU_SHARE = 0.6
"""CPU seconds over wall seconds and threads, below which other work may have taken the processors."""
_QUERY = "clocks.sm,clocks.max.sm,temperature.gpu,power.draw,utilization.gpu,driver_version"


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """One device."""

    word: str
    """As asked for: `cuda`."""
    name: str
    """`NVIDIA H100 80GB HBM3`, or the processor's name."""
    memory_bytes: int | None
    clocks: tuple[tuple[str, str], ...] = ()
    """What `nvidia-smi` says of clocks, heat, power and load when the benchmark began; empty elsewhere."""


@dataclass(frozen=True, slots=True)
class MachineRecord:
    """What a benchmark ran on."""

    devices: tuple[DeviceRecord, ...]
    threads: int
    """Of torch, on the CPU."""
    processors: int
    """That this process may use."""
    load: float | None
    """Mean number of running processes over the minute before; None where the system does not tell."""
    torch: str
    python: str
    archscope: str
    system: str
    cuda: str | None
    started: str
    """Date and time, UTC."""

    @property
    def busy(self) -> bool:
        """Whether other work ran when the benchmark began."""
        return self.load is not None and self.load > BUSY_LOAD * self.processors


def record_machine(words: Sequence[str]) -> MachineRecord:
    """The machine as it is now, with the devices of these words."""
    return MachineRecord(
        devices=tuple(_record_device(word, find_device(word)) for word in words),
        threads=torch.get_num_threads(),
        processors=_count_processors(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        torch=str(torch.__version__),
        python=platform.python_version(),
        archscope=__version__,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cuda=torch.version.cuda,
        started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def _record_device(word: str, device: torch.device) -> DeviceRecord:
    name = find_device_name(device)
    if device.type != "cuda":
        return DeviceRecord(word, name, _find_memory_bytes())
    return DeviceRecord(
        word, name, torch.cuda.get_device_properties(device).total_memory, _read_clocks(device.index or 0)
    )


def _find_memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # AttributeError: a system without sysconf
        return None


def _count_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read_clocks(index: int) -> tuple[tuple[str, str], ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    command = [program, f"--id={index}", f"--query-gpu={_QUERY}", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(zip(_QUERY.split(","), (part.strip() for part in answer.split(",")), strict=False))


def describe_environment(device: torch.device, processes: int) -> dict[str, object]:
    """What a training is computed with, as plain data for environment.json."""
    return {
        "archscope": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "processes": processes,
        "device": str(device),
        "device_name": find_device_name(device),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if device.type == "cuda" else None,  # type: ignore[no-untyped-call]
    }
