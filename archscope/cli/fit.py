"""`archscope fit`: the largest batch that should fit in a memory, and why."""

from typing import Annotated

import typer

from archscope.cli.command import ModelOptions, OutputOptions, TargetArgument, answer, command


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
            batch=batch,
            arguments=arguments,
            inputs=inputs,
        ),
    )
