"""Questions to traces: the longest way, windows and sums, and what is said where there is no answer."""

from collections.abc import Callable
from typing import Any

import pytest

from archscope.papers.ledger import verify_facts
from archscope.papers.measurement import MeasureError
from archscope.papers.networks import Networks, arrange_hwc, read_size, write_sum
from archscope.papers.published import choose_facts
from archscope.papers.resnet.blocks import count_projections, describe_stage, list_stages
from archscope.papers.vgg.walk import list_configuration, walk_vgg


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks()


def test_the_longest_way(networks: Networks) -> None:
    googlenet = networks.trace("googlenet")
    assert googlenet.depth() == 22
    assert googlenet.depth("inception_3a") == 2
    assert googlenet.depth(pools=True) == 27
    # Projections lie beside the main path.
    assert networks.trace("resnet18").depth() == 18


def test_a_network_is_kept(networks: Networks) -> None:
    assert networks.trace("resnet18") is networks.trace("resnet18")
    assert networks.trace("resnet18", shortcut="A") is not networks.trace("resnet18")


def test_windows_and_shapes(networks: Networks) -> None:
    net = networks.trace("vgg11_lrn")
    assert net.window("features.3") == (2, 2)
    assert net.hwc("features.0") == (224, 224, 64)
    assert [item.name for item in walk_vgg(net)][:4] == ["conv1_1", "lrn1", "pool1", "conv2_1"]
    assert list_configuration(net)[:3] == (64, "M", 128)
    assert arrange_hwc((1, 10)) == (1, 1, 10)


def test_stages(networks: Networks) -> None:
    net = networks.trace("resnet50_v1")
    assert list_stages(net) == ("layer1", "layer2", "layer3", "layer4")
    assert describe_stage(net, "layer1") == "[1x1, 64; 3x3, 64; 1x1, 256] x3"
    assert count_projections(net) == 4


@pytest.mark.parametrize(
    "ask",
    [
        lambda net: net.layer("nowhere"),
        lambda net: net.op("conv1", "aten.mm"),
        lambda net: net.convolution("fc"),
        lambda net: net.features("conv1"),
        lambda _: arrange_hwc((1, 2, 3)),
        lambda _: read_size((1, 2)),
        lambda _: read_size("same"),
    ],
)
def test_no_answer(ask: Callable[[Any], object], networks: Networks) -> None:
    with pytest.raises(MeasureError):
        ask(networks.trace("resnet18"))


def test_a_network_that_does_not_exist_or_fails(networks: Networks) -> None:
    with pytest.raises(MeasureError, match="unknown model"):
        networks.trace("resnet19")
    with pytest.raises(MeasureError, match="forward pass"):
        networks.trace("vgg", cfg=[8, "M"], classifier="lecture")
    failed = networks.attempt("vgg", cfg=[8, "M"], classifier="lecture")
    with pytest.raises(MeasureError, match="returned nothing"):
        failed.shape("")


def test_sums() -> None:
    assert write_sum([1000, 0, 234], 1234) == "1,000 + 234 = 1,234"
    assert write_sum([1000, 234], 1000) == ""
    assert write_sum([5], 5) == ""


def test_without_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its figures cannot be measured then, which breaks nothing."""
    for module in ("googlenet.measures", "lecture.snippets"):
        monkeypatch.setattr(f"archscope.papers.{module}.find_spec", lambda name: None)
    wanted = ("googlenet.tv.params", "googlenet.tv.macs", "googlenet.tv.kernel5", "lab1062.traindata")
    entries = verify_facts([pair for pair in choose_facts(None) if pair[1].id in wanted])
    assert {entry.verdict for entry in entries} == {"not recomputable"}
    assert all("torchvision is not installed" in entry.reason and not entry.broken for entry in entries)
