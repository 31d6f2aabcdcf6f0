"""Rows of GoogLeNet's Table 1: a figure goes in; how it contradicts another figure of the table comes out.

Two contradictions can be computed. A row's params times its positions must give its ops, within the rounding of both.
And from the params of an inception row follow the channels it reads, which the row above prints.
"""

from dataclasses import dataclass
from fractions import Fraction

from archscope.papers.networks import Net, arrange_hwc
from archscope.papers.published import PrintedNumber, list_numbers, read_amount
from archscope.papers.registry import Case


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of the table."""

    paths: tuple[str, ...]
    """The modules that make it; empty for the soft-max, which is the loss's."""
    above: str = ""
    """The row whose output it reads; only for inception rows."""


ROWS = {
    "conv1": TableRow(("conv1",)),
    "pool1": TableRow(("pool1",)),
    "conv2": TableRow(("conv2_reduce", "conv2")),
    "pool2": TableRow(("pool2",)),
    "3a": TableRow(("inception_3a",), "pool2"),
    "3b": TableRow(("inception_3b",), "3a"),
    "pool3": TableRow(("pool3",)),
    "4a": TableRow(("inception_4a",), "pool3"),
    "4b": TableRow(("inception_4b",), "4a"),
    "4c": TableRow(("inception_4c",), "4b"),
    "4d": TableRow(("inception_4d",), "4c"),
    "4e": TableRow(("inception_4e",), "4d"),
    "pool4": TableRow(("pool4",)),
    "5a": TableRow(("inception_5a",), "pool4"),
    "5b": TableRow(("inception_5b",), "5a"),
    "avgpool": TableRow(("avgpool",)),
    "dropout": TableRow(("dropout",)),
    "linear": TableRow(("fc",)),
    "softmax": TableRow(()),
}


def find_row(name: str) -> TableRow:
    """The row of that name."""
    return ROWS[name]


def find_conflict(case: Case) -> str:
    """How the printed params or ops of a row contradict another printed figure; empty where they do not."""
    net, name = case.net("googlenet"), case.part(1)
    return _contradict_inputs(case, net, name) or _contradict_product(case, net, name)


def _read_pair(case: Case, name: str) -> tuple[PrintedNumber, PrintedNumber] | None:
    facts = [case.facts.get(f"googlenet.{name}.{column}") for column in ("params", "ops")]
    numbers = [read_amount(fact) for fact in facts if fact is not None]
    return (numbers[0], numbers[1]) if len(numbers) == 2 and numbers[0] and numbers[1] else None


def _contradict_product(case: Case, net: Net, name: str) -> str:
    """Printed params times positions against printed ops; a conflict of the params where the ops are right."""
    pair, row = _read_pair(case, name), find_row(name)
    if pair is None or not case.fact.id.endswith(".params"):
        return ""
    params, ops = pair
    height, width, _ = arrange_hwc(net.shape(row.paths[-1]))
    low, high = ((params.value + sign * params.step / 2) * height * width for sign in (-1, 1))
    if low <= ops.value + ops.step / 2 and high >= ops.value - ops.step / 2:
        return ""
    product = params.value * height * width
    shown = case.facts[case.fact.id.replace(".params", ".ops")].published
    return (
        f"the row's own ops: {float(params.value / 1024):g}*1024*{height}*{width} = {int(product):,}, "
        f"but {shown} is printed"
    )


def _contradict_inputs(case: Case, net: Net, name: str) -> str:
    """The input channels that printed params and ops both imply against those that the row above prints."""
    pair, row = _read_pair(case, name), find_row(name)
    above = case.facts.get(f"googlenet.{row.above}.output_size")
    if pair is None or above is None:
        return ""
    implied = _solve_inputs(net, row.paths[0], pair[0].value)
    stated = int(list_numbers(above.published)[-1].value)
    height, width, _ = arrange_hwc(net.shape(row.paths[0]))
    ops = pair[0].value * height * width
    if implied is None or implied == stated or abs(ops - pair[1].value) > pair[1].step / 2:
        return ""
    return (
        f"{float(pair[0].value / 1024):g}*1024 = {int(pair[0].value):,} weights (and {int(ops):,} ops) need {implied} "
        f"input channels, but {stated} are printed for what the row reads"
    )


def _solve_inputs(net: Net, path: str, weights: Fraction) -> int | None:
    """Input channels of an inception module of the traced widths with that many weights; None where not whole."""
    first = [net.convolution(f"{path}.{branch}") for branch in ("branch1x1.conv", "branch3x3.reduce")]
    first += [net.convolution(f"{path}.{branch}") for branch in ("branch5x5.reduce", "branch_pool.project")]
    inner = sum(net.convolution(f"{path}.{branch}").weights for branch in ("branch3x3.conv", "branch5x5.conv"))
    channels = (weights - inner) / sum(found.out_channels for found in first)
    return int(channels) if channels.denominator == 1 and channels > 0 else None
