"""Tracing allocates no weights."""

from collections.abc import Callable

MIB = 2**20
# VGG-19 has 143,667,240 parameters of four bytes: 548 MiB that must never be there.
LIMIT_BYTES = 60_000_000

TRACE = """
import archscope
summary = archscope.trace("vgg19")
print(summary.to_dict()["totals"]["params"])
"""

# The same with the weights there, so that a measure that sees nothing is found out.
BUILD = """
import archscope
print(sum(parameter.numel() for parameter in archscope.build("vgg19").parameters()))
"""


def test_tracing_vgg19_adds_less_than_60_mb_to_importing_torch(
    measure_memory: Callable[[str], tuple[list[int], int]],
) -> None:
    (params,), grown_bytes = measure_memory(TRACE)
    assert params == 143_667_240
    assert grown_bytes < LIMIT_BYTES, f"grew by {grown_bytes / MIB:.1f} MiB"


def test_the_measure_sees_the_weights_of_a_built_vgg19(
    measure_memory: Callable[[str], tuple[list[int], int]],
) -> None:
    (params,), grown_bytes = measure_memory(BUILD)
    assert grown_bytes > 4 * params > 4 * 143_000_000
