"""`archscope table`: one model in the form of the lecture's table, or a family as its paper prints it."""

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
from archscope.core.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from archscope.api import Summary
    from archscope.core.table import Table
    from archscope.core.words import TraceOptions
    from archscope.papers.registry import Family

EXAMPLES = (
    "archscope table alexnet",
    "archscope table googlenet --format tex",
)

STYLES = ("paper", "cs231n")


@dataclass(frozen=True, slots=True)
class _Request:
    """What was asked for."""

    model: str
    style: str | None
    receptive: bool
    options: "TraceOptions"

    @property
    def wants_one_model(self) -> bool:
        """Whether an option asks for one model's form, which families have not."""
        options = self.options
        given = options.arguments or options.inputs or options.train or options.mode
        return self.style == "cs231n" or self.receptive or bool(given)


@report_failures
def run_table(
    model: TargetArgument,
    inputs: InputOption = None,
    arguments: ArgOption = None,
    train: TrainOption = False,
    mode: ModeOption = None,
    style: Annotated[
        str | None,
        typer.Option(
            "--style",
            metavar="paper|cs231n",
            help="A family as its paper prints it, or the lecture's form of one model.",
        ),
    ] = None,
    receptive: ReceptiveOption = False,
    word: FormatOption = None,
    path: OutputOption = None,
    debug: DebugOption = False,
) -> None:
    """Print a model as the lecture prints AlexNet: CONV1: 96 11x11 filters at stride 4, pad 0.

    Every word is made from what was traced. Where the network branches, each block is one row.

    [bold]vgg[/bold], [bold]resnet[/bold], [bold]resnet-cifar[/bold], [bold]googlenet[/bold] and
    [bold]ilsvrc[/bold] print the table of their paper; a cell that differs from the printed one has a footnote with
    both. With --style cs231n, --arg, --input, --train, --mode or --receptive, googlenet and vgg are one model.
    """
    output = choose_output(word, path)
    options = read_trace_options(inputs, arguments, train=train, mode=mode)
    request = _Request(model, style, receptive, options)
    family = _find_family(request)
    if family is not None:
        output.write_table(_build_family(family, output))
        return
    _show_model(request, output)


def _find_family(request: _Request) -> "Family | None":
    """The family to print; None for one model. Raises UnknownNameError and UsageError for a style that does not fit."""
    from archscope.papers.catalogue import find_family, list_family_names

    if request.style is not None and request.style not in STYLES:
        raise UnknownNameError("style", request.style, STYLES, f"known: {', '.join(STYLES)}")
    family = find_family(request.model)
    if request.style == "paper" and (family is None or request.wants_one_model):
        names = ", ".join(list_family_names())
        raise UsageError(
            f"{request.model} with these options is one model: no paper prints it as a table",
            f"--style paper is for {names}, without --arg, --input, --train, --mode and --receptive",
        )
    return None if request.wants_one_model else family


def _build_family(family: "Family", output: Output) -> "Table":
    """The family's table, in its narrow form where the terminal is too narrow for it."""
    from archscope.papers.networks import Networks

    networks = Networks()
    table = family.build(networks)
    if family.build_narrow is not None and output.width is not None and _measure(table) > output.width:
        return family.build_narrow(networks)
    return table


def _measure(table: "Table") -> int:
    """Columns that the table takes where it has all the room it wants; notes wrap anyway."""
    from dataclasses import replace

    from archscope.rendering import render

    return max(len(line) for line in render(replace(table, notes=(), title="", subtitle="")).splitlines())


def _show_model(request: _Request, output: Output) -> None:
    from archscope.api import ForwardError

    try:
        summary = summarise(request.model, request.options)
    except ForwardError as error:
        _show(error.summary, request, output)
        raise
    _show(summary, request, output)


def _show(summary: "Summary", request: _Request, output: Output) -> None:
    from archscope.tables.model import build_model_table

    table = build_model_table(summary.trace, summary.costs, summary.title, receptive_fields=request.receptive)
    output.write_table(table)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("table", epilog=list_examples(*EXAMPLES))(run_table)
