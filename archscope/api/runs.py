"""The functions of `archscope` that go beyond one trace: published figures, other counters, memory, training, times."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from archscope.api.summary import read_summary
from archscope.api.words import (
    Count,
    Inputs,
    check_finite,
    check_least,
    check_name,
    check_unchanged,
    check_word,
    is_saved,
    list_words,
    read_bytes,
    read_inputs,
    read_reserve,
)
from archscope.core.errors import UsageError
from archscope.core.finding import Finding
from archscope.core.paths import expand_path
from archscope.core.progress import track
from archscope.core.reserve import Reserve
from archscope.core.words import TraceOptions

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from archscope.benchmarking.options import Variant
    from archscope.benchmarking.report import BenchmarkReport
    from archscope.benchmarking.session import Listener
    from archscope.core.documents.bench import BenchDocument, Dtype
    from archscope.core.documents.fit import FitDtype
    from archscope.counters.report import CounterReport
    from archscope.memory.document import FitReport
    from archscope.papers.against_report import AgainstReport
    from archscope.papers.report import VerifyReport
    from archscope.training.report import TrainReport
    from archscope.training.reporter import Reporter

KEEPS = ("last", "all")


# --- published figures, other counters, memory ------------------------------------------------------------------------


def verify(
    word: "str | nn.Module | None" = None,
    *,
    verdicts: str | Sequence[str] = (),
    against: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    inputs: Inputs = (),
) -> "VerifyReport | AgainstReport":
    """Check published figures against what is measured: all of them, or those that `word` means.

    `word` is a model, a source or a figure's id; `verdicts` choose among them. With `against`, the name of a built-in
    model, `word` is any target or module: it is checked against the figures of that model and, layer by layer, against
    the model itself, on `inputs` (those of that model without any). Raises UnknownNameError, UsageError; of a target
    what `trace` raises; ModelError where its forward pass fails.
    """
    if against is not None:
        if verdicts:
            raise UsageError("verdicts do not go with against", "leave out one of them")
        return _verify_against(word, against, TraceOptions(arguments or {}, read_inputs(inputs), train=False))
    if arguments or inputs:
        raise UsageError("arguments and inputs go with against only", "the figures have their networks")
    if word is not None and not isinstance(word, str):
        raise UsageError(
            f"a {type(word).__name__} has no published figures of its own",
            'say whose it is checked against: archscope.verify(module, against="vgg16")',
        )
    if word is not None and (":" in word or word.endswith((".py", ".ipynb"))):
        raise UsageError(
            f"{word} has no published figures of its own",
            f"say whose it is checked against: archscope verify {word} --against vgg16",
        )
    from archscope.papers.ledger import verify_facts
    from archscope.papers.published import choose_facts
    from archscope.papers.report import VerifyReport
    from archscope.papers.verdicts import find_verdict

    wanted = tuple(map(find_verdict, list_words(verdicts)))
    title = "Published figures against what is measured" + (f": {word}" if word else "")
    return VerifyReport(verify_facts(choose_facts(word)), title, only_odd=word is None, verdicts=wanted)


def _verify_against(target: "str | nn.Module | None", name: str, options: TraceOptions) -> "AgainstReport":
    from dataclasses import replace

    from archscope.core.errors import ModelError
    from archscope.core.words import InputSpec
    from archscope.models.registry import find_entry
    from archscope.observation import observe_call
    from archscope.papers.against import compare_against
    from archscope.papers.against_report import AgainstReport
    from archscope.papers.networks import Networks

    entry = find_entry(name)
    if target is None:
        raise UsageError("no model is given", f"name it: archscope verify net.py:Net --against {name}")
    own = not options.inputs
    if own:
        options = replace(options, inputs=(InputSpec(None, (1, *entry.input_shape), None),))
    observed = observe_call(target, options)
    if observed.error is not None:
        shape = ", ".join("x".join(map(str, ref.shape)) for ref in observed.trace.inputs)
        whose = f", the input of {entry.name}" if own else ""
        raise ModelError(
            f"the forward pass of {observed.title} failed on {shape}{whose}: {observed.error}",
            observed.remedy or ("name the input that it takes, such as --input 3x32x32" if own else ""),
        )
    return AgainstReport(compare_against(observed, Networks().trace(entry.name), entry))


def compare_counters(
    target: str | None = None, *, arguments: Mapping[str, Any] | None = None, inputs: Inputs = ()
) -> "CounterReport":
    """Parameters and MACs beside torchinfo, fvcore and FlopCounterMode, of a sample of models without a target.

    Raises what `trace` raises.
    """
    if target is not None:
        check_name("compare_counters", target)
    from archscope.counters.compare import SAMPLE, compare_target
    from archscope.counters.report import CounterReport

    options = TraceOptions(arguments or {}, read_inputs(inputs))
    names = SAMPLE if target is None else (target,)
    return CounterReport(tuple(compare_target(name, options) for name in track(names, "counting", "models")))


def fit(
    target: str,
    *,
    memory: Count | None = None,
    batch: int | None = None,
    training: bool = False,
    optimizer: str | None = None,
    dtype: "FitDtype" = "fp32",
    reserve: Count | None = None,
    arguments: Mapping[str, Any] | None = None,
    inputs: Inputs = (),
) -> "FitReport":
    """The largest batch that should fit in `memory` (bytes, or `"16GiB"`), or what `batch` needs.

    Without `training` an inference in eval mode; with it a step with the `optimizer` (sgd, momentum, adam, adamw).
    `dtype` is `fp32`, `tf32`, `bf16` or `fp16` (autocast), `bf16-pure` or `fp16-pure` (the weights too). `reserve` is
    kept free, in bytes or as `"1GiB"`, `"0.5GiB+5%"`; None: 0.5 GiB and 5 % of the memory. The model that a saved
    trace names is built again and given the inputs of the trace.
    Raises UsageError where neither memory nor batch is given, ModelError where forward raises.
    """
    check_name("fit", target, may_be_saved=True)
    limit = None if memory is None else read_bytes(memory)
    if batch is not None:
        check_least("batch", batch, 1)
    if optimizer is not None and not training:
        raise UsageError("--optimizer goes with --train only", "add --train: inference keeps no optimizer state")
    from archscope.core.documents.fit import FIT_DTYPES

    check_word("dtype", dtype, FIT_DTYPES)
    kept_free = Reserve() if reserve is None else read_reserve(reserve)
    from archscope.memory.document import FitReport
    from archscope.memory.fit import FitRequest, find_fit
    from archscope.memory.saved import SavedTarget

    saved = None
    if is_saved(target):
        check_unchanged(target, {"input": inputs, "arg": arguments})
        saved = SavedTarget(target, read_summary(expand_path(target)).trace)
    request = FitRequest(
        target=target,
        memory_bytes=limit,
        batch=batch,
        train=training,
        optimizer=(optimizer or "sgd").casefold(),
        dtype=dtype,
        reserve=kept_free,
        inputs=read_inputs(inputs),
        arguments=arguments or {},
        saved=saved,
    )
    return FitReport(find_fit(request))


# --- running the model ------------------------------------------------------------------------------------------------


def check_training(
    model: "nn.Module", batch: "tuple[Tensor, Tensor]", *, optimizer: "Optimizer | None" = None, seconds: float = 60.0
) -> tuple[Finding, ...]:
    """See whether a classifier can be trained on batches like `(images, labels)`; the model is left as it was.

    Args:
        model: returns class scores (N, classes), or a tuple, named tuple or dict with `logits`.
        batch: images (N, ...) as the model would get them, and labels (N,) from 0.
        optimizer: the one that will train the model; without it, one that holds every parameter is assumed.
        seconds: how long memorising the batch may take.

    Returns:
        What was found, with the layer and the likely cause, errors first; empty where all is well.

    Raises:
        ModelError, TargetError, UsageError: forward raised, the model cannot be copied, the batch is no such pair.
    """
    from archscope.training.checks.runner import check_training as run_checks

    return run_checks(model, batch, optimizer=optimizer, seconds=seconds)


def train(
    target: str,
    *,
    epochs: int | None = None,
    data: str | Path | None = None,
    recipe: str | None = None,
    as_printed: bool = False,
    run_dir: str | Path | None = None,
    resume: bool = False,
    keep: Literal["last", "all"] = "last",
    check_only: bool = False,
    checks: bool = True,
    seed: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    classes: str | Sequence[str] = (),
    subset: int | None = None,
    test_subset: int | None = None,
    shuffle_labels: bool = False,
    side: int | None = None,
    arguments: Mapping[str, Any] | None = None,
    device: str | None = None,
    threads: int | None = None,
    precision: Literal["float32", "bfloat16", "float16"] | None = None,
    compiled: bool = False,
    tensorboard: bool = False,
    reporter: "Reporter | None" = None,
) -> "TrainReport":
    """Check a model, then train it on CIFAR-10 for a few epochs. The keywords are the options of `archscope train`.

    Args:
        target: a name or path in words.
        epochs: 2 without it.
        data: CIFAR-10's binary version, class folders, or `synthetic`; None: the cache, else a download.
        recipe: `lecture-vgg`, `lecture-resnet` or `fast`; None: the one that fits the model.
        as_printed: the lecture's recipe with its mistakes.
        run_dir: where the run is kept; None: a new folder in `runs`.
        resume: whether the run in `run_dir` goes on.
        keep: whether every epoch's checkpoint is kept, or the last.
        check_only: whether to stop after the sanity checks.
        checks: whether there are any before the training.
        seed: of everything random; None: the recipe's.
        batch_size: images of a step, over all processes; None: the recipe's.
        learning_rate: the peak; None: the recipe's.
        classes: names of the classes that are used; empty: all.
        subset: training images, of all classes together; None: all.
        test_subset: held-out images, of all classes together; None: all.
        shuffle_labels: a control, whose training labels are permuted.
        side: height and width that images are resized to; None: the target's own input.
        arguments: constructor arguments.
        device: `cpu`, `cuda`, `cuda:1`; None: CUDA where there is one.
        threads: of the CPU; None: as torch has it.
        precision: None: what the recipe asks for on this device.
        compiled: whether the model goes through `torch.compile`.
        tensorboard: whether event files are written too.
        reporter: who is told what goes on; None: nobody.

    Raises:
        UsageError, UnknownNameError, TargetError: what was asked cannot be done.
        DataError: the images are missing or damaged, or a checkpoint is.
        CheckError: a sanity check failed before the training, or the loss is NaN or infinite.
        ModelError: the model raised.
        OutputError: the run folder cannot be written; what was saved before is whole.
    """
    from archscope.training.data.images import DataSubset
    from archscope.training.options import PRECISIONS, MachineOptions, RunOptions, TrainOptions
    from archscope.training.report import TrainReport
    from archscope.training.session import train_target

    check_name("train", target)
    least = {"epochs": (epochs, 1), "seed": (seed, 0), "batch_size": (batch_size, 2), "subset": (subset, 1)}
    least |= {"test_subset": (test_subset, 1), "side": (side, 1), "threads": (threads, 1)}
    for name, (value, bound) in least.items():
        if value is not None:
            check_least(name, value, bound)
    check_word("word for --keep", keep, KEEPS)
    check_word("precision", precision, PRECISIONS)
    if learning_rate is not None and not 0 < learning_rate < float("inf"):
        raise UsageError(f"--lr {learning_rate} is not a learning rate", "give a number above 0: --lr 0.05")
    options = TrainOptions(
        arguments=arguments or {},
        side=side,
        data=None if data is None else str(data),
        selection=DataSubset(list_words(classes), subset, test_subset, shuffle_labels),
        recipe=recipe,
        as_printed=as_printed,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
        run=RunOptions(None if run_dir is None else expand_path(run_dir), resume, checks, keep, tensorboard),
        machine=MachineOptions(device, threads, compiled, precision),
    )
    return TrainReport(train_target(target, options, reporter, check_only=check_only))


def benchmark(
    *targets: str,
    device: str | None = None,
    batch: int | Literal["auto"] | None = None,
    dtype: str = "fp32",
    channels_last: bool = False,
    compiled: bool = False,
    inference: bool = False,
    layers: bool = False,
    train_steps: int | None = None,
    data: str | Path | None = None,
    compare: str | Path | None = None,
    seconds: float | None = None,
    threads: int | None = None,
    arguments: Mapping[str, Any] | None = None,
    inputs: Inputs = (),
    listener: "Listener | None" = None,
) -> "BenchmarkReport":
    """Time forward, backward and optimizer step, and measure memory and utilisation.

    Args:
        targets: names or paths in words; without any, all built-in models.
        device: `cpu`, `cuda`, or several with commas; None: CUDA where there is one.
        batch: None: the input's own, 32 without a target; `auto`: the largest that fits.
        dtype: `fp32`, `tf32`, `bf16`, `fp16`, or several with commas.
        channels_last: memory in NHWC order.
        compiled: whether the model goes through `torch.compile`.
        inference: forward only, in eval mode; without it, whole training steps.
        layers: whether the time, work and bound of each module are measured.
        train_steps: steps of a short training that shows whether each model learns; None: none.
        data: CIFAR-10 for it; None: made-up images.
        compare: a file with an older run.
        seconds: for each target and variant; None: 5.
        threads: of the CPU.
        arguments: constructor arguments; they go with a target.
        inputs: in words, as `trace` takes them; they go with a target.
        listener: who is told what goes on; None: nobody.

    Raises:
        UsageError, UnknownNameError: what was asked cannot be done.
        DataError: images or the older run are missing or damaged.
    """
    from archscope.benchmarking.compare import compare_with_old
    from archscope.benchmarking.options import DEFAULT_SECONDS, BenchOptions, StepOptions, TrainingOptions
    from archscope.benchmarking.report import BenchmarkReport
    from archscope.benchmarking.session import SilentListener, bench_targets

    for target in targets:
        check_name("benchmark", target)
    for name, value, bound in (("threads", threads, 1), ("train_steps", train_steps, 5)):
        if value is not None:
            check_least(name, value, bound)
    if batch is not None and batch != "auto":
        check_least("batch", batch, 1)
    if seconds is not None:
        check_finite("seconds", seconds, 0.1)
    if layers and compiled:
        raise UsageError("--layers times modules one by one, and --compile fuses them", "leave one of them out")
    if not targets and (inputs or arguments):
        raise UsageError("--input and --arg go with a target", "name one: archscope bench resnet50 --input 224")
    if train_steps is None and data is not None:
        raise UsageError("--data goes with --train", "add --train 200")
    options = BenchOptions(
        variants=_read_variants(device, dtype),
        batch=batch,
        arguments=arguments or {},
        inputs=read_inputs(inputs),
        step=StepOptions(channels_last, compiled, inference),
        layers=layers,
        seconds=DEFAULT_SECONDS if seconds is None else seconds,
        threads=threads,
        training=None if train_steps is None else TrainingOptions(train_steps, None if data is None else str(data)),
    )
    old = None if compare is None else _read_older(compare)
    found = bench_targets(targets, options, listener or SilentListener())
    ratios = compare_with_old(found, old) if old is not None else None
    return BenchmarkReport(found, ratios, "" if compare is None else str(compare))


def _read_older(path: str | Path) -> "BenchDocument":
    """An older run, checked before the work. Raises DataError."""
    from archscope.benchmarking.compare import check_times
    from archscope.core.codec import read_document
    from archscope.core.documents.bench import BenchDocument

    old = read_document(expand_path(path), BenchDocument)
    check_times(old, str(path))
    return old


def _read_variants(device: str | None, dtype: str) -> "tuple[Variant, ...]":
    """Every precision on every device. Raises UsageError, UnknownNameError."""
    from archscope.benchmarking.options import DTYPES, Variant
    from archscope.machine.device import choose_default_device

    devices = _split(choose_default_device() if device is None else device, "--device")
    dtypes = _split(dtype.casefold(), "--dtype")
    for name in dtypes:
        check_word("dtype", name, DTYPES)
    return tuple(Variant(place, cast("Dtype", name)) for place in devices for name in dtypes)


def _split(words: str, option: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(word.strip() for word in words.split(",") if word.strip()))
    if not found:
        raise UsageError(f"{option} is empty")
    return found
