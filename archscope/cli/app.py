"""The command line: one Typer application, one file per command. `main` is the entry point."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from archscope.cli import bench, budget, explain, fit, models, schema, table, trace, train, verify
from archscope.cli.descriptors import close_answer
from archscope.cli.failures import INTERRUPT_CODE, print_error, report_error
from archscope.cli.streams import guard_streams
from archscope.rendering.stdout import write_stdout
from archscope.version import __version__

app = typer.Typer(
    name="archscope",
    help="Look inside a PyTorch architecture: shapes, parameters and MACs of every layer, without weights or a GPU.",
    epilog="archscope COMMAND --help shows examples.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS = (
    *(table.table, trace.trace, explain.explain, models.models, schema.schema),
    *(budget.budget, train.train, verify.verify, fit.fit, bench.bench),
)
for command in COMMANDS:
    command.register(app)


def _print_version(value: bool) -> None:
    if value:
        write_stdout(f"archscope {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line on `words` (sys.argv without them); the exit code is returned."""
    arguments = list(sys.argv[1:] if words is None else words)
    with guard_streams() as streams:
        code = _run(arguments)
        if code == INTERRUPT_CODE:
            print("interrupted", file=sys.stderr)
        code = streams.settle(code)
        if words is None:  # the process ends
            close_answer()
        return code


def _run(arguments: Sequence[str]) -> int:
    try:
        code = app(args=arguments or ["--help"], prog_name="archscope", standalone_mode=False)
    except BaseException as error:  # noqa: BLE001  the last guard: nothing may reach the user as a traceback
        return _report(error, arguments)
    return 2 if not arguments else code if isinstance(code, int) else 0


def _report(error: BaseException, arguments: Sequence[str]) -> int:
    """The parser's own complaints (a wrong option, a missing argument) in the same form as every other error."""
    tell = getattr(error, "format_message", None)
    if tell is None or not isinstance(getattr(error, "exit_code", None), int):
        return report_error(error, debug="--debug" in arguments)
    context = getattr(error, "ctx", None)
    print_error(str(tell()), f"see: {context.command_path if context else 'archscope'} --help")
    return 2
