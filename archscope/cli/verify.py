"""`archscope verify`: published figures against what is measured; `--counters`: other tools beside ours."""

from typing import Annotated

import typer

from archscope.cli.command import JudgementOptions, ModelOptions, answer, command
from archscope.core.errors import UsageError
from archscope.papers.verdicts import RULES

ABOUT = """Check every published figure of the papers, the lecture and its notebooks against what is measured.

Values come from traces of the built-in models, from arithmetic on traced quantities and other printed figures, or from
running what the source shows. The first verdict that fits:"""

EXIT = """The exit code is 0 whatever the papers printed, and 1 where a figure that can be recomputed gets no value, or
one comes out by another convention, inconsistent or wrong and the package has no explanation for it."""

HELP = "\n\n".join(
    (
        *(paragraph.replace("\n", " ") for paragraph in ABOUT.split("\n\n")),
        *(f"[bold]{verdict}[/bold]: {rule}." for verdict, rule in RULES.items()),
        EXIT.replace("\n", " "),
    )
)


@command(
    "verify",
    "archscope verify googlenet",
    "archscope verify --counters resnet18",
    help=HELP,
)
def verify(
    word: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL|SOURCE]",
            help="googlenet, vgg16, he2015, lab-10-5-1, a figure's id or its beginning; all figures without one. "
            "With --counters or --against: any target.",
        ),
    ] = None,
    *,
    verdicts: Annotated[
        list[str] | None,
        typer.Option("--verdict", metavar="VERDICT", help="Only figures of this verdict; repeatable."),
    ] = None,
    counters: Annotated[
        bool, typer.Option("--counters", help="Parameters and MACs beside torchinfo, fvcore and FlopCounterMode.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="MODEL",
            help="Check the target against the figures of a built-in model, and against the model itself, layer by "
            "layer: net.py:Net --against vgg16. Exit code 1 where anything differs.",
        ),
    ] = None,
    model: ModelOptions,
    output: JudgementOptions,
) -> None:
    """Check published figures."""
    from archscope import api

    chosen = output.choose(findings=True)
    if counters:
        if verdicts or against or chosen.annotates:
            raise UsageError("--counters goes with neither --verdict, --against nor --format github")
        arguments, inputs = model.read_arguments(), model.read_inputs()
        answer(chosen, lambda: api.compare_counters(word, arguments=arguments, inputs=inputs))
        return
    if against is not None:
        if verdicts:
            raise UsageError("--against goes without --verdict", "leave out one of them")
        arguments, inputs = model.read_arguments(), model.read_inputs()
        answer(chosen, lambda: api.verify(word, against=against, arguments=arguments, inputs=inputs))
        return
    if model.inputs or model.arguments:
        raise UsageError("--input and --arg go with --counters and --against only", "the figures have their networks")
    answer(chosen, lambda: api.verify(word, verdicts=verdicts or ()))
