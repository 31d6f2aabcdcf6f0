"""A benchmark against an older one: ratios with their intervals, or `no difference`; no verdict where one is noisy."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from archscope.benchmarking.document import is_noisy
from archscope.benchmarking.results import BenchReport, VariantResult
from archscope.benchmarking.statistics import LEAST_EFFECT_ACROSS_RUNS, Ratio, compare_runs
from archscope.core.codec import fill
from archscope.core.documents.bench import BenchDocument, ComparedEntry, TargetEntry
from archscope.core.errors import DataError

LONGEST_MS = 1e9
"""Of one block: eleven days."""

Key: TypeAlias = tuple[str, str, str, int]
"""Target, device, precision and batch."""


def check_times(old: BenchDocument, name: str) -> None:
    """Raise DataError where the run in the file `name` has times that no clock measures."""
    for index, entry in enumerate(old.targets):
        timing = entry.step_ms or entry.forward_ms
        wrong = [time for time in (timing.samples if timing else ()) if not 0 < time <= LONGEST_MS]
        if wrong:
            raise DataError(f"{name}: targets[{index}] has a block of {wrong[0]:g} ms", old.remedy)


def compare_with_old(report: BenchReport, old: BenchDocument) -> dict[Key, Ratio]:
    """The ratio of each whole that both have: above 1, the new one is slower. Raises DataError where they cannot be."""
    before: dict[Key, TargetEntry] = {
        (entry.target, entry.device, entry.dtype, entry.batch): entry for entry in old.targets
    }
    if old.inference != report.step.inference:
        raise DataError(
            "the older run timed " + ("inference" if old.inference else "training steps"),
            "use --inference in both runs or in neither",
        )
    found = {name_key(result): _compare(result, before.get(name_key(result))) for result in report.results}
    return {key: ratio for key, ratio in found.items() if ratio is not None}


def _compare(result: VariantResult, old: TargetEntry | None) -> Ratio | None:
    before = None if old is None else old.step_ms or old.forward_ms
    if old is None or before is None or result.whole is None:
        return None
    runs = (("the older run", old.noisy), ("this run", is_noisy(result)))
    ratio = compare_runs(before.samples, result.whole.samples)
    return replace(ratio, noisy=tuple(name for name, noisy in runs if noisy))


def name_key(result: VariantResult) -> Key:
    """What must be the same in both runs."""
    return (result.target, result.variant.device, result.variant.dtype, result.batch)


def tell_ratios(ratios: Mapping[Key, Ratio], name: str) -> Iterator[str]:
    """A line for each."""
    if not ratios:
        yield f"{name} has no target with the same device, precision and batch"
    for (target, device, dtype, batch), ratio in ratios.items():
        place = f"against {name}: {target} ({device} {dtype}, batch {batch})"
        times = f"{ratio.ratio:.3f}x the time"
        interval = f"{ratio.low:.3f} to {ratio.high:.3f}"
        if ratio.verdict is None:
            runs = f"{' and '.join(ratio.noisy)} {'is' if len(ratio.noisy) == 1 else 'are'} noisy"
            yield f"{place}: no verdict, since {runs} ({times}, {interval})"
            continue
        noise = "" if ratio.differs else f" (runs differ by up to {100 * LEAST_EFFECT_ACROSS_RUNS:.0f} % anyway)"
        yield f"{place} takes {times} ({interval}): {ratio.verdict}{noise}"


def list_ratios(ratios: Mapping[Key, Ratio]) -> tuple[ComparedEntry, ...]:
    """The entries of `compared` in the document."""
    return tuple(
        fill(ComparedEntry, ratio, target=target, device=device, dtype=dtype, batch=batch)
        for (target, device, dtype, batch), ratio in ratios.items()
    )
