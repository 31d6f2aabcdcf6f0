"""Operations that slide a window go in; how large their output is, and why, comes out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from archscope.analysis.explain.arithmetic import Line
from archscope.core.trace import LayerCall, OpRecord, Setting

NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""The dimensions that a window slides along, by their number."""

_POOLS = (
    "max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices", "max_pool3d_with_indices",
    "avg_pool1d", "avg_pool2d", "avg_pool3d",
)  # fmt: skip
_ADAPTIVE = (
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "_adaptive_avg_pool2d",
    "_adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d",
)  # fmt: skip


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
    """Whether the operation is a convolution, transposed or not."""
    return op.name.partition(".")[2] in ("convolution", "_convolution") and op.operand("weight") is not None


def is_transposed(op: OpRecord) -> bool:
    """Whether the operation is a transposed convolution."""
    return is_convolution(op) and op.argument("transposed") is True


def is_pool(op: OpRecord) -> bool:
    """Whether the operation is a pool with a window of its own."""
    return op.name.partition(".")[2] in _POOLS


def is_adaptive(op: OpRecord) -> bool:
    """Whether the operation is an adaptive pool."""
    return op.name.partition(".")[2] in _ADAPTIVE


def is_average(op: OpRecord) -> bool:
    """Whether the operation averages whole maps, as an adaptive pool to 1x1 is run."""
    data = op.inputs[0].shape if op.inputs else ()
    dims = op.argument("dim")
    axes = sorted(dim % len(data) for dim in dims if isinstance(dim, int)) if isinstance(dims, tuple) and data else []
    return op.name == "aten.mean" and len(data) > 2 and axes == list(range(2, len(data)))


def explain_average(op: OpRecord) -> tuple[Line, ...]:
    """How many positions become one."""
    sizes = op.inputs[0].shape[2:]
    return (Line("positions averaged", " * ".join(map(str, sizes)), prod(sizes), remark="of each channel, into one"),)


def read_windows(op: OpRecord) -> tuple[Window, ...]:
    """The window of a convolution or pool, dimension by dimension."""
    data = op.operand("input") or op.operand("self") or op.inputs[0]
    if is_convolution(op):
        weight = op.operand("weight")
        kernel: tuple[int, ...] = weight.shape[2:] if weight is not None else ()
        rank = len(kernel)
    else:
        given = op.argument("kernel_size")
        rank = len(given) if isinstance(given, tuple) and len(given) > 1 else _count_dimensions(op)
        kernel = read_sizes(given, rank, 1)
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
            stride=strides[axis] or kernel[axis],
            padding=paddings[axis],
            dilation=dilations[axis],
            output_padding=more[axis],
            ceil_mode=op.argument("ceil_mode") is True,
        )
        for axis in range(rank)
    )


def read_sizes(value: Setting, rank: int, default: int) -> tuple[int, ...]:
    """`3`, `(3,)` and `(3, 3)` as one number for each dimension."""
    numbers = [size for size in (value if isinstance(value, tuple) else (value,)) if isinstance(size, int)]
    if len(numbers) == rank:
        return tuple(numbers)
    return (numbers[0] if numbers else default,) * rank


def count_spatial(layer: LayerCall, op: OpRecord) -> int:
    """Dimensions that a layer's window slides along: torch runs pools of sequences as pools of images one row high."""
    dimensions = len(layer.outputs[0].shape) - 2 if layer.outputs else 0
    return dimensions if dimensions in NAMES else _count_dimensions(op)


def explain_windows(op: OpRecord, dimensions: int) -> tuple[Line, ...]:
    """The output size, one line for dimensions that are alike."""
    explain = _explain_transposed if is_transposed(op) else _explain_sliding
    return tuple(explain(names, window) for names, window in _group_alike(read_windows(op)[-dimensions:]))


def explain_adaptive(op: OpRecord, dimensions: int) -> tuple[Line, ...]:
    """The window that an adaptive pool comes to, and whether it is the same everywhere."""
    rank = min(dimensions, _count_dimensions(op))
    pairs = list(zip(op.inputs[0].shape[-rank:], op.outputs[0].shape[-rank:], strict=True))
    groups: dict[tuple[int, int], list[str]] = {}
    for name, pair in zip(NAMES[rank], pairs, strict=True):
        groups.setdefault(pair, []).append(name)
    return tuple(line for pair, names in groups.items() for line in _explain_adaptive(", ".join(names), *pair))


def _explain_sliding(names: str, window: Window) -> Line:
    """`floor((227 + 2*0 - 11) / 4) + 1`, with the dilation where there is one, and rounded up in ceil mode."""
    taps = f"{window.kernel}" if window.dilation == 1 else f"{window.dilation}*({window.kernel} - 1) - 1"
    rounding = "ceil" if window.ceil_mode else "floor"
    expression = f"{rounding}(({window.size} + 2*{window.padding} - {taps}) / {window.stride}) + 1"
    remark = _remark_sliding(window)
    if window.ceil_mode and window.output == -(-window.span // window.stride):
        expression = f"{rounding}(({window.size} + 2*{window.padding} - {taps}) / {window.stride}) + 1 - 1"
        remark = "the last window would begin beyond the input: it is left out"
    return Line(names, expression, window.output, remark=remark)


def _remark_sliding(window: Window) -> str:
    whole, rest = divmod(window.span, window.stride)
    if not rest:
        return f"{window.span} / {window.stride} = {whole}, nothing dropped" if window.stride > 1 else ""
    if window.ceil_mode:
        return f"rounded up: the last window lies {window.stride - rest} beyond the edge"
    last = "position" if rest == 1 else f"{rest} positions"
    where = "the padded input" if window.padding else "the input"
    return f"{window.span} / {window.stride} leaves {rest}: the last {last} of {where} {_agree(rest)} not read"


def _agree(count: int) -> str:
    return "is" if count == 1 else "are"


def _explain_transposed(names: str, window: Window) -> Line:
    """`(7 - 1) * 2 - 2*1 + (4 - 1) + 0 + 1`."""
    taps = f"({window.kernel} - 1)" if window.dilation == 1 else f"{window.dilation}*({window.kernel} - 1)"
    expression = f"({window.size} - 1) * {window.stride} - 2*{window.padding} + {taps} + {window.output_padding} + 1"
    return Line(names, expression, window.output, remark="transposed: each input position spreads its kernel")


def _explain_adaptive(names: str, size: int, output: int) -> Iterator[Line]:
    yield Line(names, value=output, remark=f"asked for; the input has {size}")
    if not output or not size:
        return
    stride, rest = divmod(size, output)
    if output <= size and rest in (0, 1):
        yield Line(f"stride, {names}", f"floor({size} / {output})", stride)
        kernel = size - (output - 1) * stride
        yield Line(
            f"kernel, {names}", f"{size} - ({output} - 1) * {stride}", kernel, remark="the same window everywhere"
        )
        return
    widths = [-(-(place + 1) * size // output) - place * size // output for place in range(output)]
    place = widths.index(max(widths))
    remark = f"at output {place}; windows are {min(widths)} to {max(widths)} wide, no one stride makes them"
    if len(set(widths)) == 1:
        remark = f"at output {place}; every window is {widths[0]} wide, at steps that differ"
    expression = f"ceil(({place} + 1) * {size} / {output}) - floor({place} * {size} / {output})"
    yield Line(f"widest window, {names}", expression, widths[place], remark=remark)


def _group_alike(windows: Sequence[Window]) -> Iterator[tuple[str, Window]]:
    groups: dict[Window, list[str]] = {}
    for name, window in zip(NAMES[len(windows)], windows, strict=True):
        groups.setdefault(window, []).append(name)
    for window, names in groups.items():
        yield ", ".join(names), window


def _count_dimensions(op: OpRecord) -> int:
    return next((int(sign) for sign in op.name if sign in "123"), 2)
