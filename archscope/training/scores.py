"""What a classifier returned goes in; class scores, and the loss that is trained on, come out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional

from archscope.core.errors import ModelError

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


def read_scores(output: Any, batch: int) -> Scores:
    """The scores in what forward returned for `batch` images.

    A tensor is the scores; of a named tuple, a dataclass or a dict, `logits` (or `out`) is, and whatever is named
    `aux...` is a head; of a plain tuple the first is. Raises ModelError where that is no (N, classes).
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
            "a classifier ends in (N, classes); items of the batch must stay apart",
        )
    return scores.flatten(1)
