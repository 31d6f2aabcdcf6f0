"""The first forward pass in training mode, without dropout: what the checks of an untrained model read."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from archscope.training.checks.layers import Observations, observe_scales
from archscope.training.checks.subject import Candidate, keep_dropout_off, list_batch_norms
from archscope.training.evaluation import read_scores


@dataclass(frozen=True, slots=True)
class Start:
    """What the untrained model did with the batch."""

    seen: Observations
    logits: Tensor
    """(N, classes), float32, on the CPU."""
    labels: Tensor
    """(N,), on the CPU."""
    last_op: str
    """Name of the operation that made the scores: `softmax`, `relu`, `addmm`, ...; empty where there is none."""
    loss: float
    stuck_norms: tuple[str, ...]
    """BatchNorms that ran in training mode and whose running mean stayed what it was."""

    @property
    def last_layer(self) -> str:
        """The path of the layer that was called last."""
        return self.seen.layers[-1].path if self.seen.layers else ""

    @property
    def finite(self) -> bool:
        """Whether the loss is a number."""
        return bool(torch.isfinite(torch.tensor(self.loss)))


def observe_start(subject: Candidate) -> Start:
    """Run the batch once; BatchNorm's running statistics move. Raises ModelError where forward raises."""
    norms = list_batch_norms(subject.module)
    with keep_dropout_off(subject.module):
        before = {path: _copy(norm.running_mean) for path, norm in norms.items() if norm.training}
        seen, output = observe_scales(subject.module, subject.run)
    scores = read_scores(output, len(subject.images))
    called = {layer.path for layer in seen.layers}
    stuck = [
        path
        for path, mean in before.items()
        if path in called and mean is not None and torch.equal(mean, norms[path].running_mean)  # type: ignore[arg-type]
    ]
    in_range = subject.labels.clamp(0, scores.logits.shape[1] - 1)
    return Start(
        seen=seen,
        logits=scores.logits.detach().float().cpu(),
        labels=subject.labels.cpu(),
        last_op=next(_walk_ops(scores.logits), ""),
        loss=float(scores.find_loss(in_range).detach()) / (1 + 0.3 * len(scores.heads)),
        stuck_norms=tuple(stuck),
    )


def _copy(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().clone()


_PASSED = ("View", "Reshape", "Unsafe", "Squeeze", "Flatten", "Alias", "Clone", "ToCopy", "Slice")
"""Beginnings of operations that only rearrange."""


def _walk_ops(scores: Tensor) -> Iterator[str]:
    """Names of the operations that made `scores`, the last first, without those that only rearrange."""
    node = scores.grad_fn
    while node is not None:
        name = node.name().removeprefix("torch::autograd::").rstrip("0123456789").removesuffix("Backward")
        if not name.startswith(_PASSED):
            yield name.casefold()
        node = node.next_functions[0][0] if node.next_functions else None
