"""A benchmark against an older one: ratios with their intervals, or `no difference`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archscope.benchmarking.document import SCHEMA
from archscope.benchmarking.results import BenchReport, VariantResult
from archscope.benchmarking.statistics import LEAST_EFFECT_ACROSS_RUNS, Ratio, compare_runs
from archscope.core.errors import DataError

Key = tuple[str, str, str, int]
"""Target, device, precision and batch."""


def read_old(path: Path) -> Mapping[str, Any]:
    """The document in a file that `archscope bench -o old.json` wrote. Raises DataError where it is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}", f"make one with: archscope bench TARGET -o {path}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"cannot read {path} as JSON: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise DataError(
            f"{path} is not a document of schema {SCHEMA}", "make one with: archscope bench TARGET -o old.json"
        )
    return document


def compare_with_old(report: BenchReport, old: Mapping[str, Any]) -> dict[Key, Ratio]:
    """The ratio of each whole that both have: above 1, the new one is slower. Raises DataError where it is damaged."""
    try:
        before = {
            (entry["target"], entry["device"], entry["dtype"], entry["batch"]): tuple(
                float(sample) for sample in (entry["step_ms"] or entry["forward_ms"])["samples"]
            )
            for entry in old["targets"]
            if entry["forward_ms"] is not None
        }
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the older document is damaged: {type(error).__name__} {error}") from error
    if old.get("inference") != report.step.inference:
        raise DataError(
            "the older run timed " + ("inference" if old.get("inference") else "training steps"),
            "use --inference in both runs or in neither",
        )
    return {
        name_key(result): compare_runs(before[name_key(result)], result.whole.samples)
        for result in report.results
        if result.whole is not None and before.get(name_key(result))
    }


def name_key(result: VariantResult) -> Key:
    """What must be the same in both runs."""
    return (result.target, result.variant.device, result.variant.dtype, result.batch)


def tell_ratios(ratios: Mapping[Key, Ratio], name: str) -> Iterator[str]:
    """A line for each."""
    if not ratios:
        yield f"{name} has no target with the same device, precision and batch"
    for (target, device, dtype, batch), ratio in ratios.items():
        verdict = ratio.verdict
        noise = "" if ratio.differs else f" (runs differ by up to {100 * LEAST_EFFECT_ACROSS_RUNS:.0f} % anyway)"
        yield (
            f"against {name}: {target} ({device} {dtype}, batch {batch}) takes {ratio.ratio:.3f}x the time "
            f"({ratio.low:.3f} to {ratio.high:.3f}): {verdict}{noise}"
        )


def describe_ratios(ratios: Mapping[Key, Ratio]) -> list[dict[str, object]]:
    """The entries of `compared` in the document."""
    return [
        {
            "target": target,
            "device": device,
            "dtype": dtype,
            "batch": batch,
            "ratio": ratio.ratio,
            "low": ratio.low,
            "high": ratio.high,
            "verdict": ratio.verdict,
        }
        for (target, device, dtype, batch), ratio in ratios.items()
    ]
