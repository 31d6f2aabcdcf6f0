"""Networks by name, each traced once, and what published figures ask of a trace.

Every answer is read from what ran: operations, their operands' shapes and arguments, and the dataflow between them. The
builders' own rows are never looked at.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import nn

from archscope.analysis.windows import find_input
from archscope.core.errors import ArchscopeError
from archscope.core.operators import find_operator
from archscope.core.trace import LayerCall, OpRecord, Setting
from archscope.core.words import TraceOptions
from archscope.observation import Observed, observe_call, observe_target
from archscope.papers.measurement import MeasureError, Measurement, measure_amount

KINDS = {"CONV": "conv", "MAX POOL": "pool", "FC": "fc", "batch normalisation": "norm", "AVG POOL": "avgpool"}
"""What a layer is, by the titles of the operators that it runs."""
TYPES = {"LocalResponseNorm": "lrn", "Dropout": "dropout"}
"""What it is by its class, where no one operation tells."""


def classify_op(op: OpRecord) -> str:
    """A value of KINDS; empty where the operation is none of those that papers list."""
    operator = find_operator(op.name)
    return KINDS.get(operator.title, "") if operator is not None else ""


class Net:
    """One trace and what can be asked of it."""

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self.trace = observed.trace
        self._layers = {layer.path: layer for layer in reversed(observed.trace.layers)}

    def layer(self, path: str) -> LayerCall:
        """The first call of that module. Raises MeasureError where it never ran."""
        if path not in self._layers:
            raise MeasureError(f"{self.trace.target} has no layer {path!r} that runs")
        return self._layers[path]

    def has(self, path: str) -> bool:
        """Whether a module of that path ran."""
        return path in self._layers

    def children(self, path: str = "") -> tuple[LayerCall, ...]:
        """The calls that it made itself."""
        return self.trace.list_children(self.layer(path))

    def kind(self, layer: LayerCall) -> str:
        """A value of KINDS (`pool` is of maxima) or of TYPES, `block` where it calls others, or empty."""
        if not layer.leaf:
            return "block"
        if layer.type in TYPES:
            return TYPES[layer.type]
        kinds = {classify_op(op) for op in self.trace.list_ops(layer)}
        return next((kind for kind in KINDS.values() if kind in kinds), "")

    def ops(self, path: str = "") -> Sequence[OpRecord]:
        """The operations that ran inside it."""
        return self.trace.list_ops(self.layer(path))

    def op(self, path: str, *kinds: str) -> OpRecord:
        """The first operation of one of these kinds inside it. Raises MeasureError."""
        found = next((op for op in self.ops(path) if classify_op(op) in kinds), None)
        if found is None:
            raise MeasureError(f"{path} of {self.trace.target} runs no {' or '.join(kinds)}")
        return found

    def convolution(self, path: str) -> "Convolution":
        """The convolution that it runs."""
        return Convolution(self.op(path, "conv"))

    def convolutions(self, path: str = "") -> list["Convolution"]:
        """Every convolution inside it, in order."""
        return [Convolution(op) for op in self.ops(path) if classify_op(op) == "conv"]

    def window(self, path: str) -> tuple[int, int]:
        """(kernel, stride) of the convolution or pool that it runs. Raises MeasureError."""
        op = self.op(path, "conv", "pool", "avgpool")
        if classify_op(op) == "conv":
            return Convolution(op).side, Convolution(op).stride
        kernel = op.argument("kernel_size")
        return read_size(kernel), read_size(op.argument("stride") or kernel)

    def shape(self, path: str) -> tuple[int, ...]:
        """Of its first output, `(N, C, H, W)` or `(N, C)`. Raises MeasureError."""
        outputs = self.layer(path).outputs
        if not outputs:
            raise MeasureError(f"{path} of {self.trace.target} returned nothing")
        return outputs[0].shape

    def hwc(self, path: str) -> tuple[int, int, int]:
        """(H, W, C) of its first output, 1x1 for a vector."""
        return arrange_hwc(self.shape(path))

    @property
    def image(self) -> tuple[int, int, int]:
        """(H, W, C) of what the network read."""
        return arrange_hwc(self.trace.inputs[0].shape)

    def features(self, path: str) -> tuple[int, int]:
        """(inputs, outputs) of the matrix product that it runs."""
        op = self.op(path, "fc")
        return find_input(op).shape[-1], op.outputs[0].shape[-1]

    def params(self, path: str = "") -> int:
        """Of everything in it, each tensor once."""
        return self.layer(path).params

    def weights(self, *paths: str) -> int:
        """Parameters without biases and normalisation: those with more than one dimension."""
        return sum(prod(shape) for path in paths for shape in self.parameter_shapes(path) if len(shape) > 1)

    def parameter_shapes(self, path: str = "") -> list[tuple[int, ...]]:
        """Of every parameter beneath it."""
        prefix = f"{path}." if path else ""
        state = self.trace.state
        return [item.shape for item in state if item.kind == "parameter" and item.path.startswith(prefix)]

    def macs(self, *paths: str) -> int:
        """Of these layers together. Raises MeasureError where they cannot be counted."""
        counts = [self.observed.costs.layers[self.layer(path).id].macs for path in paths or ("",)]
        if any(count is None for count in counts):
            raise MeasureError(f"the MACs of {self.trace.target} cannot be counted")
        return sum(count or 0 for count in counts)

    def convolution_macs(self) -> int:
        """Of its convolutions alone."""
        costs = self.observed.costs.ops
        return sum(costs[op.index].macs or 0 for op in self.trace.ops if classify_op(op) == "conv")

    def depth(self, path: str = "", *, pools: bool = False) -> int:
        """Layers with weights on the longest way through it; with `pools`, pooling layers count too."""
        ops = self.ops(path)
        depths: dict[int, int] = {}
        sources: dict[int, list[int]] = {}
        inside = {op.index for op in ops}
        for edge in self.trace.edges:
            if edge.consumer in inside and edge.producer in inside:
                sources.setdefault(edge.consumer, []).append(edge.producer)
        for op in ops:
            own = classify_op(op) in ("conv", "fc") or (pools and self._is_pool(op))
            depths[op.index] = own + max((depths[source] for source in sources.get(op.index, ())), default=0)
        return max(depths.values(), default=0)

    def _is_pool(self, op: OpRecord) -> bool:
        return classify_op(op) in ("pool", "avgpool") and "Pool" in self.trace.layers[op.layer].type

    def count_types(self, *types: str) -> int:
        """Calls of layers of these types."""
        return sum(layer.type in types for layer in self.trace.layers)

    def measure_params(self) -> Measurement:
        """All parameters, as the sum over the network's parts."""
        return measure_amount(self.params(), self.sum_params())

    def measure_macs(self) -> Measurement:
        """Multiply-adds of one image, as the sum over the network's parts."""
        return measure_amount(self.macs(), self.sum_macs())

    def sum_params(self) -> str:
        """`34,944 + ... = 62,378,344`, over the parts of the network."""
        return write_sum([child.params for child in self.children()], self.params())

    def sum_macs(self) -> str:
        """The same of MACs."""
        return write_sum([self.macs(child.path) for child in self.children()], self.macs())


class Convolution:
    """What a convolution really did."""

    def __init__(self, op: OpRecord) -> None:
        weight = op.operand("weight")
        if weight is None:
            raise MeasureError("a convolution without a weight")
        self.layer = op.layer
        self.out_channels, self.in_channels, *kernel = weight.shape
        self.kernel: tuple[int, ...] = tuple(kernel)
        self.stride = read_size(op.argument("stride"))
        self.padding = read_size(op.argument("padding"))
        self.groups = read_size(op.argument("groups"))
        self.weights = prod(weight.shape)

    @property
    def size(self) -> str:
        """`3x3`."""
        return "x".join(map(str, self.kernel))

    @property
    def side(self) -> int:
        """Of a square kernel."""
        return self.kernel[0]

    @property
    def arithmetic(self) -> str:
        """`96*(3*11*11)`: the weights; the input channels are those that one filter reads."""
        return f"{self.out_channels}*({'*'.join(map(str, (self.in_channels, *self.kernel)))})"


class Networks:
    """Traces by name and arguments, each made once."""

    def __init__(self) -> None:
        self._traced: dict[object, Net] = {}

    def trace(self, name: str, *, train: bool = False, **arguments: Any) -> Net:
        """The network of that name. Raises MeasureError where it cannot be built or its forward pass fails."""
        net = self.attempt(name, train=train, **arguments)
        if net.observed.error is not None:
            raise MeasureError(f"the forward pass of {name} failed: {net.observed.error}")
        return net

    def attempt(self, name: str, *, train: bool = False, **arguments: Any) -> Net:
        """The same, whether forward finished or not. Raises MeasureError where it cannot be built."""

        def observe() -> Observed:
            return observe_target(name, TraceOptions(arguments=arguments, train=train))

        return self._keep((name, train, repr(sorted(arguments.items()))), observe)

    def attempt_module(self, key: str, build: Callable[[], nn.Module], shape: tuple[int, ...]) -> Net:
        """The trace of what `build` makes on meta, for one input of that shape; `key` names it."""

        def observe() -> Observed:
            with torch.device("meta"):
                return observe_call(build().eval(), given=((torch.empty(shape, device="meta"),), {}))

        return self._keep((key, shape), observe)

    def _keep(self, key: object, observe: Callable[[], Observed]) -> Net:
        if key not in self._traced:
            try:
                self._traced[key] = Net(observe())
            except ArchscopeError as error:
                raise MeasureError(error.message) from error
        return self._traced[key]


def arrange_hwc(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """`(1, 64, 112, 112)` -> `(112, 112, 64)`, `(1, 1000)` -> `(1, 1, 1000)`. Raises MeasureError."""
    match shape:
        case (_, channels, height, width):
            return height, width, channels
        case (_, channels):
            return 1, 1, channels
    raise MeasureError(f"{shape} is no image and no vector")


def read_size(value: Setting) -> int:
    """A size that is the same in every dimension: `(3, 3)` -> 3. Raises MeasureError where it is not."""
    sizes = set(value) if isinstance(value, tuple) else {value}
    size = next(iter(sizes), None)
    if len(sizes) != 1 or not isinstance(size, int):
        raise MeasureError(f"{value} is not one size")
    return size


def write_sum(parts: list[int], total: int) -> str:
    """`1 + 2 = 3`, without the parts that are 0; empty where they do not add up, as when parameters are shared."""
    kept = [part for part in parts if part]
    if sum(kept) != total or len(kept) < 2:
        return ""
    return f"{' + '.join(f'{part:,}' for part in kept)} = {total:,}"
