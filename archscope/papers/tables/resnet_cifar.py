"""Traces of the CIFAR-10 residual networks go in; section 4.2 of He et al. 2015, with the sizes of Table 6, comes out.

The paper prints the form: 1+2n, 2n and 2n layers of 16, 32 and 64 filters on maps of 32x32, 16x16 and 8x8. Both the
counts and the form itself are read off the traces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from archscope.core.table import Cell, Column, Row, Table
from archscope.papers.published import index_facts
from archscope.papers.tables.printed import Ledger, Measured
from archscope.papers.tables.reading import Reader, Traced, arrange_output, is_convolution, is_weighted

NETWORKS = {
    "ResNet-20": "resnet20",
    "ResNet-32": "resnet32",
    "ResNet-44": "resnet44",
    "ResNet-56": "resnet56",
    "ResNet-110": "resnet110",
    "ResNet-1202": "resnet1202",
}
"""The networks of Table 6, and the models that are traced for them."""

NOTES = (
    "n: residual blocks of two 3x3 convolutions on each map size; then average pool, 10-way fc, softmax (the loss)",
    "shortcuts are option A (zero padding), so residual and plain networks have the same parameters",
)


@dataclass(frozen=True, slots=True)
class _Network:
    """One row, read from its trace."""

    blocks: int
    """n: blocks of one stage."""
    layers: dict[str, int]
    """Convolutions by the size of the map that they make."""
    filters: dict[str, str]
    depth: int
    """Layers with weights."""
    params: int


def build_cifar_table(passes: Mapping[str, Traced]) -> Table:
    """The table of the traces by the names of their models."""
    networks = {name: _read_network(Reader(*passes[model])) for name, model in NETWORKS.items()}
    ledger = Ledger(index_facts("he2015_resnet"))
    maps = list(dict.fromkeys(size for network in networks.values() for size in network.layers))
    rows = [_build_forms(networks, maps, ledger), _build_filters(networks, maps, ledger)]
    for number, (name, network) in enumerate(networks.items()):
        row = _build_network(name, network, maps, ledger)
        rows.append(Row(row.cells, kind="section") if number == 0 else row)
    return Table(
        title="ResNet for CIFAR-10: section 4.2 and Table 6 (He et al. 2015)",
        columns=(
            Column("output map size", "output map size"),
            Column("n", "n", align="right"),
            *(Column(size, size, align="right") for size in maps),
            Column("layers", "# layers", align="right"),
            Column("params", "# params", align="right"),
        ),
        rows=tuple(rows),
        notes=(*NOTES, *ledger.list_notes()),
    )


def _read_network(reader: Reader) -> _Network:
    layers: dict[str, int] = {}
    filters: dict[str, dict[str, None]] = {}
    for leaf in reader.list_leaves():
        if is_convolution(leaf):
            size = arrange_output(leaf, rank=2)
            layers[size] = layers.get(size, 0) + 1
            filters.setdefault(size, {})[str(leaf.setting("out_channels"))] = None
    stages = [len(reader.list_children(layer.id)) for layer in reader.list_children() if not layer.leaf]
    return _Network(
        blocks=stages[0] if len(set(stages)) == 1 else 0,
        layers=layers,
        filters={size: " and ".join(widths) for size, widths in filters.items()},
        depth=sum(is_weighted(leaf) for leaf in reader.list_leaves()),
        params=reader.trace.totals.params,
    )


def fit_form(counts: Sequence[tuple[int, int]]) -> str:
    """`1+2n` for pairs (n, count) that all lie on that line; empty where no line holds them all."""
    (first, start), (last, end) = counts[0], counts[-1]
    if first == last:
        return ""
    slope = Fraction(end - start, last - first)
    rest = start - slope * first
    if any(slope * n + rest != count for n, count in counts):
        return ""
    return f"{rest}+{slope}n" if rest else f"{slope}n"


def _build_forms(networks: Mapping[str, _Network], maps: Sequence[str], ledger: Ledger) -> Row:
    cells = [Cell("# layers"), Cell("")]
    for number, size in enumerate(maps, start=1):
        form = fit_form([(network.blocks, network.layers.get(size, 0)) for network in networks.values()])
        cells.append(_compare(ledger, f"resnet.cifar.s{number}", size, f"{form} layers", form))
    depth = fit_form([(network.blocks, network.depth) for network in networks.values()])
    turned = "+".join(reversed(depth.split("+")))
    cells += [ledger.write("resnet.cifar.6n2", "# layers", Measured(turned)), Cell("")]
    return Row(tuple(cells))


def _build_filters(networks: Mapping[str, _Network], maps: Sequence[str], ledger: Ledger) -> Row:
    cells = [Cell("# filters"), Cell("")]
    for number, size in enumerate(maps, start=1):
        widths = " / ".join(dict.fromkeys(network.filters.get(size, "") for network in networks.values()))
        cells.append(_compare(ledger, f"resnet.cifar.s{number}", size, f"{widths} filters", widths))
    return Row((*cells, Cell(""), Cell("")))


def _compare(ledger: Ledger, fact_id: str, place: str, phrase: str, text: str) -> Cell:
    """A cell of a figure that prints two phrases at once: `1+2n layers, 16 filters`."""
    return ledger.write_phrase(fact_id, place, phrase, text)


def _build_network(name: str, network: _Network, maps: Sequence[str], ledger: Ledger) -> Row:
    fact = f"resnet.t6.{name.removeprefix('ResNet-')}"
    return Row(
        (
            Cell(name),
            Cell(str(network.blocks or "-"), network.blocks or None),
            *(Cell(str(network.layers.get(size, 0)), network.layers.get(size, 0)) for size in maps),
            ledger.write_number(f"{fact}.layers", name, network.depth),
            ledger.write_number(f"{fact}.params", name, network.params),
        )
    )
