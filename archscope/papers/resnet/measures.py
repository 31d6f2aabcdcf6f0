"""What the ResNet paper prints of its ImageNet networks, measured: Table 1, the text's figures, and the shortcuts.

Table 1 is measured on networks that stride in a bottleneck's first 1x1, as published (v1).
"""

from dataclasses import replace
from fractions import Fraction

from archscope.papers.measurement import (
    Amount,
    Claim,
    Convention,
    Every,
    Measurement,
    Numbers,
    Phrase,
    measure_amount,
    measure_fraction,
    measure_numbers,
    measure_phrase,
)
from archscope.papers.networks import Convolution, Net
from archscope.papers.registry import Case, Paper
from archscope.papers.resnet.blocks import count_main, count_projections, describe_stage, list_blocks, list_stages

PAPER = Paper("he2015_resnet")
NETWORKS = {
    "18": "resnet18",
    "34": "resnet34",
    "50": "resnet50_v1",
    "101": "resnet101_v1",
    "152": "resnet152_v1",
}
"""The built-in model of each column of Table 1, by its number of layers."""
SIMILAR = 0.1
"""Costs within a tenth of each other are called similar."""


def _find_network(case: Case) -> Net:
    """The network of `resnet.t1.50.conv1` is that of the 50-layer column."""
    return case.net(NETWORKS[case.part(2)])


def _find_part(case: Case) -> tuple[Net, str]:
    """The network, and the path of the stage or layer that the figure is about: `conv2_x` is the first stage."""
    net, name = _find_network(case), case.part(3)
    return net, list_stages(net)[int(name[len("conv") : -len("_x")]) - 2] if name.endswith("_x") else name


@PAPER.measures(id="resnet.t1.*.conv1")
def measure_stem(case: Case) -> Measurement:
    """`7x7, 64, stride 2`."""
    found = _find_network(case).convolution("conv1")
    words = f"{found.size}, {found.out_channels}, stride {found.stride}"
    return measure_phrase(words, (found.side, found.out_channels, found.stride))


@PAPER.measures(id="resnet.t1.*.maxpool")
def measure_max_pool(case: Case) -> Measurement:
    """`3x3 max pool, stride 2`."""
    kernel, stride = _find_network(case).window("maxpool")
    return measure_phrase(f"{kernel}x{kernel} max pool, stride {stride}", (kernel, stride))


@PAPER.measures(id="resnet.t1.*.output")
def measure_output(case: Case) -> Measurement:
    """HxW after a stage."""
    net, path = _find_part(case)
    return measure_numbers(*net.hwc(path)[:2])


@PAPER.measures(id="resnet.t1.*.blocks")
def measure_blocks(case: Case) -> Measurement:
    """`[1x1, 64; 3x3, 64; 1x1, 256] x3`; the value lists kernel and width of each convolution, then the count."""
    net, stage = _find_part(case)
    blocks = list_blocks(net, stage)
    sizes = tuple(size for found in blocks[0].main for size in (found.side, found.out_channels))
    return measure_phrase(describe_stage(net, stage), (*sizes, len(blocks)))


@PAPER.measures(id="resnet.t1.*.head")
def measure_head(case: Case) -> Measurement:
    """Average pool and classifier; the soft-max is the loss's."""
    net = _find_network(case)
    pooled = net.hwc("avgpool")[:2] == (1, 1) and net.kind(net.layer("avgpool")) == "avgpool"
    classes = net.features("fc")[1]
    return measure_phrase(f"{'average pool' if pooled else 'no average pool'}, {classes}-d fc, softmax", classes)


@PAPER.measures(id="resnet.t1.*.weight_layers")
def measure_weight_layers(case: Case) -> Measurement:
    """On the longest way, which leads through no shortcut."""
    return measure_depth(_find_network(case))


def measure_depth(net: Net) -> Measurement:
    """Stem, main paths of the stages, classifier."""
    parts = [1, *(count_main(net, stage) for stage in list_stages(net)), 1]
    arithmetic = f"{' + '.join(map(str, parts))} = {sum(parts)}"
    return measure_amount(net.depth(), arithmetic if sum(parts) == net.depth() else "")


@PAPER.measures(id="resnet.t1.34.flops")
def measure_macs_34(case: Case) -> Measurement:
    """With projections where shapes change; Table 2 and Figure 3 have the parameter-free option A."""
    net, free = _find_network(case), case.net("resnet34", shortcut="A")
    option = Convention("option A shortcuts", Amount(Fraction(free.macs())))
    found = measure_amount(net.macs(), f"{net.sum_macs()}; option A: {free.sum_macs()}", option)
    return replace(found, terms={"free": free.macs(), "params": net.params(), "free_params": free.params()})


@PAPER.measures(id="resnet.t1.*.flops")
def measure_macs(case: Case) -> Measurement:
    """Multiply-adds of one image, which the paper calls FLOPs."""
    return _find_network(case).measure_macs()


@PAPER.measures(id="resnet.t1.head152")
@PAPER.measures(id="resnet.text.50")
def measure_quoted_macs(case: Case) -> Measurement:
    """The same, as the text has them."""
    return case.net(NETWORKS[case.fact.model.removeprefix("ResNet-")]).measure_macs()


@PAPER.measures(id="resnet.plain34")
def measure_plain_macs(case: Case) -> Measurement:
    """Those of the plain network."""
    return case.net("plain34").measure_macs()


@PAPER.measures(id="resnet.t1.stride")
def measure_stride(case: Case) -> Measurement:
    """Which convolutions of the published form halve the maps."""
    net = case.net("resnet50_v1")
    halving = {
        f"conv{number}_{place}": (block.main[0].stride, [found.stride for found in block.main[1:]])
        for number, stage in enumerate(list_stages(net), start=2)
        for place, block in enumerate(list_blocks(net, stage), start=1)
        if any(found.stride > 1 for found in block.main)
    }
    strides = tuple(first for first, _ in halving.values())
    text = f"stride {', '.join(map(str, strides))} in the first convolution of {', '.join(halving)}"
    words = " and ".join(str(stride) for stride in sorted(set(strides)))
    reading = Phrase(f"down-sampling by {', '.join(halving)} with stride {words}")
    only_first = Claim(all(set(others) == {1} for _, others in halving.values()))
    return Measurement(text, strides, Every((reading, only_first)))


@PAPER.measures(id="resnet.vgg16")
def measure_vgg16(case: Case) -> Measurement:
    """With the fully connected layers; without them under the convention that fits."""
    return _measure_vgg(case.net("vgg16"), "{whole:,} - {linear:,} = {convolutions:,}")


@PAPER.measures(id="resnet.vgg19")
def measure_vgg19(case: Case) -> Measurement:
    """The same."""
    return _measure_vgg(case.net("vgg19"), "{convolutions:,} + {linear:,} = {whole:,}")


def _measure_vgg(net: Net, arithmetic: str) -> Measurement:
    whole, convolutions, linear = net.macs(), net.convolution_macs(), net.macs("classifier")
    fewer = Convention("without the fully connected layers", Amount(Fraction(convolutions)))
    found = measure_amount(whole, arithmetic.format(whole=whole, convolutions=convolutions, linear=linear), fewer)
    return replace(found, terms={"convolutions": convolutions, "linear": linear})


@PAPER.measures(id="resnet.pct18")
def measure_share(case: Case) -> Measurement:
    """Of VGG-19's multiply-adds."""
    part, whole = case.net("plain34").macs(), case.net("vgg19").macs()
    share = 100 * Fraction(part, whole)
    arithmetic = f"100*{part:,}/{whole:,} = {float(share):.2f}"
    printed = case.printed("resnet.plain34"), case.printed("resnet.vgg19")
    terms = {"part": printed[0] / 10**9, "whole": printed[1] / 10**9}
    return Measurement(f"{float(share):.2f} %", (part, whole), Amount(share), arithmetic, terms=terms)


@PAPER.measures(id="resnet.8x")
def measure_depth_ratio(case: Case) -> Measurement:
    """Depth of the deepest network in that of the deepest VGG."""
    deep, vgg = case.net("resnet152_v1").depth(), case.net("vgg19").depth()
    ratio = Fraction(deep, vgg)
    return Measurement(f"{float(ratio):g} times", (deep, vgg), Amount(ratio), f"{deep}/{vgg} = {float(ratio):g}")


@PAPER.measures(id="resnet.lower")
def measure_lower(case: Case) -> Measurement:
    """ResNet-152 against both VGGs."""
    nets = [case.net(name) for name in ("resnet152_v1", "vgg16", "vgg19")]
    counts = tuple(net.macs() for net in nets)
    text = f"{counts[0]:,} against {counts[1]:,} and {counts[2]:,}"
    lower = Claim(counts[0] < min(counts[1:]))
    bare = nets[1].convolution_macs()
    fewer = Convention("VGG-16 without its fully connected layers", _read_billions(lower, counts[0], bare, counts[2]))
    return Measurement(text, counts, _read_billions(lower, *counts), conventions=(fewer,), terms={"bare": bare})


def _read_billions(claim: Claim, *counts: int) -> Every:
    amounts = (Amount(Fraction(count), at=at, scale=10**9) for at, count in enumerate(counts))
    return Every((claim, *amounts))


@PAPER.measures(id="resnet.2p8")
@PAPER.measures(id="resnet.3p5")
def measure_difference(case: Case) -> Measurement:
    """Of two errors of Table 2."""
    other = "res18" if case.fact.id.endswith("2p8") else "plain34"
    high, low = case.printed(f"resnet.t2.{other}.top1_error"), case.printed("resnet.t2.res34.top1_error")
    arithmetic = f"{float(high):.2f} - {float(low):.2f} = {float(high - low):.2f}"
    found = measure_fraction(high - low, f"{float(high - low):.2f}", arithmetic)
    return replace(found, terms={"high": high, "low": low})


@PAPER.measures(id="resnet.coco28")
def measure_coco(_: Case) -> Measurement:
    """Table 8 of the paper prints 21.2 for VGG-16 and 27.2 for ResNet-101 (mAP over thresholds .5 to .95)."""
    gain = 100 * (Fraction("27.2") - Fraction("21.2")) / Fraction("21.2")
    return measure_fraction(gain, f"{float(gain):.1f} %", f"100*(27.2 - 21.2)/21.2 = {float(gain):.1f}")


@PAPER.measures(id="resnet.91conv")
def measure_trunk(case: Case) -> Measurement:
    """Convolutions of the stem and the first three stages."""
    net = case.net("resnet101_v1")
    parts = [1, *(count_main(net, stage) for stage in list_stages(net)[:3])]
    return Measurement(
        f"{sum(parts)} conv layers",
        sum(parts),
        Numbers((sum(parts),)),
        f"{' + '.join(map(str, parts))} = {sum(parts)}",
    )


@PAPER.measures(id="resnet.fig5.bottle")
def measure_bottleneck(case: Case) -> Measurement:
    """Weights of a bottleneck on 256 channels against those of a basic block on 64."""
    bottleneck = list_blocks(case.net("resnet50_v1"))[1].main
    basic = list_blocks(case.net("resnet34"))[1].main
    ours, theirs = _weigh(bottleneck), _weigh(basic)
    text = f"{ours:,} against {theirs:,} weights"
    arithmetic = f"{_write(bottleneck)} = {ours:,}; {_write(basic)} = {theirs:,}"
    words = "similar" if abs(ours - theirs) <= SIMILAR * theirs else "other"
    return Measurement(text, ours, Phrase(f"{words} time complexity"), arithmetic)


@PAPER.measures(id="resnet.double")
def measure_doubling(case: Case) -> Measurement:
    """The same bottleneck with its identity replaced by a projection."""
    block = list_blocks(case.net("resnet50_v1", shortcut="C"))[1]
    alone, more = _weigh(block.main), _weigh(block.shortcut)
    ratio = (alone + more) / alone
    arithmetic = f"({alone:,} + {more:,})/{alone:,} = {ratio:.2f}"
    nearest = round(ratio)
    words = {2: "doubled", 3: "tripled"}.get(nearest, "changed") if abs(ratio - nearest) <= SIMILAR else "changed"
    reading = Phrase(f"time complexity and model size are {words}", loosely=ratio != nearest)
    terms = {"alone": alone, "more": more, "channels": block.shortcut[0].in_channels}
    return Measurement(f"{ratio:.2f} times", (alone + more, alone), reading, arithmetic, terms=terms)


def _weigh(convolutions: tuple[Convolution, ...]) -> int:
    return sum(found.weights for found in convolutions)


def _write(convolutions: tuple[Convolution, ...]) -> str:
    return " + ".join(found.arithmetic for found in convolutions)


@PAPER.measures(id="resnet.13")
def measure_projections(case: Case) -> Measurement:
    """Projections of option C that option B does not have."""
    every, some = (count_projections(case.net("resnet34", shortcut=option)) for option in "CB")
    more = every - some
    return Measurement(f"{more} more", more, Numbers((more,)), f"{every} - {some} = {more}")


@PAPER.measures(id="resnet.option.*")
def measure_option(case: Case) -> Measurement:
    """Parameters, multiply-adds and projections; whether the shortcuts are what the option says."""
    option = case.part(2)
    net = case.net("resnet34", shortcut=option)
    values = (net.params(), net.macs(), count_projections(net))
    text = f"{values[0]:,} parameters, {values[1]:,} MACs, {values[2]} projections"
    return Measurement(text, values, Phrase(_describe_option(case, net)))


def _describe_option(case: Case, net: Net) -> str:
    """In the paper's words, what the shortcuts are."""
    blocks = list_blocks(net)
    changing = [block for block in blocks if block.changes_shape]
    if all(block.shortcut for block in blocks):
        return "all shortcuts are projections"
    if all(bool(block.shortcut) == block.changes_shape for block in blocks):
        return "projection for increasing dimensions, identity elsewhere"
    others = [block for block in blocks if not block.changes_shape]
    pads = all(block.pads for block in changing) and not any(block.pads or block.shortcut for block in others)
    padding = "zero-padding" if pads else "mixed shortcuts"
    free = "free" if net.params() == case.net("plain34").params() else "laden"
    return f"{padding} for increasing dimensions, parameter-{free}"


@PAPER.measures(id="resnet.noextra")
def measure_free_shortcuts(case: Case) -> Measurement:
    """Parameters with option A less those of the plain network."""
    ours, plain = case.net("resnet34", shortcut="A").params(), case.net("plain34").params()
    words = Phrase(f"{'no' if ours == plain else f'{ours - plain:,}'} extra parameters")
    return Measurement(f"{ours:,}", ours, words, f"{ours:,} - {plain:,} = {ours - plain:,}")
