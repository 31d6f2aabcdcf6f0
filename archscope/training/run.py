"""The epochs of a run: each is trained, judged on the held-out images, and saved, before the next one begins."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from archscope.core.documents.findings import EpochMetrics
from archscope.core.errors import CheckError
from archscope.core.finding import Finding
from archscope.machine.environment import describe_environment
from archscope.machine.precision import Execution
from archscope.training.checks.labels import Outcome, check_labels
from archscope.training.configuration import Configuration
from archscope.training.curves import can_draw, draw_curves
from archscope.training.data.pipeline import DeviceImages
from archscope.training.evaluation import EvaluationOptions, evaluate
from archscope.training.options import RunOptions
from archscope.training.processes import Processes
from archscope.training.reporter import EpochTimes, EventLog, Reporter, open_events
from archscope.training.run_folder import (
    CONFIG,
    CURVES,
    ENVIRONMENT,
    LAST,
    RunFolder,
    pack_checkpoint,
    pack_metrics,
    unpack_metrics,
)
from archscope.training.trainer import EpochOutcome, Trainer


@dataclass(frozen=True, slots=True)
class Run:
    """What a run needs."""

    folder: RunFolder
    trainer: Trainer
    test: DeviceImages
    known: DeviceImages
    """Some of the training images, neither cropped nor flipped."""
    classes: tuple[str, ...]
    configuration: Configuration
    execution: Execution
    processes: Processes
    reporter: Reporter
    options: RunOptions
    title: str
    """Of the curves."""


def run_epochs(run: Run, state: Mapping[str, Any] | None) -> tuple[tuple[EpochMetrics, ...], tuple[Finding, ...]]:
    """Train the epochs that `state` (a checkpoint; None: none) lacks; the metrics of all, and what was found after.

    Raises CheckError, ModelError, OutputError, KeyboardInterrupt: in each case the epochs before are saved and whole.
    """
    metrics = unpack_metrics(state["metrics"]) if state is not None else ()
    if run.processes.is_primary:
        _begin(run, metrics)
    epoch = len(metrics)
    try:
        with open_events(
            run.folder.path, len(metrics), wanted=run.options.tensorboard and run.processes.is_primary
        ) as events:
            for epoch in range(len(metrics), run.configuration.epochs):
                metrics = (*metrics, _run_epoch(run, epoch, metrics, events))
    except KeyboardInterrupt:
        kept = f"epochs 1 to {len(metrics)} are" if len(metrics) > 1 else "epoch 1 is" if metrics else "nothing is"
        run.reporter.note(f"interrupted in epoch {epoch + 1}: {kept} saved in {run.folder.path}; go on with --resume")
        raise
    run.processes.wait()
    return metrics, _check_after(run, metrics)


def _begin(run: Run, metrics: tuple[EpochMetrics, ...]) -> None:
    """Make the folder and write down what runs; bring what is there to the state of the checkpoint."""
    run.folder.prepare()
    run.folder.write_json(CONFIG, run.configuration.to_document())
    run.folder.write_json(ENVIRONMENT, describe_environment(run.execution.device, run.processes.count))
    if not can_draw():
        run.reporter.note(f"{CURVES} needs matplotlib: pip install 'torch-archscope[plot]'")
    if metrics:
        run.reporter.note(f"resuming after epoch {len(metrics)} of {run.configuration.epochs} in {run.folder.path}")
        _keep(run, metrics)
    elif run.options.resume:
        run.reporter.note(f"there is no checkpoint in {run.folder.path}: starting from the beginning")
    _write_records(run, metrics)


def _run_epoch(run: Run, epoch: int, before: tuple[EpochMetrics, ...], events: EventLog) -> EpochMetrics:
    started = time.monotonic()
    outcome = run.trainer.train_epoch(epoch, run.reporter)
    trained = time.monotonic()
    entry = _judge(run, epoch, outcome)
    tested = time.monotonic()
    metrics = (*before, entry)
    if run.processes.is_primary:
        _save(run, metrics)
        events.write(entry)
    run.processes.wait()
    times = EpochTimes(trained - started, outcome.data_seconds, tested - trained, outcome.images)
    run.reporter.epoch(entry, run.configuration.epochs, times)
    return entry


def _judge(run: Run, epoch: int, outcome: EpochOutcome) -> EpochMetrics:
    """Judge the held-out images in the first process; the others, which write nothing, need no result."""
    recipe = run.trainer.recipe
    options = EvaluationOptions(len(run.classes), recipe.test_batch_size, in_training=recipe.tests_in_training)
    if run.processes.is_primary:
        result = evaluate(run.trainer.module, run.test, run.execution, options)
        loss, accuracy, shares = result.loss, result.accuracy, result.class_accuracy
        if not isfinite(loss):
            raise CheckError(
                f"the held-out loss is {loss} after epoch {epoch + 1}, though the training loss is {outcome.loss:.3f}",
                "lower the learning rate (--lr), or look at the model with --check-only; nothing of this epoch is kept",
            )
    else:
        loss, accuracy, shares = 0.0, 0.0, (0.0,) * len(run.classes)
    return EpochMetrics(
        epoch=epoch + 1,
        train_loss=outcome.loss,
        train_accuracy=outcome.accuracy,
        test_loss=loss,
        test_accuracy=accuracy,
        class_accuracy=dict(zip(run.classes, shares, strict=True)),
        learning_rate=outcome.learning_rate,
    )


def _save(run: Run, metrics: tuple[EpochMetrics, ...]) -> None:
    """The checkpoint first: what is written after it is rebuilt from it when the run is resumed."""
    entries = pack_metrics(metrics)
    config = run.configuration.to_document()
    run.folder.write(
        LAST, pack_checkpoint({**run.trainer.state(), "epoch": len(metrics), "metrics": entries, "config": config})
    )
    _keep(run, metrics)
    _write_records(run, metrics)


def _keep(run: Run, metrics: tuple[EpochMetrics, ...]) -> None:
    if run.options.keep == "all":
        run.folder.keep_last(len(metrics), metrics[-1].test_accuracy)


def _write_records(run: Run, metrics: tuple[EpochMetrics, ...]) -> None:
    run.folder.write_metrics(pack_metrics(metrics))
    if metrics and can_draw():
        run.folder.write(CURVES, draw_curves(metrics, run.title))


def _check_after(run: Run, metrics: tuple[EpochMetrics, ...]) -> tuple[Finding, ...]:
    """Whether the labels belong to the images: told after the training, by the first process."""
    classes = len(run.classes)
    if not run.processes.is_primary:
        return ()
    known = evaluate(run.trainer.module, run.known, run.execution, EvaluationOptions(classes))
    outcome = Outcome(
        classes=classes,
        test_accuracy=metrics[-1].test_accuracy,
        test_images=len(run.test),
        known_accuracy=known.accuracy,
        known_images=len(run.known),
        steps=run.trainer.steps * len(metrics),
    )
    findings = tuple(check_labels(outcome))
    for finding in findings:
        run.reporter.finding(finding)
    return findings
