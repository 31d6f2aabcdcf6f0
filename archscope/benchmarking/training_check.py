"""Whether a target learns: the sanity checks, then a few steps of training.

The optimizer is that of the sanity checks, whose rate follows each weight's fan-in, so that deep plain networks learn
within a few steps as residual ones do; the rate falls in a line to zero.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from archscope.benchmarking.options import TrainingOptions
from archscope.benchmarking.results import TrainingVerdict
from archscope.core.errors import ArchscopeError, read_message
from archscope.core.finding import Finding
from archscope.machine.precision import Execution
from archscope.modules import call_method, set_training
from archscope.tracing.isolation import keep_random_state
from archscope.training.checks.candidate import Candidate
from archscope.training.checks.learning import make_trial_optimizer
from archscope.training.checks.runner import check_candidate, pick_check_indices
from archscope.training.classifier import Classifier, Wanted, build_classifier, copy_module
from archscope.training.data.images import Data, ImageSet
from archscope.training.data.pipeline import DeviceImages, EpochPlan, draw_plan, make_pipeline_options
from archscope.training.data.sources import SYNTHETIC, load_data
from archscope.training.evaluation import EvaluationOptions, evaluate
from archscope.training.recipes import find_recipe
from archscope.training.reporter import SilentReporter

SEED = 0
BATCH = 32
"""Images of a step."""
OVERFITTING_SECONDS = 10.0
JUDGED_IMAGES = {True: 500, False: 100}
"""Held-out images that are judged, where images are small and where they are large."""
FALLEN = 0.995
"""The loss at the end, against that at the start, that counts as learning."""


@dataclass(frozen=True, slots=True)
class TrainingCheck:
    """The short training, with its images loaded once for all models."""

    options: TrainingOptions
    data: Data

    def check(self, text: str, arguments: Mapping[str, Any], device: torch.device) -> TrainingVerdict:
        """The verdict about one target; whatever the model raises becomes the reason why it failed."""
        started = time.monotonic()
        try:
            with keep_random_state():
                verdict = self._check(text, arguments, device)
        except (ArchscopeError, torch.OutOfMemoryError) as error:
            verdict = self.fail(" ".join(read_message(error).split()))
        return replace(verdict, seconds=time.monotonic() - started)

    def _check(self, text: str, arguments: Mapping[str, Any], device: torch.device) -> TrainingVerdict:
        data = self.data
        classifier = build_classifier(text, arguments, Wanted(len(data.classes), data.image_shape), SEED)
        findings = self._find_faults(classifier, device)
        errors = [finding for finding in findings if finding.severity == "error"]
        if errors:
            return self.fail("; ".join(tell_fault(finding) for finding in errors))
        losses, candidate = self._train(classifier, device)
        count = min(len(data.test), JUDGED_IMAGES[_is_small(classifier)])
        held_out = self._load(classifier, device, data.test.take(torch.arange(count)))
        accuracy = evaluate(
            candidate.module, held_out, Execution(device), EvaluationOptions(len(data.classes), batch_size=BATCH)
        ).accuracy
        return judge_losses(losses, self.fail(""), accuracy)

    def _find_faults(self, classifier: Classifier, device: torch.device) -> tuple[Finding, ...]:
        images = self._load(
            classifier, device, self.data.train.take(pick_check_indices(self.data.train, max(classifier.size)))
        )
        batch, labels = images.cut(0, len(images))
        module = call_method(copy_module(classifier.module), "to", device)
        return check_candidate(Candidate(module, batch.contiguous(), labels, seconds=OVERFITTING_SECONDS))

    def _train(self, classifier: Classifier, device: torch.device) -> tuple[list[float], Candidate]:
        """The loss of every step before it was taken, and what was trained."""
        images = self._load(classifier, device, self.data.train)
        steps = self.options.steps
        module = set_training(call_method(classifier.module, "to", device))
        candidate = Candidate(module, torch.empty(0), torch.empty(0))
        optimizer = make_trial_optimizer(candidate)
        torch.manual_seed(SEED)
        rates = [group["lr"] for group in optimizer.param_groups] if optimizer is not None else []
        losses = []
        for step in range(steps):
            batch, labels = images.make_batch(_cut_plan(images, step))
            loss = Candidate(module, batch, labels).find_loss()
            losses.append(float(loss.detach()))
            if optimizer is None or not math.isfinite(losses[-1]):
                break
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * (1 - step / steps)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return losses, candidate

    def _load(self, classifier: Classifier, device: torch.device, images: ImageSet) -> DeviceImages:
        """On the device; batches that are made are cropped and flipped, those that are cut are not."""
        options = make_pipeline_options(find_recipe("lecture-resnet"), classifier.size, channels_last=False)
        return DeviceImages(images, options, device)

    def fail(self, reason: str) -> TrainingVerdict:
        """The verdict about a model that failed for that reason."""
        return TrainingVerdict(False, reason, self.options.steps, self.data.title, self.data.synthetic)


def load_check(options: TrainingOptions) -> TrainingCheck:
    """Load the images: those named, else made up. Raises DataError where they are missing or damaged."""
    return TrainingCheck(options, load_data(options.data or SYNTHETIC, SilentReporter()))


def judge_losses(losses: Sequence[float], blank: TrainingVerdict, accuracy: float | None) -> TrainingVerdict:
    """Pass where all are numbers and the last fifth lies half a percent below the first three steps, by their means."""
    start = _mean(losses[: min(3, max(1, len(losses) // 4))])
    end = _mean(losses[-max(1, len(losses) // 5) :])
    finite = all(math.isfinite(loss) for loss in losses)
    if not finite:
        reason = f"the loss became NaN or infinite at step {len(losses)}"
    elif end > FALLEN * start:
        reason = f"the loss did not fall: {start:.3f} at the start, {end:.3f} after {len(losses)} steps"
    else:
        reason = ""
    return TrainingVerdict(
        passed=not reason,
        reason=reason,
        steps=blank.steps,
        data=blank.data,
        synthetic=blank.synthetic,
        start_loss=start if math.isfinite(start) else None,
        end_loss=end if math.isfinite(end) else None,
        accuracy=accuracy,
    )


def tell_fault(finding: Finding) -> str:
    """`dead-layer at conv1: ...`, one line."""
    place = f" at {finding.place}" if finding.place else ""
    return f"{finding.code}{place}: {finding.message}"


def _is_small(classifier: Classifier) -> bool:
    return max(classifier.size) <= 64


def _cut_plan(images: DeviceImages, step: int) -> EpochPlan:
    """The images of a step; every pass over the data has an order of its own."""
    batch_size = min(BATCH, len(images))
    per_epoch = max(1, len(images) // batch_size)
    plan = draw_plan(len(images), images.options, SEED, step // per_epoch)
    start = step % per_epoch * batch_size
    return plan.part(slice(start, start + batch_size))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
