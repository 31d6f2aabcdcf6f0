"""`archscope budget`: exit code 1 when a model is larger than allowed, or than it was."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archscope.cli.failures import report_failures
from archscope.cli.options import (
    ArgOption,
    DebugOption,
    InputOption,
    TargetArgument,
    TrainOption,
    list_examples,
    read_trace_options,
)
from archscope.cli.output import write_stdout
from archscope.cli.targets import read_summary, summarise
from archscope.core.errors import UnknownNameError, UsageError
from archscope.core.units import format_exact

if TYPE_CHECKING:
    from archscope.analysis.budget import Measured
    from archscope.core.finding import Check

EXAMPLES = (
    "archscope budget resnet18 --max-params 12M --max-macs 2G",
    "archscope budget vgg11 --max-params 133M --format json",
)

LimitOption = Annotated[str | None, typer.Option(metavar="N", help="5M, 1.5G, 600_000 or 600,000.")]
_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12}


@report_failures
def run_budget(
    target: TargetArgument,
    max_params: LimitOption = None,
    max_macs: LimitOption = None,
    max_activations: LimitOption = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A saved trace that the model must not outgrow.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(metavar="PERCENT", min=0.0, help="Growth over the baseline that is allowed.")
    ] = 0.0,
    inputs: InputOption = None,
    arguments: ArgOption = None,
    train: TrainOption = False,
    word: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="table, plain, json or github (annotations).")
    ] = "table",
    debug: DebugOption = False,
) -> None:
    """Check a model against limits or a saved baseline; one line per broken budget, and exit code 1.

    A baseline is saved with: archscope trace TARGET -o baseline.json
    """
    from archscope.analysis.budget import Measured
    from archscope.rendering.findings import WORDS

    if word.casefold() not in WORDS:
        raise UnknownNameError("format", word, WORDS, f"known: {', '.join(WORDS)}")
    limits = _read_limits({"params": max_params, "macs": max_macs, "activations": max_activations})
    if not limits and baseline is None:
        raise UsageError("no budget is given", "add --max-params 5M, --max-macs 600M or --baseline saved.json")
    before = read_summary(baseline) if baseline is not None else None
    summary = summarise(target, read_trace_options(inputs, arguments, train=train, mode=None))
    model = Measured(summary.trace, summary.costs)
    old = None if before is None else Measured(before.trace, before.costs)
    checks = _check(model, limits, old, baseline, tolerance)
    _show(checks, word.casefold())
    if any(check.finding for check in checks):
        raise typer.Exit(1)


def _read_limits(words: dict[str, str | None]) -> dict[str, int]:
    return {quantity: read_count(word) for quantity, word in words.items() if word is not None}


def read_count(word: str) -> int:
    """`5M` -> 5000000, `1.5G`, `600_000`, `600,000`. Raises UsageError."""
    found = re.fullmatch(r"([0-9][0-9_,]*(?:\.[0-9]+)?|\.[0-9]+)\s*([kmgbt]?)", word.strip().casefold())
    if found is None:
        raise UsageError(f"{word!r} is not a count", "write 5M, 1.5G, 600_000 or 600,000")
    digits, suffix = found.groups()
    whole, _, fraction = digits.replace("_", "").replace(",", "").partition(".")
    scale: int = 10 ** len(fraction)
    return int(f"{whole}{fraction}") * _FACTORS[suffix] // scale


def _check(
    model: "Measured", limits: dict[str, int], before: "Measured | None", path: Path | None, tolerance: float
) -> "list[Check]":
    from archscope.analysis.budget import check_baseline, check_maximum

    checks = [check_maximum(model, quantity, limit) for quantity, limit in limits.items()]
    if before is not None:
        name = str(path)
        checks += [
            check_baseline(model, before, quantity, name=name, tolerance=tolerance / 100)
            for quantity in ("params", "macs")
        ]
    return checks


def _show(checks: "list[Check]", word: str) -> None:
    from archscope.core.codec import format_document
    from archscope.core.documents.findings import build_budget_document
    from archscope.rendering.findings import render_findings

    if word == "json":
        write_stdout(format_document(build_budget_document(checks)))
        return
    broken = [check.finding for check in checks if check.finding]
    write_stdout(render_findings(broken, word))
    if word != "github":
        for check in checks:
            if check.finding is None and check.measured is not None:
                share = f" ({100 * check.measured / check.limit:.1f} %)" if check.limit else ""
                kind = "budget" if check.against == "maximum" else f"baseline {check.against}"
                limit = f"within the {kind} of {format_exact(check.limit)}"
                write_stdout(f"ok: {check.quantity} {format_exact(check.measured)} {limit}{share}\n")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("budget", epilog=list_examples(*EXAMPLES))(run_budget)
