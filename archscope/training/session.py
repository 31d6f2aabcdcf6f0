"""A whole run, from the words of a target to its result: data, model, sanity checks, training, run folder."""

import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from archscope.core.codec import fill
from archscope.core.documents.findings import EpochMetrics
from archscope.core.errors import ArchscopeError, CheckError, DataError, TargetError
from archscope.core.finding import Finding
from archscope.machine.device import choose_default_device, find_device, tune_backends
from archscope.machine.precision import Execution
from archscope.modules import call_method
from archscope.targets.resolve import resolve_target
from archscope.tracing.isolation import keep_random_state
from archscope.training.checkpoint import Checkpoint, unpack_checkpoint
from archscope.training.checks.candidate import Candidate
from archscope.training.checks.runner import check_candidate, pick_check_indices
from archscope.training.classifier import Classifier, Wanted, build_classifier, copy_module
from archscope.training.configuration import Configuration, decide_configuration, merge_saved
from archscope.training.data.images import Data, ImageSet, fingerprint_data, select_data
from archscope.training.data.pipeline import DeviceImages, make_pipeline_options
from archscope.training.data.sources import load_data
from archscope.training.options import MachineOptions, Precision, TrainOptions
from archscope.training.processes import Processes, join_processes, read_processes
from archscope.training.recipes import Recipe, find_recipe, fit_recipe
from archscope.training.reporter import Reporter, SilentReporter, check_tensorboard
from archscope.training.resuming import Kept, find_folder, find_saved
from archscope.training.run import Run, run_epochs
from archscope.training.run_folder import ROOT, RunFolder, claim_folder
from archscope.training.trainer import Schedule, Trainer


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The result of a run. The last epoch is the result, never the best on the held-out images."""

    title: str
    """The target, for people."""
    data: str
    """Where the images came from; says so where they are synthetic."""
    synthetic: bool
    recipe: Recipe
    """As it was used: with its batch and rate."""
    epochs: int
    seed: int
    train_images: int
    test_images: int
    folder: Path | None
    """None where nothing was trained."""
    metrics: tuple[EpochMetrics, ...]
    findings: tuple[Finding, ...]
    """Of the checks before and after the training."""
    seconds: float
    """Of this session, checks and data included."""
    is_primary: bool = True
    """False in all processes but the first, which alone writes files and reports."""
    notes: tuple[str, ...] = ()
    told: bool = False
    """Whether a listener has heard the notes and findings already."""

    @property
    def heading(self) -> str:
        """What was trained on what, in one line."""
        return f"{self.title} on {self.data}, recipe {self.recipe.name}, seed {self.seed}"

    @property
    def failed(self) -> bool:
        """Whether a check found an error."""
        return any(finding.severity == "error" for finding in self.findings)


def train_target(
    text: str, options: TrainOptions, reporter: Reporter | None = None, *, check_only: bool = False
) -> TrainResult:
    """Check and train the target `text`; with `check_only`, stop after the checks.

    Raises:
        UsageError, UnknownNameError, TargetError: what was asked cannot be done.
        DataError: the images are missing or damaged, or a checkpoint is.
        CheckError: a sanity check failed, or the loss became NaN or infinite.
        ModelError: the model raised.
        OutputError: the run folder cannot be written; what was saved before is whole.
    """
    started = time.monotonic()
    if options.run.tensorboard:
        check_tensorboard()
    processes = read_processes()
    listener: Reporter = reporter if reporter is not None and processes.is_primary else SilentReporter()
    with ExitStack() as stack:
        folder = find_folder(options)
        if folder is not None and processes.is_primary and not check_only:
            stack.enter_context(folder.lock())
            find_folder(options)  # another training may just have ended
        kept = find_saved(folder, options, checkpoint=not check_only) if options.run.resume and folder else Kept()
        options = merge_saved(text, options, kept.configuration) if kept.configuration is not None else options
        device = find_device(options.machine.device or choose_default_device(), processes.local_rank)
        stack.enter_context(tune_backends(options.machine.threads))
        stack.enter_context(keep_random_state())
        stack.enter_context(join_processes(processes, device))
        session = _prepare(text, options, _Place(device, processes, listener))
        result = session.describe(())
        stack.enter_context(session.classifier.scope())
        if check_only:
            return replace(result, findings=session.check(), seconds=time.monotonic() - started)
        if folder is None and processes.is_primary:
            folder = stack.enter_context(claim_folder(f"{session.classifier.title.split()[0]}-{session.recipe.name}"))
        result = session.train(folder or RunFolder(ROOT), kept.checkpoint, result)
        return replace(result, told=reporter is not None, seconds=time.monotonic() - started)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a session runs, and who listens."""

    device: torch.device
    processes: Processes
    reporter: Reporter


@dataclass(frozen=True, slots=True)
class _Session:
    """Everything that a run needs, made and checked."""

    options: TrainOptions
    place: _Place
    data: Data
    classifier: Classifier
    configuration: Configuration
    recipe: Recipe
    execution: Execution

    def describe(self, findings: tuple[Finding, ...]) -> TrainResult:
        """The result before anything was trained."""
        return TrainResult(
            title=self.classifier.title,
            data=self.data.title,
            synthetic=self.data.synthetic,
            recipe=self.recipe,
            epochs=self.configuration.epochs,
            seed=self.configuration.seed,
            train_images=len(self.data.train),
            test_images=len(self.data.test),
            folder=None,
            metrics=(),
            findings=findings,
            seconds=0.0,
            is_primary=self.place.processes.is_primary,
            notes=(*self.data.notes, *self.classifier.notes),
        )

    def check(self) -> tuple[Finding, ...]:
        """Run the sanity checks on a copy of the model, in the first process; the others wait."""
        place = self.place
        failure: ArchscopeError | None = None
        findings: tuple[Finding, ...] = ()
        if place.processes.is_primary:
            place.reporter.note("checking the model before it is trained")
            try:
                findings = check_candidate(self._make_candidate())
            except ArchscopeError as error:
                failure = error
        if not place.processes.agree(yes=failure is None, device=place.device):
            raise failure or CheckError("the checks raised in the first process")
        for finding in findings:
            place.reporter.finding(finding)
        return findings

    def train(self, folder: RunFolder, saved: Checkpoint | None, result: TrainResult) -> TrainResult:
        """Train what is left of the run, and see whether the labels belong to the images."""
        processes = self.place.processes
        blob = processes.share_bytes(saved.blob if saved is not None else None, self.place.device)
        if not processes.is_primary:
            saved = None if blob is None else unpack_checkpoint(blob, str(folder.last))
        for note in result.notes:
            self.place.reporter.note(note)
        findings: tuple[Finding, ...] = ()
        if saved is None and self.options.run.checks:
            findings = self.check()
            self._stop_on_errors(findings)
        trainer = self._make_trainer()
        if saved is not None:
            trainer.load_state(saved, self.classifier.title)
        run = Run(
            folder=folder,
            trainer=trainer,
            test=self._load_images(self.data.test, augmented=False),
            known=self._load_images(_thin_out(self.data.train), augmented=False),
            classes=self.data.classes,
            configuration=self.configuration,
            execution=self.execution,
            processes=processes,
            reporter=self.place.reporter,
            options=self.options.run,
            title=self.describe(()).heading,
        )
        metrics, after = run_epochs(run, saved)
        return replace(result, folder=folder.path, metrics=metrics, findings=(*findings, *after))

    def _stop_on_errors(self, findings: tuple[Finding, ...]) -> None:
        errors = [finding for finding in findings if finding.severity == "error"]
        failed = not self.place.processes.agree(yes=not errors, device=self.place.device)
        if failed:
            codes = ", ".join(dict.fromkeys(finding.code for finding in errors)) or "see the first process"
            count = len(errors)
            raise CheckError(
                f"{count} check{'s' if count != 1 else ''} failed before the training: {codes}",
                "fix the model, or train without the checks: --no-check",
            )

    def _make_candidate(self) -> Candidate:
        indices = pick_check_indices(self.data.train, max(self.classifier.size))
        images = self._load_images(self.data.train.take(indices), augmented=False)
        batch, labels = images.cut(0, len(images))
        module = call_method(copy_module(self.classifier.module), "to", self.place.device)
        return Candidate(module, batch.contiguous(), labels)

    def _make_trainer(self) -> Trainer:
        schedule = Schedule(self.recipe, self.configuration.epochs, self.configuration.seed)
        images = self._load_images(self.data.train, augmented=True)
        return Trainer(self.classifier.module, images, schedule, self.execution, self.place.processes)

    def _load_images(self, images: ImageSet, *, augmented: bool) -> DeviceImages:
        options = make_pipeline_options(self.recipe, self.classifier.size, channels_last=self.execution.channels_last)
        if not augmented:
            options = replace(options, padding=0, flip=False)
        return DeviceImages(images, options, self.place.device)


MOST_KNOWN = 2_000
"""Training images that are judged once more after the training."""


def _thin_out(images: ImageSet) -> ImageSet:
    """At most 2,000 of the images, evenly over their order."""
    step = -(-len(images) // MOST_KNOWN)
    return images.take(torch.arange(0, len(images), step))


def _prepare(text: str, options: TrainOptions, place: _Place) -> _Session:
    configuration = decide_configuration(text, options, threads=torch.get_num_threads())
    with suppress(TargetError):  # told below, where the number of classes is known
        resolve_target(text, options.arguments)  # a misspelt name is told before any data is fetched
    data = _load_once(options, place)
    data = select_data(data, options.selection, configuration.seed)
    digest = fingerprint_data(data)
    if configuration.data_digest not in (None, digest):
        raise DataError(
            "the images are not those that the run began with", "name the same --data, --classes and --subset"
        )
    configuration = fill(Configuration, configuration, data_digest=digest)
    wanted = Wanted(len(data.classes), data.image_shape, options.side)
    classifier = build_classifier(text, options.arguments, wanted, configuration.seed)
    recipe = fit_recipe(
        find_recipe(configuration.recipe, as_printed=configuration.as_printed),
        len(data.train),
        normalised=classifier.normalised,
        batch_size=configuration.batch_size,
        rate=configuration.learning_rate,
    )
    execution = choose_execution(options.machine, recipe, place.device)
    return _Session(options, place, data, classifier, configuration, recipe, execution)


def choose_execution(options: MachineOptions, recipe: Recipe, device: torch.device) -> Execution:
    """How `recipe` runs on `device`: accelerated recipes in bfloat16 (else float16) and channels-last on CUDA."""
    fast = recipe.accelerated and device.type == "cuda"
    precision: Precision = "float32"
    if options.precision is not None:
        precision = options.precision
    elif fast:
        precision = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return Execution(device, precision, channels_last=fast, compiled=options.compiled)


def _load_once(options: TrainOptions, place: _Place) -> Data:
    """The first process of each machine loads first, so that one downloads and the others find it."""
    processes = place.processes
    failure: ArchscopeError | None = None
    data: Data | None = None
    for turn in (True, False):
        if (processes.local_rank == 0) == turn and failure is None:
            try:
                data = load_data(options.data, place.reporter)
            except ArchscopeError as error:
                failure = error
        processes.wait()
    if failure is not None or data is None:
        raise failure or DataError("no images")
    return data
