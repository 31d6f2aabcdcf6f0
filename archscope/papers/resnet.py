"""ResNet on ImageNet: Table 1 against networks that stride in the first 1x1, as published, and the text's figures."""

from fractions import Fraction

from archscope.papers.measurement import (
    Amount,
    Claim,
    Convention,
    Measurement,
    Numbers,
    measure_amount,
    measure_fraction,
    measure_numbers,
    measure_phrase,
)
from archscope.papers.networks import Net, pool_window
from archscope.papers.registry import REGISTRY, Case
from archscope.papers.residual_stages import count_main, describe_stage, list_blocks, list_stages

PAPER = "he2015_resnet"
NETWORKS = {
    "ResNet-18": "resnet18",
    "ResNet-34": "resnet34",
    "ResNet-50": "resnet50_v1",
    "ResNet-101": "resnet101_v1",
    "ResNet-152": "resnet152_v1",
}
"""The built-in model of each column of Table 1."""
STAGE_PATHS = {"conv2_x": "layer1", "conv3_x": "layer2", "conv4_x": "layer3", "conv5_x": "layer4"}


def find_network(case: Case) -> Net:
    """The traced network of the figure's column."""
    return case.net(NETWORKS[case.fact.model])


@REGISTRY.measures(PAPER, id="resnet.t1.*.conv1", quantity="kernel/stride")
def measure_stem(case: Case) -> Measurement:
    """`7x7, 64, stride 2`."""
    found = find_network(case).convolution("conv1")
    words = f"{found.size}, {found.out_channels}, stride {found.stride}"
    return measure_phrase(words, (found.side, found.out_channels, found.stride))


@REGISTRY.measures(PAPER, id="resnet.t1.*.maxpool")
def measure_max_pool(case: Case) -> Measurement:
    """`3x3 max pool, stride 2`."""
    kernel, stride = pool_window(find_network(case), "maxpool")
    return measure_phrase(f"{kernel}x{kernel} max pool, stride {stride}", (kernel, stride))


@REGISTRY.measures(PAPER, id="resnet.t1.*", quantity="output_shape")
def measure_output(case: Case) -> Measurement:
    """HxW after a stage."""
    height, width, _ = find_network(case).hwc(STAGE_PATHS.get(case.fact.where, case.fact.where))
    return measure_numbers(height, width)


@REGISTRY.measures(PAPER, id="resnet.t1.*", quantity="block_structure")
def measure_blocks(case: Case) -> Measurement:
    """`[1x1, 64; 3x3, 64; 1x1, 256] x3`; the value lists kernel and width of each convolution, then the count."""
    net, stage = find_network(case), STAGE_PATHS[case.fact.where]
    blocks = list_blocks(net, stage)
    sizes = tuple(size for found in blocks[0].main for size in (found.side, found.out_channels))
    return measure_phrase(describe_stage(net, stage), (*sizes, len(blocks)))


@REGISTRY.measures(PAPER, id="resnet.t1.*.head")
def measure_head(case: Case) -> Measurement:
    """Average pool and classifier; the soft-max is the loss's."""
    net = find_network(case)
    pooled = net.hwc("avgpool")[:2] == (1, 1) and "Avg" in net.layer("avgpool").type
    classes = net.features("fc")[1]
    return measure_phrase(f"{'average pool' if pooled else 'no average pool'}, {classes}-d fc, softmax", classes)


@REGISTRY.measures(PAPER, id="resnet.t1.*.weight_layers")
def measure_weight_layers(case: Case) -> Measurement:
    """On the longest way, which leads through no shortcut."""
    return measure_depth(find_network(case))


def measure_depth(net: Net) -> Measurement:
    """Stem, main paths of the stages, classifier."""
    parts = [1, *(count_main(net, stage) for stage in list_stages(net)), 1]
    arithmetic = f"{' + '.join(map(str, parts))} = {sum(parts)}"
    return measure_amount(net.depth(), arithmetic if sum(parts) == net.depth() else "")


@REGISTRY.measures(PAPER, id="resnet.t1.34.flops")
def measure_macs_34(case: Case) -> Measurement:
    """With projections where shapes change; Table 2 and Figure 3 have the parameter-free option A."""
    net, free = find_network(case), case.net("resnet34", shortcut="A")
    option = Convention("option A shortcuts", Amount(Fraction(free.macs())))
    return measure_amount(net.macs(), f"{net.sum_macs()}; option A: {free.sum_macs()}", option)


@REGISTRY.measures(PAPER, id="resnet.t1.*.flops")
@REGISTRY.measures(PAPER, id="resnet.t1.head152")
@REGISTRY.measures(PAPER, id="resnet.text.50")
def measure_macs(case: Case) -> Measurement:
    """Multiply-adds of one image, which the paper calls FLOPs."""
    net = find_network(case)
    return measure_amount(net.macs(), net.sum_macs())


@REGISTRY.measures(PAPER, id="resnet.t1.stride")
def measure_stride(case: Case) -> Measurement:
    """Which convolutions of the published form halve the maps."""
    net = case.net("resnet50_v1")
    strides = tuple(list_blocks(net, stage)[0].main[0].stride for stage in ("layer2", "layer3", "layer4"))
    others = [found.stride for block in list_blocks(net) for found in block.main[1:]]
    text = f"stride {', '.join(map(str, strides))} in the first convolution of conv3_1, conv4_1, conv5_1"
    return Measurement(text, strides, Claim(set(strides) == {2} and set(others) == {1}))


@REGISTRY.measures(PAPER, id="resnet.vgg16")
def measure_vgg16(case: Case) -> Measurement:
    """With the fully connected layers; without them under the convention that fits."""
    net = case.net("vgg16")
    convolutions, linear = net.convolution_macs(), net.macs("classifier")
    fewer = Convention("without the fully connected layers", Amount(Fraction(convolutions)))
    return measure_amount(net.macs(), f"{net.macs():,} - {linear:,} = {convolutions:,}", fewer)


@REGISTRY.measures(PAPER, id="resnet.vgg19")
def measure_vgg19(case: Case) -> Measurement:
    """With the fully connected layers."""
    net = case.net("vgg19")
    convolutions, linear = net.convolution_macs(), net.macs("classifier")
    fewer = Convention("without the fully connected layers", Amount(Fraction(convolutions)))
    return measure_amount(net.macs(), f"{convolutions:,} + {linear:,} = {net.macs():,}", fewer)


@REGISTRY.measures(PAPER, id="resnet.plain34")
def measure_plain(case: Case) -> Measurement:
    """The plain network."""
    net = case.net("plain34")
    return measure_amount(net.macs(), net.sum_macs())


@REGISTRY.measures(PAPER, id="resnet.pct18")
def measure_share(case: Case) -> Measurement:
    """Of VGG-19's multiply-adds."""
    part, whole = case.net("plain34").macs(), case.net("vgg19").macs()
    share = 100 * Fraction(part, whole)
    arithmetic = f"100*{part:,}/{whole:,} = {float(share):.2f}"
    return Measurement(f"{float(share):.2f} %", (part, whole), Amount(share), arithmetic)


@REGISTRY.measures(PAPER, id="resnet.8x")
def measure_depth_ratio(case: Case) -> Measurement:
    """Depth of the deepest network in that of the deepest VGG."""
    deep, vgg = case.net("resnet152_v1").depth(), case.net("vgg19").depth()
    ratio = Fraction(deep, vgg)
    return Measurement(f"{float(ratio):g} times", (deep, vgg), Amount(ratio), f"{deep}/{vgg} = {float(ratio):g}")


@REGISTRY.measures(PAPER, id="resnet.lower")
def measure_lower(case: Case) -> Measurement:
    """ResNet-152 against both VGGs."""
    counts = tuple(case.net(name).macs() for name in ("resnet152_v1", "vgg16", "vgg19"))
    text = f"{counts[0]:,} against {counts[1]:,} and {counts[2]:,}"
    return Measurement(text, counts, Claim(counts[0] < min(counts[1:])))


@REGISTRY.measures(PAPER, id="resnet.2p8")
@REGISTRY.measures(PAPER, id="resnet.3p5")
def measure_difference(case: Case) -> Measurement:
    """Of two errors of Table 2."""
    other = "res18" if case.fact.id.endswith("2p8") else "plain34"
    high, low = case.printed(f"resnet.t2.{other}.top1_error"), case.printed("resnet.t2.res34.top1_error")
    arithmetic = f"{float(high):.2f} - {float(low):.2f} = {float(high - low):.2f}"
    return measure_fraction(high - low, f"{float(high - low):.2f}", arithmetic)


@REGISTRY.measures(PAPER, id="resnet.coco28")
def measure_coco(_: Case) -> Measurement:
    """Table 8 of the paper prints 21.2 for VGG-16 and 27.2 for ResNet-101 (mAP over thresholds .5 to .95)."""
    gain = 100 * (Fraction("27.2") - Fraction("21.2")) / Fraction("21.2")
    return measure_fraction(gain, f"{float(gain):.1f} %", f"100*(27.2 - 21.2)/21.2 = {float(gain):.1f}")


@REGISTRY.measures(PAPER, id="resnet.91conv")
def measure_trunk(case: Case) -> Measurement:
    """Convolutions of the stem and the first three stages."""
    net = case.net("resnet101_v1")
    parts = [1, *(count_main(net, stage) for stage in ("layer1", "layer2", "layer3"))]
    return Measurement(
        f"{sum(parts)} conv layers",
        sum(parts),
        Numbers((sum(parts),)),
        f"{' + '.join(map(str, parts))} = {sum(parts)}",
    )
