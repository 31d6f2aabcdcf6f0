"""The arithmetic behind the numbers of a layer, a block or a stack of layers, as a person would write it.

Every line's expression evaluates to the line's value: whole numbers, + - * / ( ), floor and ceil.
"""

from collections.abc import Mapping

from archscope.analysis.explain.arithmetic import Explanation, Line
from archscope.analysis.explain.blocks import BlockExplainer
from archscope.analysis.explain.layers import LayerExplainer
from archscope.analysis.explain.stacks import StackExplainer
from archscope.analysis.outline import outline_trace
from archscope.analysis.receptive import measure_values
from archscope.core.cost import CostReport
from archscope.core.errors import UnknownNameError
from archscope.core.layer_names import split_call, suggest_layers
from archscope.core.trace import LayerCall, Trace

ROOT = "."
"""Names the whole model."""
REMEDY = "archscope trace TARGET lists the layers; name one by its path, features.24, by its call, relu#2, or as conv1"


MOST_LISTED = 8
_ROOT_WORDS = ("root", "(root)", "model", "the model", "the root")


def find_layer(trace: Trace, word: str) -> LayerCall:
    """The call named by its path (`layer1.0.conv2`), the second call of one (`relu#2`), a label (`conv1`), or `.`.

    Labels are those of the lecture's table and belong to chains only: convolutions and fully connected layers share
    the count, pools and norms have their own. Raises UnknownNameError with the nearest names.
    """
    name = word.strip()
    if name in (ROOT, ""):
        return trace.root
    path, call = split_call(name)
    for fold in (str, str.casefold):
        for layer in trace.layers:
            if layer.path and fold(layer.path) == fold(path) and layer.call == call:
                return layer
    labels = label_layers(trace)
    if name.casefold() in labels:
        return trace.layers[labels[name.casefold()]]
    raise _complain(trace, word, path, labels)


def _complain(trace: Trace, word: str, path: str, labels: Mapping[str, int]) -> UnknownNameError:
    """The error for a name that no layer has, with those that may be meant, else those that the tree begins with."""
    calls = sum(layer.path == path for layer in trace.layers)
    if calls:
        return UnknownNameError("layer", word, (), f"{path} is called {calls} time{'s' * (calls != 1)}")
    if word.strip().casefold() in {*_ROOT_WORDS, trace.target.casefold(), trace.root.type.casefold()}:
        return UnknownNameError("layer", word, (), f"the whole model is named with a dot: {ROOT}")
    near = suggest_layers(trace.layers, word, labels)
    first = [] if near else [layer.path for layer in trace.layers if layer.depth == 1][:MOST_LISTED]
    listed = f"the model begins with {', '.join(first)}; " if first else ""
    if len(trace.layers) == 1:
        listed = f"the model has no layers within and is named with a dot: {ROOT}; "
    return UnknownNameError("layer", word, (), f"{listed}{REMEDY}", near=near)


def label_layers(trace: Trace) -> Mapping[str, int]:
    """`conv1`, `pool1`, `norm1`, `fc14`, ... and the ids of their calls; none where the dataflow branches."""
    if not trace.ops or outline_trace(trace).branches:
        return {}
    labels: dict[str, int] = {}
    counts = {"weights": 0, "pool": 0, "norm": 0}
    for layer in trace.layers:
        kind = _find_kind(layer)
        if not layer.leaf or not kind:
            continue
        counter = "weights" if kind in ("conv", "fc") else kind
        counts[counter] += 1
        labels[f"{kind}{counts[counter]}"] = layer.id
    return labels


def _find_kind(layer: LayerCall) -> str:
    settings = dict(layer.settings)
    if "kernel_size" in settings:
        return "conv" if "out_channels" in settings else "pool"
    if "in_features" in settings and "out_features" in settings:
        return "fc"
    if {"size", "alpha", "beta", "k"} <= settings.keys() or ("eps" in settings and "momentum" in settings):
        return "norm"
    return ""


__all__ = ["Explainer", "Explanation", "Line", "find_layer"]


class Explainer:
    """Explains the layers of one trace."""

    def __init__(self, trace: Trace, costs: CostReport) -> None:
        """Raises DataError where the trace was saved without its operations."""
        trace.check_ops()
        self.trace = trace
        self._layers = LayerExplainer(trace, costs, measure_values(trace))
        self._blocks = BlockExplainer(self._layers)
        self._stacks = StackExplainer(self._layers)

    def explain_words(self, words: str) -> Explanation:
        """A layer or block by its name, a stack by two: `features.24:features.28`. Raises UnknownNameError."""
        first, colon, last = words.partition(":")
        if colon:
            return self._stacks.explain(find_layer(self.trace, first), find_layer(self.trace, last))
        return self.explain_layer(find_layer(self.trace, words))

    def explain_layer(self, layer: LayerCall) -> Explanation:
        """A layer, or a block with its sums."""
        return self._layers.explain(layer) if layer.leaf else self._blocks.explain(layer)

    def explain_all(self) -> tuple[Explanation, ...]:
        """Every call in the order of execution, the model itself first."""
        return tuple(self.explain_layer(layer) for layer in self.trace.layers)
