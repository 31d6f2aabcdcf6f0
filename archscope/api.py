"""The Python calls: `trace`, `build`, and the `Summary` they return. The command line goes through here too."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.core.cost import CostReport
from archscope.core.errors import ModelError, UsageError
from archscope.core.finding import Finding
from archscope.core.table import Table
from archscope.core.trace import Failure, Trace
from archscope.core.words import TraceOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from archscope.models.registry import CatalogueRow
    from archscope.observation import Observed


@dataclass(frozen=True, slots=True)
class Summary:
    """A trace with its costs: what `archscope.trace` returns."""

    trace: Trace
    costs: CostReport
    title: str

    def to_dict(self, *, ops: bool = False) -> dict[str, Any]:
        """The JSON document `archscope.trace/1`; with `ops`, also every operation and the dataflow."""
        from archscope.core.codec import encode
        from archscope.core.saved import build_trace_document

        document: dict[str, Any] = encode(build_trace_document(self.trace, self.costs, ops=ops))
        return document

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

    def __init__(self, summary: Summary, failure: Failure, remedy: str = "") -> None:
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


def check_training(model: "nn.Module", batch: "tuple[Tensor, Tensor]", **options: Any) -> tuple[Finding, ...]:
    """See whether a classifier can be trained on batches like `(images, labels)`; the model is left as it was.

    `options` are those of `archscope.training.checking.check_training`: `optimizer`, `seconds`. What is found names the
    layer and the likely cause; an empty tuple means that all is well. Raises ModelError, UsageError.
    """
    from archscope.training import checking

    return checking.check_training(model, batch, **options)


def list_models() -> "tuple[CatalogueRow, ...]":
    """The built-in models with source, parameters and MACs, from the generated catalogue; no torch is needed."""
    from archscope.models.registry import load_catalogue

    return load_catalogue()


def trace(target: "nn.Module | str", /, *args: Any, **kwargs: Any) -> Summary:
    """Trace one forward pass of a module, or of a target named in words (`"vgg16"`, `"timm:resnet50"`).

    Tensors in `args` and `kwargs` are the inputs of forward; only their shapes and dtypes matter where the pass runs on
    meta. A named target without inputs takes its own default. The module is left exactly as it was, and its own
    training flag is respected; a named target is traced in eval.

    Raises:
        ForwardError: the forward pass raised; `.summary` holds everything before.
        UnknownNameError, UsageError, TargetError: the target cannot be found or built.
    """
    from archscope.observation import observe_module, observe_target

    if isinstance(target, str):
        return _summarise(observe_target(target, given=(args, kwargs)))
    if not callable(getattr(target, "named_modules", None)) or isinstance(target, type):
        what = f"the class {target.__name__}" if isinstance(target, type) else f"a {type(target).__name__}"
        raise UsageError(f"{what} cannot be traced", "give a torch.nn.Module, or the name of a model such as 'vgg16'")
    return _summarise(observe_module(target, args, kwargs))


def trace_target(text: str, options: TraceOptions) -> Summary:
    """Trace the target `text` as the command line does. Raises what `trace` raises."""
    from archscope.observation import observe_target

    return _summarise(observe_target(text, options))


def _summarise(observed: "Observed") -> Summary:
    summary = Summary(observed.trace, observed.costs, observed.title)
    if observed.error is None or observed.trace.failure is None:
        return summary
    raise ForwardError(summary, observed.trace.failure, observed.remedy) from observed.error
