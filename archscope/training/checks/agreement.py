"""Passes that must agree: under one seed, with other images in the batch, and in eval mode after training mode.

Where two do not, the first layer whose outputs differ is named.
"""

from collections.abc import Callable
from math import log
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archscope.core.finding import Finding
from archscope.modules import find_module, name_buffers, set_training
from archscope.tracing.calls import observe_calls
from archscope.tracing.observer import ForwardObserver, ModuleCall
from archscope.training.checks.candidate import Candidate, keep_dropout_off, list_batch_norms, recalibrate
from archscope.training.evaluation import read_scores, run_model
from archscope.training.trainer import seed_generators

SEED = 20_09
SAME = 1e-5
"""Two losses under one seed may differ by this share."""
TOLERANCE = 1e-4
"""Share of the largest score by which other images of the batch may change a score."""
LARGEST_RISE = 0.5
"""Of the loss from training to eval mode, as a share of ln(classes)."""


def check_repeatability(candidate: Candidate) -> list[Finding]:
    """Two passes in training mode under one seed; buffers are put back, random states are not."""
    buffers = {name: buffer.clone() for name, buffer in name_buffers(candidate.module)}
    losses = []
    for _ in range(2):
        seed_generators(SEED)
        set_training(candidate.module)
        with torch.no_grad():
            losses.append(float(candidate.find_loss()))
            for name, buffer in name_buffers(candidate.module):
                buffer.copy_(buffers[name])
    first, second = losses
    if not abs(first - second) > SAME * max(1.0, abs(first)):
        return []
    return [
        Finding(
            severity="error",
            code="not-repeatable",
            message="two passes under the same seed give different losses",
            place=_find_drawing_layer(candidate),
            expected=f"{first:.7g} twice",
            measured=f"{first:.7g} and {second:.7g}",
            remedy="draw random numbers from torch (or from the global random and numpy.random), and keep no state "
            "between calls of forward",
        )
    ]


def _find_drawing_layer(candidate: Candidate) -> str:
    """The first layer whose output differs between two passes under one seed."""

    def run() -> None:
        seed_generators(SEED)
        with torch.no_grad():
            candidate.run()

    return find_first_difference(candidate.module, run, run, rows=slice(None))


def check_batch_leak(candidate: Candidate) -> list[Finding]:
    """Change all images but the first, and compare the first one's scores; BatchNorm is recalibrated before."""
    if len(candidate.images) < 2:
        return []
    recalibrate(candidate)
    noise = torch.randn(candidate.images.shape, generator=torch.Generator().manual_seed(1)).to(candidate.images)
    changed = noise * candidate.images.std() + candidate.images.mean()
    changed[0] = candidate.images[0]

    def run(images: torch.Tensor) -> torch.Tensor:
        seed_generators(SEED)
        set_training(candidate.module, False)
        with torch.no_grad():
            return read_scores(run_model(lambda: candidate.module(images)), len(images)).logits

    before, after = run(candidate.images)[0], run(changed)[0]
    if not differs(before, after, TOLERANCE):
        return []
    place = find_first_difference(
        candidate.module, lambda: run(candidate.images), lambda: run(changed), rows=slice(0, 1), tolerance=TOLERANCE
    )
    return [
        Finding(
            severity="error",
            code="batch-leak",
            message="in eval mode, the scores of one image depend on the other images of the batch; they mix in "
            f"{place or 'forward'} or just before it",
            place=place,
            expected="the same scores whatever else is in the batch",
            measured=f"scores that differ by {float((before - after).abs().max()):.3g}",
            remedy=_advise_on_leak(candidate, place),
        )
    ]


def _advise_on_leak(candidate: Candidate, place: str) -> str:
    part = find_module(candidate.module, place)
    if "BatchNorm" in type(part).__name__:
        return "it normalises by the batch in eval mode: let it track running statistics"
    return "look for a view or reshape that moves the batch dimension, or a mean, softmax or normalisation over it"


def check_eval_mode(candidate: Candidate) -> list[Finding]:
    """Compare the batch's loss in both modes, dropout off, after recalibration."""
    if not list_batch_norms(candidate.module):
        return []
    recalibrate(candidate)

    def find_loss(training: str) -> float:
        with torch.no_grad(), keep_dropout_off(candidate.module):
            if training == "eval":
                set_training(candidate.module, False)
            scores = candidate.find_scores()
            return float(functional.cross_entropy(scores.logits, candidate.labels))

    trained, evaluated = find_loss("train"), find_loss("eval")
    recalibrate(candidate)
    allowed = LARGEST_RISE * log(max(candidate.find_scores().logits.shape[1], 2))
    if evaluated - trained <= allowed:
        return []
    place = find_first_difference(
        candidate.module, lambda: find_loss("train"), lambda: find_loss("eval"), rows=slice(None), tolerance=0.5
    )
    return [
        Finding(
            severity="error",
            code="batch-norm",
            message="the loss is much higher in eval mode than in training mode, although BatchNorm's statistics were "
            f"just computed from the same images; the outputs first differ at {place or 'no single layer'}",
            place=place,
            expected=f"a loss near {trained:.3f}",
            measured=f"{evaluated:.3f} in eval mode",
            remedy="look for a BatchNorm that is called on different inputs within one pass, and for what forward does "
            "differently under self.training",
        )
    ]


class _OutputKeeper(ForwardObserver[ModuleCall]):
    """Keeps the outputs of the layers without children, in the order of their calls."""

    call_type = ModuleCall

    def __init__(self, root: nn.Module, rows: slice) -> None:
        super().__init__(root)
        self._rows = rows
        self.outputs: list[tuple[str, Tensor]] = []

    def on_return(self, call: ModuleCall, output: Any) -> None:
        """Keep a copy: what follows may change it in place."""
        if call.is_layer and isinstance(output, Tensor) and output.dim() > 0:
            self.outputs.append((call.place.path, output.detach()[self._rows].float().cpu().clone()))


def find_first_difference(
    module: nn.Module, first: Callable[[], Any], second: Callable[[], Any], *, rows: slice, tolerance: float = 1e-4
) -> str:
    """The path of the first layer whose output, cut to `rows`, differs by more than `tolerance` of its largest value.

    Where the two passes call different layers, that of the first such call; empty where there is none.
    """
    keepers = (_OutputKeeper(module, rows), _OutputKeeper(module, rows))
    for keeper, run in zip(keepers, (first, second), strict=True):
        with observe_calls(keeper):
            run()
    for (path, one), (other_path, other) in zip(keepers[0].outputs, keepers[1].outputs, strict=False):
        if path != other_path or one.shape != other.shape:
            return path
        if differs(one, other, tolerance):
            return path
    return ""


def differs(one: Tensor, other: Tensor, tolerance: float) -> bool:
    """Whether the largest difference is more than `tolerance` of the largest value; NaN in either differs."""
    if one.numel() == 0:
        return False
    return not float((one - other).abs().max()) <= tolerance * max(float(one.abs().max()), 1e-12)
