"""A changed model changes what is measured and what is said of it: nothing is copied from a list of answers."""

from dataclasses import replace
from typing import Any

import pytest

from archscope.models import alexnet, googlenet, resnet, vgg_rows
from archscope.models import resnet as resnet_cifar
from archscope.papers.ledger import Entry, verify_facts
from archscope.papers.networks import Networks
from archscope.papers.published import choose_facts


def verify(*identifiers: str) -> dict[str, Entry]:
    chosen = [pair for pair in choose_facts(None) if pair[1].id in identifiers]
    return {entry.fact.id: entry for entry in verify_facts(chosen)}


def test_a_stride_in_alexnet(monkeypatch: pytest.MonkeyPatch) -> None:
    row = replace(alexnet.ONE_TOWER[0], stride=5, padding=3)
    monkeypatch.setattr("archscope.models.alexnet.ONE_TOWER", (row, *alexnet.ONE_TOWER[1:]))
    monkeypatch.setattr("archscope.models.alexnet.AlexNet.__init__.__defaults__", ((row, *alexnet.ONE_TOWER[1:]), 1000))
    found = verify("cs231n.conv1.output_shape", "cs231n.conv1.filters")
    # floor((227 + 6 - 11)/5) + 1 = 45; the classifier no longer fits, so forward fails and there is no value.
    assert all(entry.failed and entry.broken and entry.value is None for entry in found.values())
    assert "forward pass of alexnet failed" in found["cs231n.conv1.output_shape"].reason


def test_a_padding_in_alexnet(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (*alexnet.ONE_TOWER[:4], replace(alexnet.ONE_TOWER[4], out_channels=256, kernel=1, padding=0))
    monkeypatch.setattr("archscope.models.alexnet.AlexNet.__init__.__defaults__", (rows, 1000))
    found = verify("cs231n.conv5.filters", "cs231n.conv4.filters")
    assert found["cs231n.conv5.filters"].measured == "256 1x1 filters at stride 1, pad 0"
    assert found["cs231n.conv5.filters"].verdict == "wrong"
    assert found["cs231n.conv5.filters"].unexplained
    assert found["cs231n.conv4.filters"].verdict == "agrees"


def test_a_width_in_googlenet(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ("googlenet.3a.columns", "googlenet.3a.params", "googlenet.3b.params", "googlenet.total.macs")
    before = verify(*wanted)
    monkeypatch.setitem(googlenet.TABLE_1, "3a", replace(googlenet.TABLE_1["3a"], conv1=65))
    after = verify(*wanted)
    assert before["googlenet.3a.columns"].verdict == "agrees"
    assert after["googlenet.3a.columns"].verdict == "wrong"
    # One more 1x1 filter on 192 channels here, one more input of the four 1x1 convolutions there.
    assert after["googlenet.3a.params"].value == before["googlenet.3a.params"].value + 192
    assert after["googlenet.3b.params"].value == before["googlenet.3b.params"].value + 128 + 128 + 32 + 64
    assert after["googlenet.total.macs"].value > before["googlenet.total.macs"].value
    # The printed 159K, cut from 159.50, is nearest to 159.69 neither: still cut.
    assert (before["googlenet.3a.params"].verdict, after["googlenet.3a.params"].verdict) == ("rounded", "rounded")


def test_the_input_channels_that_explain_5a(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verify("googlenet.5a.params")["googlenet.5a.params"].verdict == "inconsistent"
    monkeypatch.setitem(googlenet.TABLE_1, "4e", replace(googlenet.TABLE_1["4e"], conv1=352))
    found = verify("googlenet.5a.params", "googlenet.5a.ops", "googlenet.4e.output_size")
    # 96 more channels from 4e make the 928 that the printed figures need.
    assert found["googlenet.5a.params"].value == 1072 * 1024
    assert found["googlenet.5a.params"].verdict == found["googlenet.5a.ops"].verdict == "agrees"
    assert not found["googlenet.5a.params"].explanation
    assert found["googlenet.4e.output_size"].verdict == "wrong"


def test_a_row_of_vgg(monkeypatch: pytest.MonkeyPatch) -> None:
    row = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, "M")
    monkeypatch.setitem(vgg_rows.TABLE_1, "A", row)
    found = verify("vgg.t1.A.weight_layers", "vgg.t1.A.conv5_2", "vgg.t1.A.conv5_1", "vgg.t2.A.params")
    assert found["vgg.t1.A.weight_layers"].value == 10
    assert found["vgg.t1.A.weight_layers"].verdict == "wrong"
    assert found["vgg.t1.A.conv5_2"].failed
    assert found["vgg.t1.A.conv5_1"].verdict == "agrees"
    # Without 512*512*9 + 512 parameters 130.5 million are left.
    assert found["vgg.t2.A.params"].value == 132_863_336 - 512 * 512 * 9 - 512
    assert found["vgg.t2.A.params"].verdict == "wrong"


def test_blocks_of_resnet(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = replace(resnet.LAYOUTS["resnet50_v1"], counts=(3, 4, 5, 3), stride_in_1x1=False)
    monkeypatch.setitem(resnet.LAYOUTS, "resnet50_v1", layout)
    found = verify(
        "resnet.t1.50.conv4_x.blocks", "resnet.t1.50.weight_layers", "resnet.t1.stride", "resnet.t1.50.flops"
    )
    assert found["resnet.t1.50.conv4_x.blocks"].measured == "[1x1, 256; 3x3, 256; 1x1, 1024] x5"
    assert found["resnet.t1.50.weight_layers"].value == 47
    assert found["resnet.t1.stride"].verdict == "wrong"
    # 4,089,184,256 less one block of conv4_x: (2*1024*256 + 9*256*256)*14*14 = 218,365,952; that is 3.9 billion.
    assert found["resnet.t1.50.flops"].value == 4_089_184_256 - 218_365_952
    assert all(entry.verdict == "wrong" for name, entry in found.items() if not name.endswith("flops"))


def test_planes_that_make_the_shape_comments_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resnet_cifar, "LECTURE_PLANES", (32, 64, 128, 256))
    names = [f"lecture.resnet.shape.layer{stage}" for stage in (1, 2, 3, 4)]
    found = verify(*names, "lecture.resnet.shape.conv1")
    assert [found[name].verdict for name in names] == ["agrees"] * 4
    assert found["lecture.resnet.shape.conv1"].verdict == "wrong"
    assert found["lecture.resnet.shape.conv1"].value == (1, 32, 32, 32)


def test_weights_drawn_as_the_slide_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(module: Any, *, fan: str) -> None:
        module.weight.data.normal_(0, (2 / 27) ** 0.25)

    monkeypatch.setattr("archscope.papers.lecture.training.initialise_he", draw)
    assert verify("lecture.he.var")["lecture.he.var"].verdict == "agrees"


def test_a_network_is_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    keep = Networks._keep

    def count(self: Networks, key: Any, observe: Any) -> Any:
        def observe_and_count() -> Any:
            made.append(key[0])
            return observe()

        return keep(self, key, observe_and_count)

    monkeypatch.setattr(Networks, "_keep", count)
    verify_facts(choose_facts("vgg.t1.A"))
    assert made == ["vgg11"]
