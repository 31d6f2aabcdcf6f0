"""ResNet on CIFAR-10: Table 6 and the architecture of section 4.2."""

from archscope.papers.measurement import Claim, Measurement, measure_amount
from archscope.papers.networks import Net
from archscope.papers.registry import REGISTRY, Case
from archscope.papers.residual_stages import count_additions, count_main, list_blocks, list_stages
from archscope.papers.resnet import PAPER, measure_depth

DEPTHS = (20, 32, 44, 56, 110)
"""Of the networks that the general statements are tried on."""
STAGES = {"s1": (1, 32), "s2": (2, 16), "s3": (3, 8)}
"""By the figure's id: the stage and the size of its maps."""


def _find_network(case: Case) -> Net:
    return case.net(f"resnet{case.part(2)}")


@REGISTRY.measures(PAPER, id="resnet.t6.*.layers")
def measure_layers(case: Case) -> Measurement:
    """Layers with weights."""
    return measure_depth(_find_network(case))


@REGISTRY.measures(PAPER, id="resnet.t6.*.params")
def measure_params(case: Case) -> Measurement:
    """Parameters with option A shortcuts."""
    net = _find_network(case)
    return measure_amount(net.params(), net.sum_params())


def _count_blocks(net: Net) -> int:
    """The paper's n."""
    return len(list_blocks(net, "layer1"))


@REGISTRY.measures(PAPER, id="resnet.cifar.6n2")
def measure_depth_rule(case: Case) -> Measurement:
    """The depth of each network against 6n+2."""
    nets = [case.net(f"resnet{depth}") for depth in DEPTHS]
    depths = tuple(net.depth() for net in nets)
    holds = all(net.depth() == 6 * _count_blocks(net) + 2 for net in nets)
    steps = "; ".join(f"6*{_count_blocks(net)} + 2 = {6 * _count_blocks(net) + 2}" for net in nets)
    return Measurement(", ".join(map(str, depths)), depths, Claim(holds), steps)


@REGISTRY.measures(PAPER, id="resnet.cifar.3n")
def measure_shortcut_rule(case: Case) -> Measurement:
    """Residual additions of each network against 3n."""
    nets = [case.net(f"resnet{depth}") for depth in DEPTHS]
    counts = tuple(count_additions(net) for net in nets)
    holds = all(count_additions(net) == 3 * _count_blocks(net) for net in nets)
    steps = "; ".join(f"3*{_count_blocks(net)} = {3 * _count_blocks(net)}" for net in nets)
    return Measurement(", ".join(map(str, counts)), counts, Claim(holds), steps)


@REGISTRY.measures(PAPER, id="resnet.cifar.s?")
def measure_stage(case: Case) -> Measurement:
    """Layers and filters on maps of one size, in ResNet-20 (n = 3)."""
    net = case.net("resnet20")
    number, side = STAGES[case.part(2)]
    stage = list_stages(net)[number - 1]
    blocks, layers = _count_blocks(net), count_main(net, stage)
    stem = int(number == 1)
    height, _, filters = net.hwc(stage)
    holds = layers == 2 * blocks and height == side and case.fact.published.endswith(f"{filters} filters")
    arithmetic = f"{f'{stem} + ' if stem else ''}2*{blocks} = {stem + layers}"
    return Measurement(f"{stem + layers} layers, {filters} filters", (stem + layers, filters), Claim(holds), arithmetic)
