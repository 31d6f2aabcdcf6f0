"""GoogLeNet: branch shapes and the sizes of Table 1."""

import pytest
import torch

from archscope.models.googlenet import TABLE_1, GoogLeNetOutput, Inception
from archscope.models.registry import build_model


def build_on_meta(**arguments: object) -> torch.nn.Module:
    with torch.device("meta"):
        return build_model("googlenet", **arguments)


def test_the_sizes_of_table_1():
    model = build_on_meta().eval()
    seen = {}
    for path, module in model.named_children():
        module.register_forward_hook(lambda m, i, out, path=path: seen.update({path: tuple(out.shape[1:])}))
    model(torch.empty(1, 3, 224, 224, device="meta"))
    expected = {
        "conv1": (64, 112, 112),
        "pool1": (64, 56, 56),
        "conv2": (192, 56, 56),
        "pool2": (192, 28, 28),
        "inception_3a": (256, 28, 28),
        "inception_3b": (480, 28, 28),
        "pool3": (480, 14, 14),
        "inception_4a": (512, 14, 14),
        "inception_4b": (512, 14, 14),
        "inception_4c": (512, 14, 14),
        "inception_4d": (528, 14, 14),
        "inception_4e": (832, 14, 14),
        "pool4": (832, 7, 7),
        "inception_5a": (832, 7, 7),
        "inception_5b": (1024, 7, 7),
        "avgpool": (1024, 1, 1),
        "fc": (1000,),
    }
    assert {path: seen[path] for path in expected} == expected


def test_inception_3a_for_real():
    module = Inception(192, TABLE_1["3a"])
    x = torch.randn(1, 192, 5, 5)
    assert [module.branch1x1(x).shape[1], module.branch3x3(x).shape[1]] == [64, 128]
    assert [module.branch5x5(x).shape[1], module.branch_pool(x).shape[1]] == [32, 32]
    assert module(x).shape == (1, 64 + 128 + 32 + 32, 5, 5)
    assert module.branch5x5.conv.weight.shape == (32, 16, 5, 5)
    # Table 1 prints 159K without biases; by hand with them:
    weights = 192 * 64 + 192 * 96 + 96 * 128 * 9 + 192 * 16 + 16 * 32 * 25 + 192 * 32
    assert sum(p.numel() for p in module.parameters()) == weights + 64 + 96 + 128 + 16 + 32 + 32


def test_the_concatenation_keeps_the_order_of_the_figure():
    module = Inception(192, TABLE_1["3a"])
    x = torch.randn(1, 192, 5, 5)
    assert torch.equal(module(x)[:, 64 : 64 + 128], module.branch3x3(x))


def test_heads_answer_in_training_only():
    x = torch.empty(2, 3, 224, 224, device="meta")
    model = build_on_meta(aux=True, num_classes=10)
    trained = model.train()(x)
    assert type(trained) is GoogLeNetOutput
    assert [tuple(scores.shape) for scores in (trained.logits, trained.aux1, trained.aux2)] == [(2, 10)] * 3
    assert model.eval()(x).shape == (2, 10)


@pytest.mark.parametrize("train", [True, False])
def test_without_heads_there_is_one_output(train):
    model = build_on_meta().train(train)
    assert model(torch.empty(2, 3, 224, 224, device="meta")).shape == (2, 1000)
    assert model.aux1 is None


def test_dropout_as_printed():
    model = build_on_meta(aux=True)
    assert (model.dropout.p, model.aux1.dropout.p, model.aux2.dropout.p) == (0.4, 0.7, 0.7)
