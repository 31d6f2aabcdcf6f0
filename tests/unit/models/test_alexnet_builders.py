"""AlexNet: the order of its layers and the settings the lecture's table and the paper print."""

import pytest
import torch
from torch import nn

from archscope.models.registry import build_model


def run_on_meta(name: str) -> list[tuple[str, tuple[int, ...]]]:
    """Leaf modules in the order they ran, with their outputs (C, H, W)."""
    with torch.device("meta"):
        model = build_model(name).eval()
    seen: list[tuple[str, tuple[int, ...]]] = []
    for path, module in model.named_children():
        module.register_forward_hook(lambda m, i, out, path=path: seen.append((path, tuple(out.shape[1:]))))
    model(torch.empty(1, 3, 227, 227, device="meta"))
    return seen


def test_the_lectures_rows():
    rows = [(path, shape) for path, shape in run_on_meta("alexnet") if not path.startswith(("relu", "drop"))]
    assert rows == [
        ("conv1", (96, 55, 55)),
        ("pool1", (96, 27, 27)),
        ("norm1", (96, 27, 27)),
        ("conv2", (256, 27, 27)),
        ("pool2", (256, 13, 13)),
        ("norm2", (256, 13, 13)),
        ("conv3", (384, 13, 13)),
        ("conv4", (384, 13, 13)),
        ("conv5", (256, 13, 13)),
        ("pool3", (256, 6, 6)),
        ("fc6", (4096,)),
        ("fc7", (4096,)),
        ("fc8", (1000,)),
    ]


def test_the_published_network_normalises_before_it_pools():
    paths = [path for path, _ in run_on_meta("alexnet_2012")]
    assert paths[:8] == ["conv1", "relu1", "norm1", "pool1", "conv2", "relu2", "norm2", "pool2"]


@pytest.mark.parametrize(("name", "groups"), [("alexnet", [1, 1, 1, 1, 1]), ("alexnet_2012", [1, 2, 1, 2, 2])])
def test_groups(name, groups):
    with torch.device("meta"):
        model = build_model(name)
    assert [module.groups for module in model.modules() if isinstance(module, nn.Conv2d)] == groups


def test_local_response_normalisation_follows_the_papers_formula():
    with torch.device("meta"):
        norm = build_model("alexnet").norm1
    x = torch.arange(1.0, 8.0).reshape(1, 7, 1, 1)
    # Channel 3 (value 4) sums the squares of channels 1 to 5 (values 2 to 6): section 3.3.
    expected = 4 / (2 + 1e-4 * (4 + 9 + 16 + 25 + 36)) ** 0.75
    assert norm(x)[0, 3, 0, 0].item() == pytest.approx(expected, rel=1e-6)
