"""The layout of Table 1 of the ResNet paper: the five networks for ImageNet."""

from dataclasses import replace

from archscope.core.table import Cell, Column, Row, Table
from archscope.papers.layout import CellWriter, Shown, join_distinct, span_cells
from archscope.papers.networks import Networks
from archscope.papers.resnet.blocks import list_stages
from archscope.papers.resnet.measures import NETWORKS, PAPER

NOTES = (
    "[a; b] x N: N blocks of these convolutions (kernel, filters); shortcuts, BatchNorm and ReLU are not shown",
    "FLOPs: the paper's word for multiply-adds (MACs); option B shortcuts, stride 2 in a bottleneck's first 1x1 (v1)",
    "softmax: the loss reads it; it is no layer of the traced module",
)

POOLED = "conv2_x"
"""The stage that a max pool stands before."""


def build_resnet_table(networks: Networks) -> Table:
    """A column for each network, a row for each stage that any of them has."""
    cells = CellWriter(PAPER, networks)
    rows = [Row((Cell("conv1"), _write_size(cells, "conv1"), *span_cells(_write_row(cells, "conv1", "conv1"))))]
    for number in range(max(len(list_stages(networks.trace(model))) for model in NETWORKS.values())):
        rows += _build_stage(cells, f"conv{number + 2}_x")
    head = span_cells(_write_row(cells, "head", "head"))
    rows.append(Row((Cell("", "head"), _write_size(cells, "avgpool"), *head), kind="section"))
    costs = [cells.write_number(f"resnet.t1.{depth}.flops", f"{depth}-layer, FLOPs") for depth in NETWORKS]
    rows.append(Row((Cell("FLOPs"), Cell(""), *costs), kind="total"))
    return Table(
        title="ResNet: Table 1, architectures for ImageNet (He et al. 2015)",
        columns=(
            Column("layer name", "layer"),
            Column("output size", "output"),
            *(Column(f"{depth}-layer", f"{depth}-layer", align="center") for depth in NETWORKS),
        ),
        rows=tuple(rows),
        notes=(*NOTES, *cells.list_notes()),
    )


def _write_row(cells: CellWriter, figure: str, place: str) -> list[Cell]:
    """One figure of every network, with room before the number of blocks."""
    return [
        cells.write(f"resnet.t1.{depth}.{figure}", f"{depth}-layer, {place}", lambda text: text.replace("] x", "] x "))
        for depth in NETWORKS
    ]


def _write_size(cells: CellWriter, name: str) -> Cell:
    """All columns print one size; the figure of the first stands for it."""
    found = [cells.measure(f"resnet.t1.{depth}.{name}.output") for depth in NETWORKS]
    text = join_distinct([measured.text for measured in found if measured is not None])
    return cells.compare(f"resnet.t1.{next(iter(NETWORKS))}.{name}.output", f"output of {name}", Shown(text))


def _build_stage(cells: CellWriter, name: str) -> list[Row]:
    """The blocks of a stage, and above them the pool where one stands before it."""
    size = _write_size(cells, name)
    pools = _write_row(cells, "maxpool", name) if name == POOLED else []
    blocks = _write_row(cells, f"{name}.blocks", name)
    if not pools:
        return [Row((Cell(name), size, *blocks), kind="section")]
    return [
        Row((Cell(name), size, *span_cells(pools)), kind="section"),
        Row((Cell("", name), Cell("", size.value or size.text), *blocks)),
    ]


def build_narrow_resnet_table(networks: Networks) -> Table:
    """The same with each block's convolutions one beneath the other, as the paper sets them."""
    table = build_resnet_table(networks)
    return replace(table, rows=tuple(part for row in table.rows for part in _stack_row(row)))


def _stack_row(row: Row) -> list[Row]:
    """The row with `[a; b] x N` taken apart: `[a`, ` b]`, ` x N` in as many rows as the longest block needs."""
    stacks = [_stack_cell(cell) for cell in row.cells]
    height = max(len(stack) for stack in stacks)
    rows = []
    for level in range(height):
        cells = tuple(
            stack[level] if level < len(stack) else Cell("", span=cell.span)
            for stack, cell in zip(stacks, row.cells, strict=True)
        )
        rows.append(Row(cells, kind=row.kind if level == 0 else "body"))
    return rows


def _stack_cell(cell: Cell) -> list[Cell]:
    block, bracket, count = cell.text.partition("]")
    if not bracket or not block.startswith("[") or "; " not in block:
        return [cell]
    lines = [f" {line}" for line in block[1:].split("; ")]
    lines[0] = f"[{lines[0][1:]}"
    lines[-1] += "]"
    return [Cell(line, mark=cell.mark) for line in [*lines, f" {count.strip()}"]]
