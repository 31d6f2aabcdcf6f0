"""A layer call together with its cost: what `summary.layers` yields, and the flat record of it."""

from dataclasses import dataclass

from archscope.core.cost import LayerCost
from archscope.core.escaping import escape_name
from archscope.core.trace import LayerCall, Setting
from archscope.core.units import format_exact

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One call of one module, with what it cost. Numbers include the calls that it made."""

    call: LayerCall
    """Everything that was recorded of the call."""
    cost: LayerCost
    activation_bytes: int
    """Bytes of the outputs of the leaf calls in it: of a leaf, its own."""

    @property
    def path(self) -> str:
        """Module path, `layer1.0.conv2`; empty for the model itself."""
        return self.call.path

    @property
    def type(self) -> str:
        """Class name."""
        return self.call.type

    @property
    def depth(self) -> int:
        """Nesting of calls; the model itself is 0."""
        return self.call.depth

    @property
    def leaf(self) -> bool:
        """Whether the call made no call of another module."""
        return self.call.leaf

    @property
    def input_shapes(self) -> tuple[Shape, ...]:
        """Shapes of the input tensors, in PyTorch's order."""
        return tuple(ref.shape for ref in self.call.inputs)

    @property
    def output_shapes(self) -> tuple[Shape, ...]:
        """Shapes of the output tensors, in PyTorch's order."""
        return tuple(ref.shape for ref in self.call.outputs)

    @property
    def input_shape(self) -> Shape | None:
        """Shape of the first input; None where there is none."""
        return next(iter(self.input_shapes), None)

    @property
    def output_shape(self) -> Shape | None:
        """Shape of the first output; None where there is none, as in a call that raised."""
        return next(iter(self.output_shapes), None)

    @property
    def params(self) -> int:
        """Elements of the parameters of the module and everything beneath it, each tensor once."""
        return self.call.params

    @property
    def trainable_params(self) -> int:
        """The part of `params` that requires a gradient."""
        return self.call.trainable_params

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates of the call and everything it called; None where any part is unknown."""
        return self.cost.macs

    @property
    def settings(self) -> dict[str, Setting]:
        """Kernel size, stride, features, ...: the module's settings that are plain data."""
        return dict(self.call.settings)

    @property
    def source(self) -> str:
        """`net.py:24`, the line outside torch that made the call; empty where none is known."""
        span = self.call.source
        return f"{span.file}:{span.line}" if span is not None else ""

    def to_record(self) -> dict[str, object]:
        """The call as one flat row of plain data."""
        return {
            "path": self.path,
            "type": self.type,
            "call": self.call.call,
            "depth": self.depth,
            "leaf": self.leaf,
            "input_shape": self.input_shape,
            "output_shape": self.output_shape,
            "params": self.params,
            "own_params": self.call.own_params,
            "trainable_params": self.trainable_params,
            "macs": self.macs,
            "own_macs": self.cost.own_macs,
            "output_bytes": self.call.output_bytes,
            "activation_bytes": self.activation_bytes,
            "source": self.source,
        }

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.output_shape)) if self.output_shape is not None else "no output"
        macs = "unknown" if self.macs is None else format_exact(self.macs)
        name = f"{self.path or 'the model'}: {self.type}"
        return f"<{escape_name(name)} -> {shape}, {format_exact(self.params)} params, {macs} MACs>"
