"""AlexNet: the lecture's table (CS231n lecture 9) against the one tower, the paper against the grouped network."""

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
from archscope.papers.networks import Net
from archscope.papers.published import find_numbers
from archscope.papers.registry import Case, Paper

SLIDE = Paper("alexnet_cs231n_table")
PAPER = Paper("krizhevsky2012_alexnet")
PAPERS = (PAPER, SLIDE)
CONVOLUTIONS = ("conv1", "conv2", "conv3", "conv4", "conv5")
WEIGHTED = (*CONVOLUTIONS, "fc6", "fc7", "fc8")
IMAGE, CROP, REFLECTIONS = 256, 224, 2
"""Sides of the images that crops are cut from and of a crop, and a crop with its mirror image (section 4.1)."""
GROUPED = ("conv2", "conv4", "conv5")


def _find_row(case: Case) -> str:
    """The layer of a row: `cs231n.max_pool1.window` -> `pool1`."""
    return case.part(1).removeprefix("max_")


@SLIDE.measures(id="cs231n.input.output_shape")
def measure_input(case: Case) -> Measurement:
    """The image that the traced network read."""
    return measure_numbers(*case.net("alexnet").image)


@SLIDE.measures(quantity="output_shape")
def measure_row_shape(case: Case) -> Measurement:
    """HxWxC, or the length of a vector, and how it comes about."""
    net, row = case.net("alexnet"), _find_row(case)
    shape = net.shape(row)
    if len(shape) == 2:
        return measure_numbers(shape[1])
    return measure_numbers(*net.hwc(row), arithmetic=_write_size(net, row))


def _write_size(net: Net, row: str) -> str:
    """`floor((227 + 2*0 - 11)/4) + 1 = 55`; empty for a layer that keeps the size without a window."""
    before, after = net.layer(row).inputs[0].shape[-1], net.shape(row)[-1]
    kind = net.kind(net.layer(row))
    if kind not in ("conv", "pool"):
        return ""
    kernel, stride = net.window(row)
    pad = net.convolution(row).padding if kind == "conv" else 0
    return f"floor(({before} + 2*{pad} - {kernel})/{stride}) + 1 = {after}"


@SLIDE.measures(quantity="filters/kernel/stride/pad")
def measure_filters(case: Case) -> Measurement:
    """`96 11x11 filters at stride 4, pad 0`."""
    found = case.net("alexnet").convolution(_find_row(case))
    words = f"{found.out_channels} {found.size} filters at stride {found.stride}, pad {found.padding}"
    return measure_phrase(words, (found.out_channels, found.side, found.stride, found.padding))


@SLIDE.measures(quantity="kernel/stride/pad")
def measure_window(case: Case) -> Measurement:
    """`3x3 filters at stride 2`."""
    kernel, stride = case.net("alexnet").window(_find_row(case))
    return measure_phrase(f"{kernel}x{kernel} filters at stride {stride}", (kernel, stride))


@SLIDE.measures(quantity="neurons")
def measure_fc_neurons(case: Case) -> Measurement:
    """Outputs of a fully connected layer."""
    return measure_amount(case.net("alexnet").features(_find_row(case))[1])


@SLIDE.measures(id="cs231n.conv1.params_printed")
def measure_conv1_weights(case: Case) -> Measurement:
    """Weights of CONV1, which the slide rounds to thousands."""
    found = case.net("alexnet").convolution("conv1")
    sizes = (*found.kernel, found.in_channels, found.out_channels)
    arithmetic = f"({'*'.join(map(str, sizes[:-1]))})*{sizes[-1]} = {found.weights:,}"
    total = Amount(Fraction(found.weights), at=-1, scale=1000)
    reading = Every((Numbers(sizes, at=tuple(range(len(sizes)))), total))
    return Measurement(f"{found.weights:,}", found.weights, reading, arithmetic)


@SLIDE.measures(id="cs231n.groups")
def measure_single_column(case: Case) -> Measurement:
    """Groups of CONV2, CONV4 and CONV5: one column reads everything."""
    one, two = case.net("alexnet"), case.net("alexnet_2012")
    groups = tuple(one.convolution(name).groups for name in GROUPED)
    more = f"{one.params():,} - {two.params():,} = {one.params() - two.params():,}"
    text = ", ".join(map(str, groups))
    words = Phrase(f"(not printed: {'single column' if set(groups) == {1} else 'columns'})")
    return Measurement(f"groups {text}", groups, words, more)


@PAPER.measures(id="alexnet.params")
def measure_params(case: Case) -> Measurement:
    """Parameters of the network as described, with its two towers."""
    return case.net("alexnet_2012").measure_params()


@PAPER.measures(id="alexnet.neurons.input")
def measure_input_neurons(case: Case) -> Measurement:
    """Values of the printed image."""
    printed = case.facts["alexnet.input_size"].published
    height, width, channels = (int(size) for size in printed.split("x"))
    product = height * width * channels
    return measure_amount(product, f"{height}*{width}*{channels} = {product:,}")


@PAPER.measures(id="alexnet.neurons.total")
def measure_neurons(case: Case) -> Measurement:
    """Outputs of the eight layers with weights."""
    counts = [_count_neurons(case, name) for name in WEIGHTED]
    printed = [int(case.printed(f"alexnet.neurons.{name}")) for name in WEIGHTED]
    found = measure_amount(sum(counts), f"{' + '.join(f'{count:,}' for count in counts)} = {sum(counts):,}")
    return replace(found, terms={"listed": sum(printed)})


@PAPER.measures(id="alexnet.neurons.*")
def measure_layer_neurons(case: Case) -> Measurement:
    """Outputs of one layer."""
    name = case.part(-1)
    height, width, channels = case.net("alexnet_2012").hwc(name)
    count = _count_neurons(case, name)
    found = measure_amount(count, f"{height}*{width}*{channels} = {count:,}" if height * width > 1 else "")
    return replace(found, terms={"height": height, "width": width, "channels": channels})


def _count_neurons(case: Case, name: str) -> int:
    return case.net("alexnet_2012").layer(name).outputs[0].spec.elements


@PAPER.measures(id="alexnet.input_size")
def measure_input_size(case: Case) -> Measurement:
    """The image that the printed kernel, stride and neuron counts need."""
    net = case.net("alexnet_2012")
    found = measure_numbers(*net.image, arithmetic=_write_size(net, "conv1"))
    kernel, stride = net.window("conv1")
    terms = {"side": net.shape("conv1")[-1], "kernel": kernel, "stride": stride}
    return replace(found, conflict=_contradict_input(case, net), terms=terms)


def _contradict_input(case: Case, net: Net) -> str:
    """From 224 without padding, conv2 would have other neurons than the paper prints for it."""
    conv1, printed = net.convolution("conv1"), int(case.facts["alexnet.input_size"].published.split("x")[0])
    kernel, stride = net.window("pool1")
    maps = (printed - conv1.side) // conv1.stride + 1
    pooled = (maps - kernel) // stride + 1
    channels = net.convolution("conv2").out_channels
    neurons = pooled * pooled * channels
    stated = int(case.printed("alexnet.neurons.conv2"))
    if neurons == stated:
        return ""
    exact = Fraction(printed - conv1.side, conv1.stride) + 1
    return (
        f"({printed} - {conv1.side})/{conv1.stride} + 1 = {float(exact):g}, so {maps}x{maps} maps, and "
        f"{pooled}*{pooled}*{channels} = {neurons:,} neurons in conv2, for which the paper prints {stated:,}"
    )


@PAPER.measures(quantity="kernel/stride/groups")
def measure_kernels(case: Case) -> Measurement:
    """`256 kernels of size 5x5x48`: the depth is what one kernel reads."""
    found = case.net("alexnet_2012").convolution(case.fact.where)
    words = f"{found.out_channels} kernels of size {found.size}x{found.in_channels}"
    words += f", stride {found.stride}" if found.stride != 1 else ""
    return measure_phrase(words, (found.out_channels, *found.kernel, found.in_channels))


@PAPER.measures(id="alexnet.groups")
def measure_groups(case: Case) -> Measurement:
    """Groups of the layers that read their own GPU's maps."""
    net = case.net("alexnet_2012")
    groups = tuple(net.convolution(name).groups for name in GROUPED)
    whole = all(net.convolution(name).groups == 1 for name in CONVOLUTIONS if name not in GROUPED)
    reading = Numbers((groups[0],)) if len(set(groups)) == 1 and whole else Claim(False)
    return Measurement(f"groups {', '.join(map(str, groups))}", groups, reading)


@PAPER.measures(id="alexnet.fc")
def measure_hidden(case: Case) -> Measurement:
    """Both hidden layers."""
    sizes = {case.net("alexnet_2012").features(name)[1] for name in ("fc6", "fc7")}
    return measure_amount(max(sizes)) if len(sizes) == 1 else measure_numbers(*sorted(sizes))


@PAPER.measures(id="alexnet.fc8")
def measure_scores(case: Case) -> Measurement:
    """Class scores."""
    return measure_amount(case.net("alexnet_2012").features("fc8")[1])


@PAPER.measures(id="alexnet.weight_layers")
def measure_weight_layers(case: Case) -> Measurement:
    """All, convolutional and fully connected."""
    net = case.net("alexnet_2012")
    convolutions = len(net.convolutions())
    linear = net.depth() - convolutions
    arithmetic = f"{convolutions} + {linear} = {net.depth()}"
    return Measurement(str(net.depth()), net.depth(), Numbers((net.depth(), convolutions, linear)), arithmetic)


@PAPER.measures(quantity="lrn_constant")
def measure_response_norm(case: Case) -> Measurement:
    """k, n, alpha and beta of the traced layer; torch divides alpha by n, the paper does not."""
    settings = dict(case.net("alexnet_2012").layer("norm1").settings)
    name = {"k": "k", "n": "size", "alpha": "alpha", "beta": "beta"}[case.part(-1)]
    value = Fraction(str(settings[name]))
    if name != "alpha":
        return measure_amount(int(value)) if value.denominator == 1 else measure_fraction(value, f"{float(value):g}")
    size = Fraction(str(settings["size"]))
    plain = Convention("alpha of the plain sum over n maps, which torch divides by n", Amount(value / size))
    arithmetic = f"{float(value):g}/{size} = {float(value / size):g}"
    pair = (value.numerator, value.denominator)
    terms = {"alpha": value, "size": size}
    return Measurement(f"{float(value):g} in torch", pair, Amount(value), arithmetic, (plain,), terms=terms)


@PAPER.measures(id="alexnet.pool")
def measure_pool(case: Case) -> Measurement:
    """Stride and window of the max pools."""
    windows = {case.net("alexnet_2012").window(name) for name in ("pool1", "pool2", "pool3")}
    kernel, stride = max(windows)
    overlap = "overlapping" if kernel > stride else "not overlapping"
    return measure_phrase(f"s = {stride}, z = {kernel} ({overlap})", (stride, kernel))


@PAPER.measures(id="alexnet.pool.equivalent")
def measure_equivalent_pool(case: Case) -> Measurement:
    """Sizes after each pool, as traced, against those of the printed stride and window."""
    net = case.net("alexnet_2012")
    stride, kernel = (int(number) for number in find_numbers(case.fact.published, r"[sz]=(\d+)"))
    traced, smaller, steps = [], [], []
    for name in ("pool1", "pool2", "pool3"):
        before = net.layer(name).inputs[0].shape[-1]
        traced.append(net.shape(name)[-1])
        smaller.append((before - kernel) // stride + 1)
        steps.append(f"floor(({before} - {kernel})/{stride}) + 1 = {smaller[-1]}")
    text = ", ".join(map(str, smaller))
    return Measurement(text, tuple(smaller), Claim(smaller == traced), "; ".join(steps))


@PAPER.measures(id="alexnet.connections")
def measure_connections(case: Case) -> Measurement:
    """Multiply-adds of one image."""
    net = case.net("alexnet_2012")
    convolutions = Convention("convolutions only", Amount(Fraction(net.convolution_macs())))
    found = measure_amount(net.macs(), net.sum_macs(), convolutions)
    return replace(found, terms={"convolutions": net.convolution_macs()})


@PAPER.measures(id="alexnet.augment.factor")
def measure_crops(_: Case) -> Measurement:
    """Positions of a crop in an image, times the reflection (section 4.1)."""
    places = range(IMAGE - CROP + 1)
    count = REFLECTIONS * len(places) ** 2
    found = measure_amount(count, f"{REFLECTIONS}*({IMAGE} - {CROP} + 1)^2 = {count:,}")
    return replace(found, terms={"image": IMAGE, "crop": CROP, "places": len(places)})


@PAPER.measures(id="alexnet.testcrops")
def measure_test_crops(_: Case) -> Measurement:
    """The different crops in four corners and the centre, and their reflections (section 4.1)."""
    ends = (0, IMAGE - CROP)
    patches = {(top, left) for top in ends for left in ends} | {((IMAGE - CROP) // 2,) * 2}
    count = REFLECTIONS * len(patches)
    return Measurement(str(count), count, Numbers((len(patches), count)), f"{len(patches)}*{REFLECTIONS} = {count}")


@PAPER.measures(id="alexnet.valtest")
def measure_split_difference(case: Case) -> Measurement:
    """The largest difference between the validation and test errors that Table 2 prints."""
    pairs = [
        (case.printed(f"alexnet.t2.{nets}.top5_error.val"), case.printed(f"alexnet.t2.{nets}.top5_error.test"))
        for nets in ("5cnn", "7cnnx")
    ]
    largest = max(abs(val - test) for val, test in pairs)
    arithmetic = "; ".join(f"{float(val):g} - {float(test):g} = {float(val - test):.1f}" for val, test in pairs)
    return measure_fraction(largest, f"at most {float(largest):.1f}", arithmetic)
