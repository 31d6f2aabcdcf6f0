"""A trace of GoogLeNet goes in; Table 1 of Szegedy et al. 2014 comes out, one row per printed layer.

Convolutions between two pools are one row, their 1x1 layers its reduction; an inception module is one row, its
branches told apart by what they hold. As printed, params are weights without biases, K is 1024, and ops are
multiply-adds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from archscope.core.table import Cell, Column, Row, Table
from archscope.core.trace import LayerCall
from archscope.papers.published import index_facts
from archscope.papers.tables.printed import Ledger, Measured
from archscope.papers.tables.reading import (
    Reader,
    Traced,
    arrange_output,
    is_convolution,
    is_linear,
    is_weighted,
    read_kernel,
    read_stride,
)

BRANCHES = ("#1x1", "#3x3 reduce", "#3x3", "#5x5 reduce", "#5x5", "pool proj")

COLUMNS = (
    Column("type", "type"),
    Column("patch size/stride", "patch/stride", optional=True),
    Column("output size", "output", align="right"),
    Column("depth", "depth", align="right", kind="number", optional=True),
    *(Column(name, name, align="right", kind="number", optional=name == "#5x5 reduce") for name in BRANCHES),
    Column("params", "params", align="right", kind="number"),
    Column("ops", "ops", align="right", kind="number"),
)
NARROW_TITLES = {
    "patch size/stride": "patch",
    "#1x1": "1x1",
    "#3x3 reduce": "red.",
    "#3x3": "3x3",
    "#5x5 reduce": "red.",
    "#5x5": "5x5",
    "pool proj": "proj",
}

NOTES = (
    "params: weights without biases, K is 1024; ops: the paper's word for multiply-adds (MACs), M is a million",
    "softmax: the loss reads it; it is no layer of the traced module; ReLU and LRN are not shown",
)


@dataclass(slots=True)
class _Line:
    """One row while it is read."""

    name: str
    """As the figures name it: `conv1`, `pool1`, `3a`, ..."""
    type: str
    layers: list[LayerCall]
    patch: str = ""
    widths: dict[str, int] = field(default_factory=dict)
    """Filters by column."""


def build_googlenet_table(passes: Mapping[str, Traced]) -> Table:
    """The table of the trace of `googlenet`."""
    reader = Reader(*passes["googlenet"])
    ledger = Ledger(index_facts("szegedy2014_googlenet"), {"params": "params", "macs": "ops"})
    lines = _read_lines(reader)
    rows = [_build_row(reader, line, ledger) for line in lines]
    rows.append(_build_softmax(reader, ledger))
    return Table(
        title="GoogLeNet: Table 1 (Szegedy et al. 2014)",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=(*NOTES, *ledger.list_notes()),
    )


def build_narrow_googlenet_table(passes: Mapping[str, Traced]) -> Table:
    """The same under shorter headings; `red.` is the reduction before the 3x3 and the 5x5 convolutions."""
    table = build_googlenet_table(passes)
    columns = tuple(
        replace(column, title=NARROW_TITLES.get(column.key, column.title), optional=column.key == "depth")
        for column in table.columns
    )
    remark = (
        "1x1, 3x3, 5x5: filters of the branches; red.: of the 1x1 reduction before the 3x3 or 5x5; proj: after the pool"
    )
    return replace(table, columns=columns, notes=(remark, *table.notes))


def _read_lines(reader: Reader) -> list[_Line]:
    lines: list[_Line] = []
    pending: list[LayerCall] = []
    counts = {"conv": 0, "pool": 0}
    for layer in reader.list_children():
        if is_convolution(layer):
            pending.append(layer)
            continue
        line = _read_line(reader, layer, counts)
        if line is not None and pending:
            lines.append(_read_convolutions(pending, counts))
            pending = []
        lines += [line] if line is not None else []
    return lines + ([_read_convolutions(pending, counts)] if pending else [])


def _read_line(reader: Reader, layer: LayerCall, counts: dict[str, int]) -> _Line | None:
    """The row of a layer that is no convolution; None where it has none."""
    if not layer.leaf:
        return _read_inception(reader, layer)
    if layer.setting("kernel_size") is not None and layer.setting("ceil_mode") is not None:
        if not layer.type.startswith("Max"):
            return _Line("avgpool", "avg pool", [layer], _describe_patch(layer))
        counts["pool"] += 1
        return _Line(f"pool{counts['pool']}", "max pool", [layer], _describe_patch(layer))
    if layer.type.startswith("Dropout"):
        share = layer.setting("p")
        percent = f" ({share:.0%})" if isinstance(share, float) else ""
        return _Line("dropout", f"dropout{percent}", [layer])
    return _Line("linear", "linear", [layer]) if is_linear(layer) else None


def _read_convolutions(layers: Sequence[LayerCall], counts: dict[str, int]) -> _Line:
    """Convolutions between two pools: the last one names the row, 1x1 ones before it are its reduction."""
    counts["conv"] += 1
    line = _Line(f"conv{counts['conv']}", "convolution", list(layers), _describe_patch(layers[-1]))
    if len(layers) > 1:
        line.widths = _read_branch(layers)
    return line


def _read_inception(reader: Reader, block: LayerCall) -> _Line:
    name = block.path.rpartition(".")[2].rpartition("_")[2]
    line = _Line(name, f"inception ({name})", [block])
    for branch in reader.list_children(block.id):
        line.widths |= _read_branch(reader.list_leaves(branch.id))
    return line


def _read_branch(leaves: Sequence[LayerCall]) -> dict[str, int]:
    """`{"#3x3 reduce": 96, "#3x3": 128}` for a 1x1 convolution and a 3x3 one after it; a pool's is `pool proj`."""
    convolutions = [leaf for leaf in leaves if is_convolution(leaf)]
    if not convolutions:
        return {}
    *before, last = convolutions
    if any(leaf.setting("ceil_mode") is not None for leaf in leaves):
        return {"pool proj": _read_filters(last)}
    name = f"#{read_kernel(last)}x{read_kernel(last)}"
    return {f"{name} reduce": _read_filters(layer) for layer in before} | {name: _read_filters(last)}


def _read_filters(layer: LayerCall) -> int:
    filters = layer.setting("out_channels")
    return filters if isinstance(filters, int) else 0


def _describe_patch(layer: LayerCall) -> str:
    kernel = read_kernel(layer)
    return f"{kernel}x{kernel}/{read_stride(layer)}"


def _build_row(reader: Reader, line: _Line, ledger: Ledger) -> Row:
    fact, place = f"googlenet.{line.name}", line.name
    weighted = [layer for layer in line.layers if not layer.leaf or is_weighted(layer)]
    depth = sum(reader.count_deepest(layer) for layer in line.layers)
    cells = [
        Cell(line.type),
        ledger.write(f"{fact}.patch", place, Measured(line.patch)),
        ledger.write(f"{fact}.output_size", place, Measured(arrange_output(line.layers[-1]))),
        ledger.write(f"{fact}.depth", place, Measured(str(depth), depth)),
        *(_build_width(line, name, ledger) for name in BRANCHES),
        _build_count(f"{fact}.params", place, sum(reader.count_weights(layer) for layer in weighted), ledger),
        _build_count(f"{fact}.ops", place, sum(reader.count_macs(layer) for layer in weighted), ledger),
    ]
    return Row(tuple(cells))


def _build_width(line: _Line, name: str, ledger: Ledger) -> Cell:
    width = line.widths.get(name)
    if width is None:
        return ledger.write_absent(f"googlenet.{line.name}.columns", line.name, name)
    cell = ledger.write_phrase(f"googlenet.{line.name}.columns", line.name, f"{name} {width}", str(width))
    return replace(cell, value=width)


def _build_count(fact: str, place: str, measured: int, ledger: Ledger) -> Cell:
    return ledger.write_number(fact, place, measured) if measured else Cell("")


def _build_softmax(reader: Reader, ledger: Ledger) -> Row:
    size = arrange_output(reader.trace.root)
    cells = [
        Cell("softmax"),
        Cell(""),
        ledger.write("googlenet.softmax.output_size", "softmax", Measured(size)),
        ledger.write("googlenet.softmax.depth", "softmax", Measured("0", 0)),
    ]
    return Row((*cells, *(Cell("") for _ in range(len(COLUMNS) - len(cells)))))
