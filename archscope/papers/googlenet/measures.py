"""What the GoogLeNet paper prints, measured: Table 1 row by row, the totals of the text, the arithmetic of Table 3."""

from dataclasses import replace
from fractions import Fraction
from importlib.util import find_spec
from math import prod

from archscope.core.operators import find_kind
from archscope.papers.googlenet.rows import TableRow, find_conflict, find_row, list_rows, read_branches
from archscope.papers.googlenet.terms import (
    compare_torchvision,
    list_row_terms,
    list_torchvision_fives,
    weigh_separable,
)
from archscope.papers.measurement import (
    Amount,
    Claim,
    Convention,
    Every,
    MeasureError,
    Measurement,
    Numbers,
    UnavailableError,
    measure_amount,
    measure_fraction,
    measure_numbers,
    measure_phrase,
)
from archscope.papers.networks import Net
from archscope.papers.published import list_numbers
from archscope.papers.registry import Case, Paper

PAPER = Paper("szegedy2014_googlenet")
KIBI = 1024
"""The params column's K."""


def _find_row(case: Case) -> tuple[Net, TableRow]:
    """The network, and the row of Table 1: `googlenet.3a.depth` is about row 3a."""
    net = case.net("googlenet")
    return net, find_row(net, case.part(1))


@PAPER.measures(id="googlenet.*.output_size")
def measure_output(case: Case) -> Measurement:
    """HxWxC after the row; the soft-max keeps the shape of the scores."""
    net, row = _find_row(case)
    return measure_numbers(*net.hwc(row.paths[-1] if row.paths else ""))


@PAPER.measures(id="googlenet.*.patch")
def measure_patch(case: Case) -> Measurement:
    """`7x7/2`."""
    net, row = _find_row(case)
    if row.kind not in ("conv", "pool", "avgpool"):
        raise MeasureError(f"row {row.name} has no one window")
    kernel, stride = net.window(row.paths[-1])
    return measure_phrase(f"{kernel}x{kernel}/{stride}", (kernel, kernel, stride))


@PAPER.measures(id="googlenet.*.depth")
def measure_depth(case: Case) -> Measurement:
    """Layers with weights on the longest way through the row."""
    net, row = _find_row(case)
    return measure_amount(sum(net.depth(path) for path in row.paths))


@PAPER.measures(id="googlenet.*.columns")
def measure_columns(case: Case) -> Measurement:
    """Widths of the branches of an inception module, or of a reduction and the convolution after it."""
    branches = read_branches(*_find_row(case))
    if not branches:
        raise MeasureError(f"row {case.part(1)} has no branches")
    widths = {name: found.out_channels for name, found in branches.items()}
    return measure_phrase(", ".join(f"{name} {width}" for name, width in widths.items()), tuple(widths.values()))


def _trace_torchvision(case: Case) -> Net:
    if find_spec("torchvision") is None:
        raise UnavailableError("torchvision is not installed: pip install 'torch-archscope[models]'")
    return case.net("torchvision:googlenet", aux_logits=False, init_weights=False)


@PAPER.measures(id="googlenet.tv.params")
def measure_torchvision_params(case: Case) -> Measurement:
    """Of torchvision's network without heads."""
    net = _trace_torchvision(case)
    return replace(net.measure_params(), terms=lambda: compare_torchvision(net, case.net("googlenet")))


@PAPER.measures(id="googlenet.tv.macs")
def measure_torchvision_macs(case: Case) -> Measurement:
    """Of torchvision's network."""
    return _trace_torchvision(case).measure_macs()


@PAPER.measures(id="googlenet.tv.kernel5")
def measure_torchvision_kernel(case: Case) -> Measurement:
    """The kernel of torchvision's third branch, in every module."""
    theirs, ours = _trace_torchvision(case), case.net("googlenet")
    kernel = max(found.kernel for found in list_torchvision_fives(theirs))
    terms = compare_torchvision(theirs, ours)
    fives, threes = terms["fives"], terms["threes"]
    arithmetic = f"{fives:,} - {threes:,} = {fives - threes:,}"
    return Measurement("x".join(map(str, kernel)), kernel, Numbers(kernel), arithmetic, terms=terms)


@PAPER.measures(id="googlenet.*.params")
def measure_row_weights(case: Case) -> Measurement:
    """Weights of the row; K is 1024 and biases are not counted, as in every other row of the column."""
    net, row = _find_row(case)
    weights = _count_weights(net, row)
    biased = sum(net.params(path) for path in row.paths)
    conventions = (
        Convention(f"biases counted: {biased:,}/1024 = {biased / KIBI:.2f}", Amount(Fraction(biased))),
        Convention("K = 1000", Amount(Fraction(weights) * KIBI / 1000)),
    )
    arithmetic = f"{_write_weights(net, row.paths)} = {weights:,}; {weights:,}/1024 = {weights / KIBI:.2f}"
    found = measure_amount(weights, arithmetic, *conventions, conflict=find_conflict(case))
    return replace(found, terms=lambda: {**list_row_terms(case, net, row), "biased": biased})


def _count_weights(net: Net, row: TableRow) -> int:
    weights = net.weights(*row.paths)
    if not weights:
        raise MeasureError(f"row {row.name} has no weights")
    return weights


def _write_weights(net: Net, paths: tuple[str, ...]) -> str:
    """`64*(3*7*7)`, a term for every weight."""
    terms = []
    for path in paths:
        for out, *rest in (shape for shape in net.parameter_shapes(path) if len(shape) > 1):
            terms.append(f"{out}*{rest[0]}" if set(rest[1:]) <= {1} else f"{out}*({'*'.join(map(str, rest))})")
    return " + ".join(terms)


@PAPER.measures(id="googlenet.*.ops")
def measure_row_macs(case: Case) -> Measurement:
    """Multiply-adds of the row: every weight once for each position of the maps."""
    net, row = _find_row(case)
    macs, weights = net.macs(*row.paths), _count_weights(net, row)
    height, width, _ = net.hwc(row.paths[-1])
    written = f"{weights:,}*{height}*{width} = {macs:,}" if weights * height * width == macs else ""
    return replace(
        measure_amount(macs, written, conflict=find_conflict(case)), terms=lambda: list_row_terms(case, net, row)
    )


@PAPER.measures(id="googlenet.total.macs")
def measure_macs(case: Case) -> Measurement:
    """Multiply-adds of one image."""
    net = case.net("googlenet")
    height, width, _ = net.hwc(list_rows(net)[0].paths[0])
    terms = {"first": net.macs(list_rows(net)[0].paths[0]), "height": height, "width": width}
    return replace(net.measure_macs(), terms={**weigh_separable(net), **terms})


@PAPER.measures(id="googlenet.ratio12")
def measure_params_ratio(case: Case) -> Measurement:
    """AlexNet's parameters in GoogLeNet's."""
    theirs, ours = case.net("alexnet_2012").params(), case.net("googlenet").params()
    ratio = Fraction(theirs, ours)
    arithmetic = f"{theirs:,}/{ours:,} = {float(ratio):.2f}"
    return Measurement(f"{float(ratio):.2f} times", (theirs, ours), Amount(ratio), arithmetic)


@PAPER.measures(id="googlenet.layers22")
def measure_weight_layers(case: Case) -> Measurement:
    """On the longest way; all modules with weights are more."""
    net = case.net("googlenet")
    modules = len(net.convolutions())
    linear = net.count_types("Linear")
    kinds = [row.kind for row in list_rows(net)]
    stem = sum(len(row.paths) for row in list_rows(net) if row.kind == "conv")
    terms = {"stem": stem, "blocks": kinds.count("block"), "convolutions": modules, "linear": linear}
    found = measure_amount(net.depth(), f"all of them: {modules} + {linear} = {modules + linear}")
    return replace(found, terms=terms)


@PAPER.measures(id="googlenet.layers27")
def measure_layers(case: Case) -> Measurement:
    """The same with pooling layers."""
    net = case.net("googlenet")
    kinds = [row.kind for row in list_rows(net)]
    terms = {"weighted": net.depth(), "pools": kinds.count("pool"), "averages": kinds.count("avgpool")}
    return replace(measure_amount(net.depth(pools=True)), terms=terms)


@PAPER.measures(id="googlenet.input")
def measure_input(case: Case) -> Measurement:
    """The image that the traced network read."""
    return measure_numbers(*case.net("googlenet").image)


@PAPER.measures(id="googlenet.modules")
def measure_modules(case: Case) -> Measurement:
    """Inception modules: blocks whose branches are concatenated."""
    net = case.net("googlenet")
    count = sum(any(find_kind(op.name) == "concatenation" for op in net.ops(child.path)) for child in net.children())
    names = [row.name for row in list_rows(net) if row.kind == "block"]
    listed = case.fact.published.partition("(")[2].rstrip(")")
    ends = Claim(listed == f"{names[0]}-{names[-1]}")
    return Measurement(str(count), count, Every((Numbers((count,), at=(0,)), ends)))


def _trace_heads(case: Case) -> Net:
    return case.net("googlenet", aux=True, train=True)


@PAPER.measures(id="googlenet.aux.*.pool")
def measure_head_pool(case: Case) -> Measurement:
    """What a head's average pool makes."""
    net, path = _trace_heads(case), {"4a": "aux1.avgpool", "4d": "aux2.avgpool"}[case.part(2)]
    height, width, channels = net.hwc(path)
    kernel, stride = net.window(path)
    shape = (height, width, channels)
    return Measurement(
        f"{height}x{width}x{channels} ({kernel}x{kernel} average pool, stride {stride})",
        shape,
        Numbers((*shape, kernel, kernel, stride)),
        f"floor((14 - {kernel})/{stride}) + 1 = {height}" if net.layer(path).inputs[0].shape[-1] == 14 else "",
    )


@PAPER.measures(id="googlenet.aux.conv")
def measure_head_convolution(case: Case) -> Measurement:
    """The heads' reduction."""
    found = _trace_heads(case).convolution("aux1.conv")
    return measure_phrase(f"{found.out_channels} {found.size} filters", (found.out_channels, *found.kernel))


@PAPER.measures(id="googlenet.aux.fc")
def measure_head_units(case: Case) -> Measurement:
    """The heads' hidden layer."""
    return measure_amount(_trace_heads(case).features("aux1.fc1")[1])


@PAPER.measures(id="googlenet.aux.dropout")
def measure_head_dropout(case: Case) -> Measurement:
    """The heads' dropout, in per cent."""
    share = Fraction(str(_trace_heads(case).layer("aux1.dropout").setting("p"))) * 100
    return Measurement(f"{float(share):g} %", int(share), Amount(share))


@PAPER.measures(id="googlenet.crops144")
def measure_crops(case: Case) -> Measurement:
    """Scales, squares, crops and reflections (section 7), as printed."""
    sizes = [int(number.value) for number in list_numbers(case.fact.published)[:-1]]
    crops = prod(sizes)
    reading = Amount(Fraction(crops), at=-1)
    return Measurement(f"{crops:,}", crops, reading, f"{'*'.join(map(str, sizes))} = {crops}")


@PAPER.measures(id="googlenet.t3.*.cost")
def measure_cost(case: Case) -> Measurement:
    """Models times crops, of the same row."""
    models, crops = (int(number) for number in case.part(2).split("x"))
    return measure_amount(models * crops, f"{models}*{crops} = {models * crops:,}")


@PAPER.measures(id="googlenet.t3.*.delta")
def measure_delta(case: Case) -> Measurement:
    """The row's error less the first row's."""
    error = case.printed(f"googlenet.t3.{case.part(2)}.top5_error")
    base = case.printed("googlenet.t3.1x1.top5_error")
    arithmetic = f"{float(error):.2f} - {float(base):.2f} = {float(error - base):.2f}"
    conflict = f"the table's own column of errors gives {arithmetic}"
    found = measure_fraction(error - base, f"{float(error - base):.2f}", arithmetic, conflict=conflict)
    return replace(found, terms={"error": error, "base": base})


@PAPER.measures(id="googlenet.rel*")
def measure_relative(case: Case) -> Measurement:
    """Reduction of the error, from the paper's own Table 2; `official` is that of the official results."""
    year = {"googlenet.rel56": 2012, "googlenet.rel40": 2013}[case.fact.id]
    printed = {2012: "googlenet.t2.supervision.15_3", 2013: "googlenet.t2.clarifai.11_2"}[year]
    before, after = case.printed(printed), case.printed("googlenet.t2.googlenet.6_67")
    reduction = 100 * (before - after) / before
    arithmetic = f"100*({float(before):g} - {float(after):g})/{float(before):g} = {float(reduction):.2f}"
    official = {"before": case.printed(f"ilsvrc.{year}.official"), "after": case.printed("ilsvrc.2014.official")}
    found = measure_fraction(reduction, f"{float(reduction):.2f} %", arithmetic)
    return replace(found, terms=official)
