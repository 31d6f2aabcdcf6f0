"""Class scores in what a model returned, the loss that is trained on, and how a model does on held-out images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archscope.core.directory import keep_directory
from archscope.core.errors import ArchscopeError, ModelError, pass_interrupt
from archscope.core.progress import track
from archscope.machine.precision import Execution
from archscope.modules import keep_training_flags, set_training
from archscope.targets.failures import describe_error, find_place
from archscope.training.data.pipeline import DeviceImages

HEAD_WEIGHT = 0.3
"""Szegedy et al. 2014, section 5: the losses of the auxiliary classifiers are weighted by 0.3."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Class scores of a batch."""

    logits: Tensor
    """(N, classes)."""
    heads: tuple[Tensor, ...] = ()
    """Scores of the auxiliary classifiers, likewise."""

    def find_loss(self, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Mean cross-entropy of the batch, the heads' at 0.3 each."""
        loss = functional.cross_entropy(self.logits, labels, label_smoothing=label_smoothing)
        for head in self.heads:
            loss = loss + HEAD_WEIGHT * functional.cross_entropy(head, labels, label_smoothing=label_smoothing)
        return loss


def run_model(call: Callable[[], Any]) -> Any:
    """The result of `call`, which runs a model that may raise anything. Raises ModelError for whatever it raises.

    SystemExit and its like are the model's too: only Ctrl-C is the user's.
    """
    try:
        with keep_directory():
            return call()
    except ArchscopeError:
        raise
    except torch.OutOfMemoryError as error:
        raise ModelError(f"the device's memory is too small: {describe_error(error)}", "lower --batch-size") from error
    except BaseException as error:
        pass_interrupt(error)
        place = find_place(error)
        raise ModelError(f"the model raised {describe_error(error)}{f' (at {place})' if place else ''}") from error


def read_scores(output: Any, batch: int) -> Scores:
    """The scores in what forward returned for `batch` images.

    A tensor is the scores; of a named tuple, a dataclass or a dict, `logits` (or `out`) is, and whatever is named
    `aux...` is a head; of a plain tuple the first is. Raises ModelError where that is not (N, classes).
    """
    if isinstance(output, Tensor):
        return Scores(_flatten_scores(output, batch))
    named = _name_parts(output)
    logits = next((named[key] for key in ("logits", "out") if isinstance(named.get(key), Tensor)), None)
    if logits is None and isinstance(output, (tuple, list)) and output and isinstance(output[0], Tensor):
        logits = output[0]
    if logits is None:
        raise ModelError(f"forward returned {type(output).__name__}, not class scores", "return (N, classes)")
    heads = tuple(value for key, value in named.items() if key.startswith("aux") and isinstance(value, Tensor))
    return Scores(_flatten_scores(logits, batch), tuple(_flatten_scores(head, batch) for head in heads))


def _name_parts(output: Any) -> Mapping[str, Any]:
    if isinstance(output, Mapping):
        return {str(key): value for key, value in output.items()}
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return dict(zip(output._fields, output, strict=True))
    return {}


def _flatten_scores(scores: Tensor, batch: int) -> Tensor:
    """(N, classes), also from (N, classes, 1, 1)."""
    trailing = 1
    for size in scores.shape[2:]:
        trailing *= size
    if scores.dim() < 2 or scores.shape[0] != batch or trailing != 1:
        shape = "x".join(map(str, scores.shape)) or "a scalar"
        raise ModelError(
            f"forward returned {shape} for a batch of {batch}, not {batch} rows of class scores",
            "a classifier ends in (N, classes); the items of the batch must stay separate",
        )
    return scores.flatten(1)


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


def evaluate(module: nn.Module, images: DeviceImages, execution: Execution, options: EvaluationOptions) -> Evaluation:
    """Judge every image once; each part's training flag is put back. Raises ModelError where forward raises."""
    count = len(images)
    right = torch.zeros(options.classes, dtype=torch.float64, device=execution.device)
    total = torch.zeros(options.classes, dtype=torch.float64, device=execution.device)
    loss = torch.zeros((), dtype=torch.float64, device=execution.device)
    with keep_training_flags(module), torch.no_grad():
        run_model(lambda: set_training(module, options.in_training))
        for start in track(range(0, count, options.batch_size), "judging images", "steps"):
            batch, labels = images.cut(start, min(start + options.batch_size, count))
            logits = _score(module, batch, execution)
            loss += functional.cross_entropy(logits, labels, reduction="sum")
            right += torch.bincount(labels[logits.argmax(1) == labels], minlength=options.classes)
            total += torch.bincount(labels, minlength=options.classes)
    shares = (right / total.clamp(min=1)).tolist()
    return Evaluation(float(loss) / count, float(right.sum() / total.sum()), tuple(round(share, 6) for share in shares))


def _score(module: nn.Module, batch: Tensor, execution: Execution) -> Tensor:
    with execution.autocast():
        return read_scores(run_model(lambda: module(batch)), len(batch)).logits.float()
