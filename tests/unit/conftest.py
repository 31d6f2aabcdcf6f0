"""Traces made by hand, so that what reads them is tested in milliseconds and without torch."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import pytest

from archscope.core.cost import Cost, CostReport, LayerCost, Uncounted
from archscope.core.tensors import TensorSpec
from archscope.core.trace import (
    Edge,
    Failure,
    LayerCall,
    Mode,
    OpRecord,
    Setting,
    SourceSpan,
    StateTensor,
    StateTotals,
    Trace,
    ValueRef,
)

Shape = tuple[int, ...]


class TraceBuilder:
    """Calls are entered and left, operations run between; every value is named by its number."""

    def __init__(self, *inputs: Shape, target: str = "net", training: bool = False, mode: Mode = "meta") -> None:
        self.target, self.training, self.mode = target, training, mode
        self.shapes: dict[int, Shape] = {}
        self.producers: dict[int, int | None] = {}
        self.inputs = [self._make_value(shape, None) for shape in inputs]
        self.layers: list[dict[str, Any]] = []
        self.ops: list[OpRecord] = []
        self.costs: list[Cost] = []
        self.edges: list[Edge] = []
        self.state: list[StateTensor] = []
        self.failure: Failure | None = None
        self._open: list[int] = []
        self._seen: dict[str, int] = {}

    def _make_value(self, shape: Shape, producer: int | None) -> int:
        number = len(self.shapes)
        self.shapes[number], self.producers[number] = shape, producer
        return number

    def refer(self, value: int, key: str = "") -> ValueRef:
        return ValueRef(value, TensorSpec(key, self.shapes[value], "float32"))

    def add_parameter(self, path: str, shape: Shape) -> int:
        value = self._make_value(shape, None)
        self.state.append(StateTensor(path, value, shape, "float32", "parameter", trainable=True))
        return value

    def enter(self, path: str, type_name: str, *inputs: int, **settings: Setting) -> int:
        """Begin a call; its number is returned."""
        number = len(self.layers)
        call = self._seen.get(path, -1) + 1
        self._seen[path] = call
        parent = self._open[-1] if self._open else None
        if parent is not None:
            self.layers[parent]["leaf"] = False
        self.layers.append(
            {
                "id": number,
                "parent": parent,
                "path": path,
                "type": type_name,
                "call": call,
                "depth": len(self._open),
                "leaf": True,
                "inputs": tuple(self.refer(value, str(index)) for index, value in enumerate(inputs)),
                "outputs": (),
                "settings": tuple(settings.items()),
                "sources": (SourceSpan("net.py", number + 1, number + 1, 9, 20, "forward"),),
                "first_op": len(self.ops),
                "end_op": len(self.ops),
            }
        )
        self._open.append(number)
        return number

    def run(self, name: str, values: Sequence[int], shape: Shape, macs: int | None = 0, **arguments: Setting) -> int:
        """An operation on `values` (a convolution's second is its weight); the number of its output is returned."""
        index = len(self.ops)
        keys = ("input", "weight", "bias") if name == "aten.convolution" else ("self", "other", "third")
        out = self._make_value(shape, index)
        self.ops.append(
            OpRecord(
                index=index,
                name=name,
                overload="default",
                layer=self._open[-1],
                inputs=tuple(self.refer(value, keys[place]) for place, value in enumerate(values)),
                outputs=(self.refer(out),),
                arguments=tuple(arguments.items()),
                sources=self.layers[self._open[-1]]["sources"],
            )
        )
        self.costs.append(Cost(macs, "" if macs is not None else "no formula"))
        self.edges += [Edge(self.producers[value], index, value) for value in values]
        return out

    def leave(self, *outputs: int) -> None:
        """End the innermost open call."""
        layer = self.layers[self._open.pop()]
        layer["outputs"] = tuple(self.refer(value) for value in outputs)
        layer["end_op"] = len(self.ops)

    def call(self, path: str, type_name: str, value: int, shape: Shape, **settings: Setting) -> int:
        """A leaf call of one operation without parameters or cost."""
        self.enter(path, type_name, value, **settings)
        out = self.run(f"aten.{type_name.lower()}", [value], shape)
        self.leave(out)
        return out

    def convolve(self, path: str, value: int, channels: int, side: int, **settings: Setting) -> int:
        """A Conv2d call that makes `(N, channels, side, side)`: kernel, stride, padding and groups by keyword."""
        batch, before = self.shapes[value][:2]
        kernel, groups = settings.pop("kernel", 3), settings.pop("groups", 1)
        assert isinstance(kernel, int)
        assert isinstance(groups, int)
        again = path in self._seen
        self.enter(
            path,
            "Conv2d",
            value,
            in_channels=before,
            out_channels=channels,
            kernel_size=(kernel, kernel),
            stride=(settings.pop("stride", 1),) * 2,
            padding=(settings.pop("padding", 0),) * 2,
            groups=groups,
            **settings,
        )
        shape = (channels, before // groups, kernel, kernel)
        weight = next(t.value for t in self.state if t.path == f"{path}.weight") if again else None
        weight = self.add_parameter(f"{path}.weight", shape) if weight is None else weight
        out_shape = (batch, channels, side, side)
        out = self.run("aten.convolution", [value, weight], out_shape, prod(out_shape) * prod(shape[1:]))
        self.leave(out)
        return out

    def connect(self, path: str, value: int, features: int) -> int:
        """A Linear call with its bias."""
        before = self.shapes[value][-1]
        self.enter(path, "Linear", value, in_features=before, out_features=features, bias=True)
        weight = self.add_parameter(f"{path}.weight", (features, before))
        bias = self.add_parameter(f"{path}.bias", (features,))
        shape = (*self.shapes[value][:-1], features)
        out = self.run("aten.addmm", [bias, value, weight], shape, prod(shape) * before)
        self.leave(out)
        return out

    def fail(self, message: str, **more: Any) -> None:
        """The innermost open call raises; every open call ends without outputs."""
        layer = self.layers[self._open[-1]]
        self.failure = Failure(layer["id"], layer["path"], "RuntimeError", message, layer["sources"], **more)
        while self._open:
            self.leave()

    def build(self, *outputs: int, **more: Any) -> tuple[Trace, CostReport]:
        """The trace and its costs, summed as the analysis does."""
        layers = tuple(self._finish(layer) for layer in self.layers)
        params = sum(prod(tensor.shape) for tensor in self.state)
        trace = Trace(
            archscope="0.1.0",
            torch="2.14.1",
            target=self.target,
            arguments=more.pop("arguments", ()),
            mode=self.mode,
            training=self.training,
            inputs=tuple(
                self.refer(value, "x" if not index else f"x{index}") for index, value in enumerate(self.inputs)
            ),
            outputs=tuple(self.refer(value) for value in outputs),
            layers=layers,
            ops=tuple(self.ops),
            edges=tuple(self.edges),
            state=tuple(self.state),
            totals=StateTotals(params, params, 0, 4 * params, 0),
            failure=self.failure,
            **more,
        )
        return trace, self._sum_costs(layers)

    def _finish(self, fields: dict[str, Any]) -> LayerCall:
        prefix = f"{fields['path']}." if fields["path"] else ""
        held = [tensor for tensor in self.state if tensor.path.startswith(prefix)]
        own = [tensor for tensor in held if "." not in tensor.path[len(prefix) :]]
        params = sum(prod(tensor.shape) for tensor in held)
        return LayerCall(
            own_params=sum(prod(tensor.shape) for tensor in own),
            params=params,
            trainable_params=params,
            buffers=0,
            **fields,
        )

    def _sum_costs(self, layers: Sequence[LayerCall]) -> CostReport:
        def add(costs: list[Cost]) -> int | None:
            known = [cost.macs for cost in costs if cost.macs is not None]
            return sum(known) if len(known) == len(costs) else None

        uncounted: dict[str, list[int]] = {}
        for op, cost in zip(self.ops, self.costs, strict=True):
            if cost.macs is None:
                uncounted.setdefault(op.name, []).append(op.layer)
        return CostReport(
            ops=tuple(self.costs),
            layers=tuple(
                LayerCost(
                    add(self.costs[layer.first_op : layer.end_op]),
                    add([self.costs[op.index] for op in self.ops if op.layer == layer.id]),
                )
                for layer in layers
            ),
            macs=add(self.costs),
            counted_macs=sum(cost.macs or 0 for cost in self.costs),
            activations=0,
            uncounted=tuple(
                Uncounted(name, tuple(calls), len(calls), "no formula") for name, calls in uncounted.items()
            ),
        )


Handmade = Callable[..., TraceBuilder]


@pytest.fixture
def handmade() -> Handmade:
    """`handmade((1, 3, 8, 8), target="net")` begins a trace with inputs of these shapes."""
    return TraceBuilder


@pytest.fixture
def chain(handmade: Handmade) -> tuple[Trace, CostReport]:
    """Two convolutions, a pool and a classifier, one after the other.

    conv1 8x3x3x3 = 216 parameters, 8*8*8*27 = 13,824 MACs; conv2 in 2 groups 16x4x3x3 = 576, 16*4*4*36 = 9,216 MACs;
    fc 10*64+10 = 650, 640 MACs. Together 1,442 parameters and 23,680 MACs.
    """
    net = handmade((1, 3, 8, 8), target="chain")
    net.enter("", "Chain", 0)
    x = net.convolve("conv1", 0, 8, 8, padding=1)
    x = net.call("relu1", "ReLU", x, (1, 8, 8, 8), inplace=True)
    x = net.convolve("conv2", x, 16, 4, stride=2, padding=1, groups=2)
    net.enter("pool", "MaxPool2d", x, kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    pooled = net.run("aten.max_pool2d_with_indices", [x], (1, 16, 2, 2))
    net.leave(pooled)
    x = net.call("flatten", "Flatten", pooled, (1, 64), start_dim=1, end_dim=-1)
    x = net.connect("fc", x, 10)
    net.leave(x)
    return net.build(x)


@pytest.fixture
def residual(handmade: Handmade) -> tuple[Trace, CostReport]:
    """A stem and three residual blocks, the last two alike; each adds its input to what its convolution makes.

    stem 4x3x3x3 = 108 parameters, 4*6*6*27 = 3,888 MACs; each block 4x4x3x3 = 144, 4*6*6*36 = 5,184 MACs, but the
    first has a 1x1 kernel: 16 and 576. Together 108 + 16 + 2*144 = 412 parameters, 3,888 + 576 + 2*5,184 = 14,832 MACs.
    """
    net = handmade((1, 3, 6, 6), target="residual")
    net.enter("", "Net", 0)
    x = net.convolve("stem", 0, 4, 6, padding=1)
    net.enter("blocks", "Sequential", x)
    for index in range(3):
        net.enter(f"blocks.{index}", "Block", x)
        y = net.convolve(f"blocks.{index}.conv", x, 4, 6, kernel=1 if index == 0 else 3, padding=0 if index == 0 else 1)
        x = net.run("aten.add", [y, x], (1, 4, 6, 6))
        net.leave(x)
    net.leave(x)
    net.leave(x)
    return net.build(x)
