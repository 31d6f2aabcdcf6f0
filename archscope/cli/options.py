"""The options that commands share, declared once."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from archscope.core.errors import UnknownNameError
from archscope.core.words import parse_arguments, parse_input

if TYPE_CHECKING:
    from archscope.core.trace import Mode
    from archscope.core.words import TraceOptions

MODES = ("meta", "fake", "real")

TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="resnet50 (archscope models lists them all), torchvision:NAME, timm:NAME, hf:CONFIG.json, file.py:Object, "
        "notebook.ipynb:Object, package.module:Object, or a saved trace.json.",
    ),
]
InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="SPEC",
        help="32 (a square image), 3x32x32, 8x3x224x224, input_ids=1x128:int64; repeatable. "
        "Without it, the target's own input.",
    ),
]
ArgOption = Annotated[
    list[str] | None,
    typer.Option("--arg", metavar="KEY=VALUE", help="An argument of the model's constructor; repeatable."),
]
TrainOption = Annotated[bool, typer.Option("--train", help="Trace in training mode; without it, in eval mode.")]
ModeOption = Annotated[
    str | None,
    typer.Option(
        "--mode", metavar="meta|fake|real", help="How to run the pass; without it, the cheapest way that carries it."
    ),
]
FormatOption = Annotated[
    str | None, typer.Option("--format", metavar="FORMAT", help="table, plain, json, csv, md or tex.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to a file; its suffix picks the format."),
]
ReceptiveOption = Annotated[
    bool,
    typer.Option(
        "--receptive", help="Columns for the receptive field, the jump (product of strides) and the centre of output 0."
    ),
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def read_trace_options(
    inputs: Sequence[str] | None, arguments: Sequence[str] | None, *, train: bool, mode: str | None
) -> "TraceOptions":
    """The words of `--input`, `--arg`, `--train` and `--mode`, parsed. Raises UsageError and its kinds."""
    from archscope.core.words import TraceOptions

    if mode is not None and mode not in MODES:
        raise UnknownNameError("mode", mode, MODES, f"known: {', '.join(MODES)}")
    return TraceOptions(
        arguments=parse_arguments(arguments or ()),
        inputs=tuple(parse_input(text) for text in inputs or ()),
        train=True if train else None,
        mode=cast("Mode | None", mode),
    )


def list_examples(*lines: str) -> str:
    """The end of a command's help: commands that run as they stand."""
    return "Examples:\n\n\b" + "\n".join(lines)
