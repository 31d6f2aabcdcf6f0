"""Numbers that the explanations of GoogLeNet's figures name beside the measured value."""

from fractions import Fraction

from archscope.papers.googlenet.rows import TableRow, list_rows, read_branches
from archscope.papers.networks import Convolution, Net
from archscope.papers.published import read_amount
from archscope.papers.registry import Case

SEPARABLE_MULTIPLIER = 8
"""Of the separable first layer that Ioffe and Szegedy 2015 describe."""


def list_row_terms(case: Case, net: Net, row: TableRow) -> dict[str, int | Fraction]:
    """What explanations of the row's params and ops name: its maps, what it reads, the other printed figures."""
    height, width, _ = net.hwc(row.paths[-1])
    reads = net.hwc(row.above)[2] if net.has(row.above) else net.layer(row.paths[0]).inputs[0].shape[1]
    terms: dict[str, int | Fraction] = {
        "weights": net.weights(*row.paths),
        "height": height,
        "width": width,
        "reads": reads,
    }
    if row.kind == "block":
        branches = read_branches(net, row)
        inner = sum(branches.pop(name).weights for name in ("#3x3", "#5x5"))
        terms |= {"inner": inner, "reducers": sum(found.out_channels for found in branches.values())}
    if row.kind == "conv":
        terms |= weigh_separable(net)
    for column in ("params", "ops", "output_size"):
        name = row.above if column == "output_size" else row.name
        fact = case.facts.get(f"googlenet.{name}.{column}")
        number = read_amount(fact, -1 if column == "output_size" else None) if fact is not None else None
        terms |= {f"printed_{column}": number.value} if number is not None else {}
    return terms


def weigh_separable(net: Net) -> dict[str, int | Fraction]:
    """The first layer, and the weights of its separable form."""
    first = net.convolutions()[0]
    deep = first.in_channels * SEPARABLE_MULTIPLIER
    return {
        "kernel": first.side,
        "inputs": first.in_channels,
        "outputs": first.out_channels,
        "multiplier": SEPARABLE_MULTIPLIER,
        "separable": first.side**2 * deep + deep * first.out_channels,
    }


def list_torchvision_fives(net: Net) -> list[Convolution]:
    """What torchvision has in place of the 5x5 convolutions."""
    branches = [f"{child.path}.branch3" for child in net.children() if net.has(f"{child.path}.branch3")]
    return [net.convolutions(path)[-1] for path in branches]


def compare_torchvision(net: Net, ours: Net) -> dict[str, int]:
    """Weights of the 5x5 convolutions here and there, the biases of ours, all parameters of torchvision's."""
    theirs = list_torchvision_fives(net)
    fives = sum(read_branches(ours, row)["#5x5"].weights for row in list_rows(ours) if row.kind == "block")
    return {
        "kernel": theirs[0].side,
        "fives": fives,
        "threes": sum(found.weights for found in theirs),
        "biases": sum(found.out_channels for found in ours.convolutions()),
        "net_params": net.params(),
    }
