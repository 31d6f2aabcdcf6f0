"""The four notebooks that the lecture links to: their shape comments, counts and printed models."""

import re
from fractions import Fraction

from archscope.papers.lecture.slides import (
    find_configuration,
    measure_cifar_features,
    measure_cifar_list,
    measure_nchw,
    trace_custom,
    write_list,
)
from archscope.papers.measurement import (
    Claim,
    Convention,
    Equation,
    Every,
    Measurement,
    Numbers,
    Phrase,
    measure_numbers,
    measure_phrase,
)
from archscope.papers.networks import Net
from archscope.papers.published import find_numbers
from archscope.papers.registry import Case, Paper
from archscope.papers.resnet.blocks import Block, count_blocks, count_main, list_blocks, list_stages
from archscope.papers.vgg.walk import count_kinds

VGG = Paper("lab_10_5_1_vgg")
VGG_CIFAR = Paper("lab_10_5_2_vgg_cifar10")
RESNET = Paper("lab_10_6_1_resnet")
RESNET_CIFAR = Paper("lab_10_6_2_resnet_cifar10")


def _measure_layer_sum(net: Net) -> Measurement:
    """`8 + 3 =11 == vgg11`: convolutions, fully connected layers, and what every side of the comment must make."""
    convolutions, linear = count_kinds(net)
    total = net.depth()
    reading = Every((Numbers((convolutions, linear), at=(0, 1)), Equation(total)))
    return Measurement(f"{convolutions} + {linear} = {total}", total, reading, f"{convolutions} + {linear} = {total}")


@VGG.measures(quantity="weight_layers")
def measure_column_comment(case: Case) -> Measurement:
    """Of a configuration that the notebook lists."""
    return _measure_layer_sum(find_configuration(case))


@VGG.measures(id="lab1051.custom.out")
def measure_custom_scores(case: Case) -> Measurement:
    """The last layer of the class with ten classes; its forward fails before, so its weight tells."""
    outputs, inputs = trace_custom(case).parameter_shapes("classifier.6")[0]
    return measure_phrase(f"Linear(in_features={inputs}, out_features={outputs})", outputs)


@VGG.measures(id="lab1051.custom.in")
def measure_custom_inputs(case: Case) -> Measurement:
    """What the printed classifier is given: forward fails, and the number that would fit is measured."""
    net = trace_custom(case)
    given = net.hwc("avgpool")
    features = given[0] * given[1] * given[2]
    text = f"RuntimeError: {net.observed.error}; {features:,} would fit" if net.observed.error else f"{features:,}"
    outputs, reads = net.parameter_shapes("classifier.0")[0]
    reading = Numbers((features, outputs))
    terms = {"channels": given[2], "height": given[0], "width": given[1], "made": features, "reads": reads}
    return Measurement(text, features, reading, f"{given[2]}*{given[0]}*{given[1]} = {features:,}", terms=terms)


@VGG.measures(id="lab1051.custom.bn")
def measure_custom_norms(case: Case) -> Measurement:
    """BatchNorm layers of the model that cell 8 prints, and of the stack that cell 6 makes."""
    text = case.fact.published
    flags = "has no BatchNorm" not in text, "batch_norm=True" in text
    nets = [trace_custom(case, batch_norm=flag) for flag in flags]
    printed, made = (net.count_types("BatchNorm2d") for net in nets)
    text = f"{printed} in the printed model, {made} in cell 6"
    conflict = f"cell 6 makes {made} BatchNorm layers, the printed model of cell 8 has {printed}"
    terms = {"modules": len(nets[1].children("features"))}
    return Measurement(text, (printed, made), Claim(printed == made), conflict=conflict, terms=terms)


@VGG_CIFAR.measures(quantity="weight_layers")
def measure_cifar_comment(case: Case) -> Measurement:
    """Of the CIFAR-10 network."""
    return _measure_layer_sum(case.net("vgg16_cifar"))


@VGG_CIFAR.measures(quantity="layers")
def measure_cifar_row(case: Case) -> Measurement:
    """Its configuration."""
    return measure_cifar_list(case.net("vgg16_cifar"))


@VGG_CIFAR.measures(quantity="in_features")
def measure_cifar_inputs(case: Case) -> Measurement:
    """What its classifier reads."""
    return measure_cifar_features(case)


@VGG_CIFAR.measures(id="lab1052.bn")
def measure_cifar_norms(case: Case) -> Measurement:
    """BatchNorm layers of it."""
    count = case.net("vgg16_cifar").count_types("BatchNorm2d")
    return measure_phrase(f"make_layers(cfg): batch_norm={bool(count)}", count)


@RESNET.measures(quantity="weight_layers")
def measure_resnet_comment(case: Case) -> Measurement:
    """`2*(2+2+2+2) + 1 + 1 = 18`: convolutions of a block, blocks of the stages, all layers."""
    net = case.net(case.fact.model.replace("-", "").lower())
    counts = count_blocks(net)
    each = len(list_blocks(net)[0].main)
    arithmetic = f"{each}*({' + '.join(map(str, counts))}) + 1 + 1 = {net.depth()}"
    named = re.findall(r"\((conv\d*|fc\d*|layer\d*)\)", case.fact.published)
    blocks = Numbers((each, *counts), at=tuple(range(1 + len(counts))))
    reading = Every((blocks, Equation(net.depth()), Claim(all(net.has(name) for name in named))))
    return Measurement(str(net.depth()), net.depth(), reading, arithmetic)


@RESNET.measures(id="lab1061.blocks")
def measure_block_counts(case: Case) -> Measurement:
    """Blocks of each stage."""
    net = case.net("resnet50")
    return measure_numbers(*count_blocks(net), text=write_list(count_blocks(net)))


@RESNET.measures(id="lab1061.stride")
def measure_stride_place(case: Case) -> Measurement:
    """Kernels and strides of the first two convolutions where a stage begins."""
    net = case.net("resnet50")
    found = {tuple((c.side, c.stride) for c in list_blocks(net, stage)[0].main[:2]) for stage in list_stages(net)[1:]}
    (first, first_stride), (second, second_stride) = max(found)
    words = f"conv1 {first}x{first} stride {first_stride}, conv2 {second}x{second} stride {second_stride}"
    reading = Numbers((1, first, first, first_stride, 2, second, second, second_stride))
    return Measurement(words, (first_stride, second_stride), reading if len(found) == 1 else Claim(False))


@RESNET.measures(id="lab1061.basic.comment")
def measure_basic_stride(case: Case) -> Measurement:
    """Blocks of ResNet-34 whose first convolution strides."""
    blocks = list_blocks(case.net("resnet34"))
    kernel, stride = (int(number) for number in find_numbers(case.fact.published, r"(?:# |= )(\d+)"))
    fitting = sum((block.main[0].side, block.main[0].stride) == (kernel, stride) for block in blocks)
    text = f"stride {stride} in {fitting} of {len(blocks)} blocks"
    counts = count_blocks(case.net("resnet34"))
    terms = {f"stage{number}": count for number, count in enumerate(counts, start=1)}
    return Measurement(text, (fitting, len(blocks)), Claim(fitting == len(blocks)), terms=terms)


@RESNET.measures(id="lab1061.bottle.comment")
def measure_bottleneck_comment(case: Case) -> Measurement:
    """Blocks of ResNet-50 that have these channels."""
    blocks = list_blocks(case.net("resnet50"))
    words = [_write_block(block) for block in blocks]
    fitting = sum(Phrase(text).matches(case.fact.published) for text in words)
    value = tuple(size for found in blocks[0].main for size in (found.in_channels, found.out_channels))
    first = Convention(f"example values of one block: {fitting} of {len(blocks)}", Claim(fitting > 0))
    text = f"{words[0]} in {words.count(words[0])} of {len(blocks)} blocks"
    terms = {"fitting": fitting, "blocks": len(blocks)}
    return Measurement(text, value, Claim(fitting == len(blocks)), conventions=(first,), terms=terms)


def _write_block(block: Block) -> str:
    """`conv1x1(64,64), conv3x3(64,64), conv1x1(64,256)`."""
    return ", ".join(f"conv{found.size}({found.in_channels},{found.out_channels})" for found in block.main)


@RESNET.measures(id="lab1061.down.comment")
def measure_projection_comment(case: Case) -> Measurement:
    """The first projection that strides."""
    net = case.net("resnet50")
    found = net.convolution("layer2.0.downsample")
    norm = net.parameter_shapes("layer2.0.downsample.1")[0][0]
    words = f"conv{found.size}({found.in_channels}, {found.out_channels}, {found.stride}), batchnorm({norm})"
    return measure_phrase(words, (found.in_channels, found.out_channels, found.stride))


@RESNET.measures(id="lab1061.inplanes.comment")
def measure_planes_comment(case: Case) -> Measurement:
    """Width of the second stage times the expansion."""
    block = list_blocks(case.net("resnet50"), "layer2")[0]
    planes, channels = block.main[1].out_channels, block.main[-1].out_channels
    reading = Numbers((planes, channels // planes))
    return Measurement(str(channels), channels, reading, f"{planes}*{channels // planes} = {channels}")


@RESNET.measures(id="lab1061.conv1")
def measure_stem(case: Case) -> Measurement:
    """`7x7, stride 2, padding 3, 64`."""
    found = case.net("resnet50").convolution("conv1")
    words = f"{found.size}, stride {found.stride}, padding {found.padding}, {found.out_channels}"
    return measure_phrase(words, (found.side, found.stride, found.padding, found.out_channels))


@RESNET.measures(id="lab1061.maxpool")
def measure_max_pool(case: Case) -> Measurement:
    """`3x3, stride 2, padding 1`."""
    net = case.net("resnet50")
    kernel, stride = net.window("maxpool")
    padding = net.layer("maxpool").setting("padding")
    pad = padding if isinstance(padding, int) else -1
    return measure_phrase(f"{kernel}x{kernel}, stride {stride}, padding {pad}", (kernel, stride, pad))


@RESNET.measures(id="lab1061.avgpool")
def measure_average_pool(case: Case) -> Measurement:
    """The pool that the class makes: adaptive, to one pixel."""
    net = case.net("resnet50")
    height, width, _ = net.hwc("avgpool")
    name = f"{net.layer('avgpool').type}(({height}, {width}))"
    shown = case.fact.published.partition("printed model: ")[2]
    conflict = f"the class makes {name}, the printed model shows {shown}"
    terms = {"side": net.layer("avgpool").inputs[0].shape[-1], "height": height, "width": width}
    reading = Phrase(f"class: {name}; printed model: {name}")
    return Measurement(name, (height, width), reading, conflict=conflict, terms=terms)


@RESNET.measures(id="lab1061.fc")
def measure_classifier(case: Case) -> Measurement:
    """`Linear(in_features=2048, out_features=1000)`."""
    inputs, outputs = case.net("resnet50").features("fc")
    return measure_phrase(f"Linear(in_features={inputs}, out_features={outputs})", (inputs, outputs))


@RESNET_CIFAR.measures(quantity="output_shape")
def measure_shape_comment(case: Case) -> Measurement:
    """NCHW of a stage."""
    return measure_nchw(case.net("resnet50_cifar"), case.fact.where, case.fact.published)


@RESNET_CIFAR.measures(quantity="weight_layers")
def measure_cifar_layers(case: Case) -> Measurement:
    """Stem, main paths of the stages, classifier."""
    net = case.net("resnet50_cifar")
    parts = (1, *(count_main(net, stage) for stage in list_stages(net)), 1)
    names = ("conv1", *list_stages(net), "fc")
    words = " + ".join(f"{count}({name})" for count, name in zip(parts, names, strict=True))
    reading = Phrase(f"{words} = ResNet{net.depth()}")
    return Measurement(str(net.depth()), net.depth(), reading, f"{' + '.join(map(str, parts))} = {sum(parts)}")


@RESNET_CIFAR.measures(quantity="in_features")
def measure_cifar_classifier(case: Case) -> Measurement:
    """Width of the last stage times the expansion."""
    net = case.net("resnet50_cifar")
    inputs, planes = net.features("fc")[0], list_blocks(net, "layer4")[0].main[1].out_channels
    expansion = Fraction(inputs, planes)
    return Measurement(f"{inputs:,}", inputs, Numbers((planes,)), f"{planes}*{expansion} = {inputs}")


@RESNET_CIFAR.measures(quantity="stride")
def measure_stage_strides(case: Case) -> Measurement:
    """By what each stage divides its maps."""
    net = case.net("resnet50_cifar")
    strides = [net.layer(stage).inputs[0].shape[-1] // net.shape(stage)[-1] for stage in list_stages(net)]
    return measure_numbers(*strides, text=", ".join(map(str, strides)))


@RESNET_CIFAR.measures(quantity="channels")
def measure_stage_planes(case: Case) -> Measurement:
    """Width of the 3x3 convolutions of each stage."""
    net = case.net("resnet50_cifar")
    planes = [list_blocks(net, stage)[0].main[1].out_channels for stage in list_stages(net)]
    return measure_numbers(*planes, text=", ".join(map(str, planes)))


@RESNET_CIFAR.measures(id="lab1062.family")
def measure_family(case: Case) -> Measurement:
    """Whether it is of the paper's CIFAR-10 family: three stages of blocks of two 3x3, without projections."""
    net = case.net("resnet50_cifar")
    blocks = list_blocks(net)
    counts = count_blocks(net)
    family = len(counts) == 3 and all(len(block.main) == 2 and not block.shortcut for block in blocks)
    imagenet = Convention(
        "ResNet-50 of Table 1 by its blocks (bottlenecks 3, 4, 6, 3), not Table 6's family of 6n+2 layers",
        Every(
            (
                Claim(counts == (3, 4, 6, 3) and all(len(block.main) == 3 for block in blocks)),
                Numbers((net.depth(), net.features("fc")[1])),
            )
        ),
    )
    terms = {f"stage{number}": count for number, count in enumerate(counts, start=1)}
    text = f"{net.depth()} layers in {len(counts)} stages of {write_list(counts)} blocks"
    return Measurement(text, net.depth(), Claim(family), conventions=(imagenet,), terms=terms)
