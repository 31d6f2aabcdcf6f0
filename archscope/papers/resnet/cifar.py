"""ResNet on CIFAR-10: section 4.2 and Table 6, measured, and the table that shows both.

The paper prints the form: 1+2n, 2n and 2n layers of 16, 32 and 64 filters on maps of 32x32, 16x16 and 8x8. The table
fits it through what the networks have.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction

from archscope.core.table import Cell, Column, Row, Table
from archscope.papers.layout import CellWriter, Shown, join_distinct
from archscope.papers.measurement import Claim, Measurement
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
    holds = all(net.depth() == 6 * find_n(net) + 2 for net in nets)
    steps = "; ".join(f"6*{find_n(net)} + 2 = {6 * find_n(net) + 2}" for net in nets)
    return Measurement(", ".join(map(str, depths)), depths, Claim(holds), steps)


@PAPER.measures(id="resnet.cifar.3n")
def measure_shortcut_rule(case: Case) -> Measurement:
    """Residual additions of each network against 3n."""
    nets = [case.net(f"resnet{depth}") for depth in DEPTHS]
    counts = tuple(count_additions(net) for net in nets)
    holds = all(count_additions(net) == 3 * find_n(net) for net in nets)
    steps = "; ".join(f"3*{find_n(net)} = {3 * find_n(net)}" for net in nets)
    return Measurement(", ".join(map(str, counts)), counts, Claim(holds), steps)


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
    fits = layers == 2 * blocks and (height,) == SIDES[number - 1 : number]
    arithmetic = f"{f'{stem} + ' if stem else ''}2*{blocks} = {stem + layers}"
    reading = Claim(fits and case.fact.published.endswith(f"{filters} filters"))
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


def build_cifar_table(networks: Networks) -> Table:
    """A row for each network of Table 6, a column for each size of the maps."""
    nets = {depth: networks.trace(f"resnet{depth}") for depth in TABLE_6}
    cells = CellWriter(PAPER, networks)
    stages = range(1, 1 + max(len(list_stages(net)) for net in nets.values()))
    counts = {depth: [_count_stage(cells, depth, stage) for stage in stages] for depth in TABLE_6}
    sizes = [_write_sizes(nets.values(), stage) for stage in stages]
    rows = [
        _build_forms(cells, sizes, [(find_n(nets[depth]), counts[depth], nets[depth].depth()) for depth in TABLE_6]),
        _build_filters(cells, sizes, list(counts.values())),
    ]
    for depth in TABLE_6:
        name, n = f"ResNet-{depth}", find_n(nets[depth])
        totals = [cells.write_number(f"resnet.t6.{depth}.{total}", name) for total in ("layers", "params")]
        layers = [Cell(str(count), count) for count, _ in counts[depth]]
        first = Cell(str(n or "-"), n or None)
        rows.append(Row((Cell(name), first, *layers, *totals), kind="section" if depth == TABLE_6[0] else "body"))
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


def _count_stage(cells: CellWriter, depth: int, stage: int) -> tuple[int, int]:
    """(layers, filters) as measured; zeros where the network has no such stage."""
    found = cells.measure(f"resnet.t6.{depth}.s{stage}")
    match found.value if found is not None else None:
        case (int(layers), int(filters)):
            return layers, filters
    return 0, 0


def _write_sizes(nets: Iterable[Net], stage: int) -> str:
    """`32x32`: the maps of a stage in the networks that have it."""
    paths = [(net, list_stages(net)[stage - 1 : stage]) for net in nets]
    return join_distinct(["{}x{}".format(*net.hwc(path)) for net, found in paths for path in found])


def _build_forms(
    cells: CellWriter, sizes: Sequence[str], networks: Sequence[tuple[int, Sequence[tuple[int, int]], int]]
) -> Row:
    """The lines through the counts of the networks, each with its n, its stages and its depth."""
    row = [Cell("# layers"), Cell("")]
    for number, size in enumerate(sizes):
        form = fit_form([(n, stages[number][0]) for n, stages, _ in networks])
        row.append(cells.compare(f"resnet.cifar.s{number + 1}", size, Shown(form, phrase=f"{form} layers")))
    turned = "+".join(reversed(fit_form([(n, depth) for n, _, depth in networks]).split("+")))
    return Row((*row, cells.compare("resnet.cifar.6n2", "# layers", Shown(turned)), Cell("")))


def _build_filters(cells: CellWriter, sizes: Sequence[str], networks: Sequence[Sequence[tuple[int, int]]]) -> Row:
    row = [Cell("# filters"), Cell("")]
    for number, size in enumerate(sizes):
        widths = join_distinct([str(stages[number][1]) for stages in networks])
        row.append(cells.compare(f"resnet.cifar.s{number + 1}", size, Shown(widths, phrase=f"{widths} filters")))
    return Row((*row, Cell(""), Cell("")))
