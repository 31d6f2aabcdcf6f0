"""Shortcuts and plain blocks, by hand on small tensors."""

import pytest
import torch

from archscope.models.residual import BasicBlock, BlockSpec, Bottleneck, PlainBlock, ZeroPadShortcut, make_shortcut
from archscope.models.resnet import build_resnet_cifar


def test_option_a_takes_every_second_pixel_and_appends_zero_channels():
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    shortcut = ZeroPadShortcut(1, 3, stride=2)
    expected = torch.zeros(1, 3, 2, 2)
    expected[0, 0] = torch.tensor([[0.0, 2.0], [6.0, 8.0]])
    assert torch.equal(shortcut(x), expected)
    assert list(shortcut.parameters()) == []
    assert repr(shortcut) == "ZeroPadShortcut(extra_channels=2, stride=2)"


def test_option_a_on_meta():
    assert ZeroPadShortcut(16, 32, stride=2)(torch.empty(2, 16, 7, 7, device="meta")).shape == (2, 32, 4, 4)


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        (BlockSpec(8, 8, shortcut="A"), None),
        (BlockSpec(8, 8, shortcut="B"), None),
        (BlockSpec(8, 8, shortcut="C"), torch.nn.Sequential),
        (BlockSpec(8, 8, stride=2, shortcut="A"), ZeroPadShortcut),
        (BlockSpec(8, 8, stride=2, shortcut="B"), torch.nn.Sequential),
        (BlockSpec(4, 8, shortcut="A"), ZeroPadShortcut),
        (BlockSpec(4, 8, shortcut="B"), torch.nn.Sequential),
        (BlockSpec(4, 8, shortcut="C"), torch.nn.Sequential),
    ],
)
def test_options(spec, kind):
    shortcut = make_shortcut(spec, 8)
    assert shortcut is None if kind is None else type(shortcut) is kind


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_a_silent_residual_branch_leaves_the_shortcut(block):
    module = block(BlockSpec(4 * block.expansion, 4)).eval()
    torch.nn.init.zeros_(module.last_norm().weight)
    x = torch.randn(2, 4 * block.expansion, 5, 5)
    assert torch.equal(module(x), x.clamp(min=0))


def test_a_plain_block_adds_nothing():
    module = PlainBlock(BlockSpec(4, 4)).eval()
    torch.nn.init.zeros_(module.bn2.weight)
    assert torch.equal(module(torch.randn(2, 4, 5, 5)), torch.zeros(2, 4, 5, 5))


@pytest.mark.parametrize("depth", [2, 21])
def test_the_paper_family_has_6n_plus_2_layers_only(depth):
    with pytest.raises(ValueError, match="6n\\+2"):
        build_resnet_cifar(depth=depth)
