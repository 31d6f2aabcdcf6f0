"""`archscope models`: what can be named, from the generated catalogue, or from another package."""

from typing import Annotated

import typer

from archscope.cli.command import OutputOptions, answer, command


@command(
    "models",
    "archscope models",
    "archscope models 'resnet*' --format csv",
)
def models(
    *,
    pattern: Annotated[
        str | None,
        typer.Argument(
            metavar="PATTERN",
            help="Part of a name, or a pattern: 'vgg*_bn'. Other packages: 'timm:*', 'torchvision:vit*', 'hf:bert*'.",
        ),
    ] = None,
    output: OutputOptions,
) -> None:
    """List the built-in models with parameters, MACs and source; or those of torchvision, timm or transformers."""
    from archscope import api

    answer(output.choose(), lambda: api.list_models(pattern))
