"""`archscope explain`: the arithmetic behind one layer, a block, a stack, or every layer of a model."""

from typing import Annotated

import typer

from archscope.cli.command import OutputOptions, PassOptions, TargetArgument, answer, command
from archscope.core.errors import UsageError


@command(
    "explain",
    "archscope explain alexnet conv1",
    "archscope explain vgg16 features.24:features.28",
)
def explain(
    target: TargetArgument,
    *,
    layer: Annotated[
        str | None,
        typer.Argument(
            metavar="LAYER[:LAYER]",
            help="A module path (features.24, layer1.0), its second call (relu#2), a label of the lecture's table "
            "(conv1, fc6), . for the whole model, or a stack from one layer to another.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every layer: a lecture handout in Markdown, JSON or CSV.")
    ] = False,
    asked: PassOptions,
    output: OutputOptions,
) -> None:
    """Show where the numbers of a layer come from: floor((227 + 2*0 - 11) / 4) + 1 = 55.

    Output size, parameters, MACs, memory and receptive field, each as an expression that evaluates to its number. A
    block is the sum of its parts; a stack is compared with one larger kernel.
    """
    from archscope import api

    if (layer is None) == (not everything):
        raise UsageError(
            "name a layer, or ask for --all of them",
            "archscope explain alexnet conv1; archscope trace lists the layers",
        )
    chosen, words = output.choose(default="md" if everything else None), asked.read()
    answer(chosen, lambda: api.explain(target, layer, **words))
