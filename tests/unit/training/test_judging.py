"""How a model is judged, and what is said of a run at chance."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archscope.machine.precision import Execution
from archscope.training.checks.labels import Outcome, check_labels
from archscope.training.data.images import Data
from archscope.training.data.pipeline import DeviceImages, PipelineOptions
from archscope.training.evaluation import EvaluationOptions, evaluate

EXECUTION = Execution(torch.device("cpu"))


def load(data: Data) -> DeviceImages:
    return DeviceImages(data.test, PipelineOptions((0.5,) * 3, (0.5,) * 3), torch.device("cpu"))


class Knows(nn.Module):
    """Says the class of the brightest stripe, but never the last."""

    def forward(self, x: Tensor) -> Tensor:
        stripes = torch.stack([x[:, 0, :2].mean((1, 2)), x[:, 1, 2:5].mean((1, 2)), x[:, 2, :0].sum((1, 2)) - 9], 1)
        return stripes * 100


def test_accuracy_of_all_and_of_each_class(data: Data) -> None:
    result = evaluate(Knows(), load(data), EXECUTION, EvaluationOptions(3, batch_size=7))
    assert result.class_accuracy == (1.0, 1.0, 0.0)
    assert result.accuracy == pytest.approx(2 / 3)


def test_the_loss_is_the_mean_over_the_images(data: Data, make_net: Callable[..., nn.Sequential]) -> None:
    net, images = make_net(), load(data)
    result = evaluate(net, images, EXECUTION, EvaluationOptions(3, batch_size=7))
    batch, labels = images.cut(0, 30)
    with torch.no_grad():
        expected = functional.cross_entropy(net.eval()(batch), labels)
    assert result.loss == pytest.approx(float(expected), rel=1e-5)


def test_flags_are_put_back_and_statistics_stay(data: Data, make_net: Callable[..., nn.Sequential]) -> None:
    net = make_net()
    net[1].eval()
    evaluate(net, load(data), EXECUTION, EvaluationOptions(3))
    assert net.training
    assert not net[1].training
    assert int(net[4].num_batches_tracked) == 0
    evaluate(net, load(data), EXECUTION, EvaluationOptions(3, in_training=True))
    assert int(net[4].num_batches_tracked) == 1
    assert not net[1].training


@pytest.mark.parametrize(
    ("test", "known", "words"),
    [
        (0.10, 0.40, "at chance while the training loss falls"),
        (0.05, 0.12, "far below chance"),
        (0.20, 0.12, "classified better (20.0%) than the training images (12.0%)"),
    ],
)
def test_labels_that_do_not_belong(test: float, known: float, words: str) -> None:
    (finding,) = check_labels(Outcome(10, test, 10_000, known_accuracy=known, known_images=2_000, steps=100))
    assert (finding.severity, finding.code) == ("error", "labels-shuffled")
    assert words in finding.message
    assert "shuffled" in finding.remedy


@pytest.mark.parametrize(("accuracy", "images", "classes"), [(0.5, 2000, 2), (0.52, 2000, 2), (0.0, 10, 10)])
def test_nothing_learned_is_a_warning(accuracy: float, images: int, classes: int) -> None:
    (finding,) = check_labels(
        Outcome(classes, accuracy, images, known_accuracy=1 / classes, known_images=2_000, steps=8)
    )
    assert (finding.severity, finding.code) == ("warning", "at-chance")
    assert "8 steps" in finding.message


def test_few_images_prove_nothing() -> None:
    """A sound net after one epoch on 60 images: 14 of 30 held-out ones right, 36 of 60 others."""
    assert check_labels(Outcome(3, 14 / 30, 30, 36 / 60, 60, 30))[0].severity == "warning"
    assert check_labels(Outcome(3, 20 / 30, 30, 36 / 60, 60, 30)) == []


@pytest.mark.parametrize(("test", "known"), [(0.2, 0.9), (0.2, 0.2), (0.15, 0.13)])
def test_something_learned_is_fine(test: float, known: float) -> None:
    assert check_labels(Outcome(10, test, 10_000, known, 2_000, 100)) == []
