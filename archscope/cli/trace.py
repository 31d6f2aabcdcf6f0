"""`archscope trace`: every layer of one forward pass, as a tree or a list."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from archscope.cli.failures import report_failures
from archscope.cli.options import (
    ArgOption,
    DebugOption,
    FormatOption,
    InputOption,
    ModeOption,
    OutputOption,
    ReceptiveOption,
    TargetArgument,
    TrainOption,
    list_examples,
    read_trace_options,
)
from archscope.cli.output import Output, choose_output
from archscope.cli.targets import summarise
from archscope.core.errors import UnknownNameError

if TYPE_CHECKING:
    from archscope.api import Summary
    from archscope.tables.layer_filter import LayerFilter

EXAMPLES = (
    "archscope trace resnet50 --input 32 --depth 2",
    "archscope trace vgg16 --top 5 --sort params --format csv",
)


@dataclass(frozen=True, slots=True)
class _View:
    """What to show of a trace."""

    depth: int | None
    fold: bool
    ops: bool
    selection: "LayerFilter | None"
    receptive: bool


@report_failures
def run_trace(
    target: TargetArgument,
    inputs: InputOption = None,
    arguments: ArgOption = None,
    train: TrainOption = False,
    mode: ModeOption = None,
    depth: Annotated[int | None, typer.Option("--depth", min=0, metavar="N", help="Deepest level shown.")] = None,
    ops: Annotated[
        bool, typer.Option("--ops", help="Show operations between the layers; in JSON, all operations and edges.")
    ] = False,
    top: Annotated[int | None, typer.Option("--top", min=1, metavar="N", help="Only the N largest, as a list.")] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="KEY", help="List by macs, params, output, layer, type or order.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option("--filter", metavar="TYPE|PATTERN", help="List by type or path: Conv2d, 'layer1.*'.")
    ] = None,
    no_fold: Annotated[bool, typer.Option("--no-fold", help="A row for each of several identical layers.")] = False,
    receptive: ReceptiveOption = False,
    word: FormatOption = None,
    path: OutputOption = None,
    debug: DebugOption = False,
) -> None:
    """Trace one forward pass: shapes, parameters and MACs of every layer.

    Nothing is allocated and no weights are downloaded.
    """
    from archscope.api import ForwardError

    output = choose_output(word, path)
    options = read_trace_options(inputs, arguments, train=train, mode=mode)
    view = _View(depth, not no_fold, ops, _read_selection(pattern, sort, top), receptive)
    try:
        summary = summarise(target, options)
    except ForwardError as error:
        _show(error.summary, view, output)
        raise
    _show(summary, view, output)


def _read_selection(pattern: str | None, sort: str | None, top: int | None) -> "LayerFilter | None":
    from archscope.tables.layer_filter import SORT_KEYS, LayerFilter

    if sort is not None and sort not in SORT_KEYS:
        raise UnknownNameError("sort key", sort, SORT_KEYS, f"known: {', '.join(SORT_KEYS)}")
    if (pattern, sort, top) == (None, None, None):
        return None
    return LayerFilter(pattern, sort, top)


def _show(summary: "Summary", view: _View, output: Output) -> None:
    from archscope.tables.layers import LayerTableOptions, build_layer_table

    if output.wants_json and view.selection is None:
        from archscope.core.saved import build_trace_document
        from archscope.tables.receptive import build_receptive_entries

        fields = build_receptive_entries(summary.trace) if view.receptive else None
        output.write_document(build_trace_document(summary.trace, summary.costs, ops=view.ops, receptive=fields))
        return
    options = LayerTableOptions(
        title=summary.title,
        depth=view.depth,
        fold=view.fold,
        ops=view.ops,
        receptive=view.receptive,
        selection=view.selection,
    )
    output.write_table(build_layer_table(summary.trace, summary.costs, options))


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("trace", epilog=list_examples(*EXAMPLES))(run_trace)
