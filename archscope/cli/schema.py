"""`archscope schema`: the JSON Schema of an output."""

from typing import Annotated

import typer

from archscope.cli.failures import report_failures
from archscope.cli.options import DebugOption, list_examples
from archscope.cli.output import write_stdout

EXAMPLES = (
    "archscope schema trace",
    "archscope schema table",
)


@report_failures
def run_schema(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="trace, table, explain, verify, counters, fit, budget, findings, train or bench."
        ),
    ],
    debug: DebugOption = False,
) -> None:
    """Print the JSON Schema (draft 2020-12) of an output."""
    import json

    from archscope.core.documents import load_schema

    write_stdout(json.dumps(load_schema(name), indent=2) + "\n")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("schema", epilog=list_examples(*EXAMPLES))(run_schema)
