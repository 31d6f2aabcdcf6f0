"""A benchmark against an older one: ratios with their intervals, or `no difference`."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from archscope.benchmarking.results import BenchReport, VariantResult
from archscope.benchmarking.statistics import LEAST_EFFECT_ACROSS_RUNS, Ratio, compare_runs
from archscope.core.codec import fill
from archscope.core.documents.bench import BenchDocument, ComparedEntry
from archscope.core.errors import DataError

Key: TypeAlias = tuple[str, str, str, int]
"""Target, device, precision and batch."""


def compare_with_old(report: BenchReport, old: BenchDocument) -> dict[Key, Ratio]:
    """The ratio of each whole that both have: above 1, the new one is slower. Raises DataError where they cannot be."""
    before: dict[Key, tuple[float, ...]] = {
        (entry.target, entry.device, entry.dtype, entry.batch): (entry.step_ms or entry.forward_ms).samples
        for entry in old.targets
        if entry.forward_ms is not None
    }
    if old.inference != report.step.inference:
        raise DataError(
            "the older run timed " + ("inference" if old.inference else "training steps"),
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


def list_ratios(ratios: Mapping[Key, Ratio]) -> tuple[ComparedEntry, ...]:
    """The entries of `compared` in the document."""
    return tuple(
        fill(ComparedEntry, ratio, target=target, device=device, dtype=dtype, batch=batch)
        for (target, device, dtype, batch), ratio in ratios.items()
    )
