"""One observed forward pass as a document. Saved with its operations, everything comes back from it."""

from typing import Annotated, ClassVar, Literal

from archscope.core.codec import ABSENT, Absent, Count, Digits, Document, Entry, NonEmpty, Settings, Shape
from archscope.core.cost import Uncounted
from archscope.core.documents.findings import FindingEntry
from archscope.core.trace import Edge, Mode, SourceSpan, StateTensor


class TensorEntry(Entry, frozen=True):
    """One tensor."""

    key: str
    """Where the tensor sits in the nested structure: "x", "0.hidden"; empty for a lone output."""
    shape: Shape
    """Sizes in PyTorch's order, (N, C, H, W) for images."""
    dtype: str
    """`float32`, ..."""
    value: int | Absent = ABSENT
    """Number of the value; with operations only."""


class TotalsEntry(Entry, frozen=True):
    """Of the whole model, each tensor once."""

    params: Count
    trainable_params: Count
    buffers: Count
    """Elements of the buffers."""
    macs: Count | None
    """Multiply-accumulates; null where anything is unknown."""
    flops: Count | None
    """2 x MACs."""
    activations: Count
    """Output elements of convolution and linear layers."""
    param_bytes: Count
    buffer_bytes: Count
    counted_macs: Count
    """The part of the MACs that is known."""
    activation_bytes: Count | Absent = ABSENT
    """Activation memory: bytes of the outputs of every leaf call, in-place ones included."""
    exact: dict[str, Digits] | Absent = ABSENT
    """Numbers above 2^53 once more, as strings."""


class ReceptiveEntry(Entry, frozen=True):
    """The receptive field in one spatial dimension."""

    kind: Literal["extent", "whole", "unknown"]
    """whole: all of the input; unknown: an operation on the way whose reading is not known."""
    size: int | None
    """Input positions that one output depends on, as if the image went on in the padding."""
    jump: int | float | None
    """Input positions from one output to the next."""
    start: int | None
    """First input position behind output 0."""
    centre: int | float | None
    """Middle of the input positions behind output 0."""


class LayerEntry(Entry, frozen=True):
    """One call of one module."""

    id: Count
    """Position in execution (pre-)order; the root is 0."""
    parent: Count | None
    """Id of the call that made this one; null for the root."""
    path: str
    """Module path; empty for the root."""
    type: str
    """Class name."""
    call: Count
    """How often the module had been called before in the pass."""
    depth: Count
    """Nesting of calls; the root is 0."""
    leaf: bool
    """True where the call made no call of another module."""
    inputs: tuple[TensorEntry, ...]
    outputs: tuple[TensorEntry, ...]
    params: Count
    """Elements of the parameters of the module and everything beneath it, each tensor once."""
    own_params: Count
    """Of the parameters registered on the module itself."""
    trainable_params: Count
    """The part of `params` that requires a gradient."""
    buffers: Count
    """Elements of the buffers."""
    macs: Count | None
    """Multiply-accumulates of the call and everything it called; null where any part is unknown."""
    own_macs: Count | None
    """Of the operations attributed to the call itself."""
    shared_with: tuple[str, ...]
    """Paths of other modules that hold one of this module's own parameters."""
    settings: Settings
    """Kernel size, stride, features, ..."""
    source: SourceSpan | None
    """The innermost place outside torch that made the call; null where none is known."""
    sources: tuple[SourceSpan, ...] | Absent = ABSENT
    """The whole way to the call, innermost first; with operations only."""
    first_op: Count | Absent = ABSENT
    """Index of the first operation inside the call; with operations only."""
    end_op: Count | Absent = ABSENT
    """One past the index of the last operation inside the call; with operations only."""
    activation_bytes: Count | Absent = ABSENT
    """Bytes of the outputs of the leaf calls in it; of a leaf, of its own."""
    receptive: tuple[ReceptiveEntry, ...] | Absent = ABSENT
    """With --receptive: the receptive field of the first output, one entry per spatial dimension of the image."""


class OpEntry(Entry, frozen=True):
    """One operation."""

    index: Count
    """Position in the order of execution."""
    name: str
    """Qualified name: aten.convolution."""
    overload: str
    """`default`, `Tensor`, ..."""
    layer: Count
    """Id of the innermost layer call it ran in."""
    inputs: tuple[TensorEntry, ...]
    outputs: tuple[TensorEntry, ...]
    arguments: Settings
    """Arguments that are not tensors."""
    macs: Count | None
    """Multiply-accumulates; null where they cannot be counted."""
    reason: str
    """Why there is no count; empty where there is one."""
    sources: tuple[SourceSpan, ...]
    """Where it was called, outside torch, innermost first."""


class FailureEntry(Entry, frozen=True):
    """Why and where the forward pass stopped."""

    layer: Count
    """Id of the innermost call whose forward raised."""
    path: str
    """That call's module path."""
    error: str
    """Class name of the exception."""
    message: str
    """Its original text."""
    source: SourceSpan | None
    """The innermost place outside torch."""
    expected: str | None
    got: str | None
    remedies: tuple[str, ...]
    sources: tuple[SourceSpan, ...] | Absent = ABSENT
    """The whole way there, innermost first."""


class TraceDocument(Document, frozen=True, tag="archscope.trace/1"):
    """One observed forward pass: archscope trace TARGET --format json."""

    noun: ClassVar = "saved trace"
    remedy: ClassVar = "make one with: archscope trace TARGET --ops -o trace.json"
    constraints: ClassVar = {"dependentRequired": {"ops": ["edges", "state"]}}

    archscope: str
    """Version of archscope."""
    torch: str
    """Version of torch."""
    target: str
    """What was asked for."""
    arguments: Settings
    """Constructor arguments asked for with the target."""
    mode: Mode
    """How the pass ran: without data, on fake tensors, or for real."""
    training: bool
    """The training flag."""
    forward_complete: bool
    """False where the forward pass raised; see failure."""
    counts_complete: bool
    """False where anything is uncounted."""
    inputs: tuple[TensorEntry, ...]
    outputs: tuple[TensorEntry, ...]
    totals: TotalsEntry
    layers: Annotated[tuple[LayerEntry, ...], NonEmpty]
    """One entry per call, in execution (pre-)order."""
    uncounted: tuple[Uncounted, ...]
    """Operations without a count, with the reason."""
    never_called: tuple[str, ...]
    """Modules whose parameters nothing touched."""
    failure: FailureEntry | None
    """Null where the pass finished."""
    notes: tuple[str, ...] = ()
    """What the reader must know: why the mode is not meta, what was unwrapped, ..."""
    findings: tuple[FindingEntry, ...] = ()
    """What a reviewer would say of the module: parts that are not registered, shared or never used, ..."""
    ops: tuple[OpEntry, ...] | Absent = ABSENT
    """Every operation, with --ops."""
    edges: tuple[Edge, ...] | Absent = ABSENT
    """The dataflow, with --ops."""
    state: tuple[StateTensor, ...] | Absent = ABSENT
    """Parameters and buffers, with --ops."""
