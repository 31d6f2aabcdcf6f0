"""The table of the layer calls of a trace: a tree, or a flat selection of it.

Rows are calls, not modules: a module called twice has two rows, and its parameters stand in the first. Numbers of a
call include everything it called. Runs of identical siblings are one row, with the numbers of each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archscope.analysis.outline import DataFlow, Run, fold_siblings, sign_subtrees
from archscope.analysis.receptive import measure_fields
from archscope.core.cost import Cost, CostReport, LayerCost
from archscope.core.table import Cell, Column, Mark, Row, Table
from archscope.core.trace import LayerCall, OpRecord, Trace, name_relative
from archscope.core.units import format_exact, format_share, format_si
from archscope.tables import receptive
from archscope.tables.layer_filter import SORT_KEYS, LayerFilter, select_layers
from archscope.tables.layer_text import describe_type, format_shapes
from archscope.tables.totals import describe_exceptions, describe_inputs, describe_pass, describe_totals, list_names

__all__ = ["COLUMNS", "SORT_KEYS", "LayerTableOptions", "build_layer_table"]

COLUMNS = (
    Column("layer", "layer"),
    Column("count", "count", align="right", kind="number", hidden=True),
    Column("type", "type", flexible=True),
    Column("output", "output"),
    Column("params", "parameters", align="right", kind="number"),
    Column("macs", "MACs", align="right", kind="number"),
    Column("share", "share", align="right", kind="share", optional=True),
)

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


def build_layer_table(trace: Trace, costs: CostReport, options: LayerTableOptions) -> Table:
    """The table of `trace`. Raises UnknownNameError where the selection names what does not exist."""
    builder = _RowBuilder(trace, costs, receptive_fields=options.receptive)
    if options.selection is not None:
        selected, remark = select_layers(trace, costs, options.selection)
        rows = tuple(builder.build_flat(layer, inclusive=inclusive) for layer, inclusive in selected)
        notes = [remark]
    else:
        tree = _TreeBuilder(builder, options)
        rows = tuple(tree.build()) if trace.layers else ()
        notes = ["xN each: N identical layers in a row, with the numbers of one of them"] if tree.folded else []
    notes += [receptive.NOTE] if options.receptive else []
    return Table(
        title=options.title or trace.target,
        subtitle=f"{describe_inputs(trace)} · {describe_pass(trace)} · {trace.mode}",
        columns=(*COLUMNS, *receptive.COLUMNS) if options.receptive else COLUMNS,
        rows=rows,
        notes=(describe_totals(trace, costs), *notes, *_describe_sharing(trace), *describe_exceptions(trace, costs)),
    )


class _RowBuilder:
    """Cells of one call or operation."""

    def __init__(self, trace: Trace, costs: CostReport, *, receptive_fields: bool) -> None:
        self.trace = trace
        self.costs = costs
        self.fields = measure_fields(trace) if receptive_fields else None
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
        return self._build_layer(layer, Cell(label, path, tail=tail), count, depth)

    def build_flat(self, layer: LayerCall, *, inclusive: bool) -> Row:
        """The row of a call in a list, by its full path; without `inclusive`, with what it holds itself."""
        path = (layer.path or _name_root(self.trace)) + _name_call(layer)
        if inclusive:
            return self._build_layer(layer, Cell(path), 1, None)
        own = self.costs.layers[layer.id].own_macs
        return self._build_layer(layer, Cell(f"{path} (own)"), 1, None, (layer.own_params, LayerCost(own, own)))

    def _build_layer(
        self,
        layer: LayerCall,
        name: Cell,
        count: int,
        depth: int | None,
        numbers: tuple[int, LayerCost] | None = None,
    ) -> Row:
        params, cost = numbers or (layer.params, self.costs.layers[layer.id])
        again = layer.call > 0
        ended = layer.id == self.failed
        return Row(
            (
                name,
                Cell(str(count), count),
                Cell(describe_type(layer)),
                self._build_output(layer),
                _build_count(0 if again else params, repeat=again and params > 0),
                *((Cell(""), Cell("")) if ended else self._build_costs(cost.macs, root=layer.parent is None)),
                *self._build_reach(layer),
            ),
            depth=depth,
        )

    def _build_reach(self, layer: LayerCall) -> tuple[Cell, ...]:
        return () if self.fields is None else receptive.build_cells(self.fields[layer.id].dimensions)

    def build_op(self, op: OpRecord, depth: int) -> Row:
        """The row of an operation."""
        everything, text = format_shapes(ref.spec for ref in op.outputs)
        short = op.name.rpartition(".")[2]
        path = self.trace.layers[op.layer].path
        cost = self.costs.ops[op.index] if op.index < len(self.costs.ops) else Cost(None)
        return Row(
            (
                Cell(short, f"{path}:{short}", mark="muted"),
                Cell("1", 1),
                Cell(op.name, mark="muted"),
                Cell(text or "-", everything),
                Cell(""),
                *self._build_costs(cost.macs, root=False),
                *(() if self.fields is None else receptive.EMPTY),
            ),
            depth=depth,
        )

    def _build_output(self, layer: LayerCall) -> Cell:
        if layer.id == self.failed:
            return Cell("failed", mark="failed")
        everything, text = format_shapes(ref.spec for ref in layer.outputs)
        return Cell(text or "-", everything)

    def _build_costs(self, macs: int | None, *, root: bool) -> tuple[Cell, Cell]:
        total = self.costs.counted_macs
        share = Cell("") if root or not macs or not total else Cell(format_share(macs, total), macs / total)
        return _build_count(macs), share

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
