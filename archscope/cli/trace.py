"""`archscope trace`: every layer of one forward pass, as a tree or a list."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from archscope.cli.command import JudgementOptions, PassOptions, ReceptiveOption, TargetArgument, answer, command
from archscope.core.errors import UnknownNameError

if TYPE_CHECKING:
    from archscope.tables.layer_filter import LayerFilter


@command(
    "trace",
    "archscope trace resnet50 --input 32 --depth 2",
    "archscope trace vgg16 --top 5 --sort params --format csv",
)
def trace(
    target: TargetArgument,
    *,
    asked: PassOptions,
    depth: Annotated[int | None, typer.Option("--depth", min=0, metavar="N", help="Deepest level shown.")] = None,
    ops: Annotated[
        bool, typer.Option("--ops", help="Show operations between the layers; in JSON, all operations and edges.")
    ] = False,
    top: Annotated[int | None, typer.Option("--top", min=1, metavar="N", help="Only the N largest, as a list.")] = None,
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="KEY", help="List by macs, params, memory, output, layer, type or order."),
    ] = None,
    pattern: Annotated[
        str | None, typer.Option("--filter", metavar="TYPE|PATTERN", help="List by type or path: Conv2d, 'layer1.*'.")
    ] = None,
    no_fold: Annotated[bool, typer.Option("--no-fold", help="A row for each of several identical layers.")] = False,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="NAMES",
            help="Beside the layer: depth, leaf, type, input, output, kernel, params, params_share, macs, "
            "share (of MACs), memory (of activations), memory_share; or all.",
        ),
    ] = None,
    receptive: ReceptiveOption = False,
    output: JudgementOptions,
) -> None:
    """Trace one forward pass: shapes, parameters and MACs of every layer.

    Nothing is allocated and no weights are downloaded. What a reviewer would object to stands beneath the table: layers
    and parameters that are not registered, shared by accident or never used; BatchNorm on one image.
    """
    from archscope import api
    from archscope.tables.layer_columns import check_columns
    from archscope.tables.layers import LayerTableOptions

    chosen = output.choose(findings=True)
    view = LayerTableOptions(
        depth=depth,
        fold=not no_fold,
        ops=ops,
        receptive=receptive,
        selection=_read_filter(pattern, sort, top),
        columns=check_columns(columns) if columns is not None else (),
    )
    words = asked.read()

    def ask() -> api.Summary:
        try:
            return replace(api.trace(target, **words), view=view)
        except api.ForwardError as error:
            error.report = replace(error.summary, view=view)
            raise

    answer(chosen, ask)


def _read_filter(pattern: str | None, sort: str | None, top: int | None) -> "LayerFilter | None":
    from archscope.tables.layer_filter import SORT_KEYS, LayerFilter

    if sort is not None and sort not in SORT_KEYS:
        raise UnknownNameError("sort key", sort, SORT_KEYS, f"known: {', '.join(SORT_KEYS)}")
    if (pattern, sort, top) == (None, None, None):
        return None
    return LayerFilter(pattern, sort, top)
