"""Complex numbers: one multiply-accumulate of complex numbers is one MAC, whatever real arithmetic carries it out.

Matrix products of complex numbers are one operation. A convolution of complex numbers torch computes as three real
ones (Gauss's trick), with the parts of input and weight, `a` real and `b` imaginary: `conv(a, a)`, `conv(b, b)` and
`conv(a + b, a + b)`. The first of them is counted and stands for all three.
"""

from collections.abc import Sequence

from archscope.core.operators import find_kind, find_operator
from archscope.core.trace import OpRecord

COMPLEX_NOTE = "complex numbers: a multiply-accumulate of two complex numbers is counted as one MAC"


def find_shadow_convolutions(ops: Sequence[OpRecord]) -> frozenset[int]:
    """Indices of the second and third real convolutions of every convolution of complex numbers."""
    if not any(op.name == "aten.view_as_real" for op in ops):
        return frozenset()
    producers = {ref.value: op for op in ops for ref in op.outputs}
    convolutions = {_factors(op): op for op in ops if find_kind(op.name) == "convolution" and _factors(op)}
    found: set[int] = set()
    for factors, op in convolutions.items():
        sums = [_read_sum(producers.get(value)) for value in factors]
        if len(sums) != 2 or not all(sums):
            continue
        real, imaginary = zip(*sums, strict=True)
        parts = [convolutions.get(real), convolutions.get(imaginary)]
        if all(parts) and all(_is_part(producers, value) for value in (*real, *imaginary)):
            found |= {op.index, *(part.index for part in parts[1:] if part is not None)}
    return frozenset(found)


def uses_complex(op: OpRecord) -> bool:
    """Whether an operand is complex."""
    return any(ref.spec.dtype.startswith("complex") for ref in op.inputs)


def _factors(op: OpRecord) -> tuple[int, ...]:
    operator = find_operator(op.name)
    weight = operator.find_weight(op) if operator is not None and op.inputs else None
    return () if operator is None or weight is None else (operator.find_data(op).value, weight.value)


def _read_sum(op: OpRecord | None) -> tuple[int, ...]:
    """The two values that the operation adds; none where it is something else."""
    if op is None or op.name != "aten.add" or len(op.inputs) != 2:
        return ()
    return tuple(ref.value for ref in op.inputs)


def _is_part(producers: dict[int, OpRecord], value: int) -> bool:
    """Whether the value is the real or imaginary part of complex numbers."""
    op = producers.get(value)
    viewed = producers.get(op.inputs[0].value) if op is not None and op.name == "aten.select" else None
    return viewed is not None and viewed.name == "aten.view_as_real"
