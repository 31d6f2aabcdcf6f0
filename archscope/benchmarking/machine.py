"""Devices asked for go in; what is there, and what else the machine was doing, comes out."""

import os
import platform
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from archscope.core.errors import UsageError
from archscope.version import __version__

BUSY_LOAD = 0.35
"""Of the processors: what others already ran when the bench began."""
LOW_CPU_SHARE = 0.6
"""CPU seconds over wall seconds and threads, beneath which something else may have had the processors."""
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
    """What `nvidia-smi` says of clocks, heat, power and load when the bench began; empty elsewhere."""


@dataclass(frozen=True, slots=True)
class MachineRecord:
    """What the bench ran on."""

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
        """Whether others ran when the bench began."""
        return self.load is not None and self.load > BUSY_LOAD * self.processors


def find_device(word: str) -> torch.device:
    """The device of that word. Raises UsageError, naming what is there, where it cannot be used."""
    try:
        device = torch.device(word)
    except RuntimeError as error:
        raise UsageError(f"--device {word} is no device", f"there is: {list_devices()}") from error
    if device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"--device {word} computes nothing that could be timed", f"there is: {list_devices()}")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if not count:
            built = "" if torch.version.cuda else f" (torch {torch.__version__} is built without it)"
            raise UsageError(f"--device {word}: there is no CUDA here{built}", f"there is: {list_devices()}")
        if (device.index or 0) >= count:
            raise UsageError(f"--device {word}: there is no such GPU", f"there is: {list_devices()}")
        return torch.device("cuda", device.index or 0)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError(f"--device {word}: it is not here", f"there is: {list_devices()}")
    return torch.device("cpu") if device.type == "cpu" else device


def list_devices() -> str:
    """What is there: `cpu (AMD EPYC, 2 threads)`, `cuda:0 (NVIDIA H100)`."""
    found = [f"cpu ({find_processor_name()}, {torch.get_num_threads()} threads)"]
    if torch.cuda.is_available():
        found += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return ", ".join(found)


def choose_default_device() -> str:
    """CUDA where there is some, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


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
    if device.type != "cuda":
        return DeviceRecord(word, find_processor_name() if device.type == "cpu" else device.type, _find_memory())
    properties = torch.cuda.get_device_properties(device)
    return DeviceRecord(word, properties.name, properties.total_memory, _read_clocks(device.index or 0))


def find_processor_name() -> str:
    """As the system calls it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _find_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
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


class CpuMeter:
    """CPU and wall seconds between the blocks that it stands around."""

    def __init__(self) -> None:
        self._cpu = 0.0
        self._wall = 0.0

    @contextmanager
    def read(self) -> Iterator[None]:
        """Count what passes inside."""
        cpu, wall = _read_cpu_seconds(), time.perf_counter()
        try:
            yield
        finally:
            self._cpu += _read_cpu_seconds() - cpu
            self._wall += time.perf_counter() - wall

    def find_share(self, threads: int) -> float | None:
        """CPU seconds over wall seconds and threads; None where nothing was measured."""
        return self._cpu / (self._wall * threads) if self._wall else None


def _read_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
