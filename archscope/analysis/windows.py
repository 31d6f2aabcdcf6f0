"""Operations that slide a window, or pool: what they are by the taxonomy, and the window of each dimension."""

from dataclasses import dataclass

from archscope.core.operators import Operator, find_operator
from archscope.core.trace import OpRecord, Setting, ValueRef


@dataclass(frozen=True, slots=True)
class Window:
    """One dimension of a sliding window."""

    size: int
    """Of the input."""
    output: int
    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    output_padding: int = 0
    ceil_mode: bool = False

    @property
    def reach(self) -> int:
        """Positions from the first tap to the last."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def span(self) -> int:
        """How far the window can move over the padded input."""
        return self.size + 2 * self.padding - self.reach


def is_convolution(op: OpRecord) -> bool:
    """Whether the operation is a convolution whose weight is known, transposed or not."""
    operator = _find_sliding(op)
    return operator is not None and operator.kind == "convolution" and operator.find_weight(op) is not None


def is_transposed(op: OpRecord) -> bool:
    """Whether the operation is a transposed convolution."""
    operator = _find_sliding(op)
    return is_convolution(op) and operator is not None and (operator.transposed or op.argument("transposed") is True)


def is_pool(op: OpRecord) -> bool:
    """Whether the operation is a pool with a window of its own."""
    operator = _find_sliding(op)
    return operator is not None and operator.kind == "pool"


def is_adaptive(op: OpRecord) -> bool:
    """Whether the operation is an adaptive pool."""
    operator = find_operator(op.name)
    return operator is not None and operator.window == "adaptive"


def is_average(op: OpRecord) -> bool:
    """Whether the operation averages whole maps, as an adaptive pool to 1x1 is run."""
    operator = find_operator(op.name)
    if operator is None or operator.kind != "reduction" or not operator.title:
        return False
    data, dims = op.inputs[0].shape if op.inputs else (), op.argument("dim")
    axes = sorted(dim % len(data) for dim in dims if isinstance(dim, int)) if isinstance(dims, tuple) and data else []
    return len(data) > 2 and axes == list(range(2, len(data)))


def find_input(op: OpRecord) -> ValueRef:
    """What the operation reads beside its weight; the left factor of a product."""
    operator = find_operator(op.name)
    return operator.find_data(op) if operator is not None else op.inputs[0]


def find_weight(op: OpRecord) -> ValueRef | None:
    """The weight of a convolution, or the right factor of a product."""
    operator = find_operator(op.name)
    return operator.find_weight(op) if operator is not None else None


def _find_sliding(op: OpRecord) -> Operator | None:
    operator = find_operator(op.name)
    return operator if operator is not None and operator.window == "sliding" else None


def count_dimensions(op: OpRecord) -> int:
    """How many dimensions the operation slides along by its name: `max_pool2d_with_indices` along 2."""
    operator = find_operator(op.name)
    return operator.dimensions if operator is not None else 2


def read_windows(op: OpRecord) -> tuple[Window, ...]:
    """The window of a convolution or pool, dimension by dimension."""
    operator = find_operator(op.name)
    if operator is None:
        return ()
    data, weight, given = operator.find_data(op), operator.find_weight(op), op.argument("kernel_size")
    if weight is not None and len(weight.shape) > 2:
        kernel = weight.shape[2:]
    else:  # a pool, or a weight that has become a matrix
        rank = len(given) if isinstance(given, tuple) and len(given) > 1 else operator.dimensions
        kernel = read_sizes(given, rank, 1)
    rank = len(kernel)
    strides = read_sizes(op.argument("stride"), rank, 0)
    paddings = read_sizes(op.argument("padding"), rank, 0)
    dilations = read_sizes(op.argument("dilation"), rank, 1)
    more = read_sizes(op.argument("output_padding"), rank, 0)
    sizes, outputs = data.shape[-rank:], op.outputs[0].shape[-rank:]
    return tuple(
        Window(
            size=sizes[axis],
            output=outputs[axis],
            kernel=kernel[axis],
            stride=strides[axis] or (kernel[axis] if weight is None else 1),
            padding=paddings[axis],
            dilation=dilations[axis],
            output_padding=more[axis],
            ceil_mode=op.argument("ceil_mode") is True,
        )
        for axis in range(rank)
    )


def read_sizes(value: Setting, rank: int, default: int) -> tuple[int, ...]:
    """`3`, `(3,)` and `(3, 3)` as one number for each dimension; `default` where there is none."""
    numbers = [size for size in (value if isinstance(value, tuple) else (value,)) if isinstance(size, int)]
    return tuple(numbers) if len(numbers) == rank else (numbers[0] if numbers else default,) * rank
