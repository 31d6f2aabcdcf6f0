"""What no operation made, and no other thread either."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archscope


class Literals(nn.Module):
    """Constants that forward writes on the device of its input, as many models do."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        device = x.device
        literal = {
            "tensor": lambda: torch.tensor([1.0, 2.0, 3.0, 4.0], device=device),
            "scalar": lambda: torch.tensor(2.0, dtype=x.dtype, device=device),
            "as_tensor": lambda: torch.as_tensor([1.0, 2.0, 3.0, 4.0], device=device),
            "asarray": lambda: torch.asarray([1.0, 2.0, 3.0, 4.0], device=device),
            "new_tensor": lambda: x.new_tensor([1.0, 2.0, 3.0, 4.0]),
            "empty": lambda: torch.cat([torch.tensor([], device=device), x[0]]),
            "shape": lambda: torch.tensor(x.shape[1:], device=device).float().sum(),
        }[self.kind]()
        return self.linear(x) * literal


@pytest.mark.parametrize("mode", ["meta", "fake", "real"])
@pytest.mark.parametrize("kind", ["tensor", "scalar", "as_tensor", "asarray", "new_tensor", "empty", "shape"])
def test_literals_are_no_work_of_another_thread(kind: str, mode: Any) -> None:
    summary = archscope.trace(Literals(kind), torch.zeros(1, 4), mode=mode)
    assert summary.macs == 16
    assert all(op.name != "threading.unseen" for op in summary.trace.ops)
