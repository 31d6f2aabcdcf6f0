"""A model and held-out images go in; loss and accuracy, in all and of each class, come out."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from archscope.training.classifier import run_model
from archscope.training.machine import Machine
from archscope.training.pipeline import DeviceImages
from archscope.training.scores import read_scores


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a model did."""

    loss: float
    """Mean cross-entropy, in nats."""
    accuracy: float
    """Fraction."""
    class_accuracy: tuple[float, ...]
    """Fraction of each class; 0 of a class without images."""


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """How to judge."""

    classes: int
    batch_size: int = 500
    in_training: bool = False
    """True where the lecture's mistake is repeated: no `eval()`, so that dropout stays on and BatchNorm learns."""


def evaluate(module: nn.Module, images: DeviceImages, machine: Machine, options: EvaluationOptions) -> Evaluation:
    """Judge every image once; each part's training flag is put back. Raises ModelError where forward raises."""
    flags = {part: part.training for part in module.modules()}
    count = len(images)
    right = torch.zeros(options.classes, dtype=torch.float64, device=machine.device)
    total = torch.zeros(options.classes, dtype=torch.float64, device=machine.device)
    loss = torch.zeros((), dtype=torch.float64, device=machine.device)
    module.train(options.in_training)
    try:
        with torch.no_grad():
            for start in range(0, count, options.batch_size):
                batch, labels = images.cut(start, min(start + options.batch_size, count))
                logits = _score(module, batch, machine)
                loss += functional.cross_entropy(logits, labels, reduction="sum")
                right += torch.bincount(labels[logits.argmax(1) == labels], minlength=options.classes)
                total += torch.bincount(labels, minlength=options.classes)
    finally:
        for part, flag in flags.items():
            part.training = flag
    shares = (right / total.clamp(min=1)).tolist()
    return Evaluation(float(loss) / count, float(right.sum() / total.sum()), tuple(round(share, 6) for share in shares))


def _score(module: nn.Module, batch: Tensor, machine: Machine) -> Tensor:
    with machine.autocast():
        return read_scores(run_model(lambda: module(batch)), len(batch)).logits.float()
