"""Matrix products: `(M, K) @ (K, N)` is `M * K * N` multiply-accumulates, times the batch."""

from itertools import zip_longest

from archscope.analysis.macs.formula import Count, Formula, count_outputs, elements, integer, output, shape
from archscope.core.operators import Operator
from archscope.core.trace import OpRecord


def count_product(op: OpRecord, operator: Operator) -> int:
    """`elements(left) * N` for `left (..., M, K)` and `right (..., K, N)`."""
    return elements(shape(op, *operator.data)) * shape(op, *operator.weight)[-1]


def count_vector(op: OpRecord, operator: Operator) -> int:
    """One multiply-accumulate per element of the left factor: a dot product, or a matrix times a vector."""
    return elements(shape(op, *operator.data))


def count_outer(op: OpRecord, operator: Operator) -> int:
    """`left (M,)` and `right (N,)`: `M * N`."""
    return elements(shape(op, *operator.data)) * elements(shape(op, *operator.weight))


def count_linear(op: OpRecord, operator: Operator) -> int:
    """`input (..., K)` and `weight (N, K)`: `elements(input) * N`."""
    return elements(shape(op, *operator.data)) * shape(op, *operator.weight)[0]


def count_packed_linear(op: OpRecord, operator: Operator) -> int:
    """A linear layer whose weight is packed: `elements(input) * N`, N read off the output `(..., N)`."""
    return elements(shape(op, *operator.data)) * output(op)[-1]


def count_by_width(op: OpRecord, operator: Operator) -> int:
    """Any shape of right factor, packed or broadcast: `elements(output) * K`, K the width of `left (..., K)`."""
    return elements(output(op)) * shape(op, *operator.data)[-1]


def count_grouped(op: OpRecord, operator: Operator) -> int:
    """Grouped product of a mixture of experts, offsets splitting the rows, the columns or the inner dimension.

    `(M, K) x (G, K, N)`: each row meets one expert, `M * K * N`; `(G, M, K) x (G, K, N)`: `G * M * K * N`;
    `(G, M, K) x (K, N)`: `M * K * N`, the columns split; `(M, K) x (K, N)`: `M * K * N`, the sum split.
    """
    left, right = shape(op, *operator.data), shape(op, *operator.weight)
    groups = left[0] if len(left) == len(right) == 3 else 1
    return groups * left[-2] * left[-1] * right[-1]


def count_trilinear(op: OpRecord, operator: Operator) -> int:
    """`nn.Bilinear`'s kernel: three operands broadcast against each other, one product per element."""
    sizes: list[tuple[int, ...]] = []
    for operand, expand in (("i1", "expand1"), ("i2", "expand2"), ("i3", "expand3")):
        dims = list(shape(op, operand))
        positions = op.argument(expand, ())
        for position in positions if isinstance(positions, tuple) else ():
            dims.insert(position if isinstance(position, int) else 0, 1)
        sizes.append(tuple(dims))
    return elements(tuple(max(column) for column in zip_longest(*sizes, fillvalue=1)))


def count_linear_backward(op: OpRecord, operator: Operator) -> int:
    """The gradients of input and weight each cost as much as the forward pass."""
    mask = op.argument("output_mask", (True, True, True))
    wanted = sum(bool(flag) for flag in mask[:2]) if isinstance(mask, tuple) else 2
    return wanted * elements(shape(op, "grad_output")) * shape(op, "weight")[-1]


def count_4bit(op: OpRecord, operator: Operator) -> int:
    """`input (..., K)` by a packed weight of `out_features` rows."""
    return elements(shape(op, *operator.data)) * integer(op, "out_features")


def count_each(op: OpRecord, operator: Operator) -> int:
    """Two lists of matrices, the first with the first, ...: the sum of their products."""
    left, right = (
        [ref.shape for ref in op.inputs if ref.spec.key.split(".")[0] == names[0].split(".")[0]]
        for names in (operator.data, operator.weight)
    )
    return sum(elements(one) * other[-1] for one, other in zip(left, right, strict=True))


_COUNTS: dict[str, Count] = {
    "product": count_product,
    "vector product": count_vector,
    "outer product": count_outer,
    "product by width": count_by_width,
    "grouped product": count_grouped,
    "trilinear": count_trilinear,
    "4-bit product": count_4bit,
}

FORMULAS: dict[str, Formula] = {
    word: Formula(count, count_outputs, only_with_weight=True) for word, count in _COUNTS.items()
} | {
    # Operations that only linear layers use: their outputs are activations whatever their weight looks like.
    "linear": Formula(count_linear, count_outputs),
    "packed linear": Formula(count_packed_linear, count_outputs),
    "products one by one": Formula(count_each),
    "linear backward": Formula(count_linear_backward),
}
