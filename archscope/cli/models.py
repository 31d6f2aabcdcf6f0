"""`archscope models`: what can be named, from the generated catalogue."""

from fnmatch import fnmatchcase
from typing import Annotated

import typer

from archscope.cli.failures import report_failures
from archscope.cli.options import DebugOption, FormatOption, OutputOption, list_examples
from archscope.cli.output import choose_output
from archscope.core.errors import UnknownNameError

EXAMPLES = (
    "archscope models",
    "archscope models 'resnet*' --format csv",
)


@report_failures
def run_models(
    pattern: Annotated[
        str | None, typer.Argument(metavar="PATTERN", help="Part of a name, or a pattern: 'vgg*_bn'.")
    ] = None,
    word: FormatOption = None,
    path: OutputOption = None,
    debug: DebugOption = False,
) -> None:
    """List the built-in models with parameters, MACs and source."""
    from archscope.api import list_models
    from archscope.tables.catalogue import build_catalogue_table

    output = choose_output(word, path)
    rows = list_models()
    names = [row.name for row in rows]
    if pattern is not None:
        rows = tuple(row for row in rows if _matches(row.name, pattern.casefold()))
        if not rows:
            raise UnknownNameError("model", pattern, names, "archscope models lists all of them")
    output.write_table(build_catalogue_table(rows))


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or (not set("*?[") & set(pattern) and pattern in name)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("models", epilog=list_examples(*EXAMPLES))(run_models)
