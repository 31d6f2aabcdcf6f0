"""Initial weights against hand formulas; nothing on meta."""

from math import sqrt

import pytest
import torch
from torch import nn

from archscope.models.alexnet import BIASED_LAYERS
from archscope.models.layers import initialise_gaussian, initialise_he, zero_scale
from archscope.models.registry import build_model


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(777)


def test_he_by_fan_out():
    layer = nn.Conv2d(16, 256, 3)
    initialise_he(layer)
    assert layer.weight.std().item() == pytest.approx(sqrt(2 / (3 * 3 * 256)), rel=0.02)
    assert layer.weight.mean().item() == pytest.approx(0, abs=1e-3)
    assert not layer.bias.any()


def test_he_by_fan_in():
    layer = nn.Conv2d(16, 256, 3)
    initialise_he(layer, fan="fan_in")
    assert layer.weight.std().item() == pytest.approx(sqrt(2 / (3 * 3 * 16)), rel=0.02)


def test_batch_norm_is_constant_and_a_norm_without_scale_is_left():
    model = nn.Sequential(nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False))
    nn.init.normal_(model[0].weight)
    nn.init.normal_(model[0].bias)
    initialise_he(model)
    assert torch.equal(model[0].weight, torch.ones(4))
    assert torch.equal(model[0].bias, torch.zeros(4))


def test_linear_layers_only_where_asked():
    kept, drawn = nn.Linear(500, 400), nn.Linear(500, 400)
    before = kept.weight.clone()
    initialise_he(kept)
    initialise_he(drawn, linear_std=0.01)
    assert torch.equal(kept.weight, before)
    assert drawn.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert not drawn.bias.any()


def test_gaussian_with_ones():
    model = nn.ModuleDict({"conv2": nn.Conv2d(8, 128, 5), "fc8": nn.Linear(300, 300)})
    initialise_gaussian(model, 0.01, ones=("conv2",))
    assert model["conv2"].weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert torch.equal(model["conv2"].bias, torch.ones(128))
    assert not model["fc8"].bias.any()


def test_alexnet_as_published_starts_with_the_papers_biases():
    model = build_model("alexnet_2012", num_classes=10)
    ones = {
        name for name, layer in model.named_children() if getattr(layer, "bias", None) is not None and layer.bias.all()
    }
    assert ones == set(BIASED_LAYERS) == {"conv2", "conv4", "conv5", "fc6", "fc7"}
    assert model.conv3.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert model.fc7.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert not model.conv1.bias.any()


def test_vgg_is_initialised_as_the_lecture_says():
    model = build_model("vgg16_cifar_bn")
    convolution = model.features[-4]
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.weight.std().item() == pytest.approx(sqrt(2 / (3 * 3 * 512)), rel=0.02)
    assert model.classifier[3].weight.std().item() == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize(("name", "zero"), [("resnet50_cifar", True), ("resnet34_cifar", False)])
def test_zero_initialised_residuals(name, zero):
    model = build_model(name)
    scales = [block.last_norm().weight for stage in (model.layer1, model.layer4) for block in stage]
    assert all((not scale.any()) if zero else bool(scale.all()) for scale in scales)
    assert bool(model.layer1[0].bn1.weight.all())


def test_zero_init_residual_can_be_asked_for():
    assert not build_model("resnet20", zero_init_residual=True).layer1[0].bn2.weight.any()
    assert build_model("resnet50_cifar", zero_init_residual=False).layer1[0].bn3.weight.all()


def test_meta_parameters_are_left_alone_and_no_random_number_is_drawn():
    state = torch.get_rng_state()
    with torch.device("meta"):
        norm = nn.BatchNorm2d(3)
        model = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Linear(3, 3), norm)
    initialise_he(model, linear_std=0.01)
    initialise_gaussian(model, 0.01)
    zero_scale(norm)
    assert all(parameter.is_meta for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
