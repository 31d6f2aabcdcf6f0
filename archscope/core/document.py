"""A Trace and its costs go in; the JSON document of schema `archscope.trace/1` comes out, and back.

The contract is additive within a major version: readers ignore keys they do not know. A document saved with its
operations restores everything; without them it restores what tables of layers and budgets need.
"""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, TypeAlias

from archscope.core.cost import Cost, CostReport, LayerCost, Uncounted
from archscope.core.saved import DocumentReader, read_trace
from archscope.core.tensors import TensorSpec
from archscope.core.trace import Edge, Failure, LayerCall, OpRecord, Setting, SourceSpan, StateTensor, Trace, ValueRef

SCHEMA = "archscope.trace/1"

LARGEST_EXACT = 2**53
"""Above this, readers that hold numbers as doubles lose the last digits."""

Document: TypeAlias = dict[str, Any]
"""A JSON object."""


def trace_to_document(trace: Trace, costs: CostReport, *, ops: bool = False) -> Document:
    """The document of `trace`; with `ops`, also every operation, the dataflow and the parameters and buffers."""
    document: Document = {
        "schema": SCHEMA,
        "archscope": trace.archscope,
        "torch": trace.torch,
        "target": trace.target,
        "arguments": _settings(trace.arguments),
        "mode": trace.mode,
        "training": trace.training,
        "forward_complete": trace.failure is None,
        "counts_complete": costs.macs is not None,
        "inputs": [_value(ref, numbered=ops) for ref in trace.inputs],
        "outputs": [_value(ref, numbered=ops) for ref in trace.outputs],
        "totals": _totals(trace, costs),
        "layers": [_layer(layer, cost, ops=ops) for layer, cost in zip(trace.layers, costs.layers, strict=True)],
        "uncounted": [
            {"op": kind.op, "layers": list(kind.layers), "calls": kind.calls, "reason": kind.reason}
            for kind in costs.uncounted
        ],
        "never_called": list(trace.never_called),
        "failure": _failure(trace.failure) if trace.failure else None,
        "notes": list(trace.notes),
    }
    if ops:
        document["ops"] = [_op(op, cost) for op, cost in zip(trace.ops, costs.ops, strict=True)]
        document["edges"] = [_edge(edge) for edge in trace.edges]
        document["state"] = [_state(tensor) for tensor in trace.state]
    return document


def trace_from_document(document: Mapping[str, Any], *, needs_ops: bool = True) -> Trace:
    """The trace that `document` was made from.

    Raises DataError where it is no such document, is malformed, or was saved without its operations and
    `needs_ops` is true. Without operations the trace has no `ops`, `edges`, `state` and value numbers (all 0), and
    only the innermost source of each layer.
    """
    reader = DocumentReader(document)
    reader.check_schema(SCHEMA)
    if needs_ops:
        reader.check_ops()
    return read_trace(reader)


def costs_from_document(document: Mapping[str, Any]) -> CostReport:
    """The costs as saved. Without operations in the document, `CostReport.ops` is empty."""
    reader = DocumentReader(document)
    reader.check_schema(SCHEMA)
    totals = reader.section("totals")
    return CostReport(
        ops=tuple(Cost(op.optional_int("macs"), op.text("reason")) for op in reader.sections("ops", required=False)),
        layers=tuple(
            LayerCost(layer.optional_int("macs"), layer.optional_int("own_macs")) for layer in reader.sections("layers")
        ),
        macs=totals.optional_int("macs"),
        counted_macs=totals.integer("counted_macs"),
        activations=totals.integer("activations"),
        uncounted=tuple(
            Uncounted(kind.text("op"), kind.integers("layers"), kind.integer("calls"), kind.text("reason"))
            for kind in reader.sections("uncounted")
        ),
    )


def has_ops(document: Mapping[str, Any]) -> bool:
    """Whether the document was saved with its operations."""
    return "ops" in document and "edges" in document and "state" in document


def _totals(trace: Trace, costs: CostReport) -> Document:
    totals: Document = {
        "params": trace.totals.params,
        "trainable_params": trace.totals.trainable_params,
        "buffers": trace.totals.buffers,
        "macs": costs.macs,
        "flops": None if costs.macs is None else 2 * costs.macs,
        "activations": costs.activations,
        "param_bytes": trace.totals.param_bytes,
        "buffer_bytes": trace.totals.buffer_bytes,
        "counted_macs": costs.counted_macs,
    }
    exact = {name: str(number) for name, number in totals.items() if number is not None and number > LARGEST_EXACT}
    return totals | {"exact": exact} if exact else totals


def _layer(layer: LayerCall, cost: LayerCost, *, ops: bool) -> Document:
    entry: Document = {
        "id": layer.id,
        "parent": layer.parent,
        "path": layer.path,
        "type": layer.type,
        "call": layer.call,
        "depth": layer.depth,
        "leaf": layer.leaf,
        "inputs": [_value(ref, numbered=ops) for ref in layer.inputs],
        "outputs": [_value(ref, numbered=ops) for ref in layer.outputs],
        "params": layer.params,
        "own_params": layer.own_params,
        "trainable_params": layer.trainable_params,
        "buffers": layer.buffers,
        "macs": cost.macs,
        "own_macs": cost.own_macs,
        "shared_with": list(layer.shared_with),
        "settings": _settings(layer.settings),
        "source": _source(layer.source),
    }
    if ops:
        entry |= {
            "sources": _sources(layer.sources),
            "first_op": layer.first_op,
            "end_op": layer.end_op,
        }
    return entry


def _op(op: OpRecord, cost: Cost) -> Document:
    return {
        "index": op.index,
        "name": op.name,
        "overload": op.overload,
        "layer": op.layer,
        "inputs": [_value(ref, numbered=True) for ref in op.inputs],
        "outputs": [_value(ref, numbered=True) for ref in op.outputs],
        "arguments": _settings(op.arguments),
        "macs": cost.macs,
        "reason": cost.reason,
        "sources": _sources(op.sources),
    }


def _edge(edge: Edge) -> Document:
    return {"producer": edge.producer, "consumer": edge.consumer, "value": edge.value}


def _state(tensor: StateTensor) -> Document:
    return {
        "path": tensor.path,
        "value": tensor.value,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "kind": tensor.kind,
        "trainable": tensor.trainable,
    }


def _failure(failure: Failure) -> Document:
    return {
        "layer": failure.layer,
        "path": failure.path,
        "error": failure.error,
        "message": failure.message,
        "source": _source(failure.sources[0] if failure.sources else None),
        "expected": failure.expected,
        "got": failure.got,
        "remedies": list(failure.remedies),
        "sources": _sources(failure.sources),
    }


def _value(ref: ValueRef, *, numbered: bool) -> Document:
    entry = _spec(ref.spec)
    return entry | {"value": ref.value} if numbered else entry


def _spec(spec: TensorSpec) -> Document:
    return {"key": spec.key, "shape": list(spec.shape), "dtype": spec.dtype}


def _source(span: SourceSpan | None) -> Document | None:
    if span is None:
        return None
    return {
        "file": span.file,
        "line": span.line,
        "end_line": span.end_line,
        "column": span.column,
        "end_column": span.end_column,
        "function": span.function,
    }


def _sources(spans: Iterable[SourceSpan]) -> list[Document | None]:
    return [_source(span) for span in spans]


def _settings(settings: Iterable[tuple[str, Setting]]) -> Document:
    return {name: _setting(value) for name, value in settings}


def _setting(value: Setting) -> Any:
    if isinstance(value, tuple):
        return [_setting(item) for item in value]
    if isinstance(value, float) and not isfinite(value):
        return {"float": str(value)}
    return value
