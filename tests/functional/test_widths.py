"""Every command's every table, in every terminal and in a pipe: whole words, whole names, no line too long."""

from collections.abc import Callable
from functools import cache
from tempfile import mkdtemp

import pytest

from archscope import api
from archscope.rendering.report import Report
from tests.widths import WIDTHS, check_report

REPORTS: dict[str, Callable[[], Report]] = {
    **{
        f"table {name}": lambda name=name: api.table(name)  # type: ignore[misc]
        for name in ("vgg", "resnet", "resnet-cifar", "googlenet", "ilsvrc", "alexnet", "vgg16", "resnet152")
    },
    "table googlenet --style cs231n": lambda: api.table("googlenet", style="cs231n"),
    "table alexnet --receptive": lambda: api.table("alexnet", receptive=True),
    "trace googlenet": lambda: api.trace("googlenet"),
    "trace resnet50": lambda: api.trace("resnet50"),
    "trace torchvision:densenet121": lambda: api.trace("torchvision:densenet121"),
    "trace torchvision:vit_b_16": lambda: api.trace("torchvision:vit_b_16"),
    "models": api.list_models,
    "explain alexnet conv1": lambda: api.explain("alexnet", "conv1"),
    "explain resnet50 layer1.0": lambda: api.explain("resnet50", "layer1.0"),
    "explain vgg16 features.24:features.28": lambda: api.explain("vgg16", "features.24:features.28"),
    "fit": lambda: api.fit("resnet18", memory="16GiB", training=True),
    "fit --batch": lambda: api.fit("vgg16", memory="1GiB", batch=64),
    "verify": api.verify,
    "verify googlenet": lambda: api.verify("googlenet"),
    "verify --verdict agrees": lambda: api.verify(verdicts=("agrees",)),
    "verify --verdict not-recomputable": lambda: api.verify(verdicts=("not-recomputable",)),
    "verify --counters": lambda: api.compare_counters("resnet18"),
    "verify --counters torchvision": lambda: api.compare_counters("torchvision:mobilenet_v3_small"),
    "bench": lambda: api.benchmark("resnet20", "plain20", device="cpu", seconds=0.2),
    "bench --layers": lambda: api.benchmark("resnet20", device="cpu", seconds=0.2, layers=True),
    "bench --dtype": lambda: api.benchmark("resnet20", device="cpu", dtype="fp32,bf16", seconds=0.2, train_steps=5),
    "train --check-only": lambda: api.train("resnet20", data="synthetic", check_only=True, run_dir=mkdtemp()),
}


@cache
def build(name: str) -> Report:
    """Made once for all widths."""
    return REPORTS[name]()


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", REPORTS)
def test_a_command(name: str, width: int | None) -> None:
    check_report(build(name), width)
