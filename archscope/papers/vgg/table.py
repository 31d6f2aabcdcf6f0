"""The layout of Table 1 of the VGG paper, with the parameters of its Table 2.

Within a stage the layers of the columns stand one beneath the other from its top, as printed.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from archscope.core.table import Cell, Column, Row, Table
from archscope.papers.layout import CellWriter, Shown, span_cells
from archscope.papers.networks import Net, Networks
from archscope.papers.vgg.measures import COLUMNS, PAPER
from archscope.papers.vgg.walk import WalkItem, walk_vgg

NOTES = (
    "convK-N: a KxK convolution with N filters, stride 1, padded to keep the size; ReLU and dropout are not shown",
    "soft-max: the loss reads it; it is no layer of the traced module",
)


def build_vgg_table(networks: Networks) -> Table:
    """A column for each configuration, a row for each layer that ran in any of them."""
    nets = {letter: networks.trace(model) for letter, model in COLUMNS.items()}
    walks = {letter: walk_vgg(net) for letter, net in nets.items()}
    items = [item for walk in walks.values() for item in walk]
    cells = CellWriter(PAPER, networks)
    rows = [_build_depths(cells), _build_input(cells, nets)]
    for stage in sorted({item.stage for item in items if item.kind != "fc"}):
        rows += _build_stage(cells, stage, walks)
    for number, name in enumerate(dict.fromkeys(item.name for item in items if item.kind == "fc")):
        rows.append(_build_row(cells, name, "body" if number else "section"))
    rows.append(Row((Cell("", "soft-max"), Cell("soft-max", span=len(COLUMNS)))))
    params = [cells.write_number(f"vgg.t2.{letter}.params", f"{letter}, parameters") for letter in COLUMNS]
    rows.append(Row((Cell("params, M", "params"), *params), kind="total"))
    return Table(
        title="VGG: Table 1, and the parameters of Table 2 (Simonyan and Zisserman 2014)",
        columns=(Column("row", ""), *(Column(letter, letter, align="center") for letter in COLUMNS)),
        rows=tuple(rows),
        notes=(*NOTES, *cells.list_notes()),
    )


def _build_depths(cells: CellWriter) -> Row:
    counts = [cells.write(f"vgg.t1.{letter}.weight_layers", f"{letter}, depth") for letter in COLUMNS]
    return Row((Cell("depth"), *(replace(cell, short=cell.text.replace(" weight layers", "")) for cell in counts)))


def _build_input(cells: CellWriter, nets: dict[str, Net]) -> Row:
    images = []
    for letter, net in nets.items():
        height, width, channels = net.image
        words = f"input ({height} x {width} {'RGB' if channels == 3 else f'{channels}-channel'} image)"
        images.append(cells.compare("vgg.input", f"{letter}, input", Shown(words)))
    return Row((Cell("", "input"), *span_cells(images)))


def _build_stage(cells: CellWriter, stage: int, walks: dict[str, tuple[WalkItem, ...]]) -> list[Row]:
    """A row for each layer of the longest column, and one for the pool."""
    columns = {letter: _list_names(walk, stage) for letter, walk in walks.items()}
    rows = []
    for place in range(1, 1 + max(map(len, columns.values()))):
        name, row = f"conv{stage}_{place}", [Cell(f"conv{stage}" if place == 1 else "", f"conv{stage}")]
        for letter, names in columns.items():
            identifier = names[place - 1] if place <= len(names) else name
            row.append(cells.write(f"vgg.t1.{letter}.{identifier}", f"{letter}, {name}"))
        rows.append(Row(tuple(row), kind="section" if place == 1 else "body"))
    return [*rows, _build_row(cells, f"pool{stage}")]


def _list_names(walk: Sequence[WalkItem], stage: int) -> list[str]:
    """What the figures of the column's layers are called."""
    names = {"conv": "{}", "lrn": f"stage{stage}.lrn"}
    return [names[item.kind].format(item.name) for item in walk if item.stage == stage and item.kind in names]


def _build_row(cells: CellWriter, name: str, kind: Literal["body", "section"] = "body") -> Row:
    """A layer that all columns have; one cell where they agree with each other and with the paper."""
    written = [cells.write(f"vgg.t1.{letter}.{name}", f"{letter}, {name}") for letter in COLUMNS]
    return Row((Cell(name), *span_cells(written)), kind=kind)
