"""The table of the layer calls of a trace: a tree, or a flat selection of it.

Rows are calls, not modules: a module called twice has two rows, and its parameters stand in the first. Numbers of a
call include everything it called. Runs of identical siblings are one row, with the numbers of each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archscope.analysis.outline import DataFlow, Run, fold_siblings, sign_subtrees
from archscope.analysis.receptive import measure_fields
from archscope.core.cost import Cost, CostReport
from archscope.core.table import Cell, Column, Mark, Row, Table
from archscope.core.trace import LayerCall, OpRecord, Trace, ValueRef, name_relative
from archscope.core.units import format_bytes, format_exact, format_share, format_si
from archscope.tables import receptive
from archscope.tables.layer_columns import MEMORY_NOTE, choose_columns
from archscope.tables.layer_filter import SORT_KEYS, LayerFilter, select_layers
from archscope.tables.layer_text import count_spatial, describe_type, format_shapes, format_size
from archscope.tables.totals import (
    describe_activations,
    describe_exceptions,
    describe_inputs,
    describe_pass,
    describe_totals,
    list_names,
)

__all__ = ["SORT_KEYS", "LayerTableOptions", "build_layer_table"]

EMPTY = Cell("")
UNKNOWN = "unknown"
"""What a count that does not exist says."""


@dataclass(frozen=True, slots=True)
class LayerTableOptions:
    """What to show of a trace."""

    title: str = ""
    """The trace's target where empty."""
    depth: int | None = None
    """Deepest level of calls; None for all. The root is 0."""
    fold: bool = True
    """Whether runs of identical siblings become one row."""
    ops: bool = False
    """Whether operations are shown beneath the layers they ran in, where they are more than the layer itself."""
    receptive: bool = False
    """Whether each layer has its receptive field, jump and centre; identical layers then stand apart."""
    selection: LayerFilter | None = None
    """A flat, filtered, sorted list in place of the tree."""
    columns: tuple[str, ...] = ()
    """Keys of the columns, the layer first, as `check_columns` gives them; empty for those that suit the order."""


def build_layer_table(trace: Trace, costs: CostReport, options: LayerTableOptions) -> Table:
    """The table of `trace`. Raises UnknownNameError where the selection names what does not exist."""
    sort = options.selection.sort if options.selection else None
    columns = choose_columns(options.columns, sort, receptive_fields=options.receptive)
    builder = _RowBuilder(trace, costs, columns)
    if options.selection is not None:
        selected, remark = select_layers(trace, costs, options.selection)
        rows = tuple(builder.build_flat(layer, inclusive=inclusive) for layer, inclusive in selected)
        notes = [remark]
    else:
        tree = _TreeBuilder(builder, options)
        rows = tuple(tree.build()) if trace.layers else ()
        notes = ["xN each: N identical layers in a row, with the numbers of one of them"] if tree.folded else []
    notes += [receptive.NOTE] if options.receptive else []
    notes += [MEMORY_NOTE] if any(column.key == "memory" and not column.hidden for column in columns) else []
    return Table(
        title=options.title or trace.target,
        subtitle=f"{describe_inputs(trace)} · {describe_pass(trace)} · {trace.mode}",
        columns=columns,
        rows=rows,
        notes=(
            describe_totals(trace, costs),
            describe_activations(trace, costs),
            *notes,
            *_describe_sharing(trace),
            *describe_exceptions(trace, costs),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What is counted of one row."""

    params: int
    macs: int | None
    memory_bytes: int


class _RowBuilder:
    """Rows of calls and operations, with the cells of the chosen columns."""

    def __init__(self, trace: Trace, costs: CostReport, columns: Sequence[Column]) -> None:
        self.trace = trace
        self.costs = costs
        self.keys = [column.key for column in columns]
        self.fields = measure_fields(trace) if receptive.COLUMNS[0].key in self.keys else None
        self.failed = trace.failure.layer if trace.failure else None

    def build_run(self, run: Run, depth: int) -> Row:
        """The row of identical siblings, or of a lone call, in a tree."""
        layer = self.trace.layers[run.calls[0]]
        count = len(run.calls)
        tail = (f"  x{count} each" if count > 1 else "") + _name_call(layer)
        label = run.label + tail
        path = self._place(layer, run.label) + (f" x{count}" if count > 1 else "") + _name_call(layer)
        if layer.parent is None:
            label, path = _name_root(self.trace), ""
        cells = self._build_layer(layer, Cell(label, path), self._count(layer))
        return self._build_row(cells | {"count": Cell(str(count), count)}, depth)

    def build_flat(self, layer: LayerCall, *, inclusive: bool) -> Row:
        """The row of a call in a list, by its full path; without `inclusive`, with what it holds itself."""
        path = (layer.path or _name_root(self.trace)) + _name_call(layer)
        if inclusive:
            return self._build_row(self._build_layer(layer, Cell(path), self._count(layer)), None)
        own = _Numbers(layer.own_params, self.costs.layers[layer.id].own_macs, 0)
        return self._build_row(self._build_layer(layer, Cell(f"{path} (own)"), own), None)

    def build_op(self, op: OpRecord, depth: int) -> Row:
        """The row of an operation."""
        short = op.name.rpartition(".")[2]
        path = self.trace.layers[op.layer].path
        cost = self.costs.ops[op.index] if op.index < len(self.costs.ops) else Cost(None)
        cells = {
            "layer": Cell(short, f"{path}:{short}", mark="muted"),
            "type": Cell(op.name, mark="muted"),
            "depth": Cell(str(depth), depth),
            "input": _build_shapes(op.inputs),
            "output": _build_shapes(op.outputs),
            "macs": _build_count(cost.macs),
            "share": _build_share(cost.macs, self.costs.counted_macs),
        }
        return self._build_row(cells, depth)

    def _build_row(self, cells: dict[str, Cell], depth: int | None) -> Row:
        usual = {"count": Cell("1", 1)}
        return Row(tuple((usual | cells).get(key, EMPTY) for key in self.keys), depth=depth)

    def _count(self, layer: LayerCall) -> _Numbers:
        return _Numbers(layer.params, self.costs.layers[layer.id].macs, self.trace.layer_activation_bytes[layer.id])

    def _build_layer(self, layer: LayerCall, name: Cell, numbers: _Numbers) -> dict[str, Cell]:
        again = layer.call > 0
        params = 0 if again else numbers.params
        kernel = format_size(layer.setting("kernel_size", ()), count_spatial(layer))
        cells = {
            "layer": name,
            "depth": Cell(str(layer.depth), layer.depth),
            "leaf": Cell("yes" if layer.leaf else "no", layer.leaf),
            "type": Cell(describe_type(layer)),
            "input": _build_shapes(layer.inputs),
            "output": self._build_output(layer),
            "kernel": Cell(kernel),
            "params": _build_count(params, repeat=again and numbers.params > 0),
        }
        if layer.id != self.failed:
            cells |= {"macs": _build_count(numbers.macs), "memory": _build_bytes(numbers.memory_bytes)}
        if layer.parent is not None:
            cells["params_share"] = _build_share(params, self.trace.totals.params)
            cells["memory_share"] = _build_share(numbers.memory_bytes, self.trace.activation_bytes)
            if layer.id != self.failed:
                cells["share"] = _build_share(numbers.macs, self.costs.counted_macs)
        if self.fields is not None:
            reach = receptive.build_cells(self.fields[layer.id].dimensions)
            cells |= {column.key: cell for column, cell in zip(receptive.COLUMNS, reach, strict=True)}
        return cells

    def _build_output(self, layer: LayerCall) -> Cell:
        if layer.id == self.failed:
            return Cell("failed", mark="failed")
        return _build_shapes(layer.outputs)

    def _place(self, layer: LayerCall, label: str) -> str:
        """The label with the path of the parent before it."""
        base = self.trace.layers[layer.parent].path if layer.parent is not None else ""
        inside = name_relative(layer.path, base) != layer.path
        return f"{base}.{label}" if inside else label


class _TreeBuilder:
    """Rows of the tree, from the root down."""

    def __init__(self, rows: _RowBuilder, options: LayerTableOptions) -> None:
        self.rows = rows
        self.options = options
        self.children = rows.trace.children
        self.fold = options.fold and not options.receptive
        self.signatures = sign_subtrees(rows.trace, rows.costs, ops=options.ops) if self.fold else ()
        self.folded = False
        self.own_ops = _list_own_ops(rows.trace) if options.ops else {}

    def build(self) -> Iterator[Row]:
        root = self.rows.trace.root
        yield self.rows.build_run(Run((root.id,), root.path), 0)
        yield from self._build_beneath(root, 1)

    def _build_beneath(self, layer: LayerCall, depth: int) -> Iterator[Row]:
        if self.options.depth is not None and depth > self.options.depth:
            return
        for part in self._list_parts(layer):
            if isinstance(part, OpRecord):
                yield self.rows.build_op(part, depth)
                continue
            self.folded = self.folded or len(part.calls) > 1
            yield self.rows.build_run(part, depth)
            yield from self._build_beneath(self.rows.trace.layers[part.calls[0]], depth + 1)

    def _list_parts(self, layer: LayerCall) -> list[Run | OpRecord]:
        """The children of a call as runs, its own operations between them, in the order of execution."""
        children = self.children[layer.id]
        ops = self.own_ops.get(layer.id, [])
        parts: list[Run | OpRecord] = []
        start = 0
        for op in ops:
            stop = next(
                (i for i in range(start, len(children)) if self._first_op(children[i]) > op.index), len(children)
            )
            parts += [*self._fold(children[start:stop]), op]
            start = stop
        return parts + list(self._fold(children[start:]))

    def _first_op(self, layer: int) -> int:
        return self.rows.trace.layers[layer].first_op

    def _fold(self, siblings: Sequence[int]) -> tuple[Run, ...]:
        signatures = self.signatures if self.fold else range(len(self.rows.trace.layers))
        return fold_siblings(self.rows.trace, signatures, siblings)


def _list_own_ops(trace: Trace) -> dict[int, list[OpRecord]]:
    """By layer id, its own operations; none for a leaf where one operation on the data is all that the layer does."""
    flow = DataFlow(trace)
    own: dict[int, list[OpRecord]] = {}
    for op in trace.ops:
        own.setdefault(op.layer, []).append(op)
    return {
        layer: ops
        for layer, ops in own.items()
        if not trace.layers[layer].leaf or sum(flow.carries_data(op.index) for op in ops) > 1
    }


def _name_root(trace: Trace) -> str:
    """`resnet50`; of `torchvision:resnet50` and `lecture.py:CNN` the part that names the object."""
    return trace.target.rpartition(":")[2].strip() or trace.root.type


def _name_call(layer: LayerCall) -> str:
    return f" (call {layer.call + 1})" if layer.call else ""


def _build_shapes(refs: Sequence[ValueRef]) -> Cell:
    everything, text = format_shapes(ref.spec for ref in refs)
    return Cell(text or "-", everything)


def _build_share(part: int | None, whole: int) -> Cell:
    return Cell(format_share(part, whole), part / whole) if part and whole else EMPTY


def _build_bytes(number: int) -> Cell:
    return Cell(format_bytes(number), number, mark="" if number else "muted")


def _build_count(number: int | None, *, repeat: bool = False) -> Cell:
    if number is None:
        return Cell(UNKNOWN)
    mark: Mark = "repeat" if repeat else "" if number else "muted"
    return Cell(format_exact(number), number, short=format_si(number), mark=mark)


def _describe_sharing(trace: Trace) -> tuple[str, ...]:
    """What makes the column's sum differ from the total, in words."""
    again = [layer.path for layer in trace.layers if layer.call and layer.params]
    lines = []
    if again:
        names = list_names(tuple(dict.fromkeys(again)))
        lines.append(f"called again, parameters shown with the first call only: {names}")
    shared = {layer.path: layer.shared_with for layer in trace.layers if layer.shared_with}
    if shared:
        texts = [f"{path or '(root)'} with {list_names(partners)}" for path, partners in shared.items()]
        lines.append(f"shared parameters, counted once in the total: {list_names(texts)}")
    return tuple(lines)
