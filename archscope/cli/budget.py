"""`archscope budget`: exit code 1 when a model is larger than allowed, or than it was."""

from pathlib import Path
from typing import Annotated

import typer

from archscope.cli.command import JudgementOptions, ModelOptions, TargetArgument, answer, command

LimitOption = Annotated[str | None, typer.Option(metavar="N", help="5M, 1.5G, 600_000 or 600,000.")]


@command(
    "budget",
    "archscope budget resnet18 --max-params 12M --max-macs 2G",
    "archscope budget vgg11 --max-params 133M --format json",
)
def budget(
    target: TargetArgument,
    *,
    max_params: LimitOption = None,
    max_macs: LimitOption = None,
    max_activations: LimitOption = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A saved trace that the model must not outgrow.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(metavar="PERCENT", min=0.0, help="Growth over the baseline that is allowed.")
    ] = 0.0,
    model: ModelOptions,
    train: Annotated[bool, typer.Option("--train", help="Trace in training mode; without it, in eval mode.")] = False,
    output: JudgementOptions,
) -> None:
    """Check a model against limits or a saved baseline; one line per broken budget, and exit code 1.

    A baseline is saved with: archscope trace TARGET -o baseline.json
    """
    from archscope import api

    chosen = output.choose(findings=True)
    arguments, inputs = model.read_arguments(), model.read_inputs()

    answer(
        chosen,
        lambda: api.budget(
            target,
            max_params=max_params,
            max_macs=max_macs,
            max_activations=max_activations,
            baseline=baseline,
            tolerance=tolerance,
            arguments=arguments,
            inputs=inputs,
            training=True if train else None,
        ),
    )
