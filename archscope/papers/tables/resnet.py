"""Traces of the five residual networks go in; Table 1 of He et al. 2015 comes out.

A stage is a run of blocks that ends where the map gets smaller; the blocks' convolutions are read off the path that
is not the shortcut. The paper's stride-2 convolution is the first 1x1 of a bottleneck (v1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
    read_kernel,
    read_stride,
)

COLUMNS = {
    "18-layer": "resnet18",
    "34-layer": "resnet34",
    "50-layer": "resnet50_v1",
    "101-layer": "resnet101_v1",
    "152-layer": "resnet152_v1",
}
"""The paper's columns, and the models that are traced for them."""

NOTES = (
    "[a; b] x N: N blocks of these convolutions (kernel, filters); shortcuts, BatchNorm and ReLU are not shown",
    "FLOPs: the paper's word for multiply-adds (MACs); option B shortcuts, stride 2 in a bottleneck's first 1x1 (v1)",
    "softmax: the loss reads it; it is no layer of the traced module",
)
SOFTMAX = "softmax"


@dataclass(frozen=True, slots=True)
class _Stage:
    """One group of rows in one column."""

    output: str
    """`56x56`"""
    pool: str
    """What pools before the first block; empty where nothing does."""
    convolutions: tuple[str, ...]
    """Of one block: `1x1, 64`, ..."""
    count: int
    """How many blocks."""

    @property
    def text(self) -> str:
        """`[3x3, 64; 3x3, 64] x 2`."""
        return f"[{'; '.join(self.convolutions)}] x {self.count}" if self.count else ""


@dataclass(frozen=True, slots=True)
class _Network:
    """One column."""

    stem: str
    stem_output: str
    stages: tuple[_Stage, ...]
    head: str
    head_output: str
    macs: int


def build_resnet_table(passes: Mapping[str, Traced]) -> Table:
    """The table of the traces by the names of their models."""
    networks = {title: _read_network(Reader(*passes[model])) for title, model in COLUMNS.items()}
    ledger = Ledger(index_facts("he2015_resnet"))
    rows = [_build_stem(networks, ledger)]
    for number in range(max(len(network.stages) for network in networks.values())):
        rows += _build_stage(networks, number, ledger)
    rows.append(_build_head(networks, ledger))
    rows.append(_build_costs(networks, ledger))
    return Table(
        title="ResNet: Table 1, architectures for ImageNet (He et al. 2015)",
        columns=(
            Column("layer name", "layer"),
            Column("output size", "output"),
            *(Column(title, title, align="center") for title in networks),
        ),
        rows=tuple(rows),
        notes=(*NOTES, *ledger.list_notes()),
    )


def build_narrow_resnet_table(passes: Mapping[str, Traced]) -> Table:
    """The same with each block's convolutions one beneath the other, as the paper sets them."""
    table = build_resnet_table(passes)
    rows = [part for row in table.rows for part in _stack_row(row)]
    return replace(table, rows=tuple(rows))


def _read_network(reader: Reader) -> _Network:
    """The root's children in the order of execution: stem, stages, head."""
    stem: list[str] = []
    stem_output, pool, head_output = "", "", ""
    stages: list[_Stage] = []
    head: list[str] = []
    for layer in reader.list_children():
        if not layer.leaf:
            stages.append(_read_stage(reader, layer, pool))
            pool = ""
        elif is_convolution(layer):
            stem.append(_describe_convolution(layer, with_stride=True))
            stem_output = arrange_output(layer, rank=2)
        elif layer.setting("ceil_mode") is not None:
            pool = f"{_describe_window(layer)} {'max' if layer.type.startswith('Max') else 'average'} pool"
            pool += f", stride {read_stride(layer)}"
        elif layer.setting("output_size") is not None:
            head.append("average pool")
            head_output = arrange_output(layer, rank=2)
        elif is_linear(layer):
            head.append(f"{layer.setting('out_features')}-d fc")
    return _Network(
        stem="; ".join(stem),
        stem_output=stem_output,
        stages=tuple(stages),
        head=", ".join([*head, SOFTMAX]),
        head_output=head_output,
        macs=reader.count_macs(reader.trace.root),
    )


def _read_stage(reader: Reader, stage: LayerCall, pool: str) -> _Stage:
    blocks = [_read_block(reader, block) for block in reader.list_children(stage.id)]
    kinds = list(dict.fromkeys(blocks))
    if len(kinds) > 1:
        described = " + ".join(f"[{'; '.join(kind)}] x {blocks.count(kind)}" for kind in kinds)
        return _Stage(arrange_output(stage, rank=2), pool, (described,), len(blocks))
    return _Stage(arrange_output(stage, rank=2), pool, kinds[0] if kinds else (), len(blocks))


def _read_block(reader: Reader, block: LayerCall) -> tuple[str, ...]:
    """The convolutions that the block calls itself; the shortcut's stand in a module of their own."""
    layers = reader.list_children(block.id)
    return tuple(_describe_convolution(layer) for layer in layers if layer.leaf and is_convolution(layer))


def _describe_window(layer: LayerCall) -> str:
    kernel = read_kernel(layer)
    return f"{kernel}x{kernel}"


def _describe_convolution(layer: LayerCall, *, with_stride: bool = False) -> str:
    text = f"{_describe_window(layer)}, {layer.setting('out_channels')}"
    return f"{text}, stride {read_stride(layer)}" if with_stride else text


def _name_fact(title: str, place: str) -> str:
    return f"resnet.t1.{title.removesuffix('-layer')}.{place}"


def _build_stem(networks: Mapping[str, _Network], ledger: Ledger) -> Row:
    output = _join([network.stem_output for network in networks.values()])
    cells = [
        ledger.write(_name_fact(title, "conv1"), f"{title}, conv1", Measured(network.stem))
        for title, network in networks.items()
    ]
    return Row((Cell("conv1"), _write_output(ledger, "conv1", output), *_span(cells)))


def _build_stage(networks: Mapping[str, _Network], number: int, ledger: Ledger) -> list[Row]:
    name = f"conv{number + 2}_x"
    empty = _Stage("", "", (), 0)
    stages = {
        title: network.stages[number] if number < len(network.stages) else empty for title, network in networks.items()
    }
    output = _write_output(ledger, name, _join([stage.output for stage in stages.values()]))
    rows = []
    if any(stage.pool for stage in stages.values()):
        pools = [
            ledger.write(_name_fact(title, "maxpool"), f"{title}, {name}", Measured(stage.pool))
            for title, stage in stages.items()
        ]
        rows.append(Row((Cell(name), output, *_span(pools)), kind="section"))
    cells = []
    for title, stage in stages.items():
        measured = Measured(stage.text)
        cells.append(ledger.write(_name_fact(title, f"{name}.blocks"), f"{title}, {name}", measured))
    first = Cell("", name) if rows else Cell(name)
    size = Cell("", output.value or output.text) if rows else output
    return [*rows, Row((first, size, *cells), kind="body" if rows else "section")]


def _build_head(networks: Mapping[str, _Network], ledger: Ledger) -> Row:
    output = _join([network.head_output for network in networks.values()])
    cells = [
        ledger.write(_name_fact(title, "head"), f"{title}, head", Measured(network.head))
        for title, network in networks.items()
    ]
    return Row((Cell("", "head"), Cell(output), *_span(cells)), kind="section")


def _build_costs(networks: Mapping[str, _Network], ledger: Ledger) -> Row:
    cells = [
        ledger.write_number(_name_fact(title, "flops"), f"{title}, FLOPs", network.macs)
        for title, network in networks.items()
    ]
    return Row((Cell("FLOPs"), Cell(""), *cells), kind="total")


def _write_output(ledger: Ledger, name: str, text: str) -> Cell:
    """All columns print one size; the fact of the first column stands for it."""
    return ledger.write(f"resnet.t1.18.{name}.output", f"output of {name}", Measured(text))


def _join(texts: Sequence[str]) -> str:
    """The one text, or all of them where the columns disagree."""
    return " / ".join(dict.fromkeys(texts))


def _span(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """One cell over all columns where all say the same and none is marked."""
    if len({cell.text for cell in cells}) == 1 and not any(cell.mark for cell in cells):
        return (replace(cells[0], span=len(cells)),)
    return tuple(cells)


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
