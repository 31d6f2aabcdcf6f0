"""What the VGG paper prints, measured: Tables 1 and 2, the stacks of section 2.3, and the arithmetic of the text."""

import re
from dataclasses import dataclass
from fractions import Fraction

from archscope.papers.measurement import (
    Amount,
    MeasureError,
    Measurement,
    Numbers,
    Phrase,
    measure_amount,
    measure_fraction,
    measure_numbers,
    measure_phrase,
)
from archscope.papers.networks import Convolution, Net
from archscope.papers.published import list_numbers
from archscope.papers.registry import Case, Paper
from archscope.papers.vgg.walk import WalkItem, count_kinds, walk_vgg

PAPER = Paper("simonyan2014_vgg")
COLUMNS = {
    "A": "vgg11",
    "A-LRN": "vgg11_lrn",
    "B": "vgg13",
    "C": "vgg16c",
    "D": "vgg16",
    "E": "vgg19",
}
"""The built-in model of each column of Table 1."""

TRAINING_IMAGES = 1_281_167
"""Of the ILSVRC-2012 classification set (Russakovsky et al. 2015, Table 2)."""


def _find_column(case: Case) -> Net:
    """The network of `vgg.t1.A-LRN.conv1_1` is that of column A-LRN."""
    return case.net(COLUMNS[case.part(2)])


def measure_column_layers(net: Net) -> Measurement:
    """Layers with weights on the way from image to scores."""
    convolutions, linear = count_kinds(net)
    return measure_amount(net.depth(), f"{convolutions} + {linear} = {convolutions + linear}")


def _find_item(case: Case) -> tuple[Net, WalkItem]:
    net, name = _find_column(case), case.part(3)
    item = next((item for item in walk_vgg(net) if item.name == name), None)
    if item is None:
        raise MeasureError("no layer of the network stands in this place")
    return net, item


@PAPER.measures(id="vgg.t1.*.conv?_*")
def measure_convolution(case: Case) -> Measurement:
    """`conv3-64`."""
    net, item = _find_item(case)
    found = net.convolution(item.layer.path)
    return measure_phrase(f"conv{found.side}-{found.out_channels}", (found.side, found.out_channels))


@PAPER.measures(id="vgg.t1.*.pool?")
def measure_max_pool(case: Case) -> Measurement:
    """`maxpool`, which section 2.1 says is 2x2 of stride 2."""
    net, item = _find_item(case)
    window = net.window(item.layer.path)
    return measure_phrase("maxpool" if window == (2, 2) else f"maxpool {window[0]}x{window[0]}/{window[1]}", window)


@PAPER.measures(id="vgg.t1.*.fc*")
def measure_fc(case: Case) -> Measurement:
    """`FC-4096`."""
    net, item = _find_item(case)
    outputs = net.features(item.layer.path)[1]
    return measure_phrase(f"FC-{outputs}", outputs)


@PAPER.measures(id="vgg.t1.*.lrn")
def measure_norm(case: Case) -> Measurement:
    """The normalisation of the stage; its value is how many there are."""
    stage = case.part(3).removeprefix("stage")
    found = [item for item in walk_vgg(_find_column(case)) if item.name == f"lrn{stage}"]
    return measure_phrase("LRN" if found else "none", len(found))


@PAPER.measures(id="vgg.t1.*.weight_layers")
def measure_weight_layers(case: Case) -> Measurement:
    """Of one column."""
    return measure_column_layers(_find_column(case))


@PAPER.measures(id="vgg.t1.C.n1x1")
def measure_pointwise(case: Case) -> Measurement:
    """1x1 convolutions of column C."""
    found = case.net("vgg16c").convolutions()
    usual = max(convolution.side for convolution in found)
    others = [convolution for convolution in found if convolution.side != usual]
    sizes = sorted({convolution.kernel for convolution in others})
    return Measurement(
        f"{len(others)}", len(others), Numbers((len(others), *(side for size in sizes for side in size)))
    )


@PAPER.measures(id="vgg.t2.c_vs_d")
def measure_columns_c_and_d(case: Case) -> Measurement:
    """Parameters of both columns, to the nearest million."""
    counts = tuple(case.net(COLUMNS[column]).params() for column in "CD")
    millions = tuple((count + 500_000) // 1_000_000 for count in counts)
    text = " vs ".join(f"{count:,}" for count in counts)
    return Measurement(text, counts, Numbers(millions))


@PAPER.measures(id="vgg.t2.*")
def measure_params(case: Case) -> Measurement:
    """Parameters of one column."""
    return _find_column(case).measure_params()


@PAPER.measures(id="vgg.input")
def measure_input(case: Case) -> Measurement:
    """The image that the traced network read."""
    return measure_numbers(*case.net("vgg16").image)


def _trace_stack(case: Case, *words: int | str) -> list[Convolution]:
    """Convolutions on maps of 64 channels, after a first one that makes them."""
    return case.net("vgg", cfg=[64, *words], classifier="none").convolutions()[1:]


@dataclass(frozen=True, slots=True)
class _Stacks:
    """Three 3x3 convolutions and one 7x7, traced."""

    small: list[Convolution]
    large: Convolution

    @property
    def channels(self) -> int:
        """Of the maps."""
        return self.large.in_channels

    @property
    def weights(self) -> tuple[int, int]:
        """Of the small ones together, and of the large one."""
        return sum(found.weights for found in self.small), self.large.weights

    @property
    def terms(self) -> dict[str, int | Fraction]:
        """For explanations."""
        return {"count": len(self.small), "small": self.small[0].side, "large": self.large.side}


def _weigh_stacks(case: Case) -> _Stacks:
    return _Stacks(_trace_stack(case, 64, 64, 64), _trace_stack(case, "conv7-64")[0])


@PAPER.measures(id="vgg.stack.params")
def measure_stack_weights(case: Case) -> Measurement:
    """Weights in units of C^2, of traced stacks on 64 channels."""
    stacks = _weigh_stacks(case)
    channels, (three, one) = stacks.channels, stacks.weights
    units = (three // channels**2, one // channels**2)
    arithmetic = f"{three:,}/{channels}^2 = {units[0]}; {one:,}/{channels}^2 = {units[1]}"
    small, large = (f"{found.side}^2 C^2" for found in (stacks.small[0], stacks.large))
    words = Phrase(f"{len(stacks.small)}({small}) = {units[0]}C^2 vs {large} = {units[1]}C^2")
    return Measurement(f"{units[0]}C^2 vs {units[1]}C^2", units, words, arithmetic, terms=stacks.terms)


@PAPER.measures(id="vgg.stack.pct")
def measure_stack_share(case: Case) -> Measurement:
    """How much more one 7x7 weighs."""
    stacks = _weigh_stacks(case)
    three, one = stacks.weights
    more = 100 * (Fraction(one, three) - 1)
    arithmetic = f"100*({one:,}/{three:,} - 1) = {float(more):.2f}"
    return Measurement(f"{float(more):.2f} % more", (one, three), Amount(more), arithmetic, terms=stacks.terms)


@PAPER.measures(quantity="receptive_field")
def measure_receptive_field(case: Case) -> Measurement:
    """Of a traced stack of 3x3 convolutions."""
    count = 2 if "two" in case.fact.where else 3
    side, jump, steps = 1, 1, ["1"]
    for found in _trace_stack(case, *[64] * count):
        side += (found.side - 1) * jump
        steps.append(f"({found.side} - 1)*{jump}")
        jump *= found.stride
    return measure_numbers(side, side, arithmetic=f"{' + '.join(steps)} = {side}")


@PAPER.measures(id="vgg.epochs")
def measure_epochs(case: Case) -> Measurement:
    """Passes over the training set of the printed iterations with the printed batch (section 3.1)."""
    iterations, batch = 1000 * list_numbers(case.fact.published)[0].value, case.printed("vgg.train.batch")
    seen = int(iterations * batch)
    epochs = Fraction(seen, TRAINING_IMAGES)
    arithmetic = f"{iterations}*{batch}/{TRAINING_IMAGES} = {float(epochs):.2f}"
    terms: dict[str, int | Fraction] = {"iterations": iterations, "batch": batch, "images": TRAINING_IMAGES}
    return Measurement(f"{float(epochs):.2f}", (seen, TRAINING_IMAGES), Amount(epochs, at=1), arithmetic, terms=terms)


@PAPER.measures(id="vgg.crops")
def measure_crops(case: Case) -> Measurement:
    """Crops of the printed grid and its reflection, over the printed scales (section 3.2)."""
    rows, columns, flips, scales = (int(list_numbers(case.fact.published)[at].value) for at in (1, 2, 3, 5))
    crops = rows * columns * flips
    arithmetic = f"{rows}*{columns}*{flips} = {crops}; {scales}*{crops} = {scales * crops}"
    reading = Numbers((crops, scales * crops), at=(0, 4))
    return Measurement(f"{crops} and {scales * crops}", (crops, scales * crops), reading, arithmetic)


@PAPER.measures(id="vgg.q_jitter")
def measure_test_scale(case: Case) -> Measurement:
    """The mean of the printed training scales."""
    found = re.search(r"\[(\d+);(\d+)\]", case.facts["vgg.train.scales"].published)
    if found is None:
        raise MeasureError("no range of training scales is printed")
    low, high = int(found[1]), int(found[2])
    share = list_numbers(case.fact.published)[0].value
    middle = int(share * (low + high))
    arithmetic = f"{float(share):g}*({low} + {high}) = {middle}"
    return Measurement(str(middle), middle, Amount(share * (low + high), at=-1), arithmetic)


@PAPER.measures(id="vgg.gap09")
def measure_gap(case: Case) -> Measurement:
    """Difference of two errors of Table 7."""
    theirs, ours = case.printed("vgg.t7.goog1.top5_error"), case.printed("vgg.t7.vgg1.top5_test_error")
    arithmetic = f"{float(theirs):.1f} - {float(ours):.1f} = {float(theirs - ours):.1f}"
    return measure_fraction(theirs - ours, f"{float(theirs - ours):.1f}", arithmetic)
