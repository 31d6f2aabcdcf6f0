"""The layout of Table 1 of the GoogLeNet paper: a row for each printed layer.

As printed, params are weights without biases, K is 1024, and ops are multiply-adds.
"""

from dataclasses import replace

from archscope.core.table import Cell, Column, Row, Table
from archscope.papers.googlenet.measures import PAPER
from archscope.papers.googlenet.rows import BRANCHES, TableRow, list_rows
from archscope.papers.layout import CellWriter
from archscope.papers.networks import Net, Networks

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


TYPES = {
    "conv": "convolution",
    "pool": "max pool",
    "avgpool": "avg pool",
    "fc": "linear",
    "block": "inception",
}
"""What the paper calls a row, by its kind; others keep their kind's name."""


def build_googlenet_table(networks: Networks) -> Table:
    """The table of the network `googlenet`."""
    net, cells = networks.trace("googlenet"), CellWriter(PAPER, networks, {"params": "params", "macs": "ops"})
    rows = [_build_row(net, row, cells) for row in list_rows(net)]
    return Table(
        title="GoogLeNet: Table 1 (Szegedy et al. 2014)",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=(*NOTES, *cells.list_notes()),
    )


def build_narrow_googlenet_table(networks: Networks) -> Table:
    """The same under shorter headings; `red.` is the reduction before the 3x3 and the 5x5 convolutions."""
    table = build_googlenet_table(networks)
    columns = tuple(
        replace(column, title=NARROW_TITLES.get(column.key, column.title), optional=column.key == "depth")
        for column in table.columns
    )
    remark = (
        "1x1, 3x3, 5x5: filters of the branches; red.: of the 1x1 reduction before the 3x3 or 5x5; proj: after the pool"
    )
    return replace(table, columns=columns, notes=(remark, *table.notes))


def _build_row(net: Net, row: TableRow, cells: CellWriter) -> Row:
    figure, place = f"googlenet.{row.name}", row.name
    return Row(
        (
            Cell(_name_type(net, row)),
            cells.write(f"{figure}.patch", place),
            cells.write(f"{figure}.output_size", place),
            cells.write_number(f"{figure}.depth", place),
            *(cells.write_part(f"{figure}.columns", place, name) for name in BRANCHES),
            cells.write_number(f"{figure}.params", place),
            cells.write_number(f"{figure}.ops", place),
        )
    )


def _name_type(net: Net, row: TableRow) -> str:
    """`inception (3a)`, `dropout (40%)`."""
    name = TYPES.get(row.kind, row.kind)
    share = net.layer(row.paths[0]).setting("p") if row.kind == "dropout" else None
    if isinstance(share, float):
        return f"{name} ({share:.0%})"
    return f"{name} ({row.name})" if row.kind == "block" else name
