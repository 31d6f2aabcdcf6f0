"""`archscope schema`: the JSON Schema of an output."""

import json
from typing import Annotated

import typer

from archscope.cli.command import command
from archscope.rendering.stdout import write_stdout


@command(
    "schema",
    "archscope schema trace",
    "archscope schema table",
)
def schema(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="against, bench, budget, counters, explain, findings, fit, table, trace, train or verify.",
        ),
    ],
) -> None:
    """Print the JSON Schema (draft 2020-12) of an output."""
    from archscope import api

    write_stdout(json.dumps(api.schema(name), indent=2) + "\n")
