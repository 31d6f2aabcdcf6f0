"""`archscope fit`: the largest batch that should fit in a memory, and why."""

from typing import Annotated

import typer

from archscope.cli.failures import report_failures
from archscope.cli.options import (
    ArgOption,
    DebugOption,
    FormatOption,
    InputOption,
    OutputOption,
    TargetArgument,
    list_examples,
)
from archscope.cli.output import choose_output
from archscope.cli.targets import is_saved
from archscope.core.errors import UsageError
from archscope.core.words import parse_arguments, parse_input, parse_memory

EXAMPLES = (
    "archscope fit resnet18 --memory 2GiB --train --optimizer adam",
    "archscope fit vgg11 --batch 8 --format json",
)


@report_failures
def run_fit(
    target: TargetArgument,
    memory: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="16GiB, 16GB or 24000MB: the largest batch within it.")
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="A training step; without it, inference in eval mode.")
    ] = False,
    optimizer: Annotated[
        str | None,
        typer.Option(
            metavar="sgd|momentum|adam|adamw", help="Of the training step; without it, sgd, which keeps nothing."
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="What this batch needs, instead of the largest that fits.")
    ] = None,
    inputs: InputOption = None,
    arguments: ArgOption = None,
    word: FormatOption = None,
    path: OutputOption = None,
    debug: DebugOption = False,
) -> None:
    """Predict memory: parameters, gradients, optimizer state, saved activations and the peak, without allocating any.

    The exit code is 1 where nothing fits, or where the batch asked for does not. The batch of --input is replaced.
    """
    output = choose_output(word, path)
    limit = None if memory is None else parse_memory(memory)
    if optimizer is not None and not train:
        raise UsageError("--optimizer goes with --train only", "add --train: inference keeps no optimizer state")
    if is_saved(target):
        raise UsageError(f"{target} is a saved trace, which cannot be run at another batch", "name the model itself")
    specs, given = tuple(parse_input(text) for text in inputs or ()), parse_arguments(arguments or ())

    from archscope.memory.document import build_fit_document, build_fit_table
    from archscope.memory.fit import FitRequest, find_fit

    fit = find_fit(
        FitRequest(
            target=target,
            memory_bytes=limit,
            batch=batch,
            train=train,
            optimizer=(optimizer or "sgd").casefold(),
            inputs=specs,
            arguments=given,
        )
    )
    if output.wants_json:
        output.write_document(build_fit_document(fit))
    else:
        output.write_table(build_fit_table(fit))
    if fit.fits is False:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("fit", epilog=list_examples(*EXAMPLES))(run_fit)
