"""The word of `--dtype` goes in; how torch computes while a step runs comes out, put back afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from archscope.core.documents.bench import Dtype

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def find_compute_dtype(dtype: Dtype) -> torch.dtype:
    """What products are computed in."""
    return _AUTOCAST.get(dtype, torch.float32)


@contextmanager
def use_precision(device: torch.device, dtype: Dtype) -> Iterator[None]:
    """float32 is that and nothing less; tf32 is allowed only where asked for; cuDNN looks for its fastest ways."""
    cudnn: Any = torch.backends.cudnn
    backends: tuple[Any, ...] = (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn)
    before = [backend.fp32_precision for backend in backends]
    searching = torch.backends.cudnn.benchmark
    try:
        if device.type == "cuda":
            for backend in backends:
                backend.fp32_precision = "tf32" if dtype == "tf32" else "ieee"
            torch.backends.cudnn.benchmark = True
        yield
    finally:
        if device.type == "cuda":
            for backend, value in zip(backends, before, strict=True):
                backend.fp32_precision = value
            torch.backends.cudnn.benchmark = searching


def autocast(device: torch.device, dtype: Dtype) -> torch.autocast:
    """Mixed precision around forward, where bf16 or fp16 is asked for."""
    return torch.autocast(device.type, dtype=find_compute_dtype(dtype), enabled=dtype in _AUTOCAST)
