"""`archscope table`: one model in the form of the lecture's table."""

from typing import TYPE_CHECKING

import typer

from archscope.cli.failures import report_failures
from archscope.cli.options import (
    ArgOption,
    DebugOption,
    FormatOption,
    InputOption,
    ModeOption,
    OutputOption,
    TargetArgument,
    TrainOption,
    list_examples,
    read_trace_options,
)
from archscope.cli.output import Output, choose_output
from archscope.cli.targets import summarise

if TYPE_CHECKING:
    from archscope.api import Summary

EXAMPLES = (
    "archscope table alexnet",
    "archscope table vgg16 --format tex",
)


@report_failures
def run_table(
    model: TargetArgument,
    inputs: InputOption = None,
    arguments: ArgOption = None,
    train: TrainOption = False,
    mode: ModeOption = None,
    word: FormatOption = None,
    path: OutputOption = None,
    debug: DebugOption = False,
) -> None:
    """Print a model as the lecture prints AlexNet: CONV1: 96 11x11 filters at stride 4, pad 0.

    Every word is made from what was traced. Where the network branches, each block is one row.
    """
    from archscope.api import ForwardError

    output = choose_output(word, path)
    options = read_trace_options(inputs, arguments, train=train, mode=mode)
    try:
        summary = summarise(model, options)
    except ForwardError as error:
        _show(error.summary, output)
        raise
    _show(summary, output)


def _show(summary: "Summary", output: Output) -> None:
    from archscope.tables.model import build_model_table

    output.write_table(build_model_table(summary.trace, summary.costs, summary.title))


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("table", epilog=list_examples(*EXAMPLES))(run_table)
