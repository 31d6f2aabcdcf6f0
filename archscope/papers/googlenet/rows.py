"""The rows of GoogLeNet's Table 1, read from its trace, and how a printed figure of a row contradicts another.

Convolutions between two pools are one row, the 1x1 ones before the last its reduction; an inception module is one row,
its branches told apart by what they hold.

Two contradictions can be computed. A row's params times its positions must give its ops, within the rounding of both.
And from the params of an inception row follow the channels it reads, which the row above prints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

from archscope.papers.measurement import MeasureError
from archscope.papers.networks import Convolution, Net, classify_op
from archscope.papers.published import PrintedNumber, list_numbers, read_amount
from archscope.papers.registry import Case

BRANCHES = ("#1x1", "#3x3 reduce", "#3x3", "#5x5 reduce", "#5x5", "pool proj")
"""Columns of Table 1."""
NAMES = {
    "conv": "conv{number}",
    "pool": "pool{number}",
    "block": "{suffix}",
    "avgpool": "avgpool",
    "dropout": "dropout",
    "fc": "linear",
}
"""Of rows, by the kind of their layers: `inception_3a` is `3a`. Other kinds have no row."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of the table."""

    name: str
    """As the figures name it: `conv1`, `pool1`, `3a`, `avgpool`, `linear`, ..."""
    kind: str
    """As `Net.kind`; `softmax` for the last row, which is the loss's."""
    paths: tuple[str, ...]
    """The modules that make it; none for the soft-max."""
    above: str = ""
    """The row whose output it reads; empty where nothing stands above."""


def list_rows(net: Net) -> tuple[TableRow, ...]:
    """Every row, in order."""
    layers = [(net.kind(layer), layer.path) for layer in net.children()]
    shown = [(kind, path) for kind, path in layers if kind in NAMES]
    rows: list[TableRow] = []
    for _, run in groupby(shown, key=lambda layer: "conv" if layer[0] == "conv" else layer):
        kinds, paths = zip(*run, strict=True)
        number = 1 + sum(row.kind == kinds[0] for row in rows)
        name = NAMES[kinds[0]].format(number=number, suffix=paths[0].rpartition("_")[2])
        rows.append(TableRow(name, kinds[0], paths, rows[-1].name if rows else ""))
    return (*rows, TableRow("softmax", "softmax", ()))


def find_row(net: Net, name: str) -> TableRow:
    """The row of that name. Raises MeasureError where the network has none."""
    row = next((row for row in list_rows(net) if row.name == name), None)
    if row is None:
        raise MeasureError(f"{net.trace.target} has no row {name}")
    return row


def read_branches(net: Net, row: TableRow) -> dict[str, Convolution]:
    """By column: the convolutions of an inception module, or of a row that has a reduction before its convolution."""
    if row.kind == "conv" and len(row.paths) > 1:
        return _name_branch([net.convolution(path) for path in row.paths])
    found: dict[str, Convolution] = {}
    for branch in net.children(row.paths[0]) if row.kind == "block" else ():
        pools = any(classify_op(op) == "pool" for op in net.ops(branch.path))
        found |= _name_branch(net.convolutions(branch.path), "pool proj" if pools else "")
    return found


def _name_branch(convolutions: Sequence[Convolution], name: str = "") -> dict[str, Convolution]:
    """`#3x3 reduce` and `#3x3`, for a 1x1 convolution and a 3x3 one after it."""
    if not convolutions:
        return {}
    *before, last = convolutions
    name = name or f"#{last.size}"
    return {f"{name} reduce": found for found in before} | {name: last}


def find_conflict(case: Case) -> str:
    """How the printed params or ops of a row contradict another printed figure; empty where they do not."""
    net = case.net("googlenet")
    row = find_row(net, case.part(1))
    return _contradict_inputs(case, net, row) or _contradict_product(case, net, row)


def _read_pair(case: Case, name: str) -> tuple[PrintedNumber, PrintedNumber] | None:
    facts = [case.facts.get(f"googlenet.{name}.{column}") for column in ("params", "ops")]
    numbers = [read_amount(fact) for fact in facts if fact is not None]
    return (numbers[0], numbers[1]) if len(numbers) == 2 and numbers[0] and numbers[1] else None


def _contradict_product(case: Case, net: Net, row: TableRow) -> str:
    """Printed params times positions against printed ops; a conflict of the params where the ops are right."""
    pair = _read_pair(case, row.name)
    if pair is None or not case.fact.id.endswith(".params"):
        return ""
    params, ops = pair
    height, width, _ = net.hwc(row.paths[-1])
    low, high = ((params.value + sign * params.step / 2) * height * width for sign in (-1, 1))
    if low <= ops.value + ops.step / 2 and high >= ops.value - ops.step / 2:
        return ""
    product = params.value * height * width
    shown = case.facts[case.fact.id.replace(".params", ".ops")].published
    return (
        f"the row's own ops: {float(params.value / 1024):g}*1024*{height}*{width} = {int(product):,}, "
        f"but {shown} is printed"
    )


def _contradict_inputs(case: Case, net: Net, row: TableRow) -> str:
    """The input channels that printed params and ops both imply against those that the row above prints."""
    pair = _read_pair(case, row.name)
    above = case.facts.get(f"googlenet.{row.above}.output_size")
    if pair is None or above is None or row.kind != "block":
        return ""
    implied = _solve_inputs(net, row, pair[0].value)
    stated = int(list_numbers(above.published)[-1].value)
    height, width, _ = net.hwc(row.paths[0])
    ops = pair[0].value * height * width
    if implied is None or implied == stated or abs(ops - pair[1].value) > pair[1].step / 2:
        return ""
    return (
        f"{float(pair[0].value / 1024):g}*1024 = {int(pair[0].value):,} weights (and {int(ops):,} ops) need {implied} "
        f"input channels, but {stated} are printed for what the row reads"
    )


def _solve_inputs(net: Net, row: TableRow, weights: Fraction) -> int | None:
    """Input channels of an inception module of the traced widths with that many weights; None where not whole."""
    branches = read_branches(net, row)
    inner = sum(branches.pop(name).weights for name in ("#3x3", "#5x5"))
    channels = (weights - inner) / sum(found.out_channels for found in branches.values())
    return int(channels) if channels.denominator == 1 and channels > 0 else None
