"""The Python calls: `trace`, `build`, and the `Summary` they return. The command line goes through here too."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.core.cost import CostReport
from archscope.core.errors import ModelError
from archscope.core.inputs import InputSpec
from archscope.core.table import Table
from archscope.core.trace import Failure, Mode, Setting, Trace

if TYPE_CHECKING:
    from torch import nn

    from archscope.targets.target import Target
    from archscope.tracing.modes import Inputs, Request


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """How to trace a target named in words."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Constructor arguments."""
    inputs: tuple[InputSpec, ...] = ()
    """Inputs asked for; empty: the target's own."""
    train: bool | None = None
    """Training flag; None: the target's own (eval for models that are named)."""
    mode: Mode | None = None
    """None: meta, else fake tensors, else a real forward."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A trace with its costs: what `archscope.trace` returns."""

    trace: Trace
    costs: CostReport
    title: str

    def to_dict(self, *, ops: bool = False) -> dict[str, Any]:
        """The JSON document `archscope.trace/1`; with `ops`, also every operation and the dataflow."""
        from archscope.core.document import trace_to_document

        return trace_to_document(self.trace, self.costs, ops=ops)

    def save(self, path: str | Path, *, ops: bool = True) -> None:
        """Write the JSON document beside `path` and rename it there. Raises OutputError."""
        from archscope.core.files import write_text

        write_text(Path(path), json.dumps(self.to_dict(ops=ops), indent=1) + "\n")

    def table(self, depth: int | None = None) -> Table:
        """The tree of layers as a table; `depth` cuts it."""
        from archscope.tables.layers import LayerTableOptions, build_layer_table

        return build_layer_table(self.trace, self.costs, LayerTableOptions(title=self.title, depth=depth))

    def show(self, depth: int | None = None) -> None:
        """Print the tree of layers."""
        print(self._text(depth))  # noqa: T201  what a notebook or a script asks for

    def __str__(self) -> str:
        return self._text(None)

    def _text(self, depth: int | None) -> str:
        from archscope.rendering import render

        return render(self.table(depth), "plain").rstrip("\n")

    def _repr_html_(self) -> str:
        from html import escape

        return f'<pre style="line-height: 1.2">{escape(self._text(None))}</pre>'


class ForwardError(ModelError):
    """The traced forward pass raised; `summary` holds everything before the failure, `__cause__` the original."""

    def __init__(self, summary: Summary, remedy: str = "") -> None:
        failure = summary.trace.failure
        if failure is None:
            raise ValueError("a forward error needs a trace that failed")
        super().__init__(describe_failure(summary.trace, failure), remedy)
        self.summary = summary


def describe_failure(trace: Trace, failure: Failure) -> str:
    """One sentence: the layer, the shape it got, and what torch said."""
    if not trace.layers:
        return f"{failure.error}: {failure.message}"
    layer = trace.layers[failure.layer]
    name = f"{layer.path} ({layer.type})" if layer.path else layer.type
    got = ", ".join("x".join(map(str, ref.shape)) or "a scalar" for ref in layer.inputs[:3])
    return f"{name} failed on {got or 'its input'}: {' '.join(failure.message.split())}"


def build(name: str, /, **arguments: Any) -> "nn.Module":
    """The built-in model `name`, with torch's default device and dtype. Raises UnknownNameError, UsageError."""
    from archscope.models.registry import build_model

    return build_model(name, **arguments)


def trace(target: "nn.Module | str", /, *args: Any, **kwargs: Any) -> Summary:
    """Trace one forward pass of a module, or of a target named in words (`"vgg16"`, `"timm:resnet50"`).

    Tensors in `args` and `kwargs` are the inputs of forward; only their shapes and dtypes matter where the pass runs on
    meta. A named target without inputs takes its own default. The module is left exactly as it was, and its own
    training flag is respected; a named target is traced in eval.

    Raises:
        ForwardError: the forward pass raised; `.summary` holds everything before.
        UnknownNameError, UsageError, TargetError: the target cannot be found or built.
    """
    from archscope.tracing.modes import Request, Source

    if isinstance(target, str):
        return _trace_named(target, TraceOptions(), (args, kwargs))
    request = Request(
        source=Source(instance=target), inputs=lambda module, device: (args, kwargs), target=type(target).__name__
    )
    return _finish(request, type(target).__name__, None)


def trace_target(text: str, options: TraceOptions) -> Summary:
    """Trace the target `text` as the command line does. Raises what `trace` raises."""
    return _trace_named(text, options, ((), {}))


def _trace_named(text: str, options: TraceOptions, given: "Inputs") -> Summary:
    from archscope.targets.resolve import resolve_target
    from archscope.tracing.modes import Request, Source

    target = resolve_target(text, options.arguments)
    source = Source(instance=target.build()) if target.is_instance else Source(build=target.build)
    request = Request(
        source=source,
        inputs=_InputMaker(target, options.inputs, given),
        target=target.text,
        arguments=tuple((name, _plain(value)) for name, value in target.arguments.items()),
        training=target.training if options.train is None else options.train,
        mode=options.mode,
        notes=target.notes,
    )
    return _finish(request, target.title, target)


def _plain(value: Any) -> Setting:
    if isinstance(value, (tuple, list)):
        return tuple(_plain(item) for item in value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _finish(request: "Request", title: str, target: "Target | None") -> Summary:
    from archscope.analysis.costs import count_costs
    from archscope.tracing.modes import trace_request

    observation = trace_request(request)
    summary = Summary(observation.trace, count_costs(observation.trace), title)
    if observation.error is None:
        return summary
    raise ForwardError(summary, _find_remedy(request, summary.trace, target)) from observation.error


@dataclass(frozen=True, slots=True)
class _InputMaker:
    """Makes forward's arguments: those given, else those asked for, else the target's own."""

    target: "Target"
    specs: tuple[InputSpec, ...]
    given: "Inputs"

    def __call__(self, module: "nn.Module", device: Any) -> "Inputs":
        from archscope.targets.inputs import make_arguments

        if self.given[0] or self.given[1]:
            return self.given
        return make_arguments(self.target, module, self.specs, device)

    def usual_side(self) -> int | None:
        """The side of the target's own input where that is one square image."""
        known = self.target.usual_shape
        return known[-1] if known is not None and len(known) == 4 and known[-1] == known[-2] else None


def _find_remedy(request: "Request", trace: Trace, target: "Target | None") -> str:
    """Which square would work, found by trying, where a square image failed; else nothing."""
    from archscope.inspection.smallest import find_smallest_square
    from archscope.tracing.modes import trace_request

    sides = {ref.shape[-1] for ref in trace.inputs if len(ref.shape) == 4 and ref.shape[-1] == ref.shape[-2]}
    if target is None or len(trace.inputs) != 1 or len(sides) != 1:
        return ""
    (side,) = sides
    maker = request.inputs
    if not isinstance(maker, _InputMaker):
        return ""
    batch, channels = trace.inputs[0].shape[:2]

    def works(size: int) -> bool:
        spec = InputSpec(None, (batch, channels, size, size), None)
        resized = replace(request, mode="meta", inputs=replace(maker, specs=(spec,), given=((), {})))
        return trace_request(resized).error is None

    usual = maker.usual_side()
    smallest = find_smallest_square(works, side, usual)
    if smallest is not None:
        return f"the smallest square that works is {smallest}x{smallest} (found by trying)"
    return f"{usual}x{usual} works, its usual input" if usual is not None and works(usual) else ""
