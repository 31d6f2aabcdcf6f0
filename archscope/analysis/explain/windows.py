"""How large the output of an operation that slides a window is, and why."""

from collections.abc import Iterator, Sequence
from math import prod

from archscope.analysis.explain.arithmetic import Line
from archscope.analysis.windows import Window, count_dimensions, is_transposed, read_windows
from archscope.core.trace import LayerCall, OpRecord

NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""The dimensions that a window slides along, by their number."""


def explain_average(op: OpRecord) -> tuple[Line, ...]:
    """How many positions become one."""
    sizes = op.inputs[0].shape[2:]
    return (Line("positions averaged", " * ".join(map(str, sizes)), prod(sizes), remark="of each channel, into one"),)


def count_spatial(layer: LayerCall, op: OpRecord) -> int:
    """Dimensions that a layer's window slides along: torch runs pools of sequences as pools of images one row high."""
    dimensions = len(layer.outputs[0].shape) - 2 if layer.outputs else 0
    return dimensions if dimensions in NAMES else count_dimensions(op)


def explain_windows(op: OpRecord, dimensions: int) -> tuple[Line, ...]:
    """The output size, one line for dimensions that are alike."""
    explain = _explain_transposed if is_transposed(op) else _explain_sliding
    return tuple(explain(names, window) for names, window in _group_alike(read_windows(op)[-dimensions:]))


def explain_adaptive(op: OpRecord, dimensions: int) -> tuple[Line, ...]:
    """The window that an adaptive pool comes to, and whether it is the same everywhere."""
    rank = min(dimensions, count_dimensions(op))
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
    remark = f"at output {place}; windows are {min(widths)} to {max(widths)} wide, no single stride produces them"
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
