"""A target goes in; ours and every other counter's parameters and MACs come out, with each difference explained."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

from archscope.core.errors import ModelError
from archscope.core.options import TraceOptions
from archscope.inspection.counters import with_flop_counter, with_fvcore, with_torchinfo
from archscope.inspection.counters.differences import explain_kinds, explain_layers, explain_params
from archscope.inspection.counters.subject import NoRoomError, Runnable, Subject
from archscope.inspection.counters.tally import Comparison, Difference, RawCount, Tally
from archscope.inspection.observation import Observed

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
    known_troubles: str = ""


COUNTERS = (
    Counter("torchinfo", with_torchinfo.PACKAGE, with_torchinfo.PLACES, with_torchinfo.count, explain_layers),
    Counter(
        "fvcore",
        with_fvcore.PACKAGE,
        with_fvcore.PLACES,
        with_fvcore.count,
        lambda observed, count: explain_kinds(observed, count, None),
    ),
    Counter(
        "FlopCounterMode",
        with_flop_counter.PACKAGE,
        with_flop_counter.PLACES,
        with_flop_counter.count,
        lambda observed, count: explain_kinds(observed, count, with_flop_counter.knows),
    ),
)


def compare_counters(text: str, options: TraceOptions | None = None) -> Comparison:
    """Ours beside theirs, of the target `text`.

    Raises UnknownNameError, UsageError, TargetError where the target cannot be found or built, ModelError where its
    forward pass fails.
    """
    subject = Subject(text, options or TraceOptions())
    observed = subject.observed
    if observed.error is not None:
        raise ModelError(f"the forward pass of {text} failed: {observed.error}", observed.remedy)
    return Comparison(
        target=observed.trace.target,
        title=observed.title,
        shape=", ".join("x".join(map(str, ref.shape)) for ref in observed.trace.inputs),
        params=observed.trace.totals.params,
        macs=observed.costs.macs,
        tallies=tuple(_run(counter, subject) for counter in COUNTERS),
    )


def _run(counter: Counter, subject: Subject) -> Tally:
    """What the tool counts in the first place where it can; else a row with what it raised there."""
    try:
        blank = Tally(counter.tool, version(counter.package), "")
    except PackageNotFoundError:
        return Tally(counter.tool, "", "", error=f"not installed: pip install {counter.package}")
    troubles: list[str] = []
    for place in counter.places:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the tools' own, of what they use of torch
                count = counter.count(subject.build(place))
        except NoRoomError as error:
            troubles.append(f"not run on {place}: {error}")
        except Exception as error:  # noqa: BLE001  a tool that crashes is a row
            troubles.append(f"on {place}: {type(error).__name__}: {' '.join(str(error).split())[:LONGEST_ERROR]}")
        else:
            return _reconcile(counter, replace(blank, place=place), subject.observed, count)
    return replace(blank, error="; ".join(troubles))


def _reconcile(counter: Counter, tally: Tally, observed: Observed, count: RawCount) -> Tally:
    differences = () if observed.costs.macs is None else _complete(counter.explain(observed, count), observed, count)
    return replace(
        tally,
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
