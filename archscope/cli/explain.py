"""`archscope explain`: the arithmetic behind one layer, a block, a stack, or every layer of a model."""

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
    TargetArgument,
    TrainOption,
    list_examples,
    read_trace_options,
)
from archscope.cli.output import Output, choose_output
from archscope.cli.targets import summarise
from archscope.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archscope.analysis.explain import Explanation
    from archscope.api import Summary

EXAMPLES = (
    "archscope explain alexnet conv1",
    "archscope explain vgg16 features.24:features.28",
)
DEEPEST_HEADING = 4


@report_failures
def run_explain(
    target: TargetArgument,
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
    inputs: InputOption = None,
    arguments: ArgOption = None,
    train: TrainOption = False,
    mode: ModeOption = None,
    word: FormatOption = None,
    path: OutputOption = None,
    debug: DebugOption = False,
) -> None:
    """Show where the numbers of a layer come from: floor((227 + 2*0 - 11) / 4) + 1 = 55.

    Output size, parameters, MACs, memory and receptive field, each as an expression that evaluates to its number. A
    block is the sum of its parts; a stack is compared with one larger kernel.
    """
    from archscope.api import ForwardError

    if (layer is None) == (not everything):
        raise UsageError(
            "name a layer, or ask for --all of them",
            "archscope explain alexnet conv1; archscope trace lists the layers",
        )
    output = choose_output("md" if everything and word is None and path is None else word, path)
    options = read_trace_options(inputs, arguments, train=train, mode=mode)
    try:
        summary = summarise(target, options)
    except ForwardError as error:
        _show(error.summary, layer, output)
        raise
    _show(summary, layer, output)


def _show(summary: "Summary", layer: str | None, output: Output) -> None:
    from archscope.analysis.explain import Explainer
    from archscope.tables.explanation import build_explain_document, build_explanation_table

    explainer = Explainer(summary.trace, summary.costs)
    explanations = explainer.explain_all() if layer is None else (explainer.explain_words(layer),)
    if output.wants_json:
        output.write_document(build_explain_document(explanations, summary.trace))
    elif layer is None:
        _write_handout(explanations, summary, output)
    else:
        output.write_table(build_explanation_table(explanations[0], output.width))


def _write_handout(explanations: "Sequence[Explanation]", summary: "Summary", output: Output) -> None:
    """All explanations, one after the other; in CSV as one table."""
    from dataclasses import replace

    from archscope.tables.explanation import build_explanation_table, build_handout_table, describe_flow, describe_trace
    from archscope.tables.totals import describe_totals

    if output.format.name == "csv":
        output.write_table(build_handout_table(explanations, summary.trace))
        return
    if output.format.name != "md":
        tables = [build_explanation_table(explanation, output.width) for explanation in explanations]
        output.write_text("\n".join(output.render(table) for table in tables))
        return
    parts = [
        f"# {summary.title}\n\n{describe_trace(summary.trace)}\n\n{describe_totals(summary.trace, summary.costs)}\n"
    ]
    for layer, explanation in zip(summary.trace.layers, explanations, strict=True):
        heading = "#" * min(layer.depth + 2, DEEPEST_HEADING)
        table = replace(build_explanation_table(explanation), title="", subtitle="")
        flow = describe_flow(explanation)
        parts.append(f"{heading} {explanation.title}\n\n" + (f"`{flow}`\n\n" if flow else "") + output.render(table))
    output.write_text("\n".join(parts))


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("explain", epilog=list_examples(*EXAMPLES))(run_explain)
