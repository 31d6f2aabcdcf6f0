"""The epochs of a run: each is trained, judged on the held-out images, and saved, before the next one begins."""

import shlex
import time
from dataclasses import dataclass
from math import isfinite

from archscope.core.documents.findings import EpochMetrics
from archscope.core.errors import CheckError, ModelError
from archscope.core.finding import Finding
from archscope.core.progress import Stage, show_stage
from archscope.machine.environment import describe_environment
from archscope.machine.precision import Execution
from archscope.training.checkpoint import Checkpoint, pack_checkpoint, pack_metrics, unpack_checkpoint
from archscope.training.checks.labels import Outcome, check_labels
from archscope.training.configuration import Configuration, list_differences
from archscope.training.curves import LEAST_EPOCHS, can_draw, draw_curves, find_obstacle
from archscope.training.data.pipeline import DeviceImages
from archscope.training.evaluation import EvaluationOptions, evaluate
from archscope.training.options import RunOptions
from archscope.training.processes import Processes
from archscope.training.reporter import EpochTimes, EventLog, Reporter, open_events
from archscope.training.run_folder import CONFIG, CURVES, ENVIRONMENT, LAST, RunFolder, read_checkpoint
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


def run_epochs(run: Run, saved: Checkpoint | None) -> tuple[tuple[EpochMetrics, ...], tuple[Finding, ...]]:
    """Train the epochs that are not `saved` (None: none is); the metrics of all, and what was found after.

    Raises CheckError, ModelError, OutputError, KeyboardInterrupt: in each case the epochs before are saved and whole.
    """
    metrics = saved.metrics if saved is not None else ()
    primary = run.processes.is_primary
    try:
        if primary:
            _begin(run, saved)
        done, epochs = len(metrics), run.configuration.epochs
        with (
            open_events(run.folder.path, done, wanted=run.options.tensorboard and primary) as events,
            show_stage("training", (epochs - done) * run.trainer.steps, "steps") as stage,
        ):
            for epoch in range(done, epochs):
                stage.detail = f"epoch {epoch + 1} of {epochs}"
                metrics = (*metrics, _run_epoch(run, metrics, events, stage))
        run.processes.wait()
        return metrics, _check_after(run, metrics)
    except KeyboardInterrupt:
        if primary:
            run.reporter.note(_tell_saved(run, "interrupted"))
        raise
    except ModelError as error:
        if primary:
            error.remedy = "\n".join(filter(None, (error.remedy, _tell_saved(run, "stopped"))))
        raise


def _tell_saved(run: Run, ended: str) -> str:
    """What is saved, as the checkpoint itself says it, and how to go on after the run was `ended`."""
    blob = read_checkpoint(run.folder.last)
    saved = 0 if blob is None else len(unpack_checkpoint(blob, str(run.folder.last)).metrics)
    epochs, place = run.configuration.epochs, run.folder.path
    again = f"archscope train {shlex.quote(run.configuration.target)} --run-dir {shlex.quote(str(place))}"
    if not saved:
        begun = " --resume" if (place / CONFIG).exists() else ""
        return f"{ended} before an epoch was saved; start again with: {again}{begun}"
    kept = f"epochs 1 to {saved} of {epochs} are" if saved > 1 else f"epoch 1 of {epochs} is"
    if saved == epochs:
        return f"{ended} after the training: {kept} saved in {place}"
    return f"{ended}: {kept} saved in {place}; go on with --resume: {again} --resume"


def _begin(run: Run, saved: Checkpoint | None) -> None:
    """Make the folder and write down what runs; bring what is there to the state of the checkpoint."""
    run.folder.prepare()
    metrics = saved.metrics if saved is not None else ()
    if saved is not None and list_differences(run.configuration, saved.configuration, every=True):
        changed = {**saved.state, "config": run.configuration.to_document()}
        run.folder.write(LAST, pack_checkpoint(changed))
    run.folder.write_json(CONFIG, run.configuration.to_document())
    run.folder.write_json(ENVIRONMENT, describe_environment(run.execution.device, run.processes.count))
    if (obstacle := find_obstacle()) and run.configuration.epochs >= LEAST_EPOCHS:
        run.reporter.note(f"{CURVES} {obstacle}")
    if metrics:
        run.reporter.note(f"resuming after epoch {len(metrics)} of {run.configuration.epochs} in {run.folder.path}")
        _keep(run, metrics)
    elif run.options.resume:
        run.reporter.note(f"there is no checkpoint in {run.folder.path}: starting from the beginning")
    _write_records(run, metrics)


def _run_epoch(run: Run, before: tuple[EpochMetrics, ...], events: EventLog, stage: Stage) -> EpochMetrics:
    started, epoch = time.monotonic(), len(before)
    outcome = run.trainer.train_epoch(epoch, run.reporter, stage)
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
    if run.options.keep == "last":  # else the epoch before has a file of its own
        run.folder.keep_previous()
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
    if len(metrics) >= LEAST_EPOCHS and can_draw():
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
