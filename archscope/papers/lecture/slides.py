"""The lecture's slides: its VGG class, its configurations and the shape comments of its ResNet."""

from archscope.papers.measurement import Claim, Listing, Measurement, Numbers, measure_phrase
from archscope.papers.networks import Net
from archscope.papers.registry import Case, Paper
from archscope.papers.resnet.blocks import count_blocks, count_projections, list_blocks
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


def measure_cifar_list(net: Net) -> Measurement:
    """A configuration as it ran."""
    items = list_configuration(net)
    return Measurement(write_list(items), items, Listing(items))


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
    return measure_phrase(", ".join(types), tuple(types))


@SLIDES.measures(id="lecture.vgg11.list")
def measure_vgg11_list(case: Case) -> Measurement:
    """Configuration A."""
    return measure_cifar_list(case.net("vgg11"))


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
    count = len(trace_custom(case, batch_norm=True).children("features"))
    return Measurement(f"{count} modules, 0 to {count - 1}", count, Numbers((0, count - 1)), f"3*(3*3 + 1) = {count}")


@SLIDES.measures(id="lecture.custom.fit")
def measure_custom_fit(case: Case) -> Measurement:
    """Whether the stack fits the class's classifier, at 224x224 and at 32x32."""
    nets = [trace_custom(case, size=size) for size in (224, 32)]
    height, width, channels = nets[0].hwc("avgpool")
    made = channels * height * width
    _, reads = nets[0].parameter_shapes("classifier.0")[0]
    text = "; ".join(sorted({f"{type(net.observed.error).__name__}: {net.observed.error}" for net in nets}))
    fits = all(net.observed.error is None for net in nets)
    arithmetic = f"{channels}*{height}*{width} = {made:,}; 512*7*7 = {512 * 7 * 7:,}"
    return Measurement("it fits" if fits else text, (made, reads), Claim(fits), arithmetic)


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
    return Measurement(text, (height, width), Claim(image < 7), f"{image}/2^3 = {image // 8}")


def measure_nchw(net: Net, where: str) -> Measurement:
    """NCHW of a layer's output; of the image before the first layer."""
    shape = net.trace.inputs[0].shape if where == "before conv1" else net.shape(where)
    return Measurement(f"[{', '.join(map(str, shape))}]", shape, Numbers(shape))


@SLIDES.measures(id="lecture.resnet.shape.*")
def measure_shape_comment(case: Case) -> Measurement:
    """A comment of the slide's forward."""
    return measure_nchw(case.net("resnet50_cifar"), case.fact.where)


@SLIDES.measures(id="lecture.resnet.downsample")
def measure_downsample(case: Case) -> Measurement:
    """Projections, which stand exactly where a block changes the shape."""
    net = case.net("resnet50_cifar")
    holds = all(bool(block.shortcut) == block.changes_shape for block in list_blocks(net))
    count = count_projections(net)
    return Measurement(f"{count} projections, where shapes change", count, Claim(holds and count > 0))


@SLIDES.measures(id="lecture.hw.vgg19")
def measure_assignment_vgg(case: Case) -> Measurement:
    """Convolutions and linear layers of the assignment's network."""
    net = case.net("vgg19_cifar")
    convolutions, linear = count_kinds(net)
    arithmetic = f"{convolutions} + {linear} = {net.depth()}"
    return Measurement(str(net.depth()), net.depth(), Numbers((convolutions, linear)), arithmetic)


@SLIDES.measures(id="lecture.hw.vgg19.fit")
def measure_assignment_fit(case: Case) -> Measurement:
    """Configuration E of the first notebook in the second notebook's class."""
    from archscope.models.vgg import CIFAR_HEAD, VGG, make_layers
    from archscope.models.vgg_rows import TABLE_1

    def build() -> VGG:
        return VGG(make_layers(TABLE_1["E"]), num_classes=10, head=CIFAR_HEAD, init_weights=False)

    net = case.networks.attempt_module("configuration E for CIFAR-10", build, (1, 3, 32, 32))
    height, width, channels = net.hwc("features")
    made, reads = channels * height * width, net.parameter_shapes("classifier.0")[0][1]
    error = net.observed.error
    text = f"{type(error).__name__}: {error}" if error else "it fits"
    arithmetic = f"32/2^5 = {height}; {channels}*{height}*{width} = {made}; 512*4*4 = {512 * 4 * 4:,}"
    return Measurement(text, (made, reads), Claim(error is None), arithmetic)


@SLIDES.measures(id="lecture.hw.res34")
def measure_assignment_resnet(case: Case) -> Measurement:
    """Kind and number of the blocks."""
    net = case.net("resnet34_cifar")
    counts = count_blocks(net)
    types = sorted({block.layer.type for block in list_blocks(net)})
    return measure_phrase(f"{', '.join(types)} + {write_list(counts)}", counts)
