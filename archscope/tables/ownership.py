"""A Trace goes in; it tells which row of a table holds which parameters, so that the rows' sum is the total."""

from collections.abc import Iterable
from math import prod

from archscope.core.trace import LayerCall, OpRecord, StateTensor, Trace


class ParameterLedger:
    """Every parameter once: a row claims what no row before it has claimed."""

    def __init__(self, trace: Trace) -> None:
        self._unclaimed = {tensor.path: tensor for tensor in trace.state if tensor.kind == "parameter"}
        self._ops = trace.ops
        self._producers = {ref.value: op.index for op in trace.ops for ref in op.outputs}
        self._data: set[int] = {ref.value for ref in trace.inputs}
        """Values that depend on the model's inputs; what does not is a parameter in another form, or a constant."""
        for op in trace.ops:
            if any(ref.value in self._data for ref in op.inputs):
                self._data.update(ref.value for ref in op.outputs)

    def claim_layer(self, layer: LayerCall) -> int:
        """Elements of the layer's and its children's parameters that are still free."""
        prefix = f"{layer.path}." if layer.path else ""
        return self._claim(tensor for tensor in self._unclaimed.values() if tensor.path.startswith(prefix))

    def claim_op(self, op: OpRecord) -> int:
        """Elements of the parameters that an operation reads, directly or transposed, reshaped or cast."""
        origins: set[int] = set()
        pending = [ref.value for ref in op.inputs]
        while pending:
            value = pending.pop()
            if value in origins or value in self._data:
                continue
            origins.add(value)
            if value in self._producers:
                pending += [ref.value for ref in self._ops[self._producers[value]].inputs]
        return self._claim(tensor for tensor in self._unclaimed.values() if tensor.value in origins)

    def count_unclaimed(self) -> tuple[int, tuple[str, ...]]:
        """Elements that no row holds, and the paths of their tensors."""
        tensors = self._unclaimed.values()
        return sum(prod(tensor.shape) for tensor in tensors), tuple(tensor.path for tensor in tensors)

    def _claim(self, tensors: Iterable[StateTensor]) -> int:
        claimed = list(tensors)
        for tensor in claimed:
            del self._unclaimed[tensor.path]
        return sum(prod(tensor.shape) for tensor in claimed)
