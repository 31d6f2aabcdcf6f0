"""Nothing goes in; what a run was computed with comes out: versions, machine, threads, device."""

import platform

import torch

from archscope.version import __version__


def describe_environment(device: torch.device, processes: int) -> dict[str, object]:
    """Plain data, for environment.json."""
    cuda = device.type == "cuda"
    return {
        "archscope": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "processes": processes,
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device) if cuda else platform.processor() or platform.machine(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if cuda else None,  # type: ignore[no-untyped-call]
    }
