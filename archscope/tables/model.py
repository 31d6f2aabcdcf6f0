"""One model in the form of the lecture's AlexNet table.

`[55x55x96] CONV1: 96 11x11 filters at stride 4, pad 0`: every word is made from what was traced. A chain is printed
layer by layer, numbered as in the lecture (convolutions and fully connected layers share the count, pools and norms
have their own); where the dataflow branches, a block is one row, by its module path.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod

from archscope.analysis.outline import Outline, OutlineItem, outline_trace
from archscope.analysis.receptive import describe_reach, measure_values
from archscope.core.cost import CostReport
from archscope.core.table import Cell, Column, Row, Table
from archscope.core.tensors import TensorSpec
from archscope.core.trace import LayerCall, OpRecord, StateTensor, Trace, ValueRef
from archscope.core.units import format_bytes, format_exact, format_si
from archscope.tables import receptive
from archscope.tables.layer_text import arrange_shape
from archscope.tables.lecture_rows import LectureRow, describe_layer, describe_op
from archscope.tables.totals import (
    describe_activations,
    describe_exceptions,
    describe_pass,
    describe_totals,
    list_names,
)


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


COLUMNS = (
    Column("shape", "output", align="right"),
    Column("label", "layer"),
    Column("params", "parameters", align="right", kind="number"),
    Column("macs", "MACs", align="right", kind="number"),
    Column("bytes", "memory", align="right", kind="number", optional=True),
)

CLASS_SCORES = " (class scores)"
UNKNOWN = "unknown"
MEMORY_NOTE = "memory: of the row's output; in the total, of all layers, shown or not"
FAILED = "failed"
"""In place of the output of a layer that raised."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One row before it is numbered and worded."""

    unit: LectureRow
    outputs: tuple[TensorSpec, ...]
    shape: str
    params: int
    macs: int | None
    value: int | None = None
    """Number of the output's value."""


def build_model_table(trace: Trace, costs: CostReport, title: str = "", *, receptive_fields: bool = False) -> Table:
    """The table of `trace`, which needs its operations: raises DataError where they were not saved.

    With `receptive_fields`, each row also has its receptive field, its jump and where its first output is centred.
    """
    trace.check_ops()
    outline = outline_trace(trace) if trace.layers else Outline((), branches=False)
    ledger = ParameterLedger(trace)
    lines = [line for item in outline.items if (line := _read_item(trace, costs, ledger, item))]
    labels = _number_lines(trace, lines, chain=not outline.branches)
    rows = [*_build_inputs(trace), *(_build_row(line, label) for line, label in zip(lines, labels, strict=True))]
    rows += _build_leftover(ledger)
    rows.append(_build_total(trace, costs))
    notes = (
        describe_totals(trace, costs),
        describe_activations(trace, costs),
        MEMORY_NOTE,
        *describe_exceptions(trace, costs),
    )
    if receptive_fields:
        rows, notes = _add_fields(trace, lines, rows), (*notes, receptive.NOTE)
    return Table(
        title=title or trace.target,
        subtitle=_describe_conditions(trace),
        columns=(*COLUMNS, *receptive.COLUMNS) if receptive_fields else COLUMNS,
        rows=tuple(rows),
        notes=notes,
    )


def _add_fields(trace: Trace, lines: Sequence[_Line], rows: Sequence[Row]) -> list[Row]:
    """The rows with their receptive fields; rows that are no layer have none."""
    states = measure_values(trace)
    reaches = [
        [describe_reach(reach) for reach in states.get(-1 if line.value is None else line.value, ())] for line in lines
    ]
    cells = [receptive.EMPTY] * len(trace.inputs) + [receptive.build_cells(reach) for reach in reaches]
    cells += [receptive.EMPTY] * (len(rows) - len(cells))
    return [Row((*row.cells, *more), row.kind, row.depth) for row, more in zip(rows, cells, strict=True)]


def _read_item(trace: Trace, costs: CostReport, ledger: ParameterLedger, item: OutlineItem) -> _Line | None:
    layer = trace.layers[item.layer]
    if item.op is not None:
        op, cost = trace.ops[item.op], costs.ops[item.op]
        unit = describe_op(op, costly=cost.macs != 0)
        if unit is None:
            return None
        specs = tuple(ref.spec for ref in op.outputs[:1])
        shape = arrange_shape(specs[0].shape, channels_first=unit.kind in ("conv", "pool")) if specs else ""
        return _Line(unit, specs, shape, ledger.claim_op(op), cost.macs, op.outputs[0].value if op.outputs else None)
    unit = LectureRow("other", layer.path, layer.type) if item.block else describe_layer(trace, layer)
    macs = costs.layers[layer.id].macs
    if unit is None and macs == 0:
        return None
    unit = unit or LectureRow("other", layer.path, layer.type)
    specs = tuple(ref.spec for ref in layer.outputs)
    value = layer.outputs[0].value if layer.outputs else None
    return _Line(unit, specs, _arrange_outputs(trace, layer), ledger.claim_layer(layer), macs, value)


def _arrange_outputs(trace: Trace, layer: LayerCall) -> str:
    """The layer's first output as HxWxC, in the layout of the last layer within it that made this shape."""
    if not layer.outputs:
        return FAILED if trace.failure else ""
    shape = layer.outputs[0].shape
    maker = next(
        (
            inner
            for inner in reversed(trace.layers[layer.id :])
            if inner.first_op >= layer.first_op and inner.end_op <= layer.end_op and inner.settings
            if inner.leaf and inner.outputs and inner.outputs[0].shape == shape
        ),
        layer,
    )
    more = f" and {len(layer.outputs) - 1} more" if len(layer.outputs) > 1 else ""
    return arrange_shape(shape, channels_first=_is_channels_first(maker)) + more


def _is_channels_first(layer: LayerCall) -> bool:
    """Whether a layer's channels are the second dimension; a linear layer's and a layer norm's are the last."""
    settings = dict(layer.settings)
    if "out_features" in settings or "normalized_shape" in settings or "embedding_dim" in settings:
        return False
    return len(layer.outputs[0].shape) > 3 or bool(settings.keys() & {"kernel_size", "num_features", "output_size"})


def _is_read_channels_first(trace: Trace, ref: ValueRef) -> bool:
    """What the first layer that reads an input takes for its channels."""
    reader = next((call for call in trace.layers if call.leaf and ref.value in {r.value for r in call.inputs}), None)
    return len(ref.shape) > 3 or (reader is not None and reader.setting("kernel_size") is not None)


def _number_lines(trace: Trace, lines: Sequence[_Line], *, chain: bool) -> list[str]:
    """The labels: `CONV1: ...`. Beside blocks, whose layers are not shown, a lone kind has no number."""
    last = len(lines) - 1
    totals = Counter(line.unit.heading for line in lines)
    counts: Counter[str] = Counter()
    labels = []
    for index, line in enumerate(lines):
        unit = line.unit
        if index == last and unit.kind == "fc" and _is_class_scores(trace, line):
            unit = replace(unit, detail=unit.detail + CLASS_SCORES)
        if unit.kind == "other":
            labels.append(f"{unit.heading}: {unit.detail}".removeprefix(": "))
            continue
        counter = "weights" if chain and unit.kind in ("conv", "fc") else unit.heading
        counts[counter] += 1
        number = counts[counter] if chain or totals[unit.heading] > 1 else ""
        labels.append(f"{unit.heading}{number}: {unit.detail}")
    return labels


def _is_class_scores(trace: Trace, line: _Line) -> bool:
    """Whether the line makes the model's one output, a row of scores for each image."""
    shapes = [ref.shape for ref in trace.outputs]
    return len(shapes) == 1 and len(shapes[0]) == 2 and [spec.shape for spec in line.outputs] == shapes


def _build_inputs(trace: Trace) -> list[Row]:
    rows = []
    for ref in trace.inputs:
        name = "INPUT" if len(trace.inputs) == 1 else f"INPUT {ref.spec.key}".rstrip()
        shape = arrange_shape(ref.shape, channels_first=_is_read_channels_first(trace, ref))
        rows.append(_build_cells(shape, name, 0, 0, ref.spec.size_bytes))
    return rows


def _build_row(line: _Line, label: str) -> Row:
    return _build_cells(line.shape, label, line.params, line.macs, sum(spec.size_bytes for spec in line.outputs))


def _build_leftover(ledger: ParameterLedger) -> list[Row]:
    """The parameters that no row above holds: class tokens, position embeddings, what was never called."""
    count, paths = ledger.count_unclaimed()
    return [_build_cells("", f"other parameters: {list_names(paths)}", count, 0, 0)] if count else []


def _build_cells(shape: str, label: str, params: int, macs: int | None, size_bytes: int) -> Row:
    return Row(
        (
            Cell(shape, mark="failed") if shape == FAILED else Cell(f"[{shape}]", shape) if shape else Cell(""),
            Cell(label),
            Cell(format_exact(params), params, short=format_si(params), mark="" if params else "muted"),
            _build_macs(macs),
            Cell(format_bytes(size_bytes), size_bytes, mark="" if size_bytes else "muted"),
        )
    )


def _build_macs(macs: int | None) -> Cell:
    if macs is None:
        return Cell(UNKNOWN)
    return Cell(format_exact(macs), macs, short=format_si(macs), mark="" if macs else "muted")


def _build_total(trace: Trace, costs: CostReport) -> Row:
    params, size_bytes = trace.totals.params, trace.activation_bytes
    return Row(
        (
            Cell(""),
            Cell("total"),
            Cell(format_exact(params), params, short=format_si(params)),
            _build_macs(costs.macs),
            Cell(format_bytes(size_bytes), size_bytes),
        ),
        kind="total",
    )


def _describe_conditions(trace: Trace) -> str:
    """`batch 1 · eval · float32`."""
    spec = trace.inputs[0].spec if trace.inputs else None
    batch = f"batch {spec.shape[0]}" if spec and spec.shape else ""
    return " · ".join(word for word in (batch, describe_pass(trace), spec.dtype if spec else "") if word)
