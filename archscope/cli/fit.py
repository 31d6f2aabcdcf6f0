"""`archscope fit`: the largest batch that should fit in a memory, and why."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from archscope.cli.command import ModelOptions, OutputOptions, TargetArgument, answer, command

if TYPE_CHECKING:
    from archscope.core.documents.fit import FitDtype


@command(
    "fit",
    "archscope fit resnet18 --memory 2GiB --train --optimizer adam",
    "archscope fit vgg11 --batch 8 --format json",
)
def fit(
    target: TargetArgument,
    *,
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
    dtype: Annotated[
        str,
        typer.Option(
            metavar="DTYPE",
            help="fp32, tf32, bf16 or fp16 (autocast), bf16-pure or fp16-pure (weights, gradients and inputs too).",
        ),
    ] = "fp32",
    reserve: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT",
            help="Kept free for the device's context and fragments: 1GiB, 10% of the memory, or both, 1GiB+10%; "
            "without it, 0.5GiB+5%; 0: nothing.",
        ),
    ] = None,
    model: ModelOptions,
    output: OutputOptions,
) -> None:
    """Predict memory: parameters, gradients, optimizer state, saved activations and the peak, without allocating any.

    The exit code is 1 where nothing fits, or where the batch asked for does not. The batch of --input is replaced.
    """
    from archscope import api

    chosen = output.choose()
    arguments, inputs = model.read_arguments(), model.read_inputs()

    answer(
        chosen,
        lambda: api.fit(
            target,
            memory=memory,
            training=train,
            optimizer=optimizer,
            dtype=cast("FitDtype", dtype.casefold()),
            reserve=reserve,
            batch=batch,
            arguments=arguments,
            inputs=inputs,
        ),
    )
