"""Shortcuts: options A, B and C of section 3.3, and the bottleneck of Figure 5."""

from archscope.papers.measurement import Claim, Measurement, Numbers
from archscope.papers.networks import Convolution, Net
from archscope.papers.registry import REGISTRY, Case
from archscope.papers.residual_stages import count_projections, list_blocks
from archscope.papers.resnet import PAPER

SIMILAR = 0.1
"""Costs within a tenth of each other are called similar."""


@REGISTRY.measures(PAPER, id="resnet.fig5.bottle")
def measure_bottleneck(case: Case) -> Measurement:
    """Weights of a bottleneck on 256 channels against those of a basic block on 64."""
    bottleneck = list_blocks(case.net("resnet50_v1"), "layer1")[1].main
    basic = list_blocks(case.net("resnet34"), "layer1")[1].main
    ours, theirs = _weigh(bottleneck), _weigh(basic)
    text = f"{ours:,} against {theirs:,} weights"
    arithmetic = f"{_write(bottleneck)} = {ours:,}; {_write(basic)} = {theirs:,}"
    return Measurement(text, ours, Claim(abs(ours - theirs) <= SIMILAR * theirs), arithmetic)


@REGISTRY.measures(PAPER, id="resnet.double")
def measure_doubling(case: Case) -> Measurement:
    """The same bottleneck with its identity replaced by a projection."""
    block = list_blocks(case.net("resnet50_v1", shortcut="C"), "layer1")[1]
    alone, more = _weigh(block.main), _weigh(block.shortcut)
    ratio = (alone + more) / alone
    arithmetic = f"({alone:,} + {more:,})/{alone:,} = {ratio:.2f}"
    reading = Claim(abs(ratio - 2) <= SIMILAR, loosely=ratio != 2)
    return Measurement(f"{ratio:.2f} times", (alone + more, alone), reading, arithmetic)


def _weigh(convolutions: tuple[Convolution, ...]) -> int:
    return sum(found.weights for found in convolutions)


def _write(convolutions: tuple[Convolution, ...]) -> str:
    return " + ".join(found.arithmetic for found in convolutions)


@REGISTRY.measures(PAPER, id="resnet.13")
def measure_projections(case: Case) -> Measurement:
    """Projections of option C that option B does not have."""
    every, some = (count_projections(case.net("resnet34", shortcut=option)) for option in "CB")
    more = every - some
    return Measurement(f"{more} more", more, Numbers((more,)), f"{every} - {some} = {more}")


@REGISTRY.measures(PAPER, id="resnet.option.*")
def measure_option(case: Case) -> Measurement:
    """Parameters, multiply-adds and projections; whether the shortcuts are what the option says."""
    option = case.part(2)
    net = case.net("resnet34", shortcut=option)
    values = (net.params(), net.macs(), count_projections(net))
    text = f"{values[0]:,} parameters, {values[1]:,} MACs, {values[2]} projections"
    return Measurement(text, values, Claim(_keeps_option(case, net, option)))


def _keeps_option(case: Case, net: Net, option: str) -> bool:
    blocks = list_blocks(net)
    if option == "A":
        free = net.params() == case.net("plain34").params()
        return free and all(block.pads == block.changes_shape and not block.shortcut for block in blocks)
    if option == "B":
        return all(bool(block.shortcut) == block.changes_shape for block in blocks)
    return all(block.shortcut for block in blocks)


@REGISTRY.measures(PAPER, id="resnet.noextra")
def measure_free_shortcuts(case: Case) -> Measurement:
    """Parameters with option A less those of the plain network."""
    ours, plain = case.net("resnet34", shortcut="A").params(), case.net("plain34").params()
    return Measurement(f"{ours:,}", ours, Claim(ours == plain), f"{ours:,} - {plain:,} = {ours - plain:,}")
