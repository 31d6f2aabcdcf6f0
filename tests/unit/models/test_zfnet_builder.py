"""ZFNet: the sizes that figure 3 of Zeiler and Fergus 2014 prints, and its counts by hand."""

import torch

import archscope
from archscope.models.registry import build_model, find_entry

WEIGHTS = {
    "conv1": 7 * 7 * 3 * 96,
    "conv2": 5 * 5 * 96 * 256,
    "conv3": 3 * 3 * 256 * 384,
    "conv4": 3 * 3 * 384 * 384,
    "conv5": 3 * 3 * 384 * 256,
    "fc6": 6 * 6 * 256 * 4096,
    "fc7": 4096 * 4096,
    "fc8": 4096 * 1000,
}
POSITIONS = {"conv1": 110 * 110, "conv2": 26 * 26, "conv3": 13 * 13, "conv4": 13 * 13, "conv5": 13 * 13}
BIASES = 96 + 256 + 384 + 384 + 256 + 4096 + 4096 + 1000


def test_the_printed_sizes():
    with torch.device("meta"):
        model = build_model("zfnet").eval()
    seen: list[tuple[str, tuple[int, ...]]] = []
    for path, module in model.named_children():
        module.register_forward_hook(lambda m, i, out, path=path: seen.append((path, tuple(out.shape[1:]))))
    model(torch.empty(1, 3, 224, 224, device="meta"))
    assert [(path, shape) for path, shape in seen if not path.startswith(("relu", "drop"))] == [
        ("conv1", (96, 110, 110)),
        ("pool1", (96, 55, 55)),
        ("norm1", (96, 55, 55)),
        ("conv2", (256, 26, 26)),
        ("pool2", (256, 13, 13)),
        ("norm2", (256, 13, 13)),
        ("conv3", (384, 13, 13)),
        ("conv4", (384, 13, 13)),
        ("conv5", (256, 13, 13)),
        ("pool5", (256, 6, 6)),
        ("fc6", (4096,)),
        ("fc7", (4096,)),
        ("fc8", (1000,)),
    ]


def test_counts_by_hand():
    traced = archscope.trace("zfnet")
    assert traced.params == sum(WEIGHTS.values()) + BIASES == 62_357_608
    assert traced.macs == sum(weights * POSITIONS.get(name, 1) for name, weights in WEIGHTS.items()) == 1_168_032_896


def test_names_and_classes():
    assert find_entry("ZF-Net").name == find_entry("Zeiler-Fergus").name == "zfnet"
    # 990 class scores fewer are 990*(4096 + 1) parameters fewer.
    assert archscope.trace("zfnet", num_classes=10).params == 62_357_608 - 990 * 4097


def test_initial_weights():
    torch.manual_seed(0)
    model = build_model("zfnet", num_classes=10)
    assert abs(float(model.conv3.weight.detach().std()) - 0.01) < 1e-4
    assert not model.conv2.bias.any()
    assert not model.fc7.bias.any()
