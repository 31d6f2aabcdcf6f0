"""The arithmetic that leads from the receptive field before an operation to the one behind it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from archscope.analysis.explain.arithmetic import Line, format_number
from archscope.analysis.explain.windows import NAMES
from archscope.analysis.receptive import Reach, State
from archscope.analysis.windows import Window, find_input, is_convolution, is_pool, is_transposed, read_windows
from archscope.core.trace import OpRecord

WHOLE = "the whole input"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Step:
    """One dimension before and after."""

    after: Reach
    before: Reach | None
    window: Window | None


def explain_field(op: OpRecord | None, states: Mapping[int, State], value: int) -> tuple[Line, ...]:
    """The receptive field of `value`, through `op` where that slides a window over what came before."""
    after = states.get(value, ())
    if not after or len(after) not in NAMES:
        return ()
    steps = list(_list_steps(op, states, after))
    names = NAMES[len(after)]
    groups: dict[tuple[object, ...], list[str]] = {}
    lines_of: dict[tuple[object, ...], tuple[Line, ...]] = {}
    for name, step in zip(names, steps, strict=True):
        lines = tuple(_explain_step(step))
        key = tuple((line.expression, line.shown, line.remark) for line in lines)
        groups.setdefault(key, []).append(name)
        lines_of[key] = lines
    if len(groups) == 1:
        return next(iter(lines_of.values()))
    return tuple(
        Line(f"{line.quantity}, {' and '.join(groups[key])}", line.expression, line.value, line.text, line.remark)
        for key, lines in lines_of.items()
        for line in lines
    )


def _list_steps(op: OpRecord | None, states: Mapping[int, State], after: State) -> Iterator[_Step]:
    before: State = ()
    windows: Sequence[Window] = ()
    first = 0
    if op is not None and not is_transposed(op) and (is_convolution(op) or is_pool(op)):
        data = find_input(op)
        before, windows = states.get(data.value, ()), read_windows(op)
        first = len(data.shape) - len(windows)
    for place, reach in enumerate(after):
        old = before[place] if len(before) == len(after) else None
        slides = old is not None and old.kind == "extent" and old.place == "axis" and old.axis >= first
        yield _Step(reach, old, windows[old.axis - first] if old is not None and slides else None)


def _explain_step(step: _Step) -> Iterator[Line]:
    reach = step.after
    if reach.kind != "extent":
        yield Line("receptive field", text=WHOLE if reach.kind == "whole" else UNKNOWN)
        return
    extent = reach.extent
    remark = f"output 0 is centred on input position {format_number(extent.centre)}"
    old, window = step.before, step.window
    if old is None or window is None or old.extent.period != 1 or extent.period != 1:
        yield Line("receptive field", value=extent.size, remark=remark)
        yield Line("jump", value=extent.jump, remark=describe_jump(extent.jump))
        return
    before = old.extent
    taps = f"({window.kernel} - 1)" if window.dilation == 1 else f"{window.dilation} * ({window.kernel} - 1)"
    size = f"{before.size} + {taps} * {_write(before.jump)}"
    yield Line("receptive field", size, extent.size, remark=remark)
    yield Line("jump", f"{_write(before.jump)} * {window.stride}", extent.jump, remark=describe_jump(extent.jump))


def describe_jump(jump: Fraction) -> str:
    """`one step here is 4 input positions`."""
    noun = "position" if jump == 1 else "positions"
    return f"one step here is {format_number(jump)} input {noun}"


def _write(jump: Fraction) -> str:
    return str(jump.numerator) if jump.denominator == 1 else f"({jump.numerator} / {jump.denominator})"
