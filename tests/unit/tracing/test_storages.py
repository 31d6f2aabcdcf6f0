"""Writing through a view: whoever reads the storage afterwards, by whatever view, gets an edge from the writer."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archscope


class Call(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.function = function
        self.register_buffer("cache", torch.zeros(3, 4))

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def write_a_row(net: Any, x: Tensor) -> Tensor:
    table = torch.zeros(3, 4)
    table[1].copy_(net.layer(x)[1])
    return table.relu()


def write_by_index(net: Any, x: Tensor) -> Tensor:
    table = torch.zeros(3, 4)
    table[:, :2] = net.layer(x)[:, :2]
    return table.relu()


def write_to_the_base(net: Any, x: Tensor) -> Tensor:
    table = torch.zeros(3, 4)
    rows = table.view(12)[4:8]
    table.copy_(net.layer(x))
    return rows.relu()


def write_to_another_view(net: Any, x: Tensor) -> Tensor:
    table = torch.zeros(3, 4)
    first, second = table.t(), table.reshape(-1)
    first.copy_(net.layer(x).t())
    return second.relu()


def write_to_a_buffer(net: Any, x: Tensor) -> Tensor:
    net.cache[0] = net.layer(x)[0]
    return net.cache.relu()


@pytest.mark.parametrize("mode", ["meta", "fake", "real"])
@pytest.mark.parametrize(
    "function", [write_a_row, write_by_index, write_to_the_base, write_to_another_view, write_to_a_buffer]
)
def test_the_writer_has_an_edge_to_the_reader(function: Any, mode: Any) -> None:
    trace = archscope.trace(Call(function), torch.zeros(3, 4), mode=mode).trace
    (writer,) = (op.index for op in trace.ops if op.name == "aten.copy_")
    (reader,) = (op.index for op in trace.ops if op.name == "aten.relu")
    pairs = {(edge.producer, edge.consumer) for edge in trace.edges}
    assert (writer, reader) in pairs
    # The whole way from the model's input is there.
    reached = {None}
    sources = {edge.consumer for edge in trace.edges if edge.value == trace.inputs[0].value}
    reached |= sources
    for edge in sorted(trace.edges, key=lambda item: item.consumer):
        if edge.producer in sources | reached - {None}:
            reached.add(edge.consumer)
    assert reader in reached


def test_every_writer_of_a_part_and_none_of_another() -> None:
    def function(net: Any, x: Tensor) -> Tensor:
        table = torch.empty(3, 4)
        for row in range(3):
            table[row] = net.layer(x)[row]
        return table[2].relu() + table.sum()

    trace = archscope.trace(Call(function), torch.zeros(3, 4)).trace
    writers = [op.index for op in trace.ops if op.name == "aten.copy_"]
    (whole,) = (op.index for op in trace.ops if op.name == "aten.sum")
    (relu,) = (op for op in trace.ops if op.name == "aten.relu")
    (row,) = (edge.producer for edge in trace.edges if edge.consumer == relu.index)
    assert [edge.producer for edge in trace.edges if edge.consumer == whole][1:] == writers
    assert [edge.producer for edge in trace.edges if edge.consumer == row][1:] == writers[2:]


def test_what_is_overwritten_as_a_whole_is_forgotten() -> None:
    def function(net: Any, x: Tensor) -> Tensor:
        table = torch.zeros(3, 4)
        table[0] = net.layer(x)[0]
        table.view(12).copy_(x.view(12))
        return table.relu()

    trace = archscope.trace(Call(function), torch.zeros(3, 4)).trace
    first, second = (op.index for op in trace.ops if op.name == "aten.copy_")
    reader = next(op.index for op in trace.ops if op.name == "aten.relu")
    producers = {edge.producer for edge in trace.edges if edge.consumer == reader}
    assert second in producers
    assert first not in producers
