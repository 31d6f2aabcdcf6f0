"""`archscope table`: one model in the form of the lecture's table, or a family as its paper prints it."""

from typing import Annotated

import typer

from archscope.cli.command import OutputOptions, PassOptions, ReceptiveOption, TargetArgument, answer, command


@command(
    "table",
    "archscope table alexnet",
    "archscope table googlenet --format tex",
)
def table(
    model: TargetArgument,
    *,
    asked: PassOptions,
    style: Annotated[
        str | None,
        typer.Option(
            "--style",
            metavar="paper|cs231n",
            help="A family as its paper prints it, or the lecture's form of one model.",
        ),
    ] = None,
    receptive: ReceptiveOption = False,
    output: OutputOptions,
) -> None:
    """Print a model as the lecture prints AlexNet: CONV1: 96 11x11 filters at stride 4, pad 0.

    Every word is made from what was traced. Where the network branches, each block is one row.

    [bold]vgg[/bold], [bold]resnet[/bold], [bold]resnet-cifar[/bold], [bold]googlenet[/bold] and
    [bold]ilsvrc[/bold] print the table of their paper; a cell that differs from the printed one has a footnote with
    both, and in CSV and JSON the column marks has its verdict. With --style cs231n, --arg, --input, --train, --mode
    or --receptive, googlenet and vgg are one model.
    """
    from archscope import api

    chosen, words = output.choose(), asked.read()
    answer(chosen, lambda: api.table(model, style=style, receptive=receptive, **words))
