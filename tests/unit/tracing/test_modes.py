"""Counts do not depend on how the pass runs: on meta, on fake tensors, for real and fused, in eval and in train."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import archscope
from archscope.core.errors import UsageError
from archscope.core.words import TraceOptions
from archscope.observation import observe_call

TOKENS, STEPS = torch.ones(2, 10, 64), torch.ones(7, 3, 16)
PROJECTION, SCORES = 20 * 64 * 64, 2 * (2 * 10 * 10 * 64)

CASES: dict[str, tuple[Callable[[], nn.Module], tuple[torch.Tensor, ...], dict[str, Any], int]] = {
    "encoder layer": (
        lambda: nn.TransformerEncoderLayer(64, 4, 128, batch_first=True),
        (TOKENS,),
        {},
        4 * PROJECTION + SCORES + 2 * 20 * 64 * 128,
    ),
    "attention": (lambda: nn.MultiheadAttention(64, 4, batch_first=True), (TOKENS,) * 3, {}, 4 * PROJECTION + SCORES),
    "attention without weights": (
        lambda: nn.MultiheadAttention(64, 4, batch_first=True),
        (TOKENS,) * 3,
        {"need_weights": False},
        4 * PROJECTION + SCORES,
    ),
    "lstm": (lambda: nn.LSTM(16, 32, bidirectional=True), (STEPS,), {}, 2 * 21 * 128 * 48),
    "projected lstm": (lambda: nn.LSTM(16, 32, proj_size=8), (STEPS,), {}, 21 * (128 * (16 + 8) + 8 * 32)),
    "gru": (lambda: nn.GRU(16, 32), (STEPS,), {}, 21 * 96 * 48),
    "transposed": (lambda: nn.ConvTranspose3d(4, 6, 3, 2), (torch.ones(1, 4, 5, 5, 5),), {}, 4 * 125 * 6 * 27),
    "bilinear": (lambda: nn.Bilinear(5, 6, 7), (torch.ones(3, 5), torch.ones(3, 6)), {}, 3 * 7 * 5 * 6),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("mode", ["meta", "fake", "real"])
@pytest.mark.parametrize("name", list(CASES))
def test_counts_are_the_same_however_the_pass_runs(name: str, mode: Any, training: bool) -> None:
    make, inputs, named, macs = CASES[name]
    module = make().train(training)
    observed = observe_call(module, TraceOptions(mode=mode), (inputs, named))
    assert observed.error is None
    assert observed.trace.mode == mode
    assert observed.costs.macs == macs
    usual = observe_call(module, given=(inputs, named))
    assert observed.costs.activations == usual.costs.activations
    assert [ref.shape for ref in observed.trace.outputs] == [ref.shape for ref in usual.trace.outputs]


def test_a_module_on_meta_cannot_run_for_real() -> None:
    with pytest.raises(UsageError, match="has no values"):
        observe_call(nn.Linear(4, 4, device="meta"), TraceOptions(mode="real"), ((torch.ones(1, 4),), {}))


def test_what_meta_lacks_is_found_on_fake_tensors_and_said() -> None:
    class Refuses(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.is_meta:
                raise NotImplementedError("no kernel for meta tensors")
            return self.layer(x)

    summary = archscope.trace(Refuses(), torch.ones(1, 4))
    assert summary.trace.mode == "fake"
    assert summary.trace.notes[-1].startswith("traced on fake CPU tensors: meta failed with no kernel")
    assert summary.costs.macs == 16


def test_a_failure_that_needs_values_is_reported_from_the_real_pass() -> None:
    class Fails(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            kept = x[x > 0]
            raise ValueError(f"{len(kept)} values are positive")

    with pytest.raises(archscope.ForwardError, match="3 values are positive"):
        archscope.trace(Fails(), torch.tensor([1.0, 2.0, 3.0, -1.0]).repeat(1, 1))
