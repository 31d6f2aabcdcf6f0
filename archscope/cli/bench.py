"""`archscope bench`: timed forward and backward passes, memory and utilisation, on the CPU and on CUDA."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from archscope.cli.failures import report_failures
from archscope.cli.options import ArgOption, DebugOption, FormatOption, InputOption, OutputOption, list_examples
from archscope.cli.output import Output, choose_output
from archscope.core.errors import CheckError, ModelError, UnknownNameError, UsageError
from archscope.core.words import parse_arguments, parse_input

if TYPE_CHECKING:
    from archscope.benchmarking.options import BenchOptions, TrainingOptions, Variant
    from archscope.benchmarking.results import BenchReport
    from archscope.core.documents.bench import BenchDocument, Dtype

EXAMPLES = (
    "archscope bench resnet20 --device cpu --seconds 1",
    "archscope bench resnet20 plain20 --device cpu --inference --seconds 1 --format json",
)
AUTO = "auto"

TargetsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TARGET ...]", help="resnet50, timm:NAME, file.py:Object, ...; without one, all built-in models."
    ),
]


@report_failures
def run_bench(
    targets: TargetsArgument = None,
    device: Annotated[
        str | None,
        typer.Option("--device", metavar="DEVICE,...", help="cuda, cpu or cpu,cuda; default: cuda where there is one."),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch", metavar="N|auto", help="Default: the input's, which is 1; 32 without a target. auto: what fits."
        ),
    ] = None,
    dtype: Annotated[
        str, typer.Option("--dtype", metavar="DTYPE,...", help="fp32, tf32 (CUDA), bf16 or fp16 (autocast).")
    ] = "fp32",
    channels_last: Annotated[bool, typer.Option("--channels-last", help="Memory in NHWC order.")] = False,
    compiled: Annotated[bool, typer.Option("--compile", help="Run through torch.compile.")] = False,
    inference: Annotated[
        bool, typer.Option("--inference", help="Forward only, in eval mode; without it, whole training steps.")
    ] = False,
    layers: Annotated[bool, typer.Option("--layers", help="Time, work and bound of each module.")] = False,
    train: Annotated[
        int | None,
        typer.Option("--train", min=5, metavar="STEPS", help="Also see whether each model learns, in so many steps."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="PATH", help="CIFAR-10 for --train, as train takes it; default: made-up images."
        ),
    ] = None,
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="FILE", help="An older bench as JSON: what has become slower?")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0.1, metavar="S", help="For each target and variant; default: 5.")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", min=1, metavar="N", help="Of the CPU.")] = None,
    inputs: InputOption = None,
    arguments: ArgOption = None,
    word: FormatOption = None,
    path: OutputOption = None,
    debug: DebugOption = False,
) -> None:
    """Time forward, backward and optimizer step, and measure memory and utilisation.

    Medians over at least 30 blocks after a warm-up, unless the time ends first, which is then said.
    With several devices or precisions their blocks alternate, and the ratio is printed.
    """
    from archscope.benchmarking.options import DEFAULT_SECONDS, BenchOptions, StepOptions

    output = choose_output(word, path)
    options = BenchOptions(
        variants=_read_variants(device, dtype),
        batch=_read_batch(batch),
        arguments=parse_arguments(arguments or ()),
        inputs=tuple(parse_input(text) for text in inputs or ()),
        step=StepOptions(channels_last, compiled, inference),
        layers=layers,
        seconds=DEFAULT_SECONDS if seconds is None else seconds,
        threads=threads,
        training=_read_training(train, data),
    )
    if layers and compiled:
        raise UsageError("--layers looks at modules, which --compile melts into one", "leave one of them out")
    if not targets and (inputs or arguments):
        raise UsageError("--input and --arg go with a target", "name one: archscope bench resnet50 --input 224")
    _bench(targets or (), options, output, compare)


def _bench(targets: Sequence[str], options: "BenchOptions", output: Output, old_path: Path | None) -> None:
    from archscope.benchmarking.session import bench_targets
    from archscope.core.codec import read_document
    from archscope.core.documents.bench import BenchDocument

    old = read_document(old_path, BenchDocument) if old_path is not None else None
    report = bench_targets(targets, options, _StderrListener())
    _show(report, output, old, str(old_path))
    if report.interrupted:
        raise KeyboardInterrupt
    _complain(report)


def _show(report: "BenchReport", output: Output, old: "BenchDocument | None", old_name: str) -> None:
    from archscope.benchmarking.compare import compare_with_old, list_ratios, tell_ratios
    from archscope.benchmarking.document import build_document
    from archscope.benchmarking.report import build_bench_table, build_layer_table

    ratios = None if old is None else compare_with_old(report, old)
    if output.wants_json:
        output.write_document(build_document(report, None if ratios is None else list_ratios(ratios)))
        return
    lines = () if ratios is None else tuple(tell_ratios(ratios, old_name))
    split = [result for result in report.results if result.layers]
    if split and output.format.name == "csv":
        # One header for one table: layers asked for are what the file is about.
        output.write_table(build_layer_table(split[0], report.find_ceiling(split[0].variant)))
        return
    tables = [build_bench_table(report, lines)]
    tables += [build_layer_table(result, report.find_ceiling(result.variant)) for result in split]
    output.write_text("\n".join(output.render(table) for table in tables))


def _complain(report: "BenchReport") -> None:
    """Exit 3 where a model raised, 1 where one did not learn. Everything has been shown."""
    failed = [result.target for result in report.failures]
    if failed:
        raise ModelError(f"not measured: {', '.join(dict.fromkeys(failed))}", "the table has the reasons")
    untrained = [result.target for result in report.untrained]
    if untrained:
        raise CheckError(f"the short training failed: {', '.join(dict.fromkeys(untrained))}")


def _read_variants(device: str | None, dtype: str) -> "tuple[Variant, ...]":
    from archscope.benchmarking.options import DTYPES, Variant

    if device is None:
        from archscope.benchmarking.machine import choose_default_device

        device = choose_default_device()
    devices = _split(device, "--device")
    dtypes = _split(dtype.casefold(), "--dtype")
    for name in dtypes:
        if name not in DTYPES:
            raise UnknownNameError("dtype", name, DTYPES, f"known: {', '.join(DTYPES)}")
    return tuple(Variant(place, cast("Dtype", name)) for place in devices for name in dtypes)


def _split(words: str, option: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(word.strip() for word in words.split(",") if word.strip()))
    if not found:
        raise UsageError(f"{option} is empty")
    return found


def _read_batch(word: str | None) -> int | Literal["auto"] | None:
    if word is None:
        return None
    if word.casefold() == AUTO:
        return "auto"
    if not word.isdecimal() or not 0 < int(word) < 2**31:
        raise UsageError(f"--batch {word} is no batch", "a number from 1, or auto")
    return int(word)


def _read_training(steps: int | None, data: str | None) -> "TrainingOptions | None":
    from archscope.benchmarking.options import TrainingOptions

    if steps is None:
        if data is not None:
            raise UsageError("--data goes with --train", "add --train 200")
        return None
    return TrainingOptions(steps, data)


class _StderrListener:
    """Progress, a line at a time, on standard error."""

    def note(self, text: str) -> None:
        """One line."""
        print(text, file=sys.stderr, flush=True)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("bench", epilog=list_examples(*EXAMPLES))(run_bench)
