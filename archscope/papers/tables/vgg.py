"""Traces of VGG's six configurations go in; the paper's Table 1, with the parameters of its Table 2, comes out.

Simonyan and Zisserman 2014. A stage is what stands before a max pool; within a stage the layers of the columns stand
one beneath the other from its top, as printed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from archscope.core.table import Cell, Column, Row, Table
from archscope.core.trace import LayerCall
from archscope.papers.published import index_facts
from archscope.papers.tables.printed import Ledger, Measured
from archscope.papers.tables.reading import (
    Reader,
    Traced,
    is_convolution,
    is_linear,
    is_weighted,
    read_kernel,
    zip_columns,
)

COLUMNS = {
    "A": "vgg11",
    "A-LRN": "vgg11_lrn",
    "B": "vgg13",
    "C": "vgg16c",
    "D": "vgg16",
    "E": "vgg19",
}
"""The paper's columns, and the models that are traced for them."""

SOFTMAX_NOTE = "soft-max: the loss reads it; it is no layer of the traced module"
CONVENTION = (
    "convK-N: a KxK convolution with N filters, stride 1, padded to keep the size; ReLU and dropout are not shown"
)


@dataclass(frozen=True, slots=True)
class _Configuration:
    """One column, read from its trace."""

    input: str
    stages: tuple[tuple[str, ...], ...]
    """`conv3-64`, `LRN`, ... before each max pool."""
    pools: tuple[str, ...]
    classifier: tuple[str, ...]
    weight_layers: int
    params: int


def build_vgg_table(passes: Mapping[str, Traced]) -> Table:
    """The table of the traces by the names of their models."""
    columns = {letter: _read_configuration(Reader(*passes[model])) for letter, model in COLUMNS.items()}
    ledger = Ledger(index_facts("simonyan2014_vgg"))
    rows = [_build_depths(columns, ledger), _span("", [column.input for column in columns.values()], "input")]
    for number in range(1, 1 + max(len(column.stages) for column in columns.values())):
        rows += _build_stage(columns, number, ledger)
    rows += _build_classifier(columns, ledger)
    rows.append(_span("", ["soft-max"] * len(columns), "soft-max"))
    rows.append(_build_params(columns, ledger))
    return Table(
        title="VGG: Table 1, and the parameters of Table 2 (Simonyan and Zisserman 2014)",
        columns=(Column("row", ""), *(Column(letter, letter, align="center") for letter in columns)),
        rows=tuple(rows),
        notes=(CONVENTION, SOFTMAX_NOTE, *ledger.list_notes()),
    )


def _read_configuration(reader: Reader) -> _Configuration:
    stages: list[list[str]] = [[]]
    pools, classifier = [], []
    for layer in reader.list_leaves():
        if is_linear(layer):
            classifier.append(f"FC-{layer.setting('out_features')}")
        elif is_convolution(layer):
            stages[-1].append(f"conv{read_kernel(layer)}-{layer.setting('out_channels')}")
        elif layer.setting("ceil_mode") is not None and layer.type.startswith("Max"):
            pools.append("maxpool")
            stages.append([])
        elif {"size", "alpha", "beta", "k"} <= dict(layer.settings).keys():
            stages[-1].append("LRN")
    return _Configuration(
        input=_describe_input(reader.trace.layers[0]),
        stages=tuple(tuple(stage) for stage in stages if stage),
        pools=tuple(pools),
        classifier=tuple(classifier),
        weight_layers=sum(is_weighted(layer) for layer in reader.list_leaves()),
        params=reader.trace.totals.params,
    )


def _describe_input(root: LayerCall) -> str:
    _, channels, height, width = root.inputs[0].shape
    return f"input ({height} x {width} {'RGB' if channels == 3 else f'{channels}-channel'} image)"


def _build_depths(columns: Mapping[str, _Configuration], ledger: Ledger) -> Row:
    cells = [Cell("depth")]
    for letter, column in columns.items():
        count = column.weight_layers
        measured = Measured(f"{count} weight layers", short=str(count))
        cells.append(ledger.write(f"vgg.t1.{letter}.weight_layers", f"{letter}, depth", measured))
    return Row(tuple(cells))


def _build_stage(columns: Mapping[str, _Configuration], number: int, ledger: Ledger) -> list[Row]:
    layers = [list(column.stages[number - 1]) if number <= len(column.stages) else [] for column in columns.values()]
    rows = []
    for place, texts in enumerate(zip_columns(layers), start=1):
        cells = [_write(ledger, letter, number, place, text) for letter, text in zip(columns, texts, strict=True)]
        name = f"conv{number}"
        rows.append(Row((Cell(name if place == 1 else "", name), *cells), kind="section" if place == 1 else "body"))
    pools = [column.pools[number - 1] if number <= len(column.pools) else "" for column in columns.values()]
    ids = [f"vgg.t1.{letter}.pool{number}" for letter in columns]
    rows.append(_compare_row(f"pool{number}", pools, ids, ledger))
    return rows


def _write(ledger: Ledger, letter: str, stage: int, place: int, text: str) -> Cell:
    fact = f"vgg.t1.{letter}.stage{stage}.lrn" if text == "LRN" else f"vgg.t1.{letter}.conv{stage}_{place}"
    return ledger.write(fact, f"{letter}, conv{stage}_{place}", Measured(text))


def _build_classifier(columns: Mapping[str, _Configuration], ledger: Ledger) -> list[Row]:
    rows = []
    for place, texts in enumerate(zip_longest(*(column.classifier for column in columns.values()), fillvalue="")):
        ids = [f"vgg.t1.{letter}.fc{6 + place}" for letter in columns]
        row = _compare_row(f"fc{6 + place}", texts, ids, ledger)
        rows.append(Row(row.cells, kind="section") if place == 0 else row)
    return rows


def _compare_row(name: str, texts: Sequence[str], ids: Sequence[str], ledger: Ledger) -> Row:
    """One cell over all columns where they agree with each other and with the paper."""
    cells = [
        ledger.write(fact, f"{fact.split('.')[2]}, {name}", Measured(text))
        for fact, text in zip(ids, texts, strict=True)
    ]
    return _span(name, texts) if not any(cell.mark for cell in cells) else Row((Cell(name), *cells))


def _span(name: str, texts: Sequence[str], value: str | None = None) -> Row:
    """One cell over all columns where they agree; `value` is the row's name for machines where people need none."""
    if len(set(texts)) == 1:
        return Row((Cell(name, value), Cell(texts[0], span=len(texts))))
    return Row((Cell(name, value), *(Cell(text) for text in texts)))


def _build_params(columns: Mapping[str, _Configuration], ledger: Ledger) -> Row:
    cells = [
        ledger.write_number(f"vgg.t2.{letter}.params", f"{letter}, parameters", column.params)
        for letter, column in columns.items()
    ]
    return Row((Cell("params, M", "params"), *cells), kind="total")
