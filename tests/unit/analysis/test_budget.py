"""Budgets on traces with operations that cannot be counted, and with shared parameters."""

import torch
from torch import nn

import archscope
from archscope.analysis.budget import Measured, check_baseline, check_maximum, list_grown


def measure(module: nn.Module, *inputs: torch.Tensor) -> Measured:
    summary = archscope.trace(module, *inputs)
    return Measured(summary.trace, summary.costs)


class Inverts(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.inv(x) @ x


def test_incomplete_macs_break_a_budget_and_say_why() -> None:
    model = measure(Inverts(), torch.eye(4))
    check = check_maximum(model, "macs", 10**9)
    assert check.finding is not None
    assert check.finding.code == "incomplete-macs"
    assert "linalg_inv" in check.finding.message
    assert check.finding.measured == "at least 64"
    against = check_baseline(model, model, "macs", name="b.json")
    assert against.finding is not None


def test_shared_parameters_count_once() -> None:
    first, second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    apart = measure(nn.Sequential(first, nn.Linear(4, 4, bias=False)), torch.zeros(1, 4))
    second.weight = first.weight
    tied = measure(nn.Sequential(first, second), torch.zeros(1, 4))
    assert list_grown(apart, tied, "params") == [("1", 16, "new")]
    assert list_grown(tied, tied, "params") == []
