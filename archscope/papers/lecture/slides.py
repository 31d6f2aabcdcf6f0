"""The lecture's slides: its VGG class, its configurations and the shape comments of its ResNet."""

from dataclasses import replace
from fractions import Fraction
from math import prod

from archscope.papers.expressions import evaluate
from archscope.papers.measurement import (
    Claim,
    Every,
    Listing,
    MeasureError,
    Measurement,
    Numbers,
    Reading,
    Sizes,
    measure_phrase,
)
from archscope.papers.networks import Net
from archscope.papers.published import list_numbers
from archscope.papers.registry import Case, Paper
from archscope.papers.resnet.blocks import Block, count_blocks, count_projections, list_blocks, list_stages
from archscope.papers.vgg.measures import COLUMNS, measure_column_layers
from archscope.papers.vgg.walk import count_kinds, list_configuration, walk_vgg

SLIDES = Paper("lecture")
CUSTOM = (64, 64, 64, "M", 128, 128, 128, "M", 256, 256, 256, "M")
"""The slide "custom": the configuration that the class is given; what it makes of it is traced."""


def trace_custom(case: Case, *, batch_norm: bool = False, size: int = 224) -> Net:
    """The lecture's class with its custom stack and ten classes; its forward pass fails."""
    from archscope.models.vgg import VGG, make_layers

    def build() -> VGG:
        return VGG(make_layers(CUSTOM, batch_norm), num_classes=10, init_weights=False)

    return case.networks.attempt_module(f"custom stack, batch_norm={batch_norm}", build, (1, 3, size, size))


def find_configuration(case: Case) -> Net:
    """The network of the paper's column that the figure is about: `VGG D`."""
    return case.net(COLUMNS[case.fact.model.removeprefix("VGG ")])


def write_list(items: tuple[int | str, ...]) -> str:
    """`[64, 'M', 128]`."""
    return f"[{', '.join(repr(item) for item in items)}]"


def measure_cifar_list(net: Net, printed: str = "") -> Measurement:
    """A configuration as it ran; its depth too where the printed text names it."""
    items = list_configuration(net)
    reading: Reading = Listing(items)
    if "VGG-" in printed:
        reading = Every((reading, Numbers((net.depth(),), pattern=r"VGG-(\d+)")))
    convolutions, linear = count_kinds(net)
    image, pools = net.trace.inputs[0].shape[-1], items.count("M")
    side = image // 2**pools
    terms = {"convolutions": convolutions, "linear": linear, "pools": pools, "image": image, "side": side}
    return Measurement(write_list(items), items, reading, terms=terms)


@SLIDES.measures(id="lecture.vgg.table.*", quantity="weight_layers")
def measure_column(case: Case) -> Measurement:
    """Of a column of the table that the slide copies."""
    return measure_column_layers(find_configuration(case))


@SLIDES.measures(id="lecture.vgg.classifier.in")
def measure_classifier_inputs(case: Case) -> Measurement:
    """What the first linear layer reads at 224x224."""
    height, width, channels = case.net("vgg16").hwc("avgpool")
    features = case.net("vgg16").features("classifier.0")[0]
    arithmetic = f"{channels}*{height}*{width} = {features:,}"
    return Measurement(f"{features:,}", features, Numbers((channels, height, width)), arithmetic)


@SLIDES.measures(id="lecture.vgg.classifier.order")
def measure_classifier_order(case: Case) -> Measurement:
    """The classifier as it runs in the lecture's notebook."""
    types = [layer.type for layer in case.net("vgg16").children("classifier")]
    found = measure_phrase(", ".join(types), tuple(types))
    return replace(found, terms=_count_garbled(types, case.fact.published.split(", ")))


def _count_garbled(types: list[str], printed: list[str]) -> dict[str, int | Fraction]:
    """Modules in all; and before the second Linear, what stands there of each kind, run and printed."""
    terms: dict[str, int | Fraction] = {"modules": len(types), "printed_modules": len(printed)}
    for name, listed in (("", types), ("printed_", printed)):
        second = [at for at, kind in enumerate(listed) if kind == "Linear"][1]
        for kind in ("ReLU", "Dropout"):
            terms[f"{name}{kind.lower()}"] = listed[:second].count(kind)
    return terms


@SLIDES.measures(id="lecture.vgg11.list")
def measure_vgg11_list(case: Case) -> Measurement:
    """Configuration A."""
    return measure_cifar_list(case.net("vgg11"), case.fact.published)


@SLIDES.measures(id="lecture.vgg11.walk")
def measure_vgg11_walk(case: Case) -> Measurement:
    """Which convolutions stand between two pools."""
    net = case.net("vgg11")
    stages, number = [0], 0
    for item in walk_vgg(net):
        if item.kind == "conv":
            stages[-1] += 1
        elif item.kind == "pool":
            stages.append(0)
    words = []
    for count in (count for count in stages if count):
        words.append(str(number + 1) if count == 1 else f"{number + 1}-{number + count}")
        number += count
    linear = count_kinds(net)[1]
    return measure_phrase(f"conv {', '.join(words)}, FC {linear}", (*(count for count in stages if count), linear))


@SLIDES.measures(id="lecture.makelayers.conv")
def measure_make_layers(case: Case) -> Measurement:
    """Kernel, padding and pool of everything that make_layers makes."""
    net = case.net("vgg16")
    found = {(convolution.side, convolution.padding) for convolution in net.convolutions()}
    pools = {net.window(item.layer.path) for item in walk_vgg(net) if item.kind == "pool"}
    (kernel, padding), (window, stride) = max(found), max(pools)
    words = f"kernel_size={kernel}, padding={padding}; maxpool kernel {window} stride {stride}"
    return measure_phrase(words, (kernel, padding, window, stride))


@SLIDES.measures(id="lecture.custom.cfg")
def measure_custom_list(case: Case) -> Measurement:
    """The stack as it ran before the classifier failed."""
    return measure_cifar_list(trace_custom(case))


@SLIDES.measures(id="lecture.custom.modules")
def measure_custom_modules(case: Case) -> Measurement:
    """Modules of the stack with BatchNorm."""
    net = trace_custom(case, batch_norm=True)
    count = len(net.children("features"))
    layers, pools = len(net.convolutions()), net.count_types("MaxPool2d")
    arithmetic = f"3*{layers} + {pools} = {3 * layers + pools}"
    return Measurement(f"{count} modules, 0 to {count - 1}", count, Numbers((0, count - 1)), arithmetic)


@SLIDES.measures(id="lecture.custom.fit")
def measure_custom_fit(case: Case) -> Measurement:
    """Whether the stack fits the class's classifier, at 224x224 and at 32x32."""
    nets = [trace_custom(case, size=size) for size in (224, 32)]
    height, width, channels = nets[0].hwc("avgpool")
    made = channels * height * width
    _, reads = nets[0].parameter_shapes("classifier.0")[0]
    text = "; ".join(sorted({f"{type(net.observed.error).__name__}: {net.observed.error}" for net in nets}))
    fits = all(net.observed.error is None for net in nets)
    arithmetic = f"{channels}*{height}*{width} = {made:,}; {_write_reads(reads, height, width)}"
    reading = Numbers((channels, height, width))
    terms = {"channels": channels, "height": height, "width": width, "made": made, "reads": reads}
    return Measurement("it fits" if fits else text, (made, reads), reading, arithmetic, terms=terms)


def _write_reads(reads: int, height: int, width: int) -> str:
    """`512*7*7 = 25,088`: what a classifier reads of maps of that size."""
    channels = reads // (height * width)
    return f"{channels}*{height}*{width} = {channels * height * width:,}"


@SLIDES.measures(id="lecture.cifar.in")
def measure_cifar_features(case: Case) -> Measurement:
    """What the classifier of the CIFAR-10 network reads."""
    net = case.net("vgg16_cifar")
    height, width, channels = net.hwc("features")
    features = net.features("classifier.0")[0]
    arithmetic = f"{channels}*{height}*{width} = {features:,}"
    return Measurement(f"{features:,}", features, Numbers((channels, height, width)), arithmetic)


@SLIDES.measures(id="lecture.cifar.pool")
def measure_cifar_maps(case: Case) -> Measurement:
    """Whether the image is smaller than 7x7; the maps before the pool are."""
    net = case.net("vgg16_cifar")
    image = net.trace.inputs[0].shape[-1]
    height, width, _ = net.hwc("features")
    text = f"the image is {image}x{image}, the maps are {height}x{width}"
    side = height if "map is smaller" in case.fact.published else image
    sizes = {int(number.value) for number in list_numbers(case.fact.published)}
    pools = net.count_types("MaxPool2d")
    reading = Claim(len(sizes) == 1 and side < min(sizes) and not net.has("avgpool"))
    terms = {"image": image, "pools": pools, "side": height, "window": min(sizes)}
    return Measurement(text, (height, width), reading, f"{image}/2^{pools} = {image // 2**pools}", terms=terms)


def measure_nchw(net: Net, where: str, published: str) -> Measurement:
    """NCHW of a layer's output; of the image before the first layer."""
    shape = net.trace.inputs[0].shape if where == "before conv1" else net.shape(where)
    reading = Sizes(shape) if where == "before conv1" else Numbers(shape)
    terms = _list_planes(net, published) if where in list_stages(net) else {}
    return Measurement(f"[{', '.join(map(str, shape))}]", shape, reading, terms=terms)


def _list_planes(net: Net, published: str) -> dict[str, int | Fraction]:
    """The channels that a comment prints; of every stage, those of its 3x3 convolutions and of its output."""
    terms: dict[str, int | Fraction] = {"comment": list_numbers(published)[1].value}
    for number, stage in enumerate(list_stages(net), start=1):
        terms[f"planes{number}"] = list_blocks(net, stage)[0].main[1].out_channels
        terms[f"channels{number}"] = net.shape(stage)[1]
    return terms


@SLIDES.measures(id="lecture.resnet.shape.*")
def measure_shape_comment(case: Case) -> Measurement:
    """A comment of the slide's forward."""
    return measure_nchw(case.net("resnet50_cifar"), case.fact.where, case.fact.published)


@SLIDES.measures(id="lecture.resnet.downsample")
def measure_downsample(case: Case) -> Measurement:
    """Projections, which stand exactly where a block changes the shape."""
    net = case.net("resnet50_cifar")
    condition, count = case.fact.published.partition(" if ")[2], count_projections(net)
    holds = all(bool(block.shortcut) == _asks_projection(block, condition) for block in list_blocks(net))
    exact = all(bool(block.shortcut) == block.changes_shape for block in list_blocks(net))
    text = f"{count} projections, {'where shapes change' if exact else 'not only where shapes change'}"
    return Measurement(text, count, Claim(holds and count > 0))


def _asks_projection(block: Block, condition: str) -> bool:
    """Whether the printed condition holds for a block."""
    planes = block.main[len(block.main) - 2].out_channels
    names = {
        "stride": prod(found.stride for found in block.main),
        "inplanes": block.main[0].in_channels,
        "planes": planes,
        "expansion": block.main[-1].out_channels // planes,
    }
    return bool(evaluate(condition, names))


@SLIDES.measures(id="lecture.hw.vgg19")
def measure_assignment_vgg(case: Case) -> Measurement:
    """Convolutions and linear layers of the assignment's network."""
    net = case.net("vgg19_cifar")
    convolutions, linear = count_kinds(net)
    arithmetic = f"{convolutions} + {linear} = {net.depth()}"
    return Measurement(str(net.depth()), net.depth(), Numbers((convolutions, linear)), arithmetic)


@SLIDES.measures(id="lecture.hw.vgg19.fit")
def measure_assignment_fit(case: Case) -> Measurement:
    """The printed configuration of the first notebook in the second notebook's class."""
    from archscope.models.vgg import CIFAR_HEAD, VGG, make_layers
    from archscope.models.vgg_rows import TABLE_1

    depth = int(list_numbers(case.fact.published)[-1].value)
    column = next((letter for letter in reversed(COLUMNS) if case.net(COLUMNS[letter]).depth() == depth), None)
    if column is None:
        raise MeasureError(f"no configuration has {depth} layers with weights")

    def build() -> VGG:
        return VGG(make_layers(TABLE_1[column]), num_classes=10, head=CIFAR_HEAD, init_weights=False)

    net = case.networks.attempt_module(f"configuration {column} for CIFAR-10", build, (1, 3, 32, 32))
    height, width, channels = net.hwc("features")
    made, reads = channels * height * width, net.parameter_shapes("classifier.0")[0][1]
    error = net.observed.error
    text = f"{type(error).__name__}: {error}" if error else "it fits"
    image, pools = net.trace.inputs[0].shape[-1], net.count_types("MaxPool2d")
    fit = case.net("vgg16_cifar").hwc("features")
    arithmetic = f"{image}/2^{pools} = {height}; {channels}*{height}*{width} = {made}; {_write_reads(reads, *fit[:2])}"
    terms = {"image": image, "pools": pools, "side": height, "channels": channels, "fit": fit[0]}
    return Measurement(text, (made, reads), Claim(error is None), arithmetic, terms=terms)


@SLIDES.measures(id="lecture.hw.res34")
def measure_assignment_resnet(case: Case) -> Measurement:
    """Kind and number of the blocks."""
    net = case.net("resnet34_cifar")
    counts = count_blocks(net)
    types = sorted({block.layer.type for block in list_blocks(net)})
    return measure_phrase(f"{', '.join(types)} + {write_list(counts)}", counts)
