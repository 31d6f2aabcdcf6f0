"""ResNet on CIFAR-10: section 4.2 and Table 6, measured, and the table that shows both.

The paper prints the form: 1+2n, 2n and 2n layers of 16, 32 and 64 filters on maps of 32x32, 16x16 and 8x8. The table
fits it through what the networks have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest

from archscope.core.table import Cell, Column, Row, Table
from archscope.papers.layout import CellWriter, Shown, join_distinct
from archscope.papers.measurement import Claim, Every, Measurement, Phrase
from archscope.papers.networks import Net, Networks
from archscope.papers.registry import Case
from archscope.papers.resnet.blocks import count_additions, count_blocks, count_main, list_stages
from archscope.papers.resnet.measures import PAPER, measure_depth

DEPTHS = (20, 32, 44, 56, 110)
"""Of the networks that the general statements are tried on."""
TABLE_6 = (*DEPTHS, 1202)
"""Of the networks that Table 6 lists."""
SIDES = (32, 16, 8)
"""Of the maps of each stage, as printed."""

NOTES = (
    "n: residual blocks of two 3x3 convolutions on each map size; then average pool, 10-way fc, softmax (the loss)",
    "shortcuts are option A (zero padding), so residual and plain networks have the same parameters",
)


def _find_network(case: Case) -> Net:
    """The network of `resnet.t6.20.params` is resnet20."""
    return case.net(f"resnet{case.part(2)}")


@PAPER.measures(id="resnet.t6.*.layers")
def measure_layers(case: Case) -> Measurement:
    """Layers with weights."""
    return measure_depth(_find_network(case))


@PAPER.measures(id="resnet.t6.*.params")
def measure_params(case: Case) -> Measurement:
    """Parameters with option A shortcuts."""
    return _find_network(case).measure_params()


def find_n(net: Net) -> int:
    """The paper's n: the blocks of a stage, 0 where stages differ."""
    counts = set(count_blocks(net))
    return counts.pop() if len(counts) == 1 else 0


@PAPER.measures(id="resnet.cifar.6n2")
def measure_depth_rule(case: Case) -> Measurement:
    """The depth of each network against 6n+2."""
    nets = [case.net(f"resnet{depth}") for depth in DEPTHS]
    depths = tuple(net.depth() for net in nets)
    form = _write_depth_form([(find_n(net), net.depth()) for net in nets])
    return Measurement(", ".join(map(str, depths)), depths, Phrase(form), _write_steps(form, nets, depths))


@PAPER.measures(id="resnet.cifar.3n")
def measure_shortcut_rule(case: Case) -> Measurement:
    """Residual additions of each network against 3n."""
    nets = [case.net(f"resnet{depth}") for depth in DEPTHS]
    counts = tuple(count_additions(net) for net in nets)
    form = fit_form([(find_n(net), count) for net, count in zip(nets, counts, strict=True)])
    return Measurement(", ".join(map(str, counts)), counts, Phrase(form), _write_steps(form, nets, counts))


def _write_steps(form: str, nets: Sequence[Net], counts: Sequence[int]) -> str:
    """`6*3 + 2 = 20; ...`; empty where no line holds them all."""
    steps = (
        f"{form.replace('n', f'*{find_n(net)}').replace('+', ' + ')} = {count}"
        for net, count in zip(nets, counts, strict=True)
    )
    return "; ".join(steps) if form else ""


def _write_depth_form(counts: Sequence[tuple[int, int]]) -> str:
    """`6n+2`, as the paper has it."""
    return "+".join(reversed(fit_form(counts).split("+")))


@PAPER.measures(id="resnet.cifar.s?")
def measure_printed_stage(case: Case) -> Measurement:
    """Layers and filters on maps of one size, in ResNet-20 (n = 3)."""
    return _measure_stage(case, case.net("resnet20"))


@PAPER.measures(id="resnet.t6.*.s?")
def measure_stage(case: Case) -> Measurement:
    """The same of any network."""
    return _measure_stage(case, _find_network(case))


def _measure_stage(case: Case, net: Net) -> Measurement:
    """The value is (layers, filters); the stem's layer is the first stage's."""
    number = int(case.part(-1).removeprefix("s"))
    stage = list_stages(net)[number - 1]
    blocks, layers, stem = find_n(net), count_main(net, stage), int(number == 1)
    height, _, filters = net.hwc(stage)
    each = Fraction(layers, blocks) if blocks else 0
    arithmetic = f"{f'{stem} + ' if stem else ''}{each}*{blocks} = {stem + layers}"
    form = Phrase(f"{f'{stem}+' if stem else ''}{each}n layers, {filters} filters")
    reading = Every((form, Claim((height,) == SIDES[number - 1 : number])))
    return Measurement(f"{stem + layers} layers, {filters} filters", (stem + layers, filters), reading, arithmetic)


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


@dataclass(frozen=True, slots=True)
class _Network:
    """One row, as measured."""

    n: int
    depth: int
    stages: tuple[tuple[int, int], ...]
    """(layers, filters) of each."""


def build_cifar_table(networks: Networks) -> Table:
    """A row for each network of Table 6, a column for each size of the maps."""
    nets = {depth: networks.trace(f"resnet{depth}") for depth in TABLE_6}
    cells = CellWriter(PAPER, networks)
    sizes = _list_sizes(list(nets.values()))
    measured = {depth: _measure_network(cells, depth, net, len(sizes)) for depth, net in nets.items()}
    rows = _build_forms(cells, sizes, list(measured.values()))
    for depth, network in measured.items():
        name, n = f"ResNet-{depth}", Cell(str(network.n or "-"), network.n or None)
        layers = [Cell(str(count), count) for count, _ in network.stages]
        totals = [cells.write_number(f"resnet.t6.{depth}.{total}", name) for total in ("layers", "params")]
        rows.append(Row((Cell(name), n, *layers, *totals), kind="section" if depth == TABLE_6[0] else "body"))
    return Table(
        title="ResNet for CIFAR-10: section 4.2 and Table 6 (He et al. 2015)",
        columns=(
            Column("output map size", "output map size"),
            Column("n", "n", align="right"),
            *(Column(size, size, align="right") for size in sizes),
            Column("layers", "# layers", align="right"),
            Column("params", "# params", align="right"),
        ),
        rows=tuple(rows),
        notes=(*NOTES, *cells.list_notes()),
    )


def _list_sizes(nets: Sequence[Net]) -> list[str]:
    """`32x32`, ...: the maps of each stage that any of the networks has."""
    stages = zip_longest(*([net.hwc(stage)[:2] for stage in list_stages(net)] for net in nets))
    return [join_distinct([f"{size[0]}x{size[1]}" for size in sizes if size]) for sizes in stages]


def _measure_network(cells: CellWriter, depth: int, net: Net, count: int) -> _Network:
    """With zeros for a stage that it has not."""
    stages = []
    for number in range(1, 1 + count):
        found = cells.measure(f"resnet.t6.{depth}.s{number}")
        match found.value if found is not None else None:
            case (int(layers), int(filters)):
                stages.append((layers, filters))
            case _:
                stages.append((0, 0))
    return _Network(find_n(net), net.depth(), tuple(stages))


def _build_forms(cells: CellWriter, sizes: Sequence[str], networks: Sequence[_Network]) -> list[Row]:
    """The lines through the layers of each stage and of the whole, and the filters."""
    forms, filters = [], []
    for number, size in enumerate(sizes):
        figure, form = f"resnet.cifar.s{number + 1}", fit_form([(net.n, net.stages[number][0]) for net in networks])
        widths = join_distinct([str(net.stages[number][1]) for net in networks])
        forms.append(cells.compare(figure, size, Shown(form, phrase=f"{form} layers")))
        filters.append(cells.compare(figure, size, Shown(widths, phrase=f"{widths} filters")))
    whole = _write_depth_form([(net.n, net.depth) for net in networks])
    depth = cells.compare("resnet.cifar.6n2", "# layers", Shown(whole))
    return [
        Row((Cell("# layers"), Cell(""), *forms, depth, Cell(""))),
        Row((Cell("# filters"), Cell(""), *filters, Cell(""), Cell(""))),
    ]
