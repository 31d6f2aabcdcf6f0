"""The record of one observed forward pass. Plain frozen data: it can be saved, read and analysed without torch.

Values are numbered: every tensor that enters or leaves an operation is a `ValueRef`, and an in-place operation gives
its target a new number, so that edges follow the data and not the storage.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from shlex import quote
from typing import Literal, TypeAlias

from archscope.core.errors import DataError, UnknownLayerError
from archscope.core.finding import Finding
from archscope.core.layer_names import split_call, suggest_layers
from archscope.core.tensors import TensorSpec

Setting: TypeAlias = "bool | int | float | str | tuple[Setting, ...] | None"
"""A module setting or an operation argument that is plain data."""

Mode = Literal["meta", "fake", "real"]


@dataclass(frozen=True, slots=True)
class SourceSpan:
    """A place in a source file. Lines and columns count from 1; columns are None where Python does not tell."""

    file: str
    line: int
    end_line: int
    column: int | None
    end_column: int | None
    function: str


@dataclass(frozen=True, slots=True)
class ValueRef:
    """One tensor value, as an input or output of an operation or of a layer."""

    value: int
    """Number of the value, unique in the trace."""
    spec: TensorSpec
    """Its key in the structure (for an operation: the argument's name), shape and dtype."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The value's shape."""
        return self.spec.shape


@dataclass(frozen=True, slots=True)
class OpRecord:
    """One operation that the dispatcher ran."""

    index: int
    """Position in the order of execution, from 0."""
    name: str
    """Qualified name without the overload: `aten.convolution`."""
    overload: str
    """The overload: `default`, `Tensor`, ..."""
    layer: int
    """Id of the innermost layer call it ran in."""
    inputs: tuple[ValueRef, ...]
    """Tensor arguments; each spec's key is the schema's argument name (`weight`, `tensors.0`)."""
    outputs: tuple[ValueRef, ...]
    """Tensors it returned."""
    arguments: tuple[tuple[str, Setting], ...] = ()
    """Arguments that are not tensors, by the schema's names: stride, padding, groups, ..."""
    sources: tuple[SourceSpan, ...] = ()
    """Frames outside torch, innermost first, up to the traced model's forward."""

    def argument(self, name: str, default: Setting = None) -> Setting:
        """The argument of that name, or `default`."""
        return next((value for key, value in self.arguments if key == name), default)

    def operand(self, key: str) -> ValueRef | None:
        """The tensor input of that argument name, or None."""
        return next((ref for ref in self.inputs if ref.spec.key == key), None)


@dataclass(frozen=True, slots=True)
class LayerCall:
    """One call of one module."""

    id: int
    """Position in execution (pre-)order; the root is 0."""
    parent: int | None
    """Id of the call that made this one; None for the root."""
    path: str
    """Module path as `named_modules` gives it (`layer1.0.conv2`); empty for the root."""
    type: str
    """Class name."""
    call: int
    """How many times this module had been called before in the pass."""
    depth: int
    """Nesting of calls; the root is 0."""
    leaf: bool
    """True where the call made no call of another module."""
    inputs: tuple[ValueRef, ...]
    outputs: tuple[ValueRef, ...]
    own_params: int
    """Elements of the parameters registered on this module itself, each tensor once."""
    params: int
    """Elements of the parameters of the module and everything beneath it, each tensor once."""
    trainable_params: int
    """The part of `params` that requires a gradient."""
    buffers: int
    """Elements of the buffers of the module and everything beneath it."""
    shared_with: tuple[str, ...] = ()
    """Paths of other modules that hold one of this module's own parameters."""
    settings: tuple[tuple[str, Setting], ...] = ()
    """Kernel size, stride, features, ...: the constructor settings of torch's modules that are plain data."""
    sources: tuple[SourceSpan, ...] = ()
    """Where the call was made, outside torch, innermost first."""
    first_op: int = 0
    """Index of the first operation that ran inside this call."""
    end_op: int = 0
    """One past the index of the last operation that ran inside this call."""

    def setting(self, name: str, default: Setting = None) -> Setting:
        """The setting of that name, or `default`."""
        return next((value for key, value in self.settings if key == name), default)

    @property
    def source(self) -> SourceSpan | None:
        """The innermost frame outside torch that made the call."""
        return self.sources[0] if self.sources else None

    @property
    def output_bytes(self) -> int:
        """Bytes of the tensors that the call returned, a tensor of the nested structure as often as it stands there."""
        return sum(ref.spec.size_bytes for ref in self.outputs)


@dataclass(frozen=True, slots=True)
class Edge:
    """Dataflow: one operation reads what another made."""

    producer: int | None
    """Index of the operation that made the value; None for a model input, a parameter or a constant."""
    consumer: int
    """Index of the operation that reads it."""
    value: int
    """Number of the value."""


@dataclass(frozen=True, slots=True)
class StateTensor:
    """A parameter or buffer of the traced module."""

    path: str
    """First qualified name that holds it (`features.0.weight`)."""
    value: int
    """Number of the value that stands for it in the operations' inputs."""
    shape: tuple[int, ...]
    dtype: str
    kind: Literal["parameter", "buffer"]
    trainable: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """Why and where the forward pass stopped."""

    layer: int
    """Id of the innermost call whose forward raised."""
    path: str
    """That call's module path."""
    error: str
    """Class name of the exception."""
    message: str
    """Its original text."""
    sources: tuple[SourceSpan, ...] = ()
    """Frames outside torch, innermost first."""
    expected: str | None = None
    got: str | None = None
    remedies: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """What the exception says, on one line; its name too where that alone says little: `KeyError: 'ids'`."""
        message = " ".join(self.message.split())
        return message if message and self.error != "KeyError" else f"{self.error}: {message}".rstrip(": ")


@dataclass(frozen=True, slots=True)
class StateTotals:
    """Parameters and buffers of the whole module, each tensor once."""

    params: int
    trainable_params: int
    buffers: int
    """Elements of the buffers."""
    param_bytes: int
    buffer_bytes: int


@dataclass(frozen=True)  # without slots: the look-ups below are computed once, when first asked for
class Trace:
    """One observed forward pass. `trace["layer1.0.conv2"]` is a module's first call, `trace["relu#2"]` its second."""

    archscope: str
    """Version of archscope that made it."""
    torch: str
    """Version of torch that ran it."""
    target: str
    """What was asked for: a name as typed, or the class of a module given from Python."""
    arguments: tuple[tuple[str, Setting], ...]
    """Constructor arguments asked for with the target."""
    mode: Mode
    training: bool
    inputs: tuple[ValueRef, ...]
    outputs: tuple[ValueRef, ...]
    layers: tuple[LayerCall, ...]
    ops: tuple[OpRecord, ...]
    edges: tuple[Edge, ...]
    state: tuple[StateTensor, ...]
    totals: StateTotals
    never_called: tuple[str, ...] = ()
    """Paths of modules whose own parameters no operation touched."""
    notes: tuple[str, ...] = ()
    """What the reader must know: why the mode is not meta, what was unwrapped, ..."""
    failure: Failure | None = None
    has_ops: bool = True
    """False where it was saved without its operations and read again."""
    findings: tuple[Finding, ...] = ()
    """What a reviewer would say of the module: parts that are not registered, shared or never used, ..."""

    @property
    def root(self) -> LayerCall:
        """The call of the traced module itself."""
        return self.layers[0]

    def check_ops(self) -> None:
        """Raise DataError where the trace was saved without its operations, or they were taken from it."""
        if not self.has_ops or any(layer.end_op > len(self.ops) for layer in self.layers[:1]):
            words = "".join(f" --arg {quote(f'{name}={_write_setting(value)}')}" for name, value in self.arguments)
            raise DataError(
                f"the trace of {self.target!r} was saved without its operations",
                f"save it with them: archscope trace {quote(self.target)}{words} --ops -o trace.json; "
                "in Python, summary.save('trace.json') keeps them",
            )

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """By layer id: the ids of the calls it made, in execution order."""
        found: list[list[int]] = [[] for _ in self.layers]
        for layer in self.layers:
            if layer.parent is not None:
                found[layer.parent].append(layer.id)
        return tuple(map(tuple, found))

    @property
    def activation_bytes(self) -> int:
        """Activation memory: bytes of the outputs of every leaf call."""
        return next(iter(self.layer_activation_bytes), 0)

    @cached_property
    def layer_activation_bytes(self) -> tuple[int, ...]:
        """By layer id: bytes of the outputs of the leaf calls in it, itself included.

        Each call counts for itself: in-place layers, which return what they were given, and modules called again.
        """
        total = [layer.output_bytes if layer.leaf else 0 for layer in self.layers]
        for layer in reversed(self.layers):
            if layer.parent is not None:
                total[layer.parent] += total[layer.id]
        return tuple(total)

    @cached_property
    def _calls(self) -> dict[tuple[str, int], LayerCall]:
        return {(layer.path, layer.call): layer for layer in self.layers}

    def __getitem__(self, name: str) -> LayerCall:
        """The call named by its module path; `PATH#N` is its N-th call, the empty path the root.

        Raises UnknownLayerError, which is a KeyError, with the nearest paths.
        """
        if not isinstance(name, str):
            raise TypeError(f"layers are found by path, a str, not {type(name).__name__}; by number: layers[0]")
        key = split_call(name)
        if key not in self._calls:
            calls = sum(layer.path == key[0] for layer in self.layers)
            if calls:
                raise UnknownLayerError("layer", name, (), f"{key[0]} is called {calls} time{'s' * (calls != 1)}")
            raise UnknownLayerError("layer", name, (), near=suggest_layers(self.layers, name))
        return self._calls[key]

    def __contains__(self, name: object) -> bool:
        try:
            return isinstance(name, str) and bool(self[name])
        except UnknownLayerError:
            return False

    def list_children(self, layer: LayerCall) -> tuple[LayerCall, ...]:
        """The calls that `layer` made itself, in execution order."""
        return tuple(self.layers[child] for child in self.children[layer.id])

    def list_ops(self, layer: LayerCall) -> Sequence[OpRecord]:
        """Every operation that ran inside the call, those of the calls it made included."""
        return self.ops[layer.first_op : layer.end_op]

    def list_own_ops(self, layer: LayerCall) -> tuple[OpRecord, ...]:
        """The operations that ran in the call itself, and in none that it made."""
        return tuple(op for op in self.list_ops(layer) if op.layer == layer.id)


def _write_setting(value: Setting) -> str:
    """As `--arg` reads it."""
    return ",".join(map(str, value)) + "," * (len(value) < 2) if isinstance(value, tuple) else str(value)


def name_relative(path: str, base: str) -> str:
    """`layer1.0` in `layer1` is `0`; a path elsewhere stays whole."""
    if not base:
        return path
    return path[len(base) + 1 :] if path.startswith(base + ".") else path
