"""`archscope bench`: timed forward and backward passes, memory and utilisation, on the CPU and on CUDA."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from archscope.cli.command import ModelOptions, OutputOptions, answer, command
from archscope.cli.progress import tell
from archscope.core.errors import UsageError

AUTO = "auto"

TargetsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TARGET ...]", help="resnet50, timm:NAME, file.py:Object, ...; without one, all built-in models."
    ),
]


@command(
    "bench",
    "archscope bench resnet20 --device cpu --seconds 1",
    "archscope bench resnet20 plain20 --device cpu --inference --seconds 1 --format json",
)
def bench(
    targets: TargetsArgument = None,
    *,
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
    model: ModelOptions,
    output: OutputOptions,
) -> None:
    """Time forward, backward and optimizer step, and measure memory and utilisation.

    Medians over at least 30 blocks after a warm-up, unless the time ends first, which is then said.
    With several devices or precisions their blocks alternate, and the ratio is printed.
    """
    from archscope import api

    chosen = output.choose()
    words: dict[str, Any] = {
        "device": device,
        "batch": _read_batch(batch),
        "dtype": dtype,
        "channels_last": channels_last,
        "compiled": compiled,
        "inference": inference,
        "layers": layers,
        "train_steps": train,
        "data": data,
        "compare": compare,
        "seconds": seconds,
        "threads": threads,
        "arguments": model.read_arguments(),
        "inputs": model.read_inputs(),
    }
    answer(chosen, lambda: api.benchmark(*(targets or ()), **words, listener=_StderrListener()))


def _read_batch(word: str | None) -> int | Literal["auto"] | None:
    if word is None:
        return None
    if word.casefold() == AUTO:
        return "auto"
    if not word.isdecimal() or len(word) > 10 or not 0 < int(word) < 2**31:
        raise UsageError(f"--batch {word[:40]} is not a batch size", "give a number from 1, or auto")
    return int(word)


class _StderrListener:
    """Progress, a line at a time, on standard error."""

    def note(self, text: str) -> None:
        """One line."""
        tell(text)
