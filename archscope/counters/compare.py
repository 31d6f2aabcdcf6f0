"""Parameters and MACs of a target by our count and by every other counter, each difference explained."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

from archscope.core.errors import ModelError, read_message
from archscope.core.progress import track
from archscope.core.words import TraceOptions
from archscope.counters import tools
from archscope.counters.differences import explain_kinds, explain_layers, explain_params
from archscope.counters.runnable import NoRoomError, Runnable, RunnableTarget
from archscope.counters.tool_count import Comparison, Difference, RawCount, ToolCount
from archscope.observation import Observed

SAMPLE = ("alexnet", "vgg11", "googlenet", "resnet50")
"""Models that are compared where none is named."""
LONGEST_ERROR = 160


@dataclass(frozen=True, slots=True)
class Counter:
    """One other tool."""

    tool: str
    package: str
    places: tuple[str, ...]
    """Where it runs a model, in the order of trying."""
    count: Callable[[Runnable], RawCount]
    explain: Callable[[Observed, RawCount], tuple[Difference, ...]]


COUNTERS = (
    Counter("torchinfo", tools.TORCHINFO, tools.TORCHINFO_PLACES, tools.count_with_torchinfo, explain_layers),
    Counter(
        "fvcore",
        tools.FVCORE,
        tools.FVCORE_PLACES,
        tools.count_with_fvcore,
        lambda observed, count: explain_kinds(observed, count, None),
    ),
    Counter(
        "FlopCounterMode",
        tools.TORCH,
        tools.FLOP_COUNTER_PLACES,
        tools.count_with_flop_counter,
        lambda observed, count: explain_kinds(observed, count, tools.flop_counter_knows),
    ),
)


def compare_target(text: str, options: TraceOptions | None = None) -> Comparison:
    """Ours beside theirs, of the target `text`.

    Raises UnknownNameError, UsageError, TargetError where the target cannot be found or built, ModelError where its
    forward pass fails.
    """
    subject = RunnableTarget(text, options or TraceOptions())
    observed = subject.observed
    if observed.error is not None:
        raise ModelError(f"the forward pass of {text} failed: {observed.error}", observed.remedy)
    with subject.hold_scope():
        counts = tuple(_run(counter, subject) for counter in track(COUNTERS, text, "tools"))
    return Comparison(
        target=observed.trace.target,
        title=observed.title,
        shape=", ".join("x".join(map(str, ref.shape)) for ref in observed.trace.inputs),
        params=observed.trace.totals.params,
        macs=observed.costs.macs,
        tool_counts=counts,
    )


def _run(counter: Counter, subject: RunnableTarget) -> ToolCount:
    """What the tool counts in the first place where it can; else a row with what it raised there."""
    try:
        blank = ToolCount(counter.tool, version(counter.package), "")
    except PackageNotFoundError:
        return ToolCount(counter.tool, "", "", error=f"not installed: pip install {counter.package}")
    troubles: list[str] = []
    for place in counter.places:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the tools' own, of what they use of torch
                count = counter.count(subject.build(place))
        except NoRoomError as error:
            troubles.append(f"not run on {place}: {error}")
        except Exception as error:  # noqa: BLE001  a tool that crashes is a row
            troubles.append(
                f"on {place}: {type(error).__name__}: {' '.join(read_message(error).split())[:LONGEST_ERROR]}"
            )
        else:
            return _reconcile(counter, replace(blank, place=place), subject.observed, count)
    return replace(blank, error="; ".join(troubles))


def _reconcile(counter: Counter, blank: ToolCount, observed: Observed, count: RawCount) -> ToolCount:
    differences = () if observed.costs.macs is None else _complete(counter.explain(observed, count), observed, count)
    return replace(
        blank,
        params=count.params,
        macs=count.macs,
        printed=count.printed,
        params_differences=() if count.params is None else explain_params(observed.trace, count.params),
        differences=differences,
    )


def _complete(found: tuple[Difference, ...], observed: Observed, count: RawCount) -> tuple[Difference, ...]:
    """The differences found, and what of the whole they leave over."""
    rest = count.macs - (observed.costs.macs or 0) - sum(item.macs for item in found)
    return (*found, Difference(rest, "unknown", explained=False)) if rest else found
