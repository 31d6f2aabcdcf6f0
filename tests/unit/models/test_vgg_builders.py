"""VGG: rows of words, the layers they make, and the lecture's class."""

import pytest
import torch
from torch import nn

from archscope.models.registry import build_model
from archscope.models.vgg import make_layers
from archscope.models.vgg_rows import LECTURE_CIFAR, TABLE_1, Conv, Norm, Pool, read_row

CUSTOM_STACK = [64, 64, 64, "M", 128, 128, 128, "M", 256, 256, 256, "M"]


def build_on_meta(name: str, **arguments: object) -> nn.Module:
    with torch.device("meta"):
        return build_model(name, **arguments)


@pytest.mark.parametrize(
    ("column", "weight_layers"), [("A", 11), ("A-LRN", 11), ("B", 13), ("C", 16), ("D", 16), ("E", 19)]
)
def test_columns_have_the_weight_layers_table_1_prints(column, weight_layers):
    items = read_row(TABLE_1[column])
    assert sum(isinstance(item, Conv) for item in items) + 3 == weight_layers
    assert sum(isinstance(item, Pool) for item in items) == 5


@pytest.mark.parametrize(("row", "convolutions"), [("vgg16", 13), ("vgg19", 16)])
def test_the_lectures_cifar_rows_keep_three_pools(row, convolutions):
    items = read_row(LECTURE_CIFAR[row])
    assert sum(isinstance(item, Conv) for item in items) == convolutions
    assert sum(isinstance(item, Pool) for item in items) == 3


def test_words():
    assert read_row([64, "conv1-256", "CONV5-8", "lrn", " m "]) == (
        Conv(64, 3),
        Conv(256, 1),
        Conv(8, 5),
        Norm(),
        Pool(),
    )
    assert [Conv(1, kernel).padding for kernel in (1, 3, 5)] == [0, 1, 2]
    assert read_row("conv3-8") == (Conv(8),)


def test_the_bare_stack_is_the_lectures_sequential():
    model = build_on_meta("vgg", cfg=CUSTOM_STACK, classifier=None, batch_norm=True)
    assert type(model) is nn.Sequential
    assert [name for name, _ in model.named_children()] == [str(index) for index in range(30)]
    stage = ["Conv2d", "BatchNorm2d", "ReLU"] * 3 + ["MaxPool2d"]
    assert [type(layer).__name__ for layer in model] == stage * 3


def test_a_fitted_classifier_takes_any_stack_and_the_lectures_does_not():
    x = torch.empty(1, 3, 224, 224, device="meta")
    assert build_on_meta("vgg", cfg=CUSTOM_STACK)(x).shape == (1, 1000)
    with pytest.raises(RuntimeError):
        build_on_meta("vgg", cfg=CUSTOM_STACK, classifier="lecture")(x)


def test_column_c_has_three_1x1_convolutions_without_padding():
    layers = [m for m in build_on_meta("vgg16c").features if isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1)]
    assert [(layer.out_channels, layer.padding) for layer in layers] == [(256, (0, 0)), (512, (0, 0)), (512, (0, 0))]


def test_column_a_lrn_normalises_between_the_first_relu_and_pool():
    features = build_on_meta("vgg11_lrn").features
    assert [type(layer).__name__ for layer in features][:4] == ["Conv2d", "ReLU", "LocalResponseNorm", "MaxPool2d"]
    norm = features[2]
    assert (norm.size, norm.alpha, norm.beta, norm.k) == (5, 5 * 1e-4, 0.75, 2.0)


def test_the_cifar_classifier_reads_4x4_maps_without_a_pool():
    model = build_on_meta("vgg16_cifar")
    assert model.avgpool is None
    assert model.classifier[0].in_features == 512 * 4 * 4
    assert model.classifier[6].out_features == 10


def test_a_small_stack_runs_for_real():
    features = make_layers([4, "LRN", "M", "conv1-6"], batch_norm=True)
    assert features(torch.randn(2, 3, 8, 8)).shape == (2, 6, 4, 4)
