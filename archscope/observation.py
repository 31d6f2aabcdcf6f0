"""A target in words, or a module, as one observed forward pass with its costs, whether it came to its end or not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from archscope.analysis.costs import count_costs
from archscope.core.cost import CostReport
from archscope.core.trace import Mode, Setting, Trace
from archscope.core.words import InputSpec, TraceOptions
from archscope.targets.inputs import make_arguments
from archscope.targets.resolve import resolve_target
from archscope.targets.target import Target
from archscope.tracing.modes import Inputs, Request, Source, trace_request


@dataclass(frozen=True, slots=True)
class Observed:
    """A trace with its costs, and the exception that ended forward, if one did."""

    trace: Trace
    costs: CostReport
    title: str
    """For people."""
    error: Exception | None = None
    remedy: str = ""
    """What would work instead, found by trying; empty where nothing is known."""


NO_INPUTS: Inputs = ((), {})


def observe_module(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, mode: Mode | None = None
) -> Observed:
    """Trace one forward pass of a copy of `module`, under its own training flag."""
    name = type(module).__name__
    request = Request(
        source=Source(instance=module), inputs=lambda module, device: (args, kwargs), target=name, mode=mode
    )
    return _observe(request, name)


def observe_target(text: str, options: TraceOptions | None = None, given: Inputs = NO_INPUTS) -> Observed:
    """Trace the target `text`; `given` are forward's arguments where they come from Python.

    Raises UnknownNameError, UsageError, TargetError where the target cannot be found or built.
    """
    options = options or TraceOptions()
    target = resolve_target(text, options.arguments)
    source = Source(instance=target.build()) if target.is_instance else Source(build=target.build)
    maker = _InputMaker(target, options.inputs, given, options.batch)
    request = Request(
        source=source,
        inputs=maker,
        target=target.text,
        arguments=tuple((name, _plain(value)) for name, value in target.arguments.items()),
        training=target.training if options.train is None else options.train,
        mode=options.mode,
        notes=target.notes,
    )
    observed = _observe(request, target.title)
    return (
        observed if observed.error is None else replace(observed, remedy=_find_square(request, observed.trace, maker))
    )


def _observe(request: Request, title: str) -> Observed:
    observation = trace_request(request)
    return Observed(observation.trace, count_costs(observation.trace), title, observation.error)


def _plain(value: Any) -> Setting:
    if isinstance(value, (tuple, list)):
        return tuple(_plain(item) for item in value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


@dataclass(frozen=True, slots=True)
class _InputMaker:
    """Makes forward's arguments: those given, else those asked for, else the target's own."""

    target: Target
    specs: tuple[InputSpec, ...]
    given: Inputs = NO_INPUTS
    batch: int | None = None

    def __call__(self, module: nn.Module, device: torch.device) -> Inputs:
        if self.given[0] or self.given[1]:
            return self.given
        return make_arguments(self.target, module, self.specs, device, self.batch)

    def usual_side(self) -> int | None:
        """The side of the target's own input where that is one square image."""
        known = self.target.usual_shape
        return known[-1] if known is not None and len(known) == 4 and known[-1] == known[-2] else None


def _find_square(request: Request, trace: Trace, maker: _InputMaker) -> str:
    """Which square would work, found by trying, where one square image failed; else nothing."""
    sides = {ref.shape[-1] for ref in trace.inputs if len(ref.shape) == 4 and ref.shape[-1] == ref.shape[-2]}
    if len(trace.inputs) != 1 or len(sides) != 1:
        return ""
    (side,) = sides
    batch, channels = trace.inputs[0].shape[:2]

    def works(size: int) -> bool:
        spec = InputSpec(None, (batch, channels, size, size), None)
        resized = replace(request, mode="meta", inputs=_InputMaker(maker.target, (spec,)))
        return trace_request(resized).error is None

    usual = maker.usual_side()
    smallest = find_smallest_square(works, side, usual)
    if smallest is not None:
        return f"the smallest square that works is {smallest}x{smallest} (found by trying)"
    return f"{usual}x{usual} works, its usual input" if usual is not None and works(usual) else ""


LARGEST_TRIED = 2048


def find_smallest_square(works: Callable[[int], bool], failing: int, known_good: int | None = None) -> int | None:
    """The smallest side above `failing` at which `works` holds, or None where none up to 2048 does.

    Doubling finds a side that works (or `known_good` is one), halving the interval finds the border below it, and the
    answer has been tried, as has its predecessor.
    """
    good = known_good if known_good is not None and known_good > failing and works(known_good) else None
    probe = failing
    while good is None and probe < LARGEST_TRIED:
        probe = min(probe * 2, LARGEST_TRIED)
        good = probe if works(probe) else None
    if good is None:
        return None
    bad = failing
    while good - bad > 1:
        middle = (good + bad) // 2
        if works(middle):
            good = middle
        else:
            bad = middle
    return good
