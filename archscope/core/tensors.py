"""Tensor specifications: a key, a shape and a dtype name, and the elements and bytes they amount to.

Nothing here knows torch: dtypes are the names torch prints without their `torch.` prefix.
"""

from dataclasses import dataclass
from math import prod

DTYPE_BYTES: dict[str, int] = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "float8_e4m3fnuz": 1,
    "float8_e5m2fnuz": 1,
    "float8_e8m0fnu": 1,
    "complex32": 4,
    "complex64": 8,
    "complex128": 16,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint64": 8,
    "uint32": 4,
    "uint16": 2,
    "uint8": 1,
    "bool": 1,
    "qint8": 1,
    "quint8": 1,
    "qint32": 4,
}
"""Bytes of one element, by dtype name."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor at a leaf of a nested structure of inputs or outputs."""

    key: str
    """Where the tensor sits in the structure: `"x"`, `"0"`, `"0.hidden"`; empty for a lone output."""
    shape: tuple[int, ...]
    """The sizes in PyTorch's order, `(N, C, H, W)` for images."""
    dtype: str
    """The dtype's name, such as `float32`."""

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of the elements, contiguous. Dtypes narrower than a byte count as one."""
        return self.elements * DTYPE_BYTES.get(self.dtype, 1)
