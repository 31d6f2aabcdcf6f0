"""The precision of a computation: what the words of `--dtype` and `--precision` mean to torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

_AUTOCAST = {
    "bf16": torch.bfloat16,
    "bfloat16": torch.bfloat16,
    "fp16": torch.float16,
    "float16": torch.float16,
}
"""Words of mixed precision; with all others (`fp32`, `tf32`, `float32`) tensors stay float32."""

_PURE = {"bf16-pure": torch.bfloat16, "fp16-pure": torch.float16}
"""Words of weights and inputs that are held in the narrow type themselves, as `module.to(dtype)` makes them."""


def find_compute_dtype(word: str) -> torch.dtype:
    """The dtype of the operands of products."""
    return _AUTOCAST.get(word, torch.float32)


def find_weight_dtype(word: str) -> torch.dtype | None:
    """The dtype that the floating-point parameters and buffers are turned into; None where they stay as built."""
    return _PURE.get(word)


def autocast(device: torch.device, word: str) -> torch.autocast:
    """Mixed precision around forward and loss, where the word asks for it."""
    return torch.autocast(device.type, dtype=find_compute_dtype(word), enabled=word in _AUTOCAST)


@contextmanager
def use_precision(device: torch.device, word: str) -> Iterator[None]:
    """On CUDA, compute float32 products exactly, or in TF32 where the word is `tf32`; restored afterwards.

    cuDNN searches for its fastest kernels meanwhile.
    """
    cudnn: Any = torch.backends.cudnn
    backends: tuple[Any, ...] = (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn)
    before = [backend.fp32_precision for backend in backends]
    searching = torch.backends.cudnn.benchmark
    try:
        if device.type == "cuda":
            for backend in backends:
                backend.fp32_precision = "tf32" if word == "tf32" else "ieee"
            torch.backends.cudnn.benchmark = True
        yield
    finally:
        if device.type == "cuda":
            for backend, value in zip(backends, before, strict=True):
                backend.fp32_precision = value
            torch.backends.cudnn.benchmark = searching


@dataclass(frozen=True, slots=True)
class Execution:
    """Where and how a training is computed."""

    device: torch.device
    precision: str = "float32"
    """`float32`, `bfloat16` or `float16`."""
    channels_last: bool = False
    compiled: bool = False
    """Whether the model goes through `torch.compile`."""

    def autocast(self) -> torch.autocast:
        """Mixed precision around forward and loss, where it is not float32."""
        return autocast(self.device, self.precision)

    def make_scaler(self) -> torch.amp.GradScaler:
        """Scales the loss in float16 so that small gradients survive; does nothing otherwise."""
        return torch.amp.GradScaler(self.device.type, enabled=self.precision == "float16")
