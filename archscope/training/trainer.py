"""Epochs of training, and the state to go on from between them.

Nothing random outlives an epoch: every generator is seeded by the run's seed and the epoch's number, so that a run
that goes on from a checkpoint computes what it would have computed.
"""

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Any

import torch
from torch import Tensor, nn

from archscope.core.errors import CheckError, DataError
from archscope.core.progress import Stage
from archscope.machine.clock import Stopwatch
from archscope.machine.precision import Execution
from archscope.modules import call_method, iterate_parameters, set_training
from archscope.targets.failures import describe_error
from archscope.training.checkpoint import Checkpoint, check_optimizer, check_weights
from archscope.training.data.pipeline import DeviceImages, draw_plan, list_batches, mix_seed, share_batch
from archscope.training.evaluation import read_scores, run_model
from archscope.training.processes import Processes
from archscope.training.recipes import LOSS_INTERVAL, Recipe, find_rate
from archscope.training.reporter import Reporter, StepReport


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long, and from which seed."""

    recipe: Recipe
    epochs: int
    seed: int


@dataclass(frozen=True, slots=True)
class EpochOutcome:
    """What one epoch of training gave."""

    loss: float
    """Mean over the images of the loss that was minimised."""
    accuracy: float
    learning_rate: float
    """Of the last step."""
    images: int
    data_seconds: float


class Trainer:
    """Trains one module; the state between epochs is `state()`."""

    def __init__(
        self, module: nn.Module, images: DeviceImages, schedule: Schedule, execution: Execution, processes: Processes
    ) -> None:
        self.module: nn.Module = run_model(lambda: call_method(module, "to", execution.device))
        if execution.channels_last:
            run_model(lambda: call_method(self.module, "to", memory_format=torch.channels_last))
        self._images = images
        self._schedule = schedule
        self._execution = execution
        self._processes = processes
        self._batches = list_batches(len(images), schedule.recipe.batch_size, processes.count)
        self._optimizer = make_optimizer(self.module, schedule.recipe)
        self._scaler = execution.make_scaler()
        self._forward = self._prepare_forward()

    @property
    def recipe(self) -> Recipe:
        """What it follows."""
        return self._schedule.recipe

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return len(self._batches)

    def state(self) -> dict[str, Any]:
        """Weights and buffers, the optimizer's, and the loss scaler's. Raises ModelError."""
        return {
            "model": run_model(lambda: call_method(self.module, "state_dict")),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load_state(self, checkpoint: Checkpoint, title: str) -> None:
        """Go on from what `state()` gave for the model `title`. Raises DataError where it is another's or damaged."""
        own, state = self.state(), checkpoint.state
        check_weights(checkpoint, own["model"], title)
        shapes = [tensor.shape for group in self._optimizer.param_groups for tensor in group["params"]]
        check_optimizer(checkpoint, own["optimizer"], shapes)
        checkpoint.check_seal()
        try:
            call_method(self.module, "load_state_dict", state["model"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._scaler.load_state_dict(state["scaler"])
        except (Exception, SystemExit) as error:
            told = f"{checkpoint.name} does not go into {title}: {describe_error(error)}"
            raise DataError(told, "choose another --run-dir") from error

    def train_epoch(self, epoch: int, reporter: Reporter, stage: Stage) -> EpochOutcome:
        """Train for epoch `epoch` (from 0); the steps are counted in `stage`.

        Raises CheckError where the loss becomes NaN or infinite, ModelError where the model raises.
        """
        seed_generators(mix_seed(self._schedule.seed, epoch, self._processes.rank))
        run_model(lambda: set_training(self.module))
        totals = _RunningTotals(self._execution.device)
        watch = Stopwatch(self._execution.device)
        rate = 0.0
        for iteration, (batch, labels, share) in enumerate(self._feed(epoch, watch), start=1):
            rate = self._set_rate(epoch * self.steps + iteration - 1)
            self._step(batch, labels, share, totals)
            stage.done += 1
            due = iteration % LOSS_INTERVAL == 0
            if due or self._looks_at_every_loss:
                self._check_loss(totals, epoch, iteration, rate)
            if due:
                reporter.step(StepReport(epoch + 1, iteration, self.steps, totals.take_recent()))
        self._check_loss(totals, epoch, self.steps, rate)
        loss, right, count = self._processes.add(totals.total()).tolist()
        return EpochOutcome(loss / count, right / count, rate, int(count), watch.read_seconds())

    @property
    def _looks_at_every_loss(self) -> bool:
        """Not where that would make the device, or other processes, wait."""
        return self._execution.device.type == "cpu" and self._processes.count == 1

    def _prepare_forward(self) -> nn.Module:
        forward: nn.Module = self._processes.wrap(self.module, self._execution.device)
        return torch.compile(forward) if self._execution.compiled else forward  # type: ignore[return-value]

    def _feed(self, epoch: int, watch: Stopwatch) -> Iterator[tuple[Tensor, Tensor, float]]:
        """This process's part of each batch, and what its mean loss counts for in the batch's."""
        rank, count = self._processes.rank, self._processes.count
        plan = draw_plan(len(self._images), self._images.options, self._schedule.seed, epoch).to(self._execution.device)
        for start, stop in self._batches:
            mine = share_batch(start, stop, rank, count)
            with watch.time():
                batch, labels = self._images.make_batch(plan.part(mine))
            yield batch, labels, (mine.stop - mine.start) * count / (stop - start)

    def _set_rate(self, step: int) -> float:
        rate = find_rate(self._schedule.recipe, step, self.steps, self._schedule.epochs)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _step(self, batch: Tensor, labels: Tensor, share: float, totals: "_RunningTotals") -> None:
        recipe = self._schedule.recipe
        with self._execution.autocast():
            scores = read_scores(run_model(lambda: self._forward(batch)), len(batch))
            loss = scores.find_loss(labels, recipe.label_smoothing)
        totals.add(loss.detach(), scores.logits.detach(), labels)
        self._optimizer.zero_grad(set_to_none=True)
        run_model(self._scaler.scale(loss * share).backward)
        if recipe.clip_norm is not None:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(iterate_parameters(self.module), recipe.clip_norm)
        run_model(lambda: self._scaler.step(self._optimizer))
        self._scaler.update()

    def _check_loss(self, totals: "_RunningTotals", epoch: int, iteration: int, rate: float) -> None:
        total = float(self._processes.add(totals.loss.clone()))
        if not isfinite(total):
            raise CheckError(
                f"the loss is {'NaN' if isnan(total) else 'infinite'} in epoch {epoch + 1}, at iteration {iteration} "
                f"of {self.steps} (learning rate {rate:.4g})",
                f"lower the learning rate (--lr {rate / 10:.2g}), or look at the model with --check-only; nothing of "
                "this epoch is kept",
            )


class _RunningTotals:
    """Sums over an epoch, kept on the device."""

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), dtype=torch.float64, device=device)
        self._right = torch.zeros((), dtype=torch.float64, device=device)
        self._count = 0
        self._recent = torch.zeros((), dtype=torch.float64, device=device)
        self._recent_steps = 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        self.loss += loss * len(labels)
        self._right += (logits.argmax(1) == labels).sum()
        self._count += len(labels)
        self._recent += loss
        self._recent_steps += 1

    def take_recent(self) -> float:
        """Mean loss of the steps since this was last asked."""
        mean = float(self._recent) / max(self._recent_steps, 1)
        self._recent.zero_()
        self._recent_steps = 0
        return mean

    def total(self) -> Tensor:
        """Sum of the losses, right answers and images."""
        count = torch.tensor(float(self._count), dtype=torch.float64, device=self.loss.device)
        return torch.stack((self.loss, self._right, count))


def make_optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD with the recipe's momentum; where the recipe adapts, biases and normalisation scales are not decayed."""
    trained = [parameter for parameter in iterate_parameters(module) if parameter.requires_grad]
    if not trained:
        raise CheckError("the model has no parameter to train", "all of them are frozen, or there are none")
    vectors = [parameter for parameter in trained if recipe.adapts and parameter.dim() <= 1]
    others = [parameter for parameter in trained if not (recipe.adapts and parameter.dim() <= 1)]
    groups = [
        {"params": parameters, "weight_decay": decay}
        for parameters, decay in ((others, recipe.weight_decay), (vectors, 0.0))
        if parameters
    ]
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.nesterov)


def seed_generators(seed: int) -> None:
    """Seed torch (all devices), Python and, where it is loaded, NumPy. `seed` is from 0 to 2^63 - 1."""
    torch.manual_seed(seed)
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)
