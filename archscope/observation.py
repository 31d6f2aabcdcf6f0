"""A target in words, or a module, as one observed forward pass with its costs, whether it finished or not."""

import inspect
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from archscope.analysis.costs import count_costs, explain_counts
from archscope.analysis.review import SINGLE_VALUE
from archscope.core.cost import CostReport
from archscope.core.errors import ArchscopeError, TargetError, UnknownNameError, UsageError
from archscope.core.progress import show_stage
from archscope.core.trace import SourceSpan, Trace
from archscope.core.words import InputSpec, TraceOptions
from archscope.review import review_observation
from archscope.targets.constructor import describe_value
from archscope.targets.definition import find_definition
from archscope.targets.input_reader import InputReader
from archscope.targets.inputs import check_names, make_arguments
from archscope.targets.parts import find_network, take_part
from archscope.targets.resolve import resolve_target
from archscope.targets.target import Target, freeze_setting
from archscope.tracing.construction import construct_on_meta
from archscope.tracing.executors import MetaExecutor
from archscope.tracing.modes import Inputs, Request, Source, trace_request
from archscope.tracing.observe import Observation
from archscope.tracing.structure import iterate_tensors


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
    definition: SourceSpan | None = None
    """Where a user's file defines the model."""
    specs: tuple[InputSpec, ...] = ()
    """The inputs asked for, as the model took them: nothing is left to decide."""


NO_INPUTS: Inputs = ((), {})


def observe_call(target: object, options: TraceOptions | None = None, given: Inputs = NO_INPUTS) -> Observed:
    """Trace one forward pass of a module, or of a target in words, with `given` as forward's arguments.

    Of a target in words, a keyword that holds no tensor and that forward does not name goes to the constructor, where
    that takes it. Raises UnknownNameError, UsageError, TargetError where it cannot be found, built or called so.
    """
    options = options or TraceOptions()
    if isinstance(target, str):
        found, keywords, remedy = _settle_keywords(target, options.arguments, given[1])
        return _observe_target(found, options, (given[0], keywords), remedy=remedy)
    if not isinstance(target, nn.Module):
        what = f"the class {target.__name__}" if isinstance(target, type) else describe_value(target)
        raise UsageError(f"{what} cannot be traced", "give a torch.nn.Module, or the name of a model such as 'vgg16'")
    name = type(target).__name__
    if options.arguments:
        raise UsageError(
            f"this {name} is built already: constructor arguments ({', '.join(options.arguments)}) cannot reach it",
            "give them to the constructor, or name the model in words: archscope.trace('resnet18', num_classes=10)",
        )
    part = ""
    with suppress(TargetError):  # told by the forward pass, which fails
        part = find_network(target, name)
    held = take_part(target, part, name) if part else target
    notes = (f"{name} has no forward of its own: {name}.{part}, the network that it holds, is traced",) if part else ()
    found = Target(name, name, lambda: held, is_instance=True, notes=notes, definition=find_definition(held))
    return _observe_target(found, options, given, keep_flags=True)


def observe_target(text: str, options: TraceOptions | None = None) -> Observed:
    """Trace the target `text` on the inputs that the options name, else on its own.

    Raises UnknownNameError, UsageError, TargetError where the target cannot be found or built.
    """
    options = options or TraceOptions()
    return _observe_target(resolve_target(text, options.arguments), options)


def list_forward_names(module: object) -> frozenset[str]:
    """Names of the parameters of the module's forward; none where its signature cannot be read."""
    try:
        return frozenset(inspect.signature(module.forward).parameters)  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        return frozenset()


_PLAIN_TYPES = re.compile(r"\b(int|tuple|list|Size|Sequence)\b", re.IGNORECASE)


def list_plain_parameters(module: object) -> dict[int, str]:
    """By position: parameters of the module's forward that are declared as whole numbers, not as tensors."""
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        return {}
    return {
        place: parameter.name
        for place, parameter in enumerate(parameters)
        if isinstance(parameter.default, (tuple, list))
        or ("Tensor" not in str(parameter.annotation) and _PLAIN_TYPES.search(str(parameter.annotation)))
    }


def hold_tensors(values: object) -> bool:
    """Whether there is a tensor anywhere in nested arguments."""
    return any(True for _ in iterate_tensors(values))


def _settle_keywords(
    text: str, arguments: Mapping[str, Any], keywords: Mapping[str, Any]
) -> tuple[Target, Mapping[str, Any], str]:
    """The target, the keywords that are forward's, not its constructor's, and what the constructor said of these."""
    plain = {name: value for name, value in keywords.items() if not any(True for _ in iterate_tensors(value))}
    target, taken, remedy = _offer(text, arguments, plain)
    if taken and not target.is_instance:
        named = list_forward_names(construct_on_meta(target.build, MetaExecutor()))
        if named & taken.keys():
            target, taken, remedy = _offer(text, arguments, {name: taken[name] for name in taken.keys() - named})
    return target, {name: value for name, value in keywords.items() if name not in taken}, remedy


def _offer(text: str, arguments: Mapping[str, Any], plain: Mapping[str, Any]) -> tuple[Target, dict[str, Any], str]:
    """The target built with the `plain` keywords that its constructor takes, those, and what it said of the others."""
    taken, remedy = dict(plain), ""
    while True:
        try:
            return resolve_target(text, {**arguments, **taken}), taken, remedy
        except ArchscopeError as error:
            refused = error.name if isinstance(error, UnknownNameError) else None
            if refused not in taken:
                if not taken:
                    raise
                taken = {}
            else:
                del taken[refused]
                remedy = error.remedy


def _observe_target(
    target: Target, options: TraceOptions, given: Inputs = NO_INPUTS, *, keep_flags: bool = False, remedy: str = ""
) -> Observed:
    """Trace it; with `keep_flags`, every part under its own training flag unless the options say otherwise."""
    source = Source(instance=target.build()) if target.is_instance else Source(build=target.build)
    reader = InputReader(target, options.inputs) if options.inputs else None
    maker = _InputMaker(target, options.inputs, given, options.batch, remedy, reader)
    request = Request(
        source=source,
        inputs=maker,
        target=target.text,
        arguments=tuple((name, freeze_setting(value)) for name, value in target.arguments.items()),
        training=target.training if options.train is None and not keep_flags else options.train,
        mode=options.mode,
        notes=target.notes,
    )
    with target.scope():
        with show_stage(f"tracing {target.title}"):
            observation, failures = _try_readings(request, reader)
            observation = review_observation(request, observation)
        costs = count_costs(observation.trace)
        trace = replace(observation.trace, notes=(*observation.trace.notes, *explain_counts(observation.trace, costs)))
        observed = Observed(trace, costs, target.title, observation.error, definition=target.definition)
        if reader is not None and reader.tried:
            observed = replace(observed, specs=reader.tried[-1])
        if observed.error is None:
            return observed
        remedies = [finding.remedy for finding in observed.trace.findings if finding.code == SINGLE_VALUE]
        if given != NO_INPUTS:
            return replace(observed, remedy="; or ".join(remedies))
        square = _find_square(request, observed.trace, maker)
        remedies += [square] if square else []
        return replace(observed, remedy="\n".join(filter(None, ("; or ".join(remedies), *failures))))


def settle_inputs(target: Target, options: TraceOptions) -> tuple[InputSpec, ...]:
    """The inputs asked for as the model takes them, found by tracing it where the words leave a choice."""
    if not options.inputs or target.default_inputs is not None:
        return options.inputs
    return _observe_target(target, replace(options, arguments={}, batch=None)).specs


def _try_readings(request: Request, reader: InputReader | None) -> tuple[Observation, tuple[str, ...]]:
    """The first pass that succeeds; where none does, the one that got furthest, and what the others failed with."""
    observation = trace_request(request)
    if reader is None or not reader.tried:
        return observation, ()
    tried = [(reader.tried[-1], observation)]
    while observation.error is not None and reader.advance(observation.trace, observation.error):
        observation = trace_request(request)
        tried.append((reader.tried[-1], observation))
    if observation.error is not None:
        furthest = max(tried, key=lambda attempt: sum(bool(layer.outputs) for layer in attempt[1].trace.layers))
        reader.choose(furthest[0])
        observation = furthest[1]
    others = [(reading, other.trace) for reading, other in tried if other is not observation]
    failed = reader.describe_failures(others, most=1 if observation.error is None else 3)
    notes = (*reader.describe(), *(failed if observation.error is None else ()))
    trace = replace(observation.trace, notes=(*observation.trace.notes, *notes))
    exact = reader.write_exact() if observation.error is not None else ()
    return replace(observation, trace=trace), (*failed, *exact)


@dataclass(frozen=True, slots=True)
class _InputMaker:
    """Makes forward's arguments: those given, else those asked for (with the keywords given), else the target's own."""

    target: Target
    specs: tuple[InputSpec, ...]
    given: Inputs = NO_INPUTS
    batch: int | None = None
    remedy: str = ""
    """What the constructor said of a keyword that it does not take either."""
    reader: InputReader | None = None
    """Knows how the specs are read; None: as they stand."""

    def __call__(self, module: nn.Module, device: torch.device) -> Inputs:
        if self.given[0] or self.given[1]:
            self._check_keywords(module)
        if self.given[0] or (self.given[1] and not self.specs):
            return self.given
        specs = self.specs if self.reader is None else self.reader.read(module)
        target = replace(self.target, extra_arguments={**self.target.extra_arguments, **self.given[1]})
        return make_arguments(target, module, specs, device, self.batch)

    def _check_keywords(self, module: nn.Module) -> None:
        """Raise UsageError for a keyword that neither forward nor, of a target in words, the constructor takes."""
        owner = f"the forward pass of {type(module).__name__}"
        if self.target.is_instance:
            after = "give constructor arguments to the constructor"
            check_names(module, self.given[1], f"{owner} takes no argument", (self.remedy, after))
        else:
            asked = f"neither the constructor nor {owner} takes an argument"
            check_names(module, self.given[1], asked, (self.remedy, ""))

    def resize(self, before: tuple[int, ...], after: tuple[int, ...]) -> "_InputMaker":
        """The same with another shape of the one tensor."""
        asked = self.specs if self.reader is None else self.reader.tried[-1]
        specs = tuple(replace(spec, shape=after) if spec.shape == before else spec for spec in asked)
        return _InputMaker(self.target, specs if specs != asked else (InputSpec(None, after, None),))

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
        resized = replace(
            request, mode="meta", inputs=maker.resize(trace.inputs[0].shape, (batch, channels, size, size))
        )
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
