"""Every built-in model, as it is initialised, passes the sanity checks on small batches of real-looking images."""

import pytest
import torch
from torch.nn import functional

from archscope.models.registry import build_model, default_input_shape, list_entries
from archscope.training.checks.runner import check_training

pytestmark = pytest.mark.slow

SECONDS = 4
"""For learning a batch by heart: the largest networks are still learning then, which is a note and no fault."""

NAMES = [entry.name for entry in list_entries()]


def make_batch(shape: tuple[int, int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth colours under noise, normalised: eight images of 32x32, four of larger ones."""
    generator = torch.Generator().manual_seed(0)
    count = 8 if shape[-1] <= 64 else 4
    smooth = functional.interpolate(torch.randn(count, 3, 5, 5, generator=generator), size=shape[1:], mode="bilinear")
    return smooth + 0.3 * torch.randn(count, *shape, generator=generator), torch.arange(count)


@pytest.mark.parametrize("name", NAMES)
def test_no_false_alarm(name: str) -> None:
    torch.manual_seed(0)
    module = build_model(name, num_classes=10)
    batch = make_batch(default_input_shape(name))
    if name == "resnet1202":
        batch = (batch[0][:4], batch[1][:4])
    findings = check_training(module, batch, seconds=SECONDS)
    assert all(finding.severity == "note" for finding in findings), findings


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("googlenet", {"aux": True}),
        ("resnet18", {"stem": "cifar"}),
        ("resnet50", {"zero_init_residual": True}),
        ("resnet20", {"shortcut": "B", "zero_init_residual": True}),
        ("vgg", {"cfg": (16, 16, "M", 32, 32, "M"), "batch_norm": True}),
    ],
)
def test_no_false_alarm_with_arguments(name: str, arguments: dict[str, object]) -> None:
    torch.manual_seed(0)
    module = build_model(name, num_classes=10, **arguments)
    findings = check_training(module, make_batch(default_input_shape(name, **arguments)), seconds=SECONDS)
    assert all(finding.severity == "note" for finding in findings), findings
