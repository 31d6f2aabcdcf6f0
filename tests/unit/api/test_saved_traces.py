"""What a saved trace serves, and which option saves what it lacks."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import archscope
from archscope.core.errors import DataError

MODULES = {
    "lone": (nn.Linear(3, 4), (2, 3)),
    "free": (nn.Sequential(nn.Identity(), nn.Identity()), (2, 3)),
    "chain": (nn.Sequential(nn.Linear(3, 4), nn.ReLU()), (2, 3)),
}


def ask(summary: Any) -> list[str]:
    return [archscope.explain(summary, ".").render("plain"), archscope.table(summary).render("plain")]


@pytest.mark.parametrize("name", MODULES)
def test_with_operations_it_serves_like_the_model(name: str, tmp_path: Path) -> None:
    module, shape = MODULES[name]
    summary = archscope.trace(module, torch.zeros(shape))
    summary.save(tmp_path / "saved.json")
    assert ask(archscope.load(tmp_path / "saved.json")) == ask(summary)


@pytest.mark.parametrize("name", MODULES)
def test_without_them_it_names_the_option(name: str, tmp_path: Path) -> None:
    module, shape = MODULES[name]
    archscope.trace(module, torch.zeros(shape)).save(tmp_path / "saved.json", ops=False)
    saved = archscope.load(tmp_path / "saved.json")
    for call in (lambda: archscope.explain(saved, "."), lambda: archscope.table(saved).render("plain")):
        with pytest.raises(DataError, match="saved without its operations") as caught:
            call()
        assert "--ops -o trace.json" in caught.value.remedy


def test_a_failed_pass_names_it_too_with_its_arguments(tmp_path: Path) -> None:
    with pytest.raises(archscope.ForwardError) as caught:
        archscope.trace("vgg16", num_classes=7, inputs="1x4x32x32")
    caught.value.summary.save(tmp_path / "saved.json", ops=False)
    with pytest.raises(DataError) as told:
        archscope.explain(archscope.load(tmp_path / "saved.json"), "features.0")
    assert "archscope trace vgg16 --arg num_classes=7 --ops -o trace.json" in told.value.remedy
