"""Nested values: tensors found with keys, and rebuilt."""

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

import archscope
from archscope.tracing.construction import construct_on_meta
from archscope.tracing.executors import MetaExecutor
from archscope.tracing.structure import iterate_tensors, map_tensors, name_arguments

ONE = torch.ones(1)
Pair = namedtuple("Pair", ["left", "right"])


@dataclass
class Output:
    logits: torch.Tensor
    extra: Any = None


def test_every_container_is_walked_and_rebuilt() -> None:
    value = {"a": [ONE, Pair(ONE, None)], "b": Output(ONE, {"k": (ONE, "text")}), "c": object()}
    assert [key for key, _ in iterate_tensors(value)] == ["a.0", "a.1.left", "b.logits", "b.extra.k.0"]
    doubled = map_tensors(value, lambda tensor: tensor * 2)
    assert [float(tensor) for _, tensor in iterate_tensors(doubled)] == [2.0] * 4
    assert isinstance(doubled["a"][1], Pair)
    assert isinstance(doubled["b"], Output)


def test_arguments_without_names_are_numbered() -> None:
    assert list(name_arguments(lambda x, *rest: None, (1, 2, 3), {"k": 4})) == ["x", "rest.0", "rest.1", "k"]
    assert list(name_arguments(lambda x: None, (1, 2), {})) == ["x", "args.1"]


def test_constructors_may_read_small_constants() -> None:
    class Rates(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            rates = [rate.item() for rate in torch.linspace(0, 1, 5)]
            widths = torch.arange(1, 4).tolist()
            self.layers = nn.ModuleList(nn.Linear(4, width) for width in widths)
            self.drops = nn.ModuleList(nn.Dropout(rate) for rate in rates)
            self.register_buffer("table", torch.tensor([1.0, 2.0]))

    module = construct_on_meta(Rates, MetaExecutor())
    assert [drop.p for drop in module.drops] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert {tensor.device.type for tensor in (*module.parameters(), *module.buffers())} == {"meta"}


def test_a_summary_prints_itself() -> None:
    summary = archscope.trace(nn.Linear(4, 2), torch.zeros(1, 4))
    assert "Linear" in str(summary)
    assert "<table" in summary._repr_html_()
