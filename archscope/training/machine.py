"""`--device`, `--threads` and the recipe's wishes go in; where and how a run is computed comes out."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch

from archscope.core.errors import UsageError
from archscope.training.options import MachineOptions, Precision
from archscope.training.processes import Processes
from archscope.training.recipes import Recipe

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and how it is computed."""

    device: torch.device
    precision: Precision
    channels_last: bool
    compiled: bool

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision around forward and loss, where it is not float32."""
        return torch.autocast(self.device.type, dtype=_DTYPES[self.precision], enabled=self.precision != "float32")

    def make_scaler(self) -> torch.amp.GradScaler:
        """Scales the loss in float16 so that small gradients survive; does nothing otherwise."""
        return torch.amp.GradScaler(self.device.type, enabled=self.precision == "float16")


def choose_device(asked: str | None, processes: Processes) -> torch.device:
    """The device asked for, else CUDA where there is some (one GPU for each process), else the CPU.

    Raises UsageError where it is not there.
    """
    if asked is None:
        asked = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(asked)
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", processes.local_rank)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(f"--device {asked} cannot be used: {reason}", "--device cpu always works") from error
    if device.type == "meta":
        raise UsageError("--device meta computes nothing", "--device cpu always works")
    return device


def choose_machine(options: MachineOptions, recipe: Recipe, device: torch.device) -> Machine:
    """How `recipe` runs on `device`: accelerated recipes in bfloat16 (else float16) and channels-last on CUDA."""
    fast = recipe.accelerated and device.type == "cuda"
    precision: Precision = "float32"
    if options.precision is not None:
        precision = options.precision
    elif fast:
        precision = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return Machine(device, precision, channels_last=fast, compiled=options.compiled)


@contextmanager
def tune_backends(threads: int | None) -> Iterator[None]:
    """Use that many threads (None: as it is) and let cuDNN look for its fastest ways; put back afterwards."""
    before, searching = torch.get_num_threads(), torch.backends.cudnn.benchmark
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        torch.backends.cudnn.benchmark = True
        yield
    finally:
        torch.set_num_threads(before)
        torch.backends.cudnn.benchmark = searching
