"""`archscope verify`: published figures against what is measured; `--counters`: other tools beside ours."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from archscope.cli.failures import report_failures
from archscope.cli.options import ArgOption, DebugOption, InputOption, OutputOption, list_examples, read_trace_options
from archscope.cli.output import Output, choose_output, write_stdout
from archscope.core.errors import CheckError, UnknownNameError, UsageError
from archscope.papers.verdicts import RULES, VERDICTS

if TYPE_CHECKING:
    from pathlib import Path

    from archscope.papers.ledger import Entry

EXAMPLES = (
    "archscope verify googlenet",
    "archscope verify --counters resnet18",
)

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


@report_failures
def run_verify(
    word: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL|SOURCE]",
            help="googlenet, vgg16, he2015, lab-10-5-1, a figure's id or its beginning; all figures without one. "
            "With --counters: any target.",
        ),
    ] = None,
    verdicts: Annotated[
        list[str] | None,
        typer.Option("--verdict", metavar="VERDICT", help="Only figures of this verdict; repeatable."),
    ] = None,
    counters: Annotated[
        bool, typer.Option("--counters", help="Parameters and MACs beside torchinfo, fvcore and FlopCounterMode.")
    ] = False,
    inputs: InputOption = None,
    arguments: ArgOption = None,
    format_word: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="table, plain, json, csv, md, tex or github (annotations)."),
    ] = None,
    path: OutputOption = None,
    debug: DebugOption = False,
) -> None:
    """Check published figures; see HELP."""
    github = format_word is not None and format_word.casefold() == "github"
    output = choose_output("plain" if github else format_word, path)
    if counters:
        if verdicts or github:
            raise UsageError("--counters goes with neither --verdict nor --format github")
        _compare_counters(word, inputs, arguments, output)
        return
    if inputs or arguments:
        raise UsageError("--input and --arg go with --counters only", "the figures have their networks")
    wanted = _read_verdicts(verdicts or ())
    _verify(word, wanted, output, github=github)


def _read_verdicts(words: Sequence[str]) -> tuple[str, ...]:
    read = tuple(word.casefold().replace("-", " ").replace("_", " ") for word in words)
    for word, verdict in zip(words, read, strict=True):
        if verdict not in VERDICTS:
            known = [name.replace(" ", "-") for name in VERDICTS]
            raise UnknownNameError("verdict", word, known, f"known: {', '.join(known)}")
    return read


def _verify(word: str | None, verdicts: tuple[str, ...], output: Output, *, github: bool) -> None:
    from archscope.papers.ledger import verify_facts
    from archscope.papers.published import choose_facts

    entries = verify_facts(choose_facts(word))
    shown = [entry for entry in entries if not verdicts or entry.verdict in verdicts]
    if github:
        _write_github(shown, output.path)
    elif output.wants_json:
        from archscope.papers.report import build_verify_document

        output.write_document(build_verify_document(shown))
    else:
        _write_table(entries, word, verdicts, output)
    broken = [entry.fact.id for entry in entries if entry.broken]
    if broken:
        raise CheckError(
            f"{len(broken)} figures have no value, or an odd one without an explanation", ", ".join(broken)
        )


def _write_table(entries: "Sequence[Entry]", word: str | None, verdicts: tuple[str, ...], output: Output) -> None:
    from archscope.papers.report import ReportOptions, build_ledger, build_report

    title = "Published figures against what is measured" + (f": {word}" if word else "")
    options = ReportOptions(title, only_odd=word is None, verdicts=verdicts)
    build = build_ledger if output.format.name == "csv" else build_report
    output.write_table(build(entries, options))


def _write_github(entries: "Sequence[Entry]", path: "Path | None") -> None:
    from archscope.core.files import write_text
    from archscope.papers.report import list_findings
    from archscope.rendering.findings import render_findings

    text = render_findings(list_findings(entries), "github")
    if path is None:
        write_stdout(text)
    else:
        write_text(path, text)


def _compare_counters(
    word: str | None, inputs: Sequence[str] | None, arguments: Sequence[str] | None, output: Output
) -> None:
    from archscope.counters.compare import SAMPLE, compare_counters
    from archscope.counters.report import build_counters_document, build_table

    options = read_trace_options(inputs, arguments, train=False, mode=None)
    comparisons = [compare_counters(target, options) for target in ((word,) if word else SAMPLE)]
    if output.wants_json:
        output.write_document(build_counters_document(comparisons))
    else:
        output.write_table(build_table(comparisons))


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("verify", help=HELP, epilog=list_examples(*EXAMPLES))(run_verify)
