"""A Trace and the name of a layer go in; the arithmetic behind its numbers comes out, as a person would write it.

Every line's expression evaluates to the line's value: whole numbers, + - * / ( ), floor and ceil.
"""

from archscope.analysis.explain.blocks import BlockExplainer
from archscope.analysis.explain.layers import LayerExplainer
from archscope.analysis.explain.lines import Explanation, Line
from archscope.analysis.explain.naming import find_layer
from archscope.analysis.explain.stacks import StackExplainer
from archscope.analysis.receptive import measure_values
from archscope.core.cost import CostReport
from archscope.core.errors import DataError
from archscope.core.trace import LayerCall, Trace

__all__ = ["Explainer", "Explanation", "Line", "find_layer"]


class Explainer:
    """Explains the layers of one trace."""

    def __init__(self, trace: Trace, costs: CostReport) -> None:
        """Raises DataError where the trace was saved without its operations."""
        if not trace.ops and len(trace.layers) > 1 and trace.failure is None:
            raise DataError(
                f"the trace of {trace.target!r} was saved without its operations",
                "save it with them: archscope trace TARGET --ops -o trace.json",
            )
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
