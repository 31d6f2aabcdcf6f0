"""Parameters and MACs of the built-in models: torch's own counter against the papers and hand arithmetic."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from archscope.models.registry import build_model, default_input_shape

VGG_LINEAR_MACS = 512 * 7 * 7 * 4096 + 4096 * 4096 + 4096 * 1000
VGG_LINEAR_PARAMS = VGG_LINEAR_MACS + 4096 + 4096 + 1000
CUSTOM_STACK = [64, 64, 64, "M", 128, 128, 128, "M", 256, 256, 256, "M"]


def measure(name: str, *, size: int | None = None, train: bool = False, **arguments: object) -> tuple[int, int]:
    """Parameters and MACs (torch's FLOPs / 2) of one image on meta."""
    with torch.device("meta"):
        model = build_model(name, **arguments).train(train)
    shape = (3, size, size) if size else default_input_shape(name, **arguments)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.empty(1, *shape, device="meta"))
    return sum(parameter.numel() for parameter in model.parameters()), counter.get_total_flops() // 2


def conv3_macs(*layers: tuple[int, int, int]) -> int:
    """3x3 convolutions of stride 1, each (channels in, channels out, size of the maps)."""
    return sum(9 * inner * outer * size * size for inner, outer, size in layers)


def test_alexnet_one_tower():
    macs = (
        (11 * 11 * 3 * 96) * 55 * 55
        + (5 * 5 * 96 * 256) * 27 * 27
        + (3 * 3 * 256 * 384 + 3 * 3 * 384 * 384 + 3 * 3 * 384 * 256) * 13 * 13
        + 256 * 6 * 6 * 4096
        + 4096 * 4096
        + 4096 * 1000
    )
    weights = 11 * 11 * 3 * 96 + 5 * 5 * 96 * 256 + 3 * 3 * (256 * 384 + 384 * 384 + 384 * 256)
    params = weights + (96 + 256 + 384 + 384 + 256) + (9216 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 1000
    assert (params, macs) == (62_378_344, 1_135_256_096)
    assert measure("alexnet") == (params, macs)


def test_alexnet_as_published_is_the_one_tower_less_what_the_groups_drop():
    dropped = 5 * 5 * 48 * 256 + 3 * 3 * 192 * 384 + 3 * 3 * 192 * 256
    dropped_macs = 5 * 5 * 48 * 256 * 27 * 27 + (3 * 3 * 192 * 384 + 3 * 3 * 192 * 256) * 13 * 13
    assert dropped == 1_413_120
    assert dropped_macs == 410_849_280
    assert measure("alexnet_2012") == (62_378_344 - dropped, 1_135_256_096 - dropped_macs)
    assert measure("alexnet_2012") == (60_965_224, 724_406_816)


def test_vgg11_by_hand():
    convolutions = conv3_macs(
        *((3, 64, 224), (64, 128, 112), (128, 256, 56), (256, 256, 56)),
        *((256, 512, 28), (512, 512, 28), (512, 512, 14), (512, 512, 14)),
    )
    params = 9 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 256 + 256 * 512 + 3 * 512 * 512)
    params += 64 + 128 + 2 * 256 + 4 * 512 + VGG_LINEAR_PARAMS
    assert (params, convolutions + VGG_LINEAR_MACS) == (132_863_336, 7_609_090_048)
    assert measure("vgg11") == (132_863_336, 7_609_090_048)
    assert measure("vgg11_lrn") == (132_863_336, 7_609_090_048)


def test_vgg13_is_vgg11_with_two_more_convolutions():
    more_params = 9 * 64 * 64 + 64 + 9 * 128 * 128 + 128
    more_macs = conv3_macs((64, 64, 224), (128, 128, 112))
    assert measure("vgg13") == (132_863_336 + more_params, 7_609_090_048 + more_macs)


def test_vgg16c_is_vgg16_with_1x1_in_place_of_three_convolutions():
    fewer_params = 8 * (256 * 256 + 512 * 512 + 512 * 512)
    fewer_macs = 8 * (256 * 256 * 56 * 56 + 512 * 512 * 28 * 28 + 512 * 512 * 14 * 14)
    assert measure("vgg16c") == (138_357_544 - fewer_params, 15_470_264_320 - fewer_macs)


@pytest.mark.parametrize(
    ("name", "batch_norm_channels"),
    [
        ("vgg11", 64 + 128 + 2 * 256 + 4 * 512),
        ("vgg11_lrn", 64 + 128 + 2 * 256 + 4 * 512),
        ("vgg13", 2 * 64 + 2 * 128 + 2 * 256 + 4 * 512),
        ("vgg16c", 2 * 64 + 2 * 128 + 3 * 256 + 6 * 512),
        ("vgg16", 2 * 64 + 2 * 128 + 3 * 256 + 6 * 512),
        ("vgg19", 2 * 64 + 2 * 128 + 4 * 256 + 8 * 512),
        ("vgg16_cifar", 2 * 32 + 2 * 64 + 3 * 128 + 3 * 256 + 3 * 512),
        ("vgg19_cifar", 2 * 32 + 2 * 64 + 4 * 128 + 4 * 256 + 4 * 512),
    ],
)
def test_batch_norm_adds_two_parameters_a_channel_and_no_macs(name, batch_norm_channels):
    params, macs = measure(name)
    assert measure(f"{name}_bn") == (params + 2 * batch_norm_channels, macs)


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("vgg16c", 133_638_952, 11_770_888_192),
        ("vgg16", 138_357_544, 15_470_264_320),
        ("vgg19", 143_667_240, 19_632_062_464),
        ("vgg", 138_357_544, 15_470_264_320),
        ("googlenet", 6_998_552, 1_582_671_872),
        ("resnet34", 21_797_672, 3_663_761_408),
        ("resnet50", 25_557_032, 4_089_184_256),
        ("resnet50_v1", 25_557_032, 3_857_973_248),
        ("plain18", 11_515_688, 1_794_805_760),
        ("plain34", 21_623_848, 3_644_493_824),
        ("resnet20", 269_722, 40_551_040),
        ("plain20", 269_722, 40_551_040),
        ("resnet110", 1_727_962, 252_887_680),
        ("plain110", 1_727_962, 252_887_680),
        ("vgg16_cifar", 58_190_506, 641_081_344),
        ("vgg19_cifar", 61_287_978, 867_573_760),
        ("resnet34_cifar", 1_334_618, 247_383_296),
        ("resnet50_cifar", 1_484_186, 277_271_552),
    ],
)
def test_published_and_stated_counts(name, params, macs):
    assert measure(name) == (params, macs)


@pytest.mark.parametrize(
    ("shortcut", "params", "macs"),
    [
        ("A", 21_623_848, 3_644_493_824),
        ("B", 21_797_672, 3_663_761_408),
        ("C", 22_716_840, 3_830_747_136),
    ],
)
def test_resnet34_shortcut_options(shortcut, params, macs):
    assert measure("resnet34", shortcut=shortcut) == (params, macs)


def test_published_stride_saves_three_quarters_of_three_1x1_convolutions_and_of_no_other():
    # conv3_1, conv4_1, conv5_1: the 1x1 before the 3x3 runs on the smaller maps.
    saved = 3 * (256 * 128 * 28 * 28 + 512 * 256 * 14 * 14 + 1024 * 512 * 7 * 7)
    assert measure("resnet101_v1")[1] == measure("resnet101")[1] - saved == 7_570_194_432
    assert measure("resnet152_v1")[1] == measure("resnet152")[1] - saved == 11_282_415_616


def test_resnet50_on_small_images():
    assert measure("resnet50", size=32) == (25_557_032, 85_458_944)


def test_resnet18_with_the_cifar_stem():
    stem, stages = 9 * 3 * 64 * 32 * 32, 4 * 9 * 64 * 64 * 32 * 32
    for inner, outer, size in ((64, 128, 16), (128, 256, 8), (256, 512, 4)):
        stages += (9 * inner * outer + 3 * 9 * outer * outer + inner * outer) * size * size
    imagenet_params = 11_689_512
    params = imagenet_params - 7 * 7 * 3 * 64 + 3 * 3 * 3 * 64
    assert measure("resnet18", stem="cifar") == (params, stem + stages + 512 * 1000)


def test_resnet20_by_hand():
    macs = 9 * 3 * 16 * 32 * 32 + 6 * 9 * 16 * 16 * 32 * 32 + 64 * 10
    macs += 9 * (16 * 32 + 5 * 32 * 32) * 16 * 16 + 9 * (32 * 64 + 5 * 64 * 64) * 8 * 8
    assert macs == 40_551_040
    assert measure("resnet20")[1] == macs


def test_googlenet_with_heads_counts_them_in_training_only():
    assert measure("googlenet", aux=True, train=True) == (13_378_280, 1_591_044_096)
    assert measure("googlenet", aux=True) == (13_378_280, 1_582_671_872)
    head_macs = (512 + 528) * 128 * 4 * 4 + 2 * (2048 * 1024 + 1024 * 1000)
    assert 1_582_671_872 + head_macs == 1_591_044_096


def test_resnet1202_parameters():
    with torch.device("meta"):
        model = build_model("resnet1202")
    assert sum(parameter.numel() for parameter in model.parameters()) == 19_421_274


def test_the_lectures_stack_of_thirty_layers():
    params, _ = measure("vgg", cfg=CUSTOM_STACK, classifier=None, batch_norm=True)
    weights = 9 * (3 * 64 + 2 * 64 * 64 + 64 * 128 + 2 * 128 * 128 + 128 * 256 + 2 * 256 * 256)
    assert params == weights + 3 * 3 * (64 + 128 + 256) == 1_922_688


@pytest.mark.parametrize(("name", "depth"), [("resnet32", 32), ("resnet44", 44), ("resnet56", 56), ("plain56", 56)])
def test_cifar_family_has_6n_plus_2_layers(name, depth):
    with torch.device("meta"):
        model = build_model(name)
    weighted = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(weighted) == depth
