"""GoogLeNet: Table 1 row by row, the totals of the text, and the arithmetic of Table 3."""

from fractions import Fraction
from importlib.util import find_spec

from archscope.papers.googlenet_rows import find_conflict, find_row
from archscope.papers.measurement import (
    Amount,
    Convention,
    Measurement,
    Numbers,
    UnavailableError,
    measure_amount,
    measure_fraction,
    measure_numbers,
    measure_phrase,
)
from archscope.papers.networks import Net, arrange_hwc, pool_window
from archscope.papers.registry import REGISTRY, Case

PAPER = "szegedy2014_googlenet"
BRANCHES = (
    ("#1x1", "branch1x1.conv"),
    ("#3x3 reduce", "branch3x3.reduce"),
    ("#3x3", "branch3x3.conv"),
    ("#5x5 reduce", "branch5x5.reduce"),
    ("#5x5", "branch5x5.conv"),
    ("pool proj", "branch_pool.project"),
)
"""Columns of Table 1 by the module that makes them."""
KIBI = 1024
"""The params column's K."""


@REGISTRY.measures(PAPER, id="googlenet.*.output_size")
def measure_output(case: Case) -> Measurement:
    """HxWxC after the row; the soft-max keeps the shape of the scores."""
    net, row = case.net("googlenet"), find_row(case.part(1))
    shape = net.shape(row.paths[-1] if row.paths else "")
    return measure_numbers(*arrange_hwc(shape))


@REGISTRY.measures(PAPER, id="googlenet.*.patch")
def measure_patch(case: Case) -> Measurement:
    """`7x7/2`."""
    net, row = case.net("googlenet"), find_row(case.part(1))
    path = row.paths[-1]
    if "pool" in path:
        kernel, stride = pool_window(net, path)
    else:
        kernel, stride = net.convolution(path).side, net.convolution(path).stride
    return measure_phrase(f"{kernel}x{kernel}/{stride}", (kernel, kernel, stride))


@REGISTRY.measures(PAPER, id="googlenet.*.depth")
def measure_depth(case: Case) -> Measurement:
    """Layers with weights on the longest way through the row."""
    net = case.net("googlenet")
    return measure_amount(sum(net.depth(path) for path in find_row(case.part(1)).paths))


@REGISTRY.measures(PAPER, id="googlenet.conv2.columns")
def measure_conv2_columns(case: Case) -> Measurement:
    """The reduction and the convolution of the third row."""
    net = case.net("googlenet")
    widths = tuple(net.convolution(path).out_channels for path in find_row("conv2").paths)
    return measure_phrase(f"#3x3 reduce {widths[0]}, #3x3 {widths[1]}", widths)


@REGISTRY.measures(PAPER, id="googlenet.*.columns")
def measure_columns(case: Case) -> Measurement:
    """Widths of the branches of an inception module."""
    net, path = case.net("googlenet"), find_row(case.part(1)).paths[0]
    widths = tuple(net.convolution(f"{path}.{branch}").out_channels for _, branch in BRANCHES)
    words = ", ".join(f"{name} {width}" for (name, _), width in zip(BRANCHES, widths, strict=True))
    return measure_phrase(words, widths)


@REGISTRY.measures(PAPER, id="googlenet.*.params", unit="parameters (K)")
def measure_row_weights(case: Case) -> Measurement:
    """Weights of the row; K is 1024 and biases are not counted, as in every other row of the column."""
    net, row = case.net("googlenet"), find_row(case.part(1))
    weights = net.weights(*row.paths)
    biased = sum(net.params(path) for path in row.paths)
    conventions = (
        Convention(f"biases counted: {biased:,}/1024 = {biased / KIBI:.2f}", Amount(Fraction(biased))),
        Convention("K = 1000", Amount(Fraction(weights) * KIBI / 1000)),
    )
    arithmetic = f"{_write_weights(net, row.paths)} = {weights:,}; {weights:,}/1024 = {weights / KIBI:.2f}"
    return measure_amount(weights, arithmetic, *conventions, conflict=find_conflict(case))


def _write_weights(net: Net, paths: tuple[str, ...]) -> str:
    """`64*(3*7*7)`, a term for every weight."""
    terms = []
    for path in paths:
        for out, *rest in (shape for shape in net.parameter_shapes(path) if len(shape) > 1):
            terms.append(f"{out}*{rest[0]}" if set(rest[1:]) <= {1} else f"{out}*({'*'.join(map(str, rest))})")
    return " + ".join(terms)


@REGISTRY.measures(PAPER, id="googlenet.*.ops")
def measure_row_macs(case: Case) -> Measurement:
    """Multiply-adds of the row: every weight once for each position of the maps."""
    net, row = case.net("googlenet"), find_row(case.part(1))
    macs, weights = net.macs(*row.paths), net.weights(*row.paths)
    height, width, _ = arrange_hwc(net.shape(row.paths[-1]))
    written = f"{weights:,}*{height}*{width} = {macs:,}" if weights * height * width == macs else ""
    return measure_amount(macs, written, conflict=find_conflict(case))


@REGISTRY.measures(PAPER, id="googlenet.total.macs")
def measure_macs(case: Case) -> Measurement:
    """Multiply-adds of one image."""
    net = case.net("googlenet")
    return measure_amount(net.macs(), net.sum_macs())


@REGISTRY.measures(PAPER, id="googlenet.ratio12")
def measure_params_ratio(case: Case) -> Measurement:
    """AlexNet's parameters in GoogLeNet's."""
    theirs, ours = case.net("alexnet_2012").params(), case.net("googlenet").params()
    ratio = Fraction(theirs, ours)
    arithmetic = f"{theirs:,}/{ours:,} = {float(ratio):.2f}"
    return Measurement(f"{float(ratio):.2f} times", (theirs, ours), Amount(ratio), arithmetic)


@REGISTRY.measures(PAPER, id="googlenet.layers22")
def measure_weight_layers(case: Case) -> Measurement:
    """On the longest way; all modules with weights are more."""
    net = case.net("googlenet")
    modules = len(net.convolutions())
    linear = net.count_types("Linear")
    return measure_amount(net.depth(), f"all of them: {modules} + {linear} = {modules + linear}")


@REGISTRY.measures(PAPER, id="googlenet.layers27")
def measure_layers(case: Case) -> Measurement:
    """The same with pooling layers."""
    return measure_amount(case.net("googlenet").depth(pools=True))


@REGISTRY.measures(PAPER, id="googlenet.input")
def measure_input(case: Case) -> Measurement:
    """The image that the traced network read."""
    _, channels, height, width = case.net("googlenet").trace.inputs[0].shape
    return measure_numbers(height, width, channels)


@REGISTRY.measures(PAPER, id="googlenet.modules")
def measure_modules(case: Case) -> Measurement:
    """Inception modules: blocks whose branches are concatenated."""
    net = case.net("googlenet")
    count = sum(any(op.name == "aten.cat" for op in net.ops(child.path)) for child in net.children())
    return Measurement(str(count), count, Numbers((count,), at=(0,)))


def _trace_heads(case: Case) -> Net:
    return case.net("googlenet", aux=True, train=True)


@REGISTRY.measures(PAPER, id="googlenet.aux.*.pool")
def measure_head_pool(case: Case) -> Measurement:
    """What a head's average pool makes."""
    net, path = _trace_heads(case), {"4a": "aux1.avgpool", "4d": "aux2.avgpool"}[case.part(2)]
    height, width, channels = net.hwc(path)
    kernel, stride = pool_window(net, path)
    shape = (height, width, channels)
    return Measurement(
        f"{height}x{width}x{channels} ({kernel}x{kernel} average pool, stride {stride})",
        shape,
        Numbers((*shape, kernel, kernel, stride)),
        f"floor((14 - {kernel})/{stride}) + 1 = {height}" if net.layer(path).inputs[0].shape[-1] == 14 else "",
    )


@REGISTRY.measures(PAPER, id="googlenet.aux.conv")
def measure_head_convolution(case: Case) -> Measurement:
    """The heads' reduction."""
    found = _trace_heads(case).convolution("aux1.conv")
    return measure_phrase(f"{found.out_channels} {found.size} filters", (found.out_channels, *found.kernel))


@REGISTRY.measures(PAPER, id="googlenet.aux.fc")
def measure_head_units(case: Case) -> Measurement:
    """The heads' hidden layer."""
    return measure_amount(_trace_heads(case).features("aux1.fc1")[1])


@REGISTRY.measures(PAPER, id="googlenet.aux.dropout")
def measure_head_dropout(case: Case) -> Measurement:
    """The heads' dropout, in per cent."""
    share = Fraction(str(_trace_heads(case).layer("aux1.dropout").setting("p"))) * 100
    return Measurement(f"{float(share):g} %", int(share), Amount(share))


@REGISTRY.measures(PAPER, id="googlenet.crops144")
def measure_crops(_: Case) -> Measurement:
    """Scales, squares, crops and reflections (section 7)."""
    return Measurement("144", 144, Amount(Fraction(144), at=-1), "4*3*6*2 = 144")


@REGISTRY.measures(PAPER, id="googlenet.t3.*.cost")
def measure_cost(case: Case) -> Measurement:
    """Models times crops, of the same row."""
    models, crops = (int(number) for number in case.part(2).split("x"))
    return measure_amount(models * crops, f"{models}*{crops} = {models * crops:,}")


@REGISTRY.measures(PAPER, id="googlenet.t3.*.delta")
def measure_delta(case: Case) -> Measurement:
    """The row's error less the first row's."""
    error = case.printed(f"googlenet.t3.{case.part(2)}.top5_error")
    base = case.printed("googlenet.t3.1x1.top5_error")
    arithmetic = f"{float(error):.2f} - {float(base):.2f} = {float(error - base):.2f}"
    conflict = f"the table's own column of errors gives {arithmetic}"
    return measure_fraction(error - base, f"{float(error - base):.2f}", arithmetic, conflict=conflict)


@REGISTRY.measures(PAPER, id="googlenet.rel*")
def measure_relative(case: Case) -> Measurement:
    """Reduction of the error: of the official results where the paper's rounded ones give another figure."""
    year = {"googlenet.rel56": 2012, "googlenet.rel40": 2013}[case.fact.id]
    printed = {2012: "googlenet.t2.supervision.15_3", 2013: "googlenet.t2.clarifai.11_2"}[year]
    before, after = case.printed(printed), case.printed("googlenet.t2.googlenet.6_67")
    if year == 2012:
        before, after = case.printed("ilsvrc.2012.official"), case.printed("ilsvrc.2014.official")
    reduction = 100 * (before - after) / before
    arithmetic = f"100*({float(before):g} - {float(after):g})/{float(before):g} = {float(reduction):.2f}"
    return measure_fraction(reduction, f"{float(reduction):.2f} %", arithmetic)


def _trace_torchvision(case: Case) -> Net:
    if find_spec("torchvision") is None:
        raise UnavailableError("torchvision is not installed: pip install 'torch-archscope[models]'")
    return case.net("torchvision:googlenet", aux_logits=False, init_weights=False)


@REGISTRY.measures(PAPER, id="googlenet.tv.params")
def measure_torchvision_params(case: Case) -> Measurement:
    """Of torchvision's network without heads."""
    net = _trace_torchvision(case)
    return measure_amount(net.params(), net.sum_params())


@REGISTRY.measures(PAPER, id="googlenet.tv.macs")
def measure_torchvision_macs(case: Case) -> Measurement:
    """Of torchvision's network."""
    net = _trace_torchvision(case)
    return measure_amount(net.macs(), net.sum_macs())


@REGISTRY.measures(PAPER, id="googlenet.tv.kernel5")
def measure_torchvision_kernel(case: Case) -> Measurement:
    """The kernel of torchvision's third branch, in every module."""
    net = _trace_torchvision(case)
    modules = [child.path for child in net.children() if net.has(f"{child.path}.branch3")]
    kernels = {net.convolutions(f"{path}.branch3")[-1].kernel for path in modules}
    kernel = max(kernels)
    ours = sum(net_weights for net_weights in _weigh_fives(case))
    theirs = sum(net.convolutions(f"{path}.branch3")[-1].weights for path in modules)
    arithmetic = f"{ours:,} - {theirs:,} = {ours - theirs:,}"
    return Measurement("x".join(map(str, kernel)), kernel, Numbers(kernel), arithmetic)


def _weigh_fives(case: Case) -> list[int]:
    net = case.net("googlenet")
    return [
        net.convolution(f"{child.path}.branch5x5.conv").weights
        for child in net.children()
        if net.has(f"{child.path}.branch5x5.conv")
    ]
