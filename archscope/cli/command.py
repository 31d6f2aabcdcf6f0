"""How a command of the command line is made: one decorator, and bundles of options that several commands share.

A bundle is a frozen dataclass whose fields are annotated as Typer wants its parameters; a command that takes one gets
its fields as options of its own, in the place of the bundle.
"""

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_type_hints

import typer

from archscope.cli.descriptors import divert_stdout
from archscope.cli.failures import print_error, report_error
from archscope.cli.output import Output, choose_output
from archscope.cli.progress import show_progress
from archscope.core.directory import keep_directory
from archscope.core.errors import ArchscopeError, OutputError, UnknownNameError
from archscope.core.words import parse_arguments, parse_input

if TYPE_CHECKING:
    from archscope.core.trace import Mode
    from archscope.core.words import InputSpec
    from archscope.rendering.report import Report

MODES = ("meta", "fake", "real")

TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="resnet50 (archscope models lists them all), torchvision:NAME, timm:NAME, hf:CONFIG.json, file.py, "
        "file.py:Object, notebook.ipynb:Object, package.module:Object, or a saved trace.json.",
    ),
]
ReceptiveOption = Annotated[
    bool,
    typer.Option(
        "--receptive", help="Columns for the receptive field, the jump (product of strides) and the centre of output 0."
    ),
]


@dataclass(frozen=True)  # bundles inherit from several others, which slots do not allow
class ArgumentOptions:
    """What the model is built with."""

    arguments: Annotated[
        list[str] | None,
        typer.Option("--arg", metavar="KEY=VALUE", help="An argument of the model's constructor; repeatable."),
    ] = None

    def read_arguments(self) -> dict[str, Any]:
        """The constructor arguments, parsed. Raises UsageError."""
        return dict(parse_arguments(self.arguments or ()))


@dataclass(frozen=True)
class InputOptions:
    """What the model is given."""

    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="SPEC",
            help="One argument of forward; repeatable. 32 (a square image), 64x48, 3x32x32 (gets a batch of 1 where "
            "the model wants one; the output tells), 8x3x224x224, (1, 3, 32, 32). Exactly these sizes: x=8x128x64 or "
            "8x128x64:float32. With a dtype: input_ids=1x128:long. Other values: n=3, scale=0.5, flag=true, mask=none, "
            "mode=sum, xs=[1x4, 2x4], pair=(1x4, 2), batch={ids: 1x9:long}, lengths=tensor([5, 3]). "
            "Without it, the target's own input.",
        ),
    ] = None

    def read_inputs(self) -> "tuple[InputSpec, ...]":
        """The inputs, parsed. Raises InputSpecError."""
        return tuple(parse_input(text) for text in self.inputs or ())


@dataclass(frozen=True)
class ModelOptions(ArgumentOptions, InputOptions):
    """What the model is given, and what it is built with."""


@dataclass(frozen=True)
class PassOptions(ModelOptions):
    """How one forward pass is traced."""

    train: Annotated[bool, typer.Option("--train", help="Trace in training mode; without it, in eval mode.")] = False
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            metavar="meta|fake|real",
            help="How to run the pass; without it, the cheapest way that carries it.",
        ),
    ] = None

    def read(self) -> dict[str, Any]:
        """Keyword arguments for the functions of `archscope.api`. Raises UsageError and its kinds."""
        if self.mode is not None and self.mode not in MODES:
            raise UnknownNameError("mode", self.mode, MODES, f"known: {', '.join(MODES)}")
        return {
            "arguments": self.read_arguments(),
            "inputs": self.read_inputs(),
            "training": True if self.train else None,
            "mode": cast("Mode | None", self.mode),
        }


@dataclass(frozen=True)
class OutputOptions:
    """Where the answer goes, and in which format."""

    format_word: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="table, plain, json, csv, md or tex.")
    ] = None
    output_path: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to a file; its suffix picks the format."),
    ] = None

    def choose(self, *, default: str | None = None, findings: bool = False) -> Output:
        """The output, checked before the work; `default` is the format of a terminal where none is named."""
        word = default if self.format_word is None and self.output_path is None else self.format_word
        return choose_output(word, self.output_path, findings=findings)


@dataclass(frozen=True)
class JudgementOptions(OutputOptions):
    """The same for what a CI reads."""

    format_word: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="table, plain, json, csv, md, tex or github (annotations)."),
    ] = None


DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@dataclass(frozen=True, slots=True)
class Command:
    """A command as the application registers it."""

    name: str
    run: Callable[..., None]
    examples: tuple[str, ...]
    """Command lines that run as they stand."""
    help: str | None

    def register(self, app: typer.Typer) -> None:
        """Add the command to `app`."""
        epilog = "Examples:\n\n\b" + "\n".join(self.examples)
        app.command(self.name, help=self.help, epilog=epilog)(self.run)


def command(name: str, *examples: str, help: str | None = None) -> Callable[[Callable[..., None]], Command]:  # noqa: A002
    """Make a function the command `name`: bundles become options, failures become messages, and it gets `--debug`."""

    def decorate(function: Callable[..., None]) -> Command:
        return Command(name, _wrap(function), examples, help)

    return decorate


def answer(output: Output, ask: "Callable[[], Report]") -> None:
    """Show what `ask` answers. Where forward raised, what there is of the answer is shown before the error goes on."""
    report = _ask(output, ask)
    if not report.silent:
        with _keep_verdict(bad=report.failed or report.problem is not None):
            output.write(report)
    if report.problem is not None:
        raise report.problem
    if report.failed:
        raise typer.Exit(1)


@contextmanager
def _keep_verdict(*, bad: bool) -> Iterator[None]:
    """A file that cannot be written does not take the place of what was found, where that is `bad` already."""
    try:
        yield
    except OutputError as error:
        if not bad:
            raise
        print_error(error.message, error.remedy)


def _ask(output: Output, ask: "Callable[[], Report]") -> "Report":
    from archscope.api import ForwardError
    from archscope.api.failures import blame_model

    try:
        # What a model prints is no part of the answer, and a model must not end or move the command.
        with keep_directory(), divert_stdout(), show_progress() as stream, redirect_stdout(stream):
            return ask()
    except ForwardError as error:
        with _keep_verdict(bad=True):
            output.write(error.report)
        raise
    except ArchscopeError:
        raise
    except BaseException as error:
        blamed = blame_model(error)
        if blamed is None:
            raise
        raise blamed from error


def _wrap(function: Callable[..., None]) -> Callable[..., None]:
    parameters = inspect.signature(function).parameters
    hints = get_type_hints(function, include_extras=True)
    bundles = {name: hints[name] for name in parameters if dataclasses.is_dataclass(hints[name])}

    @wraps(function)
    def guarded(*, debug: bool = False, **given: Any) -> None:
        try:
            for name, bundle in bundles.items():
                fields = [field.name for field in dataclasses.fields(bundle)]
                given[name] = bundle(**{field: given.pop(field) for field in fields})
            function(**given)
        except typer.Exit:
            raise
        except BaseException as error:  # noqa: BLE001  the last guard: nothing may reach the user as a traceback
            raise typer.Exit(report_error(error, debug=debug)) from None

    flat = [*_flatten(parameters.values(), hints, bundles), _make_parameter("debug", DebugOption, False)]
    guarded.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    guarded.__annotations__ = {parameter.name: parameter.annotation for parameter in flat}
    del guarded.__wrapped__  # Typer reads the signature of the function itself, not of what it wraps
    return guarded


def _flatten(
    parameters: Sequence[inspect.Parameter] | Any, hints: dict[str, Any], bundles: dict[str, Any]
) -> Iterator[inspect.Parameter]:
    for parameter in parameters:
        if parameter.name not in bundles:
            yield _make_parameter(parameter.name, hints[parameter.name], parameter.default)
            continue
        fields = get_type_hints(bundles[parameter.name], include_extras=True)
        for field in dataclasses.fields(bundles[parameter.name]):
            yield _make_parameter(field.name, fields[field.name], field.default)


def _make_parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
