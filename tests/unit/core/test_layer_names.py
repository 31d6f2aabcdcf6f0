"""What a wrong layer name is answered with: the names that `trace` shows, as they are to be typed."""

from typing import Any

import pytest
import torch
from torch import nn

import archscope
from archscope.analysis.explain import Explainer
from archscope.core.errors import UnknownLayerError, UnknownNameError


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 1)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.act(self.conv1(x)))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 3, 1)
        self.blocks = nn.Sequential(Block(), Block())
        self.head = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.head((self.stem(x) + self.blocks(x)).mean((2, 3)))
        return y


@pytest.fixture(scope="module")
def summary() -> Any:
    return archscope.trace(Net(), torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("conv1", ("blocks.0.conv1", "blocks.1.conv1")),  # as the tree shows it beneath its parent
        ("Block", ("blocks.0", "blocks.1")),  # its class
        ("blocks.0-1", ("blocks.0", "blocks.1")),  # a run of alike layers
        ("0-1", ("blocks.0", "blocks.1")),
        ("blocks.0-1.conv1", ("blocks.0.conv1", "blocks.1.conv1")),
        ("blocks[1].conv1", ("blocks.1.conv1",)),  # as Python, a path or a state dict writes it
        ("blocks/1/conv1", ("blocks.1.conv1",)),
        ("model.blocks.1.conv1.weight", ("blocks.1.conv1",)),
        ("blocks['1'].conv1", ("blocks.1.conv1",)),
    ],
)
def test_what_trace_showed_is_suggested(summary: Any, word: str, near: tuple[str, ...]) -> None:
    explainer = Explainer(summary.trace, summary.costs)
    with pytest.raises(UnknownNameError) as caught:
        explainer.explain_words(word)
    assert caught.value.suggestions == near
    for name in near:
        explainer.explain_words(name)
    with pytest.raises(UnknownLayerError) as found:
        summary[word]
    assert found.value.suggestions == near


@pytest.mark.parametrize(
    ("word", "first"), [("conv2", "blocks.0.conv1"), ("haed", "head"), ("blcks.1.conv1", "blocks.1.conv1")]
)
def test_slips_are_near_to_what_is_shown(summary: Any, word: str, first: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        Explainer(summary.trace, summary.costs).explain_words(word)
    assert caught.value.suggestions[0] == first


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("zzz", "the model begins with stem, blocks, head"),
        ("Net", "the whole model is named with a dot: ."),
        ("root", "the whole model is named with a dot: ."),
        ("blocks.0.act#3", "blocks.0.act is called 2 times"),
    ],
)
def test_where_nothing_is_near_the_names_are_told(summary: Any, word: str, told: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        Explainer(summary.trace, summary.costs).explain_words(word)
    assert told in caught.value.remedy


def test_a_model_without_layers_within_is_named_with_a_dot() -> None:
    lone = archscope.trace(nn.Linear(3, 4), torch.zeros(2, 3))
    with pytest.raises(UnknownNameError, match="unknown layer 'fc'") as caught:
        Explainer(lone.trace, lone.costs).explain_words("fc")
    assert "named with a dot: ." in caught.value.remedy
