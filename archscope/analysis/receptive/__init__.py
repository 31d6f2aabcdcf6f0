"""A Trace goes in; how far every layer's outputs reach into the image comes out, through branches the farthest path."""

from archscope.analysis.receptive.extent import Extent
from archscope.analysis.receptive.fields import (
    DimensionField,
    ReceptiveField,
    describe_reach,
    measure_fields,
    measure_values,
)
from archscope.analysis.receptive.state import Reach, State

__all__ = [
    "DimensionField",
    "Extent",
    "Reach",
    "ReceptiveField",
    "State",
    "describe_reach",
    "measure_fields",
    "measure_values",
]
