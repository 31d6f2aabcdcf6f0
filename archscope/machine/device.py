"""Devices: those that there are, the one that is asked for, and how torch uses them while something is computed."""

import gc
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from archscope.core.errors import UsageError


def find_device(word: str, local_rank: int = 0) -> torch.device:
    """The device of that word; `cuda` without a number is the GPU of this process's `local_rank`.

    Raises UsageError, naming the available devices, where it cannot be used.
    """
    try:
        device = torch.device(word)
    except RuntimeError as error:
        raise _refuse(f"--device {word} is not a device") from error
    if device.type in ("cpu", "mps") and device.index not in (None, 0):
        raise _refuse(f"--device {word}: there is one {device.type} only, without a number")
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type == "cuda":
        index: int | None = device.index
        return _find_gpu(word, local_rank if index is None else index)
    if device.type != "mps":
        raise _refuse(f"--device {word} is not supported")
    if not torch.backends.mps.is_available():
        raise _refuse(f"--device {word}: not available on this machine")
    return device


def _find_gpu(word: str, index: int) -> torch.device:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        built = "" if torch.version.cuda else f" (torch {torch.__version__} is built without it)"
        raise _refuse(f"--device {word}: CUDA is not available{built}")
    if index >= count:
        raise _refuse(f"--device {word}: no such GPU")
    device = torch.device("cuda", index)
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise _refuse(f"--device {word} cannot be used: {str(error).partition(chr(10))[0]}") from error
    return device


def _refuse(message: str) -> UsageError:
    return UsageError(message, f"available: {list_devices()}")


def list_devices() -> str:
    """What there is: `cpu (AMD EPYC, 2 threads)`, `cuda:0 (NVIDIA H100)`."""
    threads = torch.get_num_threads()
    found = [f"cpu ({find_processor_name()}, {threads} thread{'s' if threads != 1 else ''})"]
    if torch.cuda.is_available():
        found += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return ", ".join(found)


def choose_default_device() -> str:
    """`cuda` where there is a GPU, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def find_device_name(device: torch.device) -> str:
    """`NVIDIA H100 80GB HBM3`, or the processor's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return find_processor_name() if device.type == "cpu" else device.type


def find_processor_name() -> str:
    """As the system calls it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def free_memory(device: torch.device) -> None:
    """Release the cached memory that nothing uses."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


MOST_THREADS = 1024
"""More than any machine has; torch would begin to start as many as it is told."""


@contextmanager
def tune_backends(threads: int | None) -> Iterator[None]:
    """Use that many CPU threads (None: as torch has it) and let cuDNN search for fast kernels; restored afterwards.

    Raises UsageError for more than `MOST_THREADS`.
    """
    if threads is not None and threads > MOST_THREADS:
        raise UsageError(f"--threads {threads:.6g} are too many", f"give a number from 1 to {MOST_THREADS:,}")
    before, searching = torch.get_num_threads(), torch.backends.cudnn.benchmark
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        torch.backends.cudnn.benchmark = True
        yield
    finally:
        torch.set_num_threads(before)
        torch.backends.cudnn.benchmark = searching
