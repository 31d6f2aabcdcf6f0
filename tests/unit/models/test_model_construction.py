"""Built on meta and for real: the same state; names and shapes as torchvision's."""

import pytest
import torch

from archscope.models.registry import build_model

SMALL = [
    *("resnet20", "resnet56", "plain20", "plain44"),
    *("resnet18_cifar", "resnet34_cifar", "resnet50_cifar", "resnet101_cifar"),
]


def shapes_of(model: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def build_on_meta(name: str, **arguments: object) -> torch.nn.Module:
    with torch.device("meta"):
        return build_model(name, **arguments)


@pytest.mark.parametrize("name", [*SMALL, "googlenet", "resnet18", "resnet50_v1", "vgg16_cifar_bn"])
def test_meta_and_real_construction_agree(name):
    on_meta, real = build_on_meta(name), build_model(name)
    assert shapes_of(on_meta) == shapes_of(real)
    assert all(tensor.is_meta for tensor in on_meta.state_dict().values())
    assert not any(tensor.is_meta for tensor in real.state_dict().values())


@pytest.mark.parametrize("name", SMALL)
def test_small_models_run_forward_and_backward(name):
    model = build_model(name)
    scores = model(torch.randn(2, 3, 32, 32))
    assert scores.shape == (2, 10)
    scores.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("shortcut", ["A", "B", "C"])
def test_every_shortcut_runs_in_every_block(shortcut):
    for name in ("resnet18", "resnet50", "resnet50_v1", "resnet20", "resnet50_cifar"):
        scores = build_on_meta(name, shortcut=shortcut)(torch.empty(2, 3, 64, 64, device="meta"))
        assert scores.shape[0] == 2


def test_the_cifar_stem_has_no_max_pool():
    model = build_on_meta("resnet18", stem="cifar")
    assert "maxpool" not in dict(model.named_modules())
    assert (model.conv1.kernel_size, model.conv1.stride, model.conv1.padding) == ((3, 3), (1, 1), (1, 1))


VGG_NAMES = [f"vgg{depth}{suffix}" for depth in (11, 13, 16, 19) for suffix in ("", "_bn")]


@pytest.mark.parametrize("name", [*VGG_NAMES, *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152))])
def test_state_is_named_and_shaped_as_torchvisions(name):
    models = pytest.importorskip("torchvision", reason="compares with torchvision").models
    with torch.device("meta"):
        theirs = getattr(models, name)(weights=None)
    ours = build_on_meta(name)
    assert list(shapes_of(ours).items()) == list(shapes_of(theirs).items())


def test_torchvisions_weights_load_and_give_the_same_scores():
    models = pytest.importorskip("torchvision", reason="compares with torchvision").models
    theirs, ours = models.resnet18(weights=None).eval(), build_model("resnet18").eval()
    ours.load_state_dict(theirs.state_dict())
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours(image), theirs(image))


def test_published_bottlenecks_stride_in_the_first_1x1():
    for name, first, second in (("resnet50", (1, 1), (2, 2)), ("resnet50_v1", (2, 2), (1, 1))):
        block = build_on_meta(name).layer2[0]
        assert (block.conv1.stride, block.conv2.stride) == (first, second)


def test_the_lectures_cifar_resnet_keeps_32x32_in_its_second_stage():
    model = build_on_meta("resnet50_cifar")
    seen = {}
    for name in ("conv1", "layer1", "layer2", "layer3", "layer4"):
        getattr(model, name).register_forward_hook(lambda m, i, out, name=name: seen.update({name: tuple(out.shape)}))
    model(torch.empty(1, 3, 32, 32, device="meta"))
    assert seen == {
        "conv1": (1, 16, 32, 32),
        "layer1": (1, 64, 32, 32),
        "layer2": (1, 128, 32, 32),
        "layer3": (1, 256, 16, 16),
        "layer4": (1, 512, 8, 8),
    }
