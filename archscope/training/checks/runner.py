"""Runs the sanity checks: registration, the first pass, three steps, then the costly ones where all was well."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from archscope.core.errors import UsageError
from archscope.core.finding import Finding
from archscope.core.progress import show_stage
from archscope.modules import iterate_parameters, name_parameters
from archscope.tracing.isolation import keep_random_state
from archscope.training.checks.activations import check_activations, check_running_statistics
from archscope.training.checks.agreement import check_batch_leak, check_eval_mode, check_repeatability
from archscope.training.checks.candidate import Candidate
from archscope.training.checks.data import check_inputs, check_loss_at_init, check_outputs
from archscope.training.checks.learning import check_overfitting
from archscope.training.checks.registration import check_registration
from archscope.training.checks.start import Start, observe_start
from archscope.training.checks.steps import check_gradients, check_parameter_updates, take_steps
from archscope.training.classifier import copy_module
from archscope.training.data.images import ImageSet

START_CHECKS: tuple[Callable[[Start], list[Finding]], ...] = (
    check_inputs,
    check_outputs,
    check_activations,
    check_loss_at_init,
    check_running_statistics,
)
"""What is read off the first forward pass."""

ROUNDS = 6
"""From the first forward pass to eval mode; the last two are costly."""

SMALL_BATCH, LARGE_BATCH = 4, 8
"""Images of a check: fewer where they are large."""


def check_training(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    *,
    optimizer: torch.optim.Optimizer | None = None,
    seconds: float = 60.0,
) -> tuple[Finding, ...]:
    """See whether `model`, a classifier, can be trained on batches like this one.

    Args:
        model: returns class scores (N, classes), or a tuple, named tuple or dict with `logits`. A copy is checked.
        batch: images (N, ...) as the model would get them, and labels (N,) from 0.
        optimizer: the one that will train the model; without it, one that holds every parameter is assumed.
        seconds: how long memorising the batch may take.

    Returns:
        What was found, errors first; empty where all is well. A note (slow, frozen) is nothing wrong.

    Raises:
        ModelError: forward raised, or returned no class scores.
        TargetError: the model cannot be copied.
        UsageError: the batch is no pair of images and labels.
    """
    images, labels = _read_batch(batch)
    device = next((tensor.device for tensor in iterate_parameters(model)), images.device)
    held = None if optimizer is None else _name_held(model, optimizer)
    floating = images if images.dtype.is_floating_point else images.to(torch.get_default_dtype())
    candidate = Candidate(copy_module(model), floating.to(device), labels.to(device), held, seconds)
    return check_candidate(candidate)


def check_candidate(candidate: Candidate) -> tuple[Finding, ...]:
    """Run every check, in order; the costly ones only where nothing was found before. The candidate is used up."""
    with keep_random_state(), _keep_gradients_on():
        findings = sorted(_run_checks(candidate), key=lambda finding: _RANKS[finding.severity])
    return tuple(findings)


_RANKS = {"error": 0, "warning": 1, "note": 2}


def _run_checks(candidate: Candidate) -> Iterator[Finding]:
    found = check_registration(candidate)
    if any(finding.severity == "error" for finding in found):
        yield from found
        return
    with show_stage("sanity checks", ROUNDS, "rounds", even=False) as stage:
        start = observe_start(candidate)
        for check in START_CHECKS:
            found += check(start)
        if not start.finite or _has_code(found, "label-range"):
            yield from found
            return
        stage.done, stage.detail = 1, "repeatability"
        found += check_repeatability(candidate)
        stage.done, stage.detail = 2, "separate images"
        found += check_batch_leak(candidate)
        stage.done, stage.detail = 3, "gradients and steps"
        steps = take_steps(candidate, start)
        found += check_gradients(steps)
        found += check_parameter_updates(steps)
        if not any(finding.severity == "error" for finding in found):
            stage.done, stage.detail = 4, "memorising one batch"
            learned, reached = check_overfitting(candidate)
            found += learned
            stage.done, stage.detail = 5, "eval mode"
            found += check_eval_mode(candidate) if reached else []
    yield from found


def _has_code(findings: Sequence[Finding], code: str) -> bool:
    return any(finding.code == code for finding in findings)


def _keep_gradients_on() -> AbstractContextManager[object]:
    """Checks train, also where the caller does not."""
    if torch.is_inference_mode_enabled():
        return torch.inference_mode(False)
    return nullcontext() if torch.is_grad_enabled() else torch.enable_grad()


def _read_batch(batch: object) -> tuple[Tensor, Tensor]:
    images, labels = batch if isinstance(batch, (tuple, list)) and len(batch) == 2 else (None, None)
    if not isinstance(images, Tensor) or not isinstance(labels, Tensor):
        raise UsageError("the batch must be (images, labels), two tensors")
    if labels.dim() != 1 or len(labels) != len(images) or labels.dtype.is_floating_point or len(labels) < 2:
        raise UsageError(
            f"labels of shape {tuple(labels.shape)}, {labels.dtype}, do not go with images of {tuple(images.shape)}",
            "give at least two images, and as many whole numbers from 0",
        )
    return images, labels.to(torch.int64)


def _name_held(model: nn.Module, optimizer: torch.optim.Optimizer) -> frozenset[str]:
    """Names of the model's parameters that the optimizer changes."""
    held = {id(tensor) for group in optimizer.param_groups if group.get("lr", 1) for tensor in group["params"]}
    return frozenset(name for name, parameter in name_parameters(model) if id(parameter) in held)


def pick_check_indices(images: ImageSet, side: int) -> Tensor:
    """Which training images a check looks at: four or eight, of as many classes as there are."""
    wanted = LARGE_BATCH if side <= 64 else SMALL_BATCH
    places: list[int] = []
    by_class = [(images.labels == label).nonzero().squeeze(1).tolist() for label in _list_labels(images)]
    depth = 0
    while len(places) < min(wanted, len(images)):
        places += [found[depth] for found in by_class if depth < len(found)]
        depth += 1
    return torch.tensor(places[:wanted])


def _list_labels(images: ImageSet) -> list[int]:
    return sorted(set(images.labels.tolist()))
