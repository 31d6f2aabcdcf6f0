"""A trace with its costs as the document `archscope.trace/1`, and back.

A document with its operations restores everything; without them it restores what tables of layers and budgets need.
"""

from collections.abc import Iterable, Sequence

from archscope.core.codec import ABSENT, Absent, Settings, encode, fill
from archscope.core.cost import Cost, CostReport, LayerCost
from archscope.core.documents.findings import build_finding, read_finding
from archscope.core.documents.trace import (
    FailureEntry,
    LayerEntry,
    OpEntry,
    ReceptiveEntry,
    TensorEntry,
    TotalsEntry,
    TraceDocument,
)
from archscope.core.tensors import TensorSpec
from archscope.core.trace import Failure, LayerCall, OpRecord, SourceSpan, StateTotals, Trace, ValueRef
from archscope.core.trace_checks import check_trace

LARGEST_EXACT = 2**53
"""Above this, readers that hold numbers as doubles lose the last digits."""

Fields = Sequence[tuple[ReceptiveEntry, ...]]


def build_trace_document(
    trace: Trace, costs: CostReport, *, ops: bool = False, receptive: Fields | None = None
) -> TraceDocument:
    """The document of `trace`; with `ops`, also every operation, the dataflow and the parameters and buffers.

    `receptive` are the receptive fields by layer id, where they are asked for.
    """
    return fill(
        TraceDocument,
        trace,
        arguments=Settings(trace.arguments),
        forward_complete=trace.failure is None,
        counts_complete=costs.macs is not None,
        inputs=build_tensors(trace.inputs, numbered=ops),
        outputs=build_tensors(trace.outputs, numbered=ops),
        totals=_build_totals(trace, costs),
        layers=tuple(
            _build_layer(
                layer,
                costs.layers[layer.id],
                activation_bytes=trace.layer_activation_bytes[layer.id],
                receptive=receptive[layer.id] if receptive else ABSENT,
                ops=ops,
            )
            for layer in trace.layers
        ),
        uncounted=costs.uncounted,
        failure=None
        if trace.failure is None
        else fill(FailureEntry, trace.failure, source=next(iter(trace.failure.sources), None)),
        findings=tuple(map(build_finding, trace.findings)),
        ops=tuple(_build_op(op, cost) for op, cost in zip(trace.ops, costs.ops, strict=True)) if ops else ABSENT,
        edges=trace.edges if ops else ABSENT,
        state=trace.state if ops else ABSENT,
    )


def read_trace(document: TraceDocument, name: str = "") -> Trace:
    """The trace that `document` was made from, a file of that name. Raises DataError where its parts contradict.

    Without operations the trace has no `ops`, `edges`, `state` and value numbers (all 0), and only the innermost source
    of each layer.
    """
    check_trace(document, name)
    return fill(
        Trace,
        document,
        arguments=document.arguments.pairs,
        inputs=_read_tensors(document.inputs),
        outputs=_read_tensors(document.outputs),
        layers=tuple(map(_read_layer, document.layers)),
        ops=tuple(_read_op(op) for op in document.ops or ()),
        edges=document.edges or (),
        state=document.state or (),
        totals=fill(StateTotals, document.totals),
        findings=tuple(map(read_finding, document.findings)),
        failure=_read_failure(document),
        has_ops=document.ops is not ABSENT,
    )


def read_costs(document: TraceDocument) -> CostReport:
    """The costs as saved. Without operations in the document, `CostReport.ops` is empty.

    The MACs are known in full only where nothing in the document says otherwise.
    """
    known = document.counts_complete and not document.uncounted and document.layers[0].macs is not None
    return fill(
        CostReport,
        document.totals,
        macs=document.totals.macs if known else None,
        ops=tuple(fill(Cost, op) for op in document.ops or ()),
        layers=tuple(fill(LayerCost, layer) for layer in document.layers),
        uncounted=document.uncounted,
    )


def _read_failure(document: TraceDocument) -> Failure | None:
    failure = document.failure
    if failure is not None:
        return fill(Failure, failure, sources=_read_sources(failure))
    if document.forward_complete:
        return None
    return Failure(0, "", "Error", "the saved trace says that forward did not finish, and not why")


def _build_totals(trace: Trace, costs: CostReport) -> TotalsEntry:
    totals = fill(
        TotalsEntry,
        trace.totals,
        macs=costs.macs,
        flops=None if costs.macs is None else 2 * costs.macs,
        activations=costs.activations,
        counted_macs=costs.counted_macs,
        activation_bytes=trace.activation_bytes,
    )
    exact = {name: str(number) for name, number in encode(totals).items() if (number or 0) > LARGEST_EXACT}
    return fill(TotalsEntry, totals, exact=exact or ABSENT)


def _build_layer(
    layer: LayerCall,
    cost: LayerCost,
    *,
    activation_bytes: int,
    receptive: tuple[ReceptiveEntry, ...] | Absent,
    ops: bool,
) -> LayerEntry:
    hidden = {} if ops else dict.fromkeys(("sources", "first_op", "end_op"), ABSENT)
    return fill(
        LayerEntry,
        layer,
        inputs=build_tensors(layer.inputs, numbered=ops),
        outputs=build_tensors(layer.outputs, numbered=ops),
        macs=cost.macs,
        own_macs=cost.own_macs,
        settings=Settings(layer.settings),
        activation_bytes=activation_bytes,
        receptive=receptive,
        **hidden,
    )


def _build_op(op: OpRecord, cost: Cost) -> OpEntry:
    return fill(
        OpEntry,
        op,
        inputs=build_tensors(op.inputs, numbered=True),
        outputs=build_tensors(op.outputs, numbered=True),
        arguments=Settings(op.arguments),
        macs=cost.macs,
        reason=cost.reason,
    )


def build_tensors(refs: Iterable[ValueRef], *, numbered: bool = False) -> tuple[TensorEntry, ...]:
    """The tensors of a document; `numbered` where it also has the operations that read and make them."""
    return tuple(
        TensorEntry(ref.spec.key, ref.spec.shape, ref.spec.dtype, ref.value if numbered else ABSENT) for ref in refs
    )


def _read_layer(entry: LayerEntry) -> LayerCall:
    return fill(
        LayerCall,
        entry,
        inputs=_read_tensors(entry.inputs),
        outputs=_read_tensors(entry.outputs),
        settings=entry.settings.pairs,
        sources=_read_sources(entry),
    )


def _read_op(entry: OpEntry) -> OpRecord:
    return fill(
        OpRecord,
        entry,
        inputs=_read_tensors(entry.inputs),
        outputs=_read_tensors(entry.outputs),
        arguments=entry.arguments.pairs,
    )


def _read_tensors(entries: Iterable[TensorEntry]) -> tuple[ValueRef, ...]:
    return tuple(ValueRef(entry.value or 0, TensorSpec(entry.key, entry.shape, entry.dtype)) for entry in entries)


def _read_sources(entry: LayerEntry | FailureEntry) -> tuple[SourceSpan, ...]:
    if entry.sources is not ABSENT:
        return entry.sources
    return () if entry.source is None else (entry.source,)
