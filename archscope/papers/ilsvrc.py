"""ILSVRC: the depths under the bars of the chart."""

from archscope.papers.measurement import Measurement, Numbers, measure_amount
from archscope.papers.registry import REGISTRY, Case

CHART = "ilsvrc_winners"
NETWORKS = {
    "ilsvrc.2012.layers": "alexnet_2012",
    "ilsvrc.2014.layers": "googlenet",
    "ilsvrc.2014.vgg.layers": "vgg19",
    "ilsvrc.2015.layers": "resnet152_v1",
}


def measure_layers(case: Case) -> Measurement:
    """Layers with weights on the longest way."""
    return measure_amount(case.net(NETWORKS[case.fact.id]).depth())


for identifier in NETWORKS:
    REGISTRY.measures(CHART, id=identifier)(measure_layers)


@REGISTRY.measures(CHART, id="ilsvrc.years")
def measure_years(case: Case) -> Measurement:
    """Years for which an official winner is printed."""
    years = sorted({fact.year for name, fact in case.facts.items() if name.endswith(".official") and fact.year})
    reading = Numbers((years[0], years[-1]))
    arithmetic = f"{years[-1]} - {years[0]} + 1 = {years[-1] - years[0] + 1}"
    return Measurement(f"{len(years)} years", len(years), reading, arithmetic)
